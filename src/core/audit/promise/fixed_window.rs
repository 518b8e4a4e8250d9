//! A fixed window admits at most L requests per window of length W. There are three kinds of windows:
//!
//! - *by clock*: one clock lays the windows of all keys end to end, with one phase that never changes ([`FixedClock`]);
//! - *by admission*: an admission opens a window of its key, and the first admission after its end opens the next one
//!   ([`OpenedWindows`]);
//! - *by key*: a clock lays the windows of each key, with a phase of the key's own.
//!
//! A boundary for every key excuses so much that the last kind counts only if it is named. Where it is the only one left,
//! the limit is suspect.
//!
//! **Bound.** An interval shorter than k·W touches at most k + 1 windows, so at most (k + 1)·L are admitted in it, for
//! every k and each kind.
//!
//! **Excess.** A limiter has windows of one kind, so the limit is broken when none of its kinds explains all keys: more
//! than (k + 1)·L allowed requests of a key lie within less than k·W − ε, no phase is left, or no choice of openings.
//!
//! **Resolution.** A boundary that nothing else shows excuses up to L admissions of a key too many. So a key is judged by windows
//! of a clock only if it was admitted more than 2·L times, within which there must have been two boundaries.
//!
//! **False block.** A request is wrongly blocked if fewer than L others can have counted against it.
//!
//! **Blocks.** A blocked request had L others in its window. So no boundary lies between the decision of the L-th other before
//! it, if that comes as late as it may, and its own sent: the window after such a boundary would have had room. These phases
//! are left out. So a boundary that excuses an excess must lie where no request was blocked that it would have let pass.

use super::clock_windows::{ClockWindows, SureWindows};
use super::opened_windows::{MostInOpened, OpenedWindows};
use super::sliding_window::{MOST_WINDOWS, too_many};
use super::{
    About, AdmissionLog, BlockedRequest, Bounds, Evidence, Excess, Kind, Latest, Limit, Nanos,
    Needed, Observation, OneClock, Possible,
};

pub const ABOUT: About = About {
    name: "fixed-window",
    limiter: "a fixed window",
    kinds: &[
        Kind {
            name: "clock",
            limiter: "windows of one clock",
            by_default: true,
            has_one_clock: true,
        },
        Kind {
            name: "admission",
            limiter: "windows opened by an admission",
            by_default: true,
            has_one_clock: false,
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
    windows: 1,
    more_in_any_window: "a fixed window may admit its limit at the end of one window and again at the start of the next",
    busiest_window_is_proof: false,
    block_is_general: true,
    excess: |proof| {
        format!(
            "no windows explain the admissions (proved after {} requests)",
            proof.after
        )
    },
    wrong_block: super::too_few_counted,
};

const BY_CLOCK: usize = 0;
const BY_ADMISSION: usize = 1;
const BY_KEY: usize = 2;

#[derive(Debug, Clone)]
pub struct FixedWindow {
    by_key: FixedClock,
    opened: OpenedWindows,
    most_in_opened: MostInOpened,
}

impl FixedWindow {
    pub fn new(limit: &Limit, bounds: &Bounds) -> FixedWindow {
        let by_key = if limit.kind == Some(BY_KEY) {
            FixedClock::with_levels(bounds)
        } else {
            FixedClock::new()
        };
        FixedWindow {
            by_key,
            opened: OpenedWindows::new(bounds.prior_use),
            most_in_opened: MostInOpened::new(bounds.prior_use),
        }
    }
}

/// At least one of the admissions is too many, whatever the phase of the windows. Fewer may be, by windows of a known
/// phase.
pub fn is_too_many(latest: &Latest, log: &AdmissionLog, bounds: &Bounds) -> bool {
    super::sliding_window::is_too_many_for_any_phase(latest, log, bounds)
}

impl Evidence for FixedWindow {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        self.opened.admit(latest.sent, latest.done, bounds);
        self.most_in_opened.admit(latest.sent, latest.done, bounds);
        self.by_key.admit(latest, log, bounds);
        if self.by_key.is_exceeded {
            self.opened = OpenedWindows::impossible();
        }
    }

    fn lose_sight(&mut self) {
        self.opened.lose_sight();
        self.most_in_opened.lose_sight();
    }

    fn explains(&self, kind: usize) -> bool {
        match kind {
            BY_ADMISSION => !self.opened.is_impossible(),
            _ => self.by_key.explains(),
        }
    }

    fn is_wrongly_blocked(
        &mut self,
        request: &BlockedRequest,
        log: &AdmissionLog,
        bounds: &Bounds,
    ) -> bool {
        if request.is_alone {
            self.by_key.leave_out_blocked(request, log, bounds);
        }
        request.counted < bounds.limit
    }

    fn excess(&self, latest: &Observation, log: &AdmissionLog, bounds: &Bounds) -> Excess {
        let first = log.last_but(bounds.most);
        let since = first.map_or(Nanos::ZERO, |first| first.sent);
        (log.span(latest, since, bounds.targets), bounds.limit)
    }

    fn unseen(&self, kind: usize, possible: &Possible, bounds: &Bounds) -> u64 {
        // A window is as long as any other interval of its length.
        let in_any_window = possible.at_most.saturating_sub(bounds.limit);
        let of_the_kind = match kind {
            // All keys together tell.
            BY_CLOCK => return 0,
            BY_ADMISSION => self.most_in_opened.beyond(bounds).unwrap_or(u64::MAX),
            _ => self.by_key.unseen(),
        };
        of_the_kind
            .saturating_add(possible.uncertain)
            .min(in_any_window)
    }

    fn needed(&self, kind: usize, _bounds: &Bounds) -> Needed {
        match kind {
            BY_CLOCK => Needed::NOTHING,
            BY_ADMISSION if !self.opened.is_impossible() => Needed::NOTHING,
            BY_ADMISSION => Needed::UNKNOWN,
            _ => self.by_key.needed(),
        }
    }

    fn memory(&self) -> usize {
        self.by_key.memory() + self.opened.memory() + self.most_in_opened.memory()
    }
}

/// The evidence of all keys together.
pub(super) fn one_clock(bounds: &Bounds) -> Box<dyn OneClock> {
    Box::new(FixedClock::with_levels(bounds))
}

/// Windows that one clock lays, of one key or of all.
#[derive(Debug, Clone)]
struct FixedClock {
    /// More was admitted of a key than any windows explain.
    is_exceeded: bool,
    phases: ClockWindows,
    excesses: Vec<ExcessLevel>,
    clocks: Vec<ClockLevel>,
    /// The most requests of a key that may have been admitted at any time.
    uncertain: u64,
}

/// Windows that admit a number of requests beyond the limit.
#[derive(Debug, Clone)]
struct ExcessLevel {
    beyond: u64,
    share: f64,
    /// The phases with which such windows may explain the observations.
    possible: ClockWindows,
    /// The phases with which no window admitted more, wherever the decisions fell.
    sure: SureWindows,
}

/// Windows of a clock that is further off than is granted.
#[derive(Debug, Clone)]
struct ClockLevel {
    beyond: Nanos,
    possible: ClockWindows,
}

/// The excesses that are tried, in hundredths of the limit.
const EXCESSES: [u64; 8] = [0, 1, 2, 5, 10, 20, 50, 100];

/// The clock tolerances that are tried, in milliseconds.
const CLOCKS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

impl FixedClock {
    fn new() -> FixedClock {
        FixedClock {
            is_exceeded: false,
            phases: ClockWindows::AnyPhase,
            excesses: Vec::new(),
            clocks: Vec::new(),
            uncertain: 0,
        }
    }

    /// With what it takes to tell the resolution, and the tolerances that would explain the observations.
    fn with_levels(bounds: &Bounds) -> FixedClock {
        let excess = |hundredths: u64| ExcessLevel {
            beyond: (u128::from(bounds.limit) * u128::from(hundredths)).div_ceil(100) as u64,
            share: hundredths as f64 / 100.0,
            possible: ClockWindows::AnyPhase,
            sure: SureWindows::any_phase(),
        };
        let mut excesses: Vec<_> = EXCESSES.into_iter().map(excess).collect();
        excesses.dedup_by_key(|level| level.beyond);
        let clocks = CLOCKS.into_iter().map(|millis| Nanos(millis * 1_000_000));
        let clock = |beyond: Nanos| ClockLevel {
            beyond,
            possible: ClockWindows::AnyPhase,
        };
        FixedClock {
            excesses,
            clocks: clocks
                .filter(|beyond| beyond.0 <= bounds.window.0 / 4)
                .map(clock)
                .collect(),
            ..FixedClock::new()
        }
    }

    /// Leaves out the phases of windows that would have let a blocked request pass.
    fn leave_out_blocked(&mut self, request: &BlockedRequest, log: &AdmissionLog, bounds: &Bounds) {
        if request.counted < bounds.limit {
            // No windows explain such a block, so that it tells nothing of their phase.
            return;
        }
        let others = bounds.limit.checked_sub(request.pending + 1);
        if let Some(last_full) = others.and_then(|others| log.latest_decision_but(others)) {
            let tolerance = bounds.tolerance_over(1);
            let from = last_full + tolerance + Nanos(1);
            let to = request.sent.saturating_sub(tolerance + Nanos(1));
            let now = request.done.max(from);
            self.phases.exclude(from, to, now, bounds.window);
        }
    }

    fn memory(&self) -> usize {
        let excesses = self
            .excesses
            .iter()
            .map(|level| size_of::<ExcessLevel>() + level.possible.memory() + level.sure.memory());
        let clocks = self
            .clocks
            .iter()
            .map(|level| size_of::<ClockLevel>() + level.possible.memory());
        self.phases.memory() + excesses.sum::<usize>() + clocks.sum::<usize>()
    }
}

/// Leaves the phases that explain the latest admission with at most `most` per window, and clocks that are `beyond` what
/// is granted.
fn leave_possible(
    phases: &mut ClockWindows,
    most: u64,
    beyond: Nanos,
    latest: &Latest,
    log: &AdmissionLog,
    bounds: &Bounds,
) {
    for boundaries in 1..=MOST_WINDOWS {
        let Some(first) = log.last_but(most.saturating_mul(boundaries)) else {
            return;
        };
        let tolerance = bounds.tolerance_over(boundaries) + beyond;
        if (latest.done - first.sent) + tolerance < bounds.window * boundaries {
            phases.place_boundaries(
                boundaries,
                first.sent,
                latest.done,
                tolerance,
                bounds.window,
            );
        }
    }
}

/// Leaves the phases with which no window admitted more than `most`, wherever the decisions of the latest admission and of
/// those sent after it fell.
fn leave_sure(
    phases: &mut SureWindows,
    most: u64,
    latest: &Latest,
    log: &AdmissionLog,
    bounds: &Bounds,
) {
    for place in latest.place..log.len() {
        // Of the requests up to this one, `most` + 1 can be in a window with it only if that begins before the latest
        // done of all but `most`.
        let Some(last) = place.checked_sub(most as usize) else {
            continue;
        };
        let ends_after = log.at(place).sent;
        let ends_by = log.latest_done_up_to(last) + bounds.window;
        phases.exclude(ends_after + Nanos(1), ends_by, latest.done, bounds.window);
    }
}

impl OneClock for FixedClock {
    fn admit(&mut self, latest: &Latest, log: &AdmissionLog, bounds: &Bounds) {
        let allowed = |windows| bounds.most.saturating_mul(windows + 1);
        let is_doubled = latest.within > bounds.most.saturating_mul(2);
        if is_doubled || too_many(latest, log, bounds, allowed).next().is_some() {
            self.is_exceeded = true;
            self.phases = ClockWindows::impossible();
        }
        leave_possible(
            &mut self.phases,
            bounds.most,
            Nanos::ZERO,
            latest,
            log,
            bounds,
        );
        for level in &mut self.excesses {
            let most = bounds.limit + level.beyond;
            leave_possible(&mut level.possible, most, Nanos::ZERO, latest, log, bounds);
            leave_sure(&mut level.sure, most, latest, log, bounds);
        }
        for level in &mut self.clocks {
            leave_possible(
                &mut level.possible,
                bounds.most,
                level.beyond,
                latest,
                log,
                bounds,
            );
        }
    }

    fn block(&mut self, request: &BlockedRequest, log: &AdmissionLog, bounds: &Bounds) -> bool {
        if self.phases.is_impossible() {
            return false;
        }
        self.leave_out_blocked(request, log, bounds);
        self.phases.is_impossible()
    }

    fn allow_for(&mut self, uncertain: u64) {
        self.uncertain = self.uncertain.max(uncertain);
    }

    fn explains(&self) -> bool {
        !self.phases.is_impossible()
    }

    fn unseen(&self) -> u64 {
        let mut sure = self
            .excesses
            .iter()
            .filter(|level| !level.sure.is_impossible());
        let beyond = sure.next().map_or(u64::MAX, |level| level.beyond);
        beyond.saturating_add(self.uncertain)
    }

    fn needed(&self) -> Needed {
        if self.explains() {
            return Needed::NOTHING;
        }
        let mut excesses = self.excesses.iter();
        let mut clocks = self.clocks.iter();
        let by_admissions = self.excesses.first().map(|level| &level.possible);
        if by_admissions.is_some_and(|phases| !phases.is_impossible()) {
            // Blocks ruled out what is left, and the levels do not know of them.
            return Needed::UNKNOWN;
        }
        Needed {
            excess: excesses
                .find(|level| !level.possible.is_impossible())
                .map(|level| level.share),
            clock: clocks
                .find(|level| !level.possible.is_impossible())
                .map(|level| level.beyond),
        }
    }

    fn boxed_clone(&self) -> Box<dyn OneClock> {
        Box::new(self.clone())
    }
}
