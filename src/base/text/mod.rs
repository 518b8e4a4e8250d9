//! Text: how small grammars and values are read, and how numbers and spans of time are written for people.

mod cursor;
mod number;
mod printable;
mod value;

pub use cursor::{Cursor, Decimal, Lexeme, SyntaxError};
pub use number::{
    bytes, count, per_second, rate, rounded, seconds, share, span, span_or_dash, three_digits,
};
pub use printable::printable;
pub use value::{MAX_DURATION, some_time, time, whole, whole_millis};
