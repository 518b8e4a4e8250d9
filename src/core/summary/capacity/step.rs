use super::super::{DurationSummary, FailureSummary, ScheduleSummary, timestamp};
use crate::base::{Ledger, Nanos, Target};
use crate::core::capacity::{Cause, Judged, NotOnTime, Outcome, Processors, Purpose};
use crate::core::plan::Plan;
use crate::core::schedule::Rate;
use crate::core::stats::Results;
use crate::core::threshold::{JudgedThreshold, Met};
use serde::{Deserialize, Serialize};

/// A run at one rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Step"))]
pub struct StepSummary {
    /// The number of the step, from 1.
    pub number: u64,
    /// Why the step was made.
    pub purpose: StepPurpose,
    /// The rate, in requests per second.
    pub rate_per_s: f64,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Whether it missed thresholds by so little that it may be chance, or something else on this machine disturbed the generator.
    pub may_be_chance: bool,
    /// The reason of the outcome, as the end of a sentence.
    pub reason: String,
    /// The start of the step, RFC 3339 in UTC.
    pub started: String,
    /// The time for which the rate was kept up, in nanoseconds. A step ends early if a threshold can no longer be met.
    pub paced_ns: u64,
    /// Where every scheduled request went.
    pub requests: Ledger,
    /// The time from when a request was due until it was answered.
    pub latency: DurationSummary,
    /// The time from when a request was sent until it was answered.
    pub service_time: DurationSummary,
    /// The time from when a request was due until it was sent.
    pub send_lag: DurationSummary,
    /// The failed requests by cause, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<FailureSummary>,
    /// Whether the generator kept its schedule.
    pub schedule: ScheduleSummary,
    /// The thresholds, in the order in which they were given.
    pub thresholds: Vec<JudgedThreshold>,
    /// The verdict of the audit in a sentence; absent without an audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit: Option<String>,
    /// The share of this machine's processors that this process used, from 0 to 1; absent where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own_processor_share: Option<f64>,
    /// The share of this machine's processors that were busy, from 0 to 1; absent where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub processor_share: Option<f64>,
}

/// Why a step is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepPurpose {
    /// Every lower rate held, as far as it was tried.
    Double,
    /// The rate is between one that held and one that did not.
    Narrow,
    /// A step at this rate was made before.
    Repeat,
    /// The step confirms the result.
    Confirm,
}

impl From<Purpose> for StepPurpose {
    fn from(purpose: Purpose) -> StepPurpose {
        match purpose {
            Purpose::Double => StepPurpose::Double,
            Purpose::Narrow => StepPurpose::Narrow,
            Purpose::Repeat => StepPurpose::Repeat,
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// Every threshold was met.
    Held,
    /// The limiter missed a threshold.
    Missed,
    /// The generator could not keep its schedule.
    Generator,
    /// The generator had no connection left, or no worker that was not waiting for an answer.
    Connections,
    /// A threshold could not be judged.
    Unjudged,
    /// The process was suspended, so that the step says nothing.
    Void,
    /// A signal ended the step.
    Stopped,
}

impl StepOutcome {
    fn of(outcome: Outcome) -> StepOutcome {
        match outcome {
            Outcome::Held => StepOutcome::Held,
            Outcome::Void => StepOutcome::Void,
            Outcome::NotHeld { cause, .. } => match cause {
                Cause::Missed => StepOutcome::Missed,
                Cause::Generator => StepOutcome::Generator,
                Cause::Connections => StepOutcome::Connections,
                Cause::Unjudged => StepOutcome::Unjudged,
            },
        }
    }
}

/// A step that has ended.
#[derive(Debug)]
pub struct SteppedRun<'a> {
    /// From 1.
    pub number: usize,
    pub purpose: StepPurpose,
    pub rate: Rate,
    pub plan: &'a Plan,
    pub targets: &'a [Target],
    pub results: &'a Results,
    pub judged: Judged,
    /// Whether a signal ended it.
    pub is_stopped: bool,
    /// The verdict of the audit in a sentence.
    pub audit: Option<String>,
    pub processors: Processors,
}

impl StepSummary {
    pub fn new(run: SteppedRun<'_>) -> StepSummary {
        let (results, tally) = (run.results, &run.results.tally);
        let schedule = ScheduleSummary::of(results, run.targets);
        let outcome = match run.is_stopped {
            true => StepOutcome::Stopped,
            false => StepOutcome::of(run.judged.outcome),
        };
        let may_be_chance = matches!(
            run.judged.outcome,
            Outcome::NotHeld {
                may_be_chance: true,
                ..
            }
        );
        StepSummary {
            number: run.number as u64,
            purpose: run.purpose,
            rate_per_s: run.rate.as_f64(),
            outcome,
            may_be_chance: may_be_chance
                && [StepOutcome::Missed, StepOutcome::Generator].contains(&outcome),
            reason: reason(outcome, &run, &schedule),
            started: timestamp(results.started, Nanos::ZERO),
            paced_ns: results.paced.0,
            requests: results.ledger(),
            latency: DurationSummary::new(&tally.latency),
            service_time: DurationSummary::new(&tally.service_time),
            send_lag: DurationSummary::new(&tally.send_lag),
            causes: FailureSummary::all(&tally.failures()),
            schedule,
            thresholds: run.judged.thresholds,
            audit: run.audit,
            own_processor_share: run.processors.own.map(rounded),
            processor_share: run.processors.all.map(rounded),
        }
    }
}

/// A share in tenths of a percent.
fn rounded(share: f64) -> f64 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() / 1_000.0
}

/// The reason of an outcome, as the end of a sentence.
fn reason(outcome: StepOutcome, run: &SteppedRun<'_>, schedule: &ScheduleSummary) -> String {
    let thresholds = &run.judged.thresholds;
    let missed = || {
        let missed = thresholds.iter().filter(|one| one.met == Met::Missed);
        let missed: Vec<_> = missed.map(missed_threshold).collect();
        missed.join(" and ")
    };
    let late = || {
        let missed = schedule.missed().unwrap_or_else(missed);
        format!("the generator did not keep its schedule ({missed})")
    };
    match (outcome, run.judged.not_on_time) {
        (StepOutcome::Held, _) => "every threshold was met".to_owned(),
        (StepOutcome::Stopped, _) => "a signal stopped it".to_owned(),
        (StepOutcome::Void, _) => "the process was suspended".to_owned(),
        (StepOutcome::Missed, _) => match &*missed() {
            "" => schedule.reason().to_owned(),
            missed => missed.to_owned(),
        },
        (_, Some(NotOnTime::Workers)) => format!(
            "nearly all {} workers waited for answers all the time, so that requests left late; more --workers may help",
            run.plan.workers
        ),
        (_, Some(NotOnTime::Sockets)) => {
            "this machine had no local port, file descriptor or memory left for connections"
                .to_owned()
        }
        (_, Some(NotOnTime::OtherProcesses)) => format!(
            "other processes kept this machine's processors busy, and {}",
            late()
        ),
        (_, Some(NotOnTime::Processors)) => {
            format!("this machine's processors were busy, and {}", late())
        }
        (StepOutcome::Generator | StepOutcome::Connections, _) => late(),
        (StepOutcome::Unjudged, _) => {
            let unjudged = thresholds.iter().filter(|one| one.met != Met::Met);
            let unjudged: Vec<_> = unjudged
                .map(|one| format!("{} can't be judged ({})", one.text, one.measured))
                .collect();
            let mut reason = unjudged.join(" and ");
            if let Some(audit) = &run.audit {
                reason += &format!("; {audit}");
            }
            reason
        }
    }
}

/// A missed threshold as a statement, such as `latency.p99 was 23.1 ms, not < 20ms`.
fn missed_threshold(threshold: &JudgedThreshold) -> String {
    let text = &threshold.text;
    let end = text.find(|c: char| c.is_whitespace() || "<>=!".contains(c));
    let (name, test) = text.split_at(end.unwrap_or(text.len()));
    let test = test.trim_start();
    let test = test.strip_prefix("= ").unwrap_or(test);
    format!("{name} was {}, not {test}", threshold.measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_threshold_is_a_statement() {
        for (text, measured, statement) in [
            (
                "latency.p99 < 20ms",
                "23.1 ms",
                "latency.p99 was 23.1 ms, not < 20ms",
            ),
            (
                "latency.p99<20ms",
                "23.1 ms",
                "latency.p99 was 23.1 ms, not <20ms",
            ),
            ("audit = kept", "broken", "audit was broken, not kept"),
            (
                "target[2].blocked.rate between 1% and 2%",
                "3 % (3 of 100)",
                "target[2].blocked.rate was 3 % (3 of 100), not between 1% and 2%",
            ),
        ] {
            let threshold = JudgedThreshold {
                text: text.to_owned(),
                met: Met::Missed,
                measured: measured.to_owned(),
            };
            assert_eq!(missed_threshold(&threshold), statement);
        }
    }
}
