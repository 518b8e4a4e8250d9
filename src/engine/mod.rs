//! A run, from its plan to its results. Every thread is started and joined here.

mod aborter;
mod audit_feed;
mod pacer;
mod prober;
pub mod queue;
mod recorder;
mod reporter;
mod sample_buffer;
mod worker;

use crate::base::{Ledger, Moment, Nanos, Target};
use crate::client::{Client, Resolver, Scratch};
use crate::core::answers::Answers;
use crate::core::keys::Dealer;
use crate::core::plan::Plan;
use crate::core::schedule::Phase;
use crate::core::stats::{Counters, Results, Verdict};
use crate::report::{Console, Exporter, Recording, Scrapes, alignment_line, heading};
use crate::system::Stop;
use crate::system::scheduling::use_batch_policy;
use crate::system::timer::SystemTimer;
use aborter::Aborter;
use audit_feed::AuditFeed;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use pacer::Pacer;
use prober::{Patience, Prober, Probing};
use recorder::Recorder;
use reporter::{Event, Reported, Reporter};
use sample_buffer::SampleBuffer;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Release};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};
use worker::Worker;

/// How long the targets' names may take to be looked up before the run starts without them.
const FIRST_LOOKUP: Duration = Duration::from_secs(5);

/// From the moment everything is ready to the schedule's start: enough for the pacer to be asleep
/// when the first token is due.
const LEAD: Nanos = Nanos(1_000_000);

/// Enough for ureq and rustls, several times over, also in builds for debugging.
const WORKER_STACK: usize = 256 * 1024;

/// How many samples may wait for the reporter, all workers together.
const WAITING_SAMPLES: usize = 1 << 20;

/// Phases that may wait to be announced, before one counts as a missed line.
const WAITING_EVENTS: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "no target resolves to an address ({0}): give the nodes' URLs with --targets, or start \
         three nodes in this process with --demo"
    )]
    NoTargetResolves(String),
    #[error("no thread for the {0}: {1}")]
    NoThread(&'static str, io::Error),
}

/// Carries out a plan against `targets` and returns when it is over: when the schedule has ended
/// or `stop` was requested, and then every request in flight was answered or the drain timeout
/// has passed. No thread outlives it, but for a name lookup that the system does not let go of.
/// Meanwhile it answers `scrapes`, once the first name is looked up, and tells `recording`, which it drops in the end.
/// `exporter` is the one whose address is printed.
pub fn run(
    plan: &Plan,
    targets: &[Target],
    stop: &Stop,
    console: &Console,
    exporter: Option<&Exporter>,
    scrapes: &Scrapes,
    recording: Recording<'_>,
) -> Result<Results, RunError> {
    let resolver = Resolver::start(targets).map_err(|e| RunError::NoThread("resolver", e))?;
    let resolver = Arc::new(resolver);
    if !resolver.any_resolved(FIRST_LOOKUP, stop) && !stop.is_requested() {
        let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
        return Err(RunError::NoTargetResolves(names.join(", ")));
    }
    console.print(heading(plan, targets, exporter.map(Exporter::url)));
    let probing = Probing::new(plan, targets, &resolver);
    let dealer = plan.dealer();
    let run = Run {
        plan,
        stop,
        console,
        targets,
        scrapes,
        client: Client::new(
            targets,
            resolver,
            plan.outgoing(targets),
            plan.timeout,
            &plan.trust,
            Answers::new(&plan.allowed, &plan.blocked),
        ),
        counters: Counters::new(targets.len()),
        samples: (0..plan.workers).map(|_| SampleBuffer::default()).collect(),
        probing,
        cut_off: AtomicBool::new(false),
        aborted_by: OnceLock::new(),
    };
    thread::scope(|scope| run.carry_out(scope, dealer, recording))
}

/// What the threads of a run share.
struct Run<'a> {
    plan: &'a Plan,
    stop: &'a Stop,
    console: &'a Console,
    targets: &'a [Target],
    scrapes: &'a Scrapes,
    client: Client,
    counters: Counters,
    samples: Vec<SampleBuffer>,
    probing: Option<Probing>,
    cut_off: AtomicBool,
    /// The place of the threshold that stopped it.
    aborted_by: OnceLock<usize>,
}

impl Run<'_> {
    /// The schedule's start, and the same by the calendar: a moment from now, or as much later as
    /// its alignment asks for.
    fn start(&self) -> (Moment, SystemTime) {
        let started = SystemTime::now() + Duration::from(LEAD);
        let start = Moment::now() + LEAD;
        let Some(alignment) = self.plan.alignment else {
            return (start, started);
        };
        let delay = alignment.delay(started);
        self.console
            .print(alignment_line(delay, alignment.window()));
        (start + delay, started + Duration::from(delay))
    }

    fn carry_out<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        dealer: Dealer,
        recording: Recording<'scope>,
    ) -> Result<Results, RunError> {
        let (queue, tokens) = queue::queue(self.plan.queue);
        // Nothing is ever sent: it tells when the last worker, and the prober, has dropped its end.
        let (working, all_done) = bounded::<()>(0);
        for samples in &self.samples {
            let worker = Worker {
                queue: tokens.clone(),
                counters: &self.counters,
                samples,
                sample_capacity: (WAITING_SAMPLES / self.plan.workers).max(64),
                stop: self.stop,
                cut_off: &self.cut_off,
            };
            let working = working.clone();
            spawn(scope, "worker", WORKER_STACK, move || {
                use_batch_policy();
                let mut scratch = Scratch::default();
                worker.run(&SystemTimer::for_this_thread(), |token, target| {
                    self.client
                        .check(target, token.sequence, token.key, &mut scratch)
                });
                drop(working);
            })?;
        }
        drop(tokens);

        let (events, told) = bounded(WAITING_EVENTS);
        let (start, started) = self.start();
        let reporter = Reporter {
            events: told,
            scrapes: self.scrapes,
            schedule: &self.plan.schedule,
            start,
            started,
            stop: self.stop,
            stats_interval: Nanos::from(self.plan.stats_interval),
            counters: &self.counters,
            samples: &self.samples,
            probed: self.probing.as_ref().map_or(&[], Probing::samples),
            client: &self.client,
            targets: self.targets,
            console: self.console,
            audit_feed: AuditFeed::new(self.plan, self.targets.len(), start),
            recorder: Recorder::new(
                recording,
                &self.plan.schedule,
                &self.counters,
                self.stop,
                self.targets.len(),
                (start, started),
            ),
            aborter: Aborter::new(
                self.plan,
                self.targets.len(),
                start,
                self.stop,
                &self.aborted_by,
            ),
        };
        let reporter = spawn(scope, "reporter", DEFAULT_STACK, || reporter.run())?;
        // Nothing is ever sent here either.
        let (pacing, paced) = bounded(0);
        let drain_timeout = self.plan.drain_timeout.into();
        let patience = Patience::new(start, paced, drain_timeout, self.stop, &self.cut_off);
        let prober = match &self.probing {
            Some(probing) => Some(Prober { probing, patience }.start(scope, working)?),
            None => {
                drop(working);
                None
            }
        };
        let pacer = Pacer {
            schedule: &self.plan.schedule,
            start,
            keys: dealer,
            queue,
            counters: &self.counters,
            stop: self.stop,
        };
        let announce = announcer(events.clone(), self.console);
        let pacer = spawn(scope, "pacer", DEFAULT_STACK, move || {
            pacer.run(&SystemTimer::for_this_thread(), announce);
        })?;

        join(pacer);
        let pacing_ended = Moment::now();
        drop(pacing);
        // The reporter ends after this sender does, so it is there to be told.
        let _ = events.send(Event::PacingEnded);
        if let Err(RecvTimeoutError::Timeout) = all_done.recv_timeout(self.plan.drain_timeout) {
            self.cut_off.store(true, Release);
            self.client.interrupt();
            self.probing.iter().for_each(Probing::interrupt);
            let _ = all_done.recv();
        }
        let all_ended = Moment::now();
        let probe = prober.map(join);
        drop(events);
        let Reported {
            tally,
            audit,
            phases,
        } = join(reporter);
        let ledgers = self.counters.ledgers();
        debug_assert!(ledgers.iter().all(Ledger::balances), "{ledgers:?}");
        let late = tally.late + self.counters.unsent_late();
        Ok(Results {
            verdict: Verdict::new(&ledgers.iter().copied().sum(), late),
            ledgers,
            tally,
            phases,
            audit,
            probe,
            started,
            paced: pacing_ended.since(start),
            drained: all_ended.since(pacing_ended),
            interrupted: self.stop.is_requested(),
            aborted_by: self.aborted_by.get().copied(),
        })
    }
}

/// Tells the reporter of phases, without waiting.
fn announcer(events: Sender<Event>, console: &Console) -> impl FnMut(Phase) {
    move |phase| {
        if events.try_send(Event::Phase(phase)).is_err() {
            console.miss();
        }
    }
}

/// What Rust gives a thread by itself.
const DEFAULT_STACK: usize = 2 * 1024 * 1024;

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    stack: usize,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, RunError> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack)
        .spawn_scoped(scope, body)
        .map_err(|error| RunError::NoThread(name, error))
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
