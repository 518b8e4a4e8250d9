//! A log of the latest admissions: a request is admitted if fewer than L are younger than W.

use super::Model;
use crate::base::Nanos;
use crate::core::audit::Quota;
use crate::core::discovery::record::Seen;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct SlidingWindow {
    limit: usize,
    window: Nanos,
    grain: Nanos,
    /// The latest sents of counted requests and the latest dones, each in order; at most `limit` of each.
    sents: VecDeque<Nanos>,
    dones: VecDeque<Nanos>,
}

impl SlidingWindow {
    pub fn new(quota: Quota, grain: Nanos) -> SlidingWindow {
        SlidingWindow {
            limit: usize::try_from(quota.limit).unwrap_or(usize::MAX),
            window: quota.window,
            grain,
            sents: VecDeque::new(),
            dones: VecDeque::new(),
        }
    }

    /// Of so many counted requests that the log is full, the earliest: no earlier than its first value, no later than its
    /// second.
    fn earliest(&self) -> Option<(Nanos, Nanos)> {
        let is_full = self.sents.len() == self.limit;
        let ends = self.sents.front().zip(self.dones.front());
        ends.filter(|_| is_full).map(|(sent, done)| (*sent, *done))
    }
}

/// The windows for which a log explains the answers; `None` if there are none.
pub(in super::super) fn windows<'a>(
    limit: u64,
    counters: impl Iterator<Item = &'a [Seen]>,
    grain: Nanos,
    counts_blocked: bool,
) -> Option<(Nanos, Nanos)> {
    let (mut from, mut to) = (Nanos(1), Nanos::MAX);
    for counter in counters {
        let mut log = SlidingWindow::new(Quota::new(limit, Nanos(1)), grain);
        for request in counter {
            let earliest = log.earliest();
            if request.admitted {
                if let Some((sent, _)) = earliest {
                    to = to.min((request.done + grain).saturating_sub(sent));
                }
            } else if request.alone {
                let (_, done) = earliest?;
                from = from.max(request.sent.saturating_sub(done + grain));
            }
            if request.admitted || request.alone && counts_blocked {
                log.count(request);
            }
            if from > to {
                return None;
            }
        }
    }
    Some((from, to))
}

impl Model for SlidingWindow {
    fn may_admit(&self, request: &Seen) -> bool {
        self.earliest()
            .is_none_or(|(sent, _)| request.done + self.grain >= sent + self.window)
    }

    fn may_block(&self, request: &Seen) -> bool {
        self.earliest()
            .is_some_and(|(_, done)| request.sent <= done + self.window + self.grain)
    }

    fn count(&mut self, request: &Seen) {
        insert(&mut self.sents, request.sent, self.limit);
        insert(&mut self.dones, request.done, self.limit);
    }

    fn block(&mut self, _: &Seen) {}

    fn next_counter(&mut self) {
        self.sents.clear();
        self.dones.clear();
    }
}

/// Adds an instant to those that are in order, of which the latest are kept.
fn insert(instants: &mut VecDeque<Nanos>, new: Nanos, most: usize) {
    let later = instants.iter().rev().take_while(|one| **one > new).count();
    instants.insert(instants.len() - later, new);
    if instants.len() > most {
        instants.pop_front();
    }
}
