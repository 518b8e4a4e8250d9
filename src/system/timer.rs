//! Sleeping until an exact instant, for the pacer.

use crate::base::{Moment, Nanos};
use crate::system::Stop;
use std::cell::Cell;
use std::time::Duration;

/// A clock to read and to sleep by. The pacer's tests use a fake one.
pub trait Timer {
    fn now(&self) -> Moment;

    /// Sleeps until `deadline` or until a stop is requested, whichever comes first. May return early. Returns late only
    /// by the system's own delay and the slack.
    fn sleep_until(&self, deadline: Moment, stop: &Stop);

    /// Lets every sleep from now on last this much longer, so that the system can wake several sleepers at once. A new
    /// timer has the least slack, [`EXACT`].
    fn allow_slack(&self, slack: Nanos);
}

/// The system's finest timer.
#[derive(Debug)]
pub struct SystemTimer {
    slack: Cell<Nanos>,
}

/// The least slack there is.
pub const EXACT: Nanos = Nanos(1);

/// A stop takes effect at most this late, since a stop does not interrupt the last part of a sleep.
const UNINTERRUPTIBLE: Nanos = Nanos(20_000_000);

impl SystemTimer {
    /// A timer for the calling thread, whose slack it sets.
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
        let interruptible = deadline.since(Moment::now() + UNINTERRUPTIBLE);
        if interruptible > Nanos::ZERO && stop.wait(Duration::from(interruptible)) {
            return;
        }
        sleep_exactly_until(deadline);
    }

    /// Linux's default is 50 µs. Other systems have no such setting.
    fn allow_slack(&self, slack: Nanos) {
        if self.slack.replace(slack) != slack {
            #[cfg(target_os = "linux")]
            if let Some(nanos) = std::num::NonZeroU64::new(slack.0) {
                // Only sandboxes that forbid prctl refuse this. The slack then stays as it is.
                let _ = rustix::thread::set_current_timer_slack(Some(nanos));
            }
        }
    }
}

/// Sleeps to an absolute time, so that a preemption between reading the clock and going to sleep adds nothing. A signal
/// may end it early.
#[cfg(target_os = "linux")]
fn sleep_exactly_until(deadline: Moment) {
    use super::clock::LEAD;
    use rustix::thread::{ClockId, Timespec, clock_nanosleep_absolute};
    let nanos = (deadline - LEAD).as_nanos();
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
    use std::sync::Arc;
    use std::sync::mpsc::{self, RecvTimeoutError::Timeout};

    #[test]
    fn a_sleep_ends_at_its_deadline_and_not_before() {
        let stop = Stop::default();
        for millis in [0, 1, 30] {
            let deadline = Moment::now() + Nanos(millis * 1_000_000);
            SystemTimer::for_this_thread().sleep_until(deadline, &stop);
            let woke = Moment::now();
            assert!(woke >= deadline, "{:?} early", deadline.since(woke));
            let late = woke.since(deadline);
            assert!(late < Nanos(10_000_000_000), "{late:?} late");
        }
    }

    #[test]
    fn a_sleep_of_minutes_goes_on_until_a_stop_and_no_longer() {
        let stop = Arc::new(Stop::default());
        let (events, sleeper) = mpsc::channel();
        // Not joined: a sleep that ignores the stop would hold the failing test up for minutes.
        std::thread::spawn({
            let stop = stop.clone();
            move || {
                let deadline = Moment::now() + Nanos(600_000_000_000);
                events.send("falls asleep").unwrap();
                SystemTimer::for_this_thread().sleep_until(deadline, &stop);
                events.send("woke up").unwrap();
            }
        });
        assert_eq!(sleeper.recv(), Ok("falls asleep"));
        let early = sleeper.recv_timeout(Duration::from_millis(200));
        assert_eq!(early, Err(Timeout), "before the stop");
        stop.request();
        let woken = sleeper.recv_timeout(Duration::from_secs(60));
        assert_eq!(woken, Ok("woke up"), "a minute after the stop");
    }
}
