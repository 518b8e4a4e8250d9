//! A run's samples, which come in any order, by the second in which things happened.

use super::{OutcomeCounts, Second};
use crate::base::{Moment, Nanos, Sample};
use crate::core::schedule::{Schedule, Tokens};
use std::collections::VecDeque;
use std::ops::Range;

const SECOND: Nanos = Nanos(1_000_000_000);

/// How many seconds may wait to become complete.
const MAX_INCOMPLETE: usize = 30;

/// Sorts samples and dropped tokens into [`Second`]s, and emits the seconds in order and without a gap, each as soon as it
/// is complete.
///
/// A slow request keeps the second in which it was due, and all later ones, incomplete. When more than `MAX_INCOMPLETE`
/// seconds wait, the oldest is emitted as it is. Later events that belong to an emitted second count in the oldest second
/// that still waits.
#[derive(Debug)]
pub struct Seconds<'a> {
    schedule: &'a Schedule,
    tokens: Tokens<'a>,
    targets: usize,
    start: Moment,
    watermark: Watermark,
    /// The seconds not emitted yet, in order and without a gap.
    incomplete: VecDeque<Incomplete>,
    /// The number of the second after those.
    next: u64,
    /// How many tokens the emitted seconds have counted as scheduled.
    scheduled: u64,
}

#[derive(Debug)]
struct Incomplete {
    second: Second,
    /// How many tokens are due before its end.
    due: u64,
}

/// The point up to which a running run is known. Instants are since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watermark {
    /// The instant at which the other fields were read.
    pub now: Nanos,
    /// All samples of requests sent before this instant have been added.
    pub samples_added: Nanos,
    /// How many tokens the pacer has handed over or dropped.
    pub handed_over: u64,
    /// When the run was stopped, if it was by `now`.
    pub stopped: Option<Nanos>,
}

impl<'a> Seconds<'a> {
    pub fn new(schedule: &'a Schedule, targets: usize, start: Moment) -> Self {
        Seconds {
            schedule,
            tokens: schedule.tokens(),
            targets,
            start,
            watermark: Watermark::default(),
            incomplete: VecDeque::with_capacity(MAX_INCOMPLETE),
            next: 0,
            scheduled: 0,
        }
    }

    pub fn add(&mut self, sample: &Sample, emit: &mut impl FnMut(Second)) {
        let answer = &sample.answer;
        let target = sample.target as usize;

        let second = self.second_of(answer.sent, emit);
        second.targets[target].sent += 1;
        second.send_lag.record(sample.send_lag());

        let second = self.second_of(answer.done.max(answer.sent), emit);
        second.targets[target].count(answer.outcome);
        if let Some(latency) = sample.latency() {
            second.latency.record(latency);
        }
        if let Some(service_time) = sample.service_time() {
            second.service_time.record(service_time);
        }
    }

    pub fn add_dropped(&mut self, mut tokens: Range<u64>, emit: &mut impl FnMut(Second)) {
        while !tokens.is_empty() {
            while self.last_due() <= tokens.start {
                self.begin_next(emit);
            }
            let mut seconds = self.incomplete.iter_mut();
            let second = seconds.find(|second| tokens.start < second.due);
            let second = second.expect("the last second, at least, ends later");
            let end = tokens.end.min(second.due);
            second.second.dropped += end - tokens.start;
            tokens.start = end;
        }
    }

    /// Emits the seconds that are complete by this watermark.
    pub fn advance(&mut self, watermark: Watermark, emit: &mut impl FnMut(Second)) {
        self.watermark = watermark;
        while SECOND * (self.next + 1) <= watermark.now {
            self.begin_next(emit);
        }
        while let Some(Incomplete { second, due }) = self.incomplete.front()
            && SECOND * (second.number + 1) <= watermark.samples_added
            && *due <= self.known_scheduled()
        {
            self.emit_oldest(*due, emit);
        }
    }

    /// Emits the remaining seconds, up to the end of pacing, `paced` after the start, or up to the last answer if that is
    /// later. `scheduled` is the ledger's total.
    pub fn finish(mut self, scheduled: u64, paced: Nanos, emit: &mut impl FnMut(Second)) {
        self.watermark.stopped = Some(paced);
        self.watermark.handed_over = scheduled;
        while SECOND * self.next < paced || self.incomplete.is_empty() && self.scheduled < scheduled
        {
            self.begin_next(emit);
        }
        while let Some(oldest) = self.incomplete.front() {
            // The last second has whatever no other has had.
            let is_last = self.incomplete.len() == 1;
            let due = if is_last { scheduled } else { oldest.due };
            self.emit_oldest(due.min(scheduled), emit);
        }
    }

    /// The second in which this instant lies, or the oldest that still waits if that one was emitted.
    fn second_of(&mut self, at: Moment, emit: &mut impl FnMut(Second)) -> &mut Second {
        let number = at.since(self.start).0 / SECOND.0;
        while self.next <= number || self.incomplete.is_empty() {
            self.begin_next(emit);
        }
        let oldest = self.next - self.incomplete.len() as u64;
        let place = number.saturating_sub(oldest) as usize;
        &mut self.incomplete[place].second
    }

    fn begin_next(&mut self, emit: &mut impl FnMut(Second)) {
        if self.incomplete.len() == MAX_INCOMPLETE {
            let due = self.incomplete[0].due.min(self.known_scheduled());
            self.emit_oldest(due, emit);
        }
        let number = self.next;
        self.next += 1;
        self.incomplete.push_back(Incomplete {
            second: Second {
                number,
                targets: vec![OutcomeCounts::default(); self.targets],
                ..Second::default()
            },
            due: self.tokens.due_by(last_instant_before(self.next)),
        });
    }

    /// How many tokens are due before the end of the last second that was begun.
    fn last_due(&self) -> u64 {
        self.incomplete.back().map_or(0, |second| second.due)
    }

    /// How many tokens are certainly scheduled: the pacer has handed them over, and no stop withdraws them.
    fn known_scheduled(&self) -> u64 {
        let known = &self.watermark;
        let due = self.schedule.due_by(known.stopped.unwrap_or(known.now));
        due.min(known.handed_over)
    }

    /// Emits the oldest second, with the tokens before number `due` that no earlier second has counted.
    fn emit_oldest(&mut self, due: u64, emit: &mut impl FnMut(Second)) {
        if let Some(Incomplete { mut second, .. }) = self.incomplete.pop_front() {
            second.scheduled = due.saturating_sub(self.scheduled);
            self.scheduled = self.scheduled.max(due);
            second.asked = self.asked(second.number);
            emit(second);
        }
    }

    /// The mean rate of the schedule in a second, up to a stop.
    fn asked(&self, number: u64) -> f64 {
        let stopped = self.watermark.stopped.unwrap_or(Nanos::MAX);
        let mean_before = |second| {
            self.schedule
                .mean_by(last_instant_before(second).min(stopped))
        };
        let mean = mean_before(number + 1);
        if number == 0 {
            // What is due at the very start counts, so this second is a nanosecond shorter.
            mean * (SECOND.0 as f64 / (SECOND.0 - 1) as f64)
        } else {
            mean - mean_before(number)
        }
    }
}

/// A token that is due at the end of a second belongs to the next one.
fn last_instant_before(second: u64) -> Nanos {
    SECOND * second - Nanos(1)
}

#[cfg(test)]
mod tests;
