use super::{Count, Nanos, Rate};
use std::fmt;

/// A request rate that may change over time, by its cumulative count N(t): the number of requests
/// due in `[0, t)`, with N(0) = 0, never decreasing.
///
/// A new profile is a sibling file with these functions in closed form; pacing, totals and
/// announcements need nothing else. It displays as a person would say it: `10/s`.
pub trait Profile: fmt::Debug + fmt::Display + Send + Sync {
    /// N(t).
    fn count_at(&self, t: Nanos) -> Count;

    /// The inverse: the first whole nanosecond t with N(t) ≥ `count`. `None` when the profile
    /// does not get there within [`Nanos::MAX`].
    fn time_of(&self, count: Count) -> Option<Nanos>;

    /// The phase that `t` falls into. The phase after one that ends is `phase(end)`.
    fn phase(&self, t: Nanos) -> Phase;
}

/// A stretch of a profile with one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub mode: Mode,
    pub rate: Rate,
    pub start: Nanos,
    /// The first instant that is no longer part of it; `None` if it lasts for ever.
    pub end: Option<Nanos>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Steady,
    Burst,
}

impl Mode {
    pub const ALL: [Mode; 2] = [Mode::Steady, Mode::Burst];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Steady => "steady",
            Mode::Burst => "burst",
        }
    }
}
