//! Where requests go.

use super::values::boolean;
use crate::client::Authorities;
use crate::limiter::DemoLimiter;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// Base URLs of the nodes, comma-separated, http or https; requests go to them in turn
    #[arg(long, env, hide_env_values = true, value_name = "URLS", value_parser = urls,
          default_value = "http://ratelimiter-1:8000,http://ratelimiter-2:8000,http://ratelimiter-3:8000")]
    pub targets: Urls,

    /// Accept any certificate that an https target shows, even an expired one or another host's
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub insecure: bool,

    /// A PEM file with the certificates that https targets' own must be, or be issued by; no public
    /// authority is trusted then
    #[arg(long, env, hide_env_values = true, value_name = "FILE",
          value_parser = OsStringValueParser::new().try_map(|file| authorities(&file)))]
    pub ca_cert: Option<Authorities>,

    /// Start three limiter nodes in this process, on free loopback ports, and use them as targets
    #[arg(long, env, hide_env_values = true, value_name = "BOOL", value_parser = boolean,
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub demo: bool,

    /// How those nodes limit: sliding-log, fixed-window or token-bucket, by counts that they share;
    /// or wrongly: per-node, each counting alone, or racy, by counts read and written without a lock
    #[arg(long, env, hide_env_values = true, value_name = "LIMITER",
          value_parser = str::parse::<DemoLimiter>, default_value = "sliding-log")]
    pub demo_limiter: DemoLimiter,
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
