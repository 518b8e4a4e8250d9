//! Notes for how long the process was suspended, by Ctrl-Z or SIGSTOP.
//!
//! To itself, a process that was suspended looks like one on a machine that is too slow: it did nothing for a while. But a
//! suspended process continues only by SIGCONT. So a suspension is noted if two things come together: SIGCONT arrives, and
//! the [`beat`] has been missing for [`LEAST`]. A slow machine sends no SIGCONT, and a SIGCONT to a process that runs finds
//! a beat.

use crate::base::{Moment, Nanos};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Release};

/// The shortest suspension that is noted. Beats are much closer together, unless the machine is overloaded.
pub const LEAST: Nanos = Nanos(500_000_000);

/// The most suspensions that are noted.
const MOST: usize = 64;

static NOTES: Notes = Notes::new();

/// The last beat, and the suspensions so far, in nanoseconds of the monotonic clock.
struct Notes {
    /// 0 before the first beat.
    beat: AtomicU64,
    begun: AtomicUsize,
    /// Start and end of each suspension. The end of one that is being noted is 0.
    spans: [[AtomicU64; 2]; MOST],
}

/// The run goes on. Called about ten times a second while it does.
pub fn beat(now: Moment) {
    NOTES.beat(now);
}

/// The suspensions so far, each from the last beat before it to its end: about a tenth of a second longer than it was.
pub fn all() -> Vec<(Moment, Moment)> {
    NOTES.all()
}

/// Notes every suspension from now on.
///
/// # Errors
/// The system refuses the handler.
#[cfg(unix)]
pub(super) fn install() -> std::io::Result<()> {
    // SAFETY: the handler reads the clock and stores into atomics, which is safe within a handler.
    unsafe {
        signal_hook::low_level::register(signal_hook::consts::SIGCONT, || {
            NOTES.continued(Moment::now());
        })?;
    }
    Ok(())
}

impl Notes {
    const fn new() -> Notes {
        Notes {
            beat: AtomicU64::new(0),
            begun: AtomicUsize::new(0),
            spans: [const { [const { AtomicU64::new(0) }; 2] }; MOST],
        }
    }

    fn beat(&self, now: Moment) {
        self.beat.store(now.as_nanos(), Release);
    }

    /// SIGCONT has arrived.
    fn continued(&self, now: Moment) {
        // A second SIGCONT finds this as the last beat.
        let beat = self.beat.swap(now.as_nanos(), Acquire);
        let missing = now.as_nanos().saturating_sub(beat);
        if beat == 0 || missing < LEAST.0 {
            return;
        }
        let place = self.begun.fetch_add(1, Release);
        if let Some([start, end]) = self.spans.get(place) {
            start.store(beat, Release);
            end.store(now.as_nanos(), Release);
        }
    }

    fn all(&self) -> Vec<(Moment, Moment)> {
        let begun = self.begun.load(Acquire).min(MOST);
        let spans = self.spans[..begun].iter();
        let spans = spans.map(|[start, end]| {
            // The end is stored last, so with it there is a start.
            let end = end.load(Acquire);
            (Moment::at(start.load(Acquire)), Moment::at(end))
        });
        spans.filter(|(_, end)| *end > Moment::at(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn second(number: u64) -> Moment {
        Moment::at(number * SECOND)
    }

    #[test]
    fn a_signal_after_a_missing_beat_is_a_suspension() {
        let notes = Notes::new();
        notes.beat(second(5));
        notes.continued(second(17));
        notes.continued(second(17) + Nanos(1_000));
        assert_eq!(notes.all(), [(second(5), second(17))]);
    }

    #[test]
    fn neither_a_missing_beat_nor_a_signal_is_one_by_itself() {
        let notes = Notes::new();
        notes.continued(second(3));
        assert_eq!(notes.all(), [], "before the run");
        notes.beat(second(5));
        notes.beat(second(9));
        notes.continued(second(9) + Nanos(LEAST.0 - 1));
        assert_eq!(notes.all(), []);
    }

    #[test]
    fn more_suspensions_than_there_is_room_for_are_not_noted() {
        let notes = Notes::new();
        for number in 0..100 {
            notes.beat(second(2 * number + 1));
            notes.continued(second(2 * number + 2));
        }
        let all = notes.all();
        assert_eq!(all.len(), MOST);
        assert_eq!(all[63], (second(127), second(128)));
    }
}
