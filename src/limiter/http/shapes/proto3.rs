//! Values in protobuf's JSON mapping: `null` stands for the default, and an integer may be written as a string
//! (<https://protobuf.dev/programming-guides/json/>).

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// A message, which is an object. serde by itself would also accept a list of the fields' values.
pub(super) struct Message<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Message<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Object(PhantomData)).map(Self)
    }
}

/// An integer of up to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected an integer, as a number or a string")]
        enum Written {
            Number(i64),
            Text(String),
            Null(()),
        }
        let number = match Written::deserialize(deserializer)? {
            Written::Number(number) => number,
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom)?,
            Written::Null(()) => 0,
        };
        Ok(Self(number))
    }
}

/// A value that may be `null`.
pub(super) fn nullable<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_object() {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let read = |json| serde_json::from_str::<Message<Named>>(json);
        assert_eq!(read(r#"{"name":"n"}"#).expect("a message").0.name, "n");
        for json in [r#"["n"]"#, "null", "7"] {
            let error = read(json).err().expect(json).to_string();
            assert!(error.contains("expected an object"), "{error}");
        }
    }

    #[test]
    fn an_integer_is_a_number_a_string_or_null() {
        for (json, read) in [
            ("1", Some(1)),
            (r#""1""#, Some(1)),
            ("-9223372036854775808", Some(i64::MIN)),
            (r#""9223372036854775807""#, Some(i64::MAX)),
            ("null", Some(0)),
            ("9223372036854775808", None),
            ("1.5", None),
            (r#""""#, None),
            (r#""one""#, None),
            ("true", None),
            ("[1]", None),
        ] {
            let integer: Result<Integer, _> = serde_json::from_str(json);
            assert_eq!(integer.ok().map(|integer| integer.0), read, "{json}");
        }
    }
}
