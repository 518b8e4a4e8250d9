//! The latest admissions of one key.

use super::terms::Bounds;
use std::collections::VecDeque;

/// One request that counts, in nanoseconds since the run's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    pub sent: u64,
    pub done: u64,
    pub request: Request,
    /// Of a bucket that gives one for each when it is sent: since when it has not been full, and how many it has given
    /// since, with this one.
    busy_since: u64,
    given: u64,
}

impl Admission {
    fn busy(&self) -> (u64, u64) {
        (self.busy_since, self.given)
    }
}

/// Which request it was, and its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request(u64);

impl Request {
    const SEQUENCE_BITS: u32 = 48;

    /// Targets beyond the 65,536th count as that one.
    pub fn new(sequence: u64, target: u32) -> Request {
        let target = u64::from(target).min(0xffff);
        Request(target << Self::SEQUENCE_BITS | sequence & ((1 << Self::SEQUENCE_BITS) - 1))
    }

    pub fn sequence(self) -> u64 {
        self.0 & ((1 << Self::SEQUENCE_BITS) - 1)
    }

    pub fn target(self) -> usize {
        (self.0 >> Self::SEQUENCE_BITS) as usize
    }
}

/// Admissions sorted by sent. They come in the order of their dones, so most of them come last.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    admissions: VecDeque<Admission>,
    /// Of what has been forgotten, the one that was sent last.
    forgotten: Option<Admission>,
    /// The longest from sent to done.
    longest: u64,
}

impl Log {
    /// Adds one that was done after all others. False if it was sent before what has been forgotten: then it is left
    /// out, as if it had not been admitted.
    pub fn insert(&mut self, sent: u64, done: u64, request: Request, bounds: &Bounds) -> bool {
        if self.forgotten.is_some_and(|latest| sent < latest.sent) {
            return false;
        }
        let later = self.admissions.iter().rev();
        let later = later.take_while(|other| other.sent > sent).count();
        let place = self.admissions.len() - later;
        let admission = Admission {
            sent,
            done,
            request,
            busy_since: 0,
            given: 0,
        };
        self.admissions.insert(place, admission);
        self.longest = self.longest.max(done - sent);
        self.give_from(place, bounds);
        true
    }

    /// Has a bucket give one for each, from one place on: the generic cell rate algorithm
    /// ([ITU-T I.371](https://www.itu.int/rec/T-REC-I.371)), of which the theoretical arrival time is when it is full.
    fn give_from(&mut self, place: usize, bounds: &Bounds) {
        let before = match place {
            0 => self.forgotten,
            _ => Some(self.admissions[place - 1]),
        };
        let mut last = before.map_or((0, 0), |before| before.busy());
        for admission in self.admissions.range_mut(place..) {
            let (since, given) = last;
            last = match bounds.is_full(given, since, admission.sent) {
                true => (admission.sent, 1),
                false => (since, given + 1),
            };
            (admission.busy_since, admission.given) = last;
        }
    }

    pub fn first(&self) -> Option<&Admission> {
        self.admissions.front()
    }

    /// Forgets those at the front that were done before `end`.
    pub fn forget_before(&mut self, end: u64) {
        while self.first().is_some_and(|first| first.done < end) {
            self.forget_first();
        }
    }

    pub fn forget_first(&mut self) {
        if let Some(first) = self.admissions.pop_front() {
            self.forgotten = Some(first);
        }
    }

    /// Of those that lie within less than `span` and are done by `done`, the last of all: how many.
    pub fn within(&self, span: u64, done: u64) -> u64 {
        let since = done.checked_sub(span);
        let before = since.map_or(0, |since| {
            self.admissions.partition_point(|other| other.sent <= since)
        });
        (self.admissions.len() - before) as u64
    }

    /// How many may have been decided at `from` or later.
    pub fn reaching(&self, from: u64) -> u64 {
        let sent_before = self.admissions.partition_point(|other| other.sent < from);
        let earliest = from.saturating_sub(self.longest);
        let earlier = self.admissions.range(..sent_before).rev();
        let reaching = earlier
            .take_while(|other| other.sent >= earliest)
            .filter(|other| other.done >= from);
        (self.admissions.len() - sent_before + reaching.count()) as u64
    }

    /// Those that may have been decided at `from` or later by one target.
    pub fn reaching_of(&self, from: u64, target: usize) -> u64 {
        let of_target = |other: &&Admission| other.done >= from && other.request.target() == target;
        self.admissions.iter().filter(of_target).count() as u64
    }

    /// Since when a bucket has not been full that gives one for each when it is sent, and how many it gave since.
    pub fn busy(&self) -> (u64, u64) {
        self.admissions.back().map_or((0, 0), Admission::busy)
    }

    /// The one that was sent last but for `later` others.
    pub fn last_but(&self, later: u64) -> Option<&Admission> {
        let place = self.admissions.len().checked_sub(later as usize + 1)?;
        self.admissions.get(place)
    }

    pub fn len(&self) -> usize {
        self.admissions.len()
    }

    /// Those sent at `from` or later and done by `to`, in the order of their sents.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &Admission> {
        let before = self.admissions.partition_point(|other| other.sent < from);
        let sent_later = self.admissions.range(before..);
        sent_later.filter(move |other| other.done <= to)
    }

    /// The sents, last ones first.
    pub fn sents(&self) -> impl Iterator<Item = u64> {
        self.admissions.iter().rev().map(|other| other.sent)
    }

    /// Gives back memory that is not needed now.
    pub fn shrink(&mut self) {
        self.admissions.shrink_to_fit();
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        self.admissions.capacity() * size_of::<Admission>()
    }
}
