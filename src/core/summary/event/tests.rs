use super::*;
use crate::core::stats::effects::WhyUnknown;

/// A span of 100 requests, of which these were blocked and failed.
fn numbers(blocked: u64, failed: u64, admitted_beyond: Option<u64>) -> SpanSummary {
    SpanSummary {
        sent: 100,
        allowed: 100 - blocked - failed,
        blocked,
        failed,
        abandoned: 0,
        failing_open: 0,
        unanswered: 0,
        admitted_beyond,
        latency_p50_ns: Some(1_000_000),
        latency_p99_ns: Some(2_000_000),
    }
}

fn effect(failed: HowFailed, during: SpanSummary) -> EffectSummary {
    EffectSummary {
        failed,
        why_unknown: None,
        is_slow: false,
        felt: None,
        recovery: None,
        before: numbers(10, 0, during.admitted_beyond.map(|_| 0)),
        during,
        after: None,
    }
}

fn event(effect: EffectSummary) -> EventSummary {
    let failures = vec![FailureSummary {
        kind: "status_5xx".to_owned(),
        status: Some(503),
        reason: None,
        count: effect.during.failed,
        examples: Vec::new(),
    }];
    let target = |name: &str, failed| EventTarget {
        name: name.to_owned(),
        effect: EffectSummary {
            failed,
            ..effect.clone()
        },
    };
    EventSummary {
        name: "redis goes".to_owned(),
        kind: "command".to_owned(),
        due_ns: Some(30_000_000_000),
        began_ns: 30_000_100_000,
        until_ns: 40_000_000_000,
        ended_by: None,
        command: None,
        statements: Vec::new(),
        failures: if effect.during.failed > 0 {
            failures
        } else {
            Vec::new()
        },
        targets: vec![
            target("http://a", effect.failed),
            target("http://b", HowFailed::NotAtAll),
        ],
        effect,
    }
}

fn statements(effect: EffectSummary) -> Vec<String> {
    statements::of_event(&event(effect))
}

#[test]
fn a_limiter_that_failed_closed_says_what_failed_where_and_when_it_was_right_again() {
    let effect = EffectSummary {
        felt: Some(FeltSummary {
            after_ns: 31_000_000,
            sequence: 312,
            target: "http://a".to_owned(),
            how: "failed".to_owned(),
            cause: Some("503".to_owned()),
        }),
        recovery: Some(RecoverySummary {
            from: "undo of redis goes".to_owned(),
            from_ns: 40_000_000_000,
            first_answer_ns: Some(400_000_000),
            good_second_ns: Some(410_000_000),
            kept_ns: Some(0),
            last_excess: None,
            total_ns: Some(410_000_000),
            failed_later: false,
        }),
        ..effect(HowFailed::Closed, numbers(5, 61, Some(0)))
    };
    let expected = [
        "Failed closed: 61 of 100 requests failed (503 ×61). None was admitted beyond the limit.",
        "Only http://a failed closed. No request to the other one failed.",
        "The first request that felt it was sent 31.0 ms later, went to http://a and failed: 503.",
        "Right again after 410 ms, counted from the begin of undo of redis goes: the first answer came after 400 ms, \
         the first second without a failure began after 410 ms, and none was admitted beyond the limit after that.",
    ];
    assert_eq!(statements(effect.clone()), expected);
    let mut whole = event(effect);
    whole.statements = statements::of_event(&whole);
    let short = whole.in_short();
    assert_eq!(
        short.as_deref(),
        Some("failed closed, right again after 410 ms")
    );
}

#[test]
fn a_limiter_that_failed_open_says_how_many_it_admitted_too_many() {
    let mut during = numbers(0, 0, Some(75));
    let first =
        |during: &SpanSummary| statements(effect(HowFailed::Open, during.clone())).remove(0);
    assert_eq!(
        first(&during),
        "Failed open: 75 requests were admitted beyond the limit."
    );
    during.failing_open = 100;
    let expected = "Failed open: 75 requests were admitted beyond the limit, and 100 with an answer that says that the limiter \
                    fails open.";
    assert_eq!(first(&during), expected);
    during.admitted_beyond = None;
    let expected = "Failed open: 100 requests were admitted with an answer that says so.";
    assert_eq!(first(&during), expected);
}

#[test]
fn nothing_is_said_to_have_happened_only_if_it_would_have_been_seen() {
    let first = |failed, during| statements(effect(failed, during)).remove(0);
    let seen = first(HowFailed::NotAtAll, numbers(20, 0, Some(0)));
    assert_eq!(seen, "Did not fail: no request failed.");
    let unknown = EffectSummary {
        why_unknown: Some(statements::why_unknown(WhyUnknown::NotAudited)),
        ..effect(HowFailed::Unknown, numbers(20, 0, None))
    };
    let unaudited = statements(unknown).remove(0);
    let expected = "No request failed. Whether it failed open can't be told: without --audit, admissions beyond the limit are \
                    not counted.";
    assert_eq!(unaudited, expected);
    let none = SpanSummary {
        sent: 0,
        ..numbers(0, 0, None)
    };
    assert_eq!(
        first(HowFailed::Unknown, none),
        "No request was sent while it lasted."
    );
}

#[test]
fn a_limiter_that_was_not_right_again_says_from_when_on_that_was_looked_for() {
    let effect = EffectSummary {
        recovery: Some(RecoverySummary {
            from: "the end of its command".to_owned(),
            from_ns: 31_000_000_000,
            first_answer_ns: None,
            good_second_ns: None,
            kept_ns: None,
            last_excess: None,
            total_ns: None,
            failed_later: false,
        }),
        ..effect(HowFailed::Closed, numbers(0, 100, None))
    };
    let expected = "Not right again by the end of the run, counted from the end of its command: no answer came, and no second \
                    without a failure was seen.";
    assert_eq!(
        statements(effect).last().map(String::as_str),
        Some(expected)
    );
}

/// What is said last of a limiter that failed open.
fn opened(kept: Option<u64>, excess: Option<&str>, total: Option<u64>) -> String {
    let effect = EffectSummary {
        recovery: Some(RecoverySummary {
            from: "its begin".to_owned(),
            from_ns: 30_000_000_000,
            first_answer_ns: None,
            good_second_ns: None,
            kept_ns: kept,
            last_excess: excess.map(str::to_owned),
            total_ns: total,
            failed_later: false,
        }),
        ..effect(HowFailed::Open, numbers(0, 0, Some(75)))
    };
    statements(effect).pop().unwrap()
}

#[test]
fn a_limiter_that_failed_open_says_when_it_was_right_again_and_how_that_is_known() {
    for (kept, excess, total, expected) in [
        (
            Some(400_000_000),
            Some(BEYOND),
            Some(400_000_000),
            "Right again after 400 ms, counted from its begin: the last admission that was too many came after 400 ms.",
        ),
        (
            Some(400_000_000),
            Some(FAILING_OPEN),
            Some(400_000_000),
            "Right again after 400 ms, counted from its begin: the last answer that says that the limiter fails open came after \
             400 ms.",
        ),
        (
            Some(0),
            None,
            Some(0),
            "Right again at once, counted from its begin: none was admitted beyond the limit after that.",
        ),
        (
            Some(29_000_000_000),
            Some(BEYOND),
            None,
            "Not right again by the end of the run, counted from its begin: the last admission that was too many came after \
             29.0 s, and the run ended less than a second later.",
        ),
        (
            None,
            None,
            None,
            "Not known to be right again, counted from its begin: no key was blocked after that, so nothing shows that the limit \
             was kept again.",
        ),
    ] {
        assert_eq!(opened(kept, excess, total), expected);
    }
}

#[test]
fn targets_that_failed_open_are_not_said_not_to_have_failed() {
    let of = |others: [HowFailed; 2]| {
        let mut event = event(effect(HowFailed::OpenAndClosed, numbers(5, 61, Some(7))));
        let third = event.targets[1].clone();
        event.targets.push(third);
        event.targets[0].effect.failed = HowFailed::Closed;
        for (target, how) in event.targets[1..].iter_mut().zip(others) {
            target.effect.failed = how;
        }
        statements::of_event(&event).remove(1)
    };
    let (open, none, before) = (
        HowFailed::Open,
        HowFailed::NotAtAll,
        HowFailed::FailedBefore,
    );
    for (others, expected) in [
        (
            [open, open],
            "Only http://a failed closed. 2 of 3 targets failed open.",
        ),
        (
            [open, none],
            "Only http://a failed closed. 1 of 3 targets failed open.",
        ),
        (
            [none, none],
            "Only http://a failed closed. No request to the other 2 failed.",
        ),
        (
            [none, before],
            "Only http://a failed closed. 1 of 3 targets failed already before.",
        ),
        (
            [HowFailed::Closed, HowFailed::Closed],
            "All 3 targets failed closed.",
        ),
    ] {
        assert_eq!(of(others), expected);
    }
}

#[test]
fn an_undo_that_did_no_harm_says_nothing() {
    let mut undo = event(effect(HowFailed::FailedBefore, numbers(20, 3, Some(0))));
    undo.kind = "undo".to_owned();
    assert_eq!(statements::of_event(&undo), [""; 0]);
    assert_eq!(undo.title(), "undo of redis goes");
}

#[test]
fn an_outage_names_its_targets_its_kinds_and_its_event() {
    let outage = OutageSummary {
        from_ns: 12_000_000_000,
        to_ns: 14_250_000_000,
        targets: vec!["http://a".to_owned()],
        failed: 7,
        kinds: BTreeMap::from([("refused".to_owned(), 7)]),
        event: None,
        statement: String::new(),
    };
    let expected = "from 12 s to 14.25 s, 7 requests to http://a failed (refused ×7); this began with no event";
    assert_eq!(statements::of_outage(&outage, true), expected);
}
