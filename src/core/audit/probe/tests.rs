//! Probes of simulated limiters, by a simulated clock.

use super::*;
use crate::limiter::algorithm::{FixedWindow, KeyState, SlidingLog, TokenBucket};
use crate::limiter::{Limit, Timestamp, Window};
use proptest::prelude::*;
use std::collections::HashMap;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

pub fn terms(limit: u64, window_ms: u64, targets: usize) -> Terms {
    Terms::of_all_promises(limit, Nanos(window_ms * MILLI), targets)
}

/// A limiter's decision.
#[derive(Clone, Copy)]
struct Decided {
    allowed: bool,
    remaining: u64,
    /// The time until it would admit another.
    wait: Nanos,
}

impl Decided {
    fn decision(self) -> Decision {
        if self.allowed {
            Decision::Allowed
        } else {
            Decision::Blocked
        }
    }

    /// Both headers. `after` makes `Retry-After` of the true wait.
    fn said(self, after: impl Fn(Nanos) -> Option<RetryAfter>) -> LimitHeaders {
        let quota = headers::Quota {
            name: String::new(),
            remaining: self.remaining,
            reset: Some(self.wait.0.div_ceil(SECOND)),
        };
        LimitHeaders {
            retry_after: after(self.wait).filter(|_| !self.allowed),
            quotas: vec![quota],
            ..LimitHeaders::default()
        }
    }
}

/// A limiter: it decides by key, process and the time by its clock. Processes are numbered through all targets.
type Limiter = Box<dyn FnMut(u32, usize, Nanos) -> Decided>;

/// A store for all targets. `decide` knows only the state of the key.
fn stored<S: Default + 'static>(
    mut decide: impl FnMut(&mut S, Nanos) -> Decided + 'static,
) -> Limiter {
    let mut keys: HashMap<u32, S> = HashMap::new();
    Box::new(move |key, _, now| decide(keys.entry(key).or_default(), now))
}

/// The headers with which it answers after a decision at that time.
type Words<'a> = dyn Fn(Decided, Nanos) -> LimitHeaders + 'a;

/// A simulated network and machine.
#[derive(Debug, Clone)]
struct World {
    limit: u64,
    window_ms: u64,
    targets: usize,
    /// The units that one request counts.
    cost: u64,
    /// How many processes each target has. The kept connection leads to the first, fresh ones to each in turn.
    processes: usize,
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
            cost: 1,
            processes: 1,
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
        mut limiter: Limiter,
        words: &Words<'_>,
        mut change: impl FnMut(&Question, &mut Reply),
    ) -> ProbeReport {
        let mut probe = Probe::new(terms(self.limit, self.window_ms, self.targets), self.cost);
        let mut delays = self.delays.iter().cycle();
        let mut now = Nanos::ZERO;
        let mut fresh = 0;
        while let Some(question) = probe.next().filter(|next| next.key < cycles * 4) {
            let targets = match question.to {
                To::All => 0..self.targets,
                To::One(target) => target..target + 1,
            };
            let mut replies = Vec::new();
            for (target, sequence) in targets.zip(question.sequence..) {
                if question.to == To::All {
                    assert_eq!(sequence % self.targets as u64, target as u64);
                }
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
                replies.push((decided, request));
            }
            replies.sort_by_key(|(decided, _)| *decided);
            let mut decide = |(at, mut request): (Nanos, ProbeRequest)| {
                let at = self.clock(at);
                fresh += usize::from(question.fresh);
                let process = if question.fresh {
                    fresh % self.processes
                } else {
                    0
                };
                let place = request.target * self.processes + process;
                let decided = limiter(question.key, place, at);
                request.decision = decided.decision();
                let mut reply = Reply {
                    request,
                    address: None,
                    failing_open: false,
                    status: Some(if decided.allowed { 200 } else { 429 }),
                    headers: words(decided, at),
                };
                change(&question, &mut reply);
                reply
            };
            let mut replies: Vec<_> = replies.into_iter().map(&mut decide).collect();
            replies.sort_by_key(|reply| reply.request.target);
            let done = replies.iter().map(|reply| reply.request.done);
            now = done.max().unwrap();
            probe.answered(&replies);
        }
        probe.finish()
    }

    fn run(&self, limiter: Limiter, words: &Words<'_>) -> ProbeReport {
        self.run_with(2, limiter, words, |_, _| {})
    }

    /// One store for all targets.
    fn shared<A: KeyState + Default + 'static>(&self) -> Limiter {
        let mut alone = self.alone::<A>();
        Box::new(move |key, _, now| alone(key, 0, now))
    }

    /// A store for each process.
    fn alone<A: KeyState + Default + 'static>(&self) -> Limiter {
        let limit = Limit::new(self.limit).unwrap();
        let window = Window::from_millis(self.window_ms).unwrap();
        let mut keys: HashMap<_, A> = HashMap::new();
        Box::new(move |key, target, now| {
            let state = keys.entry((key, target)).or_default();
            let decision = state.check(Timestamp::from_micros(now.0 / 1_000), limit, window);
            Decided {
                allowed: decision.allowed,
                remaining: decision.remaining.into(),
                wait: Nanos(decision.reset.get() * 1_000),
            }
        })
    }

    /// Windows that an admission opens.
    fn opened(&self) -> Limiter {
        let (limit, window) = (self.limit, Nanos(self.window_ms * MILLI));
        stored(move |(end, count): &mut (Nanos, u64), now| {
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
        })
    }

    /// A sliding log in which blocked requests count too.
    fn counting_blocked(&self) -> Limiter {
        let (limit, window) = (self.limit as usize, Nanos(self.window_ms * MILLI));
        stored(move |log: &mut Vec<Nanos>, now| {
            log.retain(|at| *at + window > now);
            let allowed = log.len() < limit;
            log.push(now);
            let oldest_in_the_way = log[log.len().saturating_sub(limit)];
            Decided {
                allowed,
                remaining: limit.saturating_sub(log.len()) as u64,
                wait: oldest_in_the_way + window - now,
            }
        })
    }

    /// All limiters that keep a promise.
    fn correct(&self) -> [Limiter; 5] {
        [
            self.shared::<SlidingLog>(),
            self.shared::<FixedWindow>(),
            self.shared::<TokenBucket>(),
            self.opened(),
            self.counting_blocked(),
        ]
    }
}

fn seconds(seconds: u64) -> Option<RetryAfter> {
    Some(RetryAfter::Seconds(seconds))
}

fn correct(decided: Decided, _: Nanos) -> LimitHeaders {
    decided.said(|wait| seconds(wait.0.div_ceil(SECOND)))
}

/// Correct headers with a date. The answer's own date is up to a second old.
fn dated(decided: Decided, now: Nanos) -> LimitHeaders {
    decided.said(|wait| {
        let stale = now.0 % 7 * SECOND / 7;
        let until = (now + wait).0.div_ceil(SECOND);
        let apart = until as i64 - ((now.0 - stale) / SECOND) as i64;
        Some(RetryAfter::Date(Some(apart)))
    })
}

#[track_caller]
fn only(report: &ProbeReport) -> &HeaderFault {
    let [fault] = &report.faults[..] else {
        panic!("{report:#?}");
    };
    fault
}

prop_compose! {
    fn worlds()(
        limit in 1_u64..40,
        window_ms in prop_oneof![200_u64..5_000, 5_000_u64..120_000],
        targets in 1_usize..5,
        phase in 0_u64..100_000,
        fast in -450_i64..450,
        delays in prop::collection::vec((
            prop_oneof![0_u64..300, 0_u64..20_000],
            prop_oneof![0_u64..300, 0_u64..20_000],
            prop_oneof![0_u64..300, 0_u64..100_000],
        ), 1..50),
    ) -> World {
        let phase = Nanos(1_700_000_000 * SECOND + phase * MILLI);
        World { limit, window_ms, targets, cost: 1, processes: 1, phase, fast, delays }
    }
}

proptest! {
    #[test]
    fn a_correct_limiter_is_never_accused(world in worlds()) {
        for words in [&correct as &Words<'_>, &dated] {
            for limiter in world.correct() {
                let report = world.run(limiter, words);
                prop_assert_eq!(&report.faults, &[]);
                prop_assert_eq!(report.standing(), None::<&str>);
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
        let report = world.run_with(2, world.shared::<SlidingLog>(), &correct, |_, reply| {
            count += 1;
            if count % every == 0 {
                reply.request.decision = decision;
                reply.status = (!unanswered).then_some(503);
                reply.headers = LimitHeaders::default();
            }
        });
        prop_assert_eq!(&report.faults, &[]);
        prop_assert_eq!(report.standing(), None::<&str>);
    }
}

impl ProbeReport {
    /// A cause that stands although a correct limiter never answers like that. A window's end explains a race, and some
    /// correct limiters count blocked requests.
    fn standing(&self) -> Option<&'static str> {
        let asked = &self.questions;
        [
            (asked.nodes.stood, "nodes"),
            (asked.connections.stood, "connections"),
            (asked.keys.stood, "keys"),
            (asked.counted_twice.stood, "counted twice"),
        ]
        .into_iter()
        .find_map(|(stood, cause)| (stood > 0).then_some(cause))
    }

    fn sentence(&self, place: usize) -> String {
        let names = ["a", "b", "c"].map(str::to_owned);
        self.questions.sentences(&names)[place].clone()
    }
}

#[test]
fn a_correct_limiter_is_checked_in_every_cycle() {
    let world = World::still(100, 60_000);
    for limiter in world.correct() {
        let report = world.run(limiter, &correct);
        assert_eq!(report.faults, []);
        assert_eq!(report.remarks, []);
        assert_eq!(report.flooded.times, 2);
        assert!(report.retry_after.times >= 4, "{:?}", report.retry_after);
        assert!(report.remaining.times >= 200);
        assert!(report.asked >= 2 * (69 * 3 + 3 * 102));
        assert!(report.questions.nodes.is_refuted());
        assert!(report.questions.connections.is_refuted());
        assert!(report.questions.keys.is_refuted());
        assert!(report.questions.counted_twice.is_refuted());
    }
}

#[test]
fn retry_after_of_a_sliding_log_is_tried_a_minute_after_the_key_was_used_up() {
    let world = World::still(100, 60_000);
    let mut last = Nanos::ZERO;
    let mut steps = Vec::new();
    let log = world.shared::<SlidingLog>();
    world.run_with(1, log, &correct, |question, reply| {
        let sent = reply.request.sent;
        if question.key != header_key(0) {
            return;
        }
        if last > Nanos::ZERO && sent > last + Nanos(SECOND) {
            steps.push((question.at.0 / SECOND, reply.request.decision));
        }
        last = sent;
    });
    assert_eq!(steps, [(60, Decision::Blocked), (61, Decision::Allowed)]);
}

#[test]
fn each_fault_of_a_header_is_named() {
    let world = World::still(100, 60_000);
    let (log, opened) = (|| world.shared::<SlidingLog>(), || world.opened());
    type After = fn(Nanos) -> Option<RetryAfter>;
    let cases: [(Limiter, After, FaultKind, usize, &str); 10] = [
        (
            log(),
            |wait| seconds(wait.0.div_ceil(MILLI)),
            FaultKind::WrongUnit,
            2,
            "allowed: it looks like milliseconds",
        ),
        (
            log(),
            |_| seconds(1_000),
            FaultKind::TooLate,
            2,
            "Retry-After was 1000 s, longer than the window of 60 s",
        ),
        (
            log(),
            |_| seconds(u64::MAX),
            FaultKind::TooLate,
            1,
            "Retry-After was more than 18446744073709551614 s, longer than the window of 60 s",
        ),
        (log(), |_| seconds(0), FaultKind::TooEarly, 3, ""),
        (
            opened(),
            |wait| seconds(wait.0 / SECOND),
            FaultKind::TooEarly,
            3,
            "allowed: it looks rounded down",
        ),
        (
            opened(),
            |wait| seconds(wait.0.div_ceil(SECOND).div_ceil(10)),
            FaultKind::TooEarly,
            3,
            "blocked, and one a second after that too",
        ),
        (
            log(),
            |_| Some(RetryAfter::Negative("-5".to_owned())),
            FaultKind::Malformed,
            1,
            "Retry-After was -5, which is negative",
        ),
        (
            log(),
            |_| Some(RetryAfter::UnixTime(UnixTime::Seconds(1_764_170_000))),
            FaultKind::Malformed,
            1,
            "Retry-After was 1764170000, which is a Unix time, not seconds",
        ),
        (
            log(),
            |_| Some(RetryAfter::Malformed("1.5".to_owned())),
            FaultKind::Malformed,
            1,
            "Retry-After was \"1.5\", which is neither whole seconds nor an HTTP-date",
        ),
        (
            world.alone::<SlidingLog>(),
            |wait| seconds(wait.0.div_ceil(SECOND)),
            FaultKind::Remaining,
            2,
            "each node's answers fit its own admissions",
        ),
    ];
    for (limiter, after, kind, requests, text) in cases {
        let report = world.run(limiter, &|decided, _| decided.said(after));
        let fault = only(&report);
        assert_eq!(fault.kind, kind, "{fault:?}");
        assert!(fault.seen >= 2 && fault.key < 4, "{fault:?}");
        assert_eq!(fault.requests.len(), requests, "{fault:?}");
        assert!(fault.text.ends_with(text), "{fault:?}");
    }
}

#[test]
fn milliseconds_that_the_run_has_no_time_for_look_like_milliseconds() {
    let mut probe = Probe::new(terms(1, 60_000, 1), 1);
    let world = World::still(1, 60_000);
    let mut limiter = world.shared::<SlidingLog>();
    let mut now = Nanos::ZERO;
    let in_time = |question: &Question| question.at < Nanos(5 * SECOND);
    while let Some(question) = probe.next().filter(in_time) {
        now = now.max(question.at) + Nanos(MILLI);
        let decided = limiter(question.key, 0, world.clock(now));
        let request = ProbeRequest {
            sequence: question.sequence,
            target: 0,
            sent: now,
            done: now,
            decision: decided.decision(),
        };
        probe.answered(&[Reply {
            request,
            address: None,
            failing_open: false,
            status: Some(429),
            headers: decided.said(|wait| seconds(wait.0 / MILLI)),
        }]);
    }
    let report = probe.finish();
    assert_eq!(only(&report).kind, FaultKind::WrongUnit);
    assert!(only(&report).text.ends_with("it looks like milliseconds"));
}

#[test]
fn twice_the_wait_is_too_late() {
    let world = World {
        phase: Nanos(1_700_000_010 * SECOND),
        ..World::still(100, 60_000)
    };
    let twice = |decided: Decided, _| decided.said(|wait| seconds(wait.0.div_ceil(SECOND) * 2));
    let report = world.run_with(1, world.shared::<FixedWindow>(), &twice, |_, _| {});
    let fault = only(&report);
    assert_eq!(fault.kind, FaultKind::TooLate);
    let text = &fault.text;
    assert!(text.starts_with("Retry-After was "), "{text}");
    assert!(text.ends_with(" later was allowed"), "{text}");
}

#[test]
fn no_retry_after_is_a_remark_with_429_alone_and_no_fault() {
    let world = World::still(10, 60_000);
    let nothing = |decided: Decided, _| decided.said(|_| None);
    for (status, remarks) in [(429, 1), (200, 0)] {
        let log = world.shared::<SlidingLog>();
        let report = world.run_with(1, log, &nothing, |_, reply| reply.status = Some(status));
        assert_eq!(report.faults, []);
        assert_eq!(report.remarks.len(), remarks, "{:?}", report.remarks);
        let why =
            format!("not checked: blocked requests are answered with {status} and no Retry-After");
        assert_eq!(report.retry_after.to_string(), why);
    }
}

#[test]
fn a_zero_is_no_fault_if_a_token_comes_back_every_25_ms() {
    let world = World::still(10, 250);
    let zero = |decided: Decided, _| decided.said(|_| seconds(0));
    let report = world.run(world.shared::<TokenBucket>(), &zero);
    assert_eq!(report.faults, []);
    let kinds: Vec<_> = report.remarks.iter().map(|remark| remark.kind).collect();
    assert!(kinds.contains(&RemarkKind::Zero), "{kinds:?}");
}

#[test]
fn quotas_that_mislead_are_remarks() {
    let world = World::still(10, 60_000);
    type Mislead = fn(&mut headers::Quota);
    let cases: [(Mislead, RemarkKind, &str); 2] = [
        (
            |quota| quota.remaining += 1,
            RemarkKind::BlockedWithRemaining,
            "a request was blocked with 429 although its own answer reported 1 remaining",
        ),
        (|quota| quota.reset = Some(5), RemarkKind::Reset, "blocked"),
    ];
    for (mislead, kind, text) in cases {
        let words = |decided: Decided, now: Nanos| {
            let mut said = correct(decided, now);
            said.quotas.iter_mut().for_each(mislead);
            said
        };
        let report = world.run(world.shared::<SlidingLog>(), &words);
        assert_eq!(report.faults, []);
        let [remark] = &report.remarks[..] else {
            panic!("{report:?}");
        };
        assert_eq!((remark.kind, remark.seen), (kind, 2));
        assert!(remark.text.ends_with(text), "{remark:?}");
    }
}

#[test]
fn a_key_that_is_answered_otherwise_is_given_up() {
    let world = World::still(100, 60_000);
    let log = world.shared::<SlidingLog>();
    let report = world.run_with(1, log, &correct, |_, reply| {
        reply.request.decision = Decision::Failed;
        reply.status = Some(401);
    });
    assert_eq!(report.asked, 5);
    let expected = "not checked: a request was answered with 401, neither allowed nor blocked";
    for checked in [&report.flooded, &report.retry_after, &report.remaining] {
        assert_eq!(checked.to_string(), expected);
    }
}

#[test]
fn a_node_that_fails_open_meanwhile_proves_nothing() {
    let world = World::still(100, 60_000);
    let log = world.shared::<SlidingLog>();
    let report = world.run_with(1, log, &correct, |question, reply| {
        if question.at > Nanos(30 * SECOND) {
            reply.request.decision = Decision::Allowed;
            reply.headers = LimitHeaders::default();
        }
    });
    assert_eq!(report.faults, []);
    let checked = report.retry_after;
    assert_eq!((checked.times, checked.why_not), (0, NotChecked::Undecided));
}

#[test]
fn a_limit_too_large_for_its_window_is_not_asked_for() {
    let probe = Probe::new(terms(1_000_000, 1_000, 3), 1);
    assert_eq!(probe.next(), None);
    assert_eq!(
        probe.finish().flooded.to_string(),
        "not checked: the probe can check a limit of at most 371 in 1s, not 1000000"
    );
}

// Possible causes.

const NODES: usize = 0;
const CONNECTIONS: usize = 1;
const KEYS: usize = 2;
const TWICE: usize = 3;
const RACE: usize = 4;
const BLOCKED: usize = 5;

impl World {
    /// A sliding log in which each request counts so often.
    fn counting(&self, times: usize) -> Limiter {
        let (limit, window) = (self.limit as usize, Nanos(self.window_ms * MILLI));
        stored(move |log: &mut Vec<Nanos>, now| {
            log.retain(|at| *at + window > now);
            let allowed = log.len() + times <= limit;
            if allowed {
                log.extend(vec![now; times]);
            }
            Decided {
                allowed,
                remaining: (limit - log.len()) as u64,
                wait: log
                    .first()
                    .map_or(Nanos::ZERO, |first| *first + window - now),
            }
        })
    }

    /// A sliding log for all keys together.
    fn keyless(&self) -> Limiter {
        let mut log = self.shared::<SlidingLog>();
        Box::new(move |_, place, now| log(0, place, now))
    }

    /// A count that a request reads and writes apart: one that comes within 0.1 ms of another reads the same number.
    fn racy(&self) -> Limiter {
        let limit = self.limit;
        stored(move |(at, read, count): &mut (Nanos, u64, u64), now| {
            if now > *at + Nanos(MILLI / 10) {
                (*at, *read) = (now, *count);
            }
            let allowed = *read < limit;
            *count += u64::from(allowed);
            Decided {
                allowed,
                remaining: limit.saturating_sub(*count),
                wait: Nanos(60 * SECOND),
            }
        })
    }
}

#[test]
fn nodes_that_count_alone_are_told_from_a_shared_limit_of_any_size() {
    let world = World::still(100, 60_000);
    let large = World::still(300, 60_000);
    let two = World {
        targets: 2,
        ..world.clone()
    };
    let cases = [
        (
            &world,
            world.alone::<SlidingLog>(),
            "each node counts alone: a alone blocked after 100 admissions of one key, and then b admitted 100 more and \
             c admitted 1 more while it still blocked",
        ),
        (
            &two,
            two.alone::<FixedWindow>(),
            "each node counts alone: a alone blocked after 100 admissions of one key, and then b admitted 100 more \
             while it still blocked",
        ),
        (
            &world,
            world.shared::<SlidingLog>(),
            "nodes do not count alone: a alone blocked after 100 admissions of one key, and then b and c blocked too",
        ),
        (
            &world,
            large.shared::<SlidingLog>(),
            "nodes do not count alone with this limit: a alone admitted 201 requests of one key",
        ),
    ];
    for (world, limiter, sentence) in cases {
        let report = world.run_with(1, limiter, &correct, |_, _| {});
        assert_eq!(report.sentence(NODES), sentence);
    }
}

#[test]
fn a_node_that_admits_everything_does_not_make_every_node_count_alone() {
    let world = World::still(100, 60_000);
    for open in 0..3 {
        let mut shared = world.shared::<SlidingLog>();
        let limiter: Limiter = Box::new(move |key, place, now| {
            if place == open {
                return Decided {
                    allowed: true,
                    remaining: 99,
                    wait: Nanos::ZERO,
                };
            }
            shared(key, place, now)
        });
        let report = world.run_with(1, limiter, &correct, |_, _| {});
        assert_eq!(
            report.standing(),
            None,
            "{open}: {}",
            report.sentence(NODES)
        );
    }
}

#[test]
fn nodes_of_which_two_share_a_count_do_not_each_count_alone() {
    let world = World::still(100, 60_000);
    for alone in 1..3 {
        let mut counts = world.alone::<SlidingLog>();
        let limiter: Limiter =
            Box::new(move |key, place, now| counts(key, usize::from(place == alone), now));
        let report = world.run_with(1, limiter, &correct, |_, _| {});
        assert_eq!(
            report.standing(),
            None,
            "{alone}: {}",
            report.sentence(NODES)
        );
    }
}

#[test]
fn processes_behind_one_port_that_count_alone_are_told_from_a_shared_count() {
    let world = World {
        processes: 4,
        targets: 1,
        ..World::still(100, 60_000)
    };
    let mut admitted = 0;
    let report = world.run_with(
        1,
        world.alone::<SlidingLog>(),
        &correct,
        |question, reply| {
            let is_allowed = reply.request.decision == Decision::Allowed;
            let is_early = question.at < Nanos(15 * SECOND);
            admitted += u64::from(question.key == one_node_key(0) && is_allowed && is_early);
        },
    );
    assert!(admitted > 202, "{admitted}");
    assert_eq!(
        report.sentence(CONNECTIONS),
        "each process or connection of a counts alone: 6 of 8 requests over fresh connections were admitted while the \
         kept connection was blocked"
    );
    let report = world.run(world.shared::<SlidingLog>(), &correct);
    assert_eq!(
        report.sentence(CONNECTIONS),
        "connections do not count alone: 8 fresh connections to a were blocked like the kept one"
    );
    assert_eq!(
        report.sentence(NODES),
        "whether each node counts alone is not known: there is only one target"
    );
}

#[test]
fn keys_that_are_not_told_apart_are_found() {
    let world = World::still(100, 60_000);
    let report = world.run_with(1, world.keyless(), &correct, |_, _| {});
    assert_eq!(
        report.sentence(KEYS),
        "keys are not told apart: after 100 admissions of one key, a blocked the first request of another"
    );
    assert!(report.questions.nodes.standing().is_none());
}

#[test]
fn requests_that_are_counted_twice_are_told_from_half_the_limit() {
    for limit in [5, 20, 100] {
        let world = World::still(limit, 60_000);
        let report = world.run(world.counting(2), &correct);
        let twice = report.questions.counted_twice.standing().expect("twice");
        assert_eq!(twice.seen.admitted, limit / 2);
        assert_eq!(twice.seen.steps_of_one, 0);
        assert_eq!(twice.seen.steps_of_two, limit / 2 - 1);
    }
    let half = World::still(50, 60_000).counting(1);
    let report = World::still(100, 60_000).run(half, &correct);
    assert!(report.questions.counted_twice.is_refuted());
    assert_eq!(
        report.sentence(TWICE),
        "requests are not counted twice: sent one at a time, 50 requests of one key were admitted, of a limit of 100"
    );
}

#[test]
fn half_the_limit_is_not_said_to_be_counted_twice_if_no_answer_shows_the_difference() {
    let unknown = "whether requests are counted twice is not known: no two admitted requests reported how many remain";
    let silent = |_: Decided, _| LimitHeaders::default();
    for times in [1, 2] {
        let world = World::still(100 / times, 60_000);
        let limiter = World::still(50, 60_000).counting(1);
        let limiter = if times == 1 {
            limiter
        } else {
            world.counting(2)
        };
        let report = world.run(limiter, &silent);
        assert_eq!(report.sentence(TWICE), unknown);
    }
    let two = World::still(2, 60_000);
    let report = two.run(two.counting(2), &correct);
    assert_eq!(report.sentence(TWICE), unknown);
}

/// The addresses of a name count alone, and requests go to them in turn.
#[test]
fn addresses_of_one_name_are_not_said_to_be_connections_that_count_alone() {
    let several = "one target was reached at several addresses, which may count alone";
    for (targets, processes) in [(1, 3), (2, 4)] {
        let world = World {
            targets,
            processes,
            ..World::still(100, 60_000)
        };
        let addresses = ["10.0.0.1:80", "10.0.0.2:80"].map(Address::new);
        let mut turn = 0;
        let report = world.run_with(2, world.alone::<SlidingLog>(), &correct, |_, reply| {
            turn += 1;
            reply.address = Some(addresses[turn % 2]);
        });
        assert_eq!(report.standing(), None);
        for place in [NODES, CONNECTIONS, TWICE] {
            let said = report.sentence(place);
            assert!(said.ends_with(several), "{said}");
        }
    }
    // With an address of its own for each target, all is known.
    let world = World::still(100, 60_000);
    let addresses = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"].map(Address::new);
    let report = world.run_with(1, world.alone::<SlidingLog>(), &correct, |_, reply| {
        reply.address = Some(addresses[reply.request.target]);
    });
    assert_eq!(report.standing(), Some("nodes"));
}

#[test]
fn requests_that_cost_several_units_are_not_said_to_be_counted_twice() {
    for cost in [2, 3, 7] {
        let world = World {
            cost,
            ..World::still(100, 60_000)
        };
        let report = world.run(world.counting(cost as usize), &correct);
        assert_eq!(report.faults, []);
        assert_eq!(report.remarks, []);
        assert!(report.questions.counted_twice.is_refuted());
        assert!(report.questions.nodes.is_refuted());
        let one = report.questions.one_at_a_time.expect("asked");
        assert_eq!(one.admitted, 100 / cost);
    }
    let dear = World {
        cost: 101,
        ..World::still(100, 60_000)
    };
    assert_eq!(dear.run(dear.counting(101), &correct).asked, 0);
}

#[test]
fn a_race_shows_only_where_requests_overlap() {
    let world = World::still(100, 60_000);
    let report = world.run_with(1, world.racy(), &correct, |_, _| {});
    assert_eq!(
        report.sentence(RACE),
        "requests that overlap race each other: 102 of one key were admitted, and 100 of another that were sent one at \
         a time"
    );
    let more = World::still(300, 60_000).shared::<SlidingLog>();
    let report = world.run_with(1, more, &correct, |_, _| {});
    assert!(report.questions.race.is_refuted());
    let report = world.run_with(1, world.alone::<SlidingLog>(), &correct, |_, _| {});
    let expected = "nodes or connections that count alone explain it";
    assert!(
        report.sentence(RACE).ends_with(expected),
        "{}",
        report.sentence(RACE)
    );
}

#[test]
fn blocked_requests_that_count_keep_a_key_blocked_that_goes_on_asking() {
    for (limit, window) in [
        (1, 60_000),
        (2, 60_000),
        (5, 4_000),
        (20, 4_000),
        (100, 60_000),
    ] {
        let world = World::still(limit, window);
        let report = world.run_with(1, world.counting_blocked(), &correct, |_, _| {});
        let answer = &report.questions.blocked_count.answer;
        let Answer::Stands(evidence) = answer else {
            panic!("{limit}: {answer:?}");
        };
        assert!(evidence.asked >= limit, "{evidence:?}");
        assert!(evidence.after > Nanos(window * MILLI), "{evidence:?}");
        for limiter in [
            world.shared::<SlidingLog>(),
            world.shared::<FixedWindow>(),
            world.shared::<TokenBucket>(),
            world.opened(),
        ] {
            let report = world.run_with(1, limiter, &correct, |_, _| {});
            let answer = &report.questions.blocked_count.answer;
            assert!(matches!(answer, Answer::Refuted(_)), "{limit}: {answer:?}");
        }
    }
}

#[test]
fn a_key_that_is_blocked_for_longer_than_promised_is_not_said_to_count_blocked_requests() {
    let world = World::still(20, 60_000);
    // Blocks a key for ten minutes after its limit.
    let banning = stored(|(count, until): &mut (u64, Nanos), now| {
        *count += 1;
        if *count == 20 {
            *until = now + Nanos(600 * SECOND);
        }
        Decided {
            allowed: *count <= 20 || now >= *until,
            remaining: 20_u64.saturating_sub(*count),
            wait: Nanos(60 * SECOND),
        }
    });
    let report = world.run_with(1, banning, &correct, |_, _| {});
    assert_eq!(
        report.sentence(BLOCKED),
        "whether blocked requests count too is not known: a key without requests was not admitted again either"
    );
}

// What the requests after a window show.

#[test]
fn a_first_retry_after_that_is_rounded_down_is_found_for_small_limits() {
    for limit in [1, 5, 10, 20] {
        for window_ms in [2_500, 60_000] {
            let world = World::still(limit, window_ms);
            for limiter in [world.shared::<SlidingLog>(), world.opened()] {
                let down = |decided: Decided, _| decided.said(|wait| seconds(wait.0 / SECOND));
                let report = world.run_with(1, limiter, &down, |_, _| {});
                let fault = only(&report);
                assert_eq!(fault.kind, FaultKind::TooEarly, "{limit} {fault:?}");
                assert!(
                    fault.text.ends_with("allowed: it looks rounded down"),
                    "{fault:?}"
                );
            }
        }
    }
}

#[test]
fn a_limiter_with_half_the_window_is_asked_for_twice_the_limit_within_the_promised_one() {
    let world = World::still(100, 60_000);
    let half = World::still(100, 30_000);
    let mut admitted = Vec::new();
    world.run_with(
        1,
        half.shared::<SlidingLog>(),
        &correct,
        |question, reply| {
            if question.key == header_key(0) && reply.request.decision == Decision::Allowed {
                admitted.push(reply.request.done);
            }
        },
    );
    let first = admitted[0];
    let within = |time: u64| {
        admitted
            .iter()
            .filter(|at| **at < first + Nanos(time * SECOND))
            .count()
    };
    assert!(within(59) >= 200, "{}", within(59));
    assert!(within(62) >= 300, "{}", within(62));
}

#[test]
fn a_request_that_was_admitted_while_failing_open_shows_nothing() {
    let world = World::still(100, 60_000);
    let report = world.run_with(1, world.shared::<SlidingLog>(), &correct, |_, reply| {
        if reply.request.target == 1 {
            reply.request.decision = Decision::Allowed;
            reply.failing_open = true;
        }
    });
    assert_eq!(report.faults, []);
    assert_eq!(report.standing(), None);
    assert_eq!(report.retry_after.why_not, NotChecked::FailingOpen);
}
