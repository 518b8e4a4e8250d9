use serde::{Deserialize, Serialize};

/// A threshold and whether the run met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Threshold"))]
pub struct JudgedThreshold {
    /// The threshold as it was given.
    pub text: String,
    /// Whether the run met it.
    pub met: Met,
    /// The measured number, in the threshold's unit, such as `12.3 ms`.
    pub measured: String,
}

/// Whether a threshold was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    Met,
    Missed,
    /// The generator did not keep its own schedule, so the numbers do not tell.
    Unsupported,
    /// There was nothing to measure.
    NothingSeen,
    /// The run was one of several stripes of a schedule, which are judged together, or the merged results do not have the audit
    /// that the threshold is about.
    Deferred,
    /// The merged results of stripes do not tell: a stripe is missing, or the threshold is about an event.
    Unknown,
}
