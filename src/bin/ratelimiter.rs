//! A limiter node of its own: parse, serve, wait for a signal.

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use loadgen::limiter::{AlgorithmKind, Node, SystemClock};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::mpsc;

/// A rate limiter node: POST /check decides, GET /health answers while it serves.
///
/// Exit codes: 0 ended by SIGINT or SIGTERM, 1 it could not serve, 2 bad configuration.
#[derive(Debug, Parser)]
#[command(name = "ratelimiter", version)]
struct Options {
    /// The port to listen on; 0 picks a free one
    #[arg(long, env = "PORT", default_value = "8000", value_parser = port)]
    port: u16,

    /// The IP address to listen on
    #[arg(long, env = "BIND", default_value = "0.0.0.0", value_parser = ip_address)]
    bind: IpAddr,

    /// How requests are limited
    #[arg(long, env = "ALGORITHM", default_value = "sliding-log", value_parser = algorithms())]
    algorithm: AlgorithmKind,

    /// What the node calls itself in its answers [default: node-PORT]
    #[arg(long, env = "NODE_NAME")]
    node_name: Option<String>,
}

fn port(text: &str) -> Result<u16, &'static str> {
    text.parse()
        .map_err(|_| "must be an integer from 0 to 65535")
}

fn algorithms() -> impl TypedValueParser<Value = AlgorithmKind> {
    PossibleValuesParser::new(AlgorithmKind::ALL.iter().map(|kind| kind.name()))
        .try_map(|name| name.parse::<AlgorithmKind>())
}

fn ip_address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse()
        .map_err(|_| "must be an IP address such as 0.0.0.0, 127.0.0.1 or ::")
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return explain(&error),
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ratelimiter: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> anyhow::Result<()> {
    use anyhow::Context;

    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens once the first signal has been heard.
        let _ = stop.send(());
    })?;

    let addr = SocketAddr::new(options.bind, options.port);
    let name = options
        .node_name
        .unwrap_or_else(|| format!("node-{}", options.port));
    let store = options.algorithm.in_memory(SystemClock::new());
    let node = Node::start(addr, name, store).with_context(|| format!("can't listen on {addr}"))?;
    println!(
        "{}: {} on http://{}",
        node.name(),
        options.algorithm,
        node.addr()
    );

    stopped.recv()?;
    Ok(())
}

/// Prints clap's answer: help in full, an error as one line.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    // Clap's hints and usage come after an empty line.
    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("ratelimiter: {}", line.trim_start_matches("error: "));
    ExitCode::from(2)
}
