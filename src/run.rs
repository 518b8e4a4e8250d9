//! A run as a user sees it: what it needs is opened, it is carried out, and what came of it is told.

use crate::warn;
use anyhow::Context;
use loadgen::base::Target;
use loadgen::cli::{Arguments, Options, Refusal};
use loadgen::client;
use loadgen::core::plan::{Cluster, Plan};
use loadgen::core::stats::{Results, Timeline};
use loadgen::core::summary::{Audit, Circumstances, Configuration, Resources, Summary};
use loadgen::core::{exit_code, threshold};
use loadgen::engine::{self, SnapshotRequests, Targets};
use loadgen::limiter::Demo;
#[cfg(unix)]
use loadgen::report::live::{self, Live};
use loadgen::report::{
    self, Console, Exporter, Files, Lines, Observers, Output, PATIENCE, RunInfo, Streams,
};
use loadgen::system::limits::raise_descriptor_limit;
#[cfg(unix)]
use loadgen::system::terminal;
use loadgen::system::usage::Usage;
use loadgen::system::{Stop, signals};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn run(arguments: &Arguments<Options>) -> anyhow::Result<ExitCode> {
    let plan = &Plan::new(arguments)?;
    let requests = SnapshotRequests::default();
    let (mut files, exporter) = open(arguments, plan, &requests)?;
    let stop = Arc::new(Stop::default());
    let quit = signals::install(stop.clone()).context("signal handlers")?;
    raise_descriptor_limit();
    let (targets, _nodes) = targets(&plan.cluster)?;
    let cluster = client::Cluster::start(&targets, plan, &plan.trust);
    let cluster = cluster.context("no thread for the resolver")?;

    let (printed_to, output): (_, Box<dyn Write + Send>) = if files.takes_standard_output() {
        ("standard error", Box::new(io::stderr()))
    } else {
        ("standard output", Box::new(io::stdout()))
    };
    let stop_printing = stop.clone();
    let console =
        Console::start(output, move || stop_printing.request()).context("the console's thread")?;
    let mut timeline = Timeline::default();
    let mut observers = Observers::new(requests.clone());
    observers.add(Box::new(Lines {
        console: &console,
        heading: report::heading(plan, &targets, exporter.as_ref().map(Exporter::url)),
        aligned_to: plan.alignment.map(|alignment| alignment.window()),
    }));
    let info = RunInfo {
        plan,
        targets: cluster.names(),
    };
    let streams =
        Streams::start(&mut files, info, &mut observers).context("a result file's thread")?;
    if files.show_timeline() {
        observers.add(Box::new(&mut timeline));
    }
    #[cfg(unix)]
    let live = if !arguments.options.results.no_tui
        && !files.takes_standard_output()
        && terminal::is_capable()
    {
        let run = live::Run::new(plan);
        let live = Live::start(run, requests, console.screen(), stop.clone(), quit);
        Some(live.context("the live view")?)
    } else {
        None
    };
    let results = engine::run(plan, &cluster, &stop, &mut observers)?;
    drop(observers);
    #[cfg(unix)]
    if let Some(live) = live {
        live.close();
    }
    let deadline = Instant::now() + PATIENCE;
    let linger = plan.metrics.map_or(Duration::ZERO, |m| m.linger);
    let lingers = !linger.is_zero() && !results.interrupted;
    let kept = exporter.filter(|_| lingers).map(|exporter| {
        // Before anything waits for whoever reads standard output.
        exporter.keep(results.snapshot(&targets))
    });
    let mut summary = summarize(arguments, plan, &results, &targets, &timeline);
    console.print_surely(report::summary(&summary));
    if let Some(audit) = &summary.audit {
        console.print_surely(report::audit(audit, &summary.target_names()));
    }
    if let Some(text) = report::thresholds(&summary.thresholds, results.aborted_by) {
        console.print_surely(text);
    }
    // What has been printed by now can't be lost to a file.
    let recorded = streams.finish(deadline);
    for incomplete in &recorded.incomplete {
        console.print_surely(format!("\n  {incomplete}"));
        warn(incomplete);
    }
    let mut failed = recorded.failed;
    summary.resources.unwritten_requests = recorded.unwritten_requests;
    summary.resources.missed_lines = console.missed();
    let complete = failed.is_empty() && recorded.incomplete.is_empty();
    summary.exit_code = or_broke(summary.exit_code, complete);
    failed.extend(files.write(&summary, deadline));
    failed.iter().for_each(warn);
    if let Some(Ok(url)) = &kept {
        console.print_surely(format!("\nmetrics stay at {url} for {linger:?}"));
    }

    let missed = console.close().context(printed_to)?;
    if missed > 0 {
        warn(format!(
            "{missed} lines were not printed, since nobody read {printed_to}"
        ));
    }
    kept.transpose().context("the exporter's thread")?;
    if lingers {
        stop.wait(linger);
    }
    let code = or_broke(summary.exit_code, failed.is_empty());
    Ok(ExitCode::from(code))
}

/// What was asked about the limiter comes first.
fn or_broke(code: u8, complete: bool) -> u8 {
    match code {
        exit_code::FINE if !complete => exit_code::BROKE,
        code => code,
    }
}

/// An address that can't be listened on, and a file that can't be written, are refused like any other bad value.
fn open(
    arguments: &Arguments<Options>,
    plan: &Plan,
    requests: &SnapshotRequests,
) -> Result<(Files, Option<Exporter>), Refusal> {
    let outputs = arguments.options.results.files.0.iter();
    let outputs: Vec<_> = outputs
        .map(|(format, path)| Output {
            format,
            path: path.clone(),
            asked_by: arguments.name(format.option),
        })
        .collect();
    let files = Files::open(&outputs)
        .map_err(|error| arguments.refuse(error.output.format.option, &error.allowed))?;
    let exporter = plan.metrics.map(|metrics| {
        Exporter::start(metrics.addr, requests).map_err(|error| {
            let allowed = format!("must be an address to listen on; {error}");
            arguments.refuse("metrics_addr", allowed)
        })
    });
    Ok((files, exporter.transpose()?))
}

fn summarize(
    arguments: &Arguments<Options>,
    plan: &Plan,
    results: &Results,
    targets: &[Target],
    timeline: &Timeline,
) -> Summary {
    let thresholds = threshold::judged(&plan.thresholds.all, plan.schedule.end(), results);
    let usage = Usage::so_far();
    let circumstances = Circumstances {
        configuration: Configuration::new(
            plan,
            targets,
            arguments.repeating_command(plan.seed),
            arguments.settings(),
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

/// The targets, and the nodes started to be them, which serve for as long as they are kept.
fn targets(cluster: &Cluster) -> anyhow::Result<(Vec<Target>, Option<Demo>)> {
    match cluster {
        Cluster::Targets(targets) => Ok((targets.clone(), None)),
        Cluster::Demo { policy, limiter } => {
            let demo = Demo::start(*policy, *limiter).context("the demo's nodes")?;
            let targets = demo
                .addrs()
                .into_iter()
                .map(|addr| Target::new(&format!("http://{addr}")).map_err(anyhow::Error::msg));
            Ok((targets.collect::<Result<_, _>>()?, Some(demo)))
        }
    }
}
