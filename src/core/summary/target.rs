use super::DurationSummary;
use crate::base::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One node's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Target"))]
pub struct TargetSummary {
    /// Its base URL.
    pub name: String,
    pub requests: Ledger,
    pub latency: DurationSummary,
    /// Failed requests by kind; kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
}
