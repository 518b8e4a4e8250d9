//! The numbers of one part of a run: of all of it, of a target, of the time of an event, or of a phase.

use super::measurements::{Ahead, Ended, Measurements};
use super::scope::Scope;
use crate::base::{Ledger, Mode, Nanos};
use crate::core::events::{CommandEnd, EventRecord};
use crate::core::stats::effects::Effect;
use crate::core::stats::{Failures, Histogram, PhaseTally};

/// The numbers of a part of a run.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub whole: &'a Measurements<'a>,
    pub part: Part<'a>,
}

#[derive(Debug)]
pub(super) enum Part<'a> {
    All,
    Target(usize),
    Event(&'a EventRecord, &'a Effect),
    Phase(Box<PhaseNumbers>),
    /// It is known when the run is over.
    Later,
}

/// The numbers of phases, taken together.
#[derive(Debug, Default)]
pub(super) struct PhaseNumbers {
    pub latency: Histogram,
    pub service_time: Histogram,
    ledger: Ledger,
    failures: Failures,
    failing_open: u64,
    length: Nanos,
    /// The places of their tallies.
    places: Vec<usize>,
}

impl Measurements<'_> {
    /// The views of the parts that the scope names. An event that did not begin has none, and a name that several marks have
    /// has one for each.
    pub(super) fn views(&self, scope: &Scope) -> Vec<View<'_>> {
        let parts = match (scope, self.parts) {
            (Scope::All, _) => vec![Part::All],
            (Scope::Target(place), _) => vec![Part::Target(*place)],
            (Scope::Event(_) | Scope::Phase(_), None) => vec![Part::Later],
            (Scope::Event(title), Some(parts)) => {
                let events = parts.events.iter().zip(&parts.effects.events);
                let named = events.filter(|(record, _)| record.title() == *title);
                named
                    .map(|(record, effect)| Part::Event(record, effect))
                    .collect()
            }
            (Scope::Phase(name), Some(parts)) => {
                let tallies = parts.phases.tallies.iter().enumerate();
                let named = tallies.filter(|(_, tally)| is_phase(name, &tally.name, tally.mode));
                let numbers = named.fold(None, |sum: Option<PhaseNumbers>, (place, tally)| {
                    let unplaced = parts.unplaced.get(place).copied().unwrap_or(0);
                    Some(sum.unwrap_or_default().with(place, tally, unplaced))
                });
                numbers
                    .map(|numbers| Part::Phase(Box::new(numbers)))
                    .into_iter()
                    .collect()
            }
        };
        let view = |part| View { whole: self, part };
        parts.into_iter().map(view).collect()
    }
}

/// Whether this is the name of a phase with this name and mode.
pub fn is_phase(name: &str, phase: &str, mode: Mode) -> bool {
    name == phase || name == mode.name()
}

impl View<'_> {
    pub fn ended(&self) -> Ended {
        match &self.part {
            Part::All | Part::Later => self.whole.ended(),
            Part::Target(place) => Ended {
                ledger: self.whole.ledgers[*place],
                failures: self.whole.tally.targets[*place].failures.clone(),
                failing_open: self.whole.tally.targets[*place].failing_open,
            },
            Part::Event(_, effect) => {
                let during = &effect.all.during;
                Ended {
                    ledger: Ledger {
                        allowed: during.counts.allowed,
                        blocked: during.counts.blocked,
                        abandoned: during.counts.abandoned,
                        ..Ledger::default()
                    },
                    failures: effect.failures.clone(),
                    failing_open: during.failing_open,
                }
            }
            Part::Phase(phase) => Ended {
                ledger: phase.ledger,
                failures: phase.failures.clone(),
                failing_open: phase.failing_open,
            },
        }
    }

    /// The most requests that may come in addition to this many.
    pub fn ahead(&self, ahead: Ahead, known: u64) -> u64 {
        match self.part {
            Part::All => ahead.beside(None, known),
            Part::Target(place) => ahead.beside(Some(place), known),
            Part::Phase(ref phase) => {
                let in_all = self.whole.ended().scheduled();
                let parts = self.whole.parts.iter();
                let unplaced: u64 = parts.flat_map(|parts| parts.unplaced).sum();
                let in_all = in_all.saturating_sub(unplaced);
                ahead.beside_in_phases(&phase.places, known, in_all)
            }
            Part::Event(..) | Part::Later => 0,
        }
    }

    /// The time for which its schedule was followed.
    pub fn length(&self) -> Nanos {
        match &self.part {
            Part::All | Part::Target(_) | Part::Later => self.whole.followed,
            Part::Event(_, effect) => effect.during.end.saturating_sub(effect.during.start),
            Part::Phase(phase) => phase.length,
        }
    }

    /// The longest that this time may become.
    pub fn longest(&self, ahead: Ahead) -> Nanos {
        match self.part {
            Part::All | Part::Target(_) | Part::Later => ahead.longest(self.whole.followed),
            Part::Phase(_) => ahead.longest_phases(self.length()),
            Part::Event(..) => self.length(),
        }
    }

    /// Whether its final numbers describe the limiter: the generator kept its schedule, and no full backlog dropped any of
    /// its requests. For a part of the time, that is any of the run's.
    pub fn is_supported(&self) -> bool {
        let lateness = match self.part {
            Part::Target(place) => &self.whole.lateness[place..=place],
            _ => self.whole.lateness,
        };
        let is_whole = lateness.iter().all(|target| target.backlog_dropped == 0);
        is_whole && self.whole.schedule_kept(Ahead::Nothing)
    }

    /// Whether no request was sent in this part of the run's time.
    pub fn is_idle(&self) -> bool {
        matches!(self.part, Part::Event(..) | Part::Phase(_)) && self.ended().sent() == 0
    }

    /// Why the event's command did not do what it was to do, as far as that is known.
    pub fn failed_command(&self) -> Option<String> {
        let Part::Event(record, _) = self.part else {
            return None;
        };
        match &record.command.as_ref()?.end {
            CommandEnd::Exited(0) | CommandEnd::Running | CommandEnd::Stopped => None,
            end => end.error(),
        }
    }
}

impl PhaseNumbers {
    /// With a further phase, without so many of its unsent requests.
    fn with(mut self, place: usize, tally: &PhaseTally, unplaced: u64) -> PhaseNumbers {
        self.latency += &tally.latency;
        self.service_time += &tally.service_time;
        self.ledger += tally.ledger;
        self.ledger.unsent = self.ledger.unsent.saturating_sub(unplaced);
        self.failures += &tally.failures;
        self.failing_open += tally.failing_open;
        self.length = self.length + tally.length;
        self.places.push(place);
        self
    }
}
