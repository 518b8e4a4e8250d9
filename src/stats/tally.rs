use super::Sample;
use super::{Spans, TOLERANCE};
use crate::client::{Answer, FailureKind, Outcome};

/// Everything made of a run's samples. Its memory depends on the number of targets and on the
/// longest span, not on the number of samples.
#[derive(Debug)]
pub struct Tally {
    /// done − due: what a caller on the schedule felt.
    pub latency: Spans,
    /// done − sent: what the server took, of requests that reached it.
    pub service_time: Spans,
    /// sent − due: the generator's own error, and any time spent on a new connection.
    pub send_lag: Spans,
    /// The time that requests spent on a new TCP connection, for those that had to and got one.
    pub connect: Spans,
    /// The time they then spent on the TLS handshake.
    pub tls: Spans,
    /// The time that lookups of targets' names took, on threads of their own.
    pub lookup: Spans,
    pub targets: Vec<TargetTally>,
    failures: [u64; FailureKind::ALL.len()],
    /// Requests that left later than the verdict tolerates, connecting aside.
    pub late: u64,
}

/// One target's share of a [`Tally`].
#[derive(Debug, Default)]
pub struct TargetTally {
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
    pub latency: Spans,
}

impl TargetTally {
    pub fn sent(&self) -> u64 {
        self.allowed + self.blocked + self.failed + self.abandoned
    }
}

impl Tally {
    pub fn new(targets: usize) -> Self {
        Tally {
            latency: Spans::default(),
            service_time: Spans::default(),
            send_lag: Spans::default(),
            connect: Spans::default(),
            tls: Spans::default(),
            lookup: Spans::default(),
            targets: (0..targets).map(|_| TargetTally::default()).collect(),
            failures: [0; FailureKind::ALL.len()],
            late: 0,
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        let target = &mut self.targets[sample.target as usize];
        let Answer {
            sent,
            left,
            done,
            connecting,
            outcome,
        } = sample.answer;
        let lag = sent.since(sample.due);
        self.send_lag.record(lag);
        // A request that never left was timed at its attempt, before connecting.
        let connecting = connecting.filter(|_| left);
        if let Some(connecting) = connecting {
            self.connect.record(connecting.tcp);
            if let Some(tls) = connecting.tls {
                self.tls.record(tls);
            }
        }
        let connecting = connecting.map(|connecting| connecting.total());
        if lag.saturating_sub(connecting.unwrap_or_default()) > TOLERANCE {
            self.late += 1;
        }
        match outcome {
            Outcome::Allowed => target.allowed += 1,
            Outcome::Blocked => target.blocked += 1,
            Outcome::Failed(kind) => {
                target.failed += 1;
                self.failures[kind as usize] += 1;
            }
            Outcome::Abandoned => {
                // It was never done, so it has no latency and no service time.
                target.abandoned += 1;
                return;
            }
        }
        let latency = done.since(sample.due);
        self.latency.record(latency);
        target.latency.record(latency);
        if left {
            self.service_time.record(done.since(sent));
        }
    }

    /// The kinds of failure that occurred, with their counts.
    pub fn failures(&self) -> impl Iterator<Item = (FailureKind, u64)> {
        FailureKind::ALL
            .into_iter()
            .map(|kind| (kind, self.failures[kind as usize]))
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Connecting;
    use crate::clock::Moment;
    use crate::keys::KeyId;
    use crate::schedule::Nanos;

    fn sample(due: u64, sent: u64, done: u64, outcome: Outcome) -> Sample {
        Sample {
            sequence: 0,
            key: KeyId(0),
            target: 0,
            due: Moment::at(due),
            answer: Answer {
                sent: Moment::at(sent),
                left: true,
                done: Moment::at(done),
                connecting: None,
                outcome,
            },
        }
    }

    #[test]
    fn latency_is_send_lag_and_service_time_together() {
        let mut tally = Tally::new(1);
        tally.add(&sample(1_000, 1_200, 1_700, Outcome::Allowed));
        assert_eq!(tally.send_lag.max(), Nanos(200));
        assert_eq!(tally.service_time.max(), Nanos(500));
        assert_eq!(tally.latency.max(), Nanos(700));
    }

    #[test]
    fn an_abandoned_request_has_a_send_lag_and_no_latency() {
        let mut tally = Tally::new(1);
        tally.add(&sample(0, 10, 20, Outcome::Abandoned));
        assert_eq!((tally.send_lag.count(), tally.latency.count()), (1, 0));
        assert_eq!(
            (tally.targets[0].abandoned, tally.targets[0].sent()),
            (1, 1)
        );
    }

    #[test]
    fn a_request_that_never_left_has_no_service_time() {
        let mut tally = Tally::new(1);
        let mut refused = sample(0, 10, 20, Outcome::Failed(FailureKind::Refused));
        refused.answer.left = false;
        tally.add(&refused);
        assert_eq!((tally.latency.count(), tally.service_time.count()), (1, 0));
    }

    #[test]
    fn time_spent_connecting_does_not_make_a_request_late() {
        let mut tally = Tally::new(1);
        let lag = 2 * TOLERANCE.0;
        let mut connected = sample(0, lag, lag, Outcome::Allowed);
        connected.answer.connecting = Some(Connecting {
            tcp: Nanos(lag / 3),
            tls: Some(Nanos(lag - lag / 3)),
        });
        tally.add(&connected);
        assert_eq!(tally.late, 0);
        assert_eq!((tally.connect.count(), tally.tls.count()), (1, 1));
        assert!(tally.connect.max() < tally.tls.max());
        tally.add(&sample(0, lag, lag, Outcome::Allowed));
        assert_eq!(tally.late, 1);
    }

    #[test]
    fn time_spent_failing_to_connect_does_not_hide_a_wait_in_the_queue() {
        let mut tally = Tally::new(1);
        let lag = 2 * TOLERANCE.0;
        let mut refused = sample(0, lag, 2 * lag, Outcome::Failed(FailureKind::Connect));
        refused.answer.left = false;
        refused.answer.connecting = Some(Connecting {
            tcp: Nanos(lag),
            tls: None,
        });
        tally.add(&refused);
        assert_eq!((tally.late, tally.connect.count()), (1, 0));
    }

    #[test]
    fn failures_are_counted_by_kind_and_target() {
        let mut tally = Tally::new(2);
        tally.add(&sample(0, 0, 0, Outcome::Failed(FailureKind::Refused)));
        tally.add(&sample(0, 0, 0, Outcome::Failed(FailureKind::Refused)));
        tally.add(&sample(0, 0, 0, Outcome::Failed(FailureKind::Timeout)));
        let failures: Vec<_> = tally.failures().collect();
        assert_eq!(
            failures,
            [(FailureKind::Refused, 2), (FailureKind::Timeout, 1)]
        );
        assert_eq!((tally.targets[0].failed, tally.targets[1].failed), (3, 0));
    }
}
