//! The names that decide whether a value is shown.
//!
//! Values that the user gave are shown only under a name of the first two lists. Each name on them is defined by a
//! standard or by a common limiter to mean something that grants nobody anything: a format, a language, an address, an
//! identifier of one request, or a number that a limiter counts with. A name that is missing costs a reader one value; a
//! name too many costs the user a secret. So names that may mean either, such as `key`, `id`, `user` and `name`, are left
//! out.

/// Headers of requests, in lower case.
const OF_REQUESTS: [&str; 31] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-type",
    "date",
    "dnt",
    "forwarded",
    "host",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "prefer",
    "range",
    "referer",
    "traceparent",
    "user-agent",
    "via",
    "x-correlation-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
];

/// Query parameters, members of JSON and fields of forms, in lower case and without `_` and `-`.
const OF_PARAMETERS: [&str; 39] = [
    "amount",
    "burst",
    "capacity",
    "cost",
    "count",
    "countperperiod",
    "delta",
    "duration",
    "encoding",
    "format",
    "hits",
    "hitsaddend",
    "interval",
    "lang",
    "language",
    "limit",
    "locale",
    "maxburst",
    "maxpermits",
    "n",
    "nowms",
    "offset",
    "order",
    "page",
    "pagesize",
    "period",
    "permits",
    "perpage",
    "quantity",
    "rate",
    "seq",
    "size",
    "sort",
    "unit",
    "version",
    "weight",
    "window",
    "windowms",
    "windows",
];

/// Headers of answers whose values explain the answer, in lower case, or their beginnings, which end with `-` or are a
/// limiter's.
const OF_ANSWERS: [&str; 34] = [
    "accept-ranges",
    "access-control-",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "cf-ray",
    "connection",
    "content-",
    "date",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "proxy-status",
    "ratelimit",
    "retry-after",
    "server",
    "server-timing",
    "strict-transport-security",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "x-amzn-requestid",
    "x-cache",
    "x-correlation-id",
    "x-powered-by",
    "x-rate-limit",
    "x-ratelimit",
    "x-request-id",
    "x-retry-after",
];

/// Headers of answers that hold a URL. All but its query and its fragment explain the answer.
const WITH_URL: [&str; 4] = ["content-location", "link", "location", "refresh"];

/// A name that contains one of these, in any case, has a secret value wherever it stands.
const SECRETIVE: [&str; 16] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// A name that has one of these as a whole word has a secret value. As parts of words they are harmless (`ping`, `bypass`, `inside`, `signal`).
const SECRETIVE_WORDS: [&str; 6] = ["otp", "pass", "pin", "sid", "sig", "ssn"];

/// A name that begins with one of these has a limiter's state as its value, even if it contains `token`.
const STATES: [&str; 4] = ["ratelimit", "x-ratelimit", "x-rate-limit", "retry-after"];

/// Whether a header of a request may be shown.
pub(super) fn is_harmless_header(name: &str) -> bool {
    OF_REQUESTS.contains(&&*name.to_ascii_lowercase())
}

/// Whether a query parameter, a member of JSON or a field of a form may be shown.
pub(super) fn is_harmless_parameter(name: &str) -> bool {
    let plain = |c: &char| !matches!(c, '_' | '-');
    let name: String = name.to_ascii_lowercase().chars().filter(plain).collect();
    OF_PARAMETERS.contains(&&*name)
}

/// Whether a header of an answer may be shown.
pub(super) fn is_harmless_in_answers(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OF_ANSWERS.iter().any(|harmless| {
        let is_beginning = harmless.ends_with('-') || STATES.contains(harmless);
        name == *harmless || (is_beginning && name.starts_with(harmless))
    })
}

/// Whether a header of an answer holds a URL.
pub(super) fn holds_url(name: &str) -> bool {
    WITH_URL.contains(&&*name.to_ascii_lowercase())
}

/// Whether a name says that its value is a secret. Quotes and other marks around the name do not count.
pub(super) fn is_secretive(name: &str) -> bool {
    let name = name.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = name.to_lowercase();
    if STATES.iter().any(|state| lower.starts_with(state)) {
        return false;
    }
    SECRETIVE.iter().any(|part| lower.contains(part))
        || words(name).any(|word| SECRETIVE_WORDS.contains(&&*word))
}

/// Whether a name counts something that a limiter has many of, so that a number is no secret.
pub(super) fn counts(name: &str) -> bool {
    words(name).any(|word| matches!(&*word, "tokens" | "keys" | "sessions"))
}

/// The words of `user_pin`, `user-pin` and `userPin`, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_names_of_a_request_are_harmless() {
        for name in ["Content-Type", "ACCEPT", "user-agent"] {
            assert!(is_harmless_header(name), "{name}");
        }
        for name in ["X-Auth", "X-Pwd", "Cookie", "Authorization", "accept-x"] {
            assert!(!is_harmless_header(name), "{name}");
        }
        for name in ["limit", "window_ms", "windowMs", "hits-addend", "Page"] {
            assert!(is_harmless_parameter(name), "{name}");
        }
        for name in ["api_key", "key", "user", "limits", ""] {
            assert!(!is_harmless_parameter(name), "{name}");
        }
    }

    #[test]
    fn headers_of_answers_are_harmless_by_name_or_by_a_limiter_s_prefix() {
        for name in [
            "Server",
            "RateLimit-Policy",
            "X-RateLimit-Remaining-Tokens",
            "Content-Range",
        ] {
            assert!(is_harmless_in_answers(name), "{name}");
        }
        for name in ["Set-Cookie", "X-Auth", "Server-Key", "Dated"] {
            assert!(!is_harmless_in_answers(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_secretive_by_a_part_or_by_a_whole_word() {
        for name in ["X-Api-Key", "userPin", "\"otp\"", "accessToken", "db_pwd"] {
            assert!(is_secretive(name), "{name}");
        }
        for name in ["ping", "bypass", "signal", "X-RateLimit-Tokens", "error"] {
            assert!(!is_secretive(name), "{name}");
        }
        assert!(counts("tokens_left") && counts("remainingTokens") && !counts("token"));
    }
}
