//! Runs of fake targets, which answer without a network.

use super::*;
use crate::base::{Answer, KeyId, Outcome, Sample};
use crate::cli::Command;
use crate::core::answers::Head;
use crate::core::schedule::Phase;
use crate::core::stats::{FailureExample, Second};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Three nodes that allow every second request and block the others, at once. Request number `hangs` is answered only
/// after an interruption.
struct Fake {
    names: Vec<String>,
    hangs: Option<u64>,
    frozen: Option<Frozen>,
    interrupted: Stop,
}

/// The second of the nodes does not answer until this many requests have been sent to the others.
struct Frozen {
    until: u64,
    sent_to_others: AtomicU64,
    thawed: Stop,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Frozen {
    fn until(until: u64) -> Frozen {
        Frozen {
            until,
            sent_to_others: AtomicU64::new(0),
            thawed: Stop::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn call(&self, target: usize, interrupted: &Stop) {
        if target != 1 {
            let sent = self.sent_to_others.fetch_add(1, Relaxed) + 1;
            if sent == self.until {
                self.thawed.request();
            }
            return;
        }
        let in_flight = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Relaxed);
        while !self.thawed.is_requested() && !interrupted.is_requested() {
            self.thawed.wait(Duration::from_millis(10));
        }
        self.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Fake {
    fn new(hangs: Option<u64>) -> Fake {
        Fake {
            names: ["http://a", "http://b", "http://c"]
                .map(str::to_owned)
                .into(),
            hangs,
            frozen: None,
            interrupted: Stop::default(),
        }
    }
}

impl Targets for Fake {
    type Caller = Fake;

    fn names(&self) -> &[String] {
        &self.names
    }

    fn wait_for_address(&self, _: Duration, _: &Stop) -> bool {
        true
    }

    fn traffic(&self) -> &Fake {
        self
    }

    fn probe(&self) -> Option<&Fake> {
        None
    }

    fn failure_examples(&self) -> Vec<FailureExample> {
        Vec::new()
    }

    fn take_lookups(&self) -> impl Iterator<Item = Nanos> {
        std::iter::empty()
    }
}

impl Caller for Fake {
    type Scratch = ();

    fn call(&self, target: usize, sequence: u64, _: KeyId, (): &mut ()) -> (Answer, Option<Head>) {
        let sent = Moment::now();
        let outcome = match sequence % 2 {
            0 => Outcome::Allowed,
            _ => Outcome::Blocked,
        };
        if self.hangs == Some(sequence) {
            self.interrupted.wait(Duration::MAX);
        }
        if let Some(frozen) = &self.frozen {
            frozen.call(target, &self.interrupted);
        }
        (Answer::new(sent, Moment::now(), outcome), None)
    }

    fn call_over_fresh_connection(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut (),
    ) -> (Answer, Option<Head>) {
        self.call(target, sequence, key, scratch)
    }

    fn interrupt(&self) {
        self.interrupted.request();
    }
}

/// Notes every call, in order.
#[derive(Default)]
struct Notes {
    calls: Vec<&'static str>,
    samples: Vec<u64>,
    scheduled: u64,
    totals: Ledger,
}

impl Observer for Notes {
    fn wants_samples(&self) -> bool {
        true
    }

    fn wants_seconds(&self) -> bool {
        true
    }

    fn begin(&mut self, _: &Start) {
        self.calls.push("begin");
    }

    fn phase(&mut self, _: &Phase) {
        self.calls.push("phase");
    }

    fn sample(&mut self, sample: &Sample) {
        self.samples.push(sample.sequence);
    }

    fn second(&mut self, second: &Arc<Second>) {
        self.calls.push("second");
        self.scheduled += second.scheduled;
    }

    fn progress(&mut self, progress: &Progress) {
        self.calls.push("progress");
        self.totals = progress.totals;
    }

    fn end(&mut self, missed_phases: u64) {
        assert_eq!(missed_phases, 0);
        self.calls.push("end");
    }
}

fn plan(options: &str) -> Plan {
    let words = ["loadgen"].into_iter().chain(options.split_whitespace());
    match Command::parse(words.map(Into::into)) {
        Ok(Command::Run(setup)) => setup.plan,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_observer_sees_the_start_every_request_every_second_and_the_end_in_this_order() {
    let plan = plan(
        "--rps 100 --burst-interval 0.6 --burst-duration 0.2 --burst-multiplier 2 --duration 1.2 \
         --workers 8 --stats-interval 0.4 --targets http://unused",
    );
    let mut notes = Notes::default();
    let results = run(
        &plan,
        &Fake::new(None),
        &Stop::default(),
        &EventLog::default(),
        &mut notes,
    )
    .unwrap();

    let ledger = results.ledger();
    assert!(ledger.balances());
    assert_eq!(Some(ledger.scheduled), plan.schedule.total());
    assert_eq!(notes.totals, ledger);
    assert_eq!(notes.scheduled, ledger.scheduled);
    notes.samples.sort_unstable();
    assert_eq!(notes.samples, Vec::from_iter(0..ledger.sent));

    let calls = &notes.calls;
    assert_eq!(calls.first(), Some(&"begin"));
    assert_eq!(calls.last(), Some(&"end"));
    let count = |name| calls.iter().filter(|call| **call == name).count();
    // One burst begins and ends.
    assert_eq!((count("begin"), count("phase"), count("end")), (1, 2, 1));
    assert!(count("second") >= 2 && count("progress") >= 3, "{calls:?}");
}

#[test]
fn a_request_that_outlasts_the_drain_timeout_is_abandoned_and_the_ledger_balances() {
    let plan = plan(
        "--rps 100 --burst-enabled false --duration 0.1 --drain-timeout 0.05 --targets http://unused",
    );
    let fake = Fake::new(Some(9));
    let results = run(
        &plan,
        &fake,
        &Stop::default(),
        &EventLog::default(),
        &mut (),
    )
    .unwrap();
    let ledger = results.ledger();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!((ledger.sent, ledger.abandoned), (10, 1));
}

/// A run against three nodes of which the second freezes. Each ledger balances.
fn run_with_frozen(options: &str, frozen: Frozen) -> (Results, Fake) {
    let plan = plan(&format!(
        "{options} --burst-enabled false --targets http://unused"
    ));
    let fake = Fake {
        frozen: Some(frozen),
        ..Fake::new(None)
    };
    let results = run(
        &plan,
        &fake,
        &Stop::default(),
        &EventLog::default(),
        &mut (),
    )
    .unwrap();
    let ledgers = &results.ledgers;
    assert!(ledgers.iter().all(Ledger::balances), "{ledgers:?}");
    let scheduled: Vec<_> = ledgers.iter().map(|ledger| ledger.scheduled).collect();
    assert_eq!(scheduled, [plan.schedule.total().unwrap() / 3; 3]);
    (results, fake)
}

#[track_caller]
fn assert_others_had_all(results: &Results) {
    for healthy in [0, 2] {
        let ledger = results.ledgers[healthy];
        assert_eq!(ledger.success(), ledger.scheduled, "{ledger:?}");
    }
}

#[test]
fn a_frozen_target_delays_its_own_requests_only() {
    // It answers again when all requests to the others have been sent: if they waited for it, the run would not go on.
    let (results, fake) =
        run_with_frozen("--rps 600 --duration 1 --workers 12", Frozen::until(400));
    assert_others_had_all(&results);
    // Two workers are its own, and six are common.
    let most = fake.frozen.unwrap().most_in_flight.into_inner();
    assert_eq!(most, 8);
    let frozen = results.ledgers[1];
    assert_eq!((frozen.dropped, frozen.success()), (0, 200));
    assert!(results.lateness[1].backlog_late > 0);
}

#[test]
fn a_full_backlog_drops_requests_to_its_own_target_only() {
    let options = "--rps 600 --duration 1 --workers 12 --queue 150";
    let (results, _) = run_with_frozen(options, Frozen::until(400));
    assert_others_had_all(&results);
    let (frozen, lateness) = (results.ledgers[1], results.lateness[1]);
    // 8 are in flight, and 50 wait.
    assert!(frozen.dropped > 0 && frozen.dropped <= 142, "{frozen:?}");
    // If the others' calls hold all of their workers for a moment, the target is not alone at fault.
    let by_target = lateness.backlog_dropped;
    assert!(by_target > 0, "{frozen:?}");
    assert_eq!(results.verdict.dropped, frozen.dropped - by_target);
}

#[test]
fn a_backlog_that_is_left_at_the_end_of_the_drain_stays_unsent() {
    let options = "--rps 300 --duration 1 --workers 6 --drain-timeout 0.1";
    let (results, _) = run_with_frozen(options, Frozen::until(u64::MAX));
    assert_others_had_all(&results);
    let frozen = results.ledgers[1];
    // One worker is its own, and three are common.
    assert_eq!((frozen.sent, frozen.abandoned), (4, 4));
    assert_eq!((frozen.dropped, frozen.unsent), (0, 96));
    assert!(results.lateness[1].backlog_late > 0);
}

#[test]
fn a_frozen_target_holds_a_sole_worker_and_the_rest_stays_unsent() {
    let options = "--rps 30 --duration 0.2 --workers 1 --drain-timeout 0.1";
    let (results, _) = run_with_frozen(options, Frozen::until(u64::MAX));
    let sent: Vec<_> = results.ledgers.iter().map(|ledger| ledger.sent).collect();
    assert_eq!(sent, [1, 1, 0]);
    assert_eq!(results.ledger().unsent, 4);
}

/// Stops the run at its first request.
struct StopsAtFirst<'a>(&'a Stop, Vec<u64>);

impl Observer for StopsAtFirst<'_> {
    fn wants_samples(&self) -> bool {
        true
    }

    fn sample(&mut self, sample: &Sample) {
        self.1.push(sample.sequence);
        self.0.request();
    }
}

#[cfg(unix)]
#[test]
fn a_run_joins_a_schedule_that_started_before_its_machine() {
    // Half a minute before the zero of the system's clock, which is the start of the machine on Linux.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let up = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
    let started = SystemTime::now() - up - Duration::from_secs(30);
    let mut plan = plan(
        "--start-at 2020-01-01T00:00:00Z --join-late --duration 0 --rps 20 --burst-enabled false --targets http://unused",
    );
    plan.start.as_mut().unwrap().at = started;
    let stop = Stop::default();
    let mut observer = StopsAtFirst(&stop, Vec::new());
    let events = EventLog::default();
    let results = run(&plan, &Fake::new(None), &stop, &events, &mut observer).unwrap();
    let (ledger, missed) = (results.ledger(), results.missed);
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(results.started, started);
    // None of the requests that were due before was sent, and each counts.
    let due = started.elapsed().unwrap().as_secs() * 20;
    assert!((600..=due + 20).contains(&missed), "{missed} of {due}");
    assert!(observer.1.iter().all(|sequence| *sequence >= missed));
    assert!(ledger.sent > 0 && ledger.unsent >= missed, "{ledger:?}");
}
