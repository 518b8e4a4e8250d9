//! Profiles, thresholds, rules for answers and promises: a text is read, or refused at one of its columns. A text that was
//! read is displayed as a text that means the same, and blanks that the grammar leaves free do not matter.

use crate::cost::within;
use crate::mangling::{either, mangled, one_in};
use crate::refusals::check_column;
use loadgen::base::Nanos;
use loadgen::base::text::SyntaxError;
use loadgen::core::answers::Rules;
use loadgen::core::audit::{Promise, Quota};
use loadgen::core::schedule::{Profile, Schedule};
use loadgen::core::threshold::Threshold;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The seconds and mebibytes that any text may take to be read, in an unoptimized build.
const SECONDS: u64 = 3;
const MEBIBYTES: usize = 128;

const DEFAULT: Quota = Quota::new(100, Nanos(60_000_000_000));

fn rate() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u64..=1_000_000, select(&["s", "m", "h"][..])).prop_map(|(n, per)| format!("{n}/{per}")),
        select(
            &[
                "0.000001/s",
                "1000000/s",
                "999999.999999999/s",
                "0.5/s",
                ".5/m",
                "60000000/m",
                "5./s"
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u64..100_000, select(&["ms", "s", "m", ""][..]))
            .prop_map(|(n, unit)| format!("{n}{unit}")),
        select(&["1h30m", "0.5", "1.001s", "1d", "1000d", "1us", "1ns"][..])
            .prop_map(str::to_owned),
    ]
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        (rate(), time()).prop_map(|(r, t)| format!("{r} for {t}")),
        (rate(), rate(), time()).prop_map(|(a, b, t)| format!("ramp {a} to {b} over {t}")),
        (rate(), rate(), time(), time())
            .prop_map(|(a, b, p, t)| format!("sine {a} ± {b} every {p} for {t}")),
        time().prop_map(|t| format!("pause {t}")),
        (rate(), time()).prop_map(|(r, t)| format!("burst {r} for {t}")),
        (1_u64..=1_000_000_000).prop_map(|n| format!("burst {n} at once")),
    ]
}

fn profile() -> impl Strategy<Value = String> + Clone {
    let last = prop_oneof![
        3 => Just(String::new()),
        1 => rate().prop_map(|rate| format!(" , {rate}")),
        1 => Just(" , repeat".to_owned()),
        1 => (1_u64..1_000_000_000_000).prop_map(|n| format!(" , repeat {n} times")),
    ];
    (vec(piece(), 1..5), last)
        .prop_map(|(pieces, last)| pieces.join(" , ") + &last)
        .boxed()
}

fn threshold() -> impl Strategy<Value = String> + Clone {
    let target = select(&["", "target[1].", "target[3]."][..]);
    let test = |of: &'static [&'static str], units: &'static [&'static str]| {
        let number = prop_oneof![
            (0_u64..2_000).prop_map(|n| n.to_string()),
            (0_u64..100, 0_u64..1_000).prop_map(|(n, part)| format!("{n}.{part}")),
        ];
        let value =
            move || (number.clone(), select(units)).prop_map(|(n, unit)| format!("{n}{unit}"));
        (
            select(of),
            select(&["<", "<=", ">", ">=", "=", "!="][..]),
            value(),
            value(),
            any::<bool>(),
        )
            .prop_map(|(of, sign, one, other, is_range)| match is_range {
                true => format!("{of} between {one} and {other}"),
                false => format!("{of} {sign} {one}"),
            })
    };
    let tests = prop_oneof![
        test(
            &[
                "latency.p99",
                "latency.p99.9",
                "service_time.max",
                "send_lag.mean",
                "latency.min",
                "latency.p50"
            ],
            &["ms", "s", "us", "m"]
        ),
        test(
            &[
                "failed.rate",
                "blocked.rate",
                "dropped.rate",
                "allowed.rate"
            ],
            &["%", ""]
        ),
        test(
            &["allowed.per_second", "sent.per_second"],
            &["/s", "/m", "/h"]
        ),
        test(&["failed.count", "sent.count", "unsent.count"], &[""]),
        select(&["audit = kept", "schedule = kept"][..]).prop_map(str::to_owned),
    ];
    (target, tests)
        .prop_map(|(target, test)| target.to_owned() + &test)
        .boxed()
}

fn rules() -> impl Strategy<Value = String> + Clone {
    let condition = select(
        &[
            "200",
            "200-299",
            "429",
            "100-999",
            "header retry-after",
            "header x-a = 5",
            "header x = \"a, b\"",
            "json /a",
            "json /a/0 = OVER",
            "json /a = 2.0",
            "json /a = null",
            "json \"/a b\" = \"x\"",
            "body contains yes",
            "body contains \"a and b\"",
            "body matches /^a+$/",
            "body matches /(a|b){2,9}\\d/",
        ][..],
    );
    let rule = vec(condition, 1..3).prop_map(|conditions| conditions.join(" and "));
    vec(rule, 1..4).prop_map(|rules| rules.join(" , ")).boxed()
}

fn promise() -> impl Strategy<Value = String> + Clone {
    let limit = (
        select(
            &[
                "sliding-window",
                "fixed-window",
                "token-bucket",
                "sliding-counter",
            ][..],
        ),
        prop_oneof![
            Just(String::new()),
            (1_u64..1_000_000_000, time()).prop_map(|(n, t)| format!(" {n} / {t}"))
        ],
        select(
            &[
                "",
                "",
                "",
                " burst 5",
                " by clock",
                " by admission",
                " by key",
                " burst 5 by key",
            ][..],
        ),
    )
        .prop_map(|(algorithm, quota, rest)| format!("{algorithm}{quota}{rest}"));
    vec(limit, 1..4)
        .prop_map(|limits| limits.join(" and "))
        .boxed()
}

/// Blanks between words, one kind for each gap.
fn blanks() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(&[" ", "  ", "\t", " \t ", "     "][..]), 64)
}

/// The text with other blanks, also around it.
fn respaced(text: &str, blanks: &[&str]) -> String {
    let mut blanks = blanks.iter().cycle();
    let mut next = || *blanks.next().expect("a cycle");
    let mut spaced = next().to_owned();
    for word in text.split(' ') {
        spaced += word;
        spaced += next();
    }
    spaced
}

fn read<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, SyntaxError>) -> Option<T> {
    let read = within(SECONDS, MEBIBYTES, text, || parse(text));
    read.map_err(|error| check_column(&error, text)).ok()
}

/// Some instants at which profiles are compared.
fn counts(profile: &Profile) -> Vec<String> {
    let at = [
        0,
        1,
        999_999_999,
        1_000_000_000,
        61_000_000_000,
        1 << 45,
        1 << 55,
        u64::MAX,
    ];
    at.map(|at| format!("{:?}", profile.count_at(Nanos(at))))
        .to_vec()
}

fn check_profile(text: &str) {
    let Some(profile) = read(text, str::parse::<Profile>) else {
        return;
    };
    let shown = profile.to_string();
    let again: Profile = shown
        .parse()
        .unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
    assert_eq!(again.to_string(), shown, "{text:?}");
    assert_eq!(again.end(), profile.end(), "{text:?}");
    assert_eq!(counts(&again), counts(&profile), "{text:?}");
    within(SECONDS, MEBIBYTES, text, || {
        let schedule = Schedule::new(profile, None);
        let mut last = Nanos::ZERO;
        for sequence in [0, 1, 2, 1_000, 1 << 40, u64::MAX] {
            if let Some(due) = schedule.due(sequence) {
                assert!(
                    due >= last,
                    "{text:?}: request {sequence} is due before an earlier one"
                );
                assert!(
                    schedule.due_by(due) > sequence,
                    "{text:?}: request {sequence}"
                );
                last = due;
            }
        }
        for phase in schedule.phases().take(1_000) {
            assert!(phase.highest_rate().is_finite(), "{text:?}");
        }
        if let (Some(total), Some(end)) = (schedule.total(), schedule.end()) {
            assert_eq!(schedule.due_by(end), total, "{text:?}");
        }
    });
}

fn check_threshold(text: &str) {
    if let Some(threshold) = read(text, str::parse::<Threshold>) {
        let again = threshold.text.parse::<Threshold>();
        let again = again
            .unwrap_or_else(|error| panic!("{text:?} is kept as {:?}: {error}", threshold.text));
        assert_eq!(format!("{again:?}"), format!("{threshold:?}"), "{text:?}");
        let numbers = format!("{threshold:?}");
        assert!(
            !numbers.contains("inf") && !numbers.contains("NaN"),
            "{numbers}"
        );
    }
}

fn check_rules(text: &str) {
    if let Some(rules) = read(text, str::parse::<Rules>) {
        let shown = rules.to_string();
        let again: Rules = shown
            .parse()
            .unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
        assert_eq!(again.to_string(), shown, "{text:?}");
    }
}

fn check_promise(text: &str) {
    let alternatives = |text: &str| Promise::alternatives(text, DEFAULT);
    for promise in read(text, alternatives).into_iter().flatten() {
        let shown = promise.to_string();
        let again = alternatives(&shown)
            .unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
        assert_eq!(again.len(), 1);
        assert_eq!(
            format!("{:?}", again[0]),
            format!("{promise:?}"),
            "{text:?} is shown as {shown:?}"
        );
    }
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn a_profile_is_read_or_refused_at_a_column(text in either(profile())) {
        check_profile(&text);
    }

    #[test]
    fn a_threshold_is_read_or_refused_at_a_column(text in either(threshold())) {
        check_threshold(&text);
    }

    #[test]
    fn rules_are_read_or_refused_at_a_column(text in either(rules())) {
        check_rules(&text);
    }

    #[test]
    fn a_promise_is_read_or_refused_at_a_column(text in either(promise())) {
        check_promise(&text);
    }

    #[test]
    fn blanks_change_nothing(
        profile in profile(), threshold in threshold(), promise in promise(), blanks in blanks()
    ) {
        let spaced = respaced(&profile, &blanks);
        let shown = |text: &str| text.parse().map(|read: Profile| read.to_string()).map_err(|error| error.message);
        prop_assert_eq!(shown(&spaced).ok(), shown(&profile).ok(), "{:?}", spaced);
        let (spaced, test) = (respaced(&threshold, &blanks), |text: &str| {
            let mut read = text.parse::<Threshold>().ok()?;
            read.text.clear();
            Some(format!("{read:?}"))
        });
        prop_assert_eq!(test(&spaced), test(&threshold), "{:?}", spaced);
        let spaced = respaced(&promise, &blanks);
        let kept = |text: &str| Promise::alternatives(text, DEFAULT).map(|read| format!("{read:?}")).ok();
        prop_assert_eq!(kept(&spaced), kept(&promise), "{:?}", spaced);
    }

    #[test]
    fn a_text_for_one_grammar_is_refused_by_another(
        text in prop_oneof![mangled(profile()), mangled(threshold()), mangled(rules()), mangled(promise())]
    ) {
        check_profile(&text);
        check_threshold(&text);
        check_rules(&text);
        check_promise(&text);
    }
}
