use crate::base::text::span_or_dash;
use crate::base::{Address, Ledger, Nanos};
use crate::core::stats::{AddressTallies, AddressTally, CoarseHistogram};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The requests to one address of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Address"))]
pub struct AddressSummary {
    /// Such as `10.0.0.2:8000`. Beyond the first 64 addresses, one row stands for all others.
    pub address: String,
    /// sent = allowed + blocked + failed + abandoned.
    pub sent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
    /// The latency of answered requests, to two significant digits.
    pub p50_ns: u64,
    pub p99_ns: u64,
}

impl AddressSummary {
    /// One for each address of a target that used several.
    pub(super) fn all(addresses: &AddressTallies) -> Vec<AddressSummary> {
        let summary = |(tally, latency): (&AddressTally, &CoarseHistogram)| {
            let counts = tally.counts;
            AddressSummary {
                address: tally.address.text().to_owned(),
                sent: counts.sent,
                allowed: counts.allowed,
                blocked: counts.blocked,
                failed: counts.failed,
                abandoned: counts.abandoned,
                p50_ns: latency.quantile(0.5).0,
                p99_ns: latency.quantile(0.99).0,
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

    /// The percentiles p50 and p99 of latency in words, or `-` if no request was answered.
    pub fn percentiles(&self) -> [String; 2] {
        let answered = self.allowed.saturating_add(self.blocked);
        [self.p50_ns, self.p99_ns].map(|ns| span_or_dash(answered, Nanos(ns)))
    }
}
