//! Keys are not told apart: they share one count, because the limit is by address, keys are cut short, or they collide.
//!
//! The admissions of all keys are held to the limit as if they were of one. More than one key is admitted in any window
//! refutes this, and so does a block before which fewer than the limit can have been admitted of all keys together.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::base::Nanos;
use crate::core::audit::observation::{Decision, Observation};
use crate::core::audit::promise::Algorithm;
use std::collections::VecDeque;

/// Admissions are remembered up to this limit.
const MOST: u64 = 1 << 16;

/// How many wrongly blocked requests are needed.
const ENOUGH: u64 = 5;

#[derive(Debug, Clone, Default)]
pub struct KeysNotApart {
    /// The latest admissions of all keys in the order of their dones, up to twice the limit: sent and done.
    admitted: VecDeque<(Nanos, Nanos)>,
    /// Requests under way that will turn out to be allowed.
    in_flight: u64,
    /// Requests that may have been counted at any time since they were sent.
    maybe_counted: u64,
    /// The most admissions that surely lie within one window.
    most: u64,
    /// Blocks with too few admissions before them.
    unexplained: u64,
    /// Wrong blocks that the admissions of other keys explain.
    explained: u64,
    is_beyond_memory: bool,
}

impl KeysNotApart {
    fn admit(&mut self, answered: &Answered<'_>) {
        let (request, bounds) = (answered.request, answered.bounds);
        if bounds.limit > MOST {
            self.is_beyond_memory = true;
            return;
        }
        if self.admitted.len() as u64 > bounds.limit * 2 {
            self.admitted.pop_front();
        }
        self.admitted.push_back((request.sent, request.done));
        let since = request.done.saturating_sub(bounds.shortest_window);
        let latest = self.admitted.iter().rev();
        // Some that were sent later may be done earlier. To leave them out means to count too few.
        let within = latest.take_while(|(sent, _)| *sent > since).count() as u64;
        self.most = self.most.max(within);
    }

    fn block(&mut self, answered: &Answered<'_>) {
        let (request, bounds) = (answered.request, answered.bounds);
        let since = request.sent.saturating_sub(bounds.longest_window);
        let before = self.admitted.partition_point(|(_, done)| *done < since);
        let counted = (self.admitted.len() - before) as u64;
        if counted + self.in_flight + self.maybe_counted < bounds.limit {
            self.unexplained += 1;
        } else if answered.is_wrong {
            self.explained += 1;
        }
    }

    /// The most that one key may be admitted in any window, by the promises.
    fn promised(case: &Case<'_>) -> u64 {
        let mut limits = case.terms.promises.iter().flat_map(|one| &one.limits);
        let is_sliding = limits.all(|one| one.algorithm == Algorithm::SlidingWindow);
        case.terms.limit * if is_sliding { 1 } else { 2 }
    }
}

impl Hypothesis for KeysNotApart {
    fn name(&self) -> &'static str {
        "keys are not told apart"
    }

    fn sent(&mut self, request: &Observation) {
        match request.decision {
            Decision::Allowed => self.in_flight += 1,
            Decision::Blocked => {}
            Decision::Failed | Decision::Unanswered => self.maybe_counted += 1,
        }
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        match answered.request.decision {
            Decision::Allowed => {
                self.in_flight = self.in_flight.saturating_sub(1);
                if answered.is_general {
                    self.admit(answered);
                }
            }
            _ if answered.is_general => self.block(answered),
            _ => {}
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let (limit, window) = (case.terms.limit, case.terms.window);
        let asked = case
            .probe
            .and_then(|probe| case.asked(&probe.questions.keys));
        if !case.has_false_blocks || self.is_beyond_memory || case.keys < 2 {
            return Conclusion::NotTested;
        }
        if let Some(Conclusion::Refuted { why }) = asked {
            return Conclusion::Refuted { why };
        }
        if self.most > Self::promised(case) {
            return Conclusion::refuted(format!(
                "{} requests of all keys together were admitted within {window}",
                self.most
            ));
        }
        if self.unexplained > 0 {
            return Conclusion::refuted(format!(
                "{} requests were blocked although fewer than {limit} of all keys together can have been admitted",
                self.unexplained
            ));
        }
        if self.explained < ENOUGH {
            return Conclusion::NotTested;
        }
        let mut evidence = vec![
            format!(
                "all admissions fit one key with this limit: at most {} in any {window}",
                self.most
            ),
            format!(
                "before each of {} requests that had to pass, {limit} of all keys together can have been admitted",
                self.explained
            ),
        ];
        if let Some(Conclusion::Named { statement, .. }) = asked {
            evidence.push(format!("the probe's question: {statement}"));
        }
        let statement = format!(
            "keys are not told apart: {} keys together were admitted no more than one key is promised",
            case.keys
        );
        Conclusion::named(statement, evidence)
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
