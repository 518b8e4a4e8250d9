//! Which target each request goes to: a function of the token's number alone.

use std::ops::Range;

/// The targets take turns by sequence number, so what they are sent differs by at most one request.
#[derive(Debug, Clone, Copy)]
pub struct RoundRobin {
    targets: u64,
}

impl RoundRobin {
    /// # Panics
    /// If there is no target.
    pub fn new(targets: usize) -> Self {
        assert!(targets > 0, "no target to send to");
        RoundRobin {
            targets: targets as u64,
        }
    }

    /// The place in the plan of the target that the token with this number goes to.
    pub fn target(self, sequence: u64) -> usize {
        (sequence % self.targets) as usize
    }

    /// How many of these tokens go to each target; targets that get none are left out. Takes as
    /// long as there are targets, however many tokens there are.
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
        fn the_shares_of_any_tokens_are_what_counting_them_one_by_one_says(
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
    fn the_shares_of_all_tokens_there_can_be_are_told_at_once() {
        let shares: Vec<_> = RoundRobin::new(2).shares(0..u64::MAX).collect();
        assert_eq!(shares, [(0, 1 << 63), (1, (1 << 63) - 1)]);
    }
}
