//! Does something else share the count of a full counter: a fresh connection, another node, another key?
//!
//! While a counter is full, requests to the other one and to itself are sent in turn. If the other's are blocked, both
//! share a count. If some are admitted, the counter may just have had room again. So more requests are sent, in a random
//! order, and most of them to the counter itself. A count of the other's own admits all of them, because nobody used it
//! before. A shared count blocks some.

use super::saturation::Came;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How many requests to the other, and to the counter itself, are sent if the first ones do not tell. The counter gets more,
/// so that it stays full.
const MORE: usize = 8;
const OWN: usize = 16;

/// With fewer admissions, a shared count may have given all of them to the other by chance. A third of the requests are the
/// other's, so that so many admissions are all its own in one of 3^6 cases.
const WEAK: usize = 6;

/// How many requests to the counter itself have to be blocked to show that it is full.
const FEW: usize = 4;

/// Of so many requests to something that nobody used, one that is blocked shows that it was used.
const SELDOM: usize = 4;

/// How often such a round is repeated.
const ROUNDS: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    Yes,
    No,
    /// The answers do not tell.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Comparison {
    at_once: u64,
    /// Whether each request to the other finds one that nobody asked before.
    always_new: bool,
    /// What is asked next, the last one first: whether it is the other.
    ahead: Vec<bool>,
    rounds: u32,
    random: ChaCha8Rng,
    of_other: Counts,
    of_itself: Counts,
    verdict: Option<Shares>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    admitted: usize,
    blocked: usize,
}

impl Comparison {
    /// Compares with a counter that admits about so many at once. First asks the other `first` times.
    pub fn new(at_once: u64, first: usize, seed: u64) -> Comparison {
        let mut ahead = vec![true; first + 2];
        (ahead[0], ahead[first + 1]) = (false, false);
        Comparison {
            at_once,
            always_new: false,
            ahead,
            rounds: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
            of_other: Counts::default(),
            of_itself: Counts::default(),
            verdict: None,
        }
    }

    pub fn with_a_new_one_each_time(mut self) -> Comparison {
        self.always_new = true;
        self
    }

    /// Whether the next request goes to the other; `None` once it is known what they share.
    pub fn next(&self) -> Option<bool> {
        self.ahead
            .last()
            .copied()
            .filter(|_| self.verdict.is_none())
    }

    pub fn answered(&mut self, came: Came) {
        let is_other = self.ahead.pop() == Some(true);
        let counts = if is_other {
            &mut self.of_other
        } else {
            &mut self.of_itself
        };
        match came {
            Came::Admitted => counts.admitted += 1,
            Came::Blocked => counts.blocked += 1,
            Came::Failed => {}
        }
        if self.ahead.is_empty() {
            self.verdict = self.judge();
            if self.verdict.is_none() {
                self.begin_round();
            }
        }
    }

    pub fn verdict(&self) -> Option<Shares> {
        self.verdict
    }

    /// Whether so few were admitted that chance may have dealt all of them to the other.
    pub fn is_weak(&self) -> bool {
        self.verdict == Some(Shares::No) && self.of_other.admitted < WEAK
    }

    fn judge(&self) -> Option<Shares> {
        let (other, itself) = (self.of_other, self.of_itself);
        if other.blocked >= 2 && itself.blocked > 0 && other.admitted == 0 {
            return Some(Shares::Yes);
        }
        if self.rounds == 0 {
            return None;
        }
        // Nobody used the other before, so only a shared count can block it so early. A few blocks may have other causes.
        let asked = other.admitted + other.blocked;
        let is_unused = self.always_new || asked as u64 * 2 <= self.at_once;
        if is_unused && other.blocked * SELDOM >= asked {
            return Some(Shares::Yes);
        }
        if other.blocked == 0 && other.admitted >= MORE && itself.blocked >= FEW {
            return Some(Shares::No);
        }
        if itself.blocked >= MORE && itself.admitted == 0 && other.admitted > 0 {
            return Some(Shares::No);
        }
        (self.rounds >= ROUNDS).then_some(Shares::Unknown)
    }

    fn begin_round(&mut self) {
        self.rounds += 1;
        let (mut others, mut own) = (MORE, OWN);
        while others + own > 0 {
            let left = (others + own) as u64;
            let is_other = self.random.next_u64() % left < others as u64;
            self.ahead.push(is_other);
            if is_other { others -= 1 } else { own -= 1 }
        }
    }
}
