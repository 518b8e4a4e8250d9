//! The requests that were blocked although every promise lets them pass, over time.

use super::observation::Observation;
use super::slots::{NodeCounts, SlotLength, halve};
use crate::base::Nanos;

/// The wrongly blocked requests so far.
#[derive(Debug, Clone)]
pub(super) struct EarlyBlocksTally {
    length: SlotLength,
    slots: Vec<Slot>,
    total: u64,
    limit: Option<u64>,
    has_several_limits: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    blocked: NodeCounts,
    /// The fewest and the most others that can have counted.
    counted: Option<(u64, u64)>,
}

/// The requests that were blocked although every promise lets them pass, over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlyBlocks {
    pub total: u64,
    /// The limit of their keys; `None` if they have several.
    pub limit: Option<u64>,
    /// The length of a slot.
    pub slot: Nanos,
    /// One for each slot of time from the start, up to the last with such a request.
    pub slots: Vec<EarlyBlocksSlot>,
}

/// The wrongly blocked requests of one slot of time, by their dones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlyBlocksSlot {
    /// By node. The last of 8 nodes stands for all further ones.
    pub blocked: Vec<u64>,
    /// How many other requests can have counted at most, in the window before each: the lowest of these numbers, and the
    /// highest. `None` without a request.
    pub counted: Option<(u64, u64)>,
}

impl EarlyBlocksTally {
    pub fn new() -> EarlyBlocksTally {
        EarlyBlocksTally {
            length: SlotLength::new(),
            slots: Vec::new(),
            total: 0,
            limit: None,
            has_several_limits: false,
        }
    }

    /// A request was wrongly blocked, although at most `counted` others can have counted. Its key has this limit.
    pub fn add(&mut self, request: &Observation, counted: u64, limit: u64) {
        self.total += 1;
        self.has_several_limits |= self.limit.is_some_and(|other| other != limit);
        self.limit = Some(limit);
        for _ in 0..self.length.reach(request.done) {
            halve(&mut self.slots, |one, next| {
                one.blocked.add_all(next.blocked);
                one.widen(next.counted);
            });
        }
        let place = self.length.slot(request.done);
        if self.slots.len() <= place {
            self.slots.resize(place + 1, Slot::default());
        }
        let slot = &mut self.slots[place];
        slot.blocked.add(request.node as usize);
        slot.widen(Some((counted, counted)));
    }

    pub fn report(&self) -> EarlyBlocks {
        let slot = |slot: &Slot| EarlyBlocksSlot {
            blocked: slot.blocked.0.to_vec(),
            counted: slot.counted,
        };
        EarlyBlocks {
            total: self.total,
            limit: self.limit.filter(|_| !self.has_several_limits),
            slot: self.length.get(),
            slots: self.slots.iter().map(slot).collect(),
        }
    }
}

impl Slot {
    fn widen(&mut self, counted: Option<(u64, u64)>) {
        self.counted = match (self.counted, counted) {
            (Some((least, most)), Some((fewest, greatest))) => {
                Some((least.min(fewest), most.max(greatest)))
            }
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::KeyId;
    use crate::core::audit::{AuditedKey, Decision};
    use proptest::prelude::*;

    fn blocked(done: u64, node: u32) -> Observation {
        Observation {
            key: AuditedKey::Load(KeyId(0)),
            sequence: 0,
            target: node,
            node,
            sent: Nanos(done),
            done: Nanos(done),
            decision: Decision::Blocked,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        }
    }

    proptest! {
        #[test]
        fn every_block_is_counted_once_in_its_slot(
            blocks in prop::collection::vec((0u64..1_000_000_000_000, 0u32..12, 0u64..50), 1..60)
        ) {
            let mut tally = EarlyBlocksTally::new();
            let mut blocks = blocks;
            blocks.sort();
            for (done, node, counted) in &blocks {
                tally.add(&blocked(*done, *node), *counted, 50);
            }
            let report = tally.report();
            prop_assert_eq!((report.total, report.limit), (blocks.len() as u64, Some(50)));
            for (place, slot) in report.slots.iter().enumerate() {
                let within = blocks.iter().filter(|(done, ..)| (done / report.slot.0) as usize == place);
                let within: Vec<_> = within.collect();
                for (node, count) in slot.blocked.iter().enumerate() {
                    let expected = within.iter().filter(|(_, of, _)| (*of as usize).min(7) == node).count();
                    prop_assert_eq!(*count, expected as u64);
                }
                let counted = within.iter().map(|(.., counted)| *counted);
                prop_assert_eq!(slot.counted, counted.clone().min().zip(counted.max()));
            }
            let last = blocks.iter().map(|(done, ..)| done / report.slot.0).max();
            prop_assert_eq!(report.slots.len() as u64, last.unwrap() + 1);
        }
    }

    #[test]
    fn keys_with_several_limits_have_no_common_one() {
        let mut tally = EarlyBlocksTally::new();
        tally.add(&blocked(1, 0), 3, 10);
        tally.add(&blocked(2, 0), 3, 20);
        assert_eq!(tally.report().limit, None);
    }
}
