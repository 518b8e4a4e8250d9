//! Does a limiter do what it says? A few requests beside the load, for keys of their own.
//!
//! A [`Probe`] has neither clock nor sockets: it says what to ask next ([`Question`]) and is told what came ([`Reply`]).
//! One cycle is two keys that nobody asked for before:
//!
//! - The *flooded* key, 2k: volleys to all targets at once, more than any promise admits. What that shows is for the
//!   audit to judge.
//! - The *header* key, 2k + 1: one request after the other, to the targets in turn, until one is blocked. Meanwhile
//!   what is said to remain is held against what was admitted. Then nothing, until shortly before the time that
//!   `Retry-After` says, and shortly after it.
//!
//! # What is wrong, and what is not
//!
//! By RFC 9110, section 10.2.3, `Retry-After` is whole seconds or a date. It is *too early* if a request that was sent
//! later than the blocked one's done and that many seconds is blocked; *too late* if one that was answered more than a
//! second before the blocked one's sent and that many seconds is admitted, since a second is what rounding up may
//! add; or if it is longer than the window, after which nothing counts any more. Both with the tolerance of [`Terms`]
//! to spare. A date is to the second, and so is the answer's `Date` that it is compared with, which servers keep for a
//! second: two more seconds. As a limiter may count the requests that it blocks, what the last of them was told counts.
//!
//! By draft-ietf-httpapi-ratelimit-headers-11 a positive `r` promises nothing (4.1.1), nor does `t` say when requests
//! are admitted again (8.4): where they mislead, that is a [`Remark`]. An `r` that is more than the cluster can have
//! left is not of the limit that it stands for, and is a [`HeaderFault`].
//!
//! Once a request of the header key fails, no other is held against its limiter: the key is given up.

mod header_key;
mod headers;
mod remaining;
mod report;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod volleys;

pub use headers::{LimitHeaders, RetryAfter};
pub use report::{
    Checked, FaultKind, HeaderFault, NotChecked, ProbeReport, ProbeRequest, Remark, RemarkKind,
};

use super::{Decision, Terms};
use crate::base::Nanos;
use header_key::{Fill, Wait};
use volleys::Volleys;

/// Between two cycles at least, and at least a window.
const PAUSE: Nanos = Nanos(10_000_000_000);

/// One or more requests, to be sent at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The probe's number for it.
    pub key: u32,
    pub to: To,
    /// Of the request, or of that to the first target; the others' follow.
    pub sequence: u64,
    /// When, since the run's start; at once where that is over.
    pub at: Nanos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// One to each.
    All,
    One(usize),
}

/// What came of one request.
#[derive(Debug, Clone)]
pub struct Reply {
    pub request: ProbeRequest,
    /// If it was answered with one.
    pub status: Option<u16>,
    pub headers: LimitHeaders,
}

/// A probe under way.
#[derive(Debug)]
pub struct Probe {
    terms: Terms,
    volleys: Result<Volleys, u64>,
    /// The number of the cycle under way, or of the next.
    cycle: u32,
    stage: Stage,
    /// Of the next request.
    sequence: u64,
    cycles: u64,
    asked: u64,
    flooded: Tally,
    retry_after: Tally,
    remaining: Tally,
    faults: Vec<HeaderFault>,
    remarks: Vec<Remark>,
}

/// How often something was checked, and why it was not when it was not.
#[derive(Debug)]
struct Tally {
    times: u64,
    why: NotChecked,
}

#[derive(Debug)]
enum Stage {
    Flood(Flood),
    Fill(Box<Fill>),
    Wait(Box<Wait>),
}

/// The flooded key.
#[derive(Debug)]
struct Flood {
    fired: u64,
    at: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
}

impl Probe {
    pub fn new(terms: Terms) -> Probe {
        let volleys = Volleys::new(&terms);
        Probe {
            volleys,
            cycle: 0,
            stage: Stage::Flood(Flood::at(Nanos::ZERO)),
            sequence: 0,
            cycles: 0,
            asked: 0,
            flooded: Tally::new(),
            retry_after: Tally::new(),
            remaining: Tally::new(),
            faults: Vec::new(),
            remarks: Vec::new(),
            terms,
        }
    }

    /// What to ask next; the same until its replies are there. `None` if nothing ever is.
    pub fn next(&self) -> Option<Question> {
        self.volleys.ok()?;
        let (key, to, at) = match &self.stage {
            Stage::Flood(flood) => (self.cycle * 2, To::All, flood.at),
            Stage::Fill(fill) => (self.header_key(), To::One(fill.target()), fill.at()),
            Stage::Wait(wait) => (self.header_key(), To::One(wait.target()), wait.at()),
        };
        Some(Question {
            key,
            to,
            sequence: self.sequence,
            at,
        })
    }

    /// Until when, since the run's start, the cycle has to go on for its questions to be of use.
    pub fn settled_at(&self) -> Nanos {
        match &self.stage {
            Stage::Flood(flood) => flood.at,
            Stage::Fill(fill) => fill.at(),
            Stage::Wait(wait) => wait.settled_at(&self.terms),
        }
    }

    /// Whether the next question is the first of a cycle.
    pub fn is_between_cycles(&self) -> bool {
        matches!(&self.stage, Stage::Flood(flood) if flood.fired == 0)
    }

    /// What came of [`next`](Self::next): a reply for each of its requests, in the targets' order.
    pub fn answered(&mut self, replies: &[Reply]) {
        let (Ok(volleys), Some(reply)) = (self.volleys, replies.first()) else {
            return;
        };
        self.asked += replies.len() as u64;
        self.sequence += replies.len() as u64;
        let ended = replies.iter().map(|reply| reply.request.done).max();
        let ended = ended.unwrap_or_default();
        let next = match std::mem::replace(&mut self.stage, Stage::Flood(Flood::at(ended))) {
            Stage::Flood(flood) => Some(self.flooding(flood, volleys, replies, ended)),
            Stage::Fill(fill) => self.filling(*fill, reply),
            Stage::Wait(wait) => self.waiting(*wait, reply).map(Stage::wait),
        };
        self.stage = next.unwrap_or_else(|| self.next_cycle(ended));
    }

    /// The run has ended, or nothing more is asked.
    pub fn finish(mut self) -> ProbeReport {
        if let Stage::Fill(_) | Stage::Wait(_) = &self.stage {
            self.retry_after.why = NotChecked::RunEnded;
        }
        if let Stage::Wait(wait) = &self.stage
            && let Some(finding) = wait.unconfirmed(&self.terms)
        {
            self.found(finding);
        }
        if let Err(most) = self.volleys {
            let why = NotChecked::TooMany {
                limit: self.terms.limit,
                window: self.terms.window,
                most,
            };
            self.flooded.why = why.clone();
            self.retry_after.why = why.clone();
            self.remaining.why = why;
        }
        ProbeReport {
            cycles: self.cycles,
            asked: self.asked,
            flooded: self.flooded.into(),
            retry_after: self.retry_after.into(),
            remaining: self.remaining.into(),
            faults: self.faults,
            remarks: self.remarks,
        }
    }

    fn flooding(
        &mut self,
        mut flood: Flood,
        volleys: Volleys,
        replies: &[Reply],
        ended: Nanos,
    ) -> Stage {
        if flood.fired == 0 {
            self.cycles += 1;
        }
        flood.fired += 1;
        let sent = replies.iter().map(|reply| reply.request.sent).min();
        let since = *flood.since.get_or_insert(sent.unwrap_or_default());
        let otherwise = replies
            .iter()
            .all(|reply| reply.request.decision == Decision::Failed);
        if otherwise {
            self.flooded.why = NotChecked::AnsweredOtherwise(replies[0].status);
        } else if ended.saturating_sub(since) > self.quarter() {
            self.flooded.why = NotChecked::TooSlow;
        } else if flood.fired == volleys.count {
            self.flooded.times += 1;
        } else {
            flood.at = ended.max(flood.at + volleys.apart);
            return Stage::Flood(flood);
        }
        Stage::Fill(Box::new(Fill::new(&self.terms, ended)))
    }

    fn next_cycle(&mut self, ended: Nanos) -> Stage {
        self.cycle += 1;
        // So that a flood's requests go to the targets that their numbers say.
        self.sequence = self.sequence.next_multiple_of(self.terms.targets as u64);
        Stage::Flood(Flood::at(ended + self.terms.window.max(PAUSE)))
    }

    fn header_key(&self) -> u32 {
        self.cycle * 2 + 1
    }

    /// In which at most one window ends.
    fn quarter(&self) -> Nanos {
        Nanos(self.terms.window.0 / 4)
    }

    fn find(&mut self, found: HeaderFault) {
        match self.faults.iter_mut().find(|f| f.kind == found.kind) {
            Some(first) => first.seen += 1,
            None => self.faults.push(found),
        }
    }

    fn remark(&mut self, kind: RemarkKind, text: impl FnOnce() -> String) {
        match self.remarks.iter_mut().find(|r| r.kind == kind) {
            Some(first) => first.seen += 1,
            None => self.remarks.push(Remark {
                kind,
                seen: 1,
                text: text(),
            }),
        }
    }
}

impl Stage {
    fn wait(wait: Wait) -> Stage {
        Stage::Wait(Box::new(wait))
    }
}

impl Flood {
    fn at(at: Nanos) -> Flood {
        Flood {
            fired: 0,
            at,
            since: None,
        }
    }
}

impl Tally {
    fn new() -> Tally {
        Tally {
            times: 0,
            why: NotChecked::RunEnded,
        }
    }
}

impl From<Tally> for Checked {
    fn from(tally: Tally) -> Checked {
        match tally.times {
            0 => Checked::Not(tally.why),
            times => Checked::Times(times),
        }
    }
}
