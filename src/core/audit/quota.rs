use crate::base::Nanos;
use std::fmt;

/// How much a limit admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many units per window, L; at least 1. A request counts one unit, unless it has another cost.
    pub limit: u64,
    /// W, longer than zero.
    pub window: Nanos,
    /// How many units a full bucket holds; at least 1.
    pub burst: u64,
}

impl Quota {
    /// So many requests per window, as many of them at once.
    pub const fn new(limit: u64, window: Nanos) -> Quota {
        Quota {
            limit,
            window,
            burst: limit,
        }
    }
}

/// Writes `100/60s`.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quota { limit, window, .. } = self;
        match window.0 {
            1_000_000_000 => write!(f, "{limit}/s"),
            _ => write!(f, "{limit}/{window}"),
        }
    }
}
