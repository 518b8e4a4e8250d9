//! The target of each request: a function of the token's number alone.

use crate::core::stripe::Stripe;
use std::ops::Range;

/// The targets take turns by the tokens' numbers in the whole schedule, so their numbers of requests, of all stripes
/// together, differ by at most one. Tokens are given by their places in the stripe.
#[derive(Debug, Clone, Copy)]
pub struct RoundRobin {
    targets: u64,
    stripe: Stripe,
    /// The number of the stripe's tokens after which the targets come in the same order again.
    round: u64,
}

impl RoundRobin {
    /// # Panics
    /// If `targets` is 0.
    pub fn new(targets: usize, stripe: Stripe) -> Self {
        assert!(targets > 0, "no target to send to");
        let targets = targets as u64;
        RoundRobin {
            targets,
            stripe,
            round: targets / greatest_common_divisor(targets, stripe.of()),
        }
    }

    /// The stripe whose tokens these are.
    pub fn stripe(self) -> Stripe {
        self.stripe
    }

    /// The place in the plan of this token's target.
    pub fn target(self, place: u64) -> usize {
        // The place in its round keeps the product small.
        let number = self.stripe.number(place % self.round);
        (number % self.targets) as usize
    }

    /// The number of these tokens that go to each target, without targets that get none. The time that this takes does
    /// not depend on the number of tokens.
    pub fn shares(self, tokens: Range<u64>) -> impl Iterator<Item = (usize, u64)> {
        let Range { start, end } = tokens;
        // The first token of each target, and from there on every one of the target's turns.
        let firsts = start..end.min(start.saturating_add(self.round));
        firsts.map(move |first| (self.target(first), (end - first).div_ceil(self.round)))
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_shares_are_those_of_counting_one_by_one(
            targets in 1usize..20, start in 0u64..1_000, count in 0u64..200, of in 1u64..20, index in 0u64..20
        ) {
            let stripe = Stripe::new(index % of, of).unwrap();
            let turns = RoundRobin::new(targets, stripe);
            prop_assert_eq!(turns.target(start) as u64, stripe.number(start) % targets as u64);
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
        let shares: Vec<_> = RoundRobin::new(2, Stripe::WHOLE)
            .shares(0..u64::MAX)
            .collect();
        assert_eq!(shares, [(0, 1 << 63), (1, (1 << 63) - 1)]);
    }
}
