//! What headers claim is compared with what comes of it.

use super::simulation::{Answer, World, ask};
use super::{NEAR, SECOND};
use jiff::Timestamp;
use loadgen::base::Nanos;
use loadgen::core::audit::probe::LimitHeaders;
use loadgen::core::discovery::{Bounds, Claims, Experiment, Remaining};
use std::collections::HashMap;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

const LIMIT: u64 = 20;
const WINDOW: u64 = 10 * SECOND;

/// What a limiter with windows of the clock knows when it answers.
struct State {
    /// How many more requests this window admits.
    left: u64,
    /// The time until the window's end.
    until_end: u64,
    /// Its clock, since the beginning of 1970.
    now: u64,
}

/// What an experiment finds out about the headers of such a limiter.
fn claims(headers: impl Fn(&State) -> Vec<(&'static str, String)>) -> Claims {
    let world = World {
        seed: 5,
        nodes: 1,
        limits: Vec::new(),
        latency: NEAR,
        millionths: 0,
    };
    let mut counts: HashMap<(u32, u64), u64> = HashMap::new();
    let findings = ask(
        &world,
        Experiment::new(Bounds::DEFAULT, 1),
        &mut |question, at| {
            let now = u64::try_from(at).expect("a time after 1970");
            let count = counts.entry((question.key, now / WINDOW)).or_default();
            let admitted = *count < LIMIT;
            *count += u64::from(admitted);
            let state = State {
                left: LIMIT - *count,
                until_end: WINDOW - now % WINDOW,
                now,
            };
            let mut map = HeaderMap::new();
            for (name, value) in headers(&state) {
                let value = HeaderValue::from_str(&value).expect("a value");
                map.insert(HeaderName::from_static(name), value);
            }
            Answer {
                headers: LimitHeaders::of(&map),
                ..Answer::new(admitted)
            }
        },
    );
    findings.claims
}

/// `Retry-After` as so many seconds, rounded up.
fn retry_after(seconds: impl Fn(u64) -> u64) -> Claims {
    claims(|state| {
        let right = state.until_end.div_ceil(SECOND);
        vec![("retry-after", seconds(right).to_string())]
    })
}

#[test]
fn a_retry_after_that_is_rounded_up_is_right() {
    let claim = retry_after(|right| right).retry_after.expect("a claim");
    assert!(claim.is_right() && claim.compared > 50, "{claim:?}");
}

#[test]
fn a_retry_after_that_is_a_second_too_short_is_early_by_up_to_that() {
    let claim = retry_after(|right| right - 1).retry_after.expect("a claim");
    let early = Nanos(SECOND / 2)..Nanos(SECOND);
    assert!(
        early.contains(&claim.early) && claim.late == Nanos::ZERO,
        "{claim:?}"
    );
}

#[test]
fn a_retry_after_that_is_too_long_is_late_beyond_its_rounding() {
    let claim = retry_after(|right| right + 3).retry_after.expect("a claim");
    let late = Nanos(2 * SECOND)..Nanos(3 * SECOND);
    assert!(
        late.contains(&claim.late) && claim.early == Nanos::ZERO,
        "{claim:?}"
    );
}

#[test]
fn a_retry_after_that_never_changes_is_late() {
    let claim = retry_after(|_| WINDOW / SECOND)
        .retry_after
        .expect("a claim");
    assert!(
        !claim.is_right() && claim.late > Nanos(5 * SECOND),
        "{claim:?}"
    );
}

#[test]
fn a_reset_is_right_as_seconds_and_as_a_unix_time() {
    let relative = claims(|state| {
        let left = state.until_end.div_ceil(SECOND).to_string();
        vec![
            ("x-ratelimit-remaining", state.left.to_string()),
            ("x-ratelimit-reset", left),
        ]
    });
    let absolute = |late: u64| {
        claims(|state| {
            let now = Timestamp::from_second((state.now / SECOND) as i64).expect("a time");
            let end = (state.now + state.until_end) / SECOND + late;
            vec![
                (
                    "date",
                    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
                ),
                ("x-ratelimit-remaining", state.left.to_string()),
                ("x-ratelimit-reset", end.to_string()),
            ]
        })
    };
    for claims in [relative, absolute(0)] {
        let claim = claims.reset.expect("a claim");
        assert!(claim.is_right() && claim.compared > 50, "{claim:?}");
        assert_eq!(claim.header, "X-RateLimit-Reset");
    }
    let claim = absolute(5).reset.expect("a claim");
    assert!(
        claim.late > Nanos(SECOND) && claim.early == Nanos::ZERO,
        "{claim:?}"
    );
}

#[test]
fn the_numbers_of_remaining_requests_add_up_to_the_limit_or_do_not() {
    let named = |remaining: fn(&State) -> u64| {
        claims(move |state| {
            vec![
                ("x-ratelimit-limit", LIMIT.to_string()),
                ("x-ratelimit-remaining", remaining(state).to_string()),
            ]
        })
    };
    let right = named(|state| state.left);
    assert_eq!(
        (right.remaining, right.limits),
        (Some(Remaining::Of(LIMIT)), vec![LIMIT])
    );
    let one_less = named(|state| state.left.saturating_sub(1));
    assert_ne!(one_less.remaining, Some(Remaining::Of(LIMIT)));
    assert_eq!(named(|_| 7).remaining, Some(Remaining::Inconsistent));
}

#[test]
fn without_headers_nothing_is_claimed() {
    assert_eq!(claims(|_| Vec::new()), Claims::default());
}
