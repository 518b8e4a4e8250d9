//! Windows that a clock lays end to end: the phases of the windows that explain what was observed.
//!
//! L + 1 allowed requests of one key that lie within less than W − ε are not in one window: a boundary lies after the
//! least sent and before the greatest done, give or take ε on either side. On the circle of length W, on which each
//! instant is known by its phase, that is an arc. The phases left are the intersection of all such arcs. Since the clocks
//! drift apart, the arcs left grow on both sides by 500 millionths of the time that passes.
//!
//! In the same way, m·L + 1 requests that lie within less than m·W are in at least m + 1 windows. The first of m
//! boundaries lies after the least sent, and the last, (m − 1)·W later, before the greatest done.

use super::Interval;
use crate::base::Nanos;
use crate::core::audit::bounds::{DRIFT, drift};

/// The phases at which a boundary may lie.
#[derive(Debug, Clone)]
pub(in crate::core) enum ClockWindows {
    AnyPhase,
    /// The boundary lies in one of these arcs. They neither touch nor reach around the circle's zero. Without any, no
    /// phase explains the admissions.
    Within {
        arcs: Vec<Interval>,
        as_of: Nanos,
    },
}

/// The phases at which the windows surely have a property. [`ClockWindows`] keeps a phase of which that is not known; here, it is left
/// out.
#[derive(Debug, Clone)]
pub(super) struct SureWindows(ClockWindows);

/// With more arcs than these, the nearest two become one, or the shortest is left out.
const MOST_ARCS: usize = 64;

/// What becomes of phases of which too little is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Kept,
    LeftOut,
}

impl Unknown {
    /// How far clocks drift apart between two instants. Where phases are left out, many short spans add up to no more than the long
    /// one that they make together.
    fn drift(self, since: Nanos, now: Nanos) -> Nanos {
        let whole = |at: Nanos| Nanos(at.0 / DRIFT);
        match self {
            Unknown::Kept => drift(now.saturating_sub(since)),
            Unknown::LeftOut => whole(now).saturating_sub(whole(since)),
        }
    }
}

impl ClockWindows {
    pub fn impossible() -> ClockWindows {
        ClockWindows::Within {
            arcs: Vec::new(),
            as_of: Nanos::ZERO,
        }
    }

    pub fn is_impossible(&self) -> bool {
        matches!(self, ClockWindows::Within { arcs, .. } if arcs.is_empty())
    }

    /// So many boundaries lie between two instants, give or take the tolerance. `to` is the latest instant so far.
    pub fn place_boundaries(
        &mut self,
        count: u64,
        from: Nanos,
        to: Nanos,
        tolerance: Nanos,
        circle: Nanos,
    ) {
        let span = (to - from) + tolerance * 2;
        let Some(length) = span.checked_sub(circle * (count - 1)) else {
            *self = ClockWindows::impossible();
            return;
        };
        if length >= circle || self.is_impossible() {
            return;
        }
        let start = backwards(phase(from, circle), tolerance, circle);
        self.keep(&unrolled(start, length, circle), Unknown::Kept, to, circle);
    }

    /// No boundary lies between two instants, both included, or a whole number of windows later. `now` is the latest
    /// instant so far.
    pub fn exclude(&mut self, from: Nanos, to: Nanos, now: Nanos, circle: Nanos) {
        self.exclude_with(Unknown::Kept, from, to, now, circle);
    }

    fn exclude_with(
        &mut self,
        unknown: Unknown,
        from: Nanos,
        to: Nanos,
        now: Nanos,
        circle: Nanos,
    ) {
        if self.is_impossible() {
            return;
        }
        match (to + Nanos(1)).saturating_sub(from) {
            Nanos(0) => {}
            length if length >= circle => *self = ClockWindows::impossible(),
            length => {
                let start = phase(to + Nanos(1), circle);
                let others = unrolled(start, circle - length - Nanos(1), circle);
                self.keep(&others, unknown, now, circle);
            }
        }
    }

    /// The least interval with all phases of `cell` that a boundary may have; `None` if it can have none of them.
    pub fn part_within(&self, cell: Interval) -> Option<Interval> {
        let ClockWindows::Within { arcs, .. } = self else {
            return Some(cell);
        };
        let mut within = arcs
            .iter()
            .filter(|arc| arc.from <= cell.to && cell.from <= arc.to);
        let first = within.next()?;
        let last = within.next_back().unwrap_or(first);
        Some(Interval::new(
            first.from.max(cell.from),
            last.to.min(cell.to),
        ))
    }

    /// Lets the phases drift up to `now`, the latest instant so far.
    pub fn drift_until(&mut self, now: Nanos, circle: Nanos) {
        self.drift_with(Unknown::Kept, now, circle);
    }

    fn drift_with(&mut self, unknown: Unknown, now: Nanos, circle: Nanos) {
        let ClockWindows::Within { arcs, as_of } = self else {
            return;
        };
        let drifted = unknown.drift(*as_of, now);
        if arcs.is_empty() || drifted == Nanos::ZERO {
            return;
        }
        *self = match widened(arcs, drifted, circle) {
            None => ClockWindows::AnyPhase,
            Some(arcs) => ClockWindows::Within {
                arcs: few(arcs, unknown),
                as_of: now,
            },
        };
    }

    fn keep(&mut self, new: &[Interval], unknown: Unknown, to: Nanos, circle: Nanos) {
        self.drift_with(unknown, to, circle);
        let arcs = match self {
            ClockWindows::AnyPhase => new.to_vec(),
            ClockWindows::Within { arcs, .. } => intersection(arcs, new),
        };
        *self = ClockWindows::Within {
            arcs: few(arcs, unknown),
            as_of: to,
        };
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            ClockWindows::AnyPhase => 0,
            ClockWindows::Within { arcs, .. } => arcs.capacity() * size_of::<Interval>(),
        }
    }
}

impl SureWindows {
    pub fn any_phase() -> SureWindows {
        SureWindows(ClockWindows::AnyPhase)
    }

    pub fn is_impossible(&self) -> bool {
        self.0.is_impossible()
    }

    /// No boundary lies between two instants, both included, or a whole number of windows later. `now` is the latest
    /// instant so far.
    pub fn exclude(&mut self, from: Nanos, to: Nanos, now: Nanos, circle: Nanos) {
        self.0.exclude_with(Unknown::LeftOut, from, to, now, circle);
    }

    /// Whether a boundary may lie in this interval of phases by `now`, the latest instant so far.
    pub fn reaches(&mut self, cell: Interval, now: Nanos, circle: Nanos) -> bool {
        self.0.drift_with(Unknown::LeftOut, now, circle);
        self.0.part_within(cell).is_some()
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

fn phase(instant: Nanos, circle: Nanos) -> Nanos {
    Nanos(instant.0 % circle.0)
}

/// The phase that lies `by` before another.
fn backwards(from: Nanos, by: Nanos, circle: Nanos) -> Nanos {
    phase(from + circle - by, circle)
}

/// An arc shorter than the circle, in parts that do not reach around zero.
fn unrolled(start: Nanos, length: Nanos, circle: Nanos) -> Vec<Interval> {
    match (start + length).checked_sub(circle) {
        None => vec![Interval::new(start, start + length)],
        Some(end) => vec![
            Interval::new(Nanos::ZERO, end),
            Interval::new(start, circle - Nanos(1)),
        ],
    }
}

/// Each arc longer by this much on both sides; `None` if they are the whole circle.
fn widened(arcs: &[Interval], by: Nanos, circle: Nanos) -> Option<Vec<Interval>> {
    let mut wide = Vec::with_capacity(arcs.len() + 1);
    for arc in arcs {
        let length = arc.length() + by * 2;
        if length >= circle {
            return None;
        }
        wide.extend(unrolled(backwards(arc.from, by, circle), length, circle));
    }
    Some(joined(wide))
}

/// The arcs in order, with those that touch made one.
fn joined(mut arcs: Vec<Interval>) -> Vec<Interval> {
    arcs.sort_unstable();
    let mut apart: Vec<Interval> = Vec::with_capacity(arcs.len());
    for arc in arcs {
        match apart.last_mut() {
            Some(last) if arc.from <= last.to + Nanos(1) => last.to = last.to.max(arc.to),
            _ => apart.push(arc),
        }
    }
    apart
}

/// Not too many of these arcs.
fn few(mut arcs: Vec<Interval>, unknown: Unknown) -> Vec<Interval> {
    while arcs.len() > MOST_ARCS {
        match unknown {
            Unknown::Kept => {
                let gap = |place: &usize| arcs[place + 1].from - arcs[*place].to;
                let nearest = (0..arcs.len() - 1).min_by_key(gap).expect("more than one");
                let next = arcs.remove(nearest + 1);
                arcs[nearest].to = next.to;
            }
            Unknown::LeftOut => {
                let length = |place: &usize| arcs[*place].length();
                let shortest = (0..arcs.len()).min_by_key(length).expect("more than one");
                arcs.remove(shortest);
            }
        }
    }
    arcs
}

fn intersection(some: &[Interval], others: &[Interval]) -> Vec<Interval> {
    let pairs = some.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
    let common = pairs.map(|(a, b)| Interval::new(a.from.max(b.from), a.to.min(b.to)));
    joined(common.filter(|arc| arc.from <= arc.to).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Nanos = Nanos(10 * SECOND);

    impl ClockWindows {
        /// The tolerance is 6 ms.
        fn place_boundary(&mut self, from: u64, to: u64) {
            let tolerance = Nanos(6_000_000);
            self.place_boundaries(1, Nanos(from), Nanos(to), tolerance, WINDOW);
        }
    }

    fn contains(windows: &ClockWindows, phase: u64) -> bool {
        match windows {
            ClockWindows::AnyPhase => true,
            ClockWindows::Within { arcs, .. } => arcs
                .iter()
                .any(|arc| (arc.from..=arc.to).contains(&Nanos(phase))),
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_boundary_that_was_crossed_leaves_the_phases_of_that_arc() {
        let mut windows = ClockWindows::AnyPhase;
        windows.place_boundary(8 * SECOND, 11 * SECOND);
        assert!(contains(&windows, 9 * SECOND) && contains(&windows, SECOND / 2));
        assert!(!contains(&windows, 2 * SECOND) && !contains(&windows, 7 * SECOND));
        windows.place_boundary(20 * SECOND, 25 * SECOND);
        assert!(contains(&windows, SECOND / 2) && !contains(&windows, 9 * SECOND));
        assert!(!windows.is_impossible());
        windows.place_boundary(32 * SECOND, 34 * SECOND);
        assert!(windows.is_impossible());
    }

    #[test]
    fn admissions_over_a_whole_window_place_no_boundary() {
        let mut windows = ClockWindows::AnyPhase;
        windows.place_boundary(0, 10 * SECOND);
        assert!(matches!(windows, ClockWindows::AnyPhase));
    }

    #[test]
    fn more_boundaries_than_fit_are_impossible() {
        let place = |count, to: u64| {
            let mut windows = ClockWindows::AnyPhase;
            windows.place_boundaries(count, Nanos(SECOND), Nanos(to), Nanos::ZERO, WINDOW);
            windows
        };
        assert!(place(3, 20 * SECOND).is_impossible());
        let windows = place(3, 22 * SECOND);
        assert!(contains(&windows, SECOND) && contains(&windows, 2 * SECOND));
        assert!(!contains(&windows, 3 * SECOND));
    }

    #[test]
    fn excluded_phases_are_not_left() {
        let mut windows = ClockWindows::AnyPhase;
        windows.exclude(
            Nanos(19 * SECOND),
            Nanos(21 * SECOND),
            Nanos(30 * SECOND),
            WINDOW,
        );
        assert!(!contains(&windows, 0) && !contains(&windows, SECOND));
        assert!(contains(&windows, SECOND + 1) && contains(&windows, 9 * SECOND - 1));
        windows.exclude(Nanos(1), Nanos(10 * SECOND), Nanos(30 * SECOND), WINDOW);
        assert!(windows.is_impossible());
    }

    #[test]
    fn phases_that_are_sure_drift_no_further_in_many_short_spans_than_in_a_long_one() {
        let mut sure = SureWindows::any_phase();
        let mut possible = ClockWindows::AnyPhase;
        // Each boundary lies a nanosecond after the one before.
        for at in 2..100 {
            let (from, to) = (Nanos(at + 1), WINDOW + Nanos(at - 1));
            sure.exclude(from, to, Nanos(at), WINDOW);
            possible.exclude(from, to, Nanos(at), WINDOW);
        }
        assert!(sure.is_impossible());
        assert!(!possible.is_impossible());
    }

    proptest! {
        #[test]
        fn more_parts_than_are_remembered_are_possible_but_not_sure(
            arcs in prop::collection::vec((0..10 * SECOND, 1..20_000_000u64), 1..400)
        ) {
            let mut sure = SureWindows::any_phase();
            let mut possible = ClockWindows::AnyPhase;
            let (now, end) = (Nanos(20 * SECOND), 10 * SECOND);
            for &(from, length) in &arcs {
                let (from, to) = (Nanos(from), Nanos(from + length));
                sure.exclude(from, to, now, WINDOW);
                possible.exclude(from, to, now, WINDOW);
            }
            let edges = arcs.iter().flat_map(|(from, length)| {
                [from + end - 1, *from, from + length, from + length + 1]
            });
            for phase in edges.map(|edge| edge % end) {
                let is_excluded = arcs.iter().any(|(from, length)| (phase + end - from) % end <= *length);
                let is_sure = contains(&sure.0, phase);
                prop_assert!(!(is_sure && is_excluded), "{}", phase);
                prop_assert!(contains(&possible, phase) || is_excluded, "{}", phase);
            }
        }

        #[test]
        fn the_true_phase_is_always_left(
            phase in 0..10 * SECOND,
            arcs in prop::collection::vec((0..5 * SECOND, 0..5 * SECOND), 1..60)
        ) {
            let mut windows = ClockWindows::AnyPhase;
            for (window, (before, after)) in arcs.into_iter().enumerate() {
                let boundary = (window as u64 + 1) * 10 * SECOND + phase;
                windows.place_boundary(boundary - before, boundary + after);
                prop_assert!(contains(&windows, phase));
            }
        }

        #[test]
        fn a_phase_that_drifts_by_half_a_thousandth_is_never_lost(
            slow in any::<bool>(),
            arcs in prop::collection::vec((0..50_000_000u64, 0..50_000_000u64, 1..40u64), 1..60)
        ) {
            let mut windows = ClockWindows::AnyPhase;
            let mut window = 1;
            for (before, after, passed) in arcs {
                window += passed;
                let drifted = window * 10 * SECOND / 2_000;
                let boundary = window * 10 * SECOND;
                let boundary = if slow { boundary + drifted } else { boundary - drifted };
                windows.place_boundary(boundary - before, boundary + after);
                prop_assert!(!windows.is_impossible());
            }
        }
    }
}
