//! What happened when, in bounded memory however long the run is.

use super::{OutcomeCounts, PerSecond, Second, Spans};
use crate::base::Nanos;
use hdrhistogram::Histogram;
use std::sync::Arc;

/// The most slots that are kept.
const SLOTS: usize = 600;

/// A run's seconds in slots of equal length. Once there are too many slots, each two neighbours become one: so the
/// memory is that of 600 slots, 10 to 25 KiB each by the longest latency, and 40 bytes a target.
#[derive(Debug)]
pub struct Timeline {
    /// A power of two.
    seconds: u64,
    slots: Vec<Slot>,
}

/// What came due, left and was done in some consecutive seconds.
#[derive(Debug)]
pub struct Slot {
    /// What the schedule asked for, in requests.
    asked: f64,
    seconds: u64,
    pub scheduled: u64,
    pub dropped: u64,
    pub targets: Vec<OutcomeCounts>,
    pub latency: Coarse,
    pub send_lag: Coarse,
}

/// A distribution of time spans to two significant digits, in a fifteenth of the memory of [`Spans`].
#[derive(Debug)]
pub struct Coarse(Histogram<u32>);

impl Default for Timeline {
    fn default() -> Self {
        Timeline {
            seconds: 1,
            slots: Vec::new(),
        }
    }
}

impl Timeline {
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
            Some(slot) => slot.add(&Slot::of(second)),
            None => self.slots.push(Slot::of(second)),
        }
    }

    /// Of one slot; the last may be shorter.
    pub fn length(&self) -> Nanos {
        Nanos(self.seconds * 1_000_000_000)
    }

    pub fn slots(&self) -> &[Slot] {
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

impl PerSecond for Timeline {
    fn second(&mut self, second: &Arc<Second>) {
        self.add(second);
    }
}

impl Slot {
    fn of(second: &Second) -> Slot {
        Slot {
            asked: second.asked,
            seconds: 1,
            scheduled: second.scheduled,
            dropped: second.dropped,
            targets: second.targets.clone(),
            latency: Coarse::of(&second.latency),
            send_lag: Coarse::of(&second.send_lag),
        }
    }

    fn add(&mut self, other: &Slot) {
        self.asked += other.asked;
        self.seconds += other.seconds;
        self.scheduled += other.scheduled;
        self.dropped += other.dropped;
        for (target, other) in self.targets.iter_mut().zip(&other.targets) {
            *target += other;
        }
        self.latency.add(&other.latency);
        self.send_lag.add(&other.send_lag);
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

impl Coarse {
    fn of(spans: &Spans) -> Coarse {
        // Cannot fail: 2 digits are within the histogram's 0 to 5.
        let mut coarse = Histogram::new(2).expect("a valid precision");
        for (span, count) in spans.recorded() {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            // Cannot fail: the histogram resizes itself as `Spans` does, up to the same limit.
            coarse
                .record_n(span.0, count)
                .expect("a span within the limit");
        }
        Coarse(coarse)
    }

    fn add(&mut self, other: &Coarse) {
        // Cannot fail: it resizes itself.
        self.0.add(&other.0).expect("a histogram that grows");
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn max(&self) -> Nanos {
        Nanos(self.0.max())
    }

    /// The smallest span that at least this share (0 to 1) of all spans do not exceed.
    pub fn quantile(&self, share: f64) -> Nanos {
        match self.0.len() {
            0 => Nanos::ZERO,
            _ => Nanos(self.0.value_at_quantile(share)),
        }
    }

    /// Each span that was recorded, with how often, rising.
    pub fn recorded(&self) -> impl Iterator<Item = (Nanos, u64)> {
        let values = self.0.iter_recorded();
        values.map(|value| {
            (
                Nanos(value.value_iterated_to()),
                value.count_at_value().into(),
            )
        })
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
            let mut timeline = Timeline::default();
            (0..seconds).for_each(|number| timeline.add(&second(number, number % 3)));
            let slots = timeline.slots();
            prop_assert!(slots.len() <= SLOTS);
            let sum = |what: fn(&Slot) -> u64| slots.iter().map(what).sum::<u64>();
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
    fn spans_are_kept_to_two_digits() {
        let mut exact = Spans::default();
        for span in [123, 45_678, 9_876_543_210] {
            exact.record(Nanos(span));
        }
        let coarse = Coarse::of(&exact);
        for (share, span) in [(0.3, 123u64), (0.6, 45_678), (1.0, 9_876_543_210)] {
            let seen = coarse.quantile(share).0;
            assert!(seen.abs_diff(span) * 100 <= span, "{seen} for {span}");
        }
    }
}
