//! Outages are told apart from a limiter's other faults.

use super::limiters::{Algorithm, Fault, faulty};
use loadgen::base::{FailureKind, KeyId, Nanos};
use loadgen::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Auditor, Decision, Observation, Promise, Quota, Terms,
};

const MILLISECOND: u64 = 1_000_000;
const WINDOW: u64 = 4_000 * MILLISECOND;
const LIMIT: u64 = 20;
const KEYS: usize = 5;
const NODES: usize = 3;

/// The audit of 60 requests a second for 40 s. The third node fails between two instants, in windows since the start, and
/// else so many of 1,000 requests fail.
fn audited(
    promise: &str,
    algorithm: Algorithm,
    fault: Fault,
    (from, to): (f64, f64),
    failing: u64,
) -> AuditReport {
    let fails = |sequence: u64, node: usize, at: f64| {
        let is_down = node == 2 && (from..to).contains(&at);
        is_down || sequence * 7_919 % 1_000 < failing
    };
    audited_with(promise, algorithm, fault, fails, |_, _| false)
}

/// The same with nodes of which the answers to admitted requests may say that they fail open. `is_marked` takes the node and
/// the instant, in windows since the start.
fn marked(
    promise: &str,
    algorithm: Algorithm,
    fault: Fault,
    is_marked: impl Fn(usize, f64) -> bool,
) -> AuditReport {
    audited_with(promise, algorithm, fault, |_, _, _| false, is_marked)
}

fn audited_with(
    promise: &str,
    algorithm: Algorithm,
    fault: Fault,
    fails: impl Fn(u64, usize, f64) -> bool,
    is_marked: impl Fn(usize, f64) -> bool,
) -> AuditReport {
    let quota = Quota::new(LIMIT, Nanos(WINDOW));
    let mut limiter = faulty(algorithm, fault, LIMIT, WINDOW, 0);
    let mut auditor = Auditor::new(Terms {
        promises: Promise::alternatives(promise, quota).expect("a promise"),
        ..Terms::of_all_promises(LIMIT, Nanos(WINDOW), NODES)
    });
    for sequence in 0..2_400_u64 {
        let sent = sequence * 1_000 * MILLISECOND / 60;
        let (key, node) = (sequence as usize % KEYS, sequence as usize % NODES);
        let at = sent as f64 / WINDOW as f64;
        let fails = fails(sequence, node, at);
        let decision = if fails {
            Decision::Failed
        } else if limiter(key, node, i128::from(sent) + i128::from(MILLISECOND)) {
            Decision::Allowed
        } else {
            Decision::Blocked
        };
        auditor.add(Observation {
            key: AuditedKey::Load(KeyId(key as u32)),
            sequence,
            target: node as u32,
            node: node as u32,
            sent: Nanos(sent),
            done: Nanos(sent + 2 * MILLISECOND),
            decision,
            failure: fails.then_some(FailureKind::Status5xx),
            failing_open: decision == Decision::Allowed && is_marked(node, at),
            phase: None,
            period: None,
        });
        if sequence.is_multiple_of(10) {
            auditor.advance(Nanos(sent));
        }
    }
    auditor.finish()
}

const PROMISES: [(&str, Algorithm); 4] = [
    ("sliding-window", Algorithm::SlidingLog),
    ("fixed-window", Algorithm::ClockWindow),
    ("token-bucket", Algorithm::Bucket),
    ("sliding-counter", Algorithm::Counter),
];

#[test]
fn a_limiter_that_is_open_only_in_an_outage_is_kept_otherwise_by_each_promise() {
    for (promise, algorithm) in PROMISES {
        let open = Fault::Open(3.0, 5.0);
        let report = audited(promise, algorithm, open, (2.99, 5.01), 0);
        assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
        assert_eq!(report.kept_but_for_outages(), Some(0), "{promise}");
        assert_eq!(report.outages.len(), 1, "{promise}");
        let beyond = &report.promises[0].beyond;
        assert_eq!(beyond.outside, 0, "{promise}");
        assert_eq!(report.outages[0].beyond[0], beyond.total, "{promise}");
    }
}

#[test]
fn an_outage_at_the_start_or_the_end_is_one() {
    for (from, to) in [(0.0, 2.0), (8.0, 11.0)] {
        let open = Fault::Open(from, to);
        let report = audited("sliding-window", Algorithm::SlidingLog, open, (from, to), 0);
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        assert_eq!(report.kept_but_for_outages(), Some(0), "from {from}");
    }
}

#[test]
fn a_limiter_whose_node_failed_all_the_time_is_not_called_kept_otherwise() {
    for (from, to) in [(0.0, 11.0), (0.9, 11.0), (0.0, 9.1)] {
        let open = Fault::Open(from, to);
        let report = audited("sliding-window", Algorithm::SlidingLog, open, (from, to), 0);
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        assert_eq!(report.outages.len(), 1);
        assert_eq!(report.kept_but_for_outages(), None, "{from} to {to}");
    }
}

#[test]
fn a_limiter_that_is_broken_at_other_times_is_never_called_kept_otherwise() {
    let faults = [
        Fault::OneMore,
        Fault::HalfWindow,
        Fault::NodesAlone,
        Fault::AlwaysOpen,
        // Open for half a window before its node fails, or after.
        Fault::Open(2.5, 3.0),
        Fault::Open(5.1, 5.6),
    ];
    for (promise, algorithm) in PROMISES {
        for fault in faults {
            let report = audited(promise, algorithm, fault, (3.0, 5.0), 0);
            assert_eq!(report.outages.len(), 1);
            let kept = report.kept_but_for_outages();
            assert_eq!(kept, None, "{promise}, {fault:?}");
        }
    }
}

#[test]
fn one_failure_in_a_thousand_excuses_nothing() {
    for (promise, algorithm) in PROMISES {
        let report = audited(promise, algorithm, Fault::Open(3.0, 5.0), (0.0, 0.0), 1);
        assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
        assert_eq!(report.outages, [], "{promise}");
        assert_eq!(report.kept_but_for_outages(), None, "{promise}");
    }
}

#[test]
fn a_right_limiter_keeps_its_promise_through_an_outage() {
    for (promise, algorithm) in PROMISES {
        let report = audited(promise, algorithm, Fault::None, (3.0, 5.0), 1);
        assert_eq!(report.verdict(true), AuditVerdict::Kept, "{promise}");
        assert_eq!(report.outages.len(), 1, "{promise}");
    }
}

#[test]
fn a_limiter_that_says_when_it_fails_open_is_kept_otherwise_by_each_promise() {
    for (promise, algorithm) in PROMISES {
        for (from, to) in [(3.0, 5.0), (0.0, 2.0), (8.0, 11.0), (3.4, 3.6)] {
            let open = Fault::Open(from, to);
            let is_open = |_, at| (from..to).contains(&at);
            let report = marked(promise, algorithm, open, is_open);
            let case = format!("{promise} from {from} to {to}: {:#?}", report.promises);
            assert_eq!(report.verdict(true), AuditVerdict::Broken, "{case}");
            assert_eq!(report.kept_but_for_outages(), Some(0), "{case}");
            let beyond = &report.promises[0].beyond;
            assert_eq!(
                (beyond.outside, beyond.failing_open),
                (0, beyond.total),
                "{case}"
            );
            let in_outages = report.outages.iter().map(|outage| outage.beyond[0]);
            assert_eq!(in_outages.sum::<u64>(), beyond.total, "{case}");
            assert_eq!(causes(&report), [FAILING_OPEN], "{case}");
        }
    }
}

const FAILING_OPEN: &str = "requests were admitted while failing open";

fn causes(report: &AuditReport) -> Vec<&'static str> {
    let causes = report.causes(None, &[]);
    causes.iter().map(|cause| cause.name).collect()
}

#[test]
fn a_limiter_that_says_all_the_time_that_it_fails_open_is_not_called_kept_otherwise() {
    for (promise, algorithm) in PROMISES {
        for fault in [Fault::AlwaysOpen, Fault::NodesAlone, Fault::Open(3.0, 5.0)] {
            let report = marked(promise, algorithm, fault, |_, _| true);
            assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
            assert_eq!(report.kept_but_for_outages(), None, "{promise}, {fault:?}");
        }
    }
}

#[test]
fn a_limiter_that_is_also_broken_is_found_beside_what_it_admits_while_failing_open() {
    for (promise, algorithm) in PROMISES {
        for fault in [Fault::HalfWindow, Fault::NodesAlone, Fault::AlwaysOpen] {
            // Its words are about a time in which it was no more open than at others.
            let report = marked(promise, algorithm, fault, |_, at| (3.0..5.0).contains(&at));
            assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
            assert_eq!(report.kept_but_for_outages(), None, "{promise}, {fault:?}");
            assert!(
                !causes(&report).contains(&FAILING_OPEN),
                "{promise}, {fault:?}"
            );
        }
        // Two of three nodes say nothing.
        let open = Fault::Open(3.0, 5.0);
        let report = marked(promise, algorithm, open, |node, at| {
            node == 0 && (3.0..5.0).contains(&at)
        });
        assert_eq!(report.kept_but_for_outages(), None, "{promise}");
        assert!(!causes(&report).contains(&FAILING_OPEN), "{promise}");
    }
}

#[test]
fn what_was_admitted_while_failing_open_may_be_counted_long_after_it() {
    // The store stops at 10 s, works through what it was sent when it goes on at 18 s, and blocks because of that.
    let quota = Quota::new(LIMIT, Nanos(WINDOW));
    let mut auditor = Auditor::new(Terms {
        promises: Promise::alternatives("sliding-window", quota).expect("a promise"),
        ..Terms::of_all_promises(LIMIT, Nanos(WINDOW), 1)
    });
    let (stops, goes_on) = (10_000 * MILLISECOND, 18_000 * MILLISECOND);
    let mut counted: Vec<u64> = Vec::new();
    for sequence in 0..400_u64 {
        let sent = sequence * 75 * MILLISECOND;
        let is_open = (stops..goes_on).contains(&sent);
        counted.retain(|at| at + WINDOW > sent);
        let is_allowed = is_open || counted.len() < LIMIT as usize;
        if is_open {
            counted.extend((counted.len() < LIMIT as usize).then_some(goes_on));
        } else if is_allowed {
            counted.push(sent);
        }
        let decision = if is_allowed {
            Decision::Allowed
        } else {
            Decision::Blocked
        };
        auditor.add(Observation {
            key: AuditedKey::Load(KeyId(0)),
            sequence,
            target: 0,
            node: 0,
            sent: Nanos(sent),
            done: Nanos(sent + 2 * MILLISECOND),
            decision,
            failure: None,
            failing_open: is_open,
            phase: None,
            period: None,
        });
    }
    let report = auditor.finish();
    assert_eq!(report.promises[0].false_blocks, 0);
    assert_eq!(report.kept_but_for_outages(), Some(0));
}

#[test]
fn a_limiter_that_fails_open_without_a_word_is_broken_as_ever() {
    for (promise, algorithm) in PROMISES {
        let report = marked(promise, algorithm, Fault::Open(3.0, 5.0), |_, _| false);
        assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
        assert_eq!(
            (report.kept_but_for_outages(), &report.outages[..]),
            (None, &[][..])
        );
        assert!(!causes(&report).contains(&FAILING_OPEN), "{promise}");
    }
}

#[test]
fn a_right_limiter_that_says_that_it_fails_open_keeps_its_promise() {
    for (promise, algorithm) in PROMISES {
        let report = marked(promise, algorithm, Fault::None, |_, at| {
            (3.0..5.0).contains(&at)
        });
        assert_eq!(report.verdict(true), AuditVerdict::Kept, "{promise}");
        assert!(report.outages.iter().all(|outage| outage.beyond[0] == 0));
    }
}
