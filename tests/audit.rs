//! Whether the audit is right: no limiter that keeps its promise is accused, and those that do not are found out. What
//! it says is held against a second reading of its definitions, which tries everything.

#[path = "audit/agreement.rs"]
mod agreement;
#[path = "audit/brute.rs"]
mod brute;
#[path = "audit/cluster.rs"]
mod cluster;
#[path = "audit/limiters.rs"]
mod limiters;
#[path = "audit/sensitivity.rs"]
mod sensitivity;
#[path = "audit/soundness.rs"]
mod soundness;
