use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::{Count, Rate};
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
        Ok(Some(Arc::new(Steady::new(rate, length))))
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
    mode: Mode,
    /// Over 0.
    rate: Rate,
    /// `None` lasts for ever.
    length: Option<Nanos>,
}

impl Steady {
    pub fn new(rate: Rate, length: Option<Nanos>) -> Steady {
        let mode = Mode::Steady;
        Steady { mode, rate, length }
    }

    /// The same rate, announced as a burst.
    pub fn burst(rate: Rate, length: Nanos) -> Steady {
        Steady {
            mode: Mode::Burst,
            ..Steady::new(rate, Some(length))
        }
    }
}

impl Piece for Steady {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn length(&self) -> Option<Nanos> {
        self.length
    }

    fn rate(&self) -> String {
        format!("{}/s", self.rate)
    }

    fn typed(&self) -> String {
        match (self.mode, self.length) {
            (Mode::Burst, Some(length)) => format!("burst {}/s for {length:#}", self.rate),
            (_, Some(length)) => format!("{}/s for {length:#}", self.rate),
            (_, None) => self.rate(),
        }
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
