//! The protocol of a server that does not speak the expected one, by the first bytes that it sent.

use super::Words;
use crate::core::masking::Masks;

/// The most characters of a line of text that are repeated.
const LONGEST: usize = 20;

/// The type of a frame in HTTP/2 ([RFC 9113](https://www.rfc-editor.org/rfc/rfc9113), section 6).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Names the protocol of bytes that arrived instead of an HTTP/1 answer. `None` if they begin like such an answer.
pub(super) fn instead_of_http(bytes: &[u8], masks: &Masks) -> Option<Words> {
    Some(Words::Own(match bytes {
        [] | [b'H', b'T', b'T', b'P', b'/', b'1', b'.', ..] => return None,
        [b'H', b'T', b'T', b'P', b'/', ..] => "malformed status line",
        _ if is_http2(bytes) => "speaks HTTP/2",
        [0x15 | 0x16, 3, 0..=4, ..] => "answers TLS on an http target",
        _ => {
            let text = format!("not HTTP: {}", beginning(bytes, masks));
            return Some(Words::quoting(text, "not HTTP: other first bytes"));
        }
    }))
}

/// Names the protocol of bytes that arrived instead of the first TLS record. `None` if they begin like such a record.
pub(super) fn instead_of_tls(bytes: &[u8], masks: &Masks) -> Option<Words> {
    Some(Words::Own(match bytes {
        // The types of records (RFC 8446, section 5.1).
        [] | [0x14..=0x17] | [0x14..=0x17, 3, ..] => return None,
        [b'H', b'T', b'T', b'P', b'/', ..] => "answers plain HTTP on an https target",
        _ if is_http2(bytes) => "answers plain HTTP/2 on an https target",
        _ => {
            let text = format!("not TLS: {}", beginning(bytes, masks));
            return Some(Words::quoting(text, "not TLS: other first bytes"));
        }
    }))
}

/// Returns whether these bytes begin HTTP/2: with a SETTINGS or GOAWAY frame, or with the client's preface.
fn is_http2(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PRI * HTTP/2") {
        return true;
    }
    // A frame's length in 24 bits, its type, its flags, and the stream, which is that of the connection.
    let [0, high, low, kind, _, 0, 0, 0, 0, ..] = bytes else {
        return false;
    };
    let length = u16::from_be_bytes([*high, *low]);
    match *kind {
        SETTINGS => length.is_multiple_of(6),
        GOAWAY => length >= 8,
        _ => false,
    }
}

/// The start of the first line if that is text, and otherwise three bytes in hexadecimal.
fn beginning(bytes: &[u8], masks: &Masks) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    let start = &line[..line.len().min(LONGEST)];
    let is_text = start.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(start) {
        Ok(text) if is_text && !text.trim().is_empty() => {
            // A secret that is cut may not look like one any more.
            let line = &line[..line.len().min(4 * LONGEST)];
            let text = masks.text(&String::from_utf8_lossy(line));
            let text: String = text.chars().take(LONGEST).collect();
            format!("\"{}\"", text.trim_end())
        }
        _ => {
            let three = bytes.iter().take(3).map(|byte| format!("{byte:02x}"));
            three.collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS_FRAME: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";

    #[test]
    fn the_first_bytes_name_the_protocol_that_a_server_speaks() {
        for (bytes, reason) in [
            (SETTINGS_FRAME, "speaks HTTP/2"),
            (b"\0\0\x18\x07\0\0\0\0\0", "speaks HTTP/2"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "speaks HTTP/2"),
            (
                b"\x15\x03\x01\0\x02\x02\x46",
                "answers TLS on an http target",
            ),
            (b"\x16\x03\x03\0\x40", "answers TLS on an http target"),
            (
                b"SSH-2.0-OpenSSH_9.9p1 Debian\r\n",
                "not HTTP: \"SSH-2.0-OpenSSH_9.9p\"",
            ),
            (b"220 mail\r\nx", "not HTTP: \"220 mail\""),
            (b"\0\0\x18\x08\0\0\0\0\0", "not HTTP: 00 00 18"),
            (b"\0\0\x07\x04\0\0\0\0\0", "not HTTP: 00 00 07"),
            (b"\xff", "not HTTP: ff"),
            (b"\r\n\r\n", "not HTTP: 0d 0a 0d"),
            (b"HTTP/2 200\r\n\r\n", "malformed status line"),
        ] {
            let words = instead_of_http(bytes, &Masks::default()).expect("words");
            assert_eq!(words.text(), reason, "{bytes:?}");
        }
        for bytes in [&b""[..], b"HTTP/1.1 200 OK"] {
            assert_eq!(instead_of_http(bytes, &Masks::default()), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_first_bytes_tell_tls_from_other_protocols() {
        for (bytes, reason) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                "answers plain HTTP on an https target",
            ),
            (SETTINGS_FRAME, "answers plain HTTP/2 on an https target"),
            (b"SSH-2.0-x", "not TLS: \"SSH-2.0-x\""),
            (b"\x16\x02", "not TLS: 16 02"),
        ] {
            let words = instead_of_tls(bytes, &Masks::default()).expect("words");
            assert_eq!(words.text(), reason, "{bytes:?}");
        }
        for bytes in [&b""[..], b"\x16", b"\x15\x03\x03\0\x02\x02\x28"] {
            assert_eq!(instead_of_tls(bytes, &Masks::default()), None, "{bytes:?}");
        }
    }
}
