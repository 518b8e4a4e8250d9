//! Why a request failed, from ureq's error and the stage that the request had reached.

use super::exchange::Stage;
use crate::base::FailureKind;
use std::io::{self, ErrorKind};
use ureq::Error;

impl FailureKind {
    /// The kind of an error that ended a request at this stage.
    pub(super) fn of(error: &Error, stage: Stage) -> FailureKind {
        match (error, stage) {
            (Error::Timeout(_), _) => FailureKind::Timeout,
            (Error::Io(e), _)
                if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) =>
            {
                FailureKind::Timeout
            }
            (Error::HostNotFound, _) => FailureKind::Dns,
            (Error::Io(e), Stage::Connecting) if e.kind() == ErrorKind::ConnectionRefused => {
                FailureKind::Refused
            }
            (Error::Io(e), _) if e.kind() == ErrorKind::ConnectionReset => FailureKind::Reset,
            (Error::Io(e), Stage::Connecting) if exhausted(e) => FailureKind::Local,
            (_, Stage::Connecting) => FailureKind::Connect,
            (_, Stage::Handshake) | (Error::Tls(_) | Error::Rustls(_), _) => FailureKind::Tls,
            // What rustls reports through a socket's interface.
            (Error::Io(e), Stage::Http) if e.kind() == ErrorKind::InvalidData => FailureKind::Tls,
            (Error::Io(_), Stage::Http) => FailureKind::Reset,
            (_, Stage::Http) => FailureKind::Protocol,
        }
    }
}

/// Whether the system had nothing left to make a connection of.
pub(super) fn exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        if Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno)) {
            return true;
        }
    }
    error.kind() == ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_tells_apart_errors_of_one_form() {
        let io = |kind| Error::Io(io::Error::from(kind));
        for (error, stage, kind) in [
            (
                io(ErrorKind::ConnectionRefused),
                Stage::Connecting,
                FailureKind::Refused,
            ),
            (
                io(ErrorKind::AddrNotAvailable),
                Stage::Connecting,
                FailureKind::Local,
            ),
            (
                io(ErrorKind::ConnectionReset),
                Stage::Connecting,
                FailureKind::Reset,
            ),
            (
                io(ErrorKind::HostUnreachable),
                Stage::Connecting,
                FailureKind::Connect,
            ),
            (
                io(ErrorKind::TimedOut),
                Stage::Connecting,
                FailureKind::Timeout,
            ),
            (Error::HostNotFound, Stage::Connecting, FailureKind::Dns),
            (
                io(ErrorKind::UnexpectedEof),
                Stage::Handshake,
                FailureKind::Tls,
            ),
            (
                io(ErrorKind::ConnectionReset),
                Stage::Handshake,
                FailureKind::Reset,
            ),
            (
                io(ErrorKind::UnexpectedEof),
                Stage::Http,
                FailureKind::Reset,
            ),
            (io(ErrorKind::BrokenPipe), Stage::Http, FailureKind::Reset),
            (io(ErrorKind::InvalidData), Stage::Http, FailureKind::Tls),
            (
                Error::LargeResponseHeader(2, 1),
                Stage::Http,
                FailureKind::Protocol,
            ),
        ] {
            assert_eq!(FailureKind::of(&error, stage), kind, "{error} at {stage:?}");
        }
    }
}
