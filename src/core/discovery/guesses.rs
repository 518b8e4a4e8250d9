//! Limits and windows that are worth a try, read off the answers.

use super::record::Seen;
use crate::base::Nanos;
use crate::core::audit::Interval;

/// How many of the most frequent bursts are taken for the limit.
const FREQUENT: usize = 2;

/// How many lengths of stretches between two edges are compared.
const STRETCHES: usize = 6;

/// A counter rested before an edge if it was not asked for so many times as long as before most, and at least for this time.
const RESTED: u64 = 8;
const RESTED_AT_LEAST: Nanos = Nanos(500_000_000);

/// One counter, as its blocks and admissions follow one another.
#[derive(Debug)]
pub(super) struct Course {
    /// The first admission.
    first: Interval,
    /// Whether it was blocked.
    pub was_full: bool,
    /// How many were admitted before the first block, and how long that took.
    pub fill: u64,
    pub fill_time: Nanos,
    pub edges: Vec<Edge>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// From the sent of the last blocked request to the done of the first admitted one.
    pub at: Interval,
    pub blocked_since: Nanos,
    pub admitted_before: u64,
    pub burst: u64,
}

impl Course {
    /// `None` without an admission.
    pub fn of(counter: &[Seen]) -> Option<Course> {
        let first = counter.iter().position(|request| request.admitted)?;
        let mut course = Course {
            first: Interval {
                from: counter[first].sent,
                to: counter[first].done,
            },
            was_full: false,
            fill: 0,
            fill_time: Nanos::ZERO,
            edges: Vec::new(),
        };
        let mut admitted = 0;
        // The sents of the first and the last request of a block.
        let mut block: Option<(Nanos, Nanos)> = None;
        for request in &counter[first..] {
            if !request.admitted {
                course.was_full = true;
                if request.alone {
                    block = Some((block.map_or(request.sent, |(since, _)| since), request.sent));
                }
                continue;
            }
            if let Some((blocked_since, last)) = block.take() {
                course.edges.push(Edge {
                    at: Interval {
                        from: last,
                        to: request.done,
                    },
                    blocked_since,
                    admitted_before: admitted,
                    burst: 0,
                });
            }
            admitted += 1;
            match course.edges.last_mut() {
                Some(edge) => edge.burst += 1,
                None => {
                    course.fill += 1;
                    course.fill_time = request.sent.saturating_sub(course.first.from);
                }
            }
        }
        Some(course)
    }

    /// The same as if blocks shorter than this had not been: the course of a limit with a longer window.
    pub fn with_long_blocks(&self, least: Nanos) -> Course {
        let long = |edge: &&Edge| edge.at.from.saturating_sub(edge.blocked_since) >= least;
        let mut edges: Vec<Edge> = self.edges.iter().filter(long).copied().collect();
        let all = self
            .edges
            .last()
            .map_or(self.fill, |last| last.admitted_before + last.burst);
        let mut until = all;
        for edge in edges.iter_mut().rev() {
            edge.burst = until - edge.admitted_before;
            until = edge.admitted_before;
        }
        Course {
            first: self.first,
            was_full: !edges.is_empty(),
            fill: until,
            fill_time: edges.first().map_or(self.fill_time, |edge| {
                edge.blocked_since.saturating_sub(self.first.from)
            }),
            edges,
        }
    }

    /// The median of the times for which requests were blocked.
    pub fn median_block(&self) -> Option<Nanos> {
        let mut blocks: Vec<_> = self
            .edges
            .iter()
            .map(|edge| edge.at.from - edge.blocked_since)
            .collect();
        blocks.sort_unstable();
        blocks.get(blocks.len() / 2).copied()
    }

    /// The times that may be the window, or a part of it.
    pub fn windows(&self) -> Vec<Interval> {
        let first = self.edges.first().map(|edge| self.first.until(edge.at));
        let periods = self
            .edges
            .windows(2)
            .map(|pair| pair[0].at.until(pair[1].at));
        let mut windows: Vec<_> = first.into_iter().chain(periods.clone().take(3)).collect();
        let mut all: Vec<_> = periods.collect();
        all.sort_by_key(|period| period.to);
        windows.extend(all.get(all.len() / 2));
        // An edge of a fixed window is where one ends, and none of them is shorter.
        windows.extend(all.iter().take(2));
        windows
    }

    /// The time in which one request is admitted again, in nanoseconds, if it is always the same: the least and the most.
    ///
    /// Just before each edge, the counter had room for none. Between two edges it may have had all room for a while, and then
    /// seems slower than it is. So the fastest stretches count, and the longest of those that agree with them. None of them
    /// has an edge within it before which the counter rested.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let lengths = (0..).map(|halvings| (self.edges.len() - 1) >> halvings);
        let lengths = lengths.take_while(|length| *length > 0).take(STRETCHES);
        let rested = &self.rested();
        let stretches = |length: usize| {
            let pairs = self.edges.windows(length + 1);
            let pairs = pairs.filter(move |edges| !edges[1..length].iter().any(rested));
            pairs.filter_map(move |edges| {
                let (first, last) = (edges[0], edges[length]);
                let admitted = (last.admitted_before - first.admitted_before) as f64;
                let span = first.at.until(last.at);
                (admitted > 0.0)
                    .then(|| (span.from.0 as f64 / admitted, span.to.0 as f64 / admitted))
            })
        };
        self.edges.first()?;
        let of_each: Vec<_> = lengths
            .filter_map(|length| stretches(length).min_by(|a, b| a.1.total_cmp(&b.1)))
            .collect();
        let fastest = of_each
            .iter()
            .map(|(_, most)| *most)
            .min_by(f64::total_cmp)?;
        of_each.into_iter().find(|(least, _)| *least <= fastest)
    }

    /// Whether the counter was not asked for much longer before an edge than before most.
    fn rested(&self) -> impl Fn(&Edge) -> bool + use<> {
        let mut unasked: Vec<_> = self.edges.iter().map(|edge| edge.at.length()).collect();
        unasked.sort_unstable();
        let median = unasked.get(unasked.len() / 2).copied().unwrap_or_default();
        move |edge| edge.at.length() > (median * RESTED).max(RESTED_AT_LEAST)
    }

    /// How many may be admitted in a window: as many as before the first block, or as after an edge. The burst after the last edge
    /// may not be over.
    pub fn limits(&self) -> impl Iterator<Item = u64> {
        let mut bursts: Vec<_> = self.edges.iter().map(|edge| edge.burst).collect();
        bursts.pop();
        bursts.sort_unstable();
        let mut alike: Vec<(usize, u64)> = bursts
            .chunk_by(u64::eq)
            .map(|chunk| (chunk.len(), chunk[0]))
            .collect();
        alike.sort_unstable();
        let frequent = alike.iter().rev().take(FREQUENT).map(|(_, burst)| *burst);
        let ordered = [bursts.first(), bursts.get(bursts.len() / 2), bursts.last()];
        let limits = [self.fill]
            .into_iter()
            .chain(frequent)
            .chain(ordered.into_iter().flatten().copied());
        limits
            .filter(|limit| *limit > 0)
            .collect::<Vec<_>>()
            .into_iter()
    }
}
