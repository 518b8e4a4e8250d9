//! The limits and windows of a log of admissions: for each limit, the answers leave one interval of windows.

use super::Search;
use crate::base::Nanos;
use crate::core::audit::Quota;
use crate::core::discovery::fit::{Fit, Way};
use crate::core::discovery::guesses::Course;
use crate::core::discovery::models::log_windows;

/// How many limits are tried below what was admitted before the first block.
const MOST_LIMITS: u64 = 2_000;

impl Search<'_> {
    pub(super) fn log(&self, courses: &[Course]) -> Vec<Fit> {
        // A greater limit does not explain the first block.
        let Some(most) = courses.iter().map(|course| course.fill).min() else {
            return Vec::new();
        };
        let counters = self.evidence.counters_of(self.counts_blocked);
        let limits = most.saturating_sub(MOST_LIMITS).max(1)..=most;
        let fits = limits.filter_map(|limit| {
            let (grain, counts_blocked) = (self.evidence.grain, self.counts_blocked);
            let (from, to) = log_windows(limit, counters.clone(), grain, counts_blocked)?;
            let window = (from.max(self.evidence.least_window(limit)), to);
            // Without an admission after it was full, its window has no end.
            (window.0 <= to && to < Nanos::MAX).then(|| {
                let quota = Quota::new(limit, Nanos(u64::midpoint(window.0.0, to.0)));
                self.fit(vec![Way { quota, window }])
            })
        });
        fits.collect()
    }
}
