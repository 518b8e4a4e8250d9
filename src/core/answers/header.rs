use super::condition::{Condition, Needs};
use super::response::{Response, Unreadable};
use super::words::{Comparison, Value, is_bare, quote, take_name, take_value};
use crate::base::text::{Cursor, SyntaxError};
use std::fmt;
use std::sync::Arc;
use ureq::http::HeaderName;

/// `header NAME`, `header NAME = VALUE` or `header NAME != VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderCondition {
    pub name: HeaderName,
    /// `None` if any value fits.
    pub value: Option<(Comparison, String)>,
}

/// Reads on after the word `header`.
pub(super) fn read(cursor: &mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError> {
    let word = take_name(cursor)?;
    if word.is_empty() {
        return Err(word.error("a header's name is missing"));
    }
    let name = HeaderName::from_bytes(word.text.as_bytes())
        .map_err(|_| word.error(format!("{} is not a header name", word.text)))?;
    let value = take_value(cursor)?.map(|(comparison, value)| match value {
        Value::Quoted(text) => (comparison, text),
        Value::Bare(bare) => (comparison, bare.text.to_owned()),
    });
    Ok(Arc::new(HeaderCondition { name, value }))
}

impl Condition for HeaderCondition {
    fn needs(&self) -> Needs {
        Needs::Headers
    }

    /// If a header occurs several times, one of them must have the value, or another one.
    fn holds(&self, response: &Response) -> Result<bool, Unreadable> {
        let mut values = response.headers.get_all(&self.name).iter();
        Ok(match &self.value {
            None => values.next().is_some(),
            Some((comparison, value)) => {
                values.any(|v| comparison.holds(v.as_bytes().trim_ascii() == value.as_bytes()))
            }
        })
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header {}", self.name)?;
        match &self.value {
            None => Ok(()),
            Some((comparison, value)) if is_bare(value) => {
                write!(f, " {} {value}", comparison.sign())
            }
            Some((comparison, value)) => write!(f, " {} {}", comparison.sign(), quote(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderMap, HeaderValue};

    #[test]
    fn one_of_several_values_is_enough_and_blanks_around_it_do_not_count() {
        let mut headers = HeaderMap::new();
        for value in ["one", " two\t", "", "three, four"] {
            headers.append("x-a", HeaderValue::from_str(value).unwrap());
        }
        let holds = |name: &'static str, value: Option<&str>| {
            let name = HeaderName::from_static(name);
            let value = value.map(|value| (Comparison::Equal, value.to_owned()));
            let response = Response::without_body(&headers);
            HeaderCondition { name, value }.holds(&response).unwrap()
        };
        for value in ["one", "two", "", "three, four"] {
            assert!(holds("x-a", Some(value)), "{value:?}");
        }
        for value in ["One", "on", "three", "four", " two"] {
            assert!(!holds("x-a", Some(value)), "{value:?}");
        }
        assert!(holds("x-a", None));
        assert!(!holds("x-b", None));
        assert!(!holds("x-b", Some("")));
    }

    #[test]
    fn another_value_needs_the_header_to_be_there() {
        let holds = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-a", HeaderValue::from_static(value));
            }
            let name = HeaderName::from_static("x-a");
            let value = Some((Comparison::Different, "false".to_owned()));
            let response = Response::without_body(&headers);
            HeaderCondition { name, value }.holds(&response).unwrap()
        };
        assert!(holds(&["true"]) && holds(&[""]) && holds(&["false", "true"]));
        assert!(!holds(&[]) && !holds(&["false"]) && !holds(&[" false\t"]));
    }
}
