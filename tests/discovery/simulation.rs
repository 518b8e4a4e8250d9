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

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Decide {
        sent: u64,
        sequence: u64,
    },
    Deliver {
        sent: u64,
        sequence: u64,
        admitted: bool,
    },
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

pub fn run(world: &World, mut experiment: Experiment, limiter: &mut Limiter) -> Findings {
    let mut dice = Dice(world.seed);
    let phase = i128::from(dice.below(10_000_000_000_000));
    experiment.set_began(Duration::from_nanos((ORIGIN + phase) as u64));
    let clock =
        |at: u64| ORIGIN + phase + i128::from(at) * (1_000_000 + world.millionths) / 1_000_000;
    let mut events: BinaryHeap<Reverse<(u64, Event)>> = BinaryHeap::new();
    let mut questions: Vec<Question> = Vec::new();
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
            assert_eq!(question.sequence, questions.len() as u64);
            questions.push(question);
            let at = now + dice.below(world.latency.0);
            events.push(Reverse((
                at,
                Event::Decide {
                    sent: now,
                    sequence: question.sequence,
                },
            )));
            continue;
        }
        let Some(Reverse((at, event))) = events.pop() else {
            panic!("no event")
        };
        now = at;
        match event {
            Event::Decide { sent, sequence } => {
                let question = questions[sequence as usize];
                let admitted = limiter(question.key as usize, question.target, clock(at));
                let done = at + dice.below(world.latency.0);
                events.push(Reverse((
                    done,
                    Event::Deliver {
                        sent,
                        sequence,
                        admitted,
                    },
                )));
            }
            Event::Deliver {
                sent,
                sequence,
                admitted,
            } => {
                let question = questions[sequence as usize];
                experiment.answered(&Reply {
                    request: ProbeRequest {
                        sequence,
                        target: question.target,
                        sent: Nanos(sent),
                        done: Nanos(at),
                        decision: if admitted {
                            Decision::Allowed
                        } else {
                            Decision::Blocked
                        },
                    },
                    address: None,
                    status: None,
                    headers: LimitHeaders::default(),
                });
            }
        }
    }
}
