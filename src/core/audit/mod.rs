//! Was the limit kept? What follows from the outside, from [`Observation`]s alone.
//!
//! # What can be known
//!
//! The limiter decided about a request between its sent and done instants, on this machine's monotonic clock. What is
//! said here to be *proved* holds wherever in those intervals the decisions fell, and whatever the limiter's clocks did
//! within [`Terms::tolerance`]: a limiter that keeps its promise is never called broken. The rest is *possible*. A
//! request that was not answered in full may have been admitted, and may have been counted at any time since it was
//! sent; one that was answered neither way was not admitted, but may have been counted likewise ([`Decision`]).
//!
//! Below, L is the limit, W the window, ε the tolerance, and requests *lie within* a span that is no shorter than from
//! the least of their sents to the greatest of their dones. They are always of one key.
//!
//! # More admitted than promised
//!
//! | promise | proved by allowed requests that |
//! | --- | --- |
//! | [`SlidingWindow`](Promise::SlidingWindow) | are more than L and lie within less than W − ε |
//! | [`TokenBucket`](Promise::TokenBucket) | are more than L + (T + ρ)·r and lie within T; r is 1.0005 L/W, ρ is 1 ms or W/10, whichever is less |
//! | [`FixedWindow`](Promise::FixedWindow) | neither kind of window explains |
//!
//! Windows laid by a clock do not explain a key for which no phase is left. L + 1 allowed requests that lie within less
//! than W − ε are not in one window: there is a boundary after the least sent and not after the greatest done, give or
//! take ε on either side. The phases left are the intersection of these arcs of the circle of length W; they widen on
//! both sides by the drift of the clocks (500 millionths) since the last of them.
//!
//! Windows that admissions open do not explain a key for which no choice of decisions is left. The first admission
//! opens one; where an earlier run used the keys, one may have been opened before the start. Each that surely comes
//! before its end (W − ε after its opening) counts, each that surely comes after its end (W + ε) opens the next, and of
//! those in between either may be true. Once a request of the key was not answered or failed, it may have opened a
//! window unseen, and nothing more follows for this kind.
//!
//! Neither kind explains more than 2 L within less than W − ε. A limiter has windows of one kind: it is broken when, of
//! all keys together, neither is left.
//!
//! # Blocked in spite of the promise
//!
//! A request is falsely blocked under a sliding or a fixed window if fewer than L others can have counted against it:
//! allowed ones whose intervals reach into the time from W + ε before its sent to its done, and any that were not
//! answered or failed, sent before its done at whatever time. Under a token bucket, if even one that gets tokens back 1
//! % slower, and gave each of those at the latest instant, would have held a token for it, and as many to spare as it
//! gets in ε + ρ. Of requests that took long, less is told than could be.
//!
//! A request that took longer than the timeout is not judged. Where earlier runs may have used the same keys
//! ([`PriorUse::EarlierRun`]), only requests sent later than W + ε are, and the bucket is empty at first.
//!
//! # Power
//!
//! A promise was *tested* on a key if a limiter that admits everything would have been found out: the same proof, with
//! blocked requests counted as allowed. Without that, nothing was learned.
//!
//! # How
//!
//! Observations come in any order; a watermark says that all that were sent before it have come. What happened before
//! it is looked at in the order of time, so that every request that can have counted against the one at hand is known.
//! Each key has its admissions of the last window and timeout, sorted by sent; what is older leaves only a few numbers
//! behind. So memory follows the rate and the window, not the run. Where it would exceed [`Terms::memory`], half of the
//! keys are given up, chosen by a hash of theirs, and half of the rest, as often as it takes.

mod key_audit;
mod keys;
mod level;
mod log;
mod observation;
mod opened;
mod phases;
pub mod probe;
mod report;
mod stream;
mod terms;

pub use observation::{AuditedKey, Decision, Observation};
pub use report::{
    AdmissionSpan, AuditProgress, AuditReport, FalseBlock, Peak, PromiseReport, Proof, Verdict, Why,
};
pub use terms::{PriorUse, Promise, Terms};

use crate::base::Nanos;
use key_audit::KeyAudit;
use keys::KeyAudits;
use std::cmp::Reverse;
use stream::Shown;
use terms::{Bounds, PromiseSet};

/// An audit under way.
#[derive(Debug)]
pub struct Auditor {
    terms: Terms,
    bounds: Bounds,
    promises: PromiseSet,
    keys: KeyAudits,
    /// Observations that have not been looked at from their dones on, in no order.
    waiting: Vec<Waiting>,
    /// Room for the events of one step, in the order of time.
    events: Vec<Event>,
    found: Found,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    observation: Observation,
    /// Whether it is known to have been sent.
    sent: bool,
}

/// Something that is known to have happened by now, with the observation's place among those that wait. Of what
/// happened at one instant, what was sent counts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u64,
    is_done: bool,
    sequence: u64,
    place: usize,
}

/// What has been found of all keys.
#[derive(Debug)]
struct Found {
    observed: u64,
    /// Of those, the ones looked at so far.
    looked_at: u64,
    unanswered: u64,
    /// Keys of the load that were admitted more than the limit within a window.
    keys_over: u64,
    most_asked: u64,
    peak: Option<Peak>,
    judged: Vec<PromiseReport>,
    worst: Vec<AdmissionSpan>,
    false_blocks: Vec<FalseBlock>,
    /// Of the requests blocked falsely, how many a limiter would have blocked, and not have blocked, that counts blocked
    /// requests too.
    with_blocked: [u64; 2],
    blocked: Vec<u64>,
    /// Whether some target blocked a request although it alone had not admitted enough of the key.
    blocked_for_others: bool,
    /// How many admissions may be looked through to find that out.
    effort: u64,
}

/// How many of each kind of evidence is kept.
const KEPT: usize = 10;

/// For each observation, how many admissions may be looked through to find out whether nodes know of each other.
const EFFORT: u64 = 16;

impl Auditor {
    /// # Panics
    /// Unless the limit, the window and the number of targets are over zero, and there is a promise.
    pub fn new(terms: Terms) -> Auditor {
        assert!(terms.limit > 0 && terms.window > Nanos::ZERO && terms.targets > 0);
        assert!(!terms.promises.is_empty(), "nothing to hold the cluster to");
        Auditor {
            bounds: Bounds::new(&terms),
            promises: PromiseSet::of(&terms.promises),
            keys: KeyAudits::new(terms.memory),
            waiting: Vec::new(),
            events: Vec::new(),
            found: Found::new(&terms),
            terms,
        }
    }

    /// Of a request that was sent no earlier than the last watermark.
    pub fn add(&mut self, observation: Observation) {
        self.found.observed += 1;
        match observation.decision {
            Decision::Blocked => {
                if let Some(blocked) = self.found.blocked.get_mut(observation.target as usize) {
                    *blocked += 1;
                }
            }
            Decision::Unanswered => self.found.unanswered += 1,
            Decision::Allowed | Decision::Failed => {}
        }
        if self.keys.audits(observation.key) {
            self.waiting.push(Waiting {
                observation,
                sent: false,
            });
        }
    }

    /// All requests sent before `watermark` have been added.
    pub fn advance(&mut self, watermark: Nanos) {
        self.look(watermark);
        let waiting = self.waiting.capacity() * size_of::<Waiting>();
        let events = self.events.capacity() * size_of::<Event>();
        if self.keys.exceed(waiting + events) {
            self.use_less_memory(watermark, waiting + events);
        }
    }

    /// Whether every promise is proved broken by now: whatever comes, the verdict is [`Verdict::Broken`].
    pub fn is_broken(&self) -> bool {
        self.found.judged.iter().all(PromiseReport::is_broken)
    }

    /// How it stands by what has been looked at; costs next to nothing.
    pub fn progress(&self) -> AuditProgress {
        let found = &self.found;
        let standing = found.judged.iter().filter(|judged| !judged.is_broken());
        AuditProgress {
            verdict: Verdict::of(&found.judged, true),
            standing: standing.map(|judged| judged.promise).collect(),
            observed: found.observed,
            keys_over: found.keys_over,
            most: found.peak.map_or(0, |peak| peak.at_least),
        }
    }

    /// All requests have been added.
    pub fn finish(mut self) -> AuditReport {
        self.look(Nanos::MAX);
        self.keep_worst();
        self.found.report(self.terms, &self.keys)
    }

    /// Looks at what is known to have happened before `watermark`, in the order of time.
    fn look(&mut self, watermark: Nanos) {
        let mut events = std::mem::take(&mut self.events);
        for (place, waiting) in self.waiting.iter().enumerate() {
            let Observation {
                sent,
                done,
                sequence,
                ..
            } = waiting.observation;
            for (at, is_done) in [(sent, false), (done, true)] {
                if at < watermark && (is_done || !waiting.sent) {
                    events.push(Event {
                        at: at.0,
                        is_done,
                        sequence,
                        place,
                    });
                }
            }
        }
        events.sort_unstable();
        for event in events.drain(..) {
            let waiting = &mut self.waiting[event.place];
            waiting.sent = true;
            let observation = waiting.observation;
            match event.is_done {
                false => self.sent(&observation),
                true => self.done(&observation),
            }
        }
        self.events = events;
        let waits = |waiting: &Waiting| waiting.observation.done >= watermark;
        self.waiting.retain(waits);
    }

    fn keep_worst(&mut self) {
        for (key, audit) in self.keys.iter_mut() {
            if self.found.wants(audit.peak.at_least, self.bounds.limit)
                && let Some(window) = audit.untold(key, self.terms.targets)
            {
                self.found.keep(window);
            }
        }
    }

    /// `others` is what is used beside the keys.
    fn use_less_memory(&mut self, now: Nanos, others: usize) {
        self.keep_worst();
        let bounds = &self.bounds;
        if self
            .keys
            .shrink(others, |audit| audit.is_idle(now.0, bounds))
        {
            let keys = &self.keys;
            self.waiting
                .retain(|waiting| keys.audits(waiting.observation.key));
        }
        self.waiting.shrink_to_fit();
        self.events = Vec::new();
    }

    fn sent(&mut self, request: &Observation) {
        let bounds = &self.bounds;
        let new = || KeyAudit::new(self.terms.prior_use);
        let sent = |audit: &mut KeyAudit| audit.sent(request, bounds);
        self.keys.update(request.key, new, sent);
    }

    fn done(&mut self, request: &Observation) {
        let (bounds, found, terms) = (&self.bounds, &mut self.found, &self.terms);
        found.looked_at += 1;
        found.effort = found.effort.saturating_add(EFFORT).min(1 << 20);
        let promises = self.promises;
        let new = || KeyAudit::new(terms.prior_use);
        self.keys.update(request.key, new, |audit| {
            let (key, done) = (request.key, request.done.0);
            audit.latest = audit.latest.max(done);
            let wanted = |at_least| found.wants(at_least, bounds.limit);
            let told = audit.forget(key, done, terms.targets, wanted, bounds);
            told.into_iter().for_each(|window| found.keep(window));
            match request.decision {
                Decision::Allowed => {
                    let was_over = audit.peak.at_least > bounds.limit;
                    let shown = audit.admit(request, promises, bounds);
                    if let Some(shown) = shown {
                        found.admitted(request, audit, was_over, shown, terms, bounds);
                    }
                    found.suspect(audit);
                    found.note_peak(key, audit);
                }
                Decision::Blocked => {
                    let blocked = audit.block(request, terms.prior_use, bounds);
                    found.blocked(request, audit, blocked, promises, bounds);
                }
                Decision::Unanswered => {
                    audit.lose(request, promises, bounds);
                    found.suspect(audit);
                    found.note_peak(key, audit);
                }
                Decision::Failed => {}
            }
            if matches!(request.decision, Decision::Allowed | Decision::Blocked) {
                if let Some(shown) = audit.answer(request, promises, bounds) {
                    found.tested(shown.broken);
                    found.most_asked = found.most_asked.max(shown.within);
                }
                audit.remember_answer(done, bounds);
            }
        });
    }
}

impl Found {
    fn new(terms: &Terms) -> Found {
        let judged = terms.promises.iter().map(|promise| PromiseReport {
            promise: *promise,
            excess: None,
            false_blocks: 0,
            suspect: false,
            tested: 0,
            clock_explains: true,
            opened_explains: true,
        });
        Found {
            observed: 0,
            looked_at: 0,
            unanswered: 0,
            keys_over: 0,
            most_asked: 0,
            peak: None,
            judged: judged.collect(),
            worst: Vec::new(),
            false_blocks: Vec::new(),
            with_blocked: [0; 2],
            blocked: vec![0; terms.targets],
            blocked_for_others: false,
            effort: 0,
        }
    }

    fn wants(&self, admitted: u64, limit: u64) -> bool {
        let enough = self.worst.len() == KEPT;
        admitted > limit
            && (!enough
                || self
                    .worst
                    .last()
                    .is_some_and(|last| admitted > last.admitted))
    }

    fn keep(&mut self, window: AdmissionSpan) {
        let of_this_key = self.worst.iter().position(|other| other.key == window.key);
        match of_this_key {
            Some(place) if self.worst[place].admitted >= window.admitted => return,
            Some(place) => self.worst[place] = window,
            None => self.worst.push(window),
        }
        self.worst.sort_by_key(|window| {
            (
                Reverse(window.admitted),
                matches!(window.key, AuditedKey::Probe(_)),
            )
        });
        self.worst.truncate(KEPT);
    }

    fn note_peak(&mut self, key: AuditedKey, audit: &KeyAudit) {
        let (at_least, at_most) = (audit.peak.at_least, audit.peak.at_most);
        let is_higher = self.peak.is_none_or(|peak| {
            peak.key == key || (at_least, at_most) > (peak.at_least, peak.at_most)
        });
        if is_higher {
            self.peak = Some(Peak {
                key,
                at_least,
                at_most,
            });
        }
    }

    fn admitted(
        &mut self,
        request: &Observation,
        audit: &KeyAudit,
        was_over: bool,
        shown: Shown,
        terms: &Terms,
        bounds: &Bounds,
    ) {
        if !was_over
            && audit.peak.at_least > bounds.limit
            && matches!(request.key, AuditedKey::Load(_))
        {
            self.keys_over += 1;
        }
        let after = self.looked_at;
        for judged in &mut self.judged {
            let promise = judged.promise;
            let complete = match promise {
                Promise::FixedWindow => {
                    judged.clock_explains &= audit.allowed.clock_explains();
                    judged.opened_explains &= audit.allowed.opened_explains();
                    !judged.clock_explains && !judged.opened_explains
                }
                _ => shown.broken.has(promise),
            };
            if complete && judged.excess.is_none() {
                judged.excess = Some(audit.proof(promise, request, after, terms, bounds));
            }
        }
    }

    fn suspect(&mut self, audit: &KeyAudit) {
        let Some(perhaps) = &audit.perhaps else {
            return;
        };
        for judged in &mut self.judged {
            judged.suspect |= perhaps.broken.has(judged.promise);
        }
    }

    fn tested(&mut self, promises: PromiseSet) {
        for judged in &mut self.judged {
            judged.tested += u64::from(promises.has(judged.promise));
        }
    }

    fn blocked(
        &mut self,
        request: &Observation,
        audit: &KeyAudit,
        blocked: key_audit::Blocked,
        promises: PromiseSet,
        bounds: &Bounds,
    ) {
        let falsely = blocked.falsely.and(promises);
        for judged in &mut self.judged {
            let promise = judged.promise;
            if !falsely.has(promise) {
                continue;
            }
            judged.false_blocks += 1;
            if judged.false_blocks <= KEPT as u64 {
                self.false_blocks.push(FalseBlock {
                    promise,
                    key: request.key,
                    sequence: request.sequence,
                    target: request.target,
                    sent: request.sent,
                    done: request.done,
                    counted: blocked.counted,
                });
            }
        }
        if !falsely.is_empty()
            && blocked.counted < bounds.limit
            && let Some(explained) = blocked.with_blocked
        {
            self.with_blocked[usize::from(explained)] += 1;
        }
        let effort = audit.allowed.log.len() as u64;
        if !self.blocked_for_others && effort <= self.effort {
            self.effort -= effort;
            self.blocked_for_others = audit.is_blocked_for_others(request, bounds);
        }
    }

    fn report(self, terms: Terms, keys: &KeyAudits) -> AuditReport {
        let counts_blocked = match self.with_blocked {
            [0, 0] => None,
            [unexplained, _] => Some(unexplained == 0),
        };
        let nodes_count_alone = !self.blocked_for_others
            && self.blocked.iter().all(|blocked| *blocked > 0)
            && self
                .worst
                .iter()
                .any(|window| window.is_of_nodes_alone(terms.limit));
        AuditReport {
            observed: self.observed,
            keys: keys.count(),
            share: keys.share(),
            keys_over: self.keys_over,
            peak: self.peak,
            most_asked: self.most_asked,
            promises: self.judged,
            worst: self.worst,
            false_blocks: self.false_blocks,
            counts_blocked,
            blocked: self.blocked,
            unanswered: self.unanswered,
            nodes_count_alone,
            terms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::KeyId;

    const SECOND: u64 = 1_000_000_000;

    /// Ten a minute, on two targets.
    fn terms(memory: usize) -> Terms {
        Terms {
            promises: Promise::ALL.to_vec(),
            limit: 10,
            window: Nanos(60 * SECOND),
            targets: 2,
            timeout: Nanos(10 * SECOND),
            prior_use: PriorUse::None,
            memory,
        }
    }

    /// The audit of 1,000 requests a second for two minutes, for keys in turn, of each of which so many a minute are
    /// admitted; and the most memory that it used.
    fn audited(memory: usize, keys: u64, admitted: u64) -> (AuditReport, usize) {
        let mut audit = Auditor::new(terms(memory));
        let mut most = 0;
        for sequence in 0..120_000u64 {
            let (round, minute) = (sequence / keys, 60_000 / keys.min(60_000));
            let sent = Nanos(sequence * SECOND / 1_000);
            audit.add(Observation {
                key: AuditedKey::Load(KeyId((sequence % keys) as u32)),
                sequence,
                target: (sequence % 2) as u32,
                sent,
                done: sent + Nanos(SECOND / 1_000),
                decision: match round % minute < admitted {
                    true => Decision::Allowed,
                    false => Decision::Blocked,
                },
            });
            if sequence % 100 == 99 {
                audit.advance(sent);
                most = most.max(audit.keys.used());
            }
        }
        (audit.finish(), most)
    }

    #[test]
    fn what_is_proved_before_the_end_is_the_verdict() {
        for (admitted, broken) in [(10, false), (11, true)] {
            let mut audit = Auditor::new(Terms {
                promises: vec![Promise::SlidingWindow],
                ..terms(64 << 20)
            });
            for sequence in 0..30 {
                let sent = Nanos(sequence * SECOND);
                audit.add(Observation {
                    key: AuditedKey::Load(KeyId(0)),
                    sequence,
                    target: 0,
                    sent,
                    done: sent + Nanos(SECOND / 1_000),
                    decision: match sequence < admitted {
                        true => Decision::Allowed,
                        false => Decision::Failed,
                    },
                });
                audit.advance(sent);
            }
            assert_eq!(audit.is_broken(), broken);
            let verdict = audit.finish().verdict(true);
            assert_eq!(verdict == Verdict::Broken, broken, "{verdict:?}");
        }
    }

    #[test]
    fn all_keys_are_audited_where_there_is_memory_for_them() {
        let (report, most) = audited(64 << 20, 3_000, 10);
        assert_eq!(
            (report.keys, report.share, report.keys_over),
            (3_000, 1.0, 0)
        );
        assert_eq!(report.verdict(true), Verdict::Kept);
        assert!((1 << 20..64 << 20).contains(&most), "{most}");
    }

    #[test]
    fn a_share_of_the_keys_is_audited_where_there_is_not() {
        for (admitted, verdict) in [(10, Verdict::Kept), (25, Verdict::Broken)] {
            let (report, most) = audited(1 << 20, 2_000, admitted);
            assert!(most <= 1 << 20, "{most}");
            let share = report.share;
            assert!((0.01..=0.5).contains(&share), "{share}");
            assert_eq!(report.verdict(true), verdict);
        }
    }

    #[test]
    fn of_one_key_that_needs_more_the_latest_is_remembered() {
        let (report, most) = audited(1 << 20, 1, u64::MAX);
        assert!(most <= 1 << 20, "{most}");
        assert_eq!((report.keys, report.share), (1, 1.0));
        assert_eq!(report.verdict(true), Verdict::Broken);
        let peak = report.peak.unwrap();
        assert!((5_000..=60_000).contains(&peak.at_least), "{peak:?}");
    }

    #[test]
    fn keys_that_are_never_asked_for_again_are_forgotten() {
        let (report, most) = audited(8 << 20, u64::MAX, 1);
        assert!(most <= 8 << 20, "{most}");
        assert_eq!(report.verdict(true), Verdict::Inconclusive(Why::NotTested));
    }
}
