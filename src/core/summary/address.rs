use super::null_for_0;
use crate::base::{Address, Ledger};
use crate::core::stats::{AddressTallies, AddressTally, CoarseHistogram};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The requests to one address of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Address"))]
pub struct AddressSummary {
    /// Such as `10.0.0.2:8000`. Beyond the first 64 addresses, one row stands for all others.
    pub address: String,
    /// Requests that were sent to it: sent = allowed + blocked + failed + abandoned.
    pub sent: u64,
    /// Requests that the limiter let pass.
    pub allowed: u64,
    /// Requests that the limiter refused.
    pub blocked: u64,
    /// Requests that were answered otherwise, or not at all.
    pub failed: u64,
    /// Requests that were in flight when the drain timeout passed.
    pub abandoned: u64,
    /// The median of the latency of answered requests, in nanoseconds, to two significant digits. It is null if
    /// there are none.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p50_ns: u64,
    /// The 99th percentile of the latency of answered requests, in nanoseconds, to two significant digits. It is null if
    /// there are none.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_ns: u64,
}

impl AddressSummary {
    /// One for each address of a target that used several.
    pub(super) fn all(addresses: &AddressTallies) -> Vec<AddressSummary> {
        let summary = |(tally, latency): (&AddressTally, &CoarseHistogram)| {
            let counts = tally.counts;
            let [p50, _, p99, ..] = latency.percentiles().nanos();
            AddressSummary {
                address: tally.address.text().to_owned(),
                sent: counts.sent,
                allowed: counts.allowed,
                blocked: counts.blocked,
                failed: counts.failed,
                abandoned: counts.abandoned,
                p50_ns: p50.unwrap_or(0),
                p99_ns: p99.unwrap_or(0),
            }
        };
        let mut all: Vec<_> = addresses.of_several().collect();
        all.sort_by_key(|(tally, _)| {
            let text = tally.address.text();
            let is_other = tally.address == Address::OTHER;
            (is_other, text.parse::<SocketAddr>().ok(), text)
        });
        all.into_iter().map(summary).collect()
    }

    /// The requests as a ledger, in which each was scheduled for this address.
    pub fn ledger(&self) -> Ledger {
        Ledger {
            scheduled: self.sent,
            sent: self.sent,
            allowed: self.allowed,
            blocked: self.blocked,
            failed: self.failed,
            abandoned: self.abandoned,
            ..Ledger::default()
        }
    }
}
