//! Text: how small grammars and values are read, and how numbers and spans of time are written for people.

mod cursor;
mod number;
mod printable;
mod quantity;
mod shortened;
mod value;
mod words;

pub use cursor::{Cursor, Decimal, Lexeme, SyntaxError};
pub use number::{
    bytes, count, per_second, rate, rounded, rounded_near_one, rounded_rate,
    rounded_to_three_digits, seconds, share, span, span_or_dash, sufficient, three_digits,
    whole_seconds,
};
pub use printable::{character, printable};
pub use quantity::{NotATime, UNITS_OF_TIME, time_with_units, unit_of_rate, unit_of_time};
pub use shortened::shortened;
pub use value::{MAX_DURATION, POINT, some_time, time, whole, whole_millis};
pub use words::{Word, error_at, words};
