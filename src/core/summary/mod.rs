//! The results of a run as data: everything that any report shows. `--summary-json` writes it as JSON.
//!
//! Durations are whole nanoseconds, in fields that end in `_ns`, and null if there was nothing to measure. Rates are per second. Shares are from 0 to 1.

mod address;
mod audit;
mod capacity;
mod configuration;
mod discovery;
mod distribution;
mod event;
mod failure;
mod merged;
mod null_for_0;
mod phase;
mod recorded;
mod saved;
mod schemas;
mod stripe;
mod target;
mod timeline;
mod to_merge;
mod verdict;

pub use address::AddressSummary;
pub use audit::{
    Answers, Audit, AuditVerdict, AuditedOutage, AuditedPhase, ByNode, Cause, EarlyBlocks, Finding,
    KeyAdmitted, KeyCounts, NodeCounts, Peak, RecordedRun, RequestFile, Resolution, Standing,
    StandingPromise, Tolerances, Until, WindowCounts,
};
pub use capacity::{
    CapacityLimit, CapacityResult, CapacitySummary, SearchCircumstances, SearchSummary,
    StepOutcome, StepPurpose, StepSummary, SteppedRun,
};
pub use configuration::{
    Configuration, NeededVariable, RepeatingCommand, Setting, Source, as_typed,
};
pub use discovery::{
    AnswerOutcome, AuditCommand, Candidate, Detail, DiscoveredDelay, Discovery, DiscoveryAnswer,
    DiscoveryBounds, DiscoveryCircumstances, DiscoveryCounts, DiscoveryEnding, DiscoveryTally,
    EnforcedLimit, HeaderClaim, MOST_ANSWERS, Shared, Shares,
};
pub use distribution::{Bucket, DurationSummary, Point};
pub use event::{
    CommandSummary, EffectSummary, EventSummary, EventTarget, FeltSummary, HowFailed,
    OutageSummary, RecoverySummary, SpanSummary,
};
pub use failure::{FailedRequest, FailureSummary};
pub use merged::{MergedEvent, MergedStripe, MergedSummary, MissingStripe, named_stripes};
pub use phase::PhaseSummary;
pub use recorded::{RecordedAudit, RecordedCounts, RecordedPart};
pub use saved::Unreadable;
pub use schemas::{SCHEMAS, Schema};
pub use stripe::{COMPLETE, FILES, StripeSummary, without_complete};
pub use target::TargetSummary;
pub use timeline::{Slot, Timeline};
pub use to_merge::{AddressToMerge, PhaseToMerge, SlotToMerge, TargetToMerge};
pub use verdict::{ScheduleSummary, suspended_stripes};

use crate::base::text::rounded_rate;
use crate::base::{Ledger, Nanos, Target};
use crate::core::stats::{Failures, Results, TimelineTally};
use crate::core::threshold::JudgedThreshold;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The version of the format. It changes when a field is removed or changes its meaning. Fields may be added without a
/// new version. Version 3 names the fields of the timeline's slots like the columns of `--timeline`, and has null for a
/// duration of nothing. Version 2 took failed requests out of the latency.
pub const SCHEMA_VERSION: u32 = 3;

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The version of this format: 3.
    pub schema_version: u32,
    /// The program that made the run.
    pub loadgen: Build,
    /// When the run took place, and how long it took.
    pub run: RunTimes,
    /// The part of the schedule that this run sent, if several processes shared the schedule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stripe: Option<StripeSummary>,
    /// The stripes that these results were merged from, if `loadgen merge` wrote them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub merged: Option<MergedSummary>,
    /// The options of the run.
    pub configuration: Configuration,
    /// The exit code of the run: 0 is fine, 1 means that the run broke, 3 that a requested verdict is missing, 4 that a
    /// threshold or the audit failed.
    pub exit_code: u8,
    /// Whether the generator itself kept its schedule.
    pub schedule: ScheduleSummary,
    /// Where every scheduled request went: scheduled = sent + dropped + unsent, and sent = allowed + blocked + failed +
    /// abandoned.
    pub requests: Ledger,
    /// Of the allowed requests, those of which the answers say that the limiter fails open: it could not decide, and let
    /// them pass.
    #[serde(default)]
    pub failing_open: u64,
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
    /// The targets, in the order in which they were given.
    pub targets: Vec<TargetSummary>,
    /// The phases of the schedule, in the order of their first start. Phases of the same name are taken together. A request
    /// belongs to the phase in which it was due.
    pub phases: Vec<PhaseSummary>,
    /// The events of the run, in the order in which they began, and what each did.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub events: Vec<EventSummary>,
    /// The times in which targets failed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outages: Vec<OutageSummary>,
    /// The course of the run, second by second.
    pub timeline: Timeline,
    /// Whether the limiter kept its limit, if the run was audited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit: Option<Audit>,
    /// The thresholds, in the order in which they were given.
    pub thresholds: Vec<JudgedThreshold>,
    /// The generator's own use of its machine.
    pub resources: Resources,
}

/// A program and the platform that it was built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Build {
    /// The program's version, such as `0.1.0`.
    pub version: String,
    /// The operating system, such as `linux`.
    pub os: String,
    /// The processor's architecture, such as `x86_64`.
    pub arch: String,
}

/// When the run took place, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Run"))]
pub struct RunTimes {
    /// The schedule's start, in RFC 3339, UTC.
    pub started: String,
    /// The instant at which the last request was answered or abandoned, in RFC 3339, UTC.
    pub ended: String,
    /// How far the clock of this machine, and with it each instant of this run, may have been off, in nanoseconds. Absent if
    /// neither the system nor `--clock-error` said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_error_ns: Option<u64>,
    /// From the schedule's start to the end of pacing, in nanoseconds.
    pub paced_ns: u64,
    /// The length of the schedule, in nanoseconds. Absent if it had no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub planned_ns: Option<u64>,
    /// The mean rate of the schedule up to the end of pacing, in requests per second, to a tenth, and under 10 to three
    /// significant digits. In the summary of a stripe, it is not rounded. Absent if all requests were due at once, and in
    /// summaries of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked_per_s: Option<f64>,
    /// From the end of pacing to the last answer, in nanoseconds.
    pub drained_ns: u64,
    /// Whether the run was stopped before its schedule ended, or while it drained.
    pub interrupted: bool,
    /// Whether it was stopped before its first request, while it waited for its first target.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub stopped_waiting: bool,
    /// The threshold that stopped the run because it could no longer be met.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aborted_by: Option<String>,
}

/// The generator's own use of its machine, up to the end of the run. Numbers that the system does not report are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resources {
    /// Processor time in user mode, of all threads, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_ns: Option<u64>,
    /// Processor time in the kernel, of all threads, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system_ns: Option<u64>,
    /// The largest amount of resident memory, in bytes.
    #[serde(
        rename = "peak_memory_bytes",
        alias = "peak_memory",
        skip_serializing_if = "Option::is_none",
        default
    )]
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
    pub stripe: Option<StripeSummary>,
    /// Empty unless a result needs it.
    pub timeline: &'a TimelineTally,
    /// The length of the schedule. `None` if it has no end.
    pub planned: Option<Nanos>,
    /// The mean rate of the schedule up to the end of pacing, in requests per second. `None` if all requests were due at once.
    pub asked: Option<f64>,
    /// Whether a stop ended the wait for the first target.
    pub stopped_waiting: bool,
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
            stripe,
            timeline,
            planned,
            asked,
            stopped_waiting,
            audit,
            thresholds,
            exit_code,
            resources,
        } = circumstances;
        let is_stripe = stripe.is_some();
        let (tally, phases) = (&results.tally, results.phases.tallies.iter());
        let plain = |histogram| match is_stripe {
            true => DurationSummary::new(histogram).with_hdr(histogram),
            false => DurationSummary::new(histogram),
        };
        let if_any = |histogram| Some(plain(histogram)).filter(|of| of.count > 0);
        let counts = results.ledgers.iter().zip(&results.lateness);
        let rows = targets.iter().zip(counts).zip(&tally.targets);
        let rows = rows.map(|((target, (ledger, lateness)), tally)| TargetSummary {
            name: target.to_string(),
            requests: *ledger,
            failing_open: tally.failing_open,
            backlog_dropped: lateness.backlog_dropped,
            late: lateness.all_late(),
            backlog_late: lateness.backlog_late,
            latency: plain(&tally.latency),
            send_lag: plain(&tally.send_lag),
            failures: by_kind(&tally.failures),
            causes: FailureSummary::all(&tally.failures),
            addresses: AddressSummary::all(&tally.addresses),
            to_merge: is_stripe.then(|| TargetToMerge::of(tally, lateness)),
        });
        Summary {
            schema_version: SCHEMA_VERSION,
            loadgen: Build::this(),
            run: RunTimes {
                stopped_waiting,
                planned_ns: planned.map(|end| end.0),
                asked_per_s: match is_stripe {
                    true => asked,
                    false => asked.map(rounded_rate),
                },
                ..RunTimes::of(results, &thresholds)
            },
            configuration,
            stripe,
            merged: None,
            exit_code,
            schedule: ScheduleSummary::of(results, targets),
            requests: results.ledger(),
            failing_open: tally.failing_open(),
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
            phases: phases
                .map(|phase| PhaseSummary::of(phase, is_stripe))
                .collect(),
            events: EventSummary::all(results, targets),
            outages: OutageSummary::all(results, targets),
            timeline: Timeline::of(timeline, &results.phases, is_stripe),
            audit,
            thresholds,
            resources,
        }
    }

    /// The causes of failure, the most frequent first. A summary of an earlier version has only kinds.
    pub fn failure_causes(&self) -> Vec<FailureSummary> {
        failure::causes_or_kinds(&self.causes, &self.failures)
    }

    /// The count of requests that ended the run, if one did.
    pub fn ended_by_count(&self) -> Option<u64> {
        let is_reached = |count: &u64| *count == self.requests.scheduled;
        self.configuration.count.filter(is_reached)
    }

    /// The mean rate of the schedule up to the end of pacing, in requests per second. `None` if all requests were due at
    /// once.
    pub fn scheduled_per_second(&self) -> Option<f64> {
        let RunTimes {
            paced_ns,
            planned_ns,
            asked_per_s,
            ..
        } = self.run;
        asked_per_s.or_else(|| {
            // A process that was stopped past the end of its schedule was paced for longer than that.
            let time = Nanos(planned_ns.map_or(paced_ns, |end| end.min(paced_ns)));
            (time > Nanos::ZERO).then(|| self.requests.scheduled as f64 / time.as_secs_f64())
        })
    }

    /// So many requests of the run by its time, in requests per second. `None` if it took none. The time of a request of the
    /// schedule lasts until the next one would be due, so that 10 requests at 10/s take a second.
    pub fn per_second(&self, count: u64) -> Option<f64> {
        let RunTimes {
            paced_ns,
            planned_ns,
            asked_per_s,
            ..
        } = self.run;
        let asked = asked_per_s.filter(|asked| *asked > 0.0 && self.requests.scheduled > 0);
        let time = match asked {
            Some(asked) => {
                let late = planned_ns.map_or(0, |end| paced_ns.saturating_sub(end));
                self.requests.scheduled as f64 / asked + Nanos(late).as_secs_f64()
            }
            None => Nanos(paced_ns).as_secs_f64(),
        };
        (time > 0.0).then(|| count as f64 / time)
    }

    /// The URLs of the targets.
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
            clock_error_ns: results.clock_error.map(|error| error.0),
            paced_ns: paced.0,
            planned_ns: None,
            asked_per_s: None,
            drained_ns: drained.0,
            interrupted: results.interrupted,
            stopped_waiting: false,
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
pub fn timestamp(start: SystemTime, later: Nanos) -> String {
    let at = start.checked_add(Duration::from(later)).unwrap_or(start);
    // Only a clock before the year -9999 fails here. Any date is as good for it.
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}
