//! What an answer's headers say of the limit, in each form that is in use:
//!
//! | header | form | of |
//! | --- | --- | --- |
//! | `Retry-After` | whole seconds, or an HTTP-date | RFC 9110, section 10.2.3 |
//! | `RateLimit` | `"default";r=50;t=30` | draft-ietf-httpapi-ratelimit-headers-08 to -11 |
//! | | `limit=100, remaining=50, reset=30` | -07 |
//! | `RateLimit-Policy` | `"default";q=100;w=60` | -08 to -11 |
//! | | `100;w=60` | -03 to -07 |
//! | `RateLimit-Limit`, `-Remaining` | `100, 100;w=60` and `50` | up to -06 |
//! | `X-RateLimit-Limit`, `-Remaining` | likewise | before them |
//!
//! Names may be without quotes, and the parts of an item in any order. `RateLimit-Reset` and `X-RateLimit-Reset` are
//! not read: they are seconds to some and Unix time to others.

use crate::base::Nanos;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use ureq::http::{HeaderMap, header};

/// What one answer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitHeaders {
    pub retry_after: Option<RetryAfter>,
    pub(super) quotas: Vec<Quota>,
    pub(super) policies: Vec<Policy>,
    /// Headers that have none of the forms, as they were.
    pub(super) unknown: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// From the answer on. What is more than a `u64` takes is the greatest one.
    Seconds(u64),
    /// A date, and how many seconds it is after the answer's own `Date`, if that has one; negative if before.
    Date(String, Option<i64>),
    /// Neither.
    Malformed(String),
}

/// What remains, by one of the answer's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quota {
    /// Its policy's; empty where it has none.
    pub name: String,
    pub remaining: u64,
    /// For how many seconds, if that is said: the effective window.
    pub reset: Option<u64>,
}

/// So many per so many seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// Empty where it has none.
    pub name: String,
    pub limit: u64,
    pub window: Option<u64>,
    /// Whether it counts requests: not bytes, nor those at the same time.
    pub of_requests: bool,
}

impl LimitHeaders {
    pub fn of(headers: &HeaderMap) -> LimitHeaders {
        let mut said = LimitHeaders {
            retry_after: retry_after(headers),
            ..LimitHeaders::default()
        };
        said.read_quotas(headers);
        said.read_policies(headers);
        said
    }

    /// What remains of `limit` per `window`: not of another policy, nor of one that can't be told from others.
    pub(super) fn quota(&self, limit: u64, window: Nanos) -> Option<&Quota> {
        let fits = |policy: &Policy| policy.is(limit, window);
        let named = |quota: &Quota| self.policies.iter().find(|p| p.name == quota.name);
        match &self.quotas[..] {
            [only] => match (named(only), &self.policies[..]) {
                (Some(policy), _) => fits(policy),
                (None, []) => true,
                (None, [policy]) => {
                    (policy.name.is_empty() || only.name.is_empty()) && fits(policy)
                }
                (None, _) => false,
            }
            .then_some(only),
            several => {
                let mut fitting = several.iter().filter(|q| named(q).is_some_and(fits));
                fitting.next().filter(|_| fitting.next().is_none())
            }
        }
    }

    /// The policies that are said, where none of them is `limit` per `window`: such as `50 per 60 s`.
    pub(super) fn other_policies(&self, limit: u64, window: Nanos) -> Option<String> {
        let policies = || self.policies.iter().filter(|policy| policy.of_requests);
        if policies().next().is_none() || policies().any(|policy| policy.is(limit, window)) {
            return None;
        }
        let said = policies().map(|policy| match policy.window {
            Some(window) => format!("{} per {window} s", policy.limit),
            None => policy.limit.to_string(),
        });
        Some(said.collect::<Vec<_>>().join(", "))
    }

    fn read_quotas(&mut self, headers: &HeaderMap) {
        if let Some(value) = value(headers, "ratelimit") {
            let before = (self.quotas.len(), self.policies.len());
            for item in items(&value) {
                if let Some(remaining) = item.number("r") {
                    self.quotas.push(Quota {
                        name: item.name(),
                        remaining,
                        reset: item.number("t"),
                    });
                }
            }
            if self.quotas.is_empty() {
                self.read_members(&value);
            }
            if before == (self.quotas.len(), self.policies.len()) {
                self.unknown.push(format!("RateLimit: {value}"));
            }
            return;
        }
        for name in ["RateLimit-Remaining", "X-RateLimit-Remaining"] {
            let Some(value) = value(headers, name) else {
                continue;
            };
            match whole(&value) {
                Some(remaining) => self.quotas.push(Quota {
                    name: String::new(),
                    remaining,
                    reset: None,
                }),
                None => self.unknown.push(format!("{name}: {value}")),
            }
            return;
        }
    }

    /// The form of `limit=100, remaining=50, reset=30`.
    fn read_members(&mut self, value: &str) {
        let items = items(value);
        let member = |wanted: &str| {
            let mut members = items.iter().filter_map(|item| item.bare.split_once('='));
            let (_, number) = members.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
            whole(number.trim())
        };
        if let Some(remaining) = member("remaining") {
            self.quotas.push(Quota {
                name: String::new(),
                remaining,
                reset: member("reset"),
            });
        }
        if let Some(limit) = member("limit") {
            self.policies.push(Policy::unnamed(limit, None));
        }
    }

    fn read_policies(&mut self, headers: &HeaderMap) {
        if let Some(value) = value(headers, "ratelimit-policy") {
            let policies = items(&value).into_iter().filter_map(|item| item.policy());
            let policies: Vec<_> = policies.collect();
            match policies.is_empty() {
                true => self.unknown.push(format!("RateLimit-Policy: {value}")),
                // They say more than the limit that `RateLimit` may have said.
                false => self.policies = policies,
            }
            return;
        }
        for name in ["RateLimit-Limit", "X-RateLimit-Limit"] {
            let Some(value) = value(headers, name) else {
                continue;
            };
            let items = items(&value);
            match items.first().and_then(|first| whole(first.bare)) {
                Some(limit) => {
                    let mut same = items.iter().filter(|item| whole(item.bare) == Some(limit));
                    let window = same.find_map(|item| item.number("w"));
                    self.policies.push(Policy::unnamed(limit, window));
                }
                None => self.unknown.push(format!("{name}: {value}")),
            }
            return;
        }
    }
}

impl Policy {
    fn unnamed(limit: u64, window: Option<u64>) -> Policy {
        Policy {
            name: String::new(),
            limit,
            window,
            of_requests: true,
        }
    }

    /// A window that is no whole number of seconds is said as either of the two next to it.
    fn is(&self, limit: u64, window: Nanos) -> bool {
        let seconds = window.0 / 1_000_000_000..=window.0.div_ceil(1_000_000_000);
        let same_window = self.window.is_none_or(|window| seconds.contains(&window));
        self.of_requests && self.limit == limit && same_window
    }
}

/// `name;key=value;key=value`.
struct Item<'a> {
    bare: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl Item<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.value(key).and_then(whole)
    }

    fn value(&self, key: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(value)
    }

    fn name(&self) -> String {
        unquoted(self.bare).to_owned()
    }

    fn policy(&self) -> Option<Policy> {
        match self.number("q") {
            Some(limit) => Some(Policy {
                name: self.name(),
                limit,
                window: self.number("w"),
                of_requests: self.value("qu").is_none_or(|u| unquoted(u) == "requests"),
            }),
            None => whole(self.bare).map(|limit| Policy::unnamed(limit, self.number("w"))),
        }
    }
}

/// All values of one header as one list (RFC 9110, section 5.3); `None` if one of them is no text.
fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Option<Vec<_>> = values.map(|value| value.to_str().ok()).collect();
    values
        .filter(|values| !values.is_empty())
        .map(|values| values.join(", ").trim().to_owned())
}

fn items(list: &str) -> Vec<Item<'_>> {
    let items = split(list, ',').into_iter().filter(|item| !item.is_empty());
    items
        .map(|item| {
            let mut parts = split(item, ';').into_iter();
            let bare = parts.next().unwrap_or_default();
            let parameters = parts.map(|part| {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                (key.trim(), value.trim())
            });
            Item {
                bare,
                parameters: parameters.collect(),
            }
        })
        .collect()
}

/// The parts between separators that are outside of quotes, without the blanks around them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|c| {
        if escaped {
            escaped = false;
        } else if c == '"' {
            quoted = !quoted;
        } else {
            escaped = quoted && c == '\\';
        }
        c == separator && !quoted
    });
    parts.map(str::trim).collect()
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// Digits alone; what is more than a `u64` takes is the greatest one.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let value = headers.get(header::RETRY_AFTER)?;
    let text = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
    if let Some(seconds) = whole(&text) {
        return Some(RetryAfter::Seconds(seconds));
    }
    let Some(until) = date(&text) else {
        return Some(RetryAfter::Malformed(text));
    };
    let now = headers.get(header::DATE).and_then(|now| now.to_str().ok());
    let now = now.and_then(|now| date(now.trim()));
    let wait = now.map(|now| until.as_second() - now.as_second());
    Some(RetryAfter::Date(text, wait))
}

/// An HTTP-date in any of its three forms (RFC 9110, section 5.6.7).
fn date(text: &str) -> Option<Timestamp> {
    const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text).ok().or_else(|| {
        let civil = OBSOLETE
            .iter()
            .find_map(|form| DateTime::strptime(form, text).ok())?;
        civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ureq::http::{HeaderName, HeaderValue};

    const MINUTE: Nanos = Nanos(60_000_000_000);

    fn said(lines: &[(&str, &str)]) -> LimitHeaders {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        LimitHeaders::of(&headers)
    }

    #[test]
    fn what_remains_is_read_in_every_form() {
        for (lines, remaining, reset) in [
            (&[("RateLimit", r#""default";r=50;t=30"#)][..], 50, Some(30)),
            (&[("RateLimit", "default;r=50;t=30")], 50, Some(30)),
            (
                &[(
                    "RateLimit",
                    r#" "a;b,c" ; t=30 ; pk=:cHsdsRa894==: ; r=50 "#,
                )],
                50,
                Some(30),
            ),
            (&[("RateLimit", r#""default";r=50"#)], 50, None),
            (
                &[("RateLimit", "limit=100, remaining=50, reset=30")],
                50,
                Some(30),
            ),
            (
                &[
                    ("RateLimit", "remaining=50,limit=100"),
                    ("RateLimit-Policy", "100;w=60"),
                ],
                50,
                None,
            ),
            (
                &[
                    ("RateLimit", r#""burst";r=3;t=1, "minute";r=50;t=30"#),
                    ("RateLimit-Policy", r#""burst";q=10;w=1"#),
                    ("RateLimit-Policy", r#""minute";q=100;w=60"#),
                ],
                50,
                Some(30),
            ),
            (&[("RateLimit-Remaining", "50")], 50, None),
            (
                &[
                    ("RateLimit-Limit", "100, 100;w=60"),
                    ("RateLimit-Remaining", "50"),
                ],
                50,
                None,
            ),
            (
                &[
                    ("X-RateLimit-Limit", "100"),
                    ("X-RateLimit-Remaining", "50"),
                ],
                50,
                None,
            ),
            (
                &[("RateLimit", r#""a";r=50"#), ("X-RateLimit-Remaining", "7")],
                50,
                None,
            ),
        ] {
            let said = said(lines);
            let quota = said
                .quota(100, MINUTE)
                .unwrap_or_else(|| panic!("{lines:?}"));
            assert_eq!(
                (quota.remaining, quota.reset),
                (remaining, reset),
                "{lines:?}"
            );
            assert_eq!(said.other_policies(100, MINUTE), None, "{lines:?}");
            assert!(said.unknown.is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn what_remains_of_another_policy_is_not_what_remains() {
        for (lines, other) in [
            (
                &[
                    ("RateLimit", r#""a";r=40"#),
                    ("RateLimit-Policy", r#""a";q=50;w=60"#),
                ][..],
                Some("50 per 60 s"),
            ),
            (
                &[
                    ("RateLimit", r#""a";r=40"#),
                    ("RateLimit-Policy", r#""a";q=100;w=61"#),
                ],
                Some("100 per 61 s"),
            ),
            (
                &[("X-RateLimit-Limit", "50"), ("X-RateLimit-Remaining", "40")],
                Some("50"),
            ),
            (
                &[("RateLimit", "limit=50, remaining=40, reset=1")],
                Some("50"),
            ),
            (
                &[
                    ("RateLimit", r#""a";r=9999"#),
                    ("RateLimit-Policy", r#""a";q=10000;qu="content-bytes";w=60"#),
                ],
                None,
            ),
            (&[("RateLimit", r#""a";r=40, "b";r=50"#)], None),
            (
                &[
                    ("RateLimit", r#""c";r=40"#),
                    ("RateLimit-Policy", r#""a";q=100;w=60, "b";q=10;w=1"#),
                ],
                None,
            ),
        ] {
            let said = said(lines);
            assert_eq!(said.quota(100, MINUTE), None, "{lines:?}");
            assert_eq!(
                said.other_policies(100, MINUTE).as_deref(),
                other,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_window_of_a_part_of_a_second_is_said_rounded_either_way() {
        for (window, fits) in [("1", true), ("2", true), ("3", false)] {
            let policy = format!("100;w={window}");
            let said = said(&[("RateLimit-Policy", &policy)]);
            let other = said.other_policies(100, Nanos(1_500_000_000));
            assert_eq!(other.is_none(), fits, "{window}");
        }
    }

    #[test]
    fn forms_that_nobody_gave_are_unknown_and_say_nothing() {
        for (name, value) in [
            ("RateLimit", "50"),
            ("RateLimit", r#""default";r=-1"#),
            ("RateLimit", r#""default";r=1.5;t=30"#),
            ("RateLimit-Remaining", "many"),
            ("X-RateLimit-Remaining", "-1"),
            ("X-RateLimit-Limit", "unlimited"),
            ("RateLimit-Policy", r#""default";w=60"#),
        ] {
            let said = said(&[(name, value)]);
            assert_eq!(said.unknown, [format!("{name}: {value}")]);
            assert_eq!(said.quota(100, MINUTE), None);
            assert_eq!(said.other_policies(100, MINUTE), None);
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_or_a_date() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        let date = |text: &str, wait| RetryAfter::Date(text.to_owned(), Some(wait));
        let malformed = |text: &str| RetryAfter::Malformed(text.to_owned());
        for (value, expected) in [
            ("0", RetryAfter::Seconds(0)),
            (" 060 ", RetryAfter::Seconds(60)),
            ("99999999999999999999", RetryAfter::Seconds(u64::MAX)),
            (
                "Sun, 06 Nov 1994 08:50:37 GMT",
                date("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ),
            (
                "Sunday, 06-Nov-94 08:49:38 GMT",
                date("Sunday, 06-Nov-94 08:49:38 GMT", 1),
            ),
            (
                "Sun Nov  6 08:49:36 1994",
                date("Sun Nov  6 08:49:36 1994", -1),
            ),
            ("-1", malformed("-1")),
            ("1.5", malformed("1.5")),
            ("60s", malformed("60s")),
            ("60, 60", malformed("60, 60")),
            ("", malformed("")),
            ("1994-11-06T08:49:37Z", malformed("1994-11-06T08:49:37Z")),
        ] {
            let said = said(&[("Date", now), ("Retry-After", value)]);
            assert_eq!(said.retry_after, Some(expected), "{value:?}");
        }
        let without = said(&[("Retry-After", now)]).retry_after;
        assert_eq!(without, Some(RetryAfter::Date(now.to_owned(), None)));
        assert_eq!(said(&[]), LimitHeaders::default());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_passed_over(
            values in prop::collection::vec(
                prop_oneof!["[ -~]{0,40}", r#"[a-z"\\;,=0-9 :rtqw]{0,60}"#],
                6,
            ),
        ) {
            let names = [
                "RateLimit", "RateLimit-Policy", "RateLimit-Remaining", "X-RateLimit-Limit", "Retry-After", "Date",
            ];
            let lines: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
            let said = said(&lines);
            said.quota(100, MINUTE);
            said.other_policies(100, MINUTE);
        }

        #[test]
        fn the_order_and_the_blanks_mean_nothing(
            remaining: u64,
            reset: u64,
            swapped: bool,
            blanks in " {0,2}",
        ) {
            let mut parameters = [format!("r={remaining}"), format!("t={reset}")];
            if swapped {
                parameters.reverse();
            }
            let separator = format!("{blanks};{blanks}");
            let value = format!("\"a\"{separator}{}", parameters.join(&separator));
            let said = said(&[("RateLimit", &value)]);
            let quota = said.quota(100, MINUTE).expect("read");
            prop_assert_eq!((quota.remaining, quota.reset), (remaining, Some(reset)));
        }
    }
}
