//! Which limiters explain all answers? For each kind, the limits and windows are searched near what the answers suggest.

mod bucket;
mod log;
mod windows;

use super::evidence::Evidence;
use super::fit::{Fit, Way};
use super::guesses::Course;
use super::models::{Contradiction, Hypothesis, explain};
use crate::base::Nanos;
use crate::core::audit::{Algorithm, Limit, Quota};

/// With fewer edges, the answers fit nearly everything. Beside another limit, one is enough.
const FEWEST_EDGES: usize = 2;

/// With fewer blocks, too.
const FEWEST_BLOCKS: usize = 12;

/// That blocked requests count is shown by so many keys that are not asked for a while.
const FEWEST_WAITS: usize = 3;

/// All limiters that explain the answers together with `others`. Blocks shorter than `long` are those of the others.
pub(super) fn explanations(
    evidence: &Evidence,
    others: &[Hypothesis],
    long: Option<Nanos>,
) -> Vec<Fit> {
    let courses = evidence
        .counters
        .iter()
        .filter_map(|counter| Course::of(counter));
    let courses = courses.map(|course| match long {
        Some(long) => course.with_long_blocks(long),
        None => course,
    });
    let courses: Vec<_> = courses.filter(|course| course.was_full).collect();
    let edges: usize = courses.iter().map(|course| course.edges.len()).sum();
    let fewest = if others.is_empty() { FEWEST_EDGES } else { 1 };
    if edges < fewest || evidence.blocks < FEWEST_BLOCKS {
        return Vec::new();
    }
    let with_edges = courses.iter().filter(|course| !course.edges.is_empty());
    let with_edges = with_edges.count();
    let is_seen_of_several = with_edges > 1;
    let is_waited_for = with_edges >= FEWEST_WAITS;
    let mut found = Vec::new();
    for algorithm in Algorithm::ALL {
        let mut by_one_clock = false;
        for (place, kind) in algorithm.about().kinds.iter().enumerate() {
            // A clock for each key explains all that one clock for all explains. The windows of several keys show which it is.
            // The windows of a counter of each key begin with its requests.
            let is_more = algorithm != Algorithm::SlidingCounter && !kind.by_default;
            if is_more && by_one_clock && is_seen_of_several {
                continue;
            }
            let limit = Limit {
                kind: (algorithm.about().kinds.len() > 1).then_some(place),
                ..Limit::new(algorithm, Quota::new(1, Nanos(1)))
            };
            for counts_blocked in [false, true] {
                if counts_blocked && !(may_count_blocked(algorithm) && is_waited_for) {
                    continue;
                }
                let search = Search {
                    evidence,
                    others,
                    limit,
                    counts_blocked,
                };
                let fits = search.fits(&courses);
                by_one_clock |= !fits.is_empty() && kind.has_one_clock;
                found.extend(fits);
            }
        }
    }
    found
}

/// In full windows, blocked requests change nothing, and buckets do not count them.
fn may_count_blocked(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::SlidingWindow | Algorithm::SlidingCounter
    )
}

/// A kind of limiter, held against the answers.
struct Search<'a> {
    evidence: &'a Evidence,
    /// Limits that hold at the same time.
    others: &'a [Hypothesis],
    /// Its quota does not count.
    limit: Limit,
    counts_blocked: bool,
}

impl Search<'_> {
    fn fits(&self, courses: &[Course]) -> Vec<Fit> {
        match self.limit.algorithm {
            Algorithm::TokenBucket => self.bucket(courses).into_iter().collect(),
            Algorithm::SlidingWindow if self.others.is_empty() => self.log(courses),
            _ => self.windows(courses),
        }
    }

    /// Holds the limit against the requests sent before `end`.
    fn explain(&self, quota: Quota, end: Nanos) -> Result<(), Contradiction> {
        let hypothesis = Hypothesis {
            limit: Limit {
                quota,
                ..self.limit
            },
            counts_blocked: self.counts_blocked,
        };
        let all: Vec<_> = self.others.iter().copied().chain([hypothesis]).collect();
        let until = self.evidence.counters(&all).map(|counter| {
            let count = counter.partition_point(|request| request.sent < end);
            &counter[..count]
        });
        explain(&all, until, self.evidence.grain)
    }

    fn fit(&self, ways: Vec<Way>) -> Fit {
        Fit {
            limit: Limit {
                quota: ways[0].quota,
                ..self.limit
            },
            counts_blocked: self.counts_blocked,
            ways,
        }
    }
}
