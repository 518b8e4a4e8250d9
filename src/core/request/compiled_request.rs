use super::compiled_text::CompiledText;
use super::escape::Escape;
use super::placeholder::Values;
use super::{Constants, RequestTemplate, Spelling, Template};
use crate::base::{KeyId, Nanos, Target};
use crate::core::keys::Keys;
use crate::core::masking::Masks;
use ureq::http::uri::{PathAndQuery, Uri};
use ureq::http::{HeaderName, HeaderValue, Method, Request, header};

/// The longest path or header, in bytes: more than any common server accepts. The library that reads paths accepts
/// 65,534, including the target's own.
pub const MAX_FILLED: usize = 32_768;

/// Makes the requests of a run, each from its target, sequence number and key.
#[derive(Debug)]
pub struct CompiledRequest {
    method: Method,
    headers: Vec<(HeaderName, CompiledText)>,
    spelling: Spelling,
    /// The headers with a name of which any value differs from request to request. The heads have none of them, since
    /// the order of the values of one name has a meaning.
    varying_headers: Vec<(HeaderName, CompiledText)>,
    body: Option<CompiledText>,
    body_length: BodyLength,
    keys: Keys,
    /// The limit and the window for keys that have none of their own.
    limit: u64,
    window: Nanos,
    seed: u64,
    /// By target.
    heads: Vec<Head>,
    template: RequestTemplate,
    /// Made before the start, since a long body may have many secrets.
    masks: Masks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyLength {
    /// Requests have no body.
    NoBody,
    /// All bodies have this length in bytes, which may be 0.
    Fixed(usize),
    Varying,
}

/// The parts that all requests to one target share.
#[derive(Debug)]
struct Head {
    /// The target's base URL.
    base: String,
    /// The path in it.
    base_path: String,
    /// What is appended to it.
    path: CompiledText,
    request: Request<()>,
}

/// A worker's memory for making requests, so that making one allocates little.
#[derive(Debug, Default)]
pub struct RequestBuffers {
    body: Vec<u8>,
    line: Vec<u8>,
}

impl RequestTemplate {
    /// Compiles the requests of a run against `targets`, whose random values come from `seed`. Values in the path are
    /// percent-encoded; values in the body are escaped as its `Content-Type` requires.
    pub fn compile(
        &self,
        targets: &[Target],
        constants: &Constants<'_>,
        seed: u64,
    ) -> CompiledRequest {
        let text = |template, escape| CompiledText::new(template, constants, escape);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), text(value, Escape::None)));
        let headers: Vec<_> = headers.collect();
        let varies = |name: &HeaderName| {
            let mut headers = headers.iter();
            headers.any(|(other, value)| other == name && value.constant().is_none())
        };
        let varying_headers = headers.iter().filter(|(name, _)| varies(name));
        let body = self.body.as_ref();
        let body = body.map(|body| text(body, self.body_escape()));
        let mut compiled = CompiledRequest {
            method: self.method.clone(),
            varying_headers: varying_headers.cloned().collect(),
            headers,
            spelling: self.spelling.clone(),
            body_length: BodyLength::new(&self.method, body.as_ref(), constants.keys),
            body,
            keys: constants.keys.clone(),
            limit: constants.limit,
            window: constants.window,
            seed,
            heads: Vec::new(),
            template: self.clone(),
            masks: self.masks(),
        };
        let heads = targets.iter().enumerate().map(|(place, target)| {
            let path = text(self.paths.of(place), Escape::Percent);
            compiled.head(target, path)
        });
        compiled.heads = heads.collect();
        compiled
    }
}

impl BodyLength {
    fn new(method: &Method, body: Option<&CompiledText>, keys: &Keys) -> BodyLength {
        // A request with one of these methods states that its body is empty.
        let states_none = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        match body.map(|body| body.fixed_len(keys)) {
            Some(Some(length)) => BodyLength::Fixed(length),
            Some(None) => BodyLength::Varying,
            None if states_none => BodyLength::Fixed(0),
            None => BodyLength::NoBody,
        }
    }
}

impl CompiledRequest {
    /// The head for one target, with every header that ureq would otherwise make anew for each request.
    fn head(&self, target: &Target, path: CompiledText) -> Head {
        let base_path = target.uri.path().trim_end_matches('/').to_owned();
        let mut uri = target.uri.clone();
        if let Some(path) = path.constant() {
            uri = with_path(&uri, &[base_path.as_bytes(), path].concat());
        }
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        let headers = request.headers_mut();
        let has_host = self.headers.iter().any(|(name, _)| *name == header::HOST);
        if let Some(authority) = uri.authority().filter(|_| !has_host) {
            let host = HeaderValue::from_str(authority.as_str()).expect("a host and a port");
            headers.append(header::HOST, host);
        }
        for (name, value) in &self.headers {
            let varies = self.varying_headers.iter().any(|(other, _)| other == name);
            if let Some(value) = value.constant().filter(|_| !varies) {
                let value = HeaderValue::from_bytes(value).expect("parsed as a header's value");
                headers.append(name, value);
            }
        }
        if let BodyLength::Fixed(length) = self.body_length {
            headers.append(header::CONTENT_LENGTH, length.into());
        }
        *request.uri_mut() = uri;
        Head {
            base: target.base().to_owned(),
            base_path,
            path,
            request,
        }
    }

    fn constants(&self) -> Constants<'_> {
        Constants {
            keys: &self.keys,
            limit: self.limit,
            window: self.window,
        }
    }

    /// The spelling of the headers' names on the wire.
    pub fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// The length of the longest line of any request, in bytes.
    pub fn longest_line(&self) -> usize {
        let paths = self.heads.iter().map(|head| self.longest(&head.path));
        let path = self.longest_base() + paths.max().unwrap_or(0);
        let first = self.method.as_str().len() + path + "  HTTP/1.1\r\n".len();
        let header = |(name, value): &(HeaderName, _)| {
            name.as_str().len() + self.longest(value) + ": \r\n".len()
        };
        self.headers.iter().map(header).fold(first, usize::max)
    }

    /// The name of a part that may be longer than [`MAX_FILLED`] with its values filled in, and its greatest length in
    /// bytes.
    pub fn too_long(&self) -> Option<(&'static str, usize)> {
        let headers = self.headers.iter().map(|(_, value)| ("header", value));
        let parts = headers.chain(self.heads.iter().map(|head| ("path", &head.path)));
        let mut lengths = parts.map(|(part, text)| (part, self.longest(text)));
        lengths.find(|(_, longest)| *longest > MAX_FILLED)
    }

    fn longest(&self, text: &CompiledText) -> usize {
        text.longest(&self.keys, self.longest_base())
    }

    fn longest_base(&self) -> usize {
        let bases = self.heads.iter().map(|head| head.base.len());
        bases.max().unwrap_or(0)
    }

    /// What hides the requests' secrets in their answers.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// The text of a request as it is sent, without its HTTP version, and with masks in the place of secrets, unless they
    /// may be shown.
    pub fn show(&self, target: usize, sequence: u64, key: KeyId) -> String {
        let mut buffers = RequestBuffers::default();
        let (request, _) = self.make(target, sequence, key, &mut buffers);
        let head = &self.heads[target];
        let values = Values::new(self.constants(), key, sequence, &head.base, self.seed);
        let shown = self.template.shown();
        let filled = |template: &Template, escape| {
            let mut filled = Vec::new();
            let text = CompiledText::new(template, &self.constants(), escape);
            text.write(&values, &mut filled);
            String::from_utf8_lossy(&filled).into_owned()
        };
        let path = filled(shown.paths.of(target), Escape::Percent);
        let mut text = format!("{} {}{path}\n", request.method(), head.base_path);
        for lower in request.headers().keys() {
            let mut given = shown.headers.iter().filter(|(name, _)| name == lower);
            let values = request.headers().get_all(lower).iter();
            for (place, value) in values.enumerate() {
                let name = self.spelling.of(lower.as_str(), place);
                let value = match given.next() {
                    Some((_, value)) => filled(value, Escape::None),
                    None => String::from_utf8_lossy(value.as_bytes()).into_owned(),
                };
                text += &format!("{name}: {value}\n");
            }
        }
        if let Some(body) = &shown.body {
            text += "\n";
            text += &filled(body, self.template.body_escape());
        }
        text
    }

    /// Makes a request, and its body if it has one.
    pub fn make<'a>(
        &'a self,
        target: usize,
        sequence: u64,
        key: KeyId,
        buffers: &'a mut RequestBuffers,
    ) -> (Request<()>, Option<&'a [u8]>) {
        let RequestBuffers { body, line } = buffers;
        let head = &self.heads[target];
        let values = Values::new(self.constants(), key, sequence, &head.base, self.seed);
        let mut request = head.request.clone();
        if head.path.constant().is_none() {
            line.clear();
            line.extend_from_slice(head.base_path.as_bytes());
            head.path.write(&values, line);
            *request.uri_mut() = with_path(request.uri(), line);
        }
        for (name, value) in &self.varying_headers {
            line.clear();
            value.write(&values, line);
            let value = HeaderValue::from_bytes(line)
                .expect("neither a key nor a URL has a control character");
            request.headers_mut().append(name, value);
        }
        let body = match &self.body {
            None => &[][..],
            Some(text) => text.constant().unwrap_or_else(|| {
                body.clear();
                text.write(&values, body);
                body
            }),
        };
        if self.body_length == BodyLength::Varying {
            let length = body.len().into();
            request.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        let has_body = self.body_length != BodyLength::NoBody;
        (request, has_body.then_some(body))
    }
}

/// The same URI with another path.
fn with_path(uri: &Uri, path: &[u8]) -> Uri {
    let mut parts = uri.clone().into_parts();
    let path = PathAndQuery::try_from(path).expect("values in a path are percent-encoded");
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).expect("a URI with scheme, authority and path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::KeyList;
    use crate::core::request::parse::{self, HeaderLine};

    fn compiled(template: &RequestTemplate, keys: &str, bases: &[&str]) -> CompiledRequest {
        let targets = bases.iter().map(|base| Target::new(base).expect(base));
        let targets: Vec<_> = targets.collect();
        let constants = Constants {
            keys: &Keys::listed(KeyList::read(keys.as_bytes()).unwrap().into(), ""),
            limit: 100,
            window: Nanos(60_000_000_000),
        };
        template.compile(&targets, &constants, 1)
    }

    fn template(method: &str, path: &str, headers: &[&str], body: &str) -> RequestTemplate {
        let lines: Vec<HeaderLine> = headers
            .iter()
            .map(|line| parse::header_line(line).unwrap())
            .collect();
        let spelling = Spelling::new(lines.iter().map(|line| &*line.spelled));
        let headers = lines
            .into_iter()
            .map(|line| (line.name, line.value.unwrap()));
        RequestTemplate {
            method: parse::method(method).unwrap(),
            paths: parse::path(path).unwrap().into(),
            headers: headers.collect(),
            spelling,
            body: Some(parse::body(body).unwrap()).filter(|body| !body.is_empty()),
            shows_secrets: false,
        }
    }

    #[test]
    fn a_request_is_its_template_filled_in() {
        let headers = [
            "Content-Type: application/json",
            "X-Of: {target}",
            "X-Of: {limit}",
        ];
        let body = r#"{"k":"{key}","s":{seq}}"#;
        let template = template("put", "/v1/{key}?n={seq}", &headers, body);
        let bases = ["http://h:1/base/", "https://[::1]"];
        let compiled = compiled(&template, "a/b\n\"é\"", &bases);
        assert_eq!(
            compiled.show(0, 9, KeyId(0)),
            "PUT /base/v1/a%2Fb?n=9\nhost: h:1\nContent-Type: application/json\nX-Of: http://h:1/base\n\
             X-Of: 100\ncontent-length: 17\n\n{\"k\":\"a/b\",\"s\":9}"
        );
        assert_eq!(
            compiled.show(1, 10, KeyId(1)),
            "PUT /v1/%22%C3%A9%22?n=10\nhost: [::1]\nContent-Type: application/json\nX-Of: https://[::1]\n\
             X-Of: 100\ncontent-length: 21\n\n{\"k\":\"\\\"é\\\"\",\"s\":10}"
        );
    }

    #[test]
    fn a_request_without_a_body_says_so_if_its_method_usually_has_one() {
        for (method, body, expected) in [
            ("GET", "", "GET /a\nhost: h\n"),
            ("DELETE", "", "DELETE /a\nhost: h\n"),
            ("POST", "", "POST /a\nhost: h\ncontent-length: 0\n"),
            ("GET", "{seq}", "GET /a\nhost: h\ncontent-length: 1\n\n7"),
        ] {
            let template = template(method, "/a", &[], body);
            let compiled = compiled(&template, "k", &["http://h"]);
            assert_eq!(compiled.show(0, 7, KeyId(0)), expected);
        }
    }

    #[test]
    fn a_host_header_replaces_the_targets_own() {
        let template = template("GET", "/", &["Host: {key}.example"], "");
        let compiled = compiled(&template, "tenant", &["http://h:1"]);
        let expected = "GET /\nHost: tenant.example\n";
        assert_eq!(compiled.show(0, 0, KeyId(0)), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_longest() {
        let headers = ["X-Key: {key} {target} {uuid} {now_ms}"];
        let template = template("GET", "/{key}", &headers, "");
        let keys = format!("{}\n\"\"", "é".repeat(400));
        let compiled = compiled(&template, &keys, &["http://h:1/b", "http://host"]);
        for (target, key) in [(0, 0), (1, 0), (1, 1)] {
            let shown = compiled.show(target, u64::MAX, KeyId(key));
            let longest = shown.lines().map(str::len).max().unwrap();
            assert!(longest < compiled.longest_line(), "{longest}");
        }
        assert!(compiled.longest_line() < 6_000);
    }
}
