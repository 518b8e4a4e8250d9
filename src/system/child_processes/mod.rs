//! Commands that are started, watched and ended with everything that they have started.
//!
//! Each has a process group of its own, reads nothing, and writes into a pipe. Its environment has a [`TAG`], by which its
//! descendants that have left the group are found on Linux. Elsewhere, they are not found.

#[cfg(target_os = "linux")]
mod descendants;
#[cfg(unix)]
mod tail;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
mod unsupported;

#[cfg(unix)]
pub use unix::{ChildProcess, Orphans, wait};
#[cfg(not(unix))]
pub use unsupported::{ChildProcess, wait};

/// The variable that tells the processes of one command from all others. It has a tag for each command around another one,
/// separated by commas.
pub const TAG: &str = "LOADGEN_EVENT_TAG";

/// The variable that tells a command the name of its event.
#[cfg(unix)]
const NAME: &str = "LOADGEN_EVENT";

/// The variables of loadgen that commands do not get: otherwise, a loadgen among them would run the same events again.
#[cfg(unix)]
const REMOVED: [&str; 3] = ["LOADGEN_AT", "LOADGEN_UNDO", "LOADGEN_EVENTS"];

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

/// A command to start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The program and its arguments. There is at least the program.
    pub words: &'a [String],
    /// No other command has the same one. It has no comma.
    pub tag: &'a str,
    /// The name of its event.
    pub event: &'a str,
    /// The most bytes to keep of the output.
    pub kept_output: usize,
}
