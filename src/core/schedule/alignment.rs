use super::Schedule;
use crate::base::{Mode, Nanos};
use std::time::{SystemTime, UNIX_EPOCH};

/// The start of a run whose bursts begin at multiples of a window on the clock. The windows of many limiters begin there,
/// such as minutes at :00.
///
/// The schedule itself knows no clock. Its bursts are whole windows apart, and the start waits until the first of them
/// will begin at such a multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alignment {
    window: Nanos,
    first_burst: Nanos,
}

/// The reason why no start aligns the bursts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misaligned {
    #[error("there is no burst within the run")]
    NoBurst,
    #[error("the bursts at {0} and {1} are not whole windows apart")]
    Apart(Nanos, Nanos),
}

impl Alignment {
    /// # Errors
    /// The schedule has no burst, or two that are not whole windows apart.
    ///
    /// # Panics
    /// If the window is zero.
    pub fn new(schedule: &Schedule, window: Nanos) -> Result<Alignment, Misaligned> {
        // By then, each phase of a profile that repeats has begun at least twice.
        let round = schedule.profile().round();
        let twice = round.map_or(Nanos::MAX, |round| round * 3);
        let phases = schedule.phases().take_while(|phase| phase.start <= twice);
        let bursts = phases.filter(|phase| phase.mode() == Mode::Burst);
        let mut starts = bursts.map(|phase| phase.start);
        let first = starts.next().ok_or(Misaligned::NoBurst)?;
        for start in starts {
            if !(start - first).0.is_multiple_of(window.0) {
                return Err(Misaligned::Apart(first, start));
            }
        }
        Ok(Alignment {
            window,
            first_burst: first,
        })
    }

    pub fn window(&self) -> Nanos {
        self.window
    }

    /// The wait from `now` to the start, which is less than a window.
    pub fn delay(&self, now: SystemTime) -> Nanos {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let window = u128::from(self.window.0);
        let since = (now.as_nanos() + u128::from(self.first_burst.0)) % window;
        Nanos(((window - since) % window) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bursts, Profile, Rate};
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn seconds(seconds: u64) -> Nanos {
        Nanos(seconds * SECOND)
    }

    proptest! {
        #[test]
        fn bursts_begin_on_multiples_of_the_window_after_less_than_one(
            now in 0..u64::MAX, window in 1_000_000..=1_000_000_000_000_000_000u64,
            interval in 2..=10_000 * SECOND
        ) {
            let rate = Rate::from_nano(SECOND);
            let bursts = Bursts::new(rate, rate, Nanos(1), Nanos(interval));
            let bursts = bursts.whole_windows_apart(Nanos(window));
            let schedule = Schedule::new(bursts, None);
            let alignment = Alignment::new(&schedule, Nanos(window)).unwrap();
            let delay = alignment.delay(UNIX_EPOCH + Duration::from_nanos(now));
            prop_assert!(delay < Nanos(window));
            let starts = schedule.phases().filter(|phase| phase.mode() == Mode::Burst);
            for burst in starts.take(3) {
                let at = u128::from(now) + u128::from(delay.0) + u128::from(burst.start.0);
                prop_assert_eq!(at % u128::from(window), 0);
            }
        }
    }

    #[test]
    fn bursts_of_the_default_profile_begin_at_full_minutes() {
        let rate = Rate::from_nano(SECOND);
        let bursts = Bursts::new(rate, rate, seconds(5), seconds(30));
        let bursts = bursts.whole_windows_apart(seconds(60));
        let schedule = Schedule::new(bursts, Some(seconds(600)));
        let alignment = Alignment::new(&schedule, seconds(60)).unwrap();
        let day = 1_700_006_400;
        for (since, delay) in [(0, 30), (29, 1), (30, 0), (31, 59), (59, 31)] {
            let now = UNIX_EPOCH + Duration::from_secs(day + since);
            assert_eq!(alignment.delay(now), seconds(delay), "{since}");
        }
        let before_time = UNIX_EPOCH - Duration::from_secs(5);
        assert!(alignment.delay(before_time) < seconds(60));
    }

    #[test]
    fn bursts_of_both_kinds_must_be_whole_windows_apart_in_a_round_and_from_round_to_round() {
        let apart = |a, b| Err(Misaligned::Apart(seconds(a), seconds(b)));
        let two = |pause| format!("1/s for 3s, burst 5 at once, pause {pause}s, burst 1/s for 5s");
        let one = |pause| format!("1/s for 3s, burst 5 at once, pause {pause}s");
        for (profile, cut, expected) in [
            (two(10), None, Ok(())),
            (two(9), None, apart(3, 12)),
            // The second burst is never reached.
            (two(9), Some(12), Ok(())),
            (one(17) + ", repeat", None, Ok(())),
            (one(18) + ", repeat", None, apart(3, 24)),
            (one(18) + ", repeat 2 times", None, apart(3, 24)),
            (one(18), None, Ok(())),
            ("1/s for 3s, repeat".into(), None, Err(Misaligned::NoBurst)),
            (two(10), Some(3), Err(Misaligned::NoBurst)),
        ] {
            let schedule = Schedule::new(profile.parse::<Profile>().unwrap(), cut.map(seconds));
            let aligned = Alignment::new(&schedule, seconds(10)).map(|_| ());
            assert_eq!(aligned, expected, "{profile} until {cut:?}");
        }
    }
}
