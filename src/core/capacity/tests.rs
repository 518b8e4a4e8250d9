//! How a step ended, and whose doing it was.

use crate::base::{Answer, FailureKind, KeyId, Ledger, Moment, Nanos, Outcome as Fate, Sample};
use crate::cli::Command;
use crate::core::capacity::{Cause, NotOnTime, Outcome, Processors, outcome};
use crate::core::plan::Plan;
use crate::core::stats::{
    Counters, Lateness, PhaseTallies, Results, ScheduleVerdict, Suspension, Tally,
};
use crate::core::stripe::Stripe;
use crate::core::threshold::Met;
use std::time::SystemTime;

const MILLI: u64 = 1_000_000;

/// Of 10 workers, for a second.
fn plan(thresholds: &[&str]) -> Plan {
    let words = "loadgen --rps 1000 --duration 1 --burst-enabled false --workers 10 http://h/";
    let words = words.split(' ').map(str::to_owned);
    let thresholds = thresholds
        .iter()
        .flat_map(|text| ["--threshold".to_owned(), (*text).to_owned()]);
    match Command::parse(words.chain(thresholds).map(Into::into)) {
        Ok(Command::Run(setup)) => setup.plan,
        other => panic!("{other:?}"),
    }
}

/// Requests that are all due at the start.
#[derive(Clone, Copy)]
struct Requests {
    count: u64,
    /// When they were sent, in milliseconds after they were due.
    sent: u64,
    /// What the server took, in milliseconds.
    took: u64,
    fate: Fate,
}

impl Requests {
    fn new(count: u64, sent: u64, took: u64) -> Requests {
        Requests {
            count,
            sent,
            took,
            fate: Fate::Allowed,
        }
    }
}

/// The results of a step that took a second.
fn results(requests: &[Requests]) -> Results {
    let mut tally = Tally::new(1);
    let mut ledger = Ledger::default();
    for of in requests {
        for sequence in 0..of.count {
            let (sent, took) = (of.sent * MILLI, of.took * MILLI);
            tally.add(&Sample {
                sequence,
                key: KeyId(0),
                target: 0,
                due: Moment::at(0),
                waited_for_target: false,
                answer: Answer::new(Moment::at(sent), Moment::at(sent + took), of.fate),
            });
        }
        ledger.scheduled += of.count;
        ledger.sent += of.count;
        match of.fate {
            Fate::Failed(_) => ledger.failed += of.count,
            _ => ledger.allowed += of.count,
        }
    }
    let lateness = tally.lateness(&Counters::new(1, Stripe::WHOLE));
    Results {
        verdict: ScheduleVerdict::new(&ledger, lateness.iter().copied().sum()),
        lateness,
        ledgers: vec![ledger],
        failure_examples: Vec::new(),
        start: Moment::at(0),
        started: SystemTime::UNIX_EPOCH,
        clock_error: None,
        missed: 0,
        tally,
        audit: None,
        probe: None,
        phases: PhaseTallies::default(),
        events: Vec::new(),
        effects: Default::default(),
        paced: Nanos(1_000 * MILLI),
        drained: Nanos::ZERO,
        interrupted: false,
        aborted_by: None,
    }
}

const IDLE: Processors = Processors {
    own: Some(0.2),
    all: Some(0.3),
};
const BUSY: Processors = Processors {
    own: Some(0.5),
    all: Some(0.99),
};
const BUSY_BY_ITSELF: Processors = Processors {
    own: Some(0.95),
    all: Some(0.99),
};

const FAST: [&str; 2] = ["latency.p99 < 20ms", "failed.rate < 0.1%"];

#[track_caller]
fn check(
    thresholds: &[&str],
    requests: &[Requests],
    processors: Processors,
    expected: (Option<Cause>, Option<NotOnTime>),
) {
    let judged = outcome(&plan(thresholds), &results(requests), processors);
    let cause = match judged.outcome {
        Outcome::NotHeld { cause, .. } => Some(cause),
        Outcome::Held => None,
        Outcome::Void => panic!("void"),
    };
    assert_eq!((cause, judged.not_on_time), expected);
    let is_missed = judged.thresholds.iter().any(|one| one.met == Met::Missed);
    let is_of_limiter = cause == Some(Cause::Missed);
    assert!(is_missed || !is_of_limiter, "{:?}", judged.thresholds);
}

#[test]
fn a_step_holds_if_it_is_on_time_and_meets_every_threshold() {
    let fast = [Requests::new(1_000, 0, 5)];
    check(&FAST, &fast, IDLE, (None, None));
    // Nobody else's load is held against it.
    check(&FAST, &fast, BUSY_BY_ITSELF, (None, None));
}

#[test]
fn a_slow_generator_is_not_a_slow_limiter() {
    // The limiter takes a millisecond, and the callers waited for 51.
    let late = [Requests::new(1_000, 50, 1)];
    let unknown = (Some(Cause::Generator), Some(NotOnTime::Unknown));
    check(&FAST, &late, IDLE, unknown);
    let busy = (Some(Cause::Generator), Some(NotOnTime::Processors));
    check(&FAST, &late, BUSY, busy);
    let disturbed = Processors {
        own: Some(0.1),
        all: Some(0.99),
    };
    let others = (Some(Cause::Generator), Some(NotOnTime::OtherProcesses));
    check(&FAST, &late, disturbed, others);
    // A service time contains the wait for a processor.
    check(&FAST, &[Requests::new(1_000, 50, 30)], BUSY, busy);
    check(&FAST, &[Requests::new(1_000, 0, 30)], BUSY_BY_ITSELF, busy);
    // A threshold on the generator itself.
    let lagging = [Requests::new(1_000, 5, 1)];
    check(&["send_lag.p50 < 1ms"], &lagging, IDLE, unknown);
}

#[test]
fn a_stalled_limiter_is_not_a_slow_generator() {
    let missed = (Some(Cause::Missed), None);
    // It holds all workers, so that requests leave late, and even its own time is too long.
    check(&FAST, &[Requests::new(400, 50, 30)], IDLE, missed);
    check(&FAST, &[Requests::new(1_000, 0, 30)], IDLE, missed);
    // Other processes are busy, but most answers take too long all the same.
    let disturbed = Processors {
        own: Some(0.1),
        all: Some(0.99),
    };
    check(&FAST, &[Requests::new(400, 50, 30)], disturbed, missed);
    let few = [Requests::new(600, 50, 1), Requests::new(400, 50, 30)];
    let others = (Some(Cause::Generator), Some(NotOnTime::OtherProcesses));
    check(&FAST, &few, disturbed, others);
    // Another process is busy, and the generator is on time all the same.
    check(&FAST, &[Requests::new(1_000, 0, 30)], BUSY, missed);
    // If most requests fail, it does not matter when they are sent.
    let failed = Requests {
        fate: Fate::Failed(FailureKind::Status5xx),
        ..Requests::new(600, 50, 1)
    };
    let most_failed = [Requests::new(400, 50, 1), failed];
    check(&FAST, &most_failed, BUSY_BY_ITSELF, missed);
    // A few may fail because they were sent late, in a burst.
    let some_failed = [
        Requests::new(900, 50, 1),
        Requests {
            count: 100,
            ..failed
        },
    ];
    let unknown = (Some(Cause::Generator), Some(NotOnTime::Unknown));
    check(&FAST, &some_failed, IDLE, unknown);
}

#[test]
fn workers_that_all_wait_for_answers_that_are_fast_enough_have_run_out() {
    // 15 ms are fewer than 20, but ten workers can't send more than 667 requests per second so.
    let slow = [Requests::new(650, 50, 15)];
    let workers = (Some(Cause::Connections), Some(NotOnTime::Workers));
    check(&FAST, &slow, IDLE, workers);
}

#[test]
fn sockets_that_this_machine_lacks_are_not_the_limiter_s_fault() {
    let local = Requests {
        fate: Fate::Failed(FailureKind::Local),
        ..Requests::new(5, 0, 0)
    };
    let sockets = (Some(Cause::Connections), Some(NotOnTime::Sockets));
    check(&FAST, &[Requests::new(995, 0, 1), local], IDLE, sockets);
    let most = Requests {
        count: 500,
        ..local
    };
    check(&FAST, &[Requests::new(500, 0, 1), most], IDLE, sockets);
}

#[test]
fn a_threshold_without_anything_to_measure_is_not_judged() {
    let unjudged = (Some(Cause::Unjudged), None);
    let fast = [Requests::new(1_000, 0, 1)];
    check(&["tls.max < 1s"], &fast, IDLE, unjudged);
}

#[test]
fn requests_that_a_full_backlog_dropped_are_the_limiter_s_fault() {
    let mut results = results(&[Requests::new(1_000, 0, 1)]);
    results.ledgers[0].scheduled += 100;
    results.ledgers[0].dropped += 100;
    results.lateness[0] = Lateness {
        backlog_dropped: 100,
        ..Lateness::default()
    };
    results.verdict = ScheduleVerdict::new(&results.ledger(), results.lateness[0]);
    let judged = outcome(&plan(&FAST), &results, IDLE);
    let missed = Outcome::NotHeld {
        cause: Cause::Missed,
        may_be_chance: false,
    };
    assert_eq!(judged.outcome, missed);
}

#[test]
fn a_suspended_process_says_nothing() {
    let mut results = results(&[Requests::new(1_000, 50, 1)]);
    results.lateness[0] = Lateness {
        suspended_late: 1_000,
        ..Lateness::default()
    };
    results.tally.suspensions.push(Suspension {
        due: 0..1_000,
        stripe: Stripe::WHOLE,
        length: Nanos(50 * MILLI),
    });
    results.verdict = ScheduleVerdict::new(&results.ledger(), results.lateness[0]);
    let judged = outcome(&plan(&FAST), &results, IDLE);
    assert_eq!(judged.outcome, Outcome::Void);
}

#[test]
fn few_misses_may_be_chance_and_many_are_not() {
    for (failed, slow, may_be) in [(1, 0, true), (3, 0, true), (20, 0, false), (0, 12, true)] {
        let failures = Requests {
            fate: Fate::Failed(FailureKind::Status5xx),
            ..Requests::new(failed, 0, 1)
        };
        let fast = Requests::new(1_000 - failed - slow, 0, 1);
        let requests = [fast, failures, Requests::new(slow, 0, 30)];
        let judged = outcome(&plan(&FAST), &results(&requests), IDLE);
        let expected = Outcome::NotHeld {
            cause: Cause::Missed,
            may_be_chance: may_be,
        };
        assert_eq!(judged.outcome, expected, "{failed} failed, {slow} slow");
    }
    // One threshold that is clearly missed is enough.
    let failures = Requests {
        fate: Fate::Failed(FailureKind::Status5xx),
        ..Requests::new(1, 0, 1)
    };
    let requests = [
        Requests::new(899, 0, 1),
        failures,
        Requests::new(100, 0, 30),
    ];
    let judged = outcome(&plan(&FAST), &results(&requests), IDLE);
    let certain = Outcome::NotHeld {
        cause: Cause::Missed,
        may_be_chance: false,
    };
    assert_eq!(judged.outcome, certain);
}

#[test]
fn a_late_generator_that_hardly_used_the_processors_was_disturbed() {
    let late = results(&[Requests::new(1_000, 50, 1)]);
    for (own, is_disturbed) in [(Some(0.2), true), (Some(0.5), false), (None, false)] {
        let processors = Processors {
            own,
            all: Some(0.6),
        };
        let expected = Outcome::NotHeld {
            cause: Cause::Generator,
            may_be_chance: is_disturbed,
        };
        let judged = outcome(&plan(&FAST), &late, processors);
        assert_eq!(judged.outcome, expected, "{own:?}");
    }
}
