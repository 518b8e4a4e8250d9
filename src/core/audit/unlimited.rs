//! Whether a limiter without a limit would have been caught on a key.

use super::groups::{Flags, Group};
use super::observation::{AuditedKey, Decision, Observation};
use super::scenario::Scenario;
use crate::base::Nanos;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// All answered requests of a key, as if each had been admitted. A request that was blocked would have taken as long as an
/// admitted one.
#[derive(Debug)]
pub(super) struct Unlimited {
    pub scenario: Scenario,
    /// The limits that are broken, by their places among all.
    pub broken: Flags,
    /// The most requests that surely lie within a window's length.
    pub most_within: u64,
    /// Whether each limit of the group is broken.
    all_broken: bool,
    /// Requests that would not be done yet.
    waiting: BinaryHeap<Reverse<Waiting>>,
}

/// A request by its done, with what else is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    done: Nanos,
    sequence: u64,
    sent: Nanos,
    node: u32,
}

impl Unlimited {
    pub fn new(scenario: Scenario) -> Unlimited {
        Unlimited {
            scenario,
            broken: Flags::default(),
            most_within: 0,
            all_broken: false,
            waiting: BinaryHeap::new(),
        }
    }

    /// A request was allowed or blocked. An admitted request takes `as_admitted`.
    pub fn answer(&mut self, request: &Observation, as_admitted: Nanos, group: &Group) {
        self.admit_before(request.done, group);
        let done = match request.decision {
            Decision::Blocked => request.done.max(request.sent + as_admitted),
            _ => request.done,
        };
        self.waiting.push(Reverse(Waiting {
            done,
            sequence: request.sequence,
            sent: request.sent,
            node: request.node,
        }));
        self.admit_before(request.done + Nanos(1), group);
    }

    /// Admits the requests that are done before `end`.
    pub fn admit_before(&mut self, end: Nanos, group: &Group) {
        while let Some(Reverse(first)) = self.waiting.peek()
            && first.done < end
            && !self.all_broken
        {
            let first = *first;
            self.waiting.pop();
            self.admit(first, group);
        }
    }

    fn admit(&mut self, request: Waiting, group: &Group) {
        let forgotten = request.done.saturating_sub(group.bounds.kept);
        self.scenario.log.forget_before(forgotten);
        let admitted = Observation {
            // The log does not tell keys apart.
            key: AuditedKey::Probe(0),
            sequence: request.sequence,
            target: request.node,
            node: request.node,
            sent: request.sent,
            done: request.done,
            decision: Decision::Allowed,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        };
        let Some(latest) = self.scenario.admit(&admitted, group) else {
            return;
        };
        self.most_within = self.most_within.max(latest.within);
        self.all_broken = true;
        for (evidence, (place, limit)) in self.scenario.evidence.iter().zip(&group.limits) {
            if evidence.is_broken(limit) {
                self.broken.set(*place);
            } else {
                self.all_broken = false;
            }
        }
    }

    /// Whether each limit of the group is broken.
    pub fn is_all_broken(&self) -> bool {
        self.all_broken
    }

    /// The memory used with `self`, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.scenario.memory()
            + self.waiting.capacity() * size_of::<Reverse<Waiting>>()
    }
}
