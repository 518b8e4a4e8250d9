//! Windows that a clock lays end to end: each admits L.
//!
//! An admitted request is in a later window than the L-th admission before it, so a boundary lies between the two. A
//! blocked request is in the window of that admission, so none does. Two boundaries are a window apart, so that between a
//! counter's first admission and the k L-th after it lie k − 1 windows.

use super::{Model, shortest_arc};
use crate::base::Nanos;
use crate::core::audit::{ClockWindows, Interval, Quota};
use crate::core::discovery::record::Seen;
use std::collections::VecDeque;

pub(super) struct WindowsOfAClock {
    limit: usize,
    window: Nanos,
    grain: Nanos,
    /// Whether all counters have the same windows.
    shared: bool,
    phases: ClockWindows,
    /// The latest counted requests, in order; at most `limit`.
    latest: VecDeque<Seen>,
    /// The sent of the first counted request.
    first: Option<Nanos>,
    counted: usize,
}

impl WindowsOfAClock {
    pub fn new(quota: Quota, grain: Nanos, shared: bool) -> WindowsOfAClock {
        WindowsOfAClock {
            limit: usize::try_from(quota.limit).unwrap_or(usize::MAX),
            window: quota.window,
            grain,
            shared,
            phases: ClockWindows::AnyPhase,
            latest: VecDeque::new(),
            first: None,
            counted: 0,
        }
    }

    /// The L-th latest counted request.
    fn earliest(&self) -> Option<&Seen> {
        self.latest
            .front()
            .filter(|_| self.latest.len() == self.limit)
    }

    /// Whether there were as many windows since the first request as all admissions take.
    fn had_windows(&self, request: &Seen) -> bool {
        let windows = (self.counted / self.limit).saturating_sub(1) as u64;
        let had = |first: Nanos| first + self.window * windows <= request.done + self.grain * 2;
        self.first.is_none_or(had)
    }

    /// The phases if there is a boundary between the two requests.
    fn with_boundary(&self, before: &Seen, after: &Seen) -> ClockWindows {
        let mut phases = self.phases.clone();
        let (from, to) = (after.done + self.grain, before.sent + self.window);
        if let Some(to) = to.checked_sub(self.grain).filter(|to| from < *to) {
            phases.exclude(from + Nanos(1), to, Nanos::ZERO, self.window);
        }
        phases
    }

    /// The phases if there is none.
    fn without_boundary(&self, before: &Seen, after: &Seen) -> ClockWindows {
        let mut phases = self.phases.clone();
        let (from, to) = (before.done + self.grain, after.sent);
        if let Some(to) = to.checked_sub(self.grain).filter(|to| from < *to) {
            phases.exclude(from, to, Nanos::ZERO, self.window);
        }
        phases
    }
}

impl Model for WindowsOfAClock {
    fn may_admit(&self, request: &Seen) -> bool {
        let may_begin = |before| !self.with_boundary(before, request).is_impossible();
        self.had_windows(request) && self.earliest().is_none_or(may_begin)
    }

    fn may_block(&self, request: &Seen) -> bool {
        self.earliest()
            .is_some_and(|before| !self.without_boundary(before, request).is_impossible())
    }

    fn count(&mut self, request: &Seen) {
        if let Some(before) = self.earliest().filter(|_| request.admitted) {
            self.phases = self.with_boundary(before, request);
        }
        self.first.get_or_insert(request.sent);
        self.counted += 1;
        self.latest.push_back(*request);
        if self.latest.len() > self.limit {
            self.latest.pop_front();
        }
    }

    fn block(&mut self, request: &Seen) {
        if let Some(before) = self.earliest() {
            self.phases = self.without_boundary(before, request);
        }
    }

    fn next_counter(&mut self) {
        self.latest.clear();
        (self.first, self.counted) = (None, 0);
        if !self.shared {
            self.phases = ClockWindows::AnyPhase;
        }
    }

    fn phases(&self) -> Option<Interval> {
        let ClockWindows::Within { arcs, .. } = &self.phases else {
            return None;
        };
        shortest_arc(arcs, self.window).filter(|_| self.shared)
    }
}
