//! The keys that are audited: all, or as many as there is memory for.

use super::AuditedKey;
use super::key_audit::KeyAudit;
use crate::base::KeyId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

#[derive(Debug)]
pub(super) struct KeyAudits {
    audits: HashMap<AuditedKey, KeyAudit, BuildHasherDefault<Mixer>>,
    /// Keys of the load with hashes from here on are not audited.
    end: u64,
    /// How many keys of the load there have been.
    load: u64,
    /// The bytes that may be used, and that are.
    memory: usize,
    used: usize,
}

/// What the map itself uses for a key, as a multiple of the key's own size: it is between half and fully used.
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
        match key {
            AuditedKey::Load(id) => place(id) <= self.end,
            AuditedKey::Probe(_) => true,
        }
    }

    /// Changes what is known of a key, if it is audited.
    pub fn update(
        &mut self,
        key: AuditedKey,
        new: impl FnOnce() -> KeyAudit,
        change: impl FnOnce(&mut KeyAudit),
    ) {
        let audit = self.audits.entry(key).or_insert_with(|| {
            let audit = new();
            self.load += u64::from(matches!(key, AuditedKey::Load(_)));
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

    /// How many keys of the load have been audited. One that was forgotten for being idle and came again counts twice.
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

    /// Uses less: forgets keys that are idle, then gives up half of the keys as often as it takes, and of the last ones
    /// half of what is known. Returns whether it gave up any.
    pub fn shrink(&mut self, others: usize, is_idle: impl Fn(&KeyAudit) -> bool) -> bool {
        self.retain(|_, audit| !is_idle(audit));
        // Not so soon again.
        let enough = (self.memory / 4 * 3).saturating_sub(others);
        let mut gave_up = false;
        while self.used > enough && self.end > 0 && self.has_several() {
            self.end /= 2;
            let end = self.end;
            self.retain(|key, _| match key {
                AuditedKey::Load(id) => place(*id) <= end,
                AuditedKey::Probe(_) => true,
            });
            gave_up = true;
        }
        while self.used > enough && self.audits.values().any(KeyAudit::remembers_much) {
            self.audits.values_mut().for_each(KeyAudit::give_up_half);
            self.retain(|_, _| true);
        }
        gave_up
    }

    fn has_several(&self) -> bool {
        let load = self
            .audits
            .keys()
            .filter(|key| matches!(key, AuditedKey::Load(_)));
        load.count() > 1
    }

    fn retain(&mut self, keep: impl Fn(&AuditedKey, &KeyAudit) -> bool) {
        self.audits.retain(|key, audit| keep(key, audit));
        self.audits.shrink_to_fit();
        let own = self.audits.values().map(KeyAudit::memory).sum::<usize>();
        self.used = own + self.audits.len() * (ROOM - 1) * size_of::<KeyAudit>();
    }
}

/// Where among all keys one stands that is chosen by its hash.
fn place(id: KeyId) -> u64 {
    mixed(u64::from(id.0) + 1)
}

/// Mixes the bits of a number well, each number into another one: the finalizer of
/// [SplitMix64](https://doi.org/10.1145/2714064.2660195).
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Hashes small numbers, which nobody chooses to do harm.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mixed(self.0 ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
