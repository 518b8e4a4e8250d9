use super::condition::{Condition, Needs};
use super::response::{Response, Unreadable};
use super::words::{Comparison, Value as Typed, is_bare, is_word, quote, take_name, take_value};
use crate::base::text::{Cursor, SyntaxError};
use serde::de::IgnoredAny;
use serde_json::{Number, Value};
use std::fmt;
use std::sync::Arc;

/// `json POINTER`, `json POINTER = VALUE` or `json POINTER != VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonCondition {
    /// A JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)).
    pub pointer: String,
    /// Neither an array nor an object. `None` if any value fits, even null.
    pub value: Option<(Comparison, Value)>,
}

/// Reads on after the word `json`.
pub(super) fn read(cursor: &mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError> {
    let start = cursor.rest();
    let pointer = match cursor.quoted()? {
        Some(quoted) => quoted,
        None => {
            let word = take_name(cursor)?;
            if word.is_empty() {
                return Err(word.error("a JSON pointer is missing, such as /status"));
            }
            word.text.to_owned()
        }
    };
    check_pointer(&pointer).map_err(|what| start.error(what))?;
    let value = match take_value(cursor)? {
        None => None,
        Some((comparison, Typed::Quoted(text))) => Some((comparison, Value::String(text))),
        Some((comparison, Typed::Bare(bare))) => {
            let value = scalar(bare.text).map_err(|what| bare.error(what))?;
            Some((comparison, value))
        }
    };
    Ok(Arc::new(JsonCondition { pointer, value }))
}

fn check_pointer(pointer: &str) -> Result<(), String> {
    let mut escapes = pointer.split('~').skip(1);
    if !pointer.is_empty() && !pointer.starts_with('/') {
        Err(format!("the JSON pointer {pointer} must begin with /"))
    } else if !escapes.all(|after| after.starts_with(['0', '1'])) {
        Err("in a JSON pointer ~ must be followed by 0 or 1".to_owned())
    } else {
        Ok(())
    }
}

/// Bare text that is JSON is that value. Any other text is a string.
fn scalar(bare: &str) -> Result<Value, String> {
    match serde_json::from_str(bare) {
        Ok(Value::Array(_) | Value::Object(_)) => Err(format!(
            "{bare} is an array or an object, and only other values can be compared"
        )),
        Ok(value) => Ok(value),
        Err(_) if serde_json::from_str::<IgnoredAny>(bare).is_ok() => {
            Err(format!("{bare} is a number out of range"))
        }
        Err(_) => Ok(Value::from(bare)),
    }
}

impl Condition for JsonCondition {
    fn needs(&self) -> Needs {
        Needs::Body
    }

    /// No condition holds for a body that is not JSON.
    fn holds(&self, response: &Response) -> Result<bool, Unreadable> {
        let found = response
            .json()?
            .and_then(|json| json.pointer(&self.pointer));
        Ok(match (found, &self.value) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(found), Some((comparison, wanted))) => comparison.holds(match (found, wanted) {
                (Value::Number(found), Value::Number(wanted)) => is_same(found, wanted),
                (found, wanted) => found == wanted,
            }),
        })
    }
}

/// Whether two numbers have the same value, even if they are written differently: 2 is 2.0.
fn is_same(one: &Number, other: &Number) -> bool {
    // As floats, two different integers could be equal.
    let as_integer = |number: &Number| {
        let float = || number.as_f64().map(|float| float as i128);
        number.as_i128().or_else(float)
    };
    one.as_f64() == other.as_f64() && as_integer(one) == as_integer(other)
}

impl fmt::Display for JsonCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.pointer {
            word if is_word(word) => write!(f, "json {word}")?,
            other => write!(f, "json {}", quote(other))?,
        }
        match &self.value {
            None => Ok(()),
            Some((comparison, Value::String(text)))
                if is_bare(text) && scalar(text) == Ok(text.clone().into()) =>
            {
                write!(f, " {} {text}", comparison.sign())
            }
            Some((comparison, value)) => write!(f, " {} {value}", comparison.sign()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::answers::response::parse_json as parse;
    use crate::core::answers::rules::arbitrary;
    use proptest::prelude::*;
    use ureq::http::HeaderMap;

    fn holds(typed: &str, body: &str) -> bool {
        let condition = read(&mut Cursor::new(typed.strip_prefix("json").unwrap()));
        let headers = HeaderMap::new();
        let response = Response::with_body(&headers, Some(body.as_bytes()));
        condition.unwrap().holds(&response).unwrap()
    }

    #[test]
    fn a_value_is_compared_as_what_it_is() {
        let table = r#"
            = 2 => 2|2.0|20e-1|0.2E1 => "2"|2.5|-2|true|[2]
            = 2.5 => 2.5|25e-1 => 2|"2.5"
            = 0 => 0|-0|0.0|-0.0|0e5 => "0"|false|null|1e-300
            = 9007199254740993 => 9007199254740993 => 9007199254740992|9007199254740993.0
            = 0.1 => 0.1|1e-1|0.1000000000000000055 => 0.10000000000000002
            = -9223372036854775808 => -9223372036854775808|-9223372036854775808.0 => -9223372036854775807
            = 1e30 => 1000000000000000000000000000000|1e30 => 1e31
            = true => true => "true"|1|false
            = null => null => "null"|0|""|{}
            = OVER => "OVER"|"\u004fVER" => "over"|"OVER "|1
            = "2" => "2" => 2
            = "" => "" => null|0|false
             => null|0|{}|[]|"" => "#;
        for line in table.trim_start().lines() {
            let columns: Vec<_> = line.trim_start().splitn(3, "=> ").collect();
            let [typed, fits, does_not] = columns[..] else {
                panic!("{line}")
            };
            let typed = &format!("json /a {typed}");
            for value in fits.trim().split('|') {
                let body = format!(r#"{{"a":{value}}}"#);
                assert!(holds(typed, &body), "{typed}: {value}");
            }
            for value in does_not.split('|') {
                let body = format!(r#"{{"a":{value}}}"#);
                assert!(!holds(typed, &body), "{typed}: {value}");
            }
            assert!(!holds(typed, r#"{"b":2}"#), "{typed}");
            assert!(!holds(typed, ""), "{typed}");
        }
    }

    #[test]
    fn a_body_that_is_not_json_to_its_end_is_none() {
        let broken = r#"| |{|{"a":1|{"a":1,}|{"a":1}}|{"a":1} x|{"a":1,"b":"\x"}|{'a':1}|NaN"#;
        for broken in broken.split('|') {
            assert_eq!(parse(broken.as_bytes()), Ok(None), "{broken}");
        }
        assert_eq!(parse(b"{\"\xff\":1}"), Ok(None));
        for unreadable in [r#"{"a":1e400}"#, r#"["\ud800"]"#] {
            assert_eq!(parse(unreadable.as_bytes()), Err(Unreadable));
        }
    }

    #[test]
    fn hostile_nesting_costs_no_stack() {
        let thread = std::thread::Builder::new().stack_size(192 * 1024);
        let parsed = thread.spawn(|| {
            [127, 128, 30_000].map(|depth| {
                let (open, shut) = ("[".repeat(depth), "]".repeat(depth));
                let unclosed = parse(open.as_bytes());
                assert_eq!(unclosed, Ok(None));
                parse((open + &shut).as_bytes()).is_ok()
            })
        });
        assert_eq!(parsed.unwrap().join().unwrap(), [true, false, false]);
    }

    proptest! {
        #[test]
        fn of_equal_names_the_last_counts(values in proptest::collection::vec(0_u64..3, 1..5)) {
            let members: Vec<_> = values.iter().map(|value| format!(r#""a":{{"b":{value}}}"#)).collect();
            let document = format!("{{{}}}", members.join(","));
            let last = format!("json /a/b = {}", values[values.len() - 1]);
            prop_assert!(holds(&last, &document));
        }

        #[test]
        fn equal_numbers_are_the_same_however_they_are_written(one: i64, other: i64, float: f64) {
            let same = |one: &str, other: &str| holds(&format!("json /a = {one}"), &format!(r#"{{"a":{other}}}"#));
            prop_assert_eq!(same(&one.to_string(), &other.to_string()), one == other);
            prop_assert!(same(&one.to_string(), &one.to_string()));
            let (scientific, plain) = (format!("{float:e}"), format!("{float:?}"));
            prop_assert!(same(&scientific, &plain));
        }

        #[test]
        fn any_pointer_is_read_back(pointer in arbitrary::pointer()) {
            let condition = JsonCondition { pointer, value: None };
            let typed = condition.to_string();
            let read = read(&mut Cursor::new(typed.strip_prefix("json").unwrap()));
            prop_assert_eq!(read.unwrap().to_string(), typed);
        }
    }
}
