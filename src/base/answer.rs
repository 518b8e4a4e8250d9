use super::{Address, Moment, Nanos, Outcome, Reason};

/// The result of one request, with its times.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The moment at which the first byte left, or the start of the attempt if none did.
    pub sent: Moment,
    /// True if at least one byte left.
    pub transmitted: bool,
    /// The moment at which the response was complete, or the request had failed.
    pub done: Moment,
    /// Present if the request needed a new connection.
    pub connecting: Option<ConnectTimes>,
    pub outcome: Outcome,
    /// The request was allowed, and the answer says that the limiter could not decide and let it pass. Always false for
    /// other outcomes.
    pub failing_open: bool,
    /// The status of the answer, if its head was received.
    pub status: Option<u16>,
    /// Why the request failed, if the outcome does not say all.
    pub reason: Option<Reason>,
    /// The address that the request went to. For a failed connection, it is the last one that was tried. `None` if none
    /// was tried.
    pub address: Option<Address>,
}

impl Answer {
    /// The answer to a request that was transmitted over a connection that was open already.
    pub(crate) fn new(sent: Moment, done: Moment, outcome: Outcome) -> Answer {
        Answer {
            sent,
            transmitted: true,
            done,
            connecting: None,
            outcome,
            failing_open: false,
            status: None,
            reason: None,
            address: None,
        }
    }
}

/// The time that a new connection took, up to success or failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectTimes {
    /// The TCP connection, with all failed attempts before it.
    pub tcp: Nanos,
    /// The TLS handshake, for an https target.
    pub tls: Option<Nanos>,
}

impl ConnectTimes {
    pub fn total(&self) -> Nanos {
        self.tcp + self.tls.unwrap_or_default()
    }
}
