//! A limiter node of its own: parse, serve, wait for a signal.

use anyhow::Context;
use clap::Parser;
use loadgen::base::text;
use loadgen::cli::{Arguments, Refusal};
use loadgen::limiter::{
    Algorithm, FailMode, Limit, Node, Policy, Probe, StoreKind, Window, check_health,
};
use loadgen::system::limits::raise_descriptor_limit;
use loadgen::system::{Stop, signals};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A rate limiter node. POST /check decides, as do the requests of other limiters; GET /health reports whether
/// it can decide, GET /live whether it serves, GET /metrics its counters
///
/// Exit codes: 0 ended by SIGINT or SIGTERM (or healthy), 1 it could not serve (or is not healthy), 2 bad
/// configuration, such as an address that it can't listen on.
#[derive(Debug, Parser)]
#[command(
    name = "ratelimiter",
    version,
    max_term_width = 100,
    hide_possible_values = true
)]
struct Options {
    /// The port to listen on; 0 picks a free one
    #[arg(long, env, hide_env_values = true, default_value = "8000",
          value_parser = |text: &str| text::whole::<u16>(text, 0..=u16::MAX),
          allow_hyphen_values = true)]
    port: u16,

    /// The IP address to listen on
    #[arg(long, env, hide_env_values = true, default_value = "0.0.0.0", value_parser = ip_address)]
    bind: IpAddr,

    #[arg(long, env, hide_env_values = true, default_value_t,
          help = format!("The algorithm, one of {}", Algorithm::names()), value_parser = str::parse::<Algorithm>)]
    algorithm: Algorithm,

    /// The store of the counts: memory (each node counts alone) or redis://host:port/db (all nodes count together)
    #[arg(long, env, hide_env_values = true, default_value = "memory",
          value_parser = str::parse::<StoreKind>)]
    store: StoreKind,

    /// The time that the store may take for an answer: 0.5 or 500ms is half a second
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "500ms",
          value_parser = store_timeout, allow_hyphen_values = true)]
    store_timeout: Duration,

    /// The answer to a check while the store fails: closed (an error) or open (allowed, and marked)
    #[arg(long, env, hide_env_values = true, default_value = "closed",
          value_parser = str::parse::<FailMode>)]
    fail_mode: FailMode,

    /// The limit of each key per window, for checks that do not give one: 1 to 1000000
    #[arg(long, env, hide_env_values = true, value_name = "N", default_value = "100",
          value_parser = limit, allow_hyphen_values = true)]
    limit: Limit,

    /// The window of such checks, in whole milliseconds or more, up to a day: 60s, 500ms, 2m
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "60s",
          value_parser = window, allow_hyphen_values = true)]
    window: Window,

    /// The node's name in its answers [default: node-PORT]
    #[arg(long, env, hide_env_values = true, value_parser = node_name)]
    node_name: Option<String>,

    /// Instead of serving, report whether the node on this port of this machine is ready (it can decide checks) or live
    /// (it serves, even while its store fails) [default: ready]
    #[arg(long, value_name = "PROBE", num_args = 0..=1, require_equals = true, default_missing_value = "ready",
          value_parser = str::parse::<Probe>)]
    healthcheck: Option<Probe>,
}

fn ip_address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse()
        .map_err(|_| "must be an IP address such as 0.0.0.0, 127.0.0.1 or ::")
}

fn limit(text: &str) -> Result<Limit, String> {
    let requests = text::whole(text, 1..=Limit::MAX.into())?;
    Limit::new(requests).map_err(|error| error.to_string())
}

fn window(text: &str) -> Result<Window, String> {
    let day = Duration::from_millis(Window::MAX_MILLIS);
    let window = text::whole_millis(text, day, "24h")?;
    Window::from_millis(window.as_millis() as u64).map_err(|error| error.to_string())
}

fn node_name(text: &str) -> Result<String, &'static str> {
    let valid = (1..=128).contains(&text.len()) && !text.contains(|c: char| c.is_control());
    valid
        .then(|| text.to_owned())
        .ok_or("must be text in one line, of 1 to 128 bytes")
}

fn store_timeout(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(1)..=Duration::from_secs(60);
    text::time(text, range, "from 1ms to 60s")
}

/// The time that requests have at the end to get their answers, beside the store's timeout.
const FINISH: Duration = Duration::from_secs(5);

/// Longer than the default timeout of a store, and shorter than a container engine's patience.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let options: Options = match Arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments.options,
        Err(Refusal::Asked(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => give_up(1, format!("standard output: {error}")),
            };
        }
        Err(Refusal::Wrong(line)) => return give_up(2, line),
    };
    let addr = SocketAddr::new(options.bind, options.port);
    if let Some(probe) = options.healthcheck {
        return match check_health(addr, probe, HEALTHCHECK_TIMEOUT) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => give_up(1, why),
        };
    }
    match serve(addr, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = if error.is::<Refusal>() { 2 } else { 1 };
            give_up(code, format!("{error:#}"))
        }
    }
}

/// The line that refuses the address or its port.
fn refuse(addr: SocketAddr, error: &io::Error) -> Refusal {
    let (ip, port) = (addr.ip().to_string(), addr.port());
    match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => {
            let allowed = format!("must be a port of --bind '{ip}' that it may listen on; {error}");
            Refusal::wrong("--port", &port.to_string(), &allowed)
        }
        _ => {
            let allowed = format!("must be an address to listen on, with --port '{port}'; {error}");
            Refusal::wrong("--bind", &ip, &allowed)
        }
    }
}

fn give_up(code: u8, why: String) -> ExitCode {
    let _ = writeln!(io::stderr(), "ratelimiter: {why}");
    ExitCode::from(code)
}

fn serve(addr: SocketAddr, options: Options) -> anyhow::Result<()> {
    let stop = Arc::new(Stop::default());
    let _ = signals::install(stop.clone()).context("can't install signal handlers")?;
    raise_descriptor_limit();
    let store = options
        .store
        .open(options.algorithm, options.store_timeout)
        .context("the store")?;
    let name = options
        .node_name
        .unwrap_or_else(|| format!("node-{}", options.port));
    let policy = Policy {
        limit: options.limit,
        window: options.window,
    };
    let node = Node::start(addr, name, store, policy, options.fail_mode)
        .map_err(|error| refuse(addr, &error))?;
    // A node serves even if nobody can read this.
    let _ = writeln!(
        io::stdout(),
        "{}: {} in {} on http://{}",
        node.name(),
        options.algorithm,
        options.store,
        node.addr()
    );

    stop.wait(Duration::MAX);
    node.stop(FINISH + options.store_timeout);
    Ok(())
}
