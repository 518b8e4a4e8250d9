use super::escape::Escape;
use super::{Paths, Placeholder, Spelling, Template};
use crate::core::masking::Masks;
use crate::core::replay::RecordedRequests;
use ureq::http::{HeaderName, Method, header};

/// A request with placeholders, as the options ask for it.
#[derive(Debug, Clone)]
pub struct RequestTemplate {
    pub method: Method,
    /// Appended to the targets' base URLs.
    pub paths: Paths,
    /// A name may occur more than once.
    pub headers: Vec<(HeaderName, Template)>,
    /// The spelling of the headers' names, which HTTP libraries send in lower case.
    pub spelling: Spelling,
    pub body: Option<Template>,
    /// Whether reports may show the secrets.
    pub shows_secrets: bool,
}

impl RequestTemplate {
    /// Returns whether any part has the placeholder.
    pub fn has(&self, placeholder: Placeholder) -> bool {
        self.parts().any(|part| part.has(placeholder))
    }

    fn parts(&self) -> impl Iterator<Item = &Template> {
        let headers = self.headers.iter().map(|(_, value)| value);
        headers.chain(&self.body).chain(self.paths.all())
    }

    /// Whether each request has its key, even where a recorded request replaces parts of it.
    pub fn keeps_key(&self, recorded: &RecordedRequests) -> bool {
        let has_key = |template: &Template| template.has(Placeholder::Key);
        let in_header = self
            .headers
            .iter()
            .any(|(name, value)| has_key(value) && !recorded.header_names.contains(name));
        let in_path = !recorded.have_paths() && self.paths.all().all(has_key);
        let in_body = !recorded.replace_bodies && self.body.as_ref().is_some_and(has_key);
        in_header || in_path || in_body
    }

    /// The path for people, or words if the targets have different ones.
    pub fn describe_paths(&self) -> String {
        self.paths.describe(|path| match self.shows_secrets {
            true => path.typed().to_owned(),
            false => path.shown(),
        })
    }

    /// What hides the requests' secrets in their answers.
    pub(super) fn masks(&self) -> Masks {
        if self.shows_secrets {
            Masks::none()
        } else {
            Masks::new(self.secrets())
        }
    }

    /// The secrets in all parts.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts().flat_map(Template::secrets)
    }

    /// The same with masks in the place of secrets, unless they may be shown.
    pub(super) fn shown(&self) -> RequestTemplate {
        let masked = |template: &Template| match self.shows_secrets {
            true => template.clone(),
            false => template.masked(),
        };
        let headers = self.headers.iter();
        RequestTemplate {
            paths: self.paths.map(masked),
            headers: headers
                .map(|(name, value)| (name.clone(), masked(value)))
                .collect(),
            body: self.body.as_ref().map(masked),
            ..self.clone()
        }
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
            paths: "/a/{key}?n={limit}".parse::<Template>().unwrap().into(),
            headers: content_type.into_iter().collect(),
            spelling: Spelling::default(),
            body: Some("{seq}".parse().unwrap()),
            shows_secrets: false,
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
