//! Does something else share the count of a full counter: a fresh connection, another node, another key?
//!
//! While a counter is full, requests to the other one and to itself are sent in turn. If the first few of both are all
//! blocked, they share a count. If some are admitted, it may be that the counter had just room again, so more are sent in
//! a random order: a shared count then admits both kinds alike, and another count admits only the other's.

use super::saturation::Came;

/// How many requests to the other, and to the counter itself, are sent if the first ones do not tell. The counter gets more,
/// so that it stays full.
const MORE: usize = 8;
const OWN: usize = 16;

/// With fewer admissions, chance may have dealt all of them to the other: with so many, once in 64 times.
const WEAK: usize = 6;

/// How many requests to the counter itself have to be blocked to show that it is full.
const FEW: usize = 4;

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
    draws: u64,
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
            draws: seed,
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
        if other.blocked > 0 && itself.blocked > 0 && other.admitted == 0 {
            return Some(Shares::Yes);
        }
        if self.rounds == 0 {
            return None;
        }
        // Nobody used the other before, so only a shared count can block it so early.
        let is_unused =
            self.always_new || (other.admitted + other.blocked) as u64 * 2 <= self.at_once;
        if is_unused && other.blocked > 0 {
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
            self.draws = self
                .draws
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let is_other = (self.draws >> 33) as usize % (others + own) < others;
            self.ahead.push(is_other);
            if is_other { others -= 1 } else { own -= 1 }
        }
    }
}
