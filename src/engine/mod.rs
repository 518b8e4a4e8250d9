//! The engine: carries out a plan. It starts every thread of a run, and joins each of them before it returns.
//!
//! | thread | count | loop | ends |
//! | --- | --- | --- | --- |
//! | pacer | 1 | puts tokens into the queue, just before they are due | with the schedule, or at a stop |
//! | worker | `--workers` | takes a token, waits until it is due, sends its request, or leaves it to the workers that its
//! target holds | when the queue is empty and the pacer has ended |
//! | reporter | 1 | takes samples from the workers and reports to the [`Observer`] | when all workers and the prober
//! have ended |
//! | prober | 1, if the audit has a probe | schedules the audit's own requests | after pacing, with its cycle |
//! | events | 1, if the plan has events | begins events when they are due, ends their commands, and runs their undos | after
//! the last answer or at a stop, when everything that has to be undone is undone |
//! | asker | 1 for each target, if there is a probe | sends the prober's requests | with the prober |
//!
//! [`discover`] carries out an experiment instead: askers send its questions, one by one, and there is no schedule.
//!
//! The engine knows no output format and opens no socket: an [`Observer`] receives what happens, and [`Targets`] send
//! the requests.

mod aborter;
mod askers;
mod audit_feed;
mod event_commands;
mod event_log;
mod experimenter;
mod observer;
mod pacer;
mod prober;
pub mod queue;
mod recorder;
mod reporter;
mod run_end;
mod sample_buffer;
mod silence;
mod snapshot_requests;
mod targets;
mod worker;
mod worker_pool;

pub use event_log::{EventLog, NotMarked};
pub use experimenter::{Watcher, discover};
pub use observer::{Observer, Progress, Start};
pub use snapshot_requests::{SnapshotRequest, SnapshotRequests};
pub use targets::{Caller, Targets};

use crate::base::text::{shortened, span};
use crate::base::{Answer, Ledger, Moment, Nanos, Token};
use crate::core::audit::probe::ProbeReport;
use crate::core::plan::Plan;
use crate::core::stats::effects::Effects;
use crate::core::stats::{Counters, Results, ScheduleVerdict};
use crate::core::stripe::Stripe;
use crate::system::scheduling::use_batch_policy;
use crate::system::timer::SystemTimer;
use crate::system::wall_clock::{self, Reading};
use crate::system::{Hold, Latch, Stop, ensure_room_for_threads, with_thread_limit};
use crossbeam_channel::{Sender, bounded};
use event_commands::EventCommands;
use pacer::Pacer;
use prober::{Patience, Prober, Probing};
use queue::{Feed, Intake};
use reporter::{Event, Reported, Reporter};
use run_end::{PassedDeadlines, RunEnd};
use sample_buffer::SampleBuffer;
use silence::Silence;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};
use worker::{Calls, Worker};
use worker_pool::WorkerPool;

/// The longest time that the run waits until any target's name has an address.
const FIRST_LOOKUP: Duration = Duration::from_secs(5);

/// The time from the last preparation to the schedule's start: enough for the pacer to be asleep when the first token
/// is due.
const LEAD: Nanos = Nanos(1_000_000);

/// The stack of a thread that calls a target, in bytes: several times what ureq and rustls need, also in debug builds.
const CALLER_STACK: usize = 256 * 1024;

/// The stack of every other thread, in bytes: Rust's own default.
const DEFAULT_STACK: usize = 2 * 1024 * 1024;

/// How often the drain's deadlines are checked.
const DRAIN_CHECKS: Duration = Duration::from_millis(20);

/// The most samples that may wait for the reporter, over all workers.
const WAITING_SAMPLES: usize = 1 << 20;

/// The most phases that may wait to be reported. Further ones count as missed.
const WAITING_EVENTS: usize = 1024;

/// The most characters of the names of targets in an error.
const NAMES: usize = 1_000;

/// A run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "no target's name has an address: {}. Check the spelling, or wait for a name that comes later with --wait 60s", shortened(.0, NAMES)
    )]
    NoTargetResolves(String),
    #[error(
        "--workers '{workers}': must be fewer, unless this machine allows more threads; can't start a thread for the \
         {name}: {why}"
    )]
    NoThread {
        /// Such as `pacer`.
        name: &'static str,
        workers: usize,
        why: io::Error,
    },
    #[error("can't start the threads that send requests: {0}")]
    NoAsker(io::Error),
    #[error(
        "{asked_by}: loadgen was ready {} after the start. Choose a later start, or use --join-late", span(*.late)
    )]
    TooLate {
        /// The option that asked for the start.
        asked_by: String,
        late: Nanos,
    },
    #[error("{asked_by}: the start must be at most 100 years ago")]
    TooLongAgo {
        /// The option that asked for the start.
        asked_by: String,
    },
}

/// Carries out a plan against `targets`, with its events in `events`. Returns when the schedule has ended or `stop` was requested, and then every
/// request in flight has been answered or the drain timeout has passed. If the recording of a replay can't be read any more, that
/// is a stop, and the recording has the reason.
///
/// # Errors
/// No target's name has an address, or the system refuses a thread.
pub fn run(
    plan: &Plan,
    targets: &impl Targets,
    stop: &Stop,
    events: &EventLog,
    observer: &mut dyn Observer,
) -> Result<Results, RunError> {
    if !targets.wait_for_address(FIRST_LOOKUP, stop) && !stop.is_requested() {
        return Err(RunError::NoTargetResolves(targets.names().join(", ")));
    }
    if let Some(start) = &plan.start
        && !start.joins_late
        && let Ok(late) = SystemTime::now().duration_since(start.at)
        && !stop.is_requested()
    {
        return Err(RunError::TooLate {
            asked_by: start.asked_by.clone(),
            late: late.into(),
        });
    }
    if let Some(start) = &plan.start
        && let Ok(late) = SystemTime::now().duration_since(start.at)
        && Nanos::from(late) >= Moment::now().since(Moment::at(0))
    {
        return Err(RunError::TooLongAgo {
            asked_by: start.asked_by.clone(),
        });
    }
    let count = targets.names().len();
    let run = Run {
        plan,
        targets,
        stop,
        event_log: events,
        counters: Counters::new(count, plan.schedule.stripe()),
        samples: buffers(plan.workers),
        pool: WorkerPool::new(plan.worker_shares(count), count),
        silence: Silence::default(),
        probing: Probing::new(plan, targets),
        passed: PassedDeadlines::default(),
        aborted_by: OnceLock::new(),
        missed_phases: AtomicU64::new(0),
        missed: AtomicU64::new(0),
    };
    let results = thread::scope(|scope| run.carry_out(scope, observer));
    results.map_err(|NoThread(name, why)| RunError::NoThread {
        name,
        workers: plan.workers,
        why,
    })
}

/// The state that the threads of a run share.
struct Run<'a, T: Targets> {
    plan: &'a Plan,
    targets: &'a T,
    stop: &'a Stop,
    event_log: &'a EventLog,
    counters: Counters,
    /// One buffer for each worker.
    samples: Vec<SampleBuffer>,
    /// The workers as the targets share them.
    pool: WorkerPool,
    silence: Silence,
    probing: Option<Probing<'a, T::Caller>>,
    passed: PassedDeadlines,
    /// The index of the threshold that stopped the run.
    aborted_by: OnceLock<usize>,
    /// The number of phases that had no room to wait for the reporter.
    missed_phases: AtomicU64,
    /// The number of tokens that were due before the run joined its schedule.
    missed: AtomicU64,
}

/// The clocks by which a run's start was set.
struct Clocks {
    at_start: Reading,
    /// The system's estimate of the wall clock's error at that time.
    error: Option<Nanos>,
}

impl Clocks {
    fn now() -> Clocks {
        Clocks {
            at_start: Reading::now(),
            error: wall_clock::estimated_error(),
        }
    }

    /// How far the instants of the run may be off by now: the error of the wall clock, as the user or the system says, and its
    /// drift against the monotonic clock, which paces the run. `None` if nobody says.
    fn error_so_far(&self, given: Option<Nanos>) -> Option<Nanos> {
        let worst = |first: Nanos| wall_clock::estimated_error().map(|last| first.max(last));
        let error = given.or_else(|| self.error.and_then(worst))?;
        Some(error + Reading::now().drift_since(&self.at_start))
    }
}

/// The ends of a run's parts.
struct Ends {
    pacing: Moment,
    drain: Moment,
}

impl<T: Targets> Run<'_, T> {
    fn carry_out<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        observer: &'scope mut dyn Observer,
    ) -> Result<Results, NoThread> {
        let (queue, tokens) = queue::queue(self.plan.queue);
        let (working, all_done) = Latch::new();
        self.start_workers(scope, tokens, &working)?;
        let (start, clocks) = self.start();
        self.event_log.open(start.at);
        observer.begin(&start);
        let (events, received) = bounded(WAITING_EVENTS);
        let reporter = Reporter::new(self, start, received, observer);
        let reporter = spawn(scope, "reporter", DEFAULT_STACK, || reporter.run())?;
        let events_end = EventsEnd(self.stop.follower());
        let event_commands = self.start_events(scope, start, &events_end)?;
        let (pacing, paced) = Latch::new();
        let prober = self.start_prober(scope, start, paced, working)?;
        join(self.start_pacer(scope, start, queue, events.clone())?);
        drop(pacing);
        let pacing_ended = Moment::now();
        // The reporter receives until this sender is dropped.
        let _ = events.send(Event::PacingEnded);
        self.drain(&all_done, pacing_ended);
        let ends = Ends {
            pacing: pacing_ended,
            drain: Moment::now(),
        };
        let probe = prober.map(join);
        self.event_log.close();
        drop(events_end);
        // The hook has printed a panic, which must not cost the results. What it was doing stays as begun in the log.
        let _ = event_commands.map(ScopedJoinHandle::join);
        drop(events);
        let reported = join(reporter);
        let results = self.results(start, &clocks, &ends, reported);
        let audit = match &probe {
            Some(probe) => results.audit.map(|audit| audit.with_probe(probe)),
            None => results.audit,
        };
        Ok(Results {
            probe,
            audit,
            ..results
        })
    }

    fn end(&self) -> RunEnd<'_> {
        RunEnd {
            stop: self.stop,
            passed: &self.passed,
        }
    }

    /// Returns the schedule's start, with the clocks by which it was set: the planned start, or a moment from now, or as much
    /// later as the plan's alignment requires.
    fn start(&self) -> (Start, Clocks) {
        let clocks = Clocks::now();
        let soon = clocks.at_start.moment + LEAD;
        let by_calendar = clocks.at_start.calendar + Duration::from(LEAD);
        let start = match &self.plan.start {
            Some(planned) => match planned.at.duration_since(by_calendar) {
                Ok(wait) => Start::planned(soon + Nanos::from(wait), planned.at, Nanos::ZERO),
                Err(late) => {
                    let late = Nanos::from(late.duration());
                    Start::planned(soon - late, planned.at, late)
                }
            },
            None => {
                let delay = self
                    .plan
                    .alignment
                    .map(|alignment| alignment.delay(by_calendar));
                let wait = delay.unwrap_or_default();
                Start {
                    at: soon + wait,
                    by_calendar: by_calendar + Duration::from(wait),
                    alignment_delay: delay,
                    late: Nanos::ZERO,
                }
            }
        };
        (start, clocks)
    }

    fn start_workers<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        tokens: Intake,
        working: &Hold,
    ) -> Result<(), NoThread> {
        let caller = self.targets.traffic();
        ensure_room_for_threads(self.plan.workers, CALLER_STACK)
            .map_err(|error| NoThread("worker", error))?;
        for samples in &self.samples {
            let worker = Worker {
                queue: tokens.clone(),
                pool: &self.pool,
                counters: &self.counters,
                samples,
                sample_capacity: (WAITING_SAMPLES / self.plan.workers).max(64),
                end: self.end(),
                silence: &self.silence,
            };
            let working = working.clone();
            let stripe = self.plan.schedule.stripe();
            spawn(scope, "worker", CALLER_STACK, move || {
                use_batch_policy();
                let calls = CallsOfTokens {
                    caller,
                    stripe,
                    scratch: Default::default(),
                };
                worker.run(&SystemTimer::for_this_thread(), calls);
                drop(working);
            })?;
        }
        Ok(())
    }

    fn start_prober<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        start: Start,
        paced: Latch,
        working: Hold,
    ) -> Result<Option<ScopedJoinHandle<'scope, ProbeReport>>, NoThread> {
        let Some(probing) = &self.probing else {
            return Ok(None);
        };
        let drain = self.plan.drain.at_normal_end(self.plan.timeout);
        let patience = Patience::new(start.at, paced, drain.into(), self.end());
        let prober = Prober { probing, patience };
        prober.start(scope, working).map(Some)
    }

    fn start_events<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        start: Start,
        end: &EventsEnd,
    ) -> Result<Option<ScopedJoinHandle<'scope, ()>>, NoThread> {
        if self.plan.events.is_empty() {
            return Ok(None);
        }
        let commands = EventCommands::new(self.plan, self.event_log, start.at, end.0.clone());
        spawn(scope, "events", DEFAULT_STACK, || commands.run()).map(Some)
    }

    fn start_pacer<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        start: Start,
        queue: Feed,
        events: Sender<Event>,
    ) -> Result<ScopedJoinHandle<'scope, ()>, NoThread> {
        let mut pacer = Pacer::new(
            &self.plan.schedule,
            start.at,
            self.plan.dealer(),
            queue,
            &self.counters,
            self.stop,
            &self.silence,
        );
        if start.late > Nanos::ZERO {
            self.missed.store(pacer.join_after(start.late), Relaxed);
        }
        let (announces_all, mut is_first) = (self.plan.short_round().is_none(), true);
        spawn(scope, "pacer", DEFAULT_STACK, move || {
            pacer.run(&SystemTimer::for_this_thread(), |phase| {
                if !std::mem::replace(&mut is_first, false) && !announces_all {
                    return;
                }
                if events.try_send(Event::Phase(phase)).is_err() {
                    self.missed_phases.fetch_add(1, Relaxed);
                }
            });
        })
    }

    /// Waits until every request has ended. Keeps queued requests from being sent, and interrupts those in flight, when their
    /// time has passed.
    fn drain(&self, all_done: &Latch, ended: Moment) {
        loop {
            // A stop may shorten the drain.
            let stopped = self.stop.requested_at();
            let timeout = self.plan.timeout;
            let deadlines = self.plan.drain.deadlines(ended, stopped, timeout);
            let now = Moment::now();
            if now >= deadlines.sending {
                self.passed.end_sending();
            }
            let left = deadlines.answers.since(now);
            if all_done.wait_for(Duration::from(left).min(DRAIN_CHECKS)) {
                return;
            }
            if left == Nanos::ZERO {
                break;
            }
        }
        self.passed.cut_off();
        self.targets.traffic().interrupt();
        if let Some(probe) = self.targets.probe() {
            probe.interrupt();
        }
        all_done.wait();
    }

    fn results(&self, start: Start, clocks: &Clocks, ends: &Ends, reported: Reported) -> Results {
        let ledgers = self.counters.ledgers();
        debug_assert!(ledgers.iter().all(Ledger::balances), "{ledgers:?}");
        let lateness = reported.tally.lateness(&self.counters);
        let all_late = lateness.iter().copied().sum();
        let paced = ends.pacing.since(start.at);
        let end = self.plan.schedule.end().unwrap_or(Nanos::MAX);
        let events = self.event_log.records();
        let effects = reported.effects.finish(paced.min(end));
        Results {
            verdict: ScheduleVerdict::new(&ledgers.iter().copied().sum(), all_late),
            ledgers,
            lateness,
            tally: reported.tally,
            phases: reported.phases,
            effects: Effects::of(&effects, &events, reported.audit.as_ref()),
            events,
            audit: reported.audit,
            probe: None,
            failure_examples: self.targets.failure_examples(),
            start: start.at,
            started: start.by_calendar,
            clock_error: clocks.error_so_far(self.plan.clock_error),
            missed: self.missed.load(Relaxed),
            paced,
            drained: ends.drain.since(ends.pacing),
            interrupted: self.stop.is_requested(),
            aborted_by: self.aborted_by.get().copied(),
        }
    }
}

/// Sends the requests of tokens of a stripe.
struct CallsOfTokens<'a, C: Caller> {
    caller: &'a C,
    stripe: Stripe,
    scratch: C::Scratch,
}

impl<C: Caller> Calls for CallsOfTokens<'_, C> {
    fn prepare(&mut self, token: &Token) {
        let number = self.stripe.number(token.place);
        self.caller.prepare(number, &mut self.scratch);
    }

    fn call(&mut self, token: &Token, target: usize) -> Answer {
        let number = self.stripe.number(token.place);
        let call = self
            .caller
            .call(target, number, token.key, &mut self.scratch);
        call.0
    }
}

/// The end of the time in which events begin. It comes with a stop of the run, or when this is dropped, also by a panic.
struct EventsEnd(Arc<Stop>);

impl Drop for EventsEnd {
    fn drop(&mut self) {
        self.0.request();
    }
}

fn buffers(count: usize) -> Vec<SampleBuffer> {
    (0..count).map(|_| SampleBuffer::default()).collect()
}

/// A thread that the system refused, and its reason.
struct NoThread(&'static str, io::Error);

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    stack: usize,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, NoThread> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack)
        .spawn_scoped(scope, body)
        .map_err(|error| NoThread(name, with_thread_limit(error)))
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    let ended = thread.join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests;
