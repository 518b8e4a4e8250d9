use crate::core::summary::{Summary, TargetSummary};

type Count = fn(&TargetSummary) -> u64;

const COLUMNS: [(&str, Count); 4] = [
    ("failing open", |target| target.failing_open),
    ("dropped", |target| target.requests.dropped),
    ("unsent", |target| target.requests.unsent),
    ("late", |target| target.late),
];

/// Columns for the requests to each target that were admitted while failing open, that were not sent, or not on time. Each
/// has a name and counts the requests to a target. Columns that are 0 for all targets are left out.
pub(super) fn rare_counts(summary: &Summary) -> Vec<(&'static str, Count)> {
    let is_shown = |(_, count): &(_, Count)| summary.targets.iter().any(|target| count(target) > 0);
    COLUMNS.into_iter().filter(is_shown).collect()
}
