//! Thresholds on a part of a run: on a target, on an event, on phases.

use super::super::*;
use crate::base::{
    Answer, FailureCause, FailureKind, KeyId, Ledger, Moment, Nanos, Outcome, Sample,
};
use crate::core::events::{CommandEnd, CommandRecord, EventKind, EventRecord};
use crate::core::schedule::{Profile, Schedule};
use crate::core::stats::effects::{
    Effect, Effects, Failed, Opened, Recovery, RecoveryFrom, ScopeEffect, SpanNumbers, WhyUnknown,
};
use crate::core::stats::{
    Failures, Histogram, Lateness, OutcomeCounts, PhaseTallies, PhaseTracker, Tally,
};
use measurements::Parts;

const SECOND: u64 = 1_000_000_000;

/// A run of 60 s with these events, in which the generator was on time but for `late` requests.
#[derive(Default)]
struct Run {
    events: Vec<EventRecord>,
    effects: Effects,
    phases: PhaseTallies,
    late: u64,
}

impl Run {
    fn of(events: Vec<(EventRecord, Effect)>) -> Run {
        let (events, effects) = events.into_iter().unzip();
        Run {
            events,
            effects: Effects {
                events: effects,
                outages: Vec::new(),
            },
            ..Run::default()
        }
    }

    fn judge(&self, text: &str) -> (Met, String) {
        let ledger = Ledger {
            scheduled: 1_000,
            sent: 1_000,
            allowed: 1_000,
            ..Ledger::default()
        };
        let lateness = Lateness {
            late: self.late,
            ..Lateness::default()
        };
        let measurements = Measurements {
            ledgers: &[ledger],
            tally: &Tally::new(1),
            followed: Nanos(60 * SECOND),
            lateness: &[lateness],
            audit: None,
            parts: Some(Parts {
                phases: &self.phases,
                unplaced: &[],
                events: &self.events,
                effects: &self.effects,
            }),
        };
        text.parse::<Threshold>().expect(text).judge(&measurements)
    }
}

fn cause(kind: FailureKind) -> FailureCause {
    FailureCause {
        kind,
        status: None,
        reason: None,
    }
}

fn record(name: &str, kind: EventKind, end: Option<CommandEnd>) -> EventRecord {
    EventRecord {
        name: name.to_owned(),
        kind,
        due: None,
        began: Nanos(30 * SECOND),
        command: end.map(|end| CommandRecord {
            text: "pause".to_owned(),
            ended: Some(Nanos(31 * SECOND)),
            end,
            output: String::new(),
            output_cut: 0,
        }),
    }
}

fn fine(name: &str) -> EventRecord {
    record(name, EventKind::Command, Some(CommandEnd::Exited(0)))
}

/// The effect of an event of 10 s, while which 100 requests were sent: 50 were allowed, 40 blocked, and 10 failed.
fn effect() -> Effect {
    let mut failures = Failures::default();
    for _ in 0..10 {
        failures.add(cause(FailureKind::Timeout));
    }
    let mut latency = Histogram::default();
    (1..=90).for_each(|ms| latency.record(Nanos(ms * 1_000_000)));
    Effect {
        during: Nanos(30 * SECOND)..Nanos(40 * SECOND),
        ended_by: None,
        all: ScopeEffect {
            before: SpanNumbers::default(),
            during: SpanNumbers {
                counts: OutcomeCounts {
                    sent: 100,
                    allowed: 50,
                    blocked: 40,
                    failed: 10,
                    abandoned: 0,
                },
                failing_open: 5,
                beyond: Some(0),
                ..SpanNumbers::default()
            },
            after: None,
            failed: Failed::Yes,
            open: Opened::No,
            is_slow: false,
            felt: None,
            recovery: None,
        },
        targets: Vec::new(),
        failures,
        latency,
    }
}

fn recovered(from: u64, total: Option<u64>) -> Effect {
    let mut effect = effect();
    effect.all.recovery = Some(Recovery {
        from: RecoveryFrom::OwnEnd,
        from_at: Nanos(from * SECOND),
        first_answer: None,
        good_second: None,
        kept: None,
        last_excess: None,
        is_known: true,
        total: total.map(|ms| Nanos(ms * 1_000_000)),
        failed_later: false,
    });
    effect
}

#[track_caller]
fn is(judged: (Met, String), met: Met, measured: &str) {
    assert_eq!(judged, (met, measured.to_owned()));
}

#[test]
fn the_numbers_of_an_event_are_those_while_it_lasted() {
    let run = Run::of(vec![
        (
            fine("other"),
            Effect {
                failures: Failures::default(),
                ..effect()
            },
        ),
        (fine("redis goes"), effect()),
    ]);
    let of = |text: &str| run.judge(&format!("event[redis goes].{text}"));
    is(of("failed.rate < 10%"), Met::Missed, "10.0 % (10 of 100)");
    is(of("failed[timeout].count = 10"), Met::Met, "10");
    is(of("sent.count = 100"), Met::Met, "100");
    is(
        of("blocked.rate <= 45% of success"),
        Met::Met,
        "44.4 % (40 of 90)",
    );
    is(
        of("allowed.per_second = 5/s"),
        Met::Met,
        "5.00/s (50 in 10.0 s)",
    );
    is(of("failing_open.count = 0"), Met::Missed, "5");
    is(
        of("failing_open.rate = 10% of allowed"),
        Met::Met,
        "10.0 % (5 of 50)",
    );
    is(
        of("latency.p50 < 46ms"),
        Met::Met,
        "45.0 ms, of 90 answered of 100 sent",
    );
    is(run.judge("event[other].failed.count = 0"), Met::Met, "0");
}

#[test]
fn an_event_recovers_in_time_or_too_late_or_never() {
    let judge = |effect| {
        let run = Run::of(vec![(fine("x"), effect)]);
        run.judge("event[x].recovery < 2s")
    };
    is(judge(recovered(31, Some(400))), Met::Met, "400 ms");
    is(judge(recovered(31, Some(2_000))), Met::Missed, "2.00 s");
    is(judge(recovered(31, None)), Met::Missed, "not right again");
    // Requests went on for 29 s, and would have shown it. With less than 3 s, they would not.
    is(judge(recovered(57, None)), Met::Missed, "not right again");
    is(
        judge(recovered(58, None)),
        Met::NothingSeen,
        "not right again in the 2.00 s to the end",
    );
    let mut later = recovered(31, Some(400));
    later.all.recovery.as_mut().unwrap().failed_later = true;
    is(
        judge(later),
        Met::Met,
        "400 ms; requests failed again later",
    );
    is(judge(effect()), Met::Met, "nothing to recover from");
    let mut unknown = effect();
    unknown.all.open = Opened::Unknown(WhyUnknown::NotAudited);
    is(judge(unknown), Met::Met, "no failure to recover from");
    let mut slow = effect();
    slow.all.is_slow = true;
    is(
        judge(slow),
        Met::Met,
        "nothing to recover from but slow answers",
    );
}

#[test]
fn without_an_effect_there_is_a_recovery_of_no_time_if_an_effect_would_have_been_seen() {
    let judge = |failed, open, threshold: &str| {
        let mut effect = effect();
        (effect.all.failed, effect.all.open) = (failed, open);
        Run::of(vec![(fine("x"), effect)]).judge(&format!("event[x].recovery {threshold}"))
    };
    // It shows that a drill bites.
    let harmless = judge(Failed::No, Opened::No, "> 1s");
    is(harmless, Met::Missed, "nothing to recover from");
    let before = judge(Failed::Before, Opened::No, "< 2s");
    is(before, Met::NothingSeen, "targets failed already before");
    for why in [WhyUnknown::NotTested, WhyUnknown::OpenBefore] {
        let unknown = judge(Failed::No, Opened::Unknown(why), "< 2s");
        is(
            unknown,
            Met::NothingSeen,
            "not known whether it failed open",
        );
    }
    let mut unknown = recovered(31, None);
    unknown.all.recovery.as_mut().unwrap().is_known = false;
    let run = Run::of(vec![(fine("x"), unknown)]);
    is(
        run.judge("event[x].recovery < 2s"),
        Met::NothingSeen,
        "nothing shows whether it was right again",
    );
}

#[test]
fn never_right_again_misses_every_threshold() {
    let run = Run::of(vec![(fine("x"), recovered(31, None))]);
    is(
        run.judge("event[x].recovery > 2s"),
        Met::Missed,
        "not right again",
    );
}

#[test]
fn without_a_working_command_a_threshold_is_not_met() {
    for (end, why) in [
        (CommandEnd::Exited(1), "exit code 1"),
        (CommandEnd::Signalled(9), "ended by signal 9"),
        (
            CommandEnd::NotStarted("no such file".to_owned()),
            "could not be started: no such file",
        ),
    ] {
        let run = Run::of(vec![(record("x", EventKind::Command, Some(end)), effect())]);
        let measured = format!("nothing to recover from, but its command failed: {why}");
        is(
            run.judge("event[x].recovery < 2s"),
            Met::NothingSeen,
            &measured,
        );
        // Whatever the command did, requests failed.
        is(run.judge("event[x].failed.count = 0"), Met::Missed, "10");
    }
    let stopped = record("x", EventKind::Command, Some(CommandEnd::Stopped));
    let run = Run::of(vec![(stopped, effect())]);
    is(
        run.judge("event[x].recovery < 2s"),
        Met::Met,
        "nothing to recover from",
    );
}

#[test]
fn an_event_that_did_not_begin_or_met_no_request_has_measured_nothing() {
    let mut idle = effect();
    idle.all.during = SpanNumbers::default();
    idle.failures = Failures::default();
    let run = Run::of(vec![(record("x", EventKind::Undo, None), idle)]);
    for metric in ["recovery < 2s", "failed.count = 0", "admitted_beyond = 0"] {
        let began = run.judge(&format!("event[undo of x].{metric}"));
        is(
            began,
            Met::NothingSeen,
            "nothing, since no request was sent meanwhile",
        );
        let other = run.judge(&format!("event[x].{metric}"));
        is(other, Met::NothingSeen, "nothing, since it did not begin");
    }
    is(run.judge("event[undo of x].sent.count = 0"), Met::Met, "0");
}

#[test]
fn each_mark_of_a_name_has_to_pass() {
    let mark = || record("x", EventKind::Posted, None);
    let run = Run::of(vec![
        (mark(), recovered(31, Some(400))),
        (mark(), recovered(31, Some(3_000))),
        (mark(), recovered(31, Some(500))),
    ]);
    is(run.judge("event[x].recovery < 2s"), Met::Missed, "3.00 s");
}

#[test]
fn no_admission_beyond_the_limit_counts_only_if_one_would_have_been_seen() {
    let judge = |beyond, open| {
        let mut effect = effect();
        effect.all.during.beyond = beyond;
        effect.all.open = open;
        Run::of(vec![(fine("x"), effect)]).judge("event[x].admitted_beyond = 0")
    };
    let unknown = Opened::Unknown(WhyUnknown::NotTested);
    is(judge(Some(0), Opened::No), Met::Met, "0");
    is(judge(Some(0), unknown), Met::NothingSeen, "nothing");
    is(judge(Some(7), Opened::Yes), Met::Missed, "7");
    is(judge(Some(7), unknown), Met::Missed, "7");
    is(judge(None, Opened::No), Met::NothingSeen, "nothing");
    let threshold: Threshold = "event[x].admitted_beyond = 0".parse().unwrap();
    assert!(threshold.needs_audit() && !threshold.is_about_generator());
}

#[test]
fn a_late_generator_supports_no_threshold_on_an_event_but_those_on_itself() {
    let run = Run {
        late: 100,
        ..Run::of(vec![(fine("x"), recovered(31, Some(400)))])
    };
    is(
        run.judge("event[x].recovery < 2s"),
        Met::Unsupported,
        "400 ms",
    );
    is(
        run.judge("event[x].failed.count = 0"),
        Met::Unsupported,
        "10",
    );
    is(run.judge("event[x].sent.count = 100"), Met::Met, "100");
}

#[test]
fn a_phase_is_named_by_its_name_or_its_mode() {
    let profile = "2/s for 1s, burst 5/s for 1s, 2/s for 1s, burst 10/s for 1s";
    let schedule = Schedule::new(profile.parse::<Profile>().unwrap(), None);
    let mut phases = PhaseTracker::new(&schedule);
    for sequence in 0..19 {
        let sent = Moment::at(schedule.due(sequence).unwrap().0);
        let outcome = match sequence {
            3 => Outcome::Failed(FailureKind::Timeout),
            _ => Outcome::Allowed,
        };
        let took = Nanos(sequence * 1_000_000);
        phases.add(&Sample {
            sequence,
            key: KeyId(0),
            target: 0,
            due: sent,
            waited_for_target: false,
            answer: Answer {
                failing_open: sequence == 9,
                ..Answer::new(sent, sent + took, outcome)
            },
        });
    }
    let run = Run {
        phases: phases.finish(Nanos(4 * SECOND), 19),
        ..Run::default()
    };
    is(
        run.judge("phase[burst 5/s].failed[timeout].rate < 1%"),
        Met::Missed,
        "20.0 % (1 of 5)",
    );
    is(
        run.judge("phase[burst].failed.rate < 7%"),
        Met::Met,
        "6.67 % (1 of 15)",
    );
    is(
        run.judge("phase[steady].failed.rate < 1%"),
        Met::Met,
        "0.00 % (0 of 4)",
    );
    is(
        run.judge("phase[burst 10/s].latency.max < 50ms"),
        Met::Met,
        "18.0 ms",
    );
    is(
        run.judge("phase[steady].service_time.max < 7ms"),
        Met::Missed,
        "8.00 ms",
    );
    is(
        run.judge("phase[burst].sent.per_second = 7.5/s"),
        Met::Met,
        "7.50/s (15 in 2.00 s)",
    );
    is(
        run.judge("phase[burst 10/s].failing_open.count = 0"),
        Met::Missed,
        "1",
    );
    is(
        run.judge("phase[ramp].failed.count = 0"),
        Met::NothingSeen,
        "nothing, since it did not begin",
    );
}

#[test]
fn a_threshold_on_a_part_is_not_given_up_while_the_run_goes_on() {
    let schedule = Schedule::new("1/s for 10s".parse::<Profile>().unwrap(), None);
    let whole = WholeSchedule::of(&schedule, 1);
    let ledger = Ledger {
        scheduled: 10,
        sent: 10,
        failed: 10,
        ..Ledger::default()
    };
    let mut tally = Tally::new(1);
    for _ in 0..10 {
        tally.targets[0].failures.add(cause(FailureKind::Timeout));
    }
    let (ledgers, lateness) = ([ledger], [Lateness::default()]);
    let now = Measurements::so_far(&ledgers, &tally, &lateness, Nanos(9 * SECOND), false);
    for (text, may) in [
        ("failed.count = 0", false),
        ("target[1].failed.rate < 1%", false),
        ("event[x].failed.count = 0", true),
        ("event[x].recovery < 1s", true),
        ("phase[steady].failed.count = 0", true),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        let still = threshold.may_be_met(&now, Ahead::RestOf(&whole));
        assert_eq!(still, may, "{text}");
    }
}

#[test]
fn a_target_is_judged_by_its_own_requests() {
    let ledger = |failed| Ledger {
        scheduled: 1_000,
        sent: 1_000,
        allowed: 1_000 - failed,
        failed,
        ..Ledger::default()
    };
    let mut tally = Tally::new(2);
    for _ in 0..10 {
        tally.targets[1].failures.add(cause(FailureKind::Reset));
    }
    let mut lateness = [Lateness::default(); 2];
    let judge = |lateness: &[Lateness], text: &str| {
        let measurements = Measurements {
            ledgers: &[ledger(0), ledger(10)],
            tally: &tally,
            followed: Nanos(60 * SECOND),
            lateness,
            audit: None,
            parts: None,
        };
        text.parse::<Threshold>().unwrap().judge(&measurements)
    };
    is(
        judge(&lateness, "target[1].failed.rate < 1%"),
        Met::Met,
        "0.00 % (0 of 1000)",
    );
    is(
        judge(&lateness, "target[2].failed.rate < 1%"),
        Met::Missed,
        "1.00 % (10 of 1000)",
    );
    is(
        judge(&lateness, "failed.rate < 1%"),
        Met::Met,
        "0.500 % (10 of 2000)",
    );
    // A full backlog of the first target says nothing about the second.
    lateness[0].backlog_dropped = 1;
    is(
        judge(&lateness, "target[1].failed.rate < 1%"),
        Met::Unsupported,
        "0.00 % (0 of 1000)",
    );
    is(
        judge(&lateness, "target[2].failed.rate < 2%"),
        Met::Met,
        "1.00 % (10 of 1000)",
    );
}
