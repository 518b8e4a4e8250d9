//! The reason for a failure, in a few words that are the same for every request that fails by the same cause.

use super::{Failure, Words, exhausted, first_bytes, tls};
use crate::base::FailureKind;
use crate::client::exchange::Stage;
use std::io::{self, ErrorKind};
use ureq::Error;

pub(super) fn reason(failure: &Failure) -> Option<Words> {
    let error = failure.error?;
    match failure.kind {
        FailureKind::Timeout => Some(Words::Own(timeout(failure))),
        FailureKind::Reset => Some(Words::Own(reset(failure, error))),
        FailureKind::Connect => match error {
            Error::Io(error) => Some(in_words_of_the_system(error)),
            _ => None,
        },
        FailureKind::Local => match error {
            // The system has one error for both.
            Error::Io(error)
                if failure.known.has_sources && error.kind() == ErrorKind::AddrNotAvailable =>
            {
                let text = "no local port left, or not a source address of this machine";
                Some(Words::Own(text))
            }
            Error::Io(error) => exhausted(error).map(Words::Own),
            _ => None,
        },
        FailureKind::Tls => Some(tls::reason(failure, error)),
        FailureKind::Protocol => Some(protocol(failure, error)),
        _ => None,
    }
}

fn timeout(failure: &Failure) -> &'static str {
    match failure.exchange.stage {
        Stage::Connecting => "no connection in time",
        Stage::Handshake => "no TLS handshake in time",
        Stage::Http if failure.exchange.unanswered => "no answer in time",
        Stage::Http => "answer incomplete in time",
    }
}

fn reset(failure: &Failure, error: &Error) -> &'static str {
    let is_reset = matches!(error, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset);
    let is_tls = matches!(failure.exchange.connecting, Some(times) if times.tls.is_some());
    match failure.exchange.stage {
        Stage::Handshake | Stage::Http if tls::was_asked_and_left(failure) => tls::ASKED_AND_LEFT,
        Stage::Handshake => "connection reset in the TLS handshake",
        // HAProxy closes without a word if HTTP/1.1 arrives on a port for HTTP/2. So does a server that crashes, so these
        // words only compare.
        Stage::Http if failure.exchange.unanswered && !failure.target_has_answered && !is_tls => {
            "closed without an answer, as by a server that speaks only HTTP/2 or a proxy without a backend"
        }
        _ if is_reset => "connection reset",
        _ if failure.exchange.unanswered => "closed before an answer",
        _ => "closed in the middle of the answer",
    }
}

fn protocol(failure: &Failure, error: &Error) -> Words {
    const OTHERS: &str = "other errors in HTTP";
    let is_headless = failure.head.is_none();
    let other =
        is_headless.then(|| first_bytes::instead_of_http(failure.received, failure.masks.get()));
    if let Some(other) = other.flatten() {
        return other;
    }
    match error {
        Error::LargeResponseHeader(..) => Words::Own("head over 32 KiB"),
        // The library's type of this error has no name here, but its texts are few.
        Error::Protocol(error) => {
            let text = error.to_string();
            match text.strip_prefix("http parse fail: ") {
                Some(part) => Words::short(&format!("malformed head: {part}"), OTHERS),
                None if text.starts_with("chunk ") => Words::Own("malformed chunk"),
                None => Words::short(&failure.masks.get().text(&text), OTHERS),
            }
        }
        other => Words::short(&failure.masks.get().text(&other.to_string()), OTHERS),
    }
}

/// The text of an error of the system, without its number.
fn in_words_of_the_system(error: &io::Error) -> Words {
    let text = error.to_string();
    let words = text.split(" (os error").next();
    Words::short(words.unwrap_or_default(), "other errors of the system")
}
