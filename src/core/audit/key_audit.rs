//! All that is known of one key.

use super::groups::{Flags, Group, Rules};
use super::observation::{Decision, Observation};
use super::quota_audit::QuotaAudit;
use crate::base::Nanos;

#[derive(Debug)]
pub(super) struct KeyAudit {
    /// One for each quota that the key is held to. None if the key is unlimited.
    pub quotas: Box<[QuotaAudit]>,
    /// How many requests of the key were admitted.
    admitted: u64,
    /// How long the latest admitted request of the key took.
    pub as_admitted: Option<Nanos>,
    /// The promises that the key was judged by, by their places.
    pub judged: Flags,
    /// The done of the latest request.
    latest: Nanos,
}

impl KeyAudit {
    pub fn new(rules: &Rules) -> KeyAudit {
        KeyAudit {
            quotas: rules.groups.iter().map(QuotaAudit::new).collect(),
            admitted: 0,
            as_admitted: None,
            judged: Flags::default(),
            latest: Nanos::ZERO,
        }
    }

    /// Each quota with its group.
    pub fn with_groups<'a>(
        &'a mut self,
        rules: &'a Rules,
    ) -> impl Iterator<Item = (&'a mut QuotaAudit, &'a Group)> {
        self.quotas.iter_mut().zip(&rules.groups)
    }

    /// A request was sent. Its answer is known already.
    pub fn sent(&mut self, request: &Observation, rules: &Rules) {
        for (quota, group) in self.with_groups(rules) {
            quota.sent(request, &group.bounds);
        }
    }

    /// A request is done.
    pub fn done(&mut self, request: &Observation) {
        self.latest = self.latest.max(request.done);
        if request.decision == Decision::Allowed {
            self.admitted += 1;
            self.as_admitted = Some(request.done - request.sent);
        }
    }

    /// The limits that were tested, by their places.
    pub fn tested(&self) -> Flags {
        let tested = self.quotas.iter().map(|quota| quota.tested);
        tested.fold(Flags::default(), Flags::union)
    }

    /// The limits of which the key's admissions would show a breach, by their places: any admission is enough, unless the
    /// limiter's windows may be laid by one clock. Then a boundary may lie between any two admissions, and excuse up to the
    /// limit too many. More than twice the limit show where boundaries are.
    pub fn shown(&self, rules: &Rules) -> Flags {
        let mut shown = Flags::default();
        for group in &rules.groups {
            let twice = group.bounds.most.saturating_mul(2);
            for (place, limit) in &group.limits {
                let hidden = if limit.may_have_one_clock() { twice } else { 0 };
                if self.admitted > hidden {
                    shown.set(*place);
                }
            }
        }
        shown
    }

    /// Gives up the older half of what is remembered.
    pub fn give_up_half(&mut self) {
        self.quotas.iter_mut().for_each(QuotaAudit::give_up_half);
    }

    /// Whether the key can be forgotten without loss, as if it had never been observed.
    pub fn is_idle(&self, now: Nanos, rules: &Rules) -> bool {
        let idle = now.saturating_sub(self.latest);
        let mut quotas = self.quotas.iter().zip(&rules.groups);
        quotas.all(|(quota, group)| quota.is_plain(&group.bounds) && idle > group.bounds.kept * 2)
    }

    /// Whether there is anything worth giving up.
    pub fn remembers_much(&self) -> bool {
        self.quotas.iter().any(QuotaAudit::remembers_much)
    }

    /// The memory used, in bytes.
    pub fn memory(&self) -> usize {
        let quotas = self.quotas.iter().map(QuotaAudit::memory);
        size_of::<Self>() + quotas.sum::<usize>()
    }
}
