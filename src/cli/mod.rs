//! Flags and environment variables: what they are called, what they mean, what they may be.

mod arguments;
pub mod values;

pub use arguments::{Arguments, Refusal, without_login};

use crate::client::Authorities;
use crate::schedule::Rate;
use clap::Parser;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use uuid::Uuid;
use values::{MAX_DURATION, boolean, duration, some_time, time, timeout, whole};

/// Sends checks to every node of a rate-limiter cluster on an exact, open-loop schedule, and
/// counts what was allowed, blocked and failed.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    max_term_width = 100,
    hide_possible_values = true
)]
pub struct Cli {
    /// Base URLs of the nodes, comma-separated, http or https; requests go to them in turn
    #[arg(long, env, hide_env_values = true, value_name = "URLS", value_parser = urls,
          default_value = "http://ratelimiter-1:8000,http://ratelimiter-2:8000,http://ratelimiter-3:8000")]
    pub targets: Urls,

    /// Steady rate in requests per second; fractions are allowed (0.5 is one every two seconds)
    #[arg(long, env, hide_env_values = true, value_name = "RATE", value_parser = rps,
          default_value = "10", allow_hyphen_values = true)]
    pub rps: Rate,

    /// How long to run: seconds, or 90s, 2m, 1h30m; 0 runs until stopped
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = duration,
          default_value = "60", allow_hyphen_values = true)]
    pub duration: Duration,

    /// Whether there are bursts: true or false
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "true", num_args = 0..=1, default_missing_value = "true")]
    pub burst_enabled: bool,

    /// The rate of a burst is this many times the steady rate
    #[arg(long, env, hide_env_values = true, value_name = "FACTOR", value_parser = multiplier,
          default_value = "5", allow_hyphen_values = true)]
    pub burst_multiplier: f64,

    /// How long a burst lasts
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = some_time,
          default_value = "5", allow_hyphen_values = true)]
    pub burst_duration: Duration,

    /// From one burst's start to the next; the first starts at this time
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = some_time,
          default_value = "30", allow_hyphen_values = true)]
    pub burst_interval: Duration,

    /// How many threads send requests, each one at a time: 1 to 10000
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = workers,
          default_value = "100", allow_hyphen_values = true)]
    pub workers: usize,

    /// How many requests may wait for a worker; what comes due beyond that is dropped
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = queue,
          default_value = "10000", allow_hyphen_values = true)]
    pub queue: usize,

    /// How long one whole request may take
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = timeout,
          default_value = "10", allow_hyphen_values = true)]
    pub timeout: Duration,

    /// How long requests in flight get when the run ends
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = duration,
          default_value = "10", allow_hyphen_values = true)]
    pub drain_timeout: Duration,

    /// From one stats line to the next
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = stats_interval,
          default_value = "10", allow_hyphen_values = true)]
    pub stats_interval: Duration,

    /// Appended to each target
    #[arg(long, env = "CHECK_PATH", hide_env_values = true, value_name = "PATH",
          value_parser = path, default_value = "/check")]
    pub path: String,

    /// The limit sent in each check
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = limit,
          default_value = "100", allow_hyphen_values = true)]
    pub limit: u64,

    /// The window sent in each check, in milliseconds
    #[arg(long, env, hide_env_values = true, value_name = "MS", value_parser = window,
          default_value = "60000", allow_hyphen_values = true)]
    pub window_ms: u64,

    /// How many distinct keys share the traffic; 0 makes a fresh key for every request
    #[arg(long, env, hide_env_values = true, value_name = "N", value_parser = keys,
          default_value = "7", allow_hyphen_values = true)]
    pub keys: u32,

    /// Same seed: same keys, same order, same arrivals; `random` draws one, which is printed
    #[arg(long, env, hide_env_values = true, value_name = "SEED", value_parser = seed,
          default_value = "random", allow_hyphen_values = true)]
    pub seed: u64,

    /// Accept any certificate that an https target shows, even an expired one or another host's
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub insecure: bool,

    /// A PEM file with the certificates that https targets' own must be, or be issued by; no public
    /// authority is trusted then
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = OsStringValueParser::new().try_map(|file| authorities(&file)))]
    pub ca_cert: Option<Authorities>,

    /// Where to serve metrics for Prometheus, under /metrics, such as 127.0.0.1:9100, or :9100 for
    /// all IPv4 addresses of this machine; port 0 is any free one. Nowhere unless set
    #[arg(long, env, hide_env_values = true, value_name = "ADDR", value_parser = metrics_addr)]
    pub metrics_addr: Option<SocketAddr>,

    /// How long metrics stay after the run, for the last scrape; a signal ends it
    #[arg(long, env, hide_env_values = true, value_name = "TIME", value_parser = duration,
          default_value = "0", allow_hyphen_values = true)]
    pub metrics_linger: Duration,

    /// Start three limiter nodes in this process, on free loopback ports, and use them as targets
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub demo: bool,
}

/// A list of URLs with no empty element.
#[derive(Debug, Clone)]
pub struct Urls(pub Vec<String>);

fn urls(text: &str) -> Result<Urls, String> {
    const ALLOWED: &str = "must be one or more http or https URLs, separated by commas";
    if text.trim().is_empty() {
        return Err(format!("{ALLOWED}; there is none"));
    }
    let urls: Vec<_> = text.split(',').map(|url| url.trim().to_owned()).collect();
    if let Some(empty) = urls.iter().position(String::is_empty) {
        return Err(format!("{ALLOWED}; element {} is empty", empty + 1));
    }
    Ok(Urls(urls))
}

/// The highest steady rate, in requests per second.
const MAX_RPS: f64 = 1_000_000.0;

/// Keeps the rate of a burst within [`Rate::MAX`].
const MAX_MULTIPLIER: f64 = 1_000.0;

/// The lowest steady rate: one request in eleven and a half days.
const MIN_RPS: f64 = 0.000_001;

fn rps(text: &str) -> Result<Rate, String> {
    number(text)
        .filter(|rps| (MIN_RPS..=MAX_RPS).contains(rps))
        .and_then(Rate::per_second)
        .ok_or_else(|| format!("must be requests per second, from {MIN_RPS} to {MAX_RPS}"))
}

fn multiplier(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|factor| (1.0..=MAX_MULTIPLIER).contains(factor))
        .ok_or_else(|| format!("must be a number from 1 to {MAX_MULTIPLIER}"))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn stats_interval(text: &str) -> Result<Duration, String> {
    time(
        text,
        Duration::from_millis(10)..=MAX_DURATION,
        "from 10ms to 3650d",
    )
}

/// Several times as large as the bundle of all public authorities.
const MAX_AUTHORITIES: u64 = 16 * 1024 * 1024;

fn authorities(file: &OsStr) -> Result<Authorities, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut pem = Vec::new();
        File::open(file)?
            .take(MAX_AUTHORITIES + 1)
            .read_to_end(&mut pem)?;
        match pem.len() as u64 > MAX_AUTHORITIES {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(pem),
        }
    };
    read()
        .map_err(|error| error.to_string())
        .and_then(|pem| Authorities::from_pem(&pem))
        .map_err(|why| format!("must be a PEM file with one or more certificates; {why}"))
}

fn workers(text: &str) -> Result<usize, String> {
    whole(text, 1..=10_000)
}

fn queue(text: &str) -> Result<usize, String> {
    whole(text, 1..=10_000_000)
}

fn limit(text: &str) -> Result<u64, String> {
    whole(text, 1..=1_000_000_000)
}

fn window(text: &str) -> Result<u64, String> {
    whole(text, 1..=1_000_000_000_000)
}

fn keys(text: &str) -> Result<u32, String> {
    whole(text, 0..=10_000_000)
}

fn seed(text: &str) -> Result<u64, String> {
    match text.trim() {
        "random" => Ok(Uuid::new_v4().as_u64_pair().0),
        number => number
            .parse()
            .map_err(|_| format!("must be a whole number from 0 to {}, or random", u64::MAX)),
    }
}

/// As much as common servers take of a request's first line.
const MAX_PATH: usize = 8_000;

fn path(text: &str) -> Result<String, String> {
    let sendable = |c: char| c.is_ascii_graphic() && !"\"#<>\\^`{|}".contains(c);
    let valid = text.starts_with('/') && text.chars().all(sendable) && text.len() <= MAX_PATH;
    valid.then(|| text.to_owned()).ok_or_else(|| {
        format!("must start with / and be at most {MAX_PATH} characters that a URL may have")
    })
}

/// Without a host, all IPv4 addresses: those of IPv6 are not to be had on every machine.
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
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn rates_are_positive_finite_and_at_most_a_million() {
        for good in ["10", "0.5", "1000000", "1e3", "0.000001"] {
            assert!(rps(good).is_ok(), "{good}");
        }
        for bad in [
            "0",
            "-1",
            "NaN",
            "inf",
            "-inf",
            "1000000.1",
            "",
            "ten",
            "1e-7",
        ] {
            assert!(rps(bad).is_err(), "{bad}");
        }
    }

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

    #[test]
    fn a_path_may_have_a_query_and_nothing_a_url_cannot_carry() {
        for good in ["/", "/check", "/a/b?c=d&e=%20"] {
            assert!(path(good).is_ok(), "{good}");
        }
        for bad in ["", "check", "/a b", "/a\n", "/é", "/#x", "http://x/"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert!(path(&"/".repeat(MAX_PATH)).is_ok());
        assert!(path(&"/".repeat(MAX_PATH + 1)).is_err());
    }
}
