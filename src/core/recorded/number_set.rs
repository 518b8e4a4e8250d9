//! Which numbers have come already.

use std::collections::BTreeMap;

/// The numbers that have come, as ranges without a gap. Numbers that come almost in order are in few ranges.
#[derive(Debug, Default)]
pub struct NumberSet {
    /// From the first number of each range to its last one.
    ranges: BTreeMap<u64, u64>,
    /// Whether some numbers were left out, because there were too many ranges.
    is_cut: bool,
}

/// The most ranges of a set: 4 MB. Beyond them, numbers that would need another one are left out.
const MOST_RANGES: usize = 1 << 16;

impl NumberSet {
    /// Adds a number. Returns false if it surely came before.
    pub fn add(&mut self, number: u64) -> bool {
        let before = self.ranges.range(..=number).next_back();
        let before = before.map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let extended = before.filter(|(_, last)| last + 1 == number);
        let first = extended.map_or(number, |(first, _)| first);
        let next = number.checked_add(1);
        let joined = next.and_then(|next| self.ranges.remove(&next));
        if extended.is_none() && joined.is_none() && self.ranges.len() >= MOST_RANGES {
            self.is_cut = true;
            return true;
        }
        self.ranges.insert(first, joined.unwrap_or(number));
        true
    }

    /// Whether each number that comes again is detected.
    pub fn is_whole(&self) -> bool {
        !self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn a_number_is_new_once(numbers in prop::collection::vec(0..40_u64, 0..80)) {
            let (mut set, mut all) = (NumberSet::default(), HashSet::new());
            for number in numbers {
                prop_assert_eq!(set.add(number), all.insert(number));
                let last = set.ranges.values();
                let mut pairs = last.zip(set.ranges.keys().skip(1));
                let are_apart = pairs.all(|(last, first)| last + 1 < *first);
                prop_assert!(are_apart);
            }
            prop_assert!(set.is_whole());
        }
    }

    #[test]
    fn a_set_of_too_many_ranges_takes_no_new_number_for_an_old_one() {
        let mut set = NumberSet::default();
        assert!((0..100_000).all(|number| set.add(number * 2)));
        assert_eq!(set.ranges.len(), MOST_RANGES);
        assert!(!set.is_whole() && !set.add(0) && set.add(u64::MAX));
    }
}
