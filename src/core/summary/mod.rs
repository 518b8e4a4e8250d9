//! The results of a run as data: everything that any report shows. `--summary-json` writes it as JSON.
//!
//! Durations are whole nanoseconds, in fields that end in `_ns`. Rates are per second. Shares are from 0 to 1.

mod address;
mod audit;
mod configuration;
mod distribution;
mod failure;
mod phase;
mod recorded;
mod saved;
mod target;
mod timeline;
mod verdict;

pub use address::AddressSummary;
pub use audit::{
    Answers, Audit, AuditVerdict, AuditedOutage, AuditedPhase, ByNode, Cause, Finding, KeyAdmitted,
    Peak, RecordedRun, RequestFile, Resolution, Standing, StandingPromise, Tolerances,
};
pub use configuration::{Configuration, Setting, Source};
pub use distribution::{DurationSummary, Point};
pub use failure::{FailedRequest, FailureSummary};
pub use phase::PhaseSummary;
pub use recorded::{RecordedAudit, RecordedCounts, RecordedPart};
pub use saved::Unreadable;
pub use target::TargetSummary;
pub use timeline::{Slot, Timeline};
pub use verdict::ScheduleSummary;

use crate::base::{Ledger, Nanos, Target};
use crate::core::stats::{Failures, Results, TimelineTally};
use crate::core::threshold::JudgedThreshold;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The version of the format. It changes when a field is removed or changes its meaning. Fields may be added without a
/// new version.
pub const SCHEMA_VERSION: u32 = 2;

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The version of this format: 2.
    pub schema_version: u32,
    /// The program that made the run.
    pub loadgen: Build,
    pub run: RunTimes,
    pub configuration: Configuration,
    /// The exit code of the run: 0 is fine, 1 means that the run broke, 3 that a requested verdict is missing, 4 that a
    /// threshold or the audit failed.
    pub exit_code: u8,
    /// Whether the generator itself kept its schedule.
    pub schedule: ScheduleSummary,
    /// Where every scheduled request went: scheduled = sent + dropped + unsent, and sent = allowed + blocked + failed +
    /// abandoned.
    pub requests: Ledger,
    /// done − due of answered requests: what a caller on the schedule felt.
    pub latency: DurationSummary,
    /// done − sent of answered requests: what the server took.
    pub service_time: DurationSummary,
    /// done − due of failed requests, if there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed_after: Option<DurationSummary>,
    /// sent − due: the generator's own error, the time spent on a new connection, and the wait for a target that holds all
    /// workers that it can.
    pub send_lag: DurationSummary,
    /// The time of new TCP connections, if there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connect: Option<DurationSummary>,
    /// The time of TLS handshakes, if there were any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls: Option<DurationSummary>,
    /// The time of name lookups, if there were any. No request waits for them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lookup: Option<DurationSummary>,
    /// Failed requests by kind. Kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
    /// Failed requests by cause, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<FailureSummary>,
    /// In the order in which they were given.
    pub targets: Vec<TargetSummary>,
    /// The phases of the schedule, in the order of their first start. Phases of the same name are taken together. A request
    /// belongs to the phase in which it was due.
    pub phases: Vec<PhaseSummary>,
    pub timeline: Timeline,
    /// Whether the limiter kept its limit, if the run was audited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit: Option<Audit>,
    /// In the order in which they were given.
    pub thresholds: Vec<JudgedThreshold>,
    pub resources: Resources,
}

/// A program and the platform that it was built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Build {
    pub version: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `x86_64`.
    pub arch: String,
}

/// When the run took place, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Run"))]
pub struct RunTimes {
    /// The schedule's start, in RFC 3339, UTC.
    pub started: String,
    /// The instant at which the last request was answered or abandoned, in RFC 3339, UTC.
    pub ended: String,
    /// From the schedule's start to the end of pacing.
    pub paced_ns: u64,
    /// From the end of pacing to the last answer.
    pub drained_ns: u64,
    /// Whether the run was stopped before its schedule ended, or while it drained.
    pub interrupted: bool,
    /// The threshold that stopped the run because it could no longer be met.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aborted_by: Option<String>,
}

/// The generator's own use of its machine, up to the end of the run. Numbers that the system does not report are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resources {
    /// Processor time in user mode, of all threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_ns: Option<u64>,
    /// Processor time in the kernel, of all threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system_ns: Option<u64>,
    /// The largest amount of resident memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_memory: Option<u64>,
    /// Lines that were not printed because nobody read standard output.
    pub missed_lines: u64,
    /// Requests that `--requests` could not write in time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwritten_requests: Option<u64>,
}

/// The parts of a summary that are not made from the run's results.
#[derive(Debug)]
pub struct Circumstances<'a> {
    pub configuration: Configuration,
    /// Empty unless a result needs it.
    pub timeline: &'a TimelineTally,
    pub audit: Option<Audit>,
    pub thresholds: Vec<JudgedThreshold>,
    pub exit_code: u8,
    pub resources: Resources,
}

impl Summary {
    /// The summary of a run that has ended. `targets` are its targets in the plan's order.
    pub fn new(results: &Results, targets: &[Target], circumstances: Circumstances<'_>) -> Summary {
        let Circumstances {
            configuration,
            timeline,
            audit,
            thresholds,
            exit_code,
            resources,
        } = circumstances;
        let (tally, phases) = (&results.tally, results.phases.tallies.iter());
        let if_any = |histogram| Some(DurationSummary::new(histogram)).filter(|of| of.count > 0);
        let counts = results.ledgers.iter().zip(&results.lateness);
        let rows = targets.iter().zip(counts).zip(&tally.targets);
        let rows = rows.map(|((target, (ledger, lateness)), tally)| TargetSummary {
            name: target.to_string(),
            requests: *ledger,
            backlog_dropped: lateness.backlog_dropped,
            late: lateness.all_late(),
            backlog_late: lateness.backlog_late,
            latency: DurationSummary::new(&tally.latency),
            send_lag: DurationSummary::new(&tally.send_lag),
            failures: by_kind(&tally.failures),
            causes: FailureSummary::all(&tally.failures),
            addresses: AddressSummary::all(&tally.addresses),
        });
        Summary {
            schema_version: SCHEMA_VERSION,
            loadgen: Build::this(),
            run: RunTimes::of(results, &thresholds),
            configuration,
            exit_code,
            schedule: ScheduleSummary::of(results, targets),
            requests: results.ledger(),
            latency: DurationSummary::with_spectrum(&tally.latency),
            service_time: DurationSummary::with_spectrum(&tally.service_time),
            send_lag: DurationSummary::with_spectrum(&tally.send_lag),
            failed_after: if_any(&tally.failed_after),
            connect: if_any(&tally.connect),
            tls: if_any(&tally.tls),
            lookup: if_any(&tally.lookup),
            failures: by_kind(&tally.failures()),
            causes: FailureSummary::of_run(results, targets),
            targets: rows.collect(),
            phases: phases.map(PhaseSummary::of).collect(),
            timeline: Timeline::of(timeline, &results.phases),
            audit,
            thresholds,
            resources,
        }
    }

    /// The causes of failure, the most frequent first. A summary of an earlier version has only kinds.
    pub fn failure_causes(&self) -> Vec<FailureSummary> {
        failure::causes_or_kinds(&self.causes, &self.failures)
    }

    /// The base URLs of the targets.
    pub fn target_names(&self) -> Vec<String> {
        let targets = self.targets.iter();
        targets.map(|target| target.name.clone()).collect()
    }
}

impl Build {
    fn this() -> Build {
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }
}

impl RunTimes {
    fn of(results: &Results, thresholds: &[JudgedThreshold]) -> RunTimes {
        let (paced, drained) = (results.paced, results.drained);
        let lost = results.aborted_by.and_then(|place| thresholds.get(place));
        RunTimes {
            started: timestamp(results.started, Nanos::ZERO),
            ended: timestamp(results.started, paced + drained),
            paced_ns: paced.0,
            drained_ns: drained.0,
            interrupted: results.interrupted,
            aborted_by: lost.map(|threshold| threshold.text.clone()),
        }
    }
}

/// The failures by name, without kinds that did not occur.
fn by_kind(failures: &Failures) -> BTreeMap<String, u64> {
    let named = failures
        .by_kind()
        .map(|(kind, count)| (kind.to_string(), count));
    named.filter(|(_, count)| *count > 0).collect()
}

/// An instant in RFC 3339 with milliseconds, UTC.
fn timestamp(start: SystemTime, later: Nanos) -> String {
    let at = start.checked_add(Duration::from(later)).unwrap_or(start);
    // Only a clock before the year -9999 fails here. Any date is as good for it.
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    /// The files of the schemas, and the schemas of the types.
    fn schemas() -> [(PathBuf, String); 2] {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let text = |schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
        [
            (
                docs.join("summary.schema.json"),
                text(schemars::schema_for!(Summary)),
            ),
            (
                docs.join("audit.schema.json"),
                text(schemars::schema_for!(RecordedAudit)),
            ),
        ]
    }

    #[test]
    fn the_schemas_in_the_docs_are_those_of_what_is_written() {
        for (path, schema) in schemas() {
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                file == schema,
                "{path:?} is not of these types: `cargo test write_the_schemas -- --ignored` writes it anew"
            );
        }
    }

    #[test]
    #[ignore = "writes the schemas in docs, after a change of the types"]
    fn write_the_schemas() {
        for (path, schema) in schemas() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, schema).unwrap();
        }
    }
}
