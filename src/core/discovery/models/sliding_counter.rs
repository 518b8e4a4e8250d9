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
}

#[derive(Debug, Clone)]
struct Cell {
    /// The phases from `from` on, `length` nanoseconds of them.
    from: u64,
    length: u64,
    /// The number of the latest window, and the counts of that one and the two before it.
    latest: i64,
    counts: [Count; 3],
}

/// How many requests surely count in a window, and how many may.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    surely: f64,
    at_most: f64,
}

impl Cell {
    fn new(from: u64, length: u64) -> Cell {
        Cell {
            from,
            length,
            latest: i64::MIN,
            counts: [Count::default(); 3],
        }
    }

    fn whole_circle(window: u64) -> Vec<Cell> {
        Cell::new(0, window).parts(CELLS)
    }

    fn parts(&self, count: u64) -> Vec<Cell> {
        let count = count.min(self.length).max(1);
        let edge =
            |part: u64| (u128::from(self.length) * u128::from(part) / u128::from(count)) as u64;
        let parts =
            (0..count).map(|part| Cell::new(self.from + edge(part), edge(part + 1) - edge(part)));
        parts.collect()
    }

    fn forget(&mut self) {
        *self = Cell::new(self.from, self.length);
    }

    fn count_of(&self, number: i64) -> Count {
        let back = self
            .latest
            .checked_sub(number)
            .and_then(|back| usize::try_from(back).ok());
        back.and_then(|back| self.counts.get(back))
            .copied()
            .unwrap_or_default()
    }

    fn add(&mut self, number: i64, surely: bool) {
        if self.latest < number {
            let counts = [0, 1, 2].map(|back| self.count_of(number - back));
            (self.latest, self.counts) = (number, counts);
        }
        let back = usize::try_from(self.latest - number).unwrap_or(usize::MAX);
        if let Some(count) = self.counts.get_mut(back) {
            count.at_most += 1.0;
            count.surely += f64::from(u8::from(surely));
        }
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
            let (before, now) = (cell.count_of(number - 1), cell.count_of(number));
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
        if request.admitted {
            self.keep(|model, cell| model.explains_admission(cell, request));
        }
        let mut cells = std::mem::take(&mut self.cells[self.counter - 1]);
        for cell in &mut cells {
            let (first, last) = self.windows(cell, request);
            for number in first..=last {
                cell.add(number, first == last);
            }
        }
        self.cells[self.counter - 1] = cells;
    }

    fn block(&mut self, request: &Seen) {
        self.keep(|model, cell| model.explains_block(cell, request));
    }

    fn next_counter(&mut self) {
        self.counter = if self.shared { 1 } else { self.counter + 1 };
        if self.cells.len() < self.counter {
            self.cells.push(Cell::whole_circle(self.window));
        }
        self.cells[self.counter - 1]
            .iter_mut()
            .for_each(Cell::forget);
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
