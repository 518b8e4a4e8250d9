use crate::base::Nanos;
use crate::core::audit::Decision;
use std::fmt;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Cycles begun.
    pub cycles: u64,
    /// Requests, but for those in flight at the end.
    pub asked: u64,
    /// Of how many keys more was asked than any promise admits.
    pub flooded: Checked,
    /// How many answers' word was held against what came when its time had come.
    pub retry_after: Checked,
    /// How many answers' count of what remains was held against what had been admitted.
    pub remaining: Checked,
    /// The first of each kind.
    pub faults: Vec<HeaderFault>,
    pub remarks: Vec<Remark>,
}

/// How often something was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// At least once.
    Times(u64),
    Not(NotChecked),
}

/// Why something was never checked; the last reason, where there are several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChecked {
    #[error("the run ended before it could be")]
    RunEnded,
    #[error(
        "a key of {limit} in {window} can't be asked for that often by a probe: at most {most}"
    )]
    TooMany {
        limit: u64,
        window: Nanos,
        most: u64,
    },
    #[error("asking that often took longer than a quarter of the window")]
    TooSlow,
    #[error("a request failed")]
    RequestFailed,
    #[error("the probe's key was answered otherwise{}", status(*.0))]
    AnsweredOtherwise(Option<u16>),
    #[error("no request was blocked, or not within a quarter of the window")]
    NeverBlocked,
    #[error("blocked requests are answered with {0} and no Retry-After")]
    OtherStatus(u16),
    #[error("Retry-After is a date, and the answer had no Date to compare it with")]
    NoDate,
    #[error("no answer said it")]
    NotSaid,
    #[error("an answer was without what the others said")]
    Undecided,
    #[error("the requests left too late")]
    Late,
}

fn status(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(", with {status}"))
}

/// Something that no limiter says that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFault {
    pub kind: FaultKind,
    /// How many of this kind there were; the rest is of the first.
    pub seen: u64,
    /// The probe's number for it.
    pub key: u32,
    /// The header, and whose answer had it, or was without.
    pub header: String,
    pub target: usize,
    /// The requests that show it, in the order in which they were sent.
    pub requests: Vec<ProbeRequest>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// 429 without `Retry-After`.
    Missing,
    /// `Retry-After` is neither whole seconds nor a date.
    Malformed,
    /// Blocked after the time that `Retry-After` said.
    TooEarly,
    /// Admitted more than a second before it, or it is longer than the window.
    TooLate,
    /// `Retry-After` is in milliseconds.
    WrongUnit,
    /// More is said to remain than the whole cluster can have left.
    Remaining,
}

/// A request of the probe's, and what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRequest {
    pub sequence: u64,
    pub target: usize,
    /// Since the run's start.
    pub sent: Nanos,
    pub done: Nanos,
    pub decision: Decision,
}

/// Something that is not wrong, and that a caller may stumble over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub kind: RemarkKind,
    /// How many of this kind there were; the text is of the first.
    pub seen: u64,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemarkKind {
    /// A limit or window that is not the one asked about.
    OtherPolicy,
    /// A header of the limit's in no known form.
    UnknownForm,
    /// Blocked right after an answer with more than zero remaining, or by one.
    BlockedWithRemaining,
    /// `Retry-After` of 0, though a moment later a request was admitted.
    Zero,
    /// `Retry-After` ends before the effective window of `RateLimit`.
    BeforeReset,
    /// The effective window of `RateLimit` is not when requests were admitted again.
    Reset,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checked::Times(1) => f.write_str("checked once"),
            Checked::Times(times) => write!(f, "checked {times} times"),
            Checked::Not(why) => write!(f, "not checked: {why}"),
        }
    }
}
