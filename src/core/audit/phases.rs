//! Windows that a clock lays end to end: which phases of theirs explain the admissions of one key.

use super::terms::{Bounds, drift};
use crate::base::Nanos;

/// Where in the circle of the window's length a boundary may be.
#[derive(Debug, Clone, Default)]
pub(super) enum Phases {
    #[default]
    All,
    /// Arcs, each from its first to its last instant, that neither meet nor reach around the circle's zero; as of an
    /// instant. Without any, no phase explains what was seen.
    Left(Vec<(u64, u64)>, u64),
}

/// More arcs than these become fewer and larger.
const MOST_ARCS: usize = 16;

impl Phases {
    pub fn are_gone(&self) -> bool {
        matches!(self, Phases::Left(arcs, _) if arcs.is_empty())
    }

    /// A boundary lies between two instants, give or take the tolerance. `to` is the latest instant so far.
    pub fn narrow(&mut self, from: u64, to: u64, bounds: &Bounds) {
        let circle = bounds.window;
        let length = (to - from).saturating_add(2 * bounds.tolerance);
        if length >= circle || self.are_gone() {
            return;
        }
        // In a circle, a turn more is the same.
        let start = (from % circle + circle - bounds.tolerance) % circle;
        let arcs = unrolled(start, length, circle);
        let left = match self {
            Phases::All => arcs,
            Phases::Left(left, since) => {
                let drifted = drift(Nanos(to.saturating_sub(*since))).0;
                match widened(left, drifted, circle) {
                    None => arcs,
                    Some(left) => intersection(&left, &arcs),
                }
            }
        };
        *self = Phases::Left(left, to);
    }

    pub fn memory(&self) -> usize {
        match self {
            Phases::All => 0,
            Phases::Left(arcs, _) => arcs.capacity() * size_of::<(u64, u64)>(),
        }
    }
}

/// An arc shorter than the circle, in parts that do not reach around zero.
fn unrolled(start: u64, length: u64, circle: u64) -> Vec<(u64, u64)> {
    match start + length {
        end if end < circle => vec![(start, end)],
        end => vec![(0, end - circle), (start, circle - 1)],
    }
}

/// Each arc longer by this much on both sides; `None` if they are the whole circle.
fn widened(arcs: &[(u64, u64)], by: u64, circle: u64) -> Option<Vec<(u64, u64)>> {
    let mut wide = Vec::with_capacity(arcs.len() + 1);
    for &(start, end) in arcs {
        let length = (end - start).saturating_add(by.saturating_mul(2));
        if length >= circle {
            return None;
        }
        wide.extend(unrolled((start + circle - by) % circle, length, circle));
    }
    Some(joined(wide))
}

/// In order, those that meet as one, and not too many.
fn joined(mut arcs: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    arcs.sort_unstable();
    let mut apart: Vec<(u64, u64)> = Vec::with_capacity(arcs.len());
    for (start, end) in arcs {
        match apart.last_mut() {
            Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    while apart.len() > MOST_ARCS {
        let gap = |place: &usize| apart[place + 1].0 - apart[*place].1;
        let nearest = (0..apart.len() - 1).min_by_key(gap).expect("more than one");
        let (_, end) = apart.remove(nearest + 1);
        apart[nearest].1 = end;
    }
    apart
}

fn intersection(some: &[(u64, u64)], others: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let pairs = some.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
    let common = pairs.map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
    joined(common.filter(|(start, end)| start <= end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ten seconds, the tolerance 6 ms.
    fn bounds() -> Bounds {
        Bounds::of(1, Nanos(10_000_000_000), Nanos::ZERO)
    }

    fn contains(phases: &Phases, phase: u64) -> bool {
        match phases {
            Phases::All => true,
            Phases::Left(arcs, _) => arcs.iter().any(|(from, to)| (*from..=*to).contains(&phase)),
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_boundary_that_was_crossed_leaves_the_phases_of_that_arc() {
        let mut phases = Phases::All;
        phases.narrow(8 * SECOND, 11 * SECOND, &bounds());
        assert!(contains(&phases, 9 * SECOND) && contains(&phases, SECOND / 2));
        assert!(!contains(&phases, 2 * SECOND) && !contains(&phases, 7 * SECOND));
        phases.narrow(20 * SECOND, 25 * SECOND, &bounds());
        assert!(contains(&phases, SECOND / 2) && !contains(&phases, 9 * SECOND));
        assert!(!phases.are_gone());
        phases.narrow(32 * SECOND, 34 * SECOND, &bounds());
        assert!(phases.are_gone());
    }

    #[test]
    fn what_takes_a_whole_window_says_nothing() {
        let mut phases = Phases::All;
        phases.narrow(0, 10 * SECOND, &bounds());
        assert!(matches!(phases, Phases::All));
    }

    proptest! {
        #[test]
        fn the_true_phase_is_always_left(
            phase in 0..10 * SECOND,
            arcs in prop::collection::vec((0..5 * SECOND, 0..5 * SECOND), 1..60)
        ) {
            let mut phases = Phases::All;
            for (window, (before, after)) in arcs.into_iter().enumerate() {
                let boundary = (window as u64 + 1) * 10 * SECOND + phase;
                phases.narrow(boundary - before, boundary + after, &bounds());
                prop_assert!(contains(&phases, phase));
            }
        }

        #[test]
        fn a_phase_that_drifts_by_half_a_thousandth_is_never_lost(
            slow in any::<bool>(),
            arcs in prop::collection::vec((0..50_000_000u64, 0..50_000_000u64, 1..40u64), 1..60)
        ) {
            let mut phases = Phases::All;
            let mut window = 1;
            for (before, after, windows) in arcs {
                window += windows;
                let drifted = window * 10 * SECOND / 2_000;
                let boundary = window * 10 * SECOND;
                let boundary = if slow { boundary + drifted } else { boundary - drifted };
                phases.narrow(boundary - before, boundary + after, &bounds());
                prop_assert!(!phases.are_gone());
            }
        }
    }
}
