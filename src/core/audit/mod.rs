//! Was the limit kept? The audit concludes that from the outside, from [`Observation`]s alone.
//!
//! # What can be known
//!
//! The limiter decided about a request between its sent and done instants, on this machine's monotonic clock. A
//! statement is *proved* if it holds wherever in those intervals the decisions fell, and whatever the limiter's clocks
//! did within [`Terms::tolerance`]: a limiter that keeps its promise is never called broken. Any other statement is
//! *possible*. A request that was not answered in full may have been admitted, and may have been counted at any time
//! since it was sent. A request that was answered neither way was not admitted, but may have been counted likewise
//! ([`Decision`]). A request that was admitted while failing open was admitted, and may have been counted likewise.
//!
//! In this module, L is the limit, W the window, ε the tolerance and ρ the resolution of the limiter's clocks. Requests
//! *lie within* a span if it is no shorter than from the least of their sents to the greatest of their dones. They are
//! always of one key.
//!
//! # Broken
//!
//! A [`Promise`] consists of limits that all hold. Each file in `promise/` says how many admissions prove a limit of that
//! algorithm broken, and why. Several promises are alternatives: the limiter is broken if each of them is.
//!
//! An allowed request can have counted against a blocked one if its interval reaches into the time from W + ε before the
//! other's sent to the other's done. A request that was not answered or failed can have counted if it was sent before
//! the other's done, at whatever time. From that, each limit says whether the request should have passed. A block is
//! false if every limit of a promise says so. If the blocked request took long, fewer false blocks are found than could
//! be. A request that took longer than the timeout is not judged, and none is if others may use the keys
//! ([`PriorUse::Anyone`]).
//!
//! # Kept
//!
//! A key is *judged* by a promise if something was admitted of it, and if a limiter that admits everything would have been
//! caught on it: the same proof, with blocked requests counted as allowed, each as slow as an admitted one
//! (`unlimited.rs`). Without a judged key, nothing was learned about the load.
//!
//! The *resolution* of an audit is the smallest breach that it would have proved. Each limit bounds from above how much
//! more than promised may have been admitted wherever the decisions fell ([`Resolution`]); one request more would have
//! been proved. If that is more than the limit itself, nothing was learned either. Admissions are forgotten when no answer
//! within the timeout can count with them any more. So an answer that comes later may be one more than those that were counted.
//!
//! # Outages
//!
//! Spans in which nodes failed are told apart ([`outages`](crate::core::outages)). The admissions outside of them are held to each promise
//! by themselves, so that a limiter that let everything pass while its store was away is said to have kept its promise
//! otherwise. It is broken nonetheless. The reading without outages takes in the same requests in the same order, though
//! later: an admission waits until the spans around it have ended, and all that follows waits behind it.
//!
//! That reading also leaves out each admission of which the answer says that the limiter fails open: it did not decide about
//! these. Other admissions of that time count, since it did decide about them.
//!
//! # Memory
//!
//! Observations come in any order; a watermark says that all requests sent before it have been added. What happened
//! before the watermark is looked at in the order of time, so that every request that can have counted against the one
//! at hand is known. Each key keeps its admissions of the last window and timeout, sorted by sent; older ones leave only
//! a few numbers behind. So memory follows the rate and the window, not the run's length. If it would exceed
//! [`Terms::memory`], half of the keys are given up, chosen by their hash, and half of the rest, as often as it takes. For
//! the report's pictures, 16 keys are followed over the whole run, in at most 240 slots of time (`window_counts.rs`).

mod admission_log;
mod bounds;
mod busy_period;
mod causes;
mod early_blocks;
mod findings;
mod groups;
mod key_audit;
mod keys;
mod nodes;
mod observation;
pub mod probe;
mod promise;
mod proof;
mod quota;
mod quota_audit;
mod reading;
mod report;
mod scenario;
mod slots;
mod terms;
mod unlimited;
mod window_counts;

pub use bounds::PriorUse;
pub use causes::{Cause, Conclusion};
pub use early_blocks::{EarlyBlocks, EarlyBlocksSlot};
pub use nodes::Nodes;
pub use observation::{AuditedKey, Decision, Observation};
pub use promise::{About, Algorithm, Kind, Limit, MOST, MostInAnyWindow, Needed, Promise};
pub(in crate::core) use promise::{ClockWindows, Interval};
pub use proof::{AdmissionSpan, Proof};
pub use quota::Quota;
pub use report::{
    Answers, AuditProgress, AuditReport, AuditVerdict, Beyond, Doubt, FalseBlock, KeyPeak,
    KindReport, LimitReport, PeriodBeyond, PromiseReport, PromiseVerdict, Resolution, Suspicion,
    TargetBeyond,
};
pub use terms::{Allowance, Terms, Tier, Tiers};
pub use window_counts::{KeyCounts, WindowCounts};

use crate::base::Nanos;
use crate::core::outages::{Outages, Place, Response};
use causes::Answered;
use findings::Findings;
use groups::{AllRules, Flags, Group, Rules};
use key_audit::KeyAudit;
use keys::KeyAudits;
use quota_audit::QuotaAudit;
use std::collections::VecDeque;

/// An audit under way.
#[derive(Debug)]
pub struct Auditor {
    rules: AllRules,
    keys: KeyAudits,
    /// Observations that have not been looked at up to their dones, in no order.
    waiting: Vec<Waiting>,
    /// Room for the events of one step, in the order of time.
    events: Vec<Event>,
    findings: Findings,
    /// The spans in which nodes failed.
    outages: Outages,
    /// The spans in which nodes said that they fail open.
    failing_open: Outages,
    /// The nodes' responses that the outages have not been learned from, in no order.
    responses: Vec<Response>,
    /// What the reading without outages has not taken in, in the order of time. It begins with an admission that is left out,
    /// or that may lie in an outage that has not ended.
    apart: VecDeque<Apart>,
}

/// A sent or a done that the reading without outages takes in later.
#[derive(Debug, Clone, Copy)]
struct Apart {
    request: Observation,
    is_done: bool,
    /// The limits by which it is an admission too many.
    beyond: Flags,
}

/// With more that waits for the end of an outage, the first admissions count as outside of it.
const MOST_APART: usize = 1 << 17;

#[derive(Debug, Clone, Copy)]
struct Waiting {
    observation: Observation,
    /// Whether its sent has been looked at.
    is_sent: bool,
}

/// Something that happened to an observation, with its place among those that wait. Of the events at one instant, a
/// request's sent comes before any done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Nanos,
    is_done: bool,
    sequence: u64,
    place: usize,
}

impl Auditor {
    /// # Panics
    /// Unless the limit, the window and the number of targets are over zero, and there is a promise.
    pub fn new(terms: Terms) -> Auditor {
        assert!(terms.limit > 0 && terms.window > Nanos::ZERO && terms.targets > 0);
        assert!(!terms.promises.is_empty(), "nothing to hold the cluster to");
        let rules = AllRules::of(&terms);
        Auditor {
            keys: KeyAudits::new(terms.memory),
            waiting: Vec::new(),
            events: Vec::new(),
            outages: Outages::new(terms.targets, terms.promises.len(), terms.window),
            failing_open: Outages::of_failing_open(
                terms.targets,
                terms.promises.len(),
                terms.window,
            ),
            responses: Vec::new(),
            apart: VecDeque::new(),
            findings: Findings::new(terms, &rules),
            rules,
        }
    }

    /// Adds a request that was sent no earlier than the last watermark.
    pub fn add(&mut self, observation: Observation) {
        self.findings.observe(&observation);
        self.add_response(Response::of(&observation));
        if self.keys.audits(observation.key) {
            self.waiting.push(Waiting {
                observation,
                is_sent: false,
            });
        }
    }

    /// Adds a request of which no limiter knows, sent no earlier than the last watermark.
    pub fn add_response(&mut self, response: Response) {
        self.findings.respond(&response);
        self.responses.push(response);
    }

    /// Takes note that all requests sent before `watermark` have been added.
    pub fn advance(&mut self, watermark: Nanos) {
        self.look(watermark);
        self.settle(MOST_APART);
        let waiting = self.waiting.capacity() * size_of::<Waiting>();
        let events = self.events.capacity() * size_of::<Event>();
        let apart = self.apart.capacity() * size_of::<Apart>();
        let responses = self.responses.capacity() * size_of::<Response>();
        let others = waiting + events + apart + responses;
        if self.keys.exceed(others) {
            self.use_less_memory(watermark, others);
        }
    }

    /// Whether every promise is proved broken by now, so that the verdict will be [`AuditVerdict::Broken`] whatever
    /// comes.
    pub fn is_broken(&self) -> bool {
        self.findings.so_far().is_broken()
    }

    /// How the audit stands by what has been looked at. This costs next to nothing.
    pub fn progress(&self) -> AuditProgress {
        self.findings.so_far().progress()
    }

    /// Ends the audit once all requests have been added.
    pub fn finish(mut self) -> AuditReport {
        self.look(Nanos::MAX);
        self.outages.end();
        self.failing_open.end();
        self.settle(0);
        for (key, audit) in self.keys.iter_mut() {
            let before = audit.tested();
            let rules = self.rules.of_key(key, self.findings.terms());
            for (quota, group) in audit.with_groups(rules) {
                quota.end(group);
            }
            self.findings.judge(key, audit, before, rules);
        }
        self.keep_worst();
        self.findings.follow_to_the_end(&self.keys);
        let mut outages = self.outages.into_list();
        outages.extend(self.failing_open.into_list());
        outages.sort_by_key(|outage| outage.from);
        self.findings.report(&self.keys, outages)
    }

    /// Looks at all events before `watermark`, in the order of time.
    fn look(&mut self, watermark: Nanos) {
        self.learn_outages(watermark);
        let mut events = std::mem::take(&mut self.events);
        for (place, waiting) in self.waiting.iter().enumerate() {
            let observation = &waiting.observation;
            let mut push = |at, is_done| {
                if at < watermark {
                    events.push(Event {
                        at,
                        is_done,
                        sequence: observation.sequence,
                        place,
                    });
                }
            };
            if !waiting.is_sent {
                push(observation.sent, false);
            }
            push(observation.done, true);
        }
        events.sort_unstable();
        for event in events.drain(..) {
            let waiting = &mut self.waiting[event.place];
            waiting.is_sent = true;
            let observation = waiting.observation;
            self.take_in(&observation, event.is_done);
        }
        self.events = events;
        self.waiting
            .retain(|waiting| waiting.observation.done >= watermark);
    }

    /// Takes in all responses to requests sent before `watermark`, in the order of time.
    fn learn_outages(&mut self, watermark: Nanos) {
        let responses = &mut self.responses;
        responses.sort_unstable_by_key(Response::order);
        let known = responses.partition_point(|response| response.sent < watermark);
        for response in responses.drain(..known) {
            self.outages.add(&response);
            self.failing_open.add(&response);
        }
    }

    /// Takes in at once what happened to a request, and lets the reading without outages do so now or later.
    fn take_in(&mut self, request: &Observation, is_done: bool) {
        let may_lie_in_one = || {
            is_done
                && request.decision == Decision::Allowed
                && (request.failing_open
                    || self.outages.place(request.sent, request.done) != Place::Outside)
        };
        let is_apart = self.findings.has_left_out() || !self.apart.is_empty() || may_lie_in_one();
        if is_apart {
            self.findings.set_apart();
        }
        let findings = &mut self.findings;
        let rules = self.rules.of_key(request.key, findings.terms());
        let mut beyond = Flags::default();
        if is_done {
            findings.look_at_one(request);
        } else {
            findings.hypotheses().sent(request);
        }
        self.keys.update(request.key, rules, |audit| {
            if is_apart {
                audit.quotas.iter_mut().for_each(QuotaAudit::set_apart);
            }
            if is_done {
                beyond = look_at(request, audit, rules, findings);
            } else {
                audit.sent(request, rules);
            }
        });
        if is_apart {
            self.apart.push_back(Apart {
                request: *request,
                is_done,
                beyond,
            });
        } else {
            findings.count_beyond(beyond, true, request);
        }
    }

    /// Lets the reading without outages take in what is apart, up to the first admission of which it is not known whether
    /// it lies in an outage, and more until at most so many wait.
    fn settle(&mut self, most: usize) {
        while let Some(first) = self.apart.front() {
            let request = &first.request;
            let place = if !first.is_done || request.decision != Decision::Allowed {
                Place::Outside
            } else if request.failing_open {
                self.failing_open.place(request.sent, request.done)
            } else {
                self.outages.place(request.sent, request.done)
            };
            if place == Place::Unsettled && self.apart.len() <= most {
                return;
            }
            let first = *first;
            self.apart.pop_front();
            if self.keys.audits(first.request.key) {
                self.settle_one(&first, place);
            }
        }
        self.findings.rejoin();
    }

    fn settle_one(&mut self, apart: &Apart, place: Place) {
        let Apart { request, .. } = apart;
        let is_open = apart.is_done && request.failing_open;
        let is_within = is_open || matches!(place, Place::Within(_) | Place::WithinOpen(_));
        let findings = &mut self.findings;
        let rules = self.rules.of_key(request.key, findings.terms());
        if is_within {
            findings.leave_out();
        }
        let mut beyond = apart.beyond;
        self.keys.update(request.key, rules, |audit| {
            let outside = settle_at_key(apart, is_within, audit, rules, findings);
            if !is_within {
                beyond = outside;
            }
        });
        let promises = findings.count_beyond(beyond, !is_within, request);
        let outages = if is_open {
            &mut self.failing_open
        } else {
            &mut self.outages
        };
        outages.count_beyond(place, promises.into_iter());
    }

    fn keep_worst(&mut self) {
        for (key, audit) in self.keys.iter_mut() {
            let rules = self.rules.of_key(key, self.findings.terms());
            for (quota, group) in audit.with_groups(rules) {
                if self.findings.wants(quota.busiest.at_least)
                    && let Some(span) = quota.collect_busiest(key, &group.bounds)
                {
                    self.findings.keep(span);
                }
            }
        }
    }

    /// Forgets what it must for its memory's sake. `others` is the memory used beside the keys, in bytes.
    fn use_less_memory(&mut self, now: Nanos, others: usize) {
        self.keep_worst();
        let (rules, terms) = (&self.rules, self.findings.terms());
        let is_idle = |key, audit: &KeyAudit| audit.is_idle(now, rules.of_key(key, terms));
        if self.keys.shrink(others, is_idle) {
            let keys = &self.keys;
            self.waiting
                .retain(|waiting| keys.audits(waiting.observation.key));
        }
        self.findings.review_followed(&self.keys, now);
        self.waiting.shrink_to_fit();
        self.events = Vec::new();
    }
}

/// Lets the reading without outages take in at its key what was apart. Of the limits by which an admission is one too many,
/// returns those that are broken without the admissions in outages.
fn settle_at_key(
    apart: &Apart,
    is_within: bool,
    audit: &mut KeyAudit,
    rules: &Rules,
    findings: &mut Findings,
) -> Flags {
    let request = &apart.request;
    let mut broken = Flags::default();
    for (quota, group) in audit.with_groups(rules) {
        if let Some(reading) = quota.take_apart() {
            if apart.is_done {
                reading.forget_before(request.done.saturating_sub(group.bounds.kept));
            }
            match request.decision {
                _ if !apart.is_done => reading.sent(request, &group.bounds),
                Decision::Allowed if is_within => reading.leave_out(request),
                Decision::Allowed => {
                    let latest = reading.admit(request, group);
                    findings.admit_outside(latest.as_ref(), quota, group, rules.tier);
                }
                Decision::Blocked => findings.block_outside(request, reading, group, rules.tier),
                Decision::Failed | Decision::Unanswered => {}
            }
        }
        broken = broken.union(quota.broken_outside(apart.beyond, group));
        if !findings.has_left_out() {
            quota.rejoin();
        }
    }
    broken
}

/// Takes in a request that is done, at its key and among the findings. Returns the limits by which it was admitted too
/// many.
fn look_at(
    request: &Observation,
    audit: &mut KeyAudit,
    rules: &Rules,
    findings: &mut Findings,
) -> Flags {
    let mut beyond = Flags::default();
    audit.done(request);
    let as_admitted = findings.as_admitted(audit);
    let before = audit.tested();
    let mut blocks = Vec::new();
    let (mut within, mut answers_before) = (None, 0);
    for (place, (quota, group)) in audit.with_groups(rules).enumerate() {
        let bounds = &group.bounds;
        findings.follow_up_to(request, place, quota);
        let wanted = |admitted| findings.wants(admitted);
        if let Some(span) = quota.forget(request.key, request.done, wanted, bounds) {
            findings.keep(span);
        }
        match request.decision {
            Decision::Allowed => {
                let (more, surely) = admit(request, place, quota, group, rules, findings);
                within = surely;
                beyond = beyond.union(more);
            }
            Decision::Blocked => {
                blocks.push(quota.block(request, group, findings.clocks(rules.tier)));
            }
            Decision::Unanswered => {
                let latest = quota.lose(request, group);
                findings.raise_unseen(quota, group, rules.tier);
                findings.suspect(request.key, latest.as_ref(), quota, group, rules.tier);
            }
            Decision::Failed => {}
        }
        if matches!(request.decision, Decision::Allowed | Decision::Blocked) {
            answers_before = quota.answers_before(request, findings.longest(), bounds);
            quota.answer(request, as_admitted, group);
            quota.remember_answer(request.done, bounds);
        }
    }
    if request.decision == Decision::Blocked {
        for (quota, group) in audit.with_groups(rules) {
            findings.conclude_of_key(request, quota, group, rules.tier);
        }
    }
    let is_wrong = match &blocks[..] {
        _ if request.decision != Decision::Blocked => false,
        [] => {
            findings.block_unlimited(request);
            false
        }
        blocks => findings.block(request, blocks),
    };
    if is_wrong {
        let limits = rules.groups.iter().map(|group| group.bounds.limit);
        let counted = blocks.iter().map(|block| block.counted).zip(limits);
        let (counted, limit) = counted.max().unwrap_or_default();
        findings.count_early_block(request, counted, limit);
    }
    findings.judge(request.key, audit, before, rules);
    let is_answered = matches!(request.decision, Decision::Allowed | Decision::Blocked);
    if let ([quota], [group]) = (&audit.quotas[..], &rules.groups[..])
        && is_answered
    {
        findings.hypotheses().answered(&Answered {
            request,
            quota,
            bounds: &group.bounds,
            is_general: rules.tier == 0,
            within,
            answers_before,
            blocked: blocks.first(),
            is_wrong,
        });
    }
    beyond
}

/// Takes in a request that was allowed, by the quota with this place. Returns the limits by which it was too many, and how many admissions of its key
/// surely lie within one window that ends with it.
fn admit(
    request: &Observation,
    place: usize,
    quota: &mut QuotaAudit,
    group: &Group,
    rules: &Rules,
    findings: &mut Findings,
) -> (Flags, Option<u64>) {
    let tier = rules.tier;
    let was_over = quota.busiest.at_least > group.bounds.limit;
    let (latest, possibly) = quota.allow(request, group);
    let mut beyond = Flags::default();
    if let Some(latest) = &latest {
        findings.admit(request, latest, quota, group, tier);
        findings.follow(request, place, latest, quota, group);
        beyond = quota.beyond(request, latest, group);
    }
    findings.raise_unseen(quota, group, tier);
    if !was_over && quota.busiest.at_least > group.bounds.limit {
        findings.count_key_over(request.key);
    }
    let within = latest.map(|latest| latest.within);
    let latest = possibly.or(latest);
    findings.suspect(request.key, latest.as_ref(), quota, group, tier);
    (beyond, within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::KeyId;

    const SECOND: u64 = 1_000_000_000;

    /// Ten requests a minute, on two targets.
    fn terms(memory: usize) -> Terms {
        Terms {
            memory,
            ..Terms::of_all_promises(10, Nanos(60 * SECOND), 2)
        }
    }

    /// A request that takes a millisecond.
    fn observed(key: u64, sequence: u64, sent: Nanos, decision: Decision) -> Observation {
        Observation {
            key: AuditedKey::Load(KeyId(key as u32)),
            sequence,
            target: (sequence % 2) as u32,
            node: (sequence % 2) as u32,
            sent,
            done: sent + Nanos(SECOND / 1_000),
            decision,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        }
    }

    /// Audits 1,000 requests a second for two minutes, for keys in turn. So many a minute are admitted of each key. Returns
    /// the most memory used, too.
    fn audited(memory: usize, keys: u64, admitted: u64) -> (AuditReport, usize) {
        let mut audit = Auditor::new(terms(memory));
        let mut most = 0;
        for sequence in 0..120_000u64 {
            let (round, minute) = (sequence / keys, 60_000 / keys.min(60_000));
            let sent = Nanos(sequence * SECOND / 1_000);
            let decision = if round % minute < admitted {
                Decision::Allowed
            } else {
                Decision::Blocked
            };
            audit.add(observed(sequence % keys, sequence, sent, decision));
            if sequence % 100 == 99 {
                audit.advance(sent);
                most = most.max(audit.keys.used());
            }
        }
        (audit.finish(), most)
    }

    #[test]
    fn a_proof_before_the_end_is_the_verdict() {
        for (admitted, broken) in [(10, false), (11, true)] {
            let mut audit = Auditor::new(Terms {
                promises: vec![Promise::of(Limit::new(
                    Algorithm::SlidingWindow,
                    Quota::new(10, Nanos(60 * SECOND)),
                ))],
                ..terms(64 << 20)
            });
            for sequence in 0..30 {
                let sent = Nanos(sequence * SECOND);
                let decision = if sequence < admitted {
                    Decision::Allowed
                } else {
                    Decision::Failed
                };
                audit.add(observed(0, sequence, sent, decision));
                audit.advance(sent);
            }
            assert_eq!(audit.is_broken(), broken);
            let verdict = audit.finish().verdict(true);
            assert_eq!(verdict == AuditVerdict::Broken, broken, "{verdict:?}");
        }
    }

    #[test]
    fn all_keys_are_audited_if_there_is_memory_for_them() {
        let (report, most) = audited(64 << 20, 3_000, 10);
        assert_eq!(
            (report.keys, report.share, report.keys_over),
            (3_000, 1.0, 0)
        );
        assert_eq!(report.verdict(true), AuditVerdict::Kept);
        assert!((1 << 20..64 << 20).contains(&most), "{most}");
    }

    #[test]
    fn a_sample_of_the_keys_is_audited_if_there_is_too_little_memory() {
        for (admitted, verdict) in [(10, AuditVerdict::Kept), (25, AuditVerdict::Broken)] {
            let (report, most) = audited(1 << 20, 2_000, admitted);
            assert!(most <= 1 << 20, "{most}");
            let share = report.share;
            assert!((0.01..=0.5).contains(&share), "{share}");
            assert_eq!(report.verdict(true), verdict);
        }
    }

    #[test]
    fn the_latest_admissions_of_a_single_key_are_kept_if_memory_is_short() {
        let (report, most) = audited(1 << 20, 1, u64::MAX);
        assert!(most <= 1 << 20, "{most}");
        assert_eq!((report.keys, report.share), (1, 1.0));
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        let peak = report.peak.unwrap();
        assert!((5_000..=60_000).contains(&peak.at_least), "{peak:?}");
    }

    #[test]
    fn keys_without_further_requests_are_forgotten() {
        let (report, most) = audited(8 << 20, u64::MAX, 1);
        assert!(most <= 8 << 20, "{most}");
        assert_eq!(report.verdict(true), AuditVerdict::Inconclusive);
    }

    /// The audit of one promise of so many requests in 60 s, by three keys that begin one after the other and have 12 requests a
    /// second each. `most` is how many of each key's requests are admitted, until that many more are in the next window.
    fn audited_in_windows(promise: &str, limit: u64, most: [u64; 3], windows: u64) -> AuditReport {
        let window = 60 * SECOND;
        let quota = Quota::new(limit, Nanos(window));
        let promises = Promise::alternatives(promise, quota).unwrap();
        let terms = Terms::of_all_promises(limit, quota.window, 2);
        let mut audit = Auditor::new(Terms { promises, ..terms });
        let mut admitted = [[0; 3]; 4];
        for sequence in 0..36 * 60 * windows {
            let key = sequence % 3;
            let sent = sequence * SECOND / 36;
            if sent < key * 2 * SECOND {
                continue;
            }
            // The first window ends after 20 s.
            let of_window = &mut admitted[((sent + 40 * SECOND) / window) as usize];
            let of_key = &mut of_window[key as usize];
            let is_admitted = *of_key < most[key as usize];
            *of_key += u64::from(is_admitted);
            let decision = if is_admitted {
                Decision::Allowed
            } else {
                Decision::Blocked
            };
            audit.add(observed(key, sequence, Nanos(sent), decision));
        }
        audit.finish()
    }

    #[test]
    fn an_excess_of_one_key_that_a_boundary_would_excuse_is_never_kept() {
        for limit in [1_u64, 2, 50] {
            for beyond in [1, limit.div_ceil(4), limit] {
                for faulty in 0..3 {
                    let mut most = [limit; 3];
                    most[faulty] += beyond;
                    for (promise, windows) in [
                        ("fixed-window", 1),
                        ("fixed-window", 3),
                        ("sliding-counter", 1),
                    ] {
                        let report = audited_in_windows(promise, limit, most, windows);
                        let verdict = report.verdict(true);
                        assert_ne!(
                            verdict,
                            AuditVerdict::Kept,
                            "{promise} {limit}, {most:?}, {windows}: {:#?}",
                            report.promises
                        );
                    }
                }
            }
            let verdict = |windows| {
                let report = audited_in_windows("fixed-window", limit, [limit; 3], windows);
                (report.verdict(true), report.doubt(true))
            };
            let open = (AuditVerdict::Inconclusive, Some(Doubt::NotJudged));
            assert_eq!(verdict(1), open, "{limit}");
            assert_eq!(verdict(3), (AuditVerdict::Kept, None), "{limit}");
        }
    }

    #[test]
    fn a_fixed_window_is_no_sliding_counter() {
        let window = 4 * SECOND;
        let mut audit = Auditor::new(Terms::of_all_promises(20, Nanos(window), 2));
        let mut admitted = std::collections::HashMap::new();
        for sequence in 0..1_500u64 {
            let sent = Nanos(sequence * SECOND / 60);
            let key = sequence % 5;
            let count = admitted.entry((key, sent.0 / window)).or_insert(0);
            let decision = if *count < 20 {
                *count += 1;
                Decision::Allowed
            } else {
                Decision::Blocked
            };
            audit.add(observed(key, sequence, sent, decision));
            if sequence % 10 == 9 {
                audit.advance(sent);
            }
        }
        let report = audit.finish();
        let of = |algorithm| {
            let of = |one: &&PromiseReport| one.promise.limits[0].algorithm == algorithm;
            report.promises.iter().find(of).unwrap()
        };
        assert!(!of(Algorithm::FixedWindow).is_broken());
        let counter = of(Algorithm::SlidingCounter);
        assert!(counter.is_broken(), "{counter:#?}");
    }
}
