//! The kind of a failure and its reason, from ureq's error, the stage that the request had reached, and what was received.

mod first_bytes;
mod reason;
mod tls;

use super::exchange::{self, Exchange, Stage};
use super::{Connecting, Trust};
use crate::base::{FailureKind, Reason};
use crate::core::answers::{Head, excerpt, raw_excerpt};
use crate::core::masking::Masks;
use crate::core::request::{CompiledRequest, RequestBuffers};
use std::cell::OnceCell;
use std::io::{self, ErrorKind};
use ureq::Error;

/// The longest text of a library that becomes a reason, in bytes.
const LONGEST: usize = 80;

/// The choices of the user that change what to do about a failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// There is a client certificate.
    has_identity: bool,
    /// The user named the authorities that are trusted.
    has_authorities: bool,
    /// The user named the addresses that connections are made from.
    has_sources: bool,
}

impl Known {
    pub fn of(connecting: &Connecting) -> Known {
        Known {
            has_identity: connecting.identity.is_some(),
            has_authorities: matches!(connecting.trust, Trust::Only(_)),
            has_sources: !connecting.sources.is_empty(),
        }
    }
}

/// A failed request, with all that is known of it.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    pub kind: FailureKind,
    /// `None` if the answer was whole.
    pub error: Option<&'a Error>,
    pub exchange: &'a Exchange,
    /// The answer's head, if that was received.
    pub head: Option<&'a Head>,
    /// The start of the answer's body, if that was kept.
    pub body: &'a [u8],
    /// What was received last and not read, or could not be.
    pub received: &'a [u8],
    pub known: Known,
    /// Something of an answer by this target had been received before.
    pub target_has_answered: bool,
    /// What hides secrets in all that was received.
    pub masks: &'a FailureMasks<'a>,
}

/// What hides secrets in what was received. Few failures need it, and a recorded request has secrets of its own, so it is
/// made when it is needed.
#[derive(Debug)]
pub(super) struct FailureMasks<'a> {
    requests: Option<(&'a CompiledRequest, &'a RequestBuffers)>,
    made: OnceCell<Option<Masks>>,
}

impl<'a> FailureMasks<'a> {
    /// For an answer to the request that was made last with these buffers.
    pub fn of_request(requests: &'a CompiledRequest, buffers: &'a RequestBuffers) -> Self {
        FailureMasks {
            requests: Some((requests, buffers)),
            made: OnceCell::new(),
        }
    }

    /// For what a server sends before there is a request.
    pub fn without_request() -> Self {
        FailureMasks {
            requests: None,
            made: OnceCell::new(),
        }
    }

    pub fn get(&self) -> &Masks {
        let make = || match self.requests {
            Some((requests, buffers)) => requests.recorded_masks(buffers),
            None => Some(Masks::default()),
        };
        let made = self.made.get_or_init(make).as_ref();
        let of_the_run = self.requests.map(|(requests, _)| requests.masks());
        made.or(of_the_run).expect("either is there")
    }
}

/// The text of a reason.
#[derive(Debug, PartialEq)]
pub(super) enum Words {
    Own(&'static str),
    /// The text repeats the words of a server, a library or the system.
    Quoting {
        text: String,
        /// Stands for all further texts of this sort if there are too many.
        others: &'static str,
    },
}

impl Words {
    fn quoting(text: String, others: &'static str) -> Words {
        Words::Quoting { text, others }
    }

    /// The start of a text that may be long.
    fn short(text: &str, others: &'static str) -> Words {
        Words::quoting(text[..text.floor_char_boundary(LONGEST)].to_owned(), others)
    }

    #[cfg(test)]
    fn text(&self) -> &str {
        match self {
            Words::Own(text) => text,
            Words::Quoting { text, .. } => text,
        }
    }
}

impl From<Words> for Reason {
    fn from(words: Words) -> Reason {
        match words {
            Words::Own(text) => Reason::new(text),
            Words::Quoting { text, others } => Reason::quoting(&text, others),
        }
    }
}

impl Failure<'_> {
    /// `None` if the kind, or the answer's status, says all.
    pub fn reason(&self) -> Option<Reason> {
        reason::reason(self).map(Reason::from)
    }

    /// The error in the words of the library or system that reported it.
    pub fn error(&self) -> Option<String> {
        self.error.map(|error| {
            let text = match error {
                Error::Io(error) => error.to_string(),
                Error::Rustls(error) => error.to_string(),
                Error::Timeout(_) => "timed out".to_owned(),
                error => error.to_string(),
            };
            self.masks.get().text(&text)
        })
    }

    /// The received bytes as text. TLS records are never shown.
    pub fn answer(&self) -> Option<String> {
        let is_handshake = self.exchange.stage == Stage::Handshake
            && first_bytes::instead_of_tls(self.received, self.masks.get()).is_none();
        match self.head {
            _ if is_handshake => None,
            Some(head) if self.body.is_empty() => {
                Some(excerpt(head, self.received, self.masks.get()))
            }
            Some(head) => Some(excerpt(head, self.body, self.masks.get())),
            None if self.received.is_empty() => None,
            None => Some(raw_excerpt(self.received, self.masks.get())),
        }
    }
}

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
        // rustls reports a message that is longer than its buffer as invalid data of the socket.
        (_, Stage::Handshake) | (ErrorKind::InvalidData, Stage::Http) => FailureKind::Tls,
        (_, Stage::Http) => FailureKind::Reset,
    }
}

/// The reason why a TLS handshake of this thread failed, before any request.
pub(super) fn tls_reason(error: &Error, connecting: &Connecting) -> String {
    let exchange = exchange::current();
    let failure = Failure {
        kind: FailureKind::Tls,
        error: Some(error),
        exchange: &exchange,
        head: None,
        body: &[],
        received: &exchange::take_received(),
        known: Known::of(connecting),
        target_has_answered: false,
        masks: &FailureMasks::without_request(),
    };
    let reason = failure.reason();
    reason.map_or_else(|| error.to_string(), |reason| reason.text().to_owned())
}

/// Returns whether this machine had no file descriptor, memory or local port left for a connection.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    exhausted(error).is_some()
}

/// The resource that this machine had run out of. `None` if the error is another one.
fn exhausted(error: &io::Error) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => return Some("too many open files"),
            Some(Errno::NOBUFS | Errno::NOMEM) => return Some("no memory for a socket"),
            _ => {}
        }
    }
    (error.kind() == ErrorKind::AddrNotAvailable).then_some("no local port left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_system_s_error_tells_what_this_machine_lacks() {
        use rustix::io::Errno;
        for (errno, lacks) in [
            (Errno::MFILE, "too many open files"),
            (Errno::NFILE, "too many open files"),
            (Errno::NOBUFS, "no memory for a socket"),
            (Errno::NOMEM, "no memory for a socket"),
            (Errno::ADDRNOTAVAIL, "no local port left"),
        ] {
            assert_eq!(exhausted(&errno.into()), Some(lacks));
        }
    }

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
        let reset = io::Error::from(ConnectionReset);
        assert_eq!(exhausted(&reset), None);
        assert_eq!(
            exhausted(&AddrNotAvailable.into()),
            Some("no local port left")
        );
        let unknown_name = Error::HostNotFound;
        assert_eq!(kind_at(&unknown_name, Connecting), FailureKind::Dns);
    }
}
