//! `loadgen capacity`: a search for the highest rate that holds, of which each step is a run.

use super::output::{LAST_PATIENCE, Output};
use super::surroundings::{explained, start_exporter, start_nodes, wait_for_first};
use super::{or_broke, print, warn};
use crate::base::{Nanos, Target};
use crate::cli::{CapacitySetup, Nodes, Refusal};
use crate::client::{Cluster, Stopped};
use crate::core::capacity::{Judged, Processors, Search, outcome};
use crate::core::plan::Seeds;
use crate::core::schedule::Rate;
use crate::core::stats::Results;
use crate::core::summary::{
    Audit, CapacitySummary, Configuration, Resources, SearchCircumstances, SearchSummary,
    StepPurpose, StepSummary, SteppedRun,
};
use crate::engine::{self, EventLog, SnapshotRequests};
use crate::report::capacity::{self, Extent, Left};
#[cfg(unix)]
use crate::report::live::{self, Live};
use crate::report::{
    self, Console, Display, Exporter, Files, Observers, PATIENCE, StyledText, Surroundings,
};
use crate::system::Stop;
use crate::system::limits::raise_descriptor_limit;
use crate::system::processors::ProcessorTime;
use crate::system::signals::{self, Signals};
#[cfg(unix)]
use crate::system::terminal;
use crate::system::usage::Usage;
use anyhow::Context;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

/// Carries out a search. Returns its exit code.
pub fn capacity(mut setup: CapacitySetup) -> anyhow::Result<u8> {
    let search = Search::new(setup.bounds);
    if setup.is_dry_run {
        let heading = heading(&setup, &search, &setup.run.nodes.examples(), None);
        return print(&format!("{heading}\n"));
    }
    let requests = SnapshotRequests::default();
    let files = Files::open(&setup.run.outputs, &setup.run.inputs).map_err(Refusal::from)?;
    raise_descriptor_limit();
    let exporter = start_exporter(&setup.run, &requests)?;
    let stop = Arc::new(Stop::default());
    let signals = signals::install(stop.clone()).context("can't install signal handlers")?;
    let (targets, _nodes) = start_nodes(&setup.run.nodes)?;
    let output = Output::of(&files);
    let console = output.console(&stop)?;
    let display = output.display(setup.run.color);
    let heading = heading(&setup, &search, &targets, exporter.as_ref());
    console.print_surely(heading.display(display));
    let seeds = setup.run.plan.seeds();
    let cluster = start_cluster(&mut setup, &targets, seeds)?;
    if let (Some(wait), Nodes::Targets(_)) = (&setup.run.wait, &setup.run.nodes) {
        // A stop ends the search before its first step.
        let _: Stopped = wait_for_first(wait, &cluster, &targets, &setup.run, &stop)?;
    }
    let mut climb = Climb {
        #[cfg(unix)]
        has_live_view: setup.run.live_view && output == Output::Standard && terminal::is_capable(),
        setup: &mut setup,
        seeds,
        targets: &targets,
        cluster,
        requests,
        stop,
        signals,
        console: &console,
        display,
        search,
        steps: Vec::new(),
    };
    climb.search()?;
    let confirmation = climb.confirm()?;
    let mut summary = climb.summarize(confirmation);

    let deadline = Instant::now() + PATIENCE;
    let print_surely = |text: &StyledText| console.print_surely(text.display(display));
    if let Some(table) = capacity::result(&summary) {
        print_surely(&table);
    }
    summary.resources.missed_lines = console.missed();
    let code = summary.exit_code;
    let results = files.write_capacity(&summary, deadline.max(Instant::now() + LAST_PATIENCE));
    let (mut written, mut is_whole) = (Vec::new(), true);
    for file in results {
        match file {
            Ok(file) => written.push(file),
            Err(error) => {
                warn(error);
                is_whole = false;
            }
        }
    }
    if let Some(text) = report::written_files(&written) {
        print_surely(&text);
    }
    print_surely(&capacity::verdict(&summary));
    is_whole &= output.close(console, deadline.max(Instant::now() + LAST_PATIENCE));
    Ok(if is_whole { code } else { or_broke(code) })
}

/// Starts to look up the targets' names. Each step then has a cluster of its own.
fn start_cluster(
    setup: &mut CapacitySetup,
    targets: &[Target],
    seeds: Seeds,
) -> anyhow::Result<Cluster> {
    let plan = &mut setup.run.plan;
    plan.set_step(setup.bounds.from, setup.step, seeds, 0);
    let cluster = Cluster::start(targets, plan, &setup.run.connecting);
    cluster.context("can't start the resolver's thread")
}

fn search_summary(setup: &CapacitySetup) -> SearchSummary {
    let thresholds = setup.run.plan.thresholds.all.iter();
    SearchSummary {
        from_per_s: setup.bounds.from.as_f64(),
        to_per_s: setup.bounds.to.as_f64(),
        precision: setup.bounds.precision,
        step_ns: setup.step.0,
        settle_ns: Nanos::from(setup.settle).0,
        confirm_ns: setup.confirm.map(|confirm| confirm.0),
        thresholds: thresholds.map(|threshold| threshold.text.clone()).collect(),
    }
}

/// How long the search may take, and how many requests it may send.
fn extent(setup: &CapacitySetup, search: &Search) -> Extent {
    let plan = &setup.run.plan;
    let confirm = setup.confirm.unwrap_or_default();
    let drain = Nanos::from(plan.drain.at_normal_end(plan.timeout));
    let confirmed = setup.bounds.to.as_f64() * confirm.as_secs_f64();
    let step = setup.step + drain + setup.settle.into();
    let confirmation = if setup.confirm.is_some() {
        confirm + drain
    } else {
        Nanos::ZERO
    };
    Extent {
        steps: search.longest().steps,
        most_steps: search.most_steps(),
        most_time: step * search.most_steps() as u64 + confirmation,
        most_requests: search.most_requests(setup.step) + confirmed.ceil() as u64,
    }
}

fn heading(
    setup: &CapacitySetup,
    search: &Search,
    targets: &[Target],
    exporter: Option<&Exporter>,
) -> StyledText {
    let limiter = match &setup.run.nodes {
        Nodes::Demo { limiter, .. } => limiter.description(),
        Nodes::Targets(_) => None,
    };
    let metrics = exporter.map(Exporter::url);
    capacity::heading(
        &setup.run.plan,
        &search_summary(setup),
        setup.has_default_thresholds,
        extent(setup, search),
        Surroundings {
            targets,
            limiter: limiter.as_deref(),
            metrics: metrics.as_deref(),
            variables: &setup.run.variables,
        },
    )
}

/// A search in progress.
struct Climb<'a> {
    setup: &'a mut CapacitySetup,
    seeds: Seeds,
    targets: &'a [Target],
    /// That of the step before, whose lookups the next one shares.
    cluster: Cluster,
    requests: SnapshotRequests,
    stop: Arc<Stop>,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only the live view has keys"))]
    signals: Signals,
    #[cfg(unix)]
    has_live_view: bool,
    console: &'a Console,
    display: Display,
    search: Search,
    steps: Vec<StepSummary>,
}

impl Climb<'_> {
    fn print(&self, text: &StyledText) {
        self.console.print(text.display(self.display));
    }

    /// Makes steps until the search is over, or a signal stops it.
    fn search(&mut self) -> anyhow::Result<()> {
        self.print(&capacity::columns());
        while let Some(step) = self.search.next()
            && !self.stop.is_requested()
        {
            let left = self.search.left().steps;
            let name = format!("step {} of about {}", step.number, step.number - 1 + left);
            let purpose = step.purpose.into();
            let (summary, judged) =
                self.step(step.number, purpose, step.rate, self.setup.step, &name)?;
            if !self.stop.is_requested() {
                self.search.add(step.rate, judged.outcome);
            }
            self.print(&capacity::row(&summary, self.left()));
            self.steps.push(summary);
            if self.search.next().is_some() || self.setup.confirm.is_some() {
                self.stop.wait(self.setup.settle);
            }
        }
        Ok(())
    }

    /// What is left of the search, about.
    fn left(&self) -> Left {
        if self.stop.is_requested() {
            return Left::default();
        }
        let steps = self.search.left().steps;
        let each = self.setup.step + self.setup.settle.into();
        let confirmation = self.setup.confirm.unwrap_or_default();
        Left {
            steps,
            time: each * steps as u64 + confirmation,
        }
    }

    /// Keeps the rate that was found up, if that is to be done.
    fn confirm(&mut self) -> anyhow::Result<Option<StepSummary>> {
        let is_over = self.search.next().is_none() && !self.stop.is_requested();
        let (Some(rate), Some(length), true) =
            (self.search.finding().held, self.setup.confirm, is_over)
        else {
            return Ok(None);
        };
        let number = self.steps.len() + 1;
        let (summary, _) = self.step(number, StepPurpose::Confirm, rate, length, "confirmation")?;
        self.print(&capacity::row(&summary, Left::default()));
        Ok(Some(summary))
    }

    /// Makes a step: a run at this rate for `length`, with keys and connections of its own.
    fn step(
        &mut self,
        number: usize,
        purpose: StepPurpose,
        rate: Rate,
        length: Nanos,
        name: &str,
    ) -> anyhow::Result<(StepSummary, Judged)> {
        let CapacitySetup { run, .. } = &mut *self.setup;
        run.plan.set_step(rate, length, self.seeds, number as u64);
        let cluster = self
            .cluster
            .renewed(self.targets, &run.plan, &run.connecting);
        let stop = self.stop.follower();
        let mut observers = Observers::new(self.requests.clone());
        #[cfg(unix)]
        let live = self.show(name, &stop)?;
        let before = Busy::so_far();
        let results = engine::run(
            &self.setup.run.plan,
            &cluster,
            &stop,
            &EventLog::default(),
            &mut observers,
        );
        let processors = Busy::so_far().since(&before);
        #[cfg(unix)]
        if let Some(live) = live {
            live.close();
        }
        let results: Results = results.map_err(|error| explained(error, &self.setup.run))?;
        let plan = &self.setup.run.plan;
        let judged = outcome(plan, &results, processors);
        let audit = Audit::of(plan, &results, self.targets);
        let summary = StepSummary::new(SteppedRun {
            number,
            purpose,
            rate,
            plan,
            targets: self.targets,
            results: &results,
            judged: judged.clone(),
            is_stopped: self.stop.is_requested(),
            audit: audit.map(|audit| audit.headline),
            processors,
        });
        self.cluster = cluster;
        Ok((summary, judged))
    }

    /// Shows the live view of a step, if there is a terminal.
    #[cfg(unix)]
    fn show(&self, name: &str, stop: &Arc<Stop>) -> anyhow::Result<Option<Live>> {
        if !self.has_live_view {
            return Ok(None);
        }
        let mut run = live::Run::new(&self.setup.run.plan);
        run.traffic = format!("{name}: {}", run.traffic);
        let theme = live::Theme {
            colours: self.display.colours,
        };
        let signals = self.signals.clone();
        let live = Live::start(
            run,
            self.requests.clone(),
            self.console.screen(),
            stop.clone(),
            theme,
            move || signals.act_as_first(),
        );
        live.context("can't start the live view").map(Some)
    }

    fn summarize(self, confirmation: Option<StepSummary>) -> CapacitySummary {
        let run = &self.setup.run;
        let usage = Usage::so_far();
        let mut configuration = Configuration::new(
            &run.plan,
            self.targets,
            run.repeating_command.clone(),
            run.settings.clone(),
        );
        let search = search_summary(self.setup);
        configuration.traffic = format!(
            "steps of {:#} from {}/s to {}/s",
            self.setup.step, search.from_per_s, search.to_per_s
        );
        configuration.seed = self.seeds.order();
        let circumstances = SearchCircumstances {
            search,
            finding: self.search.finding(),
            interrupted: self.stop.is_requested(),
            configuration,
            resources: Resources {
                user_ns: usage.map(|usage| usage.user.0),
                system_ns: usage.map(|usage| usage.system.0),
                peak_memory: usage.map(|usage| usage.peak_memory),
                ..Resources::default()
            },
        };
        CapacitySummary::new(circumstances, self.steps, confirmation)
    }
}

/// The processor time of this process and of this machine up to an instant.
struct Busy {
    at: Instant,
    own: Option<Usage>,
    all: Option<ProcessorTime>,
}

impl Busy {
    fn so_far() -> Busy {
        Busy {
            at: Instant::now(),
            own: Usage::so_far(),
            all: ProcessorTime::so_far(),
        }
    }

    fn since(&self, before: &Busy) -> Processors {
        let used = |usage: Usage| (usage.user + usage.system).as_secs_f64();
        let time = (self.at - before.at).as_secs_f64().max(1e-9);
        let count = available_parallelism().map_or(1, usize::from) as f64;
        let own = self.own.zip(before.own);
        let all = self.all.zip(before.all);
        Processors {
            own: own.map(|(now, then)| (used(now) - used(then)) / time / count),
            all: all.and_then(|(now, then)| now.busy_since(then)),
        }
    }
}
