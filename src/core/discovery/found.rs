//! A limit that explains the answers, in the numbers that a person would have configured.
//!
//! The answers leave an interval of windows by this machine's clock. The limiter's clock may run up to 500 millionths faster or
//! slower. So the window may be anywhere in that interval widened by as much, and the roundest in there is the likeliest.

use super::evidence::Evidence;
use super::fit::Fit;
use super::models::{Hypothesis, phases};
use super::roundest;
use crate::base::Nanos;
use crate::core::audit::{Interval, Limit, Quota};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A window is surely round if its step is so many times as long as the interval in which it may lie. Another window has so
/// round a neighbour in one of so many cases.
const SURELY: u64 = 40;

/// The rate of a bucket is round if there is at most so much to it, as `roundest` counts.
const FEW_DIGITS: u32 = 3;

/// How many round values of a limit are tried together with another limit.
const LIKELY: usize = 2;

/// How many faster and slower clocks are tried.
const SPEEDS: u64 = 10;

/// Windows begin on multiples of their length if it is so near, because two synchronized clocks hardly differ more. They do not
/// if it is so far.
const NEAR: Nanos = Nanos(10_000_000);
const FAR: Nanos = Nanos(200_000_000);

/// A limit that explains the answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// With the roundest window, or the roundest rate and burst of a bucket, within the error.
    pub limit: Limit,
    /// All windows for which it explains the answers, by this machine's clock. Of a bucket, those in which
    /// `limit.quota.limit` requests are admitted again.
    pub window: (Nanos, Nanos),
    /// By how much `limit.quota.window` may be wrong, either way. The limiter's clock may run up to 500 millionths faster or
    /// slower than this machine's.
    pub error: Nanos,
    /// Whether hardly any other window would have so round a one within its error.
    pub is_round: bool,
    /// All bursts of a bucket for which it explains the answers; the limit itself for other algorithms.
    pub burst: RangeInclusive<u64>,
    /// Whether blocked requests count, too.
    pub counts_blocked: bool,
    /// How long after the multiples of the window since the beginning of 1970 its windows begin: at least and at most. Of
    /// windows that one clock lays for all keys, if they are surely round or begin on multiples, and this is known. The second
    /// value may be longer than the window.
    pub begins: Option<(Nanos, Nanos)>,
}

impl Found {
    /// Whether each key has a clock of its own.
    pub(super) fn is_of_key(&self) -> bool {
        let kinds = self.limit.algorithm.about().kinds;
        self.limit.kind.is_some_and(|kind| !kinds[kind].by_default)
    }

    /// Whether the windows begin on multiples of their length since the beginning of 1970. `None` if that is unknown, or a
    /// matter of chance.
    pub fn begins_on_multiples(&self) -> Option<bool> {
        let window = self.limit.quota.window;
        let (from, to) = self.begins?;
        let is_within = |tolerance: Nanos| from <= tolerance || to + tolerance >= window;
        let is_by_chance = ((to - from) + NEAR * 2) * SURELY > window;
        if is_within(NEAR) && !is_by_chance {
            return Some(true);
        }
        (self.is_round && !is_within(FAR)).then_some(false)
    }
}

/// A window, or a rate and burst, with which a fit explains the answers.
#[derive(Debug, Clone, Copy)]
struct Choice {
    /// As it would have been configured.
    quota: Quota,
    /// As it would be by this machine's clock.
    observed: Quota,
    /// All windows that explain the answers.
    window: (Nanos, Nanos),
    is_round: bool,
}

impl Choice {
    /// `window` is all that explain the answers.
    fn new(quota: Quota, window: (Nanos, Nanos), step: Nanos) -> Choice {
        let (from, to) = widened(window);
        let observed = Quota {
            window: quota.window.clamp(window.0, window.1),
            ..quota
        };
        Choice {
            quota,
            observed,
            window,
            is_round: (to - from) * SURELY <= step,
        }
    }
}

impl Choice {
    /// The same observed by a clock that runs faster or slower by so much, the nearest first. Not all windows between two that
    /// explain the answers do so, too.
    fn at_other_speeds(self) -> impl Iterator<Item = Choice> {
        let nearest = self.observed.window;
        let speeds = (1..=SPEEDS).flat_map(move |step| {
            let off = Nanos(
                (u128::from(nearest.0) * u128::from(step) / u128::from(2_000 * SPEEDS)) as u64,
            );
            [nearest.saturating_sub(off), nearest + off]
        });
        let all = [nearest].into_iter().chain(speeds);
        let explaining = all.filter(move |window| (self.window.0..=self.window.1).contains(window));
        explaining.map(move |window| Choice {
            observed: Quota {
                window,
                ..self.observed
            },
            ..self
        })
    }
}

/// The windows that a limiter may have whose clock is not exactly this machine's.
fn widened((from, to): (Nanos, Nanos)) -> (Nanos, Nanos) {
    let drift = |span: Nanos| Nanos(span.0.div_ceil(2_000));
    (from.saturating_sub(drift(from)), to + drift(to))
}

/// Limits that hold at once and explain the answers together, in round numbers as far as those explain them too. `began` is when
/// the experiment began, since the beginning of 1970.
pub(super) fn found(fits: &[Fit], evidence: &Evidence, began: Option<Duration>) -> Vec<Found> {
    let mut chosen: Vec<Choice> = fits.iter().map(as_observed).collect();
    let hypotheses = |chosen: &[Choice]| -> Vec<Hypothesis> {
        let pairs = fits.iter().zip(chosen);
        pairs
            .map(|(fit, choice)| fit.with(choice.observed))
            .collect()
    };
    for (place, fit) in fits.iter().enumerate() {
        let kept = chosen[place];
        let mut round = rounded(fit)
            .into_iter()
            .flat_map(|round| round.at_other_speeds());
        let round = round.find(|round| {
            chosen[place] = *round;
            evidence.explains(&hypotheses(&chosen))
        });
        chosen[place] = round.unwrap_or(kept);
    }
    let all = hypotheses(&chosen);
    let phases = phases(&all, evidence.counters(&all), evidence.grain);
    let middle = evidence.middle();
    let each = fits.iter().zip(&chosen).zip(phases);
    each.map(|((fit, choice), phases)| {
        let quota = choice.quota;
        let (shortest, longest) = widened(fit.windows(quota.limit));
        let phases = phases.zip(began);
        let found = Found {
            limit: Limit { quota, ..fit.limit },
            window: fit.windows(quota.limit),
            error: longest
                .saturating_sub(quota.window)
                .max(quota.window.saturating_sub(shortest)),
            is_round: choice.is_round,
            burst: fit.bursts(),
            counts_blocked: fit.counts_blocked,
            begins: phases.map(|(phases, began)| since_1970(phases, choice, middle, began)),
        };
        let is_known = found.is_round || found.begins_on_multiples() == Some(true);
        Found {
            begins: found.begins.filter(|_| is_known),
            ..found
        }
    })
    .collect()
}

/// The limit with a few likely values that explain the answers alone, the roundest first.
pub(super) fn likely(fit: &Fit) -> Vec<Hypothesis> {
    let choices = rounded(fit).into_iter().take(LIKELY);
    let choices = choices.chain([as_observed(fit)]);
    choices.map(|choice| fit.with(choice.observed)).collect()
}

/// The first values that were found to explain the answers.
fn as_observed(fit: &Fit) -> Choice {
    let first = &fit.ways[0];
    Choice::new(first.quota, first.window, Nanos(1))
}

/// The rounder values, the roundest first.
fn rounded(fit: &Fit) -> Vec<Choice> {
    if !fit.limit.algorithm.about().has_burst {
        let ways = fit.ways.iter().map(|way| {
            let (from, to) = widened(way.window);
            let (window, step) = roundest::time(from, to);
            Choice::new(
                Quota {
                    window,
                    ..way.quota
                },
                way.window,
                step,
            )
        });
        return ways.collect();
    }
    let bursts = roundest::bursts(&fit.bursts());
    let mut choices: Vec<(u32, Choice)> = Vec::new();
    for (place, burst) in bursts.into_iter().enumerate() {
        let Some(way) = fit.ways.iter().find(|way| way.quota.burst == burst) else {
            continue;
        };
        let (from, to) = widened(way.window);
        let one = |window: Nanos| window.0 as f64 / way.quota.limit as f64;
        let (quota, digits) = roundest::rate(one(from), one(to), burst);
        let choice = Choice::new(quota, way.windows(quota.limit), Nanos(1));
        let is_narrow = (to - from) * SURELY <= to;
        let is_round = is_narrow && digits <= FEW_DIGITS;
        choices.push((digits + place as u32, Choice { is_round, ..choice }));
    }
    choices.sort_by_key(|(digits, _)| *digits);
    choices.into_iter().map(|(_, choice)| choice).collect()
}

/// When windows begin after a multiple of their length. Over the experiment's time the two clocks may drift apart, so that the
/// window in its middle counts.
fn since_1970(phases: Interval, choice: &Choice, middle: Nanos, began: Duration) -> (Nanos, Nanos) {
    let (observed, window) = (choice.observed.window, choice.quota.window);
    let windows = middle.saturating_sub(phases.from).0 / observed.0;
    let boundary = u128::from((phases.from + observed * windows).0) + began.as_nanos();
    let from = Nanos((boundary % u128::from(window.0)) as u64);
    (from, from + phases.length())
}
