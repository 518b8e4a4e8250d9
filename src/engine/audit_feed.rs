//! Passes samples on to the audit.

use crate::base::{KeyId, Moment, Sample};
use crate::core::audit::{AuditProgress, AuditReport, AuditedKey, Auditor, Nodes, Observation};
use crate::core::outages::Response;
use crate::core::plan::Plan;

#[derive(Debug)]
pub(super) struct AuditFeed {
    auditor: Auditor,
    nodes: Nodes,
    start: Moment,
    /// Whether requests carry their key. If not, all of them count as requests of one key.
    by_key: bool,
}

impl AuditFeed {
    /// Returns `None` if the plan has no audit. The run starts at `start`.
    pub fn new(plan: &Plan, targets: usize, start: Moment) -> Option<AuditFeed> {
        Some(AuditFeed {
            auditor: Auditor::new(plan.audit_terms(targets)?),
            nodes: Nodes::of_targets(targets),
            start,
            by_key: plan.requests_have_keys(),
        })
    }

    /// Adds a sample of the load, with the phase in which it was due, by its place among the phases' names, and its period
    /// between events.
    pub fn add(&mut self, sample: &Sample, phase: Option<usize>, period: u16) {
        let key = if self.by_key { sample.key } else { KeyId(0) };
        let phase = phase.and_then(|phase| u16::try_from(phase).ok());
        self.observe(sample, AuditedKey::Load(key), phase, Some(period));
    }

    /// Adds a sample of the probe, whose keys are numbers.
    pub fn add_probed(&mut self, sample: &Sample) {
        self.observe(sample, AuditedKey::Probe(sample.key.0), None, None);
    }

    fn observe(
        &mut self,
        sample: &Sample,
        key: AuditedKey,
        phase: Option<u16>,
        period: Option<u16>,
    ) {
        let node = self.nodes.number(sample.target, sample.answer.address);
        if let Some(observation) = Observation::of(sample, node, key, self.start) {
            self.auditor.add(Observation {
                phase,
                period,
                ..observation
            });
        } else if let Some(response) = Response::without_limiter(sample, node, self.start) {
            self.auditor.add_response(response);
        }
    }

    /// Every sample sent before `all_taken` has been added.
    pub fn advance(&mut self, all_taken: Moment) {
        self.auditor.advance(all_taken.since(self.start));
    }

    pub fn is_broken(&self) -> bool {
        self.auditor.is_broken()
    }

    pub fn progress(&self) -> AuditProgress {
        self.auditor.progress()
    }

    pub fn finish(self) -> AuditReport {
        self.auditor.finish().with_nodes(self.nodes)
    }
}
