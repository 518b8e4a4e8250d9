use super::number::Number;
use super::pointer::{Found, Pointer};
use super::reader::{Reader, SyntaxError, is_bare, quote};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::fmt;

/// `json POINTER`, or `json POINTER = VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonCondition {
    pub pointer: Pointer,
    /// `None` where any will do, even null.
    pub value: Option<Scalar>,
}

/// A value that is neither an array nor an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
}

impl JsonCondition {
    /// Reads on after the word `json`.
    pub fn read(reader: &mut Reader<'_>) -> Result<JsonCondition, SyntaxError> {
        let pointer = Pointer::read(reader)?;
        let value = reader.take('=').then(|| Scalar::read(reader));
        Ok(JsonCondition {
            pointer,
            value: value.transpose()?,
        })
    }

    /// Of what is not JSON, nothing holds.
    pub fn holds(&self, text: &str) -> bool {
        let wanted = |found: Found<'_>| self.value.as_ref().is_none_or(|value| value.is(found));
        self.pointer.leads_to(wanted, text).unwrap_or(false)
    }
}

impl Scalar {
    fn read(reader: &mut Reader<'_>) -> Result<Scalar, SyntaxError> {
        if let Some(quoted) = reader.quoted()? {
            return Ok(Scalar::Text(quoted));
        }
        let place = reader.place();
        let bare = reader.bare_value()?;
        Scalar::parse(bare).map_err(|what| reader.error_at(place, what))
    }

    /// What is JSON is that; anything else is text.
    fn parse(bare: &str) -> Result<Scalar, String> {
        match serde_json::from_str(bare) {
            _ if bare.is_empty() => Err("a value is missing".to_owned()),
            Ok(Value::Null) => Ok(Scalar::Null),
            Ok(Value::Bool(value)) => Ok(Scalar::Boolean(value)),
            Ok(Value::Number(number)) => Ok(Scalar::Number((&number).into())),
            Ok(Value::String(text)) => Ok(Scalar::Text(text)),
            Ok(Value::Array(_) | Value::Object(_)) => Err(format!(
                "{bare} is an array or an object, which nothing is compared with"
            )),
            Err(_) => match serde_json::from_str::<IgnoredAny>(bare) {
                Ok(_) => Err(format!("{bare} is a number out of range")),
                Err(_) => Ok(Scalar::Text(bare.to_owned())),
            },
        }
    }

    fn is(&self, found: Found<'_>) -> bool {
        let this = match self {
            Scalar::Null => Found::Null,
            Scalar::Boolean(value) => Found::Boolean(*value),
            Scalar::Number(number) => Found::Number(*number),
            Scalar::Text(text) => Found::Text(text),
        };
        this == found
    }
}

impl fmt::Display for JsonCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "json {}", self.pointer)?;
        match &self.value {
            None => Ok(()),
            Some(value) => write!(f, " = {value}"),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Null => f.write_str("null"),
            Scalar::Boolean(value) => write!(f, "{value}"),
            Scalar::Number(number) => write!(f, "{number}"),
            Scalar::Text(text) => {
                let is_text = is_bare(text) && Scalar::parse(text).as_ref() == Ok(self);
                f.write_str(&if is_text { text.clone() } else { quote(text) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::answers::Rules;
    use crate::core::answers::rules::Condition;

    fn condition(typed: &str) -> JsonCondition {
        let rules: Rules = typed.parse().unwrap();
        match &rules.0[0].0[..] {
            [Condition::Json(json)] => json.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_is_compared_as_what_it_is() {
        for (typed, fits, does_not) in [
            (
                "json /a = 2",
                &["2", "2.0", "20e-1", "0.2E1"][..],
                &["\"2\"", "2.5", "-2", "true", "[2]"][..],
            ),
            ("json /a = 2.5", &["2.5", "25e-1"], &["2", "\"2.5\""]),
            (
                "json /a = 0",
                &["0", "-0", "0.0", "-0.0", "0e5"],
                &["\"0\"", "false", "null", "1e-300"],
            ),
            (
                "json /a = 9007199254740993",
                &["9007199254740993"],
                &["9007199254740992", "9007199254740993.0", "9007199254740994"],
            ),
            (
                "json /a = 0.1",
                &["0.1", "1e-1", "0.1000000000000000055"],
                &["0.10000000000000002"],
            ),
            (
                "json /a = -9223372036854775808",
                &["-9223372036854775808", "-9223372036854775808.0"],
                &["-9223372036854775807"],
            ),
            (
                "json /a = 1e30",
                &["1000000000000000000000000000000", "1e30"],
                &["1e31"],
            ),
            ("json /a = true", &["true"], &["\"true\"", "1", "false"]),
            (
                "json /a = null",
                &["null"],
                &["\"null\"", "0", "\"\"", "{}"],
            ),
            (
                "json /a = OVER",
                &["\"OVER\"", "\"\\u004fVER\""],
                &["\"over\"", "\"OVER \"", "1"],
            ),
            ("json /a = \"2\"", &["\"2\""], &["2"]),
            ("json /a = \"\"", &["\"\""], &["null", "0", "false"]),
            ("json /a", &["null", "0", "{}", "[]", "\"\""], &[]),
        ] {
            let condition = condition(typed);
            for value in fits {
                assert!(
                    condition.holds(&format!(r#"{{"a":{value}}}"#)),
                    "{typed}: {value}"
                );
            }
            for value in does_not {
                assert!(
                    !condition.holds(&format!(r#"{{"a":{value}}}"#)),
                    "{typed}: {value}"
                );
            }
            assert!(!condition.holds(r#"{"b":2}"#), "{typed}");
            assert!(!condition.holds(""), "{typed}");
        }
    }
}
