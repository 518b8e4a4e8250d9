//! JSON pointers ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)), and following one through a
//! document without making anything of the rest of it.

use super::number::Number;
use super::reader::{Reader, SyntaxError, is_word, quote};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::str::FromStr;

/// How deep a pointer may go. Following one takes that many calls within each other, on the small
/// stack of a worker.
const MAX_DEPTH: usize = 32;

/// The way from a document's root to one of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// Of an object.
    name: String,
    /// Of an array, if it can be one's.
    index: Option<usize>,
}

impl Pointer {
    /// Reads on after the word `json`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Pointer, SyntaxError> {
        reader.skip_blanks();
        let place = reader.place();
        let parsed = match reader.quoted()? {
            Some(quoted) => quoted.parse(),
            None => match reader.word() {
                "" => Err("a JSON pointer is missing, such as /status".to_owned()),
                word => word.parse(),
            },
        };
        parsed.map_err(|what| reader.error_at(place, what))
    }

    /// Whether the value that this points to, if there is one, is as wanted. Of names that occur
    /// twice in an object the last counts. An error means that the text is not JSON.
    pub fn leads_to(
        &self,
        wanted: impl Fn(Found<'_>) -> bool,
        json: &str,
    ) -> Result<bool, serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(json);
        let way = Way {
            steps: &self.0,
            wanted: &wanted,
        };
        let found = way.deserialize(&mut json)?;
        json.end()?;
        Ok(found)
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Pointer, String> {
        let mut names = text.split('/');
        if names.next() != Some("") {
            return Err(format!("the JSON pointer {text} must begin with /"));
        }
        let steps: Option<Vec<_>> = names.map(Step::parse).collect();
        let steps = steps.ok_or("in a JSON pointer ~ must be followed by 0 or 1")?;
        match steps.len() > MAX_DEPTH {
            true => Err(format!("a JSON pointer may be at most {MAX_DEPTH} deep")),
            false => Ok(Pointer(steps)),
        }
    }
}

impl Step {
    fn parse(text: &str) -> Option<Step> {
        let escapes = text.split('~').skip(1);
        if !escapes
            .into_iter()
            .all(|after| after.starts_with(['0', '1']))
        {
            return None;
        }
        // In this order, so that ~01 is ~1.
        let name = text.replace("~1", "/").replace("~0", "~");
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        let index = digits && (name == "0" || !name.starts_with('0'));
        Some(Step {
            index: name.parse().ok().filter(|_| index),
            name,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |step: &Step| step.name.replace('~', "~0").replace('/', "~1");
        let steps = self.0.iter().map(|step| format!("/{}", escaped(step)));
        let text: String = steps.collect();
        match is_word(&text) {
            true => f.write_str(&text),
            false => f.write_str(&quote(&text)),
        }
    }
}

/// A value, as far as one is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'a> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(&'a str),
    /// An array or an object.
    Container,
}

/// What is left of the way to the value. It reads a value to its end, and says whether that, or
/// the one within it that the way leads to, is as wanted.
struct Way<'a, W> {
    steps: &'a [Step],
    wanted: &'a W,
}

impl<W: Fn(Found<'_>) -> bool> Way<'_, W> {
    fn ends_at(&self, found: Found<'_>) -> bool {
        self.steps.is_empty() && (self.wanted)(found)
    }
}

impl<'de, W: Fn(Found<'_>) -> bool> DeserializeSeed<'de> for Way<'_, W> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, W: Fn(Found<'_>) -> bool> Visitor<'de> for Way<'_, W> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(self.ends_at(Found::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.ends_at(Found::Boolean(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.ends_at(Found::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.ends_at(Found::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.ends_at(Found::Number(value.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(self.ends_at(Found::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut found = self.ends_at(Found::Container);
        if let [step, steps @ ..] = self.steps
            && let Some(index) = step.index
        {
            for _ in 0..index {
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(false);
                }
            }
            let way = Way { steps, ..self };
            found = seq.next_element_seed(way)?.unwrap_or(false);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = self.ends_at(Found::Container);
        if let [step, steps @ ..] = self.steps {
            while let Some(named) = map.next_key_seed(Named(&step.name))? {
                if named {
                    let way = Way { steps, ..self };
                    found = map.next_value_seed(way)?;
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        } else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        Ok(found)
    }
}

/// Whether an object's key is this one.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::answers::rules::arbitrary;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn leads_to(pointer: &str, wanted: Found<'_>, json: &str) -> bool {
        let pointer: Pointer = pointer.parse().unwrap();
        pointer.leads_to(|found| found == wanted, json).unwrap()
    }

    #[test]
    fn the_standard_s_own_examples_are_found() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
            " ": 7, "m~n": 8,
        });
        let document = document.to_string();
        for (pointer, wanted) in [
            ("", Found::Container),
            ("/foo", Found::Container),
            ("/foo/0", Found::Text("bar")),
            ("/", Found::Number(0_u64.into())),
            ("/a~1b", Found::Number(1_u64.into())),
            ("/c%d", Found::Number(2_u64.into())),
            ("/e^f", Found::Number(3_u64.into())),
            ("/g|h", Found::Number(4_u64.into())),
            ("/i\\j", Found::Number(5_u64.into())),
            ("/k\"l", Found::Number(6_u64.into())),
            ("/ ", Found::Number(7_u64.into())),
            ("/m~0n", Found::Number(8_u64.into())),
        ] {
            assert!(leads_to(pointer, wanted, &document), "{pointer}");
        }
    }

    #[test]
    fn what_is_not_json_to_its_end_is_an_error() {
        let pointer: Pointer = "/a".parse().unwrap();
        for broken in [
            "",
            " ",
            "{",
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} x"#,
            r#"{"a":1e400}"#,
            r#"{"a":1,"b":[}"#,
            r#"{"a":1,"b":"\x"}"#,
            r#"{'a':1}"#,
            "\u{feff}{}",
            "NaN",
        ] {
            let found = pointer.leads_to(|_| true, broken);
            assert!(found.is_err(), "{broken}");
        }
    }

    #[test]
    fn hostile_nesting_costs_no_stack() {
        let open = "[".repeat(30_000);
        let shut = "]".repeat(30_000);
        let found = std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || {
                let pointer: Pointer = "/0".repeat(MAX_DEPTH).parse().unwrap();
                [format!("{open}{shut}"), open, shut].map(|document| {
                    pointer
                        .leads_to(|found| found == Found::Container, &document)
                        .ok()
                })
            });
        assert_eq!(found.unwrap().join().unwrap(), [Some(true), None, None]);
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            arbitrary::text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let name = prop_oneof!["[ab]", "[0-2]", arbitrary::text()];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(name, inner, 0..4)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn as_found(value: &Value) -> Found<'_> {
        match value {
            Value::Null => Found::Null,
            Value::Bool(value) => Found::Boolean(*value),
            Value::Number(number) => Found::Number(number.into()),
            Value::String(text) => Found::Text(text),
            Value::Array(_) | Value::Object(_) => Found::Container,
        }
    }

    proptest! {
        #[test]
        fn it_leads_where_serde_json_s_own_does(
            document in document(),
            pointer in arbitrary::pointer(),
            pretty: bool,
        ) {
            let there = document.pointer(&pointer).map(as_found);
            let text = if pretty { format!("{document:#}") } else { document.to_string() };
            let pointer: Pointer = pointer.parse().unwrap();
            let found = pointer.leads_to(|found| Some(found) == there, &text).unwrap();
            prop_assert_eq!(found, there.is_some());
            if there.is_none() {
                prop_assert!(!pointer.leads_to(|_| true, &text).unwrap());
            }
        }

        #[test]
        fn of_equal_names_the_last_counts(values in proptest::collection::vec(0_u64..3, 1..5)) {
            let members: Vec<_> = values.iter().map(|value| format!(r#""a":{{"b":{value}}}"#)).collect();
            let document = format!("{{{}}}", members.join(","));
            let last = Found::Number(values[values.len() - 1].into());
            prop_assert!(leads_to("/a/b", last, &document));
        }
    }
}
