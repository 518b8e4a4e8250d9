//! What the audit knows of one request.

use crate::base::{FailureKind, KeyId, Moment, Nanos, Outcome, Sample};
use crate::core::outages::{Failure, Response};

/// One request that left, as it was observed. The limiter decided about it between sent and done if it was answered,
/// and at any time after sent, or never, if it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    pub key: AuditedKey,
    pub sequence: u64,
    /// The place in the plan of the target that it was sent to.
    pub target: u32,
    /// The number of the node that it was sent to: the target's place in the plan, unless the target has several
    /// addresses ([`Nodes`](super::Nodes)).
    pub node: u32,
    /// Time since the run's start, and not before it.
    pub sent: Nanos,
    /// Time since the run's start.
    pub done: Nanos,
    pub decision: Decision,
    /// How the request failed; `None` if it did not, or if that is not known.
    pub failure: Option<FailureKind>,
    /// The request was admitted, and the answer says that the limiter fails open.
    pub failing_open: bool,
    /// The phase of the schedule in which it was due, by its place among the names of the phases; `None` if it is not
    /// known.
    pub phase: Option<u16>,
    /// The period between events to which it belongs, by its number; `None` if it is not known, or if it is the probe's.
    pub period: Option<u16>,
}

/// A key, and who sends requests for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditedKey {
    /// One of the run's keys.
    Load(KeyId),
    /// One of the probe's keys, by its number. The load never sends requests for it.
    Probe(u32),
}

/// What is known of the limiter's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The request was admitted, between sent and done.
    Allowed,
    /// The request was turned away, between sent and done.
    Blocked,
    /// The request was not answered in full, and may have been admitted.
    Unanswered,
    /// The request was answered otherwise. It was not admitted, but the limiter may have counted it.
    Failed,
}

impl AuditedKey {
    pub fn is_probe(self) -> bool {
        matches!(self, AuditedKey::Probe(_))
    }

    /// Whether requests for this key reach all targets at the same moment: the probe's even numbers are flooded.
    pub fn is_flooded(self) -> bool {
        matches!(self, AuditedKey::Probe(number) if number.is_multiple_of(2))
    }
}

impl Observation {
    /// Observes a request to a node, of a run that started at `start`. Returns `None` if the request never left, so that no limiter
    /// knows of it.
    pub fn of(sample: &Sample, node: u32, key: AuditedKey, start: Moment) -> Option<Observation> {
        let answer = &sample.answer;
        // A request that a panic ended may have left as soon as it was due.
        let lost = matches!(answer.outcome, Outcome::Failed(FailureKind::Panic));
        let sent = if lost { sample.due } else { answer.sent };
        (answer.transmitted || lost).then(|| Observation {
            key,
            sequence: sample.sequence,
            target: sample.target,
            node,
            sent: sent.since(start),
            done: answer.done.max(sent).since(start),
            decision: Decision::of(answer.outcome),
            failure: match answer.outcome {
                Outcome::Failed(kind) => Some(kind),
                Outcome::Allowed | Outcome::Blocked | Outcome::Abandoned => None,
            },
            failing_open: answer.failing_open,
            phase: None,
            period: None,
        })
    }
}

impl Response {
    /// How a node responded to a request that is observed.
    pub fn of(request: &Observation) -> Response {
        let failure = |is_answered| Failure {
            is_answered,
            kind: request.failure,
        };
        Response {
            target: request.target,
            node: request.node,
            sent: request.sent,
            done: request.done,
            failure: match request.decision {
                Decision::Allowed | Decision::Blocked => None,
                Decision::Failed => Some(failure(true)),
                Decision::Unanswered => Some(failure(false)),
            },
            failing_open: request.failing_open,
        }
    }

    /// How a node responded to a request of a run that started at `start`, of which no limiter knows. `None` if it left,
    /// or if the node has no part in its failure.
    pub fn without_limiter(sample: &Sample, node: u32, start: Moment) -> Option<Response> {
        let answer = &sample.answer;
        let Outcome::Failed(kind) = answer.outcome else {
            return None;
        };
        let is_own = matches!(kind, FailureKind::Local | FailureKind::Panic);
        (!answer.transmitted && !is_own).then(|| Response {
            target: sample.target,
            node,
            sent: answer.sent.since(start),
            done: answer.done.max(answer.sent).since(start),
            failure: Some(Failure {
                is_answered: false,
                kind: Some(kind),
            }),
            failing_open: false,
        })
    }
}

impl Decision {
    pub fn of(outcome: Outcome) -> Decision {
        match outcome {
            Outcome::Allowed => Decision::Allowed,
            Outcome::Blocked => Decision::Blocked,
            Outcome::Failed(
                FailureKind::Status5xx | FailureKind::StatusOther | FailureKind::Unmatched,
            ) => Decision::Failed,
            Outcome::Failed(_) | Outcome::Abandoned => Decision::Unanswered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Answer;

    #[test]
    fn a_request_that_never_left_is_not_observed_unless_a_panic_hides_whether_it_left() {
        let of = |outcome| {
            let sample = Sample {
                sequence: 0,
                key: KeyId(0),
                target: 0,
                due: Moment::at(30),
                waited_for_target: false,
                answer: Answer {
                    transmitted: false,
                    ..Answer::new(Moment::at(50), Moment::at(50), outcome)
                },
            };
            Observation::of(&sample, 0, AuditedKey::Load(KeyId(0)), Moment::at(10))
        };
        assert_eq!(of(Outcome::Failed(FailureKind::Refused)), None);
        let lost = of(Outcome::Failed(FailureKind::Panic)).unwrap();
        let known = (lost.sent, lost.done, lost.decision);
        assert_eq!(known, (Nanos(20), Nanos(40), Decision::Unanswered));
    }
}
