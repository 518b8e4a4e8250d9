use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::{Count, Rate};
use std::fmt;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    form: "burst RATE for TIME",
    read: |text| {
        if !text.takes_before_rate("burst") {
            return Ok(None);
        }
        let rate = text.rate(Rate::MAX)?;
        text.keyword("for")?;
        let length = text.time()?;
        Ok(Some(Arc::new(Burst { rate, length })))
    },
};

/// A constant rate r that is announced as a burst: N(t) = r·t, as for [`Steady`](super::steady::Steady).
#[derive(Debug)]
pub struct Burst {
    /// Over 0.
    pub rate: Rate,
    pub length: Nanos,
}

impl Piece for Burst {
    fn mode(&self) -> Mode {
        Mode::Burst
    }

    fn length(&self) -> Option<Nanos> {
        Some(self.length)
    }

    fn rate(&self) -> String {
        format!("{}/s", self.rate)
    }

    fn rate_at(&self, _: Nanos) -> f64 {
        self.rate.as_f64()
    }

    fn count_at(&self, t: Nanos) -> Count {
        self.rate.over(t)
    }

    fn time_of(&self, number: Count) -> Option<Nanos> {
        self.rate.time_for(number)
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "burst {}/s for {:#}", self.rate, self.length)
    }
}
