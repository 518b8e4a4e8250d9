//! The choices that concern every connection, whatever it is used for.

use super::witnesses::NotingIdentity;
use super::{Identity, Trust};
use rustls::crypto::ring;
use rustls::pki_types;
use rustls::{ALL_VERSIONS, ClientConfig};
use std::net::IpAddr;
use std::sync::Arc;

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
pub struct ServerName(pki_types::ServerName<'static>);

impl ServerName {
    /// Reads a name. An address is not one, since none can be sent as a server's name
    /// ([RFC 6066](https://www.rfc-editor.org/rfc/rfc6066), section 3).
    pub fn new(name: &str) -> Option<ServerName> {
        match pki_types::ServerName::try_from(name) {
            Ok(name @ pki_types::ServerName::DnsName(_)) => Some(ServerName(name.to_owned())),
            _ => None,
        }
    }

    /// The name of a URL's host, which may be an address.
    pub(super) fn of_host(host: &str) -> Option<ServerName> {
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let name = pki_types::ServerName::try_from(address.unwrap_or(host));
        name.ok().map(|name| ServerName(name.to_owned()))
    }

    pub(super) fn into_inner(self) -> pki_types::ServerName<'static> {
        self.0
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

    /// What all TLS connections of a client share, and with it the sessions to resume.
    pub(super) fn tls_config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(ALL_VERSIONS)
            .expect("cipher suites for every version");
        let config = self.trust.applied_to(config);
        let identity = Arc::new(NotingIdentity(self.identity.clone()));
        let mut config = config.with_client_cert_resolver(identity);
        // So a server that speaks only another protocol refuses the handshake and says so.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
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
