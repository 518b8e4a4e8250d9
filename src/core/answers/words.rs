//! The words and values in rules, as typed and as displayed.

use crate::base::text::{Cursor, Lexeme, SyntaxError};

/// The word that joins conditions.
pub(super) const AND: &str = "and";

/// A value behind a sign.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A JSON string in quotes, without its quotes and escapes.
    Quoted(String),
    /// Text up to a comma or a separate word `and`.
    Bare(Lexeme<'a>),
}

/// How what an answer has is compared with the value of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Different,
}

impl Comparison {
    /// The sign that is typed.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Different => "!=",
        }
    }

    /// Whether it holds of two values that are the same, or of two that are not.
    pub fn holds(self, is_same: bool) -> bool {
        is_same == (self == Comparison::Equal)
    }
}

/// Reads the word that may stand before a comparison. It may end with `!`, but not right before `=`.
pub(super) fn take_name<'a>(cursor: &mut Cursor<'a>) -> Result<Lexeme<'a>, SyntaxError> {
    let rest = cursor.rest();
    let word = cursor.take(peek_word(cursor));
    let after = &rest.text[word.text.len()..];
    if word.text.ends_with('!') && after.starts_with('=') {
        return Err(word.error("a blank must be before !="));
    }
    Ok(word)
}

/// Reads the comparison of a condition with its value, if a sign for one is next.
///
/// A bare value may not begin with a second equals sign or a single quote, since these are likely mistakes.
pub(super) fn take_value<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<Option<(Comparison, Value<'a>)>, SyntaxError> {
    let signs = [Comparison::Different, Comparison::Equal];
    let comparison = signs.into_iter().find(|one| cursor.takes(one.sign()));
    comparison
        .map(|comparison| Ok((comparison, take_text(cursor)?)))
        .transpose()
}

/// Reads a value that must be next.
pub(super) fn take_text<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, SyntaxError> {
    let start = cursor.rest();
    if let Some(text) = cursor.quoted()? {
        return Ok(Value::Quoted(text));
    }
    let bare = take_bare(cursor);
    match bare.text.chars().next() {
        None => Err(start.error("a value is missing")),
        Some('=') => Err(start.error("one = is enough")),
        Some('\'') => Err(start.error("quotes must be double quotes, as in JSON")),
        Some(_) => cursor.refuse_comma_in_number().map(|()| Value::Bare(bare)),
    }
}

fn take_bare<'a>(cursor: &mut Cursor<'a>) -> Lexeme<'a> {
    let start = cursor.rest();
    loop {
        let word = cursor.peek(|c| c != ',' && !c.is_whitespace());
        if word.is_empty() || word.text == AND {
            return cursor.since(start);
        }
        cursor.take(word);
    }
}

/// The text up to a blank, a comma or an equals sign.
pub(super) fn peek_word<'a>(cursor: &Cursor<'a>) -> Lexeme<'a> {
    cursor.peek(|c| !c.is_whitespace() && !matches!(c, ',' | '='))
}

/// Whether [`take_value`] reads all of the text as one bare value.
pub(super) fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['"', '=', '\''])
        && !text.contains(char::is_control)
        && take_bare(&mut Cursor::new(text)).text == text
}

/// Whether [`peek_word`] reads all of the text.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(char::is_control)
        && peek_word(&Cursor::new(text)).text == text
}

/// The text as a JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
