//! The body of a request: where it ends, and the data in its chunks, without sockets.

use http::StatusCode;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// A request's body, for the function that answers it.
pub trait ReadBody {
    /// Reads the whole body. A client that waits for a response of 100 gets it first.
    ///
    /// # Errors
    /// The body is longer than `max` bytes, malformed, too slow or cut off. The connection is then closed after the
    /// response.
    fn read(&mut self, max: usize) -> Result<Vec<u8>, BodyError>;
}

/// A body that has been received.
impl ReadBody for &[u8] {
    fn read(&mut self, max: usize) -> Result<Vec<u8>, BodyError> {
        if self.len() <= max {
            Ok(self.to_vec())
        } else {
            Err(BodyError::TooLarge { max })
        }
    }
}

/// The reason why a body could not be read.
#[derive(Debug, Error)]
pub enum BodyError {
    #[error("the body must be at most {max} bytes")]
    TooLarge { max: usize },
    #[error("the body is malformed: {0}")]
    Malformed(&'static str),
    #[error("the request did not arrive within {0:?}")]
    TooSlow(Duration),
    #[error("the connection ended within the body")]
    CutOff,
    #[error("the body could not be read: {0}")]
    Unreadable(io::Error),
}

impl BodyError {
    /// The status of the response to such a request.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(_) | Self::CutOff | Self::Unreadable(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body has so many bytes. A request without a body has none.
    Length(u64),
    Chunked,
}

/// The longest line before a chunk, and the longest line of a trailer, in bytes.
const MAX_LINE: usize = 1024;

/// The most bytes of all chunk extensions and trailers of a body, which are discarded.
const MAX_EXTRAS: usize = 16 * 1024;

/// Takes a body from the connection's bytes.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    extras: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of a body without chunks follow.
    Plain(u64),
    /// The line with the size of a chunk follows.
    ChunkSize,
    /// So many bytes of a chunk follow, and then the end of its line.
    Chunk(u64),
    ChunkEnd,
    /// After the last chunk: fields, and then an empty line.
    Trailers,
    Done,
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Plain(length),
            Framing::Chunked => State::ChunkSize,
        };
        Self { state, extras: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The number of bytes that follow, if the request says so.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Plain(remaining) => Some(remaining),
            State::ChunkSize | State::Chunk(_) | State::ChunkEnd | State::Trailers => None,
        }
    }

    /// Takes one step. Returns how many bytes at the beginning of the input it consumed, and which of these are data. If it
    /// consumed none, it needs more input, or the body is done.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), BodyError> {
        match self.state {
            State::Plain(remaining) => {
                let data = first(input, remaining);
                let remaining = remaining - data.len() as u64;
                self.state = match remaining {
                    0 => State::Done,
                    _ => State::Plain(remaining),
                };
                Ok((data.len(), data))
            }
            State::Chunk(remaining) => {
                let data = first(input, remaining);
                let remaining = remaining - data.len() as u64;
                self.state = match remaining {
                    0 => State::ChunkEnd,
                    _ => State::Chunk(remaining),
                };
                Ok((data.len(), data))
            }
            State::ChunkEnd => match line(input)? {
                Some(b"") => self.went_on(State::ChunkSize, 2),
                Some(_) => Err(BodyError::Malformed("a chunk is longer than its size")),
                None => Ok((0, b"")),
            },
            State::ChunkSize => match line(input)? {
                Some(line) => {
                    let (size, digits) = chunk_size(line)?;
                    self.discard(line.len() - digits)?;
                    let next = match size {
                        0 => State::Trailers,
                        _ => State::Chunk(size),
                    };
                    self.went_on(next, line.len() + 2)
                }
                None => Ok((0, b"")),
            },
            State::Trailers => match line(input)? {
                Some(b"") => self.went_on(State::Done, 2),
                Some(line) => {
                    self.discard(line.len())?;
                    self.went_on(State::Trailers, line.len() + 2)
                }
                None => Ok((0, b"")),
            },
            State::Done => Ok((0, b"")),
        }
    }

    fn went_on<'a>(
        &mut self,
        next: State,
        consumed: usize,
    ) -> Result<(usize, &'a [u8]), BodyError> {
        self.state = next;
        Ok((consumed, b""))
    }

    fn discard(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.extras += bytes;
        if self.extras <= MAX_EXTRAS {
            Ok(())
        } else {
            Err(BodyError::Malformed(
                "its chunk extensions and trailers are too long",
            ))
        }
    }
}

fn first(input: &[u8], most: u64) -> &[u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    &input[..input.len().min(most)]
}

/// The line at the beginning of the input, without its end. `None` if more input is needed.
fn line(input: &[u8]) -> Result<Option<&[u8]>, BodyError> {
    let searched = &input[..input.len().min(MAX_LINE)];
    match memchr::memchr2(b'\r', b'\n', searched) {
        Some(end) if searched[end..].starts_with(b"\r\n") => Ok(Some(&searched[..end])),
        Some(end) if searched[end..] == *b"\r" && input.len() < MAX_LINE => Ok(None),
        Some(_) => Err(BodyError::Malformed("a line does not end with CR and LF")),
        None if input.len() < MAX_LINE => Ok(None),
        None => Err(BodyError::Malformed("a line of its chunks is too long")),
    }
}

/// The size of a chunk, and the number of its digits, from the line before it.
fn chunk_size(line: &[u8]) -> Result<(u64, usize), BodyError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = digits.count();
    let number = str::from_utf8(&line[..digits]).ok();
    let number = number.and_then(|number| u64::from_str_radix(number, 16).ok());
    match (number, line.get(digits)) {
        (Some(size), None | Some(b';')) => Ok((size, digits)),
        _ => Err(BodyError::Malformed(
            "a chunk's size is not a hexadecimal number",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A body's data and the bytes after it. `None` if the body does not end.
    type Decoded = Result<Option<(Vec<u8>, Vec<u8>)>, BodyError>;

    /// Decodes a body that arrives in pieces of so many bytes.
    fn decode(framing: Framing, input: &[u8], piece: usize) -> Decoded {
        let mut decoder = Decoder::new(framing);
        let (mut data, mut start, mut end) = (Vec::new(), 0, 0);
        loop {
            let (consumed, decoded) = decoder.step(&input[start..end])?;
            data.extend_from_slice(decoded);
            start += consumed;
            if decoder.is_done() {
                return Ok(Some((data, input[start..].to_vec())));
            }
            if consumed == 0 {
                if end == input.len() {
                    return Ok(None);
                }
                end = input.len().min(end + piece);
            }
        }
    }

    fn chunked(text: &str) -> Decoded {
        decode(Framing::Chunked, text.as_bytes(), usize::MAX / 2)
    }

    #[test]
    fn a_body_ends_at_its_length_and_the_rest_is_left() {
        let decoded = decode(Framing::Length(3), b"abcGET", 2).unwrap().unwrap();
        assert_eq!(decoded, (b"abc".to_vec(), b"GET".to_vec()));
        assert!(decode(Framing::Length(3), b"ab", 2).unwrap().is_none());
        assert!(Decoder::new(Framing::Length(0)).is_done());
        assert_eq!(Decoder::new(Framing::Length(9)).remaining(), Some(9));
        assert_eq!(Decoder::new(Framing::Chunked).remaining(), None);
    }

    #[test]
    fn chunks_may_have_extensions_and_trailers() {
        let text = "3;x=\"y\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\nX: y\r\nZ: z\r\n\r\nGET";
        let (data, rest) = chunked(text).unwrap().unwrap();
        assert_eq!(data, b"abc0123456789");
        assert_eq!(rest, b"GET");
    }

    #[test]
    fn chunks_that_can_be_understood_in_two_ways_are_malformed() {
        for text in [
            "xyz\r\n",
            "\r\n",
            " 3\r\nabc",
            "3 \r\nabc",
            "+3\r\nabc",
            "-3\r\nabc",
            "0x3\r\nabc",
            "3\nabc",
            "3\rabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabc0\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n\n",
            "10000000000000000\r\n",
            "3;x\ny\r\nabc",
        ] {
            let outcome = chunked(text);
            assert!(
                matches!(outcome, Err(BodyError::Malformed(_))),
                "{text:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn endless_lines_extensions_and_trailers_are_cut_off() {
        let long = "x".repeat(MAX_LINE);
        for text in [
            format!("0;{long}"),
            format!("0\r\n{long}"),
            "1;xxxxxxxxx\r\na\r\n".repeat(MAX_EXTRAS / 10 + 1),
            format!("0\r\n{}", "X: yyyyyyy\r\n".repeat(MAX_EXTRAS / 10 + 1)),
        ] {
            assert!(matches!(chunked(&text), Err(BodyError::Malformed(_))));
        }
        let many = "1\r\na\r\n".repeat(MAX_EXTRAS);
        assert!(
            chunked(&many).unwrap().is_none(),
            "chunks alone are no extras"
        );
    }

    proptest! {
        #[test]
        fn data_survive_any_division_into_chunks_and_pieces(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2_000), 0..6),
            rest: Vec<u8>,
            piece in 1_usize..3_000,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            wire.extend_from_slice(&rest);
            let decoded = decode(Framing::Chunked, &wire, piece).unwrap();
            prop_assert_eq!(decoded, Some((chunks.concat(), rest)));
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic_and_alike_in_all_pieces(bytes: Vec<u8>, piece in 1_usize..9) {
            let whole = decode(Framing::Chunked, &bytes, usize::MAX / 2);
            let pieces = decode(Framing::Chunked, &bytes, piece);
            prop_assert_eq!(whole.ok(), pieces.ok());
        }
    }
}
