//! Where a request ends, and which of the server's few answers it wants.

use httparse::{EMPTY_HEADER, Status};

/// More headers than any load generator sends.
const MAX_HEADERS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Answer,
    Reset,
    Count,
    Stamps,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The first `length` bytes are a whole request.
    Whole {
        length: usize,
        wanted: Wanted,
        keep_alive: bool,
    },
    Partial,
    Malformed,
}

/// Looks at the first request in `bytes`. Its body must come with a Content-Length.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Malformed,
    };
    let mut body = 0;
    let mut keep_alive = request.version == Some(1);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).map(str::parse::<u32>);
            let Ok(Ok(length)) = length else {
                return Parsed::Malformed;
            };
            body = length as usize;
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = !header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Parsed::Malformed;
        }
    }
    let length = head + body;
    if bytes.len() < length {
        return Parsed::Partial;
    }
    let wanted = match request.path {
        Some("/reset") => Wanted::Reset,
        Some("/count") => Wanted::Count,
        Some("/stamps") => Wanted::Stamps,
        _ => Wanted::Answer,
    };
    Parsed::Whole {
        length,
        wanted,
        keep_alive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &[u8] = b"POST /check HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn a_request_is_partial_until_its_last_byte() {
        for end in 0..CHECK.len() {
            assert_eq!(parse(&CHECK[..end]), Parsed::Partial, "{end}");
        }
    }

    #[test]
    fn a_request_ends_where_the_next_one_starts() {
        let two = [CHECK, b"GET /stamps HTTP/1.1\r\nConnection: close\r\n\r\n"].concat();
        let first = Parsed::Whole {
            length: CHECK.len(),
            wanted: Wanted::Answer,
            keep_alive: true,
        };
        assert_eq!(parse(&two), first);
        let second = Parsed::Whole {
            length: two.len() - CHECK.len(),
            wanted: Wanted::Stamps,
            keep_alive: false,
        };
        assert_eq!(parse(&two[CHECK.len()..]), second);
    }

    #[test]
    fn a_body_of_unknown_length_is_refused() {
        let chunked = b"POST /check HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Parsed::Malformed);
        let odd = b"POST /check HTTP/1.1\r\nContent-Length: four\r\n\r\n";
        assert_eq!(parse(odd), Parsed::Malformed);
    }
}
