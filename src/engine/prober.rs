//! The probe's threads: the prober, which knows what to ask, and one asker for each target.

use super::audit_feed;
use super::sample_buffer::SampleBuffer;
use super::{DEFAULT_STACK, RunError, WORKER_STACK, spawn};
use crate::base::{Answer, KeyId, Moment, Nanos, Outcome, Sample, Target};
use crate::client::{Client, Head, Resolver, Scratch};
use crate::core::answers::Answers;
use crate::core::audit::probe::{
    LimitHeaders, Probe, ProbeReport, ProbeRequest, Question, Reply, To,
};
use crate::core::audit::{Decision, Terms};
use crate::core::plan::Plan;
use crate::core::request::Placeholder;
use crate::system::Stop;
use crate::system::scheduling::use_batch_policy;
use crate::system::timer::{SystemTimer, Timer};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

/// How long before their time the askers are given what to ask: enough for all of them to be asleep by then.
const AHEAD: Nanos = Nanos(2_000_000);

/// How many samples of an asker may wait for the reporter.
const WAITING_SAMPLES: usize = 1 << 14;

/// What the threads of a probe share.
pub(super) struct Probing {
    terms: Terms,
    client: Client,
    /// By target. Their keys are the probe's numbers.
    samples: Vec<SampleBuffer>,
}

impl Probing {
    /// If the plan asks for a probe and requests say which key they are for.
    pub fn new(plan: &Plan, targets: &[Target], resolver: &Arc<Resolver>) -> Option<Probing> {
        let asked = plan.audit.as_ref().filter(|audit| audit.probe)?;
        if !plan.form.has(Placeholder::Key) {
            return None;
        }
        let outgoing = plan.outgoing_for(targets, &plan.keys.for_a_probe(plan.seed));
        Some(Probing {
            terms: audit_feed::terms(plan, asked, targets.len()),
            client: Client::new(
                targets,
                resolver.clone(),
                outgoing,
                plan.timeout,
                &plan.trust,
                Answers::new(&plan.allowed, &plan.blocked),
            ),
            samples: targets.iter().map(|_| SampleBuffer::default()).collect(),
        })
    }

    pub fn samples(&self) -> &[SampleBuffer] {
        &self.samples
    }

    /// See [`Client::interrupt`].
    pub fn interrupt(&self) {
        self.client.interrupt();
    }
}

/// Carries out a [`Probe`].
pub(super) struct Prober<'a> {
    pub probing: &'a Probing,
    pub patience: Patience<'a>,
}

/// Until when the probe goes on asking.
pub(super) struct Patience<'a> {
    start: Moment,
    /// Disconnected when pacing ends.
    paced: Receiver<()>,
    drain_timeout: Nanos,
    stop: &'a Stop,
    /// Set when the drain deadline has passed.
    cut_off: &'a AtomicBool,
    /// Once pacing has ended.
    deadline: Option<Moment>,
}

impl<'a> Patience<'a> {
    /// Of a run that starts at `start`. `paced` is disconnected when pacing ends; `cut_off` is set when the drain
    /// deadline has passed.
    pub fn new(
        start: Moment,
        paced: Receiver<()>,
        drain_timeout: Nanos,
        stop: &'a Stop,
        cut_off: &'a AtomicBool,
    ) -> Patience<'a> {
        Patience {
            start,
            paced,
            drain_timeout,
            stop,
            cut_off,
            deadline: None,
        }
    }

    /// Waits until shortly before `at`; false if nothing is to be asked then, such as when what matters, `settled_at`, is
    /// too long after the end of pacing.
    fn wait(&mut self, at: Nanos, settled_at: Nanos, opens_cycle: bool) -> bool {
        let (at, settled_at) = (self.start + at, self.start + settled_at);
        loop {
            let ended = || self.paced.try_recv() == Err(TryRecvError::Disconnected);
            if self.deadline.is_none() && ended() {
                self.deadline = Some(Moment::now() + self.drain_timeout);
            }
            let too_late = |deadline| opens_cycle || settled_at > deadline;
            if self.is_over() || self.deadline.is_some_and(too_late) {
                return false;
            }
            let left = Duration::from(at.since(Moment::now() + AHEAD));
            if left.is_zero() {
                return true;
            }
            match self.deadline {
                // Pacing ends with a stop.
                None => {
                    let _ = self.paced.recv_timeout(left);
                }
                Some(_) => {
                    self.stop.wait(left);
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        is_over(self.stop, self.cut_off)
    }
}

fn is_over(stop: &Stop, cut_off: &AtomicBool) -> bool {
    stop.is_requested() || cut_off.load(Acquire)
}

/// One request, to be sent then.
struct Errand {
    key: u32,
    sequence: u64,
    at: Moment,
}

/// What came of one, and of whose; `None` if the run was over before it was sent.
type Return = (usize, Option<(Answer, Option<Head>)>);

impl<'scope> Prober<'scope> {
    /// Starts its threads. The prober drops `working` when nothing of the probe is in flight any more.
    ///
    /// # Errors
    /// There is no thread.
    pub fn start(
        self,
        scope: &'scope Scope<'scope, '_>,
        working: Sender<()>,
    ) -> Result<ScopedJoinHandle<'scope, ProbeReport>, RunError> {
        let targets = self.probing.samples.len();
        let (back, returns) = bounded(targets);
        let mut errands = Vec::with_capacity(targets);
        for target in 0..targets {
            let (errand, taken) = bounded(1);
            errands.push(errand);
            let asker = Asker {
                target,
                errands: taken,
                back: back.clone(),
                probing: self.probing,
                stop: self.patience.stop,
                cut_off: self.patience.cut_off,
            };
            spawn(scope, "asker", WORKER_STACK, move || {
                use_batch_policy();
                asker.run(&SystemTimer::for_this_thread());
            })?;
        }
        spawn(scope, "prober", DEFAULT_STACK, move || {
            let report = self.run(&errands, &returns);
            drop(working);
            report
        })
    }

    /// Ends at a stop, and with the cycle under way at the end of pacing; or sooner, where that would take it beyond
    /// the drain timeout.
    fn run(mut self, errands: &[Sender<Errand>], returns: &Receiver<Return>) -> ProbeReport {
        let mut probe = Probe::new(self.probing.terms.clone());
        while let Some(question) = probe.next() {
            let opens_cycle = probe.is_between_cycles();
            if !self
                .patience
                .wait(question.at, probe.settled_at(), opens_cycle)
            {
                break;
            }
            let Some(replies) = self.ask(&question, errands, returns) else {
                break;
            };
            probe.answered(&replies);
        }
        probe.finish()
    }

    /// `None` if the run is over.
    fn ask(
        &self,
        question: &Question,
        errands: &[Sender<Errand>],
        returns: &Receiver<Return>,
    ) -> Option<Vec<Reply>> {
        let targets = match question.to {
            To::All => 0..errands.len(),
            To::One(target) => target..target + 1,
        };
        let count = targets.len();
        for (target, sequence) in targets.clone().zip(question.sequence..) {
            let errand = Errand {
                key: question.key,
                sequence,
                at: self.patience.start + question.at,
            };
            // An asker ends after its sender does.
            let _ = errands[target].send(errand);
        }
        let returned: Vec<_> = returns.iter().take(count).collect();
        let replies = returned.into_iter().map(|(target, came)| {
            let (answer, head) = came?;
            let sequence = question.sequence + (target - targets.start) as u64;
            Some(self.reply(sequence, target, &answer, head))
        });
        let mut replies: Vec<_> = replies.collect::<Option<_>>()?;
        replies.sort_by_key(|reply| reply.request.target);
        (!self.patience.cut_off.load(Acquire)).then_some(replies)
    }

    fn reply(&self, sequence: u64, target: usize, answer: &Answer, head: Option<Head>) -> Reply {
        let request = ProbeRequest {
            sequence,
            target,
            sent: answer.sent.since(self.patience.start),
            done: answer.done.max(answer.sent).since(self.patience.start),
            decision: Decision::of(answer.outcome),
        };
        Reply {
            request,
            status: head.as_ref().map(|head| head.status.as_u16()),
            headers: head.map_or_else(LimitHeaders::default, |head| {
                LimitHeaders::of(&head.headers)
            }),
        }
    }
}

/// Asks one target.
struct Asker<'a> {
    target: usize,
    errands: Receiver<Errand>,
    back: Sender<Return>,
    probing: &'a Probing,
    stop: &'a Stop,
    cut_off: &'a AtomicBool,
}

impl Asker<'_> {
    /// Ends when the prober has ended.
    fn run(self, timer: &impl Timer) {
        let mut scratch = Scratch::default();
        for errand in &self.errands {
            while timer.now() < errand.at && !self.is_over() {
                timer.sleep_until(errand.at, self.stop);
            }
            let came = (!self.is_over()).then(|| self.ask(&errand, &mut scratch));
            // The prober waits for as many as it has sent.
            let _ = self.back.send((self.target, came));
        }
    }

    fn ask(&self, errand: &Errand, scratch: &mut Scratch) -> (Answer, Option<Head>) {
        let Errand { key, sequence, .. } = *errand;
        let samples = &self.probing.samples[self.target];
        let due = Moment::now();
        samples.begin(due);
        let client = &self.probing.client;
        let ask = || client.ask(self.target, sequence, KeyId(key), scratch);
        // As a worker's does, a panic costs its own request.
        let (mut answer, head) = catch_unwind(AssertUnwindSafe(ask))
            .unwrap_or_else(|_| (Answer::lost_to_a_panic(), None));
        if self.cut_off.load(Acquire) {
            answer.outcome = Outcome::Abandoned;
        }
        let sample = Sample {
            sequence,
            key: KeyId(key),
            target: self.target as u32,
            due,
            answer,
        };
        samples.push(sample, WAITING_SAMPLES);
        (answer, head)
    }

    fn is_over(&self) -> bool {
        is_over(self.stop, self.cut_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos(1_000_000_000);

    /// A run whose pacing ends, if at all, after `paced`.
    fn waited(paced: Option<Duration>, stop: &Stop, settled_at: Nanos, opens_cycle: bool) -> bool {
        let (pacing, told) = bounded::<()>(0);
        let cut_off = AtomicBool::new(false);
        let mut patience = Patience::new(Moment::now(), told, SECOND * 100, stop, &cut_off);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stop.wait(paced.unwrap_or(Duration::MAX));
                drop(pacing);
            });
            let waited = patience.wait(settled_at.min(SECOND * 90), settled_at, opens_cycle);
            stop.request();
            waited
        })
    }

    #[test]
    fn a_cycle_goes_on_past_the_end_of_pacing_and_no_other_begins() {
        let (now, soon) = (Duration::ZERO, Nanos(SECOND.0 / 5));
        for (at, opens_cycle, goes_on) in [
            (soon, false, true),
            (soon, true, false),
            (SECOND * 200, false, false),
        ] {
            let waited = waited(Some(now), &Stop::default(), at, opens_cycle);
            assert_eq!(waited, goes_on, "{at} {opens_cycle}");
        }
        assert!(waited(None, &Stop::default(), soon, true));
    }

    #[test]
    fn the_end_of_pacing_or_a_stop_ends_a_wait_at_once() {
        let began = Moment::now();
        let soon = Duration::from_millis(100);
        assert!(!waited(Some(soon), &Stop::default(), SECOND * 3_600, true));

        let stop = Stop::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(soon);
                stop.request();
            });
            assert!(!waited(None, &stop, SECOND * 50, false));
        });
        assert!(Moment::now().since(began) < SECOND * 30);
    }
}
