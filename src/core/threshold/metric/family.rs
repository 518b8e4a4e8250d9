use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::exceptions::Exceptions;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::met::Met;
use crate::core::threshold::number::Number;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::view::View;
use std::fmt;
use std::sync::Arc;

/// The metrics that begin with one word.
pub(in crate::core::threshold) trait Family: Sync {
    /// The first word of a threshold, after the scope.
    fn name(&self) -> &'static str;

    /// Whether there are such metrics of this scope.
    fn is_of(&self, scope: &Scope) -> bool {
        *scope == Scope::All
    }

    /// Reads the rest of a metric's name.
    fn read(
        &'static self,
        scope: &Scope,
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

    /// The number of all targets that runs can be compared by. `None` if it is a verdict, or is of events only.
    fn number(&self) -> Option<Number> {
        None
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
    fn range(&self, view: &View, ahead: Ahead) -> Option<Range>;

    /// The requests that are exceptions to the test, if it is an upper bound that some of them may exceed. Otherwise `None`.
    fn exceptions(&self, _: &View, _: &Test) -> Option<Exceptions> {
        None
    }

    /// The final number in its unit.
    fn display(&self, number: Ratio, view: &View, test: &Test) -> String;

    /// Whether the test was passed, and what was measured.
    fn judge(&self, view: &View, test: &Test) -> (Met, String) {
        let Some(range) = self.range(view, Ahead::Nothing) else {
            return (Met::NothingSeen, "nothing".to_owned());
        };
        let met = if !self.is_about_generator() && !view.is_supported() {
            Met::Unsupported
        } else if test.is_met_within(range) {
            Met::Met
        } else {
            Met::Missed
        };
        (met, self.display(range.least, view, test))
    }
}
