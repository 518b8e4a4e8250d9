//! A verdict about many keys says how many of them could be judged, and none is "kept" for the sake of the probe's keys, or by
//! windows that nobody promised.

use super::cluster::{History, MILLISECOND, SECOND, in_batches};
use super::limiters::{Algorithm, Fault, Limiter, exact, faulty};
use super::sensitivity::{LIMIT, WINDOW};
use loadgen::base::{KeyId, Nanos};
use loadgen::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Decision, Observation, PromiseVerdict, Suspicion, Terms,
};
use loadgen::core::keys::{Dealer, Distribution, Keys};
use loadgen::core::recorded::KeyNames;
use loadgen::core::summary::RecordedRun;
use std::collections::HashMap;

const KEYS: u32 = 100_000;

/// The first keys of the load are the most frequent ones. The probe has keys of its own behind them.
const PROBE: [u32; 2] = [KEYS, KEYS + 1];

/// A minute of 500 requests per second for so many keys, and twice the limit for each of the probe's keys.
fn history(limiter: Limiter, distribution: Distribution) -> History {
    let mut dealer = Dealer::new(&Keys::generated(KEYS, 1, ""), distribution, 1);
    let of_load = (0..30_000).map(|sequence| (2 * MILLISECOND * sequence, dealer.deal(sequence)));
    let of_load = of_load.map(|(at, key)| (at, AuditedKey::Load(key), 0));
    let of_probe = (0..4 * LIMIT).map(|number| {
        let key = PROBE[number as usize % 2];
        let at = SECOND + 5 * MILLISECOND * number;
        (at, AuditedKey::Probe(key), 0)
    });
    observed(of_load.chain(of_probe).collect(), limiter)
}

/// The history of these requests: when each is sent, its key and its node. It takes a millisecond, in whose middle it is
/// decided.
pub fn observed(mut requests: Vec<(u64, AuditedKey, u32)>, mut limiter: Limiter) -> History {
    requests.sort_by_key(|(at, ..)| *at);
    let mut seen = Vec::new();
    for ((at, key, node), sequence) in requests.into_iter().zip(0..) {
        let (AuditedKey::Load(KeyId(number)) | AuditedKey::Probe(number)) = key;
        let decided = at + MILLISECOND / 2;
        let is_admitted = limiter(number as usize, node as usize, decided.into());
        let done = at + MILLISECOND;
        let observation = Observation {
            key,
            sequence,
            target: node,
            node,
            sent: Nanos(at),
            done: Nanos(done),
            decision: if is_admitted {
                Decision::Allowed
            } else {
                Decision::Blocked
            },
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        };
        seen.push((done, observation));
    }
    let nodes = seen.iter().map(|(_, one)| one.node as usize + 1).max();
    History {
        terms: Terms::of_all_promises(LIMIT, Nanos(WINDOW), nodes.unwrap_or(1)),
        batches: in_batches(seen, 100 * MILLISECOND),
        admitted: HashMap::new(),
    }
}

/// A sliding log that has no limit for some keys.
fn unlimited_for(is_unlimited: impl Fn(usize) -> bool + 'static) -> Limiter {
    let mut good = exact(Algorithm::SlidingLog, LIMIT, WINDOW);
    Box::new(move |key, node, at| is_unlimited(key) || good(key, node, at))
}

fn is_in_a_tenth(key: usize) -> bool {
    key % 10 == 9
}

/// The headline, for keys with names.
fn headline(report: &AuditReport, keys: u32) -> String {
    let mut names = KeyNames::new(1 << 30);
    for key in 0..keys {
        names.add(&format!("user-{key}"));
    }
    let nodes = ["http://a".to_owned()];
    let run = RecordedRun {
        report,
        targets: &nodes,
        nodes: &nodes,
        keys: &names,
        probe_keys: &KeyNames::new(0),
        files: &[],
        missing: &[],
        until: None,
        has_stripes: false,
        mean_time: Nanos::ZERO,
    };
    run.audit().statement
}

#[test]
fn a_limit_that_a_tenth_of_many_keys_lack_is_not_kept_by_the_probes_keys() {
    let limiter = unlimited_for(is_in_a_tenth);
    let report = history(limiter, Distribution::Uniform).audit();
    assert_eq!(report.verdict(true), AuditVerdict::Inconclusive);
    for promise in &report.promises {
        assert_eq!(promise.judged, 0, "{promise:?}");
    }
    assert!(report.promises.iter().any(|one| one.judged_of_probe == 2));
    let said = headline(&report, KEYS);
    assert!(said.starts_with("No key had enough requests"), "{said}");
}

#[test]
fn a_verdict_on_a_few_of_many_keys_says_how_few() {
    // Only the first keys are requested often enough, and the unlimited ones are beyond them.
    let distribution = "zipf:1".parse().expect("a distribution");
    let limiter = unlimited_for(|key| key < KEYS as usize && key > 50 && is_in_a_tenth(key));
    let report = history(limiter, distribution).audit_by("sliding-window");
    let [promise] = &report.promises[..] else {
        panic!("{report:?}");
    };
    assert_eq!(report.verdict(true), AuditVerdict::Kept);
    let judged = promise.judged;
    assert!((1..50).contains(&judged), "{judged}");
    let said = headline(&report, KEYS);
    assert!(report.keys > 5_000, "{}", report.keys);
    for words in [
        &*format!("{judged} of {} keys could be judged", report.keys),
        "% of the keys may have been missed",
    ] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn unlimited_keys_that_are_requested_often_enough_break_the_promise() {
    let distribution = "zipf:1".parse().expect("a distribution");
    let limiter = unlimited_for(|key| key == 3);
    let report = history(limiter, distribution).audit();
    assert_eq!(report.verdict(true), AuditVerdict::Broken);
    assert_eq!(report.keys_over, 1);
}

/// Three times the limit of each of seven keys, within two seconds about every end of its windows, which a clock lays with
/// a phase for each key.
fn about_the_ends_of_each_keys_windows(fault: Fault) -> History {
    let requests = (0..4 * 7 * 3 * LIMIT).map(|number| {
        let (place, number) = (number % (3 * LIMIT), number / (3 * LIMIT));
        let (key, window) = (number % 7, number / 7 + 1);
        let end = window * WINDOW - WINDOW / 7 * key;
        let at = end - SECOND + place * 2 * SECOND / (3 * LIMIT);
        (at, AuditedKey::Load(KeyId(key as u32)), 0)
    });
    let limiter = faulty(Algorithm::KeyWindow, fault, LIMIT, WINDOW, 0);
    observed(requests.collect(), limiter)
}

#[test]
fn a_phase_for_each_key_is_suspect_unless_it_is_promised() {
    let history = about_the_ends_of_each_keys_windows(Fault::None);
    for (promise, verdict) in [
        ("auto", AuditVerdict::Suspect),
        ("fixed-window", AuditVerdict::Suspect),
        ("fixed-window by clock", AuditVerdict::Broken),
        ("fixed-window by admission", AuditVerdict::Broken),
        ("fixed-window by key", AuditVerdict::Kept),
    ] {
        let report = history.audit_by(promise);
        let said = headline(&report, 7);
        assert_eq!(report.verdict(true), verdict, "{promise}: {said}");
        if verdict == AuditVerdict::Suspect {
            let mut suspected = report.promises.iter().map(|one| report.verdict_on(one));
            let per_key = PromiseVerdict::Suspect(Suspicion::WindowsPerKey);
            assert!(suspected.any(|one| one == per_key), "{promise}");
            for words in ["each of 7 keys", "2.00 times the limit"] {
                assert!(said.contains(words), "{promise}: {said}");
            }
        }
    }
}

#[test]
fn a_phase_for_each_key_does_not_excuse_one_request_too_many() {
    let history = about_the_ends_of_each_keys_windows(Fault::OneMore);
    for promise in ["auto", "fixed-window", "fixed-window by key"] {
        let report = history.audit_by(promise);
        assert_eq!(report.verdict(true), AuditVerdict::Broken, "{promise}");
    }
}
