//! The limiters that may explain what was observed, one file each.
//!
//! A [`Model`] follows one limit over the requests of one counter after the other. It knows the time of each decision only
//! as an interval, so it keeps everything that the limiter's state may be, and says whether a request may have been admitted or
//! blocked. Unlike the audit, which has to be just to a limiter that nobody described, a model is exact in both directions: a
//! limiter that blocks although it has room contradicts it.
//!
//! A request that did not overlap any other of its counter was decided in the order in which it was sent. Admissions that
//! overlap are taken in the order of their sents: whatever their true order was, a counter is as full after them. A blocked
//! request that overlaps another says nothing, and is left out.

mod clock_windows;
mod opened_windows;
mod sliding_counter;
mod sliding_window;
mod token_bucket;

use super::record::Seen;
use crate::base::Nanos;
use crate::core::audit::{Algorithm, Interval, Limit};
pub(super) use sliding_window::windows as log_windows;

/// What the state of a limit may be. Its methods are called in this order for each request: [`may_admit`](Self::may_admit)
/// or [`may_block`](Self::may_block), and if that is true, [`count`](Self::count) or [`block`](Self::block).
pub(super) trait Model {
    fn may_admit(&self, request: &Seen) -> bool;

    fn may_block(&self, request: &Seen) -> bool;

    /// The request counts from its decision on, and was admitted unless blocked requests count too.
    fn count(&mut self, request: &Seen);

    /// The request was blocked by this limit.
    fn block(&mut self, request: &Seen);

    /// The requests that follow are another counter's, in the order of time again.
    fn next_counter(&mut self);

    /// Whether another pass over all requests would tell more. It begins with [`next_counter`](Self::next_counter).
    fn refine(&mut self) -> bool {
        false
    }

    /// The phases at which the windows of a clock may begin that all counters share: the shortest arc with all of them. The
    /// second value may be longer than the window. `None` if none is excluded.
    fn phases(&self) -> Option<Interval> {
        None
    }
}

/// How a limit is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hypothesis {
    pub limit: Limit,
    pub counts_blocked: bool,
}

/// What no state of a limiter explains. The time is from the counter's first request to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// A request was admitted: the window is too long, or the limit too low.
    Admitted(Nanos),
    /// A request was blocked: the window is too short, or the limit too high.
    Blocked(Nanos),
}

/// Holds limiters with these limits, all at once, against what was observed. Each counter's requests are in the order of their
/// sents. `grain` is how coarse the limiter's clock is, and how far apart its nodes' clocks are.
pub(super) fn explain<'a>(
    hypotheses: &[Hypothesis],
    counters: impl Iterator<Item = &'a [Seen]> + Clone,
    grain: Nanos,
) -> Result<(), Contradiction> {
    follow(&mut models(hypotheses, grain), hypotheses, counters)
}

/// The phases of the windows of each limit, if one clock lays them and they are known, and all limits explain what was observed.
pub(super) fn phases<'a>(
    hypotheses: &[Hypothesis],
    counters: impl Iterator<Item = &'a [Seen]> + Clone,
    grain: Nanos,
) -> Vec<Option<Interval>> {
    let mut models = models(hypotheses, grain);
    match follow(&mut models, hypotheses, counters) {
        Ok(()) => models.iter().map(|model| model.phases()).collect(),
        Err(_) => vec![None; models.len()],
    }
}

fn models(hypotheses: &[Hypothesis], grain: Nanos) -> Vec<Box<dyn Model>> {
    let limits = hypotheses.iter().map(|one| &one.limit);
    limits.map(|limit| model(limit, grain)).collect()
}

fn follow<'a>(
    models: &mut [Box<dyn Model>],
    hypotheses: &[Hypothesis],
    counters: impl Iterator<Item = &'a [Seen]> + Clone,
) -> Result<(), Contradiction> {
    loop {
        for counter in counters.clone() {
            models.iter_mut().for_each(|model| model.next_counter());
            let first = counter.first().map_or(Nanos::ZERO, |first| first.sent);
            for request in counter {
                take(models, hypotheses, request).map_err(|contradiction| {
                    let after = request.sent.saturating_sub(first);
                    contradiction(after)
                })?;
            }
        }
        let refined = models.iter_mut().map(|model| model.refine());
        if !refined.fold(false, |any, one| any | one) {
            return Ok(());
        }
    }
}

/// Takes in the next request.
fn take(
    models: &mut [Box<dyn Model>],
    hypotheses: &[Hypothesis],
    request: &Seen,
) -> Result<(), fn(Nanos) -> Contradiction> {
    if request.admitted {
        if !models.iter().all(|model| model.may_admit(request)) {
            return Err(Contradiction::Admitted);
        }
        models.iter_mut().for_each(|model| model.count(request));
        return Ok(());
    }
    if !request.alone {
        return Ok(());
    }
    let mut blocking = models.iter_mut().filter(|model| model.may_block(request));
    let Some(first) = blocking.next() else {
        return Err(Contradiction::Blocked);
    };
    // One of several may have blocked it. Then it narrows none of them.
    if blocking.next().is_none() {
        first.block(request);
    }
    for (model, _) in models
        .iter_mut()
        .zip(hypotheses)
        .filter(|(_, one)| one.counts_blocked)
    {
        model.count(request);
    }
    Ok(())
}

/// The shortest arc of a circle with all these arcs, none of which reaches around its zero. They are in order.
fn shortest_arc(arcs: &[Interval], circle: Nanos) -> Option<Interval> {
    let (first, last) = (arcs.first()?, arcs.last()?);
    let around = (last.to, first.from + circle);
    let gaps = arcs.windows(2).map(|pair| (pair[0].to, pair[1].from));
    let (before, after) = gaps
        .chain([around])
        .max_by_key(|(before, after)| after.saturating_sub(*before))?;
    let (from, to) = match after.checked_sub(circle) {
        Some(from) => (from, before),
        None => (after, before + circle),
    };
    (to - from < circle).then(|| Interval::new(from, to))
}

fn model(limit: &Limit, grain: Nanos) -> Box<dyn Model> {
    let kind = limit.kind.unwrap_or(0);
    let name = limit.algorithm.about().kinds[kind].name;
    let shared_clock = limit.algorithm.about().kinds[kind].has_one_clock;
    let quota = limit.quota;
    match limit.algorithm {
        Algorithm::SlidingWindow => Box::new(sliding_window::SlidingWindow::new(quota, grain)),
        Algorithm::FixedWindow if name == "admission" => {
            Box::new(opened_windows::OpenedWindows::new(quota, grain))
        }
        Algorithm::FixedWindow => Box::new(clock_windows::WindowsOfAClock::new(
            quota,
            grain,
            shared_clock,
        )),
        Algorithm::TokenBucket => Box::new(token_bucket::TokenBucket::new(quota, grain)),
        Algorithm::SlidingCounter => Box::new(sliding_counter::SlidingCounter::new(
            quota,
            grain,
            shared_clock,
        )),
    }
}
