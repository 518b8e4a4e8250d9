//! The file of `--summary-json` is valid by its schema, agrees with the printed summary, and is enough to repeat the run.

use crate::support::metrics::{address, await_sum};
use crate::support::report::Report;
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Refusing, Reply, Server};
use crate::support::valid_json;
use loadgen::base::{Ledger, Mode};
use loadgen::core::summary::{SCHEMAS, Source, Summary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A file for one summary.
fn file() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("summary-{number}.json"))
}

fn writing(launch: Launch, file: &Path) -> Launch {
    launch
        .arg("--summary-json")
        .arg(file.to_str().expect("a path in UTF-8"))
}

/// Reads a summary, which must be valid by its schema.
#[track_caller]
fn read(text: &str) -> Summary {
    valid_json(text, "summary");
    Summary::from_json(text).expect("a summary")
}

#[test]
fn the_schemas_are_printed_by_their_names() {
    for (line, schema) in [
        ("schema", SCHEMAS[0]),
        ("schema summary", SCHEMAS[0]),
        ("schema audit", SCHEMAS[1]),
        ("schema capacity", SCHEMAS[2]),
        ("schema discovery", SCHEMAS[3]),
    ] {
        let finished = loadgen(line).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert_eq!(finished.stdout(), schema.text, "{line}");
    }
    for name in ["", "sumary", "summary.json"] {
        let launch = loadgen("schema").arg(name);
        launch.assert_refused(&["NAME", "must be one of summary, audit, capacity, discovery"]);
    }
    let help = loadgen("schema --help").finish().stdout();
    assert!(
        help.contains("summary, audit, discovery or capacity"),
        "{help}"
    );
}

#[track_caller]
fn summarized(launch: Launch) -> (Summary, Finished) {
    let file = file();
    let finished = writing(launch, &file).finish();
    let text = std::fs::read_to_string(file).expect("a summary");
    (read(&text), finished)
}

/// Asserts that the summary's totals are those of its targets, phases and slots, and those that were printed.
#[track_caller]
fn assert_consistent(summary: &Summary, printed: &Report) {
    let totals = summary.requests;
    let by_target = summary.targets.iter().map(|target| target.requests);
    assert_eq!(by_target.sum::<Ledger>(), totals, "by target");
    let by_phase = summary.phases.iter().map(|phase| phase.requests);
    assert_eq!(by_phase.sum::<Ledger>(), totals, "by phase");
    let slots = &summary.timeline.slots;
    let by_slot = slots.iter().map(|slot| Ledger {
        scheduled: slot.scheduled,
        sent: slot.sent,
        dropped: slot.dropped,
        // An unsent request belongs to no slot.
        unsent: 0,
        allowed: slot.allowed,
        blocked: slot.blocked,
        failed: slot.failed,
        abandoned: slot.abandoned,
    });
    let without_unsent = Ledger {
        unsent: 0,
        ..totals
    };
    assert_eq!(by_slot.sum::<Ledger>(), without_unsent, "by slot");
    let printed = Ledger {
        scheduled: printed.scheduled,
        sent: printed.sent,
        dropped: printed.dropped,
        unsent: printed.unsent,
        allowed: printed.allowed,
        blocked: printed.blocked,
        failed: printed.failed,
        abandoned: printed.abandoned,
    };
    assert_eq!(printed, totals, "printed");

    let done = summary.latency.count;
    let phases = summary.phases.iter();
    assert_eq!(phases.map(|phase| phase.latency.count).sum::<u64>(), done);
    let targets = summary.targets.iter();
    assert_eq!(
        targets.map(|target| target.latency.count).sum::<u64>(),
        done
    );
    assert_eq!(slots.iter().map(|slot| slot.done).sum::<u64>(), done);
    let heat = slots.iter().flat_map(|slot| &slot.heat);
    assert_eq!(heat.sum::<u64>(), done, "the heat map has every latency");
    for durations in [&summary.latency, &summary.service_time, &summary.send_lag] {
        let spectrum = &durations.spectrum;
        assert_eq!(spectrum.is_empty(), durations.count == 0);
        assert!(
            spectrum.is_sorted_by_key(|point| point.share),
            "{spectrum:?}"
        );
        assert!(spectrum.is_sorted_by_key(|point| point.ns), "{spectrum:?}");
    }
}

#[test]
fn a_demo_is_summarized_by_target_phase_and_time_with_its_audit() {
    let (summary, finished) = summarized(loadgen(
        "--demo --rps 40 --duration 4 --burst-interval 2 --burst-duration 1 --window 1s --limit 5 --seed 7",
    ));
    assert_consistent(&summary, &finished.summary());
    assert_eq!(summary.schema_version, 3);
    assert_eq!(summary.configuration.seed, 7);
    assert_eq!(summary.audit.expect("an audit").limit, 5);
    assert_eq!(Some(summary.exit_code.into()), finished.code());
    assert_eq!(summary.loadgen.version, env!("CARGO_PKG_VERSION"));
    let phases = summary.phases.iter();
    let phases: Vec<_> = phases
        .map(|phase| (&*phase.name, phase.length_ns / 1_000_000))
        .collect();
    assert_eq!(phases, [("steady 40/s", 3_000), ("burst 200/s", 1_000)]);
    assert!(summary.run.paced_ns >= 4_000_000_000);
    let stretches = summary.timeline.stretches.iter();
    let modes: Vec<_> = stretches.map(|stretch| stretch.mode).collect();
    assert_eq!(modes, [Mode::Steady, Mode::Burst, Mode::Steady]);
    let slots = summary.timeline.slots.iter();
    let asked: Vec<_> = slots.map(|slot| slot.asked.round()).take(4).collect();
    assert_eq!(asked, [40.0, 40.0, 200.0, 40.0]);
}

#[test]
fn failures_are_summarized_by_kind_and_target() {
    let server = Server::start(|_| Reply::status(503, "Service Unavailable"));
    let targets = format!("{},{}", server.url(), Refusing::new().url());
    let line = "--rps 50 --duration 2 --burst-enabled false --workers 8";
    let (summary, finished) = summarized(loadgen(format!("--targets {targets} {line}")));
    assert_consistent(&summary, &finished.summary());
    let refused = ("refused".to_owned(), 50);
    let status = ("status_5xx".to_owned(), 50);
    let of_first = BTreeMap::from([status.clone()]);
    assert_eq!(summary.failures, BTreeMap::from([refused, status]));
    assert_eq!(summary.targets[0].failures, of_first);
    assert!(summary.audit.is_none());
}

#[test]
fn a_run_that_drops_abandons_and_is_stopped_is_summarized_to_the_request() {
    let server = Server::silent();
    let file = file();
    let launch = server.launch(
        "--rps 200 --duration 60 --workers 4 --queue 20 --timeout 60 --drain-timeout 1 \
         --burst-enabled false --metrics-addr 127.0.0.1:0",
    );
    let run = writing(launch, &file).start();
    await_sum(address(&run), "loadgen_requests_scheduled_total", 450.0);
    assert_eq!(server.request_count(), 4);
    run.terminate();
    let finished = run.finish();
    let summary = read(&std::fs::read_to_string(file).expect("a summary"));
    assert_consistent(&summary, &finished.summary());
    let requests = summary.requests;
    assert!(requests.dropped > 0 && requests.unsent > 0, "{finished}");
    assert_eq!(requests.abandoned, 4);
    assert!(summary.run.interrupted && !summary.schedule.kept);
}

#[test]
fn pieces_of_a_profile_are_phases() {
    let server = Server::allowing();
    let launch = server.launch("--workers 20");
    let (summary, finished) = summarized(launch.arg("--profile").arg(
        "20/s for 1s, burst 30 at once, pause 500ms, ramp 0/s to 40/s over 1s, 20/s for 500ms",
    ));
    assert_consistent(&summary, &finished.summary());
    let phases = summary.phases.iter();
    let phases: Vec<_> = phases
        .map(|phase| (&*phase.name, phase.times, phase.requests.sent))
        .collect();
    let expected = [
        ("steady 20/s", 2, 30),
        ("burst 30 at once", 1, 30),
        ("pause", 1, 0),
        ("ramp 0/s to 40/s", 1, 20),
    ];
    assert_eq!(phases, expected);
}

#[test]
fn on_standard_output_the_summary_stands_alone() {
    let server = Server::allowing();
    let finished = server
        .launch("--rps 20 --duration 1 --summary-json -")
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(read(&finished.stdout()).requests.sent, 20);
    assert!(finished.stderr.contains("Summary: paced for"), "{finished}");
    assert!(finished.stderr.contains("Requests: 20 | "), "{finished}");
}

#[test]
fn the_command_in_a_summary_repeats_the_run() {
    let server = Server::allowing();
    let launch = server.launch("--duration 1 --arrivals poisson --keys 5");
    let body = r#"{"k": "{key}", "it's": 1}"#;
    let launch = launch.env("RPS", "60").arg("--body").arg(body);
    let (Summary { configuration, .. }, _) = summarized(launch);
    let sent_after = |count: usize| {
        let requests = server.requests();
        let requests = requests[count..].iter();
        let mut bodies: Vec<_> = requests.map(|request| request.text().to_owned()).collect();
        bodies.sort();
        bodies
    };
    let once = sent_after(0);
    let words = shlex::split(&configuration.command).expect("a command");
    assert_eq!(words[0], "loadgen");
    let words = words[1..].iter();
    let again = loadgen("").env("SECRET_IT_S", "1");
    let again = words.fold(again, |launch, word| launch.arg(word));
    assert_eq!(again.finish().code(), Some(0));
    assert_eq!(sent_after(once.len()), once);
    let mut settings = configuration.settings.iter();
    let rps = settings.find(|setting| setting.option == "rps");
    assert_eq!(rps.expect("a setting").source, Source::Variable);
}

#[test]
fn a_server_that_sends_something_else_each_time_takes_no_place_of_other_reasons() {
    const BANNERS: u64 = 270;
    let turn = AtomicU64::new(0);
    let server = Server::start(move |_| {
        let turn = turn.fetch_add(1, Relaxed);
        let answer = if turn < BANNERS {
            format!("{turn:03} banner\r\n")
        } else {
            "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n".to_owned()
        };
        Reply::raw(answer).then_close()
    });
    let (summary, _) = summarized(server.launch("--rps 300 --duration 1"));
    let reasons: BTreeMap<_, _> = summary
        .causes
        .iter()
        .map(|cause| (cause.reason.as_deref().unwrap_or_default(), cause.count))
        .collect();
    let of = |reason| reasons.get(reason).copied();
    let quoted = reasons.keys().filter(|reason| reason.ends_with("banner\""));
    assert_eq!(quoted.count(), 10, "{reasons:?}");
    let others = of("not HTTP: other first bytes");
    assert_eq!(others, Some(BANNERS - 10), "{reasons:?}");
    let malformed = of("malformed head: invalid header name");
    assert_eq!(malformed, Some(300 - BANNERS), "{reasons:?}");
}
