//! The operating system: clocks, timers, signals, the terminal, temporary files, limits and scheduling.

mod clock;
pub mod http_server;
mod latch;
pub mod limits;
pub mod scheduling;
pub mod signals;
pub mod socket;
mod stop;
pub mod temporary_files;
#[cfg(unix)]
pub mod terminal;
pub mod timer;
pub mod usage;

pub use latch::{Hold, Latch};
pub use stop::Stop;
