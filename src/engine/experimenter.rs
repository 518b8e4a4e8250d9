//! The experimenter: sends the questions of an experiment, which finds out what a limiter enforces.

use super::askers::{AHEAD, Askers, Errand, reply};
use super::run_end::{PassedDeadlines, RunEnd};
use super::{Caller, FIRST_LOOKUP, LEAD, NoThread, RunError, Start, Targets};
use crate::base::{Moment, Nanos, Sample};
use crate::core::answers::Head;
use crate::core::audit::probe::Reply;
use crate::core::discovery::{Experiment, Findings, Question, Step};
use crate::core::plan::Plan;
use crate::system::Stop;
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, SystemTime};

/// The number of askers, which is more than the experiment has requests in flight.
const ASKERS: usize = 64;

const SECOND: Nanos = Nanos(1_000_000_000);

/// How often a stop is looked for while a reply is awaited.
const CHECKS: Duration = Duration::from_millis(20);

/// Receives what happens in an experiment. No method may wait.
pub trait Watcher {
    /// The experiment begins: at least one target has an address, and every thread has been started.
    fn begin(&mut self, _start: &Start) {}

    /// A request has ended.
    fn asked(&mut self, _question: &Question, _reply: &Reply, _sample: &Sample) {}

    /// Called about fifty times a second, and after each request.
    fn goes_on(&mut self, _elapsed: Nanos, _experiment: &Experiment) {}
}

impl Watcher for () {}

/// Carries out an experiment on the limiter of `targets`. Returns when it has ended, or `stop` was requested and every request in
/// flight has been answered or the plan's drain timeout has passed. Of the plan, only the timeouts are used.
///
/// # Errors
/// No target's name has an address, or the system refuses a thread.
pub fn discover(
    mut experiment: Experiment,
    plan: &Plan,
    targets: &impl Targets,
    stop: &Stop,
    watcher: &mut dyn Watcher,
) -> Result<Findings, RunError> {
    if !targets.wait_for_address(FIRST_LOOKUP, stop) && !stop.is_requested() {
        return Err(RunError::NoTargetResolves(targets.names().join(", ")));
    }
    let passed = PassedDeadlines::default();
    let end = RunEnd {
        stop,
        passed: &passed,
    };
    let asked = thread::scope(|scope| {
        let caller = targets.traffic();
        let samples = (0..ASKERS).map(|_| None);
        let askers = Askers::start(scope, caller, samples, end)?;
        let start = Start {
            at: Moment::now() + LEAD,
            by_calendar: SystemTime::now() + Duration::from(LEAD),
            alignment_delay: None,
            late: Nanos::ZERO,
        };
        if let Ok(since_1970) = start.by_calendar.duration_since(SystemTime::UNIX_EPOCH) {
            experiment.set_began(since_1970);
        }
        watcher.begin(&start);
        let run = Run {
            per_second: experiment.bounds().per_second as usize,
            recent: VecDeque::new(),
            experiment: &mut experiment,
            askers: &askers,
            start: start.at,
            in_flight: Vec::new(),
            watcher,
        };
        run.ask(end, plan.drain.after_stop.into(), || caller.interrupt());
        Ok(())
    });
    match asked {
        Ok(()) => Ok(experiment.finish()),
        Err(NoThread(_, why)) => Err(RunError::NoAsker(why)),
    }
}

struct Run<'a> {
    /// The most requests in any second.
    per_second: usize,
    /// The instants of the requests that have ended and were sent within the last second, in order.
    recent: VecDeque<Moment>,
    experiment: &'a mut Experiment,
    askers: &'a Askers,
    start: Moment,
    in_flight: Vec<Question>,
    watcher: &'a mut dyn Watcher,
}

impl Run<'_> {
    /// Asks until the experiment ends. After a stop, requests in flight get the time `drain` before they are interrupted.
    fn ask(mut self, end: RunEnd, drain: Nanos, interrupt: impl Fn()) {
        loop {
            let now = Moment::now();
            if let Some(stopped) = end.stop.requested_at() {
                self.experiment.stop();
                if self.in_flight.is_empty() {
                    return;
                }
                if now >= stopped + drain && !end.is_cut_off() {
                    end.passed.cut_off();
                    interrupt();
                }
            }
            let wait = match self.experiment.next() {
                Step::End if self.in_flight.is_empty() => return,
                Step::Ask(question) if self.in_flight.len() < ASKERS => {
                    let at = (self.start + question.at).max(self.allowed_at(now));
                    let wait = at.since(now + AHEAD);
                    if wait == Nanos::ZERO {
                        self.send(question, at.max(now));
                        continue;
                    }
                    Duration::from(wait).min(CHECKS)
                }
                Step::Ask(_) | Step::Await | Step::End => CHECKS,
            };
            if let Ok((errand, came)) = self.askers.returns.recv_timeout(wait) {
                self.take(&errand, came);
            }
            let elapsed = Moment::now().since(self.start);
            self.watcher.goes_on(elapsed, self.experiment);
        }
    }

    /// The earliest moment at which another request may be sent. Those in flight may be sent at any moment up to now.
    fn allowed_at(&mut self, now: Moment) -> Moment {
        while self
            .recent
            .front()
            .is_some_and(|sent| now.since(*sent) > SECOND)
        {
            self.recent.pop_front();
        }
        let all = self.recent.len() + self.in_flight.len();
        match all.checked_sub(self.per_second) {
            None => now,
            // Of those that have ended, so many have to be over for a second.
            Some(too_many) => match self.recent.get(too_many) {
                Some(sent) => *sent + SECOND + Nanos(1),
                None => now + SECOND,
            },
        }
    }

    fn send(&mut self, question: Question, at: Moment) {
        self.in_flight.push(question);
        self.experiment.sent(question, at.since(self.start));
        let errand = Errand {
            target: question.target,
            key: question.key,
            fresh: question.fresh,
            sequence: question.sequence,
            at,
        };
        // The askers receive until this sender is dropped, and there is one for each request in flight.
        let _ = self.askers.errands.send(errand);
    }

    /// Takes what came of a request. A stop may have kept it from being sent.
    fn take(&mut self, errand: &Errand, came: Option<(Sample, Option<Head>)>) {
        let place = self
            .in_flight
            .iter()
            .position(|question| question.sequence == errand.sequence);
        let question = place.map(|place| self.in_flight.swap_remove(place));
        if let (Some(question), Some((sample, head))) = (question, came) {
            let sent = sample.answer.sent;
            let later = self
                .recent
                .iter()
                .rev()
                .take_while(|one| **one > sent)
                .count();
            self.recent.insert(self.recent.len() - later, sent);
            let reply = reply(errand, &sample.answer, head, self.start);
            self.experiment.answered(&reply);
            self.watcher.asked(&question, &reply, &sample);
        }
    }
}
