use crate::base::Nanos;
use crate::base::text::count;
use crate::core::plan::Plan;
use crate::core::request::Placeholder;
use crate::core::summary::SearchSummary;
use crate::report::Surroundings;
use crate::report::duration::in_two_units;
use crate::report::heading::{held_to, titled};
use crate::report::styled_text::StyledText;

/// How long a search takes, and how many requests it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// If no step contradicts another.
    pub steps: usize,
    pub most_steps: usize,
    /// The longest time of all steps and pauses.
    pub most_time: Nanos,
    pub most_requests: u64,
}

/// The lines that introduce a search.
pub fn heading(
    plan: &Plan,
    search: &SearchSummary,
    are_default_thresholds: bool,
    extent: Extent,
    surroundings: Surroundings,
) -> StyledText {
    let Surroundings {
        targets,
        limiter,
        metrics,
        variables,
    } = surroundings;
    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let mut rows = vec![("targets", names.join(", "))];
    rows.extend(limiter.map(|limiter| ("limiter", limiter.to_owned())));
    rows.push(("search", range(search)));
    let default = if are_default_thresholds {
        " (by default; --threshold sets others)"
    } else {
        ""
    };
    let thresholds = search.thresholds.join(" and ");
    rows.push(("holds if", format!("{thresholds}{default}")));
    rows.push(("requests", plan.describe_requests()));
    let has_keys = plan.request.has(Placeholder::Key);
    let own = if has_keys && plan.keys.are_random() && plan.keys.count().is_some() {
        ", new ones in each step"
    } else {
        ""
    };
    rows.push((
        "keys",
        format!("{}{own}, seed {}", plan.describe_keys(), plan.seed),
    ));
    rows.extend(plan.audit.as_ref().map(|audit| ("audit", held_to(audit))));
    rows.push(("extent", extent.to_string()));
    rows.extend(metrics.map(|url| ("metrics", url.to_owned())));
    titled("loadgen capacity", rows, variables)
}

/// The rates, the precision and the steps of a search, in words.
fn range(search: &SearchSummary) -> String {
    let SearchSummary {
        from_per_s,
        to_per_s,
        precision,
        step_ns,
        settle_ns,
        confirm_ns,
        ..
    } = search;
    let percent = (precision * 1e5).round() / 1e3;
    let mut text = format!(
        "{from_per_s}/s to {to_per_s}/s, to within {percent}%; steps of {:#}",
        Nanos(*step_ns)
    );
    if *settle_ns > 0 {
        text += &format!(" with pauses of {:#}", Nanos(*settle_ns));
    }
    if let Some(confirm) = confirm_ns {
        text += &format!("; the result is kept up for {:#}", Nanos(*confirm));
    }
    text
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "up to {}, and {} if they contradict each other: at most {} and {}",
            count(self.steps as u64, "step", "steps"),
            self.most_steps,
            in_two_units(self.most_time.0.div_ceil(1_000_000_000)),
            count(self.most_requests, "request", "requests"),
        )
    }
}
