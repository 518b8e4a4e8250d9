use crate::core::summary::TargetSummary;
use std::cmp::Reverse;

/// The order of [`worst_targets`], for a caption.
pub(super) const WORST: &str = "those with the most failed, then the highest p99";

/// The indices of at most `most` targets, in their own order. If there are more, those with the most failed requests
/// are chosen, then those with the highest p99 of latency.
pub(super) fn worst_targets(targets: &[TargetSummary], most: usize) -> Vec<usize> {
    let mut places: Vec<_> = (0..targets.len()).collect();
    if places.len() > most {
        places.sort_by_key(|place| {
            let target = &targets[*place];
            Reverse((target.requests.failed, target.latency.p99_ns))
        });
        places.truncate(most);
        places.sort_unstable();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Ledger;
    use crate::core::summary::DurationSummary;
    use std::collections::BTreeMap;

    #[test]
    fn the_worst_of_many_targets_are_chosen() {
        let target = |(failed, p99_ns): (u64, u64)| TargetSummary {
            name: String::new(),
            requests: Ledger {
                failed,
                ..Ledger::default()
            },
            failing_open: 0,
            backlog_dropped: 0,
            late: 0,
            backlog_late: 0,
            send_lag: DurationSummary::default(),
            latency: DurationSummary {
                p99_ns,
                ..DurationSummary::default()
            },
            failures: BTreeMap::new(),
            causes: Vec::new(),
            addresses: Vec::new(),
            to_merge: None,
        };
        let targets = [(0, 1), (0, 3), (2, 1), (0, 2)].map(target);
        assert_eq!(worst_targets(&targets, 4), [0, 1, 2, 3]);
        assert_eq!(worst_targets(&targets, 2), [1, 2]);
    }
}
