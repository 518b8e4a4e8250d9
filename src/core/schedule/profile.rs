use super::piece::steady::Steady;
use super::{Count, Phase, Piece, Rate};
use crate::base::Nanos;
use std::fmt;
use std::sync::Arc;

/// A request rate over a whole run: [pieces](Piece) one after the other, some of which may be repeated.
///
/// With S for the start of the first round, L for the length of a round, P for its requests, and C(i) for the requests
/// of the pieces before piece i, the number of requests up to t is
///
/// ```text
/// N(t) = q·P + C(i) + N(i)(w − start(i))          t = q·L + w,  S ≤ w < S + L unless q = 0
/// ```
///
/// where piece i is the last that starts by w, and q is the number of rounds that are over by t. Each C(i) is exact, so
/// fractions of a request carry over from piece to piece, and nothing accumulates over the rounds: one division gives
/// the round, a binary search the piece, and the piece the rest.
///
/// The inverse takes the last piece with C(i) at most the request's number. So a request that would be due at the end of
/// a piece is due at the start of the next, or after the pauses that follow.
///
/// `Display` writes a profile as it is typed, or in words if it can't be typed. `FromStr` reads the typed form.
#[derive(Debug, Clone)]
pub struct Profile {
    /// All phases up to the end of the first round.
    phases: Vec<Phase>,
    /// `None` if the last piece never ends.
    round: Option<Round>,
    text: String,
}

/// The part of a profile that is repeated, up to the profile's last piece.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// The place of its first phase.
    first: usize,
    /// The start of the first round.
    start: Nanos,
    /// The requests before the first round.
    before: Count,
    length: Nanos,
    count: Count,
    /// The number of rounds; `None` for ever.
    times: Option<u64>,
}

impl Profile {
    /// All pieces, `rounds` times; `None` for ever.
    ///
    /// # Panics
    /// If there is not a piece or no round, or if a piece never ends that is not the last one of a single round. With
    /// several rounds, also if a round lasts no time, has no requests or more than [`Rate::MAX`] on average, or if the
    /// rounds end after [`Nanos::MAX`].
    pub fn new(pieces: Vec<Arc<dyn Piece>>, rounds: Option<u64>) -> Profile {
        let repeat = match rounds {
            None => Some("repeat".to_owned()),
            Some(1) => None,
            Some(rounds) => Some(format!("repeat {rounds} times")),
        };
        let typed = pieces.iter().map(|piece| piece.typed()).chain(repeat);
        let text = typed.collect::<Vec<_>>().join(", ");
        Profile::with_lead(pieces, 0, rounds, text)
    }

    /// One rate for ever. It must be over 0.
    pub fn steady(rate: Rate) -> Profile {
        assert!(rate > Rate::ZERO);
        Profile::new(vec![Arc::new(Steady::new(rate, None))], Some(1))
    }

    /// The pieces from `first` on are repeated. The others come before the first round and last no longer than one.
    pub(super) fn with_lead(
        pieces: Vec<Arc<dyn Piece>>,
        first: usize,
        rounds: Option<u64>,
        text: String,
    ) -> Profile {
        assert!(first < pieces.len() && rounds != Some(0));
        let (mut end, mut before) = (Some(Nanos::ZERO), Count::ZERO);
        let mut phases = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let start = end.expect("only the last piece may last for ever");
            let phase = Phase::new(piece, start, before);
            end = phase.end();
            before = before + phase.count.unwrap_or(Count::ZERO);
            phases.push(phase);
        }
        let round = end.map(|end| Round {
            first,
            start: phases[first].start,
            before: phases[first].before,
            length: end - phases[first].start,
            count: before - phases[first].before,
            times: rounds,
        });
        if rounds != Some(1) {
            let round = round.expect("a round ends");
            assert!(round.length > Nanos::ZERO && round.count > Count::ZERO);
            assert!(round.count <= Rate::MAX.over(round.length));
            assert!(round.length.0.checked_mul(rounds.unwrap_or(1)).is_some());
        }
        Profile {
            phases,
            round,
            text,
        }
    }

    /// The instant after which nothing comes due; `None` if there is none.
    pub fn end(&self) -> Option<Nanos> {
        let round = self.round?;
        round.times.map(|times| round.start + round.length * times)
    }

    /// The time after which the profile repeats itself, from one such time after the start on at the latest. `None` if
    /// it does nothing twice.
    pub fn round(&self) -> Option<Nanos> {
        let repeats = |round: &Round| round.times != Some(1);
        self.round.filter(repeats).map(|round| round.length)
    }

    /// The requests of the whole profile; [`Count::MAX`] if it never ends.
    fn total(&self) -> Count {
        let whole = |round: Round| Some(round.before + round.count.times(round.times?));
        self.round.and_then(whole).unwrap_or(Count::MAX)
    }

    /// N(t): the requests up to `t`, including those that come at once at `t`.
    pub fn count_at(&self, t: Nanos) -> Count {
        match self.phase(t) {
            Some(phase) => phase.before + phase.piece.count_at(t - phase.start),
            None => self.total(),
        }
    }

    /// The smallest number that is not due by `t`.
    pub fn passed(&self, t: Nanos) -> Count {
        match self.phase(t) {
            Some(phase) => phase.before + phase.piece.passed(t - phase.start),
            None => self.total(),
        }
    }

    /// The phase that `t` falls into, of those that last; `None` from the end on.
    pub fn phase(&self, t: Nanos) -> Option<Phase> {
        if self.end().is_some_and(|end| t >= end) {
            return None;
        }
        let over = |round: Round| t.saturating_sub(round.start).0 / round.length.0;
        let rounds = self.round.map_or(0, over);
        let within = t - self.length_of(rounds)?;
        let place = self.phases.partition_point(|phase| phase.start <= within);
        self.phase_in(rounds, place - 1)
    }

    /// The phase in which a request of this number is due; `None` if there is none, or if it begins after
    /// [`Nanos::MAX`].
    pub(super) fn phase_of(&self, number: Count) -> Option<Phase> {
        if number >= self.total() {
            return None;
        }
        let over = |round: Round| number.saturating_sub(round.before).div_rem(round.count).0;
        let rounds = u64::try_from(self.round.map_or(0, over)).ok()?;
        let within = number - self.count_of(rounds);
        let place = self.phases.partition_point(|phase| phase.before <= within);
        self.phase_in(rounds, place - 1)
    }

    /// All phases in order, also those that last no time. May never end.
    pub fn phases(&self) -> impl Iterator<Item = Phase> + Send + '_ {
        let (first, times) = match self.round {
            Some(round) => (round.first, round.times.unwrap_or(u64::MAX)),
            None => (0, 1),
        };
        let rounds = (0..times).flat_map(move |round| {
            let places = if round == 0 { 0 } else { first }..self.phases.len();
            places.map(move |place| (round, place))
        });
        rounds.map_while(|(round, place)| self.phase_in(round, place))
    }

    /// The phase at this place after so many rounds; `None` if it begins after [`Nanos::MAX`].
    fn phase_in(&self, rounds: u64, place: usize) -> Option<Phase> {
        let mut phase = self.phases[place].clone();
        phase.start = phase.start.checked_add(self.length_of(rounds)?)?;
        phase.before = phase.before + self.count_of(rounds);
        Some(phase)
    }

    /// The length of so many rounds; `None` if that is more than [`Nanos::MAX`].
    fn length_of(&self, rounds: u64) -> Option<Nanos> {
        let length = self.round.map_or(0, |round| round.length.0);
        length.checked_mul(rounds).map(Nanos)
    }

    /// The requests of so many rounds.
    fn count_of(&self, rounds: u64) -> Count {
        let count = self.round.map_or(Count::ZERO, |round| round.count);
        count.times(rounds)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
