//! What an experiment found out.

use super::bounds::Bounds;
use super::claims::Claims;
use super::comparison::Shares;
use super::delays::Delay;
use super::evidence::Evidence;
use super::failures::Failures;
use super::fit::Fit;
use super::found::{Found, found, likely};
use super::guesses::Course;
use super::record::{Grouping, Seen};
use super::search;
use crate::base::Nanos;
use std::time::Duration;

/// How coarse the limiter's clock is taken to be: the first of these with which any limiter explains the answers.
const GRAINS: [Nanos; 4] = [
    Nanos(1_000_000),
    Nanos(10_000_000),
    Nanos(100_000_000),
    Nanos(1_000_000_000),
];

/// A block that lasts so many times as long as most others is another limit's.
const LONG: u64 = 4;

/// Why the experiment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All trials have ended.
    Complete,
    OutOfRequests,
    OutOfTime,
    /// Too many requests in a row were neither admitted nor blocked.
    Failing,
    /// The first request was blocked already, and all others for long enough.
    NothingAdmitted,
    /// It was stopped.
    Stopped,
}

/// What an experiment found out.
#[derive(Debug, Clone)]
pub struct Findings {
    pub bounds: Bounds,
    pub ending: Ending,
    pub asked: u64,
    /// The time from the first request's sent to the last one's done.
    pub lasted: Nanos,
    /// How many requests were blocked, of all keys.
    pub blocked: u64,
    /// Requests that were neither admitted nor blocked, by their status.
    pub failures: Vec<Failures>,
    /// The most requests that were sent within a second and all admitted.
    pub most_in_a_second: u64,
    /// Whether connections to the first target share a count.
    pub connections: Shares,
    /// Whether each target shares the first one's count.
    pub nodes: Vec<Shares>,
    /// Whether two keys share a count.
    pub keys: Shares,
    /// The grouping by which the answers are explained.
    pub grouping: Grouping,
    /// How many requests the busiest counter admitted, and before its first block.
    pub admitted: u64,
    pub admitted_at_once: Option<u64>,
    /// If the key that goes on being asked stays blocked: the longest rest after which another one was still blocked, and the
    /// shortest after which one was admitted.
    pub rest: Option<(Nanos, Nanos)>,
    /// A block that had not ended: after so many admissions, for so long.
    pub last_block: Option<(u64, Nanos)>,
    /// Every limiter that explains all answers, the likeliest first. Several limits hold at once.
    pub explanations: Vec<Vec<Found>>,
    /// How coarse the limiter's clock has to be for that.
    pub grain: Nanos,
    /// How admitted requests are delayed, if they are.
    pub delay: Option<Delay>,
    /// What the headers claim.
    pub claims: Claims,
}

/// The limiters that explain the answers, and how coarse their clocks are. No two requests were sent within less than `gap`. `began` is when the experiment began, since the beginning of 1970.
pub(super) fn explanations(
    counters: &[Vec<Seen>],
    gap: Nanos,
    began: Option<Duration>,
) -> (Vec<Vec<Found>>, Nanos) {
    for grain in GRAINS {
        let evidence = Evidence::new(counters, grain, gap);
        let single = search::explanations(&evidence, &[], None).into_iter();
        let mut explanations: Vec<Vec<Fit>> = single.map(|one| vec![one]).collect();
        if explanations.is_empty() {
            explanations = pairs(&evidence);
        }
        // Among others, a vague one stays: it may be the true one.
        let is_vague = |fits: &Vec<Fit>| fits.iter().any(Fit::is_vague);
        if !explanations.iter().all(is_vague) {
            let explanations = explanations.iter();
            let found = explanations.map(|fits| found(fits, &evidence, began));
            let mut found: Vec<Vec<Found>> = found.collect();
            found.sort_by_key(|limits| oddities(limits));
            return (found, grain);
        }
    }
    (Vec::new(), GRAINS[0])
}

/// How unlikely limits are to have been configured.
fn oddities(limits: &[Found]) -> usize {
    let oddities = |found: &Found| {
        [found.is_of_key(), !found.is_round, found.counts_blocked]
            .into_iter()
            .filter(|odd| *odd)
            .count()
    };
    limits.iter().map(oddities).sum()
}

/// Two limits that explain the answers together.
fn pairs(evidence: &Evidence) -> Vec<Vec<Fit>> {
    let courses = evidence
        .counters
        .iter()
        .filter_map(|counter| Course::of(counter));
    let Some(median) = courses.filter_map(|course| course.median_block()).min() else {
        return Vec::new();
    };
    let long = median * LONG;
    let early: Vec<Vec<Seen>> = evidence
        .counters
        .iter()
        .map(|counter| before_long_block(counter, long))
        .collect();
    let first = Evidence::new(&early, evidence.grain, evidence.gap);
    let firsts = search::explanations(&first, &[], None).into_iter();
    let pairs = firsts.flat_map(|first| {
        let long = long.max(first.longest_block() + evidence.grain * 2);
        let seconds = likely(&first).into_iter().map(|known| {
            let seconds = search::explanations(evidence, &[known], Some(long));
            (known, seconds)
        });
        let mut explaining = seconds.filter(|(_, seconds)| !seconds.is_empty());
        explaining
            .next()
            .into_iter()
            .flat_map(move |(known, seconds)| {
                let first = first.at(known.limit.quota);
                seconds
                    .into_iter()
                    .map(move |second| vec![first.clone(), second])
            })
            .collect::<Vec<_>>()
    });
    pairs.collect()
}

/// The requests up to the first that was blocked for so long.
fn before_long_block(counter: &[Seen], long: Nanos) -> Vec<Seen> {
    let mut since: Option<usize> = None;
    for (place, request) in counter.iter().enumerate() {
        if request.admitted {
            since = None;
            continue;
        }
        let begin = *since.get_or_insert(place);
        if request.sent - counter[begin].sent >= long {
            return counter[..begin].to_vec();
        }
    }
    counter.to_vec()
}
