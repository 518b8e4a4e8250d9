use super::failure_kinds::by_kind;
use super::percentiles::{distributions, span_of};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::summary::{DurationSummary, Summary};
use std::fmt::Write;

/// The summary that a run prints at its end: its ledger, percentiles, targets and failures, and whether the schedule was
/// kept.
pub fn summary(summary: &Summary) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_summary(&mut text, summary);
    text
}

fn write_summary(out: &mut String, summary: &Summary) -> std::fmt::Result {
    let ledger = &summary.requests;
    writeln!(
        out,
        "\nSummary: paced for {}, drained for {}",
        span(Nanos(summary.run.paced_ns)),
        span(Nanos(summary.run.drained_ns))
    )?;
    write!(out, "  scheduled {} = ", ledger.scheduled)?;
    writeln!(
        out,
        "sent {} + dropped {} + unsent {}",
        ledger.sent, ledger.dropped, ledger.unsent
    )?;
    write!(
        out,
        "  sent {} = allowed {} + ",
        ledger.sent, ledger.allowed
    )?;
    write!(
        out,
        "blocked {} + failed {} + ",
        ledger.blocked, ledger.failed
    )?;
    writeln!(out, "abandoned {}\n", ledger.abandoned)?;

    write!(out, "  {:12}", "")?;
    for column in ["p50", "p90", "p99", "p99.9", "max"] {
        write!(out, " {column:>9}")?;
    }
    writeln!(out)?;
    for (name, distribution) in distributions(summary) {
        write_percentiles(out, name, distribution)?;
    }
    if let Some(connect) = &summary.connect {
        let new = connect.count;
        let parts = match summary.tls {
            None => "connect is",
            Some(_) => "connect and TLS are",
        };
        writeln!(
            out,
            "  new connections: {new}; {parts} part of send lag and latency"
        )?;
    }
    if let Some(lookup) = &summary.lookup {
        let lookups = lookup.count;
        writeln!(
            out,
            "  name lookups: {lookups}, in the background; no request waits for one"
        )?;
    }
    if ledger.abandoned > 0 {
        writeln!(
            out,
            "  abandoned requests have no latency: {}",
            ledger.abandoned
        )?;
    }

    let names = summary.targets.iter().map(|target| target.name.len());
    let width = names.max().unwrap_or(0).max("target".len());
    write!(out, "\n  {:width$}", "target")?;
    for column in [
        "sent",
        "allowed",
        "blocked",
        "failed",
        "abandoned",
        "p50",
        "p99",
    ] {
        write!(out, " {column:>9}")?;
    }
    writeln!(out)?;
    for target in &summary.targets {
        write!(out, "  {:width$}", target.name)?;
        let ledger = &target.requests;
        for count in [
            ledger.sent,
            ledger.allowed,
            ledger.blocked,
            ledger.failed,
            ledger.abandoned,
        ] {
            write!(out, " {count:>9}")?;
        }
        let latency = &target.latency;
        let [p50, p99] = [latency.p50_ns, latency.p99_ns].map(|ns| span_of(latency, ns));
        writeln!(out, " {p50:>9} {p99:>9}")?;
    }

    let failures = by_kind(&summary.failures, usize::MAX);
    writeln!(out, "\n  failures: {failures}")?;
    write!(out, "  {}", summary.schedule.statement)
}

fn write_percentiles(out: &mut String, name: &str, spans: &DurationSummary) -> std::fmt::Result {
    write!(out, "  {name:12}")?;
    for ns in [
        spans.p50_ns,
        spans.p90_ns,
        spans.p99_ns,
        spans.p99_9_ns,
        spans.max_ns,
    ] {
        write!(out, " {:>9}", span_of(spans, ns))?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        Answer, ConnectTimes, FailureKind, KeyId, Ledger, Moment, Outcome, Sample, Target,
    };
    use crate::core::stats::{PhaseTallies, Results, ScheduleVerdict, Tally, TimelineTally};
    use crate::core::summary::{Circumstances, Configuration, Resources};
    use std::time::SystemTime;

    fn results(samples: &[(u64, u64, Outcome)], dropped: u64) -> Results {
        let mut tally = Tally::new(2);
        for (sequence, (sent, done, outcome)) in samples.iter().enumerate() {
            tally.add(&Sample {
                sequence: sequence as u64,
                key: KeyId(0),
                target: sequence as u32 % 2,
                due: Moment::at(0),
                answer: Answer {
                    sent: Moment::at(*sent),
                    transmitted: true,
                    done: Moment::at(*done),
                    connecting: (sequence == 0).then_some(ConnectTimes {
                        tcp: Nanos(1_500),
                        tls: Some(Nanos(2_500)),
                    }),
                    outcome: *outcome,
                },
            });
        }
        let mut ledgers = vec![Ledger::default(); 2];
        for (sequence, (.., outcome)) in samples.iter().enumerate() {
            let ledger = &mut ledgers[sequence % 2];
            ledger.scheduled += 1;
            ledger.sent += 1;
            *match outcome {
                Outcome::Allowed => &mut ledger.allowed,
                Outcome::Blocked => &mut ledger.blocked,
                Outcome::Failed(_) => &mut ledger.failed,
                Outcome::Abandoned => &mut ledger.abandoned,
            } += 1;
        }
        ledgers[0].scheduled += dropped;
        ledgers[0].dropped += dropped;
        Results {
            verdict: ScheduleVerdict::new(&ledgers.iter().copied().sum(), tally.late),
            ledgers,
            started: SystemTime::UNIX_EPOCH,
            tally,
            audit: None,
            probe: None,
            phases: PhaseTallies::default(),
            paced: Nanos(60_000_000_000),
            drained: Nanos(3_130_000),
            interrupted: false,
            aborted_by: None,
        }
    }

    fn targets() -> Vec<Target> {
        let target = |url| Target::new(url).unwrap();
        vec![
            target("http://127.0.0.1:8001"),
            target("http://node-2:8000"),
        ]
    }

    fn said(samples: &[(u64, u64, Outcome)], dropped: u64) -> String {
        let configuration = Configuration {
            command: "loadgen".to_owned(),
            seed: 1,
            targets: Vec::new(),
            traffic: String::new(),
            requests: String::new(),
            keys: String::new(),
            settings: Vec::new(),
        };
        let circumstances = Circumstances {
            configuration,
            timeline: &TimelineTally::default(),
            audit: None,
            thresholds: Vec::new(),
            exit_code: 0,
            resources: Resources::default(),
        };
        let results = results(samples, dropped);
        summary(&Summary::new(&results, &targets(), circumstances))
    }

    #[test]
    fn the_summary_reads_as_documented() {
        let samples = [
            (2_000, 100_000, Outcome::Allowed),
            (2_000, 200_000, Outcome::Blocked),
            (2_000, 300_000, Outcome::Failed(FailureKind::Timeout)),
            (2_000, 0, Outcome::Abandoned),
        ];
        let expected = "
Summary: paced for 60.0 s, drained for 3.13 ms
  scheduled 4 = sent 4 + dropped 0 + unsent 0
  sent 4 = allowed 1 + blocked 1 + failed 1 + abandoned 1

                     p50       p90       p99     p99.9       max
  latency         200 µs    300 µs    300 µs    300 µs    300 µs
  service time    198 µs    298 µs    298 µs    298 µs    298 µs
  send lag       2.00 µs   2.00 µs   2.00 µs   2.00 µs   2.00 µs
  connect        1.50 µs   1.50 µs   1.50 µs   1.50 µs   1.50 µs
  TLS            2.50 µs   2.50 µs   2.50 µs   2.50 µs   2.50 µs
  new connections: 1; connect and TLS are part of send lag and latency
  abandoned requests have no latency: 1

  target                     sent   allowed   blocked    failed abandoned       p50       p99
  http://127.0.0.1:8001         2         1         0         1         0    100 µs    300 µs
  http://node-2:8000            2         0         1         0         1    200 µs    200 µs

  failures: timeout 1
  schedule kept: every request on time (within 10ms), none dropped";
        assert_eq!(said(&samples, 0), expected);
    }

    #[test]
    fn a_run_that_was_late_or_dropped_says_so() {
        let late = (50_000_000, 60_000_000, Outcome::Allowed);
        let on_time = (0, 0, Outcome::Allowed);
        let last = |samples: &[_], dropped| {
            let text = said(samples, dropped);
            text.lines().last().unwrap().trim().to_owned()
        };
        let advice = "more --workers or a lower rate may help";
        assert_eq!(
            last(&[late, on_time], 0),
            format!("schedule not kept: 1 of 2 (50.0 %) over 10ms late; {advice}")
        );
        assert_eq!(
            last(&[on_time], 9),
            format!(
                "schedule not kept: 9 of 10 dropped, 0 of 1 (0.0 %) over 10ms late; a longer --queue, {advice}"
            )
        );
        let mut mostly_on_time = vec![on_time; 199];
        mostly_on_time.push(late);
        assert_eq!(
            last(&mostly_on_time, 0),
            "schedule kept: 1 of 200 (0.50 %) over 10ms late, none dropped"
        );
        assert_eq!(last(&[], 0), "schedule kept: no request was due");
    }
}
