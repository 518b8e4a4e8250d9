//! The choice of whose certificates to accept.

use super::witnesses::NotingVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};
use std::sync::Arc;
use ureq::tls::{PemItem, parse_pem};

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
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads every certificate of a PEM file and ignores everything else in it, such as keys.
    ///
    /// # Errors
    /// The file has no certificate, or a broken one. The error says which.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, String> {
        let mut certificates = RootCertStore::empty();
        for (place, item) in (1..).zip(parse_pem(pem)) {
            if let PemItem::Certificate(certificate) =
                item.map_err(|_| format!("section {place} is broken"))?
            {
                certificates
                    .add(certificate.der().to_vec().into())
                    .map_err(|_| format!("section {place} is not an X.509 certificate"))?;
            }
        }
        if certificates.is_empty() {
            return Err("there is none".to_owned());
        }
        Ok(Authorities(Arc::new(certificates)))
    }
}

impl Trust {
    pub(super) fn applied_to(
        &self,
        config: ConfigBuilder<ClientConfig, WantsVerifier>,
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let roots = match self {
            Trust::PublicAuthorities => RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            }
            .into(),
            Trust::Only(authorities) => authorities.0.clone(),
            Trust::Anyone => {
                let verifier = Arc::new(AnyCertificate);
                return config
                    .dangerous()
                    .with_custom_certificate_verifier(verifier);
            }
        };
        let provider = config.crypto_provider().clone();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
        let verifier = verifier.build().expect("authorities");
        config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(NotingVerifier(verifier)))
    }
}

/// Accepts every certificate and every signature.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// Even those that no library verifies any longer, so that any server can sign.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme::*;
        vec![
            ECDSA_NISTP256_SHA256,
            ECDSA_NISTP384_SHA384,
            ECDSA_NISTP521_SHA512,
            ED25519,
            ED448,
            RSA_PSS_SHA256,
            RSA_PSS_SHA384,
            RSA_PSS_SHA512,
            RSA_PKCS1_SHA256,
            RSA_PKCS1_SHA384,
            RSA_PKCS1_SHA512,
            RSA_PKCS1_SHA1,
        ]
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
