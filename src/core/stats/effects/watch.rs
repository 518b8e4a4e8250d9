//! When answers were right again after an event.

use super::GOOD;
use crate::base::Nanos;
use crate::core::outages::Response;

/// The watches of one event: for all targets together, and for each.
#[derive(Debug)]
pub(super) struct OfEvent {
    begin: Nanos,
    pub all: Pair,
    pub targets: Vec<Pair>,
}

/// What came after the begin of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pair {
    /// From its begin on.
    pub from_begin: Watch,
    /// From the first failure on that came after it.
    pub from_failure: Watch,
    has_failed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Watch {
    /// The done of the first answer.
    pub first_answer: Option<Nanos>,
    /// The sent of the first answered request after which none failed for a second.
    pub good: Option<Nanos>,
    /// The sent of an answered request, with no failed one since.
    candidate: Option<Nanos>,
}

impl OfEvent {
    pub fn new(begin: Nanos, targets: usize) -> OfEvent {
        OfEvent {
            begin,
            all: Pair::default(),
            targets: vec![Pair::default(); targets],
        }
    }

    /// Takes the next response in the order of the sents.
    pub fn add(&mut self, response: &Response) {
        if response.done < self.begin {
            return;
        }
        let of_target = &mut self.targets[response.target as usize];
        for pair in [&mut self.all, of_target] {
            pair.add(response, self.begin);
        }
    }

    /// Every request that was due has been added; none was due after `paced`.
    pub fn finish(&mut self, paced: Nanos) {
        for pair in std::iter::once(&mut self.all).chain(&mut self.targets) {
            pair.from_begin.reach(paced);
            pair.from_failure.reach(paced);
        }
    }
}

impl Pair {
    fn add(&mut self, response: &Response, begin: Nanos) {
        self.from_begin.add(response, begin);
        self.has_failed |= response.failure.is_some();
        if self.has_failed {
            self.from_failure.add(response, begin);
        }
    }
}

impl Watch {
    /// Takes a response that was done at `from` or later.
    fn add(&mut self, response: &Response, from: Nanos) {
        let is_answer = response.failure.is_none();
        if is_answer {
            let done = response.done;
            self.first_answer = Some(self.first_answer.map_or(done, |first| first.min(done)));
        }
        if self.good.is_some() || response.sent < from {
            return;
        }
        self.reach(response.sent);
        if is_answer {
            self.candidate.get_or_insert(response.sent);
        } else {
            self.candidate = None;
        }
    }

    /// No request that was sent before `at` is left.
    fn reach(&mut self, at: Nanos) {
        let is_good = |sent: &Nanos| *sent + GOOD <= at;
        self.good = self.good.or(self.candidate.filter(is_good));
    }
}
