//! The audit of recorded requests as data. `loadgen audit --summary-json` writes it as JSON.

use super::{Audit, Build, timestamp};
use crate::base::{Nanos, Outcome};
use crate::core::exit_code;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// The version of the format. It changes when a field is removed or changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// The audit of recorded requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordedAudit {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The program that made the audit.
    pub loadgen: Build,
    /// The exit code: 0 is fine, 3 that there is no verdict, 4 that the limit was broken.
    pub exit_code: u8,
    /// The instant from which the audit counts its times, RFC 3339 in UTC; absent if the files count theirs from the
    /// run's start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<String>,
    /// The requests of all files.
    pub requests: RecordedCounts,
    /// The files, in the order in which they were given.
    pub files: Vec<RecordedPart>,
    /// The targets, in the order of their first requests. Each address of a target with several is listed as one.
    pub targets: Vec<RecordedPart>,
    /// Whether the limiter kept its limit.
    pub audit: Audit,
}

/// The requests of one file, or those to one target or to one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordedPart {
    /// The name of the file, of the target, or of the target with the address.
    pub name: String,
    /// Its requests.
    pub requests: RecordedCounts,
    /// How far the clock of the file's machine may be off, in nanoseconds. Each request of the file may have begun earlier and
    /// ended later by this. Absent for targets, and if one clock gave all instants.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_error_ns: Option<u64>,
}

/// Recorded requests by outcome: recorded = allowed + blocked + failed + unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordedCounts {
    /// All requests.
    pub recorded: u64,
    /// Requests that the limiter let pass.
    pub allowed: u64,
    /// Requests that the limiter refused.
    pub blocked: u64,
    /// Requests that were answered otherwise. In files that --requests wrote, those without an answer count here, too.
    pub failed: u64,
    /// Requests without an answer. In files that --requests wrote, these are the abandoned ones.
    pub unanswered: u64,
    /// Of all requests, those that a run's probe sent in addition to the load.
    #[serde(default)]
    pub of_the_probe: u64,
}

impl RecordedCounts {
    /// Counts a request.
    pub fn add(&mut self, outcome: Outcome, of_the_probe: bool) {
        self.recorded += 1;
        self.of_the_probe += u64::from(of_the_probe);
        *match outcome {
            Outcome::Allowed => &mut self.allowed,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Abandoned => &mut self.unanswered,
        } += 1;
    }
}

impl RecordedAudit {
    pub fn new(
        audit: Audit,
        started: Option<SystemTime>,
        files: Vec<RecordedPart>,
        targets: Vec<RecordedPart>,
    ) -> RecordedAudit {
        let mut requests = RecordedCounts::default();
        for RecordedPart { requests: of, .. } in &files {
            requests.recorded += of.recorded;
            requests.allowed += of.allowed;
            requests.blocked += of.blocked;
            requests.failed += of.failed;
            requests.unanswered += of.unanswered;
            requests.of_the_probe += of.of_the_probe;
        }
        RecordedAudit {
            schema_version: SCHEMA_VERSION,
            loadgen: Build::this(),
            exit_code: exit_code::of_an_audit(audit.verdict),
            started: started.map(|at| timestamp(at, Nanos::ZERO)),
            requests,
            files,
            targets,
            audit,
        }
    }

    /// The names of the targets, in their order.
    pub fn target_names(&self) -> Vec<String> {
        self.targets
            .iter()
            .map(|target| target.name.clone())
            .collect()
    }
}
