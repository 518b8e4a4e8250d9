//! The rates and bursts of a bucket.
//!
//! With a burst that is too great, a bucket has to be slow enough for the early blocks and is then too slow for the late
//! admissions. With one that is too small it is the other way round. So the answers that the likeliest rate does not
//! explain tell in which direction the burst is.

use super::Search;
use crate::base::Nanos;
use crate::core::audit::{Interval, Quota};
use crate::core::discovery::fit::{Fit, Way};
use crate::core::discovery::guesses::Course;
use crate::core::discovery::models::Contradiction;
use crate::core::discovery::roundest;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// The requests per window by which the rate of a bucket is written, so that its window may have fractions.
const FINE: u64 = 1_000;

/// How far from the likeliest burst others are tried.
const NEAR: u64 = 8;

impl Search<'_> {
    pub(super) fn bucket(&self, courses: &[Course]) -> Option<Fit> {
        let guesses = courses.iter().filter_map(Course::interval);
        let guesses: Vec<_> = guesses
            .map(|(least, most)| {
                let window = |one: f64| Nanos((one * FINE as f64) as u64);
                Interval::new(window(least), window(most))
            })
            .collect();
        let narrowest = guesses.iter().min_by_key(|guess| guess.length())?;
        // A bucket that is full again so soon is not told from no limit.
        let soon = self.evidence.least_window(1) * FINE;
        let least = (soon.0 / narrowest.to.0.max(1)).max(1);
        let most = courses.iter().map(|course| course.fill).min()?.max(least);
        let way = |burst: u64| -> Result<Way, Ordering> {
            let quota = |window| Quota {
                burst,
                ..Quota::new(FINE, window)
            };
            self.between(&guesses, &quota)
        };
        // With the fastest and the slowest rate that the edges leave, the answers give a burst each.
        let quota = |burst, window| Quota {
            burst,
            ..Quota::new(FINE, window)
        };
        let small = self.burst_near(least..=most, |burst| quota(burst, narrowest.from));
        let great = self.burst_near(least..=most, |burst| quota(burst, narrowest.to));
        let bounds = (small.saturating_sub(1).max(least), (great + 1).min(most));
        let first = halved(bounds, &way)?;
        let fits = |burst: u64| way(burst).is_ok();
        let range = last(first, bounds.0, &fits)..=last(first, bounds.1, &fits);
        let mut bursts = roundest::bursts(&range);
        bursts.extend([*range.start(), *range.end()]);
        bursts.sort_unstable();
        bursts.dedup();
        let ways: Vec<_> = bursts
            .into_iter()
            .filter_map(|burst| way(burst).ok())
            .collect();
        (!ways.is_empty()).then(|| self.fit(ways))
    }

    /// The burst that explains most at a rate: a smaller one does not explain an admission, and a greater one does not explain
    /// a block.
    fn burst_near(&self, bursts: RangeInclusive<u64>, quota: impl Fn(u64) -> Quota) -> u64 {
        let (mut small, mut great) = bursts.into_inner();
        while small < great {
            let middle = u64::midpoint(small, great);
            match self.explain(quota(middle), Nanos::MAX) {
                Ok(()) => return middle,
                Err(Contradiction::Admitted(_)) => small = middle + 1,
                Err(Contradiction::Blocked(_)) => great = middle,
            }
        }
        small
    }
}

/// A burst that fits, if there is one. Near it, the direction may be wrong, so that those near the last one are tried, too.
fn halved(bounds: (u64, u64), way: &impl Fn(u64) -> Result<Way, Ordering>) -> Option<u64> {
    let (mut small, mut great) = bounds;
    while small <= great {
        let middle = u64::midpoint(small, great);
        match way(middle) {
            Ok(_) => return Some(middle),
            Err(Ordering::Greater) => great = middle - 1,
            Err(_) => small = middle + 1,
        }
    }
    let mut near = (1..=NEAR).flat_map(|away| [small.saturating_sub(away), small + away]);
    near.find(|burst| (bounds.0..=bounds.1).contains(burst) && way(*burst).is_ok())
}

/// The last burst that fits on the way from one that does to `end`, if all before it do.
fn last(fits: u64, end: u64, is_fit: &impl Fn(u64) -> bool) -> u64 {
    if is_fit(end) {
        return end;
    }
    let (mut fits, mut not) = (fits, end);
    while fits.abs_diff(not) > 1 {
        let middle = u64::midpoint(fits, not);
        if is_fit(middle) {
            fits = middle;
        } else {
            not = middle;
        }
    }
    fits
}
