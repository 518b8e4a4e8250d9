//! The results of a stripe, as its summary carries them.

use super::texts::{self, masked};
use super::unmergeable::Why;
use crate::base::{Address, FailureCause, FailureKind, Ledger, Moment, Nanos, Reason, Target};
use crate::core::stats::{
    BadHistogram, CoarseHistogram, FailureExample, Failures, Histogram, Lateness, MOST_COUNTED,
    OutcomeCounts, PhaseTallies, PhaseTally, SlotParts, SlotTally, Stretch, Suspension, Tally,
    TargetTally, TimelineTally,
};
use crate::core::stripe::Stripe;
use crate::core::summary::{
    DurationSummary, FailureSummary, PhaseSummary, Slot, StripeSummary, Summary, TargetSummary,
    Timeline,
};
use jiff::Timestamp;
use std::cell::Cell;
use std::time::SystemTime;

/// The most slots of a timeline, and the most phases.
const SLOTS: usize = 600;
const PHASES: usize = 10_000;

/// The most memory of all histograms of a stripe, in bytes: that of 1,500 targets with latencies of up to 10 s.
const MEMORY: usize = 1 << 30;

/// The most addresses of a target: one for those that are not told apart is one more.
const ADDRESSES: usize = Address::MOST + 1;

/// The highest rate of a slot, in requests per second.
const RATE: f64 = 1e14;

/// The longest time: 146 years, in nanoseconds.
const LONGEST: u64 = i64::MAX as u64 / 2;

/// The results of a stripe.
#[derive(Debug)]
pub(super) struct Carried {
    pub targets: Vec<Target>,
    pub ledgers: Vec<Ledger>,
    pub lateness: Vec<Lateness>,
    tally: Tally,
    /// The requests to each target by address.
    pub addresses: Vec<Vec<(Address, OutcomeCounts, CoarseHistogram)>>,
    pub phases: Phases,
    pub timeline: TimelineTally,
    pub examples: Vec<FailureExample>,
    pub started: SystemTime,
    pub paced: Nanos,
    pub drained: Nanos,
    pub missed: u64,
}

/// The requests of a stripe by phase.
#[derive(Debug)]
pub(super) struct Phases(PhaseTallies);

impl Carried {
    pub fn of(summary: &Summary) -> Result<Carried, Why> {
        let stripe = summary.stripe.as_ref().ok_or(Why::Whole)?;
        check_amounts(summary, stripe)?;
        texts::check(summary)?;
        let reader = Reader {
            left: Cell::new(MEMORY),
        };
        let started: Result<Timestamp, _> = summary.run.started.parse();
        let started = started.map_err(|_| Why::malformed("run.started", "is no instant"))?;
        let mut targets = Vec::new();
        let mut ledgers = Vec::new();
        let mut lateness = Vec::new();
        let mut tallies = Vec::new();
        let mut addresses = Vec::new();
        for (place, target) in summary.targets.iter().enumerate() {
            let of = OfTarget::of(&reader, &format!("targets[{place}]"), target)?;
            targets.push(of.target);
            ledgers.push(target.requests);
            lateness.push(of.lateness);
            tallies.push(of.tally);
            addresses.push(of.addresses);
        }
        if targets.is_empty() {
            return Err(Why::malformed("targets", "are none"));
        }
        if ledgers.iter().copied().sum::<Ledger>() != summary.requests {
            return Err(Why::malformed("requests", "are not those of its targets"));
        }
        let suspended = Suspension {
            length: Nanos(summary.schedule.suspended_ns),
            due: 0..0,
            stripe: stripe.stripe().unwrap_or(Stripe::WHOLE),
        };
        let optional = |name: &str, of: &Option<DurationSummary>| match of {
            Some(of) => reader.histogram(name, of),
            None => Ok(Histogram::default()),
        };
        Ok(Carried {
            examples: examples(summary, &targets)?,
            tally: Tally {
                latency: reader.histogram("latency", &summary.latency)?,
                service_time: reader.histogram("service_time", &summary.service_time)?,
                failed_after: optional("failed_after", &summary.failed_after)?,
                send_lag: reader.histogram("send_lag", &summary.send_lag)?,
                connect: optional("connect", &summary.connect)?,
                tls: optional("tls", &summary.tls)?,
                lookup: optional("lookup", &summary.lookup)?,
                targets: tallies,
                suspensions: Vec::from_iter((suspended.length > Nanos::ZERO).then_some(suspended)),
                ..Tally::default()
            },
            phases: Phases::of(&reader, &summary.phases, &summary.timeline.stretches)?,
            timeline: timeline(&reader, &summary.timeline, targets.len())?,
            targets,
            ledgers,
            lateness,
            addresses,
            started: started.into(),
            paced: Nanos(summary.run.paced_ns),
            drained: Nanos(summary.run.drained_ns),
            missed: stripe.missed,
        })
    }

    pub fn add_tally_to(&self, all: &mut Tally) {
        let own = &self.tally;
        for (sum, own) in [
            (&mut all.latency, &own.latency),
            (&mut all.service_time, &own.service_time),
            (&mut all.failed_after, &own.failed_after),
            (&mut all.send_lag, &own.send_lag),
            (&mut all.connect, &own.connect),
            (&mut all.tls, &own.tls),
            (&mut all.lookup, &own.lookup),
        ] {
            *sum += own;
        }
        for (all, own) in all.targets.iter_mut().zip(&own.targets) {
            all.failures += &own.failures;
            all.failing_open += own.failing_open;
            all.latency += &own.latency;
            all.service_time += &own.service_time;
            all.send_lag += &own.send_lag;
        }
        all.suspensions.extend(own.suspensions.iter().cloned());
    }
}

/// Refuses numbers that are so large that sums of them overflow, or that contradict each other.
fn check_amounts(summary: &Summary, stripe: &StripeSummary) -> Result<(), Why> {
    let run = &summary.run;
    let times = [
        ("run.paced_ns", run.paced_ns),
        ("run.drained_ns", run.drained_ns),
        ("run.planned_ns", run.planned_ns.unwrap_or(0)),
        ("run.clock_error_ns", run.clock_error_ns.unwrap_or(0)),
        ("schedule.suspended_ns", summary.schedule.suspended_ns),
    ];
    for (name, time) in times {
        at_most(name, time, LONGEST)?;
    }
    at_most(
        "requests.scheduled",
        summary.requests.scheduled,
        MOST_COUNTED,
    )?;
    at_most("stripe.missed", stripe.missed, summary.requests.unsent)?;
    let Some(all) = stripe.scheduled_of_all else {
        return Ok(());
    };
    at_most("stripe.scheduled_of_all", all, MOST_COUNTED)?;
    let own = stripe.stripe().map_or(0, |stripe| stripe.before(all));
    at_most("requests.scheduled", summary.requests.scheduled, own)
}

fn at_most(name: &str, number: u64, most: u64) -> Result<(), Why> {
    if number <= most {
        return Ok(());
    }
    Err(Why::malformed(
        name,
        &format!("is {number}; it must be at most {most}"),
    ))
}

/// The results of one target.
struct OfTarget {
    target: Target,
    lateness: Lateness,
    tally: TargetTally,
    addresses: Vec<(Address, OutcomeCounts, CoarseHistogram)>,
}

impl OfTarget {
    fn of(reader: &Reader, name: &str, summary: &TargetSummary) -> Result<OfTarget, Why> {
        let field = |field: &str| format!("{name}.{field}");
        let target = Target::of_name(&summary.name);
        let target = target.map_err(|why| Why::malformed(&field("name"), &why))?;
        let to_merge = summary.to_merge.as_ref().ok_or_else(|| {
            let why = "is missing; the stripe must be of a loadgen that can merge";
            Why::malformed(&field("to_merge"), why)
        })?;
        let ledger = &summary.requests;
        let elsewhere = summary.backlog_late.checked_add(to_merge.suspended_late);
        let late = elsewhere.and_then(|elsewhere| summary.late.checked_sub(elsewhere));
        let late = late.ok_or_else(|| {
            let why = "is less than its parts, backlog_late and to_merge.suspended_late";
            Why::malformed(&field("late"), why)
        })?;
        at_most(&field("late"), summary.late, ledger.scheduled)?;
        at_most(&field("to_merge.local"), to_merge.local, ledger.scheduled)?;
        let dropped = [summary.backlog_dropped, to_merge.suspended_dropped];
        for of in dropped {
            at_most(&field("backlog_dropped"), of, ledger.dropped)?;
        }
        let mut addresses = Vec::new();
        at_most(
            &field("to_merge.addresses"),
            to_merge.addresses.len() as u64,
            ADDRESSES as u64,
        )?;
        for (place, of) in to_merge.addresses.iter().enumerate() {
            let name = field(&format!("to_merge.addresses[{place}].latency_hdr"));
            let latency = reader.coarse(&name, Some(&of.latency_hdr))?;
            at_most(&name, latency.count(), ledger.scheduled)?;
            at_most(&field("to_merge.addresses"), of.counts.sent, ledger.sent)?;
            let address = match &*of.address {
                others if others == Address::OTHER.text() => Address::OTHER,
                text => Address::new(text),
            };
            addresses.push((address, of.counts, latency));
        }
        Ok(OfTarget {
            target,
            lateness: Lateness {
                late,
                backlog_late: summary.backlog_late,
                backlog_dropped: summary.backlog_dropped,
                local: to_merge.local,
                suspended_late: to_merge.suspended_late,
                suspended_dropped: to_merge.suspended_dropped,
                unreached: 0,
                before_joining: to_merge.before_joining,
            },
            tally: TargetTally {
                failures: failures(&field("causes"), &summary.causes, ledger)?,
                failing_open: summary.failing_open,
                latency: reader.histogram(&field("latency"), &summary.latency)?,
                service_time: reader
                    .histogram(&field("to_merge.service_time"), &to_merge.service_time)?,
                send_lag: reader.histogram(&field("send_lag"), &summary.send_lag)?,
                ..TargetTally::default()
            },
            addresses,
        })
    }
}

/// Reads histograms, and bounds their memory, since a few bytes of a file may stand for a large one.
struct Reader {
    /// The bytes that further histograms may take.
    left: Cell<usize>,
}

impl Reader {
    fn take(&self, name: &str, memory: usize) -> Result<(), Why> {
        let left = self.left.get().checked_sub(memory);
        let left = left.ok_or_else(|| {
            let why = format!(
                "makes the histograms larger than {} MiB in all",
                MEMORY >> 20
            );
            Why::malformed(name, &why)
        })?;
        self.left.set(left);
        Ok(())
    }

    /// A histogram with two digits; an empty one if there is no text.
    fn coarse(&self, name: &str, text: Option<&str>) -> Result<CoarseHistogram, Why> {
        let histogram = match text {
            Some(text) => CoarseHistogram::from_encoded(text).map_err(|why| bad(name, why))?,
            None => CoarseHistogram::from(&Histogram::default()),
        };
        self.take(name, histogram.memory())?;
        Ok(histogram)
    }

    /// All durations of a distribution.
    fn histogram(&self, name: &str, summary: &DurationSummary) -> Result<Histogram, Why> {
        let name = format!("{name}.hdr");
        let histogram = match &summary.hdr {
            Some(text) => Histogram::<u64>::from_encoded(text).map_err(|why| bad(&name, why))?,
            None => Histogram::default(),
        };
        if histogram.count() != summary.count {
            let (has, says) = (histogram.count(), summary.count);
            let why = format!("has {has} durations, and the count beside it is {says}");
            return Err(Why::malformed(&name, &why));
        }
        self.take(&name, histogram.memory())?;
        Ok(histogram)
    }
}

fn bad(name: &str, why: BadHistogram) -> Why {
    Why::malformed(name, &why.to_string())
}

/// The failures of these causes, which are all of the ledger's.
fn failures(name: &str, causes: &[FailureSummary], ledger: &Ledger) -> Result<Failures, Why> {
    let mut failures = Failures::default();
    let mut sum = 0u64;
    for (place, of) in causes.iter().enumerate() {
        sum = sum.saturating_add(of.count);
        if sum > ledger.failed {
            break;
        }
        let cause = cause(&format!("{name}[{place}]"), of)?;
        failures.add_many(cause, of.count);
    }
    if sum != ledger.failed {
        let why = format!(
            "count not as many requests as the {} that failed",
            ledger.failed
        );
        return Err(Why::malformed(name, &why));
    }
    Ok(failures)
}

fn cause(name: &str, of: &FailureSummary) -> Result<FailureCause, Why> {
    let mut kinds = FailureKind::ALL.into_iter();
    let kind = kinds.find(|kind| kind.name() == of.kind);
    let kind = kind.ok_or_else(|| {
        let why = "is no kind of failure that this loadgen knows";
        Why::malformed(&format!("{name}.kind"), why)
    })?;
    Ok(FailureCause {
        kind,
        status: of.status,
        reason: (of.reason.as_deref()).map(|text| Reason::recorded(&masked(text))),
    })
}

/// The failed requests that stand for others of their kind.
fn examples(summary: &Summary, targets: &[Target]) -> Result<Vec<FailureExample>, Why> {
    let names: Vec<_> = targets.iter().map(Target::to_string).collect();
    let mut examples = Vec::new();
    for (place, of) in summary.causes.iter().enumerate() {
        let cause = cause(&format!("causes[{place}]"), of)?;
        for example in &of.examples {
            let Some(target) = names.iter().position(|name| *name == example.target) else {
                let name = format!("causes[{place}].examples");
                return Err(Why::malformed(
                    &name,
                    "have a target that is not in the run",
                ));
            };
            examples.push(FailureExample {
                cause,
                sequence: example.sequence,
                target,
                sent: Moment::at(example.sent_ns),
                error: example.error.as_deref().map(masked),
                answer: example.answer.as_deref().map(masked),
            });
        }
    }
    Ok(examples)
}

impl Phases {
    fn of(reader: &Reader, phases: &[PhaseSummary], stretches: &[Stretch]) -> Result<Phases, Why> {
        at_most("phases", phases.len() as u64, PHASES as u64)?;
        let mut tallies = Vec::new();
        for (place, phase) in phases.iter().enumerate() {
            let field = |field: &str| format!("phases[{place}].{field}");
            let to_merge = phase
                .to_merge
                .as_ref()
                .ok_or_else(|| Why::malformed(&field("to_merge"), "is missing"))?;
            at_most(&field("length_ns"), phase.length_ns, LONGEST)?;
            at_most(&field("times"), phase.times, MOST_COUNTED)?;
            at_most(
                &field("requests.scheduled"),
                phase.requests.scheduled,
                MOST_COUNTED,
            )?;
            at_most(
                &field("to_merge.failing_open"),
                to_merge.failing_open,
                phase.requests.allowed,
            )?;
            tallies.push(PhaseTally {
                name: phase.name.clone(),
                mode: phase.mode,
                times: phase.times,
                length: Nanos(phase.length_ns),
                ledger: phase.requests,
                failures: failures(&field("to_merge.causes"), &to_merge.causes, &phase.requests)?,
                failing_open: to_merge.failing_open,
                latency: reader.histogram(&field("latency"), &phase.latency)?,
                service_time: reader.histogram(&field("service_time"), &phase.service_time)?,
            });
        }
        for (place, stretch) in stretches.iter().enumerate() {
            if stretch.phase >= tallies.len() {
                let name = format!("timeline.stretches[{place}].phase");
                return Err(Why::malformed(&name, "is not among its phases"));
            }
        }
        Ok(Phases(PhaseTallies {
            tallies,
            stretches: stretches.to_vec(),
        }))
    }

    /// The scheduled requests by the name of their phase.
    pub fn scheduled(&self) -> Vec<(String, u64)> {
        let tallies = self.0.tallies.iter();
        tallies
            .map(|tally| (tally.name.clone(), tally.ledger.scheduled))
            .collect()
    }

    /// Adds the phases, of which those of a stripe that went on for longer come first. All stripes go through the same phases at
    /// the same times, so the numbers and lengths of phases are those of the stripe that went on for longest.
    pub fn add_to(self, all: &mut PhaseTallies, is_longest: bool) {
        let Phases(own) = self;
        let mut places = Vec::new();
        for tally in own.tallies {
            let known = all
                .tallies
                .iter()
                .position(|other| other.name == tally.name);
            let Some(place) = known else {
                places.push(all.tallies.len());
                all.tallies.push(tally);
                continue;
            };
            places.push(place);
            let sum = &mut all.tallies[place];
            sum.times = sum.times.max(tally.times);
            sum.length = sum.length.max(tally.length);
            sum.ledger += tally.ledger;
            sum.failures += &tally.failures;
            sum.failing_open += tally.failing_open;
            sum.latency += &tally.latency;
            sum.service_time += &tally.service_time;
        }
        if is_longest {
            let stretches = own.stretches.into_iter().map(|stretch| Stretch {
                phase: places[stretch.phase],
                ..stretch
            });
            all.stretches = stretches.collect();
        }
    }
}

fn timeline(reader: &Reader, of: &Timeline, targets: usize) -> Result<TimelineTally, Why> {
    let seconds = of.slot_ns / 1_000_000_000;
    if !of.slot_ns.is_multiple_of(1_000_000_000) || !seconds.is_power_of_two() {
        let why = "is no power of two of seconds";
        return Err(Why::malformed("timeline.slot_ns", why));
    }
    let count = of.slots.len() as u64;
    at_most("timeline.slots", count, SLOTS as u64)?;
    let before_last = count.saturating_sub(1).saturating_mul(seconds);
    let is_possible = of
        .seconds
        .checked_sub(before_last)
        .is_some_and(|last| last <= seconds && (last > 0 || count == 0));
    if !is_possible {
        let why = "is not the length of its slots";
        return Err(Why::malformed("timeline.seconds", why));
    }
    let mut slots = Vec::new();
    for (place, slot) in of.slots.iter().enumerate() {
        let is_last = place + 1 == of.slots.len();
        let length = if is_last {
            of.seconds - before_last
        } else {
            seconds
        };
        let parts = slot_parts(reader, &format!("timeline.slots[{place}]"), slot, targets)?;
        slots.push(SlotTally::of_parts(length, parts));
    }
    Ok(TimelineTally::of_slots(seconds, slots))
}

fn slot_parts(reader: &Reader, name: &str, slot: &Slot, targets: usize) -> Result<SlotParts, Why> {
    let field = |field: &str| format!("{name}.{field}");
    let to_merge = slot
        .to_merge
        .as_ref()
        .ok_or_else(|| Why::malformed(&field("to_merge"), "is missing"))?;
    if slot.targets.len() != targets {
        return Err(Why::malformed(
            &field("targets"),
            "are not those of the run",
        ));
    }
    for counts in &slot.targets {
        let OutcomeCounts {
            sent,
            allowed,
            blocked,
            failed,
            abandoned,
        } = *counts;
        for count in [sent, allowed, blocked, failed, abandoned] {
            at_most(&field("targets"), count, MOST_COUNTED)?;
        }
    }
    for count in [slot.scheduled, slot.dropped] {
        at_most(&field("scheduled"), count, MOST_COUNTED)?;
    }
    if slot.asked > RATE {
        let why = format!("is {}; it must be at most {RATE}", slot.asked);
        return Err(Why::malformed(&field("asked_per_s"), &why));
    }
    let coarse = |field: String, text: &Option<String>| reader.coarse(&field, text.as_deref());
    let latency = coarse(field("to_merge.latency_hdr"), &to_merge.latency_hdr)?;
    if latency.count() != slot.done {
        let why = format!(
            "has {} durations, and done is {}",
            latency.count(),
            slot.done
        );
        return Err(Why::malformed(&field("to_merge.latency_hdr"), &why));
    }
    Ok(SlotParts {
        asked: slot.asked,
        scheduled: slot.scheduled,
        dropped: slot.dropped,
        targets: slot.targets.clone(),
        latency,
        send_lag: coarse(field("to_merge.send_lag_hdr"), &to_merge.send_lag_hdr)?,
    })
}
