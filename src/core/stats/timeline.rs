//! What happened when, in bounded memory however long the run is.

use super::{CoarseHistogram, OutcomeCounts, Second};
use crate::base::Nanos;

/// The most slots that are kept.
const SLOTS: usize = 600;

/// A run's seconds in slots of equal length. Once there are too many slots, each two neighbours become one: so the
/// memory is that of 600 slots, 10 to 25 KiB each by the longest latency, and 40 bytes a target.
#[derive(Debug)]
pub struct TimelineTally {
    /// A power of two.
    seconds: u64,
    slots: Vec<SlotTally>,
}

/// What came due, left and was done in some consecutive seconds.
#[derive(Debug)]
pub struct SlotTally {
    /// What the schedule asked for, in requests.
    asked: f64,
    seconds: u64,
    pub scheduled: u64,
    pub dropped: u64,
    pub targets: Vec<OutcomeCounts>,
    pub latency: CoarseHistogram,
    pub send_lag: CoarseHistogram,
}

impl Default for TimelineTally {
    fn default() -> Self {
        TimelineTally {
            seconds: 1,
            slots: Vec::new(),
        }
    }
}

impl TimelineTally {
    /// Adds a second; each comes once, in order.
    pub fn add(&mut self, second: &Second) {
        let full = self
            .slots
            .last()
            .is_none_or(|slot| slot.seconds == self.seconds);
        if full && self.slots.len() == SLOTS {
            self.halve();
        }
        match self
            .slots
            .last_mut()
            .filter(|slot| slot.seconds < self.seconds)
        {
            Some(slot) => slot.add(&SlotTally::of(second)),
            None => self.slots.push(SlotTally::of(second)),
        }
    }

    /// Of one slot; the last may be shorter.
    pub fn length(&self) -> Nanos {
        Nanos(self.seconds * 1_000_000_000)
    }

    pub fn slots(&self) -> &[SlotTally] {
        &self.slots
    }

    fn halve(&mut self) {
        let mut slots = std::mem::take(&mut self.slots).into_iter();
        while let Some(mut slot) = slots.next() {
            slots.next().iter().for_each(|next| slot.add(next));
            self.slots.push(slot);
        }
        self.seconds *= 2;
    }
}

impl SlotTally {
    fn of(second: &Second) -> SlotTally {
        SlotTally {
            asked: second.asked,
            seconds: 1,
            scheduled: second.scheduled,
            dropped: second.dropped,
            targets: second.targets.clone(),
            latency: (&second.latency).into(),
            send_lag: (&second.send_lag).into(),
        }
    }

    fn add(&mut self, other: &SlotTally) {
        self.asked += other.asked;
        self.seconds += other.seconds;
        self.scheduled += other.scheduled;
        self.dropped += other.dropped;
        for (target, other) in self.targets.iter_mut().zip(&other.targets) {
            *target += other;
        }
        self.latency += &other.latency;
        self.send_lag += &other.send_lag;
    }

    /// What the schedule asked for, in requests per second, in the mean.
    pub fn asked(&self) -> f64 {
        self.asked / self.seconds as f64
    }

    /// All targets together.
    pub fn total(&self) -> OutcomeCounts {
        let mut total = OutcomeCounts::default();
        self.targets.iter().for_each(|target| total += target);
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(number: u64, sent: u64) -> Second {
        let mut second = Second {
            number,
            asked: 10.0,
            scheduled: sent + 1,
            dropped: 1,
            targets: vec![
                OutcomeCounts {
                    sent,
                    ..OutcomeCounts::default()
                };
                2
            ],
            ..Second::default()
        };
        (0..sent).for_each(|i| second.latency.record(Nanos(1_000_000 + i)));
        second
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]
        #[test]
        fn however_long_a_run_is_nothing_is_lost_and_the_slots_are_bounded(seconds in 0u64..3_000) {
            let mut timeline = TimelineTally::default();
            (0..seconds).for_each(|number| timeline.add(&second(number, number % 3)));
            let slots = timeline.slots();
            prop_assert!(slots.len() <= SLOTS);
            let sum = |what: fn(&SlotTally) -> u64| slots.iter().map(what).sum::<u64>();
            let sent: u64 = (0..seconds).map(|number| number % 3).sum();
            prop_assert_eq!(sum(|slot| slot.seconds), seconds);
            prop_assert_eq!(sum(|slot| slot.total().sent), 2 * sent);
            prop_assert_eq!(sum(|slot| slot.scheduled), sent + seconds);
            prop_assert_eq!(sum(|slot| slot.latency.count()), sent);
            prop_assert!(slots.iter().all(|slot| slot.asked() == 10.0));
            let short = slots.iter().filter(|slot| slot.seconds != timeline.seconds);
            prop_assert!(short.count() <= 1);
        }
    }
}
