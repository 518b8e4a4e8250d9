//! The target of each request: a function of the token's number alone.

use std::ops::Range;

/// The targets take turns by sequence number, so their numbers of requests differ by at most one.
#[derive(Debug, Clone, Copy)]
pub struct RoundRobin {
    targets: u64,
}

impl RoundRobin {
    /// # Panics
    /// If `targets` is 0.
    pub fn new(targets: usize) -> Self {
        assert!(targets > 0, "no target to send to");
        RoundRobin {
            targets: targets as u64,
        }
    }

    /// The place in the plan of this token's target.
    pub fn target(self, sequence: u64) -> usize {
        (sequence % self.targets) as usize
    }

    /// The number of these tokens that go to each target, without targets that get none. The time that this takes does
    /// not depend on the number of tokens.
    pub fn shares(self, tokens: Range<u64>) -> impl Iterator<Item = (usize, u64)> {
        let Range { start, end } = tokens;
        // The first token of each target, and from there on every one of the target's turns.
        let firsts = start..end.min(start.saturating_add(self.targets));
        firsts.map(move |first| (self.target(first), (end - first).div_ceil(self.targets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_shares_are_those_of_counting_one_by_one(
            targets in 1usize..20, start in 0u64..1_000, count in 0u64..200
        ) {
            let turns = RoundRobin::new(targets);
            let mut counted = vec![0; targets];
            (start..start + count).for_each(|token| counted[turns.target(token)] += 1);
            let mut shares = vec![0; targets];
            for (target, share) in turns.shares(start..start + count) {
                prop_assert!(share > 0 && shares[target] == 0);
                shares[target] = share;
            }
            prop_assert_eq!(shares, counted);
        }
    }

    #[test]
    fn the_shares_of_all_possible_tokens_take_no_longer() {
        let shares: Vec<_> = RoundRobin::new(2).shares(0..u64::MAX).collect();
        assert_eq!(shares, [(0, 1 << 63), (1, (1 << 63) - 1)]);
    }
}
