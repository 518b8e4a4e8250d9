//! The wall clock beside the monotonic one, and how far it may be off.

use crate::base::{Moment, Nanos};
use std::time::SystemTime;

/// Both clocks at the same instant, but for the time that reading them takes.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub moment: Moment,
    pub calendar: SystemTime,
    /// The most time by which the two may be apart because they are read one after the other.
    pub gap: Nanos,
}

/// How often the clocks are read. The closest readings count.
const TRIES: usize = 5;

impl Reading {
    pub fn now() -> Reading {
        let readings = (0..TRIES).map(|_| {
            let (before, calendar, after) = (Moment::now(), SystemTime::now(), Moment::now());
            Reading {
                moment: before,
                calendar,
                gap: after.since(before),
            }
        });
        let closest = readings.min_by_key(|reading| reading.gap);
        closest.expect("several readings")
    }

    /// How far the wall clock has moved against the monotonic one since an `earlier` reading, in either direction.
    pub fn drift_since(&self, earlier: &Reading) -> Nanos {
        let monotonic = i128::from(self.moment.since(earlier.moment).0);
        let signed = match self.calendar.duration_since(earlier.calendar) {
            Ok(passed) => i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX),
            Err(back) => -i128::try_from(back.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        let apart = signed.saturating_sub(monotonic).unsigned_abs();
        Nanos(u64::try_from(apart).unwrap_or(u64::MAX)) + self.gap + earlier.gap
    }
}

/// The most that the wall clock is off, as the kernel and its time service estimate it: `maxerror` of adjtimex(2). `None` if
/// the system has no such call, or its clock is not synchronized.
pub fn estimated_error() -> Option<Nanos> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all fields of the structure may be zero, which means that nothing is to be changed. The call only writes
        // into it.
        let (state, clock) = unsafe {
            let mut clock: libc::timex = std::mem::zeroed();
            (libc::adjtimex(&mut clock), clock)
        };
        let is_synchronized =
            state >= 0 && state != libc::TIME_ERROR && clock.status & libc::STA_UNSYNC == 0;
        let micros = u64::try_from(clock.maxerror)
            .ok()
            .filter(|_| is_synchronized)?;
        Some(Nanos(micros.saturating_mul(1_000)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reading(moment: u64, calendar: u64) -> Reading {
        Reading {
            moment: Moment::at(moment),
            calendar: SystemTime::UNIX_EPOCH + Duration::from_nanos(calendar),
            gap: Nanos(1),
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_in_either_direction_is_drift() {
        let first = reading(1_000, 50_000);
        for (moment, calendar, drift) in [
            (2_000, 51_000, 2),
            (2_000, 51_500, 502),
            (2_000, 40_000, 11_002),
        ] {
            assert_eq!(reading(moment, calendar).drift_since(&first), Nanos(drift));
        }
    }

    #[test]
    fn two_readings_of_the_real_clocks_are_close() {
        let (first, second) = (Reading::now(), Reading::now());
        assert!(second.moment >= first.moment);
        // A test machine's clock may be set, but not by a day.
        assert!(second.drift_since(&first) < Nanos(86_400_000_000_000));
    }
}
