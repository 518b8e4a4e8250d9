//! What a search for the capacity prints.

mod heading;
mod result;
mod rows;

pub use heading::{Extent, heading};
pub(super) use result::{by_rate, judgement};
pub use result::{result, verdict};
pub(super) use rows::look;
pub use rows::{Left, columns, row};
