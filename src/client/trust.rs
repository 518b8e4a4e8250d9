//! The choice of whose certificates to accept.

use rustls::RootCertStore;
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsConfigBuilder, parse_pem};

/// The certificates that are accepted from an https target.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Certificates from the public authorities that Mozilla lists.
    PublicAuthorities,
    /// These certificates and those that they issued, and none from a public authority.
    Only(Authorities),
    /// Any certificate, even an expired one or one of another host.
    Anyone,
}

#[derive(Debug, Clone)]
pub struct Authorities(Arc<Vec<Certificate<'static>>>);

impl Authorities {
    /// Reads every certificate of a PEM file and ignores everything else in it, such as keys.
    ///
    /// # Errors
    /// The file has no certificate, or a broken one. The error says which.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, String> {
        let mut certificates = Vec::new();
        for (place, item) in (1..).zip(parse_pem(pem)) {
            if let PemItem::Certificate(certificate) =
                item.map_err(|_| format!("section {place} is broken"))?
            {
                RootCertStore::empty()
                    .add(certificate.der().into())
                    .map_err(|_| format!("section {place} is not an X.509 certificate"))?;
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err("there is none".to_owned());
        }
        Ok(Authorities(Arc::new(certificates)))
    }
}

impl Trust {
    pub(super) fn tls_config(&self) -> TlsConfigBuilder {
        let config = TlsConfig::builder();
        match self {
            Trust::PublicAuthorities => config.root_certs(RootCerts::WebPki),
            Trust::Only(authorities) => {
                config.root_certs(RootCerts::Specific(authorities.0.clone()))
            }
            Trust::Anyone => config.disable_verification(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> String {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        made.unwrap().cert.pem()
    }

    fn count(pem: impl AsRef<[u8]>) -> Result<usize, String> {
        Authorities::from_pem(pem.as_ref()).map(|authorities| authorities.0.len())
    }

    #[test]
    fn every_certificate_of_a_file_is_read_and_everything_else_is_ignored() {
        let (one, other) = (certificate(), certificate());
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(count(&one), Ok(1));
        assert_eq!(count(format!("{one}{other}")), Ok(2));
        assert_eq!(count(format!("{key}{one}words\n{other}words")), Ok(2));
        assert_eq!(count(one.replace('\n', "\r\n")), Ok(1));
    }

    #[test]
    fn a_file_without_a_certificate_or_with_a_broken_one_is_refused() {
        let good = certificate();
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let cut = &good[..good.len() / 2];
        let no_base64 = good.replacen("MII", "M*I", 1);
        let no_x509 = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        for bad in ["", "words", &key, cut, &no_base64, no_x509] {
            assert!(count(bad).is_err(), "{bad}");
            let is_refused = count(format!("{good}{bad}")).is_err();
            let has_certificate = bad.contains("BEGIN CERTIFICATE");
            assert_eq!(is_refused, has_certificate, "a good one and {bad}");
        }
        assert!(count(b"\xff\xfe\0\0").is_err());
    }
}
