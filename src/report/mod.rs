//! The output of a run for people and machines: lines, the live view, metrics and files.
//!
//! While a run goes on, [`Observers`] receive what happens. Everything about a run that is over is made from its
//! [`Summary`](crate::core::summary::Summary). A result format is one file of this folder and one row of [`FORMATS`].

mod audit;
mod console;
mod destination;
mod downsample;
mod exporter;
mod failure_causes;
mod files;
mod format;
mod hdr_log;
mod heading;
pub mod html;
mod json;
mod judgement;
mod lines;
#[cfg(unix)]
pub mod live;
mod markdown;
mod not_on_time;
mod observers;
mod percentiles;
mod phase_line;
mod plot;
mod prometheus;
mod recorded;
mod request_log;
mod result_file;
mod stats_line;
mod stream;
mod summary;
mod thresholds;
mod timeline_csv;
mod timetable;
mod worst_targets;

pub use audit::audit;
pub use console::{Console, Screen};
pub use exporter::Exporter;
pub use files::{Files, Output, Unwritable};
pub use format::{Format, Rows, RunInfo, Written};
pub use heading::heading;
pub use json::json;
pub use lines::Lines;
pub use markdown::markdown;
pub use observers::{Incomplete, Observers, Recorded, Streams};
pub use recorded::recorded;
pub use result_file::{FileError, ResultFile, reason};
pub use stream::{PATIENCE, write_whole};
pub use summary::summary;
pub use thresholds::thresholds;
pub use timetable::timetable;

/// Every format in which results can be written to a file, in the order of the help.
pub const FORMATS: [&Format; 6] = [
    &html::FORMAT,
    &json::FORMAT,
    &markdown::FORMAT,
    &timeline_csv::FORMAT,
    &hdr_log::FORMAT,
    &request_log::FORMAT,
];
