//! When each request is due: pure arithmetic, no clock.
//!
//! A [`Profile`] gives the cumulative request count N(t) of a rate that changes over time, and
//! its inverse. A [`Schedule`] asks it for the due time of each token by its number alone, so
//! nothing accumulates: token 10¹² is as exact as token 1.
//!
//! All of it is integer arithmetic. A [`Rate`] is a whole number of nano-requests per second and
//! an instant a whole number of nanoseconds, so their product, a [`Count`] in units of 5·10⁻¹⁹
//! requests, is exact. The one rounding is the last step: [`Schedule::due`] is the first whole
//! nanosecond at which N(t) has reached the token's number, hence 0 to just under 1 ns after the
//! real solution, for every rate, token and run length that the types can hold. (Of a sine, that is
//! the solution of a curve whose distance from the sine is stated in [`Sine`].)
//!
//! With uniform arrivals a token's number is a whole one, 0, 1, 2 and so on; [`Poisson`] arrivals
//! have random numbers in their place, and all else is the same.

mod alignment;
mod at_once;
mod bursts;
mod inverse;
mod pause;
mod poisson;
mod profile;
mod ramp;
mod sequence;
mod sine;
mod steady;
mod units;

pub use alignment::{Alignment, Misaligned};
pub use bursts::Bursts;
pub use poisson::Poisson;
pub use profile::{Curve, Phase, Profile, Shape};
pub use ramp::Ramp;
pub use sequence::{Piece, Sequence};
pub use sine::Sine;
pub use steady::Steady;
pub use units::{Count, Rate};

use crate::base::Nanos;

/// The due times of one run.
#[derive(Debug)]
pub struct Schedule {
    profile: Box<dyn Profile>,
    arrivals: Arrivals,
    /// Where it was cut off, if it was.
    cut: Option<Nanos>,
    end: Option<Nanos>,
    /// The least number that is not due any more.
    limit: Count,
}

/// The numbers at which the profile's count has a request come due.
#[derive(Debug)]
pub enum Arrivals {
    /// The whole numbers from 0 on.
    Uniform,
    Poisson(Box<Poisson>),
}

impl Schedule {
    /// Follows `profile` from the run's start up to but not including `cut`, evenly; without a
    /// `cut`, up to the profile's own end, and then with what comes at once there.
    pub fn new(profile: Box<dyn Profile>, cut: Option<Nanos>) -> Self {
        let before = |cut: Nanos| match cut.checked_sub(Nanos(1)) {
            Some(last) => profile.passed(last),
            None => Count::ZERO,
        };
        let whole = |end| profile.passed(end);
        let limits = [cut.map(before), profile.end().map(whole)];
        let ends = [cut, profile.end()];
        Schedule {
            limit: limits.into_iter().flatten().min().unwrap_or(Count::MAX),
            end: ends.into_iter().flatten().min(),
            cut,
            arrivals: Arrivals::Uniform,
            profile,
        }
    }

    pub fn with_arrivals(self, arrivals: Arrivals) -> Self {
        Schedule { arrivals, ..self }
    }

    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// When the token with this number (from 0) is due; `None` past the end of the schedule.
    pub fn due(&self, sequence: u64) -> Option<Nanos> {
        self.tokens().due(sequence)
    }

    /// How many tokens are due by this instant, it included.
    pub fn due_by(&self, at: Nanos) -> u64 {
        self.tokens().due_by(at)
    }

    /// The same answers, faster where they are asked for in order.
    pub fn tokens(&self) -> Tokens<'_> {
        let walk = match &self.arrivals {
            Arrivals::Uniform => None,
            Arrivals::Poisson(poisson) => Some(poisson.walk()),
        };
        Tokens {
            schedule: self,
            walk,
        }
    }

    /// How many tokens are due by this instant, it included, in the mean: N(t), which with Poisson
    /// arrivals is the expectation.
    pub fn mean_by(&self, at: Nanos) -> f64 {
        self.profile.count_at(at).min(self.limit).as_f64()
    }

    /// How many tokens the whole schedule has; `None` if it never ends.
    pub fn total(&self) -> Option<u64> {
        self.end.map(|end| self.due_by(end))
    }

    /// The instant after which nothing is due any more; `None` if there is none.
    pub fn end(&self) -> Option<Nanos> {
        self.end
    }

    /// After how much time its profile does the same again; `None` if it never does.
    pub fn round(&self) -> Option<Nanos> {
        self.profile.round()
    }

    pub fn profile(&self) -> &dyn Profile {
        &*self.profile
    }

    /// The phase that `at` falls into; `None` from the end on.
    pub fn phase(&self, at: Nanos) -> Option<Phase> {
        let ended = self.end.is_some_and(|end| end <= at);
        self.profile.phase(at).filter(|_| !ended)
    }

    /// All phases that begin within the schedule, in order. May never end.
    pub fn phases(&self) -> impl Iterator<Item = Phase> + Send {
        let within = |phase: &Phase| self.cut.is_none_or(|cut| phase.start < cut);
        self.profile.phases().take_while(within)
    }

    /// The same, each with the number of its tokens; without one for what never ends. Of what a
    /// phase has in the mean, fractions carry over to the next.
    pub fn phases_with_tokens(&self) -> impl Iterator<Item = (Phase, Option<u64>)> + Send {
        let mut tokens = self.tokens();
        let mut count = Some(Count::ZERO);
        let mut begun = 0;
        self.phases().map(move |phase| {
            count = count.zip(phase.count).map(|(before, more)| before + more);
            let ended = match (count, self.end) {
                (None, None) => return (phase, None),
                (None, Some(_)) => tokens.below(Count::MAX),
                (Some(count), _) => tokens.below(count),
            };
            (phase, Some(ended - std::mem::replace(&mut begun, ended)))
        })
    }

    /// The rate at an instant, in requests per second; 0 from the end on.
    pub fn rate_at(&self, at: Nanos) -> f64 {
        self.phase(at).map_or(0.0, |phase| phase.rate_at(at))
    }
}

/// A schedule's tokens, for one who asks for them more or less in order. All answers are those of the
/// [`Schedule`], in whatever order.
#[derive(Debug)]
pub struct Tokens<'a> {
    schedule: &'a Schedule,
    walk: Option<poisson::Walk<'a>>,
}

impl Tokens<'_> {
    /// [`Schedule::due`].
    pub fn due(&mut self, sequence: u64) -> Option<Nanos> {
        let number = match &mut self.walk {
            None => Count::requests(sequence),
            Some(walk) => walk.number_of(sequence)?,
        };
        match number < self.schedule.limit {
            true => self.schedule.profile.time_of(number),
            false => None,
        }
    }

    /// [`Schedule::due_by`].
    pub fn due_by(&mut self, at: Nanos) -> u64 {
        self.below(self.schedule.profile.passed(at))
    }

    /// How many tokens the schedule has before its count reaches this one.
    fn below(&mut self, count: Count) -> u64 {
        let count = count.min(self.schedule.limit);
        match &mut self.walk {
            None => count.tokens(),
            Some(walk) => walk.below(count),
        }
    }
}

#[cfg(test)]
mod tests;
