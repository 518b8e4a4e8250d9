//! The audit is right: it accuses no limiter that keeps its promise, and catches those that do not. Its reports are compared
//! with those of a brute-force audit, which tries everything.

mod acquittal;
mod agreement;
mod brute;
mod causes;
mod cluster;
mod limiters;
mod machines;
mod outages;
mod populations;
mod restarts;
mod sensitivity;
mod soundness;
mod truth;
