use super::condition::{Condition, Needs};
use super::response::{Response, Unreadable};
use super::words::{Value, peek_word, quote, take_text};
use crate::base::text::{Cursor, SyntaxError};
use regex::bytes::Regex;
use std::fmt;
use std::sync::Arc;

/// `body contains TEXT`, or `body matches /PATTERN/`.
#[derive(Debug, Clone)]
pub(super) enum BodyCondition {
    Contains(String),
    Matches(Regex),
}

/// Reads on after the word `body`.
pub(super) fn read(cursor: &mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError> {
    let verb = cursor.take(peek_word(cursor));
    Ok(Arc::new(match verb.text {
        "contains" => BodyCondition::Contains(match take_text(cursor)? {
            Value::Quoted(text) => text,
            Value::Bare(bare) => bare.text.to_owned(),
        }),
        "matches" => BodyCondition::Matches(read_pattern(cursor)?),
        _ => return Err(verb.error("must be contains or matches after body")),
    }))
}

/// Reads a pattern between slashes. In it, `\/` is a slash.
fn read_pattern(cursor: &mut Cursor) -> Result<Regex, SyntaxError> {
    let start = cursor.rest();
    if !cursor.takes("/") {
        return Err(start.error("a pattern must be between slashes, such as /over.*limit/"));
    }
    let mut escaped = false;
    let end = start.text[1..].find(|c: char| {
        let ends = c == '/' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(length) = end else {
        return Err(start.error("a pattern must end with a slash"));
    };
    let typed = &start.text[1..=length];
    // As an escape, a character that the syntax ignores would be one to match, so a rule could not be displayed in one line.
    if typed.contains(char::is_control) {
        return Err(start.error(r"a pattern must have control characters as escapes, such as \n"));
    }
    cursor.skip(typed.len() + 1);
    Regex::new(&unescaped(typed)).map_err(|error| {
        // The library's message has several lines, of which the last says what is wrong.
        let message = error.to_string();
        let why = message.lines().last().unwrap_or_default();
        let why = why.trim().trim_start_matches("error: ");
        start.error(format!("not a regular expression: {why}"))
    })
}

/// The pattern with each `\/` as a slash.
fn unescaped(typed: &str) -> String {
    let mut pattern = String::new();
    let mut chars = typed.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('/') => pattern.push('/'),
                other => pattern.extend(['\\'].into_iter().chain(other)),
            },
            c => pattern.push(c),
        }
    }
    pattern
}

impl Condition for BodyCondition {
    fn needs(&self) -> Needs {
        Needs::Body
    }

    fn holds(&self, response: &Response) -> Result<bool, Unreadable> {
        let body = response.body()?;
        Ok(match self {
            BodyCondition::Contains(text) => memchr::memmem::find(body, text.as_bytes()).is_some(),
            BodyCondition::Matches(pattern) => pattern.is_match(body),
        })
    }
}

impl fmt::Display for BodyCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyCondition::Contains(text) => write!(f, "body contains {}", quote(text)),
            BodyCondition::Matches(pattern) => {
                write!(f, "body matches /{}/", pattern.as_str().replace('/', "\\/"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderMap;

    fn condition(typed: &str) -> Result<Arc<dyn Condition>, SyntaxError> {
        let mut cursor = Cursor::new(typed);
        cursor.takes("body");
        read(&mut cursor)
    }

    fn holds(typed: &str, body: &[u8]) -> bool {
        let headers = HeaderMap::new();
        let response = Response::with_body(&headers, Some(body));
        condition(typed).expect(typed).holds(&response).unwrap()
    }

    #[test]
    fn a_text_may_be_anywhere_in_the_body() {
        for (typed, body, expected) in [
            ("body contains over", &b"it is over now"[..], true),
            (
                "body contains over the limit",
                b"it is over  the limit",
                false,
            ),
            (r#"body contains "a,\n\"b\"""#, b"x a,\n\"b\" y", true),
            (r#"body contains """#, b"", true),
            ("body contains over", b"OVER", false),
            ("body contains \u{e9}", b"\xff\xc3\xa9", true),
        ] {
            assert_eq!(holds(typed, body), expected, "{typed}");
        }
    }

    #[test]
    fn a_pattern_is_between_slashes() {
        for (typed, body, expected) in [
            ("body matches /over.*limit/", &b"over the limit"[..], true),
            ("body matches /^over$/", b"over\n", false),
            ("body matches /(?i)a, b and c/", b"A, B and C", true),
            (r"body matches /a\/b/", b"a/b", true),
            (r"body matches /\\/", b"\\", true),
            (r"body matches /\d+\s/", b"\xff 12 ", true),
        ] {
            assert_eq!(holds(typed, body), expected, "{typed}");
        }
    }

    #[test]
    fn a_condition_is_displayed_as_it_is_read() {
        for typed in [
            r#"body contains "over the limit""#,
            r"body matches /a\/b, \\\/ and c/",
        ] {
            assert_eq!(condition(typed).unwrap().to_string(), typed);
        }
        let bare = condition("body contains over").unwrap();
        assert_eq!(bare.to_string(), r#"body contains "over""#);
    }

    #[test]
    fn a_wrong_condition_is_refused_with_its_place() {
        for (typed, column, words) in [
            ("body", 5, "contains or matches"),
            ("body = x", 6, "contains or matches"),
            ("body contains", 14, "missing"),
            ("body matches x", 14, "between slashes"),
            ("body matches /x", 14, "end with a slash"),
            (r"body matches /x\/", 14, "end with a slash"),
            ("body matches /(/", 14, "unclosed group"),
            ("body matches /a{\u{85}2}/", 14, "as escapes"),
            ("body matches /(?x)a #\n b/", 14, "as escapes"),
        ] {
            let error = condition(typed).unwrap_err();
            assert_eq!(error.column, column, "{typed}: {error}");
            assert!(error.message.contains(words), "{typed}: {error}");
        }
    }
}
