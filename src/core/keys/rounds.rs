use super::draws::below;
use crate::base::KeyId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Deals a fixed set of keys in rounds. Each round deals every key once, in an order drawn from the seed and the round's
/// number. It holds the current round and the next one, which takes 8 bytes for each key.
#[derive(Debug)]
pub(super) struct Rounds {
    this: Round,
    next: Round,
}

impl Rounds {
    pub fn new(keys: usize, seed: u64) -> Self {
        let round = |number| Round::new(seed, number, keys);
        let (mut this, next) = (round(0), round(1));
        this.draw_until(keys);
        Rounds { this, next }
    }

    pub fn deal(&mut self, sequence: u64) -> KeyId {
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
        // The next round is shuffled by one step with each key of this one, so that no token has to wait until a whole
        // round is shuffled.
        next.draw_until(place + 1);
        KeyId(this.key(place))
    }
}

/// The order of one round, drawn as far as it is needed.
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
        // The keys themselves are drawn from stream 0.
        self.random.set_stream(number.wrapping_add(1));
        self.random.set_word_pos(0);
    }

    fn key(&mut self, place: usize) -> u32 {
        self.draw_until(self.keys);
        self.order[place]
    }

    /// The "inside-out" Fisher–Yates shuffle, up to this many keys. Each new key takes a random place, and the key that
    /// was there moves to the end.
    fn draw_until(&mut self, keys: usize) {
        while self.order.len() < keys {
            let last = self.order.len();
            let place = below(&mut self.random, last as u32 + 1) as usize;
            self.order.push(last as u32);
            self.order.swap(place, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn every_round_deals_each_key_once(count in 1usize..50, seed: u64) {
            let mut rounds = Rounds::new(count, seed);
            let dealt: Vec<_> = (0..count as u64 * 20).map(|k| rounds.deal(k)).collect();
            for round in dealt.chunks(count) {
                let distinct: HashSet<_> = round.iter().collect();
                prop_assert_eq!(distinct.len(), count);
            }
        }
    }
}
