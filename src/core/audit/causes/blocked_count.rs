//! Blocked requests count as well, so that a key is blocked for as long as requests come.
//!
//! An admission of a key refutes this if so many answers as the limit surely lie within the window before it. So does a
//! false block that even all answers do not explain. A window of up to twice the length would look the same until the key is
//! blocked for longer than that.

use super::{Answered, Case, Conclusion, Hypothesis, list};
use crate::base::Nanos;
use crate::base::text::span;

#[derive(Debug, Clone, Default)]
pub struct BlockedCount {
    /// Admissions although the limit's number of answers had come before.
    refuting: u64,
    /// False blocks that all answers together do not explain.
    unexplained: u64,
    /// False blocks that they do explain.
    explained: u64,
    /// The longest time from a key's last admission to a false block of it.
    longest: Nanos,
    sequences: Vec<u64>,
}

impl Hypothesis for BlockedCount {
    fn name(&self) -> &'static str {
        "blocked requests count too"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let Answered {
            request,
            quota,
            bounds,
            ..
        } = answered;
        if answered.within.is_some() {
            self.refuting += u64::from(answered.answers_before >= bounds.limit);
        }
        let Some(blocked) = answered.blocked.filter(|_| answered.is_wrong) else {
            return;
        };
        if blocked.is_explained_by_blocked == Some(true) && blocked.counted < bounds.limit {
            self.explained += 1;
            let log = quota.log();
            let last = log.latest_decision_but(0);
            let since = last.unwrap_or(request.sent);
            self.longest = self.longest.max(request.sent.saturating_sub(since));
            list(&mut self.sequences, request);
        } else {
            self.unexplained += 1;
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let asked = case
            .probe
            .and_then(|probe| case.asked(&probe.questions.blocked_count));
        let window = case.terms.window;
        let limit = case.terms.limit;
        if !case.has_false_blocks || case.is_exceeded && self.explained == 0 {
            Conclusion::NotTested
        } else if self.refuting > 0 {
            Conclusion::refuted(format!(
                "{} requests were admitted although {limit} answers to their key lay within the {window} before",
                self.refuting
            ))
        } else if self.unexplained > 0 {
            Conclusion::refuted(format!(
                "{} requests were blocked although fewer than {limit} requests of their key can have counted",
                self.unexplained
            ))
        } else if let Some(asked) = asked {
            asked
        } else if self.longest < window * 2 {
            Conclusion::NotTested
        } else {
            Conclusion::Named {
                statement: format!(
                    "blocked requests count too: a key that went on being requested was still blocked {} after its last \
                     admission",
                    span(self.longest)
                ),
                evidence: vec![
                    format!(
                        "each of {} requests that had to pass came after {limit} others, with the blocked ones",
                        self.explained
                    ),
                    format!(
                        "no request was admitted after {limit} answers to its key in the {window} before"
                    ),
                ],
                sequences: self.sequences.clone(),
            }
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
