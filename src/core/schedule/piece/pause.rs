use super::{Kind, Piece};
use crate::base::{Mode, Nanos};
use crate::core::schedule::Count;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    form: "pause TIME",
    read: |text| {
        if !text.takes("pause") {
            return Ok(None);
        }
        Ok(Some(Arc::new(Pause(text.time()?))))
    },
};

/// No requests for a while: N(t) = 0, so the next request is due when the pause is over.
#[derive(Debug)]
pub struct Pause(pub Nanos);

impl Piece for Pause {
    fn mode(&self) -> Mode {
        Mode::Pause
    }

    fn length(&self) -> Option<Nanos> {
        Some(self.0)
    }

    fn rate(&self) -> String {
        String::new()
    }

    fn typed(&self) -> String {
        format!("pause {:#}", self.0)
    }

    fn count_at(&self, _: Nanos) -> Count {
        Count::ZERO
    }

    fn passed(&self, _: Nanos) -> Count {
        Count::ZERO
    }

    fn time_of(&self, _: Count) -> Option<Nanos> {
        None
    }
}
