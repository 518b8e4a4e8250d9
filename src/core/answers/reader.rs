//! Reading rules as they are typed, from left to right, and saying where they stop making sense.

/// What is wrong with rules, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct SyntaxError {
    /// In characters, from 1.
    pub column: usize,
    pub what: String,
}

/// Text, and how far it has been read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Reader { text, at: 0 }
    }

    /// In bytes: what [`error_at`](Self::error_at) takes.
    pub fn place(&self) -> usize {
        self.at
    }

    pub fn error_at(&self, place: usize, what: impl Into<String>) -> SyntaxError {
        SyntaxError {
            column: self.text[..place].chars().count() + 1,
            what: what.into(),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The next character, blanks aside; `None` at the end.
    pub fn next(&mut self) -> Option<char> {
        self.skip_blanks();
        self.rest().chars().next()
    }

    /// Reads the character, and blanks before it, if it is the next.
    pub fn take(&mut self, character: char) -> bool {
        let there = self.next() == Some(character);
        if there {
            self.at += character.len_utf8();
        }
        there
    }

    /// Up to a blank, a comma or an equals sign; empty where one of these, or the end, is next.
    pub fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '=');
        self.advance(self.rest().find(ends))
    }

    /// What stands behind an equals sign without quotes. A second equals sign, or another kind of quotes, would be taken
    /// for a part of it.
    pub fn bare_value(&mut self) -> Result<&'a str, SyntaxError> {
        match self.next() {
            Some('=') => Err(self.error_at(self.at, "one = is enough")),
            Some('\'') => Err(self.error_at(self.at, "quotes are double ones, as in JSON")),
            _ => Ok(self.bare()),
        }
    }

    /// Up to a comma or a separate word `and`, without the blanks around it.
    fn bare(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let text = &rest[..rest.find(',').unwrap_or(rest.len())];
        let mut end = 0;
        for word in text.split_inclusive(char::is_whitespace) {
            if word.trim_end() == AND {
                break;
            }
            end += word.len();
        }
        self.advance(Some(end)).trim_end()
    }

    /// A string in quotes, as in JSON, if a quote is next.
    pub fn quoted(&mut self) -> Result<Option<String>, SyntaxError> {
        if self.next() != Some('"') {
            return Ok(None);
        }
        let mut strings = serde_json::Deserializer::from_str(self.rest()).into_iter();
        match strings.next() {
            Some(Ok(string)) => {
                self.at += strings.byte_offset();
                Ok(Some(string))
            }
            _ => Err(self.error_at(
                self.at,
                "what begins with a quote must be a string as in JSON",
            )),
        }
    }

    /// Reads `length` bytes, or all there are.
    fn advance(&mut self, length: Option<usize>) -> &'a str {
        let read = &self.rest()[..length.unwrap_or(self.rest().len())];
        self.at += read.len();
        read
    }
}

/// What joins conditions.
pub(super) const AND: &str = "and";

/// Whether [`Reader::bare_value`] reads all of the text back.
pub(super) fn is_bare(text: &str) -> bool {
    let mut reader = Reader::new(text);
    !text.is_empty()
        && !text.starts_with('"')
        && !text.contains(char::is_control)
        && reader.bare_value() == Ok(text)
}

/// Whether [`Reader::word`] reads all of the text back.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control) && Reader::new(text).word() == text
}

/// The text so that [`Reader::quoted`] reads it back.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
