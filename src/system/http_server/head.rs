//! The head of a request: from bytes to a request without its body, by RFC 9112, without sockets.
//!
//! Everything that two readers of the same bytes could understand in two ways is refused, since a proxy in front of this
//! server may be the other reader.

use super::Rejection;
use super::body::Framing;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use httparse::Status;
use std::mem::MaybeUninit;

/// The most bytes of a head.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// The most header fields of a request.
const MAX_FIELDS: usize = 100;

#[derive(Debug)]
pub(super) struct Head {
    pub request: Request<()>,
    pub framing: Framing,
    /// The client may send another request on the connection.
    pub persistent: bool,
    /// The client sends the body after a response of 100.
    pub awaits_continue: bool,
}

/// Parses the head at the beginning of the bytes. Returns it with its length in bytes, or `None` if more bytes are needed.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Rejection> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let length = match parsed.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(too_large(bytes)),
        Err(error) => return Err(malformed(error, bytes)),
    };
    if has_bare_line_feed(&bytes[..length]) {
        return Err(bad("a line ends without a carriage return"));
    }
    let method = parsed.method.and_then(|method| method.parse().ok());
    let (Some(method), Some(target)) = (method, parsed.path) else {
        return Err(bad("the method is malformed"));
    };
    let version = match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut request = Request::new(());
    *request.uri_mut() = uri(target, &method)?;
    *request.method_mut() = method;
    *request.version_mut() = version;
    *request.headers_mut() = header_map(parsed.headers)?;
    let headers = request.headers();
    check_host(headers, version)?;
    let head = Head {
        framing: framing(headers, version)?,
        persistent: is_persistent(headers, version),
        awaits_continue: awaits_continue(headers, version)?,
        request,
    };
    Ok(Some((head, length)))
}

fn bad(why: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, why)
}

fn too_large(bytes: &[u8]) -> Rejection {
    if memchr::memchr(b'\n', bytes).is_some() {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Rejection::new(status, "the head of a request is at most 16384 bytes")
    } else {
        let status = StatusCode::URI_TOO_LONG;
        Rejection::new(status, "the request line is too long")
    }
}

fn malformed(error: httparse::Error, bytes: &[u8]) -> Rejection {
    match error {
        httparse::Error::TooManyHeaders => Rejection::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "a request has at most 100 header fields",
        ),
        httparse::Error::Version if has_other_version(bytes) => Rejection::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "the versions here are HTTP/1.0 and HTTP/1.1",
        ),
        httparse::Error::HeaderName => bad("the name of a header field is malformed"),
        httparse::Error::HeaderValue => bad("the value of a header field is malformed"),
        _ => bad("the request line is malformed"),
    }
}

/// The request line ends with a version, and not with one of those that are read here.
fn has_other_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\r').next();
    let word = line.and_then(|line| line.rsplit(|&byte| byte == b' ').next());
    match word.and_then(|word| word.strip_prefix(b"HTTP/")) {
        Some(b"1.0" | b"1.1") => false,
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    }
}

/// `httparse` takes a line feed alone for the end of a line. Some proxies don't.
fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|place| place == 0 || head[place - 1] != b'\r')
}

fn uri(target: &str, method: &Method) -> Result<Uri, Rejection> {
    if method == Method::CONNECT {
        let status = StatusCode::NOT_IMPLEMENTED;
        return Err(Rejection::new(status, "this server is not a proxy"));
    }
    let malformed = || bad("the request target is malformed");
    let uri: Uri = target.parse().map_err(|_| malformed())?;
    let fits = match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) => !authority.as_str().contains('@'),
        (None, None) => target.starts_with('/') || (target == "*" && method == Method::OPTIONS),
        _ => false,
    };
    if fits && !target.contains('#') {
        Ok(uri)
    } else {
        Err(malformed())
    }
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Rejection> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| bad("the name of a header field is malformed"))?;
        let value = HeaderValue::from_bytes(field.value);
        let value = value.map_err(|_| bad("the value of a header field is malformed"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// A request of HTTP/1.1 has one `Host`, and one of HTTP/1.0 at most one.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Rejection> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(bad("a request of HTTP/1.1 has a Host")),
        (Some(_), Some(_)) => Err(bad("a request has only one Host")),
        (Some(host), None) => {
            let host = host.as_bytes();
            let has_user = host.contains(&b'@');
            if host.is_empty() || (!has_user && Authority::try_from(host).is_ok()) {
                Ok(())
            } else {
                Err(bad("the Host is malformed"))
            }
        }
    }
}

/// RFC 9112, section 6.3. Nothing that a proxy may understand in another way is accepted: a length beside a transfer coding,
/// two lengths, even equal ones, and a transfer coding in HTTP/1.0.
fn framing(headers: &HeaderMap, version: Version) -> Result<Framing, Rejection> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (length, None) => length,
        (_, Some(_)) => return Err(bad("a request has only one Content-Length")),
    };
    if headers.contains_key(TRANSFER_ENCODING) {
        if length.is_some() {
            return Err(bad(
                "Content-Length and Transfer-Encoding exclude each other",
            ));
        }
        if version == Version::HTTP_10 {
            return Err(bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        check_codings(headers)?;
        return Ok(Framing::Chunked);
    }
    let Some(length) = length.map(HeaderValue::as_bytes) else {
        return Ok(Framing::Length(0));
    };
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(bad("the Content-Length is not a whole number"));
    }
    let number = str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok());
    number.map(Framing::Length).ok_or(Rejection::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the Content-Length is too large",
    ))
}

/// The only transfer coding here is `chunked`.
fn check_codings(headers: &HeaderMap) -> Result<(), Rejection> {
    let codings: Option<Vec<&str>> = tokens(headers, TRANSFER_ENCODING).collect();
    let codings = codings.unwrap_or_default();
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    let Some((last, others)) = codings.split_last() else {
        return Err(bad("the Transfer-Encoding is malformed"));
    };
    if !is_chunked(last) || others.iter().any(is_chunked) {
        return Err(bad("the last transfer coding, and only it, is chunked"));
    }
    if others.is_empty() {
        return Ok(());
    }
    let status = StatusCode::NOT_IMPLEMENTED;
    Err(Rejection::new(
        status,
        "the only transfer coding here is chunked",
    ))
}

/// The elements of a list in all fields of this name. One that is not text is `None`.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Option<&str>> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| {
        let elements = value.as_bytes().split(|&byte| byte == b',');
        elements.map(|element| str::from_utf8(element.trim_ascii()).ok())
    })
}

fn is_persistent(headers: &HeaderMap, version: Version) -> bool {
    let has = |option: &str| {
        let mut options = tokens(headers, CONNECTION).flatten();
        options.any(|token| token.eq_ignore_ascii_case(option))
    };
    if version == Version::HTTP_10 {
        has("keep-alive") && !has("close")
    } else {
        !has("close")
    }
}

fn awaits_continue(headers: &HeaderMap, version: Version) -> Result<bool, Rejection> {
    if version == Version::HTTP_10 || !headers.contains_key(EXPECT) {
        return Ok(false);
    }
    let is_known =
        |token: Option<&str>| token.is_some_and(|token| token.eq_ignore_ascii_case("100-continue"));
    if tokens(headers, EXPECT).all(is_known) {
        return Ok(true);
    }
    let status = StatusCode::EXPECTATION_FAILED;
    Err(Rejection::new(
        status,
        "the only expectation here is 100-continue",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn head(text: &str) -> Head {
        match parse(text.as_bytes()) {
            Ok(Some((head, length))) => {
                assert_eq!(length, text.len(), "{text}");
                head
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    /// The status of the rejection.
    #[track_caller]
    fn rejected(text: &str) -> u16 {
        let outcome = parse(text.as_bytes());
        outcome.expect_err(text).status.as_u16()
    }

    fn post(fields: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
    }

    #[test]
    fn a_head_is_read_whole_and_what_follows_is_left() {
        let text = "POST /check?q=1 HTTP/1.1\r\nHost: h:80\r\nX-Key: a b\r\nx-key: c\r\nContent-Length: 3\r\n\r\n";
        let with_more = format!("{text}abcGET /");
        let (head, length) = parse(with_more.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        let request = &head.request;
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri().path(), "/check");
        let keys: Vec<_> = request.headers().get_all("x-key").iter().collect();
        assert_eq!(keys, ["a b", "c"]);
        assert_eq!(head.framing, Framing::Length(3));
        assert!(head.persistent && !head.awaits_continue);
        for length in 0..text.len() {
            let partial = parse(&text.as_bytes()[..length]);
            assert!(partial.unwrap().is_none(), "{length}");
        }
    }

    #[test]
    fn a_connection_persists_by_the_version_unless_the_client_says_otherwise() {
        for (version, fields, persistent) in [
            ("1.1", "Host: h\r\n", true),
            ("1.1", "Host: h\r\nConnection: close\r\n", false),
            ("1.1", "Host: h\r\nConnection: x, CLOSE\r\n", false),
            (
                "1.1",
                "Host: h\r\nConnection: x\r\nConnection: close\r\n",
                false,
            ),
            ("1.0", "", false),
            ("1.0", "Host: h\r\n", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let head = head(&format!("GET / HTTP/{version}\r\n{fields}\r\n"));
            assert_eq!(head.persistent, persistent, "{version} {fields}");
        }
    }

    #[test]
    fn a_body_is_framed_by_its_length_or_its_chunks() {
        for (fields, framing) in [
            ("", Framing::Length(0)),
            ("Content-Length: 0\r\n", Framing::Length(0)),
            ("Content-Length:  007 \r\n", Framing::Length(7)),
            (
                "Content-Length: 18446744073709551615\r\n",
                Framing::Length(u64::MAX),
            ),
            ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
        ] {
            assert_eq!(head(&post(fields)).framing, framing, "{fields}");
        }
    }

    #[test]
    fn a_framing_that_can_be_understood_in_two_ways_is_refused() {
        for (fields, status) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", 400),
            ("Content-Length: 3, 3\r\n", 400),
            ("Content-Length: +3\r\n", 400),
            ("Content-Length: -3\r\n", 400),
            ("Content-Length: 0x3\r\n", 400),
            ("Content-Length: 3 3\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 18446744073709551616\r\n", 413),
            ("Content-Length : 3\r\n", 400),
            ("Transfer-Encoding : chunked\r\n", 400),
            ("Transfer-Encoding:\r\n", 400),
            ("Transfer-Encoding: identity\r\n", 400),
            ("Transfer-Encoding: xchunked\r\n", 400),
            ("Transfer-Encoding: chunked, identity\r\n", 400),
            ("Transfer-Encoding: chunked, chunked\r\n", 400),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                400,
            ),
            ("Transfer-Encoding: \u{b}chunked\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n", 501),
            (
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                501,
            ),
            ("X: a\r\n b\r\n", 400),
            (" X: a\r\n", 400),
            ("X: a\rb\r\n", 400),
            ("X: a\0b\r\n", 400),
            ("X: a\n", 400),
            ("X\r\n", 400),
            (": a\r\n", 400),
        ] {
            assert_eq!(rejected(&post(fields)), status, "{fields:?}");
        }
        let chunked = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(rejected(chunked), 400);
        assert_eq!(rejected("GET / HTTP/1.1\nHost: h\n\n"), 400);
        assert_eq!(rejected("GET / HTTP/1.1\r\nHost: h\r\n\n"), 400);
    }

    #[test]
    fn one_valid_host_is_needed_and_only_http_1_0_does_without() {
        head("GET / HTTP/1.0\r\n\r\n");
        for host in ["", "h", "h:80", "127.0.0.1:80", "[::1]:80"] {
            head(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
        for hosts in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: u@a\r\n",
        ] {
            let text = format!("GET / HTTP/1.1\r\n{hosts}\r\n");
            assert_eq!(rejected(&text), 400, "{hosts}");
        }
        assert_eq!(
            rejected("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
            400
        );
    }

    #[test]
    fn a_target_is_a_path_or_a_url_or_for_options_a_star() {
        for (line, path) in [
            ("GET /a%20b?c=/d", "/a%20b"),
            ("GET //a", "//a"),
            ("GET http://other:81/check?x", "/check"),
            ("GET HTTP://other", "/"),
            ("GET https://other/", "/"),
            ("OPTIONS *", "*"),
            ("OPTIONS /", "/"),
            ("BREW /pot", "/pot"),
        ] {
            let head = head(&format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert_eq!(head.request.uri().path(), path, "{line}");
        }
        for (line, status) in [
            ("GET *", 400),
            ("GET h:80", 400),
            ("GET h", 400),
            ("GET ftp://h/", 400),
            ("GET http://u@h/", 400),
            ("GET http:///", 400),
            ("GET /a#b", 400),
            ("GET /a b", 400),
            ("GET  /a", 400),
            ("GET\t/a", 400),
            ("GET", 400),
            ("G@T /", 400),
            ("CONNECT h:443", 501),
            ("CONNECT /", 501),
        ] {
            let text = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(rejected(&text), status, "{line}");
        }
    }

    #[test]
    fn another_version_is_a_505_and_no_version_a_400() {
        for (version, status) in [
            ("HTTP/2.0", 505),
            ("HTTP/1.2", 505),
            ("HTTP/0.9", 505),
            ("HTTP/11", 400),
            ("http/1.1", 400),
            ("", 400),
        ] {
            let text = format!("GET / {version}\r\nHost: h\r\n\r\n");
            assert_eq!(rejected(&text), status, "{version}");
        }
        assert_eq!(rejected("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        assert_eq!(rejected("\u{16}\u{3}\u{1}"), 400, "TLS");
    }

    #[test]
    fn a_head_has_a_largest_size_and_a_largest_number_of_fields() {
        let fields = |number: usize| post(&"X: y\r\n".repeat(number - 1));
        head(&fields(MAX_FIELDS));
        assert_eq!(rejected(&fields(MAX_FIELDS + 1)), 431);

        let padding = |length: usize| {
            let text = post("X: \r\n");
            text.replace("X: ", &format!("X: {}", "y".repeat(length - text.len())))
        };
        head(&padding(MAX_HEAD));
        assert_eq!(rejected(&padding(MAX_HEAD + 1)), 431);
        assert_eq!(rejected(&padding(MAX_HEAD + 9)[..MAX_HEAD]), 431);
        assert_eq!(rejected(&format!("GET /{}", "a".repeat(MAX_HEAD))), 414);
    }

    #[test]
    fn the_only_expectation_is_100_continue() {
        assert!(head(&post("Expect: 100-Continue\r\n")).awaits_continue);
        assert_eq!(rejected(&post("Expect: a-pony\r\n")), 417);
        assert_eq!(rejected(&post("Expect: 100-continue, a-pony\r\n")), 417);
        let in_1_0 = head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
        assert!(!in_1_0.awaits_continue);
    }

    proptest! {
        /// Another reader, which knows only CRLF, finds the end of every accepted head at the same place.
        #[test]
        fn any_bytes_are_parsed_without_a_panic_and_end_at_the_first_empty_line(
            bytes in prop_oneof![
                any::<Vec<u8>>(),
                prop::collection::vec(
                    prop::sample::select(vec![
                        "GET", " ", "/", "HTTP/1.1", "HTTP/1.0", "\r\n", "\n", "\r", "Host: h", "a", ":",
                        "Transfer-Encoding: chunked", "Content-Length: 1", "\t", ",",
                    ]),
                    0..16,
                )
                .prop_map(|parts| parts.concat().into_bytes()),
                Just(post("").into_bytes()),
            ],
        ) {
            if let Ok(Some((_, length))) = parse(&bytes) {
                let leading = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
                let end = memchr::memmem::find(&bytes[leading..], b"\r\n\r\n");
                prop_assert_eq!(end.map(|end| leading + end + 4), Some(length));
            }
        }
    }
}
