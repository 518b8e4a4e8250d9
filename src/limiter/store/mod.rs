//! The stores of the keys' states, one file or folder each.

mod kind;
mod memory;
mod racy;
mod redis;
mod states;

pub use kind::{StoreKind, UnknownStore};
pub use memory::MemoryStore;
pub use racy::RacyStore;
pub use redis::{InvalidRedisAddress, RedisAddress, RedisStore};

use super::check::{Check, Decision};
use thiserror::Error;

/// Decides the checks of each key one after another. Nodes that share a store share its limits.
pub trait Store: Send + Sync + 'static {
    /// Decides about one request and counts it if it is allowed.
    ///
    /// # Errors
    /// The store could not be reached or did not answer. The request may have been counted.
    fn check(&self, check: &Check) -> Result<Decision, StoreError>;

    /// Succeeds if the store can decide checks now.
    ///
    /// # Errors
    /// The store could not be reached, or can't decide checks.
    fn health(&self) -> Result<(), StoreError>;

    /// The number of keys that it holds, including expired ones that are not yet forgotten.
    ///
    /// # Errors
    /// The store could not be reached or did not answer.
    fn keys(&self) -> Result<u64, StoreError>;
}

/// The reason that a store gave no answer.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

#[cfg(test)]
mod testing {
    use super::Check;
    use crate::limiter::check::{Key, Limit, Window};
    use crate::limiter::clock::{ManualClock, Timestamp};

    pub fn check(key: &str, limit: u64, window_millis: u64) -> Check {
        Check {
            key: Key::new(key).unwrap(),
            limit: Limit::new(limit).unwrap(),
            window: Window::from_millis(window_millis).unwrap(),
        }
    }

    pub fn noon() -> ManualClock {
        ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000))
    }
}
