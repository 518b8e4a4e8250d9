//! The kind of a failure, from ureq's error and the stage that the request had reached.

use super::exchange::{Exchange, Stage};
use crate::base::FailureKind;
use std::io::{self, ErrorKind};
use ureq::Error;

/// The kind of an error that ended this exchange.
pub(super) fn failure_kind(error: &Error, exchange: &Exchange) -> FailureKind {
    let is_kept = exchange.connecting.is_none();
    match kind_at(error, exchange.stage) {
        FailureKind::Reset if is_kept && exchange.unanswered => FailureKind::ResetIdle,
        kind => kind,
    }
}

fn kind_at(error: &Error, stage: Stage) -> FailureKind {
    match (error, stage) {
        (Error::Timeout(_), _) => FailureKind::Timeout,
        (Error::HostNotFound, _) => FailureKind::Dns,
        (Error::Io(error), _) => io_failure_kind(error, stage),
        (_, Stage::Connecting) => FailureKind::Connect,
        (_, Stage::Handshake) | (Error::Tls(_) | Error::Rustls(_), _) => FailureKind::Tls,
        (_, Stage::Http) => FailureKind::Protocol,
    }
}

fn io_failure_kind(error: &io::Error, stage: Stage) -> FailureKind {
    match (error.kind(), stage) {
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, _) => FailureKind::Timeout,
        (ErrorKind::ConnectionReset, _) => FailureKind::Reset,
        (ErrorKind::ConnectionRefused, Stage::Connecting) => FailureKind::Refused,
        (_, Stage::Connecting) if is_exhaustion(error) => FailureKind::Local,
        (_, Stage::Connecting) => FailureKind::Connect,
        // After the handshake, rustls reports its own errors as invalid data of the socket.
        (_, Stage::Handshake) | (ErrorKind::InvalidData, Stage::Http) => FailureKind::Tls,
        (_, Stage::Http) => FailureKind::Reset,
    }
}

/// Returns whether this machine had no file descriptor, memory or local port left for a connection.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
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
    fn the_stage_tells_equal_errors_apart() {
        use ErrorKind::*;
        use FailureKind::{Connect, Local, Protocol, Refused, Reset, Timeout, Tls};
        use Stage::{Connecting, Handshake, Http};
        for (error, stage, kind) in [
            (ConnectionRefused, Connecting, Refused),
            (AddrNotAvailable, Connecting, Local),
            (ConnectionReset, Connecting, Reset),
            (HostUnreachable, Connecting, Connect),
            (TimedOut, Connecting, Timeout),
            (UnexpectedEof, Handshake, Tls),
            (ConnectionReset, Handshake, Reset),
            (UnexpectedEof, Http, Reset),
            (BrokenPipe, Http, Reset),
            (InvalidData, Http, Tls),
        ] {
            let error = Error::Io(error.into());
            assert_eq!(kind_at(&error, stage), kind, "{error} at {stage:?}");
        }
        let long_head = Error::LargeResponseHeader(2, 1);
        assert_eq!(kind_at(&long_head, Http), Protocol);
        let unknown_name = Error::HostNotFound;
        assert_eq!(kind_at(&unknown_name, Connecting), FailureKind::Dns);
    }
}
