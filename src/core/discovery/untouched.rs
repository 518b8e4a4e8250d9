//! The untouched key: filled, and then asked only at times that double.

use super::saturation::{Came, Saturation};
use crate::base::Nanos;

/// The time until it is asked for the first time.
const FIRST: Nanos = Nanos(50_000_000);

#[derive(Debug)]
pub(super) struct Untouched {
    saturation: Saturation,
    /// When it was blocked for the first time.
    blocked: Option<Nanos>,
    /// How long after that it was asked last, and will be asked next.
    waits: (Nanos, Nanos),
    /// How long after the block it was admitted again.
    admitted_after: Option<Nanos>,
    /// When that was known.
    admitted_at: Nanos,
}

impl Untouched {
    pub fn new(saturation: Saturation) -> Untouched {
        Untouched {
            saturation,
            blocked: None,
            waits: (Nanos::ZERO, FIRST),
            admitted_after: None,
            admitted_at: Nanos::ZERO,
        }
    }

    pub fn next(&self) -> Option<Nanos> {
        if self.admitted_after.is_some() {
            return None;
        }
        self.saturation.next()
    }

    pub fn sent(&mut self, at: Nanos) {
        self.saturation.sent(at);
    }

    pub fn answered(&mut self, sent: Nanos, done: Nanos, came: Came) {
        self.saturation.answered(sent, done, came);
        match (self.blocked, came) {
            (None, Came::Blocked) => {
                self.blocked = Some(done);
                self.saturation.pause_until(done + self.waits.1);
            }
            (Some(blocked), Came::Blocked) => {
                if done > blocked + self.waits.1 {
                    self.waits = (self.waits.1, self.waits.1 * 2);
                }
                self.saturation.pause_until(blocked + self.waits.1);
            }
            (Some(blocked), Came::Admitted) if sent > blocked => {
                self.admitted_after = Some(done.saturating_sub(blocked));
                self.admitted_at = done;
            }
            _ => {}
        }
    }

    /// The longest rest after which it was still blocked, and the time after the block at which it was admitted again. Each
    /// request may have begun the block anew, so that only the time since the last one is a rest.
    pub fn admitted_after(&self) -> Option<(Nanos, Nanos)> {
        let rest = Nanos(self.waits.0.0 / 2);
        self.admitted_after.map(|after| (rest, after))
    }

    /// When it was known that it is admitted again.
    pub fn admitted_at(&self) -> Nanos {
        self.admitted_at
    }
}
