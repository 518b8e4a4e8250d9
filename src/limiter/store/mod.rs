//! Where the keys' states live, one file or folder each.

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

/// Decides checks, one key's after another. Any number of nodes may share one store; then they share its limits.
pub trait Store: Send + Sync + 'static {
    /// Decides about one request and counts it if it is allowed.
    ///
    /// # Errors
    /// The store could not be asked or did not answer; whether the request was counted is then unknown.
    fn check(&self, check: &Check) -> Result<Decision, StoreError>;

    /// Whether it can decide checks now.
    ///
    /// # Errors
    /// Why not.
    fn health(&self) -> Result<(), StoreError>;

    /// How many keys it holds, the expired ones that are not yet forgotten included.
    ///
    /// # Errors
    /// The store could not be asked or did not answer.
    fn keys(&self) -> Result<u64, StoreError>;
}

/// Why a store gave no decision.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
