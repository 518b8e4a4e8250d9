//! How many requests of a key were admitted in the window before each moment, for the keys with the most.
//!
//! A request counts at an instant t if it surely was admitted within less than W − ε up to t: it was done by t, and was sent
//! later than t − (W − ε). So each count is proved, and the highest one of a key is its busiest window. For each slot of
//! time, the highest count in it is kept, with the nodes that admitted these requests.
//!
//! Only a few keys are followed, so memory is constant. The first keys of a run are. Another one takes the place of the
//! least busy of them if it exceeds its limit by clearly more. It then begins with what is remembered of it.

use super::admission_log::AdmissionLog;
use super::bounds::Bounds;
use super::observation::{AuditedKey, Observation};
use super::promise::MostInAnyWindow;
use super::slots::{NodeCounts, SlotLength, halve};
use crate::base::Nanos;
use std::cmp::Ordering;

/// The most keys that are followed.
const FOLLOWED: usize = 16;

/// The most keys that are reported.
const REPORTED: usize = 5;

/// The followed keys.
#[derive(Debug, Clone)]
pub(super) struct FollowedKeys {
    length: SlotLength,
    courses: Vec<Course>,
    /// When keys were last given up. Nothing from before is known of a key that is not followed.
    reviewed: Nanos,
}

/// One key by one of its quotas.
#[derive(Debug, Clone)]
struct Course {
    key: AuditedKey,
    /// The quota's place among those of the key.
    quota: usize,
    limit: u64,
    most_admitted: MostInAnyWindow,
    window: Nanos,
    /// W − ε.
    shortest_window: Nanos,
    /// It is known from here on.
    from: Nanos,
    /// It is known up to here.
    to: Nanos,
    /// Requests that were sent later than this are counted. `None` if all are.
    since: Option<Nanos>,
    counted: NodeCounts,
    /// For each slot of time, the highest count in it.
    slots: Vec<NodeCounts>,
    /// The highest count.
    most: u64,
}

/// How many requests of the busiest keys were admitted in the window before each moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// The length of a slot.
    pub slot: Nanos,
    /// The busiest first: the keys over their limits, then the others; of these, the load's before the probe's.
    pub keys: Vec<KeyCounts>,
}

/// How many requests of one key were admitted in the window before each moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCounts {
    pub key: AuditedKey,
    /// How many requests of the key are promised per window.
    pub limit: u64,
    /// The most that a limiter which keeps one of the promises admits in any interval of the window's length.
    pub most_admitted: MostInAnyWindow,
    pub window: Nanos,
    /// Not everything is known of the slots before this one.
    pub first_slot: usize,
    /// For each slot of time from the start, the highest count in it by node. The last of 8 nodes stands for all further
    /// ones.
    pub slots: Vec<Vec<u64>>,
    /// The highest count.
    pub most: u64,
}

impl FollowedKeys {
    pub fn new() -> FollowedKeys {
        FollowedKeys {
            length: SlotLength::new(),
            courses: Vec::new(),
            reviewed: Nanos::ZERO,
        }
    }

    /// Counts a followed key up to an instant. All its requests done before have been admitted to the log, none of those
    /// after. Returns whether the key is followed.
    pub fn advance(
        &mut self,
        key: AuditedKey,
        quota: usize,
        to: Nanos,
        log: &AdmissionLog,
    ) -> bool {
        self.reach(to);
        let length = self.length;
        let course = self.course(key, quota);
        let is_followed = course.is_some();
        if let Some(course) = course {
            course.advance(to, log, length);
        }
        is_followed
    }

    /// Counts an admission of a followed key, which is in the log by now. The key was advanced to its done before.
    pub fn admit(&mut self, request: &Observation, quota: usize) {
        let length = self.length;
        if let Some(course) = self.course(request.key, quota) {
            course.count(request.sent, request.done, request.node as usize, length);
        }
    }

    /// Follows a key after an admission if there is room, or if it exceeds its limit by clearly more than another one:
    /// `within` requests were admitted in one window. Returns whether the key is followed now.
    pub fn consider(&mut self, wanted: &Candidate<'_>) -> bool {
        if self.courses.len() == FOLLOWED {
            let Some(least) = self.least_to_replace(wanted) else {
                return false;
            };
            self.courses.swap_remove(least);
        } else if wanted.request.key.is_probe() && wanted.within <= wanted.bounds.limit {
            return false;
        }
        self.reach(wanted.request.done);
        self.courses
            .push(Course::of(wanted, self.length, self.reviewed));
        true
    }

    /// The place of the least busy key, if one that was admitted so much takes its place. How often this happens grows with
    /// the logarithm of the admissions only.
    fn least_to_replace(&self, wanted: &Candidate<'_>) -> Option<usize> {
        let (within, limit) = (wanted.within, wanted.bounds.limit);
        if within <= limit {
            return None;
        }
        let times = |count: u64, limit: u64| count as f64 / limit.max(1) as f64;
        let places = self.courses.iter().enumerate();
        let (place, least) = places.min_by(|(_, one), (_, other)| one.order(other).reverse())?;
        let most = self.courses.iter().min_by(|one, other| one.order(other))?;
        let is_probe = wanted.request.key.is_probe();
        let is_clearly_more = times(within, limit) > times(least.most, least.limit) * 1.25;
        let is_most = times(within, limit) > times(most.most + most.most / 64, most.limit);
        let is_load_for_probe = !is_probe && least.key.is_probe();
        let is_probe_for_load = is_probe && !least.key.is_probe() && least.most > least.limit;
        let takes = is_clearly_more || is_most || is_load_for_probe;
        (takes && !is_probe_for_load).then_some(place)
    }

    /// Takes note that keys were given up by now, or half of what was remembered of them.
    pub fn review<'a>(
        &mut self,
        log_of: impl Fn(AuditedKey, usize) -> Option<&'a AdmissionLog>,
        now: Nanos,
    ) {
        self.reviewed = now;
        self.courses
            .retain_mut(|course| match log_of(course.key, course.quota) {
                Some(log) => {
                    course.recount(log);
                    true
                }
                None => false,
            });
    }

    /// The keys that are followed, each with its quota's place.
    pub fn keys(&self) -> Vec<(AuditedKey, usize)> {
        let courses = self.courses.iter();
        courses.map(|course| (course.key, course.quota)).collect()
    }

    /// The busiest keys.
    pub fn report(mut self) -> WindowCounts {
        self.courses.sort_by(Course::order);
        self.courses.truncate(REPORTED);
        let length = self.length;
        let keys = self.courses.into_iter().filter(|course| course.most > 0);
        WindowCounts {
            slot: length.get(),
            keys: keys.map(|course| course.report(length)).collect(),
        }
    }

    fn course(&mut self, key: AuditedKey, quota: usize) -> Option<&mut Course> {
        let mut courses = self.courses.iter_mut();
        courses.find(|course| course.key == key && course.quota == quota)
    }

    fn reach(&mut self, at: Nanos) {
        for _ in 0..self.length.reach(at) {
            for course in &mut self.courses {
                halve(&mut course.slots, |one, next| {
                    if next.total() > one.total() {
                        *one = next;
                    }
                });
            }
        }
    }
}

/// An admission of a key that is not followed.
pub(super) struct Candidate<'a> {
    pub request: &'a Observation,
    pub quota: usize,
    /// How many admissions surely lie within one window that ends with this one.
    pub within: u64,
    /// The most that a limiter which keeps one of the promises admits in any interval of the window's length.
    pub most_admitted: MostInAnyWindow,
    pub log: &'a AdmissionLog,
    pub bounds: &'a Bounds,
}

impl Course {
    /// Begins with what is remembered of a key.
    fn of(wanted: &Candidate<'_>, length: SlotLength, reviewed: Nanos) -> Course {
        let Candidate { log, bounds, .. } = wanted;
        let forgotten = log.latest_forgotten();
        let from = forgotten.map_or(Nanos::ZERO, |sent| sent + bounds.shortest_window);
        let from = from.max(reviewed);
        let mut course = Course {
            key: wanted.request.key,
            quota: wanted.quota,
            limit: bounds.limit,
            most_admitted: wanted.most_admitted,
            window: bounds.window,
            shortest_window: bounds.shortest_window,
            from,
            to: Nanos::ZERO,
            since: None,
            counted: NodeCounts::default(),
            slots: Vec::new(),
            most: 0,
        };
        let mut admissions: Vec<_> = log.admissions().collect();
        admissions.sort_by_key(|(_, done, _)| *done);
        for (sent, done, node) in admissions {
            course.advance(done, log, length);
            course.count(sent, done, node, length);
        }
        course
    }

    fn advance(&mut self, to: Nanos, log: &AdmissionLog, length: SlotLength) {
        if to < self.to {
            return;
        }
        // Between admissions, counts only fall: the highest one of a slot is that at its beginning.
        for slot in length.slot(self.to) + 1..=length.slot(to) {
            let start = length.start(slot);
            self.expire(start, log);
            self.keep(start, length);
        }
        self.expire(to, log);
        self.to = to;
    }

    /// Stops counting what was sent a window before an instant.
    fn expire(&mut self, at: Nanos, log: &AdmissionLog) {
        let Some(since) = at.checked_sub(self.shortest_window) else {
            return;
        };
        if self.since.is_some_and(|before| since <= before) {
            return;
        }
        for (_, done, node) in log.sent_between(self.since, since) {
            if done <= self.to {
                self.counted.remove(node);
            }
        }
        self.since = Some(since);
    }

    fn count(&mut self, sent: Nanos, done: Nanos, node: usize, length: SlotLength) {
        if self.since.is_none_or(|since| sent > since) {
            self.counted.add(node);
            self.keep(done, length);
        }
    }

    fn keep(&mut self, at: Nanos, length: SlotLength) {
        let total = self.counted.total();
        if at < self.from || total == 0 {
            return;
        }
        let slot = length.slot(at);
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, NodeCounts::default());
        }
        if total > self.slots[slot].total() {
            self.slots[slot] = self.counted;
        }
        self.most = self.most.max(total);
    }

    /// Counts anew what is remembered.
    fn recount(&mut self, log: &AdmissionLog) {
        self.counted = NodeCounts::default();
        for (_, done, node) in log.sent_between(self.since, Nanos::MAX) {
            if done <= self.to {
                self.counted.add(node);
            }
        }
    }

    /// The busier one first.
    fn order(&self, other: &Course) -> Ordering {
        let rank = |one: &Course| {
            let times = one.most as f64 / one.limit.max(1) as f64;
            (one.most > one.limit, !one.key.is_probe(), times)
        };
        let (one, another) = (rank(self), rank(other));
        let flags = (another.0, another.1).cmp(&(one.0, one.1));
        flags.then(another.2.total_cmp(&one.2))
    }

    fn report(self, length: SlotLength) -> KeyCounts {
        // Only a part is known of a slot in which the key began to be followed.
        let is_whole = length.start(length.slot(self.from)) == self.from;
        let mut slots = self.slots;
        let last = length.slot(self.to);
        slots.resize(
            last.max(slots.len().saturating_sub(1)) + 1,
            NodeCounts::default(),
        );
        KeyCounts {
            key: self.key,
            limit: self.limit,
            most_admitted: self.most_admitted,
            window: self.window,
            first_slot: length.slot(self.from) + usize::from(!is_whole),
            slots: slots.iter().map(|counts| counts.0.to_vec()).collect(),
            most: self.most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::KeyId;
    use crate::core::audit::{Algorithm, AuditReport};
    use crate::core::audit::{Auditor, Decision, Limit, Promise, Quota, Terms};
    use proptest::prelude::*;

    const MILLI: u64 = 1_000_000;

    fn terms(limit: u64, window: Nanos) -> Terms {
        let limit_of_windows = Limit::new(Algorithm::SlidingWindow, Quota::new(limit, window));
        Terms {
            promises: vec![Promise::of(limit_of_windows)],
            timeout: Nanos(1_000 * MILLI),
            ..Terms::of_all_promises(limit, window, 3)
        }
    }

    fn request(key: u32, sent: u64, took: u64, node: u32, decision: Decision) -> Observation {
        Observation {
            key: AuditedKey::Load(KeyId(key)),
            sequence: sent,
            target: node.min(2),
            node,
            sent: Nanos(sent),
            done: Nanos(sent + took),
            decision,
            failure: None,
            failing_open: false,
            phase: None,
            period: None,
        }
    }

    fn audited(terms: &Terms, requests: &[Observation], every: usize) -> AuditReport {
        let mut audit = Auditor::new(terms.clone());
        let mut requests = requests.to_vec();
        requests.sort_by_key(|request| request.sent);
        for (number, request) in requests.iter().enumerate() {
            if number % every == 0 {
                audit.advance(request.sent);
            }
            audit.add(*request);
        }
        audit.finish()
    }

    /// The counts of a key straight from the definition.
    fn by_definition(
        counts: &KeyCounts,
        slot: Nanos,
        terms: &Terms,
        all: &[Observation],
    ) -> Vec<Vec<u64>> {
        let of_key =
            |one: &&Observation| one.key == counts.key && one.decision == Decision::Allowed;
        let admitted: Vec<_> = all.iter().filter(of_key).collect();
        let shortest = i128::from((terms.window - terms.tolerance()).0);
        let at = |instant: u64| {
            let mut nodes = vec![0; 8];
            for one in &admitted {
                let is_within = i128::from(one.sent.0) > i128::from(instant) - shortest;
                if one.done.0 <= instant && is_within {
                    nodes[(one.node as usize).min(7)] += 1;
                }
            }
            nodes
        };
        let mut slots = vec![vec![0; 8]; counts.slots.len()];
        let mut instants: Vec<_> = admitted.iter().map(|one| one.done.0).collect();
        instants.extend((0..slots.len() as u64).map(|number| number * slot.0));
        instants.sort_unstable();
        for instant in instants {
            let nodes = at(instant);
            let place = (instant / slot.0) as usize;
            if nodes.iter().sum::<u64>() > slots[place].iter().sum() {
                slots[place] = nodes;
            }
        }
        slots
    }

    fn requests() -> impl Strategy<Value = Vec<Observation>> {
        let decision = prop_oneof![
            4 => Just(Decision::Allowed),
            2 => Just(Decision::Blocked),
            1 => Just(Decision::Unanswered),
        ];
        let took = prop_oneof![4 => 0..5 * MILLI, 1 => 0..900 * MILLI];
        let one = (0u32..3, 0..400 * MILLI, took, 0u32..11, decision, 0u64..12);
        prop::collection::vec(one, 1..120).prop_map(|all| {
            let one = |(key, sent, took, node, decision, second): (_, u64, _, _, _, u64)| {
                request(
                    key,
                    sent + second * second * 1_000 * MILLI / 2,
                    took,
                    node,
                    decision,
                )
            };
            all.into_iter().map(one).collect()
        })
    }

    proptest! {
        #[test]
        fn every_count_is_the_one_by_definition(
            requests in requests(), window in 20u64..3_000, every in 1usize..40
        ) {
            let terms = terms(3, Nanos(window * MILLI));
            let report = audited(&terms, &requests, every);
            let counts = &report.window_counts;
            for one in &counts.keys {
                let expected = by_definition(one, counts.slot, &terms, &requests);
                prop_assert_eq!(&one.slots, &expected);
                let totals = expected.iter().map(|nodes| nodes.iter().sum::<u64>());
                prop_assert_eq!(Some(one.most), totals.max());
                prop_assert_eq!((one.limit, one.first_slot), (3, 0));
            }
            let is_sure = |one: &&Observation| {
                one.decision == Decision::Allowed
                    && one.done - one.sent < terms.window - terms.tolerance()
            };
            let admitted = requests.iter().filter(is_sure);
            let mut keys: Vec<_> = admitted.map(|one| one.key).collect();
            keys.sort_by_key(|key| format!("{key:?}"));
            keys.dedup();
            prop_assert_eq!(counts.keys.len(), keys.len());
            prop_assert!(counts.keys.is_sorted_by(|one, next| one.most >= next.most));
            let worst = report.worst.first();
            if let Some(worst) = worst {
                prop_assert_eq!(counts.keys[0].most, worst.admitted);
            }
        }
    }

    /// 40 keys that were each admitted 3 times, of which one is admitted more later.
    fn one_of_many() -> Vec<Observation> {
        let mut all = Vec::new();
        for key in 0..40u32 {
            for number in 0..3u64 {
                let sent = u64::from(key) * MILLI + number * 100 * MILLI;
                all.push(request(
                    key,
                    sent,
                    MILLI / 2,
                    number as u32,
                    Decision::Allowed,
                ));
            }
        }
        for number in 0..9u64 {
            let sent = 2_000 * MILLI + number * 50 * MILLI;
            all.push(request(
                37,
                sent,
                MILLI / 2,
                number as u32 % 3,
                Decision::Allowed,
            ));
        }
        all
    }

    #[test]
    fn a_key_that_becomes_the_busiest_is_followed_from_what_is_remembered() {
        let (terms, requests) = (terms(3, Nanos(1_000 * MILLI)), one_of_many());
        let report = audited(&terms, &requests, 1);
        let counts = &report.window_counts;
        assert_eq!(counts.keys.len(), REPORTED);
        let first = &counts.keys[0];
        assert_eq!((first.key, first.most), (AuditedKey::Load(KeyId(37)), 9));
        let expected = by_definition(first, counts.slot, &terms, &requests);
        assert_eq!(
            first.slots[first.first_slot..],
            expected[first.first_slot..]
        );
    }

    #[test]
    fn a_key_of_the_probe_is_followed_only_over_its_limit() {
        let terms = terms(2, Nanos(1_000 * MILLI));
        for (count, expected) in [(2u64, 0), (3, 1)] {
            let mut all = Vec::new();
            for number in 0..count {
                let one = request(0, number * MILLI, 0, 0, Decision::Allowed);
                all.push(Observation {
                    key: AuditedKey::Probe(1),
                    ..one
                });
            }
            let report = audited(&terms, &all, 1);
            assert_eq!(report.window_counts.keys.len(), expected);
        }
    }

    #[test]
    fn a_limiter_of_each_algorithm_has_its_own_most_in_any_window() {
        let window = Nanos(1_000 * MILLI);
        for (promise, most) in [
            ("sliding-window", 10),
            ("fixed-window", 20),
            ("token-bucket", 20),
            ("token-bucket 10/s burst 5", 15),
            ("sliding-counter", 20),
            ("auto", 20),
        ] {
            let promises = Promise::alternatives(promise, Quota::new(10, window));
            let terms = Terms {
                promises: promises.expect(promise),
                ..terms(10, window)
            };
            let report = audited(&terms, &[request(0, 0, 0, 0, Decision::Allowed)], 1);
            let admitted = report.window_counts.keys[0].most_admitted;
            assert_eq!(admitted.requests, most, "{promise}");
            let is_more = admitted.requests > 10;
            assert_ne!(
                admitted.algorithm == Algorithm::SlidingWindow,
                is_more,
                "{promise}"
            );
        }
    }
}
