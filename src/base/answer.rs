use super::{Moment, Nanos, Outcome};

/// What became of one request.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When its first byte left; when the attempt began, if none ever [`left`](Self::left).
    pub sent: Moment,
    pub left: bool,
    pub done: Moment,
    /// The time spent on getting a new connection, if it needed one.
    pub connecting: Option<Connecting>,
    pub outcome: Outcome,
}

/// How long the parts of getting a new connection took, up to success or failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connecting {
    /// The TCP connection, and any that failed before it.
    pub tcp: Nanos,
    /// The TLS handshake, for an https target.
    pub tls: Option<Nanos>,
}

impl Connecting {
    pub fn total(&self) -> Nanos {
        self.tcp + self.tls.unwrap_or_default()
    }
}
