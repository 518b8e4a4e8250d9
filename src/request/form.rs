use super::escape::Escape;
use super::{Placeholder, Template, Text, Values};
use crate::keys::{KeyId, Keys};
use serde::de::IgnoredAny;
use ureq::http::{HeaderName, Method, header};

/// All that a request says, as it was asked for.
#[derive(Debug, Clone)]
pub struct Form {
    pub method: Method,
    /// Appended to a target's base URL.
    pub path: Template,
    /// Names may occur more than once.
    pub headers: Vec<(HeaderName, Template)>,
    pub body: Option<Template>,
}

/// What placeholders stand for in all requests of a run, and where to look up the rest.
#[derive(Debug, Clone, Copy)]
pub struct Constants<'a> {
    pub keys: &'a Keys,
    pub limit: u64,
    pub window_ms: u64,
}

/// A form of which only what differs from request to request is still to be filled in.
#[derive(Debug, Clone)]
pub struct Compiled {
    pub method: Method,
    pub path: Text,
    pub headers: Vec<(HeaderName, Text)>,
    pub body: Option<Text>,
}

impl Form {
    /// Whether any part has the placeholder.
    pub fn has(&self, placeholder: Placeholder) -> bool {
        let headers = self.headers.iter().map(|(_, value)| value);
        let mut parts = headers.chain(&self.body).chain([&self.path]);
        parts.any(|part| part.has(placeholder))
    }

    /// What is filled into the path is percent-encoded; into the body it is written as its `Content-Type` asks
    /// for, if that is JSON or a form.
    pub fn compile(&self, constants: &Constants<'_>) -> Compiled {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = Text::compile(value, constants, Escape::None);
            (name.clone(), value)
        });
        Compiled {
            method: self.method.clone(),
            path: Text::compile(&self.path, constants, Escape::Percent),
            headers: headers.collect(),
            body: self.compile_body(constants),
        }
    }

    fn compile_body(&self, constants: &Constants<'_>) -> Option<Text> {
        let body = self.body.as_ref()?;
        Some(Text::compile(body, constants, self.escape_in_body()))
    }

    fn escape_in_body(&self) -> Escape {
        let mut headers = self.headers.iter();
        let content_type = headers.find(|(name, _)| *name == header::CONTENT_TYPE);
        let content_type = content_type.map(|(_, value)| value.typed().to_ascii_lowercase());
        match content_type {
            Some(json) if json.contains("json") => Escape::Json,
            Some(form) if form.contains("x-www-form-urlencoded") => Escape::Percent,
            _ => Escape::None,
        }
    }

    /// Whether a body that its `Content-Type` calls JSON is that, with what placeholders stand for in the run's
    /// first request.
    pub fn check_json(&self, constants: &Constants<'_>) -> Result<(), NotJson> {
        if self.escape_in_body() != Escape::Json {
            return Ok(());
        }
        let Some(body) = self.compile_body(constants) else {
            return Ok(());
        };
        let values = Values::new(constants.keys, KeyId(0), 0, "http://127.0.0.1", 0);
        let mut filled = Vec::new();
        body.write(&values, &mut filled);
        let read: Result<IgnoredAny, _> = serde_json::from_slice(&filled);
        read.map(|_| ()).map_err(|error| {
            let filled = String::from_utf8_lossy(&filled);
            NotJson {
                error,
                excerpt: filled.chars().take(EXCERPT).collect(),
                cut: filled.chars().nth(EXCERPT).is_some(),
            }
        })
    }
}

/// How many characters of a body are shown that should be JSON.
const EXCERPT: usize = 200;

#[derive(Debug, thiserror::Error)]
#[error("{error}, of {excerpt}{}", if *cut { "…" } else { "" })]
pub struct NotJson {
    error: serde_json::Error,
    /// Of the body, filled in.
    excerpt: String,
    cut: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyList;

    fn form(content_type: Option<&str>, body: &str) -> Form {
        let content_type =
            content_type.map(|value| (header::CONTENT_TYPE, value.parse().expect(value)));
        Form {
            method: Method::POST,
            path: "/a/{key}?n={limit}".parse().unwrap(),
            headers: content_type.into_iter().collect(),
            body: Some(body.parse().expect(body)),
        }
    }

    fn constants(keys: &Keys) -> Constants<'_> {
        Constants {
            keys,
            limit: 100,
            window_ms: 90_000,
        }
    }

    fn filled(text: &Text, keys: &Keys, target: &str) -> String {
        let mut buffer = b"> ".to_vec();
        text.write(&Values::new(keys, KeyId(0), 17, target, 1), &mut buffer);
        String::from_utf8(buffer).unwrap().split_off(2)
    }

    /// The path, and the body.
    fn written(form: &Form, keys: &Keys, target: &str) -> [String; 2] {
        let compiled = form.compile(&constants(keys));
        let body = compiled.body.expect("a body");
        [&compiled.path, &body].map(|text| {
            let filled = filled(text, keys, target);
            if let Some(length) = text.fixed_len(keys) {
                assert_eq!(filled.len(), length);
            }
            if let Some(constant) = text.constant() {
                assert_eq!(constant, filled.as_bytes());
            }
            assert!(filled.len() <= text.longest(keys, target.len()));
            filled
        })
    }

    fn listed(keys: &str) -> Keys {
        Keys::listed(KeyList::read(keys.as_bytes()).unwrap().into(), "")
    }

    #[test]
    fn a_key_is_written_as_the_place_it_stands_in_asks_for() {
        let keys = listed("a \"b\"/é");
        let body = "{key} {limit} {window_ms} {window_s} {seq} {target}";
        let rest = "100 90000 90 17 http://h:1/x";
        for (content_type, key, rest) in [
            (None, "a \"b\"/é", rest),
            (Some("text/plain"), "a \"b\"/é", rest),
            (
                Some("application/json; charset=utf-8"),
                r#"a \"b\"/é"#,
                rest,
            ),
            (
                Some("application/x-www-form-urlencoded"),
                "a%20%22b%22%2F%C3%A9",
                "100 90000 90 17 http%3A%2F%2Fh%3A1%2Fx",
            ),
        ] {
            let [path, body] = written(&form(content_type, body), &keys, "http://h:1/x");
            assert_eq!(path, "/a/a%20%22b%22%2F%C3%A9?n=100");
            assert_eq!(body, format!("{key} {rest}"), "{content_type:?}");
        }
    }

    #[test]
    fn the_same_uuid_and_time_stand_wherever_they_are_asked_for() {
        let keys = Keys::fresh("k-");
        let [_, body] = written(&form(None, "{uuid} {uuid} {now_ms} {now_ms}"), &keys, "");
        let words: Vec<_> = body.split(' ').collect();
        assert_eq!((words[0], words[2]), (words[1], words[3]));
        assert_eq!(words[2].len(), 13);
    }

    #[test]
    fn lengths_are_fixed_where_nothing_varies_in_length() {
        let keys = Keys::fresh("k-");
        let of_body = |body: &str, keys: &Keys| {
            let body = form(None, body).compile(&constants(keys)).body;
            body.unwrap().fixed_len(keys)
        };
        for (body, length) in [
            ("{key}{key}", Some(20)),
            ("{limit}{window_ms}{uuid}", Some(3 + 5 + 36)),
            ("{seq}", None),
            ("{now_ms}", None),
            ("{target}", None),
        ] {
            assert_eq!(of_body(body, &keys), length, "{body}");
        }
        assert_eq!(of_body("{key}", &listed("a\nbc")), None);
    }

    #[test]
    fn json_is_checked_as_it_will_be_sent_and_only_if_it_is_said_to_be_json() {
        let json = Some("application/json");
        let awkward = listed("\"\\");
        let generated = Keys::generated(1, 1, "k-");
        fn checked(content_type: Option<&str>, body: &str, keys: &Keys) -> Result<(), String> {
            let checked = form(content_type, body).check_json(&constants(keys));
            checked.map_err(|error| error.to_string())
        }
        for body in [
            r#"{"key":"{key}","n":{limit}}"#,
            "[{seq}, \"{key}\"]\n",
            "{{}",
        ] {
            assert_eq!(checked(json, body, &awkward), Ok(()), "{body}");
            assert_eq!(checked(json, body, &generated), Ok(()), "{body}");
        }
        let wrong = checked(json, r#"{"key":{key}}"#, &listed("user-1"));
        let says = r#"expected value at line 1 column 8, of {"key":user-1}"#;
        assert_eq!(wrong, Err(says.to_owned()));
        assert_eq!(checked(json, r#"{"key":{key}}"#, &listed("17")), Ok(()));
        assert_eq!(checked(None, "{", &generated), Ok(()));
        let long = checked(json, &"x".repeat(300), &generated).unwrap_err();
        assert!(long.ends_with(&format!("{}…", "x".repeat(200))), "{long}");
    }

    #[test]
    fn a_placeholder_is_found_in_every_part() {
        let mut form = form(Some("{uuid}"), "{seq}");
        for placeholder in [
            Placeholder::Key,
            Placeholder::Limit,
            Placeholder::Uuid,
            Placeholder::Seq,
        ] {
            assert!(form.has(placeholder), "{placeholder:?}");
        }
        form.body = None;
        assert!(!form.has(Placeholder::Seq) && !form.has(Placeholder::NowMs));
    }
}
