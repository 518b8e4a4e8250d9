//! Keys and their states in memory, each until it expires.

use crate::limiter::algorithm::{Algorithm, KeyState};
use crate::limiter::check::{Check, Key};
use crate::limiter::clock::Timestamp;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};

/// Each check looks at the expiry of so many keys. A check delays or adds the expiry of one key, so with more than one,
/// forgetting keeps up with any stream of checks.
const LOOKS_PER_CHECK: usize = 2;

/// Keys and their states. Each check forgets a few expired ones, so there is no thread for it and no pause.
pub(super) struct States {
    algorithm: Algorithm,
    slots: HashMap<Key, Slot>,
    /// When to look at each key next, soonest first. There is one entry for a key, with an expiry that it once had.
    /// Later checks may have delayed it, which is noticed at the look.
    queue: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

struct Slot {
    state: Box<dyn KeyState>,
    expiry: Timestamp,
}

impl States {
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            slots: HashMap::new(),
            queue: BinaryHeap::new(),
        }
    }

    /// The number of keys, including expired ones that are not yet forgotten.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// A copy of a key's state; a new state for an unknown key.
    pub fn copy(&self, key: &Key) -> Box<dyn KeyState> {
        match self.slots.get(key) {
            Some(slot) => slot.state.copy(),
            None => (self.algorithm.new_state)(),
        }
    }

    /// Changes the state of the check's key at `now`, and forgets some expired keys.
    pub fn change<T>(
        &mut self,
        now: Timestamp,
        check: &Check,
        change: impl FnOnce(&mut Box<dyn KeyState>) -> T,
    ) -> T {
        let result = if let Some(slot) = self.slots.get_mut(&check.key) {
            let result = change(&mut slot.state);
            slot.expiry = slot.state.expiry(check.window);
            result
        } else {
            let mut state = (self.algorithm.new_state)();
            let result = change(&mut state);
            let expiry = state.expiry(check.window);
            self.queue.push(Reverse((expiry, check.key.clone())));
            self.slots.insert(check.key.clone(), Slot { state, expiry });
            result
        };
        self.forget_expired(now);
        result
    }

    fn forget_expired(&mut self, now: Timestamp) {
        for _ in 0..LOOKS_PER_CHECK {
            let Some(mut next) = self.queue.peek_mut().filter(|next| next.0.0 <= now) else {
                return;
            };
            match self.slots.get(&next.0.1) {
                Some(slot) if slot.expiry > now => next.0.0 = slot.expiry,
                _ => {
                    let Reverse((_, key)) = PeekMut::pop(next);
                    self.slots.remove(&key);
                }
            }
        }
    }
}
