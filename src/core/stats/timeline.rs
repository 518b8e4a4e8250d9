//! The course of a run, in memory that does not depend on its length.

use super::{CoarseHistogram, OutcomeCounts, Second};
use crate::base::Nanos;

const MAX_SLOTS: usize = 600;

/// A run's seconds in slots of equal length. When there are too many slots, each two neighbours become one. So there are at
/// most 600 slots, of 10 to 25 KiB each, depending on the longest latency, and 40 bytes for each target.
#[derive(Debug)]
pub struct TimelineTally {
    /// The length of a slot in seconds, a power of two.
    seconds: u64,
    slots: Vec<SlotTally>,
}

/// The events of some consecutive seconds.
#[derive(Debug)]
pub struct SlotTally {
    /// The sum of the mean rates of its seconds.
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
    /// Adds a second. Each comes once, in order.
    pub fn add(&mut self, second: &Second) {
        let is_full = |last: &SlotTally| last.seconds == self.seconds;
        if self.slots.len() == MAX_SLOTS && self.slots.last().is_some_and(is_full) {
            self.halve();
        }
        let added = SlotTally::of(second);
        match self.slots.last_mut() {
            Some(last) if last.seconds < self.seconds => last.add(&added),
            _ => self.slots.push(added),
        }
    }

    /// The length of a slot. The last slot may be shorter.
    pub fn length(&self) -> Nanos {
        Nanos(self.seconds * 1_000_000_000)
    }

    pub fn slots(&self) -> &[SlotTally] {
        &self.slots
    }

    fn halve(&mut self) {
        let mut slots = std::mem::take(&mut self.slots).into_iter();
        while let Some(mut slot) = slots.next() {
            if let Some(next) = slots.next() {
                slot.add(&next);
            }
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

    /// The mean rate of the schedule, in requests per second.
    pub fn asked(&self) -> f64 {
        self.asked / self.seconds as f64
    }

    pub fn total(&self) -> OutcomeCounts {
        self.targets.iter().sum()
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
            ..Second::default()
        };
        second.targets.resize_with(2, OutcomeCounts::default);
        for target in &mut second.targets {
            target.sent = sent;
        }
        (0..sent).for_each(|i| second.latency.record(Nanos(1_000_000 + i)));
        second
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]
        #[test]
        fn a_run_of_any_length_is_kept_whole_in_a_bounded_number_of_slots(seconds in 0u64..3_000) {
            let mut timeline = TimelineTally::default();
            (0..seconds).for_each(|number| timeline.add(&second(number, number % 3)));
            let slots = timeline.slots();
            prop_assert!(slots.len() <= MAX_SLOTS);
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
