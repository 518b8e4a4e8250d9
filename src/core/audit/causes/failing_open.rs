//! Requests were admitted while the limiter was failing open.
//!
//! Answers to the load or to the probe may say so. Then this is refuted if without these admissions, more was admitted than
//! promised nevertheless. If no answer says so, an excess refutes this if it is more than the admissions within a second of
//! failures. Failures during more than a quarter of the run would be near any excess, and tell nothing.

use super::{Answered, Case, Conclusion, Hypothesis, list};
use crate::base::Nanos;
use crate::base::text::{count, span};
use crate::core::audit::observation::{Decision, Observation};

pub const NAME: &str = "requests were admitted while failing open";

const SECOND: Nanos = Nanos(1_000_000_000);

/// How many spans of failures are remembered.
const SPANS: usize = 8;

/// How many admissions beyond the limit are needed.
const ENOUGH: u64 = 5;

#[derive(Debug, Clone, Default)]
pub struct FailingOpen {
    /// Spans of failures that are less than a second apart, the latest last, with how many there were.
    failures: Vec<Failures>,
    /// The length of all spans, with a second on each side.
    length: Nanos,
    explained: u64,
    unexplained: u64,
    latest: Nanos,
    sequences: Vec<u64>,
    /// How many answers say that the limiter fails open, and the request of the first one.
    marked: u64,
    first_marked: Option<Observation>,
    /// Requests of the load with such answers.
    marked_sequences: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    from: Nanos,
    to: Nanos,
}

impl FailingOpen {
    /// What follows from the answers that say that the limiter fails open.
    fn by_its_own_words(&self, case: &Case<'_>, first: &Observation) -> Conclusion {
        if !case.is_exceeded_only_failing_open && case.is_exceeded_only_in_outages {
            // A node that decides rightly may have admitted requests that are too many only beside the uncounted ones.
            return Conclusion::NotTested;
        }
        if !case.is_exceeded_only_failing_open {
            return Conclusion::refuted(
                "even without the requests that were admitted while failing open, more were admitted than promised",
            );
        }
        let whose = if first.key.is_probe() {
            "the probe's request"
        } else {
            "request"
        };
        Conclusion::Named {
            statement: format!(
                "requests were admitted while failing open: {}",
                count(self.marked, "answer says so", "answers say so")
            ),
            evidence: vec![
                "without these admissions, no key exceeds the limit".to_owned(),
                format!(
                    "the first was answered by {} to {whose} {}",
                    case.target(first.target as usize),
                    first.sequence
                ),
            ],
            sequences: self.marked_sequences.clone(),
        }
    }
}

impl Hypothesis for FailingOpen {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sent(&mut self, request: &Observation) {
        if request.failing_open {
            self.marked += 1;
            self.first_marked.get_or_insert(*request);
            list(&mut self.marked_sequences, request);
        }
        if !matches!(request.decision, Decision::Failed | Decision::Unanswered) {
            return;
        }
        match self.failures.last_mut() {
            Some(last) if request.sent <= last.to + SECOND => {
                let longer = request.done.saturating_sub(last.to);
                last.to = last.to + longer;
                self.length = self.length + longer;
            }
            _ => {
                if self.failures.len() == SPANS {
                    self.failures.remove(0);
                }
                let (from, to) = (request.sent, request.done);
                self.failures.push(Failures { from, to });
                self.length = self.length + (to - from) + SECOND * 2;
            }
        }
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let (request, limit) = (answered.request, answered.bounds.limit);
        self.latest = request.done;
        let Some(within) = answered.within.filter(|within| *within > limit) else {
            return;
        };
        let log = answered.quota.log();
        let spans = self.failures.iter();
        let counts =
            spans.map(|one| log.count_possible(one.from.saturating_sub(SECOND), one.to + SECOND));
        if counts.sum::<u64>() + limit >= within {
            self.explained += 1;
            list(&mut self.sequences, request);
        } else {
            self.unexplained += 1;
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if !case.is_exceeded {
            return Conclusion::NotTested;
        }
        if let Some(first) = &self.first_marked {
            return self.by_its_own_words(case, first);
        }
        if self.unexplained > 0 {
            return Conclusion::refuted(format!(
                "{} admissions beyond the limit had no failures within a second",
                self.unexplained
            ));
        }
        if self.explained < ENOUGH || self.length * 4 > self.latest {
            return Conclusion::NotTested;
        }
        Conclusion::Named {
            statement: format!(
                "requests were admitted while failing open: without those within a second of failures, no key exceeds the \
                 limit ({} admissions beyond it)",
                self.explained
            ),
            evidence: vec![format!(
                "the failures and a second around them take {} of {}",
                span(self.length),
                span(self.latest)
            )],
            sequences: self.sequences.clone(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
