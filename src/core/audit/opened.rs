//! Windows that an admission opens, each after the end of the last: whether any choice of decisions explains the
//! admissions of one key.

use super::terms::{Bounds, PriorUse};

#[derive(Debug, Clone)]
pub(super) enum Opened {
    /// Nothing was admitted so far.
    Never(PriorUse),
    /// What may have been; without any choice, nothing explains what was seen.
    Perhaps(Vec<Choice>),
    /// A window may have been opened by a request whose answer is not known.
    Unseen,
}

/// What the latest window may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// When it was opened at the earliest, and at the latest. Before the run's start is below zero.
    earliest: i128,
    latest: i128,
    /// How many it has surely admitted.
    count: u64,
    /// Whether there was none before it.
    first: bool,
}

/// More choices than these become fewer and vaguer.
const MOST_CHOICES: usize = 16;

impl Opened {
    pub fn new(prior_use: PriorUse) -> Opened {
        match prior_use {
            PriorUse::Anyone => Opened::Unseen,
            PriorUse::None | PriorUse::EarlierRun => Opened::Never(prior_use),
        }
    }

    /// Nothing explains what was seen.
    pub fn impossible() -> Opened {
        Opened::Perhaps(Vec::new())
    }

    pub fn is_impossible(&self) -> bool {
        matches!(self, Opened::Perhaps(choices) if choices.is_empty())
    }

    /// From now on nothing follows; what has been shown stays.
    pub fn unseen(&mut self) {
        if !self.is_impossible() {
            *self = Opened::Unseen;
        }
    }

    /// One was admitted. They come in the order of their dones.
    pub fn admit(&mut self, sent: u64, done: u64, bounds: &Bounds) {
        let (sent, done) = (i128::from(sent), i128::from(done));
        match self {
            Opened::Never(prior_use) => {
                let fresh = *prior_use == PriorUse::None;
                let earliest = match fresh {
                    true => sent,
                    false => sent - i128::from(bounds.beyond),
                };
                *self = Opened::Perhaps(vec![Choice {
                    earliest,
                    latest: done,
                    count: 1,
                    first: fresh,
                }]);
            }
            Opened::Perhaps(choices) => {
                let next = choices.iter().flat_map(|choice| {
                    let [same, another] = [
                        choice.same(sent, bounds),
                        choice.another(sent, done, bounds),
                    ];
                    [same, another].into_iter().flatten()
                });
                *choices = few(next.collect());
            }
            Opened::Unseen => {}
        }
    }

    pub fn memory(&self) -> usize {
        match self {
            Opened::Perhaps(choices) => choices.capacity() * size_of::<Choice>(),
            Opened::Never(_) | Opened::Unseen => 0,
        }
    }
}

impl Choice {
    /// What follows if one sent then was admitted in this window, or before it.
    fn same(&self, sent: i128, bounds: &Bounds) -> Option<Choice> {
        if sent > self.latest + i128::from(bounds.beyond) {
            return None;
        }
        let mut choice = *self;
        if sent <= self.latest {
            // It may have opened the window, or, unless that is the first, have come before it.
            choice.earliest = choice.earliest.min(sent);
        }
        if sent > self.latest || self.first {
            choice.count += 1;
            choice.earliest = choice.earliest.max(sent - i128::from(bounds.beyond));
        }
        (choice.count <= bounds.limit).then_some(choice)
    }

    /// What follows if it opened another window.
    fn another(&self, sent: i128, done: i128, bounds: &Bounds) -> Option<Choice> {
        let end = self.earliest + i128::from(bounds.within);
        (done >= end).then(|| Choice {
            earliest: sent.max(end),
            latest: done,
            count: 1,
            first: false,
        })
    }
}

/// Without repetitions, and not too many: of the two that are most alike what is true of both.
fn few(mut choices: Vec<Choice>) -> Vec<Choice> {
    choices.sort_unstable_by_key(|c| (c.earliest, c.latest, c.count, c.first));
    choices.dedup();
    while choices.len() > MOST_CHOICES {
        let apart = |place: &usize| choices[place + 1].earliest - choices[*place].earliest;
        let nearest = (0..choices.len() - 1)
            .min_by_key(apart)
            .expect("more than one");
        let other = choices.remove(nearest + 1);
        let choice = &mut choices[nearest];
        choice.latest = choice.latest.max(other.latest);
        choice.count = choice.count.min(other.count);
        choice.first &= other.first;
    }
    choices
}
