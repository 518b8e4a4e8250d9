//! The issuer that a certificate names.

/// The longest name that is repeated, in bytes.
const LONGEST: usize = 64;

/// The tags of the parts of a certificate ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280), section 4.1) in DER.
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// A text whose characters are of two bytes.
const BMP_STRING: u8 = 0x1e;

/// The identifiers of the attributes of a name: 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];

/// Who issued a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Issuer {
    /// The certificate's own subject.
    Itself,
    /// Another, by its common name or else its organization.
    Named(String),
    /// There is no such name, or the certificate can't be read.
    Unknown,
}

impl Issuer {
    /// The issuer of a certificate in DER. Nothing is checked.
    pub fn of(certificate: &[u8]) -> Issuer {
        let Some((issuer, subject)) = names(certificate) else {
            return Issuer::Unknown;
        };
        if issuer == subject {
            return Issuer::Itself;
        }
        let name = [COMMON_NAME, ORGANIZATION]
            .into_iter()
            .find_map(|wanted| attribute(issuer, wanted));
        name.map_or(Issuer::Unknown, Issuer::Named)
    }
}

/// The names of a certificate's issuer and of its subject, in DER.
fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (_validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    Some((issuer, subject))
}

/// The first value of an attribute in a name, as text, unless it is empty.
fn attribute(mut name: &[u8], wanted: &[u8]) -> Option<String> {
    while let Some((mut set, rest)) = element(name, SET) {
        while let Some((pair, others)) = element(set, SEQUENCE) {
            let (identifier, value) = element(pair, OBJECT_IDENTIFIER)?;
            if identifier == wanted {
                return text(value);
            }
            set = others;
        }
        name = rest;
    }
    None
}

fn text(value: &[u8]) -> Option<String> {
    let (content, _) = element(value, *value.first()?)?;
    let text = match value[0] {
        BMP_STRING => {
            let units = content.chunks_exact(2);
            let units: Vec<u16> = units
                .map(|two| u16::from_be_bytes([two[0], two[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(content).into_owned(),
    };
    let text = crate::base::text::printable(text.trim());
    let text = &text[..text.floor_char_boundary(LONGEST)];
    (!text.is_empty()).then(|| text.to_owned())
}

/// The content of the element with this tag at the beginning, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        ..=0x7f => (usize::from(length), rest),
        // The number of bytes that the length takes. A certificate is shorter than 16 MiB.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let join = |length, byte: &u8| length << 8 | usize::from(*byte);
            (bytes.iter().fold(0, join), rest)
        }
        _ => return None,
    };
    (found == tag)
        .then(|| rest.split_at_checked(length))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, CertifiedIssuer, DnType, DnValue, KeyPair};

    /// A certificate for `localhost`, issued by an authority with this name.
    fn issued(attributes: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            authority
                .distinguished_name
                .push(kind.clone(), value.clone());
        }
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &authority).unwrap().der().to_vec()
    }

    fn named(name: &str) -> Issuer {
        Issuer::Named(name.to_owned())
    }

    #[test]
    fn an_issuer_goes_by_its_common_name_or_else_by_its_organization() {
        let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
        let organization = (DnType::OrganizationName, utf8("Müller"));
        let name = (DnType::CommonName, utf8("Dev Root\n"));
        let country = (DnType::CountryName, utf8("DE"));
        let both = [country.clone(), organization.clone(), name];
        assert_eq!(Issuer::of(&issued(&both)), named("Dev Root"));
        assert_eq!(Issuer::of(&issued(&[organization])), named("Müller"));
        assert_eq!(Issuer::of(&issued(&[country])), Issuer::Unknown);
        let wide = DnValue::BmpString("Wide".try_into().unwrap());
        assert_eq!(
            Issuer::of(&issued(&[(DnType::CommonName, wide)])),
            named("Wide")
        );
        let long = (DnType::CommonName, utf8(&"x".repeat(300)));
        assert_eq!(Issuer::of(&issued(&[long])), named(&"x".repeat(LONGEST)));
    }

    #[test]
    fn a_certificate_that_signs_itself_is_its_own_issuer() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        assert_eq!(Issuer::of(made.unwrap().cert.der()), Issuer::Itself);
    }

    #[test]
    fn a_certificate_that_is_cut_off_has_no_known_issuer() {
        let name = DnValue::Utf8String("Dev Root".to_owned());
        let certificate = issued(&[(DnType::CommonName, name)]);
        for end in 0..certificate.len() {
            assert_eq!(Issuer::of(&certificate[..end]), Issuer::Unknown, "{end}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_server_sends_is_read_without_a_panic(
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            noise in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            Issuer::of(&noise);
            let name = DnValue::Utf8String("Dev Root".to_owned());
            let mut certificate = issued(&[(DnType::CommonName, name)]);
            let place = place.index(certificate.len());
            certificate[place] = byte;
            Issuer::of(&certificate);
        }
    }
}
