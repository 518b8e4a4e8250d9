use super::compiled_text::CompiledText;
use super::escape::Escape;
use super::placeholder::Values;
use super::{Constants, RequestTemplate, Spelling, Template};
use crate::base::{KeyId, Nanos, Target};
use crate::core::keys::Keys;
use crate::core::masking::Masks;
use crate::core::replay::{Content, RecordedRequests, StoreFailed};
use std::sync::Arc;
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
    /// Requests that replace parts of these by their own.
    recorded: Option<Arc<RecordedRequests>>,
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
    /// The recorded parts of the request with this number.
    recorded: (u64, Vec<u8>),
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
            recorded: None,
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
        let states_none = BodyLength::is_stated_by(method);
        match body.map(|body| body.fixed_len(keys)) {
            Some(Some(length)) => BodyLength::Fixed(length),
            Some(None) => BodyLength::Varying,
            None if states_none => BodyLength::Fixed(0),
            None => BodyLength::NoBody,
        }
    }

    /// Whether a request with this method states that its body is empty.
    fn is_stated_by(method: &Method) -> bool {
        [Method::POST, Method::PUT, Method::PATCH].contains(method)
    }
}

impl CompiledRequest {
    /// The same requests, in which recorded requests replace the parts that they have of their own.
    pub fn with_recording(self, recorded: Arc<RecordedRequests>) -> CompiledRequest {
        let names = recorded.header_names.iter().map(HeaderName::as_str);
        CompiledRequest {
            spelling: self.spelling.without(names).and(&recorded.spelled),
            recorded: Some(recorded),
            ..self
        }
    }

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
        let recorded = self.recorded.as_ref();
        let recorded = recorded.map_or(0, |recorded| self.longest_base() + recorded.longest_line);
        let longest = self.headers.iter().map(header).fold(first, usize::max);
        longest.max(recorded)
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

    /// The same for the recorded request that was made last with these buffers. `None` if it has no secrets of its own.
    pub fn recorded_masks(&self, buffers: &RequestBuffers) -> Option<Masks> {
        let content = self.recorded.as_ref().and(buffers.content())?;
        let mut secrets = Vec::new();
        let mut add = |text: &[u8], hide: &dyn Fn(Template) -> Template| {
            let text = String::from_utf8_lossy(text);
            let template = hide(Template::plain(&text));
            secrets.extend(template.secrets().map(str::to_owned));
        };
        add(content.path.unwrap_or_default(), &Template::as_path);
        for (name, value) in content.headers() {
            let name = String::from_utf8_lossy(name);
            add(value, &|value| value.as_header(&name));
        }
        add(content.body.unwrap_or_default(), &Template::as_body);
        if self.template.shows_secrets || secrets.is_empty() {
            return None;
        }
        let of_the_run = self.template.secrets();
        Some(Masks::new(
            of_the_run.chain(secrets.iter().map(String::as_str)),
        ))
    }

    /// The text of a request as it is sent, without its HTTP version, and with masks in the place of secrets, unless they
    /// may be shown.
    ///
    /// # Errors
    /// The recording can't be read.
    pub fn show(&self, target: usize, sequence: u64, key: KeyId) -> Result<String, StoreFailed> {
        let mut buffers = RequestBuffers::default();
        let (request, body) = self.make(target, sequence, key, &mut buffers)?;
        let has_body = body.is_some();
        let recorded = self.recorded.as_ref().and(buffers.content());
        let head = &self.heads[target];
        let values = Values::new(self.constants(), key, sequence, &head.base, self.seed);
        let shown = self.template.shown();
        let filled = |template: &Template, escape| {
            let mut filled = Vec::new();
            let text = CompiledText::new(template, &self.constants(), escape);
            text.write(&values, &mut filled);
            String::from_utf8_lossy(&filled).into_owned()
        };
        let masked = |text: &[u8], hide: &dyn Fn(Template) -> Template| {
            let text = String::from_utf8_lossy(text);
            match shown.shows_secrets {
                true => text.into_owned(),
                false => filled(&hide(Template::plain(&text)).masked(), Escape::None),
            }
        };
        let path = match recorded.and_then(|recorded| recorded.path) {
            Some(path) => masked(path, &Template::as_path),
            None => filled(shown.paths.of(target), Escape::Percent),
        };
        let mut text = format!("{} {}{path}\n", request.method(), head.base_path);
        for lower in request.headers().keys() {
            let is_recorded = recorded.is_some_and(|recorded| recorded.has_header(lower.as_str()));
            let mut given = shown.headers.iter().filter(|(name, _)| name == lower);
            let values = request.headers().get_all(lower).iter();
            for (place, value) in values.enumerate() {
                let name = self.spelling.of(lower.as_str(), place);
                let value = match given.next() {
                    _ if is_recorded => {
                        masked(value.as_bytes(), &|value| value.as_header(lower.as_str()))
                    }
                    Some((_, value)) => filled(value, Escape::None),
                    None => String::from_utf8_lossy(value.as_bytes()).into_owned(),
                };
                text += &format!("{name}: {value}\n");
            }
        }
        if let Some(body) = recorded.and_then(|recorded| recorded.body) {
            text += "\n";
            text += &masked(body, &Template::as_body);
        } else if let Some(body) = shown.body.as_ref().filter(|_| has_body) {
            text += "\n";
            text += &filled(body, self.template.body_escape());
        }
        Ok(text)
    }

    /// Reads the recorded parts of a request, so that [`make`](Self::make) with the same buffers need not wait for that. It
    /// does nothing if requests are not recorded.
    pub fn prepare(&self, sequence: u64, buffers: &mut RequestBuffers) {
        // If it fails, `make` fails too.
        let _ = self.read_recorded(sequence, buffers);
    }

    fn read_recorded(
        &self,
        sequence: u64,
        buffers: &mut RequestBuffers,
    ) -> Result<(), StoreFailed> {
        let Some(recorded) = &self.recorded else {
            return Ok(());
        };
        let (number, content) = &mut buffers.recorded;
        if *number != sequence || content.is_empty() {
            *number = sequence;
            content.clear();
            recorded.content(sequence, content)?;
        }
        Ok(())
    }

    /// Makes a request, and its body if it has one.
    ///
    /// # Errors
    /// The recording can't be read.
    pub fn make<'a>(
        &'a self,
        target: usize,
        sequence: u64,
        key: KeyId,
        buffers: &'a mut RequestBuffers,
    ) -> Result<(Request<()>, Option<&'a [u8]>), StoreFailed> {
        if self.recorded.is_some() {
            self.read_recorded(sequence, buffers)?;
            return self.make_recorded(target, sequence, key, buffers);
        }
        let RequestBuffers { body, line, .. } = buffers;
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
        Ok((request, has_body.then_some(body)))
    }

    /// Makes a request of the recorded parts in the buffers, and of the run's own where it has none.
    fn make_recorded<'a>(
        &'a self,
        target: usize,
        sequence: u64,
        key: KeyId,
        buffers: &'a mut RequestBuffers,
    ) -> Result<(Request<()>, Option<&'a [u8]>), StoreFailed> {
        let RequestBuffers {
            body,
            line,
            recorded,
        } = buffers;
        let content = Content::read(&recorded.1).ok_or(StoreFailed)?;
        let head = &self.heads[target];
        let values = Values::new(self.constants(), key, sequence, &head.base, self.seed);
        let mut request = head.request.clone();
        if let Some(method) = content.method {
            *request.method_mut() = Method::from_bytes(method).map_err(|_| StoreFailed)?;
        }
        if content.path.is_some() || head.path.constant().is_none() {
            line.clear();
            line.extend_from_slice(head.base_path.as_bytes());
            match content.path {
                Some(path) => line.extend_from_slice(path),
                None => head.path.write(&values, line),
            }
            *request.uri_mut() = with_path(request.uri(), line);
        }
        for (name, value) in &self.varying_headers {
            line.clear();
            value.write(&values, line);
            let value = HeaderValue::from_bytes(line)
                .expect("neither a key nor a URL has a control character");
            request.headers_mut().append(name, value);
        }
        let headers = request.headers_mut();
        for (name, _) in content.headers() {
            let name = HeaderName::from_bytes(name).map_err(|_| StoreFailed)?;
            headers.remove(name);
        }
        for (name, value) in content.headers() {
            let name = HeaderName::from_bytes(name).map_err(|_| StoreFailed)?;
            let value = HeaderValue::from_bytes(value).map_err(|_| StoreFailed)?;
            headers.append(name, value);
        }
        let states_body = BodyLength::is_stated_by(request.method());
        let is_own = content.method.is_none() || states_body;
        let body = match (content.body, &self.body) {
            (Some(body), _) => Some(body),
            (None, Some(text)) if is_own => Some(text.constant().unwrap_or_else(|| {
                body.clear();
                text.write(&values, body);
                body
            })),
            _ => None,
        };
        let headers = request.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        let states_none = states_body.then_some(&[][..]);
        let length = body.or(states_none).map(<[u8]>::len);
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        // The run's own type is that of the run's own body.
        if body.is_none() && self.body.is_some() && !content.has_header("content-type") {
            headers.remove(header::CONTENT_TYPE);
        }
        Ok((request, body.or(states_none)))
    }
}

impl RequestBuffers {
    /// The recorded parts that were read last.
    fn content(&self) -> Option<Content<'_>> {
        Content::read(&self.recorded.1)
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
            compiled.show(0, 9, KeyId(0)).unwrap(),
            "PUT /base/v1/a%2Fb?n=9\nhost: h:1\nContent-Type: application/json\nX-Of: http://h:1/base\n\
             X-Of: 100\ncontent-length: 17\n\n{\"k\":\"a/b\",\"s\":9}"
        );
        assert_eq!(
            compiled.show(1, 10, KeyId(1)).unwrap(),
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
            assert_eq!(compiled.show(0, 7, KeyId(0)).unwrap(), expected);
        }
    }

    #[test]
    fn a_host_header_replaces_the_targets_own() {
        let template = template("GET", "/", &["Host: {key}.example"], "");
        let compiled = compiled(&template, "tenant", &["http://h:1"]);
        let expected = "GET /\nHost: tenant.example\n";
        assert_eq!(compiled.show(0, 0, KeyId(0)).unwrap(), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_longest() {
        let headers = ["X-Key: {key} {target} {uuid} {now_ms}"];
        let template = template("GET", "/{key}", &headers, "");
        let keys = format!("{}\n\"\"", "é".repeat(400));
        let compiled = compiled(&template, &keys, &["http://h:1/b", "http://host"]);
        for (target, key) in [(0, 0), (1, 0), (1, 1)] {
            let shown = compiled.show(target, u64::MAX, KeyId(key)).unwrap();
            let longest = shown.lines().map(str::len).max().unwrap();
            assert!(longest < compiled.longest_line(), "{longest}");
        }
        assert!(compiled.longest_line() < 6_000);
    }
}
