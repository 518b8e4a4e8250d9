use super::request_log::first_digits;
use super::styled_text::{Line, StyledText};
use crate::base::{Nanos, Target};
use crate::core::plan::{AuditPlan, Plan};
use crate::core::summary::timestamp;
use crate::core::threshold::JudgedBy;

/// What the heading of a run says beside its plan.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub targets: &'a [Target],
    /// A description of a demo's limiter.
    pub limiter: Option<&'a str>,
    /// The URL at which metrics are served.
    pub metrics: Option<&'a str>,
    /// The environment variables that took effect.
    pub variables: &'a [String],
}

/// The lines that introduce a run, with the seed that repeats it, and a warning if one target that does not answer can
/// leave more requests open than workers. That of a stripe has the beginning of the plan's fingerprint, which all stripes have in
/// common.
pub fn heading(plan: &Plan, fingerprint: &str, surroundings: Surroundings) -> StyledText {
    let Surroundings {
        targets,
        limiter,
        metrics,
        variables,
    } = surroundings;
    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let mut rows = vec![("targets", names.join(", "))];
    if let Some(limiter) = limiter {
        rows.push(("limiter", limiter.to_owned()));
    }
    rows.push(("traffic", plan.describe_traffic()));
    if let Some(stripe) = plan.describe_stripe() {
        rows.push(("stripe", stripe));
        let digits = first_digits(fingerprint);
        rows.push(("plan", format!("{digits}, the same on all stripes")));
    }
    if let Some(start) = &plan.start {
        let at = timestamp(start.at, Nanos::ZERO);
        rows.push(("start", format!("{at} by this machine's clock")));
    }
    rows.push(("requests", plan.describe_requests()));
    rows.push(("keys", keys(plan)));
    if let Some(workers) = plan.describe_workers(targets.len()) {
        rows.push(("workers", workers));
    }
    if let Some(audit) = &plan.audit {
        if plan.is_whole() {
            rows.push(("audit", held_to(audit)));
        } else if audit.asked {
            let by = "judged by loadgen audit, from the --requests files of all stripes";
            rows.push(("audit", format!("{}; {by}", held_to(audit))));
        }
    }
    let events = plan.describe_events().into_iter();
    let events: Vec<_> = events.chain(unjudged(plan)).collect();
    if !events.is_empty() {
        rows.push(("events", events.join(". ")));
    }
    if let Some(url) = metrics {
        rows.push(("metrics", url.to_owned()));
    }
    titled("loadgen", rows, variables)
}

/// That nothing judges the thresholds on events of a stripe. `None` without any.
fn unjudged(plan: &Plan) -> Option<String> {
    let thresholds = plan.thresholds.all.iter();
    let mut unjudged = thresholds.filter(|one| one.judged_by() == JudgedBy::Nothing);
    let is_any = !plan.is_whole() && unjudged.next().is_some();
    is_any.then(|| {
        "Thresholds on events stay unknown in the merged result, since what events did is not merged"
            .to_owned()
    })
}

/// The name of the command with the program's version, the rows, and the variables that took effect.
pub(super) fn titled(
    command: &str,
    mut rows: Vec<(&str, String)>,
    variables: &[String],
) -> StyledText {
    if !variables.is_empty() {
        rows.push(("env", variables.join(", ")));
    }
    let mut text = StyledText::default();
    let version = env!("CARGO_PKG_VERSION");
    text.push(Line::fixed(format!("{command} {version}")));
    for (name, value) in rows {
        text.push(Line::sentence(format!("  {name:8} {value}"), 11));
    }
    text
}

fn keys(plan: &Plan) -> String {
    let own = if plan.has_own_keys() {
        " (the seed repeats their order; their digits are this run's own)"
    } else {
        ""
    };
    format!("{}, seed {}{own}", plan.describe_keys(), plan.seed)
}

/// The promises that the limiter is held to, its tolerances, and whether the audit has a probe.
pub(super) fn held_to(audit: &AuditPlan) -> String {
    let promises: Vec<_> = audit.promises.iter().map(ToString::to_string).collect();
    let probe = if audit.probe {
        "; a probe sends requests with keys of its own"
    } else {
        ""
    };
    let clocks = format!("; clocks up to {} apart", audit.clock_tolerance);
    let excess = if audit.excess_tolerance > 0.0 {
        // Products of floating-point numbers are inexact in the last digits.
        let percent = (audit.excess_tolerance * 1e8).round() / 1e6;
        format!("; up to {percent}% over the limit")
    } else {
        String::new()
    };
    format!("{}{clocks}{excess}{probe}", promises.join(" or "))
}
