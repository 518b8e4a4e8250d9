//! Simulated histories: requests to three targets in turn, 10 ms apart, each answered after 2 ms unless told otherwise.

use super::*;
use crate::base::{Answer, FailureKind, KeyId, Outcome};
use crate::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Auditor, Nodes, Observation, Promise, Quota, Terms,
};
use crate::core::events::{CommandEnd, CommandRecord, EventKind, EventRecord};
use proptest::prelude::*;

const MILLI: u64 = 1_000_000;
const APART: u64 = 10;
const FAILED: Outcome = Outcome::Failed(FailureKind::Status5xx);
const TIMEOUT: Outcome = Outcome::Failed(FailureKind::Timeout);

/// Milliseconds.
fn ms(millis: u64) -> Nanos {
    Nanos(millis * MILLI)
}

/// What becomes of a request that is sent at a millisecond to a target: its outcome, and how many milliseconds it takes.
type Cluster<'a> = &'a dyn Fn(u64, usize) -> (Outcome, u64);

fn fine() -> (Outcome, u64) {
    (Outcome::Allowed, 2)
}

struct History {
    /// In milliseconds.
    length: u64,
    /// Begins in milliseconds, with the kind and the milliseconds that its command takes.
    events: Vec<(u64, EventKind, &'static str, Option<u64>)>,
    /// Samples are taken in batches of so many milliseconds.
    batch: u64,
}

fn history(events: &[(u64, EventKind, &'static str, Option<u64>)]) -> History {
    History {
        length: 60_000,
        events: events.to_vec(),
        batch: 100,
    }
}

impl History {
    fn records(&self) -> Vec<EventRecord> {
        let events = self.events.iter();
        let record = |(at, kind, name, took): &(u64, EventKind, &'static str, Option<u64>)| {
            let command = took.map(|took| CommandRecord {
                text: "true".to_owned(),
                ended: Some(ms(at + took)),
                end: CommandEnd::Exited(0),
                output: String::new(),
                output_cut: 0,
            });
            EventRecord {
                name: (*name).to_owned(),
                kind: *kind,
                due: Some(ms(*at)),
                began: ms(*at),
                command,
            }
        };
        events.map(record).collect()
    }

    fn samples(&self, cluster: Cluster<'_>) -> Vec<Sample> {
        let sequences = 0..self.length / APART;
        let mut samples: Vec<_> = sequences
            .map(|sequence| {
                let (sent, target) = (sequence * APART, (sequence % 3) as usize);
                let (outcome, took) = cluster(sent, target);
                let [sent, done] = [sent, sent + took].map(|millis| Moment::at(ms(millis).0));
                Sample {
                    sequence,
                    key: KeyId(0),
                    target: target as u32,
                    due: sent,
                    waited_for_target: false,
                    answer: Answer::new(sent, done, outcome),
                }
            })
            .collect();
        samples.sort_by_key(|sample| sample.answer.done);
        samples
    }

    fn effects(&self, cluster: Cluster<'_>) -> Effects {
        self.audited_effects(self.samples(cluster), None).0
    }

    /// Takes samples and events as a run does, and audits them if there is a limit of one key.
    fn audited_effects(
        &self,
        samples: Vec<Sample>,
        limit: Option<(u64, u64)>,
    ) -> (Effects, Option<AuditReport>) {
        let start = Moment::at(0);
        let mut tally = EffectsTally::new(3, start);
        let mut auditor = limit.map(|(limit, window)| {
            let quota = Quota::new(limit, ms(window));
            Auditor::new(Terms {
                promises: Promise::alternatives("sliding-window", quota).unwrap(),
                ..Terms::of_all_promises(limit, ms(window), 3)
            })
        });
        let mut nodes = Nodes::of_targets(3);
        let longest = samples
            .iter()
            .map(|sample| sample.answer.done.since(sample.answer.sent));
        let longest = longest.max().unwrap_or_default();
        let mut waiting = samples.into_iter().peekable();
        let last = self.length + longest.0 / MILLI + self.batch;
        for now in (0..=last).step_by(self.batch as usize) {
            let mut batch = Vec::new();
            while let Some(sample) = waiting.next_if(|one| one.answer.done.since(start) <= ms(now))
            {
                batch.push(sample);
            }
            let began = self.events.iter().filter(|event| event.0 <= now);
            for (at, ..) in began.skip(tally.events()).copied().collect::<Vec<_>>() {
                tally.begin(ms(at));
            }
            for sample in batch.iter().rev() {
                let period = tally.add(sample);
                if let Some(auditor) = &mut auditor {
                    let node = nodes.number(sample.target, None);
                    let key = AuditedKey::Load(sample.key);
                    let observed = Observation::of(sample, node, key, start).unwrap();
                    auditor.add(Observation {
                        period: Some(period),
                        ..observed
                    });
                }
            }
            let watermark = ms(now).saturating_sub(longest);
            tally.advance(watermark);
            if let Some(auditor) = &mut auditor {
                auditor.advance(watermark);
            }
        }
        let report = auditor.map(Auditor::finish);
        let parts = tally.finish(ms(self.length));
        let effects = Effects::of(&parts, &self.records(), report.as_ref());
        (effects, report)
    }
}

const STOPS: (u64, EventKind, &str, Option<u64>) = (20_000, EventKind::Command, "redis", Some(300));
const RETURNS: (u64, EventKind, &str, Option<u64>) = (30_000, EventKind::Undo, "redis", Some(300));

fn close(actual: Option<Nanos>, expected: u64) {
    let actual = actual.expect("known").0 / MILLI;
    assert!(
        actual.abs_diff(expected) <= 2 * APART * 3,
        "{actual} ms instead of {expected} ms"
    );
}

#[test]
fn a_store_that_is_away_fails_every_target_and_is_right_again_soon_after_its_return() {
    let effects = history(&[STOPS, RETURNS]).effects(&|sent, _| match sent {
        20_150..30_400 => (FAILED, 1),
        _ => fine(),
    });
    let effect = &effects.events[0];
    assert_eq!(
        (effect.all.failed, effect.all.is_slow),
        (Failed::Yes, false)
    );
    assert_eq!((effect.ended_by, effect.during.end), (Some(1), ms(30_000)));
    assert_eq!(effect.failures.count(), (30_000 - 20_150) / APART);
    let felt = effect.all.felt.unwrap();
    assert_eq!((felt.after, felt.target), (ms(150), 2));
    assert!(effect.targets.iter().all(|one| one.failed == Failed::Yes));
    let recovery = effect.all.recovery.unwrap();
    assert_eq!(recovery.from, RecoveryFrom::Event(1));
    close(recovery.first_answer, 402);
    close(recovery.good_second, 400);
    close(recovery.total, 400);
    assert!(!recovery.failed_later);
    // The undo did nothing: what failed after it had failed before.
    let undo = &effects.events[1];
    assert_eq!(undo.all.failed, Failed::Before);
    assert_eq!(effects.outages.len(), 1);
    assert_eq!(effects.outages[0].event, Some(0));
    assert_eq!(effects.outages[0].outage.targets, [0, 1, 2]);
}

#[test]
fn a_restart_that_heals_by_itself_is_counted_from_the_end_of_its_command() {
    let restart = (20_000, EventKind::Command, "restart", Some(700));
    let mark = (50_000, EventKind::Mark, "later", None);
    let effects = history(&[restart, mark]).effects(&|sent, _| match sent {
        20_100..21_000 => (FAILED, 1),
        _ => fine(),
    });
    let recovery = effects.events[0].all.recovery.unwrap();
    assert_eq!(recovery.from, RecoveryFrom::OwnEnd);
    close(recovery.total, 300);
    assert_eq!(effects.events[1].all.failed, Failed::No);
    assert_eq!(effects.events[1].all.recovery, None);
}

#[test]
fn one_dead_node_is_told_from_the_others() {
    let kill = (20_000, EventKind::Command, "kill", Some(100));
    let effects = history(&[kill]).effects(&|sent, target| match (sent, target) {
        (20_050.., 1) => (FAILED, 0),
        _ => fine(),
    });
    let effect = &effects.events[0];
    let failed: Vec<_> = effect.targets.iter().map(|one| one.failed).collect();
    assert_eq!(failed, [Failed::No, Failed::Yes, Failed::No]);
    let recovery = effect.all.recovery.unwrap();
    assert_eq!((recovery.total, recovery.good_second), (None, None));
    assert_eq!(effect.targets[0].recovery, None);
}

#[test]
fn a_target_that_failed_before_an_event_is_not_blamed_on_it() {
    let mark = (30_000, EventKind::Mark, "nothing", None);
    let kill = (40_000, EventKind::Command, "kill", Some(100));
    let effects = history(&[mark, kill]).effects(&|sent, target| match (sent, target) {
        (12_000.., 0) | (40_000.., 1) => (FAILED, 0),
        _ => fine(),
    });
    let failed = |event: usize| effects.events[event].targets.iter().map(|one| one.failed);
    let (no, yes, before) = (Failed::No, Failed::Yes, Failed::Before);
    assert_eq!(failed(0).collect::<Vec<_>>(), [before, no, no]);
    assert_eq!(failed(1).collect::<Vec<_>>(), [before, yes, no]);
    let causes = effects
        .outages
        .iter()
        .map(|one| (one.event, one.outage.targets.clone()));
    assert_eq!(
        causes.collect::<Vec<_>>(),
        [(None, vec![0]), (Some(1), vec![1])]
    );
}

#[test]
fn requests_in_flight_when_a_node_freezes_belong_to_the_freeze() {
    let freeze = (20_000, EventKind::Command, "freeze", Some(0));
    let thaw = (25_000, EventKind::Undo, "freeze", Some(0));
    // Whatever reaches the node while it is frozen is answered when it goes on.
    let effects = history(&[freeze, thaw]).effects(&|sent, target| match (sent, target) {
        (19_998..25_000, 2) => (Outcome::Allowed, 25_002 - sent),
        (19_940..19_998, 2) => (Outcome::Allowed, 25_002 - sent),
        _ => fine(),
    });
    let effect = &effects.events[0];
    assert_eq!((effect.all.failed, effect.all.is_slow), (Failed::No, true));
    assert!(effect.all.before.latency.spans[4] < ms(5));
    assert!(effect.all.during.latency.spans[2] > ms(1_000));
    let felt = effect.all.felt.unwrap();
    assert_eq!(
        (felt.after, felt.target, felt.how),
        (Nanos::ZERO, 2, Feeling::Slow)
    );
    let slow: Vec<_> = effect.targets.iter().map(|one| one.is_slow).collect();
    assert_eq!(slow, [false, false, true]);
}

#[test]
fn timeouts_count_where_they_were_sent_and_do_not_delay_the_recovery() {
    let freeze = (20_000, EventKind::Command, "freeze", Some(0));
    let thaw = (30_000, EventKind::Undo, "freeze", Some(0));
    // Each request to the node times out after 5 s; the last of them is sent just before it goes on.
    let effects = history(&[freeze, thaw]).effects(&|sent, target| match (sent, target) {
        (20_000..30_000, 1) => (TIMEOUT, 5_000),
        _ => fine(),
    });
    let effect = &effects.events[0];
    assert_eq!(effect.all.failed, Failed::Yes);
    assert!(effect.targets[1].during.unanswered > 300);
    close(effect.all.recovery.unwrap().good_second, 0);
    close(effect.targets[1].recovery.unwrap().good_second, 20);
}

#[test]
fn a_node_that_answers_what_waited_when_it_goes_on_was_healed_by_that() {
    let freeze = (20_000, EventKind::Command, "freeze", Some(0));
    let thaw = (26_000, EventKind::Undo, "freeze", Some(0));
    // Requests time out after 3 s, so that those of the last 3 s are answered when the node goes on.
    let effects = history(&[freeze, thaw]).effects(&|sent, target| match (sent, target) {
        (20_000..23_000, 1) => (TIMEOUT, 3_000),
        (23_000..26_000, 1) => (Outcome::Allowed, 26_001 - sent),
        _ => fine(),
    });
    for effect in [&effects.events[0].all, &effects.events[0].targets[1]] {
        let recovery = effect.recovery.unwrap();
        assert_eq!(recovery.from, RecoveryFrom::Event(1));
        close(recovery.total, 0);
    }
}

#[test]
fn failures_that_are_as_frequent_before_are_not_an_effect() {
    let mark = (30_000, EventKind::Mark, "nothing", None);
    let effects = history(&[mark]).effects(&|sent, _| match sent / APART % 20 {
        7 => (FAILED, 1),
        _ => fine(),
    });
    let effect = &effects.events[0];
    assert_eq!((effect.all.failed, effect.all.felt), (Failed::No, None));
    assert_eq!(effect.all.during.counts.failed, 150);
    assert!(effects.outages.is_empty());
}

#[test]
fn a_few_more_failures_of_every_target_are_an_effect_without_any_span() {
    let mark = (30_000, EventKind::Mark, "worse", None);
    let effects = history(&[mark]).effects(&|sent, _| match (sent, sent / APART % 40) {
        (30_000.., 7) => (FAILED, 1),
        _ => fine(),
    });
    assert_eq!(effects.events[0].all.failed, Failed::Yes);
    assert!(effects.outages.is_empty());
}

#[test]
fn an_outage_without_an_event_is_listed_and_blamed_on_none() {
    let mark = (10_000, EventKind::Mark, "much earlier", None);
    let effects = history(&[mark]).effects(&|sent, _| match sent {
        40_000..41_000 => (FAILED, 1),
        _ => fine(),
    });
    assert_eq!(effects.events[0].all.failed, Failed::No);
    assert_eq!(effects.outages.len(), 1);
    assert_eq!(effects.outages[0].event, None);
}

/// What the limiter does with a request.
#[derive(Clone, Copy)]
enum Does {
    Decides,
    /// Admits it without counting it, and perhaps says so.
    Opens {
        is_marked: bool,
    },
    Fails,
}

const OPENS: Does = Does::Opens { is_marked: false };
const SAYS_SO: Does = Does::Opens { is_marked: true };

/// A limiter of one key that counts exactly in a sliding window of 5 s with a limit of 50, if it decides.
fn limited(history: &History, does: impl Fn(u64, usize) -> Does) -> Vec<Sample> {
    let mut counted: Vec<u64> = Vec::new();
    let mut samples = history.samples(&|_, _| fine());
    for sample in &mut samples {
        let at = sample.answer.done.since(Moment::at(0)).0 / MILLI;
        match does(at, sample.target as usize) {
            Does::Fails => sample.answer.outcome = FAILED,
            Does::Opens { is_marked } => sample.answer.failing_open = is_marked,
            Does::Decides => {
                counted.retain(|one| one + 5_000 > at);
                if counted.len() < 50 {
                    counted.push(at);
                } else {
                    sample.answer.outcome = Outcome::Blocked;
                }
            }
        }
    }
    samples
}

/// The effects on such a limiter, audited.
fn effects_on(history: &History, does: impl Fn(u64, usize) -> Does) -> Effects {
    let samples = limited(history, does);
    history.audited_effects(samples, Some((50, 5_000))).0
}

/// A limiter that admits everything from 20 s to 30 s.
fn failing_open(history: &History, is_marked: bool) -> (Effects, AuditReport) {
    let samples = limited(history, |at, _| match at {
        20_000..30_000 => Does::Opens { is_marked },
        _ => Does::Decides,
    });
    let (effects, report) = history.audited_effects(samples, Some((50, 5_000)));
    (effects, report.unwrap())
}

#[test]
fn a_limiter_that_fails_open_admits_beyond_the_limit_and_keeps_it_later() {
    for is_marked in [false, true] {
        let (effects, report) = failing_open(&history(&[STOPS, RETURNS]), is_marked);
        assert_eq!(report.verdict(true), AuditVerdict::Broken);
        let effect = &effects.events[0];
        assert_eq!(
            (effect.all.failed, effect.all.open),
            (Failed::No, Opened::Yes)
        );
        assert_eq!(effect.all.before.beyond, Some(0));
        // 1,000 are admitted, of which 50 in 5 s would have been right.
        let beyond = effect.all.during.beyond.unwrap();
        assert!((850..=950).contains(&beyond), "{beyond}");
        let by_target: Option<u64> = effect.targets.iter().map(|one| one.during.beyond).sum();
        assert_eq!(by_target, Some(beyond));
        let marked = if is_marked { 1_000 } else { 0 };
        assert_eq!(effect.all.during.failing_open, marked);
        let felt = effect.all.felt.unwrap();
        let expected = if is_marked {
            Feeling::FailingOpen
        } else {
            Feeling::Beyond
        };
        assert_eq!((felt.how, felt.after < ms(700)), (expected, true));
        let recovery = effect.all.recovery.unwrap();
        assert!(recovery.kept.unwrap() <= ms(5_010), "{recovery:?}");
    }
}

#[test]
fn an_event_without_effect_on_a_limiter_that_was_broken_before_is_not_said_to_open_it() {
    let samples = |history: &History| history.samples(&|_, _| fine());
    let one = history(&[STOPS, RETURNS]);
    let (effects, report) = one.audited_effects(samples(&one), Some((50, 5_000)));
    assert_eq!(report.unwrap().verdict(true), AuditVerdict::Broken);
    assert_eq!(
        effects.events[0].all.open,
        Opened::Unknown(WhyUnknown::OpenBefore)
    );
}

#[test]
fn without_an_audit_and_without_marks_nobody_knows_whether_it_failed_open() {
    let effects = history(&[STOPS, RETURNS]).effects(&|_, _| fine());
    assert_eq!(
        effects.events[0].all.open,
        Opened::Unknown(WhyUnknown::NotAudited)
    );
    let closed = history(&[STOPS, RETURNS]).effects(&|sent, _| match sent {
        20_000..30_000 => (FAILED, 1),
        _ => fine(),
    });
    assert_eq!(closed.events[0].all.open, Opened::No);
}

proptest! {
    #[test]
    fn batches_and_order_change_nothing(batch in 10u64..5_000, from in 15_000u64..25_000, length in 0u64..20_000) {
        let cluster = |sent: u64, target: usize| match (sent, target) {
            (sent, 1) if (from..from + length).contains(&sent) => (FAILED, 40),
            _ => fine(),
        };
        let events = [STOPS, RETURNS];
        let one = history(&events).effects(&cluster);
        let other = History { batch, ..history(&events) }.effects(&cluster);
        prop_assert_eq!(format!("{:?}", one.events[0].all), format!("{:?}", other.events[0].all));
        prop_assert_eq!(format!("{:?}", one.events[1].targets), format!("{:?}", other.events[1].targets));
        let all: u64 = (0..3).map(|period| {
            let effect = &one.events[usize::from(period > 1)].all;
            match period { 0 => effect.before, 1 => one.events[0].all.during, _ => effect.during }.counts.sent
        }).sum();
        prop_assert_eq!(all, 6_000);
    }
}

#[test]
fn a_limiter_that_stays_open_is_never_right_again() {
    let chaos = (20_000, EventKind::Command, "chaos", Some(40_000));
    let mark = (35_000, EventKind::Mark, "later", None);
    for events in [&[STOPS][..], &[chaos], &[STOPS, mark]] {
        for opens in [OPENS, SAYS_SO] {
            let effects = effects_on(&history(events), |at, _| match at {
                20_000.. => opens,
                _ => Does::Decides,
            });
            let all = &effects.events[0].all;
            let recovery = all.recovery.unwrap();
            assert_eq!(
                (all.open, recovery.total),
                (Opened::Yes, None),
                "{events:?}"
            );
            assert!(recovery.is_known && recovery.last_excess.is_some());
        }
    }
}

#[test]
fn nobody_knows_whether_a_limiter_is_right_again_that_is_not_asked_beyond_its_limit() {
    let one = history(&[STOPS, RETURNS]);
    let mut samples = limited(&one, |at, _| match at {
        20_000..30_000 => OPENS,
        _ => Does::Decides,
    });
    // After the undo, there is next to no traffic.
    samples.retain(|sample| {
        let at = sample.answer.sent.since(Moment::at(0)).0 / MILLI;
        at < 30_000 || at.is_multiple_of(1_000)
    });
    for sample in &mut samples {
        if sample.answer.sent >= Moment::at(ms(30_000).0) {
            sample.answer.outcome = Outcome::Allowed;
        }
    }
    let (effects, _) = one.audited_effects(samples, Some((50, 5_000)));
    let recovery = effects.events[0].all.recovery.unwrap();
    assert_eq!(
        (recovery.kept, recovery.total, recovery.is_known),
        (None, None, false)
    );
}

#[test]
fn answers_that_say_that_the_limiter_fails_open_are_decisive_even_without_any_before() {
    let at_once = (0, EventKind::Command, "redis", Some(300));
    let effects = history(&[at_once]);
    let samples = limited(&effects, |at, _| match at {
        0..5_000 => SAYS_SO,
        _ => Does::Decides,
    });
    for limit in [None, Some((50, 5_000))] {
        let (effects, _) = effects.audited_effects(samples.clone(), limit);
        let all = &effects.events[0].all;
        assert_eq!(all.open, Opened::Yes);
        let recovery = all.recovery.unwrap();
        close(recovery.total, 5_000 - 300);
    }
}

#[test]
fn a_limiter_that_was_always_open_is_not_opened_by_an_event() {
    for (at, why) in [
        (400, WhyUnknown::NotTestedBefore),
        (30_000, WhyUnknown::OpenBefore),
    ] {
        let mark = (at, EventKind::Mark, "nothing", None);
        let effects = effects_on(&history(&[mark]), |_, _| OPENS);
        let all = &effects.events[0].all;
        assert_eq!((all.open, all.felt), (Opened::Unknown(why), None), "{at}");
    }
    // It has said so all the time.
    let mark = (30_000, EventKind::Mark, "nothing", None);
    let effects = effects_on(&history(&[mark]), |at, _| match at {
        20_000..40_000 => SAYS_SO,
        _ => Does::Decides,
    });
    let open = effects.events[0].all.open;
    assert_eq!(open, Opened::Unknown(WhyUnknown::OpenBefore));
}

#[test]
fn no_reason_says_that_too_many_were_admitted_before_if_none_was() {
    // Soon after the start, nothing can be too many.
    let mark = (200, EventKind::Mark, "early", None);
    let early = history(&[mark]);
    for (until, why) in [
        (20_000, WhyUnknown::NotTestedBefore),
        (700, WhyUnknown::NotTestedBefore),
    ] {
        let effects = effects_on(
            &early,
            |at, _| if at < until { OPENS } else { Does::Decides },
        );
        let all = &effects.events[0].all;
        assert_eq!(
            (all.before.beyond, all.open),
            (Some(0), Opened::Unknown(why)),
            "{until}"
        );
    }
    // One admission that is too many may be a race.
    let mark = (10_000, EventKind::Mark, "once", None);
    let effects = effects_on(&history(&[mark]), |at, _| match at {
        11_000..11_010 => OPENS,
        _ => Does::Decides,
    });
    assert_eq!(effects.events[0].all.open, Opened::Unknown(WhyUnknown::Few));
}

#[test]
fn blocks_at_its_begin_do_not_show_that_a_limiter_did_not_open_later() {
    // From 20.4 s to the undo it admits everything, which a fixed window of 5 s would at first, too.
    let undo = (20_800, EventKind::Undo, "redis", Some(0));
    let stops = (10_000, EventKind::Command, "redis", Some(0));
    let effects = effects_on(&history(&[stops, undo]), |_, _| Does::Decides);
    assert_eq!(effects.events[0].all.open, Opened::No);
    let one = history(&[stops, undo]);
    let mut samples = limited(&one, |_, _| Does::Decides);
    for sample in &mut samples {
        let at = sample.answer.sent.since(Moment::at(0)).0 / MILLI;
        // The key is asked no more than the limit allows.
        if (12_000..20_800).contains(&at) && sample.answer.outcome == Outcome::Blocked {
            sample.answer.outcome = FAILED;
        }
    }
    let (effects, _) = one.audited_effects(samples, Some((50, 5_000)));
    let open = effects.events[0].all.open;
    assert_eq!(open, Opened::Unknown(WhyUnknown::NotTested));
}

#[test]
fn admissions_beyond_the_limit_long_after_an_event_are_not_its_effect() {
    let mark = (8_000, EventKind::Mark, "much earlier", None);
    let effects = effects_on(&history(&[mark]), |at, _| match at {
        40_000..45_000 => SAYS_SO,
        _ => Does::Decides,
    });
    let open = effects.events[0].all.open;
    assert!(
        matches!(open, Opened::Unknown(WhyUnknown::MuchLater(after)) if after.0 / MILLI / 100 == 320),
        "{open:?}"
    );
}

#[test]
fn admissions_beyond_the_limit_while_another_target_fails_count_for_the_recovery() {
    let effects = effects_on(&history(&[STOPS, RETURNS]), |at, target| {
        match (at, target) {
            (20_000..31_000, 2) => Does::Fails,
            (20_000..31_000, _) => OPENS,
            _ => Does::Decides,
        }
    });
    let all = &effects.events[0].all;
    assert_eq!((all.failed, all.open), (Failed::Yes, Opened::Yes));
    let recovery = all.recovery.unwrap();
    assert_eq!(recovery.last_excess, Some(Excess::Beyond));
    let kept = recovery.kept.unwrap();
    assert!((ms(980)..ms(1_600)).contains(&kept), "{kept:?}");
}

#[test]
fn a_limiter_that_fails_a_little_and_then_stays_open_has_not_healed_by_itself() {
    let effects = effects_on(&history(&[STOPS, RETURNS]), |at, _| match at {
        20_000..20_100 => Does::Fails,
        20_100..30_100 => SAYS_SO,
        _ => Does::Decides,
    });
    let recovery = effects.events[0].all.recovery.unwrap();
    assert_eq!(recovery.from, RecoveryFrom::Event(1));
    close(recovery.total, 100);
}

#[test]
fn a_limiter_that_opens_and_closes_again_heals_even_if_a_target_fails_all_the_time() {
    let effects = effects_on(&history(&[STOPS, RETURNS]), |at, target| {
        match (at, target) {
            (5_000.., 2) => Does::Fails,
            (20_000..30_400, _) => SAYS_SO,
            _ => Does::Decides,
        }
    });
    let all = &effects.events[0].all;
    assert_eq!((all.failed, all.open), (Failed::Before, Opened::Yes));
    // Where a target fails, admissions count that are too many beside those that were not decided.
    let total = all.recovery.unwrap().total.unwrap();
    assert!((ms(380)..ms(1_600)).contains(&total), "{total:?}");
}

#[test]
fn a_node_that_hung_before_an_event_is_not_blamed_on_it() {
    let mark = (28_000, EventKind::Mark, "deployed", None);
    let effects = history(&[mark]).effects(&|sent, target| match (sent, target) {
        (25_000.., 1) => (TIMEOUT, 10_000),
        _ => fine(),
    });
    let effect = &effects.events[0];
    assert_eq!((effect.all.failed, effect.all.felt), (Failed::Before, None));
    assert_eq!(effects.outages[0].event, None);
}

#[test]
fn each_outage_is_blamed_on_one_event_and_on_a_command_rather_than_on_a_mark() {
    let (first, second) = (
        (10_000, EventKind::Command, "first", Some(100)),
        (15_000, EventKind::Command, "second", Some(1_000)),
    );
    let undo = (40_000, EventKind::Undo, "first", Some(0));
    let mark = (15_100, EventKind::Posted, "it fails!", None);
    let cluster = |sent: u64, target: usize| match (sent, target) {
        (15_300..30_000, 1) => (FAILED, 1),
        _ => fine(),
    };
    let failed = |events: &[_]| {
        let effects = history(events).effects(&cluster);
        let events = effects.events.iter();
        events.map(|one| one.all.failed).collect::<Vec<_>>()
    };
    let (no, yes) = (Failed::No, Failed::Yes);
    assert_eq!(failed(&[first, second, undo]), [no, yes, no]);
    assert_eq!(failed(&[first, second, mark, undo]), [no, yes, no, no]);
    // Somebody marks what they do by hand.
    let by_hand = (15_200, EventKind::Posted, "killed by hand", None);
    assert_eq!(failed(&[first, by_hand, undo]), [no, yes, no]);
}

#[test]
fn an_event_is_not_felt_by_a_target_that_was_dead_before() {
    let kill = (40_000, EventKind::Command, "kill", Some(100));
    let effects = history(&[kill]).effects(&|sent, target| match (sent, target) {
        (12_000.., 0) | (40_500.., 1) => (FAILED, 0),
        _ => fine(),
    });
    let felt = effects.events[0].all.felt.unwrap();
    assert_eq!(felt.target, 1);
}

#[test]
fn failures_of_this_machine_are_no_effect_of_an_event() {
    let mark = (30_000, EventKind::Mark, "nothing", None);
    let local = Outcome::Failed(FailureKind::Local);
    let effects = history(&[mark]).effects(&|sent, _| match sent {
        30_000.. => (local, 0),
        _ => fine(),
    });
    assert_eq!(effects.events[0].all.failed, Failed::No);
}

#[test]
fn a_boundary_between_fixed_windows_is_not_blamed_on_an_event_long_before_it() {
    let boundary = |from: u64| {
        let mark = (from, EventKind::Mark, "nothing", None);
        let one = history(&[mark]);
        let mut admitted = std::collections::BTreeMap::new();
        let mut samples = one.samples(&|_, _| fine());
        for sample in &mut samples {
            let at = sample.answer.done.since(Moment::at(0)).0 / MILLI;
            let count = admitted.entry((at + 5_000) / 20_000).or_insert(0);
            *count += 1;
            if *count > 50 {
                sample.answer.outcome = Outcome::Blocked;
            }
        }
        // A window of 20 s promises 50. There are 50 from the start on, and 50 more at 15 s.
        let (effects, _) = one.audited_effects(samples, Some((50, 20_000)));
        effects.events[0].all.open
    };
    let open = boundary(10_000);
    assert!(
        matches!(open, Opened::Unknown(WhyUnknown::MuchLater(_))),
        "{open:?}"
    );
}
