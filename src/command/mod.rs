//! The commands that [`crate::cli`] reads, carried out.

mod audit;
mod report;
mod run;

use crate::cli::{self, Command, Refusal};
use crate::core::{exit_code, presets};
use crate::engine::RunError;
use crate::report::timetable;
use anyhow::Context;
use std::fmt::Display;
use std::io::Write;

/// Carries out a command. Returns its exit code.
///
/// # Errors
/// The command was refused, or failed while it ran. [`exit_code_of`] distinguishes the two.
pub fn carry_out(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run(setup) => run::run(&setup),
        Command::Plan(setup) => print(&timetable(&setup.plan, &setup.nodes.examples())),
        Command::Presets(None) => print(&presets::table()),
        Command::Presets(Some(preset)) => print(&presets::details(preset)),
        Command::Audit(setup) => audit::audit(&setup),
        Command::Report(options) => report::report(&options),
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

/// Writes a line to standard error, and ignores a failure to do so.
pub fn warn(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "loadgen: {message}");
}

fn print(text: &str) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(exit_code::FINE)
}
