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
        let is_down = node == 2 && (from..to).contains(&at);
        let fails = is_down || sequence * 7_919 % 1_000 < failing;
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
