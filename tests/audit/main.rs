//! Whether the audit is right: no limiter that keeps its promise is accused, and those that do not are found out. What
//! it says is held against a second reading of its definitions, which tries everything.

mod agreement;
mod brute;
mod cluster;
mod limiters;
mod sensitivity;
mod soundness;
