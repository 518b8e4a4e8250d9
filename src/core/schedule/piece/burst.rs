use super::Kind;
use super::steady::Steady;
use crate::core::schedule::Rate;
use std::sync::Arc;

/// A [`Steady`] rate that is announced as a burst.
pub(super) const KIND: Kind = Kind {
    form: "burst RATE for TIME",
    read: |text| {
        if !text.takes_before_rate("burst") {
            return Ok(None);
        }
        let rate = text.rate(Rate::MAX)?;
        text.keyword("for")?;
        Ok(Some(Arc::new(Steady::burst(rate, text.time()?))))
    },
};
