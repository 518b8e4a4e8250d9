//! Admissions of one key, or what is taken for them, held to each promise.

use super::log::{Log, Request};
use super::opened::Opened;
use super::phases::Phases;
use super::terms::{Bounds, PriorUse, Promise, PromiseSet};

#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub log: Log,
    phases: Phases,
    opened: Opened,
    /// The promises that are proved broken.
    pub broken: PromiseSet,
}

/// What one more admission shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// How many lie, with it, surely within a window's length.
    pub within: u64,
    /// The promises whose first proof it completes.
    pub broken: PromiseSet,
}

impl Stream {
    pub fn new(prior_use: PriorUse) -> Stream {
        Stream {
            log: Log::default(),
            phases: Phases::All,
            opened: Opened::new(prior_use),
            broken: PromiseSet::default(),
        }
    }

    /// One more that was admitted, done after all others. `None` if it comes too late to be of use.
    pub fn admit(
        &mut self,
        sent: u64,
        done: u64,
        request: Request,
        asked: PromiseSet,
        bounds: &Bounds,
    ) -> Option<Shown> {
        if !self.log.insert(sent, done, request, bounds) {
            return None;
        }
        let within = self.log.within(bounds.within, done);
        let fixed = asked.has(Promise::FixedWindow);
        if fixed {
            self.hold_windows(sent, done, within, bounds);
        }
        let (busy_since, given) = self.log.busy();
        let mut broken = PromiseSet::default();
        let shown = [
            (Promise::SlidingWindow, within > bounds.limit),
            (
                Promise::FixedWindow,
                fixed && !self.clock_explains() && !self.opened_explains(),
            ),
            (
                Promise::TokenBucket,
                bounds.is_overdrawn(given, busy_since, done),
            ),
        ];
        for (promise, is_shown) in shown {
            if is_shown && asked.has(promise) && self.broken.insert(promise) {
                broken.insert(promise);
            }
        }
        Some(Shown { within, broken })
    }

    fn hold_windows(&mut self, sent: u64, done: u64, within: u64, bounds: &Bounds) {
        self.opened.admit(sent, done, bounds);
        if within > bounds.limit
            && let Some(first) = self.log.last_but(bounds.limit)
        {
            self.phases.narrow(first.sent, done, bounds);
        }
        if within > bounds.limit.saturating_mul(2) {
            self.phases = Phases::Left(Vec::new(), done);
            self.opened = Opened::impossible();
        }
    }

    /// A window may have been opened by a request whose answer is not known.
    pub fn unseen(&mut self) {
        self.opened.unseen();
    }

    /// Whether windows laid by a clock explain what was seen.
    pub fn clock_explains(&self) -> bool {
        !self.phases.are_gone()
    }

    /// Whether windows opened by admissions do.
    pub fn opened_explains(&self) -> bool {
        !self.opened.is_impossible()
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        self.log.memory() + self.phases.memory() + self.opened.memory()
    }
}
