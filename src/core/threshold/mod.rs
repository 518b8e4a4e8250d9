//! Thresholds on the numbers of a run: `latency.p99 < 50ms`.
//!
//! # The grammar
//!
//! ```text
//! threshold  = [ scope "." ] ( time | count ) | verdict | "schedule = kept" | of an event
//! verdict    = "audit = kept" | "audit = broken" | "audit != broken"
//! scope      = "target[" N "]" | event | "phase[" NAME "]"
//! of an event = event ".recovery" test of times | event ".admitted_beyond" test of whole numbers
//! event      = "event[" NAME "]"
//! time       = TIMES "." ( "min" | "mean" | "max" | PERCENTILE ) test of times
//! count      = COUNTED ".count" test of whole numbers
//!            | COUNTED ".rate" test of percentages [ "of" COUNTED ]
//!            | COUNTED ".per_second" test of rates
//! test of X  = ( "<" | "<=" | ">" | ">=" | "=" | "!=" ) X | "between" X "and" X
//! TIMES      = "latency" | "service_time" | "send_lag" | "connect" | "tls" | "lookup"
//! COUNTED    = "scheduled" | "sent" | "dropped" | "unsent" | "allowed" | "blocked" | "success" | "failed"
//!            | "failed[" KIND "]" | "failing_open" | "abandoned"
//! PERCENTILE = "p" and two digits, with up to three decimals: p50, p99.9
//! ```
//!
//! Blanks are free between words and signs. `between` includes both ends. Targets are numbered from 1, in the order in
//! which they were given. A rate is a share: by default of the scheduled requests for `sent`, `dropped` and `unsent`,
//! and of the sent ones for the others. `of` names another whole that contains the part. `per_second` is over the time
//! in which the schedule was followed, up to a stop.
//!
//! # Events and phases
//!
//! A name in brackets may have blanks, digits and points; `]` ends it, unless it is a string in quotes, as in JSON.
//! `event[redis goes]` is about the requests while this event lasted, and `event[undo of redis goes]` about those after its
//! undo. If several marks have the name, each of them has to pass. `phase[burst 50/s]` is about the requests that were due in
//! the phases of this name, and `phase[burst]` about those of all phases of this mode. Both are known when the run is over.
//! Of an event, only requests that were sent are counted, and of their times only the latency. An event that did not begin,
//! or while which no request was sent, has measured nothing. If its command failed, the event may not have happened, so no
//! threshold on it is met.
//!
//! The recovery is the time after which answers were right again, as [`effects`](crate::core::stats::effects) defines it.
//! Answers that were never right again miss every threshold, unless the run ended before that is known: sooner than a second
//! after the time that is compared with. `admitted_beyond` is the number of admissions that are proved to be too many.
//! Without any, nothing was measured if keys were not asked beyond their limits.
//!
//! # The numbers
//!
//! Percentiles are those of [`Histogram`](crate::core::stats::Histogram): nearest rank, with three significant digits.
//! Percentiles, counts, shares and rates are compared exactly, in whole numbers. A mean is the mean of times with three
//! digits.
//!
//! # Numbers that may still change
//!
//! While a run goes on, each number is known to end up in a range. Let k be the requests of a schedule of T that have
//! not come to an end yet. Each of them may still end in any way, at any speed, or never come. A request that has come
//! to an end keeps it. With n requests that have the measured time:
//!
//! | number | least | most |
//! | --- | --- | --- |
//! | x.count | x | x + k |
//! | x.rate of y | x / (y + k) | (x + k) / (y + k) |
//! | x.per_second | x / the schedule's length | (x + k) / the time until now |
//! | min | 0 | the least so far |
//! | max | the most so far | – |
//! | mean | the sum so far / (n + k) | – |
//! | a percentile, the time at rank r of n + k | the time at rank r − k of now | the time at rank r of now, if there is
//! one |
//!
//! A range never grows, and at the end of the run, with k = 0, it is the number. A threshold that no number in the
//! range meets can no longer be met. If the schedule has no end, T is the number of all possible requests. Lookups are
//! not requests, so any number of them may still come. `audit = kept` is lost as soon as every promise is proved
//! broken, and
//! `schedule = kept` as soon as a request was dropped, or more than 1 % of T were late or never left this machine.

mod change;
mod comparison;
mod exceptions;
mod measurements;
mod met;
mod metric;
mod number;
mod percentile;
mod range;
mod scope;
mod values;
mod view;

pub use change::{Amount, ChangeCondition, Word};
pub use exceptions::Exceptions;
pub use measurements::{Ahead, Measurements, WholePhases, WholeSchedule};
pub use met::{JudgedThreshold, Met};
pub use number::{Counted, Direction, Number, Quantity, Statistic, Unit};
pub use scope::Scope;
pub use view::is_phase;

use crate::base::Nanos;
use crate::base::text::{Cursor, SyntaxError};
use crate::core::stats::Results;
use comparison::Test;
use measurements::Parts;
use metric::Metric;
use range::Range;
use std::str::FromStr;
use std::sync::Arc;
use view::{Part, View};

/// A metric of a run, and the test that it has to pass.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// The text as it was given, without blanks around it.
    pub text: String,
    /// The requests that it is about.
    pub scope: Scope,
    metric: Arc<dyn Metric>,
    test: Test,
}

impl Threshold {
    /// An error at the number or name in brackets of the threshold's scope.
    pub fn scope_error(&self, message: String) -> SyntaxError {
        let mut cursor = Cursor::new(&self.text);
        cursor.take(cursor.peek_word());
        cursor.takes("[");
        cursor.rest().error(message)
    }

    /// Whether the threshold is about the generator, so that the limiter can't miss it. The audit's verdict is about the
    /// limiter.
    pub fn is_about_generator(&self) -> bool {
        self.metric.is_about_generator() && !self.needs_audit()
    }

    /// Whether the threshold is about times, such as the latency.
    pub fn is_about_times(&self) -> bool {
        let number = self.metric.number();
        number.is_some_and(|number| matches!(number.quantity, Quantity::Time(..)))
    }

    /// The requests that are exceptions to the threshold, if it is an upper bound that a share of them may exceed.
    pub fn exceptions(&self, measurements: &Measurements) -> Option<Exceptions> {
        let views = measurements.views(&self.scope);
        self.metric.exceptions(views.first()?, &self.test)
    }

    /// Whether these final numbers exceed the threshold, if it is an upper bound.
    pub fn is_exceeded(&self, measurements: &Measurements) -> bool {
        self.test.is_upper_bound() && !self.may_be_met(measurements, Ahead::Nothing)
    }

    /// Whether the threshold needs `--audit`.
    pub fn needs_audit(&self) -> bool {
        self.metric.needs_audit()
    }

    /// What judges it for the stripes of a schedule.
    pub fn judged_by(&self) -> JudgedBy {
        match self.scope {
            Scope::Event(_) => JudgedBy::Nothing,
            _ if self.needs_audit() => JudgedBy::Audit,
            _ => JudgedBy::Merge,
        }
    }

    /// Whether the threshold says what the verdict of the audit has to be.
    pub fn is_about_verdict(&self) -> bool {
        self.metric.is_verdict_of_audit()
    }

    /// Whether the final numbers may still meet it. If nothing is ahead, this says whether they do.
    pub fn may_be_met(&self, measurements: &Measurements, ahead: Ahead) -> bool {
        let views = measurements.views(&self.scope);
        views.iter().all(|view| {
            let range = self.range(view, ahead);
            range.is_none_or(|range| self.test.is_met_within(range))
        })
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        match view.part {
            Part::Later => Some(Range::anything()),
            _ => self.metric.range(view, ahead),
        }
    }

    /// Whether the final numbers meet it, and what was measured. Of several events of one name, the first counts that is
    /// farthest from meeting it.
    fn judge(&self, measurements: &Measurements) -> (Met, String) {
        let views = measurements.views(&self.scope);
        let judged = views.iter().map(|view| self.judge_view(view));
        let order = |(met, _): &(Met, String)| match met {
            Met::Missed => 0,
            Met::Unsupported => 1,
            Met::NothingSeen | Met::Unknown => 2,
            Met::Deferred | Met::Met => 3,
        };
        judged.min_by_key(order).unwrap_or_else(|| {
            (
                Met::NothingSeen,
                "nothing, since it did not begin".to_owned(),
            )
        })
    }

    /// What these numbers, which lack some of the requests of this schedule, say about it.
    fn judge_without(&self, measurements: &Measurements, whole: &WholeSchedule) -> (Met, String) {
        let parts = measurements.parts.map(|parts| Parts {
            unplaced: &whole.phases.unplaced,
            ..parts
        });
        let certain = Measurements {
            parts,
            ..*measurements
        };
        let (met, measured) = self.judge(measurements);
        // Without a request that was sent in a phase, it is not known whether there was anything to measure.
        let views = certain.views(&self.scope);
        let is_idle = views.iter().any(View::is_idle) && !self.is_about_generator();
        let met = match met {
            Met::Unsupported => Met::Unsupported,
            _ if is_idle => Met::Unknown,
            _ if !self.may_be_met(&certain, Ahead::RestOf(whole)) => Met::Missed,
            _ => Met::Unknown,
        };
        (met, format!("{measured}, without the missing stripes"))
    }

    fn judge_view(&self, view: &View) -> (Met, String) {
        if view.is_idle() && !self.is_about_generator() {
            let nothing = "nothing, since no request was sent meanwhile";
            return (Met::NothingSeen, nothing.to_owned());
        }
        let (met, measured) = self.metric.judge(view, &self.test);
        match view.failed_command() {
            Some(why) if met == Met::Met => {
                let measured = format!("{measured}, but its command failed: {why}");
                (Met::NothingSeen, measured)
            }
            _ => (met, measured),
        }
    }
}

/// What judges a threshold for the stripes of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedBy {
    /// `loadgen merge` judges it by the merged results.
    Merge,
    /// `loadgen audit` judges it by the single requests.
    Audit,
    /// It is unknown, because what events did is not merged.
    Nothing,
}

impl FromStr for Threshold {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Threshold, SyntaxError> {
        let (scope, (metric, test)) = metric::read(text)?;
        Ok(Threshold {
            text: text.trim().to_owned(),
            scope,
            metric,
            test,
        })
    }
}

impl FromStr for Number {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Number, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let number = metric::read_number(&mut cursor)?;
        if cursor.is_at_end() {
            Ok(number)
        } else {
            Err(cursor.rest().error("must be the end"))
        }
    }
}

/// Judges `thresholds`, in their order, by the results of a run whose schedule ends at `end`, if it does.
///
/// If the schedule was not kept, a threshold about the limiter is unsupported, even if the numbers look good. So is one
/// about a target whose full backlog dropped requests, or about all targets if any did: the numbers lack these requests. The
/// threshold that stopped a run is missed, even if there was nothing to measure by then. `audit = kept` is unsupported
/// if the audit's verdict is suspect, or inconclusive because the schedule was not kept. An audit that tested nothing
/// has measured nothing.
pub fn judged(
    thresholds: &[Threshold],
    end: Option<Nanos>,
    results: &Results,
) -> Vec<JudgedThreshold> {
    let measurements = Measurements::of(results, &results.tally, end);
    let judged = thresholds.iter().enumerate().map(|(place, threshold)| {
        let (mut met, measured) = threshold.judge(&measurements);
        if met == Met::NothingSeen && results.aborted_by == Some(place) {
            met = Met::Missed;
        }
        JudgedThreshold {
            text: threshold.text.clone(),
            met,
            measured,
        }
    });
    judged.collect()
}

/// Judges the thresholds of a schedule by the merged results of its stripes.
///
/// `possible` is the whole schedule, if the results of some stripes are missing. Each of its requests that the results lack may
/// have ended in any way, at any speed. So a threshold is missed only if none of these ways meets it, and it is never met. The
/// requests that a phase may lack are bounded by what `possible` knows of it.
/// Thresholds on the audit are deferred, because an audit needs single requests. Those on an event are unknown.
pub fn judged_of_stripes(
    thresholds: &[Threshold],
    end: Option<Nanos>,
    results: &Results,
    possible: Option<&WholeSchedule>,
) -> Vec<JudgedThreshold> {
    let measurements = Measurements::of(results, &results.tally, end);
    let judged = thresholds.iter().map(|threshold| {
        let (met, measured) = match (threshold.judged_by(), possible) {
            (JudgedBy::Audit, _) => (Met::Deferred, "loadgen audit judges it".to_owned()),
            (JudgedBy::Nothing, _) => {
                let why =
                    "nothing, since what events did is not merged; each stripe's summary has it";
                (Met::Unknown, why.to_owned())
            }
            (JudgedBy::Merge, None) => threshold.judge(&measurements),
            (JudgedBy::Merge, Some(possible)) => threshold.judge_without(&measurements, possible),
        };
        JudgedThreshold {
            text: threshold.text.clone(),
            met,
            measured,
        }
    });
    judged.collect()
}

/// The thresholds of a stripe, which has only a part of the requests that they are about.
pub fn deferred(thresholds: &[Threshold]) -> Vec<JudgedThreshold> {
    let deferred = thresholds.iter().map(|threshold| JudgedThreshold {
        text: threshold.text.clone(),
        met: Met::Deferred,
        measured: match threshold.judged_by() {
            JudgedBy::Merge => "loadgen merge judges it on all stripes",
            JudgedBy::Audit => "loadgen audit judges it, by the --requests files of all stripes",
            JudgedBy::Nothing => {
                "unknown in the merged result, too, since what events did is not merged"
            }
        }
        .to_owned(),
    });
    deferred.collect()
}

#[cfg(test)]
mod tests;
