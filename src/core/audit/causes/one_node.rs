//! One node admits everything, or blocks everything.
//!
//! A blocked request of the node refutes the one, an admission the other. A node that counts alone may never have had a
//! reason to block. So a node that never blocks is named only if it alone admitted more than the limit of a key.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::core::audit::nodes::of_node;
use crate::core::audit::observation::Decision;

/// How many answers of a node are needed to judge it.
const ENOUGH: u64 = 20;

#[derive(Debug, Clone)]
pub struct OneNode(Vec<Node>);

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    allowed: u64,
    blocked: u64,
    blocked_wrongly: u64,
    /// Admissions with which the node itself had surely admitted more than the limit.
    beyond_alone: u64,
}

impl OneNode {
    pub fn new(targets: usize) -> OneNode {
        OneNode(vec![Node::default(); targets])
    }

    /// The sum over all nodes but one.
    fn others(&self, place: usize, count: impl Fn(&Node) -> u64) -> u64 {
        let others = self.0.iter().enumerate();
        let others = others.filter(|(other, _)| *other != place);
        others.map(|(_, other)| count(other)).sum()
    }

    fn always_admits(&self, place: usize, node: &Node, case: &Case<'_>) -> Option<Conclusion> {
        let blocked = self.others(place, |other| other.blocked);
        let stands = case.is_exceeded
            && node.blocked == 0
            && node.allowed >= ENOUGH
            && node.beyond_alone > 0
            && blocked >= ENOUGH;
        let name = case.node(place);
        stands.then(|| {
            let statement = format!(
                "{name} admits everything: it blocked none of {} requests, and the other nodes blocked {blocked}",
                node.allowed
            );
            let evidence = format!(
                "{} of its admissions came after it alone had admitted {} of their key within a window",
                node.beyond_alone, case.terms.limit
            );
            Conclusion::named(statement, [evidence])
        })
    }

    fn always_blocks(&self, place: usize, node: &Node, case: &Case<'_>) -> Option<Conclusion> {
        let allowed = self.others(place, |other| other.allowed);
        let stands = node.allowed == 0
            && node.blocked >= ENOUGH
            && node.blocked_wrongly > 0
            && self.others(place, |other| other.blocked_wrongly) == 0
            && allowed >= ENOUGH;
        let name = case.node(place);
        stands.then(|| {
            let statement = format!(
                "{name} blocks everything: it admitted none of {} requests, and the other nodes admitted {allowed}",
                node.blocked
            );
            let evidence = format!(
                "{} of the requests that it blocked had to pass, and no other node blocked such a request",
                node.blocked_wrongly
            );
            Conclusion::named(statement, [evidence])
        })
    }
}

impl Hypothesis for OneNode {
    fn name(&self) -> &'static str {
        "one node admits or blocks everything"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let Answered {
            request,
            quota,
            bounds,
            ..
        } = answered;
        let node = of_node(&mut self.0, request.node as usize, Node::default());
        if request.decision == Decision::Blocked {
            node.blocked += 1;
            node.blocked_wrongly += u64::from(answered.is_wrong);
            return;
        }
        node.allowed += 1;
        if answered.is_excess() && node.blocked == 0 && node.beyond_alone < ENOUGH {
            let since = request.done.saturating_sub(bounds.shortest_window);
            let own = quota
                .log()
                .count_sent_since_of(since, request.node as usize);
            node.beyond_alone += u64::from(own > bounds.limit);
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if self.0.len() < 2 {
            return Conclusion::NotTested;
        }
        let nodes = self.0.iter().enumerate();
        let named = nodes.filter_map(|(place, node)| {
            let admits = self.always_admits(place, node, case);
            admits.or_else(|| self.always_blocks(place, node, case))
        });
        let mut named = named.collect::<Vec<_>>();
        if named.len() == 1 {
            return named.remove(0);
        }
        let does_both = |node: &Node| node.allowed > 0 && node.blocked > 0;
        if self.0.iter().all(does_both) {
            Conclusion::refuted("each node admitted some requests and blocked others")
        } else {
            Conclusion::NotTested
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
