//! `loadgen merge`: one result of a schedule's stripes.

use super::{or_broke, print, warn};
use crate::base::text::{count, span};
use crate::cli::{Gathered, MergeSetup, Refusal};
use crate::core::summary::Summary;
use crate::report::{self, Display, Files, PATIENCE, StyledText};
use crate::system::Stop;
use crate::system::signals;
use anyhow::Context;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often new files are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Merges the summaries, and prints and writes the result. Returns the exit code of the thresholds.
pub fn merge(setup: &MergeSetup) -> anyhow::Result<u8> {
    let files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    let to_standard_output = !files.takes_standard_output();
    let display = Display::new(if to_standard_output {
        setup.color.colours(&io::stdout())
    } else {
        setup.color.colours(&io::stderr())
    });
    let stop = Arc::new(Stop::default());
    let _signals = match setup.wait {
        Some(_) => Some(signals::install(stop.clone()).context("can't install signal handlers")?),
        None => None,
    };
    let mut summary = gathered(setup, &stop)?;
    let mut is_whole = true;
    let mut print = |text: &StyledText| {
        let text = text.display(display) + "\n";
        if !to_standard_output {
            let _ = io::stderr().write_all(text.as_bytes());
        } else if let Err(error) = print(&text) {
            warn(format!("{error:#}"));
            is_whole = false;
        }
    };
    print(&report::merge_heading(&summary));
    print(&report::summary(&summary));
    if let Some(text) = report::thresholds(&summary.thresholds, None) {
        print(&text);
    }
    let mut written = Vec::new();
    let mut failed = Vec::new();
    for file in files.write(&summary, Instant::now() + PATIENCE) {
        match file {
            Ok(file) => written.push(file),
            Err(error) => failed.push(error),
        }
    }
    if let Some(text) = report::written_files(&written) {
        print(&text);
    }
    for error in &failed {
        warn(error);
    }
    print(&report::verdict(&summary));
    if !is_whole || !failed.is_empty() {
        summary.exit_code = or_broke(summary.exit_code);
    }
    Ok(summary.exit_code)
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
    loop {
        gathered.read()?;
        for line in gathered.take_ignored() {
            warn(line);
        }
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
