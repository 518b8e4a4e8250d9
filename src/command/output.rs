//! The stream that a run prints to.

use super::warn;
use crate::report::{ColorChoice, Console, Display, Files, Missed};
use crate::system::Stop;
use anyhow::Context;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time for what is written after something else may have taken all of [`PATIENCE`](crate::report::PATIENCE).
pub(super) const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// The stream to which lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Standard,
    /// Standard error, because a result goes to standard output.
    Error,
}

impl Output {
    pub fn of(files: &Files) -> Output {
        if files.takes_standard_output() {
            Output::Error
        } else {
            Output::Standard
        }
    }

    fn name(self) -> &'static str {
        match self {
            Output::Standard => "standard output",
            Output::Error => "standard error",
        }
    }

    /// How texts are displayed on it.
    pub fn display(self, color: ColorChoice) -> Display {
        Display::new(match self {
            Output::Standard => color.colours(&io::stdout()),
            Output::Error => color.colours(&io::stderr()),
        })
    }

    /// Starts the console. The run stops when its lines can't be printed any more.
    pub fn console(self, stop: &Arc<Stop>) -> anyhow::Result<Console> {
        let output: Box<dyn Write + Send> = match self {
            Output::Standard => Box::new(io::stdout()),
            Output::Error => Box::new(io::stderr()),
        };
        let stop = stop.clone();
        Console::start(output, move || stop.request()).context("can't start the console's thread")
    }

    /// Waits for the reader until the deadline. Returns whether the end of the run was printed whole. The lines that were
    /// not printed are counted on standard error.
    pub fn close(self, console: Console, deadline: Instant) -> bool {
        let Missed { lines, at_the_end } = match console.close(deadline) {
            Ok(missed) => missed,
            Err(error) => {
                warn(format!("{}: {error}", self.name()));
                return false;
            }
        };
        if lines + at_the_end > 0 {
            warn(format!(
                "{} lines were not printed, because nobody read {}",
                lines + at_the_end,
                self.name()
            ));
        }
        at_the_end == 0
    }
}
