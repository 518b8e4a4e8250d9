//! What a search for the capacity prints.

mod heading;
mod result;
mod rows;

pub use heading::{Extent, heading};
pub use result::{result, verdict};
pub use rows::{Left, columns, row};
