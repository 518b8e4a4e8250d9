//! What is known of a key by the limits of one quota, if these requests were admitted.

use super::bounds::{Bounds, PriorUse};
use super::groups::{Flags, Group};
use super::observation::{Decision, Observation};
use super::promise::{BlockedRequest, Latest, OneClock};
use super::scenario::Scenario;
use crate::base::Nanos;
use std::collections::VecDeque;

/// A scenario, and the requests that may have counted beside its admissions.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub scenario: Scenario,
    /// The requests under way that will turn out to be allowed.
    pub allowed_in_flight: u64,
    /// The requests under way that will turn out to be blocked.
    pub blocked_in_flight: u64,
    /// Requests that may have been counted at any time since they were sent.
    pub maybe_counted: u64,
    /// The dones of the admissions that were left out, but for those that were made while failing open. They may have been
    /// counted until then.
    left_out: VecDeque<Nanos>,
    /// Admissions done before this have been discarded to save memory.
    given_up: Nanos,
}

/// What a blocked request shows of the limits of one quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub request: BlockedRequest,
    /// The limits that should have let it pass.
    pub wrongly: Flags,
    /// Whether it can show anything: it did not take too long, all that can have counted is remembered, and nobody else
    /// uses the key.
    pub is_judged: bool,
}

impl Reading {
    pub fn new(group: &Group) -> Reading {
        Reading {
            scenario: Scenario::new(group),
            allowed_in_flight: 0,
            blocked_in_flight: 0,
            maybe_counted: 0,
            left_out: VecDeque::new(),
            given_up: Nanos::ZERO,
        }
    }

    /// A request was sent. Its answer is known already.
    pub fn sent(&mut self, request: &Observation, bounds: &Bounds) {
        match request.decision {
            Decision::Allowed => self.allowed_in_flight += 1,
            Decision::Blocked => self.blocked_in_flight += 1,
            Decision::Failed | Decision::Unanswered => self.maybe_counted += 1,
        }
        if request.failing_open {
            // What its node sent to the store may be counted as soon as the store works again.
            self.maybe_counted += 1;
        }
        if changes_unseen(request, bounds) {
            self.scenario.lose_sight();
        }
    }

    /// A request that was sent is done, and was allowed. Returns `None` if it comes too late to be of use; then it may
    /// have been counted at any time.
    pub fn admit(&mut self, request: &Observation, group: &Group) -> Option<Latest> {
        self.allowed_in_flight -= 1;
        let latest = self.scenario.admit(request, group);
        if latest.is_none() {
            self.maybe_counted += 1;
        }
        latest
    }

    /// A request that was sent is done, and was allowed, but is not one of the admissions of this reading.
    pub fn leave_out(&mut self, request: &Observation) {
        self.allowed_in_flight -= 1;
        if !request.failing_open {
            self.left_out.push_back(request.done);
        }
        self.scenario.lose_sight();
    }

    /// A request was blocked. All requests sent before it was done are known by now. `clocks` are those of the limits,
    /// by their places.
    pub fn block(
        &mut self,
        request: &Observation,
        group: &Group,
        clocks: &mut [Option<Box<dyn OneClock>>],
    ) -> Shown {
        let bounds = &group.bounds;
        self.blocked_in_flight -= 1;
        let since = request.sent.saturating_sub(bounds.longest_window);
        let left_out = self.left_out.partition_point(|done| *done < since);
        let left_out = (self.left_out.len() - left_out) as u64;
        let pending = self.allowed_in_flight + self.maybe_counted + left_out;
        let log = &self.scenario.log;
        let blocked = BlockedRequest {
            sent: request.sent,
            done: request.done,
            counted: log.count_reaching(since) + pending,
            pending,
            is_alone: true,
        };
        let is_in_time = request.done - request.sent <= bounds.timeout;
        let is_remembered = self.given_up == Nanos::ZERO || since > self.given_up;
        let is_alone = match bounds.prior_use {
            PriorUse::None => true,
            PriorUse::Anyone => false,
        };
        let is_judged = is_in_time && is_remembered && is_alone;
        let mut wrongly = Flags::default();
        if is_judged {
            let evidence = self.scenario.evidence.iter_mut();
            for (evidence, (place, limit)) in evidence.zip(&group.limits) {
                let blocked = BlockedRequest {
                    is_alone: group.alone.has(*place),
                    ..blocked
                };
                let mut is_wrong = evidence.of_mut().is_wrongly_blocked(&blocked, log, bounds);
                let clock = clocks[*place].as_mut();
                if let Some(clock) = clock.filter(|_| blocked.is_alone) {
                    let is_last = clock.block(&blocked, log, bounds);
                    is_wrong |= is_last && limit.has_only_one_clock();
                }
                if is_wrong {
                    wrongly.set(*place);
                }
            }
        }
        Shown {
            request: blocked,
            wrongly,
            is_judged,
        }
    }

    /// Forgets what was done before this.
    pub fn forget_before(&mut self, end: Nanos) {
        self.scenario.log.forget_before(end);
        let old = self.left_out.partition_point(|done| *done < end);
        self.left_out.drain(..old);
    }

    /// Gives up the older half of the admissions.
    pub fn give_up_half(&mut self) {
        if let Some(done) = self.scenario.log.forget_half() {
            self.given_up = self.given_up.max(done);
        }
        let half = self.left_out.len().div_ceil(2);
        if let Some(done) = self.left_out.drain(..half).next_back() {
            self.given_up = self.given_up.max(done);
        }
        self.left_out.shrink_to_fit();
    }

    /// How many requests are under way, or may be counted at any time.
    pub fn in_flight(&self) -> u64 {
        self.allowed_in_flight + self.blocked_in_flight + self.maybe_counted
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        self.scenario.memory() + self.left_out.capacity() * size_of::<Nanos>()
    }
}

/// Whether a request that was sent may change the limiter's state before it is done, or without its being known.
pub(super) fn changes_unseen(request: &Observation, bounds: &Bounds) -> bool {
    match request.decision {
        // While it is under way, windows may come and go, one of which it opens.
        Decision::Allowed => request.done - request.sent >= bounds.shortest_window,
        Decision::Blocked => false,
        Decision::Failed | Decision::Unanswered => true,
    }
}
