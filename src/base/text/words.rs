//! Words as a shell reads them, with their places.
//!
//! The crate `shlex`, which quotes commands, also splits them, but says neither where a quote was left open nor whether a
//! word was quoted. The tests below hold this splitter to that crate.

use super::SyntaxError;
use std::ops::Range;

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without its quotes.
    pub text: String,
    /// Whether a part of it was quoted.
    pub is_quoted: bool,
    /// Its place in the whole text, with its quotes, in bytes.
    pub place: Range<usize>,
    /// The place of its first character that a shell would not take literally, in bytes.
    pub special: Option<usize>,
}

/// Splits a text into words, by the quoting rules of POSIX shells: single quotes, double quotes and backslashes. Nothing is
/// expanded, and `#` begins no comment.
///
/// # Errors
/// A quote is not closed, or there is nothing behind a backslash.
pub fn words(text: &str) -> Result<Vec<Word>, SyntaxError> {
    let mut reader = Reader { text, at: 0 };
    let mut words = Vec::new();
    while let Some(next) = reader.peek() {
        if is_blank(next) {
            reader.next();
        } else {
            words.extend(reader.word()?);
        }
    }
    Ok(words)
}

/// An error at a place of a text, in bytes.
pub fn error_at(text: &str, place: usize, message: impl Into<String>) -> SyntaxError {
    SyntaxError {
        column: text[..place].chars().count() + 1,
        message: message.into(),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads the word that begins here. `None` if there is only an escaped end of a line.
    fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let start = self.at;
        let mut word = Word {
            text: String::new(),
            is_quoted: false,
            place: start..start,
            special: None,
        };
        let mut is_empty = true;
        while let Some(next) = self.peek().filter(|next| !is_blank(*next)) {
            let place = self.at;
            self.next();
            match next {
                '\'' => self.single_quoted(place, &mut word)?,
                '"' => self.double_quoted(place, &mut word)?,
                '\\' => match self.next() {
                    Some('\n') => continue,
                    Some(escaped) => {
                        word.is_quoted = true;
                        word.text.push(escaped);
                    }
                    None => {
                        let missing =
                            "a backslash must be followed by the character that it quotes";
                        return Err(error_at(self.text, place, missing));
                    }
                },
                literal => {
                    let is_operator = "|&;<>()".contains(literal);
                    if is_operator || literal == '#' && place == start || self.expands(literal) {
                        word.special.get_or_insert(place);
                    }
                    word.text.push(literal);
                }
            }
            is_empty = false;
        }
        word.place.end = self.at;
        Ok((!is_empty).then_some(word))
    }

    fn single_quoted(&mut self, open: usize, word: &mut Word) -> Result<(), SyntaxError> {
        word.is_quoted = true;
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(literal) => word.text.push(literal),
                None => return Err(error_at(self.text, open, "the quote ' is not closed")),
            }
        }
    }

    fn double_quoted(&mut self, open: usize, word: &mut Word) -> Result<(), SyntaxError> {
        word.is_quoted = true;
        loop {
            let place = self.at;
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.peek() {
                    Some('\n') => _ = self.next(),
                    Some(escaped @ ('$' | '`' | '"' | '\\')) => {
                        self.next();
                        word.text.push(escaped);
                    }
                    _ => word.text.push('\\'),
                },
                Some(literal) => {
                    if self.expands(literal) {
                        word.special.get_or_insert(place);
                    }
                    word.text.push(literal);
                }
                None => return Err(error_at(self.text, open, "the quote \" is not closed")),
            }
        }
    }

    /// Whether a shell would expand what begins with this character, which was read just now: a variable or a command.
    fn expands(&self, literal: char) -> bool {
        let begins_a_name = |next: char| next.is_ascii_alphabetic() || "_{(".contains(next);
        literal == '`' || literal == '$' && self.peek().is_some_and(begins_a_name)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        let words = words(text).expect(text).into_iter();
        words.map(|word| word.text).collect()
    }

    #[test]
    fn quotes_keep_blanks_and_a_backslash_keeps_a_quote() {
        let expected = ["a b", "it's", "", "c\\d", "e\"f", "ü"];
        assert_eq!(texts(r#" 'a b' it\'s "" "c\d"  e\"f	ü"#), expected);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn an_open_quote_is_refused_at_its_column() {
        for (text, column) in [("ü 'x", 3), ("a\"b' c", 2), ("x 'y' \"\\\"", 7), ("a\\", 2)] {
            assert_eq!(words(text).expect_err(text).column, column, "{text}");
        }
    }

    #[test]
    fn the_syntax_of_shells_is_found_unless_it_is_quoted() {
        for (text, special) in [
            ("a|b", Some(1)),
            ("2>&1", Some(1)),
            ("x$HOME", Some(1)),
            ("\"$(id)\"", Some(1)),
            ("a`", Some(1)),
            ("#x", Some(0)),
            ("x;", Some(1)),
            ("x#y", None),
            ("$", None),
            ("$1", None),
            ("'$x|;'", None),
            ("\"|;\\$x\"", None),
            ("\\|\\;", None),
            ("a?b=c*[1]~", None),
        ] {
            let words = words(text).unwrap();
            assert_eq!(words[0].special, special, "{text}");
        }
    }

    #[test]
    fn a_word_has_its_place() {
        let words = words(" ü 'a b'c ").unwrap();
        let places: Vec<_> = words.iter().map(|word| word.place.clone()).collect();
        assert_eq!(places, [1..3, 4..10]);
        assert!(!words[0].is_quoted && words[1].is_quoted);
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_crate_that_quotes_them(text in "[ab'\"\\\\ \\n\\t$ü=]{0,12}") {
            // The crate makes an empty word of an escaped end of a line that stands alone. A shell makes none.
            prop_assume!(!text.contains("\\\n"));
            let own: Option<Vec<_>> = words(&text)
                .ok()
                .map(|words| words.into_iter().map(|word| word.text).collect());
            prop_assert_eq!(own, shlex::split(&text));
        }

        #[test]
        fn quoted_words_are_read_as_they_were(all in prop::collection::vec("[^\0]{0,8}", 0..5)) {
            let quoted = shlex::try_join(all.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(texts(&quoted), all);
        }
    }
}
