//! The latest admissions of one key.

use super::bounds::Bounds;
use super::busy_period::BusyPeriod;
use super::observation::{AuditedKey, Observation};
use super::proof::AdmissionSpan;
use crate::base::Nanos;
use std::collections::VecDeque;

/// One request that counts as admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    pub sent: Nanos,
    pub done: Nanos,
    request: RequestId,
    /// The busy period of a token bucket, up to this admission.
    busy: BusyPeriod,
}

/// A request's sequence number and its node in 8 bytes.
#[derive(Debug, Clone, Copy)]
struct RequestId(u64);

impl RequestId {
    const SEQUENCE_BITS: u32 = 48;

    /// Nodes beyond the 65,536th count as that one.
    fn of(request: &Observation) -> RequestId {
        let node = u64::from(request.node).min(0xffff);
        let sequence = request.sequence & ((1 << Self::SEQUENCE_BITS) - 1);
        RequestId(node << Self::SEQUENCE_BITS | sequence)
    }

    fn sequence(self) -> u64 {
        self.0 & ((1 << Self::SEQUENCE_BITS) - 1)
    }

    fn node(self) -> usize {
        (self.0 >> Self::SEQUENCE_BITS) as usize
    }
}

/// What is known of forgotten admissions.
#[derive(Debug, Clone, Copy)]
struct Forgotten {
    /// When the last of them was sent.
    sent: Nanos,
    /// The latest done of them.
    done: Nanos,
    /// The busy period up to the last of them.
    busy: BusyPeriod,
}

/// Admissions sorted by sent. They come in the order of their dones, so most of them are inserted near the end.
#[derive(Debug, Clone, Default)]
pub(super) struct AdmissionLog {
    admissions: VecDeque<Admission>,
    forgotten: Option<Forgotten>,
    /// The longest time from sent to done.
    longest: Nanos,
}

impl AdmissionLog {
    /// Adds a request that was done after all others. Returns its place; `None` if it was sent before a forgotten one: then
    /// it is left out, as if it had not been admitted.
    pub fn insert(&mut self, request: &Observation, bounds: &Bounds) -> Option<usize> {
        let (sent, done) = (request.sent, request.done);
        if self.forgotten.is_some_and(|before| sent < before.sent) {
            return None;
        }
        let later = self.admissions.iter().rev();
        let later = later.take_while(|other| other.sent > sent).count();
        let place = self.admissions.len() - later;
        let admission = Admission {
            sent,
            done,
            request: RequestId::of(request),
            busy: BusyPeriod::default(),
        };
        self.admissions.insert(place, admission);
        self.longest = self.longest.max(done - sent);
        self.update_busy_periods(place, bounds);
        Some(place)
    }

    /// Removes the admission at a place.
    pub fn remove(&mut self, place: usize, bounds: &Bounds) {
        self.admissions.remove(place);
        self.update_busy_periods(place, bounds);
    }

    fn update_busy_periods(&mut self, first: usize, bounds: &Bounds) {
        let mut busy = match first.checked_sub(1) {
            Some(before) => self.admissions[before].busy,
            None => self.forgotten.map(|before| before.busy).unwrap_or_default(),
        };
        for admission in self.admissions.range_mut(first..) {
            busy = busy.after_one_more(admission.sent, bounds);
            admission.busy = busy;
        }
    }

    pub fn first(&self) -> Option<&Admission> {
        self.admissions.front()
    }

    /// Forgets the admissions at the front that were done before `end`.
    pub fn forget_before(&mut self, end: Nanos) {
        while self.first().is_some_and(|first| first.done < end) {
            self.forget_first();
        }
    }

    /// Whether an admission is forgotten that may have been decided at `from` or later.
    pub fn has_forgotten_since(&self, from: Nanos) -> bool {
        self.forgotten.is_some_and(|before| before.done >= from)
    }

    /// Forgets the older half, rounded up, and gives its memory back. Returns the latest done in it.
    pub fn forget_half(&mut self) -> Option<Nanos> {
        let half = self.len().div_ceil(2);
        let latest = self.admissions.range(..half).map(|first| first.done).max();
        for _ in 0..half {
            self.forget_first();
        }
        self.admissions.shrink_to_fit();
        latest
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.admissions.pop_front() {
            let done = self
                .forgotten
                .map_or(first.done, |before| before.done.max(first.done));
            self.forgotten = Some(Forgotten {
                sent: first.sent,
                done,
                busy: first.busy,
            });
        }
    }

    /// Counts the admissions that lie within less than `span` up to `done`, the latest done of all.
    pub fn count_within(&self, span: Nanos, done: Nanos) -> u64 {
        let since = done.checked_sub(span);
        let before = since.map_or(0, |since| {
            self.admissions.partition_point(|other| other.sent <= since)
        });
        (self.admissions.len() - before) as u64
    }

    /// Counts the admissions that may have been decided at `from` or later.
    pub fn count_reaching(&self, from: Nanos) -> u64 {
        let sent_before = self.admissions.partition_point(|other| other.sent < from);
        let earliest = from.saturating_sub(self.longest);
        let earlier = self.admissions.range(..sent_before).rev();
        let reaching = earlier
            .take_while(|other| other.sent >= earliest)
            .filter(|other| other.done >= from);
        (self.admissions.len() - sent_before + reaching.count()) as u64
    }

    /// Counts the admissions that were surely decided from `from` on and before `to`.
    pub fn count_sure(&self, from: Nanos, to: Nanos) -> u64 {
        let first = self.admissions.partition_point(|other| other.sent < from);
        let sent_before = self.admissions.partition_point(|other| other.sent < to);
        if sent_before <= first {
            return 0;
        }
        let earliest = to.saturating_sub(self.longest);
        let latest = self.admissions.range(first..sent_before).rev();
        let under_way = latest
            .take_while(|other| other.sent >= earliest)
            .filter(|other| other.done >= to);
        (sent_before - first - under_way.count()) as u64
    }

    /// Counts the admissions that may have been decided from `from` to `to`.
    pub fn count_possible(&self, from: Nanos, to: Nanos) -> u64 {
        let sent_by = self.admissions.partition_point(|other| other.sent <= to);
        let sent_later = (self.admissions.len() - sent_by) as u64;
        self.count_reaching(from).saturating_sub(sent_later)
    }

    /// The latest done of the admissions up to a place.
    pub fn latest_done_up_to(&self, place: usize) -> Nanos {
        let mut latest = Nanos::ZERO;
        for other in self.admissions.range(..=place).rev() {
            if other.sent + self.longest < latest {
                break;
            }
            latest = latest.max(other.done);
        }
        latest
    }

    /// The admission at a place.
    pub fn at(&self, place: usize) -> &Admission {
        &self.admissions[place]
    }

    /// Counts the admissions that one node may have decided at `from` or later.
    pub fn count_reaching_of(&self, from: Nanos, node: usize) -> u64 {
        let of_node = |other: &&Admission| other.done >= from && other.request.node() == node;
        self.admissions.iter().filter(of_node).count() as u64
    }

    /// Counts the admissions of one node that were sent later than `since`.
    pub fn count_sent_since_of(&self, since: Nanos, node: usize) -> u64 {
        let latest = self.admissions.iter().rev();
        let latest = latest.take_while(|other| other.sent > since);
        latest.filter(|other| other.request.node() == node).count() as u64
    }

    /// The latest instant at which the admission may have been decided that was decided last but for `others`. It may be
    /// one that is forgotten. `None` if there were not so many.
    pub fn latest_decision_but(&self, others: u64) -> Option<Nanos> {
        let remembered = self.last_but(others).map(|one| one.sent);
        let forgotten = self.forgotten.map(|before| before.sent);
        Some(remembered.or(forgotten)? + self.longest)
    }

    /// The busy period of a token bucket, up to the admission that was sent last.
    pub fn busy_period(&self) -> BusyPeriod {
        let last = self.admissions.back();
        last.map(|last| last.busy).unwrap_or_default()
    }

    /// The admission that was sent last but for `later` others.
    pub fn last_but(&self, later: u64) -> Option<&Admission> {
        let place = self.admissions.len().checked_sub(later as usize + 1)?;
        self.admissions.get(place)
    }

    pub fn len(&self) -> usize {
        self.admissions.len()
    }

    /// The admissions sent at `from` or later, up to the latest one.
    pub fn span(&self, latest: &Observation, from: Nanos, targets: usize) -> AdmissionSpan {
        self.span_between(latest.key, from, latest.done, targets)
    }

    /// So many admissions from `from` up to the latest one, of which the earlier ones may not be remembered.
    pub fn span_of(
        &self,
        latest: &Observation,
        from: Nanos,
        admitted: u64,
        targets: usize,
    ) -> AdmissionSpan {
        let mut span = self.span(latest, from, targets);
        if span.admitted < admitted {
            span.from = from;
            span.admitted = admitted;
        }
        span
    }

    /// The admissions sent at `from` or later and done by `to`.
    pub fn span_between(
        &self,
        key: AuditedKey,
        from: Nanos,
        to: Nanos,
        targets: usize,
    ) -> AdmissionSpan {
        let mut span = AdmissionSpan::empty(key, targets);
        let before = self.admissions.partition_point(|other| other.sent < from);
        for admission in self.admissions.range(before..) {
            if admission.done <= to {
                let (sequence, node) = (admission.request.sequence(), admission.request.node());
                span.add(admission.sent, admission.done, sequence, node);
            }
        }
        span
    }

    /// When the latest admission that is not remembered was sent.
    pub fn latest_forgotten(&self) -> Option<Nanos> {
        self.forgotten.map(|before| before.sent)
    }

    /// The sents, dones and nodes of the admissions, in the order of their sents.
    pub fn admissions(&self) -> impl Iterator<Item = (Nanos, Nanos, usize)> {
        self.sent_between(None, Nanos::MAX)
    }

    /// The sents, dones and nodes of the admissions that were sent after one instant and up to another.
    pub fn sent_between(
        &self,
        after: Option<Nanos>,
        to: Nanos,
    ) -> impl Iterator<Item = (Nanos, Nanos, usize)> {
        let sent_by = |at| self.admissions.partition_point(|one| one.sent <= at);
        let (first, end) = (after.map_or(0, sent_by), sent_by(to));
        let between = self.admissions.range(first.min(end)..end);
        between.map(|one| (one.sent, one.done, one.request.node()))
    }

    /// The instants at which the admissions were sent, the last ones first.
    pub fn latest_sents(&self) -> impl Iterator<Item = Nanos> {
        self.admissions.iter().rev().map(|other| other.sent)
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        self.admissions.capacity() * size_of::<Admission>()
    }
}
