//! The answers that an explanation has to fit.

use super::models::{Hypothesis, explain};
use super::record::Seen;
use crate::base::Nanos;

/// A window is at least so many times as long as two requests are apart, and as the clock is coarse.
const RESOLVED: u64 = 10;
const COARSEST: u64 = 20;

/// With so many blocks, a limit may be nearly as fast as requests are sent.
const MANY_BLOCKS: usize = 64;

/// About how many rows of admitted or blocked requests are looked at closely.
const TELLING_ROWS: usize = 256;

/// The answers, and how exactly the limiter's clock is taken to be.
#[derive(Debug)]
pub(super) struct Evidence {
    pub counters: Vec<Vec<Seen>>,
    /// The same without blocked requests between others. If they do not count, those tell nothing.
    thinned: Vec<Vec<Seen>>,
    pub grain: Nanos,
    /// The least time between two requests.
    pub gap: Nanos,
    /// How many blocked requests overlap no other of their counter.
    pub blocks: usize,
}

impl Evidence {
    pub fn new(counters: &[Vec<Seen>], grain: Nanos, gap: Nanos) -> Evidence {
        let mut counters = counters.to_vec();
        counters
            .iter_mut()
            .for_each(|counter| mark_telling(counter));
        let requests = counters.iter().flatten();
        let blocks = requests.filter(|request| !request.admitted && request.alone);
        Evidence {
            blocks: blocks.count(),
            thinned: counters.iter().map(|counter| thinned(counter)).collect(),
            counters,
            grain,
            gap,
        }
    }

    /// The shortest window of a limit that is not told from none.
    pub fn least_window(&self, limit: u64) -> Nanos {
        // The faster a limit, the more seldom is it full.
        let fastest = match self.blocks {
            MANY_BLOCKS.. => Nanos((self.gap * limit).0 / 9 * 10),
            _ => self.gap * limit * 2,
        };
        fastest.max(self.gap * RESOLVED).max(self.grain * COARSEST)
    }

    /// When the first and the last request were sent.
    pub fn ends(&self) -> (Nanos, Nanos) {
        let sents = || self.counters.iter().flatten().map(|request| request.sent);
        (
            sents().min().unwrap_or_default(),
            sents().max().unwrap_or_default(),
        )
    }

    /// The instant halfway between the first request and the last.
    pub fn middle(&self) -> Nanos {
        let (first, last) = self.ends();
        Nanos(u64::midpoint(first.0, last.0))
    }

    /// The requests of each counter that tell something about such limits.
    pub fn counters(&self, hypotheses: &[Hypothesis]) -> impl Iterator<Item = &[Seen]> + Clone {
        self.counters_of(hypotheses.iter().any(|one| one.counts_blocked))
    }

    /// The same of limiters that count blocked requests, or do not.
    pub fn counters_of(&self, counts_blocked: bool) -> impl Iterator<Item = &[Seen]> + Clone {
        let counters = if counts_blocked {
            &self.counters
        } else {
            &self.thinned
        };
        counters.iter().map(Vec::as_slice)
    }

    /// Whether such limits, all at once, explain all answers.
    pub fn explains(&self, hypotheses: &[Hypothesis]) -> bool {
        explain(hypotheses, self.counters(hypotheses), self.grain).is_ok()
    }
}

/// Marks the first and the last request of each row of admitted or blocked ones: all of the first rows, and some of the others.
fn mark_telling(counter: &mut [Seen]) {
    let known: Vec<usize> = (0..counter.len())
        .filter(|place| counter[*place].admitted || counter[*place].alone)
        .collect();
    let ends = known
        .windows(2)
        .filter(|pair| counter[pair[0]].admitted != counter[pair[1]].admitted);
    let ends: Vec<[usize; 2]> = ends.map(|pair| [pair[0], pair[1]]).collect();
    let every = ends.len() / TELLING_ROWS + 1;
    for (number, places) in ends.iter().enumerate() {
        if number < TELLING_ROWS / 4 || number.is_multiple_of(every) {
            places.iter().for_each(|place| counter[*place].tells = true);
        }
    }
    for place in [known.first(), known.last()].into_iter().flatten() {
        counter[*place].tells = true;
    }
}

/// The requests without those blocked ones that follow on a blocked one and precede another.
fn thinned(counter: &[Seen]) -> Vec<Seen> {
    let is_blocked = |request: &Seen| !request.admitted && request.alone;
    let known = counter
        .iter()
        .filter(|request| request.admitted || request.alone);
    let mut thinned: Vec<Seen> = Vec::new();
    for request in known {
        if let [.., before, last] = &thinned[..]
            && [before, last, request].into_iter().all(is_blocked)
        {
            thinned.pop();
        }
        thinned.push(*request);
    }
    thinned
}
