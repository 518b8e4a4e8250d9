//! All that is known of one key.

use super::level::Level;
use super::log::Request;
use super::observation::{AuditedKey, Decision, Observation};
use super::report::{AdmissionSpan, Proof};
use super::stream::{Shown, Stream};
use super::terms::{Bounds, PriorUse, Promise, PromiseSet, Terms};
use crate::base::Nanos;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct KeyAudit {
    /// What was allowed.
    pub allowed: Stream,
    /// That, and what was not answered; from the first such request on.
    pub perhaps: Option<Box<Stream>>,
    /// All that was answered, as if it had been allowed: until each promise has been tested.
    asked: Option<Box<Stream>>,
    /// The promises that have been tested.
    pub tested: PromiseSet,
    level: Level,
    /// Of the requests sent so far, those that will turn out to be allowed.
    in_flight: u64,
    /// The same for those that will be blocked.
    to_be_blocked: u64,
    /// Requests that may have been counted at any time since they were sent.
    uncertain: u64,
    /// Of those, the ones that may have been admitted.
    unanswered: u64,
    pub peak: Peak,
    /// Admissions done before this have been given up for want of memory.
    given_up: u64,
    /// The dones of the latest requests that were answered, as many as the limit.
    answered: VecDeque<u64>,
    /// When it was last heard of.
    pub latest: u64,
}

/// Of a longer list of answers it would not be worth the memory.
const MOST_ANSWERED: u64 = 1 << 16;

/// The most that were admitted within a window's length.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peak {
    pub at_least: u64,
    pub at_most: u64,
    /// Those that surely were lie from here to there.
    from: u64,
    to: u64,
    /// Whether they have been told of as a whole, before they were forgotten.
    told: bool,
}

/// What a request that was blocked shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked {
    /// The promises that should have let it through.
    pub falsely: PromiseSet,
    /// How many others can have counted against it.
    pub counted: u64,
    /// Whether that would be the limit or more if blocked requests counted too, if it is known.
    pub with_blocked: Option<bool>,
}

impl KeyAudit {
    pub fn new(prior_use: PriorUse) -> KeyAudit {
        KeyAudit {
            allowed: Stream::new(prior_use),
            perhaps: None,
            asked: Some(Box::new(Stream::new(prior_use))),
            tested: PromiseSet::default(),
            level: Level::new(prior_use),
            in_flight: 0,
            to_be_blocked: 0,
            uncertain: 0,
            unanswered: 0,
            peak: Peak::default(),
            given_up: 0,
            answered: VecDeque::new(),
            latest: 0,
        }
    }

    /// A request was sent. What becomes of it is known already.
    pub fn sent(&mut self, request: &Observation, bounds: &Bounds) {
        match request.decision {
            Decision::Allowed => {
                self.in_flight += 1;
                // While it was under way windows may have come and gone, one of which it opened.
                if request.done.0 - request.sent.0 >= bounds.within {
                    self.unseen();
                }
            }
            Decision::Blocked => self.to_be_blocked += 1,
            Decision::Failed | Decision::Unanswered => {
                self.uncertain += 1;
                self.unseen();
            }
        }
    }

    fn unseen(&mut self) {
        self.allowed.unseen();
        self.perhaps.iter_mut().for_each(|stream| stream.unseen());
        self.asked.iter_mut().for_each(|stream| stream.unseen());
    }

    /// A request that was sent is done, and was allowed.
    pub fn admit(
        &mut self,
        request: &Observation,
        promises: PromiseSet,
        bounds: &Bounds,
    ) -> Option<Shown> {
        let (sent, done) = (request.sent.0, request.done.0);
        let name = Request::new(request.sequence, request.target);
        self.in_flight -= 1;
        self.level.admit(done, bounds);
        if let Some(stream) = &mut self.perhaps {
            stream.admit(sent, done, name, promises, bounds);
        }
        let shown = self.allowed.admit(sent, done, name, promises, bounds);
        let Some(shown) = shown else {
            self.uncertain += 1;
            self.unanswered += 1;
            return None;
        };
        if shown.within > self.peak.at_least {
            let first = self.allowed.log.last_but(shown.within - 1);
            self.peak = Peak {
                at_least: shown.within,
                at_most: self.peak.at_most,
                from: first.map_or(sent, |first| first.sent),
                to: done,
                told: false,
            };
        }
        self.may_peak(sent, bounds);
        Some(shown)
    }

    /// How many at most were admitted in the window that ends then.
    fn may_peak(&mut self, end: u64, bounds: &Bounds) {
        let reaching = self.allowed.log.reaching(end.saturating_sub(bounds.window));
        let at_most = reaching + self.in_flight + self.unanswered;
        self.peak.at_most = self.peak.at_most.max(at_most);
    }

    /// A request was not answered.
    pub fn lose(&mut self, request: &Observation, promises: PromiseSet, bounds: &Bounds) {
        self.unanswered += 1;
        let allowed = &self.allowed;
        let perhaps = self
            .perhaps
            .get_or_insert_with(|| Box::new(allowed.clone()));
        let name = Request::new(request.sequence, request.target);
        perhaps.admit(request.sent.0, request.done.0, name, promises, bounds);
        self.may_peak(request.sent.0, bounds);
    }

    /// A request was answered, whether it was allowed or blocked. Returns the promises that are tested now, and how many
    /// were asked for within a window's length, until all are.
    pub fn answer(
        &mut self,
        request: &Observation,
        promises: PromiseSet,
        bounds: &Bounds,
    ) -> Option<Shown> {
        let asked = self.asked.as_mut()?;
        let (sent, done) = (request.sent.0, request.done.0);
        asked.log.forget_before(done.saturating_sub(bounds.kept));
        let name = Request::new(request.sequence, request.target);
        let shown = asked.admit(sent, done, name, promises, bounds)?;
        self.tested.insert_all(shown.broken);
        if self.tested == promises {
            self.asked = None;
        }
        Some(shown)
    }

    /// A request was blocked: all that was sent before it was done has been told of.
    pub fn block(
        &mut self,
        request: &Observation,
        prior_use: PriorUse,
        bounds: &Bounds,
    ) -> Blocked {
        self.to_be_blocked -= 1;
        let (sent, done) = (request.sent.0, request.done.0);
        let since = sent.saturating_sub(bounds.beyond);
        let counted = self.allowed.log.reaching(since) + self.in_flight + self.uncertain;
        let known = match prior_use {
            PriorUse::None => true,
            PriorUse::EarlierRun => sent > bounds.beyond,
            PriorUse::Anyone => false,
        };
        let mut falsely = PromiseSet::default();
        let known = known && done - sent <= bounds.timeout;
        if known && (self.given_up == 0 || since > self.given_up) {
            if counted < bounds.limit {
                falsely.insert(Promise::SlidingWindow);
                falsely.insert(Promise::FixedWindow);
            }
            let others = self.in_flight + self.uncertain;
            if self.level.had_one(sent, done, others, bounds) {
                falsely.insert(Promise::TokenBucket);
            }
        }
        let with_blocked = (bounds.limit <= MOST_ANSWERED).then(|| {
            let before = self.answered.partition_point(|done| *done < since);
            let answered = (self.answered.len() - before) as u64;
            let others = self.in_flight + self.to_be_blocked + self.uncertain;
            answered + others >= bounds.limit
        });
        Blocked {
            falsely,
            counted,
            with_blocked,
        }
    }

    /// Whether one target alone admitted too few of those that can have counted against a request that it blocked.
    pub fn is_blocked_for_others(&self, request: &Observation, bounds: &Bounds) -> bool {
        let since = request.sent.0.saturating_sub(bounds.beyond);
        let own = self.allowed.log.reaching_of(since, request.target as usize);
        own + self.in_flight + self.uncertain < bounds.limit
    }

    /// Remembers that a request was answered.
    pub fn remember_answer(&mut self, done: u64, bounds: &Bounds) {
        if bounds.limit <= MOST_ANSWERED {
            if self.answered.len() as u64 == bounds.limit {
                self.answered.pop_front();
            }
            self.answered.push_back(done);
        }
    }

    /// Forgets what is no longer needed when a request is done then. Returns the window of most admissions if it is
    /// about to be forgotten and `wanted`, going by their number.
    pub fn forget(
        &mut self,
        key: AuditedKey,
        done: u64,
        targets: usize,
        wanted: impl FnOnce(u64) -> bool,
        bounds: &Bounds,
    ) -> Option<AdmissionSpan> {
        let end = done.saturating_sub(bounds.kept);
        if let Some(stream) = &mut self.perhaps {
            stream.log.forget_before(end);
        }
        if self.allowed.log.first()?.done >= end {
            return None;
        }
        let in_time = self.peak.from < end && !self.peak.told && wanted(self.peak.at_least);
        let told = in_time.then(|| self.tell(key, targets));
        self.allowed.log.forget_before(end);
        told
    }

    /// The window of most admissions, if it has not been told of.
    pub fn untold(&mut self, key: AuditedKey, targets: usize) -> Option<AdmissionSpan> {
        let is_known = !self.peak.told && self.peak.at_least > 0;
        is_known.then(|| self.tell(key, targets))
    }

    fn tell(&mut self, key: AuditedKey, targets: usize) -> AdmissionSpan {
        self.peak.told = true;
        let log = &self.allowed.log;
        AdmissionSpan::new(key, log.between(self.peak.from, self.peak.to), targets)
    }

    /// Why the allowed ones, with the latest request, break a promise for the first time.
    pub fn proof(
        &self,
        promise: Promise,
        latest: &Observation,
        after: u64,
        terms: &Terms,
        bounds: &Bounds,
    ) -> Proof {
        let (log, done) = (&self.allowed.log, latest.done.0);
        let (from, promised) = match promise {
            Promise::SlidingWindow => ((done + 1).saturating_sub(bounds.within), bounds.limit),
            Promise::FixedWindow => {
                let first = log.last_but(bounds.limit);
                (first.map_or(0, |first| first.sent), bounds.limit)
            }
            Promise::TokenBucket => {
                let mut latest = log.sents().zip(1..);
                let shortest = latest.find_map(|(from, count)| {
                    bounds.is_overdrawn(count, from, done).then_some(from)
                });
                // Unless it began before anything that is remembered.
                let from = shortest.unwrap_or(log.busy().0);
                let lasted = u128::from(done.saturating_sub(from));
                let refilled = u128::from(bounds.limit) * lasted / u128::from(bounds.window);
                (from, bounds.limit.saturating_add(refilled as u64))
            }
        };
        let mut window = AdmissionSpan::new(latest.key, log.between(from, done), terms.targets);
        if promise == Promise::TokenBucket && window.admitted <= promised {
            let (busy_since, given) = log.busy();
            window.from = Nanos(busy_since);
            window.admitted = given;
        }
        Proof {
            window,
            promised,
            after,
        }
    }

    /// Gives up the older half of what is remembered.
    pub fn give_up_half(&mut self) {
        for _ in 0..self.allowed.log.len().div_ceil(2) {
            if let Some(first) = self.allowed.log.first() {
                self.given_up = self.given_up.max(first.done);
            }
            self.allowed.log.forget_first();
        }
        self.allowed.log.shrink();
        self.perhaps = None;
        self.asked = None;
        self.answered = VecDeque::new();
    }

    /// Whether it could as well be a key never heard of.
    pub fn is_idle(&self, now: u64, bounds: &Bounds) -> bool {
        let idle = now.saturating_sub(self.latest);
        let is_plain = self.tested.is_empty() && self.peak.at_least <= bounds.limit;
        let settled = self.in_flight + self.to_be_blocked + self.uncertain == 0;
        is_plain && settled && idle > bounds.kept.saturating_mul(2)
    }

    /// Whether there is anything worth giving up.
    pub fn remembers_much(&self) -> bool {
        self.allowed.log.len() > 1 || self.asked.is_some()
    }

    /// The memory used, in bytes.
    pub fn memory(&self) -> usize {
        let boxed = [&self.perhaps, &self.asked].into_iter().flatten();
        let boxed = boxed.map(|stream| size_of::<Stream>() + stream.memory());
        size_of::<Self>()
            + self.allowed.memory()
            + boxed.sum::<usize>()
            + self.answered.capacity() * size_of::<u64>()
    }
}
