use crate::base::{FailureCause, FailureKind};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// The number of failed requests of each kind, and of each cause.
///
/// The memory is bounded, since there are at most a thousand statuses and 255 reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    kinds: [u64; FailureKind::ALL.len()],
    causes: BTreeMap<FailureCause, u64>,
}

impl Failures {
    pub fn add(&mut self, cause: FailureCause) {
        self.add_many(cause, 1);
    }

    /// Adds so many failures of one cause.
    pub fn add_many(&mut self, cause: FailureCause, count: u64) {
        if count > 0 {
            self.kinds[cause.kind as usize] += count;
            *self.causes.entry(cause).or_default() += count;
        }
    }

    pub fn of(&self, kind: FailureKind) -> u64 {
        self.kinds[kind as usize]
    }

    /// Every kind with its count, which may be 0.
    pub fn by_kind(&self) -> impl Iterator<Item = (FailureKind, u64)> {
        FailureKind::ALL.into_iter().zip(self.kinds)
    }

    /// Every cause that occurred, with its count.
    pub fn by_cause(&self) -> impl Iterator<Item = (FailureCause, u64)> {
        self.causes.iter().map(|(cause, count)| (*cause, *count))
    }

    /// The number of all failures.
    pub fn count(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// The failures that are not among `earlier`, an earlier state of these.
    #[must_use]
    pub fn since(&self, earlier: &Failures) -> Failures {
        let mut newer = Failures::default();
        for ((count, all), before) in newer.kinds.iter_mut().zip(self.kinds).zip(earlier.kinds) {
            *count = all - before;
        }
        for (cause, all) in &self.causes {
            let before = earlier.causes.get(cause).copied().unwrap_or(0);
            if *all > before {
                newer.causes.insert(*cause, all - before);
            }
        }
        newer
    }

    /// The most frequent cause; `None` without failures.
    pub fn most_frequent(&self) -> Option<FailureCause> {
        let causes = self.by_cause();
        causes
            .max_by_key(|(_, count)| *count)
            .map(|(cause, _)| cause)
    }

    /// The number of failures by the status of their answers, for those that were answered.
    pub fn by_status(&self) -> BTreeMap<u16, u64> {
        let mut statuses = BTreeMap::new();
        for (cause, count) in self.by_cause() {
            if let Some(status) = cause.status {
                *statuses.entry(status).or_default() += count;
            }
        }
        statuses
    }
}

impl AddAssign<&Failures> for Failures {
    fn add_assign(&mut self, other: &Failures) {
        for (count, more) in self.kinds.iter_mut().zip(other.kinds) {
            *count += more;
        }
        for (cause, more) in &other.causes {
            *self.causes.entry(*cause).or_default() += more;
        }
    }
}
