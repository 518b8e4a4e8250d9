//! Whether runs differ by more than noise.
//!
//! With one run on each side, the seconds of both are resampled (`resample.rs`). If both runs had the same schedule, the same
//! seconds are drawn from both, so that what the schedule does to both (bursts, a cold start) is no difference between
//! them. That covers the noise within the runs only. With several runs on a side, the numbers of whole runs are compared,
//! so that the interval covers what changes from run to run, too.

mod course;
mod latencies;
mod resample;
mod value;

use crate::base::text::per_second;
use crate::core::summary::Summary;
use crate::core::threshold::{
    Amount, ChangeCondition, Direction, Number, Quantity, Statistic, Unit, Word,
};
use course::Course;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
pub use value::{is_in_summaries, value};

/// A number on both sides, and how sure their difference is.
#[derive(Debug, Clone)]
pub struct Change {
    pub number: Number,
    /// The number of the base and of the new side. `None` if nothing was measured.
    pub base: Option<f64>,
    pub new: Option<f64>,
    /// The error says why there is no interval, and what would give one.
    pub difference: Result<Difference, String>,
}

/// The difference between the sides, as intervals of 99 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// As a share of the base: 0.1 is 10 % more. `None` if a number may be 0.
    pub relative: Option<Interval>,
    /// In the number's unit.
    pub absolute: Interval,
}

/// A measured difference, and the ends of the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub measured: f64,
    pub high: f64,
}

/// What a comparison shows of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Worse,
    Better,
    /// Neither is better.
    Higher,
    Lower,
    /// Noise may explain the difference.
    NotShown,
    Unknown,
}

/// Whether a condition on a change is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    Met,
    NotMet,
    /// These runs do not tell; why, and what would.
    Unknown(String),
}

/// The random numbers are the same in every comparison, so that its result is, too.
const SEED: u64 = 0x10ad_6e4e;

/// A percentile needs so many requests beyond it: the noise of a number that a handful of requests decide is unknown.
const BEYOND: f64 = 10.0;

/// An effect that is this many times as large as the distance to the end of an interval of 99 % is shown in four of five
/// comparisons: (2.576 + 0.842) / 2.576.
const POWER: f64 = 1.33;

/// Percentiles have three digits, and a run's length is not exact, so equal numbers may differ by this share.
const DIGITS: f64 = 0.002;

impl Interval {
    fn map(self, f: impl Fn(f64) -> f64) -> Interval {
        Interval {
            low: f(self.low),
            measured: f(self.measured),
            high: f(self.high),
        }
    }

    fn excludes_zero(self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// The smallest difference, up or down, that would be shown in four of five such comparisons.
    pub fn resolution(self) -> f64 {
        (self.high - self.measured).max(self.measured - self.low) * POWER
    }
}

impl Change {
    /// The difference in the form in which it is shown: relative, but for shares and for numbers that may be 0.
    pub fn shown(&self) -> Option<(Interval, bool)> {
        let difference = self.difference.as_ref().ok()?;
        match difference.relative {
            Some(relative) if self.number.unit() != Unit::Share => Some((relative, true)),
            _ => Some((difference.absolute, false)),
        }
    }

    pub fn mark(&self) -> Mark {
        let Some((shown, _)) = self.shown() else {
            return Mark::Unknown;
        };
        if !shown.excludes_zero() {
            return Mark::NotShown;
        }
        match (self.number.direction(), shown.low > 0.0) {
            (Direction::LowerIsBetter, true) | (Direction::HigherIsBetter, false) => Mark::Worse,
            (Direction::LowerIsBetter, false) | (Direction::HigherIsBetter, true) => Mark::Better,
            (Direction::Neither, true) => Mark::Higher,
            (Direction::Neither, false) => Mark::Lower,
        }
    }

    /// Whether the change meets the condition for certain, or certainly does not.
    fn judge(&self, condition: &ChangeCondition) -> Judged {
        let difference = match &self.difference {
            Ok(difference) => difference,
            Err(why) => return Judged::Unknown(why.clone()),
        };
        let (interval, amount) = match (condition.amount, difference.relative) {
            (None, _) => {
                let met = match (condition.word, self.shown()) {
                    (Word::Higher, Some((shown, _))) => shown.low > 0.0,
                    (Word::Lower, Some((shown, _))) => shown.high < 0.0,
                    (Word::Different, Some((shown, _))) => shown.excludes_zero(),
                    (_, None) => false,
                };
                return if met { Judged::Met } else { Judged::NotMet };
            }
            (Some(Amount::Relative(amount)), Some(relative)) => (relative, amount),
            // A number that may be 0 has no ratio, so the base's share of it is what may be added.
            (Some(Amount::Relative(amount)), None) => {
                if difference.absolute.measured == 0.0 {
                    return Judged::NotMet;
                }
                (difference.absolute, amount * self.base.unwrap_or(0.0))
            }
            (Some(Amount::Absolute(amount)), _) => (difference.absolute, amount),
        };
        let (met, not_met) = match condition.word {
            Word::Higher => (interval.low > amount, interval.high <= amount),
            Word::Lower => (interval.high < -amount, interval.low >= -amount),
            Word::Different => (
                interval.low > amount || interval.high < -amount,
                interval.low >= -amount && interval.high <= amount,
            ),
        };
        if met {
            return Judged::Met;
        }
        if not_met {
            return Judged::NotMet;
        }
        let (half, distance) = match condition.word {
            Word::Lower => (
                interval.measured - interval.low,
                (interval.measured + amount).abs(),
            ),
            _ => (
                interval.high - interval.measured,
                (interval.measured - amount).abs(),
            ),
        };
        let longer = (half / distance).powi(2).ceil();
        let runs = "or several runs on each side (BASE... --to NEW...)";
        Judged::Unknown(if longer <= 100.0 {
            format!("the noise is too large: runs about {longer} times as long would tell, {runs}")
        } else {
            format!("the change is too close to the amount for any run to tell: {runs} may")
        })
    }
}

/// The comparison of a new side with a base, each of one or more runs.
pub struct Comparison<'a> {
    base: Vec<&'a Summary>,
    new: Vec<&'a Summary>,
    courses: Option<[Course<'a>; 2]>,
}

/// The numbers of every comparison. Those of which there was nothing are left out.
const NUMBERS: [&str; 13] = [
    "sent.per_second",
    "allowed.rate",
    "blocked.rate",
    "failed.rate",
    "dropped.rate",
    "latency.mean",
    "latency.p50",
    "latency.p90",
    "latency.p99",
    "latency.p99.9",
    "service_time.p50",
    "service_time.p99",
    "send_lag.p99",
];

impl<'a> Comparison<'a> {
    /// # Panics
    /// If a side has no run.
    pub fn new(base: Vec<&'a Summary>, new: Vec<&'a Summary>) -> Comparison<'a> {
        assert!(!base.is_empty() && !new.is_empty());
        let courses = match (&base[..], &new[..]) {
            ([base], [new]) => Some([Course::of(base), Course::of(new)]),
            _ => None,
        };
        Comparison { base, new, courses }
    }

    /// Whether only one run is on each side, so that the noise from run to run is unknown.
    pub fn is_of_single_runs(&self) -> bool {
        self.courses.is_some()
    }

    /// The changes of the usual numbers, and of those of the conditions.
    pub fn changes(&self, conditions: &[ChangeCondition]) -> Vec<Change> {
        let usual = NUMBERS.iter().map(|name| name.parse().expect("a number"));
        let mut numbers: Vec<Number> = usual.collect();
        for condition in conditions {
            if !numbers.contains(&condition.number) {
                numbers.push(condition.number.clone());
            }
        }
        let changes = numbers.iter().map(|number| self.change(number));
        changes
            .filter(|change| {
                let name = change.number.to_string();
                let of_condition = conditions.iter().any(|of| of.number == change.number);
                let is_there = change.base.is_some() || change.new.is_some();
                let is_known = change.difference.is_ok() || !self.is_of_single_runs();
                let is_zero = change.base == Some(0.0) && change.new == Some(0.0);
                let is_usual = !is_zero || name != "dropped.rate";
                let is_other_share = name.ends_with(".rate") && change.base != change.new;
                let is_shown = is_known || is_other_share || name.starts_with("latency");
                of_condition || is_there && is_usual && is_shown
            })
            .collect()
    }

    pub fn change(&self, number: &Number) -> Change {
        let side = |runs: &[&Summary]| -> Option<Vec<f64>> {
            runs.iter().map(|run| value(run, number)).collect()
        };
        let (base, new) = (side(&self.base), side(&self.new));
        let difference = match (&base, &new, &self.courses) {
            (None, _, _) | (_, None, _) => Err("nothing was measured".to_owned()),
            (Some(base), Some(new), Some(courses)) => resampled(number, courses, base[0], new[0]),
            (Some(base), Some(new), None) => Ok(by_runs(number, base, new)),
        };
        Change {
            number: number.clone(),
            base: base.as_deref().map(center),
            new: new.as_deref().map(center),
            difference,
        }
    }

    /// Whether a condition is met. What the runs have beside the number may leave that open, even if the number looks good.
    pub fn judge(&self, condition: &ChangeCondition) -> Judged {
        if let Some(why) = self.other_traffic() {
            return Judged::Unknown(format!("{why}; two runs with the same traffic would tell"));
        }
        let number = &condition.number;
        let mut runs = self.base.iter().chain(&self.new);
        if !number.is_about_generator && runs.any(|run| !run.schedule.kept) {
            let why = "the generator did not keep its schedule in one of the runs; a run that does would tell";
            return Judged::Unknown(why.to_owned());
        }
        let judged = self.change(number).judge(condition);
        let is_time = matches!(number.quantity, Quantity::Time(..));
        if judged == Judged::NotMet && is_time && condition.word == Word::Higher {
            let answered: Number = "success.rate of scheduled".parse().expect("a number");
            if self.change(&answered).mark() == Mark::Worse {
                let why = "fewer of the new side's requests were answered, and only these have a time; \
                           a condition on failed.rate would tell";
                return Judged::Unknown(why.to_owned());
            }
        }
        judged
    }

    /// Whether the sides were asked for different traffic, in a sentence.
    pub fn other_traffic(&self) -> Option<String> {
        let mean = |run: &Summary| {
            let slots = &run.timeline.slots;
            let asked: f64 = slots.iter().map(|slot| slot.asked).sum();
            let of_slots = asked * run.timeline.slot_ns as f64 / run.run.paced_ns as f64;
            let is_known = !slots.is_empty() && run.run.paced_ns > 0;
            run.run.asked_per_s.or(is_known.then_some(of_slots))
        };
        let first = self.base[0];
        if self
            .base
            .iter()
            .chain(&self.new)
            .any(|run| mean(run).is_none())
        {
            let why = "the runs may have had different traffic, because the scheduled rate of one is unknown";
            return Some(why.to_owned());
        }
        let mean = |run: &Summary| mean(run).unwrap_or_default();
        let differs = |run: &&&Summary| {
            let (one, other) = (mean(first), mean(run));
            // A run of n requests may end before or after the next one.
            let fewest = first.schedule.scheduled.min(run.schedule.scheduled);
            let tolerated = 0.02 + 2.0 / fewest.max(1) as f64;
            (one - other).abs() > tolerated * one.max(other)
        };
        let mut others = self.base.iter().chain(&self.new);
        let other = others.find(differs)?;
        let [one, other] = [mean(first), mean(other)].map(per_second);
        Some(format!(
            "the runs had different traffic: {one} and {other} on average"
        ))
    }
}

/// The middle of a side: the geometric mean, or the mean if a number is 0.
fn center(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if values.iter().all(|value| *value > 0.0) {
        (values.iter().map(|value| value.ln()).sum::<f64>() / count).exp()
    } else {
        values.iter().sum::<f64>() / count
    }
}

/// The difference between two sides of whole runs, by Student's t for two samples. Under the assumption that a change is
/// tested against, that both sides are the same, they scatter alike.
fn by_runs(number: &Number, base: &[f64], new: &[f64]) -> Difference {
    let of = |f: fn(f64) -> f64, floor: f64| {
        let [base, new] = [base, new].map(|side| side.iter().map(|value| f(*value)).collect());
        students(base, new, floor)
    };
    let are_positive = base.iter().chain(new).all(|value| *value > 0.0);
    let digits = match number.unit() {
        Unit::Time | Unit::PerSecond => DIGITS,
        _ => 0.0,
    };
    Difference {
        relative: are_positive.then(|| of(f64::ln, digits).map(f64::exp_m1)),
        absolute: of(|value| value, digits * center(base)),
    }
}

fn students(base: Vec<f64>, new: Vec<f64>, floor: f64) -> Interval {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (middle, other) = (mean(&base), mean(&new));
    let squares = |values: &[f64], mean: f64| -> f64 {
        values.iter().map(|value| (value - mean).powi(2)).sum()
    };
    let degrees = base.len() + new.len() - 2;
    let variance = (squares(&base, middle) + squares(&new, other)) / degrees as f64;
    let error = (variance * (1.0 / base.len() as f64 + 1.0 / new.len() as f64)).sqrt();
    let half = resample::student(degrees) * error + floor;
    let measured = other - middle;
    Interval {
        low: measured - half,
        measured,
        high: measured + half,
    }
}

/// The difference between two runs, by resampling their seconds.
fn resampled(
    number: &Number,
    courses: &[Course; 2],
    base: f64,
    new: f64,
) -> Result<Difference, String> {
    const RUNS: &str = "several runs on each side (BASE... --to NEW...) would tell";
    let seconds = courses[0].len().min(courses[1].len());
    if seconds < resample::FEWEST {
        return Err(format!(
            "a run of {seconds} s is too short: {} s or more would tell",
            resample::FEWEST
        ));
    }
    let share = match number.quantity {
        Quantity::Time("latency", Statistic::Percentile(thousandths)) => {
            Some(f64::from(thousandths) / 1e5)
        }
        _ => None,
    };
    let ones = courses.each_ref().map(|course| vec![1.0; course.len()]);
    let mut sides = Vec::new();
    for (course, ones) in courses.iter().zip(&ones) {
        let at = share.and_then(|share| course.latencies().quantile(share, ones));
        let parts = course.parts(number, at.unwrap_or_default());
        let parts = parts.ok_or_else(|| format!("one run on each side does not tell; {RUNS}"))?;
        let under: f64 = parts.under.iter().sum();
        if let Some(share) = share {
            let least = share.min(1.0 - share);
            if under * least < BEYOND {
                let needed = BEYOND / least;
                return Err(format!(
                    "{under} requests are too few: {needed:.0} or more in each run would tell"
                ));
            }
        }
        sides.push(parts);
    }
    let influence = sides.iter().map(|parts| {
        let (over, under): (f64, f64) = (parts.over.iter().sum(), parts.under.iter().sum());
        let pairs = parts.over.iter().zip(&parts.under);
        let influence = pairs.map(|(part, whole)| (part - whole * over / under) / over.max(1.0));
        influence.collect::<Vec<_>>()
    });
    let influence: Vec<_> = influence.collect();
    let are_paired = are_paired(&courses[0], &courses[1]);
    let block = if are_paired {
        let pairs = influence[1].iter().zip(&influence[0]);
        let differences: Vec<_> = pairs.map(|(new, base)| new - base).collect();
        resample::block_length(&differences)
    } else {
        let lengths = influence.iter().map(|side| resample::block_length(side));
        lengths.max().unwrap_or(1).min(seconds / 4).max(1)
    };
    let statistic = |side: usize, times: &[f64]| -> Option<f64> {
        if let Some(share) = share {
            return courses[side].latencies().quantile(share, times);
        }
        let sum = |values: &[f64]| -> f64 { values.iter().zip(times).map(|(a, b)| a * b).sum() };
        let under = sum(&sides[side].under);
        (under > 0.0).then(|| sum(&sides[side].over) / under)
    };
    // The numbers of the whole runs are exact, and those of resamples are from coarse data, so the ratio of both is used.
    let scale = |side: usize, exact: f64| {
        let coarse = statistic(side, &ones[side]).unwrap_or(0.0);
        if coarse > 0.0 { exact / coarse } else { 0.0 }
    };
    let scales = [scale(0, base), scale(1, new)];
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut below = |most: usize| (random.next_u64() % most as u64) as usize;
    let (mut ratios, mut differences) = (Vec::new(), Vec::new());
    let (mut times, mut others) = (Vec::new(), Vec::new());
    for _ in 0..resample::RESAMPLES {
        resample::draw(courses[0].len(), block, &mut below, &mut times);
        if are_paired {
            others.clone_from(&times);
        } else {
            resample::draw(courses[1].len(), block, &mut below, &mut others);
        }
        let drawn = statistic(0, &times).zip(statistic(1, &others));
        let Some((one, other)) = drawn else {
            continue;
        };
        let (one, other) = (one * scales[0], other * scales[1]);
        differences.push((other - one) - (new - base));
        if one > 0.0 && other > 0.0 && base > 0.0 && new > 0.0 {
            ratios.push((other / one).ln() - (new / base).ln());
        }
    }
    if differences.is_empty() {
        return Err("nothing was measured".to_owned());
    }
    let wider = resample::widening(seconds, block);
    let interval = |deviations: &mut [f64], measured: f64, floor: f64| {
        let (low, high) = resample::middle(deviations);
        Interval {
            low: measured + wider * low - floor,
            measured,
            high: measured + wider * high + floor,
        }
    };
    let digits = match number.unit() {
        Unit::Time | Unit::PerSecond => DIGITS,
        _ => 0.0,
    };
    let is_always_positive = ratios.len() == differences.len();
    let relative = is_always_positive
        .then(|| interval(&mut ratios, (new / base).ln(), digits).map(f64::exp_m1));
    let mut absolute = interval(&mut differences, new - base, digits * base);
    if let Quantity::Share(..) = number.quantity {
        // Of n requests none was counted: up to 4.6 of n may be expected all the same, by 99 % (Hanley and
        // Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983).
        let unseen = |side: usize| 4.6 / sides[side].under.iter().sum::<f64>().max(1.0);
        if base == 0.0 {
            absolute.low -= unseen(0);
        }
        if new == 0.0 {
            absolute.high += unseen(1);
        }
    }
    Ok(Difference { relative, absolute })
}

/// Whether the seconds of two runs had the same schedule.
fn are_paired(base: &Course, new: &Course) -> bool {
    let is_same = |(one, other): (f64, f64)| (one - other).abs() <= 0.01 * one.max(other);
    base.len() == new.len()
        && base.slot_ns() == new.slot_ns()
        // The last second may have been cut.
        && base.asked().zip(new.asked()).take(base.len() - 1).all(is_same)
}
