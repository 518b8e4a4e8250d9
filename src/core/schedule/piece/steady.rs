use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::{Count, Rate};
use std::fmt;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    form: "RATE [for TIME]",
    read: |text| {
        if !text.is_number() {
            return Ok(None);
        }
        let rate = text.rate(Rate::MAX_STEADY)?;
        let has_length = text.takes("for");
        let length = has_length.then(|| text.time()).transpose()?;
        Ok(Some(Arc::new(Steady { rate, length })))
    },
};

/// A constant rate r:
///
/// ```text
/// N(t) = r·t          request c is due at t = ⌈c / r⌉
/// ```
///
/// The rate's integral is a straight line, so both are exact: one multiplication and one division of integers.
#[derive(Debug)]
pub struct Steady {
    /// Over 0.
    pub rate: Rate,
    /// `None` lasts for ever.
    pub length: Option<Nanos>,
}

impl Piece for Steady {
    fn mode(&self) -> Mode {
        Mode::Steady
    }

    fn length(&self) -> Option<Nanos> {
        self.length
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

impl fmt::Display for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            None => write!(f, "{}/s", self.rate),
            Some(length) => write!(f, "{}/s for {length:#}", self.rate),
        }
    }
}
