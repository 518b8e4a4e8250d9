use super::carried::Carried;
use crate::core::stats::{PhaseTallies, TimelineTally};
use crate::core::stripe::Stripe;

/// How far a stripe got in its schedule.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub stripe: Stripe,
    /// Its requests that were due before it ended.
    pub scheduled: u64,
    /// Those by phase.
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
        let of = |reached: &Reached, name: &str| {
            let mut phases = reached.phases.iter();
            phases
                .find(|(other, _)| other == name)
                .map_or(0, |(_, count)| *count)
        };
        let names = merged.tallies.iter().map(|tally| &*tally.name);
        let more = names.map(|name| of(farthest, name).saturating_sub(of(self, name)));
        spread(more.collect(), requests)
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
