//! The operating system: clocks, timers, signals, the terminal, temporary files, limits and scheduling.

pub mod child_processes;
mod clock;
#[cfg(unix)]
pub mod guard;
pub mod http_server;
mod latch;
pub mod limits;
pub mod processors;
pub mod programs;
pub mod scheduling;
pub mod signals;
pub mod socket;
mod stop;
pub mod suspension;
pub mod temporary_files;
#[cfg(unix)]
pub mod terminal;
mod thread_limit;
pub mod timer;
pub mod usage;
pub mod wall_clock;

pub use latch::{Hold, Latch};
pub use stop::Stop;
pub use thread_limit::{ensure_room_for_threads, with_thread_limit};
