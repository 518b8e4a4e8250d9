//! `loadgen`: opens files and sockets for a run, carries it out, and reports its results.

use super::warn;
use crate::base::Target;
use crate::cli::{Nodes, Refusal, Setup};
use crate::client::Cluster;
use crate::core::stats::{Results, TimelineTally};
use crate::core::summary::{Audit, Circumstances, Configuration, Resources, Summary};
use crate::core::{exit_code, threshold};
use crate::engine::{self, SnapshotRequests, Targets};
use crate::limiter::Demo;
#[cfg(unix)]
use crate::report::live::{self, Live};
use crate::report::{
    self, Console, Exporter, Files, Lines, Observers, PATIENCE, Recorded, RunInfo, Streams,
};
use crate::system::limits::raise_descriptor_limit;
#[cfg(unix)]
use crate::system::terminal;
use crate::system::usage::Usage;
use crate::system::{Stop, signals};
use anyhow::Context;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Carries out a run. Returns its exit code.
pub fn run(setup: &Setup) -> anyhow::Result<u8> {
    let requests = SnapshotRequests::default();
    let mut files = Files::open(&setup.outputs).map_err(Refusal::from)?;
    let exporter = start_exporter(setup, &requests)?;
    let stop = Arc::new(Stop::default());
    let quit = signals::install(stop.clone()).context("can't install signal handlers")?;
    raise_descriptor_limit();
    let (targets, _nodes) = start_nodes(&setup.nodes)?;
    let cluster = Cluster::start(&targets, &setup.plan, &setup.connecting);
    let cluster = cluster.context("can't start the resolver's thread")?;
    let output = Output::of(&files);
    let console = output.console(&stop)?;
    let mut timeline = TimelineTally::default();

    let mut observers = Observers::new(requests.clone());
    observers.add(Box::new(Lines {
        console: &console,
        heading: heading(setup, &targets, exporter.as_ref()),
        aligned_to: setup.plan.alignment.map(|alignment| alignment.window()),
    }));
    let info = RunInfo {
        plan: &setup.plan,
        targets: cluster.names(),
    };
    let streams = Streams::start(&mut files, info, &mut observers);
    let streams = streams.context("can't start a result file's thread")?;
    if files.show_timeline() {
        observers.add(Box::new(&mut timeline));
    }
    #[cfg(unix)]
    let live = if setup.live_view && output == Output::Standard && terminal::is_capable() {
        let run = live::Run::new(&setup.plan);
        let live = Live::start(run, requests, console.screen(), stop.clone(), quit);
        Some(live.context("can't start the live view")?)
    } else {
        None
    };
    let results = engine::run(&setup.plan, &cluster, &stop, &mut observers)?;
    drop(observers);
    #[cfg(unix)]
    if let Some(live) = live {
        live.close();
    }

    let linger = linger(setup, &results);
    // The last scrapes are answered before anything waits for the reader of standard output.
    let kept = exporter.filter(|_| !linger.is_zero());
    let kept = kept.map(|exporter| exporter.keep(results.snapshot(&targets)));
    let mut summary = summarize(setup, &results, &targets, &timeline);
    let code = write_results(&console, &results, &mut summary, streams, files);
    if let Some(Ok(url)) = &kept {
        console.print_surely(format!("\nmetrics stay available at {url} for {linger:?}"));
    }
    output.close(console)?;
    kept.transpose()
        .context("can't start the exporter's thread")?;
    stop.wait(linger);
    Ok(code)
}

/// The stream to which lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Standard,
    /// Standard error, because a result goes to standard output.
    Error,
}

impl Output {
    fn of(files: &Files) -> Output {
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

    /// Starts the console. The run stops when its lines can't be printed any more.
    fn console(self, stop: &Arc<Stop>) -> anyhow::Result<Console> {
        let output: Box<dyn Write + Send> = match self {
            Output::Standard => Box::new(io::stdout()),
            Output::Error => Box::new(io::stderr()),
        };
        let stop = stop.clone();
        Console::start(output, move || stop.request()).context("can't start the console's thread")
    }

    fn close(self, console: Console) -> anyhow::Result<()> {
        let missed = console.close().context(self.name())?;
        if missed > 0 {
            warn(format!(
                "{missed} lines were not printed, because nobody read {}",
                self.name()
            ));
        }
        Ok(())
    }
}

fn start_exporter(setup: &Setup, requests: &SnapshotRequests) -> Result<Option<Exporter>, Refusal> {
    let Some(metrics) = &setup.metrics else {
        return Ok(None);
    };
    let exporter = Exporter::start(metrics.addr, requests);
    exporter.map(Some).map_err(|error| metrics.refuse(&error))
}

/// Returns the targets, and the demo's nodes, which serve for as long as they are kept.
fn start_nodes(nodes: &Nodes) -> anyhow::Result<(Vec<Target>, Option<Demo>)> {
    match nodes {
        Nodes::Targets(targets) => Ok((targets.clone(), None)),
        Nodes::Demo { policy, limiter } => {
            let demo = Demo::start(*policy, *limiter).context("can't start the demo's nodes")?;
            let mut targets = Vec::new();
            for addr in demo.addrs() {
                let target = Target::new(&format!("http://{addr}"));
                targets.push(target.map_err(anyhow::Error::msg)?);
            }
            Ok((targets, Some(demo)))
        }
    }
}

fn heading(setup: &Setup, targets: &[Target], exporter: Option<&Exporter>) -> String {
    let limiter = match &setup.nodes {
        Nodes::Demo { limiter, .. } => limiter.description(),
        Nodes::Targets(_) => None,
    };
    let metrics = exporter.map(Exporter::url);
    report::heading(&setup.plan, targets, limiter.as_deref(), metrics.as_deref())
}

/// The time for which metrics stay available after the run. It is zero if the run was stopped.
fn linger(setup: &Setup, results: &Results) -> Duration {
    match &setup.metrics {
        Some(metrics) if !results.interrupted => metrics.linger,
        _ => Duration::ZERO,
    }
}

fn summarize(
    setup: &Setup,
    results: &Results,
    targets: &[Target],
    timeline: &TimelineTally,
) -> Summary {
    let plan = &setup.plan;
    let thresholds = threshold::judged(&plan.thresholds.all, plan.schedule.end(), results);
    let usage = Usage::so_far();
    let circumstances = Circumstances {
        configuration: Configuration::new(
            plan,
            targets,
            setup.repeating_command.clone(),
            setup.settings.clone(),
        ),
        timeline,
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

/// Prints the summary, completes the files, and returns the exit code. An error with one file does not
/// prevent the others from being written.
fn write_results(
    console: &Console,
    results: &Results,
    summary: &mut Summary,
    streams: Streams,
    files: Files,
) -> u8 {
    let deadline = Instant::now() + PATIENCE;
    console.print_surely(report::summary(summary));
    if let Some(audit) = &summary.audit {
        console.print_surely(report::audit(audit, &summary.target_names()));
    }
    if let Some(text) = report::thresholds(&summary.thresholds, results.aborted_by) {
        console.print_surely(text);
    }
    let Recorded {
        unwritten_requests,
        incomplete,
        mut failed,
    } = streams.finish(deadline);
    for incomplete in &incomplete {
        console.print_surely(format!("\n  {incomplete}"));
        warn(incomplete);
    }
    summary.resources.unwritten_requests = unwritten_requests;
    summary.resources.missed_lines = console.missed();
    if !failed.is_empty() || !incomplete.is_empty() {
        summary.exit_code = or_broke(summary.exit_code);
    }
    failed.extend(files.write(summary, deadline));
    for error in &failed {
        warn(error);
    }
    if failed.is_empty() {
        summary.exit_code
    } else {
        or_broke(summary.exit_code)
    }
}

/// The exit code if a file could not be written. A verdict on the limiter takes precedence.
fn or_broke(code: u8) -> u8 {
    if code == exit_code::FINE {
        exit_code::BROKE
    } else {
        code
    }
}
