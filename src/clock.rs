//! The one time line of a run: the machine's monotonic clock, in nanoseconds.

use crate::schedule::Nanos;
use crate::stop::Stop;
use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant on the monotonic clock. Its zero is arbitrary; only differences mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    #[cfg(test)]
    pub(crate) fn at(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// The span since `earlier`; zero if that is later.
    pub fn since(self, earlier: Moment) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Moment;

    /// Saturates, 584 years after the clock's zero.
    fn add(self, span: Nanos) -> Moment {
        Moment(self.0.saturating_add(span.0))
    }
}

impl Sub<Nanos> for Moment {
    type Output = Moment;

    /// Saturates at the clock's zero.
    fn sub(self, span: Nanos) -> Moment {
        Moment(self.0.saturating_sub(span.0))
    }
}

/// What the pacer needs of time, so that its tests can run on a fake one.
pub trait Clock {
    fn now(&self) -> Moment;

    /// Sleeps until `deadline` or until the run is asked to stop, whichever comes first. May
    /// return early; never returns late but for the system's own delay.
    fn sleep_until(&self, deadline: Moment, stop: &Stop);
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic;

/// A sleep that nothing can interrupt is at most this long, so a stop is heeded this soon.
const UNINTERRUPTED: Nanos = Nanos(20_000_000);

impl Clock for Monotonic {
    #[cfg(unix)]
    fn now(&self) -> Moment {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Moment(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    #[cfg(not(unix))]
    fn now(&self) -> Moment {
        static ZERO: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        Moment(Nanos::from(ZERO.elapsed()).0)
    }

    fn sleep_until(&self, deadline: Moment, stop: &Stop) {
        let interruptible = deadline.since(self.now() + UNINTERRUPTED);
        if interruptible > Nanos::ZERO && stop.wait(Duration::from(interruptible)) {
            return;
        }
        sleep_exactly_until(deadline);
    }
}

/// To an absolute time, so that being preempted between reading the clock and going to sleep
/// adds nothing. A signal may end it early.
#[cfg(target_os = "linux")]
fn sleep_exactly_until(deadline: Moment) {
    use rustix::thread::{ClockId, Timespec, clock_nanosleep_absolute};
    let deadline = Timespec {
        tv_sec: (deadline.0 / 1_000_000_000) as i64,
        tv_nsec: (deadline.0 % 1_000_000_000) as _,
    };
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &deadline);
}

#[cfg(not(target_os = "linux"))]
fn sleep_exactly_until(deadline: Moment) {
    std::thread::sleep(deadline.since(Monotonic.now()).into());
}

/// Asks for the finest wake-ups there are for the calling thread. Linux lets timers of ordinary
/// threads fire up to 50 µs late to batch them; other systems have no such switch.
pub fn sharpen_this_thread() {
    #[cfg(target_os = "linux")]
    {
        // Refused only in sandboxes that forbid prctl: then wake-ups are as they were.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_at_its_deadline_and_not_before() {
        let stop = Stop::default();
        for millis in [0, 1, 30] {
            let deadline = Monotonic.now() + Nanos(millis * 1_000_000);
            while Monotonic.now() < deadline {
                Monotonic.sleep_until(deadline, &stop);
            }
            assert!(Monotonic.now() >= deadline);
        }
    }

    #[test]
    fn a_stop_ends_a_sleep_of_minutes_at_once() {
        let stop = Stop::default();
        let start = Monotonic.now();
        std::thread::scope(|scope| {
            scope.spawn(|| Monotonic.sleep_until(start + Nanos(600_000_000_000), &stop));
            // Long enough for the sleeper to be asleep.
            std::thread::sleep(Duration::from_millis(200));
            stop.request();
        });
        assert!(Monotonic.now().since(start) < Nanos(60_000_000_000));
    }
}
