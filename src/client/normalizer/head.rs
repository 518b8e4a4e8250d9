use ureq::http::{HeaderName, HeaderValue};

/// The most header lines that ureq reads of one answer.
pub(in super::super) const MOST_HEADERS: usize = 128;

/// The beginning of an answer.
const HTTP: &[u8] = b"HTTP/1.";

/// What has arrived of an answer's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// The blank line is missing.
    Incomplete,
    /// The input does not begin with a status line of HTTP/1. ureq refuses it.
    Foreign,
    /// The head of an interim answer, which another answer follows.
    Interim { length: usize },
    /// The head of the answer.
    Final(Shape),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The length in bytes, with the blank line.
    pub length: usize,
    /// ureq can read it, or has a reason to refuse it.
    pub is_plain: bool,
    /// The body is chunked.
    pub is_chunked: bool,
}

/// Looks for the end of a head, and for what ureq can't read.
pub(super) fn scan(input: &[u8]) -> Scan {
    // Empty lines before the status line are ignored (RFC 9112, section 2.2).
    let start = input.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let start = start.unwrap_or(input.len());
    let Some(status_line) = line(&input[start..]) else {
        let begun = &input[start..];
        let is_http = begun.starts_with(HTTP) || HTTP.starts_with(begun);
        return if is_http {
            Scan::Incomplete
        } else {
            Scan::Foreign
        };
    };
    let Some(status) = Status::read(status_line) else {
        return Scan::Foreign;
    };
    let mut is_plain = status.is_plain;
    let mut is_chunked = false;
    let mut at = start + status_line.len();
    for header_lines in 1.. {
        let Some(line) = line(&input[at..]) else {
            return Scan::Incomplete;
        };
        at += line.len();
        match line {
            b"\r\n" | b"\n" => break,
            [b' ' | b'\t', ..] => is_plain = false,
            [b't' | b'T', ..] => is_chunked |= is_chunked_encoding(line),
            _ => {}
        }
        is_plain &= header_lines <= MOST_HEADERS && !has_blank_before_colon(line);
    }
    if status.is_interim() {
        return Scan::Interim { length: at };
    }
    Scan::Final(Shape {
        length: at,
        // ureq does not read chunks in an HTTP/1.0 answer.
        is_plain: is_plain && !(is_chunked && status.is_1_0()),
        is_chunked,
    })
}

/// Returns whether the head of an answer that is not interim has arrived.
pub(in super::super) fn has_answer(mut input: &[u8]) -> bool {
    loop {
        match scan(input) {
            Scan::Interim { length } => input = &input[length..],
            Scan::Final(_) => return true,
            Scan::Incomplete | Scan::Foreign => return false,
        }
    }
}

/// The first line, with its line end. `None` if it is not complete.
fn line(input: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b'\n', input).map(|end| &input[..=end])
}

/// A header line's name and value.
fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}

fn has_blank_before_colon(line: &[u8]) -> bool {
    name_and_value(line).is_some_and(|(name, _)| name.ends_with(b" ") || name.ends_with(b"\t"))
}

fn is_chunked_encoding(line: &[u8]) -> bool {
    name_and_value(line).is_some_and(|(name, value)| {
        let name = name.trim_ascii_end();
        let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        name.eq_ignore_ascii_case(b"transfer-encoding")
            && codings.any(|coding| coding.eq_ignore_ascii_case(b"chunked"))
    })
}

#[derive(Debug, Clone, Copy)]
struct Status<'a> {
    version: &'a [u8],
    code: &'a [u8],
    reason: &'a [u8],
    /// There is one blank between version and code.
    is_plain: bool,
}

impl Status<'_> {
    /// `None` if the line is no status line of HTTP/1.
    fn read(line: &[u8]) -> Option<Status<'_>> {
        let (version, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace)?);
        let (code, reason) = rest.trim_ascii_start().split_at_checked(3)?;
        let is_status = version.starts_with(HTTP)
            && code.iter().all(u8::is_ascii_digit)
            && reason.first().is_none_or(u8::is_ascii_whitespace);
        is_status.then_some(Status {
            version,
            code,
            reason: reason.trim_ascii(),
            is_plain: matches!(rest, [b' ', b'0'..=b'9', ..]),
        })
    }

    /// After a 101, the connection speaks another protocol, so no other answer follows it.
    fn is_interim(&self) -> bool {
        self.code[0] == b'1' && self.code != b"101"
    }

    fn is_1_0(&self) -> bool {
        self.version == b"HTTP/1.0"
    }
}

/// Appends a complete head to `output` in the form that ureq reads, by the rules of
/// [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112): each fold becomes a blank (section 5.2), white space before a
/// colon is removed (section 5.1), lines with leading white space before the first header are ignored (section 2.2),
/// and the words of the status line may be more than one blank apart (section 4). The connection is closed after an
/// HTTP/1.0 answer with chunks (section 6.1).
///
/// Returns the headers that ureq has no room for.
pub(super) fn rewrite(
    head: &[u8],
    is_chunked: bool,
    output: &mut Vec<u8>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut status = lines.by_ref().filter_map(Status::read);
    let Some(status) = status.next() else {
        return Vec::new();
    };
    let is_1_0_with_chunks = is_chunked && status.is_1_0();
    let version = if is_1_0_with_chunks {
        b"HTTP/1.1"
    } else {
        status.version
    };
    output.extend_from_slice(&[version, status.code, status.reason].join(&b' '));
    output.extend_from_slice(b"\r\n");
    if is_1_0_with_chunks {
        output.extend_from_slice(b"Connection: close\r\n");
    }

    let headers = unfolded(lines);
    // ureq has to see the headers that say where the answer ends.
    let (mut read, mut surplus): (Vec<_>, Vec<_>) =
        headers.into_iter().partition(|line| is_framing(line));
    let room = MOST_HEADERS.saturating_sub(read.len() + usize::from(is_1_0_with_chunks));
    read.extend(surplus.drain(..surplus.len().min(room)));
    for line in read {
        output.extend_from_slice(&line);
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(b"\r\n");
    surplus.iter().filter_map(|line| header(line)).collect()
}

/// The header lines, without folds and white space before colons.
fn unfolded<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut headers: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        let text = line.trim_ascii();
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some(header) = headers.last_mut() {
                header.extend([b" ", text].concat());
            }
        } else if let Some((name, value)) = name_and_value(text) {
            headers.push([name.trim_ascii_end(), b": ", value.trim_ascii()].concat());
        } else if !text.is_empty() {
            headers.push(text.to_vec());
        }
    }
    headers
}

fn is_framing(line: &[u8]) -> bool {
    const FRAMING: [&[u8]; 3] = [b"connection", b"content-length", b"transfer-encoding"];
    let name = name_and_value(line).map_or(line, |(name, _)| name);
    FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = name_and_value(line)?;
    let name = HeaderName::from_bytes(name).ok()?;
    let value = HeaderValue::from_bytes(value.trim_ascii()).ok()?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(head: &str) -> Shape {
        match scan(head.as_bytes()) {
            Scan::Final(shape) => shape,
            other => panic!("{other:?} of {head:?}"),
        }
    }

    fn rewritten(head: &str) -> String {
        let mut output = Vec::new();
        let surplus = rewrite(head.as_bytes(), shape(head).is_chunked, &mut output);
        assert_eq!(surplus, []);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_head_is_incomplete_up_to_its_blank_line() {
        let head = "\r\nHTTP/1.1 200 OK\r\nA: b\r\nC: d\n\r\n";
        for end in 0..head.len() {
            let begun = scan(&head.as_bytes()[..end]);
            assert_eq!(begun, Scan::Incomplete, "{end}");
        }
        let expected = Shape {
            length: head.len(),
            is_plain: true,
            is_chunked: false,
        };
        assert_eq!(shape(&format!("{head}\r\nbody\r\n\r\n")), expected);
    }

    #[test]
    fn an_answer_that_ureq_reads_is_plain() {
        for plain in [
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \n\n",
            "HTTP/1.0 404 Not Found\r\nDate: a : b\r\nX:\r\nnot a header\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ] {
            assert!(shape(plain).is_plain, "{plain}");
        }
        for odd in [
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1\t200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(!shape(odd).is_plain, "{odd}");
        }
    }

    #[test]
    fn bytes_that_are_not_http_are_left_to_ureq_at_once() {
        for other in [
            "SSH-2.0-x",
            "SSH-2.0-x\r\n",
            "HTTP/2",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 2x\r\n",
            "ICY 200 OK\r\n",
        ] {
            let scanned = scan(other.as_bytes());
            assert_eq!(scanned, Scan::Foreign, "{other}");
        }
    }

    #[test]
    fn every_interim_answer_but_101_is_followed_by_another() {
        for head in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n",
            "HTTP/1.0 103 Early Hints\r\nLink: a\r\n b\r\n\r\n",
            "HTTP/1.1  199\r\n\r\n",
        ] {
            let length = head.len();
            let scanned = scan(format!("{head}HTTP/1.1 200 OK\r\n").as_bytes());
            assert_eq!(scanned, Scan::Interim { length }, "{head}");
        }
    }

    #[test]
    fn an_interim_answer_alone_is_no_answer() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n";
        let head = "HTTP/1.1 429 No\r\n\r\n";
        for (input, expected) in [
            (String::new(), false),
            (interim.to_owned(), false),
            (head.to_owned(), true),
            (format!("{interim}{interim}{head}"), true),
            (format!("{interim}HTTP/1.1 429 No\r\n"), false),
            // The beginning of a TLS record.
            ("\u{17}\u{3}\u{3}\n\r\n\r\n".to_owned(), false),
        ] {
            assert_eq!(has_answer(input.as_bytes()), expected, "{input:?}");
        }
    }

    #[test]
    fn chunks_are_announced_by_any_line_with_that_coding() {
        for (line, is_chunked) in [
            ("Transfer-Encoding: chunked", true),
            ("transfer-encoding:gzip , CHUNKED", true),
            ("Transfer-Encoding : chunked", true),
            ("Transfer-Encoding: chunkedx", false),
            ("Transfer-Encoding:", false),
            ("Trailer: chunked", false),
            ("TE: chunked", false),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n");
            assert_eq!(shape(&head).is_chunked, is_chunked, "{line}");
        }
    }

    #[test]
    fn a_head_is_rewritten_as_the_rfc_describes() {
        for (head, expected) in [
            (
                "HTTP/1.1 \t200   All  right \r\n\r\n",
                "HTTP/1.1 200 All  right\r\n\r\n",
            ),
            ("\r\nHTTP/1.1  200\n\n", "HTTP/1.1 200 \r\n\r\n"),
            (
                "HTTP/1.1 200 OK\r\n ignored: x\r\n\ttoo\r\nA \t: b \r\n  c\r\n\td\r\nE:f\n\r\n",
                "HTTP/1.1 200 OK\r\nA: b c d\r\nE: f\r\n\r\n",
            ),
            (
                "HTTP/1.0 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n",
            ),
        ] {
            assert_eq!(rewritten(head), expected);
        }
    }

    #[test]
    fn headers_that_ureq_has_no_room_for_are_set_aside() {
        let lines: String = (0..200).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\n");
        assert!(!shape(&head).is_plain);
        let mut output = Vec::new();
        let surplus = rewrite(head.as_bytes(), false, &mut output);
        let output = String::from_utf8(output).unwrap();
        assert_eq!(output.matches("\r\n").count(), 1 + MOST_HEADERS + 1);
        assert!(output.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-0: 0\r\n"));
        let numbers: Vec<_> = surplus.iter().map(|(name, _)| name.to_string()).collect();
        let expected: Vec<_> = (127..200).map(|n| format!("x-{n}")).collect();
        assert_eq!(numbers, expected);
    }
}
