//! A run's requests, by the phase of the schedule in which they were due.

use super::{Failures, Histogram};
use crate::base::{FailureCause, Ledger, Mode, Nanos, Sample};
use crate::core::schedule::{Phase, Schedule};
use crate::core::stripe::Stripe;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Range;

/// How many phases may have requests that are not done yet. With the shortest bursts, a millisecond apart, these are the
/// phases of half a minute. Requests of an older phase count in the oldest of these.
const MAX_OPEN: usize = 1 << 16;

/// How many stretches are listed.
const MAX_STRETCHES: usize = 1_000;

/// Counts a run's requests by phase while it goes on. A request belongs to a phase by its number, which tells
/// phases apart even if they begin at the same instant.
pub struct PhaseTracker<'a> {
    /// The phases that have not begun, each with the number of its tokens, if it ends.
    upcoming: Box<dyn Iterator<Item = (Phase, Option<u64>)> + Send + 'a>,
    stripe: Stripe,
    /// The phases that have begun and may still get requests, in order and without a gap.
    open: VecDeque<OpenPhase>,
    results: PhaseTallies,
}

struct OpenPhase {
    start: Nanos,
    end: Nanos,
    /// The places of its requests in the stripe.
    tokens: Range<u64>,
    /// The index of its tally.
    tally: usize,
}

/// The requests of a run by phase.
#[derive(Debug, Default)]
pub struct PhaseTallies {
    /// One tally for all phases of the same name, in the order of their first start.
    pub tallies: Vec<PhaseTally>,
    /// The phases in order; empty if there were more than 1,000.
    pub stretches: Vec<Stretch>,
}

/// All phases of a run that have the same name.
#[derive(Debug)]
pub struct PhaseTally {
    /// Such as `burst 50/s`.
    pub name: String,
    pub mode: Mode,
    /// How many of them began.
    pub times: u64,
    /// Their total length, as far as the run went.
    pub length: Nanos,
    pub ledger: Ledger,
    pub failures: Failures,
    /// The allowed requests of which the answers say that the limiter fails open.
    pub failing_open: u64,
    pub latency: Histogram,
    pub service_time: Histogram,
}

/// One phase of the schedule, as far as the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stretch {
    /// The index of its phase among the summary's phases.
    pub phase: usize,
    /// How the rate behaved.
    pub mode: Mode,
    /// When it began, in nanoseconds since the schedule's start.
    #[serde(rename = "from_ns")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub from: Nanos,
    /// When it ended, in nanoseconds since the schedule's start.
    #[serde(rename = "to_ns")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub to: Nanos,
}

impl<'a> PhaseTracker<'a> {
    pub fn new(schedule: &'a Schedule) -> Self {
        PhaseTracker {
            upcoming: Box::new(schedule.phases_with_tokens()),
            stripe: schedule.stripe(),
            open: VecDeque::new(),
            results: PhaseTallies::default(),
        }
    }

    /// Returns the place of the phase's tally.
    pub fn add(&mut self, sample: &Sample) -> Option<usize> {
        let tally = self.phase_of(self.stripe.before(sample.sequence))?.tally;
        self.results.tallies[tally].add(sample);
        Some(tally)
    }

    pub fn add_dropped(&mut self, mut tokens: Range<u64>) {
        while !tokens.is_empty()
            && let Some(phase) = self.phase_of(tokens.start)
        {
            let end = phase.tokens.end.clamp(tokens.start + 1, tokens.end);
            let tally = phase.tally;
            self.results.tallies[tally].ledger.dropped += end - tokens.start;
            tokens.start = end;
        }
    }

    /// Ends a run that was paced for this long and had `scheduled` requests in all.
    pub fn finish(mut self, paced: Nanos, scheduled: u64) -> PhaseTallies {
        let was_reached = |phase: &Phase| {
            let is_instant = phase.length() == Some(Nanos::ZERO);
            phase.start < paced || is_instant && phase.start <= paced
        };
        while let Some((phase, tokens)) = self.upcoming.next()
            && was_reached(&phase)
        {
            self.begin(&phase, tokens);
        }
        while let Some(phase) = self.open.pop_front() {
            self.close(&phase, paced, scheduled);
        }
        let PhaseTallies { tallies, stretches } = &mut self.results;
        for PhaseTally { ledger, .. } in tallies {
            let accounted = ledger.sent + ledger.dropped;
            ledger.unsent = ledger.scheduled.saturating_sub(accounted);
        }
        if stretches.len() > MAX_STRETCHES {
            stretches.clear();
        }
        for stretch in stretches {
            stretch.to = stretch.to.min(paced).max(stretch.from);
        }
        self.results
    }

    /// The open phase of the request at this place in the stripe: the oldest, if its own was closed; the last, if it is past
    /// the schedule's end.
    fn phase_of(&mut self, request: u64) -> Option<&OpenPhase> {
        let is_before = |phase: &OpenPhase| phase.tokens.end <= request;
        while self.open.back().is_none_or(is_before)
            && let Some((phase, tokens)) = self.upcoming.next()
        {
            self.begin(&phase, tokens);
        }
        let place = self.open.partition_point(is_before);
        self.open.get(place).or(self.open.back())
    }

    fn begin(&mut self, phase: &Phase, tokens: Option<u64>) {
        let PhaseTallies { tallies, stretches } = &mut self.results;
        let name = phase.name();
        let has_name = |tally: &PhaseTally| tally.name == name;
        let tally = tallies.iter().position(has_name).unwrap_or_else(|| {
            tallies.push(PhaseTally::new(phase));
            tallies.len() - 1
        });
        let end = phase.end().unwrap_or(Nanos::MAX);
        // One more than are listed shows that there were too many.
        if stretches.len() <= MAX_STRETCHES {
            stretches.push(Stretch {
                phase: tally,
                mode: phase.mode(),
                from: phase.start,
                to: end,
            });
        }
        let first = self.open.back().map_or(0, |last| last.tokens.end);
        let after_last = tokens.map_or(u64::MAX, |tokens| first.saturating_add(tokens));
        self.open.push_back(OpenPhase {
            start: phase.start,
            end,
            tokens: first..after_last,
            tally,
        });
        if self.open.len() > MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.close(&oldest, Nanos::MAX, u64::MAX);
        }
    }

    fn close(&mut self, phase: &OpenPhase, paced: Nanos, scheduled: u64) {
        let tally = &mut self.results.tallies[phase.tally];
        let Range { start, end } = phase.tokens;
        tally.ledger.scheduled += end.min(scheduled).saturating_sub(start);
        tally.times += 1;
        tally.length = tally.length + phase.end.min(paced).saturating_sub(phase.start);
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
            failures: Failures::default(),
            failing_open: 0,
            latency: Histogram::default(),
            service_time: Histogram::default(),
        }
    }

    fn add(&mut self, sample: &Sample) {
        self.ledger.count_sent(sample.answer.outcome);
        if let Some(cause) = FailureCause::of(&sample.answer) {
            self.failures.add(cause);
        }
        self.failing_open += u64::from(sample.answer.failing_open);
        if let Some(latency) = sample.latency() {
            self.latency.record(latency);
        }
        if let Some(service_time) = sample.service_time() {
            self.service_time.record(service_time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Answer, KeyId, Moment, Outcome};
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
            waited_for_target: false,
            answer: Answer::new(due + Nanos(1_000), due + Nanos(3_000), Outcome::Allowed),
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
            let mut schedule = bursts(40);
            if poisson {
                schedule = schedule.with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(3))));
            }
            let mut phases = PhaseTracker::new(&schedule);
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
            phases.add_dropped(dropped.start.min(all)..dropped.end.min(all));
            let results = phases.finish(Nanos(40 * SECOND), all);
            for (tally, expected) in results.tallies.iter().zip(expected) {
                prop_assert_eq!(tally.ledger, expected);
                prop_assert_eq!(tally.latency.count(), expected.sent);
            }
        }
    }

    #[test]
    fn requests_at_once_are_a_phase_of_their_own() {
        let profile: Profile = "2/s for 1s, burst 5 at once, 2/s for 1s".parse().unwrap();
        let schedule = Schedule::new(profile, None);
        let mut phases = PhaseTracker::new(&schedule);
        for sequence in 0..9 {
            phases.add(&sample(sequence, schedule.due(sequence).unwrap()));
        }
        let results = phases.finish(Nanos(2 * SECOND), 9);
        let tallies = results.tallies.iter();
        let seen =
            tallies.map(|tally| (&*tally.name, tally.times, tally.ledger.sent, tally.length));
        let expected = [
            ("steady 2/s", 2, 4, Nanos(2 * SECOND)),
            ("burst 5 at once", 1, 5, Nanos::ZERO),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        let stretches = results.stretches.iter().map(|stretch| stretch.phase);
        assert_eq!(stretches.collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn a_run_that_was_stopped_has_no_phases_after_its_end() {
        let schedule = bursts(40);
        let mut phases = PhaseTracker::new(&schedule);
        let sent = schedule.due_by(Nanos(SECOND * 6));
        for k in 0..sent - 4 {
            phases.add(&sample(k, schedule.due(k).unwrap()));
        }
        let results = phases.finish(Nanos(6 * SECOND), sent);
        let ledgers: Vec<_> = results.tallies.iter().map(|tally| tally.ledger).collect();
        let all: Ledger = ledgers.iter().copied().sum();
        assert_eq!((all.scheduled, all.unsent), (sent, 4));
        assert!(ledgers.iter().all(Ledger::balances), "{ledgers:?}");
        let lengths: Vec<_> = results.tallies.iter().map(|tally| tally.length).collect();
        assert_eq!(lengths, [Nanos(5 * SECOND), Nanos(SECOND)]);
        assert_eq!(results.stretches.last().unwrap().to, Nanos(6 * SECOND));
    }

    #[test]
    fn memory_is_bounded_with_any_number_of_phases() {
        let rate = |rps| Rate::per_second(rps).unwrap();
        let [length, interval] = [1, 2].map(|ms| Nanos(ms * 1_000_000));
        let profile = Bursts::new(rate(1_000.0), rate(2_000.0), length, interval);
        let schedule = Schedule::new(profile, None);
        let mut phases = PhaseTracker::new(&schedule);
        let last = 300_000;
        phases.add(&sample(last, schedule.due(last).unwrap()));
        assert!(phases.open.len() <= MAX_OPEN + 1);
        phases.add(&sample(0, Nanos::ZERO));
        let end = schedule.due(last).unwrap() + Nanos(1);
        let results = phases.finish(end, last + 1);
        assert_eq!(results.stretches, []);
        let all: Ledger = results.tallies.iter().map(|tally| tally.ledger).sum();
        assert_eq!((all.sent, all.scheduled), (2, last + 1));
    }
}
