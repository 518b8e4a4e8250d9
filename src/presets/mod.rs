//! What is known of rate limiters that can be tested: how each is asked, and how it answers.
//!
//! A new one is a sibling file and one place in [`ALL`].

mod check;
mod envoy;
mod gubernator;
mod kong;
mod limitador;
mod nginx;
mod text;
mod throttlecrab;

pub use text::{details, table};

/// How one kind of limiter is asked, and how it answers: the defaults of the options of these names.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    pub name: &'static str,
    /// The system, and what of it is asked, in one line.
    pub about: &'static str,
    pub method: &'static str,
    /// As in `--path`: with placeholders.
    pub path: &'static str,
    /// Each as in `--header`: `Name: value`, with placeholders.
    pub headers: &'static [&'static str],
    /// As in `--body`: with placeholders. Empty where a request has none.
    pub body: &'static str,
    /// As in `--allowed`.
    pub allowed: &'static str,
    /// As in `--blocked`.
    pub blocked: &'static str,
    /// What its user has to know or set up beside that, each a sentence or two.
    pub notes: &'static [&'static str],
    /// Of the limiter, for 100 requests of each key a minute, if its requests do not say that themselves: lines of
    /// its configuration, the last ended too.
    pub config: &'static str,
}

/// The first is the default.
pub const ALL: [&Preset; 7] = [
    &check::CHECK,
    &envoy::ENVOY,
    &limitador::LIMITADOR,
    &gubernator::GUBERNATOR,
    &throttlecrab::THROTTLECRAB,
    &nginx::NGINX,
    &kong::KONG,
];

pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.into_iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Rules;
    use std::collections::BTreeSet;

    /// What may stand in braces, and an example of it.
    const PLACEHOLDERS: [(&str, &str); 8] = [
        ("{key}", "loadgen-3f9c01ab"),
        ("{limit}", "100"),
        ("{window_ms}", "60000"),
        ("{window_s}", "60"),
        ("{seq}", "17"),
        ("{uuid}", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
        ("{target}", "0"),
        ("{now_ms}", "1700000000000"),
    ];

    fn filled(template: &str) -> String {
        let fill = |text: String, (placeholder, example): &(&str, &str)| {
            text.replace(placeholder, example)
        };
        PLACEHOLDERS.iter().fold(template.to_owned(), fill)
    }

    #[test]
    fn each_is_found_by_its_own_name() {
        let names: BTreeSet<_> = ALL.iter().map(|preset| preset.name).collect();
        assert_eq!(names.len(), ALL.len());
        for preset in ALL {
            assert_eq!(find(preset.name), Some(preset));
        }
        assert_eq!(find("Envoy"), None);
        assert_eq!(ALL[0].name, "check");
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for preset in ALL {
            for rules in [preset.allowed, preset.blocked] {
                let read: Rules = rules
                    .parse()
                    .unwrap_or_else(|e| panic!("{}: {e}", preset.name));
                assert_eq!(read.to_string(), rules, "{}", preset.name);
            }
        }
    }

    #[test]
    fn bodies_of_json_are_json_once_filled_and_carry_the_key() {
        for preset in ALL {
            let json = preset.headers.contains(&"Content-Type: application/json");
            let body = filled(preset.body);
            let read: Result<serde_json::Value, _> = serde_json::from_str(&body);
            assert_eq!(read.is_ok(), json, "{}: {body}", preset.name);
            assert_eq!(json, preset.method == "POST", "{}", preset.name);
            let carriers = [&[preset.path, preset.body], preset.headers].concat();
            let with_key = carriers.iter().filter(|text| text.contains("{key}"));
            assert_eq!(with_key.count(), 1, "{}", preset.name);
        }
    }

    #[test]
    fn nothing_but_placeholders_is_left_to_be_filled() {
        for preset in ALL {
            for text in [&[preset.path, preset.body], preset.headers].concat() {
                let filled = filled(text);
                let looks_like_one = filled.match_indices('{').any(|(open, _)| {
                    let name = filled[open + 1..]
                        .trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
                    name.starts_with('}') && !filled[open..].starts_with("{}")
                });
                assert!(!looks_like_one, "{}: {filled}", preset.name);
            }
        }
    }

    #[test]
    fn headers_have_a_name_and_a_value() {
        for preset in ALL {
            for header in preset.headers {
                let (name, value) = header.split_once(": ").expect(header);
                assert!(
                    ureq::http::HeaderName::from_bytes(name.as_bytes()).is_ok(),
                    "{header}"
                );
                assert!(
                    ureq::http::HeaderValue::from_str(&filled(value)).is_ok(),
                    "{header}"
                );
            }
            assert!(!preset.headers.is_empty(), "{}", preset.name);
        }
    }

    #[test]
    fn notes_are_sentences_and_configurations_end_their_lines() {
        for preset in ALL {
            for note in preset.notes {
                let begins = note.starts_with(|c: char| c.is_uppercase());
                assert!(
                    begins && note.ends_with(['.', '"']) && !note.contains('\n'),
                    "{note}"
                );
            }
            let config = preset.config;
            assert!(config.is_empty() || config.ends_with('\n'), "{config}");
            // Either the request says limit and window, or the limiter's configuration does.
            assert_eq!(
                preset.body.contains("{limit}"),
                config.is_empty(),
                "{}",
                preset.name
            );
        }
    }
}
