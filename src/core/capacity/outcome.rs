//! How a step ended, and whose doing it was.

use super::Processors;
use crate::base::FailureKind;
use crate::core::plan::Plan;
use crate::core::stats::Results;
use crate::core::threshold::{self, JudgedThreshold, Measurements, Met, Threshold};

/// How a step ended, as far as the search needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every threshold was met.
    Held,
    NotHeld {
        cause: Cause,
        /// Whether a limiter that meets the thresholds on average would miss them as clearly in one of 20 steps, the
        /// generator was late although it hardly used the processors, so that something else on this machine disturbed it, or only the
        /// audit has no verdict, which more requests may give it.
        may_be_chance: bool,
    },
    /// The step says nothing about its rate, because the process was suspended.
    Void,
}

/// Why a step did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The limiter missed a threshold.
    Missed,
    /// The generator could not keep its schedule: a limit of this machine.
    Generator,
    /// The generator had no connection left: no local port, no file descriptor, or no worker that was not waiting for an answer.
    Connections,
    /// A threshold could not be judged, because there was nothing to measure or the audit has no verdict.
    Unjudged,
}

/// A step, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub outcome: Outcome,
    /// In the plan's order. A threshold that the limiter missed although the generator was late counts as missed here.
    pub thresholds: Vec<JudgedThreshold>,
    /// What the generator lacked. `None` if it kept its schedule, or if the limiter is to blame.
    pub not_on_time: Option<NotOnTime>,
}

/// What the generator lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOnTime {
    /// Free workers: nearly all of them waited for answers all the time.
    Workers,
    /// Local ports, file descriptors or memory for connections.
    Sockets,
    /// Processor time: all processors of this machine were busy.
    Processors,
    /// Processor time: other processes kept all processors of this machine busy.
    OtherProcesses,
    /// Nothing that can be named.
    Unknown,
}

/// The share of all workers' time from which on they count as always waiting for answers.
const ALWAYS_WAITING: f64 = 0.9;

/// Judges a run at one rate.
///
/// A limiter that answers slowly holds the workers, so that the generator is late. This is told from a generator that is slow
/// itself as follows. If even the service times, which do not contain the generator's lateness, exceed a threshold on the
/// latency, the limiter missed it. So it did if most requests failed and an upper bound on something else is exceeded. Otherwise
/// the generator lacked something, and the limiter is not to blame: a generator that is late sends requests in bursts, and a
/// limiter rightly blocks some of them. A service time contains the time for which the worker waits for a processor, so no time
/// is held against the limiter if the processors were busy, unless others kept them busy and the median alone is too long: few
/// requests wait long for a processor that this process uses little.
pub fn outcome(plan: &Plan, results: &Results, processors: Processors) -> Judged {
    let thresholds = &plan.thresholds.all;
    let end = plan.schedule.end();
    let judged = threshold::judged(thresholds, end, results);
    let step = JudgedStep {
        plan,
        results,
        processors,
        judged: &judged,
    };
    if results.verdict.suspended() * 100 > results.verdict.scheduled {
        return Judged {
            outcome: Outcome::Void,
            not_on_time: None,
            thresholds: judged,
        };
    }
    if !results.verdict.schedule_kept() {
        return step.late();
    }
    step.on_time()
}

struct JudgedStep<'a> {
    plan: &'a Plan,
    results: &'a Results,
    processors: Processors,
    judged: &'a [JudgedThreshold],
}

impl JudgedStep<'_> {
    fn missed(&self) -> impl Iterator<Item = &Threshold> {
        let all = self.plan.thresholds.all.iter().zip(self.judged);
        let missed = all.filter(|(_, judged)| judged.met == Met::Missed);
        missed.map(|(threshold, _)| threshold)
    }

    /// The outcome if the generator kept its schedule.
    fn on_time(&self) -> Judged {
        let missed_by_limiter = self.missed().filter(|missed| !missed.is_about_generator());
        let missed_by_limiter: Vec<_> = missed_by_limiter.collect();
        if !missed_by_limiter.is_empty() {
            if self.fails_locally() {
                return self.not_held(Cause::Connections, Some(NotOnTime::Sockets));
            }
            let are_times = missed_by_limiter
                .iter()
                .all(|missed| missed.is_about_times());
            if are_times && self.processors.are_busy_with_this_process() {
                return self.not_held(Cause::Generator, Some(NotOnTime::Processors));
            }
            return self.not_held(Cause::Missed, None);
        }
        if self.missed().next().is_some() {
            return self.not_held(Cause::Generator, Some(NotOnTime::Unknown));
        }
        let lacks_requests = self
            .results
            .lateness
            .iter()
            .any(|of| of.backlog_dropped > 0);
        if lacks_requests {
            // The targets did not answer in time.
            return self.not_held(Cause::Missed, None);
        }
        let is_met = |judged: &JudgedThreshold| judged.met == Met::Met;
        if self.judged.iter().all(is_met) {
            return Judged {
                outcome: Outcome::Held,
                thresholds: self.judged.to_vec(),
                not_on_time: None,
            };
        }
        self.not_held(Cause::Unjudged, None)
    }

    /// The outcome if the generator did not keep its schedule.
    fn late(&self) -> Judged {
        if self.missed().any(Threshold::needs_audit) {
            // Proved by single answers, whenever these were sent.
            return self.not_held(Cause::Missed, None);
        }
        if self.fails_locally() {
            return self.not_held(Cause::Connections, Some(NotOnTime::Sockets));
        }
        let exceeded = self.exceeded_anyway();
        if exceeded.contains(&true) {
            let mut judged = self.not_held(Cause::Missed, None);
            for (threshold, _) in judged
                .thresholds
                .iter_mut()
                .zip(exceeded)
                .filter(|(_, exceeded)| *exceeded)
            {
                threshold.met = Met::Missed;
            }
            return judged;
        }
        if self.processors.are_busy_with_others() {
            return self.not_held(Cause::Generator, Some(NotOnTime::OtherProcesses));
        }
        if self.processors.are_busy() {
            return self.not_held(Cause::Generator, Some(NotOnTime::Processors));
        }
        if self.waiting_share() >= ALWAYS_WAITING {
            return self.not_held(Cause::Connections, Some(NotOnTime::Workers));
        }
        self.not_held(Cause::Generator, Some(NotOnTime::Unknown))
    }

    fn not_held(&self, cause: Cause, not_on_time: Option<NotOnTime>) -> Judged {
        Judged {
            outcome: Outcome::NotHeld {
                cause,
                may_be_chance: match cause {
                    Cause::Missed => self.may_be_chance(),
                    Cause::Unjudged => self.lacks_only_the_audit(),
                    Cause::Generator => self.processors.are_hardly_used(),
                    Cause::Connections => false,
                },
            },
            thresholds: self.judged.to_vec(),
            not_on_time,
        }
    }

    /// Whether all thresholds but those on the audit were met.
    fn lacks_only_the_audit(&self) -> bool {
        let mut all = self.plan.thresholds.all.iter().zip(self.judged);
        all.all(|(threshold, judged)| judged.met == Met::Met || threshold.needs_audit())
    }

    /// Whether each missed threshold was missed by so little that it may be chance.
    fn may_be_chance(&self) -> bool {
        let measurements =
            Measurements::of(self.results, &self.results.tally, self.plan.schedule.end());
        let mut missed = self.missed().peekable();
        missed.peek().is_some()
            && missed.all(|threshold| {
                let exceptions = threshold.exceptions(&measurements);
                exceptions.is_some_and(|exceptions| exceptions.may_be_chance())
            })
    }

    /// Whether each threshold is an upper bound that the limiter exceeds even without the generator's lateness.
    fn exceeded_anyway(&self) -> Vec<bool> {
        let end = self.plan.schedule.end();
        let all = self.results.tally.as_if_on_time();
        let median = self.results.tally.as_if_typical();
        let measurements = |tally| Measurements::of(self.results, tally, end);
        let ledger = self.results.ledger();
        let has_mostly_failed = (ledger.failed + ledger.abandoned) * 2 > ledger.sent;
        let thresholds = self.plan.thresholds.all.iter();
        let is_exceeded = |threshold: &Threshold| {
            if threshold.is_about_generator() {
                return false;
            }
            if !threshold.is_about_times() {
                return has_mostly_failed && threshold.is_exceeded(&measurements(&all));
            }
            if !self.processors.are_busy() {
                return threshold.is_exceeded(&measurements(&all));
            }
            self.processors.are_busy_with_others() && threshold.is_exceeded(&measurements(&median))
        };
        thresholds.map(is_exceeded).collect()
    }

    /// Whether at least half of the failed requests never left this machine.
    fn fails_locally(&self) -> bool {
        let failures = self.results.tally.failures();
        let local = failures.of(FailureKind::Local);
        local > 0 && local * 2 >= self.results.ledger().failed
    }

    /// The share of the workers' time that they spent on requests in flight, from 0 to about 1.
    fn waiting_share(&self) -> f64 {
        let tally = &self.results.tally;
        let answered = tally.service_time.sum() as f64;
        // The time after which requests failed is counted from when they were due, so this may be too much.
        let failed = tally.failed_after.sum() as f64;
        let time = (self.results.paced + self.results.drained).0 as f64;
        (answered + failed) / (time * self.plan.workers as f64).max(1.0)
    }
}
