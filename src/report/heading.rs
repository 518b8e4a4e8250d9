use crate::base::Target;
use crate::core::plan::{Audit, Cluster, Plan};
use crate::limiter::DemoLimiter;
use std::fmt::Write;

/// What the run is going to do, and the seed that repeats it.
/// `metrics` is where they are served, if they are.
pub fn heading(plan: &Plan, targets: &[Target], metrics: Option<String>) -> String {
    let mut text = format!("loadgen {}", env!("CARGO_PKG_VERSION"));
    let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
    // Cannot fail: a String takes everything.
    let _ = write!(
        text,
        "\n  targets  {}{}\n  traffic  {}\n  requests {}\n  keys     {}, seed {}",
        targets.join(", "),
        limiter(&plan.cluster),
        plan.describe_traffic(),
        plan.describe_requests(),
        plan.describe_keys(),
        plan.seed,
    );
    if let Some(audit) = &plan.audit {
        let _ = write!(text, "\n  audit    {}", held_to(audit));
    }
    if let Some(url) = metrics {
        let _ = write!(text, "\n  metrics  {url}");
    }
    text
}

/// What the limiter is held to, and whether by more requests than those of the traffic.
pub(super) fn held_to(audit: &Audit) -> String {
    let promises: Vec<_> = audit
        .promises
        .iter()
        .map(|promise| promise.name())
        .collect();
    let probe = match audit.probe {
        true => "; a probe asks for keys of its own",
        false => "",
    };
    format!("{}{probe}", promises.join(" or "))
}

/// How a demo's nodes limit, if not by default.
fn limiter(cluster: &Cluster) -> String {
    let Cluster::Demo { limiter, .. } = cluster else {
        return String::new();
    };
    let how = match limiter {
        default if *default == DemoLimiter::default() => return String::new(),
        DemoLimiter::Shared(_) => "which the nodes share".to_owned(),
        DemoLimiter::PerNode => "a sliding log of its own for each node".to_owned(),
        DemoLimiter::Racy => {
            let apart = DemoLimiter::RACY_WRITE_DELAY;
            format!("a sliding log that each check reads, and writes back {apart:?} later")
        }
    };
    format!("\n  limiter  {limiter}, {how}")
}
