//! Events: changes to the cluster in the course of a run, such as a Redis that is paused.
//!
//! A [`PlannedEvent`] runs a command at an instant of the schedule, or only marks it. Each event that began leaves an
//! [`EventRecord`].

mod grammar;
mod pairing;
mod planned;
mod record;
mod so_far;

pub use grammar::{EventLine, Expectation, Line, UndoLine, checked_name};
pub use pairing::paired;
pub use planned::{EventCommand, PlannedEvent, Undo};
pub use record::{CommandEnd, CommandRecord, EventKind, EventRecord, titled};
pub use so_far::EventsSoFar;

/// The most events of a plan. Each of them may have an undo.
pub const MOST_PLANNED: usize = 50;

/// The most marks that others may set during a run.
pub const MOST_POSTED: usize = 100;

/// The most characters of an event's name.
pub const LONGEST_NAME: usize = 100;

/// The most bytes that are kept of a command's output: the last ones.
pub const MOST_OUTPUT: usize = 4096;
