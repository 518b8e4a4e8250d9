//! Probes of simulated limiters, by a simulated clock.

use super::testing::terms;
use super::*;
use crate::limiter::algorithm::{FixedWindow, KeyState, SlidingLog, TokenBucket};
use crate::limiter::{Limit, Timestamp, Window};
use proptest::prelude::*;
use std::collections::HashMap;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// A limiter's decision.
struct Decided {
    allowed: bool,
    remaining: u64,
    /// The time until it would admit another.
    wait: Nanos,
}

fn decision(is_allowed: bool) -> Decision {
    if is_allowed {
        Decision::Allowed
    } else {
        Decision::Blocked
    }
}

/// A limiter: it decides by key, target and the time by its clock.
type Limiter<'a> = dyn FnMut(u32, usize, Nanos) -> Decided + 'a;

/// The headers with which it answers after a decision at that time.
type Words<'a> = dyn Fn(&Decided, Nanos) -> LimitHeaders + 'a;

/// A simulated network and machine.
#[derive(Debug, Clone)]
struct World {
    limit: u64,
    window_ms: u64,
    targets: usize,
    /// The limiter's clock at the run's start.
    phase: Nanos,
    /// How much too fast the limiter's clock is, in millionths.
    fast: i64,
    /// In turn for each request, in µs: the times to the limiter and back, and the probe's delay in sending it.
    delays: Vec<(u64, u64, u64)>,
}

impl World {
    fn still(limit: u64, window_ms: u64) -> World {
        World {
            limit,
            window_ms,
            targets: 3,
            phase: Nanos(1_700_000_000 * SECOND + 300 * MILLI),
            fast: 0,
            delays: vec![(100, 100, 50)],
        }
    }

    fn clock(&self, at: Nanos) -> Nanos {
        let gained = i128::from(at.0) * i128::from(self.fast) / 1_000_000;
        Nanos((i128::from(self.phase.0) + i128::from(at.0) + gained) as u64)
    }

    /// Runs a probe for that many cycles. `change` may change each reply.
    fn run_with(
        &self,
        cycles: u32,
        limiter: &mut Limiter<'_>,
        words: &Words<'_>,
        mut change: impl FnMut(&Question, &mut Reply),
    ) -> ProbeReport {
        let mut probe = Probe::new(terms(self.limit, self.window_ms, self.targets));
        let mut delays = self.delays.iter().cycle();
        let mut now = Nanos::ZERO;
        while let Some(question) = probe.next() {
            if question.key >= cycles * 2 {
                break;
            }
            let targets = match question.to {
                To::All => 0..self.targets,
                To::One(target) => target..target + 1,
            };
            let mut replies: Vec<_> = targets
                .zip(question.sequence..)
                .map(|(target, sequence)| {
                    let (out, back, late) = delays.next().unwrap();
                    let sent = now.max(question.at) + Nanos(late * 1_000);
                    let decided = sent + Nanos(out * 1_000);
                    let request = ProbeRequest {
                        sequence,
                        target,
                        sent,
                        done: decided + Nanos(back * 1_000),
                        decision: Decision::Allowed,
                    };
                    (decided, request)
                })
                .collect();
            if question.to == To::All {
                let in_place = |(_, r): &(Nanos, ProbeRequest)| {
                    assert_eq!(r.sequence % self.targets as u64, r.target as u64);
                };
                replies.iter().for_each(in_place);
            }
            replies.sort_by_key(|(decided, _)| *decided);
            let mut replies: Vec<_> = replies
                .into_iter()
                .map(|(at, request)| {
                    let at = self.clock(at);
                    let decided = limiter(question.key, request.target, at);
                    let decision = decision(decided.allowed);
                    let status = if decided.allowed { 200 } else { 429 };
                    let said = words(&decided, at);
                    let mut reply = Reply {
                        request: ProbeRequest {
                            decision,
                            ..request
                        },
                        status: Some(status),
                        headers: said,
                    };
                    change(&question, &mut reply);
                    reply
                })
                .collect();
            replies.sort_by_key(|reply| reply.request.target);
            let done = replies.iter().map(|reply| reply.request.done);
            now = done.max().unwrap();
            probe.answered(&replies);
        }
        probe.finish()
    }

    fn run(&self, limiter: &mut Limiter<'_>, words: &Words<'_>) -> ProbeReport {
        self.run_with(2, limiter, words, |_, _| {})
    }

    /// One store for all targets.
    fn shared<A: KeyState + Default>(&self) -> impl FnMut(u32, usize, Nanos) -> Decided + use<A> {
        let mut alone = self.alone::<A>();
        move |key, _, now| alone(key, 0, now)
    }

    /// A store for each target.
    fn alone<A: KeyState + Default>(&self) -> impl FnMut(u32, usize, Nanos) -> Decided + use<A> {
        let limit = Limit::new(self.limit).unwrap();
        let window = Window::from_millis(self.window_ms).unwrap();
        let mut keys: HashMap<_, A> = HashMap::new();
        move |key, target, now| {
            let state = keys.entry((key, target)).or_default();
            let decision = state.check(Timestamp::from_micros(now.0 / 1_000), limit, window);
            Decided {
                allowed: decision.allowed,
                remaining: decision.remaining.into(),
                wait: Nanos(decision.reset.get() * 1_000),
            }
        }
    }

    /// Windows that an admission opens.
    fn opened(&self) -> impl FnMut(u32, usize, Nanos) -> Decided + use<> {
        let (limit, window) = (self.limit, Nanos(self.window_ms * MILLI));
        let mut keys: HashMap<u32, (Nanos, u64)> = HashMap::new();
        move |key, _, now| {
            let (end, count) = keys.entry(key).or_default();
            if now >= *end {
                (*end, *count) = (now + window, 0);
            }
            let allowed = *count < limit;
            *count += u64::from(allowed);
            Decided {
                allowed,
                remaining: limit - *count,
                wait: *end - now,
            }
        }
    }

    /// A sliding log in which blocked requests count too.
    fn counting_blocked(&self) -> impl FnMut(u32, usize, Nanos) -> Decided + use<> {
        let (limit, window) = (self.limit as usize, Nanos(self.window_ms * MILLI));
        let mut keys: HashMap<u32, Vec<Nanos>> = HashMap::new();
        move |key, _, now| {
            let log = keys.entry(key).or_default();
            log.retain(|at| *at + window > now);
            let allowed = log.len() < limit;
            log.push(now);
            let oldest_in_the_way = log[log.len().saturating_sub(limit)];
            Decided {
                allowed,
                remaining: limit.saturating_sub(log.len()) as u64,
                wait: oldest_in_the_way + window - now,
            }
        }
    }
}

/// Both headers. `after` makes `Retry-After` of the true wait.
fn said(decided: &Decided, after: impl Fn(Nanos) -> Option<RetryAfter>) -> LimitHeaders {
    let reset = decided.wait.0.div_ceil(SECOND);
    LimitHeaders {
        retry_after: if decided.allowed {
            None
        } else {
            after(decided.wait)
        },
        quotas: vec![headers::Quota {
            name: String::new(),
            remaining: decided.remaining,
            reset: Some(reset),
        }],
        ..LimitHeaders::default()
    }
}

fn correct(decided: &Decided, _: Nanos) -> LimitHeaders {
    said(decided, |wait| {
        Some(RetryAfter::Seconds(wait.0.div_ceil(SECOND)))
    })
}

fn wrong(after: impl Fn(Nanos) -> u64) -> impl Fn(&Decided, Nanos) -> LimitHeaders {
    move |decided, _| said(decided, |wait| Some(RetryAfter::Seconds(after(wait))))
}

fn nothing(decided: &Decided, _: Nanos) -> LimitHeaders {
    said(decided, |_| None)
}

/// Correct headers with a date. The answer's own date is up to a second old.
fn dated(decided: &Decided, now: Nanos) -> LimitHeaders {
    said(decided, |wait| {
        let stale = now.0 % 7 * SECOND / 7;
        let until = (now + wait).0.div_ceil(SECOND);
        let apart = until as i64 - ((now.0 - stale) / SECOND) as i64;
        Some(RetryAfter::Date(Some(apart)))
    })
}

fn only(report: &ProbeReport) -> &HeaderFault {
    let [finding] = &report.faults[..] else {
        panic!("{report:#?}");
    };
    finding
}

fn worlds() -> impl Strategy<Value = World> {
    let delay = prop_oneof![0_u64..300, 0_u64..20_000];
    let late = prop_oneof![0_u64..300, 0_u64..100_000];
    (
        1_u64..40,
        prop_oneof![200_u64..5_000, 5_000_u64..120_000],
        1_usize..5,
        0_u64..100_000,
        -450_i64..450,
        prop::collection::vec((delay.clone(), delay, late), 1..50),
    )
        .prop_map(|(limit, window_ms, targets, phase, fast, delays)| World {
            limit,
            window_ms,
            targets,
            phase: Nanos(1_700_000_000 * SECOND + phase * MILLI),
            fast,
            delays,
        })
}

proptest! {
    #[test]
    fn a_correct_limiter_is_never_accused(world in worlds()) {
        for words in [&correct as &Words<'_>, &dated] {
            for limiter in [
                &mut world.shared::<SlidingLog>() as &mut Limiter<'_>,
                &mut world.shared::<FixedWindow>(),
                &mut world.shared::<TokenBucket>(),
                &mut world.opened(),
                &mut world.counting_blocked(),
            ] {
                let report = world.run(limiter, words);
                prop_assert_eq!(report.faults, []);
            }
        }
    }

    #[test]
    fn a_failed_request_accuses_nobody(
        world in worlds(),
        unanswered: bool,
        every in 1_usize..60,
    ) {
        // The store is away for one request in so many.
        let mut count = 0;
        let decision = if unanswered { Decision::Unanswered } else { Decision::Failed };
        let report = world.run_with(2, &mut world.shared::<SlidingLog>(), &correct, |_, reply| {
            count += 1;
            if count % every == 0 {
                reply.request.decision = decision;
                reply.status = (!unanswered).then_some(503);
                reply.headers = LimitHeaders::default();
            }
        });
        prop_assert_eq!(report.faults, []);
    }
}

#[test]
fn a_correct_limiter_is_checked_in_every_cycle() {
    let world = World::still(100, 60_000);
    for limiter in [
        &mut world.shared::<SlidingLog>() as &mut Limiter<'_>,
        &mut world.shared::<FixedWindow>(),
        &mut world.shared::<TokenBucket>(),
        &mut world.opened(),
        &mut world.counting_blocked(),
    ] {
        let report = world.run(limiter, &correct);
        assert_eq!(report.faults, []);
        assert_eq!(report.remarks, []);
        assert_eq!(report.flooded, Checked::Times(2));
        assert_eq!(report.retry_after, Checked::Times(2));
        let Checked::Times(claims) = report.remaining else {
            panic!("{report:?}");
        };
        assert!(claims >= 200);
        assert!(report.asked >= 2 * (69 * 3 + 102));
    }
}

#[test]
fn retry_after_of_a_sliding_log_is_tried_a_minute_after_the_key_was_used_up() {
    let world = World::still(100, 60_000);
    let mut last = Nanos::ZERO;
    let mut steps = Vec::new();
    world.run_with(
        1,
        &mut world.shared::<SlidingLog>(),
        &correct,
        |question, reply| {
            let sent = reply.request.sent;
            if sent > last + Nanos(SECOND) {
                steps.push((question.at, reply.request.decision));
            }
            last = sent;
        },
    );
    let [(before, Decision::Blocked), (after, Decision::Allowed)] = steps[..] else {
        panic!("{steps:?}");
    };
    let whole = |at: Nanos| at.0 / SECOND;
    assert_eq!((whole(before), whole(after)), (60, 61));
}

#[test]
fn milliseconds_are_told_from_seconds_that_are_wrong() {
    let world = World::still(100, 60_000);
    let millis = wrong(|wait| wait.0.div_ceil(MILLI));
    let report = world.run(&mut world.shared::<SlidingLog>(), &millis);
    let finding = only(&report);
    assert_eq!((finding.kind, finding.seen), (FaultKind::WrongUnit, 2));
    assert_eq!((finding.key, finding.target), (1, 1));
    assert_eq!(finding.requests.len(), 2);
    let text = &finding.text;
    assert!(
        text.ends_with("allowed: it looks like milliseconds"),
        "{text}"
    );

    let report = world.run(&mut world.shared::<SlidingLog>(), &wrong(|_| 1_000));
    assert_eq!(only(&report).kind, FaultKind::TooLate);
    assert_eq!(
        only(&report).text,
        "Retry-After was 1000 s, longer than the window of 60 s"
    );
}

#[test]
fn milliseconds_that_the_run_has_no_time_for_look_like_milliseconds() {
    let mut probe = Probe::new(terms(1, 60_000, 1));
    let world = World::still(1, 60_000);
    let mut limiter = world.shared::<SlidingLog>();
    let mut now = Nanos::ZERO;
    while let Some(question) = probe
        .next()
        .filter(|question| question.at < Nanos(5 * SECOND))
    {
        now = now.max(question.at) + Nanos(MILLI);
        let decided = limiter(question.key, 0, world.clock(now));
        let decision = decision(decided.allowed);
        let request = ProbeRequest {
            sequence: question.sequence,
            target: 0,
            sent: now,
            done: now,
            decision,
        };
        probe.answered(&[Reply {
            request,
            status: Some(429),
            headers: wrong(|wait| wait.0 / MILLI)(&decided, now),
        }]);
    }
    let report = probe.finish();
    assert_eq!(only(&report).kind, FaultKind::WrongUnit);
    assert!(only(&report).text.ends_with("it looks like milliseconds"));
}

#[test]
fn a_time_rounded_down_is_too_early_by_less_than_a_second() {
    let world = World::still(100, 60_000);
    let down = wrong(|wait| wait.0 / SECOND);
    let report = world.run(&mut world.opened(), &down);
    let finding = only(&report);
    assert_eq!((finding.kind, finding.seen), (FaultKind::TooEarly, 2));
    let text = &finding.text;
    assert!(text.contains("allowed: it looks rounded down"), "{text}");
    assert_eq!(finding.requests.len(), 3);
}

#[test]
fn half_the_wait_is_too_early_by_more_than_a_second() {
    let world = World::still(100, 60_000);
    let half = wrong(|wait| wait.0.div_ceil(SECOND).div_ceil(10));
    let report = world.run(&mut world.opened(), &half);
    let finding = only(&report);
    assert_eq!(finding.kind, FaultKind::TooEarly);
    let text = &finding.text;
    assert!(
        text.ends_with("blocked, and one a second after that too"),
        "{text}"
    );
}

#[test]
fn twice_the_wait_is_too_late() {
    let world = World {
        phase: Nanos(1_700_000_010 * SECOND),
        ..World::still(100, 60_000)
    };
    let twice = wrong(|wait| wait.0.div_ceil(SECOND) * 2);
    let mut limiter = world.shared::<FixedWindow>();
    let report = world.run_with(1, &mut limiter, &twice, |_, _| {});
    let finding = only(&report);
    assert_eq!(finding.kind, FaultKind::TooLate);
    let text = &finding.text;
    assert!(text.starts_with("Retry-After was "), "{text}");
    assert!(text.ends_with(" later was allowed"), "{text}");
}

#[test]
fn no_retry_after_is_missed_with_429_alone() {
    let world = World::still(10, 60_000);
    let report = world.run(&mut world.shared::<SlidingLog>(), &nothing);
    assert_eq!(
        (only(&report).kind, only(&report).seen),
        (FaultKind::Missing, 2)
    );

    let mut limiter = world.shared::<SlidingLog>();
    let report = world.run_with(1, &mut limiter, &nothing, |_, reply| {
        reply.status = Some(200)
    });
    assert_eq!(report.faults, []);
    assert_eq!(
        report.retry_after.to_string(),
        "not checked: blocked requests are answered with 200 and no Retry-After"
    );
}

#[test]
fn a_value_that_is_neither_seconds_nor_a_date_is_malformed() {
    let world = World::still(10, 60_000);
    let words = |decided: &Decided, _: Nanos| {
        said(decided, |_| Some(RetryAfter::Malformed("1.5".to_owned())))
    };
    let report = world.run(&mut world.shared::<SlidingLog>(), &words);
    let finding = only(&report);
    assert_eq!(finding.kind, FaultKind::Malformed);
    assert_eq!(
        &finding.text,
        "Retry-After was \"1.5\", which is neither whole seconds nor an HTTP-date"
    );
}

#[test]
fn a_zero_is_wrong_if_the_wait_is_not_over() {
    let zero = wrong(|_| 0);
    let world = World::still(10, 60_000);
    let report = world.run(&mut world.shared::<SlidingLog>(), &zero);
    assert_eq!(only(&report).kind, FaultKind::TooEarly);

    // A token comes back every 25 ms.
    let world = World::still(10, 250);
    let report = world.run(&mut world.shared::<TokenBucket>(), &zero);
    assert_eq!(report.faults, []);
    let kinds: Vec<_> = report.remarks.iter().map(|remark| remark.kind).collect();
    assert!(kinds.contains(&RemarkKind::Zero), "{kinds:?}");
}

#[test]
fn nodes_that_count_alone_leave_more_than_they_can() {
    for limit in [10, 100] {
        let world = World::still(limit, 60_000);
        let report = world.run(&mut world.alone::<SlidingLog>(), &correct);
        let finding = only(&report);
        assert_eq!((finding.kind, finding.seen), (FaultKind::Remaining, 2));
        let text = &finding.text;
        assert!(text.ends_with("each node seems to count alone"), "{text}");
    }
}

#[test]
fn a_positive_remainder_before_a_block_is_a_remark() {
    let world = World::still(10, 60_000);
    let words = |decided: &Decided, now: Nanos| {
        let mut said = correct(decided, now);
        said.quotas[0].remaining = decided.remaining + 1;
        said
    };
    let report = world.run(&mut world.shared::<SlidingLog>(), &words);
    assert_eq!(report.faults, []);
    let [remark] = &report.remarks[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (remark.kind, remark.seen),
        (RemarkKind::BlockedWithRemaining, 2)
    );
    assert_eq!(
        remark.text,
        "a request was blocked although an answer reported 1 remaining"
    );
}

#[test]
fn an_effective_window_that_misleads_is_a_remark() {
    let world = World::still(10, 60_000);
    let words = |decided: &Decided, now: Nanos| {
        let mut said = correct(decided, now);
        said.quotas[0].reset = Some(5);
        said
    };
    let report = world.run(&mut world.shared::<SlidingLog>(), &words);
    assert_eq!(report.faults, []);
    let [remark] = &report.remarks[..] else {
        panic!("{report:?}");
    };
    assert_eq!(remark.kind, RemarkKind::Reset);
}

#[test]
fn a_key_that_is_answered_otherwise_is_given_up() {
    let world = World::still(100, 60_000);
    let mut limiter = world.shared::<SlidingLog>();
    let report = world.run_with(1, &mut limiter, &correct, |_, reply| {
        reply.request.decision = Decision::Failed;
        reply.status = Some(401);
    });
    assert_eq!(report.asked, 4);
    let expected = "not checked: a request was answered with 401, neither allowed nor blocked";
    for checked in [&report.flooded, &report.retry_after, &report.remaining] {
        assert_eq!(checked.to_string(), expected);
    }
}

#[test]
fn a_node_that_fails_open_meanwhile_proves_nothing() {
    let world = World::still(100, 60_000);
    let mut limiter = world.shared::<SlidingLog>();
    let report = world.run_with(1, &mut limiter, &correct, |question, reply| {
        if question.at > Nanos(30 * SECOND) {
            reply.request.decision = Decision::Allowed;
            reply.headers = LimitHeaders::default();
        }
    });
    assert_eq!(report.faults, []);
    assert_eq!(report.retry_after, Checked::Not(NotChecked::Undecided));
}

#[test]
fn a_limit_too_large_for_its_window_is_not_asked_for() {
    let probe = Probe::new(terms(1_000_000, 1_000, 3));
    assert_eq!(probe.next(), None);
    assert_eq!(
        probe.finish().flooded.to_string(),
        "not checked: the probe can check a limit of at most 371 in 1s, not 1000000"
    );
}
