use super::trials::{Trials, Verdict};
use super::{Bounds, Cause, Finding, Limit, Outcome};
use crate::core::schedule::Rate;
use std::collections::BTreeMap;

/// A search for the highest rate that holds.
#[derive(Debug, Clone)]
pub struct Search {
    pub(super) bounds: Bounds,
    trials: BTreeMap<Rate, Trials>,
    /// The steps so far.
    steps: usize,
    /// The most steps. Outcomes that contradict each other could otherwise prolong the search for ever.
    pub(super) most_steps: usize,
}

/// The next step of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From 1.
    pub number: usize,
    pub rate: Rate,
    pub purpose: Purpose,
}

/// Why a step is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Every lower rate held, as far as it was tried.
    Double,
    /// The rate is between one that held and one that did not.
    Narrow,
    /// A step at this rate was made before.
    Repeat,
}

impl Search {
    /// # Panics
    /// If `from` is above `to`, or the precision is outside of 0.001 to 1.
    pub fn new(bounds: Bounds) -> Search {
        assert!(bounds.from <= bounds.to, "{bounds:?}");
        assert!((0.001..=1.0).contains(&bounds.precision), "{bounds:?}");
        let mut search = Search {
            bounds,
            trials: BTreeMap::new(),
            steps: 0,
            most_steps: usize::MAX,
        };
        // Every repetition may disagree once.
        search.most_steps = 2 * search.longest().steps;
        search
    }

    /// The next step. `None` if the search is over.
    pub fn next(&self) -> Option<Step> {
        if self.steps >= self.most_steps {
            return None;
        }
        let (rate, purpose) = self.next_rate()?;
        Some(Step {
            number: self.steps + 1,
            rate,
            purpose,
        })
    }

    /// Takes the outcome of a step at this rate.
    pub fn add(&mut self, rate: Rate, outcome: Outcome) {
        self.steps += 1;
        self.trials.entry(rate).or_default().add(outcome);
    }

    /// The most steps that the search may take.
    pub fn most_steps(&self) -> usize {
        self.most_steps
    }

    fn next_rate(&self) -> Option<(Rate, Purpose)> {
        let bounds = &self.bounds;
        let repeat = |rate| Some((rate, Purpose::Repeat));
        let tried = self.trials.iter().filter(|(_, trials)| trials.count() > 0);
        let Some(top) = tried.map(|(rate, _)| *rate).next_back() else {
            return Some((bounds.from, Purpose::Double));
        };
        if let Some(rate) = self.undecided(|trials| trials.count() > 1) {
            return repeat(rate);
        }
        let Some(ceiling) = self.ceiling() else {
            return if top < bounds.to {
                Some((bounds.doubled(top), Purpose::Double))
            } else {
                self.unless_settled(top)
            };
        };
        if ceiling == top && !self.trials[&ceiling].are_settled() {
            return repeat(ceiling);
        }
        if let Some(rate) = self.undecided(|trials| trials.count() > 0) {
            return repeat(rate);
        }
        let Some(floor) = self.floor() else {
            return self.unless_settled(ceiling);
        };
        if let Some(middle) = bounds.between(floor, ceiling) {
            return Some((middle, Purpose::Narrow));
        }
        let deciding = self.unless_settled(ceiling);
        deciding.or_else(|| self.unless_settled(floor))
    }

    fn unless_settled(&self, rate: Rate) -> Option<(Rate, Purpose)> {
        let is_open = !self.trials[&rate].are_settled();
        is_open.then_some((rate, Purpose::Repeat))
    }

    /// The lowest rate that does not hold.
    pub(super) fn ceiling(&self) -> Option<Rate> {
        self.with_verdict(Verdict::DoesNotHold).next()
    }

    /// The highest rate that holds and is under all that do not.
    pub(super) fn floor(&self) -> Option<Rate> {
        let ceiling = self.ceiling();
        let held = self.with_verdict(Verdict::Holds);
        held.take_while(|rate| ceiling.is_none_or(|ceiling| *rate < ceiling))
            .last()
    }

    fn with_verdict(&self, verdict: Verdict) -> impl Iterator<Item = Rate> {
        let trials = self.trials.iter();
        let fitting = trials.filter(move |(_, trials)| trials.verdict() == verdict);
        fitting.map(|(rate, _)| *rate)
    }

    /// The highest undecided rate of this kind between floor and ceiling.
    fn undecided(&self, is_meant: impl Fn(&Trials) -> bool) -> Option<Rate> {
        let (floor, ceiling) = (self.floor(), self.ceiling());
        let is_between = |rate: &Rate| {
            floor.is_none_or(|floor| floor < *rate) && ceiling.is_none_or(|ceiling| *rate < ceiling)
        };
        let undecided = self.with_verdict(Verdict::Undecided).filter(is_between);
        undecided.filter(|rate| is_meant(&self.trials[rate])).last()
    }

    /// What is known so far.
    pub fn finding(&self) -> Finding {
        let (held, not_held) = (self.floor(), self.ceiling());
        let cause = not_held.and_then(|rate| self.trials[&rate].cause());
        let limit = match (self.next_rate(), cause) {
            (Some(_), _) => Limit::Unfinished,
            (None, None) => Limit::To,
            (None, Some(Cause::Missed)) => Limit::Limiter,
            (None, Some(Cause::Generator)) => Limit::Generator,
            (None, Some(Cause::Connections)) => Limit::Connections,
            (None, Some(Cause::Unjudged)) => Limit::Unjudged,
        };
        let contradicted = |held: Rate| {
            let below = self.trials.range(..held);
            let failed = below.filter(|(_, trials)| trials.held() < trials.count());
            failed.map(|(rate, _)| *rate).collect()
        };
        Finding {
            held,
            not_held,
            limit,
            contradicted: held.map(contradicted).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISSED: Outcome = Outcome::NotHeld {
        cause: Cause::Missed,
        may_be_chance: false,
    };
    const CHANCE: Outcome = Outcome::NotHeld {
        cause: Cause::Missed,
        may_be_chance: true,
    };

    fn rate(per_second: f64) -> Rate {
        Rate::per_second(per_second).unwrap()
    }

    fn search(from: f64, to: f64) -> Search {
        Search::new(Bounds {
            from: rate(from),
            to: rate(to),
            precision: 0.25,
        })
    }

    /// Answers the steps, each of which has to be at the rate.
    fn play(search: &mut Search, steps: &[(f64, Outcome)]) {
        for (expected, outcome) in steps {
            let step = search.next().expect("a step");
            assert_eq!(step.rate, rate(*expected), "step {}", step.number);
            search.add(step.rate, *outcome);
        }
    }

    fn finding(held: Option<f64>, not_held: Option<f64>, limit: Limit) -> Finding {
        Finding {
            held: held.map(rate),
            not_held: not_held.map(rate),
            limit,
            contradicted: Vec::new(),
        }
    }

    #[test]
    fn it_doubles_then_narrows_then_repeats_what_decides() {
        let mut search = search(100.0, 1e4);
        play(
            &mut search,
            &[
                (100.0, Outcome::Held),
                (200.0, Outcome::Held),
                (400.0, MISSED),
                (400.0, MISSED),
                (285.0, Outcome::Held),
                (340.0, MISSED),
                (340.0, MISSED),
                (285.0, Outcome::Held),
            ],
        );
        assert_eq!(search.next(), None);
        let expected = finding(Some(285.0), Some(340.0), Limit::Limiter);
        assert_eq!(search.finding(), expected);
    }

    #[test]
    fn a_single_miss_does_not_end_the_doubling() {
        let mut search = search(100.0, 400.0);
        play(
            &mut search,
            &[
                (100.0, MISSED),
                (100.0, Outcome::Held),
                (100.0, Outcome::Held),
                (200.0, Outcome::Held),
                (400.0, Outcome::Held),
                (400.0, Outcome::Held),
            ],
        );
        assert_eq!(search.next(), None);
        assert_eq!(
            search.finding(),
            Finding {
                contradicted: vec![rate(100.0)],
                ..finding(Some(400.0), None, Limit::To)
            }
        );
    }

    #[test]
    fn a_miss_within_chance_is_left_behind_unless_a_higher_rate_does_not_hold_either() {
        let mut higher_holds = search(100.0, 200.0);
        play(
            &mut higher_holds,
            &[
                (100.0, CHANCE),
                (200.0, Outcome::Held),
                (200.0, Outcome::Held),
            ],
        );
        assert_eq!(higher_holds.next(), None);
        assert_eq!(
            higher_holds.finding(),
            Finding {
                contradicted: vec![rate(100.0)],
                ..finding(Some(200.0), None, Limit::To)
            }
        );

        let mut higher_does_not = search(100.0, 200.0);
        play(
            &mut higher_does_not,
            &[
                (100.0, CHANCE),
                (200.0, MISSED),
                (200.0, MISSED),
                (100.0, CHANCE),
            ],
        );
        assert_eq!(higher_does_not.next(), None);
        let nothing = finding(None, Some(100.0), Limit::Limiter);
        assert_eq!(higher_does_not.finding(), nothing);
    }

    #[test]
    fn a_deciding_step_that_was_chance_reopens_the_search() {
        let mut search = search(100.0, 1e4);
        play(
            &mut search,
            &[
                (100.0, Outcome::Held),
                (200.0, MISSED),
                (200.0, MISSED),
                (142.0, Outcome::Held),
                (170.0, Outcome::Held),
                // 200 is settled already.
                (170.0, MISSED),
                (170.0, MISSED),
                // So 142 decides now.
                (142.0, Outcome::Held),
            ],
        );
        assert_eq!(search.next(), None);
        let expected = finding(Some(142.0), Some(170.0), Limit::Limiter);
        assert_eq!(search.finding(), expected);
    }

    #[test]
    fn a_step_that_says_nothing_is_repeated_but_not_for_ever() {
        let mut search = search(100.0, 200.0);
        let mut steps = 0;
        while let Some(step) = search.next() {
            assert_eq!(step.rate, rate(100.0));
            search.add(step.rate, Outcome::Void);
            steps += 1;
        }
        assert_eq!(steps, search.most_steps());
        assert_eq!(search.finding(), finding(None, None, Limit::Unfinished));
    }

    #[test]
    fn a_search_in_progress_says_what_it_knows() {
        let mut search = search(100.0, 1e4);
        assert_eq!(search.finding(), finding(None, None, Limit::Unfinished));
        play(
            &mut search,
            &[(100.0, Outcome::Held), (200.0, Outcome::Held)],
        );
        let expected = finding(Some(200.0), None, Limit::Unfinished);
        assert_eq!(search.finding(), expected);
        play(&mut search, &[(400.0, MISSED)]);
        let expected = finding(Some(200.0), Some(400.0), Limit::Unfinished);
        assert_eq!(search.finding(), expected);
    }
}
