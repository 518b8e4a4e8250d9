//! A limiter whose counts are lost at one instant, as by a restart of its store, is not taken for one with fixed windows.

use super::limiters::{Algorithm, Fault, faulty};
use loadgen::base::{FailureKind, KeyId, Nanos};
use loadgen::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Auditor, Decision, Observation, Terms,
};

const MILLISECOND: u64 = 1_000_000;
const WINDOW: u64 = 4_000 * MILLISECOND;
const LIMIT: u64 = 20;
const KEYS: usize = 5;

/// The audit by `auto` of 61 requests a second for six windows, three times the limit, that begin 0.3 windows after those of
/// the clock. Requests fail for 150 ms from an instant on, in windows since the run's start, and if it `restarts`, the limiter's
/// counts are lost then.
fn audited(algorithm: Algorithm, at: f64, restarts: bool) -> AuditReport {
    let origin = 3 * WINDOW / 10;
    let new = || faulty(algorithm, Fault::None, LIMIT, WINDOW, 0);
    let mut limiter = new();
    let mut auditor = Auditor::new(Terms::of_all_promises(LIMIT, Nanos(WINDOW), 1));
    let goes = (at * WINDOW as f64) as u64;
    let comes = goes + 150 * MILLISECOND;
    let mut is_new = false;
    for sequence in 0..6 * 4 * 61_u64 {
        let sent = sequence * 1_000 * MILLISECOND / 61;
        let key = sequence as usize % KEYS;
        let fails = (goes..comes).contains(&sent);
        if sent >= comes && restarts && !is_new {
            limiter = new();
            is_new = true;
        }
        let decision = if fails {
            Decision::Failed
        } else if limiter(key, 0, i128::from(sent + origin + MILLISECOND)) {
            Decision::Allowed
        } else {
            Decision::Blocked
        };
        auditor.add(Observation {
            key: AuditedKey::Load(KeyId(key as u32)),
            sequence,
            target: 0,
            node: 0,
            sent: Nanos(sent),
            done: Nanos(sent + 2 * MILLISECOND),
            decision,
            failure: fails.then_some(FailureKind::Status5xx),
            failing_open: false,
            phase: None,
            period: None,
        });
    }
    auditor.finish()
}

/// Instants at which every key has used up its limit, by each algorithm: in the first window, and later.
const INSTANTS: [f64; 5] = [0.6, 0.65, 1.55, 2.63, 3.6];

#[test]
fn lost_counts_are_never_kept_by_auto_and_named_if_the_limit_is_broken() {
    for at in INSTANTS {
        for algorithm in [
            Algorithm::SlidingLog,
            Algorithm::ClockWindow,
            Algorithm::OpenedWindow,
        ] {
            let report = audited(algorithm, at, true);
            let case = format!("{algorithm:?} at {at}: {:#?}", report.promises);
            assert_ne!(report.verdict(true), AuditVerdict::Kept, "{case}");
            // Not even windows of a clock with a boundary at that instant explain it.
            let fixed = &report.promises[1].limits[0];
            assert!(!fixed.is_explained(), "{case}");
        }
        let report = audited(Algorithm::SlidingLog, at, true);
        if report.verdict(true) != AuditVerdict::Broken {
            // Windows of a clock for each key remain.
            assert_eq!(report.verdict(true), AuditVerdict::Suspect, "{at}");
            continue;
        }
        let causes = report.causes(None, &[]);
        let names: Vec<_> = causes.iter().map(|cause| cause.name).collect();
        assert!(names.contains(&"counts were lost"), "{at}: {names:?}");
    }
}

#[test]
fn lost_counts_are_never_kept() {
    for at in INSTANTS {
        for algorithm in [Algorithm::Bucket, Algorithm::Counter] {
            let report = audited(algorithm, at, true);
            assert_ne!(
                report.verdict(true),
                AuditVerdict::Kept,
                "{algorithm:?}, {at}"
            );
        }
    }
}

#[test]
fn the_same_failures_without_a_loss_leave_a_right_limiter_kept() {
    for at in INSTANTS {
        for algorithm in [
            Algorithm::SlidingLog,
            Algorithm::ClockWindow,
            Algorithm::OpenedWindow,
            Algorithm::Bucket,
            Algorithm::Counter,
        ] {
            let report = audited(algorithm, at, false);
            let case = format!("{algorithm:?} at {at}: {:#?}", report.promises);
            assert_eq!(report.verdict(true), AuditVerdict::Kept, "{case}");
        }
    }
}

/// One clock lays the windows of all keys, and the run begins within one: a boundary excuses twice the limit.
#[test]
fn fixed_windows_that_the_run_begins_within_are_kept() {
    let report = audited(Algorithm::ClockWindow, 100.0, false);
    assert_eq!(report.verdict(true), AuditVerdict::Kept);
    assert!(report.keys_over > 0, "no boundary shows");
}
