//! What has been found of all keys together.

use super::bounds::Bounds;
use super::key_audit::{Blocked, KeyAudit};
use super::keys::KeyAudits;
use super::observation::{AuditedKey, Decision, Observation};
use super::promise::PromiseFlags;
use super::proof::AdmissionSpan;
use super::report::{AuditProgress, AuditReport, AuditVerdict, FalseBlock, KeyPeak, PromiseReport};
use super::terms::Terms;
use std::cmp::Reverse;

#[derive(Debug)]
pub(super) struct Findings {
    observed: u64,
    /// The number of observations looked at so far.
    looked_at: u64,
    unanswered: u64,
    keys_over: u64,
    pub most_asked: u64,
    peak: Option<KeyPeak>,
    promises: Vec<PromiseReport>,
    worst: Vec<AdmissionSpan>,
    false_blocks: Vec<FalseBlock>,
    /// Whether a limiter that counts blocked requests too would have let one of the wrongly blocked requests pass;
    /// `None` without any.
    unexplained_by_blocked: Option<bool>,
    /// By target.
    blocked: Vec<u64>,
    /// Whether some target blocked a request although it alone had not admitted enough of the key.
    blocked_for_others: bool,
    /// How many admissions may be looked through to find that out.
    effort: u64,
}

/// How many items of each kind of evidence are kept.
const KEPT: usize = 10;

/// For each observation, how many admissions may be looked through to find out whether nodes know of each other.
const EFFORT: u64 = 16;

/// How much unused effort is saved up.
const MOST_EFFORT: u64 = 1 << 20;

impl Findings {
    pub fn new(terms: &Terms) -> Findings {
        let promises = terms.promises.iter().map(|promise| PromiseReport {
            promise: *promise,
            excess: None,
            false_blocks: 0,
            suspect: false,
            tested: 0,
            explained_by: vec![true; promise.about().kinds.len()],
        });
        Findings {
            observed: 0,
            looked_at: 0,
            unanswered: 0,
            keys_over: 0,
            most_asked: 0,
            peak: None,
            promises: promises.collect(),
            worst: Vec::new(),
            false_blocks: Vec::new(),
            unexplained_by_blocked: None,
            blocked: vec![0; terms.targets],
            blocked_for_others: false,
            effort: 0,
        }
    }

    /// A request was observed, though it may not have been looked at yet.
    pub fn observe(&mut self, request: &Observation) {
        self.observed += 1;
        match request.decision {
            Decision::Blocked => {
                if let Some(blocked) = self.blocked.get_mut(request.target as usize) {
                    *blocked += 1;
                }
            }
            Decision::Unanswered => self.unanswered += 1,
            Decision::Allowed | Decision::Failed => {}
        }
    }

    pub fn look_at_one(&mut self) {
        self.looked_at += 1;
        self.effort = (self.effort + EFFORT).min(MOST_EFFORT);
    }

    /// Whether a window with so many admissions is among the worst.
    pub fn wants(&self, admitted: u64, limit: u64) -> bool {
        let least = self.worst.get(KEPT - 1).map_or(0, |last| last.admitted);
        admitted > limit.max(least)
    }

    pub fn keep(&mut self, span: AdmissionSpan) {
        match self.worst.iter_mut().find(|other| other.key == span.key) {
            Some(other) if other.admitted >= span.admitted => return,
            Some(other) => *other = span,
            None => self.worst.push(span),
        }
        self.worst.sort_by_key(|span| {
            let is_probed = matches!(span.key, AuditedKey::Probe(_));
            (Reverse(span.admitted), is_probed)
        });
        self.worst.truncate(KEPT);
    }

    /// A key is now admitted more than the limit within a window's length.
    pub fn count_key_over(&mut self, key: AuditedKey) {
        self.keys_over += u64::from(matches!(key, AuditedKey::Load(_)));
    }

    /// Takes in an allowed request that is the latest of its key.
    pub fn admit(&mut self, request: &Observation, audit: &KeyAudit, bounds: &Bounds) {
        for one in &mut self.promises {
            let evidence = audit.proved.evidence.of(one.promise);
            for (kind, explains) in one.explained_by.iter_mut().enumerate() {
                *explains &= evidence.explains(kind);
            }
            if one.excess.is_none() && !one.explained_by.contains(&true) {
                one.excess = Some(audit.proof(one.promise, request, self.looked_at, bounds));
            }
        }
    }

    /// Takes in how many requests of a key may have been admitted.
    pub fn suspect(&mut self, key: AuditedKey, audit: &KeyAudit) {
        if let Some(possible) = &audit.possible {
            for one in &mut self.promises {
                one.suspect |= possible.evidence.is_broken(one.promise);
            }
        }
        let (at_least, at_most) = (audit.busiest.at_least, audit.busiest.at_most);
        let is_higher = self.peak.is_none_or(|peak| {
            peak.key == key || (at_least, at_most) > (peak.at_least, peak.at_most)
        });
        if is_higher {
            self.peak = Some(KeyPeak {
                key,
                at_least,
                at_most,
            });
        }
    }

    /// These promises were tested on one more key.
    pub fn count_tested(&mut self, tested: &PromiseFlags) {
        for one in &mut self.promises {
            one.tested += u64::from(tested[one.promise as usize]);
        }
    }

    /// Takes in a blocked request.
    pub fn block(&mut self, request: &Observation, blocked: &Blocked, bounds: &Bounds) {
        let mut is_wrong = false;
        for one in &mut self.promises {
            if !blocked.wrongly[one.promise as usize] {
                continue;
            }
            is_wrong = true;
            one.false_blocks += 1;
            if one.false_blocks <= KEPT as u64 {
                self.false_blocks.push(FalseBlock {
                    promise: one.promise,
                    key: request.key,
                    sequence: request.sequence,
                    target: request.target,
                    sent: request.sent,
                    done: request.done,
                    counted: blocked.counted,
                });
            }
        }
        if is_wrong
            && blocked.counted < bounds.limit
            && let Some(is_explained) = blocked.is_explained_by_blocked
        {
            *self.unexplained_by_blocked.get_or_insert(false) |= !is_explained;
        }
    }

    /// Finds out whether a target that blocked a request knows of other targets' admissions, if that is still open and
    /// not too costly.
    pub fn look_for_shared_counts(
        &mut self,
        request: &Observation,
        audit: &KeyAudit,
        bounds: &Bounds,
    ) {
        let effort = audit.proved.log.len() as u64;
        if !self.blocked_for_others && effort <= self.effort {
            self.effort -= effort;
            self.blocked_for_others = audit.is_blocked_for_others(request, bounds);
        }
    }

    pub fn is_broken(&self) -> bool {
        self.promises.iter().all(PromiseReport::is_broken)
    }

    pub fn progress(&self) -> AuditProgress {
        let standing = self.promises.iter().filter(|one| !one.is_broken());
        AuditProgress {
            verdict: AuditVerdict::of(&self.promises, true),
            standing: standing.map(|one| one.promise).collect(),
            observed: self.observed,
            keys_over: self.keys_over,
            most: self.peak.map_or(0, |peak| peak.at_least),
        }
    }

    pub fn report(self, terms: Terms, keys: &KeyAudits) -> AuditReport {
        let limit = terms.limit;
        let nodes_count_alone = !self.blocked_for_others
            && self.blocked.iter().all(|blocked| *blocked > 0)
            && self.worst.iter().any(|span| span.is_of_nodes_alone(limit));
        AuditReport {
            terms,
            observed: self.observed,
            keys: keys.count(),
            share: keys.share(),
            keys_over: self.keys_over,
            peak: self.peak,
            most_asked: self.most_asked,
            promises: self.promises,
            worst: self.worst,
            false_blocks: self.false_blocks,
            counts_blocked: self.unexplained_by_blocked.map(|unexplained| !unexplained),
            blocked: self.blocked,
            unanswered: self.unanswered,
            nodes_count_alone,
        }
    }
}
