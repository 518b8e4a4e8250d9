//! The reporter's part in the audit: it hands over what it takes from the workers.

use crate::base::{KeyId, Moment, Sample};
use crate::core::audit::{AuditProgress, AuditReport, AuditedKey, Auditor, Observation};
use crate::core::plan::Plan;
use crate::core::request::Placeholder;

#[derive(Debug)]
pub(super) struct AuditFeed {
    auditor: Auditor,
    start: Moment,
    /// Whether requests say which key they are for; otherwise all are for one.
    by_key: bool,
}

impl AuditFeed {
    /// Of a run that starts at `start`, if it is to be audited.
    pub fn new(plan: &Plan, targets: usize, start: Moment) -> Option<AuditFeed> {
        Some(AuditFeed {
            auditor: Auditor::new(plan.audit_terms(targets)?),
            start,
            by_key: plan.form.has(Placeholder::Key),
        })
    }

    pub fn add(&mut self, sample: &Sample) {
        let key = match self.by_key {
            true => sample.key,
            false => KeyId(0),
        };
        self.observe(sample, AuditedKey::Load(key));
    }

    /// Of the probe's, whose keys are numbers.
    pub fn add_probed(&mut self, sample: &Sample) {
        self.observe(sample, AuditedKey::Probe(sample.key.0));
    }

    fn observe(&mut self, sample: &Sample, key: AuditedKey) {
        let observation = Observation::of(sample, key, self.start);
        observation
            .into_iter()
            .for_each(|seen| self.auditor.add(seen));
    }

    /// All that was sent before `all_taken` has been added.
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
        self.auditor.finish()
    }
}
