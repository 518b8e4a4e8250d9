//! What became of a request: the three outcomes, and why one failed.

use std::fmt;

/// What an answer means is [`Answers`](super::Answers)'s to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered as the rules for allowed say: by default with 200.
    Allowed,
    /// Answered as the rules for blocked say: by default with 429.
    Blocked,
    /// Answered in any other way, or not at all.
    Failed(FailureKind),
    /// In flight when the drain deadline passed.
    Abandoned,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The target's name has no address.
    Dns,
    /// The target refused the connection.
    Refused,
    /// No connection because of this machine: no descriptor, local port or memory left for it.
    Local,
    /// No connection for any other reason, such as no route.
    Connect,
    /// The connection was lost before the response was complete.
    Reset,
    /// The whole request took longer than its timeout.
    Timeout,
    /// No TLS was agreed on, or it broke.
    Tls,
    /// The answer was not HTTP.
    Protocol,
    /// A status from 500 to 599 that no rule fits.
    Status5xx,
    /// Another status that no rule fits.
    StatusOther,
    /// A status from 200 to 299 that there are rules for, none of which fits headers and body.
    Unmatched,
    /// The generator's own bug.
    Panic,
}

impl FailureKind {
    /// In the order of declaration, so that `kind as usize` is its place.
    pub const ALL: [FailureKind; 12] = [
        FailureKind::Dns,
        FailureKind::Refused,
        FailureKind::Local,
        FailureKind::Connect,
        FailureKind::Reset,
        FailureKind::Timeout,
        FailureKind::Tls,
        FailureKind::Protocol,
        FailureKind::Status5xx,
        FailureKind::StatusOther,
        FailureKind::Unmatched,
        FailureKind::Panic,
    ];

    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Dns => "dns",
            FailureKind::Refused => "refused",
            FailureKind::Local => "local",
            FailureKind::Connect => "connect",
            FailureKind::Reset => "reset",
            FailureKind::Timeout => "timeout",
            FailureKind::Tls => "tls",
            FailureKind::Protocol => "protocol",
            FailureKind::Status5xx => "status_5xx",
            FailureKind::StatusOther => "status_other",
            FailureKind::Unmatched => "unmatched",
            FailureKind::Panic => "panic",
        }
    }

    /// The kind of a status that no rule is for.
    pub(crate) fn of_status(status: u16) -> FailureKind {
        match status {
            500..=599 => FailureKind::Status5xx,
            _ => FailureKind::StatusOther,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_at_its_place() {
        for (place, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
