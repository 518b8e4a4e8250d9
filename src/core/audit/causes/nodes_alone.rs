//! Each node counts alone, with the whole limit for itself.
//!
//! The probe's question decides, if it was asked. It tells only targets apart: if one has several addresses, it may refute
//! nothing. Without it, the observations refute this if a node blocked a request of
//! a key of which it alone had admitted fewer than the limit: such a node knows of the others' admissions.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::base::Nanos;
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
    /// Whether addresses that share their counts, or of which one replaced the other, would have shown that. With one key,
    /// addresses that are used in turn may reach the limit at once even if they share it.
    fn would_have_been_refuted(case: &Case<'_>, nodes: &[usize], span: &AdmissionSpan) -> bool {
        let half = Nanos((span.to - span.from).0 / 2);
        case.keys > 1 && case.all_requested_for(nodes, span.from, span.to) >= half
    }

    /// The admissions, by node, of a key's busiest window that such nodes would admit. Every node that was requested in
    /// this window has to be one of them, and to have blocked something.
    fn admitted_alone(case: &Case<'_>) -> Option<Vec<u64>> {
        let limit = case.terms.limit;
        let has_blocked = |node: &usize| case.blocked.get(*node).is_some_and(|count| *count > 0);
        case.worst.iter().find_map(|span: &AdmissionSpan| {
            let nodes: Vec<_> = case.nodes_between(span.from, span.to).collect();
            if case.has_nodes_of_one_target() && !Self::would_have_been_refuted(case, &nodes, span)
            {
                return None;
            }
            let admitted = |node: &usize| span.by_node.get(*node).copied().unwrap_or(0);
            let by_node: Vec<_> = nodes.iter().map(admitted).collect();
            let are_alone = span.is_of_nodes_alone(&by_node, limit);
            (are_alone && nodes.iter().all(has_blocked)).then_some(by_node)
        })
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
            let is_for_others = quota.is_blocked_for_others(request, bounds);
            self.is_refuted = is_for_others == Some(true);
            self.stood += u64::from(is_for_others == Some(false));
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if !case.is_exceeded {
            return Conclusion::NotTested;
        }
        if let Some(probe) = case.probe
            && let Some(conclusion) = case.asked(&probe.questions.nodes)
            && (matches!(conclusion, Conclusion::Named { .. }) || !case.has_nodes_of_one_target())
        {
            return conclusion;
        }
        if self.is_refuted && case.has_nodes_of_one_target() {
            // Two addresses may lead to one node.
            return Conclusion::NotTested;
        }
        if self.is_refuted {
            return Conclusion::refuted(
                "a node blocked a key of which it alone had admitted fewer than the limit",
            );
        }
        let limit = case.terms.limit;
        match Self::admitted_alone(case) {
            Some(by_node) if self.stood > 0 => {
                let each: Vec<_> = by_node.iter().map(u64::to_string).collect();
                let is_about = by_node
                    .iter()
                    .all(|one| *one <= limit.saturating_add(limit / 4));
                let about = if is_about {
                    "each about the limit of"
                } else {
                    "each as much as two windows admit of the limit of"
                };
                let statement = format!(
                    "each node counts alone: they admitted {} of one key within one window, {about} {limit}",
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
