//! Keeps one counter full: asks until a request is blocked, then until one is admitted again, and so on.

use crate::base::Nanos;
use crate::core::audit::Interval;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The time between the first two requests for a key. It shrinks as requests are admitted.
const FIRST_GAP: Nanos = Nanos(50_000_000);

/// The most requests in flight at once.
const MOST_IN_FLIGHT: u64 = 64;

/// Requests are delayed once an answer takes so many times as long as the fastest, and this time more. Then as many as may be
/// are in flight, so that those that wait do not slow down the others.
const DELAYED: u64 = 8;
const DELAYED_BY: Nanos = Nanos(100_000_000);

/// A block is another limit's if it takes so many times as long as most, and this time at least.
const LONG: u64 = 5;
const LONG_AT_LEAST: Nanos = Nanos(2_000_000_000);

/// Between two polls passes this part of the time since the block.
const POLLS: u64 = 50;

/// How long a counter waits after a request that was neither admitted nor blocked.
const AFTER_FAILURE: Nanos = Nanos(200_000_000);

/// A counter admitted a request again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// From the sent of the last blocked request to the done of the first that was admitted.
    pub at: Interval,
    /// For how long requests were blocked before.
    pub blocked: Nanos,
    /// How many were admitted until the next block.
    pub burst: usize,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Admitted,
    Blocked,
    /// Neither.
    Failed,
}

#[derive(Debug)]
pub(super) struct Saturation {
    /// The least time between two requests.
    gap: Nanos,
    most_in_flight: u64,
    state: State,
    in_flight: u64,
    /// How long the fastest answer took, and whether others were delayed.
    fastest: Nanos,
    is_delayed: bool,
    /// When the next request may be sent.
    next_at: Nanos,
    /// The first admission.
    first: Option<Interval>,
    last_blocked: Nanos,
    /// When something else stopped using the counter.
    resumed: Nanos,
    /// The instants of all admissions. That of an edge is the edge.
    admissions: Vec<Interval>,
    /// How many were admitted before the first block; `None` before that.
    first_fill: Option<usize>,
    edges: Vec<Edge>,
    window: Option<Window>,
    random: ChaCha8Rng,
}

/// After so many admissions, the next one takes so long after the first of them.
#[derive(Debug, Clone, Copy)]
struct Window {
    admissions: usize,
    span: Interval,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// So many were admitted since the last block.
    Filling { row: u64 },
    /// Blocked since the first value, by a request that was sent at the second.
    Polling { since: Nanos, block: Nanos },
}

impl Saturation {
    /// Starts at an instant. `gap` is the least time between two requests.
    pub fn new(at: Nanos, gap: Nanos, seed: u64) -> Saturation {
        Saturation {
            gap,
            most_in_flight: MOST_IN_FLIGHT,
            state: State::Filling { row: 0 },
            in_flight: 0,
            fastest: Nanos::MAX,
            is_delayed: false,
            next_at: at,
            first: None,
            last_blocked: Nanos::ZERO,
            resumed: Nanos::ZERO,
            admissions: Vec::new(),
            first_fill: None,
            edges: Vec::new(),
            window: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Waits for each reply before it asks again.
    pub fn one_at_a_time(mut self) -> Saturation {
        self.most_in_flight = 1;
        self
    }

    /// Begins as fast as after so many admissions, since another counter admitted them at once.
    pub fn at_the_speed_after(mut self, admissions: u64) -> Saturation {
        self.state = State::Filling { row: admissions };
        self
    }

    /// When the next request should be sent; `None` while replies are awaited.
    pub fn next(&self) -> Option<Nanos> {
        let most = match self.state {
            State::Filling { .. } if self.is_delayed => self.most_in_flight,
            State::Filling { row } => (row / 4).clamp(1, self.most_in_flight),
            State::Polling { .. } => 1,
        };
        (self.in_flight < most).then_some(self.next_at)
    }

    pub fn sent(&mut self, at: Nanos) {
        self.in_flight += 1;
        if let State::Filling { row } = self.state {
            let slow = Nanos(FIRST_GAP.0 / (1 + row / 4));
            let is_first = self.first_fill.is_none();
            self.next_at = at
                + if is_first {
                    slow.max(self.gap)
                } else {
                    self.gap
                };
        }
    }

    pub fn answered(&mut self, sent: Nanos, done: Nanos, came: Came) {
        self.in_flight -= 1;
        let took = done.saturating_sub(sent);
        self.fastest = self.fastest.min(took);
        self.is_delayed |= came == Came::Admitted && took > self.fastest * DELAYED + DELAYED_BY;
        match came {
            Came::Admitted => self.admitted(sent, done),
            Came::Blocked => self.blocked(sent, done),
            Came::Failed => self.next_at = self.next_at.max(done + AFTER_FAILURE),
        }
    }

    fn admitted(&mut self, sent: Nanos, done: Nanos) {
        let mut interval = Interval {
            from: sent,
            to: done,
        };
        self.first.get_or_insert(interval);
        match &mut self.state {
            State::Filling { row } => *row += 1,
            // It was in flight when another one was blocked.
            State::Polling { since, .. } if sent <= *since => {}
            State::Polling { block, .. } => {
                interval.from = self.last_blocked;
                self.edges.push(Edge {
                    at: interval,
                    blocked: self.last_blocked.saturating_sub(self.resumed.max(*block)),
                    burst: 0,
                });
                self.state = State::Filling { row: 1 };
                self.next_at = done;
            }
        }
        self.admissions.push(interval);
        if let Some(edge) = self.edges.last_mut() {
            edge.burst += 1;
        } else if let Some(fill) = &mut self.first_fill {
            *fill += 1;
        }
    }

    fn blocked(&mut self, sent: Nanos, done: Nanos) {
        self.last_blocked = self.last_blocked.max(sent);
        if let State::Filling { .. } = self.state {
            self.first_fill.get_or_insert(self.admissions.len());
            self.state = State::Polling {
                since: done,
                block: sent,
            };
        }
        self.next_at = done + self.poll_gap(done);
    }

    /// The time until the next poll. It is short where the next admission is expected.
    fn poll_gap(&mut self, now: Nanos) -> Nanos {
        let State::Polling { since, .. } = self.state else {
            return self.gap;
        };
        let part = |span: Nanos, parts: u64| Nanos(span.0 / parts);
        let gap = match self.expected() {
            None => part(now.saturating_sub(since), POLLS),
            Some(Interval { from, .. }) if now < from => {
                let left = from - now;
                // The last step before it is a short one.
                part(left * 3, 5).max(self.gap).min(left)
            }
            Some(Interval { from, to }) if now <= to + (to - from) => part(to - from, 16),
            Some(Interval { to, .. }) => part(now - to, POLLS / 2),
        };
        let jitter = 80 + self.random.next_u64() % 41;
        Nanos(gap.0 / 100 * jitter).max(self.gap)
    }

    /// When a request should be admitted again: a window after the admission that it follows on, or as long after the last
    /// one as that took.
    fn expected(&self) -> Option<Interval> {
        let later = |at: Interval, span: Interval| Interval {
            from: at.from + span.from,
            to: at.to + span.to,
        };
        if let Some(Window { admissions, span }) = self.window {
            let before = self.admissions.len().checked_sub(admissions)?;
            return Some(later(self.admissions[before], span));
        }
        let last = self.edges.last()?.at;
        let before = match &self.edges[..] {
            [.., before, _] => before.at,
            _ => self.first?,
        };
        Some(later(last, before.until(last)))
    }

    /// Estimates the window anew: after so long, as many requests are admitted again as at once.
    pub fn estimate_window(&mut self) {
        let at_once = self.edges.first().map_or(0, |edge| edge.burst);
        let admissions = self.first_fill.unwrap_or(0).max(at_once).max(1);
        if self.edges.len() < 2 || self.admissions.len() <= 2 * admissions {
            return;
        }
        let pairs = self.admissions.iter().zip(&self.admissions[admissions..]);
        let mut spans: Vec<_> = pairs.map(|(before, after)| before.until(*after)).collect();
        spans.sort_unstable_by_key(|span| span.from + span.to);
        let median = spans[spans.len() / 2];
        let alike = |span: &&Interval| span.from <= median.to && span.to >= median.from;
        let closest = spans
            .iter()
            .filter(alike)
            .min_by_key(|span| span.to - span.from);
        self.window = closest.map(|span| Window {
            admissions,
            span: *span,
        });
    }

    /// About how long the limiter's window is, once that is known.
    pub fn window(&self) -> Option<Nanos> {
        self.window.map(|window| window.span.to)
    }

    /// Whether it is blocked much longer than before, so that another limit shows.
    pub fn is_in_long_block(&self, now: Nanos) -> bool {
        let edges = self.edges.windows(2);
        let longest = edges
            .map(|pair| pair[1].at.to - pair[0].at.to)
            .max()
            .unwrap_or_default();
        self.blocked_since()
            .is_some_and(|since| now.saturating_sub(since) > longest * 2)
    }

    /// Requests of something else counted until now.
    pub fn resume(&mut self, at: Nanos) {
        self.resumed = at;
    }

    /// How many blocks took much longer than most: those of another limit. The first one may be long by itself, since a sliding
    /// counter that was empty admits its limit at once, and later only one request at a time.
    pub fn long_blocks(&self) -> usize {
        let later = self.edges.iter().skip(1);
        let mut blocks: Vec<Nanos> = later.map(|edge| edge.blocked).collect();
        blocks.sort_unstable();
        let Some(median) = blocks.get(blocks.len() / 2) else {
            return 0;
        };
        let long = (*median * LONG).max(LONG_AT_LEAST);
        blocks.len() - blocks.partition_point(|block| *block < long)
    }

    pub fn has_admitted(&self) -> bool {
        !self.admissions.is_empty()
    }

    pub fn is_polling(&self) -> bool {
        matches!(self.state, State::Polling { .. })
    }

    /// Since when requests are blocked.
    pub fn blocked_since(&self) -> Option<Nanos> {
        match self.state {
            State::Polling { block, .. } => Some(block),
            State::Filling { .. } => None,
        }
    }

    /// When the last blocked request was sent.
    pub fn last_blocked(&self) -> Nanos {
        self.last_blocked
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// How many requests were admitted before the first block, or so far.
    pub fn at_once(&self) -> u64 {
        self.first_fill.unwrap_or(self.admissions.len()) as u64
    }

    /// Whether replies are awaited.
    pub fn awaits(&self) -> bool {
        self.in_flight > 0
    }

    /// Asks nothing before this instant.
    pub fn pause_until(&mut self, at: Nanos) {
        self.next_at = self.next_at.max(at);
    }
}
