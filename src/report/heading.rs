use crate::client::Target;
use crate::plan::Plan;
use crate::schedule::Arrivals;
use std::fmt::Write;

/// What the run is going to do, and the seed that repeats it.
/// `metrics` is where they are served, if they are.
pub fn heading(plan: &Plan, targets: &[Target], metrics: Option<String>) -> String {
    let mut text = format!("loadgen {}", env!("CARGO_PKG_VERSION"));
    let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let profile = plan.schedule.profile();
    let arrivals = match plan.schedule.arrivals() {
        Arrivals::Uniform => "",
        Arrivals::Poisson(_) => ", poisson arrivals",
    };
    let length = match (plan.schedule.end(), plan.schedule.total()) {
        (Some(end), Some(total)) => format!("for {end}: {total} requests"),
        _ => "until stopped".to_owned(),
    };
    let keys = match plan.keys {
        0 => "a fresh key for every request".to_owned(),
        1 => "1 key".to_owned(),
        n => format!("{n} keys"),
    };
    // Cannot fail: a String takes everything.
    let _ = write!(
        text,
        "\n  targets  {}\n  traffic  {profile}{arrivals}, {length}\n  checks   {keys}, limit {} in {} ms, seed {}",
        targets.join(", "),
        plan.limit,
        plan.window_ms,
        plan.seed,
    );
    if let Some(url) = metrics {
        let _ = write!(text, "\n  metrics  {url}");
    }
    text
}
