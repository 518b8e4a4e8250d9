use super::reader::{Reader, SyntaxError, is_bare, quote};
use std::fmt;
use ureq::http::{HeaderMap, HeaderName};

/// `header NAME`, or `header NAME = VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderCondition {
    pub name: HeaderName,
    /// `None` where any will do.
    pub value: Option<String>,
}

impl HeaderCondition {
    /// Reads on after the word `header`.
    pub fn read(reader: &mut Reader<'_>) -> Result<HeaderCondition, SyntaxError> {
        reader.skip_blanks();
        let place = reader.place();
        let word = reader.word();
        let name = HeaderName::from_bytes(word.as_bytes()).map_err(|_| {
            let what = match word {
                "" => "a header's name is missing".to_owned(),
                _ => format!("{word} is no header's name"),
            };
            reader.error_at(place, what)
        })?;
        let value = reader.take('=').then(|| {
            if let Some(quoted) = reader.quoted()? {
                return Ok(quoted);
            }
            match reader.bare_value()? {
                "" => Err(reader.error_at(reader.place(), "a value is missing")),
                bare => Ok(bare.to_owned()),
            }
        });
        Ok(HeaderCondition {
            name,
            value: value.transpose()?,
        })
    }

    /// Of a header that occurs several times, one with the value is enough.
    pub fn holds(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(&self.name).iter();
        match &self.value {
            None => values.next().is_some(),
            Some(value) => values.any(|v| v.as_bytes().trim_ascii() == value.as_bytes()),
        }
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
    use ureq::http::HeaderValue;

    #[test]
    fn one_of_several_headers_of_a_name_is_enough_and_blanks_around_it_do_not_count() {
        let mut headers = HeaderMap::new();
        for value in ["one", " two\t", "", "three, four"] {
            headers.append("x-a", HeaderValue::from_str(value).unwrap());
        }
        let holds = |name: &'static str, value: Option<&str>| {
            let name = HeaderName::from_static(name);
            let value = value.map(str::to_owned);
            HeaderCondition { name, value }.holds(&headers)
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
