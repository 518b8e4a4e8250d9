//! What has been found of all keys together.

use super::bounds::Bounds;
use super::key_audit::{Blocked, KeyAudit, Shown};
use super::keys::KeyAudits;
use super::observation::{AuditedKey, Decision, Observation};
use super::proof::AdmissionSpan;
use super::report::{AuditReport, FalseBlock, KeyPeak, PromiseReport};
use super::terms::Terms;
use std::cmp::Reverse;

#[derive(Debug)]
pub(super) struct Findings {
    /// The report so far, without what is concluded at the end.
    report: AuditReport,
    /// The number of observations looked at so far.
    looked_at: u64,
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
    pub fn new(terms: Terms) -> Findings {
        let promises = terms.promises.iter().map(|promise| PromiseReport {
            promise: *promise,
            excess: None,
            false_blocks: 0,
            suspect: false,
            tested: 0,
            explained_by: vec![true; promise.about().kinds.len()],
        });
        Findings {
            report: AuditReport {
                observed: 0,
                keys: 0,
                share: 1.0,
                keys_over: 0,
                peak: None,
                most_asked: 0,
                promises: promises.collect(),
                worst: Vec::new(),
                false_blocks: Vec::new(),
                counts_blocked: None,
                blocked: vec![0; terms.targets],
                unanswered: 0,
                nodes_count_alone: false,
                terms,
            },
            looked_at: 0,
            blocked_for_others: false,
            effort: 0,
        }
    }

    /// A request was observed, though it may not have been looked at yet.
    pub fn observe(&mut self, request: &Observation) {
        self.report.observed += 1;
        match request.decision {
            Decision::Blocked => {
                if let Some(blocked) = self.report.blocked.get_mut(request.target as usize) {
                    *blocked += 1;
                }
            }
            Decision::Unanswered => self.report.unanswered += 1,
            Decision::Allowed | Decision::Failed => {}
        }
    }

    pub fn look_at_one(&mut self) {
        self.looked_at += 1;
        self.effort = (self.effort + EFFORT).min(MOST_EFFORT);
    }

    /// Whether a window with so many admissions is among the worst.
    pub fn wants(&self, admitted: u64) -> bool {
        let least = self
            .report
            .worst
            .get(KEPT - 1)
            .map_or(0, |last| last.admitted);
        admitted > self.report.terms.limit && admitted >= least
    }

    pub fn keep(&mut self, span: AdmissionSpan) {
        match self
            .report
            .worst
            .iter_mut()
            .find(|other| other.key == span.key)
        {
            Some(other) if other.admitted >= span.admitted => return,
            Some(other) => *other = span,
            None => self.report.worst.push(span),
        }
        let worst = &mut self.report.worst;
        // Of equal ones the first go first, so that the order does not depend on how keys are numbered.
        worst.sort_by_key(|span| (Reverse(span.admitted), span.key.is_probe(), span.from));
        worst.truncate(KEPT);
    }

    /// A key is now admitted more than the limit within a window's length.
    pub fn count_key_over(&mut self, key: AuditedKey) {
        self.report.keys_over += u64::from(!key.is_probe());
    }

    /// Takes in an allowed request that is the latest of its key.
    pub fn admit(&mut self, request: &Observation, audit: &KeyAudit, bounds: &Bounds) {
        for one in &mut self.report.promises {
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
            for one in &mut self.report.promises {
                one.suspect |= possible.evidence.is_broken(one.promise);
            }
        }
        let (at_least, at_most) = (audit.busiest.at_least, audit.busiest.at_most);
        let is_higher = self.report.peak.is_none_or(|peak| {
            peak.key == key || (at_least, at_most) > (peak.at_least, peak.at_most)
        });
        if is_higher {
            self.report.peak = Some(KeyPeak {
                key,
                at_least,
                at_most,
            });
        }
    }

    /// Takes in what one more request shows of a limiter that would have admitted everything.
    pub fn test(&mut self, shown: &Shown) {
        for one in &mut self.report.promises {
            one.tested += u64::from(shown.newly_broken[one.promise as usize]);
        }
        self.report.most_asked = self.report.most_asked.max(shown.within);
    }

    /// Takes in a blocked request.
    pub fn block(&mut self, request: &Observation, blocked: &Blocked) {
        let mut is_wrong = false;
        for one in &mut self.report.promises {
            if !blocked.wrongly[one.promise as usize] {
                continue;
            }
            is_wrong = true;
            one.false_blocks += 1;
            if one.false_blocks <= KEPT as u64 {
                self.report.false_blocks.push(FalseBlock {
                    promise: one.promise,
                    request: *request,
                    counted: blocked.counted,
                });
            }
        }
        if is_wrong
            && blocked.counted < self.report.terms.limit
            && let Some(is_explained) = blocked.is_explained_by_blocked
        {
            *self.report.counts_blocked.get_or_insert(true) &= is_explained;
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

    /// The report if nothing more were looked at.
    pub fn so_far(&self) -> &AuditReport {
        &self.report
    }

    pub fn report(self, keys: &KeyAudits) -> AuditReport {
        let report = self.report;
        let limit = report.terms.limit;
        AuditReport {
            keys: keys.count(),
            share: keys.share(),
            nodes_count_alone: !self.blocked_for_others
                && report.blocked.iter().all(|blocked| *blocked > 0)
                && report
                    .worst
                    .iter()
                    .any(|span| span.is_of_nodes_alone(limit)),
            ..report
        }
    }
}
