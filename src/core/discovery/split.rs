//! The split key: one request, the rest more than half a window later, and again some after a rest of more than a window.
//!
//! Windows that begin with a key's first request begin anew after the rest. Those of a clock don't.

use super::saturation::{Came, Saturation};
use crate::base::Nanos;

/// So many edges tell how admissions follow on each other, and otherwise the edges of this time, in half windows.
const EDGES: usize = 3;
const HALF_WINDOWS: u64 = 5;

/// The rest, and what comes after it, take this many fifths of a window each. After the rest, the first edge comes at once and
/// the second within a window.
const REST: u64 = 6;
const AFTER_REST: u64 = 7;
const EDGES_AFTER_REST: usize = 2;

#[derive(Debug)]
pub(super) struct Split {
    saturation: Saturation,
    /// About the limiter's window.
    window: Nanos,
    /// When the experiment ends. Without the time for it, there is no rest.
    end: Nanos,
    /// When the first request was done.
    first: Option<Nanos>,
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    until: Nanos,
    edges_before: usize,
}

impl Split {
    pub fn new(window: Nanos, saturation: Saturation, end: Nanos) -> Split {
        Split {
            saturation,
            window,
            end,
            first: None,
            rest: None,
        }
    }

    pub fn next(&self) -> Option<Nanos> {
        self.saturation.next()
    }

    pub fn sent(&mut self, at: Nanos) {
        self.saturation.sent(at);
    }

    pub fn answered(&mut self, sent: Nanos, done: Nanos, came: Came) {
        self.saturation.answered(sent, done, came);
        if self.first.is_none() && came == Came::Admitted {
            self.first = Some(done);
            self.saturation.pause_until(done + self.fifths(3));
        }
        // It rests while it is blocked, so that an edge ends the rest.
        let may_rest = self.rest.is_none() && came == Came::Blocked;
        if may_rest && self.has_told(done) && self.has_time(done) {
            let until = done + self.fifths(REST);
            self.saturation.pause_until(until);
            self.rest = Some(Rest {
                until,
                edges_before: self.saturation.edges().len(),
            });
        }
    }

    fn fifths(&self, fifths: u64) -> Nanos {
        Nanos((u128::from(self.window.0) * u128::from(fifths) / 5) as u64)
    }

    /// Whether its admissions have told all that they tell without a rest.
    fn has_told(&self, now: Nanos) -> bool {
        let edges = self.saturation.edges().len();
        let long_ago = |first: Nanos| now > first + Nanos(self.window.0 / 2 * HALF_WINDOWS);
        edges >= EDGES || edges >= 1 && self.first.is_some_and(long_ago)
    }

    fn has_time(&self, now: Nanos) -> bool {
        now + self.fifths(REST + AFTER_REST) < self.end
    }

    /// Whether its admissions have told all.
    pub fn is_over(&self, now: Nanos) -> bool {
        match &self.rest {
            None => self.has_told(now) && !self.has_time(now),
            Some(rest) => {
                let edges = self.saturation.edges().len() - rest.edges_before;
                edges >= EDGES_AFTER_REST || now > rest.until + self.fifths(AFTER_REST)
            }
        }
    }
}
