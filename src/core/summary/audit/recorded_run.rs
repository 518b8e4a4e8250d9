//! From the audit of recorded requests to the part of a summary about it.

use super::Audit;
use super::audited_run::AuditedRun;
use super::request_file::RequestFile;
use crate::base::KeyId;
use crate::core::audit::{AuditReport, AuditedKey, PriorUse};
use crate::core::recorded::{KeyNames, NumberedBy};

/// Recorded requests that were audited, with the names of what the report refers to.
pub struct RecordedRun<'a> {
    pub report: &'a AuditReport,
    pub targets: &'a [String],
    /// The names of the nodes, by their numbers.
    pub nodes: &'a [String],
    pub keys: &'a KeyNames,
    /// The keys of the runs' probes. The number of one in the report is twice that of its name.
    pub probe_keys: &'a KeyNames,
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
            AuditedKey::Probe(number) => {
                let name = self.probe_keys.name(KeyId(number / 2));
                name.unwrap_or("one of the probe's keys").to_owned()
            }
        };
        // The numbers of the only file are plain, if they are those of its requests and not of its lines.
        let files = match self.files {
            [one] if one.numbered_by == NumberedBy::Sequence => &[],
            files => files,
        };
        let requests = self.report.answers.all();
        let lasted = self.report.lasted();
        let has_own_keys = requests > 1 && self.keys.len() as u64 == requests;
        let run = AuditedRun {
            report: self.report,
            probe: None,
            // Only the requests are known, and not when they were due.
            schedule_kept: true,
            lasted,
            rate: requests as f64 / lasted.as_secs_f64().max(1.0),
            is_replay: false,
            targets: self.targets,
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
