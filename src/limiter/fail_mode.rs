//! The answer of a node while its store fails.

use std::str::FromStr;
use thiserror::Error;

/// How a check is answered while the store fails. Either answer harms someone; only the operator knows which harm is
/// smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailMode {
    /// With an error: nothing passes uncounted.
    #[default]
    Closed,
    /// It is allowed, and marked: a failed store blocks nobody.
    Open,
}

impl FailMode {
    /// `closed` or `open`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

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
