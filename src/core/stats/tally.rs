use super::{
    AddressTallies, Buckets, Counters, Failures, Histogram, Lateness, Suspension, TOLERANCE,
};
use crate::base::{ConnectTimes, FailureCause, FailureKind, Outcome, Sample};
use crate::core::round_robin::RoundRobin;
use std::ops::Range;

/// Everything that is made of a run's samples for the run as a whole. Its memory depends on the number of targets and on
/// the longest duration, not on the number of samples.
#[derive(Debug, Default)]
pub struct Tally {
    /// done − due of answered requests: what a caller on the schedule felt.
    pub latency: Histogram,
    /// done − sent of answered requests: what the server took.
    pub service_time: Histogram,
    /// done − due of failed requests.
    pub failed_after: Histogram,
    /// sent − due: the generator's own error, the time spent on a new connection, and the wait for a target that holds all
    /// workers that it can.
    pub send_lag: Histogram,
    pub send_lag_buckets: Buckets,
    /// The time that requests spent on a new TCP connection, for those that needed one and got it.
    pub connect: Histogram,
    /// The time that they then spent on the TLS handshake.
    pub tls: Histogram,
    /// The time that lookups of targets' names took. No request waits for them.
    pub lookup: Histogram,
    /// In the plan's order.
    pub targets: Vec<TargetTally>,
    /// The times for which the process was suspended. Whoever adds samples sets them before those that they delayed.
    pub suspensions: Vec<Suspension>,
}

/// One target's share of a [`Tally`].
#[derive(Debug, Default)]
pub struct TargetTally {
    pub failures: Failures,
    /// The allowed requests of which the answers say that the limiter fails open.
    pub failing_open: u64,
    pub latency: Histogram,
    pub latency_buckets: Buckets,
    pub service_time: Histogram,
    pub service_time_buckets: Buckets,
    pub failed_after_buckets: Buckets,
    pub send_lag: Histogram,
    /// Requests that left more than [`TOLERANCE`] after they were due, time spent on connecting aside.
    pub late: u64,
    /// The same for requests that waited because the target held all workers that it can. These do not count in `late`.
    pub backlog_late: u64,
    /// Requests that never left this machine. These do not count as late.
    pub local: u64,
    /// Requests that were late because of a suspension. These count in neither `late` nor `backlog_late`.
    pub suspended_late: u64,
    /// Requests that were dropped because of a suspension.
    pub suspended_dropped: u64,
    /// The requests by the address that they went to. Those that tried to reach none are left out.
    pub addresses: AddressTallies,
}

impl Tally {
    pub fn new(targets: usize) -> Self {
        Tally {
            targets: (0..targets).map(|_| TargetTally::default()).collect(),
            ..Tally::default()
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        self.add_send_lag(sample);
        let target = &mut self.targets[sample.target as usize];
        if let Some(cause) = FailureCause::of(&sample.answer) {
            target.failures.add(cause);
        }
        target.failing_open += u64::from(sample.answer.failing_open);
        let latency_by_address = sample.answer.address.and_then(|address| {
            let (addresses, latency) = (&mut target.addresses, &target.latency);
            addresses.count(address, sample.answer.outcome, latency)
        });
        if let Some(failed_after) = sample.failed_after() {
            self.failed_after.record(failed_after);
            target.failed_after_buckets.record(failed_after);
        }
        if let Some(latency) = sample.latency() {
            self.latency.record(latency);
            target.latency.record(latency);
            if let Some(of_address) = latency_by_address {
                of_address.record(latency);
            }
            target.latency_buckets.record(latency);
        }
        if let Some(service_time) = sample.service_time() {
            self.service_time.record(service_time);
            target.service_time.record(service_time);
            target.service_time_buckets.record(service_time);
        }
    }

    /// The answers as if each request had been sent when it was due: the latency is the service time. Only latency, service
    /// time and failures are set.
    #[must_use]
    pub fn as_if_on_time(&self) -> Tally {
        let target = |target: &TargetTally| TargetTally {
            failures: target.failures.clone(),
            failing_open: target.failing_open,
            latency: target.service_time.clone(),
            service_time: target.service_time.clone(),
            ..TargetTally::default()
        };
        Tally {
            latency: self.service_time.clone(),
            service_time: self.service_time.clone(),
            targets: self.targets.iter().map(target).collect(),
            ..Tally::default()
        }
    }

    /// The answers as if each had taken the median of the service times. Only latency, service time and failures are set.
    #[must_use]
    pub fn as_if_typical(&self) -> Tally {
        let typical = |times: &Histogram| {
            let mut typical = Histogram::default();
            if times.count() > 0 {
                typical.record(times.quantile(0.5));
            }
            typical
        };
        let mut tally = self.as_if_on_time();
        for target in &mut tally.targets {
            target.latency = typical(&target.latency);
            target.service_time = typical(&target.service_time);
        }
        tally.latency = typical(&tally.latency);
        tally.service_time = typical(&tally.service_time);
        tally
    }

    fn add_send_lag(&mut self, sample: &Sample) {
        let lag = sample.send_lag();
        let mut suspensions = self.suspensions.iter();
        let was_suspended = suspensions.any(|suspension| suspension.delayed(sample.sequence));
        let target = &mut self.targets[sample.target as usize];
        target.send_lag.record(lag);
        self.send_lag.record(lag);
        self.send_lag_buckets.record(lag);
        // The send lag of a request that was not transmitted ends before it tried to connect.
        let answer = &sample.answer;
        let connecting = answer.connecting.filter(|_| answer.transmitted);
        if let Some(ConnectTimes { tcp, tls }) = connecting {
            self.connect.record(tcp);
            if let Some(tls) = tls {
                self.tls.record(tls);
            }
        }
        let connecting = connecting.map(|times| times.total()).unwrap_or_default();
        if answer.outcome == Outcome::Failed(FailureKind::Local) {
            target.local += 1;
        } else if lag.saturating_sub(connecting) > TOLERANCE {
            *match (was_suspended, sample.waited_for_target) {
                (true, _) => &mut target.suspended_late,
                (false, false) => &mut target.late,
                (false, true) => &mut target.backlog_late,
            } += 1;
        }
    }

    /// How many of these requests a suspension delayed.
    fn are_suspended(&self, requests: &Range<u64>) -> u64 {
        let suspensions = self.suspensions.iter();
        // Two suspensions in short succession may have delayed the same requests.
        let overlaps = suspensions.map(|suspension| suspension.overlap(requests));
        overlaps.sum::<u64>().min(requests.end - requests.start)
    }

    /// Counts the requests that were dropped because of a suspension among these, which were dropped.
    pub fn add_dropped(&mut self, requests: &Range<u64>, round_robin: RoundRobin) {
        if self.are_suspended(requests) == 0 {
            return;
        }
        for suspension in &self.suspensions {
            let start = suspension.due.start.max(requests.start);
            let end = suspension.due.end.min(requests.end).max(start);
            for (target, count) in round_robin.shares(start..end) {
                self.targets[target].suspended_dropped += count;
            }
        }
    }

    /// The lateness by target, in the plan's order, with that of unsent requests from the counters. During a run, ledgers
    /// that go with it have to be read first.
    pub fn lateness(&self, counters: &Counters) -> Vec<Lateness> {
        let targets = self.targets.iter().enumerate();
        let lateness = targets.map(|(place, tally)| {
            let counters = counters.target(place);
            Lateness {
                late: tally.late + counters.unsent_late.get(),
                backlog_late: tally.backlog_late + counters.backlog_unsent_late.get(),
                backlog_dropped: counters.backlog_dropped.get(),
                local: tally.local,
                suspended_late: tally.suspended_late,
                suspended_dropped: tally.suspended_dropped,
                unreached: 0,
                before_joining: counters.before_joining.get(),
            }
        });
        lateness.collect()
    }

    pub fn failures(&self) -> Failures {
        let mut sum = Failures::default();
        for target in &self.targets {
            sum += &target.failures;
        }
        sum
    }

    /// The allowed requests of which the answers say that the limiter fails open.
    pub fn failing_open(&self) -> u64 {
        self.targets.iter().map(|target| target.failing_open).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Address, Answer, KeyId, Moment, Nanos};
    use crate::core::stats::OutcomeCounts;
    use crate::core::stripe::Stripe;

    fn sample(due: u64, sent: u64, done: u64, outcome: Outcome) -> Sample {
        Sample {
            sequence: 0,
            key: KeyId(0),
            target: 0,
            due: Moment::at(due),
            waited_for_target: false,
            answer: Answer::new(Moment::at(sent), Moment::at(done), outcome),
        }
    }

    #[test]
    fn latency_is_send_lag_and_service_time_together() {
        let mut tally = Tally::new(1);
        tally.add(&sample(1_000, 1_200, 1_700, Outcome::Allowed));
        let longest = [&tally.send_lag, &tally.service_time, &tally.latency].map(Histogram::max);
        assert_eq!(longest, [200, 500, 700].map(Nanos));
    }

    #[test]
    fn admissions_while_failing_open_are_counted_by_target() {
        let mut tally = Tally::new(2);
        for (target, failing_open) in [(0, false), (1, true), (1, false), (1, true)] {
            let mut sample = sample(0, 0, 1_000, Outcome::Allowed);
            sample.target = target;
            sample.answer.failing_open = failing_open;
            tally.add(&sample);
        }
        let by_target: Vec<_> = tally.targets.iter().map(|of| of.failing_open).collect();
        assert_eq!((&by_target[..], tally.failing_open()), (&[0, 2][..], 2));
    }

    fn sample_to(address: &str, latency: u64, outcome: Outcome) -> Sample {
        let mut to = sample(0, 0, latency, outcome);
        to.answer.address = Some(Address::new(address));
        to
    }

    #[test]
    fn requests_of_one_target_are_counted_by_address_as_soon_as_it_has_several() {
        let mut tally = Tally::new(1);
        tally.add(&sample_to("10.1.0.1:80", 1_000, Outcome::Allowed));
        tally.add(&sample_to("10.1.0.1:80", 5_000, Outcome::Blocked));
        let reset = Outcome::Failed(FailureKind::Reset);
        tally.add(&sample_to("10.1.0.1:80", 9_000, reset));
        assert_eq!(tally.targets[0].addresses.of_several().count(), 0);
        tally.add(&sample_to("10.1.0.2:80", 7_000, Outcome::Allowed));
        tally.add(&sample_to("10.1.0.1:80", 3_000, Outcome::Allowed));
        tally.add(&sample(0, 0, 0, Outcome::Failed(FailureKind::Dns)));
        let addresses = &tally.targets[0].addresses;
        let of_several = addresses.of_several().map(|(tally, latency)| {
            let OutcomeCounts {
                sent,
                allowed,
                blocked,
                failed,
                ..
            } = tally.counts;
            let address = tally.address.text();
            (address, [sent, allowed, blocked, failed], latency.count())
        });
        let expected = [
            ("10.1.0.1:80", [4, 2, 1, 1], 3),
            ("10.1.0.2:80", [1, 1, 0, 0], 1),
        ];
        assert_eq!(of_several.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn beyond_the_most_addresses_of_a_target_all_others_are_one() {
        let mut tally = Tally::new(1);
        let count = Address::MOST + 10;
        for last in (0..count).chain(0..count) {
            let address = format!("10.2.0.{last}:80");
            tally.add(&sample_to(&address, 1_000, Outcome::Allowed));
        }
        let all = tally.targets[0].addresses.all();
        assert_eq!(all.len(), Address::MOST + 1);
        let sent: Vec<_> = all.iter().map(|tally| tally.counts.sent).collect();
        assert_eq!((sent[0], sent[Address::MOST]), (2, 20));
        assert_eq!(all[Address::MOST].address, Address::OTHER);
    }

    #[test]
    fn an_abandoned_request_has_a_send_lag_and_no_latency() {
        let mut tally = Tally::new(1);
        tally.add(&sample(0, 10, 20, Outcome::Abandoned));
        assert_eq!((tally.send_lag.count(), tally.latency.count()), (1, 0));
        assert_eq!(tally.send_lag_buckets.count(), 1);
        assert_eq!(tally.targets[0].latency_buckets.count(), 0);
    }

    #[test]
    fn a_failed_request_has_a_time_of_its_own_and_no_latency() {
        let mut tally = Tally::new(1);
        tally.add(&sample(0, 10, 20, Outcome::Failed(FailureKind::Reset)));
        assert_eq!((tally.latency.count(), tally.service_time.count()), (0, 0));
        assert_eq!(
            (tally.failed_after.count(), tally.failed_after.max()),
            (1, Nanos(20))
        );
        let target = &tally.targets[0];
        assert_eq!(target.latency_buckets.count(), 0);
        assert_eq!(target.service_time_buckets.count(), 0);
    }

    #[test]
    fn a_request_that_never_left_this_machine_is_not_late_but_counted_apart() {
        let mut tally = Tally::new(1);
        let late = 2 * TOLERANCE.0;
        tally.add(&sample(0, late, late, Outcome::Failed(FailureKind::Local)));
        let target = &tally.targets[0];
        assert_eq!((target.late, target.local), (0, 1));
        assert_eq!(tally.lateness(&Counters::new(1, Stripe::WHOLE))[0].local, 1);
    }

    #[test]
    fn time_spent_connecting_does_not_make_a_request_late() {
        let mut tally = Tally::new(1);
        let lag = 2 * TOLERANCE.0;
        let mut connected = sample(0, lag, lag, Outcome::Allowed);
        connected.answer.connecting = Some(ConnectTimes {
            tcp: Nanos(lag / 3),
            tls: Some(Nanos(lag - lag / 3)),
        });
        tally.add(&connected);
        assert_eq!(tally.targets[0].late, 0);
        assert_eq!((tally.connect.count(), tally.tls.count()), (1, 1));
        assert!(tally.connect.max() < tally.tls.max());
        tally.add(&sample(0, lag, lag, Outcome::Allowed));
        assert_eq!(tally.targets[0].late, 1);
    }

    #[test]
    fn a_request_that_waited_for_its_target_is_late_by_the_target_s_fault() {
        let mut tally = Tally::new(2);
        for lag in [TOLERANCE, TOLERANCE + Nanos(1)] {
            let waited = sample(0, lag.0, lag.0, Outcome::Allowed);
            tally.add(&Sample {
                target: 1,
                waited_for_target: true,
                ..waited
            });
        }
        let late: Vec<_> = tally
            .targets
            .iter()
            .map(|t| (t.late, t.backlog_late))
            .collect();
        assert_eq!(late, [(0, 0), (0, 1)]);
    }

    #[test]
    fn a_request_that_was_due_in_a_suspension_is_late_or_dropped_because_of_it() {
        let mut tally = Tally::new(2);
        tally.suspensions.push(Suspension {
            length: Nanos(1),
            due: 10..20,
            stripe: Stripe::WHOLE,
        });
        for (sequence, lag) in [(9, 1), (10, 0), (10, 1), (19, 1), (20, 1)] {
            let lag = TOLERANCE.0 + lag;
            let late = sample(0, lag, lag, Outcome::Allowed);
            tally.add(&Sample {
                sequence,
                waited_for_target: sequence == 19,
                ..late
            });
        }
        tally.add_dropped(&(15..30), RoundRobin::new(2, Stripe::WHOLE));
        tally.add_dropped(&(30..40), RoundRobin::new(2, Stripe::WHOLE));
        let [first, second] = &tally.targets[..] else {
            panic!("{:?}", tally.targets);
        };
        assert_eq!((first.late, first.backlog_late), (2, 0));
        assert_eq!(first.suspended_late, 2);
        let dropped = [first, second].map(|target| target.suspended_dropped);
        assert_eq!(dropped, [2, 3]);
    }

    #[test]
    fn time_spent_failing_to_connect_does_not_hide_a_wait_in_the_queue() {
        let mut tally = Tally::new(1);
        let lag = 2 * TOLERANCE.0;
        let mut refused = sample(0, lag, 2 * lag, Outcome::Failed(FailureKind::Connect));
        refused.answer.transmitted = false;
        refused.answer.connecting = Some(ConnectTimes {
            tcp: Nanos(lag),
            tls: None,
        });
        tally.add(&refused);
        assert_eq!((tally.targets[0].late, tally.connect.count()), (1, 0));
    }

    #[test]
    fn failures_are_counted_by_kind_and_target() {
        use FailureKind::{Refused, Timeout};
        let mut tally = Tally::new(2);
        for (target, kind) in [(0, Refused), (1, Refused), (1, Timeout)] {
            let failed = sample(0, 0, 0, Outcome::Failed(kind));
            tally.add(&Sample { target, ..failed });
        }
        let occurred = |failures: &Failures| {
            let all = failures.by_kind();
            all.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        assert_eq!(occurred(&tally.failures()), [(Refused, 2), (Timeout, 1)]);
        let second = &tally.targets[1].failures;
        assert_eq!(occurred(second), [(Refused, 1), (Timeout, 1)]);
    }
}
