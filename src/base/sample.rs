use crate::base::{Answer, KeyId, Moment, Nanos, Outcome};

/// The record of one request that was sent, or for which at least a connection was tried.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The request's number in the whole schedule, from 0. A probe counts its own requests.
    pub sequence: u64,
    pub key: KeyId,
    /// The target's index in the plan.
    pub target: u32,
    pub due: Moment,
    /// Whether it waited because its target held all workers that it can while others had workers left, or because all
    /// workers waited for targets that did not answer for longer than usual.
    pub waited_for_target: bool,
    pub answer: Answer,
}

impl Sample {
    /// sent − due: the generator's own error, the time spent on a new connection, and the wait in its target's backlog.
    pub fn send_lag(&self) -> Nanos {
        self.answer.sent.since(self.due)
    }

    /// done − due of an answered request.
    pub fn latency(&self) -> Option<Nanos> {
        self.is_answered().then(|| self.answer.done.since(self.due))
    }

    /// done − sent of an answered request.
    pub fn service_time(&self) -> Option<Nanos> {
        let answer = &self.answer;
        (self.is_answered()).then(|| answer.done.since(answer.sent))
    }

    /// done − due of a failed request.
    pub fn failed_after(&self) -> Option<Nanos> {
        let is_failed = matches!(self.answer.outcome, Outcome::Failed(_));
        is_failed.then(|| self.answer.done.since(self.due))
    }

    fn is_answered(&self) -> bool {
        matches!(self.answer.outcome, Outcome::Allowed | Outcome::Blocked)
    }
}
