//! `loadgen merge`: one result of a schedule's stripes.

use super::printer::Printer;
use super::warn;
use crate::base::text::{count, span};
use crate::cli::{Gathered, MergeSetup, Refusal};
use crate::core::summary::Summary;
use crate::report::{self, Files, PATIENCE};
use crate::system::Stop;
use crate::system::signals;
use anyhow::Context;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often new files are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Merges the summaries, and prints and writes the result. Returns the exit code of the result.
pub fn merge(setup: &MergeSetup) -> anyhow::Result<u8> {
    let files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    let stop = Arc::new(Stop::default());
    let _signals = match setup.wait {
        Some(_) => Some(signals::install(stop.clone()).context("can't install signal handlers")?),
        None => None,
    };
    let summary = gathered(setup, &stop)?;
    let mut printer = Printer::new(&files, setup.color);
    printer.print(&report::merge_heading(&summary));
    printer.print(&report::summary(&summary));
    if let Some(text) = report::thresholds(&summary.thresholds, None) {
        printer.print(&text);
    }
    printer.print_files(files.write(&summary, Instant::now() + PATIENCE));
    printer.print(&report::verdict(&summary));
    Ok(printer.exit_code(summary.exit_code))
}

/// Reads the summaries. If they may still come, this waits for those of all stripes.
fn gathered(setup: &MergeSetup, stop: &Stop) -> Result<Summary, Refusal> {
    let mut gathered = Gathered::new(setup);
    if let Some(wait) = setup.wait {
        await_all(&mut gathered, wait, stop)?;
    }
    gathered.read_last()?;
    for line in gathered.take_ignored() {
        warn(line);
    }
    gathered.merged()
}

/// Reads the summaries that come within this time, until those of all stripes are there. A stop ends the wait.
fn await_all(gathered: &mut Gathered, wait: Duration, stop: &Stop) -> Result<(), Refusal> {
    let deadline = Instant::now().checked_add(wait);
    let mut announced = None;
    let mut is_first = true;
    loop {
        gathered.read()?;
        for line in gathered.take_ignored() {
            warn(line);
        }
        if is_first && gathered.is_complete() {
            gathered.were_there().into_iter().for_each(warn);
        }
        is_first = false;
        let left = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => LOOK_EVERY,
        };
        if left.is_zero() || stop.is_requested() || gathered.is_complete() {
            return Ok(());
        }
        let (read, of) = gathered.progress();
        if announced != Some(read) {
            let all = of.map_or_else(String::new, |of| format!(" of {of}"));
            let left = span(left.into());
            let read = count(read, "stripe", "stripes");
            warn(format!(
                "{read}{all} read; waiting up to {left} for the others"
            ));
            announced = Some(gathered.progress().0);
        }
        stop.wait(left.min(LOOK_EVERY));
    }
}
