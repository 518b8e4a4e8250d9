use crate::base::FailureKind;
use crate::core::threshold::measurements::{Ahead, Ended, Measurements, Scope};

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
    Counted {
        name: "scheduled",
        count: Ended::scheduled,
        wholes: &[],
        is_about_generator: true,
    },
    Counted {
        name: "sent",
        count: Ended::sent,
        wholes: &["scheduled"],
        is_about_generator: true,
    },
    Counted {
        name: "dropped",
        count: |ended| ended.ledger.dropped,
        wholes: &["scheduled"],
        is_about_generator: true,
    },
    Counted {
        name: "unsent",
        count: |ended| ended.ledger.unsent,
        wholes: &["scheduled"],
        is_about_generator: true,
    },
    Counted {
        name: "allowed",
        count: |ended| ended.ledger.allowed,
        wholes: &["sent", "scheduled", "success"],
        is_about_generator: false,
    },
    Counted {
        name: "blocked",
        count: |ended| ended.ledger.blocked,
        wholes: &["sent", "scheduled", "success"],
        is_about_generator: false,
    },
    Counted {
        name: "success",
        count: |ended| ended.ledger.allowed + ended.ledger.blocked,
        wholes: &["sent", "scheduled"],
        is_about_generator: false,
    },
    Counted {
        name: FAILED,
        count: Ended::failed,
        wholes: &["sent", "scheduled"],
        is_about_generator: false,
    },
    Counted {
        name: "abandoned",
        count: |ended| ended.ledger.abandoned,
        wholes: &["sent", "scheduled"],
        is_about_generator: false,
    },
];

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
