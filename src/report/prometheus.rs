//! A snapshot as Prometheus reads it. Names and units follow its conventions: seconds, base units,
//! totals that never decrease.

use crate::base::{Ledger, Mode, Nanos};
use crate::core::stats::{Buckets, Lateness, OutcomeCounts, Snapshot, State, TargetSnapshot};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Result;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Every metric of a run, as it was at this snapshot. Each name begins with `loadgen_`.
///
/// Every series is there from the first scrape on, at 0, so that the first of its requests is an
/// increase. Targets of the same name are one: their counts are added up.
pub fn registry(snapshot: Arc<Snapshot>) -> Registry {
    let targets = by_name(&snapshot.targets);
    let mut registry = Registry::with_prefix("loadgen");
    registry.register_collector(Box::new(Metrics { snapshot, targets }));
    registry
}

#[derive(Debug)]
struct Metrics {
    snapshot: Arc<Snapshot>,
    targets: Vec<TargetSnapshot>,
}

/// A target may have been given more than once, but two series of the same labels are an error.
fn by_name(targets: &[TargetSnapshot]) -> Vec<TargetSnapshot> {
    let mut named: Vec<TargetSnapshot> = Vec::with_capacity(targets.len());
    for target in targets {
        match named.iter_mut().find(|other| other.name == target.name) {
            None => named.push(target.clone()),
            Some(other) => {
                other.ledger += target.ledger;
                other.lateness = other.lateness + target.lateness;
                other.failures += &target.failures;
                other.failing_open += target.failing_open;
                other.latency += &target.latency;
                other.service_time += &target.service_time;
                other.failed_after += &target.failed_after;
                for (address, counts) in &target.addresses {
                    let mut known = other.addresses.iter_mut();
                    match known.find(|(known, _)| known == address) {
                        Some((_, sum)) => *sum += counts,
                        None => other.addresses.push((*address, *counts)),
                    }
                }
            }
        }
    }
    named
}

type OfLedger = fn(&Ledger) -> u64;

const TOTALS: [(&str, &str, OfLedger); 4] = [
    (
        "requests_scheduled",
        "Requests that have come due.",
        |ledger| ledger.scheduled,
    ),
    (
        "requests_sent",
        "Requests that a worker has sent, or has tried to.",
        |ledger| ledger.sent,
    ),
    (
        "requests_dropped",
        "Requests that were never sent, since the queue was full when they came due.",
        |ledger| ledger.dropped,
    ),
    (
        "requests_unsent",
        "Requests that were never sent, since they were still queued when the run ended.",
        |ledger| ledger.unsent,
    ),
];

const OUTCOMES: [(&str, OfLedger); 4] = [
    ("allowed", |ledger| ledger.allowed),
    ("blocked", |ledger| ledger.blocked),
    ("failed", |ledger| ledger.failed),
    ("abandoned", |ledger| ledger.abandoned),
];

fn by_outcome(counts: &OutcomeCounts) -> [(&'static str, u64); 4] {
    [
        ("allowed", counts.allowed),
        ("blocked", counts.blocked),
        ("failed", counts.failed),
        ("abandoned", counts.abandoned),
    ]
}

const NOW: [(&str, &str, OfLedger); 2] = [
    (
        "requests_queued",
        "Requests that have come due and wait for a worker.",
        Ledger::queued,
    ),
    (
        "requests_in_flight",
        "Requests sent that have no outcome yet.",
        Ledger::in_flight,
    ),
];

type OfLateness = fn(&Lateness) -> u64;

const LATE: [(&str, &str, OfLateness); 3] = [
    (
        "requests_late",
        "Requests that were not sent within 10 ms of their due times, for want of a worker or of processor time.",
        |lateness| lateness.late,
    ),
    (
        "requests_backlog_late",
        "Requests that were not sent within 10 ms of their due times, since their target held all workers that it can.",
        |lateness| lateness.backlog_late,
    ),
    (
        "requests_backlog_dropped",
        "Requests that were dropped, since the backlog of their target was full.",
        |lateness| lateness.backlog_dropped,
    ),
];

type OfTarget = fn(&TargetSnapshot) -> &Buckets;

const TIMES: [(&str, &str, OfTarget); 3] = [
    (
        "latency",
        "From the instant at which an answered request was due to the end of its answer.",
        |target| &target.latency,
    ),
    (
        "service_time",
        "From an answered request's first byte to the end of its answer.",
        |target| &target.service_time,
    ),
    (
        "failed_after",
        "From the instant at which a failed request was due to its failure.",
        |target| &target.failed_after,
    ),
];

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result {
        let encoder = &mut encoder;
        self.encode_requests(encoder)?;
        for (name, help, buckets) in TIMES {
            let unit = Some(&Unit::Seconds);
            let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
            for target in &self.targets {
                let labels = [("target", target.name.as_str())];
                encode_buckets(metric.encode_family(&labels)?, buckets(target))?;
            }
        }
        let lag = encoder.encode_descriptor(
            "send_lag",
            "From the instant at which a request was due to its first byte: the generator's own \
             error, and any connecting.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        encode_buckets(lag, &self.snapshot.send_lag)?;
        self.encode_events(encoder)?;
        self.encode_run(encoder)
    }
}

impl Metrics {
    fn encode_requests(&self, encoder: &mut DescriptorEncoder) -> Result {
        for (name, help, count) in TOTALS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for target in &self.targets {
                let labels = [("target", target.name.as_str())];
                encode_count(&mut metric, &labels, count(&target.ledger))?;
            }
        }
        for (name, help, count) in LATE {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for target in &self.targets {
                let labels = [("target", target.name.as_str())];
                encode_count(&mut metric, &labels, count(&target.lateness))?;
            }
        }
        let help = "Requests sent, by what became of them.";
        let mut metric = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for target in &self.targets {
            for (outcome, count) in OUTCOMES {
                let labels = [("target", target.name.as_str()), ("outcome", outcome)];
                encode_count(&mut metric, &labels, count(&target.ledger))?;
            }
        }
        let help = "Allowed requests of which the answers say that the limiter fails open.";
        let name = "requests_failing_open";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for target in &self.targets {
            let labels = [("target", target.name.as_str())];
            encode_count(&mut metric, &labels, target.failing_open)?;
        }
        self.encode_addresses(encoder)?;
        let mut metric = encoder.encode_descriptor(
            "request_failures",
            "Failed requests, by why.",
            None,
            MetricType::Counter,
        )?;
        for target in &self.targets {
            for (kind, count) in target.failures.by_kind() {
                let labels = [("target", target.name.as_str()), ("kind", kind.name())];
                encode_count(&mut metric, &labels, count)?;
            }
        }
        self.encode_statuses(encoder)?;
        for (name, help, count) in NOW {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for target in &self.targets {
                let labels = [("target", target.name.as_str())];
                let mut metric = metric.encode_family(&labels)?;
                metric.encode_gauge(&count(&target.ledger))?;
            }
        }
        Ok(())
    }

    /// A family without a series is an error, so there is none before the first such failure.
    fn encode_statuses(&self, encoder: &mut DescriptorEncoder) -> Result {
        let targets = self.targets.iter();
        let series = targets.flat_map(|target| {
            let statuses = target.failures.by_status().into_iter();
            statuses.map(|(status, count)| (target.name.as_str(), status.to_string(), count))
        });
        let mut series = series.peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(
            "request_failures_by_status",
            "Failed requests that were answered, by the answer's status.",
            None,
            MetricType::Counter,
        )?;
        for (target, status, count) in series {
            let labels = [("target", target), ("status", status.as_str())];
            encode_count(&mut metric, &labels, count)?;
        }
        Ok(())
    }

    /// An address is known once it is used, so its series appear in the course of the run.
    fn encode_addresses(&self, encoder: &mut DescriptorEncoder) -> Result {
        if self
            .targets
            .iter()
            .all(|target| target.addresses.is_empty())
        {
            return Ok(());
        }
        let help =
            "Requests that ended, by the address that they went to and by what became of them.";
        let name = "address_requests";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for target in &self.targets {
            for (address, counts) in &target.addresses {
                for (outcome, count) in by_outcome(counts) {
                    let labels = [
                        ("target", target.name.as_str()),
                        ("address", address.text()),
                        ("outcome", outcome),
                    ];
                    encode_count(&mut metric, &labels, count)?;
                }
            }
        }
        Ok(())
    }

    /// The schedule's start, in seconds since the Unix epoch.
    fn started_at(&self) -> f64 {
        let started = self.snapshot.started.duration_since(UNIX_EPOCH);
        started.unwrap_or_default().as_secs_f64()
    }

    /// Events that are planned have their series from the first scrape on, and marks that are posted from their first.
    fn encode_events(&self, encoder: &mut DescriptorEncoder) -> Result {
        let events = &self.snapshot.events;
        let mut series: Vec<EventSeries> = Vec::new();
        for (name, kind) in events.planned.iter() {
            series.push(EventSeries {
                labels: (name, kind.name()),
                count: 0,
                latest: None,
            });
        }
        for record in events.begun.iter() {
            let labels = (record.name.as_str(), record.kind.name());
            let latest = Some(record.began);
            match series.iter_mut().find(|one| one.labels == labels) {
                Some(one) => (one.count, one.latest) = (one.count + 1, latest),
                None => series.push(EventSeries {
                    labels,
                    count: 1,
                    latest,
                }),
            }
        }
        // A family without a series is an error.
        if series.is_empty() {
            return Ok(());
        }
        let help = "Events of the run that have begun: commands, their undos, marks of the plan, and posted marks.";
        let mut metric = encoder.encode_descriptor("events", help, None, MetricType::Counter)?;
        for one in &series {
            let (event, kind) = one.labels;
            encode_count(&mut metric, &[("event", event), ("kind", kind)], one.count)?;
        }
        if series.iter().all(|one| one.latest.is_none()) {
            return Ok(());
        }
        let help = "When the event last began, on the system's clock, in seconds since 1970.";
        let (name, unit) = ("event_start_time", Some(&Unit::Seconds));
        let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for one in &series {
            let (event, kind) = one.labels;
            if let Some(latest) = one.latest {
                let labels = [("event", event), ("kind", kind)];
                let mut metric = metric.encode_family(&labels)?;
                metric.encode_gauge(&(self.started_at() + latest.as_secs_f64()))?;
            }
        }
        Ok(())
    }

    /// The metrics of the run as a whole.
    fn encode_run(&self, encoder: &mut DescriptorEncoder) -> Result {
        let rate = match self.snapshot.state {
            State::Pacing { rate, .. } => rate,
            State::Waiting | State::Draining | State::Ended => 0.0,
        };
        encoder
            .encode_descriptor(
                "scheduled_requests_per_second",
                "The rate that the schedule asks for now; 0 while nothing comes due.",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&rate)?;

        let mut metric = encoder.encode_descriptor(
            "mode",
            "1 for what the run is doing now, 0 for all else it may do.",
            None,
            MetricType::Gauge,
        )?;
        let now = mode(&self.snapshot.state);
        for mode in Mode::ALL.map(Mode::name).into_iter().chain(UNPACED) {
            let labels = [("mode", mode)];
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_gauge(&u64::from(mode == now))?;
        }

        encoder
            .encode_descriptor(
                "run_start_time",
                "The schedule's start, since the Unix epoch.",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?
            .encode_gauge(&self.started_at())?;
        encoder
            .encode_descriptor("build", "What serves this.", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

/// The series of the events of one name and kind.
struct EventSeries<'a> {
    /// The name and the kind.
    labels: (&'a str, &'static str),
    count: u64,
    /// When the latest of them began, since the schedule's start.
    latest: Option<Nanos>,
}

/// The modes in which nothing comes due.
const UNPACED: [&str; 3] = ["waiting", "draining", "ended"];

fn mode(state: &State) -> &'static str {
    let [waiting, draining, ended] = UNPACED;
    match state {
        State::Waiting => waiting,
        State::Pacing { mode, .. } => mode.name(),
        State::Draining => draining,
        State::Ended => ended,
    }
}

fn encode_count(metric: &mut MetricEncoder, labels: &impl EncodeLabelSet, count: u64) -> Result {
    let mut metric = metric.encode_family(labels)?;
    metric.encode_counter::<NoLabelSet, _, u64>(&count, None)
}

fn encode_buckets(mut metric: MetricEncoder, buckets: &Buckets) -> Result {
    let counts = buckets.counts();
    let counts: Vec<_> = counts
        .map(|(bound, count)| {
            (
                bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64()),
                count,
            )
        })
        .collect();
    metric.encode_histogram::<NoLabelSet>(buckets.sum(), buckets.count(), &counts, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Address, FailureKind};
    use crate::core::events::{EventKind, EventRecord, EventsSoFar};
    use crate::core::stats::{Failures, testing};
    use prometheus_client::encoding::text;
    use std::time::{Duration, SystemTime};

    fn target(name: &str, allowed: u64) -> TargetSnapshot {
        let (mut failures, mut latency) = (Failures::default(), Buckets::default());
        failures.add(FailureKind::Status5xx.into());
        latency.record(Nanos(1_500_000));
        let ledger = Ledger {
            scheduled: allowed + 4,
            sent: allowed + 3,
            allowed,
            failed: 1,
            ..Ledger::default()
        };
        TargetSnapshot {
            failures,
            failing_open: 1,
            latency,
            ..testing::target(name, ledger)
        }
    }

    fn exposition(state: State, targets: Vec<TargetSnapshot>) -> String {
        let snapshot = Snapshot {
            state,
            started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            targets,
            ..(*testing::snapshot()).clone()
        };
        let mut text = String::new();
        text::encode(&mut text, &registry(Arc::new(snapshot))).unwrap();
        text
    }

    #[track_caller]
    fn assert_has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(
                text.lines().any(|other| other == *line),
                "no {line} in:\n{text}"
            );
        }
    }

    #[test]
    fn each_number_has_its_series() {
        let burst = State::Pacing {
            mode: Mode::Burst,
            rate: 0.5,
        };
        let text = exposition(burst, vec![target("http://a", 5)]);
        assert_has(
            &text,
            &[
                "# TYPE loadgen_requests_scheduled counter",
                r#"loadgen_requests_scheduled_total{target="http://a"} 9"#,
                r#"loadgen_requests_sent_total{target="http://a"} 8"#,
                r#"loadgen_requests_queued{target="http://a"} 1"#,
                r#"loadgen_requests_in_flight{target="http://a"} 2"#,
                r#"loadgen_requests_total{target="http://a",outcome="allowed"} 5"#,
                r#"loadgen_request_failures_total{target="http://a",kind="status_5xx"} 1"#,
                r#"loadgen_request_failures_total{target="http://a",kind="dns"} 0"#,
                r#"loadgen_requests_failing_open_total{target="http://a"} 1"#,
                "# UNIT loadgen_latency_seconds seconds",
                r#"loadgen_latency_seconds_bucket{le="0.001",target="http://a"} 0"#,
                r#"loadgen_latency_seconds_bucket{le="0.0025",target="http://a"} 1"#,
                r#"loadgen_latency_seconds_bucket{le="+Inf",target="http://a"} 1"#,
                r#"loadgen_latency_seconds_sum{target="http://a"} 0.0015"#,
                "loadgen_send_lag_seconds_count 0",
                "loadgen_scheduled_requests_per_second 0.5",
                r#"loadgen_mode{mode="burst"} 1"#,
                r#"loadgen_mode{mode="steady"} 0"#,
                r#"loadgen_mode{mode="ramp"} 0"#,
                r#"loadgen_mode{mode="sine"} 0"#,
                r#"loadgen_mode{mode="pause"} 0"#,
                r#"loadgen_mode{mode="waiting"} 0"#,
                "loadgen_run_start_time_seconds 1.5",
            ],
        );
        let text = exposition(State::Draining, Vec::new());
        assert_has(&text, &["loadgen_scheduled_requests_per_second 0.0"]);
        assert_has(&text, &[r#"loadgen_mode{mode="draining"} 1"#]);
    }

    #[test]
    fn events_have_their_series_before_they_begin_and_posted_marks_when_they_do() {
        let text = |begun: &[(EventKind, &str, u64)]| {
            let record = |(kind, name, millis): &(EventKind, &str, u64)| EventRecord {
                name: (*name).to_owned(),
                kind: *kind,
                due: None,
                began: Nanos(millis * 1_000_000),
                command: None,
            };
            let planned = [EventKind::Command, EventKind::Undo];
            let snapshot = Snapshot {
                started: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
                events: EventsSoFar {
                    planned: planned.map(|kind| ("a \"b\"".to_owned(), kind)).into(),
                    begun: begun.iter().map(record).collect(),
                },
                ..(*testing::snapshot()).clone()
            };
            let mut text = String::new();
            text::encode(&mut text, &registry(Arc::new(snapshot))).unwrap();
            text
        };
        let before = text(&[]);
        assert_has(
            &before,
            &[r#"loadgen_events_total{event="a \"b\"",kind="command"} 0"#],
        );
        assert!(!before.contains("loadgen_event_start_time_seconds"));
        let posted = EventKind::Posted;
        let after = text(&[
            (EventKind::Command, "a \"b\"", 500),
            (posted, "x", 1_000),
            (posted, "x", 2_000),
        ]);
        assert_has(
            &after,
            &[
                r#"loadgen_events_total{event="a \"b\"",kind="command"} 1"#,
                r#"loadgen_events_total{event="a \"b\"",kind="undo"} 0"#,
                r#"loadgen_events_total{event="x",kind="posted"} 2"#,
                "# UNIT loadgen_event_start_time_seconds seconds",
                r#"loadgen_event_start_time_seconds{event="a \"b\"",kind="command"} 100.5"#,
                r#"loadgen_event_start_time_seconds{event="x",kind="posted"} 102.0"#,
            ],
        );
        assert!(!exposition(State::Ended, Vec::new()).contains("loadgen_event"));
    }

    #[test]
    fn targets_of_one_name_are_added_up() {
        let targets = vec![
            target("http://a", 5),
            target("http://b", 7),
            target("http://a", 6),
        ];
        let text = exposition(State::Ended, targets);
        assert_has(
            &text,
            &[
                r#"loadgen_requests_total{target="http://a",outcome="allowed"} 11"#,
                r#"loadgen_requests_total{target="http://b",outcome="allowed"} 7"#,
                r#"loadgen_request_failures_total{target="http://a",kind="status_5xx"} 2"#,
                r#"loadgen_latency_seconds_count{target="http://a"} 2"#,
            ],
        );
    }

    #[test]
    fn the_addresses_of_a_name_have_series_of_their_own() {
        let of = |address, allowed| {
            let counts = OutcomeCounts {
                allowed,
                ..OutcomeCounts::default()
            };
            let addresses = vec![(Address::new(address), counts)];
            TargetSnapshot {
                addresses,
                ..target("http://a", allowed)
            }
        };
        let targets = vec![
            of("10.0.0.1:80", 5),
            of("10.0.0.1:80", 7),
            of("10.0.0.2:80", 3),
        ];
        let text = exposition(State::Ended, targets);
        assert_has(
            &text,
            &[
                r#"loadgen_address_requests_total{target="http://a",address="10.0.0.1:80",outcome="allowed"} 12"#,
                r#"loadgen_address_requests_total{target="http://a",address="10.0.0.2:80",outcome="allowed"} 3"#,
                r#"loadgen_address_requests_total{target="http://a",address="10.0.0.2:80",outcome="blocked"} 0"#,
            ],
        );
    }

    #[test]
    fn names_are_escaped() {
        let text = exposition(State::Ended, vec![target("a\"b\\c\nd", 1)]);
        assert_has(
            &text,
            &[r#"loadgen_requests_sent_total{target="a\"b\\c\nd"} 4"#],
        );
    }
}
