//! What a recorded request has of its own, checked, and as bytes in a store.

use crate::base::UNSENDABLE;
use crate::base::text::{printable, shortened};
use memchr::memmem;
use percent_encoding::{AsciiSet, percent_decode_str, percent_encode};
use std::borrow::Cow;
use ureq::http::uri::PathAndQuery;
use ureq::http::{HeaderName, HeaderValue, Method};

/// The longest path or header value of a request, in bytes. With a target's own path, the library that reads paths accepts
/// 65,534 bytes.
const MAX_LINE: usize = 32_768;

/// The most headers of a request.
const MAX_HEADERS: usize = 1_000;

/// The bytes that a URL can't carry as they are. Here, braces are no placeholders.
const NOT_IN_A_URL: &AsciiSet = &UNSENDABLE.add(b'{').add(b'}');

/// The parts of a recorded request. Each that is missing is the run's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentParts {
    pub method: Option<Method>,
    pub path: Option<PathAndQuery>,
    /// In the order in which they are sent. A name may occur more than once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The names of headers that have capital letters. They are not stored with the request.
    pub spelled: Vec<String>,
    pub body: Option<Vec<u8>>,
}

/// The parts of a recorded request, in bytes of a store.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    pub method: Option<&'a [u8]>,
    pub path: Option<&'a [u8]>,
    headers: &'a [u8],
    pub body: Option<&'a [u8]>,
}

/// What is wrong with a part of a request: the end of a sentence that begins with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSendable(Cow<'static, str>);

impl NotSendable {
    pub fn new(why: impl Into<Cow<'static, str>>) -> NotSendable {
        NotSendable(why.into())
    }
}

/// Whether a recorded header is not sent, because it is about the connection or the length of the recorded request
/// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), section 7.6.1), or because it is the target's own.
fn is_left_out(name: &str) -> bool {
    const LEFT_OUT: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    // HTTP/2 writes the parts of the first line as headers with a colon.
    name.starts_with(':')
        || LEFT_OUT
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
}

impl ContentParts {
    /// Takes a method. The names of common methods may be in lower case.
    ///
    /// # Errors
    /// It is no method, or it asks for a tunnel.
    pub fn set_method(&mut self, method: &[u8]) -> Result<(), NotSendable> {
        const COMMON: [Method; 9] = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
        ];
        let is_it = |common: &&Method| common.as_str().as_bytes().eq_ignore_ascii_case(method);
        let common = COMMON.iter().find(is_it).cloned();
        let typed = method;
        let method = common.or_else(|| Method::from_bytes(method).ok());
        let method =
            method.filter(|method| *method != Method::CONNECT && method.as_str().len() <= 255);
        self.method = Some(method.ok_or_else(|| {
            let typed = printable(&String::from_utf8_lossy(typed));
            let typed = shortened(&typed, 40);
            NotSendable::new(format!(
                "its method {typed} is no HTTP method other than CONNECT"
            ))
        })?);
        Ok(())
    }

    /// Takes a path with its query, or a URL, of which the path and the query count. Bytes that a URL can't carry are
    /// percent-encoded. A fragment is left out.
    ///
    /// # Errors
    /// It is neither, or it is too long.
    pub fn set_path(&mut self, path: &[u8]) -> Result<(), NotSendable> {
        let of_url = path_of_url(path);
        let is_url = of_url.is_some();
        let path = of_url.unwrap_or(path);
        let path = path.split(|byte| *byte == b'#').next().unwrap_or_default();
        let path = match path.first() {
            Some(b'/') => Cow::Borrowed(path),
            // `http://host?query` and `http://host`.
            Some(b'?') => Cow::Owned([b"/", path].concat()),
            None if is_url => Cow::Borrowed(&b"/"[..]),
            _ => return Err(NotSendable::new("its path does not begin with a slash")),
        };
        let path = percent_encode(&path, NOT_IN_A_URL).to_string();
        if path.len() > MAX_LINE {
            return Err(NotSendable::new(format!(
                "its path is longer than {MAX_LINE} bytes"
            )));
        }
        let path = PathAndQuery::try_from(path);
        self.path = Some(path.map_err(|_| NotSendable::new("its path is not that of a URL"))?);
        Ok(())
    }

    /// Appends a query to the path.
    ///
    /// # Errors
    /// There is no path, or it is too long.
    pub fn add_query(&mut self, query: &[u8]) -> Result<(), NotSendable> {
        let path = self
            .path
            .take()
            .ok_or_else(|| NotSendable::new("it has a query without a path"))?;
        if path.query().is_some() {
            self.path = Some(path);
            return Ok(());
        }
        self.set_path(&[path.as_str().as_bytes(), b"?", query].concat())
    }

    /// Leaves the headers out that are about the connection.
    ///
    /// # Errors
    /// It is no header, it is too long, or there are too many.
    pub fn add_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), NotSendable> {
        if str::from_utf8(name).is_ok_and(is_left_out) {
            return Ok(());
        }
        if name.iter().any(u8::is_ascii_uppercase) {
            self.spelled.extend(String::from_utf8(name.to_vec()).ok());
        }
        let name = HeaderName::from_bytes(name);
        let name = name.map_err(|_| NotSendable::new("a header has a name that is none"))?;
        let value = HeaderValue::from_bytes(value.trim_ascii());
        let value = value
            .map_err(|_| NotSendable::new(format!("its header {name} has a control character")))?;
        if value.len() > MAX_LINE {
            return Err(NotSendable::new(format!(
                "its header {name} is longer than {MAX_LINE} bytes"
            )));
        }
        if self.headers.len() == MAX_HEADERS {
            return Err(NotSendable::new(format!(
                "it has more than {MAX_HEADERS} headers"
            )));
        }
        self.headers.push((name, value));
        Ok(())
    }

    /// Whether the path, a header's value or the body has this text, in the path also percent-encoded.
    pub fn contain(&self, text: &[u8]) -> bool {
        let has = |part: &[u8]| memmem::find(part, text).is_some();
        let in_path = |path: &str| {
            has(path.as_bytes()) || path.contains('%') && has(&Cow::from(percent_decode_str(path)))
        };
        let mut headers = self.headers.iter();
        headers.any(|(_, value)| has(value.as_bytes()))
            || self
                .path
                .as_ref()
                .is_some_and(|path| in_path(path.as_str()))
            || self.body.as_deref().is_some_and(has)
    }

    /// Leaves out the headers of these names.
    pub fn leave_out(&mut self, names: &[HeaderName]) {
        self.headers.retain(|(name, _)| !names.contains(name));
        self.spelled.retain(|spelled| {
            !names
                .iter()
                .any(|name| spelled.eq_ignore_ascii_case(name.as_str()))
        });
    }

    /// The greatest length of a line of the request's head, in bytes, without the target's own path.
    pub fn longest_line(&self) -> usize {
        let method = self
            .method
            .as_ref()
            .map_or(0, |method| method.as_str().len());
        let path = self.path.as_ref().map_or(0, |path| path.as_str().len());
        let first = method + path + "  HTTP/1.1\r\n".len();
        let header = |(name, value): &(HeaderName, HeaderValue)| {
            name.as_str().len() + value.len() + ": \r\n".len()
        };
        self.headers.iter().map(header).fold(first, usize::max)
    }

    /// Appends the parts to `into`, as [`Content::read`] takes them.
    pub fn write(&self, into: &mut Vec<u8>) {
        let mut part = |part: Option<&[u8]>| {
            // 0 stands for a missing part.
            let length = part.map_or(0, |part| part.len() as u32 + 1);
            into.extend_from_slice(&length.to_le_bytes());
            into.extend_from_slice(part.unwrap_or_default());
        };
        part(
            self.method
                .as_ref()
                .map(|method| method.as_str().as_bytes()),
        );
        part(self.path.as_ref().map(|path| path.as_str().as_bytes()));
        part(self.body.as_deref());
        for (name, value) in &self.headers {
            part(Some(name.as_str().as_bytes()));
            part(Some(value.as_bytes()));
        }
    }
}

/// The part of a URL from its path on. `None` if this is no URL.
fn path_of_url(text: &[u8]) -> Option<&[u8]> {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = schemes.iter().find(|scheme| {
        let begin = text.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    })?;
    let rest = &text[scheme.len()..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    Some(&rest[end.unwrap_or(rest.len())..])
}

impl<'a> Content<'a> {
    /// Reads what [`ContentParts::write`] wrote. `None` if these bytes are something else.
    pub fn read(bytes: &'a [u8]) -> Option<Content<'a>> {
        let mut rest = bytes;
        let (method, path, body) = (part(&mut rest)?, part(&mut rest)?, part(&mut rest)?);
        Some(Content {
            method,
            path,
            headers: rest,
            body,
        })
    }

    /// Whether there is a header of this name, which is in lower case.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers().any(|(other, _)| other == name.as_bytes())
    }

    /// The names and values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.headers;
        std::iter::from_fn(move || Some((part(&mut rest)??, part(&mut rest)??)))
    }
}

/// The next part, which may be missing. `None` at the end of the bytes.
fn part<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (part, after) = after.split_at_checked(length.saturating_sub(1))?;
    *rest = after;
    Some((length > 0).then_some(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_sent_as_it_was_recorded_if_a_url_can_carry_it() {
        for (recorded, sent) in [
            ("/", "/"),
            ("/a/b?c=d&e=%20'f", "/a/b?c=d&e=%20'f"),
            ("/a b#c", "/a%20b"),
            ("/é?q={\"x\"}", "/%C3%A9?q=%7B%22x%22%7D"),
            ("http://h:1/a?b", "/a?b"),
            ("HTTPS://h", "/"),
            ("https://h?a", "/?a"),
            ("//double", "//double"),
        ] {
            let mut parts = ContentParts::default();
            parts.set_path(recorded.as_bytes()).expect(recorded);
            assert_eq!(parts.path.unwrap().as_str(), sent, "{recorded}");
        }
        for bad in ["*", "a/b", "ftp://h/a", "host:443", " /a"] {
            let refused = ContentParts::default().set_path(bad.as_bytes());
            assert!(refused.is_err(), "{bad}");
        }
        let long = format!("/{}", "x".repeat(MAX_LINE));
        assert!(ContentParts::default().set_path(long.as_bytes()).is_err());
        assert!(
            ContentParts::default()
                .set_path(&long.as_bytes()[1..])
                .is_err()
        );
        assert!(
            ContentParts::default()
                .set_path(&long.as_bytes()[..MAX_LINE])
                .is_ok()
        );
    }

    #[test]
    fn headers_about_the_connection_and_the_length_are_left_out() {
        for name in [
            "Host",
            "connection",
            "Content-Length",
            ":authority",
            "TE",
            "Expect",
        ] {
            assert!(is_left_out(name), "{name}");
        }
        for name in ["Authorization", "Content-Type", "X-Host"] {
            assert!(!is_left_out(name), "{name}");
        }
    }

    #[test]
    fn what_can_not_be_sent_is_no_request() {
        let mut parts = ContentParts::default();
        for bad in ["", "G T", "CONNECT", "\u{16}\u{3}\u{1}"] {
            assert!(parts.set_method(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for (name, value) in [("", "a"), ("a b", "a"), ("a", "a\nb"), ("é", "a")] {
            assert!(parts.add_header(name.as_bytes(), value.as_bytes()).is_err());
        }
        assert_eq!(parts, ContentParts::default());
    }

    proptest! {
        #[test]
        fn parts_are_read_as_they_were_written(
            method in prop::option::of("[A-Z]{1,9}"), path in prop::option::of("/[a-z?]{0,9}"),
            headers in prop::collection::vec(("[a-z-]{1,9}", "[!-~]{0,9}"), 0..5),
            body in prop::option::of(prop::collection::vec(any::<u8>(), 0..99)), noise: Vec<u8>
        ) {
            let mut parts = ContentParts { body: body.clone(), ..ContentParts::default() };
            if let Some(method) = &method {
                parts.set_method(method.as_bytes()).unwrap();
            }
            if let Some(path) = &path {
                parts.set_path(path.as_bytes()).unwrap();
            }
            for (name, value) in &headers {
                parts.add_header(name.as_bytes(), value.as_bytes()).unwrap();
            }
            let mut bytes = Vec::new();
            parts.write(&mut bytes);
            let content = Content::read(&bytes).unwrap();
            prop_assert_eq!(content.method, method.as_deref().map(str::as_bytes));
            prop_assert_eq!(content.path, path.as_deref().map(str::as_bytes));
            prop_assert_eq!(content.body, body.as_deref());
            let sent = headers.iter().filter(|(name, _)| !is_left_out(name));
            let pairs = sent.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            prop_assert!(content.headers().eq(pairs));
            if let Some(content) = Content::read(&noise) {
                content.headers().count();
            }
        }
    }
}
