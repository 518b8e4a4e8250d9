//! Time in slots of equal length, in memory that does not depend on how much of it there is.

use crate::base::Nanos;

/// The most slots.
const MOST: u64 = 240;

/// The first length: a 64th of a second. Doubled, it becomes a whole second.
const FIRST: Nanos = Nanos(15_625_000);

/// The length of a slot. It doubles when there are too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotLength(Nanos);

impl SlotLength {
    pub fn new() -> SlotLength {
        SlotLength(FIRST)
    }

    pub fn get(self) -> Nanos {
        self.0
    }

    /// The slot that an instant lies in.
    pub fn slot(self, at: Nanos) -> usize {
        (at.0 / self.0.0) as usize
    }

    /// The beginning of a slot.
    pub fn start(self, slot: usize) -> Nanos {
        Nanos(self.0.0.saturating_mul(slot as u64))
    }

    /// Doubles the length until an instant has a slot. Returns how often: each time, every two neighbours become one.
    pub fn reach(&mut self, at: Nanos) -> u32 {
        let mut doubled = 0;
        while at.0 / self.0.0 >= MOST {
            self.0.0 = self.0.0.saturating_mul(2);
            doubled += 1;
        }
        doubled
    }
}

/// Makes each two neighbours one.
pub(super) fn halve<T>(slots: &mut Vec<T>, merge: impl Fn(&mut T, T)) {
    let mut halved: Vec<T> = Vec::with_capacity(slots.len().div_ceil(2));
    for (number, slot) in slots.drain(..).enumerate() {
        match halved.last_mut().filter(|_| number % 2 == 1) {
            Some(first) => merge(first, slot),
            None => halved.push(slot),
        }
    }
    *slots = halved;
}

/// The numbers of the nodes with a count of their own; the last number stands for all further ones.
pub(super) const NODES: usize = 8;

/// How many requests of each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NodeCounts(pub [u64; NODES]);

impl NodeCounts {
    pub fn add(&mut self, node: usize) {
        self.0[node.min(NODES - 1)] += 1;
    }

    /// One that was added before is gone.
    pub fn remove(&mut self, node: usize) {
        let count = &mut self.0[node.min(NODES - 1)];
        *count = count.saturating_sub(1);
    }

    pub fn add_all(&mut self, others: NodeCounts) {
        for (count, more) in self.0.iter_mut().zip(others.0) {
            *count += more;
        }
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_double_until_an_instant_has_one() {
        let mut length = SlotLength::new();
        assert_eq!(length.reach(Nanos(3_749_999_999)), 0);
        assert_eq!(length.slot(Nanos(3_749_999_999)), 239);
        assert_eq!(length.reach(Nanos(60_000_000_000)), 5);
        assert_eq!(length.get(), Nanos(500_000_000));
        assert_eq!(length.slot(Nanos(60_000_000_000)), 120);
        assert_eq!(length.start(120), Nanos(60_000_000_000));
        length.reach(Nanos(u64::MAX));
        assert!(length.slot(Nanos(u64::MAX)) < 240);
    }

    #[test]
    fn neighbours_become_one_and_nothing_is_lost() {
        let mut slots = vec![1, 2, 3, 4, 5];
        halve(&mut slots, |one, other| *one += other);
        assert_eq!(slots, [3, 7, 5]);
    }

    #[test]
    fn nodes_beyond_the_last_one_share_its_count() {
        let mut counts = NodeCounts::default();
        for node in [0, 6, 7, 8, 60_000] {
            counts.add(node);
        }
        counts.remove(8);
        assert_eq!(counts.0, [1, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(counts.total(), 4);
    }
}
