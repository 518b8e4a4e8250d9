use anyhow::Context;
use loadgen::audit::Verdict;
use loadgen::cli::{self, Arguments, Asked, Options, Refusal};
use loadgen::client::Target;
use loadgen::descriptors::raise_descriptor_limit;
use loadgen::engine::{self, RunError};
use loadgen::limiter::Demo;
use loadgen::plan::{Cluster, Plan};
use loadgen::presets;
use loadgen::report::{Console, Exporter, audit, summary, timetable};
use loadgen::stats::Results;
use loadgen::{signals, stop::Stop};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The run broke.
const BROKE: u8 = 1;
/// It was refused: something asked for can't be.
const REFUSED: u8 = 2;
/// A verdict was asked for, and there is none.
const INCONCLUSIVE: u8 = 3;
/// The limit was not kept.
const NOT_KEPT: u8 = 4;

fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os()) {
        Ok(asked) => carry_out(asked),
        Err(Refusal::Asked(text)) => tell(&text),
        Err(refusal) => Err(refusal.into()),
    };
    let error = match done {
        Ok(code) => return code,
        Err(error) => error,
    };
    warn(format!("{error:#}"));
    let no_target = |error| matches!(error, &RunError::NoTargetResolves(_));
    match error.is::<Refusal>() || error.downcast_ref().is_some_and(no_target) {
        true => ExitCode::from(REFUSED),
        false => ExitCode::from(BROKE),
    }
}

fn carry_out(asked: Asked) -> anyhow::Result<ExitCode> {
    match asked {
        Asked::Run(arguments) => {
            let (plan, exporter) = prepare(&arguments)?;
            run(&plan, exporter)
        }
        Asked::Plan(arguments) => tell(&timetable(&Plan::new(&arguments)?)),
        Asked::Presets(None) => tell(&presets::table()),
        Asked::Presets(Some(preset)) => tell(&presets::details(preset)),
    }
}

/// An address that can't be listened on is refused as any value that can't be.
fn prepare(arguments: &Arguments<Options>) -> Result<(Plan, Option<Exporter>), Refusal> {
    let plan = Plan::new(arguments)?;
    let exporter = plan.metrics.map(|metrics| {
        Exporter::start(metrics.addr).map_err(|error| {
            let allowed = format!("must be an address to listen on; {error}");
            arguments.refuse("metrics_addr", allowed)
        })
    });
    Ok((plan, exporter.transpose()?))
}

fn tell(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Where standard error can't be written to, there is nobody left to tell.
fn warn(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "loadgen: {what}");
}

fn run(plan: &Plan, exporter: Option<Exporter>) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(Stop::default());
    signals::install(stop.clone()).context("signal handlers")?;
    raise_descriptor_limit();
    let (targets, _nodes) = open(&plan.cluster)?;

    let stop_printing = stop.clone();
    let console = Console::start(std::io::stdout(), move || stop_printing.request())
        .context("the console's thread")?;
    let results = engine::run(plan, &targets, &stop, &console, exporter.as_ref())?;
    let linger = plan.metrics.map_or(Duration::ZERO, |m| m.linger);
    let lingers = !linger.is_zero() && !results.interrupted;
    let kept = exporter.filter(|_| lingers).map(|exporter| {
        // Before anything waits for whoever reads standard output.
        exporter.keep(results.snapshot(&targets))
    });
    console.print_surely(summary(&results, &targets));
    if let Some(text) = audit(plan, &results, &targets) {
        console.print_surely(text);
    }
    if let Some(Ok(url)) = &kept {
        console.print_surely(format!("\nmetrics stay at {url} for {linger:?}"));
    }

    let missed = console.close().context("standard output")?;
    if missed > 0 {
        warn(format!(
            "{missed} lines were not printed, since nobody read standard output"
        ));
    }
    kept.transpose().context("the exporter's thread")?;
    if lingers {
        stop.wait(linger);
    }
    Ok(verdict(plan, &results))
}

/// What the exit code says of an audit.
fn verdict(plan: &Plan, results: &Results) -> ExitCode {
    let asked = plan.audit.as_ref().is_some_and(|audit| audit.asked);
    match results.audited() {
        Some(Verdict::Broken) => ExitCode::from(NOT_KEPT),
        Some(Verdict::Inconclusive(_)) if asked => ExitCode::from(INCONCLUSIVE),
        _ => ExitCode::SUCCESS,
    }
}

/// The targets, and the nodes started to be them, which serve for as long as they are kept.
fn open(cluster: &Cluster) -> anyhow::Result<(Vec<Target>, Option<Demo>)> {
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
