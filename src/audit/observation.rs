use crate::client::{FailureKind, Outcome};
use crate::clock::Moment;
use crate::keys::KeyId;
use crate::schedule::Nanos;
use crate::stats::Sample;

/// What was seen of one request that left. The limiter decided about it between sent and done, if it was answered; at
/// any time after sent, or never, if it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    pub key: Key,
    pub sequence: u64,
    /// The target's place in the plan.
    pub target: u32,
    /// Since the run's start; not before it.
    pub sent: Nanos,
    pub done: Nanos,
    pub fate: Fate,
}

/// A key, and who sends requests for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// One of the run's.
    Load(KeyId),
    /// One of the probe's, by its number. The load never asks for it.
    Probe(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Admitted, between sent and done.
    Allowed,
    /// Turned away, between sent and done.
    Blocked,
    /// Not answered in full: it may have been admitted.
    Unanswered,
    /// Answered otherwise: nobody was admitted, but the limiter may have counted it.
    Failed,
}

impl Observation {
    /// Of a request of a run that started at `start`; `None` if it never left, so that no limiter knows of it.
    pub fn of(sample: &Sample, key: Key, start: Moment) -> Option<Observation> {
        let answer = &sample.answer;
        answer.left.then(|| Observation {
            key,
            sequence: sample.sequence,
            target: sample.target,
            sent: answer.sent.since(start),
            done: answer.done.max(answer.sent).since(start),
            fate: Fate::of(answer.outcome),
        })
    }
}

impl Fate {
    pub fn of(outcome: Outcome) -> Fate {
        match outcome {
            Outcome::Allowed => Fate::Allowed,
            Outcome::Blocked => Fate::Blocked,
            Outcome::Failed(
                FailureKind::Status5xx | FailureKind::StatusOther | FailureKind::Unmatched,
            ) => Fate::Failed,
            Outcome::Failed(_) | Outcome::Abandoned => Fate::Unanswered,
        }
    }
}
