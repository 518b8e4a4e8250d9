//! The answers that an explanation has to fit.

use super::models::{Hypothesis, explain};
use super::record::Seen;
use crate::base::Nanos;

/// The answers, and how exactly the limiter's clock is taken to be.
#[derive(Debug)]
pub(super) struct Evidence {
    pub counters: Vec<Vec<Seen>>,
    /// The same without blocked requests between others. If they do not count, those tell nothing.
    thinned: Vec<Vec<Seen>>,
    pub grain: Nanos,
    /// The shortest window.
    pub least: Nanos,
}

impl Evidence {
    pub fn new(counters: &[Vec<Seen>], grain: Nanos, least: Nanos) -> Evidence {
        Evidence {
            counters: counters.to_vec(),
            thinned: counters.iter().map(|counter| thinned(counter)).collect(),
            grain,
            least,
        }
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
