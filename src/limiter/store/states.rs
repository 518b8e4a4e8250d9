//! What a store within the process holds: each key's state until it expires.

use crate::limiter::check::Key;
use crate::limiter::clock::Timestamp;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};

/// Keys whose expiry is looked into on each change. A change puts off or adds the expiry of one key, so with more than
/// one looked into, forgetting keeps up with any stream of changes.
const TURNS_PER_CHANGE: usize = 2;

/// Keys and their states. Expired ones are forgotten a few at a time by the changes of others: no thread, no pause.
pub(super) struct States<A> {
    slots: HashMap<Key, Slot<A>>,
    /// When to look at each key next, soonest first: one entry a key, at an expiry it once had. Changes since then may
    /// have put it off, which shows when its turn comes.
    queue: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

struct Slot<A> {
    state: A,
    expiry: Timestamp,
}

impl<A> Default for States<A> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            queue: BinaryHeap::new(),
        }
    }
}

impl<A: Default> States<A> {
    /// How many keys there are, the expired ones that are not yet forgotten included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn get(&self, key: &Key) -> Option<&A> {
        self.slots.get(key).map(|slot| &slot.state)
    }

    /// Changes a key's state, or the default of a key that has none, by a function that also returns the state's expiry.
    pub fn change<T>(
        &mut self,
        now: Timestamp,
        key: &Key,
        change: impl FnOnce(&mut A) -> (T, Timestamp),
    ) -> T {
        let result = if let Some(slot) = self.slots.get_mut(key) {
            let (result, expiry) = change(&mut slot.state);
            slot.expiry = expiry;
            result
        } else {
            let mut state = A::default();
            let (result, expiry) = change(&mut state);
            self.queue.push(Reverse((expiry, key.clone())));
            self.slots.insert(key.clone(), Slot { state, expiry });
            result
        };
        self.forget_expired(now);
        result
    }

    fn forget_expired(&mut self, now: Timestamp) {
        for _ in 0..TURNS_PER_CHANGE {
            let Some(mut turn) = self.queue.peek_mut().filter(|turn| turn.0.0 <= now) else {
                return;
            };
            match self.slots.get(&turn.0.1) {
                Some(slot) if slot.expiry > now => turn.0.0 = slot.expiry,
                _ => {
                    let Reverse((_, key)) = PeekMut::pop(turn);
                    self.slots.remove(&key);
                }
            }
        }
    }
}
