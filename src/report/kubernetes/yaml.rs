//! A tree whose maps keep their order, and its text in YAML.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_saphyr::{SerializerOptions, ser_options};

/// A value of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    Number(u64),
    Boolean(bool),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Node {
        Node::Text(text.clone())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl From<u64> for Node {
    fn from(number: u64) -> Node {
        Node::Number(number)
    }
}

impl From<bool> for Node {
    fn from(boolean: bool) -> Node {
        Node::Boolean(boolean)
    }
}

impl From<Vec<Node>> for Node {
    fn from(list: Vec<Node>) -> Node {
        Node::List(list)
    }
}

/// A map in this order.
pub(super) fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Node::Map(entries.into())
}

/// A list of texts.
pub(super) fn texts<T: Into<Node>>(texts: impl IntoIterator<Item = T>) -> Node {
    Node::List(texts.into_iter().map(Into::into).collect())
}

impl Node {
    /// Adds an entry to the end of a map.
    pub fn with(mut self, key: &str, value: impl Into<Node>) -> Node {
        if let Node::Map(entries) = &mut self {
            entries.push((key.to_owned(), value.into()));
        }
        self
    }

    /// Adds an entry to the end of a map if there is a value.
    pub fn with_any(self, key: &str, value: Option<impl Into<Node>>) -> Node {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Text(text) => serializer.serialize_str(text),
            Node::Number(number) => serializer.serialize_u64(*number),
            Node::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Node::List(list) => serializer.collect_seq(list),
            Node::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A document in YAML, as parsers of YAML 1.1 and 1.2 read it alike.
pub(super) fn document(node: &Node) -> String {
    let options: SerializerOptions = ser_options! {
        // A long line is not folded, so that it can be searched for and copied.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(node, options).expect("a tree of texts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Texts that a parser of YAML may read as something else.
    fn nasty() -> impl Strategy<Value = String> {
        let words = [
            "",
            " ",
            "yes",
            "No",
            "on",
            "y",
            "null",
            "~",
            "true",
            "0",
            "007",
            "0o7",
            "1_000",
            "1:30",
            "1e3",
            ".5",
            "-",
            "- a",
            "?",
            "? a",
            "a: b",
            "a:",
            ": a",
            "# a",
            "a # b",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'",
            "\"",
            "{a}",
            "[a]",
            "{",
            "---",
            "...",
            "--- a",
            "<<",
            "=",
            "2026-01-31",
            "2026-01-31T12:00:00Z",
            "0x1F",
            "+1",
            ".inf",
            ".NaN",
            "a\nb",
            "a\n",
            "\na",
            "  a\nb",
            "a\n\n",
            "\t",
            "a\tb",
            "a\r\nb",
            "é",
            "\u{85}",
            "\u{a0}",
            "\u{2028}",
            "\u{feff}",
            "a\u{2029}b",
            "\u{0}",
            "\u{7f}",
            "\u{1f600}",
            "$(A)",
            "$$",
            "\\",
            "\\n",
            "a\\",
            "{{ .Values }}",
        ];
        let word = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
        prop::collection::vec(prop_oneof![4 => word, 1 => any::<String>()], 1..4)
            .prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(
            entries in prop::collection::btree_map(nasty(), prop::collection::vec(nasty(), 0..4), 0..4)
        ) {
            let map = entries.iter().map(|(key, list)| (key.clone(), texts(list)));
            let written = document(&Node::Map(map.collect()));
            let read: BTreeMap<String, Vec<String>> = serde_saphyr::from_str(&written).expect(&written);
            prop_assert_eq!(read, entries, "{}", written);
        }
    }

    #[test]
    fn maps_keep_their_order_and_texts_that_look_like_numbers_are_quoted() {
        let node = map([
            ("kind", "Job".into()),
            ("apiVersion", "batch/v1".into()),
            ("number", 8.into()),
            ("text", "8".into()),
            ("list", texts(["yes", "no: really"])),
            ("empty", Node::Map(Vec::new())),
        ]);
        let written = r#"kind: Job
apiVersion: batch/v1
number: 8
text: "8"
list:
- "yes"
- "no: really"
empty: {}
"#;
        assert_eq!(document(&node), written);
    }
}
