//! The commands that [`crate::cli`] reads, carried out.

mod audit;
mod capacity;
mod compare;
mod discover;
mod kubernetes;
mod linger;
mod merge;
mod output;
mod printer;
mod report;
mod run;
mod surroundings;

use crate::cli::{self, Command, Refusal};
use crate::core::{exit_code, presets};
use crate::engine::RunError;
use crate::report::{PATIENCE, timetable};
use crate::system::Latch;
use anyhow::Context;
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Carries out a command. Returns its exit code.
///
/// # Errors
/// The command was refused, or failed while it ran. [`exit_code_of`] distinguishes the two.
pub fn carry_out(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run(setup) => run::run(&setup),
        Command::Plan(setup) => print(&timetable(&setup.plan, &setup.nodes.examples())),
        Command::Capacity(setup) => capacity::capacity(*setup),
        Command::Presets(None) => print(&presets::table()),
        Command::Presets(Some(preset)) => print(&presets::details(preset)),
        Command::Discover(setup) => discover::discover(*setup),
        Command::Audit(setup) => audit::audit(&setup),
        Command::Merge(setup) => merge::merge(&setup),
        Command::Report(options) => report::report(&options),
        Command::Schema(schema) => print(schema.text),
        Command::Compare(options) => compare::compare(&options),
        Command::Kubernetes(deployment) => kubernetes::kubernetes(&deployment),
        Command::Completions(shell) => print(&cli::completions(shell)),
        Command::Man => print(&cli::man()),
        Command::Show(text) => print(&text),
    }
}

/// The exit code of a command that failed with this error.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    let no_target = matches!(error.downcast_ref(), Some(RunError::NoTargetResolves(_)));
    if error.is::<Refusal>() || no_target {
        exit_code::REFUSED
    } else {
        exit_code::BROKE
    }
}

/// Set once nobody has read standard error for [`PATIENCE`].
static IS_UNREAD: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard error, and ignores a failure to do so. If nobody reads standard error, this and further lines
/// are given up after [`PATIENCE`].
pub fn warn(message: impl Display) {
    if IS_UNREAD.load(Relaxed) {
        return;
    }
    let line = format!("loadgen: {message}\n");
    let (written, latch) = Latch::new();
    // Ends when the line is written. If that never happens, it ends with the process.
    let write = move || {
        let _written = written;
        let _ = std::io::stderr().write_all(line.as_bytes());
    };
    match thread::Builder::new().spawn(write) {
        Ok(_) => IS_UNREAD.store(!latch.wait_for(PATIENCE), Relaxed),
        // The system has no thread left.
        Err(_) => _ = writeln!(std::io::stderr(), "loadgen: {message}"),
    }
}

fn print(text: &str) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(exit_code::FINE)
}

/// The exit code if something could not be written. A verdict on the limiter takes precedence.
fn or_broke(code: u8) -> u8 {
    if code == exit_code::FINE {
        exit_code::BROKE
    } else {
        code
    }
}
