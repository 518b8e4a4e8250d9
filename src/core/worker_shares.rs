//! How the targets share the workers, so that a target that does not answer delays its own requests only.
//!
//! Each target has some workers of its own, which no other target can take. The other workers are common: a target takes
//! one of them when all of its own are busy. So with 100 workers and three targets, a frozen target holds at most 16 + 52
//! workers. If another target freezes too, it holds at least 16 and, with the first, at most 84. The third target always
//! has 16 workers, which is enough for 16,000 requests a second to a node that answers within a millisecond.
//!
//! Half of the pool is common. With more of it, a lone frozen target would get further before its requests have to wait;
//! with less of it, the others would have more workers left when several freeze.

/// The numbers of workers that one target can hold, and of its requests that can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerShares {
    /// The workers that each target has to itself: at least one. If there are more targets than workers, this holds as
    /// long as fewer targets than there are workers do not answer.
    pub own: usize,
    /// The workers that any target can take in addition.
    pub common: usize,
    /// The requests to each target that can wait in its backlog.
    pub backlog: usize,
}

impl WorkerShares {
    /// The shares of a pool of `workers`, with a queue for `queue` tokens. A sole target has all workers to itself.
    ///
    /// # Panics
    /// If there are no targets.
    pub fn new(workers: usize, queue: usize, targets: usize) -> WorkerShares {
        let own = match targets {
            1 => workers,
            _ => (workers / 2 / targets).max(1),
        };
        WorkerShares {
            own,
            common: workers.saturating_sub(own.saturating_mul(targets)),
            backlog: queue.div_ceil(targets),
        }
    }

    /// The most workers that one target can hold.
    pub fn most(self) -> usize {
        self.own + self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_worker_has_a_use_and_no_share_is_promised_twice(
            workers in 1usize..10_000, queue in 1usize..100_000, targets in 1usize..300
        ) {
            let shares = WorkerShares::new(workers, queue, targets);
            prop_assert!(shares.own >= 1 && shares.backlog >= 1);
            if targets <= workers {
                prop_assert_eq!(shares.own * targets + shares.common, workers);
                // All others together have at least what they have to themselves.
                prop_assert_eq!(workers - shares.most(), shares.own * (targets - 1));
            } else {
                prop_assert_eq!(shares.most(), 1);
            }
            // The backlogs together hold about as much as the queue.
            prop_assert!(shares.backlog * targets < queue + targets);
        }
    }

    #[test]
    fn half_of_the_pool_is_common() {
        let shares = |workers, targets| {
            let shares = WorkerShares::new(workers, 10, targets);
            (shares.own, shares.common)
        };
        assert_eq!(shares(100, 3), (16, 52));
        assert_eq!(shares(100, 2), (25, 50));
        assert_eq!(shares(100, 1), (100, 0));
        assert_eq!(shares(4, 3), (1, 1));
        assert_eq!(shares(2, 2), (1, 0));
        assert_eq!(shares(1, 3), (1, 0));
        assert_eq!(shares(100, 60), (1, 40));
    }
}
