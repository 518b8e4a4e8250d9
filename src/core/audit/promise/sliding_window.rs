//! A sliding window admits at most L requests in any interval of length W.
//!
//! **Bound.** An interval of length k·W consists of k intervals of length W, so at most k·L are admitted in it, for every
//! k.
//!
//! **Excess.** It is broken when more than k·L allowed requests lie within less than k·W − ε. For k = 1, every span that
//! ends with the latest admission is looked at. For greater k, these are the spans up to 8 W that are remembered, and the
//! [`BusyPeriod`](crate::core::audit::busy_period::BusyPeriod), however long: of all spans, it has the most admissions
//! beyond L per W. Long spans show what the answers of one window hide if they take about as long as it.
//!
//! **False block.** A request is wrongly blocked if fewer than L others can have counted against it.

use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Kind, Latest, Limit, Nanos,
    Needed, Observation, Possible,
};

pub const ABOUT: About = About {
    name: "sliding-window",
    limiter: "a sliding window",
    kinds: &[Kind {
        name: "log",
        limiter: "a log of admissions",
        by_default: true,
        has_one_clock: false,
    }],
    has_burst: false,
    limits_to_exceed: 1,
    windows: 1,
    more_in_any_window: "the tolerated excess comes on top of the limit",
    busiest_window_is_proof: true,
    block_is_general: true,
    excess: super::more_than_promised,
    wrong_block: super::too_few_counted,
};

/// The longest span that is looked at, in windows.
pub(super) const MOST_WINDOWS: u64 = 8;

#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// The first excess, as the number of admissions before the latest, and the windows that they lie in.
    exceeded: Option<TooMany>,
    needed: Needed,
}

/// More admissions than `windows` windows admit.
#[derive(Debug, Clone, Copy)]
pub(super) struct TooMany {
    pub since: Nanos,
    pub admitted: u64,
    pub windows: u64,
}

impl SlidingWindow {
    pub fn new(_: &Limit, _: &Bounds) -> SlidingWindow {
        SlidingWindow {
            exceeded: None,
            needed: Needed::NOTHING,
        }
    }

    fn take_in(&mut self, too_many: TooMany, done: Nanos, bounds: &Bounds) {
        let TooMany {
            since,
            admitted,
            windows,
        } = too_many;
        self.exceeded = self.exceeded.or(Some(too_many));
        let promised = bounds.limit.max(1) * windows;
        let share = admitted as f64 / promised as f64 - 1.0;
        // Were the clocks so far apart, these requests would not lie within the windows.
        let lasted = done - since;
        let missing =
            (bounds.window * windows).saturating_sub(lasted + bounds.tolerance_over(windows));
        let needed = Needed::NOTHING
            .with_excess(share)
            .with_clock(missing, bounds);
        self.needed = self.needed.and(needed);
    }
}

/// The spans that end with the latest admission, and hold more than `allowed(k)` admissions within less than k·W − ε.
pub(super) fn too_many(
    latest: &Latest,
    log: &AdmissionLog,
    bounds: &Bounds,
    allowed: impl Fn(u64) -> u64,
) -> impl Iterator<Item = TooMany> {
    let done = latest.done;
    let remembered = (2..=MOST_WINDOWS)
        .take_while(move |k| log.len() as u64 > bounds.most.saturating_mul(k - 1));
    let spans = remembered.map(move |windows| {
        let span = bounds.window * windows - bounds.tolerance_over(windows);
        let admitted = log.count_within(span, done);
        let first = admitted
            .checked_sub(1)
            .and_then(|others| log.last_but(others));
        TooMany {
            since: first.map_or(done, |first| first.sent),
            admitted,
            windows,
        }
    });
    let busy = log.busy_period();
    let longest = TooMany {
        since: busy.since,
        admitted: busy.given,
        windows: bounds.windows_over(done.saturating_sub(busy.since)),
    };
    spans
        .chain([longest])
        .filter(move |span| span.admitted > allowed(span.windows))
}

/// More than k·L lie within less than k·W − ε.
pub fn is_too_many(latest: &Latest, log: &AdmissionLog, bounds: &Bounds) -> bool {
    let allowed = |windows| bounds.most.saturating_mul(windows);
    latest.within > bounds.most || too_many(latest, log, bounds, allowed).next().is_some()
}

/// More than (k + 1)·L lie within less than k·W − ε, which no windows laid end to end admit, whatever their phase.
pub(super) fn is_too_many_for_any_phase(
    latest: &Latest,
    log: &AdmissionLog,
    bounds: &Bounds,
) -> bool {
    let allowed = |windows| bounds.most.saturating_mul(windows + 1);
    latest.within > allowed(1) || too_many(latest, log, bounds, allowed).next().is_some()
}

impl Evidence for SlidingWindow {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        if latest.within > bounds.most {
            // The shortest span with one too many needs the most tolerance, the longest the greatest share.
            for others in [bounds.most, latest.within - 1] {
                if let Some(first) = log.last_but(others) {
                    let too_many = TooMany {
                        since: first.sent,
                        admitted: others + 1,
                        windows: 1,
                    };
                    self.take_in(too_many, latest.done, bounds);
                }
            }
        }
        let allowed = |windows| bounds.most.saturating_mul(windows);
        for found in too_many(latest, log, bounds, allowed) {
            self.take_in(found, latest.done, bounds);
        }
    }

    fn explains(&self, _kind: usize) -> bool {
        self.exceeded.is_none()
    }

    fn is_wrongly_blocked(
        &mut self,
        request: &BlockedRequest,
        _: &AdmissionLog,
        bounds: &Bounds,
    ) -> bool {
        request.counted < bounds.limit
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let found = self.exceeded.expect("an excess");
        if found.windows == 1 {
            // A span that is found by its own length may be a little longer.
            let within = (latest.done + Nanos(1)).saturating_sub(bounds.shortest_window);
            let since = within.min(found.since);
            return (log.span(latest, since, bounds.targets), bounds.limit);
        }
        let span = log.span_of(latest, found.since, found.admitted, bounds.targets);
        (span, bounds.limit.saturating_mul(found.windows))
    }

    fn unseen(&self, _kind: usize, possible: &Possible, bounds: &Bounds) -> u64 {
        possible.at_most.saturating_sub(bounds.limit)
    }

    fn needed(&self, _kind: usize, _bounds: &Bounds) -> Needed {
        self.needed
    }
}
