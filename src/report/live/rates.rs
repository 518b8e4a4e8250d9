use crate::base::{Ledger, Nanos};
use std::collections::VecDeque;

/// The number of seconds that are kept.
const KEPT_SECONDS: usize = 600;

/// The longest time over which the current rate of sending is a mean.
const RECENT: Nanos = Nanos(5_000_000_000);

const SECOND: u64 = 1_000_000_000;

/// Counts for each second of the last minutes, from totals at any instants. Whatever happened between two instants is
/// spread evenly over the time between them.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    seconds: VecDeque<Counts>,
    /// The number of the second after the last.
    end: u64,
    last: Option<(Nanos, Ledger)>,
    /// The latest instants, with how many had been sent by them.
    sent: VecDeque<(Nanos, u64)>,
}

/// Counts within a span of time, or rates per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// The length, in seconds, of the time that is known.
    pub span: f64,
    pub due: f64,
    pub allowed: f64,
    pub blocked: f64,
    pub failed: f64,
}

impl Counts {
    fn add(&mut self, other: &Counts, share: f64) {
        self.span += other.span * share;
        self.due += other.due * share;
        self.allowed += other.allowed * share;
        self.blocked += other.blocked * share;
        self.failed += other.failed * share;
    }

    /// Rates per second. The span must not be zero.
    fn rates(&self) -> Counts {
        let mut rates = Counts::default();
        rates.add(self, 1.0 / self.span);
        rates
    }

    pub fn answered(&self) -> f64 {
        self.allowed + self.blocked + self.failed
    }
}

impl Rates {
    /// Adds the totals at `at`, which is ignored if it is no later than the instant before.
    pub fn add(&mut self, at: Nanos, totals: &Ledger) {
        let (since, before) = self.last.unwrap_or((Nanos::ZERO, Ledger::default()));
        if at <= since {
            return;
        }
        self.last = Some((at, *totals));
        self.sent.push_back((at, totals.sent));
        while self.sent.len() > 2 && self.sent[1].0 + RECENT <= at {
            self.sent.pop_front();
        }
        let more = |now: u64, before: u64| now.saturating_sub(before) as f64;
        let happened = Counts {
            span: (at - since).as_secs_f64(),
            due: more(totals.scheduled, before.scheduled),
            allowed: more(totals.allowed, before.allowed),
            blocked: more(totals.blocked, before.blocked),
            failed: more(totals.failed, before.failed),
        };
        let last = at.0.div_ceil(SECOND);
        // Older seconds would be dropped at once.
        let first = (since.0 / SECOND).max(last.saturating_sub(KEPT_SECONDS as u64));
        for number in first..last {
            let from = since.0.max(number * SECOND);
            let to = at.0.min((number + 1) * SECOND);
            let share = to.saturating_sub(from) as f64 / (at - since).0 as f64;
            self.second(number).add(&happened, share);
        }
    }

    fn second(&mut self, number: u64) -> &mut Counts {
        if number > self.end + KEPT_SECONDS as u64 {
            self.seconds.clear();
            self.end = number;
        }
        while self.end <= number {
            self.seconds.push_back(Counts::default());
            self.end += 1;
        }
        while self.seconds.len() > KEPT_SECONDS {
            self.seconds.pop_front();
        }
        let place = self.seconds.len() as u64 - (self.end - number);
        &mut self.seconds[place as usize]
    }

    /// The current rate of sending, per second: the mean of the last second, or of as many more, up to `RECENT`, as it
    /// takes for ten requests.
    pub fn sent_lately(&self) -> f64 {
        let Some((to, after)) = self.sent.back() else {
            return 0.0;
        };
        let since = |(from, before): &(Nanos, u64)| (*to - *from, after.saturating_sub(*before));
        let mut spans = self.sent.iter().rev().map(since);
        let enough = spans.find(|(span, sent)| span.0 >= SECOND && *sent >= 10);
        let start = (Nanos::ZERO, 0);
        let longest = self.sent.front().filter(|_| self.sent.len() > 1);
        let (span, sent) = enough.unwrap_or_else(|| since(longest.unwrap_or(&start)));
        sent as f64 / span.as_secs_f64()
    }

    /// The rates of at most `room` equal parts of the last five minutes. Each part is as short as `room` allows, a whole
    /// number of seconds. Parts begin at multiples of their length, so a part does not change once it is over.
    pub fn parts(&self, room: usize) -> Parts {
        let remembered = self.seconds.len().min(300) as u64;
        let room = room.max(1) as u64;
        let steps = [1, 2, 5, 10, 15, 30, 60];
        let step = steps
            .into_iter()
            .find(|step| (room - 1).max(1) * step >= remembered);
        let step = step.unwrap_or(remembered.div_ceil(room).max(1));
        let last = self.end.div_ceil(step);
        let first = last.saturating_sub(room);
        let begun = self.end - self.seconds.len() as u64;
        let mut rates = Vec::new();
        for part in first..last {
            let mut sum = Counts::default();
            for number in (part * step).max(begun)..((part + 1) * step).min(self.end) {
                sum.add(&self.seconds[(number - begun) as usize], 1.0);
            }
            // The rate of a shorter time would be mostly chance.
            rates.push((sum.span >= 0.5).then(|| sum.rates()));
        }
        Parts {
            step,
            from: first * step,
            rates,
        }
    }
}

/// The result of [`Rates::parts`].
#[derive(Debug, PartialEq)]
pub struct Parts {
    /// The length of each part, in seconds.
    pub step: u64,
    /// The start of the first part, in seconds since the start of the run.
    pub from: u64,
    /// `None` for a part without any data.
    pub rates: Vec<Option<Counts>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(due: u64, allowed: u64, blocked: u64) -> Ledger {
        Ledger {
            scheduled: due,
            sent: allowed + blocked,
            allowed,
            blocked,
            ..Ledger::default()
        }
    }

    /// Rates of a steady 10/s, added every `step` milliseconds.
    fn steady(step: u64, looks: u64) -> Rates {
        let mut rates = Rates::default();
        for look in 1..=looks {
            let millis = look * step;
            rates.add(
                Nanos(millis * 1_000_000),
                &ledger(millis / 100, millis / 100, 0),
            );
        }
        rates
    }

    #[test]
    fn a_steady_rate_is_level_for_any_interval_of_snapshots() {
        for (step, looks) in [(250, 160), (300, 133), (1_700, 20), (40_000, 1)] {
            let parts = steady(step, looks).parts(60);
            assert_eq!((parts.step, parts.from), (1, 0), "every {step} ms");
            for rates in parts.rates.iter().flatten() {
                assert!(
                    (rates.allowed - 10.0).abs() < 1.5,
                    "every {step} ms: {rates:?}"
                );
            }
            assert!(parts.rates.iter().flatten().count() >= 34);
        }
    }

    #[test]
    fn past_parts_do_not_change_and_longer_runs_have_longer_parts() {
        let (earlier, later) = (steady(250, 4 * 95).parts(50), steady(250, 4 * 97).parts(50));
        assert_eq!((earlier.step, later.step), (2, 2));
        assert_eq!(earlier.rates[..47], later.rates[..47]);
        let long = steady(1_000, 5_000).parts(70);
        assert_eq!(long.step, 5);
        assert!(long.rates.len() <= 70 && long.rates.iter().all(Option::is_some));
        assert_eq!(long.from + 70 * 5, 5_000);
    }

    #[test]
    fn memory_is_bounded_after_a_day_without_snapshots() {
        let mut rates = steady(250, 40);
        rates.add(Nanos(86_400 * SECOND), &ledger(864_000, 864_000, 0));
        rates.add(Nanos(86_401 * SECOND), &ledger(864_010, 864_010, 0));
        assert!(rates.seconds.len() <= KEPT_SECONDS && rates.sent.len() < 25);
        let parts = rates.parts(80);
        let last = parts.rates.last().unwrap().unwrap();
        assert!((last.allowed - 10.0).abs() < 0.1, "{last:?}");
    }

    #[test]
    fn the_current_rate_is_the_mean_of_more_seconds_if_it_is_low() {
        let sent_lately = |rate_before: u64, rate: u64| {
            let mut rates = Rates::default();
            for quarter in 1..=80u64 {
                let before = quarter.min(60) * rate_before / 4;
                let sent = before + quarter.saturating_sub(60) * rate / 4;
                rates.add(Nanos(quarter * SECOND / 4), &ledger(sent, sent, 0));
            }
            assert!(rates.sent.len() < 25);
            rates.sent_lately()
        };
        assert_eq!(sent_lately(50, 12), 12.0);
        assert_eq!(sent_lately(10, 50), 50.0);
        assert_eq!(sent_lately(1, 1), 1.0);
        assert_eq!(sent_lately(1, 0), 0.0);
    }

    #[test]
    fn totals_of_the_same_instant_count_once() {
        let mut rates = Rates::default();
        (0..3).for_each(|_| rates.add(Nanos(SECOND), &ledger(10, 10, 0)));
        rates.add(Nanos(0), &ledger(0, 0, 0));
        assert_eq!(
            rates.parts(10).rates,
            [Some(Counts {
                span: 1.0,
                due: 10.0,
                allowed: 10.0,
                ..Counts::default()
            })]
        );
        assert_eq!(rates.sent_lately(), 10.0);
    }

    #[test]
    fn parts_fit_into_any_room() {
        for room in [0, 1, 2, 3, 10_000] {
            for looks in [0, 1, 4_000] {
                let parts = steady(250, looks).parts(room);
                assert!(parts.rates.len() <= room.max(1));
            }
        }
    }
}
