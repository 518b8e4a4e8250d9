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

/// How far the wall clock's instants may be off that are counted by the monotonic clock from a start.
#[derive(Debug, Clone, Copy)]
pub struct ErrorBound {
    /// When it was found out.
    at: Moment,
    /// The error then.
    error: Nanos,
}

impl ErrorBound {
    /// The bound now, for a start by both clocks that may be over or to come. `given` is how far the wall clock may be off
    /// at any time; without it, the system is asked. `None` if the system does not know.
    pub fn now(start: Moment, by_calendar: SystemTime, given: Option<Nanos>) -> Option<ErrorBound> {
        let error = given.or_else(estimated_error)?;
        let now = Reading::now();
        let start = Reading {
            moment: start,
            calendar: by_calendar,
            gap: Nanos::ZERO,
        };
        let drift = match start.moment <= now.moment {
            true => now.drift_since(&start),
            false => start.drift_since(&now),
        };
        Some(ErrorBound {
            at: now.moment,
            error: error + drift,
        })
    }

    /// The bound at another instant. Between the two, a clock may drift by 500 millionths, the most by which NTP lets one be
    /// slewed ([RFC 5905](https://www.rfc-editor.org/rfc/rfc5905), section 11.3).
    pub fn error_at(&self, instant: Moment) -> Nanos {
        let apart = instant.since(self.at).max(self.at.since(instant));
        self.error + Nanos(apart.0.div_ceil(2_000))
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
    fn a_bound_counts_the_given_error_the_offset_from_the_start_and_the_drift_since() {
        let now = Reading::now();
        let off = Duration::from_millis(20);
        for (start, by_calendar) in [
            (now.moment, now.calendar + off),
            (now.moment, now.calendar - off),
            // A start that is to come.
            (
                now.moment + Nanos(60_000_000_000),
                now.calendar + Duration::from_secs(60) + off,
            ),
        ] {
            let bound = ErrorBound::now(start, by_calendar, Some(Nanos(5_000_000))).unwrap();
            let error = bound.error_at(bound.at);
            assert!((25_000_000..35_000_000).contains(&error.0), "{error}");
            for instant in [
                bound.at + Nanos(4_000_000),
                Moment::at(bound.at.as_nanos() - 4_000_000),
            ] {
                assert_eq!(bound.error_at(instant), error + Nanos(2_000));
            }
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
