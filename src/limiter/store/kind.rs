//! The kinds of stores, by name or address.

use super::redis::{InvalidRedisAddress, RedisAddress, RedisStore};
use super::{MemoryStore, Store};
use crate::limiter::algorithm::Algorithm;
use crate::limiter::clock::SystemClock;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Where a node keeps its keys' states. Parsed from `memory` or the URL of a [`RedisAddress`], and displayed likewise,
/// without user and password. A new kind is a file beside this one, and a variant here with what the compiler asks for.
#[derive(Debug, Clone)]
pub enum StoreKind {
    /// In the node itself, which then counts alone.
    Memory,
    /// In a database, which nodes may share.
    Redis(RedisAddress),
}

impl StoreKind {
    /// Opens a store, no call of which takes longer than `timeout`.
    ///
    /// # Errors
    /// The errors of [`RedisStore::start`]. An unreachable Redis is not an error here.
    pub fn open(&self, algorithm: Algorithm, timeout: Duration) -> io::Result<Arc<dyn Store>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new(algorithm, SystemClock::default())),
            Self::Redis(address) => Arc::new(RedisStore::start(address, algorithm, timeout)?),
        })
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Redis(address) => address.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be memory or {form}; {0}", form = RedisAddress::FORM)]
pub struct UnknownStore(#[from] InvalidRedisAddress);

impl FromStr for StoreKind {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        match text {
            "memory" => Ok(Self::Memory),
            address => Ok(Self::Redis(address.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_known_by_its_name_or_address() {
        for (text, shown) in [
            ("memory", "memory"),
            ("redis://redis", "redis://redis:6379/0"),
            ("redis://:secret@h:7/2", "redis://h:7/2"),
        ] {
            assert_eq!(text.parse::<StoreKind>().unwrap().to_string(), shown);
        }
        assert_eq!(
            "disk".parse::<StoreKind>().unwrap_err().to_string(),
            "must be memory or redis://[[user]:password@]host[:port][/database]; it does not begin with redis://, and \
             TLS is not supported"
        );
    }
}
