//! The keys that are audited: all, or as many as there is memory for.

use super::groups::Rules;
use super::key_audit::KeyAudit;
use super::observation::AuditedKey;
use foldhash::quality::FixedState;
use std::collections::HashMap;
use std::hash::BuildHasher;

#[derive(Debug)]
pub(super) struct KeyAudits {
    audits: HashMap<AuditedKey, KeyAudit, FixedState>,
    /// Keys of the load with greater hashes are not audited.
    end: u64,
    /// How many keys of the load there have been.
    load: u64,
    /// The bytes that may be used.
    memory: usize,
    /// The bytes that are used.
    used: usize,
}

/// How much room the map has for each key in it: it is at least half full.
const ROOM: usize = 2;

impl KeyAudits {
    pub fn new(memory: usize) -> KeyAudits {
        KeyAudits {
            audits: HashMap::default(),
            end: u64::MAX,
            load: 0,
            memory,
            used: 0,
        }
    }

    /// Whether a key is one of those that are audited.
    pub fn audits(&self, key: AuditedKey) -> bool {
        is_within(key, self.end)
    }

    /// Changes what is known of a key, if it is audited.
    pub fn update(&mut self, key: AuditedKey, rules: &Rules, change: impl FnOnce(&mut KeyAudit)) {
        let audit = self.audits.entry(key).or_insert_with(|| {
            let audit = KeyAudit::new(rules);
            self.load += u64::from(!key.is_probe());
            self.used += audit.memory() + (ROOM - 1) * size_of::<KeyAudit>();
            audit
        });
        let before = audit.memory();
        change(audit);
        self.used = self.used + audit.memory() - before;
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (AuditedKey, &mut KeyAudit)> {
        self.audits.iter_mut().map(|(key, audit)| (*key, audit))
    }

    /// What is known of a key, if it is audited and has not been forgotten.
    pub fn get(&self, key: AuditedKey) -> Option<&KeyAudit> {
        self.audits.get(&key)
    }

    /// How many keys of the load have been audited. A key that was forgotten because it was idle, and came again,
    /// counts twice.
    pub fn count(&self) -> u64 {
        self.load
    }

    /// The share of the load's keys that is audited.
    pub fn share(&self) -> f64 {
        (self.end as f64 + 1.0) / (u64::MAX as f64 + 1.0)
    }

    /// Whether more memory is used than may be, with `others` used elsewhere.
    pub fn exceed(&self, others: usize) -> bool {
        self.used + others > self.memory
    }

    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.used
    }

    /// Uses less memory: forgets idle keys, then gives up half of the keys as often as it takes, and in the end half of
    /// what is known of the last keys. Returns whether it gave up any key.
    pub fn shrink(
        &mut self,
        others: usize,
        is_idle: impl Fn(AuditedKey, &KeyAudit) -> bool,
    ) -> bool {
        self.retain(|key, audit| !is_idle(*key, audit));
        // A quarter stays free, so that it is not done again at once.
        let enough = (self.memory / 4 * 3).saturating_sub(others);
        let mut gave_up = false;
        while self.used > enough && self.end > 0 && self.has_several() {
            self.end /= 2;
            let end = self.end;
            self.retain(|key, _| is_within(*key, end));
            gave_up = true;
        }
        while self.used > enough && self.audits.values().any(KeyAudit::remembers_much) {
            self.audits.values_mut().for_each(KeyAudit::give_up_half);
            self.retain(|_, _| true);
        }
        gave_up
    }

    fn has_several(&self) -> bool {
        self.audits.keys().filter(|key| !key.is_probe()).count() > 1
    }

    fn retain(&mut self, keep: impl Fn(&AuditedKey, &KeyAudit) -> bool) {
        self.audits.retain(|key, audit| keep(key, audit));
        self.audits.shrink_to_fit();
        let own = self.audits.values().map(KeyAudit::memory).sum::<usize>();
        self.used = own + self.audits.len() * (ROOM - 1) * size_of::<KeyAudit>();
    }
}

/// Whether a key's hash is at most `end`. The probe's keys always count.
fn is_within(key: AuditedKey, end: u64) -> bool {
    match key {
        AuditedKey::Load(id) => FixedState::default().hash_one(id) <= end,
        AuditedKey::Probe(_) => true,
    }
}
