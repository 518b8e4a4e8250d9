use super::super::{DiscoveryCircumstances, DiscoveryTally};
use super::*;
use crate::base::{Answer, FailureKind, KeyId, Moment, Outcome, Sample};
use crate::core::audit::{Algorithm, Limit, Quota};
use crate::core::discovery::{
    Bounds, Claims, Ending, Experiment, Found, Grouping, Shares as Counted, Step, TimeClaim,
};
use crate::core::summary::RepeatingCommand;
use std::time::SystemTime;

const SECOND: Nanos = Nanos(1_000_000_000);
const MILLI: Nanos = Nanos(1_000_000);

fn found(algorithm: Algorithm, kind: Option<usize>, limit: u64, window: Nanos) -> Found {
    Found {
        limit: Limit {
            kind,
            ..Limit::new(algorithm, Quota::new(limit, window))
        },
        window: (window.saturating_sub(MILLI), window + MILLI),
        error: MILLI * 5,
        is_round: true,
        burst: limit..=limit,
        counts_blocked: false,
        begins: None,
    }
}

fn findings(explanations: Vec<Vec<Found>>) -> Findings {
    Findings {
        bounds: Bounds::DEFAULT,
        ending: Ending::Complete,
        asked: 100,
        lasted: SECOND * 65,
        blocked: 60,
        failures: Vec::new(),
        most_in_a_second: 20,
        connections: Counted::Yes,
        nodes: vec![Counted::Unknown, Counted::Yes, Counted::Yes],
        keys: Counted::No,
        grouping: Grouping {
            keys_apart: true,
            nodes_apart: false,
            connections_apart: false,
        },
        admitted: 40,
        admitted_at_once: Some(20),
        rest: None,
        last_block: None,
        explanations,
        grain: MILLI,
        delay: None,
        claims: Claims::default(),
    }
}

/// The discovery with so many requests allowed, blocked and failed.
fn discovery(findings: &Findings, counts: [usize; 3]) -> Discovery {
    let start = Moment::now();
    let Step::Ask(question) = Experiment::new(Bounds::DEFAULT, 1).next() else {
        panic!("nothing is asked");
    };
    let mut tally = DiscoveryTally::new(findings.nodes.len());
    let outcomes = [
        Outcome::Allowed,
        Outcome::Blocked,
        Outcome::Failed(FailureKind::Reset),
    ];
    for (outcome, count) in outcomes.into_iter().zip(counts) {
        for _ in 0..count {
            let sample = Sample {
                sequence: 0,
                key: KeyId(0),
                target: 0,
                due: start,
                waited_for_target: false,
                answer: Answer::new(start, start + MILLI, outcome),
            };
            tally.add(&question, &sample, start);
        }
    }
    let circumstances = DiscoveryCircumstances {
        started: SystemTime::UNIX_EPOCH,
        targets: (0..findings.nodes.len())
            .map(|number| format!("http://node-{number}"))
            .collect(),
        settings: Vec::new(),
        has_keys: true,
        cost: 1,
        tally,
    };
    Discovery::new(findings, circumstances, |_| RepeatingCommand {
        text: "loadgen".to_owned(),
        variables: Vec::new(),
    })
}

/// The sentences, and the exit code.
fn said(findings: &Findings, counts: [usize; 3]) -> (String, u8) {
    let discovery = discovery(findings, counts);
    let all = std::iter::once(discovery.headline).chain(discovery.further);
    (all.collect::<Vec<_>>().join(" "), discovery.exit_code)
}

#[test]
fn one_limiter_is_said_with_its_error() {
    let mut findings = findings(vec![vec![found(
        Algorithm::SlidingWindow,
        None,
        20,
        SECOND * 10,
    )]]);
    findings.claims.retry_after = Some(TimeClaim {
        header: "Retry-After",
        compared: 3,
        early: SECOND,
        late: Nanos::ZERO,
        last: 9,
    });
    let expected = "20 requests of each key per 10 s (± 5.00 ms), in a sliding window, shared by all 3 nodes. Blocked \
                    requests don't count. Retry-After is up to 1.00 s early.";
    assert_eq!(said(&findings, [40, 60, 0]), (expected.to_owned(), 0));
}

#[test]
fn several_limiters_are_all_named_up_to_three() {
    let clock = found(Algorithm::FixedWindow, Some(0), 20, SECOND * 10);
    let opened = found(Algorithm::FixedWindow, Some(1), 20, SECOND * 10);
    let bucket = found(Algorithm::TokenBucket, None, 2, SECOND);
    let two = findings(vec![vec![clock.clone()], vec![opened.clone()]]);
    let (text, _) = said(&two, [40, 60, 0]);
    let both = "in windows that a clock lays or in windows that begin with the first request (the answers fit both)";
    assert!(text.contains(both), "{text}");
    let five = [&clock, &opened, &bucket, &clock, &bucket].map(|one| vec![one.clone()]);
    let (text, _) = said(&findings(five.into()), [40, 60, 0]);
    assert!(text.contains("2 requests of each key per 1 s (± 5.00 ms), and 2 at once, by a token bucket; or 2 more (the \
                           answers fit each of them)"), "{text}");
}

#[test]
fn nodes_that_do_not_share_are_named() {
    let log = || vec![vec![found(Algorithm::SlidingWindow, None, 20, SECOND * 10)]];
    for (nodes, expected) in [
        (
            [Counted::Yes, Counted::No, Counted::No],
            "Each of the 3 nodes counts alone.",
        ),
        (
            [Counted::Yes, Counted::Yes, Counted::No],
            "Node 2 shares it with node 1, node 3 counts alone.",
        ),
        (
            [Counted::Yes, Counted::Unknown, Counted::Unknown],
            "Whether the 3 nodes share it is unknown.",
        ),
    ] {
        let findings = Findings {
            nodes: nodes.into(),
            ..findings(log())
        };
        let (text, _) = said(&findings, [40, 60, 0]);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn without_an_explanation_only_what_was_seen_is_said() {
    let none = || findings(Vec::new());
    let never = Findings {
        blocked: 0,
        ..none()
    };
    let unending = Findings {
        admitted: 20,
        last_block: Some((20, SECOND * 60)),
        ..none()
    };
    let short = Findings {
        last_block: Some((20, SECOND)),
        ..unending.clone()
    };
    let failing = Findings {
        ending: Ending::Failing,
        blocked: 0,
        ..none()
    };
    for (findings, counts, begins, code) in [
        (
            &never,
            [100, 0, 0],
            "No limit up to 40 requests of each key in 65 s, and 20 in a second.",
            0,
        ),
        (
            &never,
            [50, 0, 50],
            "No request was blocked, but 50 of 100 requests failed",
            3,
        ),
        (
            &unending,
            [40, 60, 0],
            "Blocked after 20 requests of each key; not one was admitted again within 60 s.",
            0,
        ),
        (
            &short,
            [40, 60, 0],
            "No limiter that loadgen knows explains the answers. 20 requests were admitted",
            3,
        ),
        (
            &failing,
            [5, 0, 10],
            "5 requests were allowed, and then 10 in a row failed: reset ×10",
            3,
        ),
        (
            &failing,
            [0, 0, 10],
            "Nothing is known, because 10 of 10 requests were neither",
            3,
        ),
        (
            &none(),
            [0, 60, 0],
            "Every request was blocked, the first one too, for 65 s.",
            3,
        ),
        (&none(), [0, 0, 0], "Nothing was asked.", 3),
    ] {
        let (text, exit_code) = said(findings, counts);
        assert!(text.starts_with(begins), "{text}");
        assert_eq!(exit_code, code, "{text}");
    }
}

#[test]
fn a_key_that_is_admitted_only_if_it_is_left_alone_is_said_to_be() {
    let mut findings = findings(Vec::new());
    findings.admitted = 20;
    findings.last_block = Some((20, SECOND * 60));
    findings.rest = Some((MILLI * 9_980, MILLI * 10_020));
    let expected = "No limiter that loadgen knows explains the answers. Blocked after 20 requests of each key. A key that \
                    goes on being asked stays blocked: not one request was admitted within 60 s. A key that is left alone \
                    is admitted again after 9.98 s to 10.02 s.";
    assert_eq!(said(&findings, [40, 60, 0]), (expected.to_owned(), 3));
}
