//! Which store, by name or address.

use super::Store;
use crate::limiter::algorithm::AlgorithmKind;
use crate::limiter::clock::SystemClock;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Where a node keeps its keys' states. Parsed from `memory`, and displayed as it was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// In the node itself, which counts alone.
    Memory,
}

impl StoreKind {
    /// A store of this kind, whose answers take at most `timeout`.
    pub fn open(&self, algorithm: AlgorithmKind, _timeout: Duration) -> io::Result<Arc<dyn Store>> {
        match self {
            Self::Memory => Ok(algorithm.in_memory(SystemClock::new())),
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// Text that stands for no store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be memory")]
pub struct UnknownStore;

impl FromStr for StoreKind {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        match text {
            "memory" => Ok(Self::Memory),
            _ => Err(UnknownStore),
        }
    }
}
