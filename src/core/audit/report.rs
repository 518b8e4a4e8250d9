use super::log::Admission;
use super::{AuditedKey, Promise, Terms, probe};
use crate::base::Nanos;

/// What an audit found.
#[derive(Debug, Clone)]
pub struct AuditReport {
    pub terms: Terms,
    /// How many requests were looked at.
    pub observed: u64,
    /// How many keys were audited; of a run with ever new keys those that were asked for more than once at a time.
    pub keys: u64,
    /// The share of the run's keys that was audited: 1, or what there was memory for.
    pub share: f64,
    /// Keys of the run's that were surely admitted more than the limit within some window's length.
    pub keys_over: u64,
    /// The most that were admitted of any key within a window's length.
    pub peak: Option<Peak>,
    /// The most requests of any key, allowed or blocked, that surely fell within a window's length; of each key counted
    /// until all promises have been tested on it.
    pub most_asked: u64,
    /// One for each promise asked for, in that order.
    pub promises: Vec<PromiseReport>,
    /// The windows of single keys in which most was admitted, most first, the run's keys before the probe's: one for
    /// each key over the limit, ten at most.
    pub worst: Vec<AdmissionSpan>,
    /// The first of each promise's false blocks, ten at most of each.
    pub false_blocks: Vec<FalseBlock>,
    /// Whether every request that was blocked although fewer than the limit can have counted is what a limiter blocks
    /// that counts blocked requests too; `None` without any, or if the limit is over 65,536.
    pub counts_blocked: Option<bool>,
    /// Requests that the targets blocked, by target.
    pub blocked: Vec<u64>,
    /// Requests not answered, which may have been admitted.
    pub unanswered: u64,
    /// Whether the peaks are those of nodes that do not know of each other.
    pub nodes_count_alone: bool,
}

/// How many requests of one key were admitted within a window's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    pub key: AuditedKey,
    /// Surely.
    pub at_least: u64,
    /// Wherever in their intervals the decisions fell, and if all that were not answered were admitted.
    pub at_most: u64,
}

/// How a promise stands against what was seen.
#[derive(Debug, Clone)]
pub struct PromiseReport {
    pub promise: Promise,
    /// The proof that more was admitted than promised, by the first request that completed one.
    pub excess: Option<Proof>,
    /// Requests surely blocked in spite of the promise.
    pub false_blocks: u64,
    /// Whether there would be a proof if those that were not answered were admitted, between their sent and done.
    pub suspect: bool,
    /// Of how many keys a limiter that admits everything would have been found out.
    pub tested: u64,
    /// Of a fixed window, the kinds of it that explain what was seen.
    pub clock_explains: bool,
    pub opened_explains: bool,
}

impl PromiseReport {
    pub fn is_broken(&self) -> bool {
        self.excess.is_some() || self.false_blocks > 0
    }
}

/// Requests of one key that cannot all have been admitted.
#[derive(Debug, Clone)]
pub struct Proof {
    pub window: AdmissionSpan,
    /// The most that the promise lets be admitted in that time.
    pub promised: u64,
    /// How many requests had been looked at when it was complete.
    pub after: u64,
}

/// Requests of one key that were admitted within a span.
#[derive(Debug, Clone)]
pub struct AdmissionSpan {
    pub key: AuditedKey,
    /// The first one's sent and the last one's done.
    pub from: Nanos,
    pub to: Nanos,
    pub admitted: u64,
    /// Of a proof that began longer ago than anything is remembered, those of them that still are; so are the next.
    pub by_target: Vec<u64>,
    /// The requests' sequence numbers in the order of their sent; the first thousand.
    pub sequences: Vec<u64>,
}

/// A request that was blocked although fewer than the limit can have counted against it.
#[derive(Debug, Clone)]
pub struct FalseBlock {
    pub promise: Promise,
    pub key: AuditedKey,
    pub sequence: u64,
    pub target: u32,
    pub sent: Nanos,
    pub done: Nanos,
    /// How many others can have counted against it at most.
    pub counted: u64,
}

/// How many requests a [`AdmissionSpan`] lists.
const LISTED: usize = 1_000;

impl AdmissionSpan {
    /// Of admissions in the order of their sents, of which there is one.
    pub(super) fn new<'a>(
        key: AuditedKey,
        admissions: impl Iterator<Item = &'a Admission>,
        targets: usize,
    ) -> AdmissionSpan {
        let mut window = AdmissionSpan {
            key,
            from: Nanos::MAX,
            to: Nanos::ZERO,
            admitted: 0,
            by_target: vec![0; targets],
            sequences: Vec::new(),
        };
        for admission in admissions {
            window.from = window.from.min(Nanos(admission.sent));
            window.to = window.to.max(Nanos(admission.done));
            window.admitted += 1;
            if let Some(count) = window.by_target.get_mut(admission.request.target()) {
                *count += 1;
            }
            if window.sequences.len() < LISTED {
                window.sequences.push(admission.request.sequence());
            }
        }
        window
    }

    /// Whether as many were admitted as by nodes that each keep the limit and know nothing of each other: about the
    /// limit, or what a fixed window or a token bucket lets pass in that time, by each of several.
    pub(super) fn is_of_nodes_alone(&self, limit: u64) -> bool {
        let (Some(least), Some(most)) = (self.by_target.iter().min(), self.by_target.iter().max())
        else {
            return false;
        };
        let (least, most, limit) = (u128::from(*least), u128::from(*most), u128::from(limit));
        // What reaches all nodes at the same moment may be lost by nodes that count together.
        let at_once = matches!(self.key, AuditedKey::Probe(key) if probe::is_flooded(key));
        !at_once
            && self.by_target.len() > 1
            && least * 5 >= limit * 4
            && most * 4 <= least * 5
            && most * 10 <= limit * 21
    }
}

impl AuditReport {
    pub fn promise(&self, promise: Promise) -> Option<&PromiseReport> {
        self.promises
            .iter()
            .find(|judged| judged.promise == promise)
    }

    /// `schedule_kept` is whether the generator did what was asked of it.
    pub fn verdict(&self, schedule_kept: bool) -> Verdict {
        Verdict::of(&self.promises, schedule_kept)
    }
}

/// How an audit stands while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProgress {
    /// As if the run had kept its schedule and ended with what has been looked at.
    pub verdict: Verdict,
    /// The promises not broken.
    pub standing: Vec<Promise>,
    pub observed: u64,
    /// As the report's.
    pub keys_over: u64,
    /// The most that were surely admitted of any key within a window's length.
    pub most: u64,
}

/// Whether one of the promises was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What was seen is what a limiter does that keeps its promise, and not what one does that admits everything.
    Kept,
    /// No limiter that keeps its promise does what was seen.
    Broken,
    /// Broken if the requests that were not answered were admitted.
    Suspect,
    Inconclusive(Why),
}

impl Verdict {
    pub(super) fn of(judged: &[PromiseReport], schedule_kept: bool) -> Verdict {
        let standing: Vec<_> = judged.iter().filter(|j| !j.is_broken()).collect();
        if standing.is_empty() {
            return Verdict::Broken;
        }
        let tested = || standing.iter().filter(|judged| judged.tested > 0);
        if !schedule_kept {
            Verdict::Inconclusive(Why::ScheduleNotKept)
        } else if tested().next().is_none() {
            Verdict::Inconclusive(Why::NotTested)
        } else if tested().all(|judged| judged.suspect) {
            Verdict::Suspect
        } else {
            Verdict::Kept
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The generator itself was late, or dropped requests.
    ScheduleNotKept,
    /// A limiter that admits everything would have looked the same.
    NotTested,
}
