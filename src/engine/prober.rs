//! The prober: schedules the probe's requests. One asker for each target sends them.

use super::askers::{AHEAD, Askers, Errand, reply};
use super::run_end::RunEnd;
use super::sample_buffer::SampleBuffer;
use super::{Caller, DEFAULT_STACK, NoThread, Targets, buffers, spawn};
use crate::base::{Moment, Nanos};
use crate::core::audit::Terms;
use crate::core::audit::probe::{Probe, ProbeReport, Question, Reply, To};
use crate::core::plan::Plan;
use crate::system::{Hold, Latch};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

/// The state that the threads of a probe share.
pub(super) struct Probing<'a, C> {
    terms: Terms,
    cost: u64,
    caller: &'a C,
    /// One buffer for each asker. The keys of these samples are the probe's numbers.
    samples: Vec<SampleBuffer>,
}

impl<'a, C: Caller> Probing<'a, C> {
    /// Returns `None` if the targets have no probe.
    pub fn new<T: Targets<Caller = C>>(plan: &Plan, targets: &'a T) -> Option<Self> {
        let caller = targets.probe()?;
        let count = targets.names().len();
        Some(Probing {
            terms: plan.audit_terms(count)?,
            cost: plan.cost,
            caller,
            samples: buffers(count),
        })
    }

    pub fn samples(&self) -> &[SampleBuffer] {
        &self.samples
    }
}

/// Carries out a [`Probe`].
pub(super) struct Prober<'a, C> {
    pub probing: &'a Probing<'a, C>,
    pub patience: Patience<'a>,
}

/// The end of the probe.
pub(super) struct Patience<'a> {
    start: Moment,
    /// Opens when pacing ends.
    paced: Latch,
    drain: Nanos,
    end: RunEnd<'a>,
    /// The drain deadline, once pacing has ended.
    deadline: Option<Moment>,
}

/// The cycle of requests that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cycle {
    /// The request would begin a new cycle.
    New,
    /// The cycle is under way, and is useful only if the run lasts until this moment.
    UnderWay { useful_at: Nanos },
}

impl<'a> Patience<'a> {
    pub fn new(start: Moment, paced: Latch, drain: Nanos, end: RunEnd<'a>) -> Self {
        Patience {
            start,
            paced,
            drain,
            end,
            deadline: None,
        }
    }

    /// Waits until shortly before `at`. Returns false if the request must not be sent: the run is over, or pacing has
    /// ended and the cycle is new or would outlast the drain.
    fn wait(&mut self, at: Nanos, cycle: Cycle) -> bool {
        let at = self.start + at;
        loop {
            if self.deadline.is_none() && self.paced.is_open() {
                self.deadline = Some(Moment::now() + self.drain);
            }
            if self.end.is_over() || self.is_too_late(cycle) {
                return false;
            }
            let left = Duration::from(at.since(Moment::now() + AHEAD));
            if left.is_zero() {
                return true;
            }
            if self.deadline.is_none() {
                // A stop ends pacing.
                self.paced.wait_for(left);
            } else {
                self.end.stop.wait(left);
            }
        }
    }

    fn is_too_late(&self, cycle: Cycle) -> bool {
        match (self.deadline, cycle) {
            (None, _) => false,
            (Some(_), Cycle::New) => true,
            (Some(deadline), Cycle::UnderWay { useful_at }) => self.start + useful_at > deadline,
        }
    }
}

impl<'scope, C: Caller> Prober<'scope, C> {
    /// Starts the prober and its askers. The prober drops `working` when none of the probe's requests is in flight any
    /// more.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        self,
        scope: &'scope Scope<'scope, '_>,
        working: Hold,
    ) -> Result<ScopedJoinHandle<'scope, ProbeReport>, NoThread> {
        let samples = self.probing.samples.iter().map(Some);
        let askers = Askers::start(scope, self.probing.caller, samples, self.patience.end)?;
        spawn(scope, "prober", DEFAULT_STACK, move || {
            let report = self.run(&askers);
            drop(working);
            report
        })
    }

    /// Ends at a stop, or after pacing with the cycle that is under way. It ends sooner if that cycle would outlast the
    /// drain timeout.
    fn run(mut self, askers: &Askers) -> ProbeReport {
        let mut probe = Probe::new(self.probing.terms.clone(), self.probing.cost);
        while let Some(question) = probe.next() {
            let cycle = if probe.is_between_cycles() {
                Cycle::New
            } else {
                let useful_at = probe.settled_at();
                Cycle::UnderWay { useful_at }
            };
            if !self.patience.wait(question.at, cycle) {
                break;
            }
            let Some(replies) = self.ask(&question, askers) else {
                break;
            };
            probe.answered(&replies);
        }
        probe.finish()
    }

    /// Sends the requests of one step of the probe. Returns `None` if the run is over.
    fn ask(&self, question: &Question, askers: &Askers) -> Option<Vec<Reply>> {
        let targets = match question.to {
            To::All => 0..self.probing.samples.len(),
            To::One(target) => target..target + 1,
        };
        let count = targets.len();
        for (target, sequence) in targets.zip(question.sequence..) {
            let errand = Errand {
                target,
                key: question.key,
                fresh: question.fresh,
                sequence,
                at: self.patience.start + question.at,
            };
            // The askers receive until this sender is dropped.
            let _ = askers.errands.send(errand);
        }
        let returned: Vec<_> = askers.returns.iter().take(count).collect();
        let replies = returned.into_iter().map(|(errand, came)| {
            let (sample, head) = came?;
            Some(reply(&errand, &sample.answer, head, self.patience.start))
        });
        let mut replies: Vec<_> = replies.collect::<Option<_>>()?;
        replies.sort_by_key(|reply| reply.request.target);
        (!self.patience.end.is_cut_off()).then_some(replies)
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_end::PassedDeadlines;
    use super::*;
    use crate::system::Stop;

    const SECOND: Nanos = Nanos(1_000_000_000);

    /// Waits as a prober of a run whose pacing ends after `paced`, or never.
    fn waited(paced: Option<Duration>, stop: &Stop, at: Nanos, cycle: Cycle) -> bool {
        let (pacing, latch) = Latch::new();
        let passed = PassedDeadlines::default();
        let end = RunEnd {
            stop,
            passed: &passed,
        };
        let mut patience = Patience::new(Moment::now(), latch, SECOND * 100, end);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stop.wait(paced.unwrap_or(Duration::MAX));
                drop(pacing);
            });
            let waited = patience.wait(at, cycle);
            stop.request();
            waited
        })
    }

    #[test]
    fn after_pacing_a_cycle_under_way_goes_on_and_no_other_begins() {
        let (now, soon) = (Duration::ZERO, Nanos(SECOND.0 / 5));
        let ends = |useful_at| Cycle::UnderWay { useful_at };
        for (cycle, goes_on) in [
            (ends(soon), true),
            (Cycle::New, false),
            (ends(SECOND * 200), false),
        ] {
            let waited = waited(Some(now), &Stop::default(), soon, cycle);
            assert_eq!(waited, goes_on, "{cycle:?}");
        }
        assert!(waited(None, &Stop::default(), soon, Cycle::New));
    }

    #[test]
    fn the_end_of_pacing_or_a_stop_ends_a_wait_at_once() {
        let began = Moment::now();
        let soon = Duration::from_millis(100);
        let hour = SECOND * 3_600;
        assert!(!waited(Some(soon), &Stop::default(), hour, Cycle::New));

        let stop = Stop::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(soon);
                stop.request();
            });
            let cycle = Cycle::UnderWay {
                useful_at: SECOND * 50,
            };
            assert!(!waited(None, &stop, hour, cycle));
        });
        assert!(Moment::now().since(began) < SECOND * 30);
    }
}
