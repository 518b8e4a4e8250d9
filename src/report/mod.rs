//! What is seen of a run: by a person, and by Prometheus.

mod console;
mod exporter;
mod heading;
mod phase_line;
mod prometheus;
mod stats_line;
mod summary;

pub use console::Console;
pub use exporter::{Exporter, Scrape};
pub use heading::heading;
pub use phase_line::phase_line;
pub use stats_line::stats_line;
pub use summary::summary;
