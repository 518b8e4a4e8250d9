use crate::base::FailureKind;
use crate::core::threshold::measurements::{Ahead, Ended};
use crate::core::threshold::number::{self, Number, Quantity};
use crate::core::threshold::view::View;

/// A kind of requests that is counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub name: &'static str,
    count: fn(&Ended) -> u64,
    /// The names of the wholes of which they can be a share. The first is the default.
    wholes: &'static [&'static str],
    is_about_generator: bool,
}

/// A new kind of requests is one row.
pub(super) const ALL: [Counted; 10] = [
    Counted::about_generator(SCHEDULED, Ended::scheduled, &[]),
    Counted::about_generator("sent", Ended::sent, &[SCHEDULED]),
    Counted::about_generator("dropped", |ended| ended.ledger.dropped, &[SCHEDULED]),
    Counted::about_generator("unsent", |ended| ended.ledger.unsent, &[SCHEDULED]),
    Counted::about_limiter(
        "allowed",
        |ended| ended.ledger.allowed,
        &["sent", SCHEDULED, "success"],
    ),
    Counted::about_limiter(
        "blocked",
        |ended| ended.ledger.blocked,
        &["sent", SCHEDULED, "success"],
    ),
    Counted::about_limiter(
        "success",
        |ended| ended.ledger.success(),
        &["sent", SCHEDULED],
    ),
    Counted::about_limiter(FAILED, Ended::failed, &["sent", SCHEDULED]),
    Counted::about_limiter(
        "failing_open",
        |ended| ended.failing_open,
        &["sent", SCHEDULED, "success", "allowed"],
    ),
    Counted::about_limiter(
        "abandoned",
        |ended| ended.ledger.abandoned,
        &["sent", SCHEDULED],
    ),
];

impl Counted {
    const fn about_generator(
        name: &'static str,
        count: fn(&Ended) -> u64,
        wholes: &'static [&'static str],
    ) -> Counted {
        Counted {
            name,
            count,
            wholes,
            is_about_generator: true,
        }
    }

    const fn about_limiter(
        name: &'static str,
        count: fn(&Ended) -> u64,
        wholes: &'static [&'static str],
    ) -> Counted {
        Counted {
            is_about_generator: false,
            ..Counted::about_generator(name, count, wholes)
        }
    }
}

/// The requests of which some kinds can be counted, such as `failed[timeout]`.
pub(super) const FAILED: &str = "failed";

/// The requests that are not counted by event: those that never left. An event has only requests that were sent.
pub(super) const NOT_BY_EVENT: [&str; 3] = [SCHEDULED, "dropped", "unsent"];

const SCHEDULED: &str = "scheduled";

/// The wholes of the failures of one kind.
const WHOLES_OF_KIND: [&str; 3] = ["sent", SCHEDULED, FAILED];

/// The requests of one row, or the failures of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requests {
    /// Whether they are those of an event.
    pub is_by_event: bool,
    pub counted: &'static Counted,
    pub kind: Option<FailureKind>,
}

impl Requests {
    pub fn count(&self, ended: &Ended) -> u64 {
        match self.kind {
            Some(kind) => ended.failures.of(kind),
            None => (self.counted.count)(ended),
        }
    }

    /// The count of these requests, and the range in which it may end up.
    pub fn count_and_more(&self, view: &View, ahead: Ahead) -> (u64, u64) {
        let ended = view.ended();
        let more = view.ahead(ahead, ended.scheduled());
        (self.count(&ended), more)
    }

    pub fn is_about_generator(&self) -> bool {
        self.counted.is_about_generator
    }

    pub fn counted(&self) -> number::Counted {
        number::Counted {
            name: self.counted.name,
            kind: self.kind,
        }
    }

    pub fn number(&self, quantity: Quantity) -> Number {
        Number {
            target: None,
            quantity,
            is_about_generator: self.counted.is_about_generator,
        }
    }

    /// The names of the wholes of which they can be a share. The first is the default.
    pub fn wholes(&self) -> Vec<&'static str> {
        let wholes = match self.kind {
            Some(_) => &WHOLES_OF_KIND,
            None => self.counted.wholes,
        };
        let is_whole = |whole: &&&str| !self.is_by_event || **whole != SCHEDULED;
        wholes.iter().filter(is_whole).copied().collect()
    }

    /// The requests of the same scope with this name.
    pub fn named(&self, name: &str) -> Requests {
        let counted = ALL.iter().find(|counted| counted.name == name);
        Requests {
            is_by_event: self.is_by_event,
            counted: counted.expect("a name in the table"),
            kind: None,
        }
    }
}

/// The names of the wholes of which these requests can be a share.
pub(super) fn wholes(of: &number::Counted) -> &'static [&'static str] {
    let known = ALL.iter().find(|counted| counted.name == of.name);
    match of.kind {
        Some(_) => &WHOLES_OF_KIND,
        None => known.map_or(&[], |counted| counted.wholes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_whole_is_in_the_table() {
        let wholes = ALL.iter().flat_map(|counted| counted.wholes);
        for whole in wholes.chain(&WHOLES_OF_KIND) {
            assert!(ALL.iter().any(|counted| counted.name == *whole), "{whole}");
        }
    }
}
