//! The certificate that this client shows to a server that asks for one.

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;
use ureq::tls::{PemItem, parse_pem};

/// A client's certificate with its key.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads the client's certificate, which comes first, and those that lead from it to its authority. `key` has the
    /// private key, which must not be encrypted.
    ///
    /// # Errors
    /// `certificates` has no certificate or a broken one, `key` has no private key, or they do not belong together. The
    /// error says which.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Identity, IdentityError> {
        let chain = certificates_of(certificates).map_err(IdentityError::Certificate)?;
        let mut items = parse_pem(key).filter_map(Result::ok);
        let key = items.find_map(|item| match item {
            PemItem::PrivateKey(key) => Some(key),
            _ => None,
        });
        let missing = "there is no private key in it, or only an encrypted one";
        let key = key.ok_or(IdentityError::Key(missing))?;
        let loaded = PrivateKeyDer::try_from(key.der().to_vec())
            .ok()
            .and_then(|key| {
                let provider = ring::default_provider();
                provider.key_provider.load_private_key(key).ok()
            });
        let loaded = loaded.ok_or(IdentityError::Key("its private key is of an unknown kind"))?;
        let certified = CertifiedKey::new(chain, loaded);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Identity(Arc::new(certified)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Key(
                "its private key is not that of the certificate",
            )),
            Err(_) => Err(IdentityError::Certificate(
                "the first certificate is not an X.509 certificate".to_owned(),
            )),
        }
    }

    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.0
    }
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The part of an identity that can't be used, and why, as the end of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub enum IdentityError {
    Certificate(String),
    Key(&'static str),
}

/// Every certificate of a PEM file.
fn certificates_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut certificates = Vec::new();
    for (place, item) in (1..).zip(parse_pem(pem)) {
        match item {
            Ok(PemItem::Certificate(certificate)) => {
                certificates.push(certificate.der().to_vec().into());
            }
            Ok(_) => {}
            Err(_) => return Err(format!("section {place} is broken")),
        }
    }
    if certificates.is_empty() {
        return Err("there is none".to_owned());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["client".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read(certificates: &str, key: &str) -> Result<(), IdentityError> {
        Identity::from_pem(certificates.as_bytes(), key.as_bytes()).map(|_| ())
    }

    #[test]
    fn a_certificate_and_its_key_may_be_in_one_file_or_in_two() {
        let ((certificate, key), (issuer, _)) = (made(), made());
        assert_eq!(read(&certificate, &key), Ok(()));
        assert_eq!(read(&format!("{certificate}{issuer}"), &key), Ok(()));
        let both = format!("{key}{certificate}");
        assert_eq!(read(&both, &both), Ok(()));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let ((certificate, key), (other, other_key)) = (made(), made());
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let garbled = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
        for (certificates, key, part) in [
            ("", &*key, "none"),
            (&*key, &key, "none"),
            (
                "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
                &key,
                "X.509",
            ),
            (&*certificate, "", "no private key"),
            (&certificate, &certificate, "no private key"),
            (&certificate, &encrypted, "encrypted"),
            (&certificate, garbled, "unknown kind"),
            (&certificate, &other_key, "not that of"),
            (&format!("{other}{certificate}"), &key, "not that of"),
        ] {
            let error = format!("{:?}", read(certificates, key).unwrap_err());
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
