//! How long requests may still take after the last one was due.

use crate::base::{Moment, Nanos};
use std::time::Duration;

/// The time that requests get after pacing has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// The time for requests in flight after a stop. Queued requests are not sent then.
    pub after_stop: Duration,
    /// The time for all requests after the schedule's end. `None` gives queued requests one timeout to be sent in, and each
    /// request in flight its own timeout.
    pub after_schedule: Option<Duration>,
}

/// The instants at which a drain becomes stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainDeadlines {
    /// From then on, no queued request is sent.
    pub sending: Moment,
    /// From then on, requests in flight are abandoned.
    pub answers: Moment,
}

impl Drain {
    /// The deadlines of a run whose pacing ended at `ended`. `stopped` is the moment of the stop, if there was one, before or
    /// after the end. `timeout` is the longest time for one whole request.
    pub fn deadlines(
        self,
        ended: Moment,
        stopped: Option<Moment>,
        timeout: Duration,
    ) -> DrainDeadlines {
        let after = |moment: Moment, time: Duration| moment + Nanos::from(time);
        if let Some(stopped) = stopped {
            return DrainDeadlines {
                sending: stopped,
                answers: after(stopped.max(ended), self.after_stop),
            };
        }
        match self.after_schedule {
            Some(time) => DrainDeadlines {
                sending: after(ended, time),
                answers: after(ended, time),
            },
            // Each request ends by its own timeout. The rest is for a machine that is slow to notice.
            None => DrainDeadlines {
                sending: after(ended, timeout),
                answers: after(ended, 2 * timeout + SLACK),
            },
        }
    }

    /// The time that requests which were sent before the schedule's end may still take.
    pub fn at_normal_end(self, timeout: Duration) -> Duration {
        self.after_schedule.unwrap_or(timeout)
    }
}

const SLACK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn deadlines(after_schedule: Option<u64>, stopped: Option<u64>) -> [u64; 2] {
        let second = |second: u64| Moment::at(second * 1_000_000_000);
        let drain = Drain {
            after_stop: Duration::from_secs(8),
            after_schedule: after_schedule.map(Duration::from_secs),
        };
        let DrainDeadlines { sending, answers } =
            drain.deadlines(second(60), stopped.map(second), TIMEOUT);
        [sending, answers].map(|deadline| deadline.as_nanos() / 1_000_000_000)
    }

    #[test]
    fn at_a_normal_end_each_request_gets_its_own_timeout_even_the_last_that_was_queued() {
        assert_eq!(deadlines(None, None), [70, 81]);
    }

    #[test]
    fn a_stop_leaves_the_queue_unsent_and_cuts_off_what_is_in_flight() {
        assert_eq!(deadlines(None, Some(60)), [60, 68]);
        // The pacer may notice it late.
        assert_eq!(deadlines(None, Some(59)), [59, 68]);
        // A stop during the drain shortens it.
        assert_eq!(deadlines(None, Some(65)), [65, 73]);
    }

    #[test]
    fn a_given_time_holds_for_a_normal_end_too() {
        assert_eq!(deadlines(Some(2), None), [62, 62]);
        assert_eq!(deadlines(Some(2), Some(61)), [61, 69]);
    }
}
