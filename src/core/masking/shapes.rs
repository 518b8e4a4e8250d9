//! Secrets that are recognised by their shape, under whatever name they stand.
//!
//! Every character beyond ASCII (`\x{80}-\x{10FFFF}`) counts as a letter. With Unicode's own classes, each run would spend ten
//! milliseconds on compiling the patterns.

use regex::Regex;
use std::sync::LazyLock;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The password of a URL.
pub(super) static USER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(://[^/\s:@"]*:)([^/\s@"]+@)"#));

/// The words of a header such as `Authorization`, wherever they stand.
pub(super) static BEARER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"((?i-u:\bbearer)[ \t]+)([[:word:]\x{80}-\x{10FFFF}.~+/=-]+)"));

/// `Basic` with a user and a password in Base64 behind it, wherever they stand.
pub(super) static BASIC: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"((?i-u:\bbasic)[ \t]+)([[:word:]\x{80}-\x{10FFFF}+/-]{4,}=*)"));

/// A JSON Web Token: its first part is a JSON object in Base64.
pub(super) static JWT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"()((?-u:\b)eyJ[[:word:]\x{80}-\x{10FFFF}-]{8,}(?:\.[[:word:]\x{80}-\x{10FFFF}-]*)*)")
});

/// A word that may be random.
pub(super) static WORD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"()([[:word:]\x{80}-\x{10FFFF}+-]{20,}=*)"));

/// The words that follow `Bearer` or `Basic` in prose about them.
const PROSE: [&str; 14] = [
    "auth",
    "authentication",
    "authorization",
    "challenge",
    "credentials",
    "error",
    "is",
    "method",
    "plan",
    "realm",
    "scheme",
    "tier",
    "token",
    "tokens",
];

pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

/// Whether a word behind `Bearer` is a token rather than prose.
pub(super) fn is_token(word: &str) -> bool {
    !PROSE.contains(&&*word.to_lowercase())
}

/// Whether a word behind `Basic` is Base64 rather than prose, which has capitals only at its start.
pub(super) fn is_base64(word: &str) -> bool {
    let mixes = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '=';
    is_token(word) && word.len() >= 4 && word.chars().skip(1).any(mixes)
}

/// Whether a word of at least 20 characters looks random: it has digits, and often changes between letters and digits or
/// from small letters to capitals. Names, dates and versions change more rarely. A UUID is not random in this sense: in
/// answers, it is most often the number of a request.
pub(super) fn is_random(word: &str) -> bool {
    let class = |c: char| match c {
        'a'..='z' => 1,
        'A'..='Z' => 2,
        '0'..='9' => 3,
        _ => 0,
    };
    let classes: Vec<_> = word.chars().map(class).collect();
    let changes = classes.windows(2).filter(|pair| {
        let &[one, other] = *pair else { return false };
        one != other && one != 0 && other != 0 && (one, other) != (2, 1)
    });
    let has_digit = classes.contains(&3);
    let is_uuid = word.len() == Hyphenated::LENGTH && Uuid::try_parse(word).is_ok();
    has_digit && classes.len() >= 20 && changes.count() * 5 >= classes.len() && !is_uuid
}

/// Whether any part of a text has the shape of a secret.
pub(super) fn has_secret(text: &str) -> bool {
    let any = |pattern: &Regex, is_secret: fn(&str) -> bool| {
        let mut found = pattern.captures_iter(text);
        found.any(|found| is_secret(&found[2]))
    };
    any(&USER, |_| true)
        || any(&BEARER, is_token)
        || any(&BASIC, is_base64)
        || any(&JWT, |_| true)
        || any(&WORD, is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_end_at_a_letter_beyond_ascii() {
        let second =
            |pattern: &Regex, text| pattern.captures(text).expect("a secret")[2].to_owned();
        assert_eq!(second(&BEARER, "Bearer pässwört9"), "pässwört9");
        assert_eq!(second(&BASIC, "Basic dXNlcjpwä9"), "dXNlcjpwä9");
        assert_eq!(second(&JWT, "eyJhbGciOiä.eyJ1"), "eyJhbGciOiä.eyJ1");
        assert_eq!(
            second(&WORD, "9f86d0818é84c7d659a2f"),
            "9f86d0818é84c7d659a2f"
        );
    }

    #[test]
    fn secrets_are_recognised_and_prose_is_not() {
        for secret in [
            "http://u:p@h/",
            "Bearer abc.d-e=",
            "basic dXNlcjpwYXNz",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "9f86d081884c7d659a2feaa0c55ad015",
        ] {
            assert!(has_secret(secret), "{secret}");
        }
        for prose in [
            "a Bearer token is missing",
            "Basic Authentication required",
            "the basic plan",
            "http://host:80/a@b",
            "java.lang.NullPointerExceptionInFilter2",
            "UpstreamConnectFailureResponseFlags1",
            "x86_64-unknown-linux-gnu-2024",
            "2026-01-31T12:00:00.123456Z",
            "123e4567-e89b-12d3-a456-426614174000",
            "99999999999999999999999999999",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        ] {
            assert!(!has_secret(prose), "{prose}");
        }
    }
}
