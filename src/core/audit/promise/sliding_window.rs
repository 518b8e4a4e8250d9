//! A sliding window admits at most L requests in any interval of length W.
//!
//! It is broken when more than L allowed requests lie within less than W − ε, where ε is the tolerance of the limiter's
//! clocks. A request is wrongly blocked if fewer than L others can have counted against it.

use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Latest, Nanos, Observation,
    PriorUse,
};

pub const ABOUT: About = About {
    name: "sliding-window",
    limiter: "a sliding window",
    kinds: &["a log of admissions"],
    limits_to_exceed: 1,
    busiest_window_is_proof: true,
    block_is_general: true,
    excess: super::more_than_promised,
    wrong_block: super::too_few_counted,
};

#[derive(Debug, Clone)]
pub struct SlidingWindow {
    exceeded: bool,
}

impl SlidingWindow {
    pub fn new(_: PriorUse) -> SlidingWindow {
        SlidingWindow { exceeded: false }
    }
}

impl Evidence for SlidingWindow {
    fn admit(&mut self, latest: &Latest, _: &AdmissionLog, bounds: &Bounds) {
        self.exceeded |= latest.within > bounds.limit;
    }

    fn explains(&self, _kind: usize) -> bool {
        !self.exceeded
    }

    fn is_wrongly_blocked(&self, request: &BlockedRequest, bounds: &Bounds) -> bool {
        request.counted < bounds.limit
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let since = (latest.done + Nanos(1)).saturating_sub(bounds.shortest_window);
        (log.span(latest, since, bounds.targets), bounds.limit)
    }
}
