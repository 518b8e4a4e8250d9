//! `--summary-json`: what is written is what its schema says, what was printed, and enough to repeat the run.

use crate::support::metrics::{address, await_sum};
use crate::support::report::Report;
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Reply, Server};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A name for a file of this test's own.
fn place(name: &str) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("summary-{number}"));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir.join(name)
}

fn writing(launch: Launch, file: &Path) -> Launch {
    launch
        .arg("--summary-json")
        .arg(file.to_str().expect("a path in UTF-8"))
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("a summary");
    let summary = serde_json::from_str(&text).expect("JSON");
    assert_valid(&summary);
    summary
}

#[track_caller]
fn assert_valid(summary: &Value) {
    let schema = include_str!("../../docs/summary.schema.json");
    let schema = serde_json::from_str(schema).expect("a schema in JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let errors = schema.iter_errors(summary);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The number at a path such as `/requests/sent`.
#[track_caller]
fn number(value: &Value, path: &str) -> u64 {
    let number = value.pointer(path).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("no number at {path} in {value:#}"))
}

fn sum(list: &Value, path: &str) -> u64 {
    let items = list.as_array().expect("a list");
    items.iter().map(|item| number(item, path)).sum()
}

const LEDGER: [&str; 8] = [
    "scheduled",
    "sent",
    "dropped",
    "unsent",
    "allowed",
    "blocked",
    "failed",
    "abandoned",
];

/// That the summary's totals are those of its targets, phases and slots, and of what was printed.
#[track_caller]
fn assert_consistent(summary: &Value, printed: &Report) {
    for count in LEDGER {
        let total = number(summary, &format!("/requests/{count}"));
        let by_target = sum(&summary["targets"], &format!("/requests/{count}"));
        assert_eq!(by_target, total, "{count} by target: {summary:#}");
        let by_phase = sum(&summary["phases"], &format!("/requests/{count}"));
        assert_eq!(by_phase, total, "{count} by phase: {:#}", summary["phases"]);
        if count != "unsent" {
            let by_slot = sum(&summary["timeline"]["slots"], &format!("/{count}"));
            assert_eq!(by_slot, total, "{count} by slot");
        }
    }
    for (count, printed) in [
        ("scheduled", printed.scheduled),
        ("sent", printed.sent),
        ("dropped", printed.dropped),
        ("unsent", printed.unsent),
        ("allowed", printed.allowed),
        ("blocked", printed.blocked),
        ("failed", printed.failed),
        ("abandoned", printed.abandoned),
    ] {
        assert_eq!(
            number(summary, &format!("/requests/{count}")),
            printed,
            "{count}"
        );
    }
    let done = number(summary, "/latency/count");
    assert_eq!(sum(&summary["timeline"]["slots"], "/done"), done);
    assert_eq!(sum(&summary["phases"], "/latency/count"), done);
    assert_eq!(sum(&summary["targets"], "/latency/count"), done);
    let slots = summary["timeline"]["slots"].as_array().expect("slots");
    let heat: u64 = slots
        .iter()
        .map(|slot| {
            let bands = slot["heat"].as_array().expect("bands");
            bands
                .iter()
                .map(|count| count.as_u64().expect("a count"))
                .sum::<u64>()
        })
        .sum();
    assert_eq!(heat, done, "every latency has its place in the heat map");
    for spans in ["latency", "service_time", "send_lag"] {
        // Of nothing there is none.
        let points = summary[spans]["spectrum"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            points.is_empty(),
            number(summary, &format!("/{spans}/count")) == 0
        );
        let rising = |path: &str| {
            let values: Vec<_> = points
                .iter()
                .map(|point| point[path].as_f64().expect("a number"))
                .collect();
            values.is_sorted()
        };
        assert!(rising("share") && rising("ns"), "{spans}: {points:?}");
    }
}

#[track_caller]
fn summarized(line: &str) -> (Value, Finished) {
    let file = place("summary.json");
    let finished = writing(loadgen(line), &file).finish();
    (read(&file), finished)
}

#[test]
fn a_demo_is_summarized_by_target_phase_and_time_with_its_audit() {
    let (summary, finished) = summarized(
        "--demo --rps 40 --duration 4 --burst-interval 2 --burst-duration 1 --window-ms 1000 --limit 5 --seed 7",
    );
    assert_consistent(&summary, &finished.summary());
    assert_eq!(number(&summary, "/schema_version"), 1);
    assert_eq!(number(&summary, "/configuration/seed"), 7);
    assert_eq!(summary["audit"]["limit"], 5);
    assert_eq!(summary["exit_code"], finished.code().expect("a code"));
    assert_eq!(summary["loadgen"]["version"], env!("CARGO_PKG_VERSION"));
    let phases: Vec<_> = summary["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["steady 40/s", "burst 200/s"]);
    let lengths = [2, 1].map(|place| number(&summary["phases"][place - 1], "/length_ns"));
    assert_eq!(lengths.iter().sum::<u64>(), 4_000_000_000);
    assert!(number(&summary, "/run/paced_ns") >= 4_000_000_000);
    let stretches = summary["timeline"]["stretches"].as_array().unwrap();
    let modes: Vec<_> = stretches
        .iter()
        .map(|stretch| stretch["mode"].as_str().unwrap())
        .collect();
    assert_eq!(modes, ["steady", "burst", "steady"]);
    let asked = |slot: usize| {
        summary["timeline"]["slots"][slot]["asked"]
            .as_f64()
            .unwrap()
            .round()
    };
    assert_eq!([0, 1, 2, 3].map(asked), [40.0, 40.0, 200.0, 40.0]);
}

#[test]
fn failures_are_summarized_by_kind_and_target() {
    let server = Server::start(|_| Reply::status(503, "Service Unavailable"));
    // Nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr());
    let dead = dead.expect("an address");
    let (summary, finished) = summarized(&format!(
        "--targets {},http://{dead} --rps 50 --duration 2 --burst-enabled false --workers 8",
        server.url()
    ));
    assert_consistent(&summary, &finished.summary());
    assert_eq!(
        summary["failures"],
        serde_json::json!({"refused": 50, "status_5xx": 50})
    );
    assert_eq!(
        summary["targets"][0]["failures"],
        serde_json::json!({"status_5xx": 50})
    );
    assert!(summary.get("audit").is_none());
}

#[test]
fn a_run_that_drops_abandons_and_is_stopped_is_summarized_to_the_request() {
    let server = Server::start(|_| Reply::silence());
    let file = place("summary.json");
    let run = writing(
        loadgen(format!(
            "--targets {} --rps 200 --duration 60 --workers 4 --queue 20 --timeout 60 --drain-timeout 1 \
             --burst-enabled false --metrics-addr 127.0.0.1:0",
            server.url()
        )),
        &file,
    )
    .start();
    await_sum(address(&run), "loadgen_requests_scheduled_total", 450.0);
    assert_eq!(server.request_count(), 4);
    run.terminate();
    let finished = run.finish();
    let (summary, printed) = (read(&file), finished.summary());
    assert_consistent(&summary, &printed);
    assert!(
        printed.dropped > 0 && printed.abandoned == 4 && printed.unsent > 0,
        "{finished}"
    );
    assert_eq!(summary["run"]["interrupted"], true);
    assert_eq!(summary["schedule"]["kept"], false);
}

#[test]
fn pieces_of_a_profile_are_phases() {
    let server = Server::start(|_| Reply::allowed());
    let file = place("summary.json");
    let line = format!("--targets {} --workers 20", server.url());
    let profile =
        "20/s for 1s, burst 30 at once, pause 500ms, ramp 0/s to 40/s over 1s, 20/s for 500ms";
    let finished = writing(loadgen(line).arg("--profile").arg(profile), &file).finish();
    let summary = read(&file);
    assert_consistent(&summary, &finished.summary());
    let phases = summary["phases"].as_array().unwrap().iter();
    let phases: Vec<_> = phases
        .map(|phase| {
            (
                phase["name"].as_str().unwrap(),
                number(phase, "/times"),
                number(phase, "/requests/sent"),
            )
        })
        .collect();
    assert_eq!(
        phases,
        [
            ("steady 20/s", 2, 30),
            ("burst 30 at once", 1, 30),
            ("pause", 1, 0),
            ("ramp 0/s to 40/s", 1, 20)
        ]
    );
}

#[test]
fn standard_output_may_have_the_json_and_then_has_nothing_else() {
    let server = Server::start(|_| Reply::allowed());
    let finished = loadgen(format!(
        "--targets {} --rps 20 --duration 1 --summary-json -",
        server.url()
    ))
    .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let summary: Value = serde_json::from_str(&finished.stdout()).expect("JSON alone");
    assert_valid(&summary);
    assert_eq!(number(&summary, "/requests/sent"), 20);
    assert!(finished.stderr.contains("Summary: paced for"), "{finished}");
    assert!(finished.stderr.contains("Requests: 20 | "), "{finished}");
}

#[test]
fn the_command_in_a_summary_repeats_the_run() {
    let server = Server::start(|_| Reply::allowed());
    let file = place("summary.json");
    let line = format!(
        "--targets {} --duration 1 --arrivals poisson --keys 5",
        server.url()
    );
    writing(
        loadgen(line)
            .env("RPS", "60")
            .arg("--body")
            .arg(r#"{"k": "{key}", "it's": 1}"#),
        &file,
    )
    .finish();
    let first = read(&file);
    let command = first["configuration"]["command"].as_str().unwrap();
    let words = shlex::split(command).expect("a command");
    assert_eq!(words[0], "loadgen");
    let once: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.text().to_owned())
        .collect();
    let again = words[1..]
        .iter()
        .fold(loadgen(""), |launch, word| launch.arg(word));
    assert_eq!(again.finish().code(), Some(0));
    let twice: Vec<_> = server.requests()[once.len()..]
        .iter()
        .map(|request| request.text().to_owned())
        .collect();
    let sorted = |mut bodies: Vec<String>| {
        bodies.sort();
        bodies
    };
    assert_eq!(sorted(once), sorted(twice));
    let rps = first["configuration"]["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|setting| setting["option"] == "rps");
    assert_eq!(rps.unwrap()["source"], "variable");
}
