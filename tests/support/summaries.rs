//! Example summaries. Each is computed from generated requests, so that its numbers are consistent.
#![allow(dead_code, reason = "each test binary uses its own part")]

use loadgen::base::{Ledger, Mode, Nanos};
use loadgen::core::stats::{Histogram, OutcomeCounts, Stretch};
use loadgen::core::summary::*;
use loadgen::core::threshold::{JudgedThreshold, Met};
use std::collections::{BTreeMap, HashMap};

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
const MICRO: f64 = 1_000.0;

/// All examples by name.
pub fn examples() -> Vec<(&'static str, Summary)> {
    vec![
        ("demo", demo()),
        ("per-node", per_node()),
        ("failing", failing()),
        ("second", second()),
        ("empty", empty()),
        ("events", events()),
        ("merged", merged()),
        ("huge", huge()),
    ]
}

/// The demo, merged of three stripes. A fourth is missing, one joined late, and one was stopped early.
pub fn merged() -> Summary {
    let mut summary = demo();
    let all = summary.requests;
    let stripes = (0..3).map(|index| MergedStripe {
        index,
        file: format!("results/<stripe>-{index}.json"),
        version: "0.1.0".to_owned(),
        started: "2026-03-01T09:30:00.000Z".to_owned(),
        ended: "2026-03-01T09:31:00.013Z".to_owned(),
        paced_ns: (60 - 20 * (index / 2)) * SECOND,
        interrupted: index == 2,
        clock_error_ns: (index > 0).then_some(index * 750_000),
        scheduled: all.scheduled / 3,
        sent: all.sent / 3,
        dropped: index,
        unsent: 10 * index,
        missed: 10 * (index % 2),
        unreached: 40 * (index / 2),
        late: 5 * index,
        not_on_time: 6 * index + 10 * (index % 2) + 40 * (index / 2),
        suspended_ns: (index / 2) * SECOND,
        failed: 0,
        send_lag_p99_ns: (index * 3) * MILLI,
        send_lag_max_ns: (index * 9) * MILLI,
        kept: index == 0,
        exit_code: index as u8,
        processor_ns: (index > 0).then_some(700 * MILLI),
        peak_memory_bytes: (index > 0).then_some(21 << 20),
    });
    summary.merged = Some(MergedSummary {
        of: 4,
        plan: "7c2f2e1c-6d7a-5f1c-9a53-1d7f6b5f1a2e".to_owned(),
        start: "2026-03-01T09:30:00.000Z".to_owned(),
        scheduled_of_all: Some(all.scheduled + all.scheduled / 3),
        stripes: stripes.collect(),
        missing: vec![MissingStripe {
            index: 3,
            unknown: all.scheduled / 3,
        }],
        unknown: all.scheduled / 3,
        events: vec![
            MergedEvent {
                stripe: 0,
                name: "redis <goes>".to_owned(),
                kind: "command".to_owned(),
                began_ns: 20 * SECOND,
                command: Some(command("docker pause redis", 20, "")),
            },
            MergedEvent {
                stripe: 1,
                name: "half".to_owned(),
                kind: "posted".to_owned(),
                began_ns: 30 * SECOND,
                command: None,
            },
        ],
        audit_command: Some("loadgen audit 'a & b.csv' --audit auto".to_owned()),
    });
    summary.audit = None;
    summary.thresholds = vec![
        threshold(
            "latency.p99 < 50ms",
            Met::Unknown,
            "1.23 ms, without the missing stripes",
        ),
        threshold("audit = kept", Met::Deferred, "loadgen audit judges it"),
    ];
    summary.exit_code = 3;
    summary
}

/// The default traffic for a minute, on a limiter that keeps its limit.
pub fn demo() -> Summary {
    let mut made = Made::new(bursts(), nodes(3), 7);
    made.run(&mut |request, key| {
        let admits = key.sliding_log(request, 100, 60 * SECOND);
        Fate::answered(request, admits, 450.0)
    });
    let mut summary =
        made.summary("10/s with bursts of 50/s for 5s every 30s, for 60s: 1000 requests");
    let promises = vec![
        promise(
            "sliding-window",
            Standing::Kept,
            "kept: 7 keys had more requests than it admits",
        ),
        promise(
            "fixed-window",
            Standing::Kept,
            "kept by windows opened by an admission: 7 keys had more requests than it admits",
        ),
        promise(
            "token-bucket",
            Standing::Broken,
            "ruled out: 31 of 240 blocked requests should have passed",
        ),
    ];
    let statement = "Every answer fits sliding-window or fixed-window 100/60s. 7 of 7 keys could be judged, and 1 request (1 %) too \
                     many on one of them would have been proved. It is not token-bucket 100/60s.";
    summary.audit = Some(Audit {
        peak: peak("loadgen-3f9c01ab", 100, 100),
        keys: 7,
        remarks: vec!["Retry-After is in whole seconds, and so up to a second too long".to_owned()],
        ..audit(AuditVerdict::Kept, statement, promises)
    });
    summary.thresholds = vec![
        threshold("latency.p99 < 50ms", Met::Met, "4.31 ms"),
        threshold("failed.rate < 0.1%", Met::Met, "0 %"),
        threshold("audit = kept", Met::Met, "kept"),
    ];
    summary
}

/// Three nodes that each count alone.
pub fn per_node() -> Summary {
    let mut made = Made::new(bursts(), nodes(3), 1);
    made.run(&mut |request, key| {
        let admits = key.sliding_log_of(request.target, request, 100, 60 * SECOND);
        Fate::answered(request, admits, 300.0)
    });
    let mut summary =
        made.summary("10/s with bursts of 50/s for 5s every 30s, for 60s: 1000 requests");
    let key = "loadgen-77aa01c3";
    let promises = vec![promise(
        "sliding-window",
        Standing::Broken,
        "broken: 101 were admitted within 9.98 s, where 100 are promised (proved after 101 requests)",
    )];
    let statement = "300 requests of one key were admitted within 989 ms, where sliding-window 100/60s admits 100.";
    summary.audit = Some(Audit {
        headline: "Broken: 300 admitted within 32.1 s where 100 are promised".to_owned(),
        further: vec!["Cause: each node counts alone".to_owned()],
        peak: peak(key, 300, 301),
        window_counts: Some(WindowCounts {
            slot_ns: SECOND / 4,
            keys: vec![window_counts(key, 100), window_counts("user-2", 80)],
        }),
        early_blocks: Some(EarlyBlocks {
            total: 61,
            limit: Some(100),
            slot_ns: SECOND,
            nodes: over_time(&nodes(2), 60, |node, slot| u64::from((slot + node as u64) % 2 == 1) + u64::from(slot == 30 && node == 0)),
            counted_at_most: (0..60).map(|slot| slot % 40).collect(),
        }),
        keys_over: 1,
        probe: Some("Retry-After checked once; remaining requests checked 3 times; 12 requests in addition to the load".to_owned()),
        findings: vec![
            Finding {
                statement: format!(
                    "{key} was admitted 300 times within 32.1 s (3.00 times the limit), from 0.000s to 32.110s"
                ),
                evidence: vec!["requests 0, 1, 2, … 331".to_owned()],
                sequences: (0..300).collect(),
                files: Vec::new(),
                of_the_probe: false,
            },
            Finding {
                statement: "says that 99 remain where at most 98 can".to_owned(),
                evidence: vec![
                    "answered by http://127.0.0.1:8002 for probe-1, the probe's request 4"
                        .to_owned(),
                ],
                sequences: vec![4],
                files: Vec::new(),
                of_the_probe: true,
            },
        ],
        by_node: Some(ByNode {
            nodes: Vec::new(),
            keys: vec![KeyAdmitted {
                key: key.to_owned(),
                admitted: vec![100, 100, 100],
            }],
        }),
        outages: Vec::new(),
        by_phase: Vec::new(),
        causes: vec![Cause {
            cause: "each node counts alone".to_owned(),
            statement: "each node counts alone: they admitted 100, 100, 100 of one key".to_owned(),
            evidence: vec!["300 blocked requests were compared".to_owned()],
        }],
        ..audit(AuditVerdict::Broken, statement, promises)
    });
    summary.exit_code = 4;
    summary
}

/// A dead node, a slow one, and a generator that could not keep up.
pub fn failing() -> Summary {
    let stretches = vec![
        stretch("steady 200/s", Mode::Steady, 0, 20, 200.0),
        stretch("pause", Mode::Pause, 20, 25, 0.0),
        stretch("ramp 50/s to 400/s", Mode::Ramp, 25, 40, 225.0),
        stretch("burst 400/s", Mode::Burst, 40, 50, 400.0),
    ];
    let mut made = Made::new(stretches, nodes(3), 20);
    made.run(&mut |request, key| {
        let admits = key.sliding_log(request, 100, 60 * SECOND);
        let seconds = request.due / SECOND;
        let mut fate = Fate::answered(request, admits, 900.0);
        if seconds >= 42 {
            fate.lag += (seconds - 41) * 9 * MILLI;
            fate.dropped = request.sequence % 5 == 0;
        }
        if request.target == 1 {
            fate.outcome = Outcome::Failed("refused");
            fate.service = (80.0 * MICRO) as u64;
        } else if request.target == 2 && seconds > 30 && request.random < 0.25 {
            fate.outcome = Outcome::Failed("timeout");
            fate.service = 2 * SECOND;
        } else if request.random > 0.995 {
            fate.outcome = Outcome::Failed("status_5xx");
        }
        fate
    });
    let mut summary =
        made.summary("200/s for 20s, pause 5s, ramp 50/s to 400/s over 15s, burst 400/s for 10s");
    summary.run.aborted_by = None;
    summary.schedule.kept = false;
    summary.schedule.statement = format!(
        "schedule not kept: {} of {} dropped, {} over 10ms late; a longer --queue, more --workers or a lower rate may help",
        summary.schedule.dropped, summary.schedule.scheduled, summary.schedule.late
    );
    let not_tested = "not tested: no key had enough requests";
    let promises = vec![promise("sliding-window", Standing::NotTested, not_tested)];
    let statement = "Nothing shows that the limit of 100 in 60s was broken, but the generator did not keep its own schedule.";
    summary.audit = Some(Audit {
        keys: 20,
        share: 0.5,
        ..audit(AuditVerdict::Inconclusive, statement, promises)
    });
    summary.thresholds = vec![
        threshold("latency.p99 < 50ms", Met::Missed, "2.01 s"),
        threshold("failed.rate < 0.1%", Met::Missed, "41.2 %"),
        threshold("target[1].latency.p50 < 5ms", Met::Met, "1.02 ms"),
        threshold("sent.rate > 99% of scheduled", Met::Unsupported, "93.1 %"),
        threshold("tls.p99 < 5ms", Met::NothingSeen, "-"),
    ];
    summary.exit_code = 4;
    summary.resources.missed_lines = 3;
    summary.resources.unwritten_requests = Some(120);
    summary
}

/// The shortest run with a request.
pub fn second() -> Summary {
    let stretches = vec![stretch("steady 10/s", Mode::Steady, 0, 1, 10.0)];
    let mut made = Made::new(stretches, nodes(1), 7);
    made.run(&mut |request, _| Fate::answered(request, true, 450.0));
    let mut summary = made.summary("10/s, for 1s: 10 requests");
    summary.run.interrupted = true;
    summary
}

/// A run that was stopped before a request was due.
pub fn empty() -> Summary {
    Made::new(Vec::new(), nodes(3), 7).summary("0.001/s, until stopped")
}

/// A store that is gone for ten seconds: one node fails closed meanwhile, and the other fails open. Later a node fails with
/// no event.
pub fn events() -> Summary {
    let stretches = vec![stretch("steady 100/s", Mode::Steady, 0, 40, 100.0)];
    let mut made = Made::new(stretches, nodes(2), 7);
    let mut answered = Vec::new();
    made.run(&mut |request, key| {
        let seconds = request.due / SECOND;
        let is_gone = (10..20).contains(&seconds);
        let admits = key.sliding_log(request, 100, 60 * SECOND) || is_gone;
        let mut fate = Fate::answered(request, admits, 450.0);
        match (request.target, seconds) {
            (0, 10..20) => fate.outcome = Outcome::Failed("status_5xx"),
            (1, 30) => fate.outcome = Outcome::Failed("reset"),
            _ => {}
        }
        answered.push(Answered {
            target: request.target,
            sent: request.due + fate.lag,
            latency: fate.lag + fate.service,
            outcome: fate.outcome,
            fails_open: is_gone && request.target == 1,
        });
        fate
    });
    let mut summary = made.summary("100/s for 40s: 4000 requests");
    let names = summary.target_names();
    let gone = Event {
        name: "redis goes",
        kind: "command",
        spans: [0, 10, 20, 25],
        ended_by: Some("undo of redis goes"),
        statements: &[
            "Failed open and closed: 500 of 1000 requests failed (status 503 ×500), and 500 requests were admitted with an \
             answer that says so.",
            "Right again 1.00 ms after undo of redis goes.",
        ],
    };
    let undo = Event {
        name: "redis goes",
        kind: "undo",
        spans: [10, 20, 25, 40],
        ended_by: Some("a new version"),
        statements: &[],
    };
    let mark = Event {
        name: "a new version",
        kind: "posted",
        spans: [20, 25, 40, 40],
        ended_by: None,
        statements: &["Did not fail: 50 of 1500 requests failed, and 0 of 500 before."],
    };
    let mut gone = gone.summary(&answered, &names);
    gone.command = Some(command("docker compose stop redis", 10, ""));
    gone.failures = causes(&BTreeMap::from([("status_5xx".to_owned(), 500)]), &names);
    for effect in [&mut gone.effect, &mut gone.targets[0].effect] {
        effect.failed = HowFailed::Closed;
        effect.felt = Some(FeltSummary {
            after_ns: 2 * MILLI,
            sequence: 1_000,
            target: names[0].clone(),
            how: "failed".to_owned(),
            cause: Some("status 503".to_owned()),
        });
        effect.recovery = Some(RecoverySummary {
            from: "undo of redis goes".to_owned(),
            from_ns: 20 * SECOND,
            first_answer_ns: Some(MILLI),
            good_second_ns: Some(MILLI),
            kept_ns: Some(0),
            last_excess: None,
            total_ns: Some(MILLI),
            failed_later: true,
        });
    }
    gone.effect.failed = HowFailed::OpenAndClosed;
    gone.targets[1].effect.failed = HowFailed::Open;
    let mut undo = undo.summary(&answered, &names);
    undo.command = Some(CommandSummary {
        exit_code: Some(1),
        error: Some("exit code 1".to_owned()),
        output_cut_bytes: 70_000,
        ..command(
            "docker compose start redis",
            20,
            "redis is up\nno such service: sentinel\n",
        )
    });
    summary.events = vec![gone, undo, mark.summary(&answered, &names)];
    let outage =
        |from: u64, seconds: u64, target: usize, kind: &str, event: Option<&str>| OutageSummary {
            from_ns: from * SECOND,
            to_ns: (from + seconds) * SECOND,
            targets: vec![names[target].clone()],
            failed: 50 * seconds,
            kinds: BTreeMap::from([(kind.to_owned(), 50 * seconds)]),
            event: event.map(str::to_owned),
            statement: format!(
                "{} requests to {} failed from {from}.000s to {}.000s ({kind} ×{}).",
                50 * seconds,
                names[target],
                from + seconds,
                50 * seconds
            ),
        };
    summary.outages = vec![
        outage(10, 10, 0, "status_5xx", Some("redis goes")),
        outage(30, 1, 1, "reset", None),
    ];
    summary
}

/// An event, with the seconds at which the span before it began, at which it began and ended, and at which the span after it
/// ended.
struct Event<'a> {
    name: &'a str,
    kind: &'a str,
    spans: [u64; 4],
    ended_by: Option<&'a str>,
    statements: &'a [&'a str],
}

impl Event<'_> {
    fn summary(&self, answered: &[Answered], targets: &[String]) -> EventSummary {
        let [earlier, began, ended, later] = self.spans;
        let effect = |target: Option<usize>| {
            let of = |from: u64, to: u64| {
                let spans = from * SECOND..to * SECOND;
                let among = answered.iter().filter(|one| {
                    spans.contains(&one.sent) && target.is_none_or(|target| one.target == target)
                });
                span_of(among)
            };
            EffectSummary {
                failed: HowFailed::NotAtAll,
                is_slow: false,
                felt: None,
                recovery: None,
                why_unknown: None,
                before: of(earlier, began),
                during: of(began, ended),
                after: self.ended_by.map(|_| of(ended, later)),
            }
        };
        let by_target = targets.iter().enumerate();
        let by_target = by_target.map(|(place, name)| EventTarget {
            name: name.clone(),
            effect: effect(Some(place)),
        });
        EventSummary {
            name: self.name.to_owned(),
            kind: self.kind.to_owned(),
            due_ns: (self.kind != "posted").then_some(began * SECOND),
            began_ns: began * SECOND + MILLI / 4,
            until_ns: ended * SECOND,
            ended_by: self.ended_by.map(str::to_owned),
            command: None,
            statements: self
                .statements
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            effect: effect(None),
            failures: Vec::new(),
            targets: by_target.collect(),
        }
    }
}

/// A command that took 310 ms from this second on, and exited with 0.
fn command(text: &str, second: u64, output: &str) -> CommandSummary {
    CommandSummary {
        text: text.to_owned(),
        ended_ns: Some(second * SECOND + 310 * MILLI),
        exit_code: Some(0),
        error: None,
        output: output.to_owned(),
        output_cut_bytes: 0,
    }
}

/// A request that was answered or failed.
struct Answered {
    target: usize,
    sent: u64,
    latency: u64,
    outcome: Outcome,
    fails_open: bool,
}

fn span_of<'a>(requests: impl Iterator<Item = &'a Answered>) -> SpanSummary {
    let mut latency = Histogram::default();
    let mut span = SpanSummary {
        sent: 0,
        allowed: 0,
        blocked: 0,
        failed: 0,
        abandoned: 0,
        failing_open: 0,
        unanswered: 0,
        admitted_beyond: None,
        latency_p50_ns: None,
        latency_p99_ns: None,
    };
    for request in requests {
        span.sent += 1;
        match request.outcome {
            Outcome::Allowed => span.allowed += 1,
            Outcome::Blocked => span.blocked += 1,
            Outcome::Failed(_) => span.failed += 1,
        }
        span.failing_open += u64::from(request.fails_open);
        if !matches!(request.outcome, Outcome::Failed(_)) {
            latency.record(Nanos(request.latency));
        }
    }
    if latency.count() > 0 {
        span.latency_p50_ns = Some(latency.quantile(0.5).0);
        span.latency_p99_ns = Some(latency.quantile(0.99).0);
    }
    span
}

/// A run of twenty hours with a thousand targets and hostile names, and many events and outages.
pub fn huge() -> Summary {
    let hour = |hour: u64| hour * 3_600;
    let stretches = (0..20).flat_map(|number| {
        let (begin, middle, end) = (hour(number), hour(number) + 3_000, hour(number + 1));
        let steady = stretch("steady 4/s", Mode::Steady, begin, middle, 4.0);
        [
            steady,
            stretch("burst 20/s", Mode::Burst, middle, end, 20.0),
        ]
    });
    let stretches = stretches.collect();
    let targets = (0..1_000)
        .map(|number| match number {
            0 => "http://مثال.test:8000/\u{202e}txet".to_owned(),
            1 => "http://h/\"><script>alert('x')</script>|`code`&amp;".to_owned(),
            n => {
                let (host, path) = ("long".repeat(15), "path/".repeat(30));
                format!("http://node-{n}.{host}.example:8000/{path}")
            }
        })
        .collect();
    let mut made = Made::new(stretches, targets, 500);
    made.run(&mut |request, key| {
        let admits = key.sliding_log(request, 20, 60 * SECOND);
        let mut fate = Fate::answered(request, admits, 5_000.0);
        if request.target.is_multiple_of(97) {
            fate.outcome = Outcome::Failed("reset");
        }
        fate
    });
    let mut summary = made.summary("4/s for 50m, then 20/s for 10m, 20 times");
    let key = |number: usize| match number % 3 {
        0 => format!("<script>alert({number})</script>"),
        1 => format!("مفتاح \"{number}\" ' & |"),
        _ => format!("key-{number}\u{0}\u{202e}\n`x`"),
    };
    let statement = format!(
        "{} was admitted too often. {}",
        key(0),
        "And so on. ".repeat(500)
    );
    let promises = vec![promise("sliding-window", Standing::Broken, &key(0))];
    summary.audit = Some(Audit {
        limit: 20,
        peak: peak(&key(1), 60, 75),
        keys: 500,
        share: 0.25,
        keys_over: 300,
        findings: (0..300)
            .map(|number| Finding {
                statement: format!("{} was admitted 60 times within 59.0 s", key(number)),
                evidence: vec![key(number + 1); 200],
                sequences: (0..1_000).collect(),
                files: Vec::new(),
                of_the_probe: false,
            })
            .collect(),
        by_node: Some(ByNode {
            nodes: Vec::new(),
            keys: (0..100)
                .map(|number| KeyAdmitted {
                    key: key(number),
                    admitted: (0..1_000).map(|node| node % 7).collect(),
                })
                .collect(),
        }),
        outages: Vec::new(),
        by_phase: Vec::new(),
        causes: vec![
            Cause {
                cause: key(0),
                statement: key(0),
                evidence: vec![key(0); 100],
            };
            100
        ],
        remarks: vec![key(1); 100],
        ..audit(AuditVerdict::Broken, &statement, promises)
    });
    let text = "target[0].latency.p99 < 1ms and so on, as long as anybody may type it ".repeat(10);
    summary.thresholds = vec![threshold(&text, Met::Missed, "12.3 ms"); 1_000];
    summary.exit_code = 4;
    let all = summary.configuration.targets.join(",");
    summary.configuration.command = format!("loadgen --targets '{all}' --header 'X: <b>'");
    summary.configuration.settings = (0..100)
        .map(|number| Setting {
            option: format!("option-{number}"),
            values: match number {
                0 => summary.configuration.targets.clone(),
                1 => vec![all.clone()],
                _ => vec![key(number)],
            },
            source: Source::Flag,
        })
        .collect();
    let few = events();
    let long = |number: usize| format!("{} {}", key(number), "long name ".repeat(10));
    summary.events = (0..210)
        .map(|number| {
            let mut event = few.events[number % 3].clone();
            event.name = long(number);
            event.began_ns = number as u64 * 200 * SECOND;
            event.statements = vec![long(number); 5];
            let targets = if number == 0 { 1_000 } else { 25 };
            let targets = summary.configuration.targets.iter().take(targets);
            event.targets = targets
                .map(|name| EventTarget {
                    name: name.clone(),
                    effect: event.targets[0].effect.clone(),
                })
                .collect();
            if let Some(command) = &mut event.command {
                command.text = long(number + 1).repeat(20);
                command.output = long(number).repeat(20);
            }
            event
        })
        .collect();
    summary.outages = (0..300)
        .map(|number| OutageSummary {
            statement: long(number).repeat(20),
            ..few.outages[number % 2].clone()
        })
        .collect();
    summary
}

/// An audit of a limit of 100 in a minute.
fn audit(verdict: AuditVerdict, statement: &str, promises: Vec<StandingPromise>) -> Audit {
    Audit {
        verdict,
        headline: String::new(),
        further: Vec::new(),
        statement: statement.to_owned(),
        limit: 100,
        window_ns: 60 * SECOND,
        peak: None,
        keys: 1,
        share: 1.0,
        keys_over: 0,
        answers: Answers::default(),
        granted: None,
        needed: None,
        promises,
        probe: None,
        findings: Vec::new(),
        by_node: None,
        window_counts: None,
        early_blocks: None,
        outages: Vec::new(),
        by_phase: Vec::new(),
        causes: Vec::new(),
        remarks: Vec::new(),
    }
}

/// Each of three nodes admits up to so many.
fn window_counts(key: &str, most: u64) -> KeyCounts {
    KeyCounts {
        key: key.to_owned(),
        limit: 100,
        window_ns: 60 * SECOND,
        most_in_any_window: 100,
        more_because: String::new(),
        most: 3 * most,
        first_slot: 0,
        nodes: over_time(&nodes(3), 240, |_, slot| slot.min(most)),
    }
}

fn over_time(nodes: &[String], slots: u64, count: impl Fn(usize, u64) -> u64) -> Vec<NodeCounts> {
    let nodes = nodes.iter().enumerate();
    let of_node = |(number, node): (usize, &String)| NodeCounts {
        node: node.clone(),
        counts: (0..slots).map(|slot| count(number, slot)).collect(),
    };
    nodes.map(of_node).collect()
}

fn peak(key: &str, at_least: u64, at_most: u64) -> Option<Peak> {
    let key = key.to_owned();
    Some(Peak {
        key,
        limit: None,
        at_least,
        at_most,
        of_the_probe: false,
    })
}

fn nodes(count: u16) -> Vec<String> {
    (0..count)
        .map(|number| format!("http://127.0.0.1:{}", 8001 + number))
        .collect()
}

fn promise(name: &str, standing: Standing, statement: &str) -> StandingPromise {
    StandingPromise {
        promise: name.to_owned(),
        standing,
        statement: statement.to_owned(),
        judged: 0,
        resolution: None,
    }
}

fn threshold(text: &str, met: Met, measured: &str) -> JudgedThreshold {
    JudgedThreshold {
        text: text.to_owned(),
        met,
        measured: measured.to_owned(),
    }
}

/// The rate from one second to another.
#[derive(Clone)]
struct Part {
    name: String,
    mode: Mode,
    from: u64,
    to: u64,
    rate: f64,
}

fn stretch(name: &str, mode: Mode, from: u64, to: u64, rate: f64) -> Part {
    let name = name.to_owned();
    Part {
        name,
        mode,
        from,
        to,
        rate,
    }
}

fn bursts() -> Vec<Part> {
    let steady = |from, to| stretch("steady 10/s", Mode::Steady, from, to, 10.0);
    let burst = |from, to| stretch("burst 50/s", Mode::Burst, from, to, 50.0);
    vec![steady(0, 25), burst(25, 30), steady(30, 55), burst(55, 60)]
}

struct Request {
    sequence: u64,
    due: u64,
    target: usize,
    /// From 0 to 1.
    random: f64,
    /// Random numbers from 0 to 1 for its service time and its send lag.
    spread: f64,
    jitter: f64,
}

#[derive(Clone, Copy)]
enum Outcome {
    Allowed,
    Blocked,
    Failed(&'static str),
}

struct Fate {
    outcome: Outcome,
    lag: u64,
    service: u64,
    dropped: bool,
}

impl Fate {
    /// A time of about so many microseconds, with the long tail that servers have.
    fn answered(request: &Request, admits: bool, micros: f64) -> Fate {
        let tail = (1.0 / (1.0 - request.spread * 0.999)).powf(0.45);
        let lag = 6.0 + 20.0 * (1.0 / (1.0 - request.jitter * 0.999)).powf(0.4);
        Fate {
            outcome: if admits {
                Outcome::Allowed
            } else {
                Outcome::Blocked
            },
            lag: (lag * MICRO) as u64,
            service: (micros * MICRO * tail) as u64,
            dropped: false,
        }
    }
}

/// The admissions of a key by the node that counts them.
#[derive(Default)]
struct Key(HashMap<usize, Vec<u64>>);

impl Key {
    fn sliding_log(&mut self, request: &Request, limit: usize, window: u64) -> bool {
        self.sliding_log_of(0, request, limit, window)
    }

    fn sliding_log_of(
        &mut self,
        node: usize,
        request: &Request,
        limit: usize,
        window: u64,
    ) -> bool {
        let admitted = self.0.entry(node).or_default();
        admitted.retain(|at| at + window > request.due);
        let admits = admitted.len() < limit;
        if admits {
            admitted.push(request.due);
        }
        admits
    }
}

#[derive(Default)]
struct Collected {
    counts: Ledger,
    latency: Histogram,
    service_time: Histogram,
    failed_after: Histogram,
    send_lag: Histogram,
    failures: BTreeMap<String, u64>,
}

#[derive(Default)]
struct CollectedSlot {
    slot: Slot,
    latency: Histogram,
    send_lag: Histogram,
}

struct Made {
    parts: Vec<Part>,
    names: Vec<String>,
    keys: Vec<Key>,
    all: Collected,
    targets: Vec<Collected>,
    phases: BTreeMap<String, Collected>,
    slot_ns: u64,
    slots: Vec<CollectedSlot>,
    bands: Vec<u64>,
    late: u64,
}

impl Made {
    fn new(parts: Vec<Part>, names: Vec<String>, keys: usize) -> Made {
        let seconds = parts.last().map_or(0, |part| part.to);
        let each = seconds.div_ceil(600).max(1);
        Made {
            keys: (0..keys).map(|_| Key::default()).collect(),
            targets: names.iter().map(|_| Collected::default()).collect(),
            slots: (0..seconds.div_ceil(each))
                .map(|_| CollectedSlot::default())
                .collect(),
            slot_ns: each * SECOND,
            // Ten buckets for each power of ten, from 10 µs on.
            bands: (0..70)
                .map(|band| (10_000.0 * 10f64.powf(f64::from(band) / 10.0)) as u64)
                .collect(),
            parts,
            names,
            all: Collected::default(),
            phases: BTreeMap::new(),
            late: 0,
        }
    }

    fn run(&mut self, answer: &mut dyn FnMut(&Request, &mut Key) -> Fate) {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut sequence = 0;
        for part in self.parts.clone() {
            let count = ((part.to - part.from) as f64 * part.rate) as u64;
            for number in 0..count {
                let request = Request {
                    sequence,
                    due: part.from * SECOND + (number as f64 / part.rate * SECOND as f64) as u64,
                    target: sequence as usize % self.names.len(),
                    random: random(),
                    spread: random(),
                    jitter: random(),
                };
                let key = (random() * self.keys.len() as f64) as usize;
                let fate = answer(&request, &mut self.keys[key]);
                self.add(&part.name, &request, &fate);
                sequence += 1;
            }
        }
    }

    fn slot(&mut self, at: u64) -> &mut CollectedSlot {
        let place = (at / self.slot_ns) as usize;
        while self.slots.len() <= place {
            self.slots.push(CollectedSlot::default());
        }
        let targets = self.names.len();
        let slot = &mut self.slots[place];
        slot.slot.targets.resize(targets, OutcomeCounts::default());
        slot
    }

    fn add(&mut self, phase: &str, request: &Request, fate: &Fate) {
        let phases = &mut self.phases;
        let everywhere = [
            &mut self.all,
            &mut self.targets[request.target],
            phases.entry(phase.to_owned()).or_default(),
        ];
        for of in everywhere {
            of.add(fate);
        }
        let slot = &mut self.slot(request.due).slot;
        slot.scheduled += 1;
        if fate.dropped {
            slot.dropped += 1;
            return;
        }
        if fate.lag > 10 * MILLI {
            self.late += 1;
        }
        let slot = self.slot(request.due + fate.lag);
        slot.slot.sent += 1;
        slot.slot.targets[request.target].sent += 1;
        slot.send_lag.record(Nanos(fate.lag));
        let latency = fate.lag + fate.service;
        let band = self
            .bands
            .partition_point(|bound| *bound < latency)
            .min(self.bands.len() - 1);
        let slot = self.slot(request.due + latency);
        if !matches!(fate.outcome, Outcome::Failed(_)) {
            slot.latency.record(Nanos(latency));
            let heat = &mut slot.slot.heat;
            heat.resize(heat.len().max(band + 1), 0);
            heat[band] += 1;
        }
        let of_target = &mut slot.slot.targets[request.target];
        let (all, one) = match fate.outcome {
            Outcome::Allowed => (&mut slot.slot.allowed, &mut of_target.allowed),
            Outcome::Blocked => (&mut slot.slot.blocked, &mut of_target.blocked),
            Outcome::Failed(_) => (&mut slot.slot.failed, &mut of_target.failed),
        };
        *all += 1;
        *one += 1;
    }

    fn summary(self, traffic: &str) -> Summary {
        let seconds = self.parts.last().map_or(0, |part| part.to);
        let names: Vec<_> = {
            let mut names: Vec<&Part> = Vec::new();
            for part in &self.parts {
                if names.iter().all(|known| known.name != part.name) {
                    names.push(part);
                }
            }
            names
        };
        let nothing = Collected::default();
        let phases = names.iter().map(|part| {
            let same = self.parts.iter().filter(|other| other.name == part.name);
            let of = self.phases.get(&part.name).unwrap_or(&nothing);
            PhaseSummary {
                name: part.name.clone(),
                mode: part.mode,
                times: same.clone().count() as u64,
                length_ns: same.map(|part| (part.to - part.from) * SECOND).sum(),
                requests: of.counts,
                latency: DurationSummary::new(&of.latency),
                service_time: DurationSummary::new(&of.service_time),
                to_merge: None,
            }
        });
        let stretches = self.parts.iter().map(|part| Stretch {
            phase: names
                .iter()
                .position(|known| known.name == part.name)
                .unwrap_or(0),
            mode: part.mode,
            from: Nanos(part.from * SECOND),
            to: Nanos(part.to * SECOND),
        });
        let asked = |number: usize| {
            let middle = (number as u64 * self.slot_ns + self.slot_ns / 2) / SECOND;
            let part = self
                .parts
                .iter()
                .find(|part| part.from <= middle && middle < part.to);
            part.map_or(0.0, |part| part.rate)
        };
        let slots = self.slots.iter().enumerate().map(|(number, collected)| {
            let at = |share| collected.latency.quantile(share).0;
            Slot {
                second: number as u64 * self.slot_ns / SECOND,
                asked: asked(number),
                done: collected.latency.count(),
                p50_ns: at(0.5),
                p90_ns: at(0.9),
                p99_ns: at(0.99),
                p99_9_ns: at(0.999),
                max_ns: at(1.0),
                send_lag_p99_ns: collected.send_lag.quantile(0.99).0,
                send_lag_max_ns: collected.send_lag.max().0,
                ..collected.slot.clone()
            }
        });
        let targets = self
            .names
            .iter()
            .zip(&self.targets)
            .map(|(name, of)| TargetSummary {
                name: name.clone(),
                requests: of.counts,
                failing_open: 0,
                backlog_dropped: 0,
                late: 0,
                backlog_late: 0,
                latency: DurationSummary::new(&of.latency),
                send_lag: DurationSummary::default(),
                failures: of.failures.clone(),
                causes: Vec::new(),
                addresses: Vec::new(),
                to_merge: None,
            });
        let counts = self.all.counts;
        Summary {
            schema_version: SCHEMA_VERSION,
            loadgen: Build {
                version: "0.1.0".to_owned(),
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
            },
            stripe: None,
            merged: None,
            run: RunTimes {
                clock_error_ns: Some(1_500_000),
                planned_ns: None,
                asked_per_s: None,
                stopped_waiting: false,
                started: "2026-03-01T09:30:00.000Z".to_owned(),
                ended: format!(
                    "2026-03-01T09:{:02}:{:02}.013Z",
                    30 + seconds / 60 % 29,
                    seconds % 60
                ),
                paced_ns: seconds * SECOND,
                drained_ns: 13 * MILLI,
                interrupted: false,
                aborted_by: None,
            },
            configuration: configuration(&self.names, traffic),
            exit_code: 0,
            schedule: ScheduleSummary {
                kept: true,
                statement: match counts.scheduled {
                    0 => "schedule kept: no request was due".to_owned(),
                    _ => "schedule kept: every request on time (within 10ms), none dropped"
                        .to_owned(),
                },
                scheduled: counts.scheduled,
                dropped: counts.dropped,
                backlog_dropped: 0,
                late: self.late,
                backlog_late: 0,
                local: 0,
                suspended_ns: 0,
                suspended: 0,
                unreached: 0,
                before_joining: 0,
                tolerance_ns: 10 * MILLI,
            },
            requests: counts,
            failing_open: 0,
            latency: DurationSummary::with_spectrum(&self.all.latency),
            service_time: DurationSummary::with_spectrum(&self.all.service_time),
            send_lag: DurationSummary::with_spectrum(&self.all.send_lag),
            connect: None,
            tls: None,
            lookup: None,
            failed_after: (self.all.failed_after.count() > 0)
                .then(|| DurationSummary::new(&self.all.failed_after)),
            failures: self.all.failures.clone(),
            causes: causes(&self.all.failures, &self.names),
            targets: targets.collect(),
            phases: phases.collect(),
            events: Vec::new(),
            outages: Vec::new(),
            timeline: Timeline {
                slot_ns: self.slot_ns,
                seconds,
                slots: slots.collect(),
                bands_ns: self.bands.clone(),
                stretches: stretches.collect(),
            },
            audit: None,
            thresholds: Vec::new(),
            resources: Resources {
                user_ns: Some(410 * MILLI),
                system_ns: Some(290 * MILLI),
                peak_memory: Some(23 << 20),
                missed_lines: 0,
                unwritten_requests: None,
            },
        }
    }
}

/// The causes of these kinds of failure, with examples.
fn causes(kinds: &BTreeMap<String, u64>, targets: &[String]) -> Vec<FailureSummary> {
    let cause = |(kind, count): (&String, &u64)| {
        let (status, reason, error, answer) = match kind.as_str() {
            "status_5xx" => (
                Some(503),
                None,
                None,
                Some(
                    "HTTP/1.1 503 Service Unavailable\ncontent-type: application/json\n\n{\"error\":\"the store is gone\"}",
                ),
            ),
            "timeout" => (None, Some("no answer in time"), None, None),
            _ => (None, None, Some("Connection refused (os error 111)"), None),
        };
        FailureSummary {
            kind: kind.clone(),
            status,
            reason: reason.map(str::to_owned),
            count: *count,
            examples: vec![FailedRequest {
                sequence: 1_234,
                target: targets[0].clone(),
                sent_ns: 12_345 * MILLI,
                error: error.map(str::to_owned),
                answer: answer.map(str::to_owned),
            }],
        }
    };
    let mut causes: Vec<_> = kinds.iter().map(cause).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

impl Collected {
    fn add(&mut self, fate: &Fate) {
        let counts = &mut self.counts;
        counts.scheduled += 1;
        if fate.dropped {
            counts.dropped += 1;
            return;
        }
        counts.sent += 1;
        match fate.outcome {
            Outcome::Allowed => counts.allowed += 1,
            Outcome::Blocked => counts.blocked += 1,
            Outcome::Failed(kind) => {
                counts.failed += 1;
                *self.failures.entry(kind.to_owned()).or_default() += 1;
            }
        }
        let whole = Nanos(fate.lag + fate.service);
        if let Outcome::Failed(_) = fate.outcome {
            self.failed_after.record(whole);
        } else {
            self.latency.record(whole);
            self.service_time.record(Nanos(fate.service));
        }
        self.send_lag.record(Nanos(fate.lag));
    }
}

fn configuration(targets: &[String], traffic: &str) -> Configuration {
    let given = |option: &str, value: &str, source| Setting {
        option: option.to_owned(),
        values: match value {
            "" => Vec::new(),
            value => vec![value.to_owned()],
        },
        source,
    };
    Configuration {
        command: "loadgen --demo --duration 60 --seed 8123440112 \\\n  --threshold 'latency.p99 < 50ms' --audit"
            .to_owned(),
        variables: Vec::new(),
        seed: 8_123_440_112,
        targets: targets.to_vec(),
        traffic: traffic.to_owned(),
        count: None,
        requests: "POST /check, limit 100 in 60s".to_owned(),
        keys: "7".to_owned(),
        settings: vec![
            given("demo", "true", Source::Flag),
            given("rps", "10", Source::Default),
            given("duration", "60", Source::Flag),
            given("burst-enabled", "true", Source::Default),
            given("burst-multiplier", "5", Source::Default),
            given("workers", "100", Source::Default),
            given("timeout", "10", Source::Variable),
            given("header", "", Source::Default),
            given("threshold", "latency.p99 < 50ms", Source::Flag),
        ],
    }
}
