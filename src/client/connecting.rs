//! The choices that concern every connection, whatever it is used for.

use super::{Identity, Trust};
use std::net::IpAddr;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

/// How connections to the targets are made.
#[derive(Debug, Clone)]
pub struct Connecting {
    pub trust: Trust,
    /// Shown to https targets that ask for a client certificate.
    pub identity: Option<Identity>,
    /// Replaces the host of https targets in the TLS handshake and in the check of their certificates.
    pub server_name: Option<ServerName>,
    /// The addresses that connections are made from, in turn. If there is none, the system chooses.
    pub sources: Vec<IpAddr>,
}

/// A host's name for TLS.
#[derive(Debug, Clone)]
pub struct ServerName(Uri);

impl ServerName {
    /// Reads a name. An address is not one, since none can be sent as a server's name
    /// ([RFC 6066](https://www.rfc-editor.org/rfc/rfc6066), section 3).
    pub fn new(name: &str) -> Option<ServerName> {
        let is_name = matches!(
            rustls::pki_types::ServerName::try_from(name),
            Ok(rustls::pki_types::ServerName::DnsName(_))
        );
        let uri = format!("https://{name}").parse().ok();
        uri.filter(|_| is_name).map(ServerName)
    }

    /// A URI with this host.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl Connecting {
    /// Connections with this trust, and the defaults for everything else.
    pub fn trusting(trust: Trust) -> Connecting {
        Connecting {
            trust,
            identity: None,
            server_name: None,
            sources: Vec::new(),
        }
    }

    pub(super) fn tls_config(&self) -> TlsConfig {
        let identity = self.identity.as_ref();
        self.trust
            .tls_config()
            .client_cert(identity.map(Identity::certificate))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_name_is_a_hosts_name() {
        for good in ["example.com", "node-1", "a.b.c", "xn--mnchen-3ya.de"] {
            assert!(ServerName::new(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "::1",
            "[::1]",
            "a b",
            "a:443",
            "a/b",
            "é",
            ".a",
            "https://a",
        ] {
            assert!(ServerName::new(bad).is_none(), "{bad}");
        }
    }
}
