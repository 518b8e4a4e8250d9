//! The reference rate limiter, to try the load generator on. `--demo` runs it, and so does the program `ratelimiter`.
//!
//! One check counts one request. A key has one state, whatever limit and window it is checked with; a client under two
//! policies needs two keys. Each algorithm documents what a changed limit or window means for it. None panics, and none
//! makes a caller wait longer than its window, not even after the clock stepped back.

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
pub use node::{Node, Probe, check_health};
pub use store::{MemoryStore, RacyStore, RedisAddress, RedisStore, Store, StoreError, StoreKind};
