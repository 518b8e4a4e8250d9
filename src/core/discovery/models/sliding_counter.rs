//! Two windows of a clock, the former weighted by the share of it that is still within W. A request is admitted if that
//! estimate is below L. Some limiters ask that it stays within L with the request itself, so a block is explained by any
//! estimate above L − 1.
//!
//! The phases that the windows may have are cut into cells. A cell in which no phase explains a request is given up. The rest
//! are cut again, and the next pass looks closer.

use super::{Model, shortest_arc};
use crate::base::Nanos;
use crate::core::audit::{Interval, Quota};
use crate::core::discovery::record::Seen;

/// Into how many cells the circle is cut at first, and each cell later.
const CELLS: u64 = 16;
const PARTS: u64 = 4;

/// Cells are cut until they are no longer than the clock's grain, or this part of the window.
const FINEST: u64 = 4_096;

/// With more cells left, the requests tell so little that nothing is cut any more.
const MOST_CELLS: usize = 512;

pub(super) struct SlidingCounter {
    limit: f64,
    window: u64,
    grain: u64,
    /// Whether all counters have the same windows.
    shared: bool,
    /// The cells that are left: of all counters together, or of each.
    cells: Vec<Vec<Cell>>,
    /// The place in `cells` of the counter at hand, plus one; 0 before the first.
    counter: usize,
    /// The sents and the dones of the requests that count, each in order.
    sents: Vec<i64>,
    dones: Vec<i64>,
}

/// The phases from `from` on, `length` nanoseconds of them.
#[derive(Debug, Clone, Copy)]
struct Cell {
    from: u64,
    length: u64,
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
            cells: Vec::new(),
            counter: 0,
            sents: Vec::new(),
            dones: Vec::new(),
        }
    }

    fn here(&self) -> &[Cell] {
        &self.cells[self.counter - 1]
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
        let mut cells = std::mem::take(&mut self.cells[self.counter - 1]);
        cells.retain(|cell| explains(self, cell));
        self.cells[self.counter - 1] = cells;
    }
}

impl Model for SlidingCounter {
    fn may_admit(&self, request: &Seen) -> bool {
        let mut cells = self.here().iter();
        cells.any(|cell| self.explains_admission(cell, request))
    }

    fn may_block(&self, request: &Seen) -> bool {
        let mut cells = self.here().iter();
        cells.any(|cell| self.explains_block(cell, request))
    }

    fn count(&mut self, request: &Seen) {
        if request.admitted && request.tells {
            self.keep(|model, cell| model.explains_admission(cell, request));
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
        self.counter = if self.shared { 1 } else { self.counter + 1 };
        if self.cells.len() < self.counter {
            self.cells.push(Cell::whole_circle(self.window));
        }
        self.sents.clear();
        self.dones.clear();
    }

    fn refine(&mut self) -> bool {
        self.counter = 0;
        let finest = self.grain.max(self.window / FINEST).max(1);
        let mut cut = false;
        for cell in self.cells.iter_mut().flatten() {
            cut |= cell.length > finest;
        }
        cut &= self.cells.iter().map(Vec::len).sum::<usize>() <= MOST_CELLS * self.cells.len();
        if cut {
            for cells in &mut self.cells {
                *cells = cells.iter().flat_map(|cell| cell.parts(PARTS)).collect();
            }
        }
        cut
    }

    fn phases(&self) -> Option<Interval> {
        let cells = self.cells.first().filter(|_| self.shared)?;
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
