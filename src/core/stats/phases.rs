//! A run's requests by what the schedule did when they were due.

use super::Histogram;
use crate::base::{Ledger, Mode, Nanos, Outcome, Sample};
use crate::core::schedule::{Phase, Schedule};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

/// How many stretches may have requests that are not done yet: with the shortest bursts, a millisecond apart, those of
/// half a minute. What belongs to an older one counts with the oldest of these.
const REMEMBERED: usize = 1 << 16;

/// How many stretches are listed.
const LISTED: usize = 1_000;

/// What is known of a run's phases, while it goes on. A request belongs to a phase by its number, so that it does even
/// where several come due at one instant.
pub struct Phases<'a> {
    ahead: Box<dyn Iterator<Item = (Phase, Option<u64>)> + Send + 'a>,
    /// Those begun whose requests may still come, in order, and without a gap.
    open: VecDeque<Open>,
    tallies: Vec<PhaseTally>,
    stretches: Vec<Stretch>,
}

/// One phase of the schedule, and the numbers of its requests.
#[derive(Debug)]
struct Open {
    phase: Phase,
    tokens: Range<u64>,
    tally: usize,
}

/// The phases of a run that do the same, together.
#[derive(Debug)]
pub struct PhaseTally {
    /// Such as `burst 50/s`.
    pub name: String,
    pub mode: Mode,
    /// How many there were.
    pub times: u64,
    /// How long they lasted together, as far as the run went.
    pub length: Nanos,
    pub ledger: Ledger,
    pub latency: Histogram,
    pub service_time: Histogram,
}

/// One phase of the schedule, as far as the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stretch {
    /// Its phase's place among the summary's.
    pub phase: usize,
    pub mode: Mode,
    /// Since the schedule's start.
    #[serde(rename = "from_ns")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub from: Nanos,
    #[serde(rename = "to_ns")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub to: Nanos,
}

/// What a run's phases came to.
#[derive(Debug, Default)]
pub struct PhaseTallies {
    /// In the order of their first start.
    pub tallies: Vec<PhaseTally>,
    /// In order; none if there were more than 1,000.
    pub stretches: Vec<Stretch>,
}

impl<'a> Phases<'a> {
    pub fn new(schedule: &'a Schedule) -> Self {
        Phases {
            ahead: Box::new(schedule.phases_with_tokens()),
            open: VecDeque::new(),
            tallies: Vec::new(),
            stretches: Vec::new(),
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        let Some(tally) = self.of(sample.sequence) else {
            return;
        };
        let ledger = &mut tally.ledger;
        ledger.sent += 1;
        match sample.answer.outcome {
            Outcome::Allowed => ledger.allowed += 1,
            Outcome::Blocked => ledger.blocked += 1,
            Outcome::Failed(_) => ledger.failed += 1,
            Outcome::Abandoned => {
                ledger.abandoned += 1;
                return;
            }
        }
        let answer = &sample.answer;
        tally.latency.record(answer.done.since(sample.due));
        if answer.transmitted {
            tally.service_time.record(answer.done.since(answer.sent));
        }
    }

    /// These were dropped.
    pub fn drop_tokens(&mut self, tokens: Range<u64>) {
        let mut next = tokens.start;
        while next < tokens.end {
            self.begin_up_to(next);
            let Some(open) = self.open_at(next) else {
                return;
            };
            let end = open.tokens.end.clamp(next + 1, tokens.end);
            let tally = open.tally;
            self.tallies[tally].ledger.dropped += end - next;
            next = end;
        }
    }

    /// Of a run that was paced for that long, and had `scheduled` requests in all.
    pub fn finish(mut self, paced: Nanos, scheduled: u64) -> PhaseTallies {
        while self.begin_next(|phase| {
            phase.start < paced || phase.length() == Some(Nanos::ZERO) && phase.start <= paced
        }) {}
        while let Some(open) = self.open.pop_front() {
            self.close(&open, paced, scheduled);
        }
        for tally in &mut self.tallies {
            let ledger = &mut tally.ledger;
            ledger.unsent = ledger
                .scheduled
                .saturating_sub(ledger.sent + ledger.dropped);
        }
        if self.stretches.len() > LISTED {
            self.stretches.clear();
        }
        for stretch in &mut self.stretches {
            stretch.to = stretch.to.min(paced).max(stretch.from);
        }
        PhaseTallies {
            tallies: self.tallies,
            stretches: self.stretches,
        }
    }

    fn of(&mut self, sequence: u64) -> Option<&mut PhaseTally> {
        self.begin_up_to(sequence);
        let tally = self.open_at(sequence)?.tally;
        self.tallies.get_mut(tally)
    }

    fn open_at(&self, sequence: u64) -> Option<&Open> {
        let place = self
            .open
            .partition_point(|open| open.tokens.end <= sequence);
        self.open.get(place).or(self.open.back())
    }

    /// Begins phases until one has this request.
    fn begin_up_to(&mut self, sequence: u64) {
        let has = |open: Option<&Open>| open.is_some_and(|open| sequence < open.tokens.end);
        while !has(self.open.back()) && self.begin_next(|_| true) {}
    }

    /// Begins the next phase, if there is one that is wanted.
    fn begin_next(&mut self, wanted: impl Fn(&Phase) -> bool) -> bool {
        let Some((phase, tokens)) = self.ahead.next().filter(|(phase, _)| wanted(phase)) else {
            return false;
        };
        let from = self.open.back().map_or(0, |open| open.tokens.end);
        let name = phase.name();
        let same = |tally: &PhaseTally| tally.name == name;
        let tally = self.tallies.iter().position(same).unwrap_or_else(|| {
            self.tallies.push(PhaseTally::new(&phase));
            self.tallies.len() - 1
        });
        if self.stretches.len() <= LISTED {
            self.stretches.push(Stretch {
                phase: tally,
                mode: phase.mode(),
                from: phase.start,
                to: phase.end().unwrap_or(Nanos::MAX),
            });
        }
        self.open.push_back(Open {
            phase,
            tokens: from..tokens.map_or(u64::MAX, |tokens| from.saturating_add(tokens)),
            tally,
        });
        if self.open.len() > REMEMBERED
            && let Some(oldest) = self.open.pop_front()
        {
            self.close(&oldest, Nanos::MAX, u64::MAX);
        }
        true
    }

    fn close(&mut self, open: &Open, paced: Nanos, scheduled: u64) {
        let tally = &mut self.tallies[open.tally];
        let Range { start, end } = open.tokens;
        tally.ledger.scheduled += end.min(scheduled).saturating_sub(start);
        tally.times += 1;
        let end = open.phase.end().unwrap_or(Nanos::MAX).min(paced);
        tally.length = tally.length + end.saturating_sub(open.phase.start);
    }
}

impl PhaseTally {
    fn new(phase: &Phase) -> Self {
        PhaseTally {
            name: phase.name(),
            mode: phase.mode(),
            times: 0,
            length: Nanos::ZERO,
            ledger: Ledger::default(),
            latency: Histogram::default(),
            service_time: Histogram::default(),
        }
    }
}

impl fmt::Debug for Phases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phases")
            .field("open", &self.open)
            .field("tallies", &self.tallies)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Answer, KeyId, Moment};
    use crate::core::schedule::{Arrivals, Bursts, Poisson, Profile, Rate};
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn sample(sequence: u64, due: Nanos) -> Sample {
        let due = Moment::at(due.0);
        Sample {
            sequence,
            key: KeyId(0),
            target: 0,
            due,
            answer: Answer {
                sent: due + Nanos(1_000),
                transmitted: true,
                done: due + Nanos(3_000),
                connecting: None,
                outcome: Outcome::Allowed,
            },
        }
    }

    fn bursts(seconds: u64) -> Schedule {
        let rate = |rps| Rate::per_second(rps).unwrap();
        let [length, interval] = [2, 5].map(|s| Nanos(s * SECOND));
        let profile = Bursts::new(rate(7.0), rate(31.0), length, interval);
        Schedule::new(profile, Some(Nanos(seconds * SECOND)))
    }

    proptest! {
        #[test]
        fn a_request_belongs_to_the_phase_in_which_it_was_due(
            order in Just((0..600u64).collect::<Vec<_>>()).prop_shuffle(),
            dropped in 0u64..600, drops in 0u64..200, poisson in any::<bool>()
        ) {
            let schedule = match poisson {
                true => bursts(40).with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(3)))),
                false => bursts(40),
            };
            let mut phases = Phases::new(&schedule);
            let dropped = dropped..dropped + drops;
            let mut expected = [Ledger::default(); 2];
            for sequence in order {
                let Some(due) = schedule.due(sequence) else { continue };
                let burst = schedule.phase(due).unwrap().mode() == Mode::Burst;
                let expected = &mut expected[usize::from(burst)];
                expected.scheduled += 1;
                if dropped.contains(&sequence) {
                    expected.dropped += 1;
                    continue;
                }
                expected.sent += 1;
                expected.allowed += 1;
                phases.add(&sample(sequence, due));
            }
            let all: u64 = expected.iter().map(|ledger| ledger.scheduled).sum();
            phases.drop_tokens(dropped.start.min(all)..dropped.end.min(all));
            let told = phases.finish(Nanos(40 * SECOND), all);
            for (tally, expected) in told.tallies.iter().zip(expected) {
                prop_assert_eq!(tally.ledger, expected);
                prop_assert_eq!(tally.latency.count(), expected.sent);
            }
        }
    }

    #[test]
    fn what_comes_at_once_is_a_phase_of_its_own() {
        let profile: Profile = "2/s for 1s, burst 5 at once, 2/s for 1s".parse().unwrap();
        let schedule = Schedule::new(profile, None);
        let mut phases = Phases::new(&schedule);
        for sequence in 0..9 {
            phases.add(&sample(sequence, schedule.due(sequence).unwrap()));
        }
        let told = phases.finish(Nanos(2 * SECOND), 9);
        let seen: Vec<_> = told
            .tallies
            .iter()
            .map(|tally| (&*tally.name, tally.times, tally.ledger.sent, tally.length))
            .collect();
        let expected = [
            ("steady 2/s", 2, 4, Nanos(2 * SECOND)),
            ("burst 5 at once", 1, 5, Nanos::ZERO),
        ];
        assert_eq!(seen, expected);
        let stretches: Vec<_> = told.stretches.iter().map(|stretch| stretch.phase).collect();
        assert_eq!(stretches, [0, 1, 0]);
    }

    #[test]
    fn a_run_that_was_stopped_has_no_phases_after_its_end() {
        let schedule = bursts(40);
        let mut phases = Phases::new(&schedule);
        let sent = schedule.due_by(Nanos(SECOND * 6));
        (0..sent - 4).for_each(|k| phases.add(&sample(k, schedule.due(k).unwrap())));
        let told = phases.finish(Nanos(6 * SECOND), sent);
        let ledgers: Vec<_> = told.tallies.iter().map(|tally| tally.ledger).collect();
        let all: Ledger = ledgers.iter().copied().sum();
        assert_eq!((all.scheduled, all.unsent), (sent, 4));
        assert!(ledgers.iter().all(Ledger::balances), "{ledgers:?}");
        let lengths: Vec<_> = told.tallies.iter().map(|tally| tally.length).collect();
        assert_eq!(lengths, [Nanos(5 * SECOND), Nanos(SECOND)]);
        assert_eq!(told.stretches.last().unwrap().to, Nanos(6 * SECOND));
    }

    #[test]
    fn however_many_phases_there_are_memory_is_bounded() {
        let rate = |rps| Rate::per_second(rps).unwrap();
        let [length, interval] = [1, 2].map(|ms| Nanos(ms * 1_000_000));
        let profile = Bursts::new(rate(1_000.0), rate(2_000.0), length, interval);
        let schedule = Schedule::new(profile, None);
        let mut phases = Phases::new(&schedule);
        let last = 300_000;
        phases.add(&sample(last, schedule.due(last).unwrap()));
        assert!(phases.open.len() <= REMEMBERED + 1);
        phases.add(&sample(0, Nanos::ZERO));
        let end = schedule.due(last).unwrap() + Nanos(1);
        let told = phases.finish(end, last + 1);
        assert_eq!(told.stretches, []);
        let all: Ledger = told.tallies.iter().map(|tally| tally.ledger).sum();
        assert_eq!((all.sent, all.scheduled), (2, last + 1));
    }
}
