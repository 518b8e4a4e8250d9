//! The content codings of a body ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), section 8.4).

use super::kept::MOST;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::borrow::Cow;
use std::io::{self, Read};
use ureq::http::{HeaderMap, header};

/// The body as it was before it was encoded. `None` if a coding is unknown, if the encoded body is broken, or if the
/// decoded one is longer than [`MOST`] bytes.
pub(super) fn decoded<'a>(body: &'a [u8], headers: &HeaderMap) -> Option<Cow<'a, [u8]>> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let codings: Vec<_> = codings.map(<[u8]>::trim_ascii).collect();
    let mut body = Cow::Borrowed(body);
    // The last coding was applied last.
    for coding in codings.into_iter().rev() {
        body = match coding.to_ascii_lowercase().as_slice() {
            b"" | b"identity" => body,
            // Some servers state this coding and send the body without it.
            b"gzip" | b"x-gzip" if !body.starts_with(&[0x1f, 0x8b]) => body,
            b"gzip" | b"x-gzip" => read(MultiGzDecoder::new(&*body)).ok()?.into(),
            // Some servers leave out the zlib format's frame (RFC 9110, section 8.4.1.2).
            b"deflate" => read(ZlibDecoder::new(&*body))
                .or_else(|_| read(DeflateDecoder::new(&*body)))
                .ok()?
                .into(),
            _ => return None,
        };
    }
    Some(body)
}

/// The start of a body whose rest may be missing, as it was before it was encoded. The encoded one if that can't be read.
pub(super) fn decoded_start<'a>(start: &'a [u8], headers: &HeaderMap) -> Cow<'a, [u8]> {
    let coding = headers.get(header::CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.as_bytes().to_ascii_lowercase());
    let mut decoded = Vec::new();
    // At the end of what there is, the decoder fails, having read all that it can.
    let _ = match coding.as_deref() {
        Some(b"gzip" | b"x-gzip") => read_some(MultiGzDecoder::new(start), &mut decoded),
        Some(b"deflate") => match read_some(ZlibDecoder::new(start), &mut decoded) {
            Err(_) if decoded.is_empty() => read_some(DeflateDecoder::new(start), &mut decoded),
            read => read,
        },
        _ => Ok(0),
    };
    if decoded.is_empty() {
        start.into()
    } else {
        decoded.into()
    }
}

fn read_some(decoder: impl Read, decoded: &mut Vec<u8>) -> io::Result<usize> {
    decoder.take(MOST as u64).read_to_end(decoded)
}

fn read(decoder: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    decoder.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ureq::http::HeaderValue;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        let mut encoder = GzEncoder::new(body, Compression::best());
        encoder.read_to_end(&mut encoded).unwrap();
        encoded
    }

    fn deflate(body: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        let mut encoder = ZlibEncoder::new(body, Compression::best());
        encoder.read_to_end(&mut encoded).unwrap();
        encoded
    }

    fn raw_deflate(body: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        let mut encoder = DeflateEncoder::new(body, Compression::best());
        encoder.read_to_end(&mut encoded).unwrap();
        encoded
    }

    fn decode(codings: &[&str], body: &[u8]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for coding in codings {
            headers.append(
                header::CONTENT_ENCODING,
                HeaderValue::from_str(coding).unwrap(),
            );
        }
        decoded(body, &headers).map(Cow::into_owned)
    }

    #[test]
    fn a_body_is_decoded_in_the_reverse_order_of_its_codings() {
        let body = b"{\"ok\":true}".to_vec();
        for (codings, encoded) in [
            (&[][..], body.clone()),
            (&["identity"], body.clone()),
            (&["gzip"], gzip(&body)),
            (&["X-GZIP"], gzip(&body)),
            (&["deflate"], deflate(&body)),
            (&["deflate"], raw_deflate(&body)),
            (&["deflate , gzip"], gzip(&deflate(&body))),
            (&["gzip", "identity", "deflate"], deflate(&gzip(&body))),
            (&["gzip"], [gzip(&body[..5]), gzip(&body[5..])].concat()),
            (&["gzip"], body.clone()),
        ] {
            assert_eq!(
                decode(codings, &encoded).as_ref(),
                Some(&body),
                "{codings:?}"
            );
        }
    }

    #[test]
    fn a_body_that_can_not_be_decoded_is_none() {
        let body = gzip(b"{\"ok\":true}");
        assert_eq!(decode(&["br"], &body), None);
        assert_eq!(decode(&["gzip"], &body[..body.len() - 1]), None);
        assert_eq!(decode(&["deflate"], &body), None);
        for (length, is_decoded) in [(MOST, true), (MOST + 1, false), (64 * MOST, false)] {
            let zeros = io::repeat(0).take(length as u64);
            let mut bomb = Vec::new();
            let mut encoder = GzEncoder::new(zeros, Compression::fast());
            encoder.read_to_end(&mut bomb).unwrap();
            assert_eq!(decode(&["gzip"], &bomb).is_some(), is_decoded, "{length}");
        }
    }

    #[test]
    fn the_start_of_a_body_is_decoded_as_far_as_it_goes() {
        let body: Vec<u8> = (0..2000u32)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        for (coding, encoded) in [("GZIP", gzip(&body)), ("deflate", deflate(&body))] {
            let headers = HeaderMap::from_iter([(
                header::CONTENT_ENCODING,
                HeaderValue::from_str(coding).unwrap(),
            )]);
            let start = decoded_start(&encoded[..512], &headers);
            assert!(start.len() > 512 && body.starts_with(&start), "{coding}");
            assert_eq!(&*decoded_start(&encoded, &headers), body);
            assert_eq!(&*decoded_start(b"plain", &headers), b"plain");
        }
        assert_eq!(&*decoded_start(b"plain", &HeaderMap::new()), b"plain");
    }
}
