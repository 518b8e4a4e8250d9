use crate::client::Target;
use crate::keys::Distribution;
use crate::plan::Plan;
use crate::request::Placeholder;
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
    // Cannot fail: a String takes everything.
    let _ = write!(
        text,
        "\n  targets  {}\n  traffic  {profile}{arrivals}, {length}\n  requests {}\n  keys     {}, seed {}",
        targets.join(", "),
        requests(plan),
        keys(plan),
        plan.seed,
    );
    if let Some(url) = metrics {
        let _ = write!(text, "\n  metrics  {url}");
    }
    text
}

/// What each of them says, and asks for.
fn requests(plan: &Plan) -> String {
    let form = &plan.form;
    let mut text = format!("{} {}", form.method, form.path.typed());
    if form.has(Placeholder::Limit) {
        text += &format!(", limit {} in {} ms", plan.limit, plan.window_ms);
    }
    text
}

fn keys(plan: &Plan) -> String {
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
