//! How long does a limiter block that counts blocked requests too? Each of several keys is filled, and then asked once,
//! after a time of its own. The next keys try times between the longest that was too short and the shortest that was not.

use super::saturation::{Came, Saturation};
use crate::base::Nanos;

/// How many keys try different times at once.
const KEYS: u64 = 6;

/// Times that are nearer than this part of them are not told apart further.
const FINEST: u64 = 200;

#[derive(Debug)]
pub(super) struct Waits {
    gap: Nanos,
    /// The longest time that was too short, and the shortest that was not.
    between: (Nanos, Nanos),
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    number: u32,
    saturation: Saturation,
    wait: Nanos,
    /// When it was blocked, once it was.
    blocked: Option<Nanos>,
    /// Whether it was admitted after its wait, and has been filled again.
    outcome: Option<bool>,
    is_over: bool,
}

impl Waits {
    pub fn new(between: (Nanos, Nanos), gap: Nanos) -> Waits {
        Waits {
            gap,
            between,
            keys: Vec::new(),
        }
    }

    /// Begins another round if the last one has ended and more can be told apart. The keys are numbered by `next_key`.
    pub fn begin(&mut self, now: Nanos, mut next_key: impl FnMut() -> u32) {
        let (from, to) = self.between;
        let span = to.saturating_sub(from);
        if !self.is_over() || span <= self.gap * 2 || span.0 <= to.0 / FINEST {
            return;
        }
        let key = |place: u64| {
            let number = next_key();
            Key {
                number,
                saturation: Saturation::new(now, self.gap, u64::from(number)),
                wait: from + Nanos(span.0 / (KEYS + 1) * place),
                blocked: None,
                outcome: None,
                is_over: false,
            }
        };
        self.keys = (1..=KEYS).map(key).collect();
    }

    /// The key that is asked next, and when.
    pub fn next(&self) -> Option<(u32, Nanos)> {
        let waiting = self.keys.iter().filter(|key| !key.is_over);
        let due = waiting.filter_map(|key| Some((key.number, key.saturation.next()?)));
        due.min_by_key(|(_, at)| *at)
    }

    fn key(&mut self, number: u32) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.number == number)
    }

    pub fn sent(&mut self, number: u32, at: Nanos) {
        if let Some(key) = self.key(number) {
            key.saturation.sent(at);
        }
    }

    pub fn answered(&mut self, number: u32, sent: Nanos, done: Nanos, came: Came) {
        if let Some(key) = self.key(number) {
            key.answered(sent, done, came);
        }
        if self.is_over() {
            let outcomes = || {
                self.keys
                    .iter()
                    .filter_map(|key| Some((key.wait, key.outcome?)))
            };
            let short = outcomes()
                .filter(|(_, admitted)| !admitted)
                .map(|(wait, _)| wait);
            let long = outcomes()
                .filter(|(_, admitted)| *admitted)
                .map(|(wait, _)| wait);
            let (from, to) = self.between;
            let to = long.min().unwrap_or(to).min(to);
            let from = short
                .filter(|wait| *wait < to)
                .max()
                .unwrap_or(from)
                .max(from);
            self.between = (from, to);
        }
    }

    /// The longest time that was too short, and the shortest that was not.
    pub fn between(&self) -> (Nanos, Nanos) {
        self.between
    }

    /// Whether no key waits or is asked any more.
    pub fn is_over(&self) -> bool {
        self.keys.iter().all(|key| key.is_over)
    }
}

impl Key {
    fn answered(&mut self, sent: Nanos, done: Nanos, came: Came) {
        self.saturation.answered(sent, done, came);
        match (self.blocked, self.outcome, came) {
            (None, _, Came::Blocked) => {
                self.blocked = Some(done);
                self.saturation.pause_until(done + self.wait);
            }
            (Some(blocked), None, Came::Blocked) if sent > blocked => {
                self.outcome = Some(false);
                self.is_over = true;
            }
            (Some(blocked), None, Came::Admitted) if sent > blocked => self.outcome = Some(true),
            (Some(_), Some(true), Came::Blocked) => self.is_over = true,
            _ => {}
        }
    }
}
