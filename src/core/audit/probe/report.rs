use super::not_checked::NotChecked;
use super::questions::Questions;
use crate::base::Nanos;
use crate::core::audit::observation::Decision;
use std::fmt;

/// What a probe found, by its end or so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// The number of requests sent, without those in flight at the end.
    pub asked: u64,
    /// How many keys got more requests than any promise admits.
    pub flooded: Checked,
    /// How many answers' `Retry-After` was compared with what came at its time.
    pub retry_after: Checked,
    /// How many answers' number of remaining requests was compared with what had been admitted.
    pub remaining: Checked,
    /// The first fault of each kind.
    pub faults: Vec<HeaderFault>,
    /// The first remark of each kind.
    pub remarks: Vec<Remark>,
    /// Possible causes of a breach.
    pub questions: Questions,
}

/// How often something was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    pub times: u64,
    /// The latest reason why it was not checked.
    pub why_not: NotChecked,
}

/// A statement in a header that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFault {
    pub kind: FaultKind,
    /// How many faults of this kind there were. The rest describes the first.
    pub seen: u64,
    /// The probe's number for the key.
    pub key: u32,
    /// The target whose answer had the header, or was without it.
    pub target: usize,
    /// The requests that show it, in the order in which they were sent.
    pub requests: Vec<ProbeRequest>,
    /// One sentence, without a full stop.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// `Retry-After` is neither whole seconds nor a date: a Unix time, say, or a negative number.
    Malformed,
    /// A request was blocked after the time that `Retry-After` said.
    TooEarly,
    /// A request was admitted more than a second before that time, or the time is longer than the window.
    TooLate,
    /// `Retry-After` is in milliseconds.
    WrongUnit,
    /// More requests are said to remain than the whole cluster can have left.
    Remaining,
}

/// One of the probe's requests, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRequest {
    pub sequence: u64,
    /// The target's place in the plan.
    pub target: usize,
    /// Time since the run's start.
    pub sent: Nanos,
    /// Time since the run's start.
    pub done: Nanos,
    pub decision: Decision,
}

/// An observation that is no fault, but that a caller may stumble over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub kind: RemarkKind,
    /// How many remarks of this kind there were. The text is of the first.
    pub seen: u64,
    /// One sentence, without a full stop.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemarkKind {
    /// The limit or window is not the one in the requests.
    OtherPolicy,
    /// A header about the limit has no known form.
    UnknownForm,
    /// A request was blocked with 429 and no `Retry-After`, which is optional.
    NoRetryAfter,
    /// `RateLimit-Reset` or `X-RateLimit-Reset` is in seconds, or it is a Unix time.
    ResetUnit,
    /// A request was blocked although more than zero remained, by its own answer or the one before.
    BlockedWithRemaining,
    /// `Retry-After` is 0, though a moment later a request was admitted.
    Zero,
    /// `Retry-After` ends before the time for which another header says that none remain.
    BeforeReset,
    /// Requests were admitted again before that time's end, or still blocked after it.
    Reset,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            0 => write!(f, "not checked: {}", self.why_not),
            1 => f.write_str("checked once"),
            times => write!(f, "checked {times} times"),
        }
    }
}

impl ProbeReport {
    /// `Retry-After` was checked, and found wrong.
    pub(super) fn retry_after_fault(&mut self, fault: HeaderFault) {
        self.retry_after.times += 1;
        self.fault(fault);
    }

    /// Keeps the first fault of each kind, and counts the others.
    pub(super) fn fault(&mut self, fault: HeaderFault) {
        match self.faults.iter_mut().find(|one| one.kind == fault.kind) {
            Some(first) => first.seen += 1,
            None => self.faults.push(fault),
        }
    }

    /// Keeps the first remark of each kind, and counts the others.
    pub(super) fn remark(&mut self, kind: RemarkKind, text: String) {
        match self.remarks.iter_mut().find(|one| one.kind == kind) {
            Some(first) => first.seen += 1,
            None => self.remarks.push(Remark {
                kind,
                seen: 1,
                text,
            }),
        }
    }
}
