//! Whether the limiter kept its limit.

mod found;

use serde::{Deserialize, Serialize};

/// Whether the limiter kept its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Audit {
    pub verdict: AuditVerdict,
    /// The same in a sentence or two, with what would tell where this run did not.
    pub statement: String,
    /// The limit of a key, in requests.
    pub limit: u64,
    /// The window in which that many may pass.
    pub window_ns: u64,
    /// The most that was admitted of a key within a window's length; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak: Option<Peak>,
    /// How many keys were audited.
    pub keys: u64,
    /// The share of the run's keys that was: 1, or what there was memory for.
    pub share: f64,
    /// Keys that were surely admitted more than the limit within some window's length.
    pub keys_over: u64,
    /// One for each promise that the limiter was held to.
    pub promises: Vec<StandingPromise>,
    /// What the probe checked, in words; absent without a probe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probe: Option<String>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What each node admitted of the worst keys, if the limit was broken and there are several nodes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_node: Option<ByNode>,
    /// What the findings together look like, such as `each node seems to count alone`.
    pub signs: Vec<String>,
    /// What is not wrong, and a caller may stumble over.
    pub remarks: Vec<String>,
}

/// What an audit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditVerdict {
    /// What was seen is what a limiter does that keeps its promise, and not what one does that admits everything.
    Kept,
    /// No limiter that keeps its promise does what was seen.
    Broken,
    /// Broken if the requests that were not answered were admitted.
    Suspect,
    Inconclusive,
}

/// The most that was admitted of a key within a window's length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Peak {
    pub key: String,
    /// Surely.
    pub at_least: u64,
    /// Wherever between sent and done the decisions fell, and if all that were not answered were admitted.
    pub at_most: u64,
}

/// How a promise stands against what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StandingPromise {
    /// `sliding-window`, `fixed-window` or `token-bucket`.
    pub promise: String,
    pub standing: Standing,
    /// The same in words, with its reasons.
    pub statement: String,
}

/// What is known of one promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Kept,
    Broken,
    Suspect,
    NotTested,
}

/// Something that is wrong, and the requests that show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    pub statement: String,
    /// Lines that name the requests.
    pub evidence: Vec<String>,
    /// The sequence numbers of the requests that show it, in the order of their sent; a thousand at most.
    pub sequences: Vec<u64>,
    /// Whether those are the probe's, which has numbers of its own.
    pub of_the_probe: bool,
}

/// What each node admitted of the worst keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ByNode {
    /// In the order of the summary's targets.
    pub keys: Vec<KeyAdmitted>,
}

/// One key's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeyAdmitted {
    pub key: String,
    /// By target.
    pub admitted: Vec<u64>,
}
