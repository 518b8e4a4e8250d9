use std::fmt;

/// A number of JSON, by its value: equal to another however the two are written, so 2 is 2.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    /// Finite, and neither whole nor too large for the other.
    Other(f64),
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        Number::Whole(whole.into())
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Self {
        Number::Whole(whole.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        /// 2¹²⁶: exact, and well within an `i128`.
        const LARGE: f64 = (1_u128 << 126) as f64;
        match value.fract() == 0.0 && value.abs() <= LARGE {
            true => Number::Whole(value as i128),
            false => Number::Other(value),
        }
    }
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Self {
        match number.as_i128() {
            Some(whole) => Number::Whole(whole),
            None => number.as_f64().expect("an integer or a float").into(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(whole) => write!(f, "{whole}"),
            // As JSON has it: Rust itself writes all digits of 1e300.
            Number::Other(value) => serde_json::Value::from(*value).fmt(f),
        }
    }
}
