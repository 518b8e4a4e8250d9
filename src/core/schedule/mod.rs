//! The instants at which requests are due: pure arithmetic, no clock.
//!
//! A [`Profile`] is a request rate over a whole run, made of [pieces](Piece). It gives the cumulative request count N(t),
//! which is the integral of the rate, and the inverse of N. A [`Schedule`] computes the due time of each token from its
//! number alone, so nothing accumulates: token 10¹² is as exact as token 1, and as fast.
//!
//! All of it is integer arithmetic. A [`Rate`] is a whole number of nano-requests per second and an instant a whole
//! number of nanoseconds, so their product, a [`Count`] in units of 5·10⁻¹⁹ requests, is exact. The one rounding is the
//! last step: [`Schedule::due`] is the first whole nanosecond at which N(t) has reached the token's number. It is 0 to
//! just under 1 ns after the real solution, for every rate, token and run length that the types can hold. (A sine is
//! approximated by straight ramps; its file states the error.)
//!
//! With uniform arrivals the tokens' numbers are the whole numbers 0, 1, 2 and so on. [`Poisson`] arrivals have random
//! numbers in their place, and everything else is the same.
//!
//! A replay has the due times of a recording instead, which is read from outside of the memory. Its tokens are counted in the
//! same way, and its profile is a picture of it: one phase for each time that the recording is sent.
//!
//! A schedule ends with its profile, at a cut, or with its n-th token, whichever is first.
//!
//! If several processes share a schedule, each has the tokens of one [`Stripe`] and counts only these.

mod alignment;
mod bursts;
mod grammar;
mod phase;
mod piece;
mod poisson;
mod profile;
mod reader;

mod units;

pub use alignment::{Alignment, Misaligned};
pub use bursts::Bursts;
pub use phase::Phase;
pub use piece::Piece;
pub use poisson::Poisson;
pub use profile::Profile;
pub use units::{Count, Rate};

use crate::base::Nanos;
use crate::core::replay::{self, Replay};
use crate::core::stripe::Stripe;
use piece::recorded::Recorded;
use std::sync::Arc;

/// The due times of one run.
#[derive(Debug)]
pub struct Schedule {
    profile: Profile,
    arrivals: Arrivals,
    /// Has the due times if this is a replay.
    replay: Option<Replay>,
    /// The instant from which on the profile is cut off.
    cut: Option<Nanos>,
    end: Option<Nanos>,
    /// The smallest number that never comes due.
    limit: Count,
    /// Set if a count of tokens ends the schedule.
    last: Option<Last>,
    /// The part of the tokens that this process has.
    stripe: Stripe,
}

/// The last token of a schedule that a count of tokens ends.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// The number of tokens up to and including the last.
    tokens: u64,
    number: Count,
}

/// The numbers of the tokens: a token is due when the profile's count has passed its number.
#[derive(Debug)]
pub enum Arrivals {
    /// The whole numbers from 0 on.
    Uniform,
    Poisson(Box<Poisson>),
}

impl Schedule {
    /// Follows `profile` with uniform arrivals, from the run's start up to but not including `cut`. Without a `cut`, or
    /// with a later one, it ends with the profile, including the requests that come at once at its end.
    pub fn new(profile: impl Into<Profile>, cut: Option<Nanos>) -> Self {
        let profile = profile.into();
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
            replay: None,
            last: None,
            stripe: Stripe::WHOLE,
            profile,
        }
    }

    /// Follows a recording, up to but not including `cut`. Without a `cut`, or with a later one, it ends with the last
    /// recorded request, or never if the recording is repeated.
    pub fn replay(replay: Replay, cut: Option<Nanos>) -> Self {
        let piece = Arc::new(Recorded::new(&replay));
        let (requests, speed) = (&replay.requests, replay.speed);
        let mut text = format!("replay of {}", requests.name);
        if speed != replay::Speed::ONE {
            text += &format!(" at {speed}");
        }
        let rounds = match replay.period() {
            Some(_) => {
                text += ", repeated";
                None
            }
            None => Some(1),
        };
        let before_cut = cut.map(|cut| match cut.checked_sub(Nanos(1)) {
            Some(last) => replay.walk().due_by(last),
            None => 0,
        });
        let last = replay.period().is_none().then(|| replay.length());
        let all = last.map(|_| replay.count());
        let tokens = [before_cut, all].into_iter().flatten().min();
        Schedule {
            profile: Profile::with_lead(vec![piece], 0, rounds, text),
            limit: tokens.map_or(Count::MAX, Count::requests),
            end: [cut, last].into_iter().flatten().min(),
            cut,
            arrivals: Arrivals::Uniform,
            replay: Some(replay),
            last: None,
            stripe: Stripe::WHOLE,
        }
    }

    pub fn with_arrivals(self, arrivals: Arrivals) -> Self {
        Schedule { arrivals, ..self }
    }

    /// Ends with the `count`-th token, at the instant at which it is due. With fewer tokens, the schedule stays as it is.
    /// The tokens that are left have the same due times. The arrivals must have been chosen before, and a stripe after.
    ///
    /// # Panics
    /// If `count` is 0.
    pub fn with_count(self, count: u64) -> Self {
        assert!(count > 0, "a schedule without a token");
        let mut tokens = self.tokens();
        let (end, number) = (tokens.due_of_all(count - 1), tokens.number(count - 1));
        let (Some(end), Some(number)) = (end, number) else {
            return self;
        };
        Schedule {
            end: Some(end),
            limit: number.and_a_bit(),
            last: Some(Last {
                tokens: count,
                number,
            }),
            ..self
        }
    }

    /// Keeps only the tokens of one stripe. Tokens are counted within it from then on.
    pub fn with_stripe(self, stripe: Stripe) -> Self {
        Schedule { stripe, ..self }
    }

    pub fn stripe(&self) -> Stripe {
        self.stripe
    }

    /// The recording that the schedule follows. `None` if it follows its profile.
    pub fn recording(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    /// The count of tokens, of all stripes, that ends the schedule. `None` if something else ends it first.
    pub fn count(&self) -> Option<u64> {
        self.last.map(|last| last.tokens)
    }

    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The due time of the token at this place in the stripe, counted from 0; `None` past the end of the schedule.
    pub fn due(&self, sequence: u64) -> Option<Nanos> {
        self.tokens().due(sequence)
    }

    /// The number of the stripe's tokens that are due by `at`, including those due at that instant.
    pub fn due_by(&self, at: Nanos) -> u64 {
        self.tokens().due_by(at)
    }

    /// The same answers, faster if tokens are taken in order.
    pub fn tokens(&self) -> Tokens<'_> {
        let walk = match &self.arrivals {
            Arrivals::Uniform => None,
            Arrivals::Poisson(poisson) => Some(poisson.walk()),
        };
        Tokens {
            schedule: self,
            walk,
            recorded: self.replay.as_ref().map(Replay::walk),
            phase: None,
        }
    }

    /// The expected number of the stripe's tokens that are due by `at`: its share of N(t), also with Poisson arrivals.
    pub fn mean_by(&self, at: Nanos) -> f64 {
        if let Some(replay) = &self.replay {
            let of_all = Count::requests(replay.walk().due_by(at)).min(self.limit);
            return self.share(of_all.as_f64());
        }
        self.share(self.profile.count_at(at).min(self.limit).as_f64())
    }

    /// The stripe's share of a number of requests of all stripes, or of their rate.
    pub fn share(&self, of_all: f64) -> f64 {
        of_all / self.stripe.of() as f64
    }

    /// The stripe's mean rate up to `at` or to the end, whichever is earlier, in requests per second. It is its share of the
    /// profile's, but for random arrivals that no count ends, which have the rate of their tokens. `None` if all requests come at once.
    pub fn mean_rate(&self, at: Nanos) -> Option<f64> {
        let at = self.end.map_or(at, |end| end.min(at));
        if at == Nanos::ZERO {
            let rate = self.share(self.profile.phase(at)?.rate_at(at));
            return (rate > 0.0).then_some(rate);
        }
        let requests = match (&self.arrivals, self.last) {
            (Arrivals::Poisson(_), None) => self.due_by(at) as f64,
            _ => self.mean_by(at),
        };
        Some(requests / at.as_secs_f64())
    }

    /// The number of tokens in the stripe; `None` if the schedule never ends.
    pub fn total(&self) -> Option<u64> {
        self.end.map(|end| self.due_by(end))
    }

    /// The number of tokens in all stripes; `None` if the schedule never ends.
    pub fn total_of_all(&self) -> Option<u64> {
        self.end.map(|end| {
            let mut tokens = self.tokens();
            let passed = tokens.passed(end);
            tokens.below_of_all(passed)
        })
    }

    /// The instant after which nothing is due; `None` if the schedule never ends.
    pub fn end(&self) -> Option<Nanos> {
        self.end
    }

    /// The most requests of the stripe that come due within `time`, if the highest rate lasts for that long.
    pub fn most_within(&self, time: Nanos) -> f64 {
        if let Some(Replay { requests, .. }) = &self.replay {
            let seconds = time.as_secs_f64().ceil();
            let most = requests.most_in_a_second as f64 * seconds;
            return self.share(most.min(self.limit.as_f64()));
        }
        let most = |phase: Phase| match phase.at_once() {
            Some(requests) => requests as f64,
            None => phase.highest_rate() * time.as_secs_f64(),
        };
        let phases = self.phases().take(MANY_PHASES);
        self.share(phases.map(most).fold(0.0, f64::max))
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The phase that `at` falls into; `None` from the end on.
    pub fn phase(&self, at: Nanos) -> Option<Phase> {
        let ended = self.end.is_some_and(|end| end <= at);
        self.profile.phase(at).filter(|_| !ended)
    }

    /// All phases that begin within the schedule, in order. May never end.
    pub fn phases(&self) -> impl Iterator<Item = Phase> + Send {
        let within = |phase: &Phase| {
            let has_begun = self.last.is_none_or(|last| phase.before <= last.number);
            has_begun && self.cut.is_none_or(|cut| phase.start < cut)
        };
        self.profile.phases().take_while(within)
    }

    /// All phases with the number of the stripe's tokens, `None` for a phase that never ends. Fractions of a request carry
    /// over to the next phase.
    pub fn phases_with_tokens(&self) -> impl Iterator<Item = (Phase, Option<u64>)> + Send {
        let mut tokens = self.tokens();
        let mut begun = 0;
        self.phases().map(move |phase| {
            let after = match (phase.count, self.end) {
                (None, None) => return (phase, None),
                (None, Some(_)) => Count::MAX,
                (Some(count), _) => phase.before + count,
            };
            let ended = tokens.below(after);
            (phase, Some(ended - std::mem::replace(&mut begun, ended)))
        })
    }
}

/// More phases than any profile has before it repeats.
const MANY_PHASES: usize = 10_000;

/// The tokens of a schedule's stripe. The answers are those of the [`Schedule`] in any order, and fastest if the tokens are taken more
/// or less in order.
#[derive(Debug)]
pub struct Tokens<'a> {
    schedule: &'a Schedule,
    walk: Option<poisson::Walk<'a>>,
    recorded: Option<replay::Walk<'a>>,
    /// The phase of the last token, which is that of most next tokens.
    phase: Option<Phase>,
}

impl Tokens<'_> {
    pub fn due(&mut self, place: u64) -> Option<Nanos> {
        self.due_of_all(self.schedule.stripe.number(place))
    }

    /// The due time of the token with this number in the whole schedule.
    fn due_of_all(&mut self, sequence: u64) -> Option<Nanos> {
        let number = self.number(sequence)?;
        // Random numbers may be equal, so a count is not only a limit of numbers.
        let last = self.schedule.last;
        let is_past_count = last.is_some_and(|last| sequence >= last.tokens);
        if number >= self.schedule.limit || is_past_count {
            return None;
        }
        if let Some(recorded) = &mut self.recorded {
            return recorded.due(sequence);
        }
        let is_known = self.phase.as_ref().is_some_and(|phase| phase.has(number));
        if !is_known {
            self.phase = self.schedule.profile.phase_of(number);
        }
        self.phase.as_ref()?.time_of(number)
    }

    pub fn due_by(&mut self, at: Nanos) -> u64 {
        let passed = self.passed(at);
        self.below(passed)
    }

    /// The smallest number that is not due by `at`.
    fn passed(&mut self, at: Nanos) -> Count {
        match &mut self.recorded {
            None => self.schedule.profile.passed(at),
            Some(recorded) => Count::requests(recorded.due_by(at)),
        }
    }

    /// The place on the profile's count of the token with this number in the whole schedule.
    fn number(&mut self, sequence: u64) -> Option<Count> {
        match &mut self.walk {
            None => Some(Count::requests(sequence)),
            Some(walk) => walk.number_of(sequence),
        }
    }

    /// The number of the stripe's tokens before the schedule's count reaches this one.
    fn below(&mut self, count: Count) -> u64 {
        let of_all = self.below_of_all(count);
        self.schedule.stripe.before(of_all)
    }

    fn below_of_all(&mut self, count: Count) -> u64 {
        let count = count.min(self.schedule.limit);
        let tokens = match &mut self.walk {
            None => count.tokens(),
            Some(walk) => walk.below(count),
        };
        let last = self.schedule.last;
        last.map_or(tokens, |last| tokens.min(last.tokens))
    }
}

#[cfg(test)]
mod tests;
