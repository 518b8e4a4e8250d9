//! Each faulty limiter names its cause, and no other limiter does.

use super::cluster::{History, MILLISECOND};
use super::limiters::{Algorithm, Fault, Limiter, exact, faulty};
use super::populations::observed;
use super::sensitivity::{LIMIT, Run, Traffic, WINDOW};
use loadgen::base::{KeyId, Nanos};
use loadgen::core::audit::probe::{Answer, Asked, CountedTwice, OneAtATime, ProbeReport};
use loadgen::core::audit::{AuditReport, AuditVerdict, AuditedKey, Conclusion, Terms};
use std::collections::HashMap;

const SECOND: i128 = 1_000_000_000;

/// A faulty limiter, and the causes that its faults are named by.
struct Wrong {
    fault: &'static str,
    limiter: Limiter,
    causes: &'static [&'static str],
}

fn log(limit: u64, window: i128) -> Limiter {
    exact(Algorithm::SlidingLog, limit, window as u64)
}

/// Decides otherwise than a correct limiter on some node.
fn on_one_node(answer: bool) -> Limiter {
    let mut good = log(LIMIT, WINDOW.into());
    Box::new(move |key, node, at| {
        if node == 1 {
            answer
        } else {
            good(key, node, at)
        }
    })
}

/// All counts are lost after so many seconds.
fn losing_counts(after: i128) -> Limiter {
    let (mut before, mut since) = (log(LIMIT, WINDOW.into()), log(LIMIT, WINDOW.into()));
    Box::new(move |key, node, at| {
        let counts = if at < after * SECOND {
            &mut before
        } else {
            &mut since
        };
        counts(key, node, at)
    })
}

/// The clock of node 2 is ahead of the others', and the count is common.
fn with_a_clock_ahead(by: i128) -> Limiter {
    let mut logs: HashMap<usize, Vec<i128>> = HashMap::new();
    Box::new(move |key, node, at| {
        let at = if node == 2 { at + by } else { at };
        let log = logs.entry(key).or_default();
        let counted = log
            .iter()
            .filter(|then| **then > at - i128::from(WINDOW))
            .count();
        let admitted = (counted as u64) < LIMIT;
        if admitted {
            log.push(at);
        }
        admitted
    })
}

fn of_one_key() -> Limiter {
    let mut one = log(LIMIT, WINDOW.into());
    Box::new(move |_, node, at| one(0, node, at))
}

fn with(fault: Fault) -> Limiter {
    faulty(Algorithm::SlidingLog, fault, LIMIT, WINDOW, 0)
}

fn wrong_limiters() -> Vec<Wrong> {
    let window = i128::from(WINDOW);
    let wrong = |fault, limiter, causes| Wrong {
        fault,
        limiter,
        causes,
    };
    vec![
        wrong(
            "nodes alone",
            with(Fault::NodesAlone),
            &["each node counts alone"],
        ),
        wrong(
            "one node admits",
            on_one_node(true),
            &["one node admits or blocks everything"],
        ),
        wrong(
            "one node blocks",
            on_one_node(false),
            &["one node admits or blocks everything"],
        ),
        wrong(
            "blocked count",
            with(Fault::CountsBlocked),
            &["blocked requests count too"],
        ),
        wrong("one key", of_one_key(), &["keys are not told apart"]),
        wrong("one more", with(Fault::OneMore), &["the limit is another"]),
        wrong(
            "three limits",
            log(3 * LIMIT, window),
            &["the limit is another"],
        ),
        wrong("a fifth", log(LIMIT / 5, window), &["the limit is another"]),
        wrong(
            "half the limit",
            log(LIMIT / 2, window),
            &["the limit is another"],
        ),
        wrong(
            "half the window",
            with(Fault::HalfWindow),
            &["the window is another"],
        ),
        wrong("twice the window", log(LIMIT, 2 * window), &[]),
        wrong(
            "1 % less window",
            log(LIMIT, window * 99 / 100),
            &["the window is another"],
        ),
        wrong(
            "a clock ahead",
            with_a_clock_ahead(SECOND / 2),
            &["a clock is ahead"],
        ),
        wrong("counts lost", losing_counts(80), &["counts were lost"]),
        wrong(
            "no limit",
            with(Fault::AlwaysOpen),
            &["nothing was blocked"],
        ),
        wrong("open for 5 s", with(Fault::Open(0.5, 0.58)), &[]),
        wrong("some blocked", with(Fault::BlocksSometimes(100)), &[]),
        wrong("a race", with(Fault::Race(0.002)), &[]),
    ]
}

fn named(report: &AuditReport) -> Vec<&'static str> {
    let causes = report.causes(None, &[]);
    causes.iter().map(|cause| cause.name).collect()
}

fn report(traffic: Traffic, limiter: Limiter) -> AuditReport {
    let run = Run::of(traffic).lasting(240);
    run.history_at(limiter, 0).audit_by("sliding-window")
}

#[test]
fn each_wrong_limiter_names_its_cause_and_no_other() {
    let mut others = Vec::new();
    for traffic in [Traffic::Even(60), Traffic::Random(60)] {
        for Wrong {
            fault,
            limiter,
            causes,
        } in wrong_limiters()
        {
            let report = report(traffic, limiter);
            assert_eq!(report.verdict(true), AuditVerdict::Broken, "{fault}");
            if named(&report) != causes {
                let conclusions = report.conclusions(None, &[]);
                others.push(format!("{fault}, {traffic:?}: {conclusions:?}"));
            }
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// The same history, as that of one target whose addresses are the nodes.
fn of_one_target(history: History) -> History {
    let terms = Terms {
        targets: 1,
        ..history.terms
    };
    History { terms, ..history }
}

#[test]
fn nodes_behind_one_name_have_the_causes_of_as_many_targets() {
    for Wrong { fault, limiter, .. } in wrong_limiters() {
        let run = Run::of(Traffic::Random(60)).lasting(240);
        let history = run.history_at(limiter, 0);
        let of_targets = history.audit_by("sliding-window");
        let of_addresses = of_one_target(history).audit_by("sliding-window");
        assert_eq!(of_addresses.verdict(true), AuditVerdict::Broken, "{fault}");
        let conclusions = of_addresses.conclusions(None, &[]);
        for (of_address, of_target) in conclusions.iter().zip(of_targets.conclusions(None, &[])) {
            if of_address == &of_target {
                continue;
            }
            // Two addresses may lead to one node, and one may replace the other.
            let (name, conclusion) = of_address;
            assert_eq!(conclusion, &Conclusion::NotTested, "{fault}: {name}");
            let may_differ = match of_target.1 {
                Conclusion::Refuted { .. } => *name == "each node counts alone",
                _ => *name == "a clock is ahead",
            };
            assert!(may_differ, "{fault}: {name}");
        }
    }
}

/// The causes named for one target, whose nodes are replaced by others at some instants.
fn named_of_replaced(fault: Fault, replaced: fn(usize, i128) -> usize) -> Vec<&'static str> {
    let mut limiter = with(fault);
    let limiter: Limiter = Box::new(move |key, node, at| limiter(key, replaced(node, at), at));
    let run = Run::of(Traffic::Even(60)).lasting(240);
    let mut history = of_one_target(run.history_at(limiter, 0));
    for (batch, _) in &mut history.batches {
        for observation in batch {
            let sent = i128::from(observation.sent.0);
            observation.target = 0;
            observation.node = replaced(observation.node as usize, sent) as u32;
        }
    }
    let report = history.audit_by("sliding-window");
    assert_eq!(report.verdict(true), AuditVerdict::Broken);
    let causes = report.causes(None, &[]).into_iter();
    causes.map(|cause| cause.name).collect()
}

#[test]
fn nodes_that_come_and_go_are_still_found_to_count_alone() {
    // Nodes 1 and 2 are replaced by 3 and 4 after a window, while node 0 stays.
    let replaced = |node: usize, at: i128| match node {
        0 => 0,
        _ if at < i128::from(WINDOW) => node,
        _ => node + 2,
    };
    let named = |fault| named_of_replaced(fault, replaced);
    assert_eq!(named(Fault::NodesAlone), ["each node counts alone"]);
    assert!(!named(Fault::OneMore).contains(&"each node counts alone"));
}

#[test]
fn a_node_that_replaces_the_only_other_is_not_said_to_count_alone() {
    // The new node counts anew, in the middle of a window.
    let replaced = |_, at| usize::from(at >= i128::from(WINDOW) * 3 / 2);
    let named = named_of_replaced(Fault::NodesAlone, replaced);
    assert!(!named.contains(&"each node counts alone"), "{named:?}");
    assert!(!named.contains(&"a clock is ahead"), "{named:?}");
}

/// A probe that saw the limit, and no more, admitted of requests that were sent one at a time.
fn probe_without_excess() -> ProbeReport {
    let mut probe = ProbeReport::default();
    probe.questions.one_at_a_time = Some(OneAtATime {
        target: 0,
        admitted: LIMIT,
        within: Nanos(WINDOW / 60),
        steps_of_one: LIMIT - 1,
        steps_of_two: 0,
    });
    probe
}

const RACE: &str = "overlapping requests race each other";

/// One node admits all but one of the limit, then three nodes get a request each, so far apart. A node learns of another's
/// admissions as long after them as given.
fn raced(apart: u64, lag: u64) -> AuditReport {
    let key = AuditedKey::Load(KeyId(0));
    let at = |number| 10 * MILLISECOND * number;
    let first = (0..LIMIT - 1).map(|number| (at(number), key, 0));
    let last = (0..3).map(|node| (at(LIMIT) + apart * u64::from(node), key, node));
    let limiter = with(Fault::Race(lag as f64 / WINDOW as f64));
    let history = observed(first.chain(last).collect(), limiter);
    let report = history.audit_by("sliding-window");
    assert_eq!(report.verdict(true), AuditVerdict::Broken);
    report
}

fn names_race(report: &AuditReport, probe: &ProbeReport) -> bool {
    let causes = report.causes(Some(probe), &[]);
    causes.iter().any(|cause| cause.name == RACE)
}

#[test]
fn a_race_is_named_only_where_every_excess_overlaps() {
    let probe = probe_without_excess();
    assert!(names_race(&raced(0, MILLISECOND / 5), &probe));
    assert!(!names_race(
        &raced(5 * MILLISECOND, 20 * MILLISECOND),
        &probe
    ));
    let others = wrong_limiters().into_iter();
    let others = others.filter(|wrong| wrong.fault != "a race");
    let others = others.map(|wrong| (wrong.fault, wrong.limiter)).chain([
        ("one in 100 uncounted", with(Fault::OpensSometimes(100))),
        ("twice the limit at first", with(Fault::DoubleAtFirst)),
    ]);
    for (fault, limiter) in others {
        let report = report(Traffic::Random(120), limiter);
        assert!(!names_race(&report, &probe), "{fault}");
    }
}

#[test]
fn a_race_is_named_only_if_requests_one_at_a_time_kept_to_the_limit() {
    let report = raced(0, MILLISECOND / 5);
    let mut probe = probe_without_excess();
    assert!(names_race(&report, &probe));
    assert!(!names_race(&report, &ProbeReport::default()));
    let one = probe.questions.one_at_a_time.as_mut().expect("a number");
    one.admitted = LIMIT + 1;
    assert!(!names_race(&report, &probe));
}

#[test]
fn counting_twice_is_named_only_where_requests_are_blocked_too_early() {
    let mut probe = probe_without_excess();
    let seen = OneAtATime {
        admitted: LIMIT / 2,
        steps_of_one: 0,
        steps_of_two: LIMIT / 2 - 1,
        ..probe.questions.one_at_a_time.expect("a number")
    };
    let evidence = CountedTwice { limit: LIMIT, seen };
    probe.questions.counted_twice = Asked {
        stood: 1,
        refuted: 0,
        answer: Answer::Stands(evidence),
    };
    for (limiter, is_named) in [
        (log(LIMIT / 2, WINDOW.into()), true),
        (with(Fault::OneMore), false),
        (with(Fault::None), false),
    ] {
        let causes = report(Traffic::Even(60), limiter).causes(Some(&probe), &[]);
        let mut named = causes.iter().map(|cause| cause.name);
        assert_eq!(
            named.any(|name| name == "requests are counted twice"),
            is_named
        );
    }
}

#[test]
fn a_right_limiter_has_no_cause() {
    let report = report(Traffic::Even(60), with(Fault::None));
    assert_eq!(report.conclusions(None, &[]), []);
}

#[test]
fn a_cause_names_the_node_and_the_numbers() {
    let statement = |limiter| {
        let report = report(Traffic::Even(60), limiter);
        let targets = ["a", "b", "c"].map(str::to_owned);
        let causes = report.causes(None, &targets);
        causes
            .into_iter()
            .map(|cause| cause.statement)
            .collect::<String>()
    };
    let text = statement(on_one_node(true));
    assert!(
        text.starts_with("b admits everything: it blocked none of 4800 requests"),
        "{text}"
    );
    let text = statement(on_one_node(false));
    assert!(
        text.starts_with("b blocks everything: it admitted none of 4800 requests"),
        "{text}"
    );
    let text = statement(log(LIMIT / 5, WINDOW.into()));
    assert_eq!(
        text,
        "the limit looks like 20 in 60s, where 100 are promised"
    );
    let text = statement(losing_counts(80));
    assert!(text.starts_with("counts were lost "), "{text}");
    assert!(text.contains("80."), "{text}");
}
