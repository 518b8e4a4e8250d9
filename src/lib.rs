//! An open-loop HTTP load generator for rate-limiter clusters.

pub mod limiter;
