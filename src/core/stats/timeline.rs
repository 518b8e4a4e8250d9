//! The course of a run, in memory that does not depend on its length.

use super::{CoarseHistogram, OutcomeCounts, Percentiles, Second};
use crate::base::Nanos;

const MAX_SLOTS: usize = 600;

/// A run's seconds in slots of equal length. When there are too many slots, each two neighbours become one. So there are at
/// most 600 slots, of 10 to 25 KiB each, depending on the longest latency, and 40 bytes for each target.
#[derive(Debug)]
pub struct TimelineTally {
    /// The length of a slot in seconds, a power of two.
    seconds: u64,
    slots: Vec<SlotTally>,
    /// Empty slots, with their memory.
    spare: Vec<SlotTally>,
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
    /// If there is one second only, its percentiles of latency and of send lag, which are finer than the histograms'.
    of_one_second: Option<[Percentiles; 2]>,
}

/// The events of the seconds of a slot, as a stripe's summary has them.
#[derive(Debug)]
pub struct SlotParts {
    /// The mean rate of the schedule, in requests per second.
    pub asked: f64,
    pub scheduled: u64,
    pub dropped: u64,
    /// By target, in the plan's order.
    pub targets: Vec<OutcomeCounts>,
    pub latency: CoarseHistogram,
    pub send_lag: CoarseHistogram,
}

impl Default for TimelineTally {
    fn default() -> Self {
        TimelineTally {
            seconds: 1,
            slots: Vec::new(),
            spare: Vec::new(),
        }
    }
}

impl TimelineTally {
    /// A timeline that has its memory from the start: for as many slots as a run of this length needs, each for this many
    /// targets and for latencies up to `longest`. `None` stands for a run without an end.
    pub fn with_room(length: Option<Nanos>, targets: usize, longest: Nanos) -> TimelineTally {
        let seconds = length.map_or(u64::MAX, |length| length.0.div_ceil(1_000_000_000));
        let slots = seconds.min(MAX_SLOTS as u64) as usize;
        TimelineTally {
            slots: Vec::with_capacity(slots),
            spare: (0..slots)
                .map(|_| SlotTally::with_room(targets, longest))
                .collect(),
            ..TimelineTally::default()
        }
    }

    /// Adds a second. Each comes once, in order.
    pub fn add(&mut self, second: &Second) {
        let is_full = |last: &SlotTally| last.seconds == self.seconds;
        if self.slots.len() == MAX_SLOTS && self.slots.last().is_some_and(is_full) {
            self.halve();
        }
        match self.slots.last_mut() {
            Some(last) if last.seconds < self.seconds => last.add_second(second),
            _ => {
                let mut slot = self.spare.pop().unwrap_or_else(SlotTally::empty);
                slot.add_second(second);
                self.slots.push(slot);
            }
        }
    }

    /// A timeline of slots of so many seconds each, a power of two. The last slot may be shorter.
    pub fn of_slots(seconds: u64, slots: Vec<SlotTally>) -> TimelineTally {
        TimelineTally {
            seconds,
            slots,
            spare: Vec::new(),
        }
    }

    /// Adds the timeline of another stripe of the same schedule, from the same start: slot by slot, in slots that are as long as
    /// the longer ones of the two. All stripes have the same rate as long as they follow the schedule, so the rate of a slot is
    /// that of the stripe that followed it for longest. [`multiply_rate`](Self::multiply_rate) makes it that of all stripes.
    pub fn merge(&mut self, mut other: TimelineTally) {
        while self.seconds < other.seconds && !self.slots.is_empty() {
            self.halve();
        }
        self.seconds = self.seconds.max(other.seconds);
        while other.seconds < self.seconds {
            other.halve();
        }
        let mut others = other.slots.into_iter();
        for (slot, other) in self.slots.iter_mut().zip(&mut others) {
            slot.add_parallel(&other);
        }
        self.slots.extend(others);
        self.spare.clear();
    }

    /// Makes the rate of one stripe in each slot that of so many.
    pub fn multiply_rate(&mut self, stripes: u64) {
        for slot in &mut self.slots {
            slot.asked *= stripes as f64;
        }
    }

    /// The length of a slot. The last slot may be shorter.
    pub fn length(&self) -> Nanos {
        Nanos(self.seconds * 1_000_000_000)
    }

    pub fn slots(&self) -> &[SlotTally] {
        &self.slots
    }

    pub fn slots_mut(&mut self) -> &mut [SlotTally] {
        &mut self.slots
    }

    /// How many seconds all slots have.
    pub fn seconds(&self) -> u64 {
        self.slots.iter().map(|slot| slot.seconds).sum()
    }

    fn halve(&mut self) {
        let (mut whole, mut seconds) = (Vec::with_capacity(self.slots.capacity()), Vec::new());
        for (number, slot) in self.slots.drain(..).enumerate() {
            let into = if number % 2 == 0 {
                &mut whole
            } else {
                &mut seconds
            };
            into.push(slot);
        }
        for (slot, mut second) in whole.iter_mut().zip(seconds) {
            slot.add(&second);
            second.clear();
            self.spare.push(second);
        }
        self.slots = whole;
        self.seconds *= 2;
    }
}

impl SlotTally {
    fn empty() -> SlotTally {
        SlotTally {
            asked: 0.0,
            seconds: 0,
            scheduled: 0,
            dropped: 0,
            targets: Vec::new(),
            latency: CoarseHistogram::empty(),
            send_lag: CoarseHistogram::empty(),
            of_one_second: None,
        }
    }

    fn with_room(targets: usize, longest: Nanos) -> SlotTally {
        let mut slot = SlotTally {
            targets: vec![OutcomeCounts::default(); targets],
            latency: CoarseHistogram::up_to(longest),
            send_lag: CoarseHistogram::up_to(longest),
            ..SlotTally::empty()
        };
        slot.clear();
        slot
    }

    /// Keeps the memory.
    fn clear(&mut self) {
        self.asked = 0.0;
        self.seconds = 0;
        self.scheduled = 0;
        self.dropped = 0;
        self.targets.clear();
        self.latency.clear();
        self.send_lag.clear();
        self.of_one_second = None;
    }

    fn add_second(&mut self, second: &Second) {
        let is_first = self.seconds == 0;
        self.of_one_second =
            is_first.then(|| [second.latency.percentiles(), second.send_lag.percentiles()]);
        self.asked += second.asked;
        self.seconds += 1;
        self.scheduled += second.scheduled;
        self.dropped += second.dropped;
        self.add_targets(&second.targets);
        self.latency += &second.latency;
        self.send_lag += &second.send_lag;
    }

    fn add(&mut self, other: &SlotTally) {
        self.of_one_second = None;
        self.asked += other.asked;
        self.seconds += other.seconds;
        self.scheduled += other.scheduled;
        self.dropped += other.dropped;
        self.add_targets(&other.targets);
        self.latency += &other.latency;
        self.send_lag += &other.send_lag;
    }

    /// Adds the events of the same seconds.
    fn add_parallel(&mut self, other: &SlotTally) {
        let seconds = self.seconds.max(other.seconds);
        let asked = self.asked.max(other.asked);
        self.add(other);
        self.seconds = seconds;
        self.asked = asked;
    }

    /// A slot of so many seconds, with what stands in a file.
    pub fn of_parts(seconds: u64, parts: SlotParts) -> SlotTally {
        let SlotParts {
            asked,
            scheduled,
            dropped,
            targets,
            latency,
            send_lag,
        } = parts;
        SlotTally {
            asked: asked * seconds as f64,
            seconds,
            scheduled,
            dropped,
            targets,
            latency,
            send_lag,
            of_one_second: None,
        }
    }

    fn add_targets(&mut self, targets: &[OutcomeCounts]) {
        let most = self.targets.len().max(targets.len());
        self.targets.resize_with(most, OutcomeCounts::default);
        for (target, other) in self.targets.iter_mut().zip(targets) {
            *target += other;
        }
    }

    /// The percentiles of latency and of send lag: of one second with three significant digits, of several with two.
    pub fn percentiles(&self) -> [Percentiles; 2] {
        let coarse = || [self.latency.percentiles(), self.send_lag.percentiles()];
        self.of_one_second.unwrap_or_else(coarse)
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

    #[test]
    fn the_percentiles_of_one_second_are_its_own_and_those_of_several_are_of_all_their_requests() {
        let mut timeline = TimelineTally::default();
        let add = |timeline: &mut TimelineTally, number| {
            let mut second = second(number, 0);
            let base = 1_000_000 + 12_345 * number;
            (0..100).for_each(|i| second.latency.record(Nanos(base + 101 * i)));
            second.send_lag.record(Nanos(base));
            timeline.add(&second);
            second
        };
        let first = add(&mut timeline, 0);
        let own = [first.latency.percentiles(), first.send_lag.percentiles()];
        assert_eq!(timeline.slots()[0].percentiles(), own);
        (1..=MAX_SLOTS as u64).for_each(|number| {
            add(&mut timeline, number);
        });
        let [of_two, _] = timeline.slots()[0].percentiles();
        assert_eq!(of_two.count, 200);
        let p99 = of_two.spans[2].0;
        assert!(p99.abs_diff(1_012_345 + 101 * 98) * 100 < p99, "{p99}");
    }

    /// The memory of all slots, in counters of their histograms.
    fn memory(timeline: &TimelineTally) -> usize {
        let slots = timeline.slots.iter().chain(&timeline.spare);
        slots
            .map(|slot| slot.latency.capacity() + slot.send_lag.capacity())
            .sum()
    }

    #[test]
    fn the_memory_is_there_from_the_start() {
        for (length, seconds) in [(None, 2_000), (Some(Nanos(90_500_000_000)), 91)] {
            let longest = Nanos(10_000_000_000);
            let mut timeline = TimelineTally::with_room(length, 2, longest);
            let before = memory(&timeline);
            assert!(before > 91 * 1_000, "{before}");
            (0..seconds).for_each(|number| {
                let mut second = second(number, 3);
                second.latency.record(longest);
                second.send_lag.record(longest);
                timeline.add(&second);
            });
            assert_eq!(memory(&timeline), before, "{length:?}");
        }
    }
}
