//! An open-loop HTTP load generator for rate-limiter clusters.

pub mod client;
pub mod clock;
pub mod engine;
pub mod keys;
pub mod limiter;
pub mod schedule;
pub mod stats;
pub mod stop;
