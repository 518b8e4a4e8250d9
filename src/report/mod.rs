//! What is seen of a run: by a person, as lines or live, and by Prometheus. What is made of a run's end is made of its
//! [`Summary`](crate::core::summary::Summary).

mod alignment_line;
mod audit;
mod coarse;
mod console;
mod destination;
mod exporter;
mod failures;
mod files;
mod foremost;
mod hdr_log;
mod heading;
pub mod html;
mod json;
mod judgement;
#[cfg(unix)]
pub mod live;
mod markdown;
mod percentiles;
mod phase_line;
mod plot;
mod prometheus;
mod recording;
mod request_log;
mod scrapes;
mod stats_line;
mod stream;
mod summary;
mod thresholds;
mod timeline_csv;
mod timetable;

pub use alignment_line::alignment_line;
pub use audit::audit;
pub use console::{Console, Screen};
pub use exporter::Exporter;
pub use files::{FileError, Files, ResultFile, Unwritable};
pub use heading::heading;
pub use json::json;
pub use markdown::markdown;
pub use phase_line::phase_line;
pub use recording::{Incomplete, Recorded, Recording, Streams};
pub use request_log::RequestLog;
pub use scrapes::{Scrape, Scrapes};
pub use stats_line::stats_line;
pub use stream::PATIENCE;
pub use summary::summary;
pub use thresholds::{abort_line, thresholds};
pub use timetable::timetable;
