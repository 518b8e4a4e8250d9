//! The reporter: takes the workers' samples, owns everything that is made of them, and reports to the observer.

use super::aborter::Aborter;
use super::audit_feed::AuditFeed;
use super::prober::Probing;
use super::recorder::Recorder;
use super::{LEAD, Observer, Progress, Run, SnapshotRequest, Start, Targets};
use crate::base::{Ledger, Moment, Nanos, Sample};
use crate::core::audit;
use crate::core::events::EventsSoFar;
use crate::core::schedule::Phase;
use crate::core::stats::effects::EffectsTally;
use crate::core::stats::{Failures, PhaseTallies, Snapshot, State, Suspension, Tally};
use crate::system::suspension;
use crossbeam_channel::{Receiver, never, select};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// An event from another thread.
pub(super) enum Event {
    Phase(Phase),
    PacingEnded,
}

/// The time between two takings of samples from the workers: long enough to cost little processor time, short enough to
/// hold little memory.
const TAKE_EVERY: Nanos = Nanos(100_000_000);

/// The time in which the handler of SIGCONT runs, even if many threads continue at once.
const UNTIL_NOTED: Duration = Duration::from_millis(100);

pub(super) struct Reporter<'a, T: Targets> {
    run: &'a Run<'a, T>,
    start: Start,
    events: Receiver<Event>,
    requests: Receiver<SnapshotRequest>,
    observer: &'a mut dyn Observer,
    tally: Tally,
    audit_feed: Option<AuditFeed>,
    effects: EffectsTally,
    recorder: Recorder<'a, T>,
    events_so_far: EventsSoFar,
    aborter: Option<Aborter<'a>>,
    /// Swapped with a worker's samples when they are taken.
    exchange: Vec<Sample>,
    last: LastProgress,
    next_progress: Moment,
    /// The last beat of [`suspension`].
    beat: Moment,
}

/// The reporter's results of a run that is over.
pub(super) struct Reported {
    pub tally: Tally,
    pub audit: Option<audit::AuditReport>,
    pub phases: PhaseTallies,
    pub effects: EffectsTally,
}

/// The moment, the totals and the failures of the last reported progress.
struct LastProgress {
    at: Moment,
    totals: Ledger,
    failures: Failures,
}

impl<'a, T: Targets> Reporter<'a, T> {
    pub fn new(
        run: &'a Run<'a, T>,
        start: Start,
        events: Receiver<Event>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let targets = run.targets.names().len();
        let requests = observer.snapshot_requests();
        Reporter {
            run,
            start,
            events,
            requests: requests.map_or_else(never, |requests| requests.waiting().clone()),
            tally: Tally::new(targets),
            audit_feed: AuditFeed::new(run.plan, targets, start.at),
            effects: EffectsTally::new(targets, start.at),
            recorder: Recorder::new(run, &start, observer),
            events_so_far: EventsSoFar::of(&run.plan.events),
            aborter: Aborter::new(run, start.at),
            exchange: Vec::new(),
            last: LastProgress {
                at: start.at,
                totals: Ledger::default(),
                failures: Failures::default(),
            },
            next_progress: start.at + Nanos::from(run.plan.stats_interval),
            beat: Moment::now(),
            observer,
        }
    }

    /// Ends when nobody is left to send events, which is after the last worker has ended.
    ///
    /// Progress is reported at every interval of pacing, then at every interval of draining, and once at the end of the
    /// run, with its totals. A snapshot that is requested after the end is left to whoever has the tally then.
    pub fn run(mut self) -> Reported {
        let pacing_ends = self.run.plan.schedule.end().map(|end| self.start.at + end);
        loop {
            let due = self.next_progress.since(Moment::now()).min(TAKE_EVERY);
            let mut request = None;
            self.beat();
            select! {
                recv(self.events) -> event => match event {
                    Ok(event) => self.receive(&event),
                    Err(_) => break,
                },
                recv(self.requests) -> received => request = received.ok(),
                default(Duration::from(due)) => {}
            }
            self.beat();
            self.take_samples();
            self.abort_if_lost();
            if let Some(request) = request {
                self.answer(request);
            }
            self.report_progress_if_due(pacing_ends);
        }
        self.beat();
        self.take_samples();
        self.report_progress();
        let phases = self.recorder.finish(self.observer);
        self.observer.end(self.run.missed_phases.load(Relaxed));
        Reported {
            tally: self.tally,
            audit: self.audit_feed.map(AuditFeed::finish),
            phases,
            effects: self.effects,
        }
    }

    /// Records that this thread is running. If it was not for some time, the process was suspended or the machine was slow.
    /// A suspension is recorded before the samples that it delayed are taken.
    fn beat(&mut self) {
        if Moment::now().since(self.beat) >= suspension::LEAST {
            // After a suspension, the handler of SIGCONT may be about to note it. It must still find the last beat.
            thread::sleep(UNTIL_NOTED);
            let start = self.start.at;
            let spans = suspension::all().into_iter();
            let spans = spans.filter(|(_, end)| *end > start);
            let spans = spans.map(|(from, to)| {
                Suspension::new(&self.run.plan.schedule, start, from.max(start), to)
            });
            self.tally.suspensions = spans.collect();
        }
        self.beat = Moment::now();
        suspension::beat(self.beat);
    }

    fn receive(&mut self, event: &Event) {
        match event {
            Event::Phase(phase) => self.observer.phase(phase),
            Event::PacingEnded => {
                self.next_progress = Moment::now() + Nanos::from(self.run.plan.stats_interval);
            }
        }
    }

    fn take_samples(&mut self) {
        // Samples that are taken later were sent after this moment, except for requests in flight.
        let mut all_taken = Moment::now();
        for buffer in &self.run.samples {
            let in_flight = buffer.take_into(&mut self.exchange);
            all_taken = in_flight.map_or(all_taken, |since| since.min(all_taken));
            // The log is read after the samples were taken, so that it has every event that began before one of them was done.
            for began in self.run.event_log.began_after(self.effects.events()) {
                self.effects.begin(began);
            }
            for sample in self.exchange.drain(..) {
                self.tally.add(&sample);
                let phase = self.recorder.add(&sample, self.observer);
                let period = self.effects.add(&sample);
                if let Some(audit_feed) = &mut self.audit_feed {
                    audit_feed.add(&sample, phase, period);
                }
            }
        }
        self.effects.advance(all_taken.since(self.start.at));
        // Before the seconds in which they began are complete.
        self.report_events();
        self.recorder
            .advance(all_taken, &mut self.tally, self.observer);
        if let Some(audit_feed) = &mut self.audit_feed {
            let probe = self.run.probing.as_ref().map_or(&[][..], Probing::samples);
            for buffer in probe {
                let in_flight = buffer.take_into(&mut self.exchange);
                all_taken = in_flight.map_or(all_taken, |since| since.min(all_taken));
                for sample in self.exchange.drain(..) {
                    audit_feed.add_probed(&sample);
                    self.recorder.add_probed(&sample, self.observer);
                }
            }
            audit_feed.advance(all_taken);
        }
        for took in self.run.targets.take_lookups() {
            self.tally.lookup.record(took);
        }
    }

    fn report_events(&mut self) {
        let news = self.run.event_log.take_news();
        if !news.is_empty() {
            self.events_so_far.begun = self.run.event_log.records().into();
        }
        for record in news {
            self.observer.event(&record);
        }
    }

    fn abort_if_lost(&mut self) {
        if let Some(aborter) = &mut self.aborter
            && let Some(lost) = aborter.look(&self.tally, self.audit_feed.as_ref())
        {
            self.observer.abort(lost);
        }
    }

    /// Answers a request for a snapshot, and all others that wait, from the samples taken just now.
    fn answer(&self, request: SnapshotRequest) {
        let snapshot = Arc::new(self.snapshot());
        // Requests that arrive meanwhile wait for the next round, so that this loop ends.
        for other in self.requests.try_iter().take(self.requests.len()) {
            other.answer(snapshot.clone());
        }
        request.answer(snapshot);
    }

    fn snapshot(&self) -> Snapshot {
        let (plan, stop, targets) = (self.run.plan, self.run.stop, self.run.targets);
        let (start, now) = (self.start.at, Moment::now());
        let stopped = stop.requested_at();
        let paced_until = stopped.map_or(now, |at| at.min(now));
        let due = if paced_until < start {
            0
        } else {
            plan.schedule.due_by(paced_until.since(start))
        };
        let elapsed = now.since(start);
        // The moment of preparation before the start is reported as the start.
        let waits = stopped.is_none() && now + LEAD < start;
        let state = if waits {
            State::Waiting
        } else {
            State::of(&plan.schedule, elapsed, stopped.is_some())
        };
        let snapshot = Snapshot::new(
            state,
            self.start.by_calendar,
            elapsed,
            targets.names().iter().cloned(),
            &self.run.counters.ledgers_due(due),
            &self.tally.lateness(&self.run.counters),
            &self.tally,
        );
        Snapshot {
            audit: self.audit_feed.as_ref().map(AuditFeed::progress),
            events: self.events_so_far.clone(),
            since_event: self.effects.since_last(),
            ..snapshot
        }
    }

    fn report_progress_if_due(&mut self, pacing_ends: Option<Moment>) {
        if Moment::now() < self.next_progress {
            return;
        }
        // At the very end of pacing, the drain's first report or the last one takes its place.
        if pacing_ends != Some(self.next_progress) {
            self.report_progress();
        }
        while self.next_progress <= Moment::now() {
            self.next_progress = self.next_progress + Nanos::from(self.run.plan.stats_interval);
        }
    }

    fn report_progress(&mut self) {
        let (now, totals) = (Moment::now(), self.run.counters.ledger());
        let (elapsed, failures) = (now.since(self.start.at), self.tally.failures());
        let stopped = self.run.stop.is_requested();
        let state = State::of(&self.run.plan.schedule, elapsed, stopped);
        self.observer.progress(&Progress {
            elapsed,
            is_pacing: matches!(state, State::Pacing { .. }),
            totals,
            newly_sent: totals.sent - self.last.totals.sent,
            span: now.since(self.last.at),
            failures: failures.since(&self.last.failures),
        });
        self.last = LastProgress {
            at: now,
            totals,
            failures,
        };
    }
}
