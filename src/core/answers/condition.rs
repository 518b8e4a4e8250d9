use super::response::{Response, Unreadable};
use std::fmt;
use std::ops::RangeInclusive;

/// Any status that an HTTP answer can have.
pub(super) const STATUSES: RangeInclusive<u16> = 100..=999;

/// A condition on an answer. It displays as it is typed.
///
/// A new kind of condition is a file with its type and its `read`, and one row in [`KINDS`](super::rules::KINDS).
pub(super) trait Condition: fmt::Debug + fmt::Display + Send + Sync {
    /// The statuses with which the condition can hold.
    fn statuses(&self) -> RangeInclusive<u16> {
        STATUSES
    }

    /// The last part of an answer that must have been read to decide the condition.
    fn needs(&self) -> Needs {
        Needs::Status
    }

    /// Whether the condition holds for an answer that has one of its statuses.
    ///
    /// # Errors
    /// It depends on a body that can't be read.
    fn holds(&self, _: &Response) -> Result<bool, Unreadable> {
        Ok(true)
    }
}

/// The parts of an answer, in the order in which they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Status,
    Headers,
    Body,
}
