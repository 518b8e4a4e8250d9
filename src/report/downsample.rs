use crate::core::summary::{Slot, Timeline};

/// The timeline in at most `most` slots. Neighbouring slots are merged: counts are added up, the requested rate is the mean,
/// and each percentile is the highest one.
pub(super) fn downsampled(timeline: &Timeline, most: usize) -> Timeline {
    let together = timeline.slots.len().div_ceil(most.max(1)).max(1);
    let slots = timeline.slots.chunks(together).map(merged).collect();
    Timeline {
        slot_ns: timeline.slot_ns.saturating_mul(together as u64),
        seconds: timeline.seconds,
        slots,
        bands_ns: timeline.bands_ns.clone(),
        stretches: timeline.stretches.clone(),
    }
}

fn merged(slots: &[Slot]) -> Slot {
    let [first, others @ ..] = slots else {
        return Slot::default();
    };
    let mut all = first.clone();
    for slot in others {
        all.asked += slot.asked;
        for (sum, more) in [
            (&mut all.scheduled, slot.scheduled),
            (&mut all.dropped, slot.dropped),
            (&mut all.sent, slot.sent),
            (&mut all.allowed, slot.allowed),
            (&mut all.blocked, slot.blocked),
            (&mut all.failed, slot.failed),
            (&mut all.abandoned, slot.abandoned),
            (&mut all.done, slot.done),
        ] {
            *sum = sum.saturating_add(more);
        }
        for (highest, other) in [
            (&mut all.p50_ns, slot.p50_ns),
            (&mut all.p90_ns, slot.p90_ns),
            (&mut all.p99_ns, slot.p99_ns),
            (&mut all.p99_9_ns, slot.p99_9_ns),
            (&mut all.max_ns, slot.max_ns),
            (&mut all.send_lag_p99_ns, slot.send_lag_p99_ns),
            (&mut all.send_lag_max_ns, slot.send_lag_max_ns),
        ] {
            *highest = other.max(*highest);
        }
        grow(&mut all.heat, slot.heat.len());
        for (sum, more) in all.heat.iter_mut().zip(&slot.heat) {
            *sum = sum.saturating_add(*more);
        }
        grow(&mut all.targets, slot.targets.len());
        for (sum, more) in all.targets.iter_mut().zip(&slot.targets) {
            *sum += more;
        }
    }
    all.asked /= slots.len() as f64;
    all
}

fn grow<T: Clone + Default>(list: &mut Vec<T>, least: usize) {
    if list.len() < least {
        list.resize(least, T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::stats::OutcomeCounts;

    #[test]
    fn merging_slots_loses_no_counts() {
        let slot = |number: u64| Slot {
            asked: number as f64,
            scheduled: number,
            allowed: 1,
            done: 1,
            p99_ns: 100 - number,
            heat: vec![1; number as usize],
            targets: vec![OutcomeCounts {
                sent: number,
                ..OutcomeCounts::default()
            }],
            ..Slot::default()
        };
        let timeline = Timeline {
            slot_ns: 10,
            slots: (0..5).map(slot).collect(),
            ..Timeline::default()
        };
        let coarse = downsampled(&timeline, 3);
        assert_eq!((coarse.slot_ns, coarse.slots.len()), (20, 3));
        let of = |read: fn(&Slot) -> u64| coarse.slots.iter().map(read).collect::<Vec<_>>();
        assert_eq!(of(|slot| slot.scheduled), [1, 5, 4]);
        assert_eq!(of(|slot| slot.done), [2, 2, 1]);
        assert_eq!(of(|slot| slot.p99_ns), [100, 98, 96]);
        assert_eq!(of(|slot| slot.targets[0].sent), [1, 5, 4]);
        assert_eq!(coarse.slots[1].heat, [2, 2, 1]);
        assert_eq!(coarse.slots[1].asked, 2.5);
    }

    #[test]
    fn a_short_timeline_stays_the_same() {
        let timeline = Timeline {
            slot_ns: 10,
            slots: vec![Slot::default(); 3],
            ..Timeline::default()
        };
        assert_eq!(downsampled(&timeline, 3), timeline);
        let empty = Timeline::default();
        assert_eq!(downsampled(&empty, 3), empty);
    }
}
