use crate::base::Nanos;

/// What an experiment may send at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many requests in all; at least 1.
    pub requests: u64,
    /// How long after its start the last one may be sent. Longer than zero.
    pub time: Nanos,
    /// How many requests in any second; at least 1.
    pub per_second: u64,
}

impl Bounds {
    pub const DEFAULT: Bounds = Bounds {
        requests: 20_000,
        time: Nanos(300_000_000_000),
        per_second: 200,
    };

    /// The least time between two requests.
    pub(super) fn gap(&self) -> Nanos {
        Nanos(1_000_000_000_u64.div_ceil(self.per_second))
    }
}
