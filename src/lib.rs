//! An open-loop HTTP load generator for rate-limiter clusters.
//!
//! ```text
//! schedule ──> pacer ──(bounded queue of tokens)──> workers ──> samples ──> reporter ──> observers:
//!  (pure)     1 thread                            100 threads, one       1 thread: tally,   console, live view,
//!                                                 shared ureq::Agent     audit              files, /metrics
//! ```
//!
//! The [`guide`] explains how to use it.
//!
//! The code has four layers. A file uses only its own layer and those under it, and `tests/layers.rs` holds it to that.
//!
//! | layer | module | holds |
//! | --- | --- | --- |
//! | edges | [`command`] | what each command does |
//! | | [`cli`] | flags and variables, from text to a checked [`cli::Setup`] |
//! | | [`recording`] | the files that `loadgen audit` reads |
//! | | [`report`] | observers of a run, and the formats of its results |
//! | | [`client`] | one request over HTTP: the shared agent, its connections, name lookup |
//! | | [`limiter`] | the reference rate limiter, for `--demo` and the program `ratelimiter` |
//! | engine | [`engine`] | the threads of a run |
//! | core | [`core`] | the rules of a run, as pure functions: schedule, keys, requests, answers, audit, thresholds, statistics |
//! | base | [`base`] | the words that all layers share: time, tokens, outcomes, samples, text |
//! | | [`system`] | the operating system: clocks, timers, signals, terminal, temporary files, limits |

pub mod base;
pub mod cli;
pub mod client;
pub mod command;
pub mod core;
pub mod engine;
pub mod guide;
pub mod limiter;
pub mod recording;
pub mod report;
pub mod system;
