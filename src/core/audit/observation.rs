use crate::base::{FailureKind, KeyId, Moment, Nanos, Outcome, Sample};

/// What was seen of one request that left. The limiter decided about it between sent and done, if it was answered; at
/// any time after sent, or never, if it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    pub key: AuditedKey,
    pub sequence: u64,
    /// The target's place in the plan.
    pub target: u32,
    /// Since the run's start; not before it.
    pub sent: Nanos,
    pub done: Nanos,
    pub decision: Decision,
}

/// A key, and who sends requests for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditedKey {
    /// One of the run's.
    Load(KeyId),
    /// One of the probe's, by its number. The load never asks for it.
    Probe(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
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
    pub fn of(sample: &Sample, key: AuditedKey, start: Moment) -> Option<Observation> {
        let answer = &sample.answer;
        // What a request did that a bug ended is not known: it may have left as soon as it was due.
        let lost = matches!(answer.outcome, Outcome::Failed(FailureKind::Panic));
        let sent = if lost { sample.due } else { answer.sent };
        (answer.transmitted || lost).then(|| Observation {
            key,
            sequence: sample.sequence,
            target: sample.target,
            sent: sent.since(start),
            done: answer.done.max(sent).since(start),
            decision: Decision::of(answer.outcome),
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
    fn what_never_left_is_no_observation_unless_nobody_knows_whether_it_did() {
        let of = |outcome| {
            let sample = Sample {
                sequence: 0,
                key: KeyId(0),
                target: 0,
                due: Moment::at(30),
                answer: Answer {
                    sent: Moment::at(50),
                    transmitted: false,
                    done: Moment::at(50),
                    connecting: None,
                    outcome,
                },
            };
            Observation::of(&sample, AuditedKey::Load(KeyId(0)), Moment::at(10))
        };
        assert_eq!(of(Outcome::Failed(FailureKind::Refused)), None);
        let lost = of(Outcome::Failed(FailureKind::Panic)).unwrap();
        let known = (lost.sent, lost.done, lost.decision);
        assert_eq!(known, (Nanos(20), Nanos(40), Decision::Unanswered));
    }
}
