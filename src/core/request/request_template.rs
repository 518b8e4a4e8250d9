use super::escape::Escape;
use super::{Placeholder, Spelling, Template};
use ureq::http::{HeaderName, Method, header};

/// A request with placeholders, as the options ask for it.
#[derive(Debug, Clone)]
pub struct RequestTemplate {
    pub method: Method,
    /// Appended to a target's base URL.
    pub path: Template,
    /// A name may occur more than once.
    pub headers: Vec<(HeaderName, Template)>,
    /// The spelling of the headers' names, which HTTP libraries send in lower case.
    pub spelling: Spelling,
    pub body: Option<Template>,
}

impl RequestTemplate {
    /// Returns whether any part has the placeholder.
    pub fn has(&self, placeholder: Placeholder) -> bool {
        let headers = self.headers.iter().map(|(_, value)| value);
        let mut parts = headers.chain(&self.body).chain([&self.path]);
        parts.any(|part| part.has(placeholder))
    }

    /// The way that values are escaped in the body, by its `Content-Type`.
    pub(super) fn body_escape(&self) -> Escape {
        let content_type = self.content_type().unwrap_or_default().to_ascii_lowercase();
        if content_type.contains("json") {
            Escape::Json
        } else if content_type.contains("x-www-form-urlencoded") {
            Escape::Percent
        } else {
            Escape::None
        }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        let mut headers = self.headers.iter();
        let content_type = headers.find(|(name, _)| *name == header::CONTENT_TYPE);
        content_type.map(|(_, value)| value.typed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(content_type: Option<&str>) -> RequestTemplate {
        let content_type = content_type.map(|value| (header::CONTENT_TYPE, value.parse().unwrap()));
        RequestTemplate {
            method: Method::POST,
            path: "/a/{key}?n={limit}".parse().unwrap(),
            headers: content_type.into_iter().collect(),
            spelling: Spelling::default(),
            body: Some("{seq}".parse().unwrap()),
        }
    }

    #[test]
    fn a_body_is_escaped_as_its_content_type_requires() {
        for (content_type, escape) in [
            (None, Escape::None),
            (Some("text/plain"), Escape::None),
            (Some("application/JSON; charset=utf-8"), Escape::Json),
            (Some("application/x-www-form-urlencoded"), Escape::Percent),
        ] {
            let actual = template(content_type).body_escape();
            assert_eq!(actual, escape, "{content_type:?}");
        }
    }

    #[test]
    fn a_placeholder_is_found_in_every_part() {
        use Placeholder::{Key, Limit, NowMs, Seq, Uuid};
        let mut template = template(Some("{uuid}"));
        for placeholder in [Key, Limit, Uuid, Seq] {
            assert!(template.has(placeholder), "{placeholder:?}");
        }
        template.body = None;
        assert!(!template.has(Seq) && !template.has(NowMs));
    }
}
