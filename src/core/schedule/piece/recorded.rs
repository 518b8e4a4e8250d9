use super::Piece;
use crate::base::text::per_second;
use crate::base::{Mode, Nanos};
use crate::core::replay::Replay;
use crate::core::schedule::Count;

/// One round of a replay, as its phase shows it. The due times come from the recording, which is not in memory; this knows
/// only how many requests there are, and for how long:
///
/// ```text
/// N(t) = n·t / length
/// ```
///
/// The schedule asks the recording, and not this, for what is due at an instant.
#[derive(Debug)]
pub struct Recorded {
    requests: u64,
    length: Nanos,
    mean_rate: f64,
}

impl Recorded {
    pub fn new(replay: &Replay) -> Recorded {
        Recorded {
            requests: replay.count(),
            length: replay.period().unwrap_or(replay.length()),
            mean_rate: replay.mean_rate(),
        }
    }
}

impl Piece for Recorded {
    fn mode(&self) -> Mode {
        Mode::Replay
    }

    fn length(&self) -> Option<Nanos> {
        Some(self.length)
    }

    fn rate(&self) -> String {
        match self.length {
            Nanos::ZERO => format!("{} at once", self.requests),
            _ => format!("{} on average", per_second(self.mean_rate)),
        }
    }

    fn typed(&self) -> String {
        self.rate()
    }

    fn rate_at(&self, _: Nanos) -> f64 {
        self.mean_rate
    }

    fn count_at(&self, t: Nanos) -> Count {
        if t >= self.length {
            return Count::requests(self.requests);
        }
        // Exact to 16 digits, which is enough for a picture.
        let share = t.as_secs_f64() / self.length.as_secs_f64();
        Count::requests((self.requests as f64 * share) as u64)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        let share = number.as_f64() / self.requests as f64;
        (share < 1.0).then_some(Nanos((self.length.0 as f64 * share) as u64))
    }
}
