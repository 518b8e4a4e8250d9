use crate::base::KeyId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution as _, Zipf};

/// Draws a key for each token from the seed and the token's number alone. The memory that this takes does not depend on
/// the number of keys.
#[derive(Debug)]
pub(super) struct Draws {
    shares: Shares,
    random: ChaCha8Rng,
    /// The number of the batch that is drawn.
    batch: u64,
    keys: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Shares {
    Zipf(Zipf<f64>),
    Hot {
        /// The first key's share, times 2³².
        first: u64,
        others: u32,
    },
}

/// The number of tokens in a batch. The keys of a batch are drawn together, from their own stream of random numbers.
const BATCH: u64 = 64;

impl Draws {
    /// The key of rank k has a share in proportion to 1/kˢ, where s is `exponent`. `rand_distr` draws it by
    /// rejection-inversion: Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
    /// distributions" (ACM TOMACS 6, 1996).
    ///
    /// # Panics
    /// If there is no key, or if `exponent` is below 0.
    pub fn zipf(keys: u32, exponent: f64, seed: u64) -> Self {
        let zipf = Zipf::new(f64::from(keys), exponent).expect("keys, and an exponent from 0 on");
        Self::new(Shares::Zipf(zipf), seed)
    }

    /// The first key has `share`, from 0 to 1, and the others share the rest evenly.
    ///
    /// # Panics
    /// If there are fewer than two keys.
    pub fn hot(keys: u32, share: f64, seed: u64) -> Self {
        assert!(keys > 1);
        let shares = Shares::Hot {
            first: (share * 2f64.powi(32)).round() as u64,
            others: keys - 1,
        };
        Self::new(shares, seed)
    }

    fn new(shares: Shares, seed: u64) -> Self {
        // A cipher key of its own, since the keys' names and rounds use the one that expands from the same seed.
        let mut key = *b"........ which key a request has";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut draws = Draws {
            shares,
            random: ChaCha8Rng::from_seed(key),
            batch: 0,
            keys: Vec::with_capacity(BATCH as usize),
        };
        draws.draw(0);
        draws
    }

    pub fn deal(&mut self, sequence: u64) -> KeyId {
        let batch = sequence / BATCH;
        if batch != self.batch {
            self.draw(batch);
        }
        KeyId(self.keys[(sequence % BATCH) as usize])
    }

    fn draw(&mut self, batch: u64) {
        self.random.set_stream(batch);
        self.random.set_word_pos(0);
        self.keys.clear();
        let keys = (0..BATCH).map(|_| self.shares.draw(&mut self.random));
        self.keys.extend(keys);
        self.batch = batch;
    }
}

impl Shares {
    fn draw(&self, random: &mut ChaCha8Rng) -> u32 {
        match self {
            // The sample is a rank, counted from 1.
            Shares::Zipf(zipf) => zipf.sample(random) as u32 - 1,
            Shares::Hot { first, .. } if u64::from(random.next_u32()) < *first => 0,
            Shares::Hot { others, .. } => 1 + below(random, *others),
        }
    }
}

/// An exactly uniform number from 0 to `bound` − 1: Lemire, "Fast random integer generation in an interval" (ACM TOMACS
/// 29, 2019), with its rejection step.
pub(super) fn below(random: &mut impl Rng, bound: u32) -> u32 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(random.next_u32()) * u64::from(bound);
        if product as u32 >= threshold {
            return (product >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of requests that each key gets.
    fn counts(mut draws: Draws, keys: usize, tokens: u64) -> Vec<f64> {
        let mut counts = vec![0.0; keys];
        for k in 0..tokens {
            counts[draws.deal(k).0 as usize] += 1.0;
        }
        counts
    }

    /// Pearson's χ² test against these shares, at a level of 0.001. By Wilson and Hilferty, the cube root of χ² over its
    /// degrees of freedom is nearly normal.
    fn agrees(counts: &[f64], shares: &[f64]) -> bool {
        let tokens: f64 = counts.iter().sum();
        let whole: f64 = shares.iter().sum();
        let terms = counts.iter().zip(shares).map(|(count, share)| {
            let expected = tokens * share / whole;
            (count - expected).powi(2) / expected
        });
        let freedom = counts.len() as f64 - 1.0;
        let spread = 2.0 / (9.0 * freedom);
        let normal = ((terms.sum::<f64>() / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
        normal < 3.1
    }

    fn zipf_shares(keys: usize, exponent: f64) -> Vec<f64> {
        let rank = |place: usize| (place as f64 + 1.0).powf(-exponent);
        (0..keys).map(rank).collect()
    }

    #[test]
    fn zipf_gives_each_rank_its_share() {
        for (keys, exponent) in [(2, 0.5), (10, 1.0), (100, 1.1), (100, 0.1), (50, 3.0)] {
            let shares = zipf_shares(keys, exponent);
            for seed in 0..3 {
                let counts = counts(Draws::zipf(keys as u32, exponent, seed), keys, 100_000);
                assert!(agrees(&counts, &shares), "{keys} {exponent}");
                let other = zipf_shares(keys, exponent * 1.1 + 0.05);
                assert!(!agrees(&counts, &other), "{keys} {exponent}");
            }
        }
    }

    #[test]
    fn the_first_thousand_of_ten_million_keys_have_nearly_half_of_the_traffic() {
        let mut draws = Draws::zipf(10_000_000, 1.0, 1);
        let dealt: Vec<_> = (0..10_000).map(|k| draws.deal(k).0).collect();
        assert!(dealt.iter().all(|&key| key < 10_000_000));
        // Their share is H(1000) / H(10⁷) = 7.49 / 16.7, where H is the harmonic number.
        let first = dealt.iter().filter(|&&key| key < 1_000).count();
        assert!((4_200..=4_800).contains(&first), "{first}");
        assert!(dealt.iter().any(|&key| key > 1_000_000));
    }

    #[test]
    fn the_hot_key_has_its_share_and_the_others_share_the_rest_evenly() {
        for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
            let counts = counts(Draws::hot(5, share, 1), 5, 100_000);
            match share {
                0.0 => assert_eq!(counts[0], 0.0),
                1.0 => assert_eq!(counts[0], 100_000.0),
                _ => {
                    let rest = (1.0 - share) / 4.0;
                    let shares = [share, rest, rest, rest, rest];
                    assert!(agrees(&counts, &shares), "{counts:?}");
                }
            }
        }
    }
}
