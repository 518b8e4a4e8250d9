use super::condition::{Condition, Needs};
use super::response::{Response, Unreadable};
use super::words::{Value, is_bare, peek_word, quote, take_value};
use crate::base::text::{Cursor, SyntaxError};
use std::fmt;
use std::sync::Arc;
use ureq::http::HeaderName;

/// `header NAME`, or `header NAME = VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderCondition {
    pub name: HeaderName,
    /// `None` if any value fits.
    pub value: Option<String>,
}

/// Reads on after the word `header`.
pub(super) fn read(cursor: &mut Cursor) -> Result<Arc<dyn Condition>, SyntaxError> {
    let word = cursor.take(peek_word(cursor));
    if word.is_empty() {
        return Err(word.error("a header's name is missing"));
    }
    let name = HeaderName::from_bytes(word.text.as_bytes())
        .map_err(|_| word.error(format!("{} is not a header name", word.text)))?;
    let value = take_value(cursor)?.map(|value| match value {
        Value::Quoted(text) => text,
        Value::Bare(bare) => bare.text.to_owned(),
    });
    Ok(Arc::new(HeaderCondition { name, value }))
}

impl Condition for HeaderCondition {
    fn needs(&self) -> Needs {
        Needs::Headers
    }

    /// If a header occurs several times, one of them must have the value.
    fn holds(&self, response: &Response) -> Result<bool, Unreadable> {
        let mut values = response.headers.get_all(&self.name).iter();
        Ok(match &self.value {
            None => values.next().is_some(),
            Some(value) => values.any(|v| v.as_bytes().trim_ascii() == value.as_bytes()),
        })
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header {}", self.name)?;
        match self.value.as_deref() {
            None => Ok(()),
            Some(value) if is_bare(value) => write!(f, " = {value}"),
            Some(value) => write!(f, " = {}", quote(value)),
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
            let value = value.map(str::to_owned);
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
}
