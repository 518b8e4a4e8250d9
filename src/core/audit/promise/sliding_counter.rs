//! A sliding counter estimates a sliding window from two windows of a clock: the requests of the current one, and those of
//! the former, weighted by the share of it that is still within W. It admits a request if that estimate is below L.
//!
//! It is what [Cloudflare](https://blog.cloudflare.com/counting-things-a-lot-of-different-things/) and many libraries use.
//! Requests that are blocked do not count.
//!
//! **Bound.** With p admissions in the former window, c in the current one and a share x of that over, a request is
//! admitted only if p·(1 − x) + c < L. So no window admits more than L, and an interval shorter than k·W holds at most
//! (k + 1)·L admissions, as with fixed windows of a clock.
//!
//! **Excess and false block.** The circle of the phases that the windows may have is cut into cells. In each cell, the
//! estimate is at least that of the admissions that were surely decided before, and at most that of all which may have
//! been, wherever in the cell the boundary lies. An allowed request rules out the phases of a cell in which the least estimate is L
//! or more. A blocked request rules out those for which the greatest estimate is less than L even with the request itself:
//! some limiters round up. The limit is broken when no phase is left. Since the clocks drift apart, the phases that are
//! left grow, as those of [`ClockWindows`] do.
//!
//! **Resolution.** A key is judged only if it was admitted more than 2·L times, as with [fixed windows](super::fixed_window).

use super::clock_windows::{ClockWindows, SureWindows};
use super::sliding_window::too_many;
use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Interval, Kind, Latest, Limit,
    Nanos, Needed, Observation, OneClock, Possible,
};

pub const ABOUT: About = About {
    name: "sliding-counter",
    limiter: "a sliding counter",
    kinds: &[
        Kind {
            name: "clock",
            limiter: "windows of one clock",
            by_default: true,
            has_one_clock: true,
        },
        Kind {
            name: "key",
            limiter: "windows of a clock for each key",
            by_default: false,
            has_one_clock: false,
        },
    ],
    has_burst: false,
    limits_to_exceed: 2,
    windows: 2,
    more_in_any_window: "a sliding counter may admit its limit at the end of one window and almost as much in the next",
    busiest_window_is_proof: false,
    block_is_general: false,
    excess: |proof| {
        format!(
            "no two windows explain the admissions (proved after {} requests)",
            proof.after
        )
    },
    wrong_block: |_| "the estimate was below the limit".to_owned(),
};

const BY_CLOCK: usize = 0;
const BY_KEY: usize = 1;

/// Into how many parts the circle of the phases is cut, for all keys together.
const CELLS: u64 = 32;

/// Into how many parts it is cut for one key.
const CELLS_OF_A_KEY: u64 = 8;

#[derive(Debug, Clone)]
pub struct SlidingCounter {
    by_key: CounterClock,
}

impl SlidingCounter {
    pub fn new(limit: &Limit, bounds: &Bounds) -> SlidingCounter {
        let by_key = if limit.kind == Some(BY_KEY) {
            CounterClock::with_levels(CELLS_OF_A_KEY, bounds)
        } else {
            CounterClock::new(CELLS_OF_A_KEY)
        };
        SlidingCounter { by_key }
    }
}

/// At least one of the admissions is too many, whatever the phase of the windows. Fewer may be, by windows of a known
/// phase.
pub fn is_too_many(latest: &Latest, log: &AdmissionLog, bounds: &Bounds) -> bool {
    super::sliding_window::is_too_many_for_any_phase(latest, log, bounds)
}

impl Evidence for SlidingCounter {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        self.by_key.admit(latest, log, bounds);
    }

    fn explains(&self, _kind: usize) -> bool {
        self.by_key.explains()
    }

    fn is_wrongly_blocked(
        &mut self,
        request: &BlockedRequest,
        log: &AdmissionLog,
        bounds: &Bounds,
    ) -> bool {
        let since = request.sent.saturating_sub(bounds.longest_window * 2);
        let too_few = log.count_reaching(since) + request.pending < bounds.limit;
        request.is_alone && self.by_key.block(request, log, bounds) || too_few
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let first = log.last_but(bounds.most);
        let since = first.map_or(Nanos::ZERO, |first| first.sent);
        (log.span(latest, since, bounds.targets), bounds.limit)
    }

    fn unseen(&self, kind: usize, possible: &Possible, _: &Bounds) -> u64 {
        match kind {
            // All keys together tell.
            BY_CLOCK => 0,
            _ => self.by_key.unseen().saturating_add(possible.uncertain),
        }
    }

    fn needed(&self, kind: usize, _bounds: &Bounds) -> Needed {
        match kind {
            BY_CLOCK => Needed::NOTHING,
            _ => self.by_key.needed(),
        }
    }

    fn memory(&self) -> usize {
        self.by_key.memory()
    }
}

/// The evidence of all keys together.
pub(super) fn one_clock(bounds: &Bounds) -> Box<dyn OneClock> {
    Box::new(CounterClock::with_levels(CELLS, bounds))
}

/// Windows that one clock lays, of one key or of all.
#[derive(Debug, Clone)]
struct CounterClock {
    cells: u64,
    phases: ClockWindows,
    /// From the least excess to the greatest. Empty if the resolution is not needed.
    levels: Vec<Level>,
    /// The most requests of a key that may have been admitted at any time.
    uncertain: u64,
}

/// Windows that admit at most a number of requests beyond the limit.
#[derive(Debug, Clone)]
struct Level {
    beyond: u64,
    /// The phases with which they may explain the observations, and surely admitted no more, wherever the decisions fell.
    phases: SureWindows,
}

/// The excesses that are told apart, in hundredths of the limit.
const LEVELS: [u64; 18] = [
    0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100,
];

/// When a request was decided, and the phases that a boundary may have.
#[derive(Debug, Clone, Copy)]
struct Case {
    sent: Nanos,
    done: Nanos,
    phases: Interval,
}

impl CounterClock {
    fn new(cells: u64) -> CounterClock {
        CounterClock {
            cells,
            phases: ClockWindows::AnyPhase,
            levels: Vec::new(),
            uncertain: 0,
        }
    }

    /// With what it takes to tell the resolution.
    fn with_levels(cells: u64, bounds: &Bounds) -> CounterClock {
        let level = |hundredths: u64| Level {
            beyond: (u128::from(bounds.limit) * u128::from(hundredths)).div_ceil(100) as u64,
            phases: SureWindows::any_phase(),
        };
        let mut levels: Vec<_> = LEVELS.into_iter().map(level).collect();
        levels.dedup_by_key(|level| level.beyond);
        CounterClock {
            levels,
            ..CounterClock::new(cells)
        }
    }

    fn memory(&self) -> usize {
        let levels = self.levels.iter();
        let levels = levels.map(|level| size_of::<Level>() + level.phases.memory());
        self.phases.memory() + levels.sum::<usize>()
    }

    /// The least and the greatest phase of a cell.
    fn cell(&self, place: u64, bounds: &Bounds) -> Interval {
        let edge = |place: u64| {
            let edge = u128::from(bounds.window.0) * u128::from(place) / u128::from(self.cells);
            Nanos(edge as u64)
        };
        Interval::new(edge(place), edge(place + 1).saturating_sub(Nanos(1)))
    }

    /// The phases that a boundary may have by `now`, in no more than one part for each cell.
    fn left(&mut self, now: Nanos, bounds: &Bounds) -> Vec<Interval> {
        self.phases.drift_until(now, bounds.window);
        let cells = (0..self.cells).map(|place| self.cell(place, bounds));
        cells
            .filter_map(|cell| self.phases.part_within(cell))
            .collect()
    }

    /// Rules out phases.
    fn exclude(&mut self, phases: Interval, now: Nanos, bounds: &Bounds) {
        let Interval { from, to } = phases;
        self.phases.exclude(from, to, now, bounds.window);
        self.exclude_below(u64::MAX, phases, now, bounds);
    }

    /// Rules out phases for windows that admit fewer than this many beyond the limit.
    fn exclude_below(&mut self, beyond: u64, phases: Interval, now: Nanos, bounds: &Bounds) {
        let Interval { from, to } = phases;
        let below = |level: &&mut Level| level.beyond < beyond;
        for level in self.levels.iter_mut().take_while(below) {
            if level.phases.reaches(phases, now, bounds.window) {
                level.phases.exclude(from, to, now, bounds.window);
            }
        }
    }
}

impl Case {
    /// The windows that the decision may have been in, as the earliest and the latest instant of their beginning. Instants
    /// here count from two windows before the run's start.
    fn windows(&self, bounds: &Bounds) -> impl Iterator<Item = (Nanos, Nanos)> {
        let window = bounds.window;
        let tolerance = bounds.tolerance_over(2);
        let shift = window * 2;
        let (sent, done) = (self.sent + shift, self.done + shift);
        let first = (sent.saturating_sub(self.phases.to + tolerance)).0 / window.0;
        let Interval { from, to } = self.phases;
        (first.saturating_sub(1)..)
            .map(move |place| {
                let begins = window * place;
                (
                    (begins + from).saturating_sub(tolerance),
                    begins + to + tolerance,
                )
            })
            // It began by the decision, and the next one did not.
            .skip_while(move |(_, latest)| *latest + window < sent)
            .take_while(move |(earliest, _)| *earliest <= done)
    }

    /// The least estimate: the admissions that surely came before the decision, and after the boundary.
    fn at_least(&self, log: &AdmissionLog, bounds: &Bounds) -> f64 {
        let shift = bounds.window * 2;
        let least = self.windows(bounds).map(|(earliest, latest)| {
            // A node whose clock is behind does not count the admissions that others make in the next window.
            let until = self
                .sent
                .min((earliest + bounds.window).saturating_sub(shift));
            let since =
                |instant: Nanos| log.count_sure(instant.saturating_sub(shift), until) as f64;
            let over = (self.done + shift).saturating_sub(earliest).0 as f64;
            let weight = (1.0 - over / bounds.window.0 as f64).max(0.0);
            let current = since(latest);
            current + weight * (since(latest.saturating_sub(bounds.window)) - current)
        });
        least.min_by(f64::total_cmp).unwrap_or(0.0)
    }

    /// The greatest estimate: the admissions that may have come before the decision, and after the boundary, and `others`
    /// of the current window.
    fn at_most(&self, others: u64, log: &AdmissionLog, bounds: &Bounds) -> f64 {
        let shift = bounds.window * 2;
        let greatest = self.windows(bounds).map(|(earliest, latest)| {
            let since = |instant: Nanos| {
                log.count_possible(instant.saturating_sub(shift), self.done) as f64
            };
            let over = (self.sent + shift).saturating_sub(latest).0 as f64;
            let weight = (1.0 - over / bounds.window.0 as f64).clamp(0.0, 1.0);
            let current = since(earliest);
            let before = since(earliest.saturating_sub(bounds.window));
            current + weight * (before - current) + others as f64
        });
        greatest.max_by(f64::total_cmp).unwrap_or(0.0)
    }
}

/// Sums of fractions may be a little off.
const HAIR: f64 = 1e-6;

impl OneClock for CounterClock {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        if self.phases.is_impossible() {
            return;
        }
        let allowed = |windows| bounds.most.saturating_mul(windows + 1);
        if too_many(latest, log, bounds, allowed).next().is_some() {
            self.phases = ClockWindows::impossible();
        }
        // The estimate is never more than all admissions that are remembered.
        if log.len() as u64 <= bounds.limit {
            return;
        }
        let extended = bounds.rate as f64 * (1.0 + bounds.excess_millionths as f64 / 1e6);
        let most = extended / bounds.cost as f64;
        for phases in self.left(latest.done, bounds) {
            let case = Case {
                sent: latest.sent,
                done: latest.done,
                phases,
            };
            if case.at_least(log, bounds) >= most + HAIR {
                self.exclude(phases, latest.done, bounds);
            } else if !self.levels.is_empty() {
                // The request itself is among those that may have come before.
                let at_most = case.at_most(0, log, bounds) - 1.0;
                let beyond = (at_most + HAIR).floor() + 1.0 - bounds.limit as f64;
                self.exclude_below(beyond.max(0.0) as u64, phases, latest.done, bounds);
            }
        }
    }

    fn block(&mut self, request: &BlockedRequest, log: &AdmissionLog, bounds: &Bounds) -> bool {
        if self.phases.is_impossible() {
            return false;
        }
        for phases in self.left(request.done, bounds) {
            let case = Case {
                sent: request.sent,
                done: request.done,
                phases,
            };
            let with_itself = request.pending + 1;
            if case.at_most(with_itself, log, bounds) <= bounds.limit as f64 - HAIR {
                self.exclude(phases, request.done, bounds);
            }
        }
        self.phases.is_impossible()
    }

    fn allow_for(&mut self, uncertain: u64) {
        self.uncertain = self.uncertain.max(uncertain);
    }

    fn explains(&self) -> bool {
        !self.phases.is_impossible()
    }

    fn unseen(&self) -> u64 {
        let mut levels = self.levels.iter();
        let least = levels.find(|level| !level.phases.is_impossible());
        let beyond = least.map_or(u64::MAX, |level| level.beyond);
        beyond.saturating_add(self.uncertain)
    }

    fn needed(&self) -> Needed {
        match self.explains() {
            true => Needed::NOTHING,
            false => Needed::UNKNOWN,
        }
    }

    fn boxed_clone(&self) -> Box<dyn OneClock> {
        Box::new(self.clone())
    }
}
