//! The definition of a result format.

use super::result_file::{Access, ResultFile};
use super::stream::Stream;
use crate::core::plan::Plan;
use crate::core::summary::{CapacitySummary, Discovery, RecordedAudit, Summary};
use crate::engine::Observer;
use std::io;
use std::path::Path;

/// A format in which a run's results can be written to a file. Each format is one file of this folder and one row of
/// [`FORMATS`](super::FORMATS); the command line gets its option from there.
#[derive(Debug)]
pub struct Format {
    /// The flag, without dashes.
    pub option: &'static str,
    /// The help of that flag.
    pub help: &'static str,
    /// Whether `-` stands for standard output.
    pub takes_dash: bool,
    /// Returns what a file of this format must be called, unless the name is fine.
    pub check_name: fn(&Path) -> Result<(), &'static str>,
    /// Who may read a new file.
    pub access: Access,
    pub written: Written,
}

impl Format {
    /// Whether a search for the capacity can be written in this format, too.
    pub fn is_for_capacity(&self) -> bool {
        matches!(
            self.written,
            Written::AtTheEnd {
                render_capacity: Some(_),
                ..
            }
        )
    }

    /// Whether an audit of recorded requests, or a discovery, can be written in this format, too.
    pub fn is_for_recorded(&self) -> bool {
        matches!(self.written, Written::AtTheEnd { .. })
    }
}

/// The time at which a format is written.
#[derive(Debug)]
pub enum Written {
    /// Once the run is over, from its summary.
    AtTheEnd {
        render: fn(&Summary) -> String,
        /// Renders an audit of recorded requests.
        render_recorded: fn(&RecordedAudit) -> String,
        /// Renders a search for the capacity. `None` if this format has no such thing.
        render_capacity: Option<fn(&CapacitySummary) -> String>,
        /// Renders what a discovery found out.
        render_discovery: fn(&Discovery) -> String,
        /// Whether it shows the run's timeline.
        has_timeline: bool,
    },
    /// While the run goes on, by an observer and a thread of its own.
    Meanwhile { start: StartStream, rows: Rows },
}

/// Starts to write a file. Returns the observer that feeds it, and the stream that reports how it went.
pub type StartStream =
    for<'a> fn(ResultFile, RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)>;

/// The parts of a run that formats refer to.
#[derive(Debug, Clone, Copy)]
pub struct RunInfo<'a> {
    pub plan: &'a Plan,
    /// The identifier of the plan, which all stripes of one run have in common.
    pub fingerprint: &'a str,
    /// The targets' base URLs, in the plan's order.
    pub targets: &'a [String],
}

/// The meaning of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Seconds,
    Requests,
}

impl Rows {
    pub fn name(self) -> &'static str {
        match self {
            Rows::Seconds => "seconds",
            Rows::Requests => "requests",
        }
    }
}

/// Accepts every name.
pub const fn any_name(_: &Path) -> Result<(), &'static str> {
    Ok(())
}
