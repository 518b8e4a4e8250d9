use super::{SlotToMerge, null_for_0};
use crate::base::Nanos;
use crate::base::text::rounded_rate;
use crate::core::stats::{self, OutcomeCounts, PhaseTallies, Stretch};
use serde::{Deserialize, Serialize};

/// The course of the run in slots of equal length. A slot has one second. In a run of more than 600 seconds, it has 2, 4, 8
/// or a higher power of two, so that there are at most 600 slots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline {
    /// The length of a slot in nanoseconds: a power of two of seconds. The last slot may be shorter.
    pub slot_ns: u64,
    /// The length of all slots together, in seconds. It is 0 in summaries of earlier versions.
    #[serde(default)]
    pub seconds: u64,
    /// The slots from the schedule's start to the last answer, without a gap.
    pub slots: Vec<Slot>,
    /// The upper bounds, rising, of the bands in which `heat` counts, in nanoseconds. A latency equal to a bound is within
    /// it. A latency over the last bound counts in the last band.
    pub bands_ns: Vec<u64>,
    /// The schedule's phases in order, as far as the run went. The list is empty if there were more than 1,000.
    pub stretches: Vec<Stretch>,
}

/// The events of one slot. A request counts as scheduled and as dropped in the slot in which it was due, as sent and in the
/// send lag in the slot in which it was sent, and in everything else in the slot in which it was done.
///
/// The numbers of a slot of one second are those of the same second in the file of `--timeline`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Slot {
    /// The slot's first second: a whole number from 0.
    #[serde(default)]
    pub second: u64,
    /// The mean rate of the schedule, in requests per second, to a tenth, and under 10 to three significant digits. In the summary
    /// of a stripe, it is not rounded.
    #[serde(rename = "asked_per_s", alias = "asked")]
    pub asked: f64,
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that were due and were never sent, because there was no room to queue them.
    pub dropped: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were allowed.
    pub allowed: u64,
    /// Requests that were blocked.
    pub blocked: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were in flight when the drain timeout passed.
    pub abandoned: u64,
    /// How many requests were answered, and so have a latency. Without any, the percentiles are null.
    pub done: u64,
    /// The median of latency, in nanoseconds. Like the other percentiles, it is at least 1, and null without any request. It
    /// has three significant digits, and two if the slot is longer than a second or that of several stripes.
    #[serde(rename = "latency_p50_ns", alias = "p50_ns", with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p50_ns: u64,
    /// The 90th percentile of latency, in nanoseconds.
    #[serde(rename = "latency_p90_ns", alias = "p90_ns", with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p90_ns: u64,
    /// The 99th percentile of latency, in nanoseconds.
    #[serde(rename = "latency_p99_ns", alias = "p99_ns", with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_ns: u64,
    /// The 99.9th percentile of latency, in nanoseconds.
    #[serde(rename = "latency_p99_9_ns", alias = "p99_9_ns", with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub p99_9_ns: u64,
    /// The longest latency, in nanoseconds.
    #[serde(rename = "latency_max_ns", alias = "max_ns", with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub max_ns: u64,
    /// The 99th percentile of send lag, in nanoseconds. It is null if no request was sent.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub send_lag_p99_ns: u64,
    /// The longest send lag, in nanoseconds. It is null if no request was sent.
    #[serde(with = "null_for_0")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub send_lag_max_ns: u64,
    /// The number of latencies in each band, from the lowest. Empty bands after the last are left out.
    pub heat: Vec<u64>,
    /// The requests to each target, in the order of the summary's targets.
    pub targets: Vec<OutcomeCounts>,
    /// The distributions that only `loadgen merge` needs, in the summary of a stripe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_merge: Option<SlotToMerge>,
}

/// The number of bands for each factor of ten.
const BANDS_PER_DECADE: i32 = 8;

/// The bounds of the bands, from 10 µs to 100 s.
fn bands() -> Vec<u64> {
    let bands = 0..=7 * BANDS_PER_DECADE;
    let bound = |band| 1e4 * 10f64.powf(f64::from(band) / f64::from(BANDS_PER_DECADE));
    bands.map(|band| bound(band).round() as u64).collect()
}

impl Timeline {
    pub(super) fn of(
        timeline: &stats::TimelineTally,
        phases: &PhaseTallies,
        is_stripe: bool,
    ) -> Timeline {
        let bands_ns = bands();
        let seconds = timeline.length().0 / 1_000_000_000;
        let slots = timeline.slots().iter().zip(0..);
        let slots = slots.map(|(slot, number)| Slot {
            second: seconds * number,
            ..Slot::of(slot, &bands_ns, is_stripe)
        });
        Timeline {
            slot_ns: timeline.length().0,
            seconds: timeline.seconds(),
            slots: slots.collect(),
            stretches: phases.stretches.clone(),
            bands_ns,
        }
    }
}

impl Slot {
    fn of(slot: &stats::SlotTally, bands_ns: &[u64], is_stripe: bool) -> Slot {
        let total = slot.total();
        let mut heat = vec![0; bands_ns.len()];
        for (Nanos(span), count) in slot.latency.recorded() {
            let band = bands_ns.partition_point(|bound| *bound < span);
            heat[band.min(bands_ns.len() - 1)] += count;
        }
        let last = heat.iter().rposition(|count| *count > 0);
        heat.truncate(last.map_or(0, |last| last + 1));
        let percentiles = slot.percentiles();
        let [latency, send_lag] = percentiles.map(|of| of.nanos().map(|nanos| nanos.unwrap_or(0)));
        let [p50_ns, p90_ns, p99_ns, p99_9_ns, max_ns] = latency;
        let [_, _, send_lag_p99_ns, _, send_lag_max_ns] = send_lag;
        Slot {
            second: 0,
            asked: match is_stripe {
                true => slot.asked(),
                false => rounded_rate(slot.asked()),
            },
            scheduled: slot.scheduled,
            dropped: slot.dropped,
            sent: total.sent,
            allowed: total.allowed,
            blocked: total.blocked,
            failed: total.failed,
            abandoned: total.abandoned,
            done: slot.latency.count(),
            p50_ns,
            p90_ns,
            p99_ns,
            p99_9_ns,
            max_ns,
            send_lag_p99_ns,
            send_lag_max_ns,
            heat,
            targets: slot.targets.clone(),
            to_merge: is_stripe.then(|| SlotToMerge::of(slot)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_rise_from_10_us_to_100_s() {
        let bands = bands();
        assert!(bands.is_sorted_by(|a, b| a < b));
        assert_eq!((bands[0], bands[8], bands.len()), (10_000, 100_000, 57));
        assert_eq!(bands[56], 100_000_000_000);
    }
}
