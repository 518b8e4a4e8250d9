//! `loadgen discover`: finds out what a limiter enforces.

use super::output::{LAST_PATIENCE, Output};
use super::run::run_until;
use super::surroundings::{explained, start_nodes, wait_for_first};
use super::{or_broke, warn};
use crate::base::text::rounded_to_three_digits;
use crate::base::{Mode, Moment, Nanos, Sample};
use crate::cli::{DiscoverSetup, Nodes, Refusal, Setup};
use crate::client::Cluster;
use crate::core::audit::probe::Reply;
use crate::core::discovery::{Experiment, Findings, Question, Shares};
use crate::core::exit_code;
use crate::core::stats::{Snapshot, State};
use crate::core::summary::{
    Candidate, Discovery, DiscoveryCircumstances, DiscoveryTally, EnforcedLimit,
};
use crate::engine::{self, SnapshotRequests, Start, Targets, Watcher};
#[cfg(unix)]
use crate::report::live::{self, Live};
use crate::report::{self, Console, Files, PATIENCE};
use crate::system::limits::raise_descriptor_limit;
#[cfg(unix)]
use crate::system::terminal;
use crate::system::{Stop, signals};
use anyhow::Context;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Finds out what the limiter enforces, and then perhaps holds it to that. Returns the exit code.
pub fn discover(discover: DiscoverSetup) -> anyhow::Result<u8> {
    let stop = Arc::new(Stop::default());
    let signals = signals::install(stop.clone()).context("can't install signal handlers")?;
    let stopping = signals.clone();
    let (code, run) = find_out(discover, &stop, move || stopping.act_as_first())?;
    match run {
        Some(setup) if code == exit_code::FINE => run_until(&setup, &stop, &signals),
        _ => Ok(code),
    }
}

/// Returns the exit code, and the run that is to be carried out next, if there is one.
fn find_out(
    mut discover: DiscoverSetup,
    stop: &Arc<Stop>,
    quit: impl Fn() + Send + 'static,
) -> anyhow::Result<(u8, Option<Box<Setup>>)> {
    let setup = &mut discover.setup;
    let files = Files::open(&setup.outputs, &setup.inputs).map_err(Refusal::from)?;
    raise_descriptor_limit();
    let (targets, _nodes) = start_nodes(&setup.nodes)?;
    let plan = &mut setup.plan;
    // Nobody used these keys before, and there are as many as are needed.
    plan.keys = plan.probe_keys();
    let cluster = Cluster::start(&targets, plan, &setup.connecting);
    let cluster = cluster.context("can't start the resolver's thread")?;
    let setup = &discover.setup;
    if let (Some(wait), Nodes::Targets(_)) = (&setup.wait, &setup.nodes) {
        wait_for_first(wait, &cluster, &targets, setup, stop)?;
    }
    let output = Output::of(&files);
    let console = output.console(stop)?;
    let display = output.display(setup.color);
    let requests = setup.plan.describe_requests();
    let heading = report::discovery_heading(
        cluster.names(),
        &requests,
        discover.has_keys,
        &discover.bounds,
    );
    console.print_surely(heading.display(display));

    let mut progress = Progress::new(&console, &discover, cluster.names(), stop);
    #[cfg(unix)]
    let live = if setup.live_view && output == Output::Standard && terminal::is_capable() {
        let run = live::Run {
            traffic: format!(
                "discover: at most {} requests, {} in any second",
                discover.bounds.requests, discover.bounds.per_second
            ),
            seed: None,
            end: Some(discover.bounds.time),
            drain: [setup.plan.timeout, setup.plan.drain.after_stop],
            promised: None,
        };
        let theme = live::Theme {
            colours: display.colours,
        };
        let requests = progress.requests.clone();
        let live = Live::start(run, requests, console.screen(), stop.clone(), theme, quit);
        Some(live.context("can't start the live view")?)
    } else {
        None
    };
    let experiment = Experiment::new(discover.bounds, targets.len());
    let findings = engine::discover(experiment, &setup.plan, &cluster, stop, &mut progress);
    #[cfg(unix)]
    if let Some(live) = live {
        live.close();
    }
    let findings = findings.map_err(|error| explained(error, setup))?;

    let circumstances = DiscoveryCircumstances {
        started: progress.started,
        targets: cluster.names().to_vec(),
        settings: discover.settings(),
        has_keys: discover.has_keys,
        cost: setup.plan.cost,
        tally: progress.tally,
    };
    let command = |candidate: &Candidate| {
        discover.command_of_a_run(&flags_of_a_run(&discover, &findings, candidate))
    };
    let discovery = Discovery::new(&findings, circumstances, command);
    console.print_surely(report::discovered(&discovery).display(display));
    let deadline = Instant::now() + PATIENCE;
    let mut written = Vec::new();
    let mut code = discovery.exit_code;
    for file in files.write_discovery(&discovery, deadline) {
        match file {
            Ok(file) => written.push(file),
            Err(error) => {
                code = or_broke(code);
                warn(error);
            }
        }
    }
    if let Some(text) = report::written_files(&written) {
        console.print_surely(text.display(display));
    }
    console.print_surely(report::discovered_verdict(&discovery).display(display));
    if !output.close(console, deadline.max(Instant::now() + LAST_PATIENCE)) {
        code = or_broke(code);
    }
    let goes_on = discover.then_audit && !stop.is_requested();
    let run = discovery.candidates.first().filter(|_| goes_on);
    let run = run.map(|candidate| discover.run(&flags_of_a_run(&discover, &findings, candidate)));
    Ok((code, run.transpose()?))
}

/// The flags of the run that holds the limiter to a candidate: each key gets about twice as many requests as it admits.
fn flags_of_a_run(
    discover: &DiscoverSetup,
    findings: &Findings,
    candidate: &Candidate,
) -> Vec<(&'static str, String)> {
    let rates = candidate.limits.iter().map(EnforcedLimit::per_second);
    let of_a_key = 2.0 * rates.fold(f64::MAX, f64::min);
    let have_counts_alone = discover.has_keys && findings.keys != Shares::Yes;
    let most = discover.bounds.per_second as f64;
    let keys = match have_counts_alone {
        true => (most / of_a_key).clamp(1.0, MOST_KEYS).floor(),
        false => 1.0,
    };
    let windows = candidate.limits.iter().map(|limit| limit.window_ns);
    let window = Nanos(windows.max().unwrap_or_default());
    let time = (window * WINDOWS)
        .max(LEAST_RUN)
        .min(MOST_RUN.max(window + LEAST_RUN));
    let rate = rounded_to_three_digits((of_a_key * keys).min(most));
    let mut flags = vec![
        ("--audit", candidate.promise.clone()),
        ("--rps", rate.to_string()),
        ("--burst-enabled", "false".to_owned()),
        (
            "--duration",
            format!("{}", Nanos(time.0.next_multiple_of(SECOND))),
        ),
        ("--keys", keys.to_string()),
    ];
    if !have_counts_alone {
        // The probe's keys would spend the limit of all others.
        flags.push(("--probe", "false".to_owned()));
    }
    flags
}

/// The most keys of the run that follows.
const MOST_KEYS: f64 = 7.0;

const SECOND: u64 = 1_000_000_000;

/// How long that run is: so many windows, within bounds.
const WINDOWS: u64 = 3;
const LEAST_RUN: Nanos = Nanos(15 * SECOND);
const MOST_RUN: Nanos = Nanos(300 * SECOND);

/// Prints how far the discovery is, at every stats interval, and answers the live view.
struct Progress<'a> {
    console: &'a Console,
    /// Whether requests carry a key.
    has_keys: bool,
    names: &'a [String],
    requests: SnapshotRequests,
    stop: &'a Stop,
    every: Nanos,
    next: Nanos,
    start: Moment,
    started: SystemTime,
    tally: DiscoveryTally,
}

impl<'a> Progress<'a> {
    fn new(
        console: &'a Console,
        discover: &DiscoverSetup,
        names: &'a [String],
        stop: &'a Stop,
    ) -> Self {
        let every = Nanos::from(discover.setup.plan.stats_interval);
        Progress {
            console,
            has_keys: discover.has_keys,
            names,
            requests: SnapshotRequests::default(),
            stop,
            every,
            next: every,
            start: Moment::now(),
            started: SystemTime::now(),
            tally: DiscoveryTally::new(names.len()),
        }
    }
}

impl Progress<'_> {
    fn snapshot(&self, elapsed: Nanos) -> Snapshot {
        let state = if self.stop.is_requested() {
            State::Draining
        } else {
            State::Pacing {
                mode: Mode::Steady,
                rate: self.tally.counts().sent as f64 / elapsed.as_secs_f64().max(1.0),
            }
        };
        self.tally
            .snapshot(state, self.started, elapsed, self.names)
    }
}

impl Watcher for Progress<'_> {
    fn begin(&mut self, start: &Start) {
        (self.start, self.started) = (start.at, start.by_calendar);
    }

    fn asked(&mut self, question: &Question, _reply: &Reply, sample: &Sample) {
        self.tally.add(question, sample, self.start);
    }

    fn goes_on(&mut self, elapsed: Nanos, _experiment: &Experiment) {
        for request in self.requests.waiting().try_iter() {
            request.answer(Arc::new(self.snapshot(elapsed)));
        }
        if elapsed >= self.next {
            let counts = self.tally.counts();
            let keys = if self.has_keys { self.tally.keys() } else { 0 };
            let line = report::discovery_progress(elapsed, keys, &counts);
            self.console.print(line);
            while self.next <= elapsed {
                self.next = self.next + self.every;
            }
        }
    }
}
