use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::Count;
use std::sync::Arc;

/// The most requests that may come at once.
const MAX_REQUESTS: u64 = 1_000_000_000;

pub(super) const KIND: Kind = Kind {
    form: "burst COUNT at once",
    read: |text| {
        if !text.takes("burst") {
            return Ok(None);
        }
        let requests = text.whole(MAX_REQUESTS)?;
        text.keyword("at")?;
        text.keyword("once")?;
        Ok(Some(Arc::new(AtOnce(requests))))
    },
};

/// n requests at one instant, which lasts no time:
///
/// ```text
/// N(t) = n          request c < n is due at t = 0
/// ```
///
/// The rate has no integral here: N jumps from 0 to n at the start.
#[derive(Debug)]
pub struct AtOnce(pub u64);

impl Piece for AtOnce {
    fn mode(&self) -> Mode {
        Mode::Burst
    }

    fn length(&self) -> Option<Nanos> {
        Some(Nanos::ZERO)
    }

    fn rate(&self) -> String {
        format!("{} at once", self.0)
    }

    fn typed(&self) -> String {
        format!("burst {} at once", self.0)
    }

    fn count_at(&self, _: Nanos) -> Count {
        Count::requests(self.0)
    }

    fn passed(&self, t: Nanos) -> Count {
        self.count_at(t)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        (number < Count::requests(self.0)).then_some(Nanos::ZERO)
    }
}
