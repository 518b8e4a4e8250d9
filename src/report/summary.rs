use super::events::events;
use super::failure_causes::{advice, by_cause, received};
use super::histogram::histogram;
use super::judgement::{self, Judgement, headlines, stopped, uncapitalized};
use super::percentiles::{columns, distributions, two_columns};
use super::rare_counts::rare_counts;
use super::stripes::stripes;
use super::styled_text::{Line, StyledText, Table};
use crate::base::text::{count, per_second, share, span, whole_seconds};
use crate::base::{Ledger, Nanos};
use crate::core::summary::{RunTimes, Summary};

/// The most causes of failure of which an example is printed.
const EXAMPLES: usize = 3;

/// The most lines of an example, and the most characters of a line.
const LINES: usize = 12;
const COLUMNS: usize = 75;

/// The most phases that are printed.
const PHASES: usize = 20;

/// The summary that a run prints at its end: its verdict, ledger, percentiles, targets, phases and failures, and whether
/// the schedule was kept.
pub fn summary(summary: &Summary) -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    verdict_lines(&mut text, &headlines(summary));
    text.blank();
    ledger(&mut text, summary);
    if let Some(merged) = &summary.merged {
        text.blank();
        stripes(&mut text, merged);
    }
    text.blank();
    percentiles(&mut text, summary);
    if !summary.latency.histogram.is_empty() {
        text.blank();
        histogram(&mut text, &summary.latency);
    }
    text.blank();
    targets(&mut text, summary);
    if summary.phases.len() > 1 {
        text.blank();
        phases(&mut text, summary);
    }
    events(&mut text, summary);
    text.blank();
    failures(&mut text, summary);
    let statement = &summary.schedule.statement;
    let reason = summary.schedule.reason();
    let word = statement.strip_suffix(reason).unwrap_or_default();
    let tone = judgement::schedule(summary).tone;
    let line = Line::sentence("  ", 4).then_toned(tone, word.trim_end_matches(": "));
    text.push(line.then(&statement[word.trim_end_matches(": ").len()..]));
    text
}

/// The run's verdict, with which its summary begins and ends.
pub fn verdict(summary: &Summary) -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    verdict_lines(&mut text, &headlines(summary));
    text
}

/// The first statement behind `Verdict: `, and each of the others on a line of its own.
pub(super) fn verdict_lines(text: &mut StyledText, statements: &[Judgement]) {
    const HEAD: &str = "Verdict: ";
    for (place, statement) in statements.iter().enumerate() {
        let head = if place == 0 { HEAD } else { "" };
        let line = Line::sentence(format!("{head:width$}", width = HEAD.len()), HEAD.len() + 2);
        text.push(line.then_toned(statement.tone, &uncapitalized(&statement.text)));
    }
}

/// Where every scheduled request went, the rate that was achieved, and the share of each outcome.
fn ledger(text: &mut StyledText, summary: &Summary) {
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
    let ended = match summary.ended_by_count() {
        None => String::new(),
        Some(requests) => format!("ended after {}, ", count(requests, "request", "requests")),
    };
    let mut first = format!("Summary: {ended}paced for {paced}, drained for {drained}");
    if let Some(stopped) = stopped(summary) {
        first.push_str("; ");
        first.push_str(&stopped);
    }
    text.push(Line::sentence(first, 2));
    let rows = [
        format!("scheduled {scheduled} = sent {sent} + dropped {dropped} + unsent {unsent}"),
        format!(
            "sent {sent} = allowed {allowed} + blocked {blocked} + failed {failed} + abandoned {abandoned}"
        ),
    ];
    for row in rows {
        text.push(Line::sentence(format!("  {row}"), 4));
    }
    if sent == 0 {
        return;
    }
    let mut parts = vec![
        format!("{} allowed", share(allowed, sent)),
        format!("{} blocked", share(blocked, sent)),
        format!("{} failed", share(failed, sent)),
    ];
    if abandoned > 0 {
        parts.push(format!("{} abandoned", share(abandoned, sent)));
    }
    let rates = summary.per_second(sent).zip(summary.scheduled_per_second());
    let sent = match rates {
        Some((sent, scheduled)) => {
            let [sent, scheduled] = [sent, scheduled].map(per_second);
            format!("sent {sent} of {scheduled} scheduled")
        }
        None => format!("sent {sent} of {scheduled} scheduled"),
    };
    text.push(Line::sentence(format!("  {sent}; {}", parts.join(", ")), 4));
}

/// The percentiles of every kind of time, and notes on them.
fn percentiles(text: &mut StyledText, summary: &Summary) {
    let columns = columns(summary);
    let names = columns.iter().map(|column| column.name.to_owned());
    let mut table = Table::new(std::iter::once(String::new()).chain(names));
    for (name, spans) in distributions(summary) {
        let cells = columns.iter().map(|column| column.cell(spans));
        table.push(std::iter::once(name.to_owned()).chain(cells));
    }
    text.table(table);
    if let Some(connect) = &summary.connect {
        let parts = if summary.tls.is_some() {
            "connect and TLS are"
        } else {
            "connect is"
        };
        let new = connect.count;
        let note = format!("  new connections: {new}; {parts} part of send lag and latency");
        text.push(Line::sentence(note, 4));
    }
    if let Some(lookup) = &summary.lookup {
        let lookups = lookup.count;
        let note =
            format!("  name lookups: {lookups}, in the background; no request waits for one");
        text.push(Line::sentence(note, 4));
    }
    let abandoned = summary.requests.abandoned;
    if abandoned > 0 {
        let note = format!("  abandoned requests have no latency: {abandoned}");
        text.push(Line::sentence(note, 4));
    }
}

/// The causes of failure, advice, and what the first request of each frequent cause received.
fn failures(text: &mut StyledText, summary: &Summary) {
    let causes = summary.failure_causes();
    let mut all = format!("  failures: {}", by_cause(&causes, usize::MAX));
    if summary.failing_open > 0 {
        all += &format!("; {} admitted while failing open", summary.failing_open);
    }
    text.push(Line::sentence(all, 12));
    for advice in advice(&summary.failures) {
        text.push(Line::sentence(format!("  {advice}"), 4));
    }
    let shown = causes.iter().filter_map(|cause| {
        let example = cause.examples.first()?;
        let lines = received(example);
        (!lines.is_empty()).then_some((cause, example, lines))
    });
    for (cause, example, lines) in shown.take(EXAMPLES) {
        let (name, target) = (cause.name(), &example.target);
        let at = span(Nanos(example.sent_ns));
        let title = format!(
            "  the first failure by {name}, of a request to {target}, sent {at} after the start:"
        );
        text.push(Line::sentence(title, 4));
        for line in lines.iter().take(LINES) {
            let line = format!("    {}", shortened(line));
            text.push(Line::fixed(line.trim_end()));
        }
        if lines.len() > LINES {
            let more = format!("    ({} more lines)", lines.len() - LINES);
            text.push(Line::fixed(more));
        }
    }
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

/// A row for each target, and under it one for each of its addresses. Requests were abandoned in few runs; their column
/// is left out of all others.
fn targets(text: &mut StyledText, summary: &Summary) {
    let shown = rare_counts(summary);
    let has_abandoned = summary.requests.abandoned > 0;
    let mut names = vec!["target", "sent", "allowed", "blocked", "failed"];
    names.extend(has_abandoned.then_some("abandoned"));
    names.extend(shown.iter().map(|(name, _)| *name));
    let percentiles = two_columns(summary.targets.iter().map(|target| target.latency.count));
    names.extend(percentiles.map(|one| one.name));
    let mut table = Table::new(names.into_iter().map(str::to_owned));
    for target in &summary.targets {
        let (of, latency) = (&target.requests, &target.latency);
        let mut row = vec![target.name.clone()];
        let mut counts = vec![of.sent, of.allowed, of.blocked, of.failed];
        counts.extend(has_abandoned.then_some(of.abandoned));
        counts.extend(shown.iter().map(|(_, count)| count(target)));
        row.extend(counts.iter().map(ToString::to_string));
        row.extend(percentiles.map(|one| one.cell(latency)));
        table.push(row);
        for of in &target.addresses {
            let mut row = vec![format!("{INDENT}{}", of.address)];
            let mut counts = vec![of.sent, of.allowed, of.blocked, of.failed];
            counts.extend(has_abandoned.then_some(of.abandoned));
            row.extend(counts.iter().map(ToString::to_string));
            row.extend(shown.iter().map(|_| String::new()));
            row.extend(percentiles.map(|one| one.cell_of_address(of)));
            table.push(row);
        }
    }
    text.table(table);
}

/// A row for each phase of the schedule.
fn phases(text: &mut StyledText, summary: &Summary) {
    let shown = summary.phases.iter().take(PHASES);
    let percentiles = two_columns(shown.clone().map(|phase| phase.latency.count));
    let names = [
        "phase", "times", "length", "sent", "allowed", "blocked", "failed",
    ];
    let names = names.into_iter().chain(percentiles.map(|one| one.name));
    let mut table = Table::new(names.map(str::to_owned));
    for phase in shown {
        let (of, latency) = (&phase.requests, &phase.latency);
        let mut row = vec![phase.name.clone(), phase.times.to_string()];
        row.push(whole_seconds(Nanos(phase.length_ns)));
        let counts = [of.sent, of.allowed, of.blocked, of.failed];
        row.extend(counts.map(|count| count.to_string()));
        row.extend(percentiles.map(|one| one.cell(latency)));
        table.push(row);
    }
    text.table(table);
    if summary.phases.len() > PHASES {
        let more = summary.phases.len() - PHASES;
        text.push(Line::fixed(format!("  and {more} more phases")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        Address, Answer, ConnectTimes, FailureKind, KeyId, Moment, Outcome, Sample, Target,
    };
    use crate::core::stats::{
        Counters, Lateness, PhaseTallies, Results, ScheduleVerdict, Suspension, Tally,
        TimelineTally,
    };
    use crate::core::stripe::Stripe;
    use crate::core::summary::{Circumstances, Configuration, Resources, StripeSummary};
    use crate::report::Display;
    use crate::report::html::page;
    use crate::report::markdown::markdown;
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
        let lateness = tally.lateness(&Counters::new(2, Stripe::WHOLE));
        let late = lateness.iter().copied().sum();
        Results {
            verdict: ScheduleVerdict::new(&ledgers.iter().copied().sum(), late),
            lateness,
            ledgers,
            failure_examples: Vec::new(),
            start: Moment::at(0),
            started: SystemTime::UNIX_EPOCH,
            clock_error: None,
            missed: 0,
            tally,
            audit: None,
            probe: None,
            phases: PhaseTallies::default(),
            events: Vec::new(),
            effects: Default::default(),
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
        summary(&summarized(results)).to_string()
    }

    fn summarized(results: &Results) -> Summary {
        let configuration = Configuration {
            command: "loadgen".to_owned(),
            variables: Vec::new(),
            seed: 1,
            targets: Vec::new(),
            traffic: String::new(),
            count: None,
            requests: String::new(),
            keys: String::new(),
            settings: Vec::new(),
        };
        let circumstances = Circumstances {
            configuration,
            stripe: None,
            timeline: &TimelineTally::default(),
            planned: Some(Nanos(60_000_000_000)),
            asked: Some(4.0 / 60.0),
            stopped_waiting: false,
            audit: None,
            thresholds: Vec::new(),
            exit_code: 0,
            resources: Resources::default(),
        };
        Summary::new(results, &targets(), circumstances)
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
Verdict: 1 of 4 requests failed: timeout ×1

Summary: paced for 60.0 s, drained for 3.13 ms
  scheduled 4 = sent 4 + dropped 0 + unsent 0
  sent 4 = allowed 1 + blocked 1 + failed 1 + abandoned 1
  sent 0.0667/s of 0.0667/s scheduled; 25.0 % allowed, 25.0 % blocked, 25.0 %
    failed, 25.0 % abandoned

                     p50       max
  latency         100 µs    200 µs
  service time   98.0 µs    198 µs
  failed after    300 µs    300 µs
  send lag       2.00 µs   2.00 µs
  connect        1.50 µs   1.50 µs
  TLS            2.50 µs   2.50 µs
  new connections: 1; connect and TLS are part of send lag and latency
  abandoned requests have no latency: 1

  latency of 2 answered requests
     100 µs –  125 µs  1     50.0 %  ████████████████████████████████
     125 µs –  160 µs  0        0 %
     160 µs –  200 µs  0        0 %
     200 µs –  250 µs  1     50.0 %  ████████████████████████████████

  target                sent allowed blocked failed abandoned    p50    max
  http://127.0.0.1:8001    2       1       0      1         0 100 µs 100 µs
  http://node-2:8000       2       0       1      0         1 200 µs 200 µs

  failures: timeout ×1
  schedule kept: every request on time (within 10ms), none dropped";
        let text = summary(&summarized(&results(&samples, 0)));
        let display = Display {
            width: 80,
            colours: false,
        };
        assert_eq!(text.display(display), expected);
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
  target                  sent   allowed   blocked   failed      p50      max
  http://127.0.0.1:8001      2         2         0        0   200 µs   200 µs
    10.3.0.1:8001            1         1         0        0   201 µs
    10.3.0.2:8001            1         1         0        0   201 µs
  http://node-2:8000         1         0         1        0   200 µs   200 µs";
        let several = ["10.3.0.1:8001", "10.3.0.3:8000", "10.3.0.2:8001"];
        assert_eq!(addressed(several), expected);
        let single = ["10.3.0.1:8001", "10.3.0.3:8000", "10.3.0.1:8001"];
        assert!(!addressed(single).contains("10.3."));
    }

    #[test]
    fn a_run_that_was_stopped_says_how_far_it_came() {
        let mut results = results(&[(0, 200_000, Outcome::Allowed)], 0);
        let first_of = |results: &Results| {
            let text = text(results);
            let mut lines = text.lines().skip(1).step_by(2);
            [lines.next(), lines.next()].map(|line| line.unwrap_or_default().to_owned())
        };
        assert_eq!(first_of(&results)[0], "Verdict: 1 request sent on schedule");
        results.interrupted = true;
        let after = "stopped while it waited for the last answers, after all 60 s";
        assert_eq!(
            first_of(&results)[0],
            format!("Verdict: {after}: 1 request sent on schedule")
        );
        results.paced = Nanos(3_021_000_000);
        let expected = [
            "Verdict: stopped at 3.02 s of 60 s: 1 request sent on schedule",
            "Summary: paced for 3.02 s, drained for 3.13 ms; stopped at 3.02 s of 60 s",
        ];
        assert_eq!(first_of(&results), expected);
    }

    #[test]
    fn a_stripe_that_was_stopped_says_so_in_a_sentence_of_its_own() {
        let mut results = results(&[(0, 200_000, Outcome::Allowed)], 0);
        results.interrupted = true;
        results.paced = Nanos(3_021_000_000);
        let mut summarized = summarized(&results);
        summarized.stripe = Some(StripeSummary {
            index: 1,
            of: 3,
            plan: String::new(),
            start: String::new(),
            scheduled_of_all: None,
            missed: 0,
            audit_command: Some("loadgen audit FILES".to_owned()),
        });
        let lines = |summarized: &Summary| verdict(summarized).to_string();
        let stopped = "Verdict: stopped at 3.02 s of 60 s";
        let stripe =
            "Stripe 1 of 3: 1 request sent. `loadgen merge` makes one result of all stripes";
        let command = "\n         the limiter is not judged yet. Audit the --requests files of all stripes: loadgen audit FILES\n";
        let text = lines(&summarized);
        assert!(text.contains(&format!("{stopped}. {stripe}\n")), "{text}");
        assert!(text.contains(command), "{text}");
        let unknown = "so add --clock-error TIME to that command";
        assert!(text.contains(unknown), "{text}");
        summarized.run.clock_error_ns = Some(1);
        summarized.run.aborted_by = Some("failed.count < 5".to_owned());
        let text = lines(&summarized);
        let because =
            ", because this threshold could no longer be met: failed.count < 5. Stripe 1 of 3: 1";
        assert!(text.contains(&format!("{stopped}{because}")), "{text}");
        assert!(!text.contains(unknown), "{text}");
    }

    #[test]
    fn time_in_which_the_process_was_suspended_is_named_and_no_advice_is_given_for_it() {
        let late = (50_000_000, 60_000_000, Outcome::Allowed);
        let mut results = results(&[late; 8], 0);
        let advice = "more --workers or a lower rate may help";
        assert!(text(&results).contains(advice));
        for (late, suspended, rest) in [
            (
                0,
                8,
                "every other request on time (within 10ms), none dropped",
            ),
            (
                2,
                6,
                "of the others, 2 of 2 (100.0 %) over 10ms late; more --workers or a lower rate may help",
            ),
        ] {
            let lateness = Lateness {
                late,
                suspended_late: suspended,
                ..Lateness::default()
            };
            results.lateness = vec![lateness, Lateness::default()];
            let all: Ledger = results.ledgers.iter().copied().sum();
            results.verdict = ScheduleVerdict::new(&all, lateness);
            results.tally.suspensions = vec![Suspension {
                length: Nanos(12_300_000_000),
                due: 0..suspended,
                stripe: Stripe::WHOLE,
            }];
            let text = text(&results);
            let because = format!("so {suspended} requests were late or dropped");
            let expected = format!(
                "  schedule not kept: the process was suspended for 12.3 s (Ctrl-Z or SIGSTOP), {because}; {rest}"
            );
            assert_eq!(text.lines().last(), Some(&*expected));
            let verdict = [
                "Verdict: the generator did not keep its schedule: 8 late of 8 requests",
                "         the process was suspended for 12.3 s",
            ];
            assert_eq!(text.lines().skip(1).take(2).collect::<Vec<_>>(), verdict);
        }
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
    fn failures_come_first_and_no_workers_are_advised_for_targets_that_fail() {
        let refused = (
            50_000_000,
            60_000_000,
            Outcome::Failed(FailureKind::Refused),
        );
        let on_time = (0, 200_000, Outcome::Allowed);
        let lines = |samples: &[_]| {
            let text = said(samples, 0);
            let verdict = text.lines().skip(1).take_while(|line| !line.is_empty());
            let verdict: Vec<_> = verdict.map(str::trim).map(str::to_owned).collect();
            (verdict, text.lines().last().unwrap().trim().to_owned())
        };
        let (verdict, schedule) = lines(&[refused; 4]);
        assert_eq!(verdict, ["Verdict: all 4 requests failed: refused"]);
        let expected = "schedule not kept: 4 of 4 (100.0 %) over 10ms late; most requests to their targets failed";
        assert_eq!(schedule, expected);
        let (verdict, schedule) = lines(&[refused, on_time, refused, on_time]);
        let expected = [
            "Verdict: 2 of 4 requests failed: refused ×2; http://127.0.0.1:8001 did nothing but fail",
            "the generator did not keep its schedule: 2 late of 4 requests",
        ];
        assert_eq!(verdict, expected);
        let expected = "schedule not kept: 2 of 4 (50.0 %) over 10ms late; most requests to their targets failed";
        assert_eq!(schedule, expected);
        let late = (50_000_000, 60_000_000, Outcome::Allowed);
        let (_, schedule) = lines(&[refused, late]);
        assert!(
            schedule.ends_with("more --workers or a lower rate may help"),
            "{schedule}"
        );
    }

    #[test]
    fn admissions_while_failing_open_are_named_beside_failures_and_by_target() {
        let on_time = (0, 200_000, Outcome::Allowed);
        let mut results = results(&[on_time; 4], 0);
        results.tally.targets[1].failing_open = 1;
        let shown = text(&results);
        let verdict = shown.lines().nth(1).unwrap();
        let expected =
            "Verdict: 1 of 4 requests was admitted while failing open, by http://node-2:8000";
        assert_eq!(verdict, expected);
        let has = |text: &str, line: &str| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().any(|other| words(other) == line)
        };
        assert!(
            has(&shown, "failures: none; 1 admitted while failing open"),
            "{shown}"
        );
        let heading = "target sent allowed blocked failed failing open p50 max";
        assert!(has(&shown, heading), "{shown}");
        assert!(
            has(&shown, "http://node-2:8000 2 2 0 0 1 200 µs 200 µs"),
            "{shown}"
        );
        results.tally.targets[0].failing_open = 2;
        let several = "Verdict: 3 of 4 requests were admitted while failing open, by 2 targets";
        assert_eq!(text(&results).lines().nth(1), Some(several));
        for markup in [markdown(&summarized(&results)), page(&summarized(&results))] {
            for part in [
                "3 of 4 requests were admitted while failing open, by 2 targets",
                "failing open",
            ] {
                assert!(markup.contains(part), "{markup}");
            }
        }
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
                .filter(|line| line.starts_with("  http") || line.starts_with("  schedule "));
            let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
            lines
        };
        let on_time = Lateness::default();
        let waited = Lateness {
            late: 0,
            backlog_late: 2,
            backlog_dropped: 3,
            ..Lateness::default()
        };
        let expected = [
            "http://127.0.0.1:8001      2         2         0        0         3      2   1 ns   1 ns",
            "http://node-2:8000         2         2         0        0         0      0   1 ns   1 ns",
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
