//! Does a limiter do what its headers say? The probe sends a few requests in addition to the load, for keys of its own.
//!
//! A [`Probe`] has neither clock nor sockets: it says which requests to send next ([`Question`]) and takes what came of
//! them ([`Reply`]). One cycle, with number k, uses two new keys:
//!
//! - The *flooded* key, 2k, gets volleys to all targets at once, more requests than any promise admits. The audit judges
//!   what came of them (`flood.rs`).
//! - The *header* key, 2k + 1, gets one request after the other, to the targets in turn, until one is blocked
//!   (`fill.rs`). Meanwhile, the number of requests that each answer says remain is compared with what was admitted
//!   (`remaining.rs`). Then the probe waits until shortly before and shortly after the time that `Retry-After` says
//!   (`wait.rs`, `retry_promise.rs`).
//!
//! Once a request of the header key fails, no other is held against its limiter, and the key is given up.

mod fill;
mod flood;
mod headers;
mod remaining;
mod report;
mod retry_promise;
#[cfg(test)]
mod tests;
mod wait;

pub use headers::{LimitHeaders, RetryAfter, UnixTime};
pub use report::{
    Checked, FaultKind, HeaderFault, NotChecked, ProbeReport, ProbeRequest, Remark, RemarkKind,
};

use super::observation::Decision;
use super::terms::Terms;
use crate::base::Nanos;
use fill::Fill;
use flood::{Flood, Volleys};
use wait::Wait;

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
    /// The HTTP status, if it was answered with one.
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
    /// The sequence number of the next request.
    sequence: u64,
    report: ProbeReport,
}

#[derive(Debug)]
enum Stage {
    Flood(Flood),
    Fill(Box<Fill>),
    Wait(Box<Wait>),
}

impl Probe {
    pub fn new(terms: Terms) -> Probe {
        Probe {
            volleys: Volleys::new(&terms),
            cycle: 0,
            stage: Stage::Flood(Flood::at(Nanos::ZERO)),
            sequence: 0,
            report: ProbeReport::default(),
            terms,
        }
    }

    /// The next question. It stays the same until its replies are there. `None` if nothing is ever asked.
    pub fn next(&self) -> Option<Question> {
        self.volleys.ok()?;
        let (key, to, at) = match &self.stage {
            Stage::Flood(flood) => (self.cycle * 2, To::All, flood.at),
            Stage::Fill(fill) => (self.header_key(), To::One(fill.target()), fill.at),
            Stage::Wait(wait) => (self.header_key(), To::One(wait.target()), wait.at),
        };
        let fresh = matches!(&self.stage, Stage::Flood(flood) if flood.is_fresh());
        Some(Question {
            key,
            to,
            fresh,
            sequence: self.sequence,
            at,
        })
    }

    /// How long, since the run's start, the cycle has to go on for its questions to be of use.
    pub fn settled_at(&self) -> Nanos {
        match &self.stage {
            Stage::Flood(flood) => flood.at,
            Stage::Fill(fill) => fill.at,
            Stage::Wait(wait) => wait.settled_at(&self.terms),
        }
    }

    /// Whether the next question is the first of a cycle.
    pub fn is_between_cycles(&self) -> bool {
        matches!(&self.stage, Stage::Flood(flood) if flood.is_new())
    }

    /// Takes what came of [`next`](Self::next): a reply for each of its requests, in the targets' order.
    pub fn answered(&mut self, replies: &[Reply]) {
        let (Ok(volleys), Some(reply)) = (self.volleys, replies.first()) else {
            return;
        };
        self.report.asked += replies.len() as u64;
        self.sequence += replies.len() as u64;
        let ended = replies.iter().map(|reply| reply.request.done).max();
        let ended = ended.unwrap_or_default();
        let key = self.header_key();
        let (terms, report) = (&self.terms, &mut self.report);
        let stage = std::mem::replace(&mut self.stage, Stage::Flood(Flood::at(ended)));
        let next = match stage {
            Stage::Flood(flood) => match flood.answered(replies, ended, volleys, terms, report) {
                Some(flood) => Some(Stage::Flood(flood)),
                None => Some(Stage::Fill(Box::new(Fill::new(key, terms, ended)))),
            },
            Stage::Fill(fill) => fill.answered(reply, terms, report),
            Stage::Wait(wait) => {
                let wait = wait.answered(reply, terms, report);
                wait.map(Box::new).map(Stage::Wait)
            }
        };
        self.stage = next.unwrap_or_else(|| self.next_cycle(ended));
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
        if let Stage::Fill(_) | Stage::Wait(_) = &self.stage {
            self.report.retry_after.why_not = NotChecked::RunEnded;
        }
        if let Stage::Wait(wait) = &self.stage
            && let Some(fault) = wait.unconfirmed(&self.terms)
        {
            self.report.retry_after_fault(fault);
        }
        self.report
    }

    fn next_cycle(&mut self, ended: Nanos) -> Stage {
        self.cycle += 1;
        // A flood's requests go to the targets that their numbers say.
        self.sequence = self.sequence.next_multiple_of(self.terms.targets as u64);
        Stage::Flood(Flood::at(ended + self.terms.window.max(PAUSE)))
    }

    fn header_key(&self) -> u32 {
        self.cycle * 2 + 1
    }
}

/// A quarter of the window, in which at most one window ends.
fn quarter(terms: &Terms) -> Nanos {
    Nanos(terms.window.0 / 4)
}

/// The reason why a request that was neither allowed nor blocked says nothing.
fn failure(reply: &Reply) -> NotChecked {
    match reply.request.decision {
        Decision::Failed => NotChecked::AnsweredOtherwise(reply.status),
        _ => NotChecked::RequestFailed,
    }
}
