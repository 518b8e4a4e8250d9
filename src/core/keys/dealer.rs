use super::draws::Draws;
use super::rounds::Rounds;
use super::{Distribution, Keys};
use crate::base::KeyId;
use crate::core::replay::{Entry, RecordedRequests};
use std::sync::Arc;

/// Deals a key to each token. In the order of the tokens' numbers, a key takes constant time on average. A jump to a
/// distant token may take time in proportion to the number of keys.
#[derive(Debug)]
pub struct Dealer(Dealing);

#[derive(Debug)]
enum Dealing {
    Rounds(Box<Rounds>),
    Draws(Box<Draws>),
    Fresh {
        seed: u64,
    },
    /// The entries in order, of which the first has the number `first`.
    Recorded {
        requests: Arc<RecordedRequests>,
        block: Vec<Entry>,
        first: u64,
    },
}

/// The number of entries that are read together.
const BLOCK: u64 = 512;

impl Dealer {
    /// # Panics
    /// Unless the distribution [suits](Distribution::suits) the keys.
    pub fn new(keys: &Keys, distribution: Distribution, seed: u64) -> Self {
        assert!(distribution.suits(keys));
        let Some(keys) = keys.count() else {
            return Dealer(Dealing::Fresh { seed });
        };
        Dealer(match distribution {
            Distribution::Uniform => Dealing::Rounds(Box::new(Rounds::new(keys as usize, seed))),
            Distribution::Zipf(s) => Dealing::Draws(Box::new(Draws::zipf(keys, s, seed))),
            Distribution::Hot(share) => Dealing::Draws(Box::new(Draws::hot(keys, share, seed))),
        })
    }

    /// Deals the keys that a recording has. If it can't be read, its store reports that, and the keys are wrong.
    pub fn of_a_recording(requests: Arc<RecordedRequests>) -> Self {
        Dealer(Dealing::Recorded {
            requests,
            block: Vec::new(),
            first: 0,
        })
    }

    /// The key of the token with this number.
    pub fn deal(&mut self, sequence: u64) -> KeyId {
        match &mut self.0 {
            Dealing::Rounds(rounds) => rounds.deal(sequence),
            Dealing::Draws(draws) => draws.deal(sequence),
            Dealing::Fresh { seed } => KeyId(permute(sequence as u32, *seed)),
            Dealing::Recorded {
                requests,
                block,
                first,
            } => {
                let number = sequence % requests.count;
                let is_known = number >= *first && number - *first < block.len() as u64;
                if !is_known {
                    *first = number - number % BLOCK;
                    let length = BLOCK.min(requests.count - *first);
                    block.resize(length as usize, Entry::default());
                    if requests.store.entries(*first, block).is_err() {
                        block.clear();
                    }
                }
                let entry = block.get((number - *first) as usize);
                KeyId(entry.copied().unwrap_or_default().key)
            }
        }
    }
}

/// A permutation of the 32-bit numbers that the seed chooses. It is the 32-bit finaliser of MurmurHash3 (Appleby, 2011)
/// with two more steps that depend on the seed. Each step is invertible, so no two numbers get the same result.
fn permute(x: u32, seed: u64) -> u32 {
    let (low, high) = (seed as u32, (seed >> 32) as u32);
    let mut x = x.wrapping_add(low);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= high;
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const DISTRIBUTIONS: [Distribution; 3] = [
        Distribution::Uniform,
        Distribution::Zipf(1.1),
        Distribution::Hot(0.9),
    ];

    fn dealer(keys: u32, distribution: Distribution, seed: u64) -> Dealer {
        Dealer::new(&Keys::generated(keys, seed, ""), distribution, seed)
    }

    proptest! {
        #[test]
        fn the_key_depends_on_the_token_alone(
            count in 2u32..20, distribution in prop::sample::select(&DISTRIBUTIONS[..]), seed: u64,
            k in 0u64..100_000
        ) {
            let mut dealer = dealer(count, distribution, seed);
            let first = dealer.deal(k);
            prop_assert!(first.0 < count);
            dealer.deal(k + 1_000);
            dealer.deal(0);
            prop_assert_eq!(dealer.deal(k), first);
        }

        #[test]
        fn fresh_keys_do_not_repeat(seed: u64, start: u64) {
            let mut dealer = Dealer::new(&Keys::fresh(""), Distribution::Uniform, seed);
            let keys: HashSet<_> = (0..5_000).map(|k| dealer.deal(start.wrapping_add(k))).collect();
            prop_assert_eq!(keys.len(), 5_000);
        }
    }

    #[test]
    fn the_same_seed_deals_in_the_same_order() {
        for distribution in DISTRIBUTIONS {
            let dealt = |seed| {
                let mut dealer = dealer(7, distribution, seed);
                (0..700).map(|k| dealer.deal(k)).collect::<Vec<_>>()
            };
            assert_eq!(dealt(42), dealt(42));
            assert_ne!(dealt(42), dealt(43));
        }
    }

    #[test]
    fn a_seed_means_the_same_in_every_version() {
        let keys = Keys::generated(3, 1, "");
        let dealt = |distribution| {
            let mut dealer = Dealer::new(&keys, distribution, 1);
            let name = |k| keys.name(dealer.deal(k));
            (0..9).map(name).collect::<Vec<_>>()
        };
        let [a, b, c] = ["b10da48c", "65060736", "e5cb1bd5"];
        let [uniform, zipf, hot] = DISTRIBUTIONS.map(dealt);
        assert_eq!(uniform, [a, b, c, a, b, c, c, b, a]);
        assert_eq!(zipf, [b, a, b, a, c, a, c, b, a]);
        assert_eq!(hot, [a, a, a, a, b, a, a, a, a]);
        assert_eq!(permute(0, 1), 0x514e_28b7);
    }

    #[test]
    fn no_key_always_goes_to_the_same_target_if_targets_divide_keys() {
        let (keys, targets, rounds) = (6, 3, 2_000);
        let mut counts = vec![[0u32; 3]; keys];
        let mut dealer = dealer(keys as u32, Distribution::Uniform, 7);
        for k in 0..keys * rounds {
            let key = dealer.deal(k as u64);
            counts[key.0 as usize][k % targets] += 1;
        }
        // Six standard deviations of 2,000 draws with a probability of 1/3 are 126.
        let is_even = |count: &u32| count.abs_diff(667) < 126;
        assert!(counts.iter().flatten().all(is_even), "{counts:?}");
    }
}
