//! The question to a limiter and its answer. A value of any type here is valid.

use super::clock::Micros;
use std::sync::Arc;
use thiserror::Error;

/// May `key` make one more request, at `limit` requests per `window`?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Check {
    pub key: Key,
    pub limit: Limit,
    pub window: Window,
}

/// The limit and window for checks that do not give their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Policy {
    pub limit: Limit,
    pub window: Window,
}

impl Policy {
    pub(super) fn check(self, key: Key) -> Check {
        let Self { limit, window } = self;
        Check { key, limit, window }
    }
}

/// The part of a check that is out of its range. The message gives the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckError {
    #[error("key must be a string of 1 to {} bytes", Key::MAX_BYTES)]
    Key,
    #[error("limit must be an integer from 1 to {}", Limit::MAX)]
    Limit,
    #[error("window_ms must be an integer from 1 to {}", Window::MAX_MILLIS)]
    Window,
}

impl CheckError {
    pub const fn field(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Limit => "limit",
            Self::Window => "window_ms",
        }
    }
}

/// The client that is limited: a text of 1 to 256 bytes, or several texts. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    pub const MAX_BYTES: usize = 256;

    pub fn new(text: &str) -> Result<Self, CheckError> {
        if (1..=Self::MAX_BYTES).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(CheckError::Key)
        }
    }

    /// The key for several names of at most [`Key::MAX_BYTES`] in all. It differs from the keys of all other names, and
    /// of the same names of another kind.
    pub fn of_names(kind: &str, names: &[&str]) -> Result<Self, CheckError> {
        let bytes: usize = names.iter().map(|name| name.len()).sum();
        let text = serde_json::to_string(&(kind, names)).expect("strings are always JSON");
        if bytes <= Self::MAX_BYTES {
            Ok(Self(text.into()))
        } else {
            Err(CheckError::Key)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Requests per window: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit(u32);

impl Limit {
    pub const MAX: u32 = 1_000_000;

    pub fn new(requests: u64) -> Result<Self, CheckError> {
        u32::try_from(requests)
            .ok()
            .filter(|requests| (1..=Self::MAX).contains(requests))
            .map(Self)
            .ok_or(CheckError::Limit)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The time that a limit is for: 1 to 86,400,000 whole milliseconds (a day).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Micros);

impl Window {
    pub const MAX_MILLIS: u64 = 24 * 60 * 60 * 1_000;

    pub fn from_millis(millis: u64) -> Result<Self, CheckError> {
        if (1..=Self::MAX_MILLIS).contains(&millis) {
            Ok(Self(Micros::new(millis * 1_000)))
        } else {
            Err(CheckError::Window)
        }
    }

    pub const fn length(self) -> Micros {
        self.0
    }
}

/// The answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub limit: Limit,
    /// How many more checks would be allowed at this instant; 0 if this one was blocked.
    pub remaining: u32,
    /// The time until more than `remaining` checks would be allowed, if no other is admitted before. It is never zero,
    /// and never longer than the window.
    ///
    /// This is the effective window of draft-ietf-httpapi-ratelimit-headers, section 4.1.2 (parameter `t`): "the
    /// number of seconds within which the client can use no more than the available quota". It is not the time until
    /// the whole quota is back: by section 6 of the draft, `Retry-After` should not end before the effective window.
    pub reset: Micros,
}

impl Decision {
    pub(super) fn allow(limit: Limit, remaining: u32, reset: Micros) -> Self {
        Self {
            allowed: true,
            limit,
            remaining,
            reset,
        }
    }

    pub(super) fn block(limit: Limit, reset: Micros) -> Self {
        Self {
            allowed: false,
            limit,
            remaining: 0,
            reset,
        }
    }

    /// The time that a blocked caller must wait. A check exactly then is allowed, if no other was admitted meanwhile; one
    /// a microsecond earlier is not. As nothing remains after a block, this is `reset`.
    pub fn retry_after(&self) -> Option<Micros> {
        (!self.allowed).then_some(self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_can_only_be_made_of_values_in_range() {
        for (bytes, is_ok) in [(0, false), (1, true), (256, true), (257, false)] {
            assert_eq!(Key::new(&"k".repeat(bytes)).is_ok(), is_ok, "{bytes}");
        }
        assert!(Key::new(&"é".repeat(129)).is_err(), "bytes count");
        let is_limit = |requests| Limit::new(requests).is_ok();
        assert!([1, 1_000_000].into_iter().all(is_limit));
        assert!(![0, 1_000_001, u64::MAX].into_iter().any(is_limit));
        let is_window = |millis| Window::from_millis(millis).is_ok();
        assert!([1, 86_400_000].into_iter().all(is_window));
        assert!(![0, 86_400_001, u64::MAX].into_iter().any(is_window));
    }
}
