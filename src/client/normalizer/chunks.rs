use std::io::Write;

/// The longest line of a chunked body, in bytes, that is not data.
const MAX_LINE: usize = 16 * 1024;

/// Rewrites a chunked body ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112), section 7.1) so that ureq can read it:
/// without chunk extensions, leading zeros and trailers, which nothing here reads, and with a carriage return in each
/// line end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dechunker {
    /// A chunk's size is next.
    #[default]
    Size,
    /// This many bytes of a chunk are to come.
    Data(u64),
    /// The line end behind a chunk's data is next.
    DataEnd,
    /// A trailer is next, or the blank line that ends the body.
    Trailer,
    /// The body is complete.
    Over,
    /// The body is malformed, and ureq has something to refuse.
    Broken,
}

impl Dechunker {
    /// Appends what has arrived to `output` in its new form, and returns the number of bytes of `input` that have been
    /// dealt with. The rest is to be repeated with what follows it.
    pub fn rewrite(&mut self, input: &[u8], output: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while !matches!(self, Dechunker::Over | Dechunker::Broken) {
            if let Dechunker::Data(left) = *self {
                let available = &input[at..];
                let length = available
                    .len()
                    .min(usize::try_from(left).unwrap_or(usize::MAX));
                output.extend_from_slice(&available[..length]);
                at += length;
                *self = match left - length as u64 {
                    0 => Dechunker::DataEnd,
                    left => Dechunker::Data(left),
                };
                if *self != Dechunker::DataEnd {
                    break;
                }
            }
            let rest = &input[at..];
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if rest.len() > MAX_LINE {
                    self.refuse(output);
                }
                break;
            };
            at += end + 1;
            let line = &rest[..end];
            self.read(line.strip_suffix(b"\r").unwrap_or(line), output);
        }
        at
    }

    /// Reads a line that is not data.
    fn read(&mut self, line: &[u8], output: &mut Vec<u8>) {
        match self {
            Dechunker::Size => match size(line) {
                Some(0) => {
                    output.extend_from_slice(b"0\r\n");
                    *self = Dechunker::Trailer;
                }
                Some(size) => {
                    // Writing to a vector cannot fail.
                    let _ = write!(output, "{size:x}\r\n");
                    *self = Dechunker::Data(size);
                }
                None => self.refuse(output),
            },
            Dechunker::DataEnd if line.is_empty() => {
                output.extend_from_slice(b"\r\n");
                *self = Dechunker::Size;
            }
            Dechunker::Trailer if line.is_empty() => {
                output.extend_from_slice(b"\r\n");
                *self = Dechunker::Over;
            }
            Dechunker::Trailer => {}
            Dechunker::DataEnd | Dechunker::Data(_) | Dechunker::Over | Dechunker::Broken => {
                self.refuse(output);
            }
        }
    }

    /// Has ureq refuse the body, by a size that is no number.
    fn refuse(&mut self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"\r\nno size\r\n");
        *self = Dechunker::Broken;
    }
}

/// The size at the beginning of a line. Blanks may surround it (section 7.1.1 of the RFC).
fn size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?;
    let size = std::str::from_utf8(size.trim_ascii()).ok()?;
    let is_size = size.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(size, 16).ok().filter(|_| is_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The new form of a body that arrives in pieces of this length.
    fn rewritten(body: &[u8], piece: usize) -> (Dechunker, String) {
        let mut dechunker = Dechunker::default();
        let (mut input, mut output) = (Vec::new(), Vec::new());
        for piece in body.chunks(piece) {
            input.extend_from_slice(piece);
            let consumed = dechunker.rewrite(&input, &mut output);
            input.drain(..consumed);
        }
        (dechunker, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_body_keeps_its_data_and_loses_what_nothing_reads() {
        for (body, expected) in [
            ("0\r\n\r\n", "0\r\n\r\n"),
            ("2\r\nok\r\n0\r\n\r\n", "2\r\nok\r\n0\r\n\r\n"),
            (
                "2;first=foo;next=barbaz\r\nok\r\n0\r\n\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            (
                "0000000000000000000000002 \r\nok\r\n00\r\n\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            (
                "2 ; a=\"b\"\nok\n0;c\nX: y\r\nZ: z\n\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            (
                "A\r\n0123\r\n\r\n89\r\n1\r\n\n\r\n0\r\n\r\n",
                "a\r\n0123\r\n\r\n89\r\n1\r\n\n\r\n0\r\n\r\n",
            ),
        ] {
            for piece in 1..=body.len() {
                let expected = (Dechunker::Over, expected.to_owned());
                assert_eq!(rewritten(body.as_bytes(), piece), expected, "{piece}");
            }
        }
    }

    #[test]
    fn what_follows_a_body_is_not_consumed() {
        let mut dechunker = Dechunker::default();
        let consumed = dechunker.rewrite(b"0\r\n\r\nHTTP/1.1", &mut Vec::new());
        assert_eq!(consumed, 5);
    }

    #[test]
    fn a_broken_body_ends_with_a_size_that_is_none() {
        let long = format!("1;{}", "x".repeat(MAX_LINE));
        let broken = [
            "\r\n",
            "x\r\n",
            "+1\r\n",
            "-1\r\n",
            "1 1\r\n",
            "10000000000000000\r\n",
            "2\r\nokay\r\n",
            &long,
        ];
        for broken in broken {
            let (dechunker, output) = rewritten(broken.as_bytes(), broken.len());
            assert_eq!(dechunker, Dechunker::Broken, "{broken}");
            assert!(output.ends_with("\r\nno size\r\n"), "{broken}: {output}");
        }
    }
}
