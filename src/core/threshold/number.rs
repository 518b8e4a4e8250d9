//! The numbers of a run by their names: `latency.p99`, `blocked.rate`.

use crate::base::FailureKind;
use std::fmt;

/// A number of a run. It is read and displayed as in a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// The place of the target that it is of, from 0. `None` stands for all.
    pub target: Option<usize>,
    pub quantity: Quantity,
    /// Whether it is about the generator itself, and so is valid even if the schedule was not kept.
    pub is_about_generator: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A statistic of times with this name, such as `latency`.
    Time(&'static str, Statistic),
    Count(Counted),
    /// A share of the requests with this name.
    Share(Counted, &'static str),
    PerSecond(Counted),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    Min,
    Mean,
    Max,
    /// In thousandths of a percent: 99,900 is p99.9.
    Percentile(u32),
}

/// Requests that are counted, such as `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub name: &'static str,
    /// Failures of this kind only.
    pub kind: Option<FailureKind>,
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    Count,
    /// From 0 to 1.
    Share,
    PerSecond,
}

/// Which numbers are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    LowerIsBetter,
    HigherIsBetter,
    /// That depends on the run.
    Neither,
}

impl Number {
    pub fn unit(&self) -> Unit {
        match self.quantity {
            Quantity::Time(..) => Unit::Time,
            Quantity::Count(_) => Unit::Count,
            Quantity::Share(..) => Unit::Share,
            Quantity::PerSecond(_) => Unit::PerSecond,
        }
    }

    pub fn direction(&self) -> Direction {
        let counted = match self.quantity {
            Quantity::Time(..) => return Direction::LowerIsBetter,
            Quantity::Count(counted)
            | Quantity::Share(counted, _)
            | Quantity::PerSecond(counted) => counted,
        };
        match counted.name {
            "sent" | "success" => Direction::HigherIsBetter,
            "dropped" | "unsent" | "failed" | "abandoned" => Direction::LowerIsBetter,
            _ => Direction::Neither,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(place) = self.target {
            write!(f, "target[{}].", place + 1)?;
        }
        match self.quantity {
            Quantity::Time(name, statistic) => write!(f, "{name}.{statistic}"),
            Quantity::Count(counted) => write!(f, "{counted}.count"),
            Quantity::PerSecond(counted) => write!(f, "{counted}.per_second"),
            Quantity::Share(counted, whole) => {
                write!(f, "{counted}.rate")?;
                let usual = match counted.name {
                    "sent" | "dropped" | "unsent" => "scheduled",
                    _ => "sent",
                };
                if whole == usual {
                    Ok(())
                } else {
                    write!(f, " of {whole}")
                }
            }
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}[{}]", self.name, kind.name()),
            None => f.write_str(self.name),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Statistic::Min => f.write_str("min"),
            Statistic::Mean => f.write_str("mean"),
            Statistic::Max => f.write_str("max"),
            Statistic::Percentile(thousandths) => {
                let (whole, decimals) = (thousandths / 1_000, thousandths % 1_000);
                let decimals = format!("{decimals:03}");
                match decimals.trim_end_matches('0') {
                    "" => write!(f, "p{whole:02}"),
                    decimals => write!(f, "p{whole:02}.{decimals}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_displayed_as_it_is_read() {
        for text in [
            "latency.p99",
            "service_time.p99.95",
            "send_lag.max",
            "target[2].latency.mean",
            "failed[timeout].rate",
            "failed.rate of scheduled",
            "blocked.rate of success",
            "sent.per_second",
            "allowed.count",
        ] {
            let number: Number = text.parse().unwrap();
            assert_eq!(number.to_string(), text);
        }
        for (bad, says) in [
            ("audit", "column 1: must be a number"),
            ("rps.achieved", "column 1: must be one of latency"),
            ("latency.p99 x", "column 13: must be the end"),
        ] {
            let wrong = bad.parse::<Number>().unwrap_err().to_string();
            assert!(wrong.starts_with(says), "{wrong}");
        }
    }
}
