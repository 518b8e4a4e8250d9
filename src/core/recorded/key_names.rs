//! The keys of recorded requests, by their names.

use crate::base::KeyId;
use crate::core::keys::Keys;
use foldhash::quality::FixedState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// Distinct keys, numbered in the order in which they come. If they need too much memory, half of them are given up,
/// chosen by the hashes of their names, as often as it takes.
#[derive(Debug)]
pub struct KeyNames {
    ids: HashMap<Box<str>, KeyId, FixedState>,
    next: u32,
    /// Names with greater hashes are left out.
    end: u64,
    /// The bytes that the names use, and the most that they may use.
    used: usize,
    most: usize,
}

/// The memory of a key beside its name: its place in a map that is at least half full, and an allocation.
const EACH: usize = 2 * size_of::<(Box<str>, KeyId)>() + 16;

impl KeyNames {
    pub fn new(memory: usize) -> KeyNames {
        KeyNames {
            ids: HashMap::default(),
            next: 0,
            end: u64::MAX,
            used: 0,
            most: memory,
        }
    }

    /// Adds a name, unless it is there already or left out.
    pub fn add(&mut self, name: &str) {
        if !is_within(name, self.end) || self.ids.contains_key(name) {
            return;
        }
        self.ids.insert(name.into(), KeyId(self.next));
        self.next = self.next.wrapping_add(1);
        self.used += EACH + name.len();
        while self.used > self.most && self.ids.len() > 1 {
            self.give_up_half();
        }
    }

    fn give_up_half(&mut self) {
        self.end /= 2;
        let end = self.end;
        self.ids.retain(|name, _| is_within(name, end));
        self.ids.shrink_to_fit();
        self.used = self.ids.keys().map(|name| EACH + name.len()).sum();
    }

    /// The key of this name; `None` if it is left out.
    pub fn id(&self, name: &str) -> Option<KeyId> {
        self.ids.get(name).copied()
    }

    /// The name of a key. This searches all of them.
    pub fn name(&self, id: KeyId) -> Option<&str> {
        let mut all = self.ids.iter();
        all.find(|(_, other)| **other == id)
            .map(|(name, _)| &**name)
    }

    /// For each key by its number, the place of its limit and cost in [`Keys::tiers`]. It is 0, or missing at the end, for
    /// keys without one of their own. `None` if there are keys, and none of them is among `listed`.
    pub fn tier_places(&self, listed: &Keys) -> Option<Vec<u16>> {
        let mut places = Vec::new();
        let mut is_used = self.is_empty() || self.share() < 1.0;
        let tiers = listed.tier_places();
        for place in 0..listed.count().unwrap_or(0) {
            let Some(key) = self.id(&listed.name(KeyId(place))) else {
                continue;
            };
            is_used = true;
            let (key, tier) = (key.0 as usize, tiers.get(place as usize).copied());
            if let Some(tier) = tier.filter(|tier| *tier > 0) {
                places.resize(places.len().max(key + 1), 0);
                places[key] = tier;
            }
        }
        is_used.then_some(places)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The share of all keys that is kept: 1, or as many as there was memory for.
    pub fn share(&self) -> f64 {
        (self.end as f64 + 1.0) / (u64::MAX as f64 + 1.0)
    }

    /// The memory used, in bytes.
    pub fn memory(&self) -> usize {
        self.used
    }
}

fn is_within(name: &str, end: u64) -> bool {
    FixedState::default().hash_one(name) <= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::KeyList;
    use std::sync::Arc;

    #[test]
    fn a_key_has_one_number_however_often_it_comes() {
        let mut keys = KeyNames::new(1 << 20);
        for name in ["a", "b", "a", "", "b"] {
            keys.add(name);
        }
        assert_eq!((keys.len(), keys.share()), (3, 1.0));
        assert_eq!(
            ["a", "b", ""].map(|name| keys.id(name)),
            [0, 1, 2].map(|id| Some(KeyId(id)))
        );
        assert_eq!(
            (keys.name(KeyId(1)), keys.name(KeyId(3))),
            (Some("b"), None)
        );
    }

    #[test]
    fn listed_keys_have_their_tiers_by_their_own_numbers() {
        let list = KeyList::read(&b"alice\t10/1s\nbob\ncarol\tcost 5"[..]).unwrap();
        let listed = Keys::listed(Arc::new(list), "user:");
        let mut recorded = KeyNames::new(1 << 20);
        assert_eq!(recorded.tier_places(&listed), Some(Vec::new()));
        recorded.add("alice");
        assert_eq!(recorded.tier_places(&listed), None);
        for name in ["user:dave", "user:carol", "user:bob", "user:alice"] {
            recorded.add(name);
        }
        assert_eq!(recorded.tier_places(&listed), Some(vec![0, 0, 2, 0, 1]));
    }

    #[test]
    fn a_sample_of_the_keys_is_kept_if_there_is_too_little_memory() {
        let mut keys = KeyNames::new(64 << 10);
        for round in 0..2 {
            for number in 0..10_000 {
                keys.add(&format!("key-{number}"));
            }
            assert!(keys.memory() <= 64 << 10, "{round}");
        }
        let share = keys.len() as f64 / 10_000.0;
        assert!((keys.share() - share).abs() < 0.02, "{share}");
        assert!((0.02..0.2).contains(&share), "{share}");
    }
}
