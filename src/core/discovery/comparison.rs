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

/// A shared count may have given all its admissions to the other by chance: each of them with the share of the requests that are
/// the other's. So surely, as the natural logarithm of one in so many cases, it has not.
pub(super) const SURELY: f64 = 5.5;

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
    /// The share of the requests under way that are the other's.
    share: f64,
    /// How unlikely it is that a shared count gave all admissions to the other: the negative logarithm.
    evidence: f64,
    verdict: Option<Shares>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    admitted: usize,
    blocked: usize,
}

impl Comparison {
    /// Compares with a counter that admits about so many at once. First asks the other `first` times, which may be all it takes.
    pub fn new(at_once: u64, first: usize, seed: u64) -> Comparison {
        let mut comparison = Comparison {
            at_once,
            always_new: false,
            ahead: Vec::new(),
            rounds: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
            of_other: Counts::default(),
            of_itself: Counts::default(),
            share: 0.0,
            evidence: 0.0,
            verdict: None,
        };
        comparison.ask(first, first.div_ceil(2));
        // The counter itself is asked last, to see that it was full.
        comparison.ahead.insert(0, false);
        comparison
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
            Came::Admitted => {
                counts.admitted += 1;
                if is_other {
                    self.evidence -= self.share.ln();
                }
            }
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

    /// How unlikely it is that a count of which the other alone was admitted is shared: the negative logarithm of the chance.
    pub fn evidence(&self) -> f64 {
        self.evidence
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
        let is_full = itself.blocked >= FEW && itself.admitted == 0;
        if is_full && other.admitted > 0 {
            return Some(Shares::No);
        }
        if other.blocked == 0 && other.admitted >= MORE && itself.blocked >= FEW {
            return Some(Shares::No);
        }
        (self.rounds >= ROUNDS).then_some(Shares::Unknown)
    }

    fn begin_round(&mut self) {
        self.rounds += 1;
        self.ask(MORE, OWN);
    }

    /// Asks the other and the counter itself so often, in a random order.
    fn ask(&mut self, mut others: usize, mut own: usize) {
        self.share = others as f64 / (others + own) as f64;
        while others + own > 0 {
            let left = (others + own) as u64;
            let is_other = self.random.next_u64() % left < others as u64;
            self.ahead.push(is_other);
            if is_other { others -= 1 } else { own -= 1 }
        }
    }
}
