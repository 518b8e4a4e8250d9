//! The seconds of a run, as far as its summary has them.

use super::latencies::{Known, Latencies};
use crate::core::stats::OutcomeCounts;
use crate::core::summary::{Slot, Summary};
use crate::core::threshold::{Counted, Number, Quantity, Statistic};

/// The slots of a run's timeline up to the end of pacing. The last one has what ended later, too.
pub(super) struct Course<'a> {
    slots: Vec<&'a [Slot]>,
    slot_ns: u64,
    latencies: Latencies,
}

/// In each second, the parts of a ratio or of a sum.
pub(super) struct Parts {
    pub over: Vec<f64>,
    /// In a sum, each second weighs the same.
    pub under: Vec<f64>,
}

impl<'a> Course<'a> {
    pub fn of(summary: &'a Summary) -> Course<'a> {
        let timeline = &summary.timeline;
        let all = &timeline.slots[..];
        let paced = summary.run.paced_ns.div_ceil(timeline.slot_ns.max(1));
        let count = usize::try_from(paced).unwrap_or(usize::MAX).min(all.len());
        let mut slots: Vec<&[Slot]> = all.chunks(1).take(count).collect();
        if let Some(last) = slots.last_mut() {
            *last = &all[count - 1..];
        }
        let mut latencies = Latencies::default();
        for slots in &slots {
            latencies.add(&known(slots, &timeline.bands_ns));
        }
        Course {
            slots,
            slot_ns: timeline.slot_ns,
            latencies,
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn slot_ns(&self) -> u64 {
        self.slot_ns
    }

    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// The mean rate of the schedule in each second.
    pub fn asked(&self) -> impl Iterator<Item = f64> {
        self.slots.iter().map(|slots| slots[0].asked)
    }

    /// The parts of a number that the summary has for each second; `None` for the others. For a percentile, these are the
    /// requests that took longer than `at`.
    pub fn parts(&self, number: &Number, at: f64) -> Option<Parts> {
        let target = number.target;
        let ones = || vec![1.0; self.len()];
        Some(match number.quantity {
            Quantity::Time("latency", statistic) if target.is_none() => Parts {
                over: match statistic {
                    Statistic::Mean => self.latencies.sums(),
                    Statistic::Percentile(_) => self.latencies.over(at),
                    Statistic::Min | Statistic::Max => return None,
                },
                under: self.sums(|slot| slot.done),
            },
            Quantity::Time(..) => return None,
            Quantity::Share(part, whole) => Parts {
                over: self.counted(part, target)?,
                under: self.counted(
                    Counted {
                        name: whole,
                        kind: None,
                    },
                    target,
                )?,
            },
            Quantity::Count(counted) | Quantity::PerSecond(counted) => Parts {
                over: self.counted(counted, target)?,
                under: ones(),
            },
        })
    }

    fn sums(&self, read: impl Fn(&Slot) -> u64) -> Vec<f64> {
        let sum = |slots: &&[Slot]| slots.iter().map(|slot| read(slot) as f64).sum();
        self.slots.iter().map(sum).collect()
    }

    fn counted(&self, counted: Counted, target: Option<usize>) -> Option<Vec<f64>> {
        type Of = fn(&OutcomeCounts) -> u64;
        if counted.kind.is_some() {
            return None;
        }
        let by_outcome: Option<Of> = match counted.name {
            "sent" => Some(|of| of.sent),
            "allowed" => Some(|of| of.allowed),
            "blocked" => Some(|of| of.blocked),
            "failed" => Some(|of| of.failed),
            "success" => Some(|of| of.allowed.saturating_add(of.blocked)),
            _ => None,
        };
        if let Some(place) = target {
            let read = by_outcome?;
            return Some(self.sums(|slot| slot.targets.get(place).map_or(0, read)));
        }
        let by_slot: fn(&Slot) -> u64 = match counted.name {
            "scheduled" => |slot| slot.scheduled,
            "dropped" => |slot| slot.dropped,
            "abandoned" => |slot| slot.abandoned,
            "sent" => |slot| slot.sent,
            "allowed" => |slot| slot.allowed,
            "blocked" => |slot| slot.blocked,
            "failed" => |slot| slot.failed,
            "success" => |slot| slot.allowed.saturating_add(slot.blocked),
            _ => return None,
        };
        Some(self.sums(by_slot))
    }
}

/// What is known of the latencies of some slots: how many are within the bound of each band, and the percentiles, each
/// with its rank.
fn known(slots: &[Slot], bands_ns: &[u64]) -> Vec<Vec<Known>> {
    let of_slot = |slot: &Slot| {
        let done = slot.done as f64;
        let percentiles = [
            (0.5, slot.p50_ns),
            (0.9, slot.p90_ns),
            (0.99, slot.p99_ns),
            (0.999, slot.p99_9_ns),
            (1.0, slot.max_ns),
        ];
        let percentiles = percentiles.map(|(share, ns)| Known {
            ns: ns as f64,
            rank: (share * done).ceil(),
            is_there: true,
        });
        let mut counted = 0.0;
        let bands = bands_ns.iter().zip(&slot.heat).map(|(bound, count)| {
            counted += *count as f64;
            Known {
                ns: (*bound).min(slot.max_ns) as f64,
                rank: counted,
                is_there: false,
            }
        });
        let mut known: Vec<_> = bands.collect();
        if slot.done > 0 {
            known.extend(percentiles);
        }
        known
    };
    slots.iter().map(of_slot).collect()
}
