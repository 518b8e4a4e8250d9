//! The pieces that a profile is made of: each is one file, with its arithmetic and its text form.

pub(super) mod at_once;
mod burst;
mod inverse;
pub(super) mod pause;
pub(super) mod ramp;
pub(super) mod recorded;
pub(super) mod sine;
pub(super) mod steady;

use super::Count;
use super::reader::Reader;
use crate::base::text::SyntaxError;
use crate::base::{Mode, Nanos};
use std::fmt;
use std::sync::Arc;

/// All kinds of pieces, in the order in which a refused text lists them. A new kind is a file beside these, and a line
/// here.
pub(super) const KINDS: &[Kind] = &[
    steady::KIND,
    ramp::KIND,
    sine::KIND,
    pause::KIND,
    burst::KIND,
    at_once::KIND,
];

/// The text form of a kind of piece.
pub(super) struct Kind {
    /// The form in words: `pause TIME`.
    pub form: &'static str,
    pub read: fn(&mut Reader) -> ReadPiece,
}

/// A piece, or nothing if the text does not begin like a piece of this kind.
type ReadPiece = Result<Option<Arc<dyn Piece>>, SyntaxError>;

/// A request rate over some time. All times and numbers of a piece count from its own start.
///
/// A piece is known by its cumulative count N(t), the number of requests that come due from the start up to and
/// including t: the integral of the rate. N starts at 0, unless requests come at once, and never decreases. In the
/// equations of pieces, rates are in requests per second and times in seconds. As typed, rates are from 10⁻⁶/s to 10⁶/s,
/// those of bursts up to 10⁹/s, and times are from 1 ms to 3650 days.
///
/// A request has a number c, which need not be whole. It is due when N has passed c: at the last instant with N(t) ≤ c,
/// or, if N jumps over c, at the instant of the jump. So if N stays at c for a while, the request is due when N leaves c.
pub trait Piece: fmt::Debug + Send + Sync {
    fn mode(&self) -> Mode;

    /// The time that the piece lasts, 0 if its requests come at once; `None` if it never ends.
    fn length(&self) -> Option<Nanos>;

    /// The rate in words, without the length: `50/s to 500/s`. Empty for a pause.
    fn rate(&self) -> String;

    /// The piece as it is typed: `ramp 50/s to 500/s over 2m`.
    fn typed(&self) -> String;

    /// The rate at `t`, in requests per second; 0 if requests come at once.
    fn rate_at(&self, _t: Nanos) -> f64 {
        0.0
    }

    /// The highest rate, in requests per second; 0 if requests come at once. A piece whose highest rate is not at one of its
    /// ends overrides this.
    fn highest_rate(&self) -> f64 {
        let end = self.length().unwrap_or_default();
        self.rate_at(Nanos::ZERO).max(self.rate_at(end))
    }

    /// N(t). Exact, or rounded as the piece documents.
    fn count_at(&self, t: Nanos) -> Count;

    /// The smallest number that is not due by `t`, so that `time_of(number) <= t` if and only if `number < passed(t)`.
    /// A piece whose count stays level after `t` overrides this.
    fn passed(&self, t: Nanos) -> Count {
        self.count_at(t).and_a_bit()
    }

    /// The inverse of [`passed`](Piece::passed): the first whole nanosecond at which a request of this number is due.
    /// `None` if that is never, or after [`Nanos::MAX`].
    fn time_of(&self, number: Count) -> Option<Nanos>;
}
