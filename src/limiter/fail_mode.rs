//! What a node answers while its store gives no decision.

use std::str::FromStr;
use thiserror::Error;

/// Either answer is wrong for somebody: which harm is the smaller one, only the operator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailMode {
    /// An error: nothing passes that was not counted.
    #[default]
    Closed,
    /// Allowed, and marked: a failed store blocks nobody.
    Open,
}

/// A name that no mode has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be closed or open")]
pub struct UnknownFailMode;

impl FromStr for FailMode {
    type Err = UnknownFailMode;

    fn from_str(name: &str) -> Result<Self, UnknownFailMode> {
        match name {
            "closed" => Ok(Self::Closed),
            "open" => Ok(Self::Open),
            _ => Err(UnknownFailMode),
        }
    }
}
