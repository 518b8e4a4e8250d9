//! Two windows of a clock, the former weighted by the share of it that is still within W. A request is admitted if that
//! estimate is below L. Some limiters ask that it stays within L with the request itself, so a block is explained by any
//! estimate above L − 1.
//!
//! If one clock lays the windows of all keys, the phases that they may have are cut into cells. A cell in which no phase explains a
//! request is given up. The rest are cut again, and the next pass looks closer.
//!
//! Otherwise, the windows of a key begin with its first request that counts, and with the first one after two windows without
//! any: so do HAProxy's [`http_req_rate`](https://docs.haproxy.org/3.0/configuration.html#4-stick-table%20type) and most
//! counters in Redis. Then there is a cell for each instant at which they may have begun.

use super::{Model, shortest_arc};
use crate::base::Nanos;
use crate::core::audit::{Interval, Quota};
use crate::core::discovery::record::Seen;

/// Into how many cells the circle is cut at first, and each cell later.
const CELLS: u64 = 16;
const PARTS: u64 = 4;

/// Cells are cut until they are no longer than the clock's grain, or this part of the window.
const FINEST: u64 = 4_096;

/// At more instants than these, windows of a key are not followed.
const MOST_ANCHORS: usize = 16;

/// With more cells left, the requests tell so little that nothing is cut any more.
const MOST_CELLS: usize = 512;

pub(super) struct SlidingCounter {
    limit: f64,
    window: u64,
    grain: u64,
    /// Whether one clock lays the windows of all counters.
    shared: bool,
    /// The cells that are left, of all counters together or of the one at hand.
    cells: Vec<Cell>,
    /// The sents and the dones of the requests that count, each in order.
    sents: Vec<i64>,
    dones: Vec<i64>,
}

/// The phases from `from` on, `length` nanoseconds of them.
#[derive(Debug, Clone, Copy)]
struct Cell {
    from: u64,
    length: u64,
    /// Of the last request that counted: the first and the last window in which it may have been decided.
    last: (i64, i64),
}

/// How many requests surely count in a window, and how many may.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    surely: f64,
    at_most: f64,
}

impl Cell {
    fn whole_circle(window: u64) -> Vec<Cell> {
        let circle = Cell {
            from: 0,
            length: window,
            last: (0, 0),
        };
        circle.parts(CELLS)
    }

    fn parts(&self, count: u64) -> Vec<Cell> {
        let count = count.min(self.length).max(1);
        let edge =
            |part: u64| (u128::from(self.length) * u128::from(part) / u128::from(count)) as u64;
        let parts = (0..count).map(|part| Cell {
            from: self.from + edge(part),
            length: edge(part + 1) - edge(part),
            last: (0, 0),
        });
        parts.collect()
    }
}

impl SlidingCounter {
    pub fn new(quota: Quota, grain: Nanos, shared: bool) -> SlidingCounter {
        SlidingCounter {
            limit: quota.limit as f64,
            window: quota.window.0,
            grain: grain.0,
            shared,
            cells: if shared {
                Cell::whole_circle(quota.window.0)
            } else {
                Vec::new()
            },
            sents: Vec::new(),
            dones: Vec::new(),
        }
    }

    /// The windows of a cell in which the request may have been decided: the first and the last.
    fn windows(&self, cell: &Cell, request: &Seen) -> (i64, i64) {
        // Instants and windows are far shorter than 2^62 ns.
        let number = |at: i64| at.div_euclid(self.window as i64);
        let earliest = request.sent.0 as i64 - self.grain as i64;
        let latest = request.done.0 as i64 + self.grain as i64;
        let last_phase = (cell.from + cell.length) as i64;
        (
            number(earliest - last_phase),
            number(latest - cell.from as i64),
        )
    }

    /// How many of the requests so far count in a window of a cell.
    fn count_of(&self, cell: &Cell, number: i64) -> Count {
        let (window, grain) = (self.window as i64, self.grain as i64);
        let earliest = number * window + cell.from as i64;
        let latest = earliest + cell.length as i64;
        let before = |instants: &[i64], at: i64| instants.partition_point(|one| *one < at);
        let surely = before(&self.dones, earliest + window - grain)
            .saturating_sub(before(&self.sents, latest + grain));
        let at_most = before(&self.sents, latest + window + grain)
            .saturating_sub(before(&self.dones, earliest - grain));
        Count {
            surely: surely as f64,
            at_most: at_most as f64,
        }
    }

    /// The least and the greatest estimate that the limiter can have had.
    fn estimates(&self, cell: &Cell, request: &Seen) -> (f64, f64) {
        let (first, last) = self.windows(cell, request);
        let window = self.window as f64;
        let mut range = (f64::MAX, f64::MIN);
        for number in first..=last {
            let begins = number as f64 * window + cell.from as f64;
            let earliest = request.sent.0 as f64 - self.grain as f64;
            let latest = request.done.0 as f64 + self.grain as f64;
            let over = |at: f64| (at / window).clamp(0.0, 1.0);
            let most_over = over(latest - begins);
            let least_over = over(earliest - begins - cell.length as f64);
            let (before, now) = (self.count_of(cell, number - 1), self.count_of(cell, number));
            let least = before.surely * (1.0 - most_over) + now.surely;
            let greatest = before.at_most * (1.0 - least_over) + now.at_most;
            range = (range.0.min(least), range.1.max(greatest));
        }
        range
    }

    fn explains_admission(&self, cell: &Cell, request: &Seen) -> bool {
        self.estimates(cell, request).0 < self.limit
    }

    fn explains_block(&self, cell: &Cell, request: &Seen) -> bool {
        self.estimates(cell, request).1 > self.limit - 1.0
    }

    fn keep(&mut self, explains: impl Fn(&Self, &Cell) -> bool) {
        let mut cells = std::mem::take(&mut self.cells);
        cells.retain(|cell| explains(self, cell));
        self.cells = cells;
    }

    /// Takes note of a request that counts, which may begin the windows of its key anew.
    fn anchor(&mut self, request: &Seen) {
        let mut cells = std::mem::take(&mut self.cells);
        let mut begins = cells.is_empty();
        cells.retain_mut(|cell| {
            let (first, last) = self.windows(cell, request);
            let (surely, perhaps) = (first >= cell.last.1 + 2, last >= cell.last.0 + 2);
            begins |= perhaps;
            cell.last = (first, last);
            !surely
        });
        if begins && cells.len() < MOST_ANCHORS {
            let from = request.sent.0.saturating_sub(self.grain);
            cells.push(Cell {
                from,
                length: request.done.0 + self.grain - from,
                last: (-1, 0),
            });
        }
        self.cells = cells;
    }
}

impl Model for SlidingCounter {
    fn may_admit(&self, request: &Seen) -> bool {
        let mut cells = self.cells.iter();
        let is_fresh = !self.shared && self.sents.is_empty();
        is_fresh || cells.any(|cell| self.explains_admission(cell, request))
    }

    fn may_block(&self, request: &Seen) -> bool {
        let mut cells = self.cells.iter();
        cells.any(|cell| self.explains_block(cell, request))
    }

    fn count(&mut self, request: &Seen) {
        if request.admitted && request.tells && !self.sents.is_empty() {
            self.keep(|model, cell| model.explains_admission(cell, request));
        }
        if !self.shared {
            self.anchor(request);
        }
        insert(&mut self.sents, request.sent.0 as i64);
        insert(&mut self.dones, request.done.0 as i64);
    }

    fn block(&mut self, request: &Seen) {
        if request.tells {
            self.keep(|model, cell| model.explains_block(cell, request));
        }
    }

    fn next_counter(&mut self) {
        if !self.shared {
            self.cells.clear();
        }
        self.sents.clear();
        self.dones.clear();
    }

    fn refine(&mut self) -> bool {
        let finest = self.grain.max(self.window / FINEST).max(1);
        let mut lengths = self.cells.iter().map(|cell| cell.length);
        let cuts =
            self.shared && lengths.any(|length| length > finest) && self.cells.len() <= MOST_CELLS;
        if cuts {
            self.cells = self
                .cells
                .iter()
                .flat_map(|cell| cell.parts(PARTS))
                .collect();
        }
        cuts
    }

    fn phases(&self) -> Option<Interval> {
        let cells = Some(&self.cells).filter(|_| self.shared)?;
        let arc = |cell: &Cell| Interval::new(Nanos(cell.from), Nanos(cell.from + cell.length));
        let arcs: Vec<_> = cells.iter().map(arc).collect();
        shortest_arc(&arcs, Nanos(self.window))
    }
}

/// Adds an instant to those that are in order.
fn insert(instants: &mut Vec<i64>, new: i64) {
    let later = instants.iter().rev().take_while(|one| **one > new).count();
    instants.insert(instants.len() - later, new);
}
