//! What a person sees of a run.

mod console;
mod heading;
mod phase_line;
mod stats_line;
mod summary;

pub use console::Console;
pub use heading::heading;
pub use phase_line::phase_line;
pub use stats_line::stats_line;
pub use summary::summary;
