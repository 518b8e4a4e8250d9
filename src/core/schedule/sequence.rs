use super::at_once::AtOnce;
use super::pause::Pause;
use super::{Count, Curve, Phase, Profile, Ramp, Rate, Shape, Sine, Steady};
use crate::base::Nanos;
use std::fmt;
use std::sync::Arc;

/// What a [`Sequence`] is made of. Displays as it is typed: `ramp 50/s to 500/s over 2m`.
///
/// A new piece is a sibling file with its [`Curve`], and its place in each function here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// For so long, or for ever.
    Steady(Steady, Option<Nanos>),
    /// Steady too, but announced as a burst.
    Burst(Steady, Nanos),
    Ramp(Ramp),
    Sine(Sine),
    Pause(Nanos),
    /// So many requests at one instant.
    AtOnce(u64),
}

impl Piece {
    pub fn shape(&self) -> Shape {
        match self {
            Piece::Steady(steady, _) => Shape::Steady(steady.rate()),
            Piece::Burst(steady, _) => Shape::Burst(steady.rate()),
            Piece::Ramp(ramp) => Shape::Ramp {
                from: ramp.from,
                to: ramp.to,
            },
            Piece::Sine(sine) => Shape::Sine {
                mean: sine.mean,
                amplitude: sine.amplitude,
                period: sine.period,
            },
            Piece::Pause(_) => Shape::Pause,
            Piece::AtOnce(requests) => Shape::AtOnce(*requests),
        }
    }

    /// How long it lasts; `None` if for ever.
    pub fn length(&self) -> Option<Nanos> {
        match self {
            Piece::Steady(_, length) => *length,
            Piece::Burst(_, length) | Piece::Pause(length) => Some(*length),
            Piece::Ramp(ramp) => Some(ramp.length),
            Piece::Sine(sine) => Some(sine.length),
            Piece::AtOnce(_) => Some(Nanos::ZERO),
        }
    }

    /// The requests of the whole piece; `None` if it never ends.
    pub fn count(&self) -> Option<Count> {
        let length = self.length()?;
        Some(self.curve().count_at(length))
    }

    /// In time since its own start.
    fn curve(&self) -> Arc<dyn Curve> {
        match self {
            Piece::Steady(steady, _) | Piece::Burst(steady, _) => Arc::new(*steady),
            Piece::Ramp(ramp) => Arc::new(*ramp),
            Piece::Sine(sine) => Arc::new(sine.clone()),
            Piece::Pause(_) => Arc::new(Pause),
            Piece::AtOnce(requests) => Arc::new(AtOnce(*requests)),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape();
        match self {
            Piece::Steady(_, None) => write!(f, "{shape}"),
            Piece::Steady(_, Some(length)) => write!(f, "{shape} for {length:#}"),
            Piece::Burst(_, length) => write!(f, "burst {shape} for {length:#}"),
            Piece::Ramp(ramp) => write!(f, "ramp {shape} over {:#}", ramp.length),
            Piece::Sine(sine) => write!(f, "sine {shape} for {:#}", sine.length),
            Piece::Pause(length) => write!(f, "pause {length:#}"),
            Piece::AtOnce(_) => write!(f, "burst {shape}"),
        }
    }
}

/// Pieces one after the other, and all of them again for some number of rounds.
///
/// With C(i) for the requests before piece i and P for those of a round of length L,
///
/// ```text
/// N(t) = q·P + C(i) + N(i)(w − start(i))      t = q·L + w, piece i the last that starts by w
/// ```
///
/// Each C(i) is exact, so fractions of a request carry over from piece to piece, and nothing
/// accumulates over the rounds. The inverse takes the last piece with C(i) at most the number: so
/// what would be due at the end of a piece is due at the start of the next, or after the pauses that
/// follow.
#[derive(Debug, Clone)]
pub struct Sequence {
    pieces: Vec<Piece>,
    placed: Vec<Placed>,
    /// `None` where the last piece never ends.
    round: Option<Round>,
}

#[derive(Debug, Clone)]
struct Placed {
    curve: Arc<dyn Curve>,
    start: Nanos,
    /// The requests of the pieces before.
    before: Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    length: Nanos,
    count: Count,
    /// How often; `None` for ever.
    rounds: Option<u64>,
}

impl Sequence {
    /// All pieces, `rounds` times; `None` for ever.
    ///
    /// # Panics
    /// If there is no piece or no round, if a piece that is not the last never ends, or any where
    /// there are more rounds than one, and if rounds of which there are more than one last no time,
    /// have no requests, more than one in a nanosecond, or no end within [`Nanos::MAX`].
    pub fn new(pieces: Vec<Piece>, rounds: Option<u64>) -> Self {
        assert!(!pieces.is_empty() && rounds != Some(0));
        let (mut start, mut before) = (Some(Nanos::ZERO), Count::ZERO);
        let mut placed = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            let begins = start.expect("only the last piece may last for ever");
            placed.push(Placed {
                curve: piece.curve(),
                start: begins,
                before,
            });
            start = piece.length().map(|length| begins + length);
            before = before + piece.count().unwrap_or(Count::ZERO);
        }
        let round = start.map(|length| Round {
            length,
            count: before,
            rounds,
        });
        if rounds != Some(1) {
            let round = round.expect("a round ends");
            assert!(round.length > Nanos::ZERO && round.count > Count::ZERO);
            assert!(round.count <= Rate::MAX.over(round.length));
            assert!(round.length.0.checked_mul(rounds.unwrap_or(1)).is_some());
        }
        Sequence {
            pieces,
            placed,
            round,
        }
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// How often they are gone through; `None` for ever.
    pub fn rounds(&self) -> Option<u64> {
        self.round.map_or(Some(1), |round| round.rounds)
    }

    /// N at the end, if there is one.
    fn total(&self) -> Option<Count> {
        let round = self.round?;
        round.rounds.map(|rounds| round.count.times(rounds))
    }

    /// The number of the round that `t`, before the end, falls into, and the time since its start.
    fn round_at(&self, t: Nanos) -> (u64, Nanos) {
        match self.round {
            Some(round) => (t.0 / round.length.0, Nanos(t.0 % round.length.0)),
            None => (0, t),
        }
    }

    /// The last piece that starts by a time since the round's start.
    fn piece_at(&self, within: Nanos) -> usize {
        self.placed.partition_point(|piece| piece.start <= within) - 1
    }

    /// What a curve says at `t`, and the requests before that curve's piece.
    fn at(&self, t: Nanos, ask: impl Fn(&dyn Curve, Nanos) -> Count) -> Count {
        if let (Some(end), Some(total)) = (self.end(), self.total())
            && t >= end
        {
            return total;
        }
        let (rounds, within) = self.round_at(t);
        let piece = &self.placed[self.piece_at(within)];
        let earlier = self
            .round
            .map_or(Count::ZERO, |round| round.count.times(rounds));
        earlier + piece.before + ask(&*piece.curve, within - piece.start)
    }

    fn phase_of(&self, piece: usize, round_start: Nanos) -> Phase {
        let start = round_start + self.placed[piece].start;
        let piece = &self.pieces[piece];
        Phase {
            shape: piece.shape(),
            start,
            end: piece.length().map(|length| start + length),
            count: piece.count(),
        }
    }
}

impl Curve for Sequence {
    fn count_at(&self, t: Nanos) -> Count {
        self.at(t, |curve, t| curve.count_at(t))
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let (round_start, number) = match self.round {
            None => (0, number),
            Some(round) => {
                if self.total().is_some_and(|total| number >= total) {
                    return None;
                }
                let (rounds, rest) = number.div_rem(round.count);
                (u128::from(round.length.0).checked_mul(rounds)?, rest)
            }
        };
        let piece = self.placed.partition_point(|piece| piece.before <= number) - 1;
        let piece = &self.placed[piece];
        let within = piece.start + piece.curve.time_of(number - piece.before)?;
        let at = round_start.checked_add(u128::from(within.0))?;
        u64::try_from(at).ok().map(Nanos)
    }

    fn passed(&self, t: Nanos) -> Count {
        self.at(t, |curve, t| curve.passed(t))
    }
}

impl Profile for Sequence {
    fn end(&self) -> Option<Nanos> {
        let round = self.round?;
        round.rounds.map(|rounds| round.length * rounds)
    }

    fn round(&self) -> Option<Nanos> {
        let repeats = |round: &Round| round.rounds != Some(1);
        self.round.filter(repeats).map(|round| round.length)
    }

    fn phase(&self, t: Nanos) -> Option<Phase> {
        if self.end().is_some_and(|end| t >= end) {
            return None;
        }
        let (_, within) = self.round_at(t);
        Some(self.phase_of(self.piece_at(within), t - within))
    }

    fn phases(&self) -> Box<dyn Iterator<Item = Phase> + Send + '_> {
        let length = self.round.map_or(0, |round| round.length.0);
        let rounds = (0..self.rounds().unwrap_or(u64::MAX))
            .map_while(move |round| length.checked_mul(round).map(Nanos));
        let phases_of =
            move |start| (0..self.pieces.len()).map(move |piece| self.phase_of(piece, start));
        Box::new(rounds.flat_map(phases_of))
    }
}

impl fmt::Display for Sequence {
    /// In the form in which it is typed, which comes to the same sequence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, piece) in self.pieces.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{piece}")?;
        }
        match self.rounds() {
            None => f.write_str(", repeat"),
            Some(1) => Ok(()),
            Some(rounds) => write!(f, ", repeat {rounds} times"),
        }
    }
}
