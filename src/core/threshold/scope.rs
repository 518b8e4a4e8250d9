//! The part of a run that a threshold is about.

use crate::base::text::{Cursor, Lexeme, SyntaxError};

/// The requests that a threshold is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of the whole run.
    All,
    /// Those to one target, by its place in the plan, from 0.
    Target(usize),
    /// Those that were sent while the events with this title lasted.
    Event(String),
    /// Those of the phases with this name, or of the mode with this name.
    Phase(String),
}

pub(super) const TARGET: &str = "target";
pub(super) const EVENT: &str = "event";
pub(super) const PHASE: &str = "phase";

/// The words that begin a scope.
pub(super) const SCOPES: [&str; 3] = [TARGET, EVENT, PHASE];

impl Scope {
    /// Reads the rest of a scope that begins with `word`: `[2].` or `[redis goes].`
    pub(super) fn read(word: &str, cursor: &mut Cursor) -> Result<Scope, SyntaxError> {
        cursor.symbol("[", word)?;
        let scope = match word {
            TARGET => {
                let number = cursor.take(cursor.peek_word());
                let scope = Scope::Target(target(number)?);
                cursor.symbol("]", number.text)?;
                scope
            }
            word => {
                let name = read_name(word, cursor)?;
                cursor.symbol("]", &name)?;
                match word {
                    EVENT => Scope::Event(name),
                    _ => Scope::Phase(name),
                }
            }
        };
        cursor.symbol(".", word)?;
        Ok(scope)
    }
}

/// The place of the target with this number, from 1.
fn target(number: Lexeme) -> Result<usize, SyntaxError> {
    let place = number.text.parse::<usize>().ok();
    let place = place.and_then(|number| number.checked_sub(1));
    place.ok_or_else(|| {
        number.error("must be a target's number, from 1 in the order in which they are given")
    })
}

/// Reads a name up to the bracket that ends it. In quotes, it may have brackets.
fn read_name(of: &str, cursor: &mut Cursor) -> Result<String, SyntaxError> {
    if let Some(name) = cursor.quoted()? {
        return Ok(name);
    }
    let name = cursor.take(cursor.peek(|c| c != ']'));
    let text = name.text.trim_end();
    if text.is_empty() {
        return Err(name.error(format!("must be the name of the {of}")));
    }
    Ok(text.to_owned())
}
