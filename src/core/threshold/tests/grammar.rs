//! Reading thresholds, and the columns of what is wrong with them.

use super::super::*;
use super::texts;
use proptest::prelude::*;

/// Some text of each kind of threshold, for up to two targets.
fn any_text() -> impl Strategy<Value = String> {
    const OF_PARTS: [&str; 8] = [
        "audit != broken",
        "audit = kept",
        "event[redis].recovery < 2s",
        "event[undo_of_x.1].latency.p99.9 <= 5ms",
        "event[redis].failed[timeout].rate between 1% and 5% of failed",
        "event[2].admitted_beyond = 0",
        "phase[burst].failing_open.rate < 5% of allowed",
        "phase[ramp].service_time.max < 1s",
    ];
    let of_parts = prop::sample::select(OF_PARTS.as_slice());
    prop_oneof![15 => texts(2), 5 => of_parts.prop_map(str::to_owned)]
}

/// The metric and the test that a text stands for.
#[track_caller]
fn read(text: &str) -> String {
    let threshold: Threshold = text.parse().expect(text);
    let Threshold {
        scope,
        metric,
        test,
        ..
    } = threshold;
    format!("{scope:?} {metric:?} {test:?}")
}

fn column(text: &str) -> usize {
    text.parse::<Threshold>().expect_err(text).column
}

proptest! {
    #[test]
    fn blanks_are_free(text in any_text(), blanks in "[ \t]{0,3}") {
        let wide = text.replace(' ', &format!(" {blanks}"));
        let wide = wide.replace('[', &format!("{blanks}[{blanks}"));
        prop_assert_eq!(read(&format!("{blanks}{wide}{blanks}")), read(&text), "{}", wide);
    }

    #[test]
    fn a_mangled_threshold_is_one_or_wrong_at_a_column_within_it(
        text in any_text(), at in any::<prop::sample::Index>(), cut in 0usize..4, more in "\\PC{0,4}"
    ) {
        let mut text: Vec<_> = text.chars().collect();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, more.chars());
        let text: String = text.into_iter().collect();
        if let Err(wrong) = text.parse::<Threshold>() {
            prop_assert!((1..=text.chars().count() + 1).contains(&wrong.column), "{:?}", wrong);
        }
    }

    #[test]
    fn the_column_is_that_of_the_first_wrong_word(
        text in any_text(), place in any::<prop::sample::Index>()
    ) {
        let begins = text.match_indices(' ').map(|(blank, _)| blank + 1);
        let begins: Vec<_> = std::iter::once(0).chain(begins).collect();
        let begin = *place.get(&begins);
        let wrong = format!("{}@{}", &text[..begin], &text[begin..]);
        prop_assert_eq!(column(&wrong), text[..begin].chars().count() + 1, "{}", wrong);
    }
}

#[test]
fn thresholds_are_as_documented() {
    for (text, same) in [
        ("latency.p99<0.05s", "latency.p99 < 50ms"),
        ("send_lag . max <= 100 us", "send_lag.max <= 100µs"),
        ("lookup.p99.9 < 1m30s", "lookup.p99.9 < 90s"),
        ("service_time.p50 >= 1s 5ms", "service_time.p50 >= 1.005s"),
        ("sent.rate > 99% of scheduled", "sent.rate > 99%"),
        ("allowed.rate > 99.50 % of sent", "allowed.rate > 99.5%"),
        (
            "failed[dns].rate<5%of failed",
            "failed[dns].rate < 5% of failed",
        ),
        ("allowed.per_second<100 / m", "allowed.per_second < 100/m"),
        ("audit=kept", "audit = kept"),
    ] {
        assert_eq!(read(text), read(same), "{text}");
    }
    for text in [
        "connect.mean > 100µs",
        "tls.min != 100μs",
        "failed.rate < 0.1%",
        "blocked.rate between 10% and 40%",
        "allowed.rate > 99.5% of success",
        "failed[timeout].count = 0",
        "allowed.per_second < 1.7/s",
        "schedule = kept",
    ] {
        read(text);
    }
    let threshold: Threshold = " target[2].latency.p99 < 20ms ".parse().unwrap();
    assert_eq!(threshold.scope, Scope::Target(1));
    assert_eq!(threshold.text, "target[2].latency.p99 < 20ms");
    for (text, scope) in [
        (
            "event[redis goes].recovery < 2s",
            Scope::Event("redis goes".to_owned()),
        ),
        (
            "event[ redis goes ] . admitted_beyond = 0",
            Scope::Event("redis goes".to_owned()),
        ),
        (
            r#"event["a ]b"].failed.count = 0"#,
            Scope::Event("a ]b".to_owned()),
        ),
        (
            "event[undo of 2.5].failing_open.rate < 1%",
            Scope::Event("undo of 2.5".to_owned()),
        ),
        (
            "phase[burst 2.5/s].service_time.p50 < 1ms",
            Scope::Phase("burst 2.5/s".to_owned()),
        ),
        (
            "phase[burst].dropped.rate = 0%",
            Scope::Phase("burst".to_owned()),
        ),
    ] {
        let threshold: Threshold = text.parse().expect(text);
        assert_eq!(threshold.scope, scope, "{text}");
    }
}

#[test]
fn an_error_names_its_column_and_the_allowed_forms() {
    for (text, column, says) in [
        ("", 1, "must be one of latency, "),
        ("   ", 4, "must be one of latency, "),
        ("latncy.p99 < 1ms", 1, "did you mean latency?"),
        ("Latency.p99 < 1ms", 1, "did you mean latency?"),
        ("latency", 8, "must be . after latency"),
        ("latency p99 < 1ms", 9, "must be . after latency"),
        ("latency.", 9, "p99.9"),
        ("latency.p9 < 50ms", 9, "did you mean p90?"),
        ("latency.p999 < 50ms", 9, "did you mean p99.9?"),
        ("latency.p100 < 50ms", 9, "did you mean max?"),
        ("latency.avg < 50ms", 9, "must be min, mean, max"),
        ("latency.maxx < 50ms", 9, "did you mean max?"),
        ("latency.p99.9999 < 50ms", 9, "two digits"),
        ("latency.count < 50", 9, "must be min, mean, max"),
        ("latency.p99 50ms", 13, "must be <, <=, >, >=, =, != or"),
        ("latency.p99 == 50ms", 13, "did you mean =?"),
        ("latency.p99 ≤ 50ms", 13, "did you mean <=?"),
        ("latency.p99 <", 14, "must be a time"),
        ("latency.p99 < 50", 17, "must be a unit of time"),
        ("latency.p99 < 50 mss", 18, "must be a unit of time"),
        ("latency.p99 < 50%", 17, "must be a unit of time"),
        ("latency.p99 < -5ms", 15, "must be a time"),
        ("latency.p99 < 1.2.3ms", 15, "must be a time"),
        ("latency.p99 < 0.5ns", 15, "whole nanoseconds"),
        ("latency.p99 < 3651d", 15, "up to 3650d"),
        ("latency.p99 < 5ms 1s", 20, "smaller unit"),
        ("latency.p99 < 50ms please", 20, "must be the end"),
        ("latency.p99 between 5ms", 24, "must be and"),
        ("latency.p99 between 5ms and 4ms", 29, "no less than 5ms"),
        ("failed.rate < 5", 16, "must be % after 5"),
        ("failed.rate < 101%", 15, "from 0% to 100%"),
        ("failed.rate < 5% of dropped", 21, "one of sent, scheduled"),
        ("sent.rate > 5% of sent", 19, "must be scheduled"),
        ("scheduled.rate > 5%", 11, "one of count, per_second"),
        ("failed[slow].count = 0", 8, "must be one of dns, "),
        ("failed[timeout.count = 0", 15, "must be ] after timeout"),
        ("failed.count < 0.5", 16, "whole number"),
        ("failed.count < 5%", 17, "must be the end"),
        ("failed.count < 99999999999999999999", 16, "whole number"),
        ("allowed.per_second < 5", 23, "must be / after 5"),
        ("allowed.per_second < 5/d", 24, "must be one of s, m, h"),
        ("audit < kept", 7, "must be = kept, = broken or != broken"),
        ("audit != kept", 10, "must be broken"),
        ("target.latency.p99 < 1ms", 7, "must be [ after target"),
        ("target[0].latency.p99 < 1ms", 8, "from 1"),
        ("target[http://h].latency.p99 < 1ms", 8, "target's number"),
        ("target[1].send_lag.p99 < 1ms", 11, "one of latency, "),
        ("target[1].audit = kept", 11, "must be one of latency, "),
        ("event.recovery < 1s", 6, "must be [ after event"),
        ("event[].recovery < 1s", 7, "must be the name of the event"),
        (
            "event[  ].recovery < 1s",
            9,
            "must be the name of the event",
        ),
        (
            "event[a.recovery < 1s",
            22,
            "must be ] after a.recovery < 1s",
        ),
        ("event[\"a].recovery < 1s", 7, "string as in JSON"),
        ("event[a]recovery < 1s", 9, "must be . after event"),
        (
            "event[a].service_time.p99 < 1s",
            10,
            "must be one of latency, ",
        ),
        ("event[a].dropped.count = 0", 10, "must be one of latency, "),
        (
            "event[a].sent.rate = 0%",
            15,
            "must be one of count, per_second",
        ),
        ("event[a].failed.rate < 5% of scheduled", 30, "must be sent"),
        ("event[a].recovery < 5", 22, "must be a unit of time"),
        ("phase[burst].recovery < 1s", 14, "must be one of latency, "),
        (
            "phase[burst].send_lag.p99 < 1s",
            14,
            "must be one of latency, ",
        ),
        ("recovery < 1s", 1, "did you mean event[NAME].recovery?"),
    ] {
        let wrong = text.parse::<Threshold>().expect_err(text);
        assert_eq!(wrong.column, column, "{text}: {wrong}");
        assert!(wrong.message.contains(says), "{text}: {wrong}");
    }
}
