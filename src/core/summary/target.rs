use super::DurationSummary;
use crate::base::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The requests to one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Target"))]
pub struct TargetSummary {
    /// The target's base URL.
    pub name: String,
    pub requests: Ledger,
    pub latency: DurationSummary,
    /// Failed requests by kind. Kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
}
