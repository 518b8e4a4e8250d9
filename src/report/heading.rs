use crate::base::Target;
use crate::core::keys::Distribution;
use crate::core::plan::{Audit, Cluster, Plan};
use crate::core::request::Placeholder;
use crate::core::schedule::Arrivals;
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
        traffic(plan),
        requests(plan),
        keys(plan),
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
            let apart = DemoLimiter::RACY_APART;
            format!("a sliding log that each check reads, and writes back {apart:?} later")
        }
    };
    format!("\n  limiter  {limiter}, {how}")
}

/// What the rate does, and for how long.
pub fn traffic(plan: &Plan) -> String {
    let profile = plan.schedule.profile();
    let arrivals = match plan.schedule.arrivals() {
        Arrivals::Uniform => "",
        Arrivals::Poisson(_) => ", poisson arrivals",
    };
    let length = match (plan.schedule.end(), plan.schedule.total()) {
        (Some(end), Some(total)) => format!("for {end}: {total} requests"),
        _ => "until stopped".to_owned(),
    };
    format!("{profile}{arrivals}, {length}")
}

/// What each of them says, and asks for.
pub fn requests(plan: &Plan) -> String {
    let form = &plan.form;
    let mut text = format!("{} {}", form.method, form.path.typed());
    if form.has(Placeholder::Limit) {
        text += &format!(", limit {} in {} ms", plan.limit, plan.window_ms);
    }
    text
}

/// Which keys the requests carry.
pub fn keys(plan: &Plan) -> String {
    if !plan.form.has(Placeholder::Key) {
        return "none in the requests".to_owned();
    }
    let shared = match plan.key_distribution {
        Distribution::Uniform => String::new(),
        other => format!(", {other}"),
    };
    match plan.keys.count() {
        None => "a fresh one for every request".to_owned(),
        Some(count) => format!("{count}{shared}"),
    }
}
