use super::Distribution;
use crate::base::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where requests went: scheduled = sent + dropped + unsent, and sent = allowed + blocked + failed + abandoned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    pub scheduled: u64,
    pub sent: u64,
    /// Due while the queue was full: never sent.
    pub dropped: u64,
    /// Still queued when the run was stopped.
    pub unsent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    /// In flight when the drain timeout passed.
    pub abandoned: u64,
}

impl From<Ledger> for Counts {
    fn from(ledger: Ledger) -> Counts {
        let Ledger {
            scheduled,
            sent,
            dropped,
            unsent,
            allowed,
            blocked,
            failed,
            abandoned,
        } = ledger;
        Counts {
            scheduled,
            sent,
            dropped,
            unsent,
            allowed,
            blocked,
            failed,
            abandoned,
        }
    }
}

/// One node's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Target {
    /// Its base URL.
    pub name: String,
    pub requests: Counts,
    pub latency: Distribution,
    /// Failed requests by kind; kinds without any are left out.
    pub failures: BTreeMap<String, u64>,
}
