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
