//! Worlds that look like a limiter that they are not: nothing false is said of them.

use super::limiters::{self, Algorithm, Limiter, Measure};
use super::simulation::{Answer, World, ask, discover, run};
use super::{NEAR, SECOND, name};
use loadgen::base::Nanos;
use loadgen::core::audit::Promise;
use loadgen::core::discovery::{Bounds, Ending, Experiment, Failures, Findings, Found};
use std::collections::HashMap;

const LIMIT: u64 = 20;
const WINDOW: u64 = 10 * SECOND;

fn world(nodes: usize) -> World {
    World {
        seed: 3,
        nodes,
        limits: Vec::new(),
        latency: NEAR,
        millionths: 0,
    }
}

fn log() -> Limiter {
    limiters::exact(Algorithm::SlidingLog, LIMIT, WINDOW)
}

fn findings(mut answer: impl FnMut(u64, usize, i128) -> Answer) -> Findings {
    let experiment = Experiment::new(Bounds::DEFAULT, 1);
    ask(&world(1), experiment, &mut |question, at| {
        answer(question.sequence, question.key as usize, at)
    })
}

/// The limits of each explanation as `--audit` takes them.
fn explained(findings: &Findings) -> Vec<String> {
    let promise = |limits: &Vec<Found>| {
        let limits = limits.iter().map(|found| found.limit).collect();
        Promise { limits }.to_string()
    };
    findings.explanations.iter().map(promise).collect()
}

/// No explanation, or the true one among others.
fn says_nothing_false(findings: &Findings, truth: &str) {
    let explained = explained(findings);
    let is_true = explained.is_empty() || explained.iter().any(|one| one == truth);
    assert!(is_true, "{explained:?}");
}

const TRUTH: &str = "sliding-window 20/10s";

/// Is true for one in so many requests, in no order.
fn one_in(many: u64) -> impl FnMut() -> bool {
    let mut state = 1_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).is_multiple_of(many)
    }
}

#[test]
fn requests_that_fail_at_random_hide_a_limit_but_make_up_none() {
    let (mut limiter, mut fails) = (log(), one_in(100));
    let findings = findings(|_, key, at| match fails() {
        true => Answer::failed(Some(502)),
        false => Answer::new(limiter(key, 0, at)),
    });
    says_nothing_false(&findings, TRUTH);
    let [Failures { status, times }] = findings.failures[..] else {
        panic!("{:?}", findings.failures)
    };
    assert_eq!(status, Some(502));
    assert!(times > 0 && findings.ending != Ending::Failing);
}

#[test]
fn requests_that_are_blocked_at_random_make_up_no_limit() {
    let (mut limiter, mut blocks) = (log(), one_in(100));
    says_nothing_false(
        &findings(|_, key, at| Answer::new(!blocks() && limiter(key, 0, at))),
        TRUTH,
    );
    let mut blocks = one_in(100);
    assert_eq!(
        explained(&findings(|_, _, _| Answer::new(!blocks()))),
        [""; 0]
    );
}

#[test]
fn a_clock_that_jumps_hides_a_window_but_makes_up_none() {
    for algorithm in Algorithm::ALL {
        let mut limiter = limiters::exact(algorithm, LIMIT, WINDOW);
        let mut first = None;
        let findings = findings(|_, key, at| {
            let since = at - *first.get_or_insert(at);
            let jumped = if since > 25 * i128::from(SECOND) {
                50_000_000
            } else {
                0
            };
            Answer::new(limiter(key, 0, at + jumped))
        });
        for one in findings.explanations.iter().flatten() {
            let quota = one.limit.quota;
            let window = WINDOW * quota.limit / LIMIT;
            let off = quota.window.0.abs_diff(window);
            assert!(one.burst.contains(&LIMIT), "{one:?}");
            assert!(
                off <= one.error.0 + 50_000_000,
                "{algorithm:?}: {:?}",
                explained(&findings)
            );
        }
    }
}

#[test]
fn two_nodes_behind_one_address_are_not_taken_for_one_with_their_limit() {
    let mut nodes = [log(), log()];
    let findings =
        findings(|sequence, key, at| Answer::new(nodes[sequence as usize % 2](key, 0, at)));
    for one in findings.explanations.iter().flatten() {
        assert_eq!(
            one.limit.quota.limit,
            2 * LIMIT,
            "{:?}",
            explained(&findings)
        );
    }
}

#[test]
fn a_target_that_dies_ends_the_experiment_and_is_counted() {
    let mut limiter = log();
    let mut first = None;
    let findings = findings(|_, key, at| {
        let since = at - *first.get_or_insert(at);
        if since > 30 * i128::from(SECOND) {
            return Answer::failed(None);
        }
        Answer::new(limiter(key, 0, at))
    });
    assert_eq!(findings.ending, Ending::Failing);
    assert_eq!(
        findings.failures,
        [Failures {
            status: None,
            times: 10
        }]
    );
    says_nothing_false(&findings, TRUTH);
}

#[test]
fn a_limiter_that_fails_open_for_a_while_is_not_taken_for_another() {
    let mut limiter = log();
    let mut first = None;
    let findings = findings(|_, key, at| {
        let since = at - *first.get_or_insert(at);
        let is_open = (30..35).contains(&(since / i128::from(SECOND)));
        Answer::new(is_open || limiter(key, 0, at))
    });
    says_nothing_false(&findings, TRUTH);
}

#[test]
#[ignore = "takes a minute without optimization: `cargo test --profile properties --test discovery -- --ignored`"]
fn two_limits_at_once_are_found() {
    for (first, second, truth) in [
        (
            (Algorithm::SlidingLog, 10, SECOND),
            (Algorithm::SlidingLog, 100, 60 * SECOND),
            "sliding-window 10/s and sliding-window 100/60s",
        ),
        (
            (Algorithm::Gcra, 10, 2 * SECOND),
            (Algorithm::ClockWindow, 100, 60 * SECOND),
            "token-bucket 5/s burst 10 and fixed-window 100/60s by clock",
        ),
    ] {
        let findings = discover(&World {
            limits: vec![first, second],
            ..world(1)
        });
        let explained = explained(&findings);
        assert!(explained.iter().any(|one| one == truth), "{explained:?}");
    }
}

/// A bucket of so many per second that delays what it admits, as nginx does without `nodelay`: each takes its turn.
fn queueing(per_second: u64, burst: u64) -> Findings {
    let every = SECOND / per_second;
    let measure = Measure {
        burst,
        ..Measure::new(per_second, SECOND)
    };
    let mut limiter = limiters::of_keys(move |_| vec![(Algorithm::Gcra, measure)]);
    let mut turns = std::collections::HashMap::new();
    findings(|_, key, at| {
        let admitted = limiter(key, 0, at);
        let turn = turns.entry(key).or_insert(at);
        let mut answer = Answer::new(admitted);
        if admitted {
            let own = at.max(*turn);
            answer.after = Nanos((own - at) as u64);
            *turn = own + i128::from(every);
        }
        answer
    })
}

#[test]
fn a_limiter_that_queues_what_it_admits_is_found_with_its_delay() {
    let findings = queueing(10, 15);
    let delay = findings.delay.expect("a delay");
    assert!(
        delay.every.0.abs_diff(SECOND / 10) < SECOND / 100,
        "{delay:?}"
    );
    assert!(delay.longest > Nanos(SECOND), "{delay:?}");
    let explained = explained(&findings);
    assert!(
        explained.contains(&"token-bucket 10/s burst 15".to_owned()),
        "{explained:?}"
    );
}

#[test]
fn a_slow_target_behind_a_limiter_is_not_taken_for_a_delay() {
    let mut limiter = log();
    let mut random = one_in(3);
    let at_random = findings(|_, key, at| {
        let admitted = limiter(key, 0, at);
        let after = if admitted && random() { 400_000_000 } else { 0 };
        Answer {
            after: Nanos(after),
            ..Answer::new(admitted)
        }
    });
    assert_eq!(at_random.delay, None);
    // It handles one request after the other, in 50 ms each.
    let mut limiter = log();
    let mut idle_from = 0;
    let one_by_one = findings(|_, key, at| {
        let mut answer = Answer::new(limiter(key, 0, at));
        if answer.status == Some(200) {
            let end = at.max(idle_from) + 50_000_000;
            answer.after = Nanos((end - at) as u64);
            idle_from = end;
        }
        answer
    });
    assert_eq!(one_by_one.delay, None);
    says_nothing_false(&one_by_one, TRUTH);
}

#[test]
fn a_first_request_that_is_blocked_ends_the_experiment_soon() {
    let findings = run(
        &world(1),
        Experiment::new(Bounds::DEFAULT, 1),
        &mut limiters::faulty(
            Algorithm::SlidingLog,
            limiters::Fault::BlocksAll,
            LIMIT,
            WINDOW,
            0,
        ),
    );
    assert_eq!(findings.ending, Ending::NothingAdmitted);
    assert_eq!((findings.admitted, findings.most_in_a_second), (0, 0));
    assert!(findings.asked < 1_000, "{}", findings.asked);
}

#[test]
fn a_target_without_a_limit_admits_what_the_bounds_allow() {
    let findings = findings(|_, _, _| Answer::new(true));
    assert_eq!(findings.ending, Ending::OutOfRequests);
    assert_eq!((findings.blocked, findings.admitted), (0, 20_000));
    assert_eq!(findings.most_in_a_second, 200);
    assert_eq!(explained(&findings), [""; 0]);
}

#[test]
fn keys_that_count_together_and_a_limit_of_one_are_explained() {
    let mut one = limiters::exact(Algorithm::ClockWindow, 1, 2 * SECOND);
    let findings = findings(|_, _, at| Answer::new(one(0, 0, at)));
    let names: Vec<_> = findings.explanations.iter().flatten().map(name).collect();
    assert!(names.contains(&("fixed-window", "clock")), "{names:?}");
}

/// A count that starts anew once a key was not asked for so long. If `by_admission`, only admissions are such a request.
fn renewed(by_admission: bool) -> Limiter {
    let mut keys: HashMap<usize, (u64, i128)> = HashMap::new();
    Box::new(move |key, _, at| {
        let (count, until) = keys.entry(key).or_insert((0, at));
        if at >= *until {
            *count = 0;
        }
        let admits = *count < LIMIT;
        *count += u64::from(admits);
        if admits || !by_admission {
            *until = at + i128::from(WINDOW);
        }
        admits
    })
}

#[test]
fn a_window_that_requests_renew_is_not_taken_for_another() {
    for by_admission in [false, true] {
        let mut limiter = renewed(by_admission);
        let findings = findings(|_, key, at| Answer::new(limiter(key, 0, at)));
        assert_eq!(
            explained(&findings),
            Vec::<String>::new(),
            "{by_admission} {findings:#?}"
        );
        // If blocked requests renew it too, only rests tell how long it is.
        let is_it = |(short, long): (Nanos, Nanos)| (short..=long).contains(&Nanos(WINDOW));
        assert_eq!(
            findings.rest.map(is_it),
            (!by_admission).then_some(true),
            "{findings:#?}"
        );
    }
}

/// A bucket that is full again once a key was not asked for a second.
#[test]
fn a_bucket_that_is_forgotten_too_soon_is_not_taken_for_another() {
    let rate = i128::from(WINDOW / LIMIT);
    let mut keys: HashMap<usize, (i128, i128)> = HashMap::new();
    let findings = findings(|_, key, at| {
        let (full, last) = keys.entry(key).or_insert((at, at));
        if at >= *last + i128::from(SECOND) {
            *full = at;
        }
        *last = at;
        let admits = *full - at <= rate * i128::from(LIMIT - 1);
        if admits {
            *full = (*full).max(at) + rate;
        }
        Answer::new(admits)
    });
    assert_eq!(explained(&findings), Vec::<String>::new(), "{findings:#?}");
}
