//! Each node counts alone, with the whole limit for itself.
//!
//! The probe's question decides, if it was asked. Without it, the observations refute this if a node blocked a request of
//! a key of which it alone had admitted fewer than the limit: such a node knows of the others' admissions.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::core::audit::observation::Decision;
use crate::core::audit::proof::AdmissionSpan;

pub const NAME: &str = "each node counts alone";

/// For each request, how many admissions may be looked through to find out whether nodes know of each other.
const EFFORT: u64 = 16;

/// How much unused effort is saved up.
const MOST_EFFORT: u64 = 1 << 20;

#[derive(Debug, Clone, Default)]
pub struct NodesAlone {
    /// Whether some node blocked a request although it alone had not admitted enough of the key.
    is_refuted: bool,
    /// How many blocked requests did not refute it.
    stood: u64,
    /// How many admissions may be looked through.
    effort: u64,
}

impl NodesAlone {
    fn span<'a>(case: &Case<'a>) -> Option<&'a AdmissionSpan> {
        let limit = case.terms.limit;
        let mut worst = case.worst.iter();
        worst.find(|span| span.is_of_nodes_alone(limit))
    }
}

impl Hypothesis for NodesAlone {
    fn name(&self) -> &'static str {
        NAME
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let Answered {
            request,
            quota,
            bounds,
            ..
        } = answered;
        self.effort = (self.effort + EFFORT).min(MOST_EFFORT);
        let effort = quota.log().len() as u64;
        if request.decision == Decision::Blocked && !self.is_refuted && effort <= self.effort {
            self.effort -= effort;
            self.is_refuted = quota.is_blocked_for_others(request, bounds);
            self.stood += u64::from(!self.is_refuted);
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if !case.is_exceeded {
            return Conclusion::NotTested;
        }
        if let Some(probe) = case.probe
            && let Some(conclusion) = case.asked(&probe.questions.nodes)
        {
            return conclusion;
        }
        if self.is_refuted {
            return Conclusion::refuted(
                "a node blocked a key of which it alone had admitted fewer than the limit",
            );
        }
        let limit = case.terms.limit;
        let blocked = &case.blocked;
        match Self::span(case) {
            Some(span) if blocked.iter().all(|blocked| *blocked > 0) => {
                let each = span
                    .by_target
                    .iter()
                    .map(u64::to_string)
                    .collect::<Vec<_>>();
                let statement = format!(
                    "each node counts alone: they admitted {} of one key within one window, each about the limit of {limit}",
                    each.join(", ")
                );
                let evidence = format!(
                    "no node blocked a request of a key of which it alone had admitted fewer than {limit} ({} blocked \
                     requests compared)",
                    self.stood
                );
                Conclusion::named(statement, [evidence])
            }
            _ => Conclusion::NotTested,
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
