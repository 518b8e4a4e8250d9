//! What is seen of a run: by a person, and by Prometheus.

mod alignment_line;
mod audit;
mod console;
mod exporter;
mod heading;
mod phase_line;
mod plot;
mod prometheus;
mod span;
mod stats_line;
mod summary;
mod timetable;

pub use alignment_line::alignment_line;
pub use audit::audit;
pub use console::Console;
pub use exporter::{Exporter, Scrape};
pub use heading::heading;
pub use phase_line::phase_line;
pub use stats_line::stats_line;
pub use summary::summary;
pub use timetable::timetable;
