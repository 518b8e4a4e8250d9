use crate::base::Nanos;
use std::time::Duration;

/// Says when a run starts that waits for the clock.
pub fn alignment_line(delay: Nanos, window: Nanos) -> String {
    let delay = Duration::from(delay);
    format!("starts in {delay:.1?}, so that bursts begin on multiples of {window} of the clock")
}
