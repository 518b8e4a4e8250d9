//! Whether the limiter kept its limit.

mod audited_run;
mod evidence;
mod headline;
mod outages;
mod over_time;
mod recorded_run;
mod request_file;
mod sentences;

pub use crate::core::audit::AuditVerdict;
pub use over_time::{EarlyBlocks, KeyCounts, NodeCounts, WindowCounts};
pub use recorded_run::{RecordedRun, Until};
pub use request_file::RequestFile;

use crate::base::text::rounded_to_three_digits;
use crate::core::audit;
use serde::{Deserialize, Serialize};

/// Whether the limiter kept its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Audit {
    /// Whether the limit was kept.
    pub verdict: AuditVerdict,
    /// The verdict and its most important statement with its number, such as `Broken: 300 admitted within 59.9 s where 100
    /// are promised`. Empty in summaries of earlier versions.
    #[serde(default)]
    pub headline: String,
    /// Further statements: what else was proved and its cause, what would have been proved of a limit that was kept, or the
    /// run that would give a verdict.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub further: Vec<String>,
    /// The verdict in a sentence or two. If the run was too small, it says which run would give a verdict.
    pub statement: String,
    /// The limit of a key, in requests.
    pub limit: u64,
    /// The window in which that many may pass, in nanoseconds.
    pub window_ns: u64,
    /// The most admissions of a key within a window's length; absent if nothing was admitted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak: Option<Peak>,
    /// The number of keys audited.
    pub keys: u64,
    /// The share of the run's keys that was audited: 1, or as many as there was memory for.
    pub share: f64,
    /// The keys that were surely admitted more than the limit within some window's length.
    pub keys_over: u64,
    /// What came of the load's requests.
    #[serde(default)]
    pub answers: Answers,
    /// The tolerances that were granted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub granted: Option<Tolerances>,
    /// The least tolerances, each alone, with which the limit would have been kept; absent unless it was broken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub needed: Option<Tolerances>,
    /// One for each promise that the limiter was held to.
    pub promises: Vec<StandingPromise>,
    /// The probe's checks, in words; absent without a probe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probe: Option<String>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// The admissions of each node, for the worst keys, if the limit was broken and there are several nodes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_node: Option<ByNode>,
    /// How many requests of the busiest keys were admitted in the window before each moment; absent if none were.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window_counts: Option<WindowCounts>,
    /// The requests that were blocked although every promise lets them pass, over time; absent if there were none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub early_blocks: Option<EarlyBlocks>,
    /// The times in which targets failed, and those in which they said that they fail open, in the order of their begins.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outages: Vec<AuditedOutage>,
    /// The phases of the run, if the limit was exceeded and the phases are known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub by_phase: Vec<AuditedPhase>,
    /// The possible causes of a broken limit that were tested and stood. Each of several explains everything.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Observations that are no faults, but that a caller may stumble over.
    pub remarks: Vec<String>,
}

/// A time in which targets failed, or in which they said that they fail open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditedOutage {
    /// When the first request was sent that failed, or that was admitted while failing open, since the run's start.
    pub from_ns: u64,
    /// When the last such request was done, or a later one was answered otherwise, whichever is earlier.
    pub to_ns: u64,
    /// The targets that failed, or that said that they fail open.
    pub targets: Vec<String>,
    /// The failed requests; 0 if the targets said that they fail open.
    pub failed: u64,
    /// The requests that were admitted while failing open; 0 if the targets failed.
    #[serde(default)]
    pub failing_open: u64,
    /// The admissions in this time that were surely too many.
    pub admitted_beyond: u64,
    /// The same in words.
    pub statement: String,
}

/// The admissions of all phases that have one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditedPhase {
    /// Such as `burst 50/s`.
    pub phase: String,
    /// Requests of the load that were admitted.
    pub admitted: u64,
    /// Of those, the ones that were surely too many.
    pub admitted_beyond: u64,
}

/// The most admissions of a key within a window's length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Peak {
    /// The key's name.
    pub key: String,
    /// The key's own limit; absent if it is that of the audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u64>,
    /// Wherever between sent and done the decisions fell.
    pub at_least: u64,
    /// If the decisions fell so as to make it most, and all unanswered requests were admitted.
    pub at_most: u64,
    /// Whether the key is one of the probe's.
    #[serde(default)]
    pub of_the_probe: bool,
}

/// How a promise stands against the observations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StandingPromise {
    /// The promise's name, such as `sliding-window`.
    pub promise: String,
    /// Whether it was kept.
    pub standing: Standing,
    /// The standing in words, with its reasons.
    pub statement: String,
    /// The keys of the load on which a limiter that admits everything would have been caught.
    #[serde(default)]
    pub judged: u64,
    /// The smallest breach that would have been proved; absent unless the promise was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolution: Option<Resolution>,
}

/// The smallest breach that a run would have proved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resolution {
    /// Admissions beyond the limit.
    pub requests: u64,
    /// The same as a share of the limit, to three significant digits. It is over 1 if it is more than the limit.
    pub share: f64,
}

/// How far a limiter may be off, or would have to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tolerances {
    /// How far apart the clocks of the limiter's nodes are, in nanoseconds; absent if it is not known, or more than half
    /// of the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_ns: Option<u64>,
    /// The share by which the limit is exceeded; absent if it is not known, or more than 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excess: Option<f64>,
}

/// What came of the load's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answers {
    /// Requests that the limiter let pass.
    pub allowed: u64,
    /// Requests that the limiter refused.
    pub blocked: u64,
    /// Neither allowed nor blocked.
    pub failed: u64,
    /// Requests without a whole answer, which may have been admitted.
    pub unanswered: u64,
}

impl From<audit::Resolution> for Resolution {
    fn from(found: audit::Resolution) -> Resolution {
        Resolution {
            requests: found.requests,
            share: rounded_to_three_digits(found.share),
        }
    }
}

/// Whether one promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Kept,
    Broken,
    Suspect,
    NotTested,
}

/// A fault of the limiter, and the requests that show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The fault in a sentence.
    pub statement: String,
    /// Lines that name the requests.
    pub evidence: Vec<String>,
    /// The sequence numbers of the requests that show it, in the order in which they were sent; a thousand at most.
    pub sequences: Vec<u64>,
    /// For requests that were recorded in several files, or that are numbered by their lines: the file of each of
    /// `sequences`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<String>,
    /// Whether they are the probe's requests, which have numbers of their own.
    pub of_the_probe: bool,
}

/// A cause that something was requested for that would have refuted it, and that stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cause {
    /// The cause in general, such as `each node counts alone`.
    pub cause: String,
    /// The same with this run's numbers.
    pub statement: String,
    /// The numbers that would have refuted it, and did not.
    pub evidence: Vec<String>,
}

/// The admissions of each node, for the worst keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ByNode {
    /// The names of the nodes. If there are none, the nodes are the summary's targets, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub nodes: Vec<String>,
    /// One row for each key.
    pub keys: Vec<KeyAdmitted>,
}

/// One key's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeyAdmitted {
    /// The key's name.
    pub key: String,
    /// The admissions of each node, in the order of the nodes.
    pub admitted: Vec<u64>,
}

impl ByNode {
    /// The names of the nodes, in a summary with these targets.
    pub fn names<'a>(&'a self, targets: &'a [String]) -> &'a [String] {
        if self.nodes.is_empty() {
            targets
        } else {
            &self.nodes
        }
    }
}

impl Audit {
    /// The requests to look at, if the limit was broken and no cause is known.
    pub fn unknown_cause(&self) -> Option<String> {
        let is_unknown = self.verdict == AuditVerdict::Broken && self.causes.is_empty();
        is_unknown.then(|| {
            let mut findings = self.findings.iter();
            let numbers = findings.find(|finding| !finding.sequences.is_empty());
            let first = numbers.map_or("", |finding| finding.statement.as_str());
            match first {
                "" => "no cause known".to_owned(),
                _ => format!("no cause known; look at the requests of the first finding: {first}"),
            }
        })
    }

    /// The promises that admit more than the limit in a window's length, if such a promise may have been kept: `which
    /// token-bucket 10/s admits`. `None` if nothing shows that more was admitted than promised, or if the limit is broken or
    /// suspect.
    fn admitted_by(&self) -> Option<String> {
        use AuditVerdict::{Broken, Suspect};
        use Standing::{Kept, NotTested};
        let standing = self.promises.iter();
        let standing = standing.filter(|one| matches!(one.standing, Kept | NotTested));
        let names: Vec<_> = standing.map(|one| one.promise.clone()).collect();
        let is_open = !matches!(self.verdict, Broken | Suspect) && !names.is_empty();
        is_open.then(|| format!("which {} admits", sentences::either(&names)))
    }

    /// The most admissions of a key within a window's length, and how they relate to its limit: `150, 3.00 times the limit`.
    /// `None` if nothing was admitted.
    pub fn most_admitted(&self) -> Option<String> {
        let peak = self.peak.as_ref()?;
        let limit = peak.limit.unwrap_or(self.limit).max(1);
        let mut text = peak.at_least.to_string();
        if peak.at_most != peak.at_least {
            text += &format!(" to {}", peak.at_most);
        }
        text += ", ";
        let admitted_by = self.admitted_by().filter(|_| peak.at_least > limit);
        text += &admitted_by.unwrap_or_else(|| {
            let multiple = peak.at_least as f64 / limit as f64;
            format!("{multiple:.2} times the limit")
        });
        if peak.of_the_probe {
            text += " (a key of the probe)";
        }
        Some(text)
    }

    /// The name of [`keys_over_of_all`](Self::keys_over_of_all), which leaves out the probe's keys.
    pub fn keys_over_name(&self) -> String {
        let keys = match self.probe {
            Some(_) => "keys of the load",
            None => "keys",
        };
        format!("{keys} over the limit")
    }

    /// The keys over the limit within a window's length, and of how many.
    pub fn keys_over_of_all(&self) -> String {
        let mut text = format!("{} of {}", self.keys_over, self.keys);
        if let Some(by) = self.admitted_by().filter(|_| self.keys_over > 0) {
            text += &format!(", {by}");
        }
        if self.share < 1.0 {
            let percent = self.share * 100.0;
            text += &format!(", a sample of {percent:.2} % of all keys, because of --audit-memory");
        }
        text
    }
}
