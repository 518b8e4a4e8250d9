//! A wrong limiter is never acquitted of what it did: if the verdict is "kept", the limiter truly admitted fewer requests
//! beyond the limit than the resolution that the verdict states.

use super::cluster::{History, Latency, World, quota, world, world_of_tiers};
use super::limiters::{Algorithm, Fault};
use super::soundness::{for_all, limit, own_quota};
use super::truth;
use loadgen::base::Nanos;
use loadgen::core::audit::{
    AuditReport, AuditVerdict, Promise, PromiseReport, PromiseVerdict, Quota,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::cell::Cell;

/// How often limiters came up that admitted too much, and how often they were acquitted with a resolution that covers it.
#[derive(Default)]
struct Tally {
    kept: Cell<u64>,
    wrong: Cell<u64>,
    acquitted: Cell<u64>,
}

impl Tally {
    fn print(&self) {
        println!(
            "limits exceeded: {}; verdicts \"kept\": {}; kept limits exceeded by less than the resolution: {}",
            self.wrong.get(),
            self.kept.get(),
            self.acquitted.get(),
        );
    }
}

fn count(times: &Cell<u64>, it: bool) {
    times.set(times.get() + u64::from(it));
}

/// The promises that the audit is asked about.
const PROMISES: [&str; 4] = [
    "auto",
    "fixed-window by key",
    "sliding-counter by key",
    "token-bucket",
];

fn is_never_acquitted(fault: impl Strategy<Value = Fault>, world: impl Strategy<Value = World>) {
    are_never_acquitted((world, fault));
}

fn are_never_acquitted(cases: impl Strategy<Value = (World, Fault)>) {
    let tally = Tally::default();
    let algorithm = select(&Algorithm::ALL[..]);
    let promise = prop_oneof![3 => Just(PROMISES[0]), 1 => select(&PROMISES[1..])];
    for_all(250, (cases, algorithm, promise), |case| {
        let ((world, fault), algorithm, promise) = case;
        let history = world.play(algorithm, fault);
        resolutions_hold(&history, &history.audit_by(promise), &tally)
    });
    tally.print();
}

fn resolutions_hold(history: &History, report: &AuditReport, tally: &Tally) -> TestCaseResult {
    let is_kept = report.verdict(true) == AuditVerdict::Kept;
    count(&tally.kept, is_kept);
    let kept = |one: &&PromiseReport| one.verdict(false) == PromiseVerdict::Kept;
    if is_kept {
        prop_assert!(report.answers.allowed > 0, "nothing was admitted");
        prop_assert!(report.promises.iter().any(|one| kept(&one)), "nothing kept");
    }
    for promise in &report.promises {
        for limit in &promise.limits {
            let beyond = truth::excess(history, &limit.limit);
            count(&tally.wrong, beyond > 0);
            if is_kept && kept(&promise) {
                prop_assert!(promise.judged > 0, "no key was judged");
                count(&tally.acquitted, beyond > 0);
                let resolution = limit.resolution().requests;
                prop_assert!(
                    i128::from(resolution) > beyond,
                    "{}: {beyond} too many, resolution {resolution}\n{limit:#?}\n{history:?}",
                    limit.limit
                );
            }
        }
    }
    Ok(())
}

/// One test of each wrong limiter.
macro_rules! never_acquitted {
    ($($limiter:ident: $fault:expr),+ $(,)?) => {
        $(#[test]
        fn $limiter() {
            is_never_acquitted($fault, world(120));
        })+
    };
}

never_acquitted! {
    a_right_limiter: Just(Fault::None),
    one_more_than_the_limit: Just(Fault::OneMore),
    half_the_window: Just(Fault::HalfWindow),
    a_window_that_is_too_short: (0.7..1.0).prop_map(Fault::ShortWindow),
    nodes_that_count_alone: Just(Fault::NodesAlone),
    a_race_between_nodes: (0.0..0.5).prop_map(Fault::Race),
    open_for_a_while: (0.0..2.0, 0.0..3.0).prop_map(|(from, to)| Fault::Open(from, from + to)),
    no_limit: Just(Fault::AlwaysOpen),
    blocked_requests_that_count: Just(Fault::CountsBlocked),
    blocks_for_no_reason: (1usize..10).prop_map(Fault::BlocksSometimes),
    fails_open_now_and_then: (2usize..100).prop_map(Fault::OpensSometimes),
    twice_the_limit_in_first_windows: Just(Fault::DoubleAtFirst),
    some_keys_unlimited: (1usize..5).prop_map(Fault::UnlimitedKeys),
    blocks_everything: Just(Fault::BlocksAll),
    counts_shared_by_pairs_of_keys: Just(Fault::PairsOfKeys),
    counts_lost_at_restarts: (0.3..3.0).prop_map(Fault::Restarts),
    a_clock_that_is_ahead: (0.0..1.0).prop_map(Fault::ClockAhead),
    a_limit_that_is_raised: (0.0..3.0).prop_map(Fault::Doubled),
    keys_that_are_forgotten: (1usize..4).prop_map(Fault::Evicts),
    a_node_that_admits_everything: Just(Fault::NodeOpen),
    counts_that_are_read_too_late: (0.0..1.0).prop_map(Fault::StaleReads),
}

/// Blocked requests are answered at once, admitted ones after more than a window.
#[test]
fn answers_slower_than_the_window() {
    let slow = (world(120), 1.0..1.5).prop_map(|(mut world, slow)| {
        world.slow = slow;
        world.timeout = world.timeout.max(world.window * 2);
        world
    });
    let fault = prop_oneof![
        Just(Fault::AlwaysOpen),
        Just(Fault::OneMore),
        Just(Fault::NodesAlone),
        Just(Fault::HalfWindow),
        (2usize..100).prop_map(Fault::OpensSometimes),
    ];
    is_never_acquitted(fault, slow);
}

/// What is admitted uncounted is answered 1.5 windows after the timeout, when admissions of its window are forgotten already.
#[test]
fn answers_after_the_timeout() {
    let late = (world(120), 2usize..40).prop_map(|(mut world, every)| {
        (world.before, world.after) = (Latency::Zero, Latency::Heavy);
        (world.timeout, world.patient) = (world.window * 2, true);
        for (draw, number) in world.requests.iter_mut().zip(1..) {
            // Draws of up to 30,000 make latencies of up to a hundredth of the window.
            let is_late = number % every == 0;
            draw.after = if is_late { 64_705 } else { draw.after % 30_000 };
        }
        (world, Fault::OpensSometimes(every))
    });
    are_never_acquitted(late);
}

/// One of the quotas is not what was promised.
fn wrong(quota: Quota, way: u8) -> Quota {
    let window = quota.window;
    match way {
        0 => Quota::new(quota.limit + 1, window),
        1 => Quota {
            window: Nanos(window.0 / 2),
            ..quota
        },
        2 => Quota {
            burst: quota.burst + 1,
            ..quota
        },
        _ => Quota::new(quota.limit * 2, window),
    }
}

#[test]
fn two_limits_of_which_one_is_wrong() {
    let tally = Tally::default();
    let algorithm = || select(&Algorithm::ALL[..]);
    let cases = world(120).prop_flat_map(move |world| {
        let quotas = (quota(world.window), quota(world.window));
        (Just(world), algorithm(), algorithm(), quotas, 0..4u8)
    });
    for_all(250, cases, |(world, first, second, quotas, way)| {
        let (promised, other) = quotas;
        let history = world.play_limits(&[(first, wrong(promised, way)), (second, other)]);
        let promise = Promise {
            limits: vec![limit(first, promised), limit(second, other)],
        };
        resolutions_hold(&history, &history.audit_of(vec![promise]), &tally)
    });
    tally.print();
}

#[test]
fn a_wrong_limit_of_keys_with_tiers_and_costs() {
    let tally = Tally::default();
    let cases = (world_of_tiers(120), select(&Algorithm::ALL[..]), 0..4u8);
    for_all(250, cases, |(world, algorithm, way)| {
        let quota = own_quota(&world);
        let history = world.play_limits(&[(algorithm, wrong(quota, way))]);
        let promise = Promise::of(limit(algorithm, quota));
        resolutions_hold(&history, &history.audit_of(vec![promise]), &tally)
    });
    tally.print();
}

/// Tolerances excuse excesses, but the resolution still counts them.
#[test]
fn an_excess_within_the_tolerances() {
    let tally = Tally::default();
    let fault = prop_oneof![
        Just(Fault::OneMore),
        Just(Fault::HalfWindow),
        (0.0..1.0).prop_map(Fault::ClockAhead),
    ];
    let granted = (0.0..0.4, select(&[0.0, 0.05, 0.2, 1.0][..]));
    let cases = (world(120), select(&Algorithm::ALL[..]), fault, granted);
    for_all(250, cases, |(mut world, algorithm, fault, granted)| {
        (world.clock.apart, world.excess) = granted;
        let history = world.play(algorithm, fault);
        resolutions_hold(&history, &history.audit(), &tally)
    });
    tally.print();
}
