//! Possible causes of a breach, one file each, and the list of them.
//!
//! Each is a [`Hypothesis`]. The observations, or answers to the probe, may refute it. It is named only if something was
//! requested that would have refuted it, and it stood. So a cause that is not named may still be the cause, and of two
//! that were named each explains everything.
//!
//! A hypothesis takes in every answered request of a key with a single limit, in the order of the dones, and uses constant
//! memory. A new one is its file, its `mod` line and its line in the list.

mod blocked_count;
mod clock_ahead;
mod connections_alone;
mod counted_twice;
mod counts_lost;
mod failing_open;
mod keys_not_apart;
mod nodes_alone;
mod nothing_blocked;
mod one_node;
mod other_limit;
mod race;

pub(super) use failing_open::NAME as FAILING_OPEN;

use super::bounds::Bounds;
use super::nodes::Lifetime;
use super::observation::{AuditedKey, Observation};
use super::probe::{Asked, Evidence, ProbeReport};
use super::promise::Needed;
use super::proof::AdmissionSpan;
use super::quota_audit::{Blocked, QuotaAudit};
use super::terms::Terms;
use crate::base::Nanos;
use crate::base::text::count;
use std::fmt;

/// The hypotheses, the most specific first.
fn all(terms: &Terms) -> Vec<Box<dyn Hypothesis>> {
    vec![
        Box::<nodes_alone::NodesAlone>::default(),
        Box::new(connections_alone::ConnectionsAlone),
        Box::new(one_node::OneNode::new(terms.targets)),
        Box::<blocked_count::BlockedCount>::default(),
        Box::<keys_not_apart::KeysNotApart>::default(),
        Box::<other_limit::OtherLimit>::default(),
        Box::<other_limit::OtherWindow>::default(),
        Box::new(counted_twice::CountedTwice),
        Box::new(clock_ahead::ClockAhead::new(terms.targets)),
        Box::<counts_lost::CountsLost>::default(),
        Box::<failing_open::FailingOpen>::default(),
        Box::<race::Race>::default(),
        Box::<nothing_blocked::NothingBlocked>::default(),
    ]
}

/// A possible cause, with what the observations say about it so far.
pub(super) trait Hypothesis: fmt::Debug + Send + Sync {
    /// The cause, such as `each node counts alone`.
    fn name(&self) -> &'static str;

    /// A request was sent. Its answer is known already, but has not been taken in.
    fn sent(&mut self, _request: &Observation) {}

    /// A request was allowed or blocked.
    fn answered(&mut self, _answered: &Answered<'_>) {}

    /// What came of it. The limit was broken.
    fn conclude(&self, case: &Case<'_>) -> Conclusion;

    fn boxed_clone(&self) -> Box<dyn Hypothesis>;
}

/// A request that was allowed or blocked, after all that were done before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    pub request: &'a Observation,
    /// What is known of the key, with this request.
    pub quota: &'a QuotaAudit,
    pub bounds: &'a Bounds,
    /// Whether the key has the limit that is promised of keys in general.
    pub is_general: bool,
    /// For an allowed request, how many admissions of the key surely lie within one window that ends with it.
    pub within: Option<u64>,
    /// How many answers of the key surely lie within one window before it. The limit is the most that is counted.
    pub answers_before: u64,
    /// For a blocked request, what it shows.
    pub blocked: Option<&'a Blocked>,
    /// Whether it is a blocked request that each promise lets pass.
    pub is_wrong: bool,
}

impl Answered<'_> {
    /// Whether it was admitted, and more than the limit surely were in one window with it.
    pub fn is_excess(&self) -> bool {
        self.within.is_some_and(|within| within > self.bounds.limit)
    }
}

/// A broken limit, and what else is known of it.
pub(super) struct Case<'a> {
    pub terms: &'a Terms,
    /// Whether more was admitted than promised.
    pub is_exceeded: bool,
    /// Whether that were only admissions of which the answers say that the limiter fails open.
    pub is_exceeded_only_failing_open: bool,
    /// Whether more was admitted than promised only in outages, or with answers that say that the limiter fails open.
    pub is_exceeded_only_in_outages: bool,
    /// Whether a request was blocked that had to pass.
    pub has_false_blocks: bool,
    /// The number of keys audited, and how many of the load's exceeded the limit.
    pub keys: u64,
    pub keys_over: u64,
    /// The most requests of one key that were surely admitted within a window's length.
    pub most_admitted: u64,
    /// The busiest windows of single keys.
    pub worst: &'a [AdmissionSpan],
    /// When each node was requested.
    pub lifetimes: &'a [Lifetime],
    /// The requests that each node blocked.
    pub blocked: &'a [u64],
    /// The least tolerances that would explain everything.
    pub needed: Needed,
    pub hypotheses: &'a Hypotheses,
    pub probe: Option<&'a ProbeReport>,
    /// The names of the targets, in the plan's order.
    pub targets: &'a [String],
    /// The names of the nodes, by their numbers.
    pub nodes: &'a [String],
}

impl Case<'_> {
    fn target(&self, place: usize) -> &str {
        self.targets.get(place).map_or("a target", String::as_str)
    }

    fn node(&self, number: usize) -> &str {
        self.nodes.get(number).map_or("a node", String::as_str)
    }

    /// The number of nodes, of which some may not have been requested.
    fn node_count(&self) -> usize {
        self.lifetimes.len().max(self.terms.targets)
    }

    /// Whether some target has several nodes.
    fn has_nodes_of_one_target(&self) -> bool {
        self.node_count() > self.terms.targets
    }

    /// For how long from `from` to `to` all of these nodes were requested.
    fn all_requested_for(&self, nodes: &[usize], from: Nanos, to: Nanos) -> Nanos {
        let lifetimes = nodes.iter().filter_map(|node| self.lifetimes.get(*node));
        let (from, to) = lifetimes.fold((from, to), |(from, to), lifetime| {
            (from.max(lifetime.first), to.min(lifetime.last))
        });
        to.saturating_sub(from)
    }

    /// The numbers of the nodes that were requested at some time from `from` to `to`.
    fn nodes_between(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = usize> {
        let lifetimes = self.lifetimes.iter().enumerate();
        let overlapping = lifetimes.filter(move |(_, lifetime)| lifetime.overlaps(from, to));
        overlapping.map(|(number, _)| number)
    }

    /// What the probe's question says, if it is decided.
    fn asked<E: Evidence>(&self, asked: &Asked<E>) -> Option<Conclusion> {
        let sentence = || asked.sentence(self.targets);
        if asked.standing().is_some() {
            let times = |asked| count(asked, "time", "times");
            let evidence = match (asked.stood, asked.refuted) {
                (1, 0) => "the probe tested this once, and it held".to_owned(),
                (stood, 0) => format!("the probe tested this {stood} times, and it held each time"),
                (stood, refuted) => format!(
                    "the probe tested this {}, and it held {}",
                    times(stood + refuted),
                    times(stood)
                ),
            };
            Some(Conclusion::named(sentence(), [evidence]))
        } else {
            let why = sentence;
            asked
                .is_refuted()
                .then(|| Conclusion::Refuted { why: why() })
        }
    }
}

/// What came of a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// It stood.
    Named {
        /// One sentence, without a full stop.
        statement: String,
        /// What would have refuted it, and did not; one sentence each, without a full stop.
        evidence: Vec<String>,
        /// The sequence numbers of the requests that show it.
        sequences: Vec<u64>,
    },
    Refuted {
        /// One sentence, without a full stop.
        why: String,
    },
    /// Nothing was requested that would have refuted it, or it does not concern the breach.
    NotTested,
}

impl Conclusion {
    fn named(statement: String, evidence: impl IntoIterator<Item = String>) -> Conclusion {
        Conclusion::Named {
            statement,
            evidence: evidence.into_iter().collect(),
            sequences: Vec::new(),
        }
    }

    pub(super) fn refuted(why: impl Into<String>) -> Conclusion {
        Conclusion::Refuted { why: why.into() }
    }
}

/// All hypotheses of an audit.
#[derive(Debug)]
pub struct Hypotheses(Vec<Box<dyn Hypothesis>>);

impl Clone for Hypotheses {
    fn clone(&self) -> Hypotheses {
        Hypotheses(self.0.iter().map(|one| one.boxed_clone()).collect())
    }
}

impl Hypotheses {
    /// What came of each, by its name.
    pub(super) fn conclude(&self, case: &Case<'_>) -> Vec<(&'static str, Conclusion)> {
        let hypotheses = self.0.iter();
        hypotheses
            .map(|one| (one.name(), one.conclude(case)))
            .collect()
    }

    pub(super) fn new(terms: &Terms) -> Hypotheses {
        Hypotheses(all(terms))
    }

    pub(super) fn sent(&mut self, request: &Observation) {
        self.0.iter_mut().for_each(|one| one.sent(request));
    }

    pub(super) fn answered(&mut self, answered: &Answered<'_>) {
        self.0.iter_mut().for_each(|one| one.answered(answered));
    }
}

/// A cause that was tested and stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Such as `each node counts alone`.
    pub name: &'static str,
    /// See [`Conclusion::Named`].
    pub statement: String,
    pub evidence: Vec<String>,
    pub sequences: Vec<u64>,
}

impl Cause {
    pub(super) fn of(name: &'static str, conclusion: Conclusion) -> Option<Cause> {
        match conclusion {
            Conclusion::Named {
                statement,
                evidence,
                sequences,
            } => Some(Cause {
                name,
                statement,
                evidence,
                sequences,
            }),
            Conclusion::Refuted { .. } | Conclusion::NotTested => None,
        }
    }
}

/// The most distinct requests that a hypothesis lists.
const LISTED: usize = 10;

/// Adds a request to a short list.
fn list(sequences: &mut Vec<u64>, request: &Observation) {
    if sequences.len() < LISTED && !matches!(request.key, AuditedKey::Probe(_)) {
        sequences.push(request.sequence);
    }
}
