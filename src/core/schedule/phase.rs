use super::{Count, Piece};
use crate::base::{Mode, Nanos};
use std::sync::Arc;

/// A piece of a profile at its place in the schedule.
#[derive(Debug, Clone)]
pub struct Phase {
    pub start: Nanos,
    pub(super) piece: Arc<dyn Piece>,
    /// The requests of all phases before this one.
    pub(super) before: Count,
    /// The requests of this phase; `None` if it never ends.
    pub(super) count: Option<Count>,
}

impl Phase {
    pub(super) fn new(piece: Arc<dyn Piece>, start: Nanos, before: Count) -> Phase {
        Phase {
            start,
            count: piece.length().map(|length| piece.count_at(length)),
            piece,
            before,
        }
    }

    pub fn mode(&self) -> Mode {
        self.piece.mode()
    }

    /// The rate in words, without the length: `50/s to 500/s`. Empty for a pause.
    pub fn rate(&self) -> String {
        self.piece.rate()
    }

    /// The mode and the rate: `burst 50/s`. Phases of one name do the same, for a longer or shorter time.
    pub fn name(&self) -> String {
        let name = format!("{} {}", self.mode().name(), self.rate());
        name.trim_end().to_owned()
    }

    /// The time that the phase lasts, 0 if its requests come at once; `None` if it never ends.
    pub fn length(&self) -> Option<Nanos> {
        self.piece.length()
    }

    /// The first instant that is no longer part of the phase; `None` if it never ends.
    pub fn end(&self) -> Option<Nanos> {
        self.length().map(|length| self.start + length)
    }

    /// The number of requests if all of them come at once.
    pub fn at_once(&self) -> Option<u64> {
        let is_instant = self.length() == Some(Nanos::ZERO);
        self.count.filter(|_| is_instant).map(Count::tokens)
    }

    /// The rate at an instant of this phase, in requests per second; 0 if requests come at once.
    pub fn rate_at(&self, t: Nanos) -> f64 {
        self.piece.rate_at(t.saturating_sub(self.start))
    }

    /// The highest rate of this phase, in requests per second; 0 if requests come at once.
    pub fn highest_rate(&self) -> f64 {
        self.piece.highest_rate()
    }

    /// Whether the request of this number is due within this phase.
    pub(super) fn has(&self, number: Count) -> bool {
        self.before <= number && self.count.is_none_or(|count| number - self.before < count)
    }

    /// The instant at which the request of this number is due, one of those that this phase [has](Phase::has). `None`
    /// if that is after [`Nanos::MAX`].
    pub(super) fn time_of(&self, number: Count) -> Option<Nanos> {
        let since_start = self.piece.time_of(number - self.before)?;
        self.start.checked_add(since_start)
    }
}
