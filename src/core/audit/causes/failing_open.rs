//! Requests were admitted while the limiter was failing open.
//!
//! An answer to the probe may say so. Otherwise, an excess refutes this if it is more than the admissions within a second of
//! failures. Failures during more than a quarter of the run would be near any excess, and tell nothing.

use super::{Answered, Case, Conclusion, Hypothesis, list};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::audit::observation::{Decision, Observation};

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
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    from: Nanos,
    to: Nanos,
}

impl Hypothesis for FailingOpen {
    fn name(&self) -> &'static str {
        "requests were admitted while failing open"
    }

    fn sent(&mut self, request: &Observation) {
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
        let reported = case.probe.and_then(|probe| probe.failing_open);
        if let Some(open) = reported {
            let statement = format!(
                "requests were admitted while failing open: {} answers to the probe say so",
                open.times
            );
            let evidence = format!(
                "the first was answered by {} to the probe's request {}",
                case.target(open.first.target),
                open.first.sequence
            );
            return Conclusion::named(statement, [evidence]);
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
