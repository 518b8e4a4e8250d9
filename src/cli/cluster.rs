//! The nodes that requests go to, and the certificates that are trusted.

use super::requests::{filled, refuse_limit, refuse_window};
use super::urls::{ONE_URL, URL_LIST, URLS, Urls, url, urls};
use super::values::{boolean, read_file};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::Target;
use crate::client::{Authorities, Trust};
use crate::core::audit::Quota;
use crate::core::keys::{Allowance, Keys, Tier};
use crate::core::request::{Placeholder, RequestTemplate, Template, parse};
use crate::limiter::{self, DemoLimiter, Policy};
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::path::Path;

#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// The URLs that requests go to, in turn, each with its own path and query, instead of --targets: `loadgen -q 100 -z 30s
    /// http://127.0.0.1:8000/v1/items`
    #[arg(value_name = "URL", value_parser = opt(url), help_heading = None)]
    pub urls: Vec<Opt<String>>,

    /// The URLs of the nodes, http or https, separated by commas. Requests go to them in turn. --path is appended to each;
    /// without it, a URL with a path or a query is used as it is, and others get the preset's path. A Unix
    /// socket is `unix:/run/app.sock`, with a path `unix:/run/app.sock:/base`
    #[arg(long, env = "LOADGEN_TARGETS", hide_env_values = true, value_name = "URLS", value_parser = opt(urls), conflicts_with = URLS,
          default_value = "http://ratelimiter-1:8000,http://ratelimiter-2:8000,http://ratelimiter-3:8000")]
    pub targets: Opt<Urls>,

    /// Accept any certificate of an https target, even an expired one or another host's
    #[arg(long, short = 'k', env = "LOADGEN_INSECURE", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub insecure: Opt<bool>,

    /// A PEM file of at most 16 MiB with certificates. An https target's certificate must be one of them or be issued by one
    /// of them; no public authority is trusted then
    #[arg(long, env = "LOADGEN_CA_CERT", hide_env_values = true, value_name = "FILE",
          value_parser = opt(OsStringValueParser::new().try_map(|file| authorities(&file))))]
    pub ca_cert: Option<Opt<Authorities>>,

    /// Start three limiter nodes in this process, on free loopback ports, and use them as targets. The defaults are
    /// then those of a short run: --duration 40, --burst-interval 10, --keys 3 and --limit 50
    #[arg(long, env = "LOADGEN_DEMO", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true", conflicts_with = URLS)]
    pub demo: Opt<bool>,

    /// How the demo's nodes limit: sliding-log, fixed-window or token-bucket, with counts that the nodes
    /// share. Two limiters are wrong on purpose: per-node (each node counts alone) and racy (counts are
    /// read and written without a lock)
    #[arg(long, env = "LOADGEN_DEMO_LIMITER", hide_env_values = true, value_name = "LIMITER",
          value_parser = opt(str::parse::<DemoLimiter>), default_value = "sliding-log")]
    pub demo_limiter: Opt<DemoLimiter>,
}

/// The nodes that requests go to.
#[derive(Debug)]
pub enum Nodes {
    /// Nodes that this process starts.
    Demo {
        policy: Policy,
        limiter: DemoLimiter,
    },
    /// One or more nodes that run already.
    Targets(Vec<Target>),
}

impl Nodes {
    pub fn count(&self) -> usize {
        match self {
            Nodes::Demo { .. } => limiter::Demo::NODES,
            Nodes::Targets(targets) => targets.len(),
        }
    }

    /// The targets. A demo's nodes have not been started yet, so one like them stands in.
    pub fn examples(&self) -> Vec<Target> {
        match self {
            Nodes::Targets(targets) => targets.clone(),
            Nodes::Demo { .. } => vec![Target::new("http://127.0.0.1:65535").expect("a URL")],
        }
    }
}

impl Cluster {
    /// Whether the nodes are a demo's. A flag wins over the variable of the other option; two flags are refused.
    pub(super) fn is_demo(&self, arguments: &Arguments<Options>) -> Result<bool, Refusal> {
        let targets_by_flag = arguments.is_flag(&self.targets);
        if *self.demo && targets_by_flag && arguments.is_flag(&self.demo) {
            let allowed = "must not be given together with --demo";
            return Err(arguments.refuse(&self.targets, allowed));
        }
        Ok(*self.demo && !targets_by_flag)
    }

    /// The nodes that requests go to, and the path of each that has one of its own. Requests carry the limit and the window
    /// of `quota`.
    pub(super) fn nodes(
        &self,
        arguments: &Arguments<Options>,
        is_demo: bool,
        quota: Quota,
        has_recorded_paths: bool,
    ) -> Result<(Nodes, Vec<Option<Template>>), Refusal> {
        if is_demo {
            let nodes = Nodes::Demo {
                policy: demo_policy(arguments, quota)?,
                limiter: *self.demo_limiter,
            };
            return Ok((nodes, Vec::new()));
        }
        // A variable may be set for all runs.
        if arguments.is_flag(&self.demo_limiter) {
            return Err(arguments.refuse(&self.demo_limiter, "needs --demo"));
        }
        // Then the path of a URL is the beginning of all paths.
        let are_bases = has_recorded_paths || arguments.options.requests.has_path();
        let given: Vec<_> = match &self.urls[..] {
            [] => (1..)
                .zip(&self.targets.0)
                .map(|(number, url)| {
                    self.target(arguments, &self.targets, url, Some(number), are_bases)
                })
                .collect::<Result<_, _>>()?,
            urls => urls
                .iter()
                .map(|url| self.target(arguments, url, url, None, are_bases))
                .collect::<Result<_, _>>()?,
        };
        let (targets, own_paths) = given.into_iter().unzip();
        Ok((Nodes::Targets(targets), own_paths))
    }

    /// Reads a URL of an option, which is the element of this number if there may be several.
    fn target<T>(
        &self,
        arguments: &Arguments<Options>,
        option: &Opt<T>,
        url: &str,
        number: Option<usize>,
        is_base: bool,
    ) -> Result<(Target, Option<Template>), Refusal> {
        let (target, own_path) = if is_base {
            (Target::new(url), None)
        } else {
            match Target::with_own_path(url) {
                Ok((target, path)) => (Ok(target), path),
                Err(wrong) => (Err(wrong), None),
            }
        };
        let target = target.map_err(|wrong| {
            let (forms, url) = match number {
                None => (ONE_URL, "it".to_owned()),
                // A login, a query or a fragment may be a secret.
                Some(number) if url.contains(['@', '?', '#']) => {
                    (URL_LIST, format!("element {number}"))
                }
                Some(_) => (URL_LIST, url.to_owned()),
            };
            arguments.refuse(option, format!("{forms}; {url} {wrong}"))
        })?;
        let Some(own_path) = own_path else {
            return Ok((target, None));
        };
        let path = parse::path(&own_path);
        let path =
            path.map_err(|why| arguments.refuse(option, format!("the path of a URL {why}")))?;
        let path = filled(arguments, option, path.as_path(), |_| true)?;
        let shown = match arguments.options.results.show_secrets {
            true => path.typed().to_owned(),
            false => path.name(),
        };
        Ok((target.named(&shown), Some(path)))
    }

    /// The line that refuses the URLs of the targets.
    pub(super) fn refuse(&self, arguments: &Arguments<Options>, allowed: String) -> Refusal {
        match self.urls.first() {
            Some(url) => arguments.refuse(url, allowed),
            None => arguments.refuse(&self.targets, allowed),
        }
    }

    /// The certificates that are trusted. `--ca-cert` and `--insecure` contradict each other, as flags and as
    /// variables.
    pub(super) fn trust(&self, arguments: &Arguments<Options>) -> Result<Trust, Refusal> {
        match &self.ca_cert {
            None if *self.insecure => Ok(Trust::Anyone),
            None => Ok(Trust::PublicAuthorities),
            Some(authorities) if *self.insecure => {
                let other = arguments.name(&self.insecure);
                let allowed = format!("must not be given together with {other}");
                Err(arguments.refuse(authorities, allowed))
            }
            Some(authorities) => Ok(Trust::Only((**authorities).clone())),
        }
    }
}

/// The limit of a demo's nodes. The reference limiter has bounds of its own, and answers the requests of the presets at
/// their paths.
fn demo_policy(arguments: &Arguments<Options>, quota: Quota) -> Result<Policy, Refusal> {
    let requests = &arguments.options.requests;
    let preset = *requests.preset;
    let names: Vec<_> = limiter::answerable_presets().collect();
    if !names.contains(&preset.name) {
        let allowed = format!("must be one of {} with --demo", names.join(", "));
        return Err(arguments.refuse(&requests.preset, allowed));
    }
    if let Some(path) = &requests.path {
        // With --method, any preset's path is allowed.
        let paths: Vec<_> = if requests.method.is_some() {
            limiter::check_paths().collect()
        } else {
            vec![preset.path]
        };
        let typed = path.typed().split('?').next().unwrap_or_default();
        if !paths.contains(&typed) {
            let allowed = format!("must be {} with --demo", paths.join(", or "));
            return Err(arguments.refuse(path, allowed));
        }
    }
    let limit = limiter::Limit::new(quota.limit);
    let window = limiter::Window::from_millis(quota.window.0 / 1_000_000);
    Ok(Policy {
        limit: limit
            .map_err(|error| refuse_limit(arguments, quota, &format!("with --demo, {error}")))?,
        window: window
            .map_err(|_| refuse_window(arguments, quota, "must be at most 24h with --demo"))?,
    })
}

/// Checks that a demo's nodes can do what the audit expects of each key. They take a limit from each request, and count
/// requests rather than units.
pub(super) fn check_demo_tiers(
    arguments: &Arguments<Options>,
    nodes: &Nodes,
    request: &RequestTemplate,
    keys: &Keys,
) -> Result<(), Refusal> {
    let Options {
        requests,
        keys: key_options,
        ..
    } = &arguments.options;
    if !matches!(nodes, Nodes::Demo { .. }) {
        return Ok(());
    }
    if *requests.cost > 1 {
        let allowed = "must be 1 with --demo, whose nodes count requests";
        return Err(arguments.refuse(&requests.cost, allowed));
    }
    let Some(file) = &key_options.keys_file else {
        return Ok(());
    };
    let sends_limits = request.has(Placeholder::Limit);
    let is_possible = |tier: Tier| match tier.allowance {
        _ if tier.cost > 1 => false,
        Allowance::Default => true,
        Allowance::Unlimited => false,
        Allowance::Limit { limit, window } => {
            let is_valid = limiter::Limit::new(limit).is_ok()
                && limiter::Window::from_millis(window.0 / 1_000_000).is_ok();
            sends_limits && is_valid
        }
    };
    if keys.tiers().all(is_possible) {
        return Ok(());
    }
    let allowed = format!(
        "with --demo, the limits in it must be at most {} in at most 24h, and be sent as {{limit}}; unlimited keys and \
         costs over 1 are not possible",
        limiter::Limit::MAX
    );
    Err(arguments.refuse(file, allowed))
}

/// The largest file of certificates, in bytes: several times the bundle of all public authorities.
const MAX_AUTHORITIES: u64 = 16 * 1024 * 1024;

fn authorities(file: &OsStr) -> Result<Authorities, String> {
    read_file(Path::new(file), MAX_AUTHORITIES)
        .map_err(|error| error.to_string())
        .and_then(|pem| Authorities::from_pem(&pem))
        .map_err(|why| format!("must be a PEM file with one or more certificates; {why}"))
}
