//! The numbers of a stripe that `loadgen merge` needs, beside those that every summary has.

use super::{DurationSummary, FailureSummary};
use crate::core::stats::{
    AddressTally, CoarseHistogram, Lateness, OutcomeCounts, PhaseTally, SlotTally, TargetTally,
};
use serde::{Deserialize, Serialize};

/// The numbers of one target that only `loadgen merge` needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetToMerge {
    /// done − sent of answered requests.
    pub service_time: DurationSummary,
    /// Requests that never left this machine.
    pub local: u64,
    /// The late requests that were late because the process was suspended.
    pub suspended_late: u64,
    /// Unsent requests that were due before the run joined its schedule.
    #[serde(default)]
    pub before_joining: u64,
    /// The dropped requests that were dropped because the process was suspended.
    pub suspended_dropped: u64,
    /// The requests by the address that they went to, even if the target used only one.
    pub addresses: Vec<AddressToMerge>,
}

/// The requests to one address of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AddressToMerge {
    /// Such as `10.0.0.2:8000`.
    pub address: String,
    /// The requests to it.
    #[serde(flatten)]
    pub counts: OutcomeCounts,
    /// The latency of answered requests, with two significant digits: HdrHistogram's compressed encoding of version 2, in base64.
    pub latency_hdr: String,
}

/// The numbers of phases of one name that only `loadgen merge` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseToMerge {
    /// The allowed requests of which the answers say that the limiter fails open.
    pub failing_open: u64,
    /// Failed requests by cause, without examples.
    pub causes: Vec<FailureSummary>,
}

/// The distributions of one slot of the timeline, with two significant digits: HdrHistogram's compressed encoding of version 2, in
/// base64. Values are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SlotToMerge {
    /// The latency of the slot's answered requests. Absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_hdr: Option<String>,
    /// The send lag of the slot's requests. Absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub send_lag_hdr: Option<String>,
}

impl TargetToMerge {
    pub(super) fn of(tally: &TargetTally, lateness: &Lateness) -> TargetToMerge {
        // The latency of a target's only address is that of the target.
        let own = |of: &AddressTally| match of.latency() {
            Some(latency) => latency.encoded(),
            None => CoarseHistogram::from(&tally.latency).encoded(),
        };
        let addresses = tally.addresses.all().iter().map(|of| AddressToMerge {
            address: of.address.text().to_owned(),
            counts: of.counts,
            latency_hdr: own(of),
        });
        TargetToMerge {
            service_time: DurationSummary::new(&tally.service_time).with_hdr(&tally.service_time),
            local: lateness.local,
            suspended_late: lateness.suspended_late,
            before_joining: lateness.before_joining,
            suspended_dropped: lateness.suspended_dropped,
            addresses: addresses.collect(),
        }
    }
}

impl PhaseToMerge {
    pub(super) fn of(tally: &PhaseTally) -> PhaseToMerge {
        PhaseToMerge {
            failing_open: tally.failing_open,
            causes: FailureSummary::all(&tally.failures),
        }
    }
}

impl SlotToMerge {
    pub(super) fn of(tally: &SlotTally) -> SlotToMerge {
        let encoded = |of: &CoarseHistogram| (of.count() > 0).then(|| of.encoded());
        SlotToMerge {
            latency_hdr: encoded(&tally.latency),
            send_lag_hdr: encoded(&tally.send_lag),
        }
    }
}
