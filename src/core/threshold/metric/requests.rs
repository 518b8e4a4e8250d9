//! The metrics that count requests: `failed.rate < 0.1%`.

use super::counted::{Counted, FAILED, NOT_BY_EVENT, Requests};
use super::family::{Family, Metric};
use super::{count, per_second, share};
use crate::base::FailureKind;
use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::scope::Scope;

type Read = fn(Requests) -> Box<dyn Metric>;

/// The numbers of requests, and what makes metrics of them. A new one is a file and a row.
const NUMBERS: [(&str, Read); 3] = [
    ("count", count::read),
    (SHARE, share::read),
    ("per_second", per_second::read),
];

/// Only requests that are part of a whole have this number.
const SHARE: &str = "rate";

impl Family for Counted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of(&self, scope: &Scope) -> bool {
        !matches!(scope, Scope::Event(_)) || !NOT_BY_EVENT.contains(&self.name)
    }

    fn read(
        &'static self,
        scope: &Scope,
        cursor: &mut Cursor,
    ) -> Result<Box<dyn Metric>, SyntaxError> {
        let mut requests = Requests {
            is_by_event: matches!(scope, Scope::Event(_)),
            counted: self,
            kind: None,
        };
        if self.name == FAILED && cursor.takes("[") {
            let name = cursor.one_of(&FailureKind::ALL.map(FailureKind::name))?;
            cursor.symbol("]", name)?;
            let mut kinds = FailureKind::ALL.into_iter();
            requests.kind = kinds.find(|kind| kind.name() == name);
        }
        cursor.symbol(".", self.name)?;
        let mut names = NUMBERS.map(|(name, _)| name).to_vec();
        names.retain(|name| *name != SHARE || !requests.wholes().is_empty());
        let name = cursor.one_of(&names)?;
        let number = NUMBERS.iter().find(|(number, _)| *number == name);
        let (_, read) = number.expect("one of the names");
        Ok(read(requests))
    }
}
