//! All counts were lost at one instant, as by a restart or a failover.
//!
//! Each set of more admissions than the limit within a window then began before that instant and ended after it. So two such
//! sets without a common instant refute this. A request that is blocked later counts the admissions since, so that a
//! limit's worth of them must come after the instant.

use super::{Answered, Case, Conclusion, Hypothesis, list};
use crate::base::Nanos;
use crate::core::audit::observation::Decision;

#[derive(Debug, Clone)]
pub struct CountsLost {
    /// The instant lies between these.
    from: Nanos,
    to: Nanos,
    excesses: u64,
    first_admission: Nanos,
    /// The first blocked request's done.
    first_block: Nanos,
    /// The latest done.
    latest: Nanos,
    sequences: Vec<u64>,
}

impl Default for CountsLost {
    fn default() -> CountsLost {
        CountsLost {
            from: Nanos::ZERO,
            to: Nanos::MAX,
            excesses: 0,
            first_admission: Nanos::MAX,
            first_block: Nanos::MAX,
            latest: Nanos::ZERO,
            sequences: Vec::new(),
        }
    }
}

impl Hypothesis for CountsLost {
    fn name(&self) -> &'static str {
        "counts were lost"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let Answered {
            request,
            quota,
            bounds,
            ..
        } = answered;
        self.latest = request.done;
        let log = quota.log();
        if request.decision == Decision::Allowed {
            self.first_admission = self.first_admission.min(request.sent);
            if answered.is_excess()
                && let Some(first) = log.last_but(bounds.limit)
            {
                self.from = self.from.max(first.sent);
                self.to = self.to.min(request.done);
                self.excesses += 1;
                list(&mut self.sequences, request);
            }
            return;
        }
        self.first_block = self.first_block.min(request.done);
        if quota.busiest.at_least > bounds.limit
            && let Some(blocked) = answered.blocked.filter(|blocked| blocked.is_judged)
            && let Some(others) = bounds.limit.checked_sub(blocked.pending + 1)
            && let Some(decided) = log.latest_decision_but(others)
        {
            self.to = self.to.min(decided);
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if !case.is_exceeded || self.excesses == 0 {
            return Conclusion::NotTested;
        }
        if self.from > self.to {
            return Conclusion::refuted("the excesses have no instant in common");
        }
        // A window that is too short would have shown itself again by then.
        let window = case.terms.window;
        let again = self.to + window.min(self.to - self.first_admission.min(self.to));
        let is_asked = case.keys_over >= 2 && self.first_block < self.to && self.latest >= again;
        if !is_asked {
            return Conclusion::NotTested;
        }
        let (from, to) = (self.from.as_secs_f64(), self.to.as_secs_f64());
        let keys = case.keys_over;
        let when = if to - from < 0.05 {
            format!("at {to:.1}s")
        } else {
            format!("between {from:.1}s and {to:.1}s")
        };
        Conclusion::Named {
            statement: format!("counts were lost {when}, as by a restart or a failover"),
            evidence: vec![format!(
                "each of {keys} keys that exceeded the limit did so across that instant, and none on one side of it"
            )],
            sequences: self.sequences.clone(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
