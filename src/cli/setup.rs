//! Everything that a run needs, checked.

use super::cluster::check_demo_tiers;
use super::fingerprint::fingerprint;
use super::promise::Promised;
use super::thresholds::Subjects;
use super::{Arguments, Nodes, Options, Refusal};
use crate::client::Connecting;
use crate::core::audit::Quota;
use crate::core::plan::{Drain, Plan};
use crate::core::summary::{RepeatingCommand, Setting};
use crate::report::{ColorChoice, Input, Output};
use clap::Id;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

/// A requested run, as checked values. Nothing after this reads text.
#[derive(Debug)]
pub struct Setup {
    pub plan: Plan,
    pub nodes: Nodes,
    pub connecting: Connecting,
    /// How long to wait for the first target before the run.
    pub wait: Option<Wait>,
    /// Whether nobody said where requests go.
    pub has_default_targets: bool,
    /// `None` if no metrics are served.
    pub metrics: Option<Metrics>,
    /// The files that results go to.
    pub outputs: Vec<Output>,
    /// The files that the options were read from.
    pub inputs: Vec<Input>,
    /// Whether the live view is shown if standard output is a terminal.
    pub live_view: bool,
    /// When verdicts are coloured.
    pub color: ColorChoice,
    /// Every option with its value, for the reports.
    pub settings: Vec<Setting>,
    /// The command that judges all stripes of the run together, if this process sends one of them and a verdict was asked for.
    pub audit_command: Option<String>,
    /// The identifier of the plan, which all stripes of one run have in common.
    pub fingerprint: String,
    /// The environment variables that took effect.
    pub variables: Vec<String>,
    /// The command that repeats this run.
    pub repeating_command: RepeatingCommand,
}

/// The wait for the first target.
#[derive(Debug, Clone)]
pub struct Wait {
    pub longest: Duration,
    /// The option and its value, as they were given.
    pub asked_by: String,
}

/// The server of metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The address to listen on. Port 0 stands for any free one.
    pub addr: SocketAddr,
    /// The time for which metrics stay available after a run that was not stopped.
    pub linger: Duration,
    /// Whether anybody who reaches the address may mark a moment of the run.
    pub accepts_marks: bool,
    asked_by: String,
    text: String,
}

impl Metrics {
    /// The line that refuses the address.
    pub fn refuse(&self, why: &std::io::Error) -> Refusal {
        let allowed = format!("must be an address to listen on; {why}");
        Refusal::wrong(&self.asked_by, &self.text, &allowed)
    }
}

impl Setup {
    /// Checks the rules that concern several options.
    ///
    /// # Errors
    /// The options contradict each other, or a file that they name can't be read.
    pub fn new(arguments: &Arguments<Options>) -> Result<Setup, Refusal> {
        let Options {
            cluster,
            connections,
            traffic,
            replay: replay_options,
            requests,
            answers,
            failing_open,
            keys: key_options,
            audit,
            thresholds,
            events,
            stripes,
            results,
            generator,
        } = &arguments.options;
        let is_demo = cluster.is_demo(arguments)?;
        let promised = Promised::new(arguments, audit.promise(is_demo), &requests.quota)?;
        let quota = promised.quota;
        let stripe = stripes.stripe(arguments, is_demo)?;
        let start = stripes.start(arguments)?;
        let (allowed, blocked) = answers.rules(&requests.preset);
        let failing_open = failing_open.rules();
        let all_rules = [&allowed, &blocked, &failing_open];
        let reads_bodies = all_rules.iter().any(|rules| rules.read_bodies());
        let mut recorded =
            replay_options.read(arguments, requests.own_headers(reads_bodies), || {
                key_options.listed(arguments)
            })?;
        let replay = recorded.as_ref().map(|recorded| recorded.replay.clone());
        let has_recorded_paths = replay
            .as_ref()
            .is_some_and(|replay| replay.requests.have_paths());
        let recorded_requests = replay.as_ref().map(|replay| replay.requests.clone());
        let schedule = traffic.schedule(arguments, quota.window, replay)?;
        let schedule = schedule.with_stripe(stripe);
        let (mut nodes, own_paths) =
            cluster.nodes(arguments, is_demo, quota, has_recorded_paths)?;
        connections.redirect(arguments, &mut nodes)?;
        let common_start = start.as_ref().filter(|_| !stripe.is_whole());
        let is_audited = promised.promises.is_some();
        let key_seed = audit.key_seed(arguments, is_audited, common_start)?;
        let keys = key_options.plan(arguments, key_seed, recorded.as_mut())?;
        let request = requests.request(arguments, own_paths, &keys, quota, reads_bodies)?;
        check_demo_tiers(arguments, &nodes, &request, &keys)?;
        let audit_plan = audit.plan(
            arguments,
            &promised,
            is_demo,
            &request,
            stripe,
            recorded_requests.as_deref(),
        )?;
        let mut written_events = events.read(arguments)?;
        let planned = written_events.plan(schedule.end())?;
        let accepts_marks = events.accepts_marks(arguments)?;
        thresholds.check_stripe(arguments, stripe)?;
        if let Some(start) = &start {
            stripes.check_end(arguments, start, &schedule)?;
        }
        let subjects = Subjects {
            targets: nodes.count(),
            is_audited: audit_plan.is_some(),
            schedule: &schedule,
            events: &planned,
            accepts_marks,
        };
        let plan = Plan {
            thresholds: thresholds.plan(arguments, &subjects, &written_events)?,
            events: planned,
            audit: audit_plan,
            alignment: traffic.alignment(arguments, &schedule, quota.window)?,
            schedule,
            workers: generator.workers,
            queue: generator.queue,
            timeout: generator.requests.timeout,
            drain: Drain {
                after_stop: *generator.drain_timeout,
                after_schedule: arguments
                    .is_given(&generator.drain_timeout)
                    .then_some(*generator.drain_timeout),
            },
            stats_interval: generator.stats_interval,
            request,
            limit: quota.limit,
            window: quota.window,
            cost: *requests.cost,
            keys,
            key_distribution: *key_options.key_distribution,
            seed: *generator.seed,
            key_seed,
            allowed,
            blocked,
            failing_open,
            undo_timeout: events.undo_timeout,
            start,
            clock_error: stripes.clock_error(),
        };
        let settings = arguments.settings(results.show_secrets);
        let outputs = results.outputs(arguments);
        requests.check_lengths(arguments, &plan, &nodes.examples())?;
        let audit_command = audit.command_of_stripes(arguments, &plan, &outputs)?;
        Ok(Setup {
            connecting: connections.connecting(arguments, cluster.trust(arguments)?, &nodes)?,
            wait: connections
                .wait
                .as_ref()
                .filter(|wait| !wait.is_zero())
                .map(|wait| Wait {
                    longest: **wait,
                    asked_by: format!("{} '{}'", arguments.name(wait), wait.text),
                }),
            has_default_targets: !is_demo
                && cluster.urls.is_empty()
                && !arguments.is_given(&cluster.targets),
            nodes,
            // A variable may set this for all runs.
            metrics: generator.metrics_addr.as_ref().map(|addr| Metrics {
                addr: **addr,
                linger: generator.metrics_linger,
                accepts_marks,
                asked_by: arguments.name(addr),
                text: addr.text.clone(),
            }),
            inputs: arguments.inputs(&outputs),
            outputs,
            live_view: !results.no_tui,
            color: results.color.color,
            audit_command,
            fingerprint: fingerprint(&plan, &arguments.settings(false)).to_string(),
            settings,
            variables: arguments.variables(),
            repeating_command: arguments.repeating_command(
                Some(plan.seed),
                plan.request.body.as_ref(),
                &without_effect(arguments, is_demo, quota, &plan),
                &stripes.repeated(stripe),
            ),
            plan,
        })
    }
}

/// The options that have no effect on this run if they came from variables, which may be set for all runs.
pub(super) fn without_effect<'a>(
    arguments: &'a Arguments<Options>,
    is_demo: bool,
    quota: Quota,
    plan: &Plan,
) -> HashSet<&'a Id> {
    let Options {
        cluster,
        replay,
        requests,
        audit,
        thresholds,
        events,
        stripes,
        generator,
        ..
    } = &arguments.options;
    let judging = &audit.judging;
    let (limit, window) = (&requests.quota.limit, &requests.quota.window);
    let reuses_keys = plan.audit.is_some() && generator.has_chosen_seed();
    let mut without = HashSet::new();
    if is_demo {
        without.insert(&cluster.targets.id);
    } else {
        without.extend([&cluster.demo.id, &cluster.demo_limiter.id]);
    }
    if plan.audit.is_none() {
        without.extend([
            &audit.probe.id,
            &judging.audit_memory.id,
            &judging.excess_tolerance.id,
        ]);
        without.extend(judging.clock_tolerance.iter().map(|option| &option.id));
    }
    if replay.replay.is_none() {
        without.extend([
            &replay.speed.id,
            &replay.repeat.id,
            &replay.skip_unreadable.id,
        ]);
        without.extend(replay.replay_format.iter().map(|option| &option.id));
        without.extend(replay.replay_key.iter().map(|option| &option.id));
    }
    if !reuses_keys {
        without.insert(&audit.reuse_keys.id);
    }
    if plan.thresholds.all.is_empty() {
        without.insert(&thresholds.abort_on_fail.id);
    }
    if plan.events.is_empty() {
        without.extend(events.undo.iter().map(|option| &option.id));
    }
    if plan.start.is_none() {
        without.insert(&stripes.join_late.id);
    }
    if generator.metrics_addr.is_none() {
        without.insert(&events.accept_marks.id);
    }
    // The promise has numbers of its own.
    if quota.limit != **limit {
        without.insert(&limit.id);
    }
    if quota.window != requests.quota.window() {
        without.insert(&window.id);
    }
    without
}
