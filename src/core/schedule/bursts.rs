use super::piece::steady::Steady;
use super::{Piece, Profile, Rate};
use crate::base::Nanos;
use std::sync::Arc;

/// The default profile: a steady rate r with bursts of rate b. Each burst lasts B, one starts every I, and the first one
/// at F.
///
/// It is the profile `r for F`, and then for ever the round `burst b for B, r for I − B`.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    steady: Rate,
    burst: Rate,
    duration: Nanos,
    interval: Nanos,
    first: Nanos,
}

impl Bursts {
    /// The first burst starts after one interval.
    ///
    /// # Panics
    /// Unless 0 < `duration` < `interval`, and both rates are over 0.
    pub fn new(steady: Rate, burst: Rate, duration: Nanos, interval: Nanos) -> Self {
        assert!(Nanos::ZERO < duration && duration < interval);
        assert!(steady > Rate::ZERO && burst > Rate::ZERO);
        Bursts {
            steady,
            burst,
            duration,
            interval,
            first: interval,
        }
    }

    /// The same bursts with the interval rounded up to whole windows. The first burst still starts after the interval
    /// that was given.
    ///
    /// # Panics
    /// If the window is zero.
    pub fn whole_windows_apart(self, window: Nanos) -> Self {
        let windows = self.interval.0.div_ceil(window.0);
        Bursts {
            interval: window * windows,
            ..self
        }
    }
}

impl From<Bursts> for Profile {
    fn from(bursts: Bursts) -> Profile {
        let Bursts {
            steady,
            burst,
            duration,
            interval,
            first,
        } = bursts;
        let mut text =
            format!("{steady}/s with bursts of {burst}/s for {duration} every {interval}");
        if first != interval {
            text += &format!(" from {first}");
        }
        let pieces: [Arc<dyn Piece>; 3] = [
            Arc::new(Steady::new(steady, Some(first))),
            Arc::new(Steady::burst(burst, duration)),
            Arc::new(Steady::new(steady, Some(interval - duration))),
        ];
        Profile::with_lead(pieces.into(), 1, None, text)
    }
}
