//! A saturated key that goes on getting requests, which shows whether blocked requests count too.
//!
//! In every half of a window the key gets one request more than its limit. If blocked requests count, each of them
//! finds as many before it as are promised per window, and none is ever admitted. Otherwise, one is admitted at the
//! latest when the key's admissions are over. By a sliding window or a window that an admission opens, that is a window
//! after the last of them; by windows laid by the clock and by buckets it is sooner. By a sliding counter, in which the
//! last window fades during the next one, room for one request is there W / L later still.

use super::questions::{Answer, BlockedCount};
use super::retry_promise::{MARGIN, tolerance};
use super::{NotChecked, ProbeRequest, Reply, decided, flood::Flooded, quarter};
use crate::base::Nanos;
use crate::core::audit::terms::Terms;

/// The least time between two requests.
const LEAST_APART: Nanos = Nanos(1_000_000);

#[derive(Debug)]
pub(super) struct KeepAsking {
    target: usize,
    /// Whether answers say how many requests remain.
    counts: bool,
    /// When the next request is due.
    pub at: Nanos,
    /// When a request has to be admitted.
    due: Nanos,
    last_admitted: Nanos,
    /// The number of bursts to come after this one.
    bursts: u64,
    /// The number of requests of this burst to come. 0 if the next request is the last of all.
    requests: u64,
    /// When the first request of this burst was sent.
    burst_since: Option<Nanos>,
    /// When each request of the key was sent that the limiter decided about.
    sent: Vec<Nanos>,
}

impl KeepAsking {
    /// Begins with the flooded key, if its last request to this node was blocked.
    pub fn new(
        flooded: &Flooded,
        target: usize,
        counts: bool,
        terms: &Terms,
    ) -> Option<KeepAsking> {
        let last_admitted = flooded.last_admitted?;
        if !flooded.is_blocked_by(target) {
            return None;
        }
        let mut asking = KeepAsking {
            target,
            counts,
            at: Nanos::ZERO,
            due: emptied(last_admitted, terms),
            last_admitted,
            bursts: 0,
            requests: 0,
            burst_since: None,
            sent: flooded.sent.clone(),
        };
        let earliest = last_admitted + quarter(terms);
        while asking.burst(asking.bursts + 1, terms) >= earliest {
            asking.bursts += 1;
        }
        asking.next_burst(terms);
        Some(asking)
    }

    pub fn target(&self) -> usize {
        self.target
    }

    /// When the request is due that decides.
    pub fn settled_at(&self) -> Nanos {
        self.due
    }

    /// When the burst before so many others begins, or the last request is due.
    fn burst(&self, others: u64, terms: &Terms) -> Nanos {
        Nanos(self.due.0.saturating_sub(terms.window.0 / 2 * others))
    }

    fn next_burst(&mut self, terms: &Terms) {
        self.at = self.burst(self.bursts, terms);
        self.requests = if self.bursts > 0 {
            terms.limit.saturating_add(1)
        } else {
            0
        };
        self.bursts = self.bursts.saturating_sub(1);
        self.burst_since = None;
    }

    /// Takes one reply. Fails with the answer when there is one. Whether it stands depends on another key: without
    /// requests meanwhile, that has to be admitted again.
    pub fn answered(
        mut self,
        reply: &Reply,
        terms: &Terms,
    ) -> Result<KeepAsking, Answer<BlockedCount>> {
        let request = reply.request;
        let asked = self.asked_within_a_window(request, terms);
        let evidence = BlockedCount {
            asked,
            after: request.sent.saturating_sub(self.last_admitted),
        };
        let admitted = decided(reply, terms, self.counts).map_err(Answer::NotAsked)?;
        if admitted {
            return Err(if asked >= terms.limit {
                Answer::Refuted(evidence)
            } else {
                Answer::NotAsked(NotChecked::Late)
            });
        }
        if self.requests == 0 {
            return Err(if asked >= terms.limit {
                Answer::Stands(evidence)
            } else {
                Answer::NotAsked(NotChecked::Late)
            });
        }
        self.sent.push(request.sent);
        let since = *self.burst_since.get_or_insert(request.sent);
        if request.done.saturating_sub(since) > quarter(terms) {
            return Err(Answer::NotAsked(NotChecked::TooSlow));
        }
        self.requests -= 1;
        if self.requests == 0 {
            self.next_burst(terms);
        } else {
            self.at = request.done.max(request.sent + LEAST_APART);
        }
        Ok(self)
    }

    /// How many requests surely came within a window before this one.
    fn asked_within_a_window(&self, request: ProbeRequest, terms: &Terms) -> u64 {
        let window = terms.window.saturating_sub(tolerance(terms));
        let recent = self.sent.iter().rev();
        recent
            .take_while(|sent| **sent + window > request.done)
            .count() as u64
    }
}

/// When a key without requests since `last_admitted` has room again by every promise.
pub(super) fn emptied(last_admitted: Nanos, terms: &Terms) -> Nanos {
    let room = |limit: u64, window: Nanos| window + Nanos(window.0 / limit);
    let limits = terms.promises.iter().flat_map(|promise| &promise.limits);
    let others = limits.map(|limit| room(limit.quota.limit, limit.quota.window));
    let longest = others.fold(room(terms.limit, terms.window), Nanos::max);
    last_admitted + longest + tolerance(terms) + MARGIN
}
