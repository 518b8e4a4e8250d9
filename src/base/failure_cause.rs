use super::{Answer, FailureKind, Outcome, Reason};
use std::fmt;

/// What made a request fail, as precisely as failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailureCause {
    pub kind: FailureKind,
    /// The answer's status, if that or the answer's content is why the request failed.
    pub status: Option<u16>,
    pub reason: Option<Reason>,
}

impl FailureCause {
    /// `None` unless the request failed.
    pub fn of(answer: &Answer) -> Option<FailureCause> {
        let Outcome::Failed(kind) = answer.outcome else {
            return None;
        };
        Some(FailureCause {
            kind,
            status: answer.status.filter(|_| kind.is_of_status()),
            reason: answer.reason,
        })
    }

    /// The cause without its reason, such as `404`, `200 unmatched` or `timeout`.
    pub fn name(&self) -> String {
        match (self.status, self.kind) {
            (Some(status), FailureKind::Unmatched) => format!("{status} {}", self.kind),
            (Some(status), _) => status.to_string(),
            (None, kind) => kind.to_string(),
        }
    }
}

impl From<FailureKind> for FailureCause {
    /// The cause of which nothing but its kind is known.
    fn from(kind: FailureKind) -> FailureCause {
        FailureCause {
            kind,
            status: None,
            reason: None,
        }
    }
}

impl fmt::Display for FailureCause {
    /// Such as `404` or `protocol (speaks HTTP/2)`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name())?;
        match self.reason {
            Some(reason) => write!(f, " ({})", reason.text()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Moment;

    #[test]
    fn a_cause_names_the_status_only_if_the_request_failed_by_it() {
        let of = |kind, status, reason: Option<&'static str>| {
            let answer = Answer {
                status,
                reason: reason.map(Reason::new),
                ..Answer::new(Moment::at(0), Moment::at(0), Outcome::Failed(kind))
            };
            FailureCause::of(&answer).unwrap().to_string()
        };
        assert_eq!(of(FailureKind::StatusOther, Some(404), None), "404");
        assert_eq!(of(FailureKind::Status5xx, Some(503), None), "503");
        assert_eq!(of(FailureKind::Unmatched, Some(200), None), "200 unmatched");
        assert_eq!(of(FailureKind::Reset, Some(200), None), "reset");
        let reason = Some("speaks HTTP/2");
        assert_eq!(
            of(FailureKind::Protocol, None, reason),
            "protocol (speaks HTTP/2)"
        );
        let allowed = Answer::new(Moment::at(0), Moment::at(0), Outcome::Allowed);
        assert_eq!(FailureCause::of(&allowed), None);
    }
}
