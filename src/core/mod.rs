//! The rules of a run, as pure functions of time and data: no clock, no thread, no socket.

pub mod answers;
pub mod audit;
pub mod capacity;
pub mod comparison;
pub mod discovery;
pub mod events;
pub mod exit_code;
pub mod keys;
pub mod masking;
pub mod merge;
pub mod outages;
pub mod plan;
pub mod presets;
pub mod recorded;
pub mod replay;
pub mod request;
pub mod round_robin;
pub mod schedule;
pub mod stats;
pub mod stripe;
pub mod summary;
pub mod threshold;
pub mod worker_shares;
