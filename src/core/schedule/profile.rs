use super::{Count, Rate};
use crate::base::{Mode, Nanos};
use std::f64::consts::TAU;
use std::fmt;

/// The cumulative count N(t) of a rate that changes over time: how many requests come due up to t,
/// by the rate's integral, with N never decreasing and N(0) = 0 but for what comes at once.
///
/// A request of number c (any number, not only a whole one) is due when N has passed c: at the end
/// of {t : N(t) ≤ c}, which is the instant at which N reaches c or, where it then stays there for a
/// while, the instant at which it leaves. Where N jumps over c, that is the instant of the jump.
pub trait Curve: fmt::Debug + Send + Sync {
    /// N(t), with what comes at once at t.
    fn count_at(&self, t: Nanos) -> Count;

    /// The inverse: the first whole nanosecond at which a request of this number is due. `None`
    /// when that is never, or not within [`Nanos::MAX`].
    fn time_of(&self, number: Count) -> Option<Nanos>;

    /// The least number that is not due by t, so that `time_of(number) <= t` if and only if
    /// `number < passed(t)`: N(t) itself where the curve is level after t.
    fn passed(&self, t: Nanos) -> Count {
        self.count_at(t).and_a_bit()
    }
}

/// A request rate that may change over time, from a run's start on.
///
/// A new profile is a sibling file with these functions in closed form; pacing, totals and
/// announcements need nothing else. It displays as a person would say it: `10/s`.
pub trait Profile: Curve + fmt::Display {
    /// The instant after which nothing comes due; `None` if it never ends.
    fn end(&self) -> Option<Nanos> {
        None
    }

    /// After how much time it does the same again: from one round after the start on, at the latest,
    /// and then in every round. `None` where it does nothing twice.
    fn round(&self) -> Option<Nanos> {
        None
    }

    /// The phase that `t` falls into, of those that last; `None` from the end on.
    fn phase(&self, t: Nanos) -> Option<Phase>;

    /// All phases from the start on, in order, and those that last no time among them. May never end.
    fn phases(&self) -> Box<dyn Iterator<Item = Phase> + Send + '_>;
}

/// A stretch of a profile with one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub shape: Shape,
    pub start: Nanos,
    /// The first instant that is no longer part of it; `start` itself of what comes at once;
    /// `None` if it lasts for ever.
    pub end: Option<Nanos>,
    /// What the whole of it adds to N; `None` if it lasts for ever.
    pub count: Option<Count>,
}

impl Phase {
    pub fn mode(&self) -> Mode {
        self.shape.mode()
    }

    /// How long it lasts; `None` if for ever.
    pub fn length(&self) -> Option<Nanos> {
        self.end.map(|end| end - self.start)
    }

    /// The rate at an instant of this phase, in requests per second; 0 where requests come at once.
    pub fn rate_at(&self, t: Nanos) -> f64 {
        let since = t.saturating_sub(self.start).as_secs_f64();
        match self.shape {
            Shape::Steady(rate) | Shape::Burst(rate) => rate.as_f64(),
            Shape::Ramp { from, to } => {
                let length = self.length().map_or(f64::INFINITY, Nanos::as_secs_f64);
                from.as_f64() + (to.as_f64() - from.as_f64()) * since / length
            }
            Shape::Sine {
                mean,
                amplitude,
                period,
            } => {
                let angle = TAU * (since / period.as_secs_f64()).fract();
                mean.as_f64() + amplitude.as_f64() * angle.sin()
            }
            Shape::Pause | Shape::AtOnce(_) => 0.0,
        }
    }
}

/// What a phase does. Displays as that: `50/s to 500/s`; nothing of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Steady(Rate),
    Burst(Rate),
    Ramp {
        from: Rate,
        to: Rate,
    },
    Sine {
        mean: Rate,
        amplitude: Rate,
        period: Nanos,
    },
    Pause,
    AtOnce(u64),
}

impl Shape {
    pub fn mode(self) -> Mode {
        match self {
            Shape::Steady(_) => Mode::Steady,
            Shape::Burst(_) | Shape::AtOnce(_) => Mode::Burst,
            Shape::Ramp { .. } => Mode::Ramp,
            Shape::Sine { .. } => Mode::Sine,
            Shape::Pause => Mode::Pause,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Steady(rate) | Shape::Burst(rate) => write!(f, "{rate}/s"),
            Shape::Ramp { from, to } => write!(f, "{from}/s to {to}/s"),
            Shape::Sine {
                mean,
                amplitude,
                period,
            } => write!(f, "{mean}/s ± {amplitude}/s every {period:#}"),
            Shape::Pause => Ok(()),
            Shape::AtOnce(requests) => write!(f, "{requests} at once"),
        }
    }
}
