use crate::server::request::{Parsed, Wanted, parse};

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
