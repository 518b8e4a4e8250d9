use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

/// The result of a request. The rules for answers ([`Answers`](crate::core::answers::Answers)) tell the first three
/// apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer fits the rules for allowed: by default, its status is 200.
    Allowed,
    /// The answer fits the rules for blocked: by default, its status is 429.
    Blocked,
    /// The answer fits neither, or there was none.
    Failed(FailureKind),
    /// The request was in flight when the drain deadline passed.
    Abandoned,
}

/// Why a request failed. `kind as usize` is the index in [`FailureKind::ALL`].
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Display,
    EnumCount,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum FailureKind {
    /// The target's name has no address.
    Dns,
    /// The target refused the connection.
    Refused,
    /// This machine had no file descriptor, local port or memory left for a connection.
    Local,
    /// There was no connection for any other reason, such as no route.
    Connect,
    /// The connection was lost before the response was complete.
    Reset,
    /// The connection had been kept from an earlier request, and was lost before anything of the response came.
    ResetIdle,
    /// The whole request took longer than its timeout.
    Timeout,
    /// The TLS handshake failed, or the TLS stream broke.
    Tls,
    /// The answer was not HTTP.
    Protocol,
    /// The status was from 500 to 599, and no rule fits it.
    #[strum(serialize = "status_5xx")]
    Status5xx,
    /// The status was another one that no rule fits.
    StatusOther,
    /// The status was from 200 to 299 and some rules fit it, but none of them fits the headers and the body.
    Unmatched,
    /// A bug in the generator ended the request.
    Panic,
}

impl FailureKind {
    pub const ALL: [FailureKind; FailureKind::COUNT] =
        *FailureKind::VARIANTS.first_chunk().unwrap();

    /// The name in reports, metrics and thresholds.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether an answer was received, and its status or its content is why the request failed.
    pub(crate) fn is_of_status(self) -> bool {
        use FailureKind::{Status5xx, StatusOther, Unmatched};
        matches!(self, Status5xx | StatusOther | Unmatched)
    }

    /// The kind of a status that no rule fits.
    pub(crate) fn of_status(status: u16) -> FailureKind {
        match status {
            500..=599 => FailureKind::Status5xx,
            _ => FailureKind::StatusOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_names_and_each_its_own_index() {
        let names = FailureKind::ALL.map(FailureKind::name).join(" ");
        let expected = "dns refused local connect reset reset_idle timeout tls protocol status_5xx status_other unmatched panic";
        assert_eq!(names, expected);
        assert_eq!(FailureKind::Panic as usize, FailureKind::COUNT - 1);
    }
}
