//! The options of `loadgen compare`.

use super::Refusal;
use super::report::{Saved, inputs, summaries};
use super::values::file;
use crate::core::comparison::is_in_summaries;
use crate::core::threshold::ChangeCondition;
use crate::report::Input;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Compare {
    /// The summary of a base run and of a new one, as --summary-json wrote them; with --to, one or more of base runs
    #[arg(required = true, value_name = "FILE", value_parser = file())]
    files: Vec<PathBuf>,

    /// The summaries of the new runs, one or more. Several runs on each side show what changes from run to run, too
    #[arg(long, value_name = "FILE", value_parser = file(), num_args = 1..)]
    to: Vec<PathBuf>,

    /// A change of the new side for which the exit code is 4: `latency.p99 > 10% worse`, `sent.per_second > 5% worse`,
    /// `failed.rate > 0.5 points worse`, `blocked.rate different`. The numbers are those of --threshold; the last word is
    /// worse, better, higher, lower or different. The exit code is 3 if the runs are too noisy to tell. May be repeated
    #[arg(long, value_name = "CONDITION", value_parser = condition)]
    fail_if: Vec<ChangeCondition>,

    /// Write the comparison as an HTML page, too
    #[arg(long, value_name = "FILE", value_parser = file())]
    output: Option<PathBuf>,
}

/// The runs that are compared.
#[derive(Debug)]
pub struct Sides {
    /// The base runs, and then the new ones.
    pub runs: Vec<Saved>,
    /// How many of them are base runs.
    pub base: usize,
}

/// The most runs of both sides.
const MOST: usize = 200;

impl Compare {
    /// The file that the page goes to.
    pub fn output(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    pub fn conditions(&self) -> &[ChangeCondition] {
        &self.fail_if
    }

    /// Reads the summaries.
    ///
    /// # Errors
    /// There are not two sides, a file can't be read or is no summary, or a condition is on a number that no summary has.
    pub fn sides(&self) -> Result<Sides, Refusal> {
        let base = match (&self.files[..], self.to.is_empty()) {
            ([_, _], true) => 1,
            (files, true) => {
                let allowed = "must be two files, a base and a new one, or BASE... --to NEW...";
                let last = files.last().map(|path| path.to_string_lossy());
                return Err(Refusal::wrong("FILE", &last.unwrap_or_default(), allowed));
            }
            (files, false) => files.len(),
        };
        let files = self.files();
        if let Some(path) = files.get(MOST) {
            let allowed = format!("must be one of at most {MOST} files");
            return Err(Refusal::wrong("FILE", &path.to_string_lossy(), &allowed));
        }
        let runs = summaries(&files)?;
        check_that_runs_differ(&files, &runs)?;
        for condition in &self.fail_if {
            let refuse = |allowed: &str| Refusal::wrong("--fail-if", &condition.text, allowed);
            is_in_summaries(&condition.number).map_err(refuse)?;
            let fewest = runs.iter().map(|(_, summary)| summary.targets.len()).min();
            let fewest = fewest.unwrap_or(0);
            if condition.number.target.is_some_and(|place| place >= fewest) {
                let allowed = format!("must have a target's number, from 1 to {fewest}");
                return Err(refuse(&allowed));
            }
        }
        Ok(Sides { runs, base })
    }

    /// The files that are read.
    pub fn inputs(&self) -> Vec<Input> {
        inputs(&self.files())
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.to).cloned().collect()
    }
}

/// Refuses a run that is there twice: it does not change, and it would be taken for a second run without any noise.
fn check_that_runs_differ(files: &[PathBuf], runs: &[Saved]) -> Result<(), Refusal> {
    for (place, (_, run)) in runs.iter().enumerate() {
        let before = runs[..place].iter().position(|(_, other)| other == run);
        if let Some(before) = before {
            let allowed = format!(
                "must be a run of its own; it is the same run as '{}'",
                files[before].display()
            );
            let path = files[place].to_string_lossy();
            return Err(Refusal::wrong("FILE", &path, &allowed));
        }
    }
    Ok(())
}

fn condition(text: &str) -> Result<ChangeCondition, String> {
    text.parse::<ChangeCondition>()
        .map_err(|wrong| wrong.to_string())
}
