//! What an answer's headers say of the limit, in each form that is in use:
//!
//! | header | form | source |
//! | --- | --- | --- |
//! | `Retry-After` | whole seconds, or an HTTP-date | RFC 9110, section 10.2.3 |
//! | `RateLimit` | `"default";r=50;t=30` | draft-ietf-httpapi-ratelimit-headers-08 to -11 |
//! | | `limit=100, remaining=50, reset=30` | -07 |
//! | `RateLimit-Policy` | `"default";q=100;w=60` | -08 to -11 |
//! | | `100;w=60` | -03 to -07 |
//! | `RateLimit-Limit`, `-Remaining` | `100, 100;w=60` and `50` | up to -06 |
//! | `X-RateLimit-Limit`, `-Remaining` | the same | older than the drafts |
//! | `X-RateLimit-Limit-Minute`, `-Remaining-Minute` | `100` and `50`, also of `-Second`, `-Hour`, `-Day` | Kong |
//! | `RateLimit-Reset`, `X-RateLimit-Reset` | `30`, or a Unix time | up to -06, and older |
//!
//! Names may be without quotes, and the parts of an item in any order. Without `RateLimit`, a reset header is read; the
//! `reset` module decides its unit.

mod items;
mod reset;

use crate::base::Nanos;
use crate::core::audit::terms::Terms;
pub(super) use items::stated;
use items::{HUGE, Item, items, shown, value, whole};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
pub(super) use reset::Reset;
pub use reset::UnixTime;
use ureq::http::{HeaderMap, header};

/// What the headers of one answer say of the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitHeaders {
    pub retry_after: Option<RetryAfter>,
    pub(super) quotas: Vec<Quota>,
    pub(super) policies: Vec<Policy>,
    /// `RateLimit-Reset` or `X-RateLimit-Reset`, unless `RateLimit` itself was read.
    pub(super) reset: Option<Reset>,
    /// Headers that have none of the known forms.
    pub(super) unknown: Vec<String>,
}

/// A statement that no request remains for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoneLeft {
    pub seconds: u64,
    /// The header that says so.
    pub header: &'static str,
    /// Whether it is an instant, which is compared with the answer's `Date`.
    pub is_instant: bool,
}

/// How many requests remain by one of the answer's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quota {
    /// The policy's name; empty if it has none.
    pub name: String,
    pub remaining: u64,
    /// For how many seconds, the effective window, if that is said.
    pub reset: Option<u64>,
}

/// So many requests per so many seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// Empty if it has none.
    name: String,
    limit: u64,
    /// In seconds.
    window: Option<u64>,
    /// Whether it counts requests, and not bytes or concurrent requests.
    of_requests: bool,
}

impl LimitHeaders {
    pub fn of(headers: &HeaderMap) -> LimitHeaders {
        let mut read = LimitHeaders {
            retry_after: RetryAfter::of(headers),
            ..LimitHeaders::default()
        };
        read.read_units(headers);
        if read.quotas.is_empty() {
            read.read_quotas(headers);
            read.read_policies(headers);
        }
        if read.quotas.iter().all(|quota| quota.reset.is_none()) {
            read.read_reset(headers);
        }
        read
    }

    /// The same with limits and what remains of them in requests, each of which counts so many units.
    pub(super) fn in_requests(&self, cost: u64) -> LimitHeaders {
        let mut headers = self.clone();
        let remaining = headers.quotas.iter_mut().map(|quota| &mut quota.remaining);
        let limits = headers.policies.iter_mut().map(|policy| &mut policy.limit);
        for units in remaining.chain(limits) {
            if *units != HUGE {
                *units /= cost;
            }
        }
        headers
    }

    /// How many requests remain of the terms' limit.
    pub(super) fn remaining(&self, terms: &Terms) -> Option<u64> {
        let quota = self.quota(terms.limit, terms.window)?;
        Some(quota.remaining)
    }

    /// For how many seconds none remain of the terms' limit.
    pub(super) fn none_left(&self, terms: &Terms) -> Option<NoneLeft> {
        let quota = self.quota(terms.limit, terms.window)?;
        if quota.remaining > 0 {
            return None;
        }
        if let Some(seconds) = quota.reset {
            return Some(NoneLeft {
                seconds,
                header: "RateLimit",
                is_instant: false,
            });
        }
        let reset = self.reset.as_ref().filter(|_| self.quotas.len() == 1)?;
        Some(NoneLeft {
            seconds: reset.seconds()?,
            header: reset.header,
            is_instant: reset.is_instant(),
        })
    }

    /// The limit that is named first.
    pub(in crate::core) fn first_limit(&self) -> Option<u64> {
        self.policies
            .iter()
            .find(|policy| policy.of_requests)
            .map(|policy| policy.limit)
    }

    /// How many requests remain of the limit that is named first.
    pub(in crate::core) fn first_remaining(&self) -> Option<u64> {
        self.quotas.first().map(|quota| quota.remaining)
    }

    /// In how many seconds the limit that is named first is as before, the header that says so, and whether that is an instant,
    /// which is compared with the answer's `Date`.
    pub(in crate::core) fn reset_in(&self) -> Option<(&'static str, u64, bool)> {
        let of_quota = self.quotas.first().and_then(|quota| quota.reset);
        let of_header = || {
            let reset = self.reset.as_ref()?;
            Some((reset.header, reset.seconds()?, reset.is_instant()))
        };
        of_quota
            .map(|seconds| ("RateLimit", seconds, false))
            .or_else(of_header)
    }

    /// How many requests remain at least by every quota of the answer, whatever its policy; `None` if one is used up.
    pub(super) fn remaining_of_all(&self) -> Option<u64> {
        let least = self.quotas.iter().map(|quota| quota.remaining).min();
        least.filter(|least| *least > 0)
    }

    /// The quota of `limit` per `window`, unless it is another policy's, or one of several that can't be told apart.
    fn quota(&self, limit: u64, window: Nanos) -> Option<&Quota> {
        let fits = |policy: &Policy| policy.is(limit, window);
        let policy_of = |quota: &Quota| self.policies.iter().find(|p| p.name == quota.name);
        if let [only] = &self.quotas[..] {
            let is_ours = match (policy_of(only), &self.policies[..]) {
                (Some(policy), _) => fits(policy),
                (None, []) => true,
                (None, [policy]) => {
                    (policy.name.is_empty() || only.name.is_empty()) && fits(policy)
                }
                (None, _) => false,
            };
            return is_ours.then_some(only);
        }
        let mut fitting = self
            .quotas
            .iter()
            .filter(|quota| policy_of(quota).is_some_and(fits));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// The policies, such as `50 per 60 s`, if none of them is `limit` per `window`.
    pub(super) fn other_policies(&self, limit: u64, window: Nanos) -> Option<String> {
        let policies = || self.policies.iter().filter(|policy| policy.of_requests);
        if policies().next().is_none() || policies().any(|policy| policy.is(limit, window)) {
            return None;
        }
        let words = policies().map(|policy| match policy.window {
            Some(window) => format!("{} per {} s", stated(policy.limit), stated(window)),
            None => stated(policy.limit).into_owned(),
        });
        Some(words.collect::<Vec<_>>().join(", "))
    }

    /// Reads headers of one limit for each unit of time, as Kong sends them.
    fn read_units(&mut self, headers: &HeaderMap) {
        for (unit, window) in [
            ("second", 1),
            ("minute", 60),
            ("hour", 3_600),
            ("day", 86_400),
        ] {
            let number = |kind| {
                let value = value(headers, &format!("x-ratelimit-{kind}-{unit}"));
                value.as_deref().and_then(whole)
            };
            let (Some(limit), Some(remaining)) = (number("limit"), number("remaining")) else {
                continue;
            };
            self.policies.push(Policy {
                name: unit.to_owned(),
                ..Policy::unnamed(limit, Some(window))
            });
            self.quotas.push(Quota {
                name: unit.to_owned(),
                remaining,
                reset: None,
            });
        }
    }

    fn read_reset(&mut self, headers: &HeaderMap) {
        let names = ["RateLimit-Reset", "X-RateLimit-Reset"];
        if let Some((name, value)) = first_value(headers, names) {
            match Reset::of(name, &value, answered_at(headers)) {
                Some(reset) => self.reset = Some(reset),
                None => self.unknown.push(shown(&format!("{name}: {value}"))),
            }
        }
    }

    fn read_quotas(&mut self, headers: &HeaderMap) {
        if let Some(value) = value(headers, "ratelimit") {
            let items = items(&value);
            let quotas = items.iter().filter_map(|item| {
                Some(Quota {
                    name: item.name(),
                    remaining: item.number("r")?,
                    reset: item.number("t"),
                })
            });
            self.quotas.extend(quotas);
            if self.quotas.is_empty() {
                self.read_members(&items);
            }
            if self.quotas.is_empty() && self.policies.is_empty() {
                self.unknown.push(shown(&format!("RateLimit: {value}")));
            }
            return;
        }
        let names = ["RateLimit-Remaining", "X-RateLimit-Remaining"];
        if let Some((name, value)) = first_value(headers, names) {
            match whole(&value) {
                Some(remaining) => self.quotas.push(Quota {
                    name: String::new(),
                    remaining,
                    reset: None,
                }),
                None => self.unknown.push(shown(&format!("{name}: {value}"))),
            }
        }
    }

    /// Reads the form of `limit=100, remaining=50, reset=30`.
    fn read_members(&mut self, items: &[Item<'_>]) {
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
            let policies: Vec<_> = items(&value).iter().filter_map(Policy::of).collect();
            if policies.is_empty() {
                self.unknown
                    .push(shown(&format!("RateLimit-Policy: {value}")));
            } else {
                // They say more than the limit that `RateLimit` may have said.
                self.policies = policies;
            }
            return;
        }
        let names = ["RateLimit-Limit", "X-RateLimit-Limit"];
        if let Some((name, value)) = first_value(headers, names) {
            let items = items(&value);
            let Some(limit) = items.first().and_then(|first| whole(first.bare)) else {
                self.unknown.push(shown(&format!("{name}: {value}")));
                return;
            };
            let windows = items.iter().filter(|item| item.number("w").is_some());
            self.policies.extend(windows.filter_map(Policy::of));
            // The number of remaining requests is of the limit that is named first.
            self.policies.sort_by_key(|policy| policy.limit != limit);
            if self
                .policies
                .first()
                .is_none_or(|policy| policy.limit != limit)
            {
                self.policies.insert(0, Policy::unnamed(limit, None));
            }
        }
    }
}

impl Policy {
    fn of(item: &Item<'_>) -> Option<Policy> {
        match item.number("q") {
            Some(limit) => Some(Policy {
                name: item.name(),
                limit,
                window: item.number("w"),
                of_requests: item.text("qu").is_none_or(|unit| unit == "requests"),
            }),
            None => whole(item.bare).map(|limit| Policy::unnamed(limit, item.number("w"))),
        }
    }

    fn unnamed(limit: u64, window: Option<u64>) -> Policy {
        Policy {
            name: String::new(),
            limit,
            window,
            of_requests: true,
        }
    }

    /// Whether it is `limit` per `window`, which may be rounded to a whole number of seconds either way.
    fn is(&self, limit: u64, window: Nanos) -> bool {
        let seconds = window.0 / 1_000_000_000..=window.0.div_ceil(1_000_000_000);
        let same_window = self.window.is_none_or(|window| seconds.contains(&window));
        self.of_requests && self.limit == limit && same_window
    }
}

/// The value of `Retry-After` (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// The number of seconds from the answer on.
    Seconds(u64),
    /// A date, and how many seconds it is after the answer's own `Date`, if that has one; negative if before.
    Date(Option<i64>),
    /// A Unix time.
    UnixTime(UnixTime),
    /// A negative number, as it is shown.
    Negative(String),
    /// None of these; the value as it is shown.
    Malformed(String),
}

impl RetryAfter {
    fn of(headers: &HeaderMap) -> Option<RetryAfter> {
        let value = headers.get(header::RETRY_AFTER)?;
        let text = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        let now = answered_at(headers);
        if let Some(seconds) = whole(&text) {
            return Some(match UnixTime::of(seconds, now) {
                Some(time) => RetryAfter::UnixTime(time),
                None => RetryAfter::Seconds(seconds),
            });
        }
        if text
            .strip_prefix('-')
            .is_some_and(|rest| rest.parse::<f64>().is_ok())
        {
            return Some(RetryAfter::Negative(shown(&text)));
        }
        let Some(until) = date(&text) else {
            return Some(RetryAfter::Malformed(shown(&text)));
        };
        let wait = now.map(|now| until.as_second() - now);
        Some(RetryAfter::Date(wait))
    }
}

/// The answer's own `Date`, in seconds since 1970.
fn answered_at(headers: &HeaderMap) -> Option<i64> {
    let now = headers.get(header::DATE)?.to_str().ok()?;
    date(now.trim()).map(|now| now.as_second())
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

/// The first of the headers that is there, and its value.
fn first_value(headers: &HeaderMap, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    let mut values = names
        .into_iter()
        .filter_map(|name| Some((name, value(headers, name)?)));
    values.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ureq::http::{HeaderName, HeaderValue};

    const MINUTE: Nanos = Nanos(60_000_000_000);

    /// Reads headers that are written like `Name: value | Name: value`.
    fn read(lines: &str) -> LimitHeaders {
        let mut headers = HeaderMap::new();
        for (name, value) in lines.split(" | ").filter_map(|line| line.split_once(": ")) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        LimitHeaders::of(&headers)
    }

    #[test]
    fn the_remaining_requests_are_read_in_every_form() {
        for (lines, reset) in [
            (r#"RateLimit: "default";r=50;t=30"#, Some(30)),
            ("RateLimit: default;r=50;t=30", Some(30)),
            (
                r#"RateLimit:  "a;b,c" ; t=30 ; pk=:cHsdsRa894==: ; r=50 "#,
                Some(30),
            ),
            (r#"RateLimit: "default";r=50"#, None),
            ("RateLimit: limit=100, remaining=50, reset=30", Some(30)),
            (
                "RateLimit: remaining=50,limit=100 | RateLimit-Policy: 100;w=60",
                None,
            ),
            (
                r#"RateLimit: "burst";r=3;t=1, "minute";r=50;t=30 | RateLimit-Policy: "burst";q=10;w=1 | RateLimit-Policy: "minute";q=100;w=60"#,
                Some(30),
            ),
            ("RateLimit-Remaining: 50", None),
            (
                "RateLimit-Limit: 100, 100;w=60 | RateLimit-Remaining: 50",
                None,
            ),
            ("X-RateLimit-Limit: 100 | X-RateLimit-Remaining: 50", None),
            (r#"RateLimit: "a";r=50 | X-RateLimit-Remaining: 7"#, None),
            (
                "X-RateLimit-Limit-Minute: 100 | X-RateLimit-Remaining-Minute: 50 | RateLimit-Remaining: 7",
                None,
            ),
            (
                "X-RateLimit-Limit-Second: 10 | X-RateLimit-Remaining-Second: 3 | X-RateLimit-Limit-Minute: 100 | \
                 X-RateLimit-Remaining-Minute: 50",
                None,
            ),
            (
                "X-RateLimit-Limit: 100, 10;w=1, 100;w=60 | X-RateLimit-Remaining: 50",
                None,
            ),
        ] {
            let read = read(lines);
            let quota = read.quota(100, MINUTE).map(|q| (q.remaining, q.reset));
            assert_eq!(quota, Some((50, reset)), "{lines}");
            assert_eq!(read.other_policies(100, MINUTE), None, "{lines}");
            assert!(read.unknown.is_empty(), "{lines}");
        }
    }

    #[test]
    fn the_remaining_requests_of_another_policy_do_not_count() {
        for (lines, other) in [
            (
                r#"RateLimit: "a";r=40 | RateLimit-Policy: "a";q=50;w=60"#,
                Some("50 per 60 s"),
            ),
            (
                r#"RateLimit: "a";r=40 | RateLimit-Policy: "a";q=100;w=61"#,
                Some("100 per 61 s"),
            ),
            (
                "X-RateLimit-Limit: 50 | X-RateLimit-Remaining: 40",
                Some("50"),
            ),
            ("RateLimit: limit=50, remaining=40, reset=1", Some("50")),
            (
                r#"RateLimit: "a";r=9999 | RateLimit-Policy: "a";q=10000;qu="content-bytes";w=60"#,
                None,
            ),
            (r#"RateLimit: "a";r=40, "b";r=50"#, None),
            (
                r#"RateLimit: "c";r=40 | RateLimit-Policy: "a";q=100;w=60, "b";q=10;w=1"#,
                None,
            ),
        ] {
            let read = read(lines);
            assert_eq!(read.quota(100, MINUTE), None, "{lines}");
            let policies = read.other_policies(100, MINUTE);
            assert_eq!(policies.as_deref(), other, "{lines}");
        }
    }

    #[test]
    fn of_several_limits_the_remaining_requests_of_the_first_do_not_count_for_another() {
        let lines = "RateLimit-Limit: 10, 10;w=1, 100;w=60 | RateLimit-Remaining: 3";
        assert_eq!(read(lines).quota(100, MINUTE), None);
        assert_eq!(read(lines).other_policies(100, MINUTE), None);
        let none = "RateLimit-Limit: 10, 10;w=1, 50;w=60 | RateLimit-Remaining: 3";
        let other = read(none).other_policies(100, MINUTE);
        assert_eq!(other.as_deref(), Some("10 per 1 s, 50 per 60 s"));
    }

    #[test]
    fn a_reset_header_says_for_how_long_none_remain_in_seconds_or_as_a_unix_time() {
        let terms = Terms::of_all_promises(100, MINUTE, 1);
        for (date, reset, expected) in [
            ("", "43", Some((43, false))),
            ("", "43.2", Some((44, false))),
            ("", "1764170043", None),
            ("Wed, 26 Nov 2025 15:13:20 GMT", "43", Some((43, false))),
            (
                "Wed, 26 Nov 2025 15:13:20 GMT",
                "1764170043",
                Some((43, true)),
            ),
            (
                "Wed, 26 Nov 2025 15:13:20 GMT",
                "1764170043000",
                Some((43, true)),
            ),
            (
                "Wed, 26 Nov 2025 15:13:20 GMT",
                "1764169990",
                Some((0, true)),
            ),
        ] {
            let read = read(&format!(
                "Date: {date} | X-RateLimit-Remaining: 0 | X-RateLimit-Reset: {reset}"
            ));
            let none = read
                .none_left(&terms)
                .map(|none| (none.seconds, none.is_instant));
            assert_eq!(none, expected, "{date} {reset}");
            assert!(read.unknown.is_empty());
        }
        let soon = read("X-RateLimit-Remaining: 0 | X-RateLimit-Reset: soon");
        assert_eq!(soon.unknown, ["X-RateLimit-Reset: soon"]);
    }

    #[test]
    fn a_window_with_a_fraction_of_a_second_may_be_rounded_either_way() {
        for (window, fits) in [("1", true), ("2", true), ("3", false)] {
            let read = read(&format!("RateLimit-Policy: 100;w={window}"));
            let other = read.other_policies(100, Nanos(1_500_000_000));
            assert_eq!(other.is_none(), fits, "{window}");
        }
    }

    #[test]
    fn unknown_forms_are_reported_and_say_nothing() {
        for line in [
            "RateLimit: 50",
            r#"RateLimit: "default";r=-1"#,
            r#"RateLimit: "default";r=1.5;t=30"#,
            "RateLimit-Remaining: many",
            "X-RateLimit-Remaining: -1",
            "X-RateLimit-Limit: unlimited",
            r#"RateLimit-Policy: "default";w=60"#,
        ] {
            let read = read(line);
            assert_eq!(read.unknown, [line]);
            assert_eq!(read.quota(100, MINUTE), None);
            assert_eq!(read.other_policies(100, MINUTE), None);
        }
    }

    #[test]
    fn a_long_value_is_shown_in_part_and_a_huge_number_stays_one() {
        let long = "x".repeat(10_000);
        let read_long = read(&format!("Retry-After: {long} | X-RateLimit-Reset: {long}"));
        assert!(
            matches!(read_long.retry_after, Some(RetryAfter::Malformed(text)) if text.len() < 300)
        );
        assert!(read_long.unknown[0].len() < 300);
        let digits = "9".repeat(29);
        let huge = read(&format!("RateLimit-Limit: {digits}, {digits};w={digits}"));
        let shown = "more than 18446744073709551614";
        let expected = Some(format!("{shown} per {shown} s"));
        assert_eq!(huge.in_requests(5).other_policies(1, MINUTE), expected);
    }

    #[test]
    fn retry_after_is_whole_seconds_or_a_date() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        let malformed = |text: &str| RetryAfter::Malformed(text.to_owned());
        for (value, expected) in [
            ("0", RetryAfter::Seconds(0)),
            (" 060 ", RetryAfter::Seconds(60)),
            ("99999999999999999999", RetryAfter::Seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", RetryAfter::Date(Some(60))),
            ("Sunday, 06-Nov-94 08:49:38 GMT", RetryAfter::Date(Some(1))),
            ("Sun Nov  6 08:49:36 1994", RetryAfter::Date(Some(-1))),
            ("-1", RetryAfter::Negative("-1".to_owned())),
            ("-0.5", RetryAfter::Negative("-0.5".to_owned())),
            (
                "784111837",
                RetryAfter::UnixTime(UnixTime::Seconds(784_111_837)),
            ),
            (
                "784111837000",
                RetryAfter::UnixTime(UnixTime::Millis(784_111_837_000)),
            ),
            ("60000", RetryAfter::Seconds(60_000)),
            ("1.5", malformed("1.5")),
            ("60s", malformed("60s")),
            ("60, 60", malformed("60, 60")),
            ("", malformed("")),
            ("1994-11-06T08:49:37Z", malformed("1994-11-06T08:49:37Z")),
        ] {
            let read = read(&format!("Date: {now} | Retry-After: {value}"));
            assert_eq!(read.retry_after, Some(expected), "{value:?}");
        }
        let without_date = read(&format!("Retry-After: {now}")).retry_after;
        assert_eq!(without_date, Some(RetryAfter::Date(None)));
        let without_date = read("Retry-After: 1764170000").retry_after;
        let expected = RetryAfter::UnixTime(UnixTime::Seconds(1_764_170_000));
        assert_eq!(without_date, Some(expected));
        assert_eq!(read(""), LimitHeaders::default());
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_ignored(
            values in prop::collection::vec(
                prop_oneof!["[ -{}~]{0,40}", r#"[a-z"\\;,=0-9 :rtqw]{0,60}"#],
                7,
            ),
        ) {
            let names = [
                "RateLimit", "RateLimit-Policy", "RateLimit-Remaining", "X-RateLimit-Limit", "Retry-After", "Date",
                "X-RateLimit-Reset",
            ];
            let lines: Vec<_> = names.into_iter().zip(values).map(|(name, value)| format!("{name}: {value}")).collect();
            let read = read(&lines.join(" | "));
            read.quota(100, MINUTE);
            read.other_policies(100, MINUTE);
        }

        #[test]
        fn the_order_of_parameters_and_blanks_around_them_mean_nothing(
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
            let read = read(&format!("RateLimit: {value}"));
            let quota = read.quota(100, MINUTE).expect("read");
            prop_assert_eq!((quota.remaining, quota.reset), (remaining, Some(reset)));
        }
    }
}
