//! Secrets in what a server sent, before anybody reads it in a report.

use regex::{Captures, Regex};
use std::sync::LazyLock;

/// The replacement for a secret.
const MASK: &str = "***";

/// A name that contains one of these, in any case, has a secret value.
const SECRETIVE: [&str; 14] = [
    "auth",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// A name that begins with one of these has a limiter's state as its value, even if it contains `token`.
const STATES: [&str; 4] = ["ratelimit", "x-ratelimit", "x-rate-limit", "retry-after"];

/// A line such as `Set-Cookie: a=b`, with the folded lines behind it.
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^([\w.-]+[ \t]*:[ \t]*)([^\r\n]+(?:\r?\n[ \t][^\r\n]*)*)"));

/// A name in JSON with a text or a list as its value. The value's end may be missing.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"("(?:[^"\\]|\\.)*"\s*:\s*)("(?:[^"\\]|\\.)*(?:"|\\?$)|\[[^\]]*(?:\]|$))"#)
});

/// The same in JSON that is itself a text of JSON.
static MEMBER_IN_TEXT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(\\"[^"\\]*\\"\s*:\s*)(\\"[^"\\]*(?:\\"|\\?$))"#));

/// A name with a value in a form or in a URL, or in single quotes.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"('[\w.-]+'\s*:\s*|[\w.\[\]%-]+=)("[^"]*"?|'[^']*'?|[^&\s;,"'<>]+)"#)
});

/// The password of a URL.
static USER: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(://[^/\s:@"]*:)([^/\s@"]+@)"#));

/// The words of a header such as `Authorization`, wherever they stand.
static BEARER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)(\bbearer[ \t]+)([\w.~+/=-]+)"));

/// A JSON Web Token: its first part is a JSON object in Base64.
static JWT: LazyLock<Regex> = LazyLock::new(|| pattern(r"()(\beyJ[\w-]{8,}(?:\.[\w-]*)*)"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

/// The text with `***` for every value that may be a secret: of headers, JSON members and form fields whose names say so,
/// tokens behind the word `Bearer`, and JSON Web Tokens.
pub fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for (pattern, is_named) in [
        (&HEADER, true),
        (&MEMBER, true),
        (&MEMBER_IN_TEXT, true),
        (&FIELD, true),
        (&USER, false),
        (&BEARER, false),
        (&JWT, false),
    ] {
        masked = masked_by(pattern, is_named, &masked);
    }
    masked
}

fn masked_by(pattern: &Regex, is_named: bool, text: &str) -> String {
    let masked = pattern.replace_all(text, |found: &Captures| {
        let (name, value) = (&found[1], &found[2]);
        if is_named && !is_secretive(name) {
            // A harmless value may have secrets in it. It is shorter than the text, so this ends.
            return format!("{name}{}", masked_by(pattern, is_named, value));
        }
        let quotes = ["\\\"", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| value.starts_with(quote));
        let quote = quote.unwrap_or_default();
        let end = if value.ends_with('@') { "@" } else { quote };
        format!("{name}{quote}{MASK}{end}")
    });
    masked.into_owned()
}

fn is_secretive(name: &str) -> bool {
    let name = name.trim_start_matches(['"', '\\', '\'']).to_lowercase();
    let is_state = STATES.iter().any(|state| name.starts_with(state));
    !is_state && SECRETIVE.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn all_become(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(masked(text), *expected, "{text}");
            assert_eq!(masked(expected), *expected, "masked again");
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
    fn a_limiter_s_headers_and_harmless_ones_keep_their_values() {
        for text in [
            "RateLimit: \"default\";r=50;t=30",
            "X-RateLimit-Remaining-Tokens: 7",
            "X-Rate-Limit-Key-Type: ip",
            "Retry-After: 7",
            "Content-Type: application/json",
            "HTTP/1.1 503\nserver: x\n\nno key was found: try again",
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
            (r#"{"key":17}"#, r#"{"key":17}"#),
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
            ("bearers of eyJ", "bearers of eyJ"),
        ]);
    }
}
