//! `loadgen`: opens files and sockets for a run, carries it out, and reports its results.

use super::linger::Linger;
use super::output::{LAST_PATIENCE, Output};
use super::surroundings::{explained, start_exporter, start_nodes, wait_for_first, wait_for_start};
use super::{or_broke, warn};
use crate::base::{Nanos, Target};
use crate::cli::{Nodes, Refusal, Setup};
use crate::client::{Cluster, Stopped};
use crate::core::plan::Plan;
use crate::core::stats::{Results, TimelineTally};
use crate::core::summary::{
    Audit, Circumstances, Configuration, Resources, StripeSummary, Summary,
};
use crate::core::{exit_code, threshold};
use crate::engine::{self, EventLog, SnapshotRequests, Targets};
#[cfg(unix)]
use crate::report::live::{self, Live};
use crate::report::{
    self, Console, Display, Exporter, Files, Lines, Observers, PATIENCE, Recorded, RunInfo,
    Streams, StyledText, Surroundings,
};
use crate::system::Stop;
use crate::system::limits::raise_descriptor_limit;
use crate::system::signals::{self, Signals};
#[cfg(unix)]
use crate::system::terminal;
use crate::system::usage::Usage;
use anyhow::Context;
use std::sync::Arc;
use std::time::Instant;

/// Carries out a run. Returns its exit code.
pub fn run(setup: &Setup) -> anyhow::Result<u8> {
    let stop = Arc::new(Stop::default());
    let signals = signals::install(stop.clone()).context("can't install signal handlers")?;
    run_until(setup, &stop, &signals)
}

/// Carries out a run that `stop` ends early. The live view ends it as the first of the `signals` does.
pub(super) fn run_until(setup: &Setup, stop: &Arc<Stop>, signals: &Signals) -> anyhow::Result<u8> {
    let requests = SnapshotRequests::default();
    let event_log = EventLog::default();
    let mut files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    raise_descriptor_limit();
    let exporter = start_exporter(setup, &requests, &event_log)?;
    let (targets, _nodes) = start_nodes(&setup.nodes)?;
    let cluster = Cluster::start(&targets, &setup.plan, &setup.connecting);
    let cluster = cluster.context("can't start the resolver's thread")?;
    let mut stopped = Stopped::No;
    if let (Some(wait), Nodes::Targets(_)) = (&setup.wait, &setup.nodes) {
        stopped = wait_for_first(wait, &cluster, &targets, setup, stop)?;
    }
    let output = Output::of(&files);
    let console = output.console(stop)?;
    let display = output.display(setup.color);
    let mut timeline = if files.show_timeline() {
        timeline_of(&setup.plan, targets.len())
    } else {
        TimelineTally::default()
    };

    let mut observers = Observers::new(requests.clone());
    let info = RunInfo {
        plan: &setup.plan,
        fingerprint: &setup.fingerprint,
        targets: cluster.names(),
    };
    let heading = heading(setup, &targets, exporter.as_ref());
    let mut lines = Lines::new(&console, display, heading, info);
    if let Some(start) = &setup.plan.start {
        lines.print_heading();
        wait_for_start(start, &console, stop);
    }
    observers.add(Box::new(lines));
    let streams = Streams::start(&mut files, info, &mut observers);
    let streams = streams.context("can't start a result file's thread")?;
    if files.show_timeline() {
        observers.add(Box::new(&mut timeline));
    }
    #[cfg(unix)]
    let live = if setup.live_view && output == Output::Standard && terminal::is_capable() {
        let run = live::Run::new(&setup.plan);
        let theme = live::Theme {
            colours: display.colours,
        };
        let signals = signals.clone();
        let quit = move || signals.act_as_first();
        let live = Live::start(run, requests, console.screen(), stop.clone(), theme, quit);
        Some(live.context("can't start the live view")?)
    } else {
        None
    };
    let results = engine::run(&setup.plan, &cluster, stop, &event_log, &mut observers);
    let results = results.map_err(|error| explained(error, setup))?;
    drop(observers);
    #[cfg(unix)]
    if let Some(live) = live {
        live.close();
    }

    // The last scrapes are answered before anything waits for the reader of standard output.
    if let Some(exporter) = &exporter {
        exporter.keep(results.snapshot(&targets, &setup.plan.events));
    }
    let mut summary = summarize(setup, &results, &targets, &timeline, stopped);
    let recording = setup.plan.schedule.recording();
    if let Some(why) = recording.and_then(|replay| replay.requests.store.failure()) {
        warn(format!(
            "the run was stopped, because the copy of the recording can't be read any more: {why}. Its results are those \
             of the requests until then"
        ));
        summary.exit_code = or_broke(summary.exit_code);
    }
    let deadline = Instant::now() + PATIENCE;
    let writing = Writing {
        console: &console,
        display,
        deadline,
    };
    let code = writing.write_results(&results, &mut summary, streams, files);
    let linger = Linger::begin(setup, stop, signals, stopped);
    if let (Some(linger), Some(exporter)) = (&linger, &exporter) {
        console.print_surely(format!("\n{}", linger.announcement(&exporter.url())));
    }
    console.print_surely(report::verdict(&summary).display(display));
    let is_printed = output.close(console, deadline.max(Instant::now() + LAST_PATIENCE));
    if let Some(linger) = linger
        // Without a reader, nobody knows that a further signal is needed.
        && (is_printed || !stop.is_requested())
    {
        linger.wait(signals);
    }
    Ok(if is_printed { code } else { or_broke(code) })
}

/// A timeline with room for the whole run, so that its memory does not grow while the run goes on.
fn timeline_of(plan: &Plan, targets: usize) -> TimelineTally {
    let longest = Nanos::from(plan.timeout);
    let length = plan.schedule.end().map(|end| end + longest);
    TimelineTally::with_room(length, targets, longest)
}

fn heading(setup: &Setup, targets: &[Target], exporter: Option<&Exporter>) -> StyledText {
    let limiter = match &setup.nodes {
        Nodes::Demo { limiter, .. } => limiter.description(),
        Nodes::Targets(_) => None,
    };
    let metrics = exporter.map(Exporter::url);
    let surroundings = Surroundings {
        targets,
        limiter: limiter.as_deref(),
        metrics: metrics.as_deref(),
        variables: &setup.variables,
    };
    report::heading(&setup.plan, &setup.fingerprint, surroundings)
}

fn summarize(
    setup: &Setup,
    results: &Results,
    targets: &[Target],
    timeline: &TimelineTally,
    stopped: Stopped,
) -> Summary {
    let plan = &setup.plan;
    let thresholds = &plan.thresholds.all;
    let thresholds = match plan.is_whole() {
        true => threshold::judged(thresholds, plan.schedule.end(), results),
        false => threshold::deferred(thresholds),
    };
    let usage = Usage::so_far();
    let circumstances = Circumstances {
        configuration: Configuration::new(
            plan,
            targets,
            setup.repeating_command.clone(),
            setup.settings.clone(),
        ),
        stripe: StripeSummary::of(
            plan,
            &setup.fingerprint,
            results.missed,
            setup.audit_command.clone(),
        ),
        timeline,
        planned: plan.schedule.end(),
        asked: plan.schedule.mean_rate(results.paced),
        stopped_waiting: stopped == Stopped::Yes,
        audit: Audit::of(plan, results, targets),
        exit_code: exit_code::code(plan, results, &thresholds),
        thresholds,
        resources: Resources {
            user_ns: usage.map(|usage| usage.user.0),
            system_ns: usage.map(|usage| usage.system.0),
            peak_memory: usage.map(|usage| usage.peak_memory),
            ..Resources::default()
        },
    };
    Summary::new(results, targets, circumstances)
}

/// What the results of a run are printed with.
struct Writing<'a> {
    console: &'a Console,
    display: Display,
    deadline: Instant,
}

impl Writing<'_> {
    fn print(&self, text: &StyledText) {
        self.console.print_surely(text.display(self.display));
    }

    /// Prints the summary, completes the files, and returns the exit code. An error with one file does not
    /// prevent the others from being written.
    fn write_results(
        &self,
        results: &Results,
        summary: &mut Summary,
        streams: Streams,
        files: Files,
    ) -> u8 {
        self.print(&report::summary(summary));
        if let Some(audit) = &summary.audit {
            self.print(&report::audit(audit, &summary.target_names()));
        }
        if let Some(text) = report::thresholds(&summary.thresholds, results.aborted_by) {
            self.print(&text);
        }
        let Recorded {
            unwritten_requests,
            incomplete,
            mut failed,
            mut written,
        } = streams.finish(self.deadline);
        for incomplete in &incomplete {
            self.console.print_surely(format!("\n  {incomplete}"));
            warn(incomplete);
        }
        summary.resources.unwritten_requests = unwritten_requests;
        summary.resources.missed_lines = self.console.missed();
        if !failed.is_empty() || !incomplete.is_empty() {
            summary.exit_code = or_broke(summary.exit_code);
        }
        let deadline = self.deadline.max(Instant::now() + LAST_PATIENCE);
        for file in files.write(summary, deadline) {
            match file {
                Ok(file) => written.push(file),
                Err(error) => failed.push(error),
            }
        }
        if let Some(text) = report::written_files(&written) {
            self.print(&text);
        }
        for error in &failed {
            warn(error);
        }
        for failure in results.events.iter().filter_map(report::event_failure) {
            warn(failure);
        }
        if failed.is_empty() {
            summary.exit_code
        } else {
            or_broke(summary.exit_code)
        }
    }
}
