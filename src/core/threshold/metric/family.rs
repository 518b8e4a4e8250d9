use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::exceptions::Exceptions;
use crate::core::threshold::measurements::{Ahead, Measurements, Scope};
use crate::core::threshold::met::Met;
use crate::core::threshold::number::Number;
use crate::core::threshold::range::{Range, Ratio};
use std::fmt;
use std::sync::Arc;

/// The metrics that begin with one word.
pub(in crate::core::threshold) trait Family: Sync {
    /// The first word of a threshold, after the target.
    fn name(&self) -> &'static str;

    /// Whether each target has these metrics.
    fn is_by_target(&self) -> bool {
        false
    }

    /// Reads the rest of a metric's name.
    fn read(
        &'static self,
        scope: Scope,
        cursor: &mut Cursor,
    ) -> Result<Box<dyn Metric>, SyntaxError>;
}

/// A metric, and the test that it has to pass.
pub(in crate::core::threshold) type Claim = (Arc<dyn Metric>, Test);

/// A number of a run that a threshold is about.
pub(in crate::core::threshold) trait Metric:
    fmt::Debug + Send + Sync
{
    /// Reads the test that follows the metric's name.
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError>;

    /// The number that runs can be compared by. `None` if it is a verdict.
    fn number(&self) -> Option<Number> {
        None
    }

    fn scope(&self) -> Scope {
        Scope::All
    }

    /// Whether the metric needs `--audit`.
    fn needs_audit(&self) -> bool {
        false
    }

    /// Whether the metric is the verdict of the audit.
    fn is_verdict_of_audit(&self) -> bool {
        false
    }

    /// Whether the metric is about the generator itself, and so is valid even if the schedule was not kept.
    fn is_about_generator(&self) -> bool;

    /// The range in which the number is, or will be in the end: times in nanoseconds, rates per second. `None` if there
    /// is nothing to measure.
    fn range(&self, measurements: &Measurements, ahead: Ahead) -> Option<Range>;

    /// The requests that are exceptions to the test, if it is an upper bound that some of them may exceed. Otherwise `None`.
    fn exceptions(&self, _: &Measurements, _: &Test) -> Option<Exceptions> {
        None
    }

    /// The final number in its unit.
    fn display(&self, number: Ratio, measurements: &Measurements, test: &Test) -> String;

    /// Whether the test was passed, and what was measured.
    fn judge(&self, measurements: &Measurements, test: &Test) -> (Met, String) {
        let Some(range) = self.range(measurements, Ahead::Nothing) else {
            return (Met::NothingSeen, "nothing".to_owned());
        };
        let met = if !self.is_about_generator() && !measurements.support(self.scope()) {
            Met::Unsupported
        } else if test.is_met_within(range) {
            Met::Met
        } else {
            Met::Missed
        };
        (met, self.display(range.least, measurements, test))
    }
}
