//! All answers so far, and the requests of each counter.

use super::saturation::Came;
use crate::base::Nanos;
use crate::core::audit::probe::LimitHeaders;
use std::collections::BTreeMap;

/// A request that was admitted or blocked. The decision fell between its sent and its done, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub sent: Nanos,
    pub done: Nanos,
    pub admitted: bool,
    /// Whether no other request of its counter overlaps it.
    pub alone: bool,
    /// Whether it may tell more than those before and after it: the last of its kind in a row, or the first. Of very many, only
    /// some do.
    pub tells: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: u32,
    pub target: usize,
    /// Whether it came over a connection of its own.
    pub fresh: bool,
    pub sent: Nanos,
    pub done: Nanos,
    pub came: Came,
    pub headers: LimitHeaders,
}

/// What makes requests count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    pub keys_apart: bool,
    pub nodes_apart: bool,
    /// Requests over fresh connections are left out.
    pub connections_apart: bool,
}

/// The requests of each counter, in the order of their sents. Counters that lost sight of a request, because it was neither
/// admitted nor blocked, end before it.
pub(super) fn counters(entries: &[Entry], grouping: Grouping) -> Vec<Vec<Seen>> {
    by_counter(entries, grouping)
        .into_values()
        .map(seen)
        .collect()
}

/// The answers of each counter, by its key and target, in the order of their sents.
pub(super) fn by_counter(
    entries: &[Entry],
    grouping: Grouping,
) -> BTreeMap<(u32, usize), Vec<&Entry>> {
    let mut counters: BTreeMap<(u32, usize), Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if entry.fresh && grouping.connections_apart {
            continue;
        }
        let key = if grouping.keys_apart { entry.key } else { 0 };
        let node = if grouping.nodes_apart {
            entry.target
        } else {
            0
        };
        counters.entry((key, node)).or_default().push(entry);
    }
    for entries in counters.values_mut() {
        entries.sort_by_key(|entry| (entry.sent, entry.done));
    }
    counters
}

fn seen(mut entries: Vec<&Entry>) -> Vec<Seen> {
    let lost = entries.iter().position(|entry| entry.came == Came::Failed);
    entries.truncate(lost.unwrap_or(entries.len()));
    let mut latest_done = Nanos::ZERO;
    let mut seen: Vec<Seen> = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let next = entries.get(place + 1);
        let before = place == 0 || latest_done < entry.sent;
        let after = next.is_none_or(|next| entry.done < next.sent);
        latest_done = latest_done.max(entry.done);
        seen.push(Seen {
            sent: entry.sent,
            done: entry.done,
            admitted: entry.came == Came::Admitted,
            alone: before && after,
            tells: false,
        });
    }
    seen
}
