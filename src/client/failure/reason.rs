//! The reason for a failure, in a few words that are the same for every request that fails by the same cause.

use super::{Failure, exhausted, first_bytes, short, tls};
use crate::base::FailureKind;
use crate::client::exchange::Stage;
use std::io::{self, ErrorKind};
use ureq::Error;

pub(super) fn reason(failure: &Failure) -> Option<String> {
    let error = failure.error?;
    match failure.kind {
        FailureKind::Timeout => Some(timeout(failure).to_owned()),
        FailureKind::Reset => Some(reset(failure, error).to_owned()),
        FailureKind::Connect => match error {
            Error::Io(error) => Some(in_words_of_the_system(error)),
            _ => None,
        },
        FailureKind::Local => match error {
            // The system has one error for both.
            Error::Io(error)
                if failure.known.has_sources && error.kind() == ErrorKind::AddrNotAvailable =>
            {
                Some("no local port left, or not a source address of this machine".to_owned())
            }
            Error::Io(error) => exhausted(error).map(str::to_owned),
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
    match failure.exchange.stage {
        Stage::Handshake => "connection reset in the TLS handshake",
        _ if is_reset => "connection reset",
        _ if failure.exchange.unanswered => "closed before an answer",
        _ => "closed in the middle of the answer",
    }
}

fn protocol(failure: &Failure, error: &Error) -> String {
    let is_headless = failure.head.is_none();
    let other = is_headless.then(|| first_bytes::instead_of_http(failure.received));
    if let Some(other) = other.flatten() {
        return other;
    }
    match error {
        Error::LargeResponseHeader(..) => "head over 32 KiB".to_owned(),
        // The library's type of this error has no name here, but its texts are few.
        Error::Protocol(error) => {
            let text = error.to_string();
            match text.strip_prefix("http parse fail: ") {
                Some(part) => format!("malformed head: {part}"),
                None if text.starts_with("chunk ") => "malformed chunk".to_owned(),
                None => short(&text),
            }
        }
        other => short(&other.to_string()),
    }
}

/// The text of an error of the system, without its number.
fn in_words_of_the_system(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next();
    short(words.unwrap_or_default())
}
