//! The path of a line's request, of which a line may have several.

use crate::core::replay::{ContentParts, NotSendable};
use percent_encoding::{AsciiSet, percent_encode};
use std::borrow::Cow;

/// Whose path a variable has. The first of these that a line has is the path of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathOf {
    /// The client's own, with its query.
    Client,
    /// The server's, which may have rewritten it, with its query.
    Rewritten,
    /// The server's, percent-decoded and without a query: nginx's `$uri`, also after an internal redirect.
    Decoded,
    /// The same with the query behind the first question mark.
    DecodedWithQuery,
}

/// The path variables of a line, in any order.
#[derive(Default)]
pub(super) struct Paths<'a> {
    best: Option<(PathOf, Cow<'a, [u8]>)>,
    /// The query without its path.
    query: Option<Cow<'a, [u8]>>,
}

/// What has a meaning in a path, and stands for itself in one that was decoded.
const MEANINGFUL: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b'#').add(b'?');

impl<'a> Paths<'a> {
    pub fn add(&mut self, of: PathOf, path: Cow<'a, [u8]>) {
        if self.best.as_ref().is_none_or(|(best, _)| of < *best) {
            self.best = Some((of, path));
        }
    }

    pub fn add_query(&mut self, query: Cow<'a, [u8]>) {
        self.query = Some(query);
    }

    pub fn has_any(&self) -> bool {
        self.best.is_some()
    }

    /// Sets the path of the request.
    ///
    /// # Errors
    /// It can't be sent, or there is a query without a path.
    pub fn put_into(self, parts: &mut ContentParts) -> Result<(), NotSendable> {
        let encoded = |path: &[u8]| percent_encode(path, MEANINGFUL).to_string();
        match (self.best, self.query) {
            (Some((PathOf::DecodedWithQuery, text)), _) => {
                let mark = memchr::memchr(b'?', &text);
                let (path, query) = text.split_at(mark.unwrap_or(text.len()));
                parts.set_path(&[encoded(path).as_bytes(), query].concat())
            }
            (Some((PathOf::Decoded, path)), query) => {
                parts.set_path(encoded(&path).as_bytes())?;
                query.map_or(Ok(()), |query| parts.add_query(&query))
            }
            (Some((_, path)), _) => parts.set_path(&path),
            (None, Some(query)) => parts.add_query(&query),
            (None, None) => Ok(()),
        }
    }
}
