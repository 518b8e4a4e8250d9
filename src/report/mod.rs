//! The output of a run for people and machines: lines, the live view, metrics and files.
//!
//! While a run goes on, [`Observers`] receive what happens. Everything about a run that is over is made from its
//! [`Summary`](crate::core::summary::Summary). A result format is one file of this folder and one row of [`FORMATS`].

mod audit;
pub mod capacity;
mod compared;
mod console;
mod destination;
mod discovered;
mod downsample;
mod duration;
mod event_line;
mod events;
mod exporter;
mod failing_targets;
mod failure_causes;
mod files;
mod format;
mod hdr_log;
mod heading;
mod histogram;
pub mod html;
mod json;
mod judgement;
pub mod kubernetes;
mod lines;
#[cfg(unix)]
pub mod live;
mod markdown;
mod marks;
mod observers;
mod per_second;
mod percentiles;
mod phase_line;
mod plot;
mod prometheus;
mod rare_counts;
mod recorded;
mod request_log;
mod result_file;
mod stats_line;
mod stream;
mod stripes;
mod styled_text;
mod summary;
mod thresholds;
mod timeline_csv;
mod timeline_targets_csv;
mod timetable;
mod worst_targets;
mod written_files;

pub use audit::audit;
pub use compared::{Compared, JudgedChange, compared, with_the_first};
pub use console::{Console, Missed, Screen};
pub use discovered::{discovered, discovered_verdict, discovery_heading, discovery_progress};
pub use event_line::event_failure;
pub use exporter::Exporter;
pub use files::{Files, Input, Output, Unwritable, open_single};
pub use format::{Format, Rows, RunInfo, Written};
pub use heading::{Surroundings, heading};
pub use json::{json, json_format, json_output};
pub use lines::Lines;
pub use markdown::markdown;
pub use observers::{Incomplete, Observers, Recorded, Streams};
pub use recorded::{recorded, recorded_verdict};
pub use result_file::{Access, FileError, ResultFile, WrittenFile, reason};
pub use stream::{PATIENCE, write_whole};
pub use stripes::merge_heading;
pub use styled_text::{ColorChoice, Display, StyledText};
pub use summary::{summary, verdict};
pub use thresholds::thresholds;
pub use timetable::timetable;
pub use written_files::written_files;

/// Every format in which results can be written to a file, in the order of the help.
pub const FORMATS: [&Format; 7] = [
    &html::FORMAT,
    &json::FORMAT,
    &markdown::FORMAT,
    &timeline_csv::FORMAT,
    &timeline_targets_csv::FORMAT,
    &hdr_log::FORMAT,
    &request_log::FORMAT,
];
