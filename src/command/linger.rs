//! The time for which metrics stay available after a run.

use crate::base::{Moment, Nanos};
use crate::cli::Setup;
use crate::client::Stopped;
use crate::system::Stop;
use crate::system::signals::Signals;
use std::time::Duration;

/// The last part of a run that serves metrics: Prometheus gets the final numbers.
pub(super) struct Linger {
    until: Moment,
    time: Duration,
    is_stopped: bool,
}

impl Linger {
    /// From now on, the next signal ends the linger and not the process. Returns `None` if there is no time for it.
    ///
    /// After a signal, whoever sent it may lose patience: `docker stop` kills after a grace. So the run ends after the
    /// drain timeout at the latest, and the linger has what requests in flight left of that.
    pub fn begin(
        setup: &Setup,
        stop: &Stop,
        signals: &Signals,
        stopped_waiting: Stopped,
    ) -> Option<Linger> {
        let requested = setup.metrics.as_ref()?.linger;
        if requested.is_zero() || stopped_waiting == Stopped::Yes {
            return None;
        }
        let now = Moment::now();
        let end = |is_stopped: bool| {
            let stopped = stop.requested_at().filter(|_| is_stopped);
            let latest = stopped.map(|at| at + Nanos::from(setup.plan.drain.after_stop));
            (now + Nanos::from(requested)).min(latest.unwrap_or(Moment::MAX))
        };
        if end(signals.have_come()) <= now {
            return None;
        }
        let is_stopped = signals.begin_last_wait();
        let until = end(is_stopped);
        Some(Linger {
            until,
            time: until.since(now).into(),
            is_stopped,
        })
    }

    /// The line that says where the metrics are, for how long, and how to end that.
    pub fn announcement(&self, url: &str) -> String {
        let (seconds, signal) = match self.is_stopped {
            true => (format!("{:.1}s", self.time.as_secs_f64()), "second signal"),
            false => (format!("{:?}", self.time), "signal"),
        };
        format!("metrics stay available at {url} for {seconds}; a {signal} ends that")
    }

    /// Returns at the end of the time, or at the signal.
    pub fn wait(self, signals: &Signals) {
        signals.wait(self.until.since(Moment::now()).into());
    }
}
