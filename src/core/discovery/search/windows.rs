//! The limits and windows of fixed windows and counters, and of a log beside another limit.

use super::Search;
use crate::base::Nanos;
use crate::core::audit::{Algorithm, Interval, Quota};
use crate::core::discovery::fit::{Fit, Way};
use crate::core::discovery::guesses::Course;
use crate::core::discovery::models::Contradiction;
use std::cmp::Ordering;

/// How many windows are tried in each step of the search near a guess.
const STEPS: u64 = 64;

/// If the steps would be longer than the grain, so many.
const MOST_STEPS: u64 = 512;

/// By how much the time that is looked at grows from one step to the next.
const GROWTH: u64 = 4;

/// Windows that are longer by this factor are not tried.
const FARTHEST: u64 = 8;

/// Two guesses are about as narrow if one is at most so many times as long.
const ALIKE: u64 = 8;

/// How often an interval of windows is halved at most, and the part of a window that is not halved any more.
const HALVINGS: u32 = 48;
const FINEST: u64 = 10_000_000;

/// The ends of an interval of windows are exact to this part of them, or to a microsecond.
const CLOSE: u64 = 1_000_000;

/// With more limits than these within the error of rate times window, none of them is a guess.
const MOST_BY_RATE: u64 = 3;

impl Search<'_> {
    /// All limits and windows that explain the answers.
    pub(super) fn windows(&self, courses: &[Course]) -> Vec<Fit> {
        let guesses: Vec<Interval> = courses.iter().flat_map(Course::windows).collect();
        let mut all: Vec<Fit> = Vec::new();
        for limit in limits(courses, &guesses) {
            let trickle = courses
                .iter()
                .filter_map(Course::interval)
                .map(|(least, most)| Interval {
                    from: Nanos((least * limit as f64) as u64),
                    to: Nanos((most * limit as f64) as u64),
                });
            let guesses: Vec<_> = guesses.iter().copied().chain(trickle).collect();
            let about = self.about(&guesses, limit);
            let quota = |window| Quota::new(limit, window);
            let mut ways: Vec<Way> = Vec::new();
            if self.limit.algorithm == Algorithm::SlidingWindow {
                ways.extend(self.between(&guesses, &quota).ok());
            } else {
                for guess in apart(guesses) {
                    let is_known = ways
                        .iter()
                        .any(|way| overlap(way.window, (guess.from, guess.to)));
                    if !is_known {
                        ways.extend(self.near(guess, limit));
                    }
                }
                if ways.is_empty() {
                    ways.extend(about.filter_map(|guess| self.near(guess, limit)));
                }
            }
            all.extend(joined(ways).into_iter().map(|way| self.fit(vec![way])));
        }
        all
    }

    /// A counter forgets little by little, so that what it admits tells its window less exactly.
    /// These are all windows up to the longest guess, in intervals with ends of one ratio.
    fn about(&self, guesses: &[Interval], limit: u64) -> impl Iterator<Item = Interval> + use<> {
        let is_smooth = self.limit.algorithm == Algorithm::SlidingCounter;
        let longest = guesses.iter().map(|guess| guess.to).max();
        let longest = longest.filter(|_| is_smooth).unwrap_or_default();
        let longer = |window: &Nanos| Some(Nanos(window.0 / 4 * 5).max(*window + Nanos(1)));
        std::iter::successors(Some(self.evidence.least_window(limit)), longer)
            .take_while(move |from| *from <= longest)
            .map(|from| Interval::new(from, Nanos(from.0 / 4 * 5)))
    }

    /// The windows about the guesses for which all answers are explained. A window that is too short does not explain a
    /// block, and one that is too long does not explain an admission.
    ///
    /// # Errors
    /// There are none. The error says whether the limit is likely too small or too great.
    pub(super) fn between(
        &self,
        guesses: &[Interval],
        quota: &impl Fn(Nanos) -> Quota,
    ) -> Result<Way, Ordering> {
        let shortest = guesses
            .iter()
            .map(|guess| guess.from)
            .min()
            .unwrap_or_default();
        let longest = guesses
            .iter()
            .map(|guess| guess.to)
            .max()
            .unwrap_or_default();
        let explain = |window| self.explain(quota(window), Nanos::MAX);
        let least = Nanos(shortest.0 / 2).max(self.evidence.least_window(1));
        let (mut short, mut long) = (least, longest * 2);
        // How long after its counter's first request the latest contradiction of each kind came.
        let (mut blocked, mut admitted) = (None, None);
        for _ in 0..HALVINGS {
            let middle = Nanos(u64::midpoint(short.0, long.0));
            match explain(middle) {
                Err(Contradiction::Blocked(after)) => (short, blocked) = (middle, Some(after)),
                Err(Contradiction::Admitted(after)) => (long, admitted) = (middle, Some(after)),
                Ok(()) => {
                    let fits = |window| explain(window).is_ok();
                    let end = |not: Nanos| {
                        if fits(not) {
                            not
                        } else {
                            edge(not, middle, &fits)
                        }
                    };
                    return Ok(Way {
                        quota: quota(middle),
                        window: (end(short), end(long)),
                    });
                }
            }
            if long.saturating_sub(short).0 <= long.0 / FINEST {
                break;
            }
        }
        Err(match (blocked, admitted) {
            (Some(blocked), Some(admitted)) if blocked >= admitted => Ordering::Less,
            (None, _) => Ordering::Less,
            _ => Ordering::Greater,
        })
    }

    /// The same for fixed windows and counters. A wrong window of theirs may explain neither, or the wrong one of the two, so
    /// windows near the guess are tried one by one. The first step looks at the first answers only, which a window that is a
    /// little off still explains.
    fn near(&self, guess: Interval, limit: u64) -> Option<Way> {
        let quota = |window| Quota::new(limit, window);
        let (begin, end) = self.evidence.ends();
        let past_end = end + Nanos(1);
        let slack = self.evidence.grain * 2;
        let least = self.evidence.least_window(limit);
        let (mut from, mut to) = (
            guess.from.saturating_sub(slack).max(least),
            guess.to + slack,
        );
        if from > to {
            return None;
        }
        let mut span = guess.to * 2;
        loop {
            let until = (begin + span).min(past_end);
            let fits = |window| self.explain(quota(window), until).is_ok();
            // A counter is smooth: its windows are hardly told apart at first.
            let most_steps = match self.limit.algorithm {
                Algorithm::SlidingCounter => STEPS,
                _ => MOST_STEPS,
            };
            let steps = ((to - from).0 / self.evidence.grain.0).clamp(STEPS, most_steps);
            let step = Nanos(((to - from).0 / steps).max(1));
            let mut fitting = (0..=steps)
                .map(|place| from + step * place)
                .filter(|window| fits(*window));
            let first = fitting.next()?;
            let last = fitting.next_back().unwrap_or(first);
            if until == past_end {
                let shorter = |away: Nanos| first.saturating_sub(away).max(least);
                let longer = |away: Nanos| (last + away).min(last * FARTHEST);
                return Some(Way {
                    quota: quota(first),
                    window: (
                        outermost(shorter, step, &fits),
                        outermost(longer, step, &fits),
                    ),
                });
            }
            (from, to) = (first.saturating_sub(step).max(least), last + step);
            span = span * GROWTH;
        }
    }
}

/// The limits that are worth a try: those that the courses suggest, and what is admitted in a window at the rate at which a full
/// counter admits.
fn limits(courses: &[Course], windows: &[Interval]) -> Vec<u64> {
    let mut limits: Vec<_> = courses.iter().flat_map(Course::limits).collect();
    let rates = courses.iter().filter_map(Course::interval);
    for ((least, most), window) in
        rates.flat_map(|rate| windows.iter().map(move |window| (rate, window)))
    {
        let from = (window.from.0 as f64 / most).ceil().max(1.0) as u64;
        let to = (window.to.0 as f64 / least).floor() as u64;
        if from <= to && to - from < MOST_BY_RATE {
            limits.extend(from..=to);
        }
    }
    // Before its first block, a counter admitted the limit at least.
    let most = courses.iter().map(|course| course.fill).min();
    limits.retain(|limit| most.is_some_and(|most| *limit <= most));
    limits.sort_unstable();
    limits.dedup();
    limits
}

fn overlap(some: (Nanos, Nanos), others: (Nanos, Nanos)) -> bool {
    some.0 <= others.1 && others.0 <= some.1
}

/// The ways with those whose windows overlap made one.
fn joined(mut ways: Vec<Way>) -> Vec<Way> {
    ways.sort_by_key(|way| way.window);
    let mut apart: Vec<Way> = Vec::new();
    for way in ways {
        match apart.last_mut() {
            Some(last) if overlap(last.window, way.window) => {
                last.window.1 = last.window.1.max(way.window.1)
            }
            _ => apart.push(way),
        }
    }
    apart
}

/// The guesses, narrowest first. Those that overlap and are about as narrow are made one.
fn apart(mut guesses: Vec<Interval>) -> Vec<Interval> {
    guesses.sort_by_key(|guess| (guess.length(), guess.from));
    let mut apart: Vec<Interval> = Vec::new();
    for guess in guesses {
        let is_alike = |other: &&mut Interval| {
            overlap((guess.from, guess.to), (other.from, other.to))
                && guess.length() <= other.length().max(Nanos(1_000_000)) * ALIKE
        };
        match apart.iter_mut().find(is_alike) {
            Some(other) => {
                (other.from, other.to) = (other.from.min(guess.from), other.to.max(guess.to));
            }
            None => apart.push(guess),
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
    while not.0.abs_diff(fits.0) > (fits.0 / CLOSE).max(1_000) {
        let middle = Nanos(u64::midpoint(not.0, fits.0));
        if explains(middle) {
            fits = middle
        } else {
            not = middle
        }
    }
    fits
}
