use crate::base::{Moment, Nanos};
use crate::core::schedule::Schedule;
use crate::core::stripe::Stripe;
use std::ops::Range;

/// A time for which the process was suspended, so that it sent nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    pub length: Nanos,
    /// The places in the stripe of the requests that were due meanwhile, or so soon after that they stood behind these.
    pub due: Range<u64>,
    pub stripe: Stripe,
}

/// The longest time after a suspension in which requests may be late because of it.
const CATCHING_UP: Nanos = Nanos(1_000_000_000);

impl Suspension {
    /// The suspension between two instants of a run that began at `start`. Up to a second, and no longer than the
    /// suspension itself, is granted for what came due meanwhile to be sent.
    pub fn new(schedule: &Schedule, start: Moment, from: Moment, to: Moment) -> Suspension {
        let length = to.since(from);
        let caught_up = to + length.min(CATCHING_UP);
        let [first, end] = [from, caught_up].map(|at| schedule.due_by(at.since(start)));
        Suspension {
            length,
            due: first..end,
            stripe: schedule.stripe(),
        }
    }

    /// Whether it delayed the request with this number in the whole schedule.
    pub fn delayed(&self, number: u64) -> bool {
        self.due.contains(&self.stripe.before(number))
    }

    /// How many of these requests it delayed.
    pub fn overlap(&self, requests: &Range<u64>) -> u64 {
        let start = self.due.start.max(requests.start);
        let end = self.due.end.min(requests.end);
        end.saturating_sub(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schedule::Profile;

    #[test]
    fn a_suspension_delays_what_was_due_meanwhile_and_shortly_after() {
        let profile = "10/s for 60s".parse::<Profile>().unwrap();
        let schedule = Schedule::new(profile, None);
        let second = |number: u64| Moment::at(number * 1_000_000_000);
        let start = second(100);
        let of = |from, to| Suspension::new(&schedule, start, from, to);
        let suspension = of(second(110) + Nanos(1), second(115) + Nanos(1));
        assert_eq!(suspension.length, Nanos(5_000_000_000));
        // Request 100 was due at its very start.
        assert_eq!(suspension.due, 101..161);
        assert_eq!(suspension.overlap(&(90..111)), 10);
        assert_eq!(suspension.overlap(&(161..200)), 0);
        assert_eq!(of(second(90), second(95)).due, 1..1, "before the run");
    }
}
