//! How the generator itself works, and the metrics that it serves.

use super::values::{duration, timeout};
use super::{Opt, opt};
use crate::base::text::{MAX_DURATION, time, whole};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Args)]
#[command(next_help_heading = "Generator")]
pub struct Generator {
    /// How many threads send requests, each one at a time: 1 to 10000
    #[arg(long, short = 'c', env = "LOADGEN_WORKERS", hide_env_values = true, value_name = "N", value_parser = workers,
          default_value = "100", allow_hyphen_values = true)]
    pub workers: usize,

    /// How many requests may wait for a worker. Further ones are dropped when they come due
    #[arg(long, env = "LOADGEN_QUEUE", hide_env_values = true, value_name = "N", value_parser = queue,
          default_value = "10000", allow_hyphen_values = true)]
    pub queue: usize,

    #[command(flatten)]
    pub requests: Timeout,

    /// How long requests in flight may still take after a signal. If this option is given, it also holds for a run that
    /// ends by itself, where each request otherwise gets its own --timeout
    #[arg(long, env = "LOADGEN_DRAIN_TIMEOUT", hide_env_values = true, value_name = "TIME", value_parser = opt(duration),
          default_value = "8", allow_hyphen_values = true)]
    pub drain_timeout: Opt<Duration>,

    /// The time from one stats line to the next
    #[arg(long, env = "LOADGEN_STATS_INTERVAL", hide_env_values = true, value_name = "TIME", value_parser = stats_interval,
          default_value = "10", allow_hyphen_values = true)]
    pub stats_interval: Duration,

    /// The same seed repeats the same keys, order and arrivals. The keys of an audited run are new all the same, unless
    /// --reuse-keys is given. `random` draws a seed and prints it
    #[arg(long, env = "LOADGEN_SEED", hide_env_values = true, value_name = "SEED", value_parser = opt(seed),
          default_value = "random", allow_hyphen_values = true)]
    pub seed: Opt<u64>,

    /// The address at which to serve metrics for Prometheus, under /metrics: 127.0.0.1:9100, or :9100 for
    /// all IPv4 addresses of this machine. Port 0 picks a free port. Without it, no metrics are served
    #[arg(long, env = "LOADGEN_METRICS_ADDR", hide_env_values = true, value_name = "ADDR", value_parser = opt(metrics_addr))]
    pub metrics_addr: Option<Opt<SocketAddr>>,

    /// How long metrics stay available after the run, for the last scrape. After a signal, this is at most what requests in
    /// flight left of --drain-timeout. A further signal ends it at once
    #[arg(long, env = "LOADGEN_METRICS_LINGER", hide_env_values = true, value_name = "TIME", value_parser = duration,
          default_value = "0", allow_hyphen_values = true)]
    pub metrics_linger: Duration,
}

impl Generator {
    /// Takes the seed as one that the user chose.
    pub(super) fn choose_seed(&mut self) {
        let seed = *self.seed;
        self.seed = Opt::in_place(self.seed.id.clone(), seed, seed.to_string());
    }

    /// Whether the user chose the seed.
    pub(super) fn has_chosen_seed(&self) -> bool {
        self.seed.text.trim() != RANDOM
    }
}

/// The value of `--seed` that draws one.
const RANDOM: &str = "random";

pub(super) fn random_seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

/// The longest time of a request. The audit needs it, too: it remembers for so long what may still count.
#[derive(Debug, Args)]
pub struct Timeout {
    /// The longest time that one whole request may take
    #[arg(long, env = "LOADGEN_TIMEOUT", hide_env_values = true, value_name = "TIME", value_parser = timeout,
          default_value = "10", allow_hyphen_values = true)]
    pub timeout: Duration,
}

fn stats_interval(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(10)..=MAX_DURATION,
        "from 10ms to 3650d",
    )
}

fn workers(text: &str) -> Result<usize, String> {
    whole(text, 1..=10_000)
}

fn queue(text: &str) -> Result<usize, String> {
    whole(text, 1..=10_000_000)
}

fn seed(text: &str) -> Result<u64, String> {
    match text.trim() {
        RANDOM => Ok(random_seed()),
        number => number
            .parse()
            .map_err(|_| format!("must be a whole number from 0 to {}, or {RANDOM}", u64::MAX)),
    }
}

/// Reads an address. Without a host, it means all IPv4 addresses, since not every machine has IPv6.
fn metrics_addr(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let every_address = || {
        let port = text.strip_prefix(':')?.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    };
    let address = text.parse().ok().or_else(every_address);
    address.ok_or_else(|| {
        "must be an IP address and a port, such as 127.0.0.1:9100 or [::]:9100, or only :9100"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_served_at_an_address_of_this_machine_or_all_of_them() {
        for (text, address) in [
            ("127.0.0.1:9100", "127.0.0.1:9100"),
            (" [::1]:0 ", "[::1]:0"),
            (":9100", "0.0.0.0:9100"),
            (":0", "0.0.0.0:0"),
        ] {
            assert_eq!(metrics_addr(text), Ok(address.parse().unwrap()), "{text}");
        }
        for bad in [
            "",
            ":",
            "9100",
            "127.0.0.1",
            "::1:9100x",
            "localhost:9100",
            ":65536",
            ":-1",
            "http://127.0.0.1:9100",
            "127.0.0.1:9100/metrics",
        ] {
            assert!(metrics_addr(bad).is_err(), "{bad}");
        }
    }
}
