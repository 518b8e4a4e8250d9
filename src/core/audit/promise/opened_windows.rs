//! Windows that an admission opens, each after the end of the last: whether any choice of decisions explains the
//! admissions of one key.
//!
//! The first admission opens a window.
//! Each admission that surely comes before the window's end, W − ε after its opening, counts in it. Each that surely
//! comes after the end, W + ε after the opening, opens the next. Of those in between either may be true, so all choices
//! are followed. Once a request of the key was not answered or failed, it may have opened the next window unseen. The latest
//! window goes on until its end nevertheless, and nothing more follows after it.

use super::Interval;
use crate::base::Nanos;
use crate::core::audit::bounds::{Bounds, PriorUse};

#[derive(Debug, Clone)]
pub(super) enum OpenedWindows {
    /// Nothing was admitted so far.
    Unopened,
    /// The latest window is one of these. Without any, no choice of decisions explains the admissions.
    OneOf(Vec<Choice>),
    /// The same, and a request whose answer is not known may open the next one.
    Last(Vec<Choice>),
    /// A window may have been opened by a request whose answer is not known.
    Unknown,
}

/// A state that the latest window may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice {
    /// The earliest and the latest instant of its opening. Instants here count from W + ε before the run's start.
    opened: Interval,
    /// How many requests it has surely admitted.
    count: u64,
    /// Whether there was none before it.
    is_first: bool,
}

/// With more choices than these, the two most alike become one that is true of both.
const MOST_CHOICES: usize = 16;

impl OpenedWindows {
    pub fn new(prior_use: PriorUse) -> OpenedWindows {
        match prior_use {
            PriorUse::Anyone => OpenedWindows::Unknown,
            PriorUse::None => OpenedWindows::Unopened,
        }
    }

    pub fn impossible() -> OpenedWindows {
        OpenedWindows::OneOf(Vec::new())
    }

    pub fn is_impossible(&self) -> bool {
        match self {
            OpenedWindows::OneOf(choices) | OpenedWindows::Last(choices) => choices.is_empty(),
            OpenedWindows::Unopened | OpenedWindows::Unknown => false,
        }
    }

    /// From now on nothing follows. What is proved stays proved.
    pub fn lose_sight(&mut self) {
        *self = match std::mem::replace(self, OpenedWindows::Unknown) {
            OpenedWindows::OneOf(choices) | OpenedWindows::Last(choices) => {
                OpenedWindows::Last(choices)
            }
            OpenedWindows::Unopened | OpenedWindows::Unknown => OpenedWindows::Unknown,
        };
    }

    /// Takes in one admission. They come in the order of their dones.
    pub fn admit(&mut self, sent: Nanos, done: Nanos, bounds: &Bounds) {
        let decided = Interval::new(sent + bounds.longest_window, done + bounds.longest_window);
        match self {
            OpenedWindows::Unopened => {
                *self = OpenedWindows::OneOf(vec![Choice {
                    opened: decided,
                    count: 1,
                    is_first: true,
                }]);
            }
            OpenedWindows::OneOf(choices) => {
                let mut next = Vec::with_capacity(2 * choices.len());
                for choice in &*choices {
                    next.extend(choice.count_in(decided, bounds));
                    next.extend(choice.open_next(decided, bounds));
                }
                *choices = few(next);
            }
            OpenedWindows::Last(choices) => {
                let is_over = |choice: &Choice| choice.open_next(decided, bounds).is_some();
                if choices.iter().any(is_over) {
                    *self = OpenedWindows::Unknown;
                    return;
                }
                let counted = choices.iter();
                let counted = counted.filter_map(|choice| choice.count_in(decided, bounds));
                *choices = few(counted.collect());
            }
            OpenedWindows::Unknown => {}
        }
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            OpenedWindows::OneOf(choices) | OpenedWindows::Last(choices) => {
                choices.capacity() * size_of::<Choice>()
            }
            OpenedWindows::Unopened | OpenedWindows::Unknown => 0,
        }
    }
}

impl Choice {
    /// The state if a request decided in this interval was admitted in this window, or before it.
    fn count_in(&self, decided: Interval, bounds: &Bounds) -> Option<Choice> {
        let Interval { from: sent, .. } = decided;
        if sent > self.opened.to + bounds.longest_window {
            return None;
        }
        let mut choice = *self;
        if sent <= self.opened.to {
            // It may have opened the window or, unless that is the first, have come before it.
            choice.opened.from = choice.opened.from.min(sent);
        }
        if sent > self.opened.to || self.is_first {
            choice.count += 1;
            let earliest = sent.saturating_sub(bounds.longest_window);
            choice.opened.from = choice.opened.from.max(earliest);
        }
        (choice.count <= bounds.most).then_some(choice)
    }

    /// The state if a request decided in this interval opened another window.
    fn open_next(&self, decided: Interval, bounds: &Bounds) -> Option<Choice> {
        let end = self.opened.from + bounds.shortest_window;
        (decided.to >= end).then(|| Choice {
            opened: Interval::new(decided.from.max(end), decided.to),
            count: 1,
            is_first: false,
        })
    }
}

/// The choices without repetitions, and not too many.
fn few(mut choices: Vec<Choice>) -> Vec<Choice> {
    choices.sort_unstable();
    choices.dedup();
    while choices.len() > MOST_CHOICES {
        let apart = |place: &usize| choices[place + 1].opened.from - choices[*place].opened.from;
        let nearest = (0..choices.len() - 1)
            .min_by_key(apart)
            .expect("more than one");
        let other = choices.remove(nearest + 1);
        let choice = &mut choices[nearest];
        choice.opened.to = choice.opened.to.max(other.opened.to);
        choice.count = choice.count.min(other.count);
        choice.is_first &= other.is_first;
    }
    choices
}

/// The most requests that may have been admitted in one window, whichever admissions opened windows: all choices are
/// followed, and each admission counts in every window in which it may have been.
#[derive(Debug, Clone)]
pub(super) struct MostInOpened {
    /// `None` if nothing is known of windows.
    windows: Option<Vec<FullWindow>>,
    most: u64,
}

/// A state that the latest window may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FullWindow {
    /// The earliest and the latest instant of its opening.
    opened: Interval,
    /// How many requests it may have admitted.
    count: u64,
    /// How many requests the window before it may have admitted.
    before: u64,
}

impl MostInOpened {
    pub fn new(prior_use: PriorUse) -> MostInOpened {
        MostInOpened {
            windows: (prior_use == PriorUse::None).then(Vec::new),
            most: 0,
        }
    }

    pub fn lose_sight(&mut self) {
        self.windows = None;
    }

    /// Takes in one admission. They come in the order of their dones.
    pub fn admit(&mut self, sent: Nanos, done: Nanos, bounds: &Bounds) {
        let Some(windows) = &mut self.windows else {
            return;
        };
        if windows.is_empty() {
            windows.push(FullWindow {
                opened: Interval::new(sent, done),
                count: 0,
                before: 0,
            });
        }
        let mut next = Vec::with_capacity(windows.len() + 1);
        for window in &*windows {
            next.extend(window.open_next(sent, done, bounds));
            next.extend(window.count_in(sent, bounds));
        }
        *windows = fullest(next);
        let most = windows.iter().map(|window| window.count.max(window.before));
        self.most = self.most.max(most.max().unwrap_or(0));
    }

    /// The most requests beyond the limit; `None` if nothing is known of windows.
    pub fn beyond(&self, bounds: &Bounds) -> Option<u64> {
        self.windows.as_ref()?;
        Some(self.most.saturating_sub(bounds.limit))
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        let windows = self.windows.as_ref().map_or(0, Vec::capacity);
        windows * size_of::<FullWindow>()
    }
}

impl FullWindow {
    /// The state if a request was admitted in this window, or before it.
    fn count_in(&self, sent: Nanos, bounds: &Bounds) -> Option<FullWindow> {
        if sent > self.opened.to + bounds.longest_window {
            return None;
        }
        let may_be_before = sent <= self.opened.to;
        Some(FullWindow {
            opened: Interval::new(self.opened.from.min(sent), self.opened.to),
            count: self.count + 1,
            before: self.before + u64::from(may_be_before && self.before > 0),
        })
    }

    /// The state if a request opened another window.
    fn open_next(&self, sent: Nanos, done: Nanos, bounds: &Bounds) -> Option<FullWindow> {
        let end = self.opened.from + bounds.shortest_window;
        (done >= end && self.count > 0).then(|| FullWindow {
            opened: Interval::new(sent.max(end), done),
            count: 1,
            before: self.count,
        })
    }
}

/// Not too many states. Those most alike become one that is no less full than each.
fn fullest(mut states: Vec<FullWindow>) -> Vec<FullWindow> {
    states.sort_unstable();
    states.dedup();
    while states.len() > MOST_CHOICES {
        let apart = |place: &usize| states[place + 1].opened.from - states[*place].opened.from;
        let nearest = (0..states.len() - 1)
            .min_by_key(apart)
            .expect("more than one");
        let other = states.remove(nearest + 1);
        let state = &mut states[nearest];
        state.opened.to = state.opened.to.max(other.opened.to);
        state.count = state.count.max(other.count);
        state.before = state.before.max(other.before);
    }
    states
}
