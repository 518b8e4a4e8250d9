//! Text for people: how numbers and spans of time are written.

mod number;

pub use number::{
    bytes, count, per_second, rate, rounded, share, span, span_or_dash, three_digits,
};
