//! A limiter behind a network, and the experiment that asks it.

use super::limiters::{Algorithm, Limiter, Measure, of_keys};
use loadgen::base::Nanos;
use loadgen::core::audit::Decision;
use loadgen::core::audit::probe::{LimitHeaders, ProbeRequest, Reply};
use loadgen::core::discovery::{Bounds, Experiment, Findings, Question, Step};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// About the limiter's time at the start.
const ORIGIN: i128 = 1_000_000_000_000_000_000;

pub struct World {
    pub seed: u64,
    pub nodes: usize,
    /// All at once, in nanoseconds.
    pub limits: Vec<(Algorithm, u64, u64)>,
    /// The longest way of a request, and of its answer.
    pub latency: Nanos,
    /// By how much the limiter's clock is fast.
    pub millionths: i128,
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if most == 0 { 0 } else { (self.0 >> 20) % most }
    }
}

/// How a target answers.
#[derive(Debug, Clone)]
pub struct Answer {
    pub decision: Decision,
    pub status: Option<u16>,
    pub headers: LimitHeaders,
    /// How long after its decision the answer leaves the target.
    pub after: Nanos,
}

impl Answer {
    pub fn new(admitted: bool) -> Answer {
        let (decision, status) = match admitted {
            true => (Decision::Allowed, 200),
            false => (Decision::Blocked, 429),
        };
        Answer {
            decision,
            status: Some(status),
            headers: LimitHeaders::default(),
            after: Nanos::ZERO,
        }
    }

    pub fn failed(status: Option<u16>) -> Answer {
        Answer {
            decision: Decision::Failed,
            status,
            ..Answer::new(false)
        }
    }
}

/// A target: what it answers to a question at a time of its clock.
pub type Target<'a> = dyn FnMut(&Question, i128) -> Answer + 'a;

/// What happens to the request with this sequence number. Of several at the same time, the one with the lowest comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    sequence: u64,
    is_delivery: bool,
}

struct Flight {
    question: Question,
    sent: u64,
    answer: Option<Answer>,
}

pub fn discover(world: &World) -> Findings {
    let limits = world.limits.clone();
    let mut limiter: Limiter = of_keys(move |_| {
        limits
            .iter()
            .map(|(algorithm, limit, window)| (*algorithm, Measure::new(*limit, *window)))
            .collect()
    });
    run(
        world,
        Experiment::new(Bounds::DEFAULT, world.nodes),
        &mut limiter,
    )
}

/// Asks a limiter that never fails.
pub fn run(world: &World, experiment: Experiment, limiter: &mut Limiter) -> Findings {
    ask(world, experiment, &mut |question, at| {
        Answer::new(limiter(question.key as usize, question.target, at))
    })
}

/// Asks a target until the experiment ends.
pub fn ask(world: &World, mut experiment: Experiment, target: &mut Target<'_>) -> Findings {
    let mut dice = Dice(world.seed);
    let phase = i128::from(dice.below(10_000_000_000_000));
    experiment.set_began(Duration::from_nanos((ORIGIN + phase) as u64));
    let clock =
        |at: u64| ORIGIN + phase + i128::from(at) * (1_000_000 + world.millionths) / 1_000_000;
    let mut events: BinaryHeap<Reverse<(u64, Event)>> = BinaryHeap::new();
    let mut flights: Vec<Flight> = Vec::new();
    let mut now = 0;
    loop {
        let step = experiment.next();
        let due = match step {
            Step::End => return experiment.finish(),
            Step::Ask(question) => Some(question.at.0.max(now)),
            Step::Await => None,
        };
        let is_event_first = events
            .peek()
            .is_some_and(|Reverse((at, _))| due.is_none_or(|due| *at <= due));
        if !is_event_first {
            let Step::Ask(question) = step else {
                panic!("nothing is awaited")
            };
            now = due.expect("a question");
            experiment.sent(question, Nanos(now));
            let sequence = question.sequence;
            assert_eq!(sequence, flights.len() as u64);
            flights.push(Flight {
                question,
                sent: now,
                answer: None,
            });
            let is_delivery = false;
            let at = now + dice.below(world.latency.0);
            events.push(Reverse((
                at,
                Event {
                    sequence,
                    is_delivery,
                },
            )));
            continue;
        }
        let Some(Reverse((
            at,
            Event {
                sequence,
                is_delivery,
            },
        ))) = events.pop()
        else {
            panic!("no event")
        };
        now = at;
        let flight = &mut flights[sequence as usize];
        if !is_delivery {
            let answer = target(&flight.question, clock(at));
            let done = at + answer.after.0 + dice.below(world.latency.0);
            flight.answer = Some(answer);
            let is_delivery = true;
            events.push(Reverse((
                done,
                Event {
                    sequence,
                    is_delivery,
                },
            )));
            continue;
        }
        let answer = flight.answer.take().expect("a decision");
        experiment.answered(&Reply {
            request: ProbeRequest {
                sequence,
                target: flight.question.target,
                sent: Nanos(flight.sent),
                done: Nanos(at),
                decision: answer.decision,
            },
            address: None,
            failing_open: false,
            status: answer.status,
            headers: answer.headers,
        });
    }
}
