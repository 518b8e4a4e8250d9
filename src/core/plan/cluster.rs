//! Where the requests go, and whom to believe there.

use crate::base::Target;
use crate::cli::{self, Arguments, Options, Refusal, without_login};
use crate::client::Trust;
use crate::limiter::{self, DemoLimiter, Policy};
use clap::parser::ValueSource;

/// Where the requests go.
#[derive(Debug)]
pub enum Cluster {
    /// To nodes that this process starts.
    Demo {
        policy: Policy,
        limiter: DemoLimiter,
    },
    /// To these nodes, of which there is at least one.
    Targets(Vec<Target>),
}

/// Of `--demo` and `--targets` a flag wins over the other's variable; two flags contradict each
/// other. A flag that says how a demo limits is refused where there is none; as a variable it may be
/// set for all runs.
pub(super) fn cluster(arguments: &Arguments<Options>) -> Result<Cluster, Refusal> {
    let cli::Cluster {
        targets,
        demo,
        demo_limiter,
        ..
    } = &arguments.options.cluster;
    let flag = |option| arguments.source(option) == Some(ValueSource::CommandLine);
    if *demo && flag("targets") && flag("demo") {
        return Err(arguments.refuse("targets", "must not be given together with --demo"));
    }
    if *demo && !flag("targets") {
        return Ok(Cluster::Demo {
            policy: policy_of_the_demo(arguments)?,
            limiter: *demo_limiter,
        });
    }
    if flag("demo_limiter") {
        return Err(arguments.refuse("demo_limiter", "needs --demo"));
    }
    let targets = targets.0.iter().map(|base| {
        Target::new(base).map_err(|wrong| {
            let allowed = "must be http or https URLs, such as http://127.0.0.1:8000";
            let base = without_login(base);
            arguments.refuse("targets", format!("{allowed}; {base} {wrong}"))
        })
    });
    Ok(Cluster::Targets(targets.collect::<Result<_, _>>()?))
}

/// Verifying against given certificates and verifying nothing contradict each other, wherever they
/// come from: neither is given up silently.
pub(super) fn trust(arguments: &Arguments<Options>) -> Result<Trust, Refusal> {
    let cluster = &arguments.options.cluster;
    match (&cluster.ca_cert, cluster.insecure) {
        (None, false) => Ok(Trust::PublicAuthorities),
        (None, true) => Ok(Trust::Anyone),
        (Some(authorities), false) => Ok(Trust::Only(authorities.clone())),
        (Some(_), true) => {
            let other = arguments.name("insecure");
            let allowed = format!("must not be given together with {other}");
            Err(arguments.refuse("ca_cert", allowed))
        }
    }
}

/// The reference limiter has bounds of its own, and answers what presets ask at their paths.
fn policy_of_the_demo(arguments: &Arguments<Options>) -> Result<Policy, Refusal> {
    let cli::Requests {
        preset,
        path,
        limit,
        window_ms,
        ..
    } = &arguments.options.requests;
    if !limiter::answerable_presets().any(|name| name == preset.name) {
        let names: Vec<_> = limiter::answerable_presets().collect();
        let allowed = format!("must be one of {} with --demo", names.join(", "));
        return Err(arguments.refuse("preset", allowed));
    }
    if let Some(path) = path {
        // Who asks in another preset's words says its method too.
        let paths: Vec<_> = match arguments.is_given("method") {
            true => limiter::check_paths().collect(),
            false => vec![preset.path],
        };
        let asked = path.typed().split('?').next().unwrap_or_default();
        if !paths.contains(&asked) {
            let allowed = format!("must be {} with --demo", paths.join(", or "));
            return Err(arguments.refuse("path", allowed));
        }
    }
    let with_demo = |error| format!("with --demo, {error}");
    Ok(Policy {
        limit: limiter::Limit::new(*limit)
            .map_err(|error| arguments.refuse("limit", with_demo(error)))?,
        window: limiter::Window::from_millis(*window_ms)
            .map_err(|error| arguments.refuse("window_ms", with_demo(error)))?,
    })
}
