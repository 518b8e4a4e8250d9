use super::bounds::Bounds;
use crate::base::Nanos;

/// A time in which a token bucket is never full, if it gives one token for each request when that is sent: the generic
/// cell rate algorithm ([ITU-T I.371](https://www.itu.int/rec/T-REC-I.371)), whose theoretical arrival time is the
/// instant at which the bucket is full again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusyPeriod {
    pub since: Nanos,
    /// The number of tokens given since then.
    pub given: u64,
}

impl BusyPeriod {
    /// The period after one more token is given at `at`.
    pub fn after_one_more(self, at: Nanos, bounds: &Bounds) -> BusyPeriod {
        let refilled = u128::from(at.saturating_sub(self.since).0) * refill(bounds);
        if u128::from(self.given) * token(bounds) <= refilled {
            BusyPeriod {
                since: at,
                given: 1,
            }
        } else {
            BusyPeriod {
                given: self.given + 1,
                ..self
            }
        }
    }

    /// Whether no bucket gives so many tokens by `at`.
    pub fn is_overdrawn(self, at: Nanos, bounds: &Bounds) -> bool {
        let lasted = u128::from(at.saturating_sub(self.since).0) + u128::from(bounds.resolution.0);
        let held = u128::from(bounds.limit) * token(bounds);
        u128::from(self.given) * token(bounds) > held + lasted * refill(bounds)
    }
}

// Tokens are counted in parts so small that integers are exact: a token is 2,000·W parts, with the window W in nanoseconds.

/// The parts that a bucket of limit L gets back per nanosecond by the fastest clock: 2,001·L, which is 1.0005·L/W tokens.
fn refill(bounds: &Bounds) -> u128 {
    2_001 * u128::from(bounds.limit)
}

fn token(bounds: &Bounds) -> u128 {
    2_000 * u128::from(bounds.window.0)
}
