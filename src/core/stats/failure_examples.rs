//! A few failed requests of each kind with everything that was received, for people who look for the cause.

use crate::base::{FailureCause, FailureKind, Moment};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The most examples of each kind and status.
const OF_EACH: u8 = 3;

/// The most examples in all.
const IN_ALL: usize = 60;

/// The statuses that are told apart. HTTP's end at 999.
const STATUSES: usize = 1000;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureExample {
    pub cause: FailureCause,
    pub sequence: u64,
    /// The target's index in the plan.
    pub target: usize,
    pub sent: Moment,
    /// The error in the words of the library or system that reported it, unless the answer was whole.
    pub error: Option<String>,
    /// What was received, up to a bound, as text: status line, headers, an empty line and the start of the body. Values that
    /// may be secrets are masked. `None` if nothing was received.
    pub answer: Option<String>,
}

/// The first examples of each kind of failure, and of each status. All workers share them.
#[derive(Debug)]
pub struct FailureExamples {
    /// The number of examples by status, and then by kind, that were kept or are about to be.
    claimed: Box<[AtomicU8]>,
    kept: Mutex<Vec<FailureExample>>,
}

impl Default for FailureExamples {
    fn default() -> FailureExamples {
        let claimed = (0..STATUSES + FailureKind::ALL.len()).map(|_| AtomicU8::new(0));
        FailureExamples {
            claimed: claimed.collect(),
            kept: Mutex::default(),
        }
    }
}

impl FailureExamples {
    /// Returns whether an example is wanted, which the caller then [adds](Self::add). This takes no lock, so that a
    /// limiter that fails every request costs no more.
    pub fn claim(&self, kind: FailureKind, status: Option<u16>) -> bool {
        let status = status.map(usize::from).filter(|status| *status < STATUSES);
        let place = match status {
            Some(status) if kind.is_of_status() => status,
            _ => STATUSES + kind as usize,
        };
        let claimed = &self.claimed[place];
        claimed.load(Relaxed) < OF_EACH && claimed.fetch_add(1, Relaxed) < OF_EACH
    }

    pub fn add(&self, example: FailureExample) {
        let mut kept = self.kept.lock();
        if kept.len() < IN_ALL {
            kept.push(example);
        }
    }

    /// The examples so far, by the order in which the requests were due.
    pub fn kept(&self) -> Vec<FailureExample> {
        let mut kept = self.kept.lock().clone();
        kept.sort_by_key(|example| example.sequence);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(kind: FailureKind, sequence: u64) -> FailureExample {
        FailureExample {
            cause: kind.into(),
            sequence,
            target: 0,
            sent: Moment::at(0),
            error: None,
            answer: None,
        }
    }

    #[test]
    fn three_of_each_kind_and_status_are_kept() {
        use FailureKind::{Reset, Status5xx, StatusOther};
        let examples = FailureExamples::default();
        for (kind, status) in [
            (StatusOther, Some(404)),
            (StatusOther, Some(403)),
            (Status5xx, Some(503)),
            (Reset, Some(200)),
        ] {
            let claims: Vec<_> = (0..300).map(|_| examples.claim(kind, status)).collect();
            let expected: Vec<_> = (0..300).map(|number| number < 3).collect();
            assert_eq!(claims, expected, "{kind} {status:?}");
        }
        assert!(!examples.claim(Reset, None), "with whatever status");
    }

    #[test]
    fn there_are_never_more_than_sixty() {
        let examples = FailureExamples::default();
        (0..100).for_each(|n| examples.add(example(FailureKind::Timeout, 99 - n)));
        let kept = examples.kept();
        assert_eq!(
            (kept.len(), kept[0].sequence, kept[59].sequence),
            (60, 40, 99)
        );
    }
}
