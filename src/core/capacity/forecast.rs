//! How long a search takes.

use super::{Cause, Outcome, Search};
use crate::base::Nanos;
use crate::core::schedule::Rate;

/// The steps of a search if no outcome contradicts another.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    pub steps: usize,
    /// The sum of the steps' rates, per second.
    rates: f64,
}

impl Forecast {
    /// The requests of all steps together if each takes `step`.
    pub fn requests(&self, step: Nanos) -> u64 {
        (self.rates * step.as_secs_f64()).ceil() as u64
    }

    fn and(self, rate: Rate) -> Forecast {
        Forecast {
            steps: self.steps + 1,
            rates: self.rates + rate.as_f64(),
        }
    }
}

impl Search {
    /// The steps that are left, about: as many as with a capacity in the middle of the rates at which it may still be, on a
    /// logarithmic scale.
    pub fn left(&self) -> Forecast {
        let floor = self.floor().unwrap_or(self.bounds.from);
        let ceiling = self.ceiling().unwrap_or(self.bounds.to);
        let middle = (floor.nano() as f64 * ceiling.nano() as f64).sqrt();
        self.left_if(|rate| rate.nano() as f64 <= middle)
    }

    /// The most steps, and the most requests, if no outcome contradicts another. Not both need occur together.
    pub fn longest(&self) -> Forecast {
        let mut longest = Forecast::default();
        let mut capacity = self.bounds.from;
        loop {
            // The capacity is under this rate, or just reaches it.
            let under = self.left_if(|rate| rate < capacity);
            let reached = self.left_if(|rate| rate <= capacity);
            for forecast in [under, reached] {
                longest.steps = longest.steps.max(forecast.steps);
                longest.rates = longest.rates.max(forecast.rates);
            }
            if capacity >= self.bounds.to {
                return longest;
            }
            capacity = self.bounds.doubled(capacity);
        }
    }

    /// More requests than any search can send whose steps take `step`.
    pub fn most_requests(&self, step: Nanos) -> u64 {
        let longest = self.longest();
        let others = (self.most_steps - longest.steps) as f64 * self.bounds.to.as_f64();
        Forecast {
            rates: longest.rates + others,
            ..longest
        }
        .requests(step)
    }

    /// The steps that are left if exactly these rates hold.
    fn left_if(&self, holds: impl Fn(Rate) -> bool) -> Forecast {
        let mut search = self.clone();
        let mut forecast = Forecast::default();
        while let Some(step) = search.next() {
            let outcome = match holds(step.rate) {
                true => Outcome::Held,
                false => Outcome::NotHeld {
                    cause: Cause::Missed,
                    may_be_chance: false,
                },
            };
            search.add(step.rate, outcome);
            forecast = forecast.and(step.rate);
        }
        forecast
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::capacity::Bounds;
    use proptest::prelude::*;

    fn search(from: f64, to: f64, precision: f64) -> Search {
        let rate = |per_second| Rate::per_second(per_second).unwrap();
        Search::new(Bounds {
            from: rate(from),
            to: rate(to),
            precision,
        })
    }

    #[test]
    fn the_defaults_take_at_most_17_steps() {
        let search = search(100.0, 50_000.0, 0.05);
        assert_eq!(search.longest().steps, 17);
        assert_eq!(search.most_steps(), 34);
        // At most: doubling to 50,000 takes 101,200; then six more steps of under 50,000.
        let requests = search.longest().requests(Nanos(10_000_000_000));
        assert!((3_000_000..5_000_000).contains(&requests), "{requests}");
    }

    proptest! {
        #[test]
        fn no_search_without_contradictions_is_longer(
            from in 1.0f64..1_000.0, factor in 1.0f64..1e4, knee in 0.0f64..1.1, precision in 0.001f64..1.0
        ) {
            let to = from * factor;
            let search = search(from, to, precision);
            let knee = from * factor.powf(knee);
            let forecast = search.left_if(|rate| rate.as_f64() <= knee);
            let longest = search.longest();
            // Rounded rates may split the last interval once more, or once less.
            prop_assert!(forecast.steps <= longest.steps + 2);
            prop_assert!(forecast.rates <= longest.rates * 1.5);
            prop_assert!(forecast.steps <= search.most_steps());
        }
    }
}
