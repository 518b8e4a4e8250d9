//! The command `loadgen`, run as its user runs it, against servers in this process.
#![allow(
    clippy::duplicate_mod,
    reason = "the claims of `suite/` are tested over every carrier"
)]

#[path = "../support/mod.rs"]
mod support;

// Each of these tests the claims of `suite/` over one carrier.
mod http;
mod https_insecure;
mod https_trusted;
mod ipv6;
#[cfg(target_os = "linux")]
mod several_addresses;

mod answers;
mod audit;
mod audited_keys;
mod audited_stripes;
mod configuration;
mod connections;
mod count;
mod demo;
mod discover;
mod drift;
mod dry_run;
#[cfg(target_os = "linux")]
mod events;
mod guide;
mod kubernetes;
#[cfg(unix)]
mod manual;
#[cfg(unix)]
mod merge;
#[cfg(unix)]
mod metrics;
mod presets;
mod printed;
mod profiles;
mod recorded;
mod replay;
mod requests;
#[cfg(unix)]
mod results;
mod secrets;
mod stripes;
mod summary;
mod thresholds;
mod tls;
mod typing;
mod urls;
