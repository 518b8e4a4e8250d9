use super::failure_causes::{advice, by_cause, received};
use super::not_on_time::not_on_time;
use super::percentiles::{distributions, span_of};
use crate::base::text::span;
use crate::base::{Ledger, Nanos};
use crate::core::summary::{RunTimes, Summary};

/// The most causes of failure of which an example is printed.
const EXAMPLES: usize = 3;

/// The most lines of an example, and the most characters of a line.
const LINES: usize = 12;
const COLUMNS: usize = 120;

/// The summary that a run prints at its end: its ledger, percentiles, targets and failures, and whether the schedule was
/// kept.
pub fn summary(summary: &Summary) -> String {
    let RunTimes {
        paced_ns,
        drained_ns,
        ..
    } = summary.run;
    let Ledger {
        scheduled,
        sent,
        dropped,
        unsent,
        allowed,
        blocked,
        failed,
        abandoned,
    } = summary.requests;
    let (paced, drained) = (span(Nanos(paced_ns)), span(Nanos(drained_ns)));
    let lines = [
        format!("\nSummary: paced for {paced}, drained for {drained}"),
        format!("  scheduled {scheduled} = sent {sent} + dropped {dropped} + unsent {unsent}"),
        format!(
            "  sent {sent} = allowed {allowed} + blocked {blocked} + failed {failed} + abandoned {abandoned}"
        ),
        String::new(),
        percentiles(summary),
        targets(summary),
        failures(summary),
        format!("  {}", summary.schedule.statement),
    ];
    lines.join("\n")
}

/// The percentiles of every kind of time, and notes on them.
fn percentiles(summary: &Summary) -> String {
    let columns = ["p50", "p90", "p99", "p99.9", "max"].map(str::to_owned);
    let mut text = row("", 12, columns);
    for (name, spans) in distributions(summary) {
        let spans = [
            spans.p50_ns,
            spans.p90_ns,
            spans.p99_ns,
            spans.p99_9_ns,
            spans.max_ns,
        ]
        .map(|ns| span_of(spans, ns));
        text += &row(name, 12, spans);
    }
    if let Some(connect) = &summary.connect {
        let parts = if summary.tls.is_some() {
            "connect and TLS are"
        } else {
            "connect is"
        };
        let new = connect.count;
        text += &format!("  new connections: {new}; {parts} part of send lag and latency\n");
    }
    if let Some(lookup) = &summary.lookup {
        let lookups = lookup.count;
        text +=
            &format!("  name lookups: {lookups}, in the background; no request waits for one\n");
    }
    let abandoned = summary.requests.abandoned;
    if abandoned > 0 {
        text += &format!("  abandoned requests have no latency: {abandoned}\n");
    }
    text
}

/// The causes of failure, advice, and what the first request of each frequent cause received.
fn failures(summary: &Summary) -> String {
    let causes = summary.failure_causes();
    let mut text = format!("  failures: {}", by_cause(&causes, usize::MAX));
    for advice in advice(&summary.failures) {
        text += &format!("\n  {advice}");
    }
    let shown = causes.iter().filter_map(|cause| {
        let example = cause.examples.first()?;
        let lines = received(example);
        (!lines.is_empty()).then_some((cause, example, lines))
    });
    for (cause, example, lines) in shown.take(EXAMPLES) {
        let (name, target) = (cause.name(), &example.target);
        let at = span(Nanos(example.sent_ns));
        text += &format!(
            "\n  the first failure by {name}, of a request to {target}, sent {at} after the start:"
        );
        for line in lines.iter().take(LINES) {
            text += format!("\n    {}", shortened(line)).trim_end();
        }
        if lines.len() > LINES {
            text += &format!("\n    ({} more lines)", lines.len() - LINES);
        }
    }
    text
}

/// At most so many characters of a line.
fn shortened(line: &str) -> String {
    let mut shown: String = line.chars().take(COLUMNS).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}
/// Stands before the addresses of a target.
const INDENT: &str = "  ";

fn targets(summary: &Summary) -> String {
    let names = summary.targets.iter().map(|target| target.name.len());
    let addresses = summary.targets.iter().flat_map(|target| &target.addresses);
    let addresses = addresses.map(|of| INDENT.len() + of.address.len());
    let width = names
        .chain(addresses)
        .max()
        .unwrap_or(0)
        .max("target".len());
    let shown = not_on_time(summary);
    let counts = ["sent", "allowed", "blocked", "failed", "abandoned"];
    let names = counts
        .into_iter()
        .chain(shown.iter().map(|(name, _)| *name));
    let names = names.chain(["p50", "p99"]).map(str::to_owned);
    let mut text = row("target", width, names);
    for target in &summary.targets {
        let (of, latency) = (&target.requests, &target.latency);
        let counts = [of.sent, of.allowed, of.blocked, of.failed, of.abandoned];
        let counts = counts
            .into_iter()
            .chain(shown.iter().map(|(_, count)| count(target)));
        let spans = [latency.p50_ns, latency.p99_ns].map(|ns| span_of(latency, ns));
        let cells = counts.map(|count| count.to_string()).chain(spans);
        text += &row(&target.name, width, cells);
        for of in &target.addresses {
            let counts = [of.sent, of.allowed, of.blocked, of.failed, of.abandoned];
            let counts = counts.map(|count| count.to_string()).into_iter();
            let cells = counts.chain(shown.iter().map(|_| String::new()));
            let name = format!("{INDENT}{}", of.address);
            text += &row(&name, width, cells.chain(of.percentiles()));
        }
    }
    text
}

fn row(name: &str, width: usize, cells: impl IntoIterator<Item = String>) -> String {
    let cells = cells.into_iter().map(|cell| format!(" {cell:>9}"));
    let cells: String = cells.collect();
    format!("  {name:width$}{cells}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        Address, Answer, ConnectTimes, FailureKind, KeyId, Moment, Outcome, Sample, Target,
    };
    use crate::core::stats::{
        Counters, Lateness, PhaseTallies, Results, ScheduleVerdict, Tally, TimelineTally,
    };
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
                waited_for_target: false,
                answer: Answer {
                    connecting: (sequence == 0).then_some(ConnectTimes {
                        tcp: Nanos(1_500),
                        tls: Some(Nanos(2_500)),
                    }),
                    ..Answer::new(Moment::at(*sent), Moment::at(*done), *outcome)
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
        let lateness = tally.lateness(&Counters::new(2));
        let late = lateness.iter().copied().sum();
        Results {
            verdict: ScheduleVerdict::new(&ledgers.iter().copied().sum(), late),
            lateness,
            ledgers,
            failure_examples: Vec::new(),
            start: Moment::at(0),
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
        text(&results(samples, dropped))
    }

    fn text(results: &Results) -> String {
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
        summary(&Summary::new(results, &targets(), circumstances))
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
  latency         100 µs    200 µs    200 µs    200 µs    200 µs
  service time   98.0 µs    198 µs    198 µs    198 µs    198 µs
  failed after    300 µs    300 µs    300 µs    300 µs    300 µs
  send lag       2.00 µs   2.00 µs   2.00 µs   2.00 µs   2.00 µs
  connect        1.50 µs   1.50 µs   1.50 µs   1.50 µs   1.50 µs
  TLS            2.50 µs   2.50 µs   2.50 µs   2.50 µs   2.50 µs
  new connections: 1; connect and TLS are part of send lag and latency
  abandoned requests have no latency: 1

  target                     sent   allowed   blocked    failed abandoned       p50       p99
  http://127.0.0.1:8001         2         1         0         1         0    100 µs    100 µs
  http://node-2:8000            2         0         1         0         1    200 µs    200 µs

  failures: timeout ×1
  schedule kept: every request on time (within 10ms), none dropped";
        assert_eq!(said(&samples, 0), expected);
    }

    #[test]
    fn the_addresses_of_a_target_stand_under_it_if_it_used_several() {
        let outcomes = [Outcome::Allowed, Outcome::Blocked, Outcome::Allowed];
        let addressed = |addresses: [&str; 3]| {
            let samples = outcomes.map(|outcome| (0, 200_000, outcome));
            let mut results = results(&samples, 0);
            let mut tally = Tally::new(2);
            for ((sequence, address), outcome) in addresses.iter().enumerate().zip(outcomes) {
                let mut answer = Answer::new(Moment::at(0), Moment::at(200_000), outcome);
                answer.address = Some(Address::new(address));
                tally.add(&Sample {
                    sequence: sequence as u64,
                    key: KeyId(0),
                    target: sequence as u32 % 2,
                    due: Moment::at(0),
                    waited_for_target: false,
                    answer,
                });
            }
            results.tally = tally;
            let text = text(&results);
            let from = text.find("  target").unwrap();
            text[from..].lines().take(5).collect::<Vec<_>>().join("\n")
        };
        let expected = "  \
  target                     sent   allowed   blocked    failed abandoned       p50       p99
  http://127.0.0.1:8001         2         2         0         0         0    200 µs    200 µs
    10.3.0.1:8001               1         1         0         0         0    201 µs    201 µs
    10.3.0.2:8001               1         1         0         0         0    201 µs    201 µs
  http://node-2:8000            1         0         1         0         0    200 µs    200 µs";
        let several = ["10.3.0.1:8001", "10.3.0.3:8000", "10.3.0.2:8001"];
        assert_eq!(addressed(several), expected);
        let single = ["10.3.0.1:8001", "10.3.0.3:8000", "10.3.0.1:8001"];
        assert!(!addressed(single).contains("10.3."));
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

    #[test]
    fn a_target_that_did_not_answer_in_time_is_named_with_what_waited_for_it() {
        let mut results = results(&[(0, 0, Outcome::Allowed); 4], 3);
        let mut said = |first: Lateness, second: Lateness| {
            let all: Ledger = results.ledgers.iter().copied().sum();
            results.verdict = ScheduleVerdict::new(&all, first + second);
            results.lateness = vec![first, second];
            let text = text(&results);
            let lines = text
                .lines()
                .filter(|line| line.contains("http") || line.contains("schedule "));
            let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
            lines
        };
        let on_time = Lateness::default();
        let waited = Lateness {
            late: 0,
            backlog_late: 2,
            backlog_dropped: 3,
            local: 0,
        };
        let expected = [
            "http://127.0.0.1:8001         2         2         0         0         0         3         2      0 ns      0 ns",
            "http://node-2:8000            2         2         0         0         0         0         0      0 ns      0 ns",
            "schedule kept: http://127.0.0.1:8001 did not answer in time, so 2 of its 5 requests waited for it and 3 were \
             dropped; every other request on time (within 10ms), none dropped",
        ];
        assert_eq!(said(waited, on_time), expected);
        let late = Lateness {
            late: 1,
            ..Lateness::default()
        };
        let advice = "more --workers or a lower rate may help";
        assert_eq!(
            said(waited, late)[2],
            format!(
                "schedule not kept: http://127.0.0.1:8001 did not answer in time, so 2 of its 5 requests waited for it and \
                 3 were dropped; of the others, 1 of 2 (50.0 %) over 10ms late; {advice}"
            )
        );
    }
}
