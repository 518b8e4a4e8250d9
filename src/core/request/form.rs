use super::escape::Escape;
use super::{Placeholder, Template, Text, Values};
use crate::base::KeyId;
use crate::core::keys::Keys;
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
        match self.content_type().map(str::to_ascii_lowercase) {
            Some(json) if json.contains("json") => Escape::Json,
            Some(form) if form.contains("x-www-form-urlencoded") => Escape::Percent,
            _ => Escape::None,
        }
    }

    /// Whether a body that its `Content-Type` calls JSON is that, with what placeholders stand for in the run's
    /// first request, and with every key where one stands outside of a string.
    pub fn check_json(&self, constants: &Constants<'_>) -> Result<(), NotJson> {
        let Some(body) = self.body.as_ref().filter(|_| self.is_json()) else {
            return Ok(());
        };
        let keys = constants.keys;
        let check = |keys: &Keys, key| {
            let constants = Constants { keys, ..*constants };
            let body = Text::compile(body, &constants, Escape::Json);
            let mut filled = Vec::new();
            body.write(
                &Values::new(keys, key, 0, "http://127.0.0.1", 0),
                &mut filled,
            );
            json(&filled)
        };
        let first = KeyId(0);
        check(keys, first)?;
        // A word is JSON only within a string.
        let word = Keys::generated(1, 0, "word");
        if !body.has(Placeholder::Key) || check(&word, first).is_ok() {
            return Ok(());
        }
        match keys.count() {
            None => check(&word, first),
            Some(count) => {
                let mut all = (0..count).map(KeyId);
                let no_json = all.find(|&key| json(keys.name(key).as_bytes()).is_err());
                no_json.map_or(Ok(()), |key| check(keys, key))
            }
        }
    }

    /// By the media type, with a suffix such as that of `application/problem+json` (RFC 6839) or without.
    fn is_json(&self) -> bool {
        let media_type = self.content_type().map(|value| {
            let end = value.find(';').unwrap_or(value.len());
            value[..end].trim().to_ascii_lowercase()
        });
        let subtype = media_type
            .as_ref()
            .and_then(|media_type| media_type.split_once('/'));
        subtype.is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
    }

    fn content_type(&self) -> Option<&str> {
        let mut headers = self.headers.iter();
        let content_type = headers.find(|(name, _)| *name == header::CONTENT_TYPE);
        content_type.map(|(_, value)| value.typed())
    }
}

fn json(text: &[u8]) -> Result<(), NotJson> {
    let read: Result<IgnoredAny, _> = serde_json::from_slice(text);
    read.map(|_| ()).map_err(|error| {
        let text = String::from_utf8_lossy(text);
        NotJson {
            error,
            excerpt: text.chars().take(EXCERPT).collect(),
            cut: text.chars().nth(EXCERPT).is_some(),
        }
    })
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
    use crate::core::keys::KeyList;

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
        let unquoted = r#"{"key":{key}}"#;
        assert_eq!(checked(json, unquoted, &listed("17\n-1.5\nnull")), Ok(()));
        let says = r#"expected value at line 1 column 8, of {"key":abc}"#;
        assert_eq!(
            checked(json, unquoted, &listed("17\nabc")),
            Err(says.to_owned())
        );
        assert!(checked(json, unquoted, &Keys::fresh("")).is_err());
        assert!(checked(json, unquoted, &Keys::generated(1_000, 1, "")).is_err());
        assert_eq!(checked(None, "{", &generated), Ok(()));
        let lines = Some("application/x-ndjson");
        assert_eq!(checked(lines, "{}\n{}", &generated), Ok(()));
        let other = Some("application/problem+JSON; charset=utf-8");
        assert!(checked(other, "{}\n{}", &generated).is_err());
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
