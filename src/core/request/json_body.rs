//! The check, before a run, that a body which its `Content-Type` calls JSON is JSON.

use super::compiled_text::CompiledText;
use super::escape::Escape;
use super::placeholder::Values;
use super::{Constants, Placeholder, RequestTemplate};
use crate::base::KeyId;
use crate::core::keys::Keys;
use serde::de::IgnoredAny;

/// A body that is not JSON with this key filled in. The error does not repeat the body, which may have secrets.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", key.as_ref().map(|key| format!(", with the key {key:?}")).unwrap_or_default())]
pub struct InvalidJson {
    error: serde_json::Error,
    /// `None` if the body has none.
    key: Option<String>,
}

impl RequestTemplate {
    /// Checks the body with the values of the run's first request. If a key stands outside of a string, it checks every
    /// key: one may be a number, and another a word.
    pub fn check_json(&self, constants: &Constants<'_>) -> Result<(), InvalidJson> {
        let Some(body) = self.body.as_ref().filter(|_| self.is_json()) else {
            return Ok(());
        };
        let keys = constants.keys;
        let has_key = self
            .body
            .as_ref()
            .is_some_and(|body| body.has(Placeholder::Key));
        let check = |keys: &Keys, key| {
            let constants = Constants { keys, ..*constants };
            let body = CompiledText::new(body, &constants, Escape::Json);
            let values = Values::new(constants, key, 0, "http://127.0.0.1", 0);
            let mut filled = Vec::new();
            body.write(&values, &mut filled);
            parse(&filled).map_err(|error| InvalidJson {
                error,
                key: has_key.then(|| keys.name(key)),
            })
        };
        let first = KeyId(0);
        check(keys, first)?;
        // Only within a string is a word valid.
        let word = Keys::generated(1, 0, "word");
        let with_a_word = check(&word, first);
        match keys.count() {
            Some(count) if with_a_word.is_err() => {
                let mut all = (0..count).map(KeyId);
                let invalid = all.find(|&key| parse(keys.name(key).as_bytes()).is_err());
                invalid.map_or(Ok(()), |key| check(keys, key))
            }
            _ => with_a_word,
        }
    }

    /// Returns whether the media type is JSON, or has its suffix (RFC 6839), such as `application/problem+json`.
    fn is_json(&self) -> bool {
        let content_type = self.content_type().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let subtype = media_type.split_once('/').map(|(_, subtype)| subtype);
        subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }
}

fn parse(text: &[u8]) -> serde_json::Result<()> {
    let parsed: Result<IgnoredAny, _> = serde_json::from_slice(text);
    parsed.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;
    use crate::core::keys::KeyList;
    use crate::core::request::{Spelling, Template};
    use ureq::http::{Method, header};

    const JSON: Option<&str> = Some("application/json");

    fn checked(content_type: Option<&str>, body: &str, keys: &Keys) -> Result<(), String> {
        let content_type = content_type.map(|value| (header::CONTENT_TYPE, value.parse().unwrap()));
        let template = RequestTemplate {
            method: Method::POST,
            paths: "/".parse::<Template>().unwrap().into(),
            headers: content_type.into_iter().collect(),
            spelling: Spelling::default(),
            body: Some(body.parse().expect(body)),
            shows_secrets: false,
        };
        let constants = Constants {
            keys,
            limit: 100,
            window: Nanos(90_000_000_000),
        };
        let checked = template.check_json(&constants);
        checked.map_err(|error| error.to_string())
    }

    fn listed(keys: &str) -> Keys {
        Keys::listed(KeyList::read(keys.as_bytes()).unwrap().into(), "")
    }

    #[test]
    fn a_body_is_checked_with_its_values_filled_in() {
        for keys in [listed("\"\\"), Keys::generated(1, 1, "k-")] {
            for body in [
                r#"{"key":"{key}","n":{limit}}"#,
                "[{seq}, \"{key}\"]\n",
                "{{}",
            ] {
                assert_eq!(checked(JSON, body, &keys), Ok(()), "{body}");
            }
        }
    }

    #[test]
    fn a_key_outside_of_a_string_is_checked_with_every_key() {
        let body = r#"{"key":{key}}"#;
        for (keys, wrong) in [("user-1", "user-1"), ("17\nabc", "abc")] {
            let says = format!("expected value at line 1 column 8, with the key {wrong:?}");
            assert_eq!(checked(JSON, body, &listed(keys)), Err(says));
        }
        assert_eq!(checked(JSON, body, &listed("17\n-1.5\nnull")), Ok(()));
        assert!(checked(JSON, body, &Keys::fresh("")).is_err());
        assert!(checked(JSON, body, &Keys::generated(1_000, 1, "")).is_err());
    }

    #[test]
    fn only_a_body_that_is_called_json_is_checked() {
        let keys = Keys::generated(1, 1, "k-");
        assert_eq!(checked(None, "{", &keys), Ok(()));
        let lines = Some("application/x-ndjson");
        assert_eq!(checked(lines, "{}\n{}", &keys), Ok(()));
        let other = Some("application/problem+JSON; charset=utf-8");
        assert!(checked(other, "{}\n{}", &keys).is_err());
    }

    #[test]
    fn an_error_says_the_place_and_nothing_of_the_body() {
        let keys = Keys::generated(1, 1, "k-");
        let error = checked(JSON, r#"{"password":hunter2}"#, &keys).unwrap_err();
        assert_eq!(error, "expected value at line 1 column 13");
    }
}
