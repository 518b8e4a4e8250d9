//! What is known of one key by the limits of one quota.

use super::admission_log::AdmissionLog;
use super::bounds::Bounds;
use super::groups::{Flags, Group};
use super::observation::{AuditedKey, Observation};
use super::promise::{BlockedRequest, Latest, Limit, Needed, OneClock, Possible};
use super::proof::{AdmissionSpan, Proof};
use super::reading::{Reading, Shown, changes_unseen};
use super::scenario::Scenario;
use super::unlimited::Unlimited;
use crate::base::Nanos;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct QuotaAudit {
    /// Exactly the allowed requests were admitted. This is what proofs are made of.
    pub proved: Reading,
    /// The unanswered requests were admitted too. Exists from the first such request on.
    pub possible: Option<Box<Scenario>>,
    /// Exactly the allowed requests outside of outages were admitted. Exists while it may differ from what is proved.
    outside: Option<Box<Outside>>,
    /// For each limit of the group that the key's admissions break, those of them that fit it. Empty before that.
    fitting: Vec<Option<AdmissionLog>>,
    /// All answered requests were admitted, as by a limiter without a limit. Exists until each limit was tested.
    unlimited: Option<Box<Unlimited>>,
    /// The limits that were tested, by their places among all.
    pub tested: Flags,
    /// Requests that may have been admitted at any time since they were sent, and admissions that may count with forgotten ones,
    /// because their answers came after the timeout or because memory was short.
    maybe_admitted: u64,
    pub busiest: BusiestWindow,
    /// The dones of the latest answered requests, as many as the limit.
    answered: VecDeque<Nanos>,
    /// Whether the key is one of those that are followed over the whole run.
    pub is_followed: bool,
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
    /// The limits that should have let it pass.
    pub wrongly: Flags,
    /// How many others can have counted against it.
    pub counted: u64,
    /// How many of those were not answered by the time it was done.
    pub pending: u64,
    /// Whether it can show anything: it did not take too long, all that can have counted is remembered, and nobody else
    /// uses the key.
    pub is_judged: bool,
    /// Whether that would be the limit or more if blocked requests counted too; `None` if it is not known.
    pub is_explained_by_blocked: Option<bool>,
    /// The tolerances that would explain it.
    pub needed: Needed,
}

impl QuotaAudit {
    pub fn new(group: &Group) -> QuotaAudit {
        QuotaAudit {
            proved: Reading::new(group),
            possible: None,
            outside: None,
            fitting: Vec::new(),
            unlimited: Some(Box::new(Unlimited::new(Scenario::new(group)))),
            tested: Flags::default(),
            maybe_admitted: 0,
            busiest: BusiestWindow::default(),
            answered: VecDeque::new(),
            is_followed: false,
        }
    }

    /// A request was sent. Its answer is known already.
    pub fn sent(&mut self, request: &Observation, bounds: &Bounds) {
        self.proved.sent(request, bounds);
        if changes_unseen(request, bounds) {
            let unlimited = self.unlimited.as_mut();
            let unlimited = unlimited.map(|unlimited| &mut unlimited.scenario);
            let others = self.possible.as_deref_mut().into_iter().chain(unlimited);
            others.for_each(Scenario::lose_sight);
        }
    }

    /// A request that was sent is done, and was allowed. Returns its place among the admissions, and among those that are
    /// possible, if these are others.
    pub fn allow(
        &mut self,
        request: &Observation,
        group: &Group,
    ) -> (Option<Latest>, Option<Latest>) {
        let bounds = &group.bounds;
        let possible = self.possible.as_mut();
        let possible = possible.and_then(|possible| possible.admit(request, group));
        let Some(latest) = self.proved.admit(request, group) else {
            self.maybe_admitted += 1;
            self.raise_at_most(request.sent, true, bounds);
            return (None, possible);
        };
        if latest.within > self.busiest.at_least {
            let first = self.log().last_but(latest.within - 1);
            let from = first.map_or(request.sent, |first| first.sent);
            self.busiest = BusiestWindow {
                at_least: latest.within,
                from,
                to: request.done,
                is_collected: false,
                ..self.busiest
            };
        }
        let may_be_one_more = self.may_be_one_more(request, bounds);
        self.maybe_admitted += u64::from(may_be_one_more);
        self.raise_at_most(request.sent, may_be_one_more, bounds);
        (Some(latest), possible)
    }

    /// Whether admissions are forgotten that may count with a request. Then all windows that were counted so far may have had
    /// one more.
    fn may_be_one_more(&self, request: &Observation, bounds: &Bounds) -> bool {
        let counts_with = bounds.kept.saturating_sub(bounds.timeout);
        let since = request.sent.saturating_sub(counts_with);
        self.log().has_forgotten_since(since)
    }

    /// Takes in how many at most were admitted in the window that ends at `end`, and one more in any if it may be so.
    fn raise_at_most(&mut self, end: Nanos, may_be_one_more: bool, bounds: &Bounds) {
        let since = end.saturating_sub(bounds.window);
        let reaching = self.log().count_reaching(since);
        let at_most = reaching + self.proved.allowed_in_flight + self.maybe_admitted;
        let known = self.busiest.at_most + u64::from(may_be_one_more);
        self.busiest.at_most = known.max(at_most);
    }

    /// The admissions that are proved.
    pub fn log(&self) -> &AdmissionLog {
        &self.proved.scenario.log
    }

    /// A request comes next that the reading without outages takes in later.
    pub fn set_apart(&mut self) {
        let proved = &self.proved;
        let outside = self.outside.get_or_insert_with(|| {
            Box::new(Outside {
                reading: proved.clone(),
                waiting: 0,
            })
        });
        outside.waiting += 1;
    }

    /// The reading without outages, which takes in the next request that was set apart. `None` if it was given up.
    pub fn take_apart(&mut self) -> Option<&mut Reading> {
        let outside = self.outside.as_mut()?;
        outside.waiting = outside.waiting.saturating_sub(1);
        Some(&mut outside.reading)
    }

    /// No admission was left out so far. Forgets the reading without outages if nothing waits for it.
    pub fn rejoin(&mut self) {
        if self.outside.as_deref().is_some_and(|one| one.waiting == 0) {
            self.outside = None;
        }
    }

    /// The admissions outside of outages.
    pub fn outside(&self) -> &Scenario {
        let outside = self.outside.as_ref();
        let reading = outside.map_or(&self.proved, |outside| &outside.reading);
        &reading.scenario
    }

    /// The limits by which the latest admission is one too many.
    pub fn beyond(&mut self, request: &Observation, latest: &Latest, group: &Group) -> Flags {
        let bounds = &group.bounds;
        let mut beyond = Flags::default();
        for (index, (place, limit)) in group.limits.iter().enumerate() {
            if !self.proved.scenario.evidence[index].is_broken(limit) {
                continue;
            }
            self.fitting.resize(group.limits.len(), None);
            let fits = match &mut self.fitting[index] {
                Some(log) => {
                    log.forget_before(request.done.saturating_sub(bounds.kept));
                    insert_if_it_fits(log, request, limit, bounds)
                }
                // Before this one, all of them fit.
                fitting => {
                    let log = fitting.insert(self.proved.scenario.log.clone());
                    log.remove(latest.place, bounds);
                    false
                }
            };
            if !fits {
                beyond.set(*place);
            }
        }
        beyond
    }

    /// Of these limits, those that are broken without the admissions in outages.
    pub fn broken_outside(&self, limits: Flags, group: &Group) -> Flags {
        let mut broken = Flags::default();
        let evidence = self.outside().evidence.iter();
        for (one, (place, limit)) in evidence.zip(&group.limits) {
            if limits.has(*place) && one.is_broken(limit) {
                broken.set(*place);
            }
        }
        broken
    }

    /// A request was not answered. Returns its place among the admissions that are possible.
    pub fn lose(&mut self, request: &Observation, group: &Group) -> Option<Latest> {
        self.maybe_admitted += 1;
        let proved = &self.proved;
        let possible = self
            .possible
            .get_or_insert_with(|| Box::new(proved.scenario.clone()));
        let latest = possible.admit(request, group);
        let may_be_one_more = self.may_be_one_more(request, &group.bounds);
        self.raise_at_most(request.sent, may_be_one_more, &group.bounds);
        latest
    }

    /// A request was allowed or blocked. Takes in what that shows of a limiter that would have admitted everything, until
    /// each limit was tested. An admitted request takes `as_admitted`.
    pub fn answer(&mut self, request: &Observation, as_admitted: Nanos, group: &Group) {
        if let Some(unlimited) = &mut self.unlimited {
            unlimited.answer(request, as_admitted, group);
            self.take_in_tested();
        }
    }

    /// No more requests come.
    pub fn end(&mut self, group: &Group) {
        if let Some(unlimited) = &mut self.unlimited {
            unlimited.admit_before(Nanos::MAX, group);
            self.take_in_tested();
        }
    }

    fn take_in_tested(&mut self) {
        if let Some(unlimited) = &self.unlimited {
            self.tested = unlimited.broken;
            if unlimited.is_all_broken() {
                self.unlimited = None;
            }
        }
    }

    /// The most requests of the key, allowed or blocked, that surely fell within a window's length, until each limit was
    /// tested.
    pub fn most_asked(&self) -> u64 {
        self.unlimited
            .as_ref()
            .map_or(0, |unlimited| unlimited.most_within)
    }

    /// How many answers surely lie within one window before a request; the limit is the most that is counted. `longest` is
    /// the longest time that any answer took.
    pub fn answers_before(&self, request: &Observation, longest: Nanos, bounds: &Bounds) -> u64 {
        let since = request.done.saturating_sub(bounds.shortest_window) + longest;
        let earlier = self.answered.partition_point(|done| *done <= since);
        let before = self.answered.partition_point(|done| *done <= request.sent);
        before.saturating_sub(earlier) as u64
    }

    /// What may have been admitted.
    pub fn possibly(&self) -> Possible {
        Possible {
            at_most: self.busiest.at_most,
            uncertain: self.maybe_admitted,
        }
    }

    /// A request was blocked. All requests sent before it was done are known by now. `clocks` are those of the limits,
    /// by their places.
    pub fn block(
        &mut self,
        request: &Observation,
        group: &Group,
        clocks: &mut [Option<Box<dyn OneClock>>],
    ) -> Blocked {
        let bounds = &group.bounds;
        let Shown {
            request: BlockedRequest {
                counted, pending, ..
            },
            wrongly,
            is_judged,
        } = self.proved.block(request, group, clocks);
        let since = request.sent.saturating_sub(bounds.longest_window);
        let is_explained_by_blocked = (bounds.limit <= MOST_ANSWERED).then(|| {
            let before = self.answered.partition_point(|done| *done < since);
            let answered = (self.answered.len() - before) as u64;
            answered + pending + self.proved.blocked_in_flight >= bounds.limit
        });
        Blocked {
            wrongly,
            counted,
            pending,
            is_judged,
            is_explained_by_blocked,
            needed: self.needed_to_block(since, pending, bounds),
        }
    }

    /// How much further back a window would have to reach for a request to be rightly blocked.
    fn needed_to_block(&self, since: Nanos, pending: u64, bounds: &Bounds) -> Needed {
        let others = bounds.limit.saturating_sub(pending + 1);
        match self.log().last_but(others) {
            Some(first) => {
                let missing = since.saturating_sub(first.done);
                Needed::UNKNOWN.with_clock(missing, bounds)
            }
            None => Needed::UNKNOWN,
        }
    }

    /// Whether the node that blocked this request had itself admitted too few to do so. `None` if that can't be told, since
    /// so many requests may have been counted at any time.
    pub fn is_blocked_for_others(&self, request: &Observation, bounds: &Bounds) -> Option<bool> {
        let since = request.sent.saturating_sub(bounds.longest_window);
        let log = self.log();
        let own = log.count_reaching_of(since, request.node as usize);
        let maybe = self.proved.allowed_in_flight + self.proved.maybe_counted;
        (maybe < bounds.limit).then(|| own + maybe < bounds.limit)
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
        if self.log().first()?.done >= end {
            return None;
        }
        let mut span = None;
        if self.busiest.from < end && is_wanted(self.busiest.at_least) {
            span = self.collect_busiest(key, bounds);
        }
        self.proved.forget_before(end);
        span
    }

    /// The requests of the busiest window, if there are any. They are collected once.
    pub fn collect_busiest(&mut self, key: AuditedKey, bounds: &Bounds) -> Option<AdmissionSpan> {
        let BusiestWindow { from, to, .. } = self.busiest;
        if self.busiest.is_collected || self.busiest.at_least == 0 {
            return None;
        }
        self.busiest.is_collected = true;
        Some(self.log().span_between(key, from, to, bounds.targets))
    }

    /// The proof that the allowed requests up to the latest one break the limit with this place in the group. `after` is
    /// how many requests had been looked at by then.
    pub fn proof(&self, limit: usize, latest: &Observation, after: u64, bounds: &Bounds) -> Proof {
        let evidence = self.proved.scenario.evidence[limit].of();
        let (span, promised) = evidence.excess(latest, self.log(), bounds);
        Proof {
            span,
            promised,
            after,
        }
    }

    /// Gives up the older half of what is remembered.
    pub fn give_up_half(&mut self) {
        self.proved.give_up_half();
        self.possible = None;
        if let Some(outside) = &mut self.outside {
            outside.reading.give_up_half();
        }
        self.fitting = Vec::new();
        self.unlimited = None;
        self.answered = VecDeque::new();
    }

    /// Whether nothing would be lost if the key were forgotten long after its latest request.
    pub fn is_plain(&self, bounds: &Bounds) -> bool {
        let is_same = self.outside.is_none();
        is_same
            && self.proved.in_flight() == 0
            && self.tested.is_empty()
            && self.busiest.at_least <= bounds.limit
    }

    /// Whether there is anything worth giving up.
    pub fn remembers_much(&self) -> bool {
        self.log().len() > 1 || self.unlimited.is_some()
    }

    /// The memory used, in bytes.
    pub fn memory(&self) -> usize {
        let possible = self.possible.as_ref();
        let possible = possible.map_or(0, |possible| size_of::<Scenario>() + possible.memory());
        let unlimited = self
            .unlimited
            .as_ref()
            .map_or(0, |unlimited| unlimited.memory());
        let outside = self.outside.as_ref();
        let outside = outside.map_or(0, |outside| size_of::<Outside>() + outside.reading.memory());
        let fitting = self.fitting.iter().flatten().map(AdmissionLog::memory);
        let fitting =
            fitting.sum::<usize>() + self.fitting.capacity() * size_of::<Option<AdmissionLog>>();
        let answered = self.answered.capacity() * size_of::<Nanos>();
        size_of::<Self>()
            + self.proved.memory()
            + possible
            + outside
            + fitting
            + unlimited
            + answered
    }
}

/// Adds an admission that is done after all others to those that fit the limit. Returns whether it fits.
fn insert_if_it_fits(
    log: &mut AdmissionLog,
    request: &Observation,
    limit: &Limit,
    bounds: &Bounds,
) -> bool {
    let Some(place) = log.insert(request, bounds) else {
        return true;
    };
    let latest = Latest {
        sent: request.sent,
        done: request.done,
        place,
        within: log.count_within(bounds.shortest_window, request.done),
    };
    let fits = !limit.algorithm.is_too_many(&latest, log, bounds);
    if !fits {
        log.remove(place, bounds);
    }
    fits
}

/// What is known if the admissions in outages are left out.
#[derive(Debug)]
struct Outside {
    reading: Reading,
    /// How many sents and dones it has not taken in.
    waiting: u64,
}
