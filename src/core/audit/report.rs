use super::observation::{AuditedKey, Observation};
use super::promise::Promise;
use super::proof::{AdmissionSpan, Proof};
use super::terms::Terms;
use serde::{Deserialize, Serialize};

/// What an audit found.
#[derive(Debug, Clone)]
pub struct AuditReport {
    pub terms: Terms,
    /// The number of requests looked at.
    pub observed: u64,
    /// The number of keys audited. If every request has a new key, only keys with several requests at a time count.
    pub keys: u64,
    /// The share of the run's keys that was audited: 1, or as many as there was memory for.
    pub share: f64,
    /// The run's keys that were surely admitted more than the limit within some window's length.
    pub keys_over: u64,
    /// The most admissions of any key within a window's length.
    pub peak: Option<KeyPeak>,
    /// The most requests of any key, allowed or blocked, that surely fell within a window's length. Each key counts
    /// until all promises have been tested on it.
    pub most_asked: u64,
    /// One for each promise in the terms, in their order.
    pub promises: Vec<PromiseReport>,
    /// The busiest windows of single keys, most admissions first, the run's keys before the probe's: one for each key
    /// over the limit, ten at most.
    pub worst: Vec<AdmissionSpan>,
    /// The first wrongly blocked requests, ten at most for each promise.
    pub false_blocks: Vec<FalseBlock>,
    /// Whether a limiter that counts blocked requests too would have blocked every request that was blocked although
    /// fewer than the limit can have counted. `None` without any such request, or with a limit over 65,536.
    pub counts_blocked: Option<bool>,
    /// The requests that each target blocked.
    pub blocked: Vec<u64>,
    /// Requests that were not answered, and may have been admitted.
    pub unanswered: u64,
    /// Whether the peaks are those of nodes that do not know of each other.
    pub nodes_count_alone: bool,
}

/// How many requests of one key were admitted within a window's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPeak {
    pub key: AuditedKey,
    /// Wherever between sent and done the decisions fell.
    pub at_least: u64,
    /// If the decisions fell so as to make it most, and all unanswered requests were admitted.
    pub at_most: u64,
}

/// What the observations say about one promise.
#[derive(Debug, Clone)]
pub struct PromiseReport {
    pub promise: Promise,
    /// The first proof that more was admitted than promised.
    pub excess: Option<Proof>,
    /// Requests surely blocked in spite of the promise.
    pub false_blocks: u64,
    /// Whether there would be a proof if the unanswered requests were admitted, between their sent and done.
    pub suspect: bool,
    /// On how many keys a limiter that admits everything would have been caught.
    pub tested: u64,
    /// For each kind of limiter that keeps the promise, whether it explains all keys.
    pub explained_by: Vec<bool>,
}

impl PromiseReport {
    pub fn is_broken(&self) -> bool {
        self.excess.is_some() || self.false_blocks > 0
    }
}

/// A request that was blocked although the promise lets it pass.
#[derive(Debug, Clone)]
pub struct FalseBlock {
    pub promise: Promise,
    pub request: Observation,
    /// How many others can have counted against it at most.
    pub counted: u64,
}

impl AuditReport {
    /// The report on a promise, if it is one of the terms'.
    pub fn promise(&self, promise: Promise) -> Option<&PromiseReport> {
        self.promises.iter().find(|one| one.promise == promise)
    }

    /// The verdict, given whether the generator kept its own schedule.
    pub fn verdict(&self, schedule_kept: bool) -> AuditVerdict {
        if self.is_broken() {
            return AuditVerdict::Broken;
        }
        let mut tested = self
            .promises
            .iter()
            .filter(|one| !one.is_broken() && one.tested > 0)
            .peekable();
        if !schedule_kept || tested.peek().is_none() {
            AuditVerdict::Inconclusive
        } else if tested.all(|one| one.suspect) {
            AuditVerdict::Suspect
        } else {
            AuditVerdict::Kept
        }
    }

    /// Whether every promise is broken.
    pub(super) fn is_broken(&self) -> bool {
        self.promises.iter().all(PromiseReport::is_broken)
    }

    pub(super) fn progress(&self) -> AuditProgress {
        let standing = self.promises.iter().filter(|one| !one.is_broken());
        AuditProgress {
            verdict: self.verdict(true),
            standing: standing.map(|one| one.promise).collect(),
            observed: self.observed,
            keys_over: self.keys_over,
            most: self.peak.map_or(0, |peak| peak.at_least),
        }
    }
}

/// How an audit stands while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProgress {
    /// The verdict as if the run had kept its schedule and ended with what has been looked at.
    pub verdict: AuditVerdict,
    /// The promises not broken.
    pub standing: Vec<Promise>,
    pub observed: u64,
    /// See [`AuditReport::keys_over`].
    pub keys_over: u64,
    /// The most admissions of any key that surely fell within a window's length.
    pub most: u64,
}

/// Whether one of the promises was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditVerdict {
    /// A limiter that keeps its promise explains all observations, and one that admits everything would have been
    /// caught.
    Kept,
    /// No limiter that keeps its promise explains the observations.
    Broken,
    /// The promise is broken if the unanswered requests were admitted.
    Suspect,
    /// The generator did not keep its own schedule; or it did, and a limiter that admits everything would have looked
    /// the same.
    Inconclusive,
}
