//! The value of an option that rules between options refer to.

use clap::builder::TypedValueParser;
use clap::{Arg, Command, Id};
use std::ffi::OsStr;
use std::ops::Deref;

/// A value that remembers its option, so that a rule on several options can refuse it by name. It dereferences to the
/// value.
#[derive(Debug, Clone)]
pub struct Opt<T> {
    value: T,
    pub(super) id: Id,
    /// The text that was given, or the default.
    pub(super) text: String,
}

impl<T> Opt<T> {
    /// The value of the option with this identifier, in place of one that was given.
    pub(super) fn in_place(id: Id, value: T, text: String) -> Opt<T> {
        Opt { value, id, text }
    }
}

impl<T> Deref for Opt<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Lets a value parser keep the option with the value.
pub(super) fn opt<P: TypedValueParser>(parser: P) -> OptParser<P> {
    OptParser(parser)
}

/// See [`opt`].
#[derive(Clone)]
pub(super) struct OptParser<P>(P);

impl<P: TypedValueParser> TypedValueParser for OptParser<P> {
    type Value = Opt<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        text: &OsStr,
    ) -> Result<Opt<P::Value>, clap::Error> {
        Ok(Opt {
            value: self.0.parse_ref(command, argument, text)?,
            id: argument.map_or_else(Id::default, |argument| argument.get_id().clone()),
            text: text.to_string_lossy().into_owned(),
        })
    }
}
