use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The way to write a value in a place where some characters have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    /// For a string of JSON ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), section 7).
    Json,
    /// For a path, a query or a form: percent-encodes everything but the unreserved characters of
    /// [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section 2.3.
    Percent,
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Escape {
    pub fn write(self, text: &str, into: &mut Vec<u8>) {
        match self {
            Escape::None => into.extend_from_slice(text.as_bytes()),
            Escape::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                into.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            }
            Escape::Percent => {
                for part in utf8_percent_encode(text, RESERVED) {
                    into.extend_from_slice(part.as_bytes());
                }
            }
        }
    }

    /// The most bytes that one byte becomes.
    pub fn growth(self) -> usize {
        match self {
            Escape::None => 1,
            Escape::Json => "\\u0000".len(),
            Escape::Percent => "%00".len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(escape: Escape, text: &str) -> String {
        let mut into = b"before ".to_vec();
        escape.write(text, &mut into);
        String::from_utf8(into).unwrap().split_off("before ".len())
    }

    proptest! {
        #[test]
        fn escaped_text_reads_back_as_the_original(text: String) {
            let json = format!("\"{}\"", written(Escape::Json, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.as_str());
            let percent = written(Escape::Percent, &text);
            let decoded = percent_encoding::percent_decode_str(&percent).decode_utf8().unwrap();
            prop_assert_eq!(decoded, text.as_str());
            for (escape, written) in [(Escape::Json, json.len() - 2), (Escape::Percent, percent.len())] {
                prop_assert!(written <= text.len() * escape.growth());
            }
        }
    }

    #[test]
    fn unreserved_characters_stay() {
        let unreserved = "loadgen-3f9c01ab_.~AZ";
        assert_eq!(written(Escape::Percent, unreserved), unreserved);
        let percent = written(Escape::Percent, "a/b?c&d=é");
        assert_eq!(percent, "a%2Fb%3Fc%26d%3D%C3%A9");
        assert_eq!(written(Escape::Json, "a\"b\\\n"), "a\\\"b\\\\\\n");
        assert_eq!(written(Escape::None, "a\"b"), "a\"b");
    }
}
