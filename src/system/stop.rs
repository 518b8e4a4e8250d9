//! The request to end a run early.

use crate::base::Moment;
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// A signal, or the caller of a run, requests a stop once and never takes it back. The pacer then stops pacing, and the
/// tokens in the queue stay unsent.
#[derive(Debug, Default)]
pub struct Stop {
    requested: OnceLock<Moment>,
    /// The stops that are requested with this one. The lock is also that of `requested`.
    followers: Mutex<Vec<Weak<Stop>>>,
    changed: Condvar,
}

impl Stop {
    pub fn request(&self) {
        // Under the lock, so that a waiter that has just checked does not go to sleep and miss it.
        let mut followers = self.followers.lock();
        self.requested.get_or_init(Moment::now);
        self.changed.notify_all();
        for follower in followers
            .drain(..)
            .filter_map(|follower| follower.upgrade())
        {
            follower.request();
        }
    }

    /// A stop that is requested with this one, or by itself without this one.
    pub fn follower(&self) -> Arc<Stop> {
        let follower = Arc::new(Stop::default());
        let mut followers = self.followers.lock();
        if self.is_requested() {
            follower.request();
        } else {
            followers.retain(|other| other.strong_count() > 0);
            followers.push(Arc::downgrade(&follower));
        }
        follower
    }

    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// The moment of the first request, if there was one.
    pub fn requested_at(&self) -> Option<Moment> {
        // A request in progress may have read the clock already. Waiting for it ensures that after `None`, any later
        // request carries a later moment.
        let _guard = self.followers.lock();
        self.requested.get().copied()
    }

    /// Waits until a stop is requested, at most for `timeout`. Returns whether one was.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut guard = self.followers.lock();
        let not_requested = |_: &mut Vec<Weak<Stop>>| !self.is_requested();
        let changed = &self.changed;
        let waited = changed.wait_while_for(&mut guard, not_requested, timeout);
        !waited.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_stops_with_its_leader_and_not_the_reverse() {
        let leader = Stop::default();
        let (first, second) = (leader.follower(), leader.follower());
        first.request();
        assert!(first.is_requested() && !leader.is_requested() && !second.is_requested());
        leader.request();
        assert!(second.is_requested());
        assert!(leader.follower().is_requested());
    }
}
