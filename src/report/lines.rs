//! The lines that a run prints while it goes on.

use super::console::Console;
use super::event_line::event_line;
use super::failing_targets::FailingTargets;
use super::format::RunInfo;
use super::phase_line::phase_line;
use super::stats_line::{progress_line, stats_line};
use super::styled_text::{Display, Line, StyledText};
use crate::base::{Moment, Nanos};
use crate::core::events::EventRecord;
use crate::core::schedule::Phase;
use crate::core::stats::Tally;
use crate::core::threshold::Threshold;
use crate::engine::{Observer, Progress, Start};
use std::time::Duration;

/// Prints the heading before a run begins, and then a line for each phase, events, the stats lines, targets that do nothing but fail, and why a run stops early.
pub struct Lines<'a> {
    console: &'a Console,
    display: Display,
    /// Printed when the run begins, unless that has happened before.
    heading: Option<StyledText>,
    aligned_to: Option<Nanos>,
    /// The end of the schedule, if it has one.
    end: Option<Nanos>,
    start: Moment,
    /// The most that a request may take.
    timeout: Nanos,
    failing: FailingTargets,
    /// The time from one round of a replay to the next, if only the first round is announced.
    round: Option<Nanos>,
}

impl<'a> Lines<'a> {
    pub fn new(
        console: &'a Console,
        display: Display,
        heading: StyledText,
        run: RunInfo<'_>,
    ) -> Lines<'a> {
        Lines {
            console,
            display,
            heading: Some(heading),
            aligned_to: run.plan.alignment.map(|alignment| alignment.window()),
            end: run.plan.schedule.end(),
            start: Moment::MAX,
            timeout: run.plan.timeout.into(),
            failing: FailingTargets::new(run.targets, &run.plan.schedule),
            round: run.plan.short_round(),
        }
    }

    /// Prints the heading before the run begins.
    pub fn print_heading(&mut self) {
        if let Some(heading) = self.heading.take() {
            self.console.print(heading.display(self.display));
        }
    }

    fn mention(&self, line: impl Into<String>, hanging: usize) {
        let mut text = StyledText::default();
        text.push(Line::sentence(line, hanging));
        self.console.mention(text.display(self.display));
    }
}

impl Observer for Lines<'_> {
    fn begin(&mut self, start: &Start) {
        self.start = start.at;
        self.failing.join(start.late);
        self.print_heading();
        if let (Some(delay), Some(window)) = (start.alignment_delay, self.aligned_to) {
            self.console.print(alignment_line(delay, window));
        }
    }

    fn phase(&mut self, phase: &Phase) {
        let mut line = phase_line(phase);
        if let Some(round) = self.round {
            line += &format!("; repeats every {round:#}");
        }
        self.console.mention(line);
    }

    fn samples_taken(&mut self, now: Moment, tally: &Tally) {
        let elapsed = now.since(self.start);
        let silence = self.failing.look_for_silence(elapsed, tally, self.timeout);
        if let Some(line) = silence {
            self.mention(line, 2);
        }
        // Once the run is over, its summary says all this.
        if self.end.is_some_and(|end| end <= elapsed) {
            return;
        }
        for line in self.failing.look(elapsed, tally) {
            self.mention(line, 2);
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.console.mention(stats_line(progress));
        if let Some(line) = progress_line(progress, self.end) {
            self.mention(line, 4);
        }
    }

    fn event(&mut self, event: &EventRecord) {
        let mut text = StyledText::default();
        text.push(Line::sentence(event_line(event), 2));
        self.console.print(text.display(self.display));
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
