//! Stripes, each with its share of the same requests, merged: the result is that of one run with all of them.

use super::{Merger, Unmergeable, Why};
use crate::base::{
    Address, Answer, ConnectTimes, FailureKind, KeyId, Ledger, Moment, Nanos, Outcome, Reason,
    Sample, Target,
};
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::{Profile, Schedule};
use crate::core::stats::effects::Effects;
use crate::core::stats::{
    Counters, PhaseTracker, Results, ScheduleVerdict, Second, Seconds, Tally, TimelineTally,
    Watermark,
};
use crate::core::stripe::Stripe;
use crate::core::summary::{
    COMPLETE, Circumstances, Configuration, DurationSummary, FILES, FailedRequest, Resources,
    Setting, Source, StripeSummary, Summary,
};
use crate::core::threshold::{self, JudgedThreshold, Met, Threshold};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Borrow;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

const MILLI: u64 = 1_000_000;

/// What becomes of a request.
#[derive(Debug, Clone)]
struct Fate {
    /// Neither sent nor dropped if both are set.
    is_dropped: bool,
    is_unsent: bool,
    lag: u64,
    took: u64,
    outcome: Outcome,
    status: Option<u16>,
    has_reason: bool,
    failing_open: bool,
    connects: bool,
    waited: bool,
    address: Option<u8>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let outcome = prop_oneof![
        6 => Just((Outcome::Allowed, Some(200))),
        3 => Just((Outcome::Blocked, Some(429))),
        1 => Just((Outcome::Failed(FailureKind::Timeout), None)),
        1 => Just((Outcome::Failed(FailureKind::Local), None)),
        1 => (500u16..504).prop_map(|status| (Outcome::Failed(FailureKind::Status5xx), Some(status))),
        1 => Just((Outcome::Abandoned, None)),
    ];
    let flags = (
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.03),
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    let lag = prop_oneof![8 => 0u64..MILLI, 1 => 0u64..40 * MILLI];
    let took = prop_oneof![8 => 0u64..5 * MILLI, 1 => 0u64..4_000 * MILLI];
    let address = prop::option::weighted(0.9, 0u8..3);
    (outcome, flags, lag, took, address).prop_map(
        |((outcome, status), flags, lag, took, address)| {
            let (is_dropped, is_unsent, has_reason, failing_open, connects, waited) = flags;
            Fate {
                is_dropped,
                is_unsent,
                lag,
                took,
                outcome,
                status,
                has_reason,
                failing_open: failing_open && outcome == Outcome::Allowed,
                connects,
                waited,
                address,
            }
        },
    )
}

/// A schedule, and what becomes of its requests.
#[derive(Debug, Clone)]
struct World {
    profile: &'static str,
    fates: Vec<Fate>,
    targets: usize,
    /// How many addresses each target has, from 1 to 3.
    addresses: u8,
}

const PROFILES: [&str; 5] = [
    "20/s for 5s, burst 60/s for 2s, 20/s for 3s",
    "ramp 0/s to 40/s over 10s",
    "7/s for 3s, burst 50 at once, pause 1s, 7/s for 2s",
    "0.4/s for 1300s",
    "1/s for 700s",
];

fn world() -> impl Strategy<Value = World> {
    (
        prop::sample::select(PROFILES.as_slice()),
        prop::collection::vec(fate(), 1..200),
        1usize..5,
        1u8..4,
    )
        .prop_map(|(profile, fates, targets, addresses)| World {
            profile,
            fates,
            targets,
            addresses,
        })
}

const THRESHOLDS: [&str; 20] = [
    "latency.p99 < 50ms",
    "service_time.mean < 3ms",
    "failed.rate < 10%",
    "failed[timeout].count <= 5",
    "target[1].latency.p50 < 2ms",
    "phase[steady].blocked.rate > 20%",
    "phase[steady].allowed.count < 90",
    "phase[steady].allowed.count >= 120",
    "phase[steady].failed.count < 10",
    "phase[steady].latency.max < 50ms",
    "phase[steady].sent.per_second < 8/s",
    "phase[steady].scheduled.count < 150",
    "phase[burst].blocked.count < 15",
    "phase[burst].allowed.count >= 50",
    "sent.per_second >= 1/s",
    "send_lag.max < 30ms",
    "schedule = kept",
    "allowed.count >= 20",
    "sent.per_second < 5/s",
    "scheduled.count > 100",
];

impl World {
    fn schedule(&self, stripe: Stripe) -> Schedule {
        let profile: Profile = self.profile.parse().expect("a profile");
        Schedule::new(profile, None).with_stripe(stripe)
    }

    fn fate(&self, number: u64) -> &Fate {
        // A fate does not depend on the stripe, and has nothing to do with the order of the targets.
        let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        &self.fates[place as usize % self.fates.len()]
    }

    fn targets(&self) -> Vec<Target> {
        let url = |port| format!("http://127.0.0.1:{}", 8000 + port);
        (0..self.targets)
            .map(|place| Target::new(&url(place)).expect("a URL"))
            .collect()
    }

    fn sample(&self, number: u64, target: usize, due: Nanos) -> Sample {
        let fate = self.fate(number);
        let due = Moment::at(0) + due;
        let sent = due + Nanos(fate.lag);
        let mut answer = Answer::new(sent, sent + Nanos(fate.took), fate.outcome);
        answer.status = fate.status;
        answer.reason = (fate.has_reason && matches!(fate.outcome, Outcome::Failed(_)))
            .then(|| Reason::new("a reason"));
        answer.failing_open = fate.failing_open;
        answer.connecting = fate.connects.then_some(ConnectTimes {
            tcp: Nanos(fate.lag / 2),
            tls: fate.waited.then_some(Nanos(fate.lag / 3)),
        });
        // A request that was answered went to an address.
        let is_answered = matches!(fate.outcome, Outcome::Allowed | Outcome::Blocked);
        let address = fate.address.or(is_answered.then_some(0));
        answer.address = address.map(|place| {
            let place = place % self.addresses;
            Address::new(&format!("10.9.{target}.{place}:8000"))
        });
        Sample {
            sequence: number,
            key: KeyId(0),
            target: target as u32,
            due,
            waited_for_target: fate.waited,
            answer,
        }
    }

    /// The results of the process that has this stripe, stopped after so many of its requests.
    fn results(&self, stripe: Stripe, stop: Option<u64>) -> (Results, TimelineTally) {
        let schedule = self.schedule(stripe);
        let end = schedule.end().expect("an end");
        let total = schedule.total().expect("an end");
        let scheduled = stop.map_or(total, |stop| stop.min(total));
        let mut tokens = schedule.tokens();
        let paced = match tokens.due(scheduled) {
            Some(next) if scheduled < total => next,
            _ => end,
        };
        let round_robin = RoundRobin::new(self.targets, stripe);
        let counters = Counters::new(self.targets, stripe);
        let mut tally = Tally::new(self.targets);
        let mut phases = PhaseTracker::new(&schedule);
        let mut timeline = TimelineTally::default();
        let mut seconds = Seconds::new(&schedule, self.targets, Moment::at(0));
        let mut emit = |second: Second| timeline.add(&second);
        let mut drained = Nanos::ZERO;
        let mut tokens = schedule.tokens();
        for place in 0..scheduled {
            let number = stripe.number(place);
            let fate = self.fate(number);
            let target = round_robin.target(place);
            let due = tokens.due(place).expect("a token");
            // As in a run, or else the requests of the first seconds would count in one of the last ones.
            let watermark = Watermark {
                now: due,
                samples_added: due,
                handed_over: place,
                stopped: None,
            };
            seconds.advance(watermark, &mut emit);
            if fate.is_dropped {
                counters.drop_tokens(place..place + 1);
                phases.add_dropped(place..place + 1);
                seconds.add_dropped(place..place + 1, &mut emit);
                if fate.waited {
                    counters.target(target).backlog_dropped.add(1);
                }
                continue;
            }
            let of = counters.target(target);
            if fate.is_unsent {
                of.unsent.add(1);
                if fate.waited {
                    of.backlog_unsent_late.add(1);
                }
                continue;
            }
            let sample = self.sample(number, target, due);
            of.sent.add(1);
            match fate.outcome {
                Outcome::Allowed => of.allowed.add(1),
                Outcome::Blocked => of.blocked.add(1),
                Outcome::Failed(_) => of.failed.add(1),
                Outcome::Abandoned => of.abandoned.add(1),
            }
            tally.add(&sample);
            phases.add(&sample);
            seconds.add(&sample, &mut emit);
            drained = drained.max(sample.answer.done.since(Moment::at(0) + paced));
        }
        counters.scheduled.add(scheduled);
        seconds.finish(scheduled, paced, &mut emit);
        let ledgers = counters.ledgers();
        let lateness = tally.lateness(&counters);
        let late = lateness.iter().copied().sum();
        let results = Results {
            verdict: ScheduleVerdict::new(&counters.ledger(), late),
            ledgers,
            lateness,
            tally,
            phases: phases.finish(paced, scheduled),
            events: Vec::new(),
            effects: Effects::default(),
            failure_examples: Vec::new(),
            audit: None,
            probe: None,
            start: Moment::at(0),
            started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            clock_error: Some(Nanos(MILLI)),
            missed: 0,
            paced,
            drained,
            interrupted: scheduled < total,
            aborted_by: None,
        };
        (results, timeline)
    }

    fn thresholds(&self) -> Vec<Threshold> {
        THRESHOLDS.map(|text| text.parse().expect(text)).to_vec()
    }

    /// The summary of the process that has this stripe.
    fn summary(&self, stripe: Stripe, stop: Option<u64>) -> Summary {
        let schedule = self.schedule(stripe);
        let (results, timeline) = self.results(stripe, stop);
        let of_stripe = (!stripe.is_whole()).then(|| StripeSummary {
            index: stripe.index(),
            of: stripe.of(),
            plan: "5c3c5a1e-0000-5000-8000-000000000000".to_owned(),
            start: "2027-01-15T08:00:00.000Z".to_owned(),
            scheduled_of_all: schedule.total_of_all(),
            missed: 0,
            audit_command: None,
        });
        let thresholds = self.thresholds();
        let judged = match stripe.is_whole() {
            true => threshold::judged(&thresholds, schedule.end(), &results),
            false => threshold::deferred(&thresholds),
        };
        let circumstances = Circumstances {
            configuration: configuration(stripe),
            stripe: of_stripe,
            timeline: &timeline,
            planned: schedule.end(),
            asked: schedule.mean_rate(results.paced),
            stopped_waiting: false,
            audit: None,
            exit_code: 0,
            thresholds: judged,
            resources: Resources::default(),
        };
        Summary::new(&results, &self.targets(), circumstances)
    }

    fn merged(&self, stripes: impl IntoIterator<Item = Stripe>) -> Summary {
        let summaries = stripes.into_iter().map(|stripe| self.summary(stripe, None));
        merge(summaries.map(|summary| read_back(&summary)))
    }
}

fn merge(summaries: impl IntoIterator<Item = impl Borrow<Summary>>) -> Summary {
    let mut merger = Merger::new(HashSet::new());
    for summary in summaries {
        add(&mut merger, summary.borrow()).expect("a stripe");
    }
    merger.finish().expect("stripes")
}

fn configuration(stripe: Stripe) -> Configuration {
    let (command, values) = match stripe.is_whole() {
        true => ("loadgen --seed 1".to_owned(), Vec::new()),
        false => (
            format!("loadgen --stripe {stripe} --seed 1"),
            vec![stripe.to_string()],
        ),
    };
    let source = if stripe.is_whole() {
        Source::Default
    } else {
        Source::Flag
    };
    Configuration {
        command,
        variables: Vec::new(),
        seed: 1,
        targets: Vec::new(),
        traffic: String::new(),
        count: None,
        requests: String::new(),
        keys: String::new(),
        settings: vec![Setting {
            option: "stripe".to_owned(),
            values,
            source,
        }],
    }
}

/// The summary as a reader of its file gets it.
fn read_back(summary: &Summary) -> Summary {
    let text = serde_json::to_string(summary).expect("JSON");
    Summary::from_json(&text).expect("a summary")
}

fn add(merger: &mut Merger, summary: &Summary) -> Result<(), Unmergeable> {
    let index = summary.stripe.as_ref().map_or(0, |stripe| stripe.index);
    merger.add(&format!("stripe-{index}.json"), summary)
}

/// Everything that must be equal. A slot's percentiles may have fewer digits in merged results, and an encoded histogram may have
/// room for longer durations.
fn comparable(mut summary: Summary) -> Summary {
    summary.merged = None;
    summary.exit_code = 0;
    // The sum of the stripes' rates may differ in its last digit.
    let rounded = |rate: f64| (rate * 1e9).round() / 1e9;
    summary.run.asked_per_s = summary.run.asked_per_s.map(rounded);
    for of in [
        &mut summary.latency,
        &mut summary.service_time,
        &mut summary.send_lag,
    ] {
        of.hdr = None;
    }
    for slot in &mut summary.timeline.slots {
        for ns in [
            &mut slot.p50_ns,
            &mut slot.p90_ns,
            &mut slot.p99_ns,
            &mut slot.p99_9_ns,
            &mut slot.max_ns,
            &mut slot.send_lag_p99_ns,
            &mut slot.send_lag_max_ns,
        ] {
            *ns = 0;
        }
        // Sums of rates are exact to a rounding of the last of the digits that are shown.
        slot.asked = (slot.asked * 10.0).round() / 10.0;
    }
    summary
}

/// The percentiles of a slot, of latency and of send lag.
fn percentiles(summary: &Summary) -> Vec<u64> {
    let slots = summary.timeline.slots.iter();
    let of = slots.map(|slot| {
        [
            slot.p50_ns,
            slot.p90_ns,
            slot.p99_ns,
            slot.p99_9_ns,
            slot.max_ns,
            slot.send_lag_p99_ns,
            slot.send_lag_max_ns,
        ]
    });
    of.flatten().collect()
}

/// A few, since each case is a dozen runs, unless the environment asks for more.
fn cases() -> u32 {
    let more = std::env::var("PROPTEST_CASES").ok();
    more.and_then(|cases| cases.parse().ok()).unwrap_or(6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn stripes_together_have_the_results_of_one_run(world in world(), of in 2u64..=16, first in 0u64..16) {
        let whole = read_back(&world.summary(Stripe::WHOLE, None));
        let first = Stripe::new(first % of, of).expect("a stripe");
        // In any order.
        let stripes = first.all().skip(first.index() as usize).chain(first.all().take(first.index() as usize));
        let merged = world.merged(stripes);
        let parts = merged.merged.clone().expect("merged");
        prop_assert_eq!((parts.stripes.len() as u64, parts.missing.len(), parts.unknown), (of, 0, 0));
        prop_assert!(parts.stripes.iter().all(|stripe| stripe.unreached == 0));
        for (merged, whole) in percentiles(&merged).into_iter().zip(percentiles(&whole)) {
            prop_assert!(merged.abs_diff(whole) * 100 <= whole.max(merged), "{} for {}", merged, whole);
        }
        let (merged, whole) = (comparable(merged), comparable(whole));
        for (merged, whole) in merged.targets.iter().zip(&whole.targets) {
            prop_assert_eq!(merged, whole);
        }
        for (merged, whole) in merged.phases.iter().zip(&whole.phases) {
            prop_assert_eq!(merged, whole);
        }
        for (merged, whole) in merged.timeline.slots.iter().zip(&whole.timeline.slots) {
            prop_assert_eq!(merged, whole);
        }
        prop_assert_eq!(&merged.thresholds, &whole.thresholds);
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn a_missing_stripe_makes_no_threshold_met_and_only_those_missed_that_are(
        world in world(), of in 2u64..=8, missing in 0u64..8, stop in prop::option::of(0u64..60), its_stop in prop::option::of(0u64..60)
    ) {
        let missing = stripe(missing % of, of);
        let others = missing.all().filter(|stripe| *stripe != missing);
        let summaries: Vec<_> = others.map(|stripe| read_back(&world.summary(stripe, stop))).collect();
        let merged = merge(summaries.iter());
        let parts = merged.merged.as_ref().expect("merged");
        let total = world.schedule(Stripe::WHOLE).total().expect("an end");
        prop_assert_eq!(parts.missing.len(), 1);
        prop_assert_eq!(parts.missing[0].index, missing.index());
        prop_assert_eq!(parts.unknown, parts.missing[0].unknown);
        prop_assert_eq!(parts.unknown, missing.before(total));
        if stop.is_none() {
            prop_assert_eq!(merged.requests.scheduled + parts.unknown, total);
        }
        prop_assert!(merged.requests.balances());
        prop_assert!(merged.exit_code == 3 || merged.exit_code == 4);
        // The missing stripe may have gone on to the end, or may have been stopped at any other time.
        for its_stop in [None, its_stop] {
            let its_own = read_back(&world.summary(missing, its_stop));
            let whole = merge(summaries.iter().chain([&its_own]));
            for (judged, of_whole) in merged.thresholds.iter().zip(&whole.thresholds) {
                prop_assert!(judged.met != Met::Met, "{:?}", judged);
                // Whatever the unknown requests did, the whole missed it, too.
                if judged.met == Met::Missed {
                    prop_assert!(matches!(of_whole.met, Met::Missed | Met::Unsupported), "{:?} {:?}", judged, of_whole);
                }
            }
        }
    }

    #[test]
    fn a_stripe_that_stopped_early_left_the_rest_of_its_requests_unsent(
        world in world(), of in 2u64..=8, stopped in 0u64..8, after in 0u64..60
    ) {
        let stopped = stopped % of;
        let some = Stripe::new(0, of).expect("a stripe");
        let mut merger = Merger::new(HashSet::new());
        for stripe in some.all() {
            let stop = (stripe.index() == stopped).then_some(after);
            add(&mut merger, &read_back(&world.summary(stripe, stop))).expect("a stripe");
        }
        let merged = merger.finish().expect("stripes");
        let total = world.schedule(Stripe::WHOLE).total().expect("an end");
        prop_assert_eq!(merged.requests.scheduled, total, "the other stripes got to the end");
        prop_assert!(merged.requests.balances());
        let parts = merged.merged.as_ref().expect("merged");
        let row = &parts.stripes[stopped as usize];
        let own = Stripe::new(stopped, of).expect("a stripe").before(total);
        prop_assert_eq!(row.unreached, own.saturating_sub(after));
        let by_target: u64 = merged.targets.iter().map(|target| target.requests.scheduled).sum();
        let by_phase: u64 = merged.phases.iter().map(|phase| phase.requests.scheduled).sum();
        let by_slot: u64 = merged.timeline.slots.iter().map(|slot| slot.scheduled).sum();
        prop_assert_eq!([by_target, by_phase, by_slot], [total; 3]);
        for phase in &merged.phases {
            prop_assert!(phase.requests.balances());
        }
        let counts = merged.targets.iter().map(|target| target.requests.scheduled);
        let counts: Vec<_> = counts.collect();
        let [most, least] = [counts.iter().max(), counts.iter().min()].map(|count| *count.expect("a target"));
        prop_assert!(most - least <= 1, "the targets take turns: {:?}", counts);
    }
}

fn calm() -> World {
    let fate = Fate {
        is_dropped: false,
        is_unsent: false,
        lag: 1_000,
        took: MILLI,
        outcome: Outcome::Allowed,
        status: Some(200),
        has_reason: false,
        failing_open: false,
        connects: false,
        waited: false,
        address: Some(0),
    };
    World {
        profile: "20/s for 10s",
        fates: vec![fate],
        targets: 2,
        addresses: 1,
    }
}

fn stripe(index: u64, of: u64) -> Stripe {
    Stripe::new(index, of).expect("a stripe")
}

fn met(summary: &Summary, text: &str) -> JudgedThreshold {
    let mut judged = summary.thresholds.iter();
    judged.find(|one| one.text == text).expect(text).clone()
}

#[test]
fn what_is_missed_whatever_the_missing_stripe_did_is_missed() {
    let mut world = calm();
    world.fates[0].took = 60 * MILLI;
    let merged = world.merged([stripe(0, 2)]);
    // Half of the requests are unknown, so the percentile may be anything from this half's on.
    assert_eq!(met(&merged, "latency.p99 < 50ms").met, Met::Missed);
    // This stripe has all requests to the first target.
    assert_eq!(met(&merged, "target[1].latency.p50 < 2ms").met, Met::Missed);
    assert_eq!(met(&merged, "failed.rate < 10%").met, Met::Unknown);
    assert_eq!(met(&merged, "schedule = kept").met, Met::Unknown);
    assert_eq!(merged.exit_code, 4);
    let sentence = merged.merged.unwrap().missing_stripes();
    assert_eq!(
        sentence.as_deref(),
        Some("Stripe 1 of 2 is missing. The outcomes of its 100 requests are unknown")
    );
}

/// A burst of 20 requests within 10 s of a steady rate, in which every answer is allowed.
fn with_burst() -> World {
    World {
        profile: "20/s for 5s, burst 20 at once, 20/s for 5s",
        ..calm()
    }
}

#[test]
fn a_threshold_on_a_phase_is_missed_if_its_counts_are_whatever_the_missing_stripe_did() {
    let world = with_burst();
    let summaries = |threshold: &str, stop| {
        let summaries = (0..3).map(|index| {
            let mut summary = world.summary(stripe(index, 4), (index == 2).then_some(stop));
            summary.thresholds = threshold::deferred(&[threshold.parse().unwrap()]);
            summary
        });
        summaries.collect::<Vec<_>>()
    };
    // Of 200 steady requests in two phases, 150 are known, and each phase of the missing stripe has at most one more than that of
    // another stripe.
    for (threshold, expected) in [
        ("phase[steady].allowed.count < 150", Met::Missed),
        ("phase[steady].allowed.count <= 150", Met::Unknown),
        ("phase[steady].allowed.count >= 202", Met::Unknown),
        ("phase[steady].allowed.count > 202", Met::Missed),
        ("phase[steady].allowed.count = 149", Met::Missed),
        (
            "phase[steady].allowed.count between 203 and 210",
            Met::Missed,
        ),
        ("phase[steady].failed.rate < 1%", Met::Unknown),
        ("phase[steady].failed.rate > 27%", Met::Missed),
        ("phase[steady].allowed.rate < 70%", Met::Missed),
        ("phase[steady].latency.max < 1ms", Met::Missed),
        ("phase[steady].latency.min > 3ms", Met::Missed),
        ("phase[steady].allowed.per_second < 15/s", Met::Missed),
        ("phase[steady].allowed.per_second > 20.3/s", Met::Missed),
        ("phase[burst 20 at once].allowed.count < 15", Met::Missed),
        ("phase[burst].allowed.count <= 21", Met::Unknown),
        ("phase[burst].allowed.count > 21", Met::Missed),
        ("phase[pause].allowed.count > 1", Met::Unknown),
    ] {
        let merged = merge(summaries(threshold, 1_000));
        assert_eq!(met(&merged, threshold).met, expected, "{threshold}");
        assert_eq!(
            merged.exit_code,
            if expected == Met::Missed { 4 } else { 3 }
        );
    }
    // Nobody knows in which phase the requests were that a stopped stripe did not get as far as.
    for (threshold, expected) in [
        ("phase[steady].unsent.count < 50", Met::Unknown),
        ("phase[steady].scheduled.count < 100", Met::Missed),
        ("phase[steady].scheduled.count < 101", Met::Unknown),
        ("phase[steady].scheduled.count > 204", Met::Missed),
        ("phase[steady].scheduled.count > 203", Met::Unknown),
    ] {
        let merged = merge(summaries(threshold, 0));
        assert_eq!(met(&merged, threshold).met, expected, "{threshold}");
    }
    // If all others were stopped, the missing one may have gone on in any phase.
    for (threshold, expected) in [
        ("phase[steady].scheduled.count < 30", Met::Missed),
        ("phase[steady].scheduled.count > 219", Met::Unknown),
        ("phase[steady].scheduled.count > 220", Met::Missed),
        ("phase[steady].scheduled.per_second < 3/s", Met::Missed),
        ("phase[steady].scheduled.per_second < 3.1/s", Met::Unknown),
    ] {
        let stopped = (0..3).map(|index| {
            let mut summary = world.summary(stripe(index, 4), Some(10));
            summary.thresholds = threshold::deferred(&[threshold.parse().unwrap()]);
            summary
        });
        let merged = merge(stopped);
        assert_eq!(met(&merged, threshold).met, expected, "{threshold}");
    }
}

#[test]
fn a_missing_stripe_may_have_gone_on_after_the_others_were_stopped() {
    let world = calm();
    // The schedule has 200 requests.
    for (threshold, expected) in [
        ("allowed.count >= 105", Met::Unknown),
        ("allowed.count >= 201", Met::Missed),
    ] {
        let mut summary = world.summary(stripe(0, 2), Some(10));
        summary.thresholds = threshold::deferred(&[threshold.parse().unwrap()]);
        let ended = merge([&summary]);
        assert_eq!(ended.merged.as_ref().unwrap().unknown, 100);
        assert_eq!(met(&ended, threshold).met, expected, "{threshold}");
        // Without an end, there is no most.
        summary.run.planned_ns = None;
        summary.stripe.as_mut().unwrap().scheduled_of_all = None;
        let endless = merge([&summary]);
        assert_eq!(met(&endless, threshold).met, Met::Unknown, "{threshold}");
        let sentence = endless.merged.unwrap().missing_stripes().unwrap();
        assert!(sentence.contains("at least 9 requests"), "{sentence}");
    }
}

#[test]
fn numbers_about_a_limiter_prove_nothing_if_a_stripe_stopped_early() {
    let world = calm();
    let mut merger = Merger::new(HashSet::new());
    add(&mut merger, &world.summary(stripe(0, 2), None)).unwrap();
    add(&mut merger, &world.summary(stripe(1, 2), Some(40))).unwrap();
    let merged = merger.finish().unwrap();
    assert_eq!(met(&merged, "latency.p99 < 50ms").met, Met::Unsupported);
    assert_eq!(met(&merged, "schedule = kept").met, Met::Missed);
    assert_eq!(
        merged.schedule.statement,
        "schedule not kept: 60 requests were not sent, because their stripes had stopped; every other request on time \
         (within 10ms), none dropped"
    );
    assert_eq!(
        (merged.requests.unsent, merged.schedule.unreached),
        (60, 60)
    );
}

#[test]
fn a_schedule_is_kept_by_one_clock_only_if_the_clocks_agree() {
    let statement = |errors: [Option<u64>; 3]| {
        let summaries = (0..3).zip(errors).map(|(index, error)| {
            let mut summary = calm().summary(stripe(index, 3), None);
            summary.run.clock_error_ns = error.map(|millis| millis * MILLI);
            summary
        });
        merge(summaries).schedule.statement
    };
    let kept = "schedule kept: every request on time (within 10ms), none dropped";
    assert_eq!(statement([Some(4), Some(0), Some(6)]), kept);
    assert_eq!(
        statement([Some(40), Some(1), Some(2)]),
        format!("{kept}; each stripe by its own clock; the clocks may be up to 42.0 ms apart")
    );
    assert_eq!(
        statement([Some(1), None, Some(1)]),
        format!("{kept}; each stripe by its own clock; how far the clocks are apart is not known")
    );
}

#[test]
fn suspensions_of_several_processes_are_not_those_of_one() {
    let summaries = (0..2).map(|index| {
        let mut summary = calm().summary(stripe(index, 2), None);
        summary.schedule.suspended_ns = 6_000 * MILLI;
        summary
    });
    let summaries: Vec<_> = summaries.collect();
    let statement = |summaries: &[Summary]| merge(summaries).schedule.statement;
    let both = statement(&summaries);
    let expected = "stripes 0 and 1 were suspended for 12.0 s in all (Ctrl-Z or SIGSTOP), and no request was late";
    assert!(both.contains(expected), "{both}");
    let mut summaries = summaries;
    summaries[0].schedule.suspended_ns = 0;
    let one = statement(&summaries);
    let expected = "stripe 1 was suspended for 6.00 s (Ctrl-Z or SIGSTOP), and no request was late";
    assert!(one.contains(expected), "{one}");
    let merged = merge(&summaries).merged.unwrap();
    let suspended: Vec<_> = merged
        .stripes
        .iter()
        .map(|stripe| stripe.suspended_ns)
        .collect();
    assert_eq!(suspended, [0, 6_000 * MILLI]);
}

#[test]
fn the_stripes_that_were_late_are_named() {
    let late = |late: &[u64]| {
        let summaries = late.iter().zip(0..).map(|(late, index)| {
            let mut summary = calm().summary(stripe(index, 5), None);
            summary.schedule.late = *late;
            // These waited for their target, which is not the fault of the stripe.
            summary.schedule.backlog_late = 2.min(*late);
            summary
        });
        merge(summaries).merged.unwrap().late_stripes()
    };
    for (of_each, expected) in [
        ([2, 0, 0, 0, 0], None),
        ([2, 3, 0, 0, 0], Some("by stripe 1")),
        ([2, 72, 0, 0, 0], Some("all of them by stripe 1")),
        ([7, 72, 0, 0, 0], Some("most of them by stripe 1 (70)")),
        ([7, 0, 0, 0, 7], Some("all of them by stripes 0 and 4")),
        ([9, 9, 9, 9, 10], Some("by 5 of 5 stripes, up to 8 by each")),
    ] {
        assert_eq!(late(&of_each).as_deref(), expected, "{of_each:?}");
    }
    // Those that a stopped stripe did not get as far as are its own.
    let mut merger = Merger::new(HashSet::new());
    add(&mut merger, &calm().summary(stripe(0, 2), None)).unwrap();
    add(&mut merger, &calm().summary(stripe(1, 2), Some(40))).unwrap();
    let merged = merger.finish().unwrap().merged.unwrap();
    assert_eq!(merged.stripes[1].not_on_time, 60);
    assert_eq!(
        merged.late_stripes().as_deref(),
        Some("all of them by stripe 1")
    );
}

#[test]
fn thresholds_of_stripes_are_left_to_what_judges_them() {
    let judged_by = [
        "latency.p99 < 1s",
        "audit = kept",
        "event[boom].recovery < 2s",
        "event[boom].admitted_beyond < 5",
    ];
    let thresholds = judged_by.map(|text| text.parse::<Threshold>().expect(text));
    let deferred = threshold::deferred(&thresholds);
    let measured: Vec<_> = deferred.iter().map(|one| one.measured.as_str()).collect();
    let nothing = "unknown in the merged result, too, since what events did is not merged";
    let audit = "loadgen audit judges it, by the --requests files of all stripes";
    let merge_does = "loadgen merge judges it on all stripes";
    assert_eq!(measured, [merge_does, audit, nothing, nothing]);
    let summaries = [stripe(0, 2), stripe(1, 2)].map(|stripe| {
        let mut summary = calm().summary(stripe, None);
        summary.thresholds = deferred.clone();
        summary
    });
    let merged = merge(&summaries);
    let mets: Vec<_> = merged.thresholds.iter().map(|one| one.met).collect();
    assert_eq!(mets, [Met::Met, Met::Deferred, Met::Unknown, Met::Unknown]);
}

#[test]
fn the_requested_rate_has_the_share_of_a_stripe_that_was_stopped() {
    for stop in [0, 10, 99, 100] {
        let world = calm();
        let stripes = [(stripe(0, 2), None), (stripe(1, 2), Some(stop))];
        let summaries = stripes.map(|(stripe, stop)| world.summary(stripe, stop));
        let merged = merge(&summaries);
        assert_eq!(merged.requests.scheduled, 200);
        assert_eq!(merged.run.asked_per_s, Some(20.0), "after {stop} requests");
        let slots = merged.timeline.slots.iter();
        let rates: Vec<_> = slots.map(|slot| slot.asked).collect();
        assert_eq!(rates, [20.0; 10], "after {stop} requests");
        // All were stopped at the same time.
        let stripes = [stripe(0, 2), stripe(1, 2)].map(|one| world.summary(one, Some(50)));
        assert_eq!(merge(&stripes).run.asked_per_s, Some(20.0));
    }
}

#[test]
fn the_files_are_not_complete_if_a_stripe_missed_requests_that_another_process_may_have_sent() {
    let mut world = calm();
    world.fates[0].is_unsent = true;
    let command = |missed| {
        let summaries = [stripe(0, 2), stripe(1, 2)].map(|stripe| {
            let mut summary = world.summary(stripe, None);
            let of = summary.stripe.as_mut().unwrap();
            of.audit_command = Some(format!("loadgen audit {FILES} {COMPLETE}"));
            of.missed = missed * of.index;
            summary
        });
        merge(summaries).merged.unwrap().audit_command.unwrap()
    };
    assert_eq!(command(0), format!("loadgen audit {FILES} {COMPLETE}"));
    assert_eq!(command(1), format!("loadgen audit {FILES}"));
}

#[test]
fn the_command_of_the_whole_has_no_stripe() {
    let merged = calm().merged([stripe(1, 2), stripe(0, 2)]);
    assert_eq!(merged.configuration, configuration(Stripe::WHOLE));
    assert_eq!(merged.stripe, None);
    // It is no stripe any more.
    let again = Merger::new(HashSet::new()).add("all.json", &merged);
    assert_eq!(again.unwrap_err().why, Why::Merged);
}

/// The refusal of the second of two stripes, after this change of it.
fn refusal(change: impl FnOnce(&mut Summary)) -> String {
    let world = calm();
    let mut merger = Merger::new(HashSet::from(["workers", "stripe"].map(str::to_owned)));
    add(&mut merger, &world.summary(stripe(0, 2), None)).unwrap();
    let mut other = world.summary(stripe(1, 2), None);
    change(&mut other);
    let refused = merger.add("other.json", &other).unwrap_err();
    assert_eq!(merger.count(), 1, "nothing was added");
    assert_eq!(refused.file, "other.json");
    refused.to_string()
}

fn set(summary: &mut Summary, option: &str, value: &str) {
    summary.configuration.settings.push(Setting {
        option: option.to_owned(),
        values: vec![value.to_owned()],
        source: Source::Flag,
    });
}

#[test]
fn stripes_that_do_not_belong_together_are_refused_with_the_reason() {
    let of = |summary: &mut Summary| summary.stripe.clone().unwrap();
    for (expected, change) in [
        (
            "is stripe 0 of 2, as 'stripe-0.json' is. Give each stripe once",
            Box::new(move |other: &mut Summary| {
                other.stripe = Some(StripeSummary {
                    index: 0,
                    ..of(other)
                });
            }) as Box<dyn FnOnce(&mut Summary)>,
        ),
        (
            "must be the summary of a stripe, by --stripe I/N; this is that of a whole run",
            Box::new(|other: &mut Summary| other.stripe = None),
        ),
        (
            "must be the summary of a stripe; its stripe has numbers that no stripe has",
            Box::new(move |other: &mut Summary| {
                other.stripe = Some(StripeSummary {
                    index: 2,
                    ..of(other)
                });
            }),
        ),
        (
            "must be of the same plan as 'stripe-0.json'; --seed, --rps differ",
            Box::new(move |other: &mut Summary| {
                other.stripe = Some(StripeSummary {
                    plan: "other".to_owned(),
                    ..of(other)
                });
                other.configuration.seed = 2;
                set(other, "rps", "20");
                set(other, "workers", "20");
            }),
        ),
        (
            "must be of the same plan as 'stripe-0.json'; the content of a file that its options name differs; secrets are not compared",
            Box::new(move |other: &mut Summary| {
                other.stripe = Some(StripeSummary {
                    plan: "other".to_owned(),
                    ..of(other)
                });
                other.configuration.settings.clear();
            }),
        ),
        (
            "must be one of 2 stripes, as 'stripe-0.json' is; it is one of 4",
            Box::new(move |other: &mut Summary| {
                other.stripe = Some(StripeSummary { of: 4, ..of(other) });
            }),
        ),
        (
            "must have started at 2027-01-15T08:00:00.000Z, as 'stripe-0.json' did; it started at 2027-01-15T08:01:00.000Z, so it \
             is of another run",
            Box::new(move |other: &mut Summary| {
                let start = "2027-01-15T08:01:00.000Z".to_owned();
                other.stripe = Some(StripeSummary { start, ..of(other) });
            }),
        ),
    ] {
        assert_eq!(refusal(change), expected);
    }
}

#[test]
fn a_file_that_contradicts_itself_is_refused_by_the_name_of_its_field() {
    let huge = || {
        let mut huge = crate::core::stats::Histogram::default();
        (0..5).for_each(|_| huge.record(Nanos(1)));
        DurationSummary {
            count: 100,
            ..DurationSummary::new(&huge).with_hdr(&huge)
        }
    };
    for (expected, change) in [
        (
            "its latency.hdr has 5 durations, and the count beside it is 100",
            Box::new(move |other: &mut Summary| other.latency = huge())
                as Box<dyn FnOnce(&mut Summary)>,
        ),
        (
            "its send_lag.hdr has 0 durations, and the count beside it is 100",
            Box::new(|other: &mut Summary| other.send_lag.hdr = None),
        ),
        (
            "its latency.hdr is not base64",
            Box::new(|other: &mut Summary| other.latency.hdr = Some("ä".to_owned())),
        ),
        (
            "its latency.hdr is not a compressed HdrHistogram of version 2",
            Box::new(|other: &mut Summary| other.latency.hdr = Some("AAAA".to_owned())),
        ),
        (
            "its targets[1].to_merge is missing; the stripe must be of a loadgen that can merge",
            Box::new(|other: &mut Summary| other.targets[1].to_merge = None),
        ),
        (
            "its targets are not those of 'stripe-0.json', although the plan is the same",
            Box::new(|other: &mut Summary| other.targets.swap(0, 1)),
        ),
        (
            "its requests are not those of its targets",
            Box::new(|other: &mut Summary| {
                other.targets[1].requests = Ledger {
                    scheduled: 101,
                    unsent: 1,
                    ..other.targets[1].requests
                }
            }),
        ),
        (
            "its timeline.slot_ns is no power of two of seconds",
            Box::new(|other: &mut Summary| other.timeline.slot_ns = 3_000_000_000),
        ),
        (
            "its timeline.seconds is not the length of its slots",
            Box::new(|other: &mut Summary| other.timeline.seconds += 1),
        ),
        (
            "its timeline.stretches[0].phase is not among its phases",
            Box::new(|other: &mut Summary| other.timeline.stretches[0].phase = 1),
        ),
        (
            "its run.paced_ns is 18446744073709551615; it must be at most 4611686018427387903",
            Box::new(|other: &mut Summary| other.run.paced_ns = u64::MAX),
        ),
        (
            "its requests.scheduled is 100; it must be at most 75",
            Box::new(|other: &mut Summary| {
                other.stripe.as_mut().unwrap().scheduled_of_all = Some(150);
            }),
        ),
    ] {
        let refused = refusal(change);
        assert_eq!(
            refused.strip_prefix("must be the summary of a stripe; "),
            Some(expected),
            "{refused}"
        );
    }
}

#[test]
fn control_characters_of_a_file_do_not_reach_a_terminal() {
    const CLEAR: &str = "\u{1b}[2J";
    for name in [
        "/targets/0/name",
        "/targets/0/to_merge/addresses/0/address",
        "/phases/0/name",
        "/configuration/traffic",
        "/stripe/start",
    ] {
        let summary = calm().summary(stripe(0, 2), None);
        let mut json = serde_json::to_value(&summary).unwrap();
        *json.pointer_mut(name).expect(name) = json!(format!("x{CLEAR}"));
        let changed = Summary::from_json(&json.to_string()).expect(name);
        let refused = add(&mut Merger::new(HashSet::new()), &changed);
        let refused = refused.expect_err(name).to_string();
        assert!(refused.ends_with("has a control character"), "{refused}");
    }
    // A peer's words are masked, as in a run.
    let mut world = calm();
    world.fates[0].outcome = Outcome::Failed(FailureKind::Timeout);
    let mut summary = world.summary(stripe(0, 2), None);
    for cause in [&mut summary.causes[0], &mut summary.targets[0].causes[0]] {
        cause.reason = Some(format!("speaks {CLEAR}"));
        cause.examples = vec![FailedRequest {
            sequence: 0,
            target: calm().targets()[0].to_string(),
            sent_ns: 0,
            error: Some(CLEAR.to_owned()),
            answer: Some(format!("HTTP/1.1 200\n\n{CLEAR}")),
        }];
    }
    let merged = serde_json::to_string(&merge([summary])).unwrap();
    assert!(
        !merged.contains("\\u001b") && merged.contains("\\\\u{1b}[2J"),
        "{merged}"
    );
}

/// The paths of all values of a JSON text that are no list and no object.
fn leaves(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, of) in fields {
                leaves(of, &format!("{path}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (place, of) in items.iter().enumerate() {
                leaves(of, &format!("{path}/{place}"), all);
            }
        }
        _ => all.push(path.to_owned()),
    }
}

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(601)),
        Just(json!(1u64 << 50)),
        Just(json!(u64::MAX)),
        Just(json!(1e18)),
        Just(json!(true)),
        Just(Value::Null),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("")),
    ]
}

proptest! {
    #[test]
    fn no_file_ends_a_merge_otherwise_than_by_a_refusal(
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd()), 1..4), comes_first in any::<bool>()
    ) {
        let mut world = calm();
        world.profile = "20/s for 2s";
        world.fates[0].outcome = Outcome::Failed(FailureKind::Timeout);
        let good = world.summary(stripe(0, 2), None);
        let mut json = serde_json::to_value(world.summary(stripe(1, 2), Some(15))).expect("JSON");
        let mut all = Vec::new();
        leaves(&json, "", &mut all);
        for (place, value) in changes {
            *json.pointer_mut(&all[place.index(all.len())]).expect("a leaf") = value;
        }
        let Ok(changed) = Summary::from_json(&json.to_string()) else {
            return Ok(());
        };
        let mut merger = Merger::new(HashSet::new());
        if comes_first {
            let _ = add(&mut merger, &changed);
            let _ = add(&mut merger, &good);
        } else {
            add(&mut merger, &good).expect("a stripe");
            let _ = add(&mut merger, &changed);
        }
        if let Some(merged) = merger.finish() {
            prop_assert!(merged.requests.balances());
            // It can be written, and read again.
            read_back(&merged);
        }
    }
}

/// For measurements: `LOADGEN_STRIPE_FILES=/tmp/stripes cargo test --lib -- make_the_summaries_of_64_stripes --ignored`
/// writes 64 files, each of a run of 20 minutes with 10 million requests, and then `loadgen merge /tmp/stripes` is measured.
#[test]
#[ignore = "writes files to a folder that an environment variable names"]
fn make_the_summaries_of_64_stripes() {
    let folder = std::env::var("LOADGEN_STRIPE_FILES").expect("a folder");
    let mut random = 1u64;
    let mut uniform = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    let fates = (0..50_000).map(|number| {
        let fate = calm().fates[0].clone();
        // From 0.1 ms to 10 s, more at the lower end.
        let took = (1e5 * 1e5f64.powf(uniform().powi(3))) as u64;
        Fate {
            lag: (1e4 * 1e2f64.powf(uniform().powi(2))) as u64,
            took,
            outcome: match number % 10 {
                0..6 => Outcome::Allowed,
                _ => Outcome::Blocked,
            },
            connects: number % 100 == 0,
            address: Some((number % 2) as u8),
            ..fate
        }
    });
    let world = World {
        profile: "512000/s for 595s, burst 576000/s for 594s",
        fates: fates.collect(),
        targets: 3,
        addresses: 2,
    };
    let one = world.summary(stripe(0, 64), None);
    assert!(one.timeline.slots.len() > 590);
    for index in 0..64 {
        let mut own = one.clone();
        own.stripe.as_mut().unwrap().index = index;
        let text = serde_json::to_string_pretty(&own).unwrap();
        std::fs::write(format!("{folder}/stripe-{index:02}.json"), text).unwrap();
    }
    let requests = one.requests.scheduled;
    println!(
        "{requests} requests each, {} bytes",
        serde_json::to_string_pretty(&one).unwrap().len()
    );
}
