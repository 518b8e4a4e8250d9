use super::Distribution;
use crate::base::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One node's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Target {
    /// Its base URL.
    pub name: String,
    pub requests: Ledger,
    pub latency: Distribution,
    /// Failed requests by kind; kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
}
