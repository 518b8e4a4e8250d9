//! The split key: one request, and the rest more than half a window later.

use super::saturation::{Came, Saturation};
use crate::base::Nanos;

#[derive(Debug)]
pub(super) struct Split {
    saturation: Saturation,
    /// About the limiter's window.
    window: Nanos,
    /// When the first request was done.
    first: Option<Nanos>,
}

impl Split {
    pub fn new(window: Nanos, saturation: Saturation) -> Split {
        Split {
            saturation,
            window,
            first: None,
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
            let share = u128::from(self.window.0) * 3 / 5;
            self.saturation.pause_until(done + Nanos(share as u64));
        }
    }

    /// Whether its admissions have told all. That takes about two and a half windows.
    pub fn is_over(&self, now: Nanos) -> bool {
        let edges = self.saturation.edges().len();
        let long_ago = |first: Nanos| now > first + Nanos(self.window.0 / 2 * 5);
        edges >= 3 || edges >= 1 && self.first.is_some_and(long_ago)
    }
}
