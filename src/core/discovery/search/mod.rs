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

/// With fewer edges, the answers fit nearly everything.
const FEWEST_EDGES: usize = 2;

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
    let courses: Vec<_> = courses
        .filter(|course| course.was_full)
        .map(|course| match long {
            Some(long) => course.with_long_blocks(long),
            None => course,
        })
        .collect();
    if courses
        .iter()
        .map(|course| course.edges.len())
        .sum::<usize>()
        < FEWEST_EDGES
    {
        return Vec::new();
    }
    let with_edges = courses.iter().filter(|course| !course.edges.is_empty());
    let is_seen_of_several = with_edges.count() > 1;
    let mut found = Vec::new();
    for algorithm in Algorithm::ALL {
        let mut by_one_clock = false;
        for (place, kind) in algorithm.about().kinds.iter().enumerate() {
            // A clock for each key explains all that one clock for all explains. The windows of several keys show which it is.
            if !kind.by_default && by_one_clock && is_seen_of_several {
                continue;
            }
            let limit = Limit {
                kind: (algorithm.about().kinds.len() > 1).then_some(place),
                ..Limit::new(algorithm, Quota::new(1, Nanos(1)))
            };
            for counts_blocked in [false, true] {
                if counts_blocked && !may_count_blocked(algorithm) {
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
    // Windows of a clock of its own for each key, weighted as well, explain much by chance.
    let is_vague = |one: &Fit| {
        let kinds = one.limit.algorithm.about().kinds;
        let is_of_key = one.limit.kind.is_some_and(|kind| !kinds[kind].by_default);
        is_of_key && one.limit.algorithm == Algorithm::SlidingCounter
    };
    if !found.iter().all(is_vague) {
        found.retain(|one| !is_vague(one));
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
