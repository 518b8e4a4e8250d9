//! The rate limiters that can be tested: how each takes a check, and how it answers.
//!
//! A new preset is a file here, its `mod` line, and its line in [`ALL`].

pub mod check;
pub mod envoy;
pub mod gubernator;
pub mod http;
pub mod kong;
pub mod limitador;
pub mod nginx;
mod text;
pub mod throttlecrab;

pub use text::{details, table};

use crate::core::answers::Rules;
use crate::core::request::parse::{self, HeaderLine};
use crate::core::request::{RequestTemplate, Spelling, Template};
use ureq::http::Method;

/// How one kind of limiter takes a check and how it answers. The fields are the defaults of the options of these names.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    /// The system and the interface that is used, in one line.
    pub about: &'static str,
    pub method: &'static str,
    /// The value of `--path`, with placeholders.
    pub path: &'static str,
    /// Values of `--header`: `Name: value`, with placeholders.
    pub headers: &'static [&'static str],
    /// The value of `--body`, with placeholders. Empty if a request has none.
    pub body: &'static str,
    /// The value of `--allowed`.
    pub allowed: &'static str,
    /// The value of `--blocked`.
    pub blocked: &'static str,
    /// Further facts for its user, each in a sentence or two.
    pub notes: &'static [&'static str],
    /// Lines of the limiter's configuration for 100 requests of each key a minute. Empty if a request gives the limit.
    pub config: &'static str,
}

/// The first is the default.
pub const ALL: [&Preset; 8] = [
    &check::PRESET,
    &envoy::PRESET,
    &limitador::PRESET,
    &gubernator::PRESET,
    &throttlecrab::PRESET,
    &nginx::PRESET,
    &kong::PRESET,
    &http::PRESET,
];

impl Preset {
    pub fn method(&self) -> Method {
        parse::method(self.method).expect(TESTED)
    }

    pub fn path(&self) -> Template {
        parse::path(self.path).expect(TESTED)
    }

    pub fn headers(&self) -> impl Iterator<Item = HeaderLine> {
        let lines = self.headers.iter();
        lines.map(|line| parse::header_line(line).expect(TESTED))
    }

    pub fn body(&self) -> Template {
        parse::body(self.body).expect(TESTED)
    }

    pub fn allowed(&self) -> Rules {
        self.allowed.parse().expect(TESTED)
    }

    pub fn blocked(&self) -> Rules {
        self.blocked.parse().expect(TESTED)
    }

    /// Its request, with nothing replaced by options.
    pub fn request(&self) -> RequestTemplate {
        let headers: Vec<_> = self.headers().collect();
        RequestTemplate {
            method: self.method(),
            paths: self.path().into(),
            spelling: Spelling::new(headers.iter().map(|line| &*line.spelled)),
            headers: headers.into_iter().filter_map(HeaderLine::field).collect(),
            body: Some(self.body()).filter(|body| !body.is_empty()),
            shows_secrets: false,
        }
    }
}

const TESTED: &str = "tests read every preset";

/// The preset of this name, in upper or lower case.
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.into_iter()
        .find(|preset| preset.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{KeyId, Nanos, Target};
    use crate::core::keys::Keys;
    use crate::core::request::{Constants, Placeholder, RequestBuffers};
    use std::collections::BTreeSet;

    #[test]
    fn a_preset_is_found_by_its_name() {
        let names: BTreeSet<_> = ALL.iter().map(|preset| preset.name).collect();
        assert_eq!(names.len(), ALL.len());
        for preset in ALL {
            assert_eq!(find(preset.name), Some(preset));
        }
        assert_eq!(find("Envoy"), find("envoy"));
        assert_eq!(find("envoy "), None);
        assert_eq!(ALL[0].name, "check");
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for preset in ALL {
            assert_eq!(preset.allowed().to_string(), preset.allowed);
            assert_eq!(preset.blocked().to_string(), preset.blocked);
        }
    }

    #[test]
    fn requests_carry_the_key_once_and_their_bodies_are_json() {
        for preset in ALL {
            let request = preset.request();
            let texts = [&[preset.path, preset.body], preset.headers].concat();
            let with_key = texts.iter().filter(|text| text.contains("{key}"));
            // A service without a protocol for keys counts the caller's address.
            let has_key = *preset != http::PRESET;
            assert_eq!(with_key.count(), usize::from(has_key), "{}", preset.name);
            assert_eq!(request.has(Placeholder::Key), has_key, "{}", preset.name);

            let is_post = preset.method == "POST";
            assert_eq!(request.body.is_some(), is_post, "{}", preset.name);
            let keys = Keys::generated(1, 1, "\"");
            let constants = Constants {
                keys: &keys,
                limit: 100,
                window: Nanos(60_000_000_000),
            };
            let checked = request.check_json(&constants);
            checked.unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let compiled = request.compile(&[Target::new("http://h").unwrap()], &constants, 1);
            let mut buffers = RequestBuffers::default();
            let (_, Some(body)) = compiled.make(0, 0, KeyId(0), &mut buffers).unwrap() else {
                continue;
            };
            let read: serde_json::Value = serde_json::from_slice(body).expect(preset.name);
            let key = serde_json::Value::from(keys.name(KeyId(0))).to_string();
            assert!(read.to_string().contains(&key), "{read}");
        }
    }

    #[test]
    fn notes_are_sentences_and_configurations_end_their_lines() {
        for preset in ALL {
            for note in preset.notes {
                assert!(note.starts_with(char::is_uppercase), "{note}");
                assert!(note.ends_with(['.', '"']), "{note}");
                assert!(!note.contains('\n'), "{note}");
            }
            let config = preset.config;
            assert!(config.is_empty() || config.ends_with('\n'), "{config}");
            // The limit is given either by the request or by the limiter's configuration, of which nothing is known for
            // any service.
            let gives_limit = preset.body.contains("{limit}") || *preset == http::PRESET;
            assert_eq!(gives_limit, config.is_empty(), "{}", preset.name);
        }
    }
}
