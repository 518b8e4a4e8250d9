use super::Plan;
use crate::base::Nanos;
use crate::core::schedule::{Arrivals, Poisson, Profile, Rate, Schedule};

/// The seeds of a plan, of which those of its steps are made.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    order: u64,
    keys: u64,
}

impl Seeds {
    /// The seed of the order of the keys and of the arrivals, which is the one that the user knows.
    pub fn order(self) -> u64 {
        self.order
    }
}

impl Plan {
    pub fn seeds(&self) -> Seeds {
        Seeds {
            order: self.seed,
            keys: self.key_seed,
        }
    }

    /// Makes this the plan of one of several steps: a steady rate for `length`. The step with this number has an order, arrivals
    /// and, unless they are listed, keys of its own.
    pub fn set_step(&mut self, rate: Rate, length: Nanos, seeds: Seeds, number: u64) {
        self.seed = seeds.order.wrapping_add(number);
        self.key_seed = seeds.keys.wrapping_add(number);
        self.keys = self.keys.redrawn(self.key_seed);
        let arrivals = match self.schedule.arrivals() {
            Arrivals::Uniform => Arrivals::Uniform,
            Arrivals::Poisson(_) => Arrivals::Poisson(Box::new(Poisson::new(self.seed))),
        };
        let schedule = Schedule::new(Profile::steady(rate), Some(length));
        self.schedule = schedule.with_arrivals(arrivals);
        self.alignment = None;
        self.start = None;
    }
}
