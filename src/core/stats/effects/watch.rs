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
    /// The first second without a failure.
    pub good: Option<GoodSecond>,
    /// A second that is not over yet, with no failed request so far.
    candidate: Option<GoodSecond>,
}

/// A second in which no request failed. It begins with one that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GoodSecond {
    /// The sent of the first request.
    pub sent: Nanos,
    /// The done of the first request.
    pub done: Nanos,
    /// The last done of all of them.
    pub last_done: Nanos,
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
    /// From the first failure on, or from the begin if nothing failed.
    pub fn since_harm(&self) -> Watch {
        if self.has_failed {
            self.from_failure
        } else {
            self.from_begin
        }
    }

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
        if self.good.is_some() {
            return;
        }
        if !is_answer {
            self.candidate = None;
            return;
        }
        let Response { sent, done, .. } = *response;
        let candidate = self.candidate.get_or_insert(GoodSecond {
            sent,
            done,
            last_done: done,
        });
        candidate.last_done = candidate.last_done.max(done);
    }

    /// No request that was sent before `at` is left.
    fn reach(&mut self, at: Nanos) {
        let is_over = |second: &GoodSecond| second.sent + GOOD <= at;
        self.good = self.good.or(self.candidate.filter(is_over));
    }
}
