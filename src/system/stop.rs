//! How a run is told to end.

use crate::base::Moment;
use parking_lot::{Condvar, Mutex};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A request to stop a run early: made once, by a signal or by whoever started the run, and never
/// taken back. The pacer stops pacing and the queue's tokens stay unsent.
#[derive(Debug, Default)]
pub struct Stop {
    requested: OnceLock<Moment>,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    pub fn request(&self) {
        // Under the lock, so that nobody who has just looked goes to sleep and misses it.
        let _guard = self.lock.lock();
        self.requested.get_or_init(Moment::now);
        self.changed.notify_all();
    }

    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// When it was first requested, if it was.
    pub fn requested_at(&self) -> Option<Moment> {
        // Waits for a request that is just being made, and has read the clock: whoever is told of none was before any.
        let _guard = self.lock.lock();
        self.requested.get().copied()
    }

    /// Waits for at most `timeout`; true if the stop was requested.
    pub fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut guard = self.lock.lock();
        while !self.is_requested() {
            match deadline {
                Some(deadline) => {
                    if self.changed.wait_until(&mut guard, deadline).timed_out() {
                        break;
                    }
                }
                None => self.changed.wait(&mut guard),
            }
        }
        self.is_requested()
    }
}
