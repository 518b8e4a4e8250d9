//! Runs of fake targets, which answer without a network.

use super::*;
use crate::base::{Answer, KeyId, Outcome, Sample};
use crate::cli::Command;
use crate::core::answers::Head;
use crate::core::schedule::Phase;
use crate::core::stats::Second;
use std::sync::Arc;

/// Three nodes that allow every second request and block the others, at once. Request number `hangs` is answered only
/// after an interruption.
struct Fake {
    names: Vec<String>,
    hangs: Option<u64>,
    interrupted: Stop,
}

impl Fake {
    fn new(hangs: Option<u64>) -> Fake {
        Fake {
            names: ["http://a", "http://b", "http://c"]
                .map(str::to_owned)
                .into(),
            hangs,
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

    fn take_lookups(&self) -> impl Iterator<Item = Nanos> {
        std::iter::empty()
    }
}

impl Caller for Fake {
    type Scratch = ();

    fn call(&self, _: usize, sequence: u64, _: KeyId, (): &mut ()) -> (Answer, Option<Head>) {
        let sent = Moment::now();
        let outcome = match sequence % 2 {
            0 => Outcome::Allowed,
            _ => Outcome::Blocked,
        };
        if self.hangs == Some(sequence) {
            self.interrupted.wait(Duration::MAX);
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
    let results = run(&plan, &Fake::new(None), &Stop::default(), &mut notes).unwrap();

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
    let results = run(&plan, &fake, &Stop::default(), &mut ()).unwrap();
    let ledger = results.ledger();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!((ledger.sent, ledger.abandoned), (10, 1));
}
