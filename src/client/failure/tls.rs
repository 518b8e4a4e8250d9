//! The reasons for failures of TLS.

use super::{Failure, Words, first_bytes};
use crate::client::exchange::{self, Stage};
use crate::client::issuer::Issuer;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use std::io::ErrorKind;
use ureq::Error;

/// The most names of a certificate that are repeated.
const MOST_NAMES: usize = 3;

const ASKED: &str = "asked for a client certificate: give --cert and --key";
pub(super) const ASKED_AND_LEFT: &str =
    "asked for a client certificate, then closed the connection";

const OTHERS: &str = "other errors in TLS";
const NOT_FOR_THIS_HOST: &str = "certificate is not for this host";

pub(super) fn reason(failure: &Failure, error: &Error) -> Words {
    if failure.exchange.stage == Stage::Handshake
        && let Some(other) = first_bytes::instead_of_tls(failure.received, failure.masks.get())
    {
        return other;
    }
    match error {
        Error::Rustls(error) => of_rustls(failure, error),
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Words::Own(if was_asked_and_left(failure) {
                ASKED_AND_LEFT
            } else {
                "closed in the TLS handshake"
            })
        }
        error => Words::short(&error.to_string(), OTHERS),
    }
}

/// Returns whether all that the server did on a new connection was to ask for a client certificate.
pub(super) fn was_asked_and_left(failure: &Failure) -> bool {
    let exchange = failure.exchange;
    let is_unanswered = exchange.stage == Stage::Handshake || exchange.unanswered;
    is_unanswered && exchange.certificate_shown.is_some() && !failure.target_has_answered
}

fn of_rustls(failure: &Failure, error: &rustls::Error) -> Words {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(failure, error),
        rustls::Error::AlertReceived(alert) => of_alert(failure, *alert),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Words::Own("no common TLS version"),
        error => Words::short(&error.to_string(), OTHERS),
    }
}

fn of_alert(failure: &Failure, alert: AlertDescription) -> Words {
    use AlertDescription::*;
    let blames_the_certificate = matches!(
        alert,
        CertificateRequired
            | BadCertificate
            | UnsupportedCertificate
            | CertificateRevoked
            | CertificateExpired
            | CertificateUnknown
            | UnknownCA
            | AccessDenied
    );
    Words::Own(match (alert, failure.exchange.certificate_shown) {
        (NoApplicationProtocol, _) => "does not speak HTTP/1.1",
        (ProtocolVersion, _) => "no common TLS version",
        (InsufficientSecurity, _) => "no common cipher suite",
        (UnrecognisedName, _) => "no certificate for this host name: give --sni",
        (HandshakeFailure, None) => "no common cipher suite, or no certificate for this host name",
        // TLS 1.2 has no alert of its own for a missing certificate, and some servers have none for a refused one.
        (HandshakeFailure, Some(true)) => {
            "asked for a client certificate, and may have refused that of --cert"
        }
        (_, Some(false)) if blames_the_certificate || alert == HandshakeFailure => {
            match failure.known.has_identity {
                true => {
                    "asked for a client certificate, but not for signatures by a key like that of --key"
                }
                false => ASKED,
            }
        }
        (CertificateRequired, None) if !failure.known.has_identity => ASKED,
        (_, Some(true)) if blames_the_certificate => {
            let text = format!("refused the client certificate: {alert:?}");
            return Words::quoting(text, "refused the client certificate");
        }
        _ => return Words::quoting(format!("TLS alert {alert:?}"), "other TLS alerts"),
    })
}

fn certificate(failure: &Failure, error: &CertificateError) -> Words {
    Words::Own(match error {
        CertificateError::UnknownIssuer => return unknown_issuer(failure, ""),
        // The issuer goes by the name of an authority that is trusted.
        CertificateError::BadSignature => match exchange::take_issuer() {
            Some(issuer) => {
                exchange::note_issuer(issuer);
                return unknown_issuer(failure, " with an unknown key");
            }
            None => "the server's key is not that of its certificate",
        },
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            match exchange::take_issuer() {
                Some(Issuer::Itself) => {
                    "self-signed certificate is marked as an authority's: give --insecure"
                }
                _ => "certificate is marked as an authority's: give --insecure",
            }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not valid yet"
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<_> = presented.iter().map(|name| name_in(name)).collect();
            let others = match &names[..] {
                [] => String::new(),
                [names @ .., last] if names.len() < MOST_NAMES => {
                    let all = [names, &[*last]].concat();
                    format!(", but for {}", all.join(", "))
                }
                names => format!(", but for {} and others", names[..MOST_NAMES].join(", ")),
            };
            let text = format!("certificate is not for {}{others}", expected.to_str());
            return Words::quoting(text, NOT_FOR_THIS_HOST);
        }
        CertificateError::NotValidForName => NOT_FOR_THIS_HOST,
        CertificateError::Revoked => "certificate revoked",
        CertificateError::BadEncoding => "certificate is malformed",
        error => return Words::short(&format!("certificate refused: {error}"), OTHERS),
    })
}

fn unknown_issuer(failure: &Failure, addition: &str) -> Words {
    let certificate = match exchange::take_issuer() {
        Some(Issuer::Itself) => "self-signed certificate".to_owned(),
        Some(Issuer::Named(name)) => format!("certificate issued by {name}{addition}"),
        Some(Issuer::Unknown) | None => "certificate of an unknown issuer".to_owned(),
    };
    let (remedy, others) = match failure.known.has_authorities {
        false => (
            ": give --ca-cert",
            "certificate issued by others: give --ca-cert",
        ),
        true => (
            ", which is not in --ca-cert",
            "certificate issued by others, which are not in --ca-cert",
        ),
    };
    Words::quoting(format!("{certificate}{remedy}"), others)
}

/// The name in a text such as `DnsName("localhost")` or `IpAddress(127.0.0.1)`.
fn name_in(presented: &str) -> &str {
    let inner = presented.split_once('(').map(|(_, inner)| inner);
    let inner = inner.and_then(|inner| inner.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}
