//! The secrets in what a server sent.

use super::sent::Sent;
use super::shapes::{BASIC, BEARER, JWT, USER, WORD, is_base64, is_random, is_token, pattern};
use super::{mask, names, parts};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// A line such as `Set-Cookie: a=b`, with the folded lines behind it.
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^([\w.-]+[ \t]*:[ \t]*)([^\r\n]+(?:\r?\n[ \t][^\r\n]*)*)"));

/// A name in JSON with a text, a number or a list as its value. The value's end may be missing.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"("(?:[^"\\]|\\.)*"\s*:\s*)("(?:[^"\\]|\\.)*(?:"|\\?$)|-?[0-9][\w.+-]*|\[[^\]]*(?:\]|$))"#,
    )
});

/// The same in JSON that is itself a text of JSON.
static MEMBER_IN_TEXT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(\\"[^"\\]*\\"\s*:\s*)(\\"[^"\\]*(?:\\"|\\?$)|-?[0-9][\w.+-]*)"#));

/// A name with a value in a form or in a URL, or in single quotes.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"('[\w.-]+'\s*:\s*|[\w.\[\]%-]+=)("[^"]*"?|'[^']*'?|(?:\*\*\*\([0-9]+ bytes?\)|[^&\s;,"'<>])+)"#,
    )
});

/// An element of XML with text in it.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(<[\w:.-]+>)([^<]+)"));

/// The query and the fragment of a URL.
static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r#"([?#])([^\s<>"]+)"#));

/// A whole mask.
static MASKED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\*\*\*\([0-9]+ bytes?\)$"));

/// What hides the secrets in the answers of one run.
#[derive(Debug, Default)]
pub struct Masks {
    shows_all: bool,
    sent: Sent,
}

impl Masks {
    /// Shows every secret.
    pub fn none() -> Masks {
        Masks {
            shows_all: true,
            sent: Sent::default(),
        }
    }

    /// Hides what looks like a secret, and `sent`, which the run sends as secrets.
    pub fn new<'a>(sent: impl IntoIterator<Item = &'a str>) -> Masks {
        Masks {
            shows_all: false,
            sent: Sent::new(sent),
        }
    }

    /// The value of a header of an answer. Values of headers with a harmless name stay, and so do the URLs of redirects
    /// but for their queries.
    pub fn header(&self, name: &str, value: &str) -> String {
        if self.shows_all {
            return value.to_owned();
        }
        if names::holds_url(name) {
            let value = self.sent.masked(value);
            return by_shape(&masked_by(&QUERY, |_, _| true, &value));
        }
        if names::is_harmless_in_answers(name) {
            return by_scheme(&self.sent.masked(value));
        }
        let scheme = parts::scheme(value).map_or(0, |scheme| scheme.len() + 1);
        let (scheme, secret) = value.split_at(scheme);
        format!("{scheme}{}", masked_value(secret))
    }

    /// A text in which prose and harmless values stay: a body, or what came instead of an answer.
    ///
    /// Hidden are values of header lines, members of JSON, fields of forms and elements of XML whose names say that they
    /// are secrets, and what has the shape of one.
    pub fn text(&self, text: &str) -> String {
        if self.shows_all {
            return text.to_owned();
        }
        let is_named = |name: &str, value: &str| {
            // Errors may be about secrets, and their words are not.
            let word = name.trim_end_matches([':', ' ', '\t']).to_ascii_lowercase();
            if name.ends_with([':', ' ', '\t'])
                && !name.starts_with(['"', '\'', '\\'])
                && is_error(&word)
            {
                return false;
            }
            let is_count = value.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            names::is_secretive(name) && !(is_count && names::counts(name))
        };
        let mut masked = self.sent.masked(text);
        for pattern in [&HEADER, &MEMBER, &MEMBER_IN_TEXT, &FIELD, &ELEMENT] {
            masked = masked_by(pattern, is_named, &masked);
        }
        by_shape(&masked)
    }

    /// The start of what may be an answer: a status line, header lines, an empty line and a body, each as far as they
    /// are there. It is a [text](Self::text) if it does not begin as an answer.
    pub fn received(&self, text: &str) -> String {
        if !text.starts_with("HTTP/") {
            return self.text(text);
        }
        let (head, body) = match text.split_once("\n\n") {
            Some((head, body)) => (head, format!("\n\n{}", self.text(body))),
            None => (text, String::new()),
        };
        let mut masked = String::new();
        let mut name = "";
        for (number, line) in head.split('\n').enumerate() {
            let is_folded = line.starts_with([' ', '\t']) && number > 1;
            masked += if number > 0 { "\n" } else { "" };
            masked += &match line.split_once(':') {
                _ if number == 0 => self.text(line),
                _ if is_folded => format!(" {}", self.header(name, line.trim())),
                Some((of, value)) => {
                    name = of.trim();
                    let value = value.trim();
                    let space = if value.is_empty() { "" } else { " " };
                    format!("{of}:{space}{}", self.header(name, value))
                }
                None => self.text(line),
            };
        }
        masked + &body
    }
}

/// Whether what stands before a colon is the name of an error, such as `KeyError` or `Unauthorized`.
fn is_error(name: &str) -> bool {
    let endings = ["error", "exception", "failed", "failure", "unauthorized"];
    endings.iter().any(|ending| name.ends_with(ending))
}

fn by_shape(text: &str) -> String {
    masked_by(&WORD, |_, word| is_random(word), &by_scheme(text))
}

/// Without logins, tokens behind the word for their scheme, and JSON Web Tokens.
fn by_scheme(text: &str) -> String {
    let text = masked_by(&USER, |_, _| true, text);
    let text = masked_by(&BEARER, |_, word| is_token(word), &text);
    let text = masked_by(&BASIC, |_, word| is_base64(word), &text);
    masked_by(&JWT, |_, _| true, &text)
}

fn masked_by(pattern: &Regex, is_secret: impl Fn(&str, &str) -> bool + Copy, text: &str) -> String {
    masked_within(pattern, is_secret, text, DEEPEST)
}

/// The most values within values that are searched. Whatever is deeper is hidden.
const DEEPEST: usize = 8;

fn masked_within(
    pattern: &Regex,
    is_secret: impl Fn(&str, &str) -> bool + Copy,
    text: &str,
    levels: usize,
) -> String {
    let masked = pattern.replace_all(text, |found: &Captures| {
        let (name, value) = (&found[1], &found[2]);
        if !is_secret(name, value) && (levels > 0 || !pattern.is_match(value)) {
            // A harmless value may have secrets in it.
            let is_shorter = value.len() < text.len();
            let value = if is_shorter && levels > 0 {
                masked_within(pattern, is_secret, value, levels - 1)
            } else {
                value.to_owned()
            };
            return format!("{name}{value}");
        }
        let quotes = ["\\\"", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| value.starts_with(quote));
        let quote = quote.unwrap_or_default();
        let end = if value.ends_with('@') { "@" } else { quote };
        let inner = &value[quote.len()..];
        let inner = inner.strip_suffix(end).unwrap_or(inner);
        format!("{name}{quote}{}{end}", masked_value(inner))
    });
    masked.into_owned()
}

/// Whether a text is a [mask] and nothing else.
pub fn is_mask(text: &str) -> bool {
    MASKED.is_match(text)
}

/// A mask, unless the value is one.
fn masked_value(value: &str) -> String {
    if value.is_empty() || is_mask(value) {
        value.to_owned()
    } else {
        mask(value.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        Masks::default().text(text)
    }

    /// The expected texts have no lengths in their masks.
    #[track_caller]
    fn all_become(cases: &[(&str, &str)]) {
        let lengths = pattern(r"\*\*\*\([0-9]+ bytes?\)");
        for (text, expected) in cases {
            let actual = masked(text);
            assert_eq!(lengths.replace_all(&actual, "***"), *expected, "{text}");
            assert_eq!(masked(&actual), actual, "masked again");
            assert_eq!(Masks::none().text(text), *text);
        }
    }

    #[test]
    fn headers_whose_names_tell_of_secrets_lose_their_values() {
        all_become(&[
            ("Set-Cookie: a=b; Path=/", "Set-Cookie: ***"),
            ("www-authenticate:Basic realm=\"x\"", "www-authenticate:***"),
            ("Proxy-Authorization : x:y", "Proxy-Authorization : ***"),
            (
                "X-Api-Key: 1\nServer: nginx",
                "X-Api-Key: ***\nServer: nginx",
            ),
            (
                "X-Amz-Signature: a\r\n b\r\nA: b",
                "X-Amz-Signature: ***\r\nA: b",
            ),
            ("x-session-id: 7", "x-session-id: ***"),
            ("X-Credentials: u", "X-Credentials: ***"),
            ("X-Token:\nB: c", "X-Token:\nB: c"),
            ("Location: /a?n=1&token=abc#x", "Location: /a?n=1&token=***"),
            (
                "Location: /a?next=/b?token=abc",
                "Location: /a?next=/b?token=***",
            ),
            ("Location: http://u:p@host/", "Location: http://u:***@host/"),
            (
                "<a href=\"/login?token=abc\">",
                "<a href=\"/login?token=***\">",
            ),
        ]);
    }

    #[test]
    fn the_text_of_an_error_stays() {
        for text in [
            "Unauthorized: the tenant acme has no such limit",
            "KeyError: 'limit' is missing",
            "o.s.s.a.BadCredentialsException: no such user",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn values_within_values_take_little_of_the_stack() {
        let texts = ["a=", "a:", "\"a\":[", "a: "].map(|text| text.repeat(256));
        let search = move || {
            for text in &texts {
                let shown = masked(text);
                assert!(shown.len() <= text.len(), "{shown}");
            }
        };
        let thread = std::thread::Builder::new().stack_size(192 * 1024);
        thread.spawn(search).unwrap().join().unwrap();
    }

    #[test]
    fn a_limiter_s_headers_and_harmless_ones_keep_their_values() {
        for text in [
            "RateLimit: \"default\";r=50;t=30",
            "X-RateLimit-Remaining-Tokens: 7",
            "X-Rate-Limit-Key-Type: ip",
            "Retry-After: 7",
            "Content-Type: application/json",
            "HTTP/1.1 503\nserver: x\n\nno key was found: try again",
            "<html><title>503 Service Unavailable</title><p>token expired</p></html>",
            r#"{"tokens":5,"remaining_tokens":-1,"retry_after":17}"#,
            "java.lang.NullPointerException: no session\n\tat org.apache.Filter2.apply(Filter2.java:17)",
            "upstream connect error or disconnect/reset before headers. reset reason: overflow",
            "The Basic plan allows 100 requests; a Bearer token is missing",
            r#"{"error":"no such thing","limit":"100"}"#,
            "<a href=\"/b?c=d\">",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn members_of_json_lose_their_texts_even_if_these_are_cut_off() {
        all_become(&[
            (r#"{"token":"abc","n":1}"#, r#"{"token":"***","n":1}"#),
            (
                r#"{"Access_Token" : "a\"b", "x":"y"}"#,
                r#"{"Access_Token" : "***", "x":"y"}"#,
            ),
            (r#"{"a":{"password":"x"#, r#"{"a":{"password":"***""#),
            (r#"{"secret":"x\"#, r#"{"secret":"***""#),
            (r#"{"keys":["a","b"],"n":[1]}"#, r#"{"keys":***,"n":[1]}"#),
            (r#"{"key":17}"#, r#"{"key":***}"#),
            (r#"{"pin": -12.5e3, "n":1}"#, r#"{"pin": ***, "n":1}"#),
            (r#"{"a":"{\"pin\":1234}"}"#, r#"{"a":"{\"pin\":***}"}"#),
            (
                r#"{"data":[{"access_token":"abc","n":1}]}"#,
                r#"{"data":[{"access_token":"***","n":1}]}"#,
            ),
            (
                r#"{"message":"{\"token\":\"abc\"}"}"#,
                r#"{"message":"{\"token\":\"***\"}"}"#,
            ),
            ("{'token': 'abc'}", "{'token': '***'}"),
            (r#"{"message":"token: abc"}"#, r#"{"message":"token: abc"}"#),
        ]);
    }

    #[test]
    fn fields_of_forms_lose_their_values() {
        all_become(&[
            ("a=b&client_secret=c%20d&e=f", "a=b&client_secret=***&e=f"),
            ("session[id]=7; x=y", "session[id]=***; x=y"),
            ("error auth_key=\"a b\", c", "error auth_key=\"***\", c"),
            ("pin=1234&n=1", "pin=***&n=1"),
            (
                "<a><userPwd>x y</userPwd></a>",
                "<a><userPwd>***</userPwd></a>",
            ),
        ]);
    }

    #[test]
    fn tokens_are_recognised_wherever_they_stand() {
        all_become(&[
            ("bad header 'Bearer abc.d-e='", "bad header 'Bearer ***'"),
            (
                "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln, expired",
                "got ***, expired",
            ),
            ("got eyJhbGciOiJIUzI1", "got ***"),
            (r#"{"a":"Basic dXNlcjpwYXNz"}"#, r#"{"a":"Basic ***"}"#),
            ("bad sk_live_4eC39HqLyjWDarjtT1zdp7dc!", "bad ***!"),
            ("bearers of eyJ", "bearers of eyJ"),
        ]);
    }

    #[test]
    fn headers_of_answers_are_hidden_unless_their_names_are_harmless() {
        let masks = Masks::new(["s3cret-value"]);
        for (name, value, expected) in [
            ("server", "nginx", "nginx"),
            ("x-ratelimit-remaining", "7", "7"),
            ("x-auth", "abc", "***(3 bytes)"),
            ("set-cookie", "a=b; Path=/", "***(11 bytes)"),
            (
                "www-authenticate",
                "Basic realm=\"x\"",
                "Basic ***(9 bytes)",
            ),
            (
                "location",
                "https://u:p@h/a?b=c#d",
                "https://u:***(1 byte)@h/a?***(5 bytes)",
            ),
            (
                "link",
                "</a?page=2>; rel=next",
                "</a?***(6 bytes)>; rel=next",
            ),
            ("via", "1.1 s3cret-value", "1.1 ***(12 bytes)"),
            ("x-echo", "s3cret-value", "***(12 bytes)"),
            ("x-echo", "s3cret-value and more", "***(21 bytes)"),
            (
                "etag",
                "\"9f86d081884c7d659a2feaa0c55ad015\"",
                "\"9f86d081884c7d659a2feaa0c55ad015\"",
            ),
        ] {
            assert_eq!(masks.header(name, value), expected, "{name}: {value}");
            assert_eq!(Masks::none().header(name, value), value);
        }
    }

    #[test]
    fn a_head_that_was_not_read_is_hidden_like_one_that_was() {
        let text = "HTTP/1.1 200 OK\nServer: x\nX-Mine: abc\n folded\nno header\n\nX-Mine: abc";
        let expected = "HTTP/1.1 200 OK\nServer: x\nX-Mine: ***(3 bytes)\n ***(6 bytes)\nno header\n\nX-Mine: abc";
        assert_eq!(Masks::default().received(text), expected);
        assert_eq!(Masks::default().received("220 mail: x"), "220 mail: x");
    }
}
