//! Which limiters explain all answers? For each kind, the limits and windows are searched near what the answers suggest.

use super::guesses::Course;
use super::models::{Contradiction, Hypothesis, explain};
use super::record::Seen;
use crate::base::Nanos;
use crate::core::audit::Interval;
use crate::core::audit::{Algorithm, Limit, Quota};
use std::ops::RangeInclusive;

/// How many windows are tried in each step of the search near a guess.
const STEPS: u64 = 64;

/// By how much the time that is looked at grows from one step to the next.
const GROWTH: u64 = 4;

/// Windows that are longer by this factor are not tried.
const FARTHEST: u64 = 8;

/// How often an interval of windows is halved.
const HALVINGS: u32 = 48;

/// The requests per window by which the rate of a bucket is written, so that its window may have fractions.
const FINE: u64 = 1_000;

/// How many bursts of a bucket are tried above and below the likeliest.
const MOST_BURSTS: u64 = 64;

/// A limiter that explains the answers.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// With one of the quotas for which it does.
    pub limit: Limit,
    pub counts_blocked: bool,
    /// At least one; one for each burst of a bucket for which it does, in order.
    pub ways: Vec<Way>,
}

/// Windows for which a limiter explains the answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// With one of them.
    pub quota: Quota,
    pub window: (Nanos, Nanos),
}

impl Way {
    /// The windows in which a bucket admits so many requests again.
    pub fn windows(&self, requests: u64) -> (Nanos, Nanos) {
        let scaled = |window: Nanos| {
            let all = u128::from(window.0) * u128::from(requests) / u128::from(self.quota.limit);
            Nanos(u64::try_from(all).unwrap_or(u64::MAX))
        };
        (scaled(self.window.0), scaled(self.window.1))
    }
}

impl Fit {
    pub fn with(&self, quota: Quota) -> Hypothesis {
        Hypothesis {
            limit: Limit {
                quota,
                ..self.limit
            },
            counts_blocked: self.counts_blocked,
        }
    }

    /// All bursts for which it explains the answers.
    pub fn bursts(&self) -> RangeInclusive<u64> {
        let bursts = || self.ways.iter().map(|way| way.quota.burst);
        bursts().min().unwrap_or(1)..=bursts().max().unwrap_or(1)
    }

    /// All windows for which it does, in which so many requests are admitted again.
    pub fn windows(&self, requests: u64) -> (Nanos, Nanos) {
        let all = || self.ways.iter().map(|way| way.windows(requests));
        let (from, to) = (all().map(|one| one.0).min(), all().map(|one| one.1).max());
        (from.unwrap_or_default(), to.unwrap_or_default())
    }
}

/// The answers, and how exactly the limiter's clock is taken to be.
#[derive(Debug)]
pub(super) struct Evidence {
    pub counters: Vec<Vec<Seen>>,
    /// The same without blocked requests between others. If they do not count, those tell nothing.
    thinned: Vec<Vec<Seen>>,
    pub grain: Nanos,
    /// The shortest window.
    pub least: Nanos,
}

impl Evidence {
    pub fn new(counters: &[Vec<Seen>], grain: Nanos, least: Nanos) -> Evidence {
        Evidence {
            counters: counters.to_vec(),
            thinned: counters.iter().map(|counter| thinned(counter)).collect(),
            grain,
            least,
        }
    }

    fn ends(&self) -> (Nanos, Nanos) {
        let sents = || self.counters.iter().flatten().map(|request| request.sent);
        (
            sents().min().unwrap_or_default(),
            sents().max().unwrap_or_default(),
        )
    }

    /// The instant halfway between the first request and the last.
    pub fn middle(&self) -> Nanos {
        let (first, last) = self.ends();
        Nanos(u64::midpoint(first.0, last.0))
    }

    /// The requests of each counter that tell something about such limits.
    pub fn counters(&self, hypotheses: &[Hypothesis]) -> impl Iterator<Item = &[Seen]> + Clone {
        let counters = match hypotheses.iter().any(|one| one.counts_blocked) {
            true => &self.counters,
            false => &self.thinned,
        };
        counters.iter().map(Vec::as_slice)
    }

    /// Whether such limits, all at once, explain all answers.
    pub fn explains(&self, hypotheses: &[Hypothesis]) -> bool {
        explain(hypotheses, self.counters(hypotheses), self.grain).is_ok()
    }

    /// All limiters that explain the answers together with `others`. Blocks shorter than `long` are those of the others.
    pub fn explanations(&self, others: &[Hypothesis], long: Option<Nanos>) -> Vec<Fit> {
        let courses = self
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
        let mut found = Vec::new();
        for algorithm in Algorithm::ALL {
            let mut by_one_clock = false;
            for (place, kind) in algorithm.about().kinds.iter().enumerate() {
                // A clock for each key explains all that one clock for all explains.
                if !kind.by_default && by_one_clock {
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
                        evidence: self,
                        others,
                        limit,
                        counts_blocked,
                    };
                    let fits = if algorithm.about().has_burst {
                        search.bucket(&courses).into_iter().collect()
                    } else {
                        search.windows(&courses)
                    };
                    by_one_clock |= !fits.is_empty() && kind.has_one_clock;
                    found.extend(fits);
                }
            }
        }
        // A clock of its own for each key explains much by chance.
        let is_by_default = |one: &Fit| {
            let kinds = one.limit.algorithm.about().kinds;
            one.limit.kind.is_none_or(|kind| kinds[kind].by_default)
        };
        if found.iter().any(is_by_default) {
            found.retain(is_by_default);
        }
        found
    }
}

/// The requests without those blocked ones that follow on a blocked one and precede another.
fn thinned(counter: &[Seen]) -> Vec<Seen> {
    let is_blocked = |request: &Seen| !request.admitted && request.alone;
    let known = counter
        .iter()
        .filter(|request| request.admitted || request.alone);
    let mut thinned: Vec<Seen> = Vec::new();
    for request in known {
        if let [.., before, last] = &thinned[..]
            && [before, last, request].into_iter().all(is_blocked)
        {
            thinned.pop();
        }
        thinned.push(*request);
    }
    thinned
}

/// In full windows, blocked requests change nothing, and buckets do not count them.
fn may_count_blocked(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::SlidingWindow | Algorithm::SlidingCounter
    )
}

struct Search<'a> {
    evidence: &'a Evidence,
    others: &'a [Hypothesis],
    limit: Limit,
    counts_blocked: bool,
}

impl Search<'_> {
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

    /// Whether a longer window always explains more blocks, and fewer admissions.
    fn is_monotone(&self) -> bool {
        matches!(
            self.limit.algorithm,
            Algorithm::SlidingWindow | Algorithm::TokenBucket
        )
    }

    /// All limits and windows that explain the answers.
    fn windows(&self, courses: &[Course]) -> Vec<Fit> {
        let mut limits: Vec<_> = courses.iter().flat_map(Course::limits).collect();
        limits.sort_unstable();
        limits.dedup();
        let guesses: Vec<Interval> = courses.iter().flat_map(Course::windows).collect();
        let mut all: Vec<Fit> = Vec::new();
        for limit in limits {
            let trickle = courses
                .iter()
                .filter_map(Course::interval)
                .map(|(least, most)| Interval {
                    from: Nanos((least * limit as f64) as u64),
                    to: Nanos((most * limit as f64) as u64),
                });
            let guesses: Vec<_> = guesses.iter().copied().chain(trickle).collect();
            let quota = |window| Quota::new(limit, window);
            let mut found: Vec<((Nanos, Nanos), Nanos)> = Vec::new();
            if self.is_monotone() {
                found.extend(self.between(&guesses, &quota));
            } else {
                for guess in apart(guesses) {
                    let is_known = found
                        .iter()
                        .any(|((from, to), _)| *from <= guess.to && guess.from <= *to);
                    if !is_known {
                        found.extend(self.near(guess, &quota));
                    }
                }
            }
            all.extend(found.into_iter().map(|(window, best)| {
                let quota = quota(best);
                self.fit(vec![Way { quota, window }])
            }));
        }
        all
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

    fn bucket(&self, courses: &[Course]) -> Option<Fit> {
        let intervals = courses.iter().filter_map(Course::interval);
        let (least, most) = intervals.min_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)))?;
        let guess = Interval {
            from: Nanos((least * FINE as f64) as u64),
            to: Nanos((most * FINE as f64) as u64),
        };
        let quota = |burst, window| Quota {
            burst,
            ..Quota::new(FINE, window)
        };
        let middle = Nanos(u64::midpoint(guess.from.0, guess.to.0));
        // A bucket that is full again so soon is not told from no limit.
        let is_told = |burst: u64| middle * burst >= self.evidence.least * FINE;
        let most = courses.iter().map(|course| course.fill).min()?.max(1);
        let near = self.burst_near(most, |burst| quota(burst, middle));
        let mut ways: Vec<Way> = Vec::new();
        let up = near..=near + MOST_BURSTS;
        let down = (near.saturating_sub(MOST_BURSTS).max(1)..near).rev();
        for bursts in [
            &mut up.into_iter() as &mut dyn Iterator<Item = u64>,
            &mut down.into_iter(),
        ] {
            for burst in bursts.filter(|burst| is_told(*burst)) {
                let Some((window, best)) = self.between(&[guess], &|window| quota(burst, window))
                else {
                    break;
                };
                ways.push(Way {
                    quota: quota(burst, best),
                    window,
                });
            }
        }
        ways.sort_by_key(|way| way.quota.burst);
        (!ways.is_empty()).then(|| self.fit(ways))
    }

    /// The burst up to `most` that explains most: a smaller one does not explain an admission, and a greater one does not
    /// explain a block.
    fn burst_near(&self, most: u64, quota: impl Fn(u64) -> Quota) -> u64 {
        let (mut small, mut great) = (1, most);
        while small < great {
            let middle = u64::midpoint(small, great);
            match self.explain(quota(middle), Nanos::MAX) {
                Ok(()) => return middle,
                Err(Contradiction::Admitted) => small = middle + 1,
                Err(Contradiction::Blocked) => great = middle,
            }
        }
        small
    }

    /// The windows about the guesses for which all answers are explained, and one of them. A window that is too short does
    /// not explain a block, and one that is too long does not explain an admission.
    fn between(
        &self,
        guesses: &[Interval],
        quota: &impl Fn(Nanos) -> Quota,
    ) -> Option<((Nanos, Nanos), Nanos)> {
        let shortest = guesses.iter().map(|guess| guess.from).min()?;
        let longest = guesses.iter().map(|guess| guess.to).max()?;
        let past_end = self.evidence.ends().1 + Nanos(1);
        let explain = |window| self.explain(quota(window), past_end);
        let (mut short, mut long) = (Nanos(shortest.0 / 2).max(self.evidence.least), longest * 2);
        for _ in 0..HALVINGS {
            let middle = Nanos(u64::midpoint(short.0, long.0));
            match explain(middle) {
                Err(Contradiction::Blocked) => short = middle,
                Err(Contradiction::Admitted) => long = middle,
                Ok(()) => {
                    let fits = |window| explain(window).is_ok();
                    let end = |not: Nanos| {
                        if fits(not) {
                            not
                        } else {
                            edge(not, middle, &fits)
                        }
                    };
                    let window = (end(short), end(long));
                    return Some((window, middle));
                }
            }
        }
        None
    }

    /// The same for fixed windows and counters. A wrong window of theirs may explain neither, or the wrong one of the two, so
    /// windows near the guess are tried one by one. The first step looks at the first answers only, which a window that is a
    /// little off still explains.
    fn near(
        &self,
        guess: Interval,
        quota: &impl Fn(Nanos) -> Quota,
    ) -> Option<((Nanos, Nanos), Nanos)> {
        let (begin, end) = self.evidence.ends();
        let past_end = end + Nanos(1);
        let slack = self.evidence.grain * 2;
        let least = self.evidence.least;
        let (mut from, mut to) = (
            guess.from.saturating_sub(slack).max(least),
            guess.to + slack,
        );
        if from > to {
            return None;
        }
        let mut span = guess.to * GROWTH;
        loop {
            let until = (begin + span).min(past_end);
            let fits = |window| self.explain(quota(window), until).is_ok();
            let step = Nanos(((to - from).0 / STEPS).max(1));
            let mut fitting = (0..=STEPS)
                .map(|place| from + step * place)
                .filter(|window| fits(*window));
            let first = fitting.next()?;
            let last = fitting.next_back().unwrap_or(first);
            if until == past_end {
                let shorter = |away: Nanos| first.saturating_sub(away).max(least);
                let longer = |away: Nanos| (last + away).min(last * FARTHEST);
                return Some((
                    (
                        outermost(shorter, step, &fits),
                        outermost(longer, step, &fits),
                    ),
                    first,
                ));
            }
            (from, to) = (first.saturating_sub(step).max(least), last + step);
            span = span * GROWTH;
        }
    }
}

/// The guesses, narrowest first, without those that hardly say more than a narrower one.
fn apart(mut guesses: Vec<Interval>) -> Vec<Interval> {
    guesses.sort_by_key(|guess| (guess.to - guess.from, guess.from));
    let mut apart: Vec<Interval> = Vec::new();
    for guess in guesses {
        let width = |guess: &Interval| (guess.to - guess.from).0;
        let is_alike = |other: &Interval| {
            guess.from <= other.to
                && other.from <= guess.to
                && width(&guess) <= 8 * width(other).max(1_000_000)
        };
        if !apart.iter().any(is_alike) {
            apart.push(guess);
        }
    }
    apart
}

/// The window that is furthest away in one direction and still explains the answers, as all on the way to it do.
fn outermost(at: impl Fn(Nanos) -> Nanos, step: Nanos, explains: &impl Fn(Nanos) -> bool) -> Nanos {
    let (mut fits, mut away) = (at(Nanos::ZERO), step);
    while explains(at(away)) {
        if at(away) == fits {
            return fits;
        }
        fits = at(away);
        away = away * 2;
    }
    edge(at(away), fits, explains)
}

/// The last window on the way from one that explains the answers to one that does not.
fn edge(not: Nanos, fits: Nanos, explains: &impl Fn(Nanos) -> bool) -> Nanos {
    let (mut not, mut fits) = (not, fits);
    while not.0.abs_diff(fits.0) > 1_000 {
        let middle = Nanos(u64::midpoint(not.0, fits.0));
        if explains(middle) {
            fits = middle
        } else {
            not = middle
        }
    }
    fits
}
