//! From the audit of recorded requests to the part of a summary about it.

use super::Audit;
use super::audited_run::AuditedRun;
use super::request_file::RequestFile;
use crate::core::audit::{AuditReport, AuditedKey, PriorUse};
use crate::core::recorded::{KeyNames, NumberedBy};

/// Recorded requests that were audited, with the names of what the report refers to.
pub struct RecordedRun<'a> {
    pub report: &'a AuditReport,
    /// The names of the nodes, which the report takes for targets.
    pub nodes: &'a [String],
    pub keys: &'a KeyNames,
    /// The files in their order.
    pub files: &'a [RequestFile],
}

impl RecordedRun<'_> {
    pub fn audit(&self) -> Audit {
        let name = |key| match key {
            AuditedKey::Load(id) => match self.keys.name(id) {
                Some("") | None if self.keys.len() == 1 => "the requests' one key".to_owned(),
                Some("") | None => "the requests without a key".to_owned(),
                Some(name) => name.to_owned(),
            },
            AuditedKey::Probe(number) => number.to_string(),
        };
        // The numbers of the only file are plain, if they are those of its requests and not of its lines.
        let files = match self.files {
            [one] if one.numbered_by == NumberedBy::Sequence => &[],
            files => files,
        };
        let has_own_keys =
            self.report.observed > 1 && self.keys.len() as u64 == self.report.observed;
        let run = AuditedRun {
            report: self.report,
            probe: None,
            // Only the requests are known, and not when they were due.
            schedule_kept: true,
            targets: self.nodes,
            nodes: self.nodes,
            phases: &[],
            keys: (!has_own_keys).then(|| u32::try_from(self.keys.len()).unwrap_or(u32::MAX)),
            name: &name,
            files,
        };
        let mut audit = run.audit();
        let blocked: u64 = self.report.blocked.iter().sum();
        if self.report.terms.prior_use == PriorUse::Anyone && blocked > 0 {
            let why = "blocked requests prove nothing, because others may have used their keys; --complete says that \
                       nobody did";
            audit.remarks.push(why.to_owned());
        }
        audit
    }
}
