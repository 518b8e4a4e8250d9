//! The due times of a replay.

use super::{Entry, RecordedRequests, Speed};
use crate::base::Nanos;
use std::sync::Arc;

/// Recorded requests, sent at the recorded instants divided by a speed.
///
/// With n requests at the times `at` since the first, round q of a loop has the requests q·n to q·n + n − 1:
///
/// ```text
/// due(q·n + i) = q·P + ⌈at(i) / speed⌉          P = ⌈(at(n−1) + at(n−1) / (n−1)) / speed⌉
/// ```
///
/// So a round begins one mean gap after the last request of the round before.
#[derive(Debug, Clone)]
pub struct Replay {
    pub requests: Arc<RecordedRequests>,
    pub speed: Speed,
    /// The time from one round's start to the next; `None` if there is one round.
    period: Option<Nanos>,
    /// The due time of the last request of the first round.
    length: Nanos,
}

/// A replay that can't be scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReplay {
    #[error("at this speed, it takes more than 584 years")]
    TooLong,
    #[error("it needs requests at two different instants to be repeated")]
    NoPeriod,
    #[error("repeated, it has more than a request per nanosecond")]
    TooDense,
}

impl Replay {
    /// # Errors
    /// Times are too long for this speed, or a loop would have no length.
    pub fn new(
        requests: Arc<RecordedRequests>,
        speed: Speed,
        loops: bool,
    ) -> Result<Replay, NoReplay> {
        let recorded = u128::from(requests.length.0);
        let length = speed.scale(recorded).ok_or(NoReplay::TooLong)?;
        let period = if loops {
            if recorded == 0 {
                return Err(NoReplay::NoPeriod);
            }
            let mean_gap = recorded.div_ceil(u128::from(requests.count - 1));
            let period = speed.scale(recorded + mean_gap).ok_or(NoReplay::TooLong)?;
            if requests.count > period.0 {
                return Err(NoReplay::TooDense);
            }
            Some(period)
        } else {
            None
        };
        Ok(Replay {
            requests,
            speed,
            period,
            length,
        })
    }

    /// The time from one round's start to the next; `None` if the recording is sent once.
    pub fn period(&self) -> Option<Nanos> {
        self.period
    }

    /// The due time of the last request of the first round.
    pub fn length(&self) -> Nanos {
        self.length
    }

    /// The number of requests of each round.
    pub fn count(&self) -> u64 {
        self.requests.count
    }

    /// The mean rate of a round, in requests per second; 0 if all requests come at once.
    pub fn mean_rate(&self) -> f64 {
        match self.period.unwrap_or(self.length) {
            Nanos::ZERO => 0.0,
            time => self.count() as f64 / time.as_secs_f64(),
        }
    }

    /// The due times, fastest if they are taken more or less in order.
    pub fn walk(&self) -> Walk<'_> {
        Walk {
            replay: self,
            block: Vec::new(),
            first: 0,
            last_found: 0,
        }
    }

    /// The round of a request, and its number in it. `None` if that round never comes.
    fn round(&self, number: u64) -> Option<(u64, u64)> {
        let (round, within) = (number / self.count(), number % self.count());
        (round == 0 || self.period.is_some()).then_some((round, within))
    }
}

/// See [`Replay::walk`].
#[derive(Debug)]
pub struct Walk<'a> {
    replay: &'a Replay,
    /// Entries in order, of which the first has the number `first`.
    block: Vec<Entry>,
    first: u64,
    /// The result of the last search, near which the next one begins.
    last_found: u64,
}

/// The number of entries that are read together.
const BLOCK: u64 = 512;

impl Walk<'_> {
    /// The due time of the request with this number. `None` if there is none, or if the store can't be read, which it then
    /// reports.
    pub fn due(&mut self, number: u64) -> Option<Nanos> {
        let (round, within) = self.replay.round(number)?;
        let is_known = within >= self.first && within - self.first < self.block.len() as u64;
        if !is_known {
            self.read_block(within)?;
        }
        self.due_of(round, self.block[(within - self.first) as usize])
    }

    /// The number of requests that are due by `at`, including those due at that instant. Requests that can't be read any more
    /// count as evenly spread, so that time still leads to the end of a schedule; the store reports the failure.
    pub fn due_by(&mut self, at: Nanos) -> u64 {
        let is_due = |walk: &mut Self, number| {
            let due = walk.due_once(number);
            due.is_some_and(|due| due <= at)
        };
        // Steps that double lead from the last result to numbers on both sides of the new one.
        let (mut low, mut high) = (self.last_found, self.last_found);
        let mut step = 1;
        while is_due(self, high) {
            low = high + 1;
            high = high.saturating_add(step);
            step *= 2;
        }
        step = 1;
        while low > 0 && !is_due(self, low - 1) {
            high = low - 1;
            low = low.saturating_sub(step);
            step *= 2;
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_due(self, middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.last_found = low;
        low
    }

    /// The same as [`due`](Self::due), without reading the entries around this one.
    fn due_once(&mut self, number: u64) -> Option<Nanos> {
        let (round, within) = self.replay.round(number)?;
        let known = within.checked_sub(self.first);
        let known = known.and_then(|place| self.block.get(usize::try_from(place).ok()?));
        let entry = match known {
            Some(entry) => *entry,
            None => {
                let entry = self.replay.requests.entry(within);
                entry.unwrap_or_else(|_| self.estimate(within))
            }
        };
        self.due_of(round, entry)
    }

    /// An entry at the instant that it has if all gaps are equal.
    fn estimate(&self, within: u64) -> Entry {
        let requests = &self.replay.requests;
        let gaps = u128::from((requests.count - 1).max(1));
        let at = u128::from(requests.length.0) * u128::from(within) / gaps;
        Entry {
            at: Nanos(at as u64),
            ..Entry::default()
        }
    }

    fn due_of(&self, round: u64, entry: Entry) -> Option<Nanos> {
        let begin = self
            .replay
            .period
            .unwrap_or_default()
            .0
            .checked_mul(round)?;
        let within = self.replay.speed.scale(entry.at.0.into())?;
        Nanos(begin).checked_add(within)
    }

    fn read_block(&mut self, within: u64) -> Option<()> {
        self.block.clear();
        self.first = within - within % BLOCK;
        let length = BLOCK.min(self.replay.count() - self.first);
        let mut block = std::mem::take(&mut self.block);
        block.resize(length as usize, Entry::default());
        let read = self.replay.requests.store.entries(self.first, &mut block);
        if read.is_err() {
            block.clear();
        }
        self.block = block;
        read.ok()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::super::{RecordedKeys, RecordedRequests, Store, StoreFailed};
    use super::*;

    /// Entries in memory, of requests that have nothing of their own.
    #[derive(Debug)]
    pub struct Kept(pub Vec<Entry>);

    impl Store for Kept {
        fn entries(&self, first: u64, into: &mut [Entry]) -> Result<(), StoreFailed> {
            let first = first as usize;
            let entries = self.0.get(first..first + into.len());
            into.copy_from_slice(entries.ok_or(StoreFailed)?);
            Ok(())
        }

        fn content(&self, _: u64, into: &mut Vec<u8>) -> Result<(), StoreFailed> {
            into.clear();
            super::super::ContentParts::default().write(into);
            Ok(())
        }

        fn failure(&self) -> Option<String> {
            None
        }
    }

    /// A recording of requests at these instants since the first, in order.
    pub fn recorded(at: &[u64]) -> RecordedRequests {
        let entry = |at: &u64| Entry {
            at: Nanos(*at),
            ..Entry::default()
        };
        RecordedRequests {
            store: Arc::new(Kept(at.iter().map(entry).collect())),
            name: "test.jsonl".to_owned(),
            count: at.len() as u64,
            length: Nanos(*at.last().expect("a request")),
            most_in_a_second: at.len() as u64,
            unreadable: 0,
            is_spread: false,
            keys: RecordedKeys::None,
            longest_line: 0,
            without_method: at.len() as u64,
            without_path: at.len() as u64,
            time_columns: Vec::new(),
            unread_columns: Vec::new(),
            hiding_key: 0,
            told_apart_by: None,
            alike: None,
            replace_bodies: false,
            digest: 0,
            header_names: Vec::new(),
            spelled: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::recorded;
    use super::*;
    use proptest::prelude::*;

    fn replay(at: &[u64], speed: &str, loops: bool) -> Replay {
        Replay::new(Arc::new(recorded(at)), speed.parse().unwrap(), loops).unwrap()
    }

    fn instants() -> impl Strategy<Value = Vec<u64>> {
        let gap = prop_oneof![Just(0u64), 0..10u64, 0..5_000_000_000u64];
        prop::collection::vec(gap, 0..2_000).prop_map(|gaps| {
            let mut at = 0;
            let later = gaps.into_iter().map(|gap| {
                at += gap;
                at
            });
            std::iter::once(0)
                .chain(later.collect::<Vec<_>>())
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn requests_are_due_at_their_instants_divided_by_the_speed(
            at in instants(), speed in 1u64..1_000_000, number in any::<prop::sample::Index>()
        ) {
            let text = format!("{}.{:03}x", speed / 1_000, speed % 1_000);
            let replay = replay(&at, &text, false);
            let mut walk = replay.walk();
            for place in [number.index(at.len()), 0, at.len() - 1] {
                let exact = at[place] as f64 / (speed as f64 / 1e3);
                let due = walk.due(place as u64).unwrap().0;
                prop_assert_eq!(u128::from(due), (u128::from(at[place]) * 1_000).div_ceil(speed.into()));
                prop_assert!((due as f64 - exact).abs() <= 1.0 + exact * 1e-12);
            }
            prop_assert_eq!(walk.due(at.len() as u64), None);
        }

        #[test]
        fn what_is_due_by_an_instant_is_what_is_not_due_later(
            at in instants(), loops: bool, probes in prop::collection::vec(0..20_000_000_000_000u64, 1..20)
        ) {
            prop_assume!(!loops || *at.last().unwrap() > 0);
            let replay = replay(&at, "1.5x", loops);
            let (mut one, mut other) = (replay.walk(), replay.walk());
            for probe in probes {
                let due_by = one.due_by(Nanos(probe));
                prop_assert!(other.due(due_by).is_none_or(|due| due.0 > probe));
                prop_assert!(due_by == 0 || other.due(due_by - 1).unwrap().0 <= probe);
                prop_assert_eq!(replay.walk().due_by(Nanos(probe)), due_by);
            }
        }

        #[test]
        fn a_loop_repeats_the_gaps_after_one_mean_gap(at in instants(), rounds in 1u64..5) {
            let last = *at.last().unwrap();
            prop_assume!(last > 0);
            let replay = replay(&at, "1x", true);
            let mut walk = replay.walk();
            let n = at.len() as u64;
            let period = last + last.div_ceil(n - 1);
            for (place, at) in at.iter().enumerate() {
                prop_assert_eq!(walk.due(rounds * n + place as u64), Some(Nanos(rounds * period + at)));
            }
        }
    }

    #[test]
    fn what_is_due_grows_to_all_requests_even_if_they_can_not_be_read() {
        for loops in [false, true] {
            let mut recorded = recorded(&[0, 10, 20, 900, 1_000]);
            recorded.store = Arc::new(testing::Kept(Vec::new()));
            let replay = Replay::new(Arc::new(recorded), Speed::ONE, loops).unwrap();
            assert_eq!(replay.walk().due(1), None);
            let mut walk = replay.walk();
            let due = [0, 249, 250, 999, 1_000, 2_000].map(|at| walk.due_by(Nanos(at)));
            let last = if loops { 9 } else { 5 };
            assert_eq!(due, [1, 1, 2, 4, 5, last]);
        }
    }

    #[test]
    fn a_loop_needs_a_length_and_a_run_an_end_within_the_clock() {
        let one = |at: &[u64], speed: &str, loops| {
            Replay::new(Arc::new(recorded(at)), speed.parse().unwrap(), loops).err()
        };
        assert_eq!(one(&[0, 0], "1x", true), Some(NoReplay::NoPeriod));
        assert_eq!(one(&[0], "1x", true), Some(NoReplay::NoPeriod));
        assert_eq!(one(&[0], "1x", false), None);
        assert_eq!(
            one(&[0, u64::MAX / 2], "0.001x", false),
            Some(NoReplay::TooLong)
        );
        assert_eq!(one(&[0, u64::MAX / 2], "1x", false), None);
    }
}
