//! The results of a whole schedule from those of its stripes.
//!
//! Each stripe's summary carries the histograms of its run whole, so the merged [`Results`] are those that one process would
//! have had, and the same code makes a summary of them and judges the thresholds. Summaries are added one by one, and none is
//! kept, so the memory does not depend on the number of requests, and hardly on that of the stripes.

mod audit_command;
mod carried;
mod reached;
mod texts;
mod unmergeable;

pub use unmergeable::{Unmergeable, Why};

use crate::base::{Address, Ledger, Moment, Nanos, Target};
use crate::core::exit_code;
use crate::core::masking::without_lengths;
use crate::core::round_robin::RoundRobin;
use crate::core::stats::effects::Effects;
use crate::core::stats::{
    AddressTallies, CoarseHistogram, FailureExample, FailureExamples, Lateness, OutcomeCounts,
    PhaseTallies, Results, ScheduleVerdict, Tally, TimelineTally,
};
use crate::core::stripe::Stripe;
use crate::core::summary::{
    Circumstances, Configuration, MergedEvent, MergedStripe, MergedSummary, MissingStripe,
    Resources, ScheduleSummary, Source, StripeSummary, Summary,
};
use crate::core::threshold::{self, JudgedThreshold, Met, Threshold, WholeSchedule};
use carried::Carried;
use reached::{Reached, whole_phases};
use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

/// Adds up the results of stripes.
#[derive(Debug)]
pub struct Merger {
    /// The options whose values may differ.
    uncompared: HashSet<String>,
    whole: Option<Whole>,
    stripes: BTreeMap<u64, (MergedStripe, Reached)>,
}

/// The results so far, and what all stripes have in common.
#[derive(Debug)]
struct Whole {
    /// The first file, with which all others must agree.
    file: String,
    stripe: StripeSummary,
    /// The configuration of the stripe with the lowest index.
    configuration: Configuration,
    configured_by: u64,
    version: String,
    targets: Vec<Target>,
    names: Vec<String>,
    thresholds: Vec<Threshold>,
    planned: Option<Nanos>,
    ledgers: Vec<Ledger>,
    lateness: Vec<Lateness>,
    tally: Tally,
    addresses: Vec<Vec<(Address, OutcomeCounts, CoarseHistogram)>>,
    phases: PhaseTallies,
    timeline: TimelineTally,
    examples: Vec<FailureExample>,
    events: Vec<MergedEvent>,
    /// The longest time of a stripe from its start to the end of pacing, and to its last answer.
    paced: Nanos,
    ended: Nanos,
    started: SystemTime,
    /// How far the clocks of the stripes may be off. `None` if that of a stripe is not known.
    clock_errors: Option<ClockErrors>,
    missed: u64,
    interrupted: bool,
    rates: Vec<OwnRate>,
    resources: Resources,
    /// The files of `--requests`, as the stripes were given them.
    requests: Vec<String>,
}

/// How far clocks may be off.
#[derive(Debug, Clone, Copy, Default)]
struct ClockErrors {
    largest: Nanos,
    /// 0 with fewer than two clocks.
    second_largest: Nanos,
}

impl ClockErrors {
    fn with(self, error: Nanos) -> ClockErrors {
        ClockErrors {
            largest: self.largest.max(error),
            second_largest: self.second_largest.max(error.min(self.largest)),
        }
    }

    /// How far two of the clocks may be apart: one may be early, and the other late.
    fn apart(self) -> Nanos {
        self.largest + self.second_largest
    }
}

impl Merger {
    /// `uncompared` are the options whose values may differ from stripe to stripe, without dashes.
    pub fn new(uncompared: HashSet<String>) -> Merger {
        Merger {
            uncompared,
            whole: None,
            stripes: BTreeMap::new(),
        }
    }

    /// How many stripes were added.
    pub fn count(&self) -> u64 {
        self.stripes.len() as u64
    }

    /// The number of stripes of the schedule. `None` before the first was added.
    pub fn of(&self) -> Option<u64> {
        self.whole.as_ref().map(|whole| whole.stripe.of)
    }

    /// The start of the stripes. `None` before the first was added.
    pub fn start(&self) -> Option<&str> {
        self.whole.as_ref().map(|whole| &*whole.stripe.start)
    }

    /// Adds the results of a stripe. `file` is the name of its file.
    ///
    /// # Errors
    /// It is no stripe, it does not belong to the stripes before, or its numbers contradict each other. Nothing was added then.
    pub fn add(&mut self, file: &str, summary: &Summary) -> Result<(), Unmergeable> {
        let because = |why| Unmergeable::new(file, why);
        if summary.merged.is_some() {
            return Err(because(Why::Merged));
        }
        let stripe = summary.stripe.as_ref().ok_or(because(Why::Whole))?;
        let index = stripe
            .stripe()
            .ok_or_else(|| because(Why::malformed("stripe", "has numbers that no stripe has")))?;
        if let Some(whole) = &self.whole {
            whole
                .check_same_plan(stripe, summary, &self.uncompared)
                .map_err(because)?;
        }
        if let Some((other, _)) = self.stripes.get(&stripe.index) {
            let other = other.file.clone();
            let (index, of) = (stripe.index, stripe.of);
            return Err(because(Why::Twice { index, of, other }));
        }
        let row = MergedStripe::of(file, summary).ok_or(because(Why::Whole))?;
        let carried = Carried::of(summary).map_err(because)?;
        let whole = match &mut self.whole {
            Some(whole) => {
                whole.check_same_shape(&carried).map_err(because)?;
                whole
            }
            None => {
                let first = Whole::new(file, stripe, summary, &carried).map_err(because)?;
                self.whole.insert(first)
            }
        };
        let reached = Reached::of(index, &carried);
        whole.add(stripe.index, summary, carried);
        self.stripes.insert(stripe.index, (row, reached));
        Ok(())
    }

    /// The summary of the whole. `None` if no stripe was added.
    pub fn finish(self) -> Option<Summary> {
        let stripes = self.stripes;
        self.whole.map(|whole| whole.finish(stripes))
    }
}

impl Whole {
    fn new(
        file: &str,
        stripe: &StripeSummary,
        summary: &Summary,
        carried: &Carried,
    ) -> Result<Whole, Why> {
        let malformed = |name: String, why: String| Why::Malformed { name, why };
        let parse = |(place, text): (usize, &JudgedThreshold)| {
            let threshold: Result<Threshold, _> = text.text.parse();
            threshold
                .map_err(|error| malformed(format!("thresholds[{place}].text"), error.to_string()))
        };
        let thresholds = summary.thresholds.iter().enumerate().map(parse);
        let count = carried.targets.len();
        Ok(Whole {
            file: file.to_owned(),
            stripe: stripe.clone(),
            configuration: summary.configuration.clone(),
            configured_by: stripe.index,
            version: summary.loadgen.version.clone(),
            targets: carried.targets.clone(),
            names: carried.targets.iter().map(Target::to_string).collect(),
            thresholds: thresholds.collect::<Result<_, _>>()?,
            planned: summary.run.planned_ns.map(Nanos),
            ledgers: vec![Ledger::default(); count],
            lateness: vec![Lateness::default(); count],
            tally: Tally::new(count),
            addresses: vec![Vec::new(); count],
            phases: PhaseTallies::default(),
            timeline: TimelineTally::default(),
            examples: Vec::new(),
            events: Vec::new(),
            paced: Nanos::ZERO,
            ended: Nanos::ZERO,
            started: carried.started,
            clock_errors: Some(ClockErrors::default()),
            missed: 0,
            interrupted: false,
            rates: Vec::new(),
            resources: Resources::default(),
            requests: Vec::new(),
        })
    }

    /// Refuses a stripe of another plan, of another number of stripes, or with another start.
    fn check_same_plan(
        &self,
        stripe: &StripeSummary,
        summary: &Summary,
        uncompared: &HashSet<String>,
    ) -> Result<(), Why> {
        let other = self.file.clone();
        if stripe.plan != self.stripe.plan {
            return Err(Why::OtherPlan {
                other,
                differing: self.differing(summary, uncompared),
            });
        }
        if stripe.of != self.stripe.of {
            let (of, others) = (stripe.of, self.stripe.of);
            return Err(Why::OtherNumber { other, of, others });
        }
        if stripe.start != self.stripe.start {
            let (start, others) = (stripe.start.clone(), self.stripe.start.clone());
            return Err(Why::OtherStart {
                other,
                start,
                others,
            });
        }
        Ok(())
    }

    /// The options, as they are typed, in which the plan of this summary differs from that of the first file.
    fn differing(&self, summary: &Summary, uncompared: &HashSet<String>) -> Vec<String> {
        let (own, first) = (&summary.configuration, &self.configuration);
        // A mask has the length of a secret.
        let plain = |value: &String| without_lengths(value).into_owned();
        let values = |of: &Configuration, option: &str| -> Option<Vec<String>> {
            let setting = of.settings.iter().find(|setting| setting.option == option);
            Some(setting?.values.iter().map(plain).collect())
        };
        let options = own.settings.iter().chain(&first.settings);
        let mut differing: Vec<String> = Vec::new();
        if own.seed != first.seed {
            differing.push("--seed".to_owned());
        }
        for setting in options {
            let option = &setting.option;
            let typed = crate::core::summary::as_typed(option);
            if !uncompared.contains(option)
                && values(own, option) != values(first, option)
                && !differing.contains(&typed)
            {
                differing.push(typed);
            }
        }
        if summary.loadgen.version != self.version {
            differing.push("the version of loadgen".to_owned());
        }
        differing
    }

    /// Refuses a stripe whose results have other parts, although it says that its plan is the same.
    fn check_same_shape(&self, carried: &Carried) -> Result<(), Why> {
        let names: Vec<_> = carried.targets.iter().map(Target::to_string).collect();
        if names != self.names {
            let other = &self.file;
            let why = format!("are not those of '{other}', although the plan is the same");
            return Err(Why::malformed("targets", &why));
        }
        Ok(())
    }

    fn add(&mut self, index: u64, summary: &Summary, carried: Carried) {
        let targets = self.ledgers.iter_mut().zip(&mut self.lateness);
        for ((ledger, lateness), own) in targets.zip(carried.ledgers.iter().zip(&carried.lateness))
        {
            *ledger += *own.0;
            *lateness = *lateness + *own.1;
        }
        if index < self.configured_by {
            self.configured_by = index;
            self.configuration = summary.configuration.clone();
        }
        carried.add_tally_to(&mut self.tally);
        for (all, own) in self.addresses.iter_mut().zip(carried.addresses) {
            add_addresses(all, own);
        }
        let is_longest = carried.paced >= self.paced;
        carried.phases.add_to(&mut self.phases, is_longest);
        self.timeline.merge(carried.timeline);
        self.examples.extend(carried.examples);
        self.examples = first_of_each_kind(std::mem::take(&mut self.examples));
        let events = summary.events.iter();
        self.events
            .extend(events.map(|event| MergedEvent::of(index, event)));
        self.rates.push(OwnRate {
            asked: summary.run.asked_per_s,
            followed: self.followed(carried.paced),
            interrupted: summary.run.interrupted,
        });
        self.paced = self.paced.max(carried.paced);
        self.ended = self.ended.max(carried.paced + carried.drained);
        self.started = self.started.min(carried.started);
        let errors = self.clock_errors.zip(summary.run.clock_error_ns);
        self.clock_errors = errors.map(|(errors, own)| errors.with(Nanos(own)));
        self.missed += carried.missed;
        self.interrupted |= summary.run.interrupted;
        self.add_resources(&summary.resources);
        let settings = &summary.configuration.settings;
        let requests = settings.iter().filter(|one| one.option == "requests");
        self.requests
            .extend(requests.flat_map(|setting| setting.values.clone()));
    }

    fn add_resources(&mut self, own: &Resources) {
        let sum = |all: Option<u64>, own: Option<u64>| match (all, own) {
            (None, own) => own,
            (all, None) => all,
            (Some(all), Some(own)) => Some(all.saturating_add(own)),
        };
        let all = &self.resources;
        self.resources = Resources {
            user_ns: sum(all.user_ns, own.user_ns),
            system_ns: sum(all.system_ns, own.system_ns),
            peak_memory: all.peak_memory.max(own.peak_memory),
            missed_lines: all.missed_lines.saturating_add(own.missed_lines),
            unwritten_requests: sum(all.unwritten_requests, own.unwritten_requests),
        };
    }

    fn finish(mut self, mut stripes: BTreeMap<u64, (MergedStripe, Reached)>) -> Summary {
        let first_missing = self.schedule_reached(&stripes);
        let unplaced = self.add_unreached(&mut stripes, first_missing);
        let missing = self.missing(&stripes, first_missing);
        let asked = self.asked_per_s();
        self.timeline.multiply_rate(stripes.len() as u64);
        for (target, parts) in self.tally.targets.iter_mut().zip(self.addresses) {
            target.addresses = AddressTallies::of_parts(parts);
        }
        let all: Ledger = self.ledgers.iter().copied().sum();
        let lateness = self.lateness.iter().copied().sum();
        let results = Results {
            ledgers: self.ledgers,
            lateness: self.lateness,
            tally: self.tally,
            phases: self.phases,
            events: Vec::new(),
            effects: Effects::default(),
            verdict: ScheduleVerdict::new(&all, lateness),
            failure_examples: self.examples,
            audit: None,
            probe: None,
            start: Moment::at(0),
            started: self.started,
            clock_error: self.clock_errors.map(|errors| errors.largest),
            missed: self.missed,
            paced: self.paced,
            drained: self.ended.saturating_sub(self.paced),
            interrupted: self.interrupted,
            aborted_by: None,
        };
        let unknown = missing.iter().map(|one| one.unknown).sum();
        let is_whole = missing.is_empty();
        let reached = stripes.values().map(|(_, reached)| reached);
        let phases = whole_phases(reached, self.planned, &results.phases, unplaced);
        // A missing stripe may have gone on after all others were stopped.
        let possible = WholeSchedule::of_all(
            self.stripe.scheduled_of_all,
            self.planned,
            self.targets.len(),
            phases,
        );
        let thresholds = threshold::judged_of_stripes(
            &self.thresholds,
            self.planned,
            &results,
            (!is_whole).then_some(&possible),
        );
        let command = self.stripe.audit_command.as_ref();
        // A process that joined late may follow one whose requests are in no file.
        let has_all_requests = is_whole && self.missed == 0;
        let audit_command = command
            .map(|command| audit_command::of_files(command, &self.requests, has_all_requests));
        // All stripes have the same marks of the plan.
        let first = self.configured_by;
        self.events.retain(|event| {
            event.stripe == first || event.command.is_some() || event.kind == "posted"
        });
        self.events.sort_by_key(|event| event.began_ns);
        let rows: Vec<_> = stripes.into_values().map(|(row, _)| row).collect();
        let broke = rows.iter().any(|row| row.exit_code == exit_code::BROKE);
        let merged = MergedSummary {
            of: self.stripe.of,
            plan: self.stripe.plan,
            start: self.stripe.start,
            scheduled_of_all: self.stripe.scheduled_of_all,
            stripes: rows,
            missing,
            unknown,
            events: self.events,
            audit_command,
        };
        let deferred = thresholds.iter().any(|one| one.met == Met::Deferred);
        let is_audited = merged.audit_command.is_some() || deferred;
        let judged = exit_code::of_thresholds(thresholds.iter().map(|one| one.met));
        let exit_code = match judged {
            exit_code::FINE if broke => exit_code::BROKE,
            // Without thresholds, nothing else says that a part of the results, or the verdict of a requested audit, is missing.
            exit_code::FINE if !is_whole || is_audited => exit_code::INCONCLUSIVE,
            code => code,
        };
        let circumstances = Circumstances {
            configuration: without_stripe(self.configuration),
            stripe: None,
            timeline: &self.timeline,
            planned: self.planned,
            asked,
            stopped_waiting: false,
            audit: None,
            thresholds,
            exit_code,
            resources: self.resources,
        };
        let clocks_apart = self.clock_errors.map(ClockErrors::apart);
        Summary {
            merged: Some(merged),
            schedule: ScheduleSummary::of_stripes(&results, &self.targets, clocks_apart),
            ..Summary::new(&results, &self.targets, circumstances)
        }
    }
}

/// The mean rate of a stripe's schedule.
#[derive(Debug, Clone, Copy)]
struct OwnRate {
    /// In requests per second. `None` if all requests came at once.
    asked: Option<f64>,
    /// For how long the stripe followed its schedule.
    followed: Nanos,
    /// Whether it was stopped.
    interrupted: bool,
}

impl OwnRate {
    /// The scheduled requests. `None` if all came at once.
    fn requests(self) -> Option<f64> {
        self.asked.map(|asked| asked * self.followed.as_secs_f64())
    }
}

impl Whole {
    /// For how long the schedule was followed by a stripe that was paced for this time.
    fn followed(&self, paced: Nanos) -> Nanos {
        self.planned.map_or(paced, |end| end.min(paced))
    }

    /// The mean rate of the schedule of these stripes up to the end of pacing, in requests per second. The requests that a stopped
    /// stripe did not get as far as belong to it, too, and each stripe has as many as any other. `None` if all requests came at once.
    fn asked_per_s(&self) -> Option<f64> {
        let followed = self.followed(self.paced);
        if followed == Nanos::ZERO {
            let rates = self.rates.iter().filter_map(|rate| rate.asked);
            return rates.reduce(|sum, rate| sum + rate);
        }
        let is_short = |rate: &&OwnRate| rate.interrupted && rate.followed < followed;
        let short = self.rates.iter().filter(is_short).count();
        let full = self.rates.iter().filter(|rate| !is_short(rate));
        let requests: f64 = full.filter_map(|rate| rate.requests()).sum();
        let (all, full) = (self.rates.len(), self.rates.len() - short);
        Some(requests * all as f64 / full.max(1) as f64 / followed.as_secs_f64())
    }

    /// The number of the first request of the schedule that none of these stripes got as far as.
    fn schedule_reached(&self, stripes: &BTreeMap<u64, (MergedStripe, Reached)>) -> u64 {
        let is_over = self.planned.is_some_and(|end| self.paced >= end);
        match self.stripe.scheduled_of_all {
            Some(all) if is_over => all,
            _ => {
                let ends = stripes.values().map(|(_, reached)| reached.end());
                ends.max().unwrap_or(0)
            }
        }
    }

    /// Counts the requests that stripes did not get as far as, although others did: they are unsent. Returns how many of them each
    /// phase has. The last ones of a phase may belong to another, because the merger does not know the schedule.
    fn add_unreached(
        &mut self,
        stripes: &mut BTreeMap<u64, (MergedStripe, Reached)>,
        first_missing: u64,
    ) -> Vec<u64> {
        let mut unplaced = vec![0; self.phases.tallies.len()];
        let farthest = stripes.values().map(|(_, reached)| reached);
        let Some(farthest) = farthest.max_by_key(|reached| reached.scheduled).cloned() else {
            return unplaced;
        };
        for (row, reached) in stripes.values_mut() {
            let Reached {
                stripe, scheduled, ..
            } = *reached;
            let end = stripe.before(first_missing).max(scheduled);
            row.unreached = end - scheduled;
            row.not_on_time = row.not_on_time.saturating_add(row.unreached);
            let round_robin = RoundRobin::new(self.targets.len(), stripe);
            for (target, count) in round_robin.shares(scheduled..end) {
                self.ledgers[target].scheduled += count;
                self.ledgers[target].unsent += count;
                self.lateness[target].unreached += count;
            }
            let by_phase = reached.by_phase(&farthest, &self.phases, row.unreached);
            for (place, count) in by_phase.into_iter().enumerate() {
                let ledger = &mut self.phases.tallies[place].ledger;
                ledger.scheduled += count;
                ledger.unsent += count;
                unplaced[place] += count;
            }
            let by_slot = reached.by_slot(&farthest, &self.timeline, row.unreached);
            for (slot, count) in self.timeline.slots_mut().iter_mut().zip(by_slot) {
                slot.scheduled += count;
            }
        }
        unplaced
    }

    fn missing(
        &self,
        stripes: &BTreeMap<u64, (MergedStripe, Reached)>,
        first_missing: u64,
    ) -> Vec<MissingStripe> {
        let missing = (0..self.stripe.of).filter(|index| !stripes.contains_key(index));
        let missing = missing.filter_map(|index| {
            let stripe = Stripe::new(index, self.stripe.of)?;
            let end = self.stripe.scheduled_of_all.unwrap_or(first_missing);
            let unknown = stripe.before(end);
            Some(MissingStripe { index, unknown })
        });
        missing.collect()
    }
}

/// Adds the requests by address of a stripe, of at most as many addresses as are told apart.
fn add_addresses(
    all: &mut Vec<(Address, OutcomeCounts, CoarseHistogram)>,
    own: Vec<(Address, OutcomeCounts, CoarseHistogram)>,
) {
    for (address, counts, latency) in own {
        let known = all.iter().position(|(other, ..)| *other == address);
        let is_full = all.len() >= Address::MOST;
        let place = known.or_else(|| {
            let others = all.iter().position(|(other, ..)| *other == Address::OTHER);
            others.filter(|_| is_full)
        });
        match place {
            Some(place) => {
                all[place].1 += &counts;
                all[place].2 += &latency;
            }
            None if is_full => all.push((Address::OTHER, counts, latency)),
            None => all.push((address, counts, latency)),
        }
    }
}

/// The first few examples of each kind of failure, as a single run keeps them.
fn first_of_each_kind(mut examples: Vec<FailureExample>) -> Vec<FailureExample> {
    examples.sort_by_key(|example| example.sequence);
    let kept = FailureExamples::default();
    for example in examples {
        if kept.claim(example.cause.kind, example.cause.status) {
            kept.add(example);
        }
    }
    kept.kept()
}

/// The configuration that all stripes have in common.
fn without_stripe(configuration: Configuration) -> Configuration {
    let mut settings = configuration.settings;
    for setting in &mut settings {
        if ["stripe", "stripes"].contains(&&*setting.option) {
            setting.values.clear();
            setting.source = Source::Default;
        }
    }
    Configuration {
        command: audit_command::without_stripe(&configuration.command),
        settings,
        ..configuration
    }
}

#[cfg(test)]
mod tests;
