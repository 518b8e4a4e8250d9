//! When each request is due: pure arithmetic, no clock.
//!
//! A [`Profile`] gives the cumulative request count N(t) of a rate that changes over time, and
//! its inverse. A [`Schedule`] asks it for the due time of each token by its number alone, so
//! nothing accumulates: token 10¹² is as exact as token 1.
//!
//! All of it is integer arithmetic. A [`Rate`] is a whole number of nano-requests per second and
//! an instant a whole number of nanoseconds, so their product, a [`Count`] in units of 10⁻¹⁸
//! requests, is exact. The one rounding is the last step: [`Schedule::due`] is the first whole
//! nanosecond at which N(t) reaches the token's number, hence 0 to just under 1 ns after the real
//! solution, for every rate, token and run length that the types can hold.

mod bursts;
mod profile;
mod steady;
mod units;

pub use bursts::Bursts;
pub use profile::{Mode, Phase, Profile};
pub use steady::Steady;
pub use units::{Count, Nanos, Rate};

/// The due times of one run.
#[derive(Debug)]
pub struct Schedule {
    profile: Box<dyn Profile>,
    end: Option<Nanos>,
}

impl Schedule {
    /// Follows `profile` from the run's start up to but not including `end`; without an `end`, for
    /// ever.
    pub fn new(profile: Box<dyn Profile>, end: Option<Nanos>) -> Self {
        Schedule { profile, end }
    }

    /// When the token with this number (from 0) is due; `None` past the end of the schedule.
    pub fn due(&self, sequence: u64) -> Option<Nanos> {
        let due = self.profile.time_of(Count::requests(sequence))?;
        match self.end {
            Some(end) if due >= end => None,
            _ => Some(due),
        }
    }

    /// How many tokens are due by this instant, it included.
    pub fn due_by(&self, at: Nanos) -> u64 {
        match self.end.map(|end| end.checked_sub(Nanos(1))) {
            Some(None) => 0,
            Some(Some(last)) => self.profile.count_at(at.min(last)).whole() + 1,
            None => self.profile.count_at(at).whole() + 1,
        }
    }

    /// How many tokens the whole schedule has; `None` if it never ends.
    pub fn total(&self) -> Option<u64> {
        self.end.map(|end| self.due_by(end))
    }

    /// The instant from which nothing is due any more; `None` if there is none.
    pub fn end(&self) -> Option<Nanos> {
        self.end
    }

    pub fn profile(&self) -> &dyn Profile {
        &*self.profile
    }

    /// The phase that `at` falls into.
    pub fn phase(&self, at: Nanos) -> Phase {
        self.profile.phase(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: u64 = 7 * 24 * 3600 * 1_000_000_000;

    fn rate() -> impl Strategy<Value = Rate> {
        // From one request in eleven days to a billion a second, in even steps of magnitude.
        (3u32..=18, 1u64..10).prop_map(|(exponent, digit)| {
            Rate::from_nano((digit * 10u64.pow(exponent)).min(Rate::MAX.nano()))
        })
    }

    fn odd_rate() -> impl Strategy<Value = Rate> {
        (1_000u64..=Rate::MAX.nano()).prop_map(Rate::from_nano)
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        prop_oneof![rate(), odd_rate()]
    }

    fn bursts() -> impl Strategy<Value = Bursts> {
        (any_rate(), any_rate(), 2..WEEK)
            .prop_flat_map(|(a, b, interval)| (Just((a.min(b), a.max(b), interval)), 1..interval))
            .prop_map(|((steady, burst, interval), duration)| {
                Bursts::new(steady, burst, Nanos(duration), Nanos(interval))
            })
    }

    fn profile() -> impl Strategy<Value = Box<dyn Profile>> {
        prop_oneof![
            any_rate().prop_map(|rate| Box::new(Steady::new(rate)) as Box<dyn Profile>),
            bursts().prop_map(|bursts| Box::new(bursts) as Box<dyn Profile>),
        ]
    }

    /// A token that falls into the first four weeks of the profile, or the very first ones.
    fn profile_and_token() -> impl Strategy<Value = (Schedule, u64)> {
        (profile(), 0..4 * WEEK, prop::bool::weighted(0.2), 0u64..100).prop_map(
            |(profile, at, early, first)| {
                let reached = profile.count_at(Nanos(at)).whole();
                let schedule = Schedule::new(profile, None);
                (schedule, if early { first } else { reached })
            },
        )
    }

    proptest! {
        #[test]
        fn a_due_time_is_the_first_nanosecond_at_which_the_count_reaches_the_token(
            (schedule, k) in profile_and_token()
        ) {
            let Some(due) = schedule.due(k) else { return Ok(()) };
            prop_assert!(schedule.profile.count_at(due) >= Count::requests(k));
            if let Some(before) = due.checked_sub(Nanos(1)) {
                prop_assert!(schedule.profile.count_at(before) < Count::requests(k));
            }
        }

        #[test]
        fn the_count_at_a_due_time_is_the_token((schedule, k) in profile_and_token()) {
            let Some(due) = schedule.due(k) else { return Ok(()) };
            prop_assert_eq!(schedule.profile.count_at(due).whole(), k);
        }

        #[test]
        fn due_times_never_decrease((schedule, k) in profile_and_token()) {
            let (Some(this), Some(next)) = (schedule.due(k), schedule.due(k + 1)) else {
                return Ok(());
            };
            prop_assert!(this <= next);
        }

        #[test]
        fn the_count_never_decreases(profile in profile(), a in 0..4 * WEEK, b in 0..4 * WEEK) {
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(profile.count_at(Nanos(a)) <= profile.count_at(Nanos(b)));
        }

        #[test]
        fn any_whole_interval_of_a_burst_profile_counts_what_the_rates_say(
            bursts in bursts(), cycle in 1u64..1_000, offset in 0..WEEK
        ) {
            let Bursts { steady, burst, duration, interval } = bursts;
            let from = Nanos(interval.0.saturating_mul(cycle).saturating_add(offset % interval.0));
            prop_assume!(from.0 < u64::MAX / 2);
            let counted = bursts.count_at(from + interval) - bursts.count_at(from);
            let expected = burst.over(duration) + steady.over(interval - duration);
            prop_assert_eq!(counted, expected);
        }

        #[test]
        fn the_total_is_the_number_of_tokens_due_before_the_end(
            profile in profile(), end in 1..WEEK
        ) {
            let schedule = Schedule::new(profile, Some(Nanos(end)));
            let total = schedule.total().unwrap();
            prop_assert!(total > 0, "token 0 is due at the start");
            prop_assert!(schedule.due(total - 1).unwrap() < Nanos(end));
            prop_assert_eq!(schedule.due(total), None);
        }

        #[test]
        fn the_tokens_due_by_an_instant_are_those_whose_due_time_it_has_reached(
            profile in profile(), end in prop::option::of(1..WEEK), at in 0..2 * WEEK
        ) {
            let schedule = Schedule::new(profile, end.map(Nanos));
            let count = schedule.due_by(Nanos(at));
            prop_assert!(schedule.due(count - 1).unwrap() <= Nanos(at));
            prop_assert!(schedule.due(count).is_none_or(|next| next > Nanos(at)));
        }

        #[test]
        fn phases_join_without_gap_and_their_rates_integrate_to_the_count(
            bursts in bursts(), phases in 1usize..40
        ) {
            let (mut at, mut sum) = (Nanos::ZERO, Count::ZERO);
            for _ in 0..phases {
                let phase = bursts.phase(at);
                let Some(end) = phase.end else { break };
                if end.0 > u64::MAX / 4 { break }
                prop_assert_eq!(phase.start, at);
                prop_assert!(end > at);
                prop_assert_eq!(bursts.phase(Nanos(end.0 - 1)), phase);
                sum = sum + phase.rate.over(end - at);
                at = end;
                prop_assert_eq!(bursts.count_at(at), sum);
            }
        }
    }

    fn steady(rps: f64) -> Schedule {
        Schedule::new(Box::new(Steady::new(Rate::per_second(rps).unwrap())), None)
    }

    #[test]
    fn a_million_a_second_is_exact_after_weeks() {
        let schedule = steady(1e6);
        for weeks in [0, 1, 6, 52, 520] {
            let k = weeks * (WEEK / 1_000);
            assert_eq!(schedule.due(k), Some(Nanos(weeks * WEEK)));
            assert_eq!(schedule.due(k + 1), Some(Nanos(weeks * WEEK + 1_000)));
        }
    }

    #[test]
    fn one_in_a_thousand_seconds_is_exact_after_weeks() {
        let schedule = steady(0.001);
        for k in [0, 1, 605, 31_449] {
            assert_eq!(schedule.due(k), Some(Nanos(k * 1_000_000_000_000)));
        }
    }

    #[test]
    fn a_third_of_a_nanosecond_is_never_lost() {
        let schedule = steady(3.0);
        assert_eq!(schedule.due(1), Some(Nanos(333_333_334)));
        assert_eq!(schedule.due(2), Some(Nanos(666_666_667)));
        let thirty_years = 1_000_000_000;
        assert_eq!(
            schedule.due(3 * thirty_years),
            Some(Nanos(thirty_years * 1_000_000_000))
        );
    }

    #[test]
    fn the_default_minute_has_eight_hundred_requests() {
        let second = 1_000_000_000;
        let profile = Bursts::new(
            Rate::per_second(10.0).unwrap(),
            Rate::per_second(50.0).unwrap(),
            Nanos(5 * second),
            Nanos(30 * second),
        );
        let schedule = Schedule::new(Box::new(profile), Some(Nanos(60 * second)));
        assert_eq!(schedule.total(), Some(800));
        assert_eq!(schedule.due(300), Some(Nanos(30 * second)));
        assert_eq!(schedule.due(301), Some(Nanos(30 * second + second / 50)));
        assert_eq!(schedule.due(550), Some(Nanos(35 * second)));
        assert_eq!(schedule.due(551), Some(Nanos(35 * second + second / 10)));
        assert_eq!(schedule.due(799), Some(Nanos(60 * second - second / 10)));
        assert_eq!(schedule.due(800), None);
    }

    #[test]
    fn an_unreachable_token_has_no_due_time() {
        assert_eq!(steady(0.001).due(u64::MAX), None);
        assert!(steady(1e6).due(u64::MAX).is_none());
    }

    #[test]
    fn an_empty_schedule_has_no_tokens() {
        let schedule = Schedule::new(Box::new(Steady::new(Rate::MAX)), Some(Nanos::ZERO));
        assert_eq!(schedule.total(), Some(0));
        assert_eq!(schedule.due(0), None);
    }
}
