//! Does a limiter do what its headers say? The probe sends a few requests in addition to the load, for keys of its own.
//!
//! And if it breaks its limit, what is the cause?
//!
//! A [`Probe`] has neither clock nor sockets. It plans the next requests ([`Question`]) and takes their answers
//! ([`Reply`]). Each cycle uses three new keys. First they get many requests, within a quarter of a window each:
//!
//! 1. The *flooded* key gets volleys to all targets at once, more requests than any promise admits. The audit judges the
//!    answers. Every second volley goes over fresh connections (`flood`).
//! 2. The *one-node* key gets one request after the other to one target until it blocks. Then other connections and
//!    other nodes are compared with it (`one_node`).
//! 3. The *header* key gets one request after the other, to the targets in turn, until one is blocked (`fill`). The
//!    number of requests that each answer reports as remaining is compared with the admissions so far (`remaining`).
//!
//! During the next window, each key waits for its time (`waiting`):
//!
//! 1. The flooded key goes on getting requests, which shows whether blocked requests count too (`keep_asking`).
//! 2. The one-node key gets none until the time of its `Retry-After` has come (`wait`, `retry_promise`).
//! 3. The header key gets a request shortly before and one shortly after that time. Then it is filled again
//!    (`header_key`).
//!
//! The answers are judged as [`HeaderFault`]s, [`Remark`]s, and answers to [`Questions`] about possible causes. A request
//! that fails is never held against the limiter.

mod fill;
mod flood;
mod header_key;
mod headers;
mod keep_asking;
mod not_checked;
mod one_node;
mod questions;
mod remaining;
mod report;
mod retry_promise;
#[cfg(test)]
mod tests;
mod wait;
mod waiting;

pub use headers::{LimitHeaders, RetryAfter, UnixTime};
pub use not_checked::NotChecked;
pub use questions::{
    Answer, Asked, BlockedCount, ConnectionsAlone, CountedTwice, Evidence, KeysNotApart,
    NodeAnswers, NodesAlone, OneAtATime, Questions, Race,
};
pub use report::{Checked, FaultKind, HeaderFault, ProbeReport, ProbeRequest, Remark, RemarkKind};

use super::bounds::drift;
use super::observation::Decision;
use super::promise::Limit;
use super::terms::Terms;
use crate::base::{Address, Nanos};
use fill::{Fill, Filled};
use flood::{Flood, Flooded, Volleys};
use header_key::HeaderKey;
use keep_asking::KeepAsking;
use one_node::{Learned, OneNode};
use retry_promise::RetryPromise;
use std::ops::ControlFlow;
use wait::Wait;
use waiting::Waiting;

/// The least time between two cycles. It is at least a window.
const PAUSE: Nanos = Nanos(10_000_000_000);

/// One or more requests, to be sent at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The probe's number for the key.
    pub key: u32,
    pub to: To,
    /// Whether each request uses a connection of its own, which is closed afterwards.
    pub fresh: bool,
    /// The sequence number of the request, or of the one to the first target; the others' follow.
    pub sequence: u64,
    /// When to send it, since the run's start. If that is over, it is sent at once.
    pub at: Nanos,
}

/// The targets of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// One request to each target.
    All,
    /// A request to the target with this place in the plan.
    One(usize),
}

/// What came of one request.
#[derive(Debug, Clone)]
pub struct Reply {
    pub request: ProbeRequest,
    /// The address that it went to; `None` if none was tried.
    pub address: Option<Address>,
    /// The request was allowed, and the answer says that the limiter fails open.
    pub failing_open: bool,
    /// The HTTP status, if it was answered with one.
    pub status: Option<u16>,
    pub headers: LimitHeaders,
}

/// A probe under way.
#[derive(Debug)]
pub struct Probe {
    /// With the limit in requests, however many units each of them counts.
    terms: Terms,
    /// The units that one request counts; at least 1.
    cost: u64,
    volleys: Result<Volleys, u64>,
    /// The number of the cycle under way, or of the next.
    cycle: u32,
    stage: Stage,
    flooded: Flooded,
    learned: Learned,
    /// The sequence number of the next request.
    sequence: u64,
    report: ProbeReport,
}

#[derive(Debug)]
enum Stage {
    Flood(Flood),
    OneNode(Box<OneNode>),
    Fill(Box<Fill>),
    Waiting(Box<Waiting>),
}

/// The next requests of one of a cycle's keys.
struct Ask {
    key: u32,
    to: To,
    fresh: bool,
    at: Nanos,
}

impl Probe {
    /// `cost` is how many units of the limit one request counts; at least 1.
    pub fn new(mut terms: Terms, cost: u64) -> Probe {
        let fits = terms.limit >= cost;
        terms.limit = (terms.limit / cost).max(1);
        Probe {
            volleys: if fits { Volleys::new(&terms) } else { Err(0) },
            cost,
            cycle: 0,
            stage: Stage::Flood(Flood::at(Nanos::ZERO)),
            flooded: Flooded::default(),
            learned: Learned::default(),
            sequence: 0,
            report: ProbeReport::default(),
            terms,
        }
    }

    /// The next question. It stays the same until its replies are there. `None` if nothing is ever asked.
    pub fn next(&self) -> Option<Question> {
        self.volleys.ok()?;
        let cycle = self.cycle;
        let ask = match &self.stage {
            Stage::Flood(flood) => Ask {
                key: flooded_key(cycle),
                to: To::All,
                fresh: flood.is_fresh(),
                at: flood.at,
            },
            Stage::OneNode(key) => Ask {
                key: one_node_key(cycle),
                to: To::One(key.target()),
                fresh: key.is_fresh(),
                at: key.at,
            },
            Stage::Fill(fill) => Ask {
                key: header_key(cycle),
                to: To::One(fill.target()),
                fresh: false,
                at: fill.at,
            },
            Stage::Waiting(waiting) => waiting.next(cycle, &self.terms)?,
        };
        Some(Question {
            key: ask.key,
            to: ask.to,
            fresh: ask.fresh,
            sequence: self.sequence,
            at: ask.at,
        })
    }

    /// How long, since the run's start, the cycle has to go on for its questions to be of use.
    pub fn settled_at(&self) -> Nanos {
        match &self.stage {
            Stage::Flood(flood) => flood.at,
            Stage::OneNode(key) => key.at,
            Stage::Fill(fill) => fill.at,
            Stage::Waiting(waiting) => waiting.settled_at(&self.terms),
        }
    }

    /// Whether the next question is the first of a cycle.
    pub fn is_between_cycles(&self) -> bool {
        matches!(&self.stage, Stage::Flood(flood) if flood.is_new())
    }

    /// Takes what came of [`next`](Self::next): a reply for each of its requests, in the targets' order.
    pub fn answered(&mut self, replies: &[Reply]) {
        let in_requests = |reply: &Reply| Reply {
            headers: reply.headers.in_requests(self.cost),
            ..reply.clone()
        };
        let replies: Vec<_> = replies.iter().map(in_requests).collect();
        let (Ok(volleys), Some(reply)) = (self.volleys, replies.first()) else {
            return;
        };
        self.report.asked += replies.len() as u64;
        self.sequence += replies.len() as u64;
        let ended = replies.iter().map(|reply| reply.request.done).max();
        let ended = ended.unwrap_or_default();
        let (terms, report) = (&self.terms, &mut self.report);
        let stage = std::mem::replace(&mut self.stage, Stage::Flood(Flood::at(ended)));
        self.stage = match stage {
            Stage::Flood(flood) => match flood.answered(&replies, ended, volleys, terms, report) {
                ControlFlow::Continue(flood) => Stage::Flood(flood),
                ControlFlow::Break(flooded) => self.one_node(flooded, ended),
            },
            Stage::OneNode(key) => match key.answered(reply, terms, report) {
                ControlFlow::Continue(key) => Stage::OneNode(Box::new(key)),
                ControlFlow::Break(learned) => self.fill(learned, ended),
            },
            Stage::Fill(fill) => match fill.answered(reply, terms, report) {
                Filled::More(fill) => Stage::Fill(fill),
                Filled::Blocked(blocked) => {
                    let key = HeaderKey::new(header_key(self.cycle), blocked, terms);
                    self.wait(Some(key), ended)
                }
                Filled::GivenUp => self.wait(None, ended),
            },
            Stage::Waiting(waiting) => match waiting.answered(reply, terms, report) {
                Some(waiting) => Stage::Waiting(Box::new(waiting)),
                None => self.next_cycle(ended),
            },
        };
    }

    /// Goes on with the second key, at one target after another from cycle to cycle.
    fn one_node(&mut self, flooded: Flooded, ended: Nanos) -> Stage {
        let target = self.cycle as usize % self.terms.targets;
        let admitted_before = flooded.is_blocked_by(target).then_some(flooded.admitted);
        if admitted_before.is_none() {
            let why = Answer::NotAsked(NotChecked::NotSaturated);
            self.report.questions.keys.record(why);
        }
        self.flooded = flooded;
        Stage::OneNode(Box::new(OneNode::new(target, admitted_before, ended)))
    }

    /// Goes on with the third key.
    fn fill(&mut self, learned: Learned, ended: Nanos) -> Stage {
        let race = self.flooded.race(&learned, &self.terms);
        self.report.questions.race.record(race);
        self.learned = learned;
        let key = header_key(self.cycle);
        Stage::Fill(Box::new(Fill::new(key, &self.terms, ended)))
    }

    /// Goes on with all keys.
    fn wait(&mut self, header: Option<HeaderKey>, ended: Nanos) -> Stage {
        let (terms, report) = (&self.terms, &mut self.report);
        let target = self.cycle as usize % terms.targets;
        let learned = std::mem::take(&mut self.learned);
        let untouched = learned.last_blocked.and_then(|reply| {
            let promise = RetryPromise::of(one_node_key(self.cycle), &reply, report)?;
            Wait::new(promise, None, learned.counts, false, terms, report)
        });
        // It takes as many requests as a window admits, and one answer is enough.
        let is_open = matches!(report.questions.blocked_count.answer, Answer::NotAsked(_));
        let asking = is_open.then(|| KeepAsking::new(&self.flooded, target, learned.counts, terms));
        if let Some(None) = asking {
            let why = Answer::NotAsked(NotChecked::NotSaturated);
            report.questions.blocked_count.record(why);
        }
        let waiting = Waiting::new(header, untouched, asking.flatten());
        if waiting.next(self.cycle, terms).is_some() {
            Stage::Waiting(Box::new(waiting))
        } else {
            self.next_cycle(ended)
        }
    }

    /// Ends the probe when the run has ended, or nothing more is to be asked.
    pub fn finish(mut self) -> ProbeReport {
        if let Err(most) = self.volleys {
            let Terms { limit, window, .. } = self.terms;
            let never = Checked {
                times: 0,
                why_not: NotChecked::TooMany {
                    limit,
                    window,
                    most,
                },
            };
            return ProbeReport {
                flooded: never.clone(),
                retry_after: never.clone(),
                remaining: never,
                ..ProbeReport::default()
            };
        }
        if let Stage::Fill(_) | Stage::Waiting(_) = &self.stage {
            self.report.retry_after.why_not = NotChecked::RunEnded;
        }
        if let Stage::Waiting(waiting) = &self.stage {
            for fault in waiting.unconfirmed(&self.terms) {
                self.report.retry_after_fault(fault);
            }
        }
        self.report
    }

    fn next_cycle(&mut self, ended: Nanos) -> Stage {
        self.cycle += 1;
        // A flood's requests go to the targets that their numbers say.
        self.sequence = self.sequence.next_multiple_of(self.terms.targets as u64);
        Stage::Flood(Flood::at(ended + self.terms.window.max(PAUSE)))
    }
}

/// The number of a cycle's key that is flooded. All even numbers are flooded, no odd ones.
fn flooded_key(cycle: u32) -> u32 {
    cycle * 4
}

fn header_key(cycle: u32) -> u32 {
    cycle * 4 + 1
}

fn one_node_key(cycle: u32) -> u32 {
    cycle * 4 + 3
}

/// The most requests that a full limiter may admit again in this time without the end of a window: the tokens that come
/// back to a bucket, or the part of the last window that a sliding counter forgets. Of several limits, the fastest counts.
fn refilled(terms: &Terms, time: Nanos) -> u64 {
    let time = time + Nanos(1_000_000) + drift(time);
    let by = |limit: u64, window: Nanos| {
        let refilled = u128::from(time.0) * u128::from(limit) / u128::from(window.0);
        u64::try_from(refilled).unwrap_or(u64::MAX)
    };
    let limits = terms.promises.iter().flat_map(|promise| &promise.limits);
    let others = limits.map(|limit| by(limit.quota.limit, limit.quota.window));
    others.fold(by(terms.limit, terms.window), u64::max)
}

/// Whether a key that nobody used is admitted as many requests at once as the terms' limit, by every promise.
fn admits_its_limit_at_once(terms: &Terms) -> bool {
    let mut limits = terms.promises.iter().map(|promise| &promise.limits[..]);
    limits.all(|limits| {
        let is_plain = |limit: &Limit| limit.quota.burst == limit.quota.limit;
        limits.len() == 1 && limits.iter().all(is_plain)
    })
}

/// Whether the limiter admitted the request, or blocked it. `counts` is whether answers of the key say how many requests
/// remain.
///
/// # Errors
/// The reply shows neither.
fn decided(reply: &Reply, terms: &Terms, counts: bool) -> Result<bool, NotChecked> {
    let lacks_count = || counts && reply.headers.remaining(terms).is_none();
    match reply.request.decision {
        Decision::Allowed if reply.failing_open => Err(NotChecked::FailingOpen),
        // A node that admits everything while its store is away answers like this.
        Decision::Allowed if lacks_count() => Err(NotChecked::Undecided),
        Decision::Allowed => Ok(true),
        Decision::Blocked => Ok(false),
        Decision::Failed => Err(NotChecked::AnsweredOtherwise(reply.status)),
        Decision::Unanswered => Err(NotChecked::RequestFailed),
    }
}

/// A quarter of the window, in which at most one window ends.
fn quarter(terms: &Terms) -> Nanos {
    Nanos(terms.window.0 / 4)
}
