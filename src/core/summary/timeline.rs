use crate::base::Nanos;
use crate::core::stats::{self, OutcomeCounts, PhaseTallies, Stretch};
use serde::{Deserialize, Serialize};

/// The course of the run in slots of equal length. A slot has one second, or in a long run as many as keep the number of
/// slots at 600 or less.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline {
    pub slot_ns: u64,
    /// The slots from the schedule's start to the last answer, without a gap.
    pub slots: Vec<Slot>,
    /// The upper bounds, rising, of the bands in which `heat` counts. A latency equal to a bound is within it. A latency
    /// over the last bound counts in the last band.
    pub bands_ns: Vec<u64>,
    /// The schedule's phases in order, as far as the run went. The list is empty if there were more than 1,000.
    pub stretches: Vec<Stretch>,
}

/// The events of one slot. A request counts as scheduled and as dropped in the slot in which it was due, as sent and in the
/// send lag in the slot in which it was sent, and in everything else in the slot in which it was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Slot {
    /// The mean rate of the schedule, in requests per second.
    pub asked: f64,
    pub scheduled: u64,
    pub dropped: u64,
    pub sent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
    /// How many requests were answered in this slot, and so have a latency. Without any, the percentiles are 0.
    pub done: u64,
    /// A percentile of latency, like the next four numbers, with two significant digits.
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p99_9_ns: u64,
    pub max_ns: u64,
    /// A percentile of send lag, like the next number, with two significant digits.
    pub send_lag_p99_ns: u64,
    pub send_lag_max_ns: u64,
    /// The number of latencies in each band, from the lowest. Empty bands after the last are left out.
    pub heat: Vec<u64>,
    /// The requests to each target, in the order of the summary's targets.
    pub targets: Vec<OutcomeCounts>,
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
    pub(super) fn of(timeline: &stats::TimelineTally, phases: &PhaseTallies) -> Timeline {
        let (bands_ns, slots) = (bands(), timeline.slots().iter());
        Timeline {
            slot_ns: timeline.length().0,
            slots: slots.map(|slot| Slot::of(slot, &bands_ns)).collect(),
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
        let last = heat.iter().rposition(|count| *count > 0);
        heat.truncate(last.map_or(0, |last| last + 1));
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
