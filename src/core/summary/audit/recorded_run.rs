//! From the audit of recorded requests to the part of a summary about it.

use super::audited_run::AuditedRun;
use super::request_file::RequestFile;
use super::{Audit, AuditVerdict};
use crate::base::text::span;
use crate::base::{KeyId, Nanos};
use crate::core::audit::{AuditReport, AuditedKey, PriorUse, PromiseReport};
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
    /// The requests that are known to be missing, such as `stripe 3/8 is missing`.
    pub missing: &'a [String],
    /// The end of what is judged, if that is not all.
    pub until: Option<&'a Until>,
    /// Whether processes sent the requests in stripes.
    pub has_stripes: bool,
    /// The mean time from sent to done, as the rows have it.
    pub mean_time: Nanos,
}

/// The end of the requests that are judged: nobody knows whether all later ones are there.
pub struct Until {
    /// The audit's time.
    pub at: Nanos,
    /// Such as `stripe 0/2 was stopped after request 748, and another process may have sent those after it`.
    pub why: String,
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
        let most_off = self.files.iter().map(|file| file.clock_error).max();
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
            missing: self.missing,
            until: self.until.map(|until| until.at),
            hidden_by_clocks: most_off.filter(|error| *error * 2 > self.mean_time),
        };
        let mut audit = run.audit();
        let blocked: u64 = self.report.blocked.iter().sum();
        if let Some(Until { at, why }) = self.until {
            audit.remarks.push(format!(
                "{why}. So only the requests until {} are judged, and later ones can prove nothing but too many admissions",
                span(*at)
            ));
        }
        if !self.missing.is_empty() {
            audit.remarks.push(format!(
                "requests are missing: {}. They may have been admitted, and may have used up limits, so that blocked requests prove \
                 nothing",
                self.missing.join("; ")
            ));
        } else if self.report.terms.prior_use == PriorUse::Anyone && blocked > 0 {
            let why = "blocked requests prove nothing, because others may have used their keys; --complete says that \
                       nobody did";
            audit.remarks.push(why.to_owned());
        }
        let is_broken_by_blocks = |one: &PromiseReport| one.false_blocks > 0 && !one.is_exceeded();
        if self.has_stripes
            && audit.verdict == AuditVerdict::Broken
            && self.report.promises.iter().any(is_broken_by_blocks)
        {
            let why = "only blocked requests break the promise, and they prove it only if nobody else used these keys. Another process that \
                       sent the same stripe, and whose file is not there, makes a right limiter look broken";
            audit.remarks.push(why.to_owned());
        }
        if let Some(error) = most_off.filter(|error| *error > Nanos::ZERO)
            && audit.verdict == AuditVerdict::Broken
        {
            audit.remarks.push(format!(
                "the instants of several machines were compared, and each clock was allowed to be off by what its file says, at \
                 most {}. A clock that is further off can make a right limiter look broken",
                span(error)
            ));
        }
        audit
    }
}
