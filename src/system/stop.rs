//! The request to end a run early.

use crate::base::Moment;
use parking_lot::{Condvar, Mutex};
use std::sync::OnceLock;
use std::time::Duration;

/// A signal, or the caller of a run, requests a stop once and never takes it back. The pacer then stops pacing, and the
/// tokens in the queue stay unsent.
#[derive(Debug, Default)]
pub struct Stop {
    requested: OnceLock<Moment>,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    pub fn request(&self) {
        // Under the lock, so that a waiter that has just checked does not go to sleep and miss it.
        let _guard = self.lock.lock();
        self.requested.get_or_init(Moment::now);
        self.changed.notify_all();
    }

    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// The moment of the first request, if there was one.
    pub fn requested_at(&self) -> Option<Moment> {
        // A request in progress may have read the clock already. Waiting for it ensures that after `None`, any later
        // request carries a later moment.
        let _guard = self.lock.lock();
        self.requested.get().copied()
    }

    /// Waits until a stop is requested, at most for `timeout`. Returns whether one was.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut guard = self.lock.lock();
        let not_requested = |_: &mut ()| !self.is_requested();
        let changed = &self.changed;
        let waited = changed.wait_while_for(&mut guard, not_requested, timeout);
        !waited.timed_out()
    }
}
