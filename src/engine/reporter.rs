//! The reporter: prints while the run goes on, and makes everything that is made of samples.

use super::sample_buffer::SampleBuffer;
use crate::client::Client;
use crate::clock::Moment;
use crate::report::{Console, phase_line, stats_line};
use crate::schedule::{Nanos, Phase};
use crate::stats::{Counters, Ledger, Sample, Tally};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// What the reporter is told.
pub(super) enum Event {
    Phase(Phase),
    PacingEnded,
}

/// How often samples are taken from the workers: rarely enough to cost nothing, often enough that
/// little memory is held.
const TAKE_EVERY: Nanos = Nanos(100_000_000);

pub(super) struct Reporter<'a> {
    pub events: Receiver<Event>,
    pub start: Moment,
    /// When pacing is to end, if it is.
    pub end: Option<Moment>,
    pub stats_interval: Nanos,
    pub counters: &'a Counters,
    pub samples: &'a [SampleBuffer],
    pub client: &'a Client,
    pub targets: usize,
    pub console: &'a Console,
}

impl Reporter<'_> {
    /// Ends when nobody is left to tell it anything, that is after the last worker has ended.
    ///
    /// A stats line stands at every interval of pacing, then at every interval of draining; the
    /// last one stands at the end of the run and has its totals.
    pub fn run(self) -> Tally {
        let mut tally = Tally::new(self.targets);
        let mut exchange = Vec::new();
        let mut last = LastLine {
            at: self.start,
            totals: Ledger::default(),
        };
        let mut next_line = self.start + self.stats_interval;
        loop {
            let now = Moment::now();
            let due = next_line.since(now).min(TAKE_EVERY);
            match self.events.recv_timeout(Duration::from(due)) {
                Ok(Event::Phase(phase)) => self.console.print(phase_line(&phase)),
                Ok(Event::PacingEnded) => next_line = Moment::now() + self.stats_interval,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.take_samples(&mut exchange, &mut tally);
            if Moment::now() >= next_line {
                // At the very end of pacing the last line, or the drain's first, takes its place.
                if self.end != Some(next_line) {
                    self.print_stats(&mut last);
                }
                while next_line <= Moment::now() {
                    next_line = next_line + self.stats_interval;
                }
            }
        }
        self.take_samples(&mut exchange, &mut tally);
        self.print_stats(&mut last);
        tally
    }

    fn take_samples(&self, exchange: &mut Vec<Sample>, tally: &mut Tally) {
        for buffer in self.samples {
            buffer.take_into(exchange);
            exchange.drain(..).for_each(|sample| tally.add(&sample));
        }
        let lookups = self.client.take_lookups();
        lookups.for_each(|took| tally.lookup.record(took));
    }

    fn print_stats(&self, last: &mut LastLine) {
        let (now, totals) = (Moment::now(), self.counters.ledger());
        let newly_sent = totals.sent - last.totals.sent;
        self.console
            .print(stats_line(&totals, newly_sent, now.since(last.at)));
        *last = LastLine { at: now, totals };
    }
}

struct LastLine {
    at: Moment,
    totals: Ledger,
}
