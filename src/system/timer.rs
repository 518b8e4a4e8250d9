//! Sleeping to exact instants, for the pacer.

use crate::base::{Moment, Nanos};
use crate::system::Stop;
use std::cell::Cell;
use std::time::Duration;

/// What the pacer needs of time, so that its tests can run on a fake one.
pub trait Timer {
    fn now(&self) -> Moment;

    /// Sleeps until `deadline` or until the run is asked to stop, whichever comes first. May
    /// return early; never returns late but for the system's own delay and the slack.
    fn sleep_until(&self, deadline: Moment, stop: &Stop);

    /// From now on, a sleep may last this much longer, so that the system can wake several
    /// sleepers at once. At first that is as little as the system can do.
    fn allow_slack(&self, slack: Nanos);
}

/// The system's finest timer.
#[derive(Debug)]
pub struct SystemTimer {
    slack: Cell<Nanos>,
}

/// The least slack there is.
pub const EXACT: Nanos = Nanos(1);

/// A sleep that nothing can interrupt is at most this long, so a stop is heeded this soon.
const UNINTERRUPTED: Nanos = Nanos(20_000_000);

impl SystemTimer {
    /// For the calling thread.
    pub fn for_this_thread() -> Self {
        let timer = SystemTimer {
            slack: Cell::new(Nanos::MAX),
        };
        timer.allow_slack(EXACT);
        timer
    }
}

impl Timer for SystemTimer {
    fn now(&self) -> Moment {
        Moment::now()
    }

    fn sleep_until(&self, deadline: Moment, stop: &Stop) {
        let interruptible = deadline.since(Moment::now() + UNINTERRUPTED);
        if interruptible > Nanos::ZERO && stop.wait(Duration::from(interruptible)) {
            return;
        }
        sleep_exactly_until(deadline);
    }

    /// Linux gives ordinary threads 50 µs. Other systems have no such switch.
    fn allow_slack(&self, slack: Nanos) {
        if self.slack.replace(slack) != slack {
            #[cfg(target_os = "linux")]
            if let Some(nanos) = std::num::NonZeroU64::new(slack.0) {
                // Refused only in sandboxes that forbid prctl: then wake-ups are as they were.
                let _ = rustix::thread::set_current_timer_slack(Some(nanos));
            }
        }
    }
}

/// To an absolute time, so that being preempted between reading the clock and going to sleep
/// adds nothing. A signal may end it early.
#[cfg(target_os = "linux")]
fn sleep_exactly_until(deadline: Moment) {
    use rustix::thread::{ClockId, Timespec, clock_nanosleep_absolute};
    let nanos = deadline.as_nanos();
    let deadline = Timespec {
        tv_sec: (nanos / 1_000_000_000) as i64,
        tv_nsec: (nanos % 1_000_000_000) as _,
    };
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &deadline);
}

#[cfg(not(target_os = "linux"))]
fn sleep_exactly_until(deadline: Moment) {
    std::thread::sleep(deadline.since(Moment::now()).into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_at_its_deadline_and_not_before() {
        let stop = Stop::default();
        for millis in [0, 1, 30] {
            let deadline = Moment::now() + Nanos(millis * 1_000_000);
            while Moment::now() < deadline {
                SystemTimer::for_this_thread().sleep_until(deadline, &stop);
            }
            assert!(Moment::now() >= deadline);
        }
    }

    #[test]
    fn a_stop_ends_a_sleep_of_minutes_at_once() {
        let stop = Stop::default();
        let start = Moment::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                SystemTimer::for_this_thread().sleep_until(start + Nanos(600_000_000_000), &stop)
            });
            // Long enough for the sleeper to be asleep.
            std::thread::sleep(Duration::from_millis(200));
            stop.request();
        });
        assert!(Moment::now().since(start) < Nanos(60_000_000_000));
    }
}
