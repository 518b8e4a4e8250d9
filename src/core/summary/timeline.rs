use crate::base::Nanos;
use crate::core::stats::{self, OutcomeCounts, PhaseTallies, Stretch};
use serde::{Deserialize, Serialize};

/// What happened when, in slots of equal length: one second, or as many as keep the slots of a longer run to 600.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline {
    pub slot_ns: u64,
    /// From the schedule's start on, without a gap, to the last answer.
    pub slots: Vec<Slot>,
    /// The upper bounds of the bands that `heat` counts in, rising; a latency equal to a bound is within it. What exceeds
    /// the last bound is counted in the last band.
    pub bands_ns: Vec<u64>,
    /// The schedule's phases in order, as far as the run went; none if there were more than 1,000.
    pub stretches: Vec<Stretch>,
}

/// What came due, left and was answered in one slot. A request is counted as scheduled, and as dropped, where it was due;
/// as sent where it was sent; in all else where it was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Slot {
    /// What the schedule asked for, per second, in the mean.
    pub asked: f64,
    pub scheduled: u64,
    pub dropped: u64,
    pub sent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
    /// How many requests have a latency here; without any, the percentiles are 0.
    pub done: u64,
    /// Of latency, to two significant digits.
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p99_9_ns: u64,
    pub max_ns: u64,
    /// Of send lag.
    pub send_lag_p99_ns: u64,
    pub send_lag_max_ns: u64,
    /// How many latencies are in each band, from the lowest on; bands above the highest with any are left out.
    pub heat: Vec<u64>,
    /// In the order of the summary's targets.
    pub targets: Vec<OutcomeCounts>,
}

/// How many bands there are to each tenfold.
const BANDS_A_DECADE: i32 = 8;

/// The bounds of the bands: from 10 µs to 100 s, eight to each tenfold.
fn bands() -> Vec<u64> {
    let bands = 0..=7 * BANDS_A_DECADE;
    let bound = |band| 1e4 * 10f64.powf(f64::from(band) / f64::from(BANDS_A_DECADE));
    bands.map(|band| bound(band).round() as u64).collect()
}

impl Timeline {
    pub(super) fn of(timeline: &stats::TimelineTally, phases: &PhaseTallies) -> Timeline {
        let bands_ns = bands();
        Timeline {
            slot_ns: timeline.length().0,
            slots: timeline
                .slots()
                .iter()
                .map(|slot| Slot::of(slot, &bands_ns))
                .collect(),
            stretches: phases.stretches.clone(),
            bands_ns,
        }
    }
}

impl Slot {
    fn of(slot: &stats::SlotTally, bands_ns: &[u64]) -> Slot {
        let total = slot.total();
        let mut heat = vec![0; bands_ns.len()];
        for (Nanos(span), count) in slot.latency.recorded() {
            let band = bands_ns.partition_point(|bound| *bound < span);
            heat[band.min(bands_ns.len() - 1)] += count;
        }
        let used = heat
            .iter()
            .rposition(|count| *count > 0)
            .map_or(0, |last| last + 1);
        heat.truncate(used);
        let latency = |share| slot.latency.quantile(share).0;
        Slot {
            asked: slot.asked(),
            scheduled: slot.scheduled,
            dropped: slot.dropped,
            sent: total.sent,
            allowed: total.allowed,
            blocked: total.blocked,
            failed: total.failed,
            abandoned: total.abandoned,
            done: slot.latency.count(),
            p50_ns: latency(0.5),
            p90_ns: latency(0.9),
            p99_ns: latency(0.99),
            p99_9_ns: latency(0.999),
            max_ns: latency(1.0),
            send_lag_p99_ns: slot.send_lag.quantile(0.99).0,
            send_lag_max_ns: slot.send_lag.quantile(1.0).0,
            heat,
            targets: slot.targets.clone(),
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
