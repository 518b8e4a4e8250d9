use super::failure::{FailureSummary, causes_or_kinds};
use super::{AddressSummary, DurationSummary, TargetToMerge};
use crate::base::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The requests to one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Target"))]
pub struct TargetSummary {
    /// The target's base URL.
    pub name: String,
    /// The requests that were scheduled for it.
    pub requests: Ledger,
    /// Of the allowed requests, those of which the answers say that the limiter fails open: it could not decide, and let
    /// them pass.
    #[serde(default)]
    pub failing_open: u64,
    /// The dropped requests for which there was no room in the target's backlog, while other targets had workers left, or
    /// because all targets were silent.
    #[serde(default)]
    pub backlog_dropped: u64,
    /// Requests that were sent, or still queued at the end, more than the schedule's tolerance after their due times.
    #[serde(default)]
    pub late: u64,
    /// The late requests that waited in the target's backlog, while other targets had workers left, or
    /// because all targets were silent.
    #[serde(default)]
    pub backlog_late: u64,
    /// done − due of answered requests.
    pub latency: DurationSummary,
    /// sent − due.
    #[serde(default)]
    pub send_lag: DurationSummary,
    /// Failed requests by kind. Kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
    /// Failed requests by cause, the most frequent first, without examples.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<FailureSummary>,
    /// The requests by the address that they went to, if the target used several.
    /// Requests that tried to reach no address are in none of them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<AddressSummary>,
    /// The numbers that only `loadgen merge` needs, in the summary of a stripe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_merge: Option<TargetToMerge>,
}

impl TargetSummary {
    /// The causes of failure, the most frequent first, without examples.
    pub fn failure_causes(&self) -> Vec<FailureSummary> {
        causes_or_kinds(&self.causes, &self.failures)
    }
}
