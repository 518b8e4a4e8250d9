use super::carried::Carried;
use crate::base::Nanos;
use crate::core::stats::{PhaseTallies, TimelineTally};
use crate::core::stripe::Stripe;
use crate::core::threshold::WholePhases;

/// How far a stripe got in its schedule.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub stripe: Stripe,
    /// Its requests that were due before it ended.
    pub scheduled: u64,
    /// For how long it was paced.
    paced: Nanos,
    /// Its requests by phase.
    phases: Vec<(String, u64)>,
    /// Those by slot of its timeline, of so many seconds.
    slots: Vec<u64>,
    slot_seconds: u64,
}

impl Reached {
    pub fn of(stripe: Stripe, carried: &Carried) -> Reached {
        let timeline = &carried.timeline;
        Reached {
            stripe,
            scheduled: carried.ledgers.iter().map(|ledger| ledger.scheduled).sum(),
            paced: carried.paced,
            phases: carried.phases.scheduled(),
            slots: timeline.slots().iter().map(|slot| slot.scheduled).collect(),
            slot_seconds: timeline.length().0 / 1_000_000_000,
        }
    }

    /// The number behind that of its last request in the whole schedule.
    pub fn end(&self) -> u64 {
        match self.scheduled.checked_sub(1) {
            Some(last) => self.stripe.number(last).saturating_add(1),
            None => 0,
        }
    }

    /// The phases to which so many requests belong that it did not get as far as: those in which the farthest stripe has more.
    pub fn by_phase(&self, farthest: &Reached, merged: &PhaseTallies, requests: u64) -> Vec<u64> {
        let names = merged.tallies.iter().map(|tally| &*tally.name);
        let more = names.map(|name| farthest.in_phase(name).saturating_sub(self.in_phase(name)));
        spread(more.collect(), requests)
    }

    /// Its requests in the phases of this name.
    fn in_phase(&self, name: &str) -> u64 {
        let mut phases = self.phases.iter();
        let known = phases.find(|(other, _)| other == name);
        known.map_or(0, |(_, count)| *count)
    }

    /// The slots to which they belong, likewise.
    pub fn by_slot(&self, farthest: &Reached, merged: &TimelineTally, requests: u64) -> Vec<u64> {
        let seconds = merged.length().0 / 1_000_000_000;
        let of = |reached: &Reached| {
            let mut slots = vec![0u64; merged.slots().len()];
            let together = (seconds / reached.slot_seconds.max(1)).max(1) as usize;
            for (slot, own) in slots.iter_mut().zip(reached.slots.chunks(together)) {
                *slot = own.iter().sum();
            }
            slots
        };
        let slots = of(farthest).into_iter().zip(of(self));
        let more = slots.map(|(farthest, own)| farthest.saturating_sub(own));
        spread(more.collect(), requests)
    }
}

/// What these stripes of a schedule of this length tell about its phases. The requests of a phase have consecutive numbers. So in
/// each phase, a stripe has at most one request more than another stripe that got to the end.
pub(super) fn whole_phases<'a>(
    stripes: impl Iterator<Item = &'a Reached>,
    planned: Option<Nanos>,
    merged: &PhaseTallies,
    unplaced: Vec<u64>,
) -> WholePhases {
    let complete = stripes.filter(|stripe| planned.is_some_and(|end| stripe.paced >= end));
    let complete: Vec<_> = complete.collect();
    let Some(of) = complete.first().map(|stripe| stripe.stripe.of()) else {
        return WholePhases {
            unplaced,
            ..WholePhases::default()
        };
    };
    let others = of.saturating_sub(complete.len() as u64);
    let most = merged.tallies.iter().map(|tally| {
        let counts = complete.iter().map(|stripe| stripe.in_phase(&tally.name));
        let least = counts.clone().min().unwrap_or(0);
        let of_each = least.saturating_add(tally.times);
        let of_others = others.saturating_mul(of_each);
        counts.fold(of_others, u64::saturating_add)
    });
    WholePhases {
        most: most.collect(),
        unplaced,
        are_over: true,
    }
}

/// So many requests in all, each in a place that has room for it, from the last place on. The last place takes any number.
fn spread(room: Vec<u64>, requests: u64) -> Vec<u64> {
    let mut left = requests;
    let mut spread = vec![0; room.len()];
    for (taken, room) in spread.iter_mut().zip(&room).rev() {
        *taken = left.min(*room);
        left -= *taken;
    }
    if let Some(last) = spread.last_mut() {
        *last += left;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_place() {
        assert_eq!(spread(vec![3, 5, 2], 6), [0, 4, 2]);
        assert_eq!(spread(vec![3, 5, 2], 11), [3, 5, 3]);
        assert_eq!(spread(vec![], 4), [0; 0]);
    }
}
