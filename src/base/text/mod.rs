//! How numbers and spans of time are written for people.

mod amount;
mod span;

pub use amount::{bytes, count, share};
pub use span::span;
