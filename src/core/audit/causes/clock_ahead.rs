//! The clock of a node is ahead of another's, so that it admits requests before a window has passed.
//!
//! The node whose clock is furthest behind never admits too early. So if each node has, the window is too short by all
//! clocks, and this is refuted. It is, too, if the clocks would have to be further apart than a tenth of the window.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::audit::nodes::of_node;
use crate::core::audit::observation::Decision;

/// How many admissions beyond the limit are needed, so that it is no chance that a node has none of them.
const ENOUGH: u64 = 16;

#[derive(Debug, Clone)]
pub struct ClockAhead {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    allowed: u64,
    beyond: u64,
}

impl ClockAhead {
    pub fn new(targets: usize) -> ClockAhead {
        ClockAhead {
            nodes: vec![Node::default(); targets],
        }
    }
}

impl Hypothesis for ClockAhead {
    fn name(&self) -> &'static str {
        "a clock is ahead"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        let request = answered.request;
        if request.decision == Decision::Allowed {
            let node = of_node(&mut self.nodes, request.node as usize, Node::default());
            node.allowed += 1;
            node.beyond += u64::from(answered.is_excess());
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let beyond: u64 = self.nodes.iter().map(|node| node.beyond).sum();
        if self.nodes.len() < 2 || !case.is_exceeded || beyond == 0 {
            return Conclusion::NotTested;
        }
        let window = case.terms.window;
        let tenth = Nanos(window.0 / 10);
        let needed = case.needed.clock;
        let Some(needed) = needed.filter(|needed| *needed <= tenth) else {
            return Conclusion::refuted(format!(
                "no clocks up to {} apart explain it",
                span(tenth)
            ));
        };
        let on_time = self.nodes.iter().enumerate();
        let mut on_time = on_time.filter(|(_, node)| node.beyond == 0 && node.allowed >= ENOUGH);
        match on_time.next() {
            None if self.nodes.iter().all(|node| node.beyond > 0) => {
                Conclusion::refuted("each node admitted requests too early")
            }
            // The addresses of a target may be used one after the other, so that only the last one can admit too much.
            Some(_) if case.has_nodes_of_one_target() => Conclusion::NotTested,
            Some((behind, node)) if beyond >= ENOUGH => {
                let statement = format!(
                    "a clock is ahead: nodes' clocks {} further apart would explain every answer",
                    span(needed)
                );
                let evidence = format!(
                    "{} admitted none of the {beyond} requests beyond the limit, and {} others",
                    case.node(behind),
                    node.allowed
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
