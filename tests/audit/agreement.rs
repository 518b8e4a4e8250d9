//! The audit and the brute-force audit say the same, of correct limiters and of faulty ones.

use super::brute::Brute;
use super::cluster::{History, world};
use super::limiters::{Algorithm, Fault};
use super::soundness::for_all;
use loadgen::base::Nanos;
use loadgen::core::audit::{
    AdmissionSpan, Algorithm as Promised, AuditReport, Conclusion, Decision, LimitReport,
    Observation, PromiseReport,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::cell::Cell;
use std::collections::HashSet;

fn false_blocks(report: &AuditReport, algorithm: Promised) -> u64 {
    let of = |one: &&PromiseReport| one.promise.limits[0].algorithm == algorithm;
    report
        .promises
        .iter()
        .find(of)
        .expect("asked for")
        .false_blocks
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::None),
        Just(Fault::OneMore),
        Just(Fault::HalfWindow),
        Just(Fault::NodesAlone),
        (0.0..0.5).prop_map(Fault::Race),
        (0.0..2.0, 0.0..3.0).prop_map(|(from, to)| Fault::Open(from, from + to)),
        Just(Fault::AlwaysOpen),
        Just(Fault::CountsBlocked),
        (1usize..10).prop_map(Fault::BlocksSometimes),
    ]
}

fn history(requests: usize) -> impl Strategy<Value = History> {
    (world(requests), select(&Algorithm::ALL[..]), fault()).prop_map(
        |(mut world, algorithm, fault)| {
            // The brute-force audit does not follow answers that come after the timeout.
            world.patient = false;
            world.play(algorithm, fault)
        },
    )
}

/// Tries so many histories of at most so many requests, with the reports of both audits.
fn for_all_histories(
    cases: u32,
    requests: usize,
    agree: impl Fn(&History, &AuditReport, &Brute<'_>) -> TestCaseResult,
) {
    for_all(cases, history(requests), |history| {
        let brute = Brute::new(&history.terms, history.observations());
        agree(&history, &history.audit(), &brute)
    });
}

fn on(report: &AuditReport, algorithm: Promised) -> &LimitReport {
    let of = |one: &&PromiseReport| one.promise.limits[0].algorithm == algorithm;
    let promise = report.promises.iter().find(of).expect("asked for");
    &promise.limits[0]
}

/// Counts how often something came up. A property that never met it proves nothing.
#[derive(Default)]
struct Times(Cell<u64>);

impl Times {
    fn count(&self, it: bool) -> bool {
        self.0.set(self.0.get() + u64::from(it));
        it
    }

    fn often(&self, what: &str) {
        println!("{what}: {}", self.0.get());
        let few = std::env::var_os("PROPTEST_CASES").is_some();
        assert!(few || self.0.get() > 0, "{what}: never");
    }
}

#[test]
fn the_audit_proves_all_that_can_be_proved_of_sliding_windows() {
    let broken = Times::default();
    for_all_histories(1_500, 90, |_, report, brute| {
        let judged = on(report, Promised::SlidingWindow);
        let expected = broken.count(brute.sliding_broken());
        // Longer spans prove more.
        prop_assert!(judged.excess.is_some() || !expected);
        prop_assert!(judged.excess.is_none() || brute.sliding_broken_over_any_span());
        prop_assert_eq!(report.keys_over, brute.keys_over());
        prop_assert!(judged.tested <= brute.sliding_tested());
        Ok(())
    });
    broken.often("sliding windows broken");
}

#[test]
fn the_audit_proves_all_that_can_be_proved_of_token_buckets() {
    let broken = Times::default();
    for_all_histories(1_500, 90, |_, report, brute| {
        let judged = on(report, Promised::TokenBucket);
        let expected = broken.count(brute.bucket_broken());
        prop_assert_eq!(judged.excess.is_some(), expected);
        prop_assert!(judged.tested <= brute.bucket_tested());
        Ok(())
    });
    broken.often("token buckets broken");
}

#[test]
fn a_promise_is_suspect_if_it_would_be_broken_had_the_unanswered_requests_been_admitted() {
    let suspect = Times::default();
    for_all_histories(1_500, 90, |_, report, brute| {
        let (sliding, bucket) = (brute.sliding_suspect(), brute.bucket_suspect());
        for (promise, expected, broken) in [
            (Promised::SlidingWindow, sliding, brute.sliding_broken()),
            (Promised::TokenBucket, bucket, brute.bucket_broken()),
        ] {
            let judged = on(report, promise);
            suspect.count(expected && !broken);
            if judged.excess.is_none() && !broken {
                prop_assert!(judged.is_broken_by_unanswered() || !expected);
            }
        }
        Ok(())
    });
    suspect.often("promises suspect, but not broken");
}

#[test]
fn the_true_peak_lies_within_the_reported_bounds() {
    let (more, counted) = (Times::default(), Times::default());
    for_all_histories(2_000, 90, |history, report, brute| {
        let most = brute.keys().map(|key| brute.at_least(key)).max();
        let Some(peak) = report.peak else {
            prop_assert_eq!(most.unwrap_or(0), 0);
            return Ok(());
        };
        let truth = history.peak(peak.key);
        more.count(peak.at_least < truth);
        prop_assert_eq!(Some(peak.at_least), most);
        prop_assert_eq!(peak.at_least, brute.at_least(peak.key));
        prop_assert!(peak.at_least <= truth, "{truth} in truth, {peak:?}");
        prop_assert!(truth <= peak.at_most, "{truth} in truth, {peak:?}");
        let (asked, most) = (report.most_asked, brute.most_asked());
        prop_assert!(asked <= most, "{asked} of {most}");
        // A key's requests are not counted any more once all promises were tested on it.
        let mut limits = report.promises.iter().map(|one| &one.limits[0]);
        if counted.count(limits.any(|limit| limit.tested == 0)) {
            prop_assert_eq!(asked, most);
        }
        Ok(())
    });
    counted.often("most requests of a key, exactly");
    more.often("peaks higher than is sure");
}

#[test]
fn wrongly_blocked_requests_are_those_that_nothing_explains() {
    let (windows, buckets) = (Times::default(), Times::default());
    for_all_histories(2_000, 90, |_, report, brute| {
        let named = |promise| -> HashSet<u64> {
            let is_of =
                |place: usize| report.promises[place].promise.limits[0].algorithm == promise;
            let named = report
                .false_blocks
                .iter()
                .filter(|block| is_of(block.promise));
            named.map(|block| block.request.sequence).collect()
        };
        let expected = brute.falsely_blocked();
        windows.count(!expected.is_empty());
        for promise in [Promised::SlidingWindow, Promised::FixedWindow] {
            let found = false_blocks(report, promise);
            prop_assert_eq!(found, expected.len() as u64);
            let named = named(promise);
            prop_assert!(named.is_subset(&expected), "{promise} {named:?}");
            let first = expected.len().min(10);
            prop_assert_eq!(named.len(), first);
        }
        // A block that all answers together explain does not refute that blocked requests count.
        let mut conclusions = report.conclusions(None, &[]).into_iter();
        let of_blocked = conclusions.find(|(name, _)| *name == "blocked requests count too");
        if let Some((_, Conclusion::Refuted { why })) = of_blocked {
            prop_assert!(
                why.contains("were admitted") || !brute.blocked_count(),
                "{why}"
            );
        }
        let (least, most) = (brute.falsely_dry(false), brute.falsely_dry(true));
        buckets.count(!least.is_empty());
        let found = false_blocks(report, Promised::TokenBucket);
        let bounds = least.len() as u64..=most.len() as u64;
        prop_assert!(bounds.contains(&found), "{found} of {bounds:?}");
        let named = named(Promised::TokenBucket);
        prop_assert!(named.is_subset(&most), "{named:?} of {most:?}");
        Ok(())
    });
    windows.often("windows that blocked falsely");
    buckets.often("buckets that blocked falsely");
}

/// The longest spans that are looked at for boundaries, in windows.
const MOST_WINDOWS: i128 = 8;

/// In nanoseconds.
const MICROSECOND: i128 = 1_000;

/// Both audits read windows by the clock alike to a microsecond. Of the opened windows, the audit may miss some proofs.
#[test]
fn fixed_windows_that_the_audit_rules_out_explain_nothing() {
    let (clock, opened, broken) = (Times::default(), Times::default(), Times::default());
    let (missed, unknown, one_clock) = (Times::default(), Times::default(), Times::default());
    for_all_histories(2_500, 60, |_, report, brute| {
        let judged = on(report, Promised::FixedWindow);
        let [by_one_clock, by_admission, by_key] = judged.kinds[..] else {
            panic!("three kinds");
        };
        let each_by_clock = |windows, slack| {
            let mut keys = brute.keys();
            keys.all(|key| brute.clock_explains([key], windows, slack))
        };
        let all_by_clock = |windows, slack| brute.clock_explains(brute.keys(), windows, slack);
        let each: Vec<_> = brute.keys().map(|key| brute.opened_explains(key)).collect();
        let by_opened = !each.contains(&Some(false));
        let sure = !each.contains(&None);

        clock.count(!by_key.explains);
        opened.count(!by_admission.explains);
        broken.count(judged.excess.is_some());
        unknown.count(!sure && by_opened);
        missed.count(by_admission.explains && !by_opened);
        prop_assert!(by_key.explains || !by_one_clock.explains, "one clock");
        let exceeded = brute.windows_exceeded();
        let explains = by_key.explains || exceeded;
        let each_with_blocks = || {
            let mut keys = brute.keys();
            keys.all(|key| brute.clock_explains_blocks([key], MOST_WINDOWS))
        };
        prop_assert!(explains || !each_with_blocks(), "by key");
        let explains = by_one_clock.explains || exceeded;
        let all_with_blocks = brute.clock_explains_blocks(brute.keys(), MOST_WINDOWS);
        prop_assert!(explains || !all_with_blocks, "by clock");
        prop_assert!(
            by_admission.explains || !by_opened || !sure || exceeded,
            "opened"
        );
        // The audit forgets what lies too far back, so it may miss longer spans.
        let explains = each_by_clock(1, MICROSECOND);
        prop_assert!(!by_key.explains || explains, "by key, almost");
        let explains = all_by_clock(1, MICROSECOND);
        prop_assert!(!by_one_clock.explains || explains, "by clock, almost");
        one_clock.count(by_key.explains && !by_one_clock.explains);
        let none = !by_key.explains && !by_admission.explains;
        prop_assert_eq!(judged.excess.is_some(), none);
        Ok(())
    });
    clock.often("clock's windows that explain nothing");
    one_clock.often("windows of one clock that explain nothing, but those of each key do");
    opened.often("opened windows that explain nothing");
    broken.often("fixed windows broken");
    println!(
        "opened windows that explain nothing, unseen: {}",
        missed.0.get()
    );
    println!(
        "opened windows that took too long to search: {}",
        unknown.0.get()
    );
}

/// A proof can be checked with the requests that it names.
#[test]
fn a_proof_names_requests_that_prove_it() {
    let proofs = Times::default();
    for_all_histories(1_500, 90, |history, report, _| {
        let observations = history.observations();
        for window in &report.worst {
            names_its_requests(window, &observations, history)?;
            prop_assert!(
                window.to - window.from < history.terms.window - history.terms.tolerance()
            );
        }
        for judged in report.promises.iter().flat_map(|one| &one.limits) {
            let Some(proof) = &judged.excess else {
                continue;
            };
            let algorithm = judged.limit.algorithm;
            proofs.count(true);
            let window = &proof.span;
            names_its_requests(window, &observations, history)?;
            prop_assert!(proof.after <= report.observed, "{proof:?}");
            let span = window.to - window.from;
            let limit = history.terms.limit;
            let enough = match algorithm {
                Promised::SlidingWindow => {
                    let windows = proof.promised / limit;
                    let is_within = windows > 0 && span < history.terms.window * windows;
                    is_within && window.admitted > proof.promised
                }
                // A proof does not say which boundaries or choices it excludes.
                Promised::FixedWindow | Promised::SlidingCounter => proof.promised >= limit,
                Promised::TokenBucket => {
                    let rate = 1.0005 * limit as f64 / history.terms.window.0 as f64;
                    let resolution = (history.terms.window.0 / 10).min(1_000_000);
                    let most = limit as f64 + (span.0 + resolution) as f64 * rate;
                    window.admitted as f64 > most - 1e-9
                }
            };
            prop_assert!(enough, "{algorithm} {proof:?}");
        }
        Ok(())
    });
    proofs.often("proofs");
}

/// Checks that the span is that of the requests it names. A span longer than a window may name only the last ones.
fn names_its_requests(
    window: &AdmissionSpan,
    observations: &[Observation],
    history: &History,
) -> TestCaseResult {
    let (from, to) = (window.from, window.to);
    let lies_within = |o: &&Observation| {
        o.decision == Decision::Allowed && o.key == window.key && from <= o.sent && o.done <= to
    };
    let mut all: Vec<_> = observations.iter().filter(lies_within).collect();
    all.sort_by_key(|o| o.sent);
    let sequences: HashSet<_> = window.sequences.iter().collect();
    let named: Vec<_> = all
        .iter()
        .filter(|o| sequences.contains(&o.sequence))
        .collect();
    let mut by_node = vec![0; history.terms.targets];
    for observation in &named {
        by_node[observation.node as usize] += 1;
    }
    let in_order = window.sequences.iter().map(|s| {
        let named = named.iter().find(|o| o.sequence == *s);
        named.map(|o| o.sent)
    });
    prop_assert!(in_order.clone().all(|sent| sent.is_some()), "{window:?}");
    prop_assert!(in_order.is_sorted(), "{window:?}");
    prop_assert_eq!(sequences.len(), window.sequences.len(), "{:?}", window);
    prop_assert!(window.admitted <= all.len() as u64, "{window:?}");
    let first = all.iter().map(|o| o.sent).min();
    let last = all.iter().map(|o| o.done).max();
    prop_assert_eq!((Some(from), Some(to)), (first, last), "{:?}", window);
    if to - from < history.terms.window {
        prop_assert_eq!(named.len() as u64, window.admitted, "{:?}", window);
        prop_assert_eq!(&window.by_node, &by_node, "{:?}", window);
    } else {
        prop_assert!(named.len() as u64 <= window.admitted, "{window:?}");
    }
    Ok(())
}

/// Neither the batches of observations nor the order within them matters.
#[test]
fn the_order_of_delivery_changes_nothing() {
    for_all(250, history(90), |history| {
        let mut observations = history.observations();
        observations.sort_by_key(|o| (o.sent, o.sequence));
        let at_once = History {
            batches: vec![(observations, Nanos::ZERO)],
            ..history.clone()
        };
        prop_assert_eq!(numbers(&history.audit()), numbers(&at_once.audit()));
        Ok(())
    });
}

/// The number of targets is only where the audit starts: nodes may appear at any time. Only causes differ, since nodes of
/// one target may be one node.
#[test]
fn the_number_of_targets_changes_no_verdict() {
    for_all(250, history(90), |history| {
        let mut of_one_target = history.clone();
        of_one_target.terms.targets = 1;
        let (mut report, mut other) = (history.audit(), of_one_target.audit());
        // Targets without any block are listed only if they are known beforehand.
        let nodes = report.blocked.len().max(other.blocked.len());
        report.blocked.resize(nodes, 0);
        other.blocked.resize(nodes, 0);
        prop_assert_eq!(judged(&report), judged(&other));
        Ok(())
    });
}

fn numbers(report: &AuditReport) -> String {
    format!("{} {:?}", judged(report), report.causes(None, &[]))
}

/// Everything but the causes.
fn judged(report: &AuditReport) -> String {
    let of_judged = |one: &PromiseReport| {
        let limit = &one.limits[0];
        let verdict = (limit.excess.is_some(), one.false_blocks, limit.tested);
        let judged = (one.judged, one.judged_of_probe);
        format!("{verdict:?} {judged:?} {:?}", limit.kinds)
    };
    let judged: Vec<_> = report.promises.iter().map(of_judged).collect();
    let keys = (
        report.keys,
        report.keys_over,
        report.most_asked,
        report.peak.map(|peak| peak.at_least),
    );
    let requests = (report.observed, &report.blocked, report.unanswered);
    format!("{judged:?} {keys:?} {requests:?}")
}
