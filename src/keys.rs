//! Which key each request carries: a pure function of the seed and the token's number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::HashSet;
use uuid::Builder;

/// Identifies one key of a run: its place in the set where the set is fixed, its digits where
/// every request has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub u32);

/// The keys of one run. Each is [`PREFIX`] and the first 8 hex digits of a random UUID, so 32 bits
/// are all there is to remember of it.
#[derive(Debug, Clone)]
pub enum Keys {
    /// These keys share the traffic.
    Fixed(Vec<u32>),
    /// Every request has a key of its own.
    Fresh,
}

pub const PREFIX: &str = "loadgen-";

impl Keys {
    /// `count` distinct keys drawn from `seed`; with a `count` of 0, a fresh key for every request.
    pub fn new(count: u32, seed: u64) -> Self {
        if count == 0 {
            return Keys::Fresh;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut seen = HashSet::with_capacity(count as usize);
        let mut keys = Vec::with_capacity(count as usize);
        while keys.len() < count as usize {
            let mut bytes = [0; 16];
            random.fill_bytes(&mut bytes);
            let (first_eight, ..) = Builder::from_random_bytes(bytes).into_uuid().as_fields();
            if seen.insert(first_eight) {
                keys.push(first_eight);
            }
        }
        Keys::Fixed(keys)
    }

    /// The 8 hex digits of a key, as the number they write.
    pub fn digits(&self, id: KeyId) -> u32 {
        match self {
            Keys::Fixed(keys) => keys[id.0 as usize],
            Keys::Fresh => id.0,
        }
    }
}

/// Deals keys to tokens. In the order of their numbers each takes constant time; a jump ahead may
/// take as long as there are keys.
///
/// A fixed set is dealt in rounds: each round deals every key once, in an order drawn from the
/// seed and the round's number. Fresh keys run through a permutation of all 32-bit numbers, so
/// none comes twice within 2³² requests.
#[derive(Debug)]
pub enum Dealer {
    Rounds(Box<Rounds>),
    Fresh { seed: u64 },
}

impl Dealer {
    pub fn new(keys: &Keys, seed: u64) -> Self {
        match keys {
            Keys::Fixed(keys) => {
                let round = |number| Round::new(seed, number, keys.len());
                let (mut this, next) = (round(0), round(1));
                this.draw_until(keys.len());
                Dealer::Rounds(Box::new(Rounds { this, next }))
            }
            Keys::Fresh => Dealer::Fresh { seed },
        }
    }

    /// The key of the token with this number.
    pub fn deal(&mut self, sequence: u64) -> KeyId {
        match self {
            Dealer::Rounds(rounds) => rounds.deal(sequence),
            Dealer::Fresh { seed } => KeyId(permute(sequence as u32, *seed)),
        }
    }
}

/// The round being dealt, and the one after it.
#[derive(Debug)]
pub struct Rounds {
    this: Round,
    next: Round,
}

impl Rounds {
    fn deal(&mut self, sequence: u64) -> KeyId {
        let Rounds { this, next } = self;
        let keys = this.keys as u64;
        let (number, place) = (sequence / keys, (sequence % keys) as usize);
        if number != this.number {
            std::mem::swap(this, next);
            next.restart(number.wrapping_add(1));
        }
        if number != this.number {
            this.restart(number);
        }
        // One step of the next order with each key of this one: then no token has to wait for a
        // whole order to be drawn, however many keys there are.
        next.draw_until(place + 1);
        KeyId(this.key(place))
    }
}

/// The order of one round, drawn as far as it was needed.
#[derive(Debug)]
struct Round {
    number: u64,
    keys: usize,
    order: Vec<u32>,
    random: ChaCha8Rng,
}

impl Round {
    fn new(seed: u64, number: u64, keys: usize) -> Self {
        let (random, order) = (ChaCha8Rng::seed_from_u64(seed), Vec::with_capacity(keys));
        let mut round = Round {
            number,
            keys,
            order,
            random,
        };
        round.restart(number);
        round
    }

    fn restart(&mut self, number: u64) {
        self.number = number;
        self.order.clear();
        // Stream 0 drew the keys themselves.
        self.random.set_stream(number.wrapping_add(1));
        self.random.set_word_pos(0);
    }

    fn key(&mut self, place: usize) -> u32 {
        self.draw_until(self.keys);
        self.order[place]
    }

    /// The "inside-out" Fisher–Yates shuffle, up to this many keys: each new one takes a random
    /// place, and what was there moves to the end.
    fn draw_until(&mut self, keys: usize) {
        while self.order.len() < keys {
            let last = self.order.len();
            let place = below(&mut self.random, last as u32 + 1) as usize;
            self.order.push(last as u32);
            self.order.swap(place, last);
        }
    }
}

/// A uniform number in `[0, bound)`: Lemire, "Fast random integer generation in an interval"
/// (ACM TOMACS 29, 2019), with its rejection step, so exactly uniform.
fn below(random: &mut impl Rng, bound: u32) -> u32 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(random.next_u32()) * u64::from(bound);
        if product as u32 >= threshold {
            return (product >> 32) as u32;
        }
    }
}

/// A permutation of the 32-bit numbers chosen by the seed: MurmurHash3's 32-bit finaliser, each
/// of whose steps is invertible, between two keyed ones.
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

    fn dealt(count: u32, seed: u64, tokens: u64) -> Vec<KeyId> {
        let mut dealer = Dealer::new(&Keys::new(count, seed), seed);
        (0..tokens).map(|k| dealer.deal(k)).collect()
    }

    proptest! {
        #[test]
        fn every_round_deals_each_key_once(count in 1u32..50, seed: u64) {
            for round in dealt(count, seed, u64::from(count) * 20).chunks(count as usize) {
                let distinct: HashSet<_> = round.iter().collect();
                prop_assert_eq!(distinct.len(), count as usize);
            }
        }

        #[test]
        fn the_key_depends_on_the_token_alone(count in 0u32..20, seed: u64, k in 0u64..100_000) {
            let mut dealer = Dealer::new(&Keys::new(count, seed), seed);
            let first = dealer.deal(k);
            dealer.deal(k + 1_000);
            dealer.deal(0);
            prop_assert_eq!(dealer.deal(k), first);
        }

        #[test]
        fn fresh_keys_do_not_repeat(seed: u64, start: u64) {
            let mut dealer = Dealer::new(&Keys::Fresh, seed);
            let keys: HashSet<_> = (0..5_000).map(|k| dealer.deal(start.wrapping_add(k))).collect();
            prop_assert_eq!(keys.len(), 5_000);
        }
    }

    fn fixed(count: u32, seed: u64) -> Vec<u32> {
        match Keys::new(count, seed) {
            Keys::Fixed(keys) => keys,
            Keys::Fresh => panic!("asked for {count} keys"),
        }
    }

    #[test]
    fn same_seed_same_keys_in_the_same_order() {
        let others = fixed(7, 43);
        assert_eq!(fixed(7, 42), fixed(7, 42));
        assert!(fixed(7, 42).iter().all(|key| !others.contains(key)));
        assert_eq!(dealt(7, 42, 700), dealt(7, 42, 700));
        assert_ne!(dealt(7, 42, 700), dealt(7, 43, 700));
    }

    #[test]
    fn a_seed_means_the_same_in_every_version() {
        let keys = Keys::new(3, 1);
        let dealt: Vec<_> = dealt(3, 1, 9)
            .into_iter()
            .map(|id| keys.digits(id))
            .collect();
        let [a, b, c] = [0xb10d_a48c, 0x6506_0736, 0xe5cb_1bd5];
        assert_eq!(dealt, [a, b, c, a, b, c, c, b, a], "{dealt:x?}");
        assert_eq!(permute(0, 1), 0x514e_28b7);
    }

    #[test]
    fn no_key_is_pinned_to_a_target_where_targets_divide_keys() {
        let (keys, targets, rounds) = (6, 3, 2_000);
        let mut seen = vec![[0u32; 3]; keys];
        for (k, id) in dealt(keys as u32, 7, keys as u64 * rounds)
            .iter()
            .enumerate()
        {
            seen[id.0 as usize][k % targets] += 1;
        }
        // 2,000 draws of probability 1/3: six standard deviations are 126.
        assert!(
            seen.iter().flatten().all(|&n| n.abs_diff(667) < 126),
            "{seen:?}"
        );
    }

    #[test]
    fn the_keys_of_a_set_are_distinct() {
        let keys = fixed(10_000, 0);
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 10_000);
    }
}
