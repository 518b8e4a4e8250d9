use super::mark::Mark;
use crate::base::text::per_second;
use std::ops::Range;

/// A range of values with its scale and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    pub ticks: Vec<Tick>,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// A marked value.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub label: String,
    /// The label is also shown on a narrow screen.
    pub always: bool,
}

/// The most steps below a wide chart.
const ACROSS: f64 = 9.0;
/// The most steps beside a chart.
const UPWARDS: f64 = 5.0;
/// The most labels below a chart on a narrow screen.
const NARROW: usize = 5;

/// The round numbers of each decade.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// Products of floating-point numbers may be off by less than this factor.
const SLACK: f64 = 1.0 + 1e-9;

/// A span in nanoseconds that exceeds every `u64`.
const LONGEST: f64 = 1e20;

const MICRO: f64 = 1e3;
const MILLI: f64 = 1e6;
const SECOND: f64 = 1e9;

impl Axis {
    /// Time since the schedule's start, in seconds.
    pub fn time(end: f64) -> Axis {
        const UNITS: [(f64, &str); 4] = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s")];
        let end = if end > 0.0 { end } else { 1.0 };
        let step = time_step(end / ACROSS);
        let (unit, name) = UNITS
            .into_iter()
            .find(|(unit, _)| step >= *unit && step % unit == 0.0)
            .unwrap_or((1.0, "s"));
        let count = (end / step + 1e-9).floor() as usize;
        let values = (0..=count).map(|number| number as f64 * step);
        let label = |at: f64| match at {
            0.0 => "0s".to_owned(),
            at => format!("{}{name}", trimmed(at / unit)),
        };
        Axis::new(Scale::Linear, 0.0..end, values, label)
    }

    /// Rates per second, from 0 to at least `most`.
    pub fn rate(most: f64) -> Axis {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_up(most / UPWARDS);
        let steps = (most / step - 1e-9).ceil().max(1.0);
        let values = (0..=steps as usize).map(|number| number as f64 * step);
        Axis::new(Scale::Linear, 0.0..steps * step, values, per_second)
    }

    /// Rates per second on a logarithmic scale, with some room on both sides. A rate of 0 is drawn at its beginning.
    pub fn rates(lowest: f64, highest: f64) -> Axis {
        const ROOM: f64 = 1.08;
        let from = lowest.clamp(1e-6, LONGEST) / ROOM;
        let to = highest.clamp(from * ROOM, LONGEST) * ROOM;
        let decades = (to / from).log10();
        let steps = if decades > 3.5 { &STEPS[..1] } else { &STEPS };
        let (first, last) = (from.log10().floor() as i32, to.log10().ceil() as i32);
        let values = (first..=last)
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|at| *at * SLACK >= from && *at <= to * SLACK);
        let mut values: Vec<_> = values.map(trimmed).collect();
        if values.is_empty() {
            values.push(lowest);
        }
        Axis::new(Scale::Logarithmic, from..to, values.into_iter(), |at| {
            format!("{at}/s")
        })
    }

    /// Shares of a whole, from 0 to 1.
    pub fn whole() -> Axis {
        let values = (0..=4).map(|quarter| f64::from(quarter) / 4.0);
        Axis::new(Scale::Linear, 0.0..1.0, values, |at| {
            format!("{} %", at * 100.0)
        })
    }

    /// Whole numbers, from 0 to at least `most`.
    pub fn counts(most: f64) -> Axis {
        let step = round_up((most / UPWARDS).max(1.0));
        let steps = (most / step - 1e-9).ceil().max(1.0);
        let values = (0..=steps as usize).map(|number| number as f64 * step);
        Axis::new(Scale::Linear, 0.0..steps * step, values, |at| {
            at.to_string()
        })
    }

    /// A lane of height 1 for each name, the first one at the top.
    pub fn lanes(names: impl ExactSizeIterator<Item = String>) -> Axis {
        let count = names.len();
        let tick = |(place, label)| Tick {
            at: (count - place) as f64 - 0.5,
            label,
            always: true,
        };
        Axis {
            scale: Scale::Linear,
            from: 0.0,
            to: count.max(1) as f64,
            ticks: names.enumerate().map(tick).collect(),
            marks: Vec::new(),
        }
    }

    /// Spans in nanoseconds on a logarithmic scale, which begins and ends at a marked value. A span of 0 is drawn at its
    /// beginning.
    pub fn spans(shortest: f64, longest: f64) -> Axis {
        let from = round_down(shortest.clamp(1.0, LONGEST));
        let to = round_up(longest.clamp(from * 1.6, LONGEST * 1.6));
        Axis::spans_between(from, to)
    }

    /// Spans in nanoseconds on a logarithmic scale, which begins and ends at exactly these.
    pub fn spans_between(from: f64, to: f64) -> Axis {
        let from = from.clamp(1.0, LONGEST);
        let to = to.clamp(from * 1.5, 2.0 * LONGEST);
        let decades = (to / from).log10();
        let every = if decades > 6.0 { 2 } else { 1 };
        let steps = if decades > 2.2 { &STEPS[..1] } else { &STEPS };
        let (first, last) = (from.log10().floor() as i32, to.log10().ceil() as i32);
        let values = (first..=last)
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|at| *at * SLACK >= from && *at <= to * SLACK);
        Axis::new(Scale::Logarithmic, from..to, values, span_label)
    }

    /// Shares of all requests, on which each further nine takes as much room as the one before. It ends at the highest
    /// percentile that so many requests have, from 90 % to 99.999 %. Values come from [`from_share`].
    pub fn shares(count: u64) -> Axis {
        let end = last_share(count);
        let marked = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
        let marked = marked.into_iter().map(from_share);
        let mut axis = Axis::new(
            Scale::Logarithmic,
            1.0..end,
            marked.filter(|at| *at <= end * SLACK),
            |at| {
                let share = (1.0 - 1.0 / at) * 100.0;
                format!("{} %", trimmed((share * 1e6).round() / 1e6))
            },
        );
        for tick in &mut axis.ticks {
            tick.always = [0.0, 0.9, 0.99, 0.999, 0.99999]
                .iter()
                .any(|share| (from_share(*share) / tick.at - 1.0).abs() < 1e-6);
        }
        axis
    }

    fn new(
        scale: Scale,
        range: Range<f64>,
        values: impl Iterator<Item = f64>,
        label: impl Fn(f64) -> String,
    ) -> Axis {
        let values: Vec<_> = values.collect();
        let each = values.len().div_ceil(NARROW).max(1);
        let tick = |(number, at): (usize, &f64)| Tick {
            at: *at,
            label: label(*at),
            always: number % each == 0,
        };
        Axis {
            scale,
            from: range.start,
            to: range.end,
            ticks: values.iter().enumerate().map(tick).collect(),
            marks: Vec::new(),
        }
    }

    /// The axis with these marks, but for those beyond its end.
    pub fn marked(mut self, marks: &[Mark]) -> Axis {
        let within = |mark: &&Mark| (self.from..=self.to).contains(&mark.at);
        self.marks = marks.iter().filter(within).cloned().collect();
        self
    }

    /// The place of a value on the axis, from 0 to 1. Values beyond an end are placed at that end.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => {
                (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
            }
        };
        place.clamp(0.0, 1.0)
    }

    pub fn end(&self) -> f64 {
        self.to
    }

    pub fn start(&self) -> f64 {
        self.from
    }
}

/// The value of a share on the axis of [`Axis::shares`]: 10 for 90 %, 100 for 99 %.
pub fn from_share(share: f64) -> f64 {
    1.0 / (1.0 - share.min(0.999_999_9))
}

/// The end of the axis of [`Axis::shares`] for so many requests: 100, which is 99 %, for 100 to 999.
pub fn last_share(count: u64) -> f64 {
    let known = [1e2, 1e3, 1e4, 1e5];
    known
        .into_iter()
        .rfind(|least| *least <= count as f64)
        .unwrap_or(10.0)
}

/// The highest of 1, 2 or 5 times a power of ten that is no more.
fn round_down(most: f64) -> f64 {
    let decade = 10f64.powf(most.log10().floor());
    let fits = |step: &f64| step * decade <= most * SLACK;
    STEPS
        .into_iter()
        .rfind(fits)
        .map_or(decade / 2.0, |step| step * decade)
}

/// The lowest of 1, 2 or 5 times a power of ten that is no less.
fn round_up(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    let fits = |step: &f64| step * decade * SLACK >= least;
    STEPS.into_iter().find(fits).unwrap_or(10.0) * decade
}

/// The lowest step of a clock, in seconds, that is no less.
fn time_step(least: f64) -> f64 {
    const CLOCK: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0,
        7_200.0, 10_800.0, 21_600.0, 43_200.0,
    ];
    const DAY: f64 = 86_400.0;
    match least {
        short if short <= 0.5 => round_up(short),
        long if long > CLOCK[16] => round_up(long / DAY).max(1.0) * DAY,
        _ => CLOCK.into_iter().find(|step| *step >= least).unwrap_or(DAY),
    }
}

/// The label of a round span, such as `20 ms`.
fn span_label(nanos: f64) -> String {
    let (value, unit) = match nanos * (1.0 + 1e-9) {
        s if s >= SECOND => (nanos / SECOND, "s"),
        ms if ms >= MILLI => (nanos / MILLI, "ms"),
        us if us >= MICRO => (nanos / MICRO, "µs"),
        _ => (nanos, "ns"),
    };
    format!("{} {unit}", trimmed(value))
}

/// The value without the rounding errors of floating-point products.
fn trimmed(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn time_is_marked_as_a_clock_is_divided() {
        for (end, expected) in [
            (0.0, vec!["0s", "0.2s", "0.4s", "0.6s", "0.8s", "1s"]),
            (61.0, vec!["0s", "10s", "20s", "30s", "40s", "50s", "60s"]),
            (600.0, vec!["0s", "2m", "4m", "6m", "8m", "10m"]),
            (72_000.0, vec!["0s", "3h", "6h", "9h", "12h", "15h", "18h"]),
            (864_000.0, vec!["0s", "2d", "4d", "6d", "8d", "10d"]),
        ] {
            assert_eq!(labels(&Axis::time(end)), expected);
        }
    }

    #[test]
    fn rates_begin_at_zero_and_end_above_the_highest() {
        for (most, expected) in [
            (
                0.0,
                vec!["0/s", "0.200/s", "0.400/s", "0.600/s", "0.800/s", "1/s"],
            ),
            (50.0, vec!["0/s", "10/s", "20/s", "30/s", "40/s", "50/s"]),
            (51.0, vec!["0/s", "20/s", "40/s", "60/s"]),
        ] {
            assert_eq!(labels(&Axis::rate(most)), expected);
        }
    }

    #[test]
    fn rates_on_a_logarithmic_scale_are_marked_at_round_ones() {
        for (lowest, highest, expected) in [
            (
                100.0,
                6_400.0,
                vec!["100/s", "200/s", "500/s", "1000/s", "2000/s", "5000/s"],
            ),
            (100.0, 100.0, vec!["100/s"]),
            (0.5, 3.0, vec!["0.5/s", "1/s", "2/s"]),
            (130.0, 140.0, vec!["130/s"]),
            (
                1.0,
                50_000.0,
                vec!["1/s", "10/s", "100/s", "1000/s", "10000/s"],
            ),
        ] {
            let axis = Axis::rates(lowest, highest);
            assert_eq!(labels(&axis), expected, "{lowest} to {highest}");
            assert!(axis.place(lowest) > 0.0 && axis.place(highest) < 1.0);
        }
        let expected = ["0 %", "25 %", "50 %", "75 %", "100 %"];
        assert_eq!(labels(&Axis::whole()), expected);
    }

    #[test]
    fn spans_are_marked_in_decades_or_finer_where_there_are_few() {
        for (shortest, longest, expected) in [
            (
                120e3,
                9e9,
                vec!["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"],
            ),
            (300e3, 900e3, vec!["200 µs", "500 µs", "1 ms"]),
            (1e6, 1e6, vec!["1 ms", "2 ms"]),
            (0.0, 0.0, vec!["1 ns", "2 ns"]),
        ] {
            assert_eq!(labels(&Axis::spans(shortest, longest)), expected);
        }
    }

    #[test]
    fn each_further_nine_has_as_much_room() {
        let axis = Axis::shares(100_000);
        let expected = [
            "0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %",
        ];
        assert_eq!(labels(&axis), expected);
        for (share, place) in [
            (0.0, 0.0),
            (0.9, 0.2),
            (0.99, 0.4),
            (0.99999, 1.0),
            (1.0, 1.0),
        ] {
            assert!((axis.place(from_share(share)) - place).abs() < 1e-9);
        }
        assert_eq!(labels(&Axis::shares(999)), ["0 %", "50 %", "90 %", "99 %"]);
        assert_eq!(labels(&Axis::shares(1)), ["0 %", "50 %", "90 %"]);
    }

    proptest! {
        #[test]
        fn any_values_have_few_ticks_within_the_axis(
            a in prop_oneof![0.0..1e3, 0.0..1e19, Just(f64::MAX), Just(0.0), Just(f64::MIN_POSITIVE)], b in 0.0..1e19
        ) {
            for axis in [Axis::time(a), Axis::rate(a), Axis::spans(a.min(b), a.max(b))] {
                prop_assert!((1..=12).contains(&axis.ticks.len()), "{axis:?}");
                prop_assert!(axis.ticks.iter().filter(|tick| tick.always).count() <= NARROW);
                for tick in &axis.ticks {
                    let within = axis.from * (1.0 - 1e-6)..=axis.to * (1.0 + 1e-6);
                    prop_assert!(within.contains(&tick.at), "{axis:?}");
                }
                prop_assert!((0.0..=1.0).contains(&axis.place(a)));
            }
        }
    }
}
