use super::{Buckets, Failures, Histogram, Lateness, OutcomeCounts, Percentiles, Tally};
use crate::base::{Address, Ledger, Mode, Nanos};
use crate::core::audit::AuditProgress;
use crate::core::events::EventsSoFar;
use crate::core::schedule::Schedule;
use crate::core::stats::effects::SinceEvent;
use std::time::SystemTime;

/// The state of a run at one instant, for observers outside of it.
///
/// While the run goes on, the parts are read a few microseconds apart: the buckets and failures may lack the last requests
/// that the ledgers count as done. After the end all parts agree.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub state: State,
    /// The schedule's start on the system's clock.
    pub started: SystemTime,
    /// The time since the schedule's start, or after the end up to the last answer.
    pub elapsed: Nanos,
    pub targets: Vec<TargetSnapshot>,
    /// sent − due, of all requests sent.
    pub send_lag: Buckets,
    /// The percentiles of latency, service time and send lag, over the whole run so far.
    pub percentiles: [Percentiles; 3],
    /// The preliminary result of the audit, while the run goes on.
    pub audit: Option<AuditProgress>,
    pub events: EventsSoFar,
    /// What has come since the last event began, while the run goes on.
    pub since_event: Option<SinceEvent>,
}

/// One target's share of a [`Snapshot`].
#[derive(Debug, Clone)]
pub struct TargetSnapshot {
    /// The target's base URL.
    pub name: String,
    pub ledger: Ledger,
    pub lateness: Lateness,
    pub failures: Failures,
    /// The allowed requests of which the answers say that the limiter fails open.
    pub failing_open: u64,
    /// done − due of answered requests.
    pub latency: Buckets,
    /// done − sent of answered requests.
    pub service_time: Buckets,
    /// done − due of failed requests.
    pub failed_after: Buckets,
    /// The percentiles of latency.
    pub percentiles: Percentiles,
    /// The requests that ended, by the address that they went to.
    pub addresses: Vec<(Address, OutcomeCounts)>,
}

/// The stage that a run is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// The run waits for its start.
    Waiting,
    /// Tokens come due at this rate, in requests per second.
    Pacing {
        mode: Mode,
        rate: f64,
    },
    /// Nothing comes due any more, and requests in flight are awaited.
    Draining,
    Ended,
}

impl State {
    /// The state of a running run, `elapsed` after its start. `stopped` says whether the run was stopped by then.
    pub fn of(schedule: &Schedule, elapsed: Nanos, stopped: bool) -> State {
        match schedule.phase(elapsed) {
            Some(phase) if !stopped => State::Pacing {
                mode: phase.mode(),
                rate: schedule.share(phase.rate_at(elapsed)),
            },
            _ => State::Draining,
        }
    }
}

impl Snapshot {
    /// `names`, `ledgers`, `lateness` and the tally's targets are in the same order.
    pub fn new(
        state: State,
        started: SystemTime,
        elapsed: Nanos,
        names: impl IntoIterator<Item = String>,
        ledgers: &[Ledger],
        lateness: &[Lateness],
        tally: &Tally,
    ) -> Self {
        let targets = names.into_iter().zip(ledgers).zip(lateness);
        let targets = targets.zip(&tally.targets);
        let targets = targets.map(|(((name, ledger), lateness), tally)| TargetSnapshot {
            name,
            ledger: *ledger,
            lateness: *lateness,
            failures: tally.failures.clone(),
            failing_open: tally.failing_open,
            latency: tally.latency_buckets.clone(),
            service_time: tally.service_time_buckets.clone(),
            failed_after: tally.failed_after_buckets.clone(),
            percentiles: tally.latency.percentiles(),
            addresses: (tally.addresses.all().iter())
                .map(|of| (of.address, of.counts))
                .collect(),
        });
        Snapshot {
            state,
            started,
            elapsed,
            targets: targets.collect(),
            send_lag: tally.send_lag_buckets.clone(),
            percentiles: [&tally.latency, &tally.service_time, &tally.send_lag]
                .map(Histogram::percentiles),
            audit: None,
            events: EventsSoFar::default(),
            since_event: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::schedule::{Bursts, Rate};

    #[test]
    fn a_run_is_paced_by_phases_and_drains_after_its_end_or_a_stop() {
        let second = |n: u64| Nanos(n * 1_000_000_000);
        let rate = |rps| Rate::per_second(rps).unwrap();
        let profile = Bursts::new(rate(10.0), rate(50.0), second(5), second(30));
        let schedule = Schedule::new(profile, Some(second(60)));
        let mode = |at, stopped| match State::of(&schedule, at, stopped) {
            State::Pacing { mode, rate } => Some((mode, rate)),
            _ => None,
        };
        assert_eq!(mode(Nanos::ZERO, false), Some((Mode::Steady, 10.0)));
        assert_eq!(mode(second(30), false), Some((Mode::Burst, 50.0)));
        assert_eq!(mode(second(35), false), Some((Mode::Steady, 10.0)));
        assert_eq!(mode(second(60), false), None);
        assert_eq!(mode(second(30), true), None);
    }
}
