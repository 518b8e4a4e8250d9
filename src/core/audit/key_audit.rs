//! All that is known of one key.

use super::admission_log::AdmissionLog;
use super::bounds::{Bounds, PriorUse};
use super::observation::{AuditedKey, Decision, Observation};
use super::promise::{BlockedRequest, KeyEvidence, Latest, Promise, PromiseFlags};
use super::proof::{AdmissionSpan, Proof};
use crate::base::Nanos;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct KeyAudit {
    /// Exactly the allowed requests were admitted. This is what proofs are made of.
    pub proved: Scenario,
    /// The unanswered requests were admitted too. Exists from the first such request on.
    pub possible: Option<Box<Scenario>>,
    /// All answered requests were admitted, as by a limiter without a limit. Exists until each promise was tested.
    unlimited: Option<Box<Scenario>>,
    /// Whether any promise was tested.
    was_tested: bool,
    /// The requests under way that will turn out to be allowed.
    allowed_in_flight: u64,
    /// The requests under way that will turn out to be blocked.
    blocked_in_flight: u64,
    /// Requests that may have been counted at any time since they were sent.
    maybe_counted: u64,
    /// Of those, the ones that may have been admitted.
    maybe_admitted: u64,
    pub busiest: BusiestWindow,
    /// Admissions done before this have been discarded to save memory.
    given_up: Nanos,
    /// The dones of the latest answered requests, as many as the limit.
    answered: VecDeque<Nanos>,
    /// The done of the latest request.
    pub latest: Nanos,
}

/// The answered requests are remembered up to this limit. A longer list would not be worth its memory.
const MOST_ANSWERED: u64 = 1 << 16;

/// The window's length in which most requests of the key were admitted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusiestWindow {
    pub at_least: u64,
    pub at_most: u64,
    /// The surely admitted requests lie between these instants.
    from: Nanos,
    to: Nanos,
    /// Whether its requests have been collected already, before they were forgotten.
    is_collected: bool,
}

/// What a blocked request shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocked {
    /// The promises that should have let it pass.
    pub wrongly: PromiseFlags,
    /// How many others can have counted against it.
    pub counted: u64,
    /// Whether that would be the limit or more if blocked requests counted too; `None` if it is not known.
    pub is_explained_by_blocked: Option<bool>,
}

impl KeyAudit {
    pub fn new(prior_use: PriorUse) -> KeyAudit {
        KeyAudit {
            proved: Scenario::new(prior_use),
            possible: None,
            unlimited: Some(Box::new(Scenario::new(prior_use))),
            was_tested: false,
            allowed_in_flight: 0,
            blocked_in_flight: 0,
            maybe_counted: 0,
            maybe_admitted: 0,
            busiest: BusiestWindow::default(),
            given_up: Nanos::ZERO,
            answered: VecDeque::new(),
            latest: Nanos::ZERO,
        }
    }

    /// A request was sent. Its answer is known already.
    pub fn sent(&mut self, request: &Observation, bounds: &Bounds) {
        match request.decision {
            Decision::Allowed => {
                self.allowed_in_flight += 1;
                // While it is under way, windows may come and go, one of which it opens.
                if request.done - request.sent >= bounds.shortest_window {
                    self.lose_sight();
                }
            }
            Decision::Blocked => self.blocked_in_flight += 1,
            Decision::Failed | Decision::Unanswered => {
                self.maybe_counted += 1;
                self.lose_sight();
            }
        }
    }

    fn lose_sight(&mut self) {
        self.proved.lose_sight();
        let scenarios = [&mut self.possible, &mut self.unlimited];
        for scenario in scenarios.into_iter().flatten() {
            scenario.lose_sight();
        }
    }

    /// A request that was sent is done, and was allowed.
    pub fn allow(
        &mut self,
        request: &Observation,
        promises: &[Promise],
        bounds: &Bounds,
    ) -> Option<Shown> {
        self.allowed_in_flight -= 1;
        if let Some(possible) = &mut self.possible {
            possible.admit(request, promises, bounds);
        }
        let Some(shown) = self.proved.admit(request, promises, bounds) else {
            self.maybe_counted += 1;
            self.maybe_admitted += 1;
            return None;
        };
        if shown.within > self.busiest.at_least {
            let first = self.proved.log.last_but(shown.within - 1);
            let from = first.map_or(request.sent, |first| first.sent);
            self.busiest = BusiestWindow {
                at_least: shown.within,
                from,
                to: request.done,
                is_collected: false,
                ..self.busiest
            };
        }
        self.raise_at_most(request.sent, bounds);
        Some(shown)
    }

    /// Takes in how many at most were admitted in the window that ends at `end`.
    fn raise_at_most(&mut self, end: Nanos, bounds: &Bounds) {
        let since = end.saturating_sub(bounds.window);
        let reaching = self.proved.log.count_reaching(since);
        let at_most = reaching + self.allowed_in_flight + self.maybe_admitted;
        self.busiest.at_most = self.busiest.at_most.max(at_most);
    }

    /// A request was not answered.
    pub fn lose(&mut self, request: &Observation, promises: &[Promise], bounds: &Bounds) {
        self.maybe_admitted += 1;
        let proved = &self.proved;
        let possible = self
            .possible
            .get_or_insert_with(|| Box::new(proved.clone()));
        possible.admit(request, promises, bounds);
        self.raise_at_most(request.sent, bounds);
    }

    /// A request was allowed or blocked. Returns what that shows of a limiter that would have admitted everything,
    /// until each promise was tested.
    pub fn answer(
        &mut self,
        request: &Observation,
        promises: &[Promise],
        bounds: &Bounds,
    ) -> Option<Shown> {
        let unlimited = self.unlimited.as_mut()?;
        let end = request.done.saturating_sub(bounds.kept);
        unlimited.log.forget_before(end);
        let shown = unlimited.admit(request, promises, bounds)?;
        self.was_tested |= shown.newly_broken.contains(&true);
        if promises
            .iter()
            .all(|promise| unlimited.evidence.is_broken(*promise))
        {
            self.unlimited = None;
        }
        Some(shown)
    }

    /// A request was blocked. All requests sent before it was done are known by now.
    pub fn block(&mut self, request: &Observation, bounds: &Bounds) -> Blocked {
        self.blocked_in_flight -= 1;
        let since = request.sent.saturating_sub(bounds.longest_window);
        let pending = self.allowed_in_flight + self.maybe_counted;
        let blocked = BlockedRequest {
            sent: request.sent,
            done: request.done,
            counted: self.proved.log.count_reaching(since) + pending,
            pending,
        };
        let is_in_time = request.done - request.sent <= bounds.timeout;
        let is_remembered = self.given_up == Nanos::ZERO || since > self.given_up;
        let is_alone = match bounds.prior_use {
            PriorUse::None => true,
            PriorUse::EarlierRun => request.sent > bounds.longest_window,
            PriorUse::Anyone => false,
        };
        let mut wrongly = PromiseFlags::default();
        if is_in_time && is_remembered && is_alone {
            wrongly = Promise::ALL.map(|promise| {
                let evidence = self.proved.evidence.of(promise);
                evidence.is_wrongly_blocked(&blocked, bounds)
            });
        }
        let is_explained_by_blocked = (bounds.limit <= MOST_ANSWERED).then(|| {
            let before = self.answered.partition_point(|done| *done < since);
            let answered = (self.answered.len() - before) as u64;
            answered + pending + self.blocked_in_flight >= bounds.limit
        });
        Blocked {
            wrongly,
            counted: blocked.counted,
            is_explained_by_blocked,
        }
    }

    /// Whether the target that blocked this request had itself admitted too few to do so.
    pub fn is_blocked_for_others(&self, request: &Observation, bounds: &Bounds) -> bool {
        let since = request.sent.saturating_sub(bounds.longest_window);
        let log = &self.proved.log;
        let own = log.count_reaching_of(since, request.target as usize);
        own + self.allowed_in_flight + self.maybe_counted < bounds.limit
    }

    /// Remembers that a request was answered.
    pub fn remember_answer(&mut self, done: Nanos, bounds: &Bounds) {
        if bounds.limit <= MOST_ANSWERED {
            if self.answered.len() as u64 == bounds.limit {
                self.answered.pop_front();
            }
            self.answered.push_back(done);
        }
    }

    /// Forgets what is no longer needed when a request is done at `done`. Returns the busiest window if it is about to
    /// be forgotten and `is_wanted`, going by its number of admissions.
    pub fn forget(
        &mut self,
        key: AuditedKey,
        done: Nanos,
        is_wanted: impl FnOnce(u64) -> bool,
        bounds: &Bounds,
    ) -> Option<AdmissionSpan> {
        let end = done.saturating_sub(bounds.kept);
        if let Some(possible) = &mut self.possible {
            possible.log.forget_before(end);
        }
        if self.proved.log.first()?.done >= end {
            return None;
        }
        let mut span = None;
        if self.busiest.from < end && is_wanted(self.busiest.at_least) {
            span = self.collect_busiest(key, bounds);
        }
        self.proved.log.forget_before(end);
        span
    }

    /// The requests of the busiest window, if there are any. They are collected once.
    pub fn collect_busiest(&mut self, key: AuditedKey, bounds: &Bounds) -> Option<AdmissionSpan> {
        let BusiestWindow { from, to, .. } = self.busiest;
        if self.busiest.is_collected || self.busiest.at_least == 0 {
            return None;
        }
        self.busiest.is_collected = true;
        Some(self.proved.log.span_between(key, from, to, bounds.targets))
    }

    /// The proof that the allowed requests up to the latest one break a promise. `after` is how many requests had been
    /// looked at by then.
    pub fn proof(
        &self,
        promise: Promise,
        latest: &Observation,
        after: u64,
        bounds: &Bounds,
    ) -> Proof {
        let evidence = self.proved.evidence.of(promise);
        let (span, promised) = evidence.excess(latest, &self.proved.log, bounds);
        Proof {
            span,
            promised,
            after,
        }
    }

    /// Gives up the older half of what is remembered.
    pub fn give_up_half(&mut self) {
        if let Some(done) = self.proved.log.forget_half() {
            self.given_up = self.given_up.max(done);
        }
        self.possible = None;
        self.unlimited = None;
        self.answered = VecDeque::new();
    }

    /// Whether the key can be forgotten without loss, as if it had never been seen.
    pub fn is_idle(&self, now: Nanos, bounds: &Bounds) -> bool {
        let idle = now.saturating_sub(self.latest);
        let is_plain = !self.was_tested && self.busiest.at_least <= bounds.limit;
        let is_settled = self.allowed_in_flight + self.blocked_in_flight + self.maybe_counted == 0;
        is_plain && is_settled && idle > bounds.kept * 2
    }

    /// Whether there is anything worth giving up.
    pub fn remembers_much(&self) -> bool {
        self.proved.log.len() > 1 || self.unlimited.is_some()
    }

    /// The memory used, in bytes.
    pub fn memory(&self) -> usize {
        let boxed = [&self.possible, &self.unlimited].into_iter().flatten();
        let boxed = boxed.map(|scenario| size_of::<Scenario>() + scenario.memory());
        size_of::<Self>()
            + self.proved.memory()
            + boxed.sum::<usize>()
            + self.answered.capacity() * size_of::<Nanos>()
    }
}

/// One reading of which requests of a key were admitted, held to each promise.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub log: AdmissionLog,
    pub evidence: KeyEvidence,
}

/// What one more admission shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// How many admissions, with this one, surely lie within one window's length.
    pub within: u64,
    /// The promises that it is the first to prove broken.
    pub newly_broken: PromiseFlags,
}

impl Scenario {
    pub fn new(prior_use: PriorUse) -> Scenario {
        Scenario {
            log: AdmissionLog::default(),
            evidence: KeyEvidence::new(prior_use),
        }
    }

    /// Takes in one more admission, done after all others. Returns `None` if it comes too late to be of use.
    pub fn admit(
        &mut self,
        request: &Observation,
        promises: &[Promise],
        bounds: &Bounds,
    ) -> Option<Shown> {
        for promise in promises {
            self.evidence.of_mut(*promise).count(request.done, bounds);
        }
        if !self.log.insert(request, bounds) {
            return None;
        }
        let latest = Latest {
            sent: request.sent,
            done: request.done,
            within: self.log.count_within(bounds.shortest_window, request.done),
        };
        let mut newly_broken = PromiseFlags::default();
        for promise in promises {
            let was_broken = self.evidence.is_broken(*promise);
            let evidence = self.evidence.of_mut(*promise);
            evidence.admit(&latest, &self.log, bounds);
            newly_broken[*promise as usize] = !was_broken && self.evidence.is_broken(*promise);
        }
        Some(Shown {
            within: latest.within,
            newly_broken,
        })
    }

    /// A request of the key may have changed the limiter's state unseen.
    pub fn lose_sight(&mut self) {
        for promise in Promise::ALL {
            self.evidence.of_mut(promise).lose_sight();
        }
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        let evidence = Promise::ALL.map(|promise| self.evidence.of(promise).memory());
        self.log.memory() + evidence.iter().sum::<usize>()
    }
}
