//! The reference rate limiter: what the load generator is tried against, and what `--demo` runs.
//!
//! | module | holds |
//! | --- | --- |
//! | [`check`] | what is asked and answered: [`Check`], [`Policy`], [`Decision`] |
//! | [`clock`] | time as a value: [`Timestamp`], [`Micros`], and the [`Clock`]s that read it |
//! | [`algorithm`] | the algorithms: pure functions of a key's state and the time, one file each |
//! | [`store`] | where the keys' states live: the [`Store`] trait and its implementations, one file each |
//! | [`fail_mode`] | what is answered while a store fails: [`FailMode`] |
//! | [`metrics`] | what a node counts, for Prometheus |
//! | [`node`] | a store served over HTTP: [`Node`] |
//! | [`demo`] | three nodes in this process, [`Demo`], and how they limit: [`DemoLimiter`] |
//!
//! One check costs one admission. A key has one state, whatever limit and window it is checked with: a client under
//! two policies is two keys. Each algorithm says what a changed limit or window means for it; none panics, and none
//! makes a caller wait longer than the window it asked with, not even after the clock stepped back.

pub mod algorithm;
pub mod check;
pub mod clock;
pub mod demo;
pub mod fail_mode;
mod http;
pub mod metrics;
pub mod node;
mod outage;
pub mod store;

pub use algorithm::Algorithm;
pub use check::{Check, CheckError, Decision, Key, Limit, Policy, Window};
pub use clock::{Clock, ManualClock, Micros, SystemClock, Timestamp};
pub use demo::{Demo, DemoLimiter};
pub use fail_mode::FailMode;
pub use http::{answerable_presets, check_paths};
pub use node::{Node, check_health};
pub use store::{MemoryStore, RacyStore, RedisAddress, RedisStore, Store, StoreError, StoreKind};
