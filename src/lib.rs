//! An open-loop HTTP load generator for rate-limiter clusters.
//!
//! ```text
//! schedule ──> pacer ──(bounded queue of tokens)──> workers ──> samples ──> reporter ──> console, files, /metrics
//!  (pure)     1 thread                             100 threads, one       1 thread: histograms,
//!                                                  shared ureq::Agent    timeline, audit
//! ```
//!
//! [`cli`] and [`plan`] turn what was typed into a [`plan::Plan`]; [`engine::run`] carries it out.
//! [`schedule`] says when each request is due, [`keys`] which key it carries, [`round_robin`] which
//! target it goes to and [`request`] what it says: all four are pure. [`client`] makes one request, [`stats`] counts what
//! came of them, [`audit`] holds the limiter to its promise, [`threshold`] the run to what was asked of it, [`report`]
//! says so. [`limiter`] is the reference limiter that `--demo` starts; [`server`] is what its nodes and the run's metrics
//! are served by. [`terminal`] is what the live view is drawn on.

pub mod base;
pub mod cli;
pub mod client;
pub mod command;
pub mod core;
pub mod engine;
pub mod limiter;
pub mod report;
pub mod system;
