//! A fixed window admits at most L requests per window of length W. There are two kinds: a clock lays the windows end to
//! end, with a phase that never changes; or an admission opens a window, and the first admission after its end opens the
//! next one.
//!
//! A limiter has windows of one kind, so the promise is broken when, of all keys together, neither kind is left:
//! [`ClockWindows`] and [`OpenedWindows`] say when a kind does not explain a key. Neither kind explains more than 2 L
//! admissions within less than W − ε, because such a span touches at most two windows. A request is wrongly blocked if
//! fewer than L others can have counted against it.

use super::clock_windows::ClockWindows;
use super::opened_windows::OpenedWindows;
use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Latest, Nanos, Observation,
    PriorUse,
};

pub const ABOUT: About = About {
    name: "fixed-window",
    limiter: "a fixed window",
    kinds: &[
        "windows aligned to a clock",
        "windows opened by an admission",
    ],
    limits_to_exceed: 2,
    busiest_window_is_proof: false,
    block_is_general: true,
    excess: |proof, window| {
        format!(
            "no windows of {window} explain the admissions (proved after {} requests)",
            proof.after
        )
    },
    wrong_block: super::too_few_counted,
};

#[derive(Debug, Clone)]
pub struct FixedWindow {
    clock: ClockWindows,
    opened: OpenedWindows,
}

impl FixedWindow {
    pub fn new(prior_use: PriorUse) -> FixedWindow {
        FixedWindow {
            clock: ClockWindows::AnyPhase,
            opened: OpenedWindows::new(prior_use),
        }
    }
}

impl Evidence for FixedWindow {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        self.opened.admit(latest.sent, latest.done, bounds);
        if latest.within > bounds.limit
            && let Some(first) = log.last_but(bounds.limit)
        {
            self.clock.place_boundary(first.sent, latest.done, bounds);
        }
        if latest.within > bounds.limit.saturating_mul(2) {
            self.clock = ClockWindows::impossible();
            self.opened = OpenedWindows::impossible();
        }
    }

    fn lose_sight(&mut self) {
        self.opened.lose_sight();
    }

    fn explains(&self, kind: usize) -> bool {
        match kind {
            0 => !self.clock.is_impossible(),
            _ => !self.opened.is_impossible(),
        }
    }

    fn is_wrongly_blocked(&self, request: &BlockedRequest, bounds: &Bounds) -> bool {
        request.counted < bounds.limit
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let first = log.last_but(bounds.limit);
        let since = first.map_or(Nanos::ZERO, |first| first.sent);
        (log.span(latest, since, bounds.targets), bounds.limit)
    }

    fn memory(&self) -> usize {
        self.clock.memory() + self.opened.memory()
    }
}
