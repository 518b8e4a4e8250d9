use crate::base::Nanos;

/// A reason why something was not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub enum NotChecked {
    #[default]
    #[error("the run ended first")]
    RunEnded,
    #[error("the probe can check a limit of at most {most} in {window}, not {limit}")]
    TooMany {
        limit: u64,
        window: Nanos,
        most: u64,
    },
    #[error("sending enough requests took too long for the window")]
    TooSlow,
    #[error("a request failed")]
    RequestFailed,
    #[error("a request was answered{}, neither allowed nor blocked", with_status(*.0))]
    AnsweredOtherwise(Option<u16>),
    #[error("no request was blocked, or not within a quarter of the window")]
    NeverBlocked,
    #[error("blocked requests are answered with {0} and no Retry-After")]
    NoRetryAfter(u16),
    #[error("Retry-After is a date, and the answer had no Date to compare it with")]
    NoDate,
    #[error("no answer has such a header")]
    NotSaid,
    #[error("an answer lacks the headers that others have")]
    Undecided,
    #[error("the requests were sent too late")]
    Late,
    #[error("a request was admitted by a node that could not ask its limiter")]
    FailingOpen,
    #[error("the first request of a new key was blocked")]
    NeverAdmitted,
    #[error("a window may have ended in between, or tokens may have come back")]
    Ambiguous,
    #[error("there is only one target")]
    OnlyNode,
    #[error("one target was reached at several addresses, which may count alone")]
    SeveralAddresses,
    #[error("one node went on admitting a key that another blocked, and not all counted alone")]
    NodesDiffer,
    #[error("no two admitted requests reported how many remain")]
    NoSteps,
    #[error("no key was saturated before")]
    NotSaturated,
    #[error("a key without requests was not admitted again either")]
    NotReadmitted,
    #[error("overlapping requests were not admitted more often than the limit")]
    NoExcess,
    #[error("nodes or connections that count alone explain it")]
    ExplainedOtherwise,
}

fn with_status(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" with {status}"))
}
