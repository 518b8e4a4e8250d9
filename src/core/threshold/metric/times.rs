//! The metrics that measure time: `latency.p99 < 50ms`.

use super::family::{Claim, Family, Metric};
use crate::base::Nanos;
use crate::base::text::{Cursor, Lexeme, SyntaxError, span};
use crate::core::stats::effects::Effect;
use crate::core::stats::{Histogram, Tally, TargetTally};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::exceptions::Exceptions;
use crate::core::threshold::measurements::{Ahead, Ended};
use crate::core::threshold::number::{self, Number, Quantity};
use crate::core::threshold::percentile::Percentile;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::values;
use crate::core::threshold::view::{Part, PhaseNumbers, View};
use std::sync::Arc;

/// A kind of times.
#[derive(Debug)]
pub(super) struct Timed {
    name: &'static str,
    is_about_generator: bool,
    of_run: fn(&Tally) -> &Histogram,
    /// `None` if they are not known by target.
    of_target: Option<fn(&TargetTally) -> &Histogram>,
    /// `None` if they are not known by event.
    of_event: Option<fn(&Effect) -> &Histogram>,
    /// `None` if they are not known by phase.
    of_phase: Option<fn(&PhaseNumbers) -> &Histogram>,
    /// The requests that ended without such a time. `None` if requests have no such times, so that any number of times
    /// may still come.
    without: Option<fn(&Ended) -> u64>,
}

/// A new kind of times is one row.
pub(super) const ALL: [Timed; 6] = [
    Timed {
        name: "latency",
        is_about_generator: false,
        of_run: |tally| &tally.latency,
        of_target: Some(|tally| &tally.latency),
        of_event: Some(|effect| &effect.latency),
        of_phase: Some(|phase| &phase.latency),
        without: Some(Ended::unanswered),
    },
    Timed {
        name: "service_time",
        is_about_generator: false,
        of_run: |tally| &tally.service_time,
        of_target: Some(|tally| &tally.service_time),
        of_event: None,
        of_phase: Some(|phase| &phase.service_time),
        without: Some(Ended::unanswered),
    },
    Timed {
        name: "send_lag",
        is_about_generator: true,
        of_run: |tally| &tally.send_lag,
        of_target: None,
        of_event: None,
        of_phase: None,
        without: Some(Ended::not_sent),
    },
    Timed {
        name: "connect",
        is_about_generator: false,
        of_run: |tally| &tally.connect,
        of_target: None,
        of_event: None,
        of_phase: None,
        without: Some(Ended::not_sent),
    },
    Timed {
        name: "tls",
        is_about_generator: false,
        of_run: |tally| &tally.tls,
        of_target: None,
        of_event: None,
        of_phase: None,
        without: Some(Ended::not_sent),
    },
    Timed {
        name: "lookup",
        is_about_generator: false,
        of_run: |tally| &tally.lookup,
        of_target: None,
        of_event: None,
        of_phase: None,
        without: None,
    },
];

/// A statistic of many times.
#[derive(Debug, Clone, Copy)]
enum Statistic {
    Min,
    Mean,
    Max,
    Percentile(Percentile),
}

const STATISTICS: [(&str, Statistic); 3] = [
    ("min", Statistic::Min),
    ("mean", Statistic::Mean),
    ("max", Statistic::Max),
];

/// A statistic of the times of a run, or of a part of it.
#[derive(Debug)]
struct Time {
    timed: &'static Timed,
    statistic: Statistic,
}

impl Family for Timed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of(&self, scope: &Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Target(_) => self.of_target.is_some(),
            Scope::Event(_) => self.of_event.is_some(),
            Scope::Phase(_) => self.of_phase.is_some(),
        }
    }

    fn read(&'static self, _: &Scope, cursor: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
        cursor.symbol(".", self.name)?;
        Ok(Box::new(Time {
            timed: self,
            statistic: Statistic::read(cursor)?,
        }))
    }
}

impl Metric for Time {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::time)?;
        Ok((Arc::new(*self), test))
    }

    fn number(&self) -> Option<Number> {
        let statistic = match self.statistic {
            Statistic::Min => number::Statistic::Min,
            Statistic::Mean => number::Statistic::Mean,
            Statistic::Max => number::Statistic::Max,
            Statistic::Percentile(percentile) => {
                number::Statistic::Percentile(percentile.thousandths())
            }
        };
        Some(Number {
            target: None,
            quantity: Quantity::Time(self.timed.name, statistic),
            is_about_generator: self.timed.is_about_generator,
        })
    }

    fn is_about_generator(&self) -> bool {
        self.timed.is_about_generator
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        let times = self.times(view);
        let more = match (self.timed.without, ahead) {
            (_, Ahead::Nothing) => 0,
            (None, Ahead::RestOf(_)) => u64::MAX - times.count(),
            (Some(without), Ahead::RestOf(_)) => {
                // A request has at most one such time, and one that has it is not among those without.
                let without = without(&view.ended());
                view.ahead(ahead, times.count() + without)
            }
        };
        self.statistic.range(times, more)
    }

    /// The times over the bound of a percentile.
    fn exceptions(&self, view: &View, test: &Test) -> Option<Exceptions> {
        let Statistic::Percentile(percentile) = self.statistic else {
            return None;
        };
        if !test.is_upper_bound() {
            return None;
        }
        let times = self.times(view);
        let passes = |time: Nanos| test.is_met_within(Range::exactly(time.into()));
        let over = times.recorded().filter(|(time, _)| !passes(*time));
        Some(Exceptions {
            count: over.map(|(_, count)| count).sum(),
            of: times.count(),
            allowed: 1.0 - f64::from(percentile.thousandths()) / 100_000.0,
        })
    }

    /// With three digits, or with all of them if three hide on which side of a compared time the number is. If some
    /// requests failed, this says of how many the time is.
    fn display(&self, number: Ratio, view: &View, test: &Test) -> String {
        let time = number.as_nanos();
        let short = span(time);
        let hides = |other: Ratio| other != number && span(other.as_nanos()) == short;
        let text = match test.values().any(hides) {
            true => time.to_string(),
            false => short,
        };
        let ended = view.ended();
        if self.timed.is_about_generator || self.timed.of_target.is_none() || ended.failed() == 0 {
            return text;
        }
        let answered = self.times(view).count();
        format!("{text}, of {answered} answered of {} sent", ended.sent())
    }
}

impl Time {
    fn times<'a>(&self, view: &'a View) -> &'a Histogram {
        let Timed {
            of_run,
            of_target,
            of_event,
            of_phase,
            ..
        } = self.timed;
        let tally = view.whole.tally;
        match (&view.part, of_target, of_event, of_phase) {
            (Part::Target(place), Some(of_target), ..) => of_target(&tally.targets[*place]),
            (Part::Event(_, effect), _, Some(of_event), _) => of_event(effect),
            (Part::Phase(numbers), .., Some(of_phase)) => of_phase(numbers),
            _ => of_run(tally),
        }
    }
}

impl Statistic {
    fn read(cursor: &mut Cursor) -> Result<Statistic, SyntaxError> {
        let name = cursor.take(peek_statistic(cursor));
        if let Some((_, statistic)) = STATISTICS.iter().find(|(known, _)| *known == name.text) {
            return Ok(*statistic);
        }
        let percentile = Percentile::parse(name.text).map(Statistic::Percentile);
        percentile.ok_or_else(|| unknown_statistic(name))
    }

    /// The range of the number if `more` times may still come. `None` if there is no time and none will come.
    fn range(self, times: &Histogram, more: u64) -> Option<Range> {
        let count = times.count();
        if count == 0 {
            return (more > 0).then(Range::anything);
        }
        let is_final = more == 0;
        let all = count + more;
        Some(match self {
            Statistic::Min => Range {
                least: if is_final { times.min() } else { Nanos::ZERO }.into(),
                most: Some(times.min().into()),
            },
            Statistic::Max => Range {
                least: times.max().into(),
                most: is_final.then(|| times.max().into()),
            },
            Statistic::Mean => {
                let least = Ratio::of(times.sum(), all.into())?;
                let most = is_final.then_some(least);
                Range { least, most }
            }
            Statistic::Percentile(percentile) => {
                let rank = percentile.rank(all);
                let least = match rank.saturating_sub(more) {
                    0 => Nanos::ZERO,
                    rank => times.at_rank(rank),
                };
                Range {
                    least: least.into(),
                    most: (rank <= count).then(|| times.at_rank(rank).into()),
                }
            }
        })
    }
}

/// A word, with the decimals of a percentile.
fn peek_statistic<'a>(cursor: &Cursor<'a>) -> Lexeme<'a> {
    let percentile = cursor.peek(|c| c.is_alphanumeric() || c == '_' || c == '.');
    let digits = percentile.text.strip_prefix('p').unwrap_or_default();
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return percentile;
    }
    cursor.peek_word()
}

fn unknown_statistic(name: Lexeme) -> SyntaxError {
    const FORM: &str =
        "must be min, mean, max, or a percentile of two digits such as p50, p99 or p99.9";
    match meant_percentile(name.text) {
        Some(meant) => name.error(format!("{FORM}; did you mean {meant}?")),
        None => name.error_with_hint(FORM, &STATISTICS.map(|(known, _)| known)),
    }
}

/// The name here of what other tools call `p9`, `p999` or `p100`.
fn meant_percentile(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['p', 'P']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let meant = match digits.len() {
        _ if digits == "100" => return Some("max".to_owned()),
        1 => format!("p{digits}0"),
        2 => format!("p{digits}"),
        3..=5 => format!("p{}.{}", &digits[..2], &digits[2..]),
        _ => return None,
    };
    Percentile::parse(&meant).map(|_| meant)
}
