//! Secrets, before anybody reads them in a report or a message.
//!
//! - A run's user gives the values that requests carry, and any of them may be a secret. [`in_header`], [`in_path`] and
//!   [`in_body`] find all of them but those with harmless names.
//! - A server gives the answers, which are kept because their texts explain failures. [`Masks`] hides what looks like a
//!   secret in them, and what the run itself sent as one.
//!
//! A mask says how long the value is, so that a missing or truncated one is still noticed.

mod answer;
mod names;
mod parts;
mod sent;
mod shapes;

pub use answer::{Masks, is_mask};
pub use parts::{FILLED, Hidden, in_body, in_header, in_path};

use crate::base::text::count;

/// The replacement for a secret of this many bytes.
pub fn mask(length: usize) -> String {
    format!("***({})", count(length as u64, "byte", "bytes"))
}
