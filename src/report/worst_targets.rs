use crate::core::summary::TargetSummary;
use std::cmp::Reverse;

/// The places of at most so many targets: where there are more, those with the most failed, then the highest p99 of
/// latency. In their own order.
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
    fn of_many_targets_the_worst_are_shown() {
        let target = |(failed, p99_ns): (u64, u64)| TargetSummary {
            name: String::new(),
            requests: Ledger {
                failed,
                ..Ledger::default()
            },
            latency: DurationSummary {
                p99_ns,
                ..DurationSummary::default()
            },
            failures: BTreeMap::new(),
        };
        let targets = [(0, 1), (0, 3), (2, 1), (0, 2)].map(target);
        assert_eq!(worst_targets(&targets, 4), [0, 1, 2, 3]);
        assert_eq!(worst_targets(&targets, 2), [1, 2]);
    }
}
