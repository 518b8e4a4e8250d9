//! Are admitted requests delayed? Some limiters queue what exceeds their rate, and let it through at that rate.
//!
//! Then the answers to admitted requests come late and evenly spaced, while blocked requests are answered at once. A slow target
//! answers late too, but hardly as evenly.

use super::found::Found;
use super::record::Entry;
use super::saturation::Came;
use crate::base::Nanos;

/// An answer is late if it takes so many times as long as most blocked ones, and this time more.
const TIMES: u64 = 4;
const MORE: Nanos = Nanos(20_000_000);

/// So many late answers in a row have to be evenly spaced.
const FEWEST: usize = 4;

/// Spaces are even if most differ from their median by less than this part of it, in each direction.
const UNEVEN: u64 = 5;

/// Admitted requests that were answered late and evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// How many.
    pub requests: u64,
    /// How long the slowest answer of them took.
    pub longest: Nanos,
    /// The time between two answers.
    pub every: Nanos,
    /// How long answers take that are not late.
    pub otherwise: Nanos,
}

impl Delay {
    /// Whether they are spaced by the rate of a limit. If not, something behind the limiter is slow.
    pub(super) fn is_at_the_rate(&self, explanations: &[Vec<Found>]) -> bool {
        explanations.iter().flatten().any(|found| {
            let quota = found.limit.quota;
            let every = quota.window.0 / quota.limit;
            found.limit.algorithm.about().has_burst && self.every.0.abs_diff(every) < every / UNEVEN
        })
    }
}

/// The delay that the answers show; `None` if they show none.
pub(super) fn delay<'a>(counters: impl Iterator<Item = Vec<&'a Entry>>) -> Option<Delay> {
    let counters: Vec<_> = counters.collect();
    let otherwise = prompt(&counters)?;
    let is_late =
        |entry: &&&Entry| entry.came == Came::Admitted && took(entry) > otherwise * TIMES + MORE;
    let mut spaces: Vec<Nanos> = Vec::new();
    let (mut requests, mut longest) = (0, Nanos::ZERO);
    for counter in &counters {
        let mut late: Vec<&Entry> = counter.iter().filter(is_late).copied().collect();
        late.sort_by_key(|entry| entry.done);
        requests += late.len() as u64;
        longest = late
            .iter()
            .map(|entry| took(entry))
            .max()
            .unwrap_or_default()
            .max(longest);
        // Only of two that were under way at once, the later one waited for the earlier.
        let pairs = late.windows(2).filter(|pair| pair[1].sent < pair[0].done);
        spaces.extend(pairs.map(|pair| pair[1].done - pair[0].done));
    }
    spaces.sort_unstable();
    let every = *spaces.get(spaces.len() / 2)?;
    let even = spaces
        .iter()
        .filter(|space| space.0.abs_diff(every.0) < every.0 / UNEVEN);
    let is_even = even.count() * 4 >= spaces.len() * 3 && every > otherwise;
    (spaces.len() >= FEWEST && is_even).then_some(Delay {
        requests,
        longest,
        every,
        otherwise,
    })
}

fn took(entry: &Entry) -> Nanos {
    entry.done.saturating_sub(entry.sent)
}

/// How long answers take that are not delayed: most blocked ones, or the first of each counter if there are none.
fn prompt(counters: &[Vec<&Entry>]) -> Option<Nanos> {
    let blocked = counters
        .iter()
        .flatten()
        .filter(|entry| entry.came == Came::Blocked);
    let mut times: Vec<Nanos> = blocked.map(|entry| took(entry)).collect();
    if times.is_empty() {
        let firsts = counters.iter().filter_map(|counter| counter.first());
        times = firsts.map(|entry| took(entry)).collect();
    }
    times.sort_unstable();
    times.get(times.len() * 9 / 10).copied()
}

/// The answers as if they had come at once: a limiter that delays requests decides about them when they arrive.
pub(super) fn without(delay: &Delay, entries: &[Entry]) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        entry.done = entry.done.min(entry.sent + delay.otherwise);
    }
    entries
}
