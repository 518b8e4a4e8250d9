use super::bounds::Bounds;
use crate::base::Nanos;

/// A time in which a token bucket is never full, if it gives tokens for each request when that is sent: the generic cell
/// rate algorithm ([ITU-T I.371](https://www.itu.int/rec/T-REC-I.371)), whose theoretical arrival time is the instant at
/// which the bucket is full again.
///
/// Of all spans that end now, this is the one in which most was admitted beyond what the rate gives back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusyPeriod {
    pub since: Nanos,
    /// The number of requests admitted since then.
    pub given: u64,
}

impl BusyPeriod {
    /// The period after one more request is admitted at `at`.
    pub fn after_one_more(self, at: Nanos, bounds: &Bounds) -> BusyPeriod {
        let refilled = u128::from(at.saturating_sub(self.since).0) * refill(bounds);
        if u128::from(self.given) * request(bounds) <= refilled {
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

    /// Whether no bucket admits so many requests by `at`.
    pub fn is_overdrawn(self, at: Nanos, bounds: &Bounds) -> bool {
        let lasted = u128::from(at.saturating_sub(self.since).0) + u128::from(bounds.skew.0);
        u128::from(self.given) * request(bounds) > held(bounds) + lasted * refill(bounds)
    }
}

// Units are counted in parts so small that integers are exact: a unit is 2 × 10⁹·W parts, with the window W in nanoseconds.

/// The parts that a bucket gets back per nanosecond by the fastest clock, with the excess tolerance x: 2,001 × 10⁶·L·(1 +
/// x), which is 1.0005·L·(1 + x)/W units.
fn refill(bounds: &Bounds) -> u128 {
    2_001 * u128::from(bounds.rate) * u128::from(1_000_000 + bounds.excess_millionths)
}

fn held(bounds: &Bounds) -> u128 {
    let extended = u128::from(bounds.burst) * u128::from(1_000_000 + bounds.excess_millionths);
    2_000 * extended * u128::from(bounds.window.0)
}

/// The parts that one request takes.
fn request(bounds: &Bounds) -> u128 {
    2_000_000_000 * u128::from(bounds.window.0) * u128::from(bounds.cost)
}
