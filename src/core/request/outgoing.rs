//! What leaves: one request, made of what all have in common and of what is its own.

use crate::base::{KeyId, Target};
use crate::core::keys::Keys;
use crate::core::request::{Compiled, Text, Values};
use ureq::http::uri::{PathAndQuery, Uri};
use ureq::http::{HeaderName, HeaderValue, Method, Request, header};

/// The longest path or header, in bytes: more than any common server takes. The library that reads paths takes 65,534,
/// with the target's own.
pub const MAX_FILLED: usize = 32_768;

/// Makes the requests of a run, each from its target, sequence number and key.
#[derive(Debug)]
pub struct Outgoing {
    form: Compiled,
    keys: Keys,
    seed: u64,
    /// By target.
    heads: Vec<Head>,
    /// Those of the form whose names have a value that differs from request to request: the order of values of one name
    /// means something.
    headers: Vec<(HeaderName, Text)>,
    /// Whether a request has a body, be it an empty one, and is to say how long it is.
    sized: Sized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sized {
    /// It has none.
    No,
    /// All have one of the same length, which the heads say.
    Alike,
    /// Each says its own.
    Each,
}

/// What all requests to one target have in common.
#[derive(Debug)]
struct Head {
    /// The target's base URL.
    base: String,
    /// The path in it.
    base_path: String,
    request: Request<()>,
}

/// A worker's memory for making requests, so that making one allocates little.
#[derive(Debug, Default)]
pub struct Parts {
    body: Vec<u8>,
    line: Vec<u8>,
}

impl Outgoing {
    /// Draws from `seed` what is random in a request. `form` was compiled for the same `keys`.
    pub fn new(targets: &[Target], form: Compiled, keys: Keys, seed: u64) -> Outgoing {
        let body_len = match &form.body {
            Some(body) => Some(body.fixed_len(&keys)),
            // These say that there is nothing.
            None => [Method::POST, Method::PUT, Method::PATCH]
                .contains(&form.method)
                .then_some(Some(0)),
        };
        let sized = match body_len {
            None => Sized::No,
            Some(Some(_)) => Sized::Alike,
            Some(None) => Sized::Each,
        };
        let heads = targets
            .iter()
            .map(|target| Head::new(target, &form, body_len.flatten()));
        let headers = form.headers.iter();
        let varying = headers.filter(|(name, _)| varies(&form, name));
        Outgoing {
            heads: heads.collect(),
            headers: varying.cloned().collect(),
            sized,
            form,
            keys,
            seed,
        }
    }

    /// The longest line that any request has, in bytes.
    pub fn longest_line(&self) -> usize {
        let bases = self.heads.iter().map(|head| head.base.len());
        let base = bases.max().unwrap_or(0);
        let path = base + self.form.path.longest(&self.keys, base);
        let first = self.form.method.as_str().len() + path + "  HTTP/1.1\r\n".len();
        let headers = self.form.headers.iter().map(|(name, value)| {
            name.as_str().len() + value.longest(&self.keys, base) + ": \r\n".len()
        });
        headers.max().unwrap_or(0).max(first)
    }

    /// The part that may be longer than [`MAX_FILLED`], with what is filled in: its name, and how long it may be, in bytes.
    pub fn too_long(&self) -> Option<(&'static str, usize)> {
        let bases = self.heads.iter().map(|head| head.base.len());
        let base = bases.max().unwrap_or(0);
        let longest = |text: &Text| text.longest(&self.keys, base);
        let headers = self
            .form
            .headers
            .iter()
            .map(|(_, value)| ("header", longest(value)));
        let mut parts = headers.chain([("path", longest(&self.form.path))]);
        parts.find(|(_, longest)| *longest > MAX_FILLED)
    }

    /// A request as it leaves, but for its version.
    pub fn show(&self, target: usize, sequence: u64, key: KeyId) -> String {
        let mut parts = Parts::default();
        let (request, body) = self.make(target, sequence, key, &mut parts);
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        let mut text = format!("{} {path}\n", request.method());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
        }
        match body.filter(|body| !body.is_empty()) {
            None => text,
            Some(body) => text + "\n" + &String::from_utf8_lossy(body),
        }
    }

    /// A request, with its body if it has one.
    pub fn make<'a>(
        &'a self,
        target: usize,
        sequence: u64,
        key: KeyId,
        parts: &'a mut Parts,
    ) -> (Request<()>, Option<&'a [u8]>) {
        let Parts { body, line } = parts;
        let head = &self.heads[target];
        let values = Values::new(&self.keys, key, sequence, &head.base, self.seed);
        let mut request = head.request.clone();
        if self.form.path.constant().is_none() {
            line.clear();
            line.extend_from_slice(head.base_path.as_bytes());
            self.form.path.write(&values, line);
            *request.uri_mut() = with_path(request.uri(), line);
        }
        for (name, value) in &self.headers {
            line.clear();
            value.write(&values, line);
            let value = HeaderValue::from_bytes(line)
                .expect("neither a key nor a URL has a control character");
            request.headers_mut().append(name, value);
        }
        let body = match &self.form.body {
            None => &[][..],
            Some(text) => text.constant().unwrap_or_else(|| {
                body.clear();
                text.write(&values, body);
                body
            }),
        };
        if self.sized == Sized::Each {
            request
                .headers_mut()
                .insert(header::CONTENT_LENGTH, body.len().into());
        }
        (request, (self.sized != Sized::No).then_some(body))
    }
}

fn varies(form: &Compiled, name: &HeaderName) -> bool {
    let headers = form.headers.iter();
    let mut of_name = headers.filter(|(other, _)| other == name);
    of_name.any(|(_, value)| value.constant().is_none())
}

/// The same URI with another path.
fn with_path(uri: &Uri, path: &[u8]) -> Uri {
    let mut parts = uri.clone().into_parts();
    let path = PathAndQuery::try_from(path).expect("what is filled into a path is percent-encoded");
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).expect("a URI with scheme, authority and path")
}

impl Head {
    /// Every header that ureq would otherwise make anew for each request. `body_len` is of all bodies.
    fn new(target: &Target, form: &Compiled, body_len: Option<usize>) -> Head {
        let base_path = target.uri.path().trim_end_matches('/').to_owned();
        let mut uri = target.uri.clone();
        if let Some(path) = form.path.constant() {
            uri = with_path(&uri, &[base_path.as_bytes(), path].concat());
        }
        let mut request = Request::new(());
        *request.method_mut() = form.method.clone();
        let headers = request.headers_mut();
        let has_host = form.headers.iter().any(|(name, _)| *name == header::HOST);
        if let Some(authority) = uri.authority().filter(|_| !has_host) {
            let host = HeaderValue::from_str(authority.as_str()).expect("a host and a port");
            headers.append(header::HOST, host);
        }
        for (name, value) in &form.headers {
            if let Some(value) = value.constant().filter(|_| !varies(form, name)) {
                let value = HeaderValue::from_bytes(value).expect("read as a header's value");
                headers.append(name, value);
            }
        }
        if let Some(body_len) = body_len {
            headers.append(header::CONTENT_LENGTH, body_len.into());
        }
        *request.uri_mut() = uri;
        Head {
            base: target.to_string(),
            base_path,
            request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::KeyList;
    use crate::core::request::parts::{self, HeaderLine};
    use crate::core::request::{Constants, Form};

    fn outgoing(form: &Form, keys: &Keys, bases: &[&str]) -> Outgoing {
        let targets = bases.iter().map(|base| Target::new(base).expect(base));
        let targets: Vec<_> = targets.collect();
        let constants = Constants {
            keys,
            limit: 100,
            window_ms: 60_000,
        };
        Outgoing::new(&targets, form.compile(&constants), keys.clone(), 1)
    }

    fn form(method: &str, path: &str, headers: &[&str], body: &str) -> Form {
        let headers = headers.iter().map(|line| {
            let HeaderLine { name, value } = parts::header_line(line).unwrap();
            (name, value.unwrap())
        });
        Form {
            method: parts::method(method).unwrap(),
            path: parts::path(path).unwrap(),
            headers: headers.collect(),
            body: Some(parts::body(body).unwrap()).filter(|body| !body.is_empty()),
        }
    }

    fn keys(list: &str) -> Keys {
        Keys::listed(KeyList::read(list.as_bytes()).unwrap().into(), "")
    }

    #[test]
    fn each_request_is_its_form_filled_in() {
        let form = form(
            "put",
            "/v1/{key}?n={seq}",
            &[
                "Content-Type: application/json",
                "X-Of: {target}",
                "X-Of: {limit}",
            ],
            r#"{"k":"{key}","s":{seq}}"#,
        );
        let keys = keys("a/b\n\"é\"");
        let outgoing = outgoing(&form, &keys, &["http://h:1/base/", "https://[::1]"]);
        assert_eq!(
            outgoing.show(0, 9, KeyId(0)),
            "PUT /base/v1/a%2Fb?n=9\nhost: h:1\ncontent-type: application/json\nx-of: http://h:1/base\n\
             x-of: 100\ncontent-length: 17\n\n{\"k\":\"a/b\",\"s\":9}"
        );
        assert_eq!(
            outgoing.show(1, 10, KeyId(1)),
            "PUT /v1/%22%C3%A9%22?n=10\nhost: [::1]\ncontent-type: application/json\nx-of: https://[::1]\n\
             x-of: 100\ncontent-length: 21\n\n{\"k\":\"\\\"é\\\"\",\"s\":10}"
        );
    }

    #[test]
    fn who_has_no_body_says_so_where_one_is_expected() {
        let keys = keys("k");
        for (method, expected) in [
            ("GET", "GET /a\nhost: h\n"),
            ("DELETE", "DELETE /a\nhost: h\n"),
            ("POST", "POST /a\nhost: h\ncontent-length: 0\n"),
        ] {
            let outgoing = outgoing(&form(method, "/a", &[], ""), &keys, &["http://h"]);
            assert_eq!(outgoing.show(0, 0, KeyId(0)), expected);
        }
        let outgoing = outgoing(&form("GET", "/a", &[], "{seq}"), &keys, &["http://h"]);
        let expected = "GET /a\nhost: h\ncontent-length: 1\n\n7";
        assert_eq!(outgoing.show(0, 7, KeyId(0)), expected);
    }

    #[test]
    fn another_host_may_be_named_than_the_targets() {
        let keys = keys("tenant");
        let form = form("GET", "/", &["Host: {key}.example"], "");
        let outgoing = outgoing(&form, &keys, &["http://h:1"]);
        assert_eq!(
            outgoing.show(0, 0, KeyId(0)),
            "GET /\nhost: tenant.example\n"
        );
    }

    #[test]
    fn no_line_is_longer_than_the_longest() {
        let keys = keys(&format!("{}\n\"\"", "é".repeat(400)));
        let form = form(
            "GET",
            "/{key}",
            &["X-Key: {key} {target} {uuid} {now_ms}"],
            "",
        );
        let outgoing = outgoing(&form, &keys, &["http://h:1/b", "http://host"]);
        for (target, key) in [(0, 0), (1, 0), (1, 1)] {
            let shown = outgoing.show(target, u64::MAX, KeyId(key));
            let longest = shown.lines().map(str::len).max().unwrap();
            assert!(longest < outgoing.longest_line(), "{longest}");
        }
        assert!(outgoing.longest_line() < 6_000);
    }
}
