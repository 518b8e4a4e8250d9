//! The lines that a run prints while it goes on.

use super::console::Console;
use super::phase_line::phase_line;
use super::stats_line::stats_line;
use crate::base::Nanos;
use crate::core::schedule::Phase;
use crate::core::threshold::Threshold;
use crate::engine::{Observer, Progress, Start};
use std::time::Duration;

/// Prints the heading, a line for each phase, the stats lines, and why a run stops early.
pub struct Lines<'a> {
    pub console: &'a Console,
    /// Printed when the run begins.
    pub heading: String,
    /// The window whose multiples bursts are aligned with, if they are.
    pub aligned_to: Option<Nanos>,
}

impl Observer for Lines<'_> {
    fn begin(&mut self, start: &Start) {
        self.console.print(std::mem::take(&mut self.heading));
        if let (Some(delay), Some(window)) = (start.alignment_delay, self.aligned_to) {
            self.console.print(alignment_line(delay, window));
        }
    }

    fn phase(&mut self, phase: &Phase) {
        self.console.mention(phase_line(phase));
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress {
            totals,
            newly_sent,
            span,
        } = progress;
        self.console.mention(stats_line(totals, *newly_sent, *span));
    }

    fn abort(&mut self, lost: &Threshold) {
        let line = format!("Stopping: {} can no longer be met", lost.text);
        self.console.print(line);
    }

    fn end(&mut self, missed_phases: u64) {
        self.console.miss(missed_phases);
    }
}

/// Says when a run starts that waits for the clock.
fn alignment_line(delay: Nanos, window: Nanos) -> String {
    let delay = Duration::from(delay);
    format!(
        "The run starts in {delay:.1?}, so that bursts begin at multiples of {window} on the clock"
    )
}
