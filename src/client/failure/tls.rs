//! The reasons for failures of TLS.

use super::{Failure, first_bytes, short};
use crate::client::exchange::{self, Stage};
use crate::client::issuer::Issuer;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use std::io::ErrorKind;
use ureq::Error;

/// The most names of a certificate that are repeated.
const MOST_NAMES: usize = 3;

const ASKED: &str = "asked for a client certificate: give --cert and --key";

pub(super) fn reason(failure: &Failure, error: &Error) -> String {
    if failure.exchange.stage == Stage::Handshake
        && let Some(other) = first_bytes::instead_of_tls(failure.received)
    {
        return other;
    }
    match (tls_error(error), error) {
        (Some(error), _) => of_rustls(failure, error),
        (None, Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            "closed in the TLS handshake".to_owned()
        }
        (None, error) => short(&error.to_string()),
    }
}

/// The TLS library's error, however it was passed on.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn of_rustls(failure: &Failure, error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(failure, error),
        rustls::Error::AlertReceived(alert) => of_alert(failure, *alert),
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "no common TLS version".to_owned(),
        error => short(&error.to_string()),
    }
}

fn of_alert(failure: &Failure, alert: AlertDescription) -> String {
    use AlertDescription::*;
    let text = match alert {
        NoApplicationProtocol => "does not speak HTTP/1.1",
        ProtocolVersion => "no common TLS version",
        UnrecognisedName => "no certificate for this host name: give --sni",
        CertificateRequired if !failure.known.has_identity => ASKED,
        BadCertificate | HandshakeFailure | CertificateUnknown | AccessDenied
            if failure.exchange.certificate_requested =>
        {
            ASKED
        }
        HandshakeFailure => "no common cipher suite, or no certificate for this host name",
        InsufficientSecurity => "no common cipher suite",
        CertificateRequired
        | BadCertificate
        | UnsupportedCertificate
        | CertificateRevoked
        | CertificateExpired
        | CertificateUnknown
        | UnknownCA
        | AccessDenied
            if failure.known.has_identity =>
        {
            return format!("refused the client certificate: {alert:?}");
        }
        _ => return format!("TLS alert {alert:?}"),
    };
    text.to_owned()
}

fn certificate(failure: &Failure, error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => unknown_issuer(failure, ""),
        // The issuer goes by the name of an authority that is trusted.
        CertificateError::BadSignature => match exchange::take_issuer() {
            Some(issuer) => {
                exchange::note_issuer(issuer);
                unknown_issuer(failure, " with an unknown key")
            }
            None => "the server's key is not that of its certificate".to_owned(),
        },
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            let certificate = match exchange::take_issuer() {
                Some(Issuer::Itself) => "self-signed certificate",
                _ => "certificate",
            };
            format!("{certificate} is marked as an authority's: give --insecure")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not valid yet".to_owned()
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
            format!("certificate is not for {}{others}", expected.to_str())
        }
        CertificateError::NotValidForName => "certificate is not for this host".to_owned(),
        CertificateError::Revoked => "certificate revoked".to_owned(),
        CertificateError::BadEncoding => "certificate is malformed".to_owned(),
        error => short(&format!("certificate refused: {error}")),
    }
}

fn unknown_issuer(failure: &Failure, addition: &str) -> String {
    let certificate = match exchange::take_issuer() {
        Some(Issuer::Itself) => "self-signed certificate".to_owned(),
        Some(Issuer::Named(name)) => format!("certificate issued by {name}{addition}"),
        Some(Issuer::Unknown) | None => "certificate of an unknown issuer".to_owned(),
    };
    let remedy = match failure.known.has_authorities {
        false => ": give --ca-cert",
        true => ", which is not in --ca-cert",
    };
    format!("{certificate}{remedy}")
}

/// The name in a text such as `DnsName("localhost")` or `IpAddress(127.0.0.1)`.
fn name_in(presented: &str) -> &str {
    let inner = presented.split_once('(').map(|(_, inner)| inner);
    let inner = inner.and_then(|inner| inner.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}
