//! The cursor with which every small grammar is read, from left to right: rate profiles, rules for answers, thresholds,
//! sizes.

use std::ops::Range;

/// An error in a text, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct SyntaxError {
    /// The first wrong character, counted from 1. If something is missing at the end, one past the last character.
    pub column: usize,
    pub message: String,
}

/// A text and how far it has been read. A copy reads ahead.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    source: &'a str,
    /// In bytes.
    at: usize,
}

/// A part of a text, with its place. It does not begin with a blank. It is empty if the next character is not of the
/// kind that was looked for.
#[derive(Debug, Clone, Copy)]
pub struct Lexeme<'a> {
    pub text: &'a str,
    source: &'a str,
    /// In bytes.
    start: usize,
}

impl<'a> Lexeme<'a> {
    fn new(source: &'a str, range: Range<usize>) -> Lexeme<'a> {
        Lexeme {
            text: &source[range.clone()],
            source,
            start: range.start,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// An error at the first character of this lexeme.
    pub fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            column: self.source[..self.start].chars().count() + 1,
            message: message.into(),
        }
    }

    /// An error that ends with the likeliest of `names`, if one resembles this lexeme.
    pub fn error_with_hint(&self, message: &str, names: &[&str]) -> SyntaxError {
        match similar(self.text, names) {
            Some(meant) => self.error(format!("{message}; did you mean {meant}?")),
            None => self.error(message),
        }
    }
}

impl<'a> Cursor<'a> {
    pub fn new(source: &'a str) -> Cursor<'a> {
        Cursor { source, at: 0 }
    }

    /// The rest of the text, without the blanks before it.
    pub fn rest(&self) -> Lexeme<'a> {
        let rest = &self.source[self.at..];
        let blanks = rest.len() - rest.trim_start().len();
        Lexeme::new(self.source, self.at + blanks..self.source.len())
    }

    pub fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// The longest next lexeme of such characters.
    pub fn peek(&self, belongs: impl Fn(char) -> bool) -> Lexeme<'a> {
        let rest = self.rest();
        let length = rest.text.find(|c| !belongs(c)).unwrap_or(rest.text.len());
        Lexeme::new(self.source, rest.start..rest.start + length)
    }

    /// Letters, digits and underscores.
    pub fn peek_word(&self) -> Lexeme<'a> {
        self.peek(|c| c.is_alphanumeric() || c == '_')
    }

    /// Letters only.
    pub fn peek_letters(&self) -> Lexeme<'a> {
        self.peek(char::is_alphabetic)
    }

    /// All digits and points that are next. They may not form a [`Decimal`].
    pub fn peek_number(&self) -> Lexeme<'a> {
        self.peek(|c| c.is_ascii_digit() || c == '.')
    }

    /// Reads past a lexeme that was peeked at.
    pub fn take(&mut self, lexeme: Lexeme<'a>) -> Lexeme<'a> {
        self.at = lexeme.start + lexeme.text.len();
        lexeme
    }

    /// Reads a symbol if it is next.
    pub fn takes(&mut self, symbol: &str) -> bool {
        let rest = self.rest();
        let is_next = rest.text.starts_with(symbol);
        if is_next {
            self.at = rest.start + symbol.len();
        }
        is_next
    }

    /// Reads past this many bytes, which must end with a whole character.
    pub fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Reads a symbol that must be next.
    pub fn symbol(&mut self, symbol: &str, after: &str) -> Result<(), SyntaxError> {
        if self.takes(symbol) {
            return Ok(());
        }
        Err(self.rest().error(format!("must be {symbol} after {after}")))
    }

    /// Reads one of these words, which must be next.
    pub fn one_of<'n>(&mut self, names: &[&'n str]) -> Result<&'n str, SyntaxError> {
        let word = self.peek_word();
        if let Some(name) = names.iter().find(|name| **name == word.text) {
            self.take(word);
            return Ok(name);
        }
        Err(match names {
            [only] => word.error(format!("must be {only}")),
            names => {
                let form = format!("must be one of {}", names.join(", "));
                word.error_with_hint(&form, names)
            }
        })
    }

    /// Reads a unit if it is next, and returns what the table has for it.
    pub fn unit<T: Copy>(&mut self, table: &[(&str, T)]) -> Option<T> {
        let letters = self.peek_letters();
        let (_, value) = table.iter().find(|(name, _)| *name == letters.text)?;
        self.take(letters);
        Some(*value)
    }

    /// Refuses a comma that is next, if it stands between two digits: it may be part of a number.
    pub fn refuse_comma_in_number(&self) -> Result<(), SyntaxError> {
        let before = self.source[..self.at].chars().next_back();
        let mut after = self.source[self.at..].chars();
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if after.next() == Some(',') && is_digit(before) && is_digit(after.next()) {
            let why = "a comma between two digits may be part of a number; write a point before a fraction, and a blank \
                       after a comma that separates";
            return Err(self.rest().error(why));
        }
        Ok(())
    }

    /// Reads a string in double quotes, with the escapes of JSON, if a quote is next.
    pub fn quoted(&mut self) -> Result<Option<String>, SyntaxError> {
        let rest = self.rest();
        if !rest.text.starts_with('"') {
            return Ok(None);
        }
        let mut strings = serde_json::Deserializer::from_str(rest.text).into_iter();
        if let Some(Ok(string)) = strings.next() {
            self.at = rest.start + strings.byte_offset();
            return Ok(Some(string));
        }
        Err(rest.error("a text that begins with a quote must be a string as in JSON"))
    }

    /// The text from this lexeme's first character up to the cursor.
    pub fn since(&self, first: Lexeme<'a>) -> Lexeme<'a> {
        Lexeme::new(self.source, first.start..self.at.max(first.start))
    }
}

/// The one of `names` that `text` resembles most, if it resembles any.
fn similar<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    let text = text.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&text, name);
    let likely = names.iter().map(|name| (likeness(name), *name));
    let best = likely.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

/// A decimal number without a sign or an exponent, exactly: `digits` / 10^`places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    digits: u128,
    places: u32,
}

impl Decimal {
    /// More digits than any allowed number has, and few enough that no product with a unit overflows.
    const MAX_DIGITS: usize = 28;

    /// `5`, `0.5`, `.5` or `5.`; `None` for anything else, or more than 28 digits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits || digits.len() > Self::MAX_DIGITS {
            return None;
        }
        Some(Decimal {
            digits: digits.parse().ok()?,
            places: fraction.len() as u32,
        })
    }

    /// This number times `unit`; `None` unless that is a whole number.
    pub fn times(self, unit: u64) -> Option<u128> {
        let product = self.digits.checked_mul(unit.into())?;
        let scale = 10u128.pow(self.places);
        product.is_multiple_of(scale).then(|| product / scale)
    }

    /// This number times `unit`, divided by `by`, to the nearest whole number; `None` if it is more than that type
    /// holds.
    pub fn nearest(self, unit: u64, by: u64) -> Option<u64> {
        let product = self.digits.checked_mul(unit.into())?;
        let scale = 10u128.pow(self.places) * u128::from(by);
        u64::try_from(product.checked_add(scale / 2)? / scale).ok()
    }

    pub fn is_zero(self) -> bool {
        self.digits == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_passed_over_and_columns_count_characters() {
        let mut cursor = Cursor::new(" für\u{2003}5.5ms , x");
        let word = cursor.peek_word();
        assert_eq!((word.text, word.error("").column), ("für", 2));
        cursor.take(word);
        let number = cursor.peek_number();
        assert_eq!((number.text, number.error("").column), ("5.5", 6));
        cursor.take(number);
        assert_eq!(cursor.unit(&[("s", 1), ("ms", 2)]), Some(2));
        assert_eq!(cursor.since(word).text, "für\u{2003}5.5ms");
        assert!(!cursor.takes(";") && cursor.takes(","));
        assert_eq!(cursor.rest().error("").column, 14);
        cursor.take(cursor.rest());
        assert!(cursor.is_at_end());
        assert_eq!(cursor.peek_word().error("").column, 15);
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_likeliest_one() {
        let refused = |text| Cursor::new(text).one_of(&["latency", "tls"]).unwrap_err();
        let form = "column 1: must be one of latency, tls";
        assert_eq!(refused("x").to_string(), form);
        let hint = format!("{form}; did you mean latency?");
        assert_eq!(refused("Latncy").to_string(), hint);
    }

    #[test]
    fn a_quoted_text_is_a_json_string() {
        let mut cursor = Cursor::new(r#" "a\u00fc\"" b"#);
        assert_eq!(cursor.quoted(), Ok(Some("aü\"".to_owned())));
        assert_eq!(cursor.quoted(), Ok(None));
        assert_eq!(cursor.rest().text, "b");
        assert_eq!(Cursor::new(r#"  "a"#).quoted().unwrap_err().column, 3);
    }

    #[test]
    fn decimals_are_exact() {
        for (text, thousandths) in [("5", 5_000), ("0.5", 500), (".25", 250), ("7.", 7_000)] {
            let decimal = Decimal::parse(text).expect(text);
            assert_eq!(decimal.times(1_000), Some(thousandths), "{text}");
        }
        let fine = Decimal::parse("0.0005").unwrap();
        assert_eq!(fine.times(1_000), None);
        assert_eq!(fine.nearest(1_000, 1), Some(1));
        assert_eq!(fine.nearest(1_000, 2), Some(0));
        let longest = Decimal::parse(&"9".repeat(28)).unwrap();
        assert_eq!(longest.nearest(u64::MAX, 1), None);
        for bad in ["", ".", "1.2.3", "-1", "1e3", "٣", &"9".repeat(29)] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }
}
