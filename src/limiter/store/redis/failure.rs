//! Why Redis gave no answer, in words.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::fmt;
use std::io;
use std::sync::Arc;

/// A reason, to be read behind `redis at redis:6379: `. Clones share the text: while Redis is away, every caller gets
/// the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(Arc<str>);

impl Failure {
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::said_by(&error)
    }
}

impl Failure {
    /// The system's messages are sentences followed by ` (os error 111)`.
    fn said_by(error: &impl fmt::Display) -> Self {
        let message = error.to_string();
        let message = message.split(" (os error").next().unwrap_or_default();
        let mut characters = message.chars();
        let first = characters.next().into_iter().flat_map(char::to_lowercase);
        Self::new(first.chain(characters).collect::<String>())
    }
}

/// What came of asking, if it was no answer that was asked for.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Redis answered, with an error of its own. The connection is as good as before.
    Refused(Failure),
    /// The connection is of no more use: it broke, and whether the request was carried out can't be known; or it leads
    /// to a replica, and after a failover another connection may lead to the master.
    Lost(Failure),
    /// The same, as the answer did not come in time.
    Silent(Failure),
}

impl Trouble {
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Refused(failure) | Self::Lost(failure) | Self::Silent(failure) => failure,
        }
    }
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        // Server errors of a code that the library does not know are extensions to it.
        if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
            let (code, detail) = (error.code().unwrap_or_default(), error.detail());
            let text = format!("{code} {}", detail.unwrap_or_default());
            let failure = Failure::new(text.trim());
            return match error.kind() {
                ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => {
                    Self::Lost(failure)
                }
                _ => Self::Refused(failure),
            };
        }
        if error.is_timeout() {
            Self::Silent(Failure::said_by(&error))
        } else if error.is_io_error() {
            Self::Lost(Failure::said_by(&error))
        } else {
            Self::Lost(Failure::new("what answers there is no Redis"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_well_within_a_line() {
        for (error, reason) in [
            (
                io::Error::from(io::ErrorKind::HostUnreachable),
                "host unreachable",
            ),
            (
                io::Error::other("Name or service not known"),
                "name or service not known",
            ),
            #[cfg(unix)]
            (
                io::Error::from_raw_os_error(libc::ECONNREFUSED),
                "connection refused",
            ),
        ] {
            assert_eq!(Failure::from(error).to_string(), reason);
        }
    }

    #[test]
    fn an_error_of_redis_keeps_its_words_and_its_connection() {
        for line in [
            "NOAUTH Authentication required.",
            "LOADING Redis is loading the dataset in memory",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR max number of clients reached",
        ] {
            let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            let error = reply.extract_error().unwrap_err();
            match Trouble::from(error) {
                Trouble::Refused(failure) => assert_eq!(failure.to_string(), line),
                trouble => panic!("{trouble:?}"),
            }
        }
    }

    #[test]
    fn a_replica_keeps_its_words_and_loses_its_connection() {
        let line = "READONLY You can't write against a read only replica.";
        let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        match Trouble::from(reply.extract_error().unwrap_err()) {
            Trouble::Lost(failure) => assert_eq!(failure.to_string(), line),
            trouble => panic!("{trouble:?}"),
        }
    }

    #[test]
    fn what_is_not_redis_is_said_so() {
        let error = redis::parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        match Trouble::from(error) {
            Trouble::Lost(failure) => {
                assert_eq!(failure.to_string(), "what answers there is no Redis")
            }
            trouble => panic!("{trouble:?}"),
        }
    }
}
