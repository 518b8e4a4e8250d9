//! The reporter: prints while the run goes on, and makes everything that is made of samples.

use super::LEAD;
use super::aborter::Aborter;
use super::audit_feed::AuditFeed;
use super::recorder::Recorder;
use super::sample_buffer::SampleBuffer;
use crate::base::{Ledger, Moment, Nanos, Sample, Target};
use crate::client::Client;
use crate::core::audit;
use crate::core::schedule::{Phase, Schedule};
use crate::core::stats::{Counters, PhaseTallies, Snapshot, State, Tally};
use crate::report::{Console, Scrape, Scrapes, abort_line, phase_line, stats_line};
use crate::system::Stop;
use crossbeam_channel::{Receiver, select};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
    pub scrapes: &'a Scrapes,
    pub schedule: &'a Schedule,
    pub start: Moment,
    /// The same by the calendar.
    pub started: SystemTime,
    pub stop: &'a Stop,
    pub stats_interval: Nanos,
    pub counters: &'a Counters,
    pub samples: &'a [SampleBuffer],
    /// Those of the probe.
    pub probed: &'a [SampleBuffer],
    pub client: &'a Client,
    pub targets: &'a [Target],
    pub console: &'a Console,
    pub audit_feed: Option<AuditFeed>,
    pub recorder: Recorder<'a>,
    pub aborter: Option<Aborter<'a>>,
}

/// What it has made once the run has ended.
pub(super) struct Reported {
    pub tally: Tally,
    pub audit: Option<audit::AuditReport>,
    pub phases: PhaseTallies,
}

impl Reporter<'_> {
    /// Ends when nobody is left to tell it anything, that is after the last worker has ended.
    ///
    /// A stats line stands at every interval of pacing, then at every interval of draining; the
    /// last one stands at the end of the run and has its totals. A scrape that comes after the end
    /// is left to whoever has the tally then.
    pub fn run(mut self) -> Reported {
        let mut tally = Tally::new(self.targets.len());
        let mut exchange = Vec::new();
        let mut last = LastLine {
            at: self.start,
            totals: Ledger::default(),
        };
        let end = self.schedule.end().map(|end| self.start + end);
        let mut next_line = self.start + self.stats_interval;
        loop {
            let now = Moment::now();
            let due = next_line.since(now).min(TAKE_EVERY);
            let mut scrape = None;
            select! {
                recv(self.events) -> event => match event {
                    Ok(Event::Phase(phase)) => self.console.mention(phase_line(&phase)),
                    Ok(Event::PacingEnded) => next_line = Moment::now() + self.stats_interval,
                    Err(_) => break,
                },
                recv(self.scrapes.asked()) -> asked => scrape = asked.ok(),
                default(Duration::from(due)) => {}
            }
            self.take_samples(&mut exchange, &mut tally);
            if let Some(aborter) = &mut self.aborter {
                let lost = aborter.look(self.counters, &tally, self.audit_feed.as_ref());
                lost.into_iter()
                    .for_each(|lost| self.console.print(abort_line(lost)));
            }
            if let Some(scrape) = scrape {
                self.answer(scrape, &tally);
            }
            if Moment::now() >= next_line {
                // At the very end of pacing the last line, or the drain's first, takes its place.
                if end != Some(next_line) {
                    self.print_stats(&mut last);
                }
                while next_line <= Moment::now() {
                    next_line = next_line + self.stats_interval;
                }
            }
        }
        self.take_samples(&mut exchange, &mut tally);
        self.print_stats(&mut last);
        Reported {
            tally,
            audit: self.audit_feed.map(AuditFeed::finish),
            phases: self.recorder.finish(),
        }
    }

    fn take_samples(&mut self, exchange: &mut Vec<Sample>, tally: &mut Tally) {
        // What will be taken later was sent later than this, but for requests in flight.
        let mut all_taken = Moment::now();
        for buffer in self.samples {
            let in_flight = buffer.take_into(exchange);
            all_taken = in_flight.map_or(all_taken, |since| since.min(all_taken));
            for sample in exchange.drain(..) {
                tally.add(&sample);
                if let Some(audit_feed) = &mut self.audit_feed {
                    audit_feed.add(&sample);
                }
                self.recorder.add(&sample);
            }
        }
        self.recorder.advance(all_taken);
        for buffer in self.probed {
            let in_flight = buffer.take_into(exchange);
            all_taken = in_flight.map_or(all_taken, |since| since.min(all_taken));
            for sample in exchange.drain(..) {
                if let Some(audit_feed) = &mut self.audit_feed {
                    audit_feed.add_probed(&sample);
                }
            }
        }
        if let Some(audit_feed) = &mut self.audit_feed {
            audit_feed.advance(all_taken);
        }
        let lookups = self.client.take_lookups();
        lookups.for_each(|took| tally.lookup.record(took));
    }

    /// Answers a scrape, and all others that wait, from the samples taken just now.
    fn answer(&self, scrape: Scrape, tally: &Tally) {
        let snapshot = Arc::new(self.snapshot(tally));
        // No more than wait now, however fast others come.
        let waiting = self.scrapes.asked();
        let others = waiting.try_iter().take(waiting.len());
        others.for_each(|other| other.answer(snapshot.clone()));
        scrape.answer(snapshot);
    }

    fn snapshot(&self, tally: &Tally) -> Snapshot {
        let now = Moment::now();
        let stopped = self.stop.requested_at();
        let paced_until = stopped.map_or(now, |at| at.min(now));
        let due = match paced_until < self.start {
            true => 0,
            false => self.schedule.due_by(paced_until.since(self.start)),
        };
        let elapsed = now.since(self.start);
        let state = match stopped {
            // Not for the moment in which every run gets ready.
            None if now + LEAD < self.start => State::Waiting,
            _ => State::of(self.schedule, elapsed, stopped.is_some()),
        };
        let snapshot = Snapshot::new(
            state,
            self.started,
            elapsed,
            self.targets.iter().map(ToString::to_string),
            &self.counters.ledgers_due(due),
            tally,
        );
        Snapshot {
            audit: self.audit_feed.as_ref().map(AuditFeed::progress),
            ..snapshot
        }
    }

    fn print_stats(&self, last: &mut LastLine) {
        let (now, totals) = (Moment::now(), self.counters.ledger());
        let newly_sent = totals.sent - last.totals.sent;
        self.console
            .mention(stats_line(&totals, newly_sent, now.since(last.at)));
        *last = LastLine { at: now, totals };
    }
}

struct LastLine {
    at: Moment,
    totals: Ledger,
}
