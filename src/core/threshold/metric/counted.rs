use crate::base::FailureKind;
use crate::core::threshold::measurements::{Ahead, Ended, Measurements, Scope};
use crate::core::threshold::number::{self, Number, Quantity};

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
pub(super) const ALL: [Counted; 9] = [
    Counted::about_generator("scheduled", Ended::scheduled, &[]),
    Counted::about_generator("sent", Ended::sent, &["scheduled"]),
    Counted::about_generator("dropped", |ended| ended.ledger.dropped, &["scheduled"]),
    Counted::about_generator("unsent", |ended| ended.ledger.unsent, &["scheduled"]),
    Counted::about_limiter(
        "allowed",
        |ended| ended.ledger.allowed,
        &["sent", "scheduled", "success"],
    ),
    Counted::about_limiter(
        "blocked",
        |ended| ended.ledger.blocked,
        &["sent", "scheduled", "success"],
    ),
    Counted::about_limiter(
        "success",
        |ended| ended.ledger.success(),
        &["sent", "scheduled"],
    ),
    Counted::about_limiter(FAILED, Ended::failed, &["sent", "scheduled"]),
    Counted::about_limiter(
        "abandoned",
        |ended| ended.ledger.abandoned,
        &["sent", "scheduled"],
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

/// The wholes of the failures of one kind.
const WHOLES_OF_KIND: [&str; 3] = ["sent", "scheduled", FAILED];

/// The requests of one row, or the failures of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requests {
    pub scope: Scope,
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
    pub fn count_and_more(&self, measurements: &Measurements, ahead: Ahead) -> (u64, u64) {
        let ended = measurements.ended(self.scope);
        let more = ahead.beside(self.scope, ended.scheduled());
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
            target: match self.scope {
                Scope::All => None,
                Scope::Target(place) => Some(place),
            },
            quantity,
            is_about_generator: self.counted.is_about_generator,
        }
    }

    pub fn wholes(&self) -> &'static [&'static str] {
        match self.kind {
            Some(_) => &WHOLES_OF_KIND,
            None => self.counted.wholes,
        }
    }

    /// The requests of the same scope with this name.
    pub fn named(&self, name: &str) -> Requests {
        let counted = ALL.iter().find(|counted| counted.name == name);
        Requests {
            scope: self.scope,
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
