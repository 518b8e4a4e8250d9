//! The files that a run writes: their contents, and that each is complete or absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use crate::support::metrics::{address, await_mode, await_sum};
use crate::support::report::Report;
use crate::support::run::{Finished, Launch, Run, loadgen};
use crate::support::server::{Reply, Server};
use crate::support::{SIGNALS_APART, at_once, eventually, seconds};
use tempfile::TempDir;

const METRICS: &str = "--metrics-addr 127.0.0.1:0";

/// A directory for the files of one run.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        let path = self.at(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of all files in it, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let names =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

/// Adds the option with this file.
fn with(launch: Launch, option: &str, path: &Path) -> Launch {
    launch.arg(option).arg(path)
}

/// Adds every option whose file is written while the run goes on.
fn recorded(launch: Launch, place: &Place) -> Launch {
    let launch = with(launch, "--timeline", &place.at("timeline.csv"));
    let launch = with(launch, "--timeline-targets", &place.at("targets.csv"));
    let launch = with(launch, "--hdr-log", &place.at("hdr.log"));
    with(launch, "--requests", &place.at("requests.csv"))
}

type Row = BTreeMap<String, String>;

#[track_caller]
fn csv(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize();
    rows.map(|row| row.expect("a row")).collect()
}

#[track_caller]
fn sum(rows: &[Row], column: &str) -> u64 {
    let cell = |row: &Row| row[column].parse::<u64>().expect("a number");
    rows.iter().map(cell).sum()
}

/// Asserts that the files agree with the summary in every count, in total and by target.
#[track_caller]
fn assert_agree(place: &Place, report: &Report) {
    let timeline = csv(&place.read("timeline.csv"));
    for (number, row) in timeline.iter().enumerate() {
        assert_eq!(row["second"], number.to_string(), "no gaps: {row:?}");
    }
    for (column, total) in [
        ("scheduled", report.scheduled),
        ("dropped", report.dropped),
        ("sent", report.sent),
        ("allowed", report.allowed),
        ("blocked", report.blocked),
        ("failed", report.failed),
        ("abandoned", report.abandoned),
    ] {
        assert_eq!(sum(&timeline, column), total, "{column}\n{report}");
    }
    let by_target = csv(&place.read("targets.csv"));
    assert_eq!(by_target.len(), timeline.len() * report.targets.len());
    for (row, second) in by_target.chunks(report.targets.len()).zip(&timeline) {
        for (row, target) in row.iter().zip(&report.targets) {
            assert_eq!(row["target"], target.url);
            assert_eq!(
                (&row["second"], &row["time"]),
                (&second["second"], &second["time"])
            );
        }
    }
    let requests = csv(&place.read("requests.csv"));
    let (requests, probes): (Vec<_>, Vec<_>) = requests
        .into_iter()
        .partition(|row| row["source"] == "load");
    assert!(probes.iter().all(|row| row["source"] == "probe"));
    assert!(probes.iter().all(|row| row["key"].contains("probe-")));
    let counted =
        |matches: &dyn Fn(&Row) -> bool| requests.iter().filter(|row| matches(row)).count() as u64;
    for target in &report.targets {
        let outcomes = [
            ("allowed", target.allowed),
            ("blocked", target.blocked),
            ("failed", target.failed),
            ("abandoned", target.abandoned),
        ];
        let rows = by_target.iter().filter(|row| row["target"] == target.url);
        let rows: Vec<_> = rows.cloned().collect();
        assert_eq!(sum(&rows, "sent"), target.sent);
        for (outcome, total) in outcomes {
            assert_eq!(sum(&rows, outcome), total, "{outcome}\n{report}");
            let count = counted(&|row| row["target"] == target.url && row["outcome"] == outcome);
            assert_eq!(count, total, "{outcome} at {}\n{report}", target.url);
        }
    }
    for (kind, total) in &report.failures {
        let count = counted(&|row| row["failure"] == *kind);
        assert_eq!(count, *total, "{kind}\n{report}");
    }
    let sequences = requests.iter().map(|row| row["sequence"].parse().unwrap());
    let sequences: BTreeSet<u64> = sequences.collect();
    assert_eq!(requests.len() as u64, report.sent, "{report}");
    assert_eq!(sequences.len() as u64, report.sent, "each is there once");
    assert!(
        sequences.last().is_none_or(|last| *last < report.scheduled),
        "{report}"
    );
    let mut starts = BTreeSet::new();
    for row in &requests {
        let nanos = |column: &str| row[column].parse::<u64>().ok();
        let (due, sent) = (nanos("due_ns").unwrap(), nanos("sent_ns").unwrap());
        assert!(due <= sent, "{row:?}");
        starts.insert(nanos("sent_unix_ns").unwrap() - sent);
        let Some(done) = nanos("done_ns") else {
            assert_eq!((&*row["outcome"], &*row["latency_ns"]), ("abandoned", ""));
            assert!(nanos("abandoned_ns").unwrap() > sent, "{row:?}");
            continue;
        };
        assert_eq!(row["abandoned_ns"], "", "{row:?}");
        assert_eq!(nanos("latency_ns"), Some(done - due), "{row:?}");
        let service_time = nanos("service_time_ns");
        assert!(
            service_time.is_none_or(|took| took == done - sent),
            "{row:?}"
        );
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_nanos() as u64;
    let within_a_minute = |start: &u64| (now - 60_000_000_000..now).contains(start);
    assert!(starts.len() <= 1, "one start by the clock: {starts:?}");
    assert!(starts.iter().all(within_a_minute), "{starts:?}");
    let log = place.read("hdr.log");
    let intervals = log.lines().filter(|line| line.starts_with("Tag=")).count();
    assert_eq!(intervals, 3 * timeline.len(), "{log}");
}

/// Allows, blocks and fails in turns.
fn mixed() -> Server {
    Server::start(|request| match request.nth % 3 {
        0 => Reply::allowed(),
        1 => Reply::blocked(),
        _ => Reply::status(503, "Service Unavailable"),
    })
}

#[test]
fn the_files_agree_with_the_summary_by_target_and_by_outcome() {
    let (one, two, place) = (mixed(), mixed(), Place::new());
    let line = format!(
        "--targets {},{} --rps 100 --duration 2.3",
        one.url(),
        two.url()
    );
    let report = recorded(loadgen(line), &place).report();
    assert_eq!((report.sent, report.failed > 0), (230, true), "{report}");
    assert_agree(&place, &report);
    let timeline = csv(&place.read("timeline.csv"));
    let scheduled: Vec<_> = timeline.iter().map(|row| &*row["scheduled"]).collect();
    assert_eq!(scheduled[..3], ["100", "100", "30"]);
    assert_eq!(
        (&*timeline[0]["mode"], &*timeline[0]["asked_per_s"]),
        ("steady", "100")
    );
    assert!(timeline[0]["time"].ends_with('Z'), "{timeline:?}");
    let requests = csv(&place.read("requests.csv"));
    assert!(
        requests
            .iter()
            .all(|row| row["key"].starts_with("loadgen-"))
    );
    assert_eq!(
        place.names(),
        ["hdr.log", "requests.csv", "targets.csv", "timeline.csv"]
    );
}

#[test]
fn the_files_agree_with_the_summary_however_a_run_goes() {
    let slow = || Server::start(|_| Reply::allowed().after(seconds(0.15)));
    type Case<'a> = (Server, &'a str, fn(&Report) -> bool);
    #[rustfmt::skip]
    let cases: [Case<'_>; 4] = [
        (slow(), "--rps 100 --duration 2 --workers 4 --queue 20", |report| report.dropped > 0),
        (Server::silent(), "--rps 20 --duration 0.5 --workers 4 --timeout 60 --drain-timeout 0.5",
            |report| (report.abandoned, report.unsent) == (4, 6)),
        (Server::silent(), "--rps 100 --duration 1 --workers 8 --timeout 0.3 --arrivals poisson",
            |report| report.failed_by("timeout") > 0),
        (mixed(), "20/s for 500ms, pause 1200ms, burst 30 at once", |_| true),
    ];
    at_once(cases, |(server, line, holds)| {
        let place = Place::new();
        let targets = format!("--targets {}", server.url());
        let launch = if line.starts_with("--") {
            loadgen(format!("{targets} {line}"))
        } else {
            loadgen(targets).args(["--profile", line])
        };
        let report = recorded(launch, &place).report();
        assert!(holds(&report), "{report}");
        assert_agree(&place, &report);
    });
}

#[test]
fn a_run_that_is_stopped_writes_everything() {
    at_once([Run::terminate, Run::interrupt], |signal| {
        let (server, place) = (Server::silent(), Place::new());
        let run = recorded(
            server.launch(format!(
                "--rps 100 --duration 60 --workers 4 --timeout 60 --drain-timeout 0.5 {METRICS}"
            )),
            &place,
        )
        .start();
        await_sum(address(&run), "loadgen_requests_scheduled_total", 120.0);
        assert_eq!(server.request_count(), 4);
        signal(&run);
        let report = run.finish().report();
        assert!(report.unsent > 50 && report.abandoned == 4, "{report}");
        assert_agree(&place, &report);
    });
}

#[test]
fn a_run_stopped_before_its_start_leaves_files_without_rows() {
    let (server, place) = (mixed(), Place::new());
    let line = format!(
        "--targets {} --burst-align true --window 3600s --burst-interval 3600 --duration 7200",
        server.url()
    );
    let run = recorded(loadgen(line), &place).start();
    run.await_line("starts in");
    run.terminate();
    let finished = run.finish();
    let report = finished.report();
    // By chance, the start may have been near.
    if report.scheduled == 0 {
        assert_eq!(csv(&place.read("timeline.csv")).len(), 0, "{finished}");
        assert!(place.read("timeline.csv").starts_with("second,time,"));
    }
    assert_agree(&place, &report);
}

#[test]
fn a_second_has_the_same_numbers_in_the_timeline_and_in_the_summary() {
    let (server, place) = (mixed(), Place::new());
    let launch = server
        .launch("--workers 8")
        .args(["--profile", "60/s for 1300ms, pause 1700ms, 31/s for 500ms"]);
    let launch = with(launch, "--summary-json", &place.at("summary.json"));
    recorded(launch, &place).report();
    let summary: serde_json::Value =
        serde_json::from_str(&place.read("summary.json")).expect("JSON");
    let slots = summary["timeline"]["slots"].as_array().expect("slots");
    let rows = csv(&place.read("timeline.csv"));
    assert_eq!((slots.len(), rows.len()), (4, 4));
    for (slot, row) in slots.iter().zip(&rows) {
        let slot = slot.as_object().expect("an object");
        let is_shared = |name: &&String| slot.contains_key(*name);
        let shared: Vec<_> = row.keys().filter(is_shared).collect();
        assert_eq!(shared.len(), 16, "{shared:?}");
        for name in shared {
            let value = match &slot[name] {
                serde_json::Value::Null => String::new(),
                value => value.as_f64().expect("a number").to_string(),
            };
            assert_eq!(value, row[name], "{name}");
        }
    }
    assert_eq!(rows[2]["latency_p99_ns"], "", "a pause");
    assert_ne!(rows[0]["latency_p99_ns"], "");
}

#[test]
fn requests_may_be_json_lines() {
    let (server, place) = (mixed(), Place::new());
    let report = with(
        server.launch("--rps 50 --duration 0.5"),
        "--requests",
        &place.at("r.JSONL"),
    )
    .report();
    let rows = place.read("r.JSONL");
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    assert_eq!(rows.len() as u64, report.sent);
    for row in rows {
        let failure = row["failure"].as_str();
        assert_eq!(failure.is_some(), row["outcome"] == "failed", "{row}");
        assert_eq!(row["target"], server.url().trim_end_matches('/'), "{row}");
        let [due, done, latency] =
            ["due_ns", "done_ns", "latency_ns"].map(|name| row[name].as_u64().unwrap());
        assert_eq!(done - due, latency, "{row}");
    }
}

// Where files are written.

#[test]
fn an_unwritable_file_is_refused_before_anything_is_sent() {
    let (server, place) = (mixed(), Place::new());
    fs::create_dir(place.at("dir")).unwrap();
    fs::write(place.at("file"), "").unwrap();
    symlink("circle", place.at("circle")).unwrap();
    symlink("one.csv", place.at("same.csv")).unwrap();
    let at = |name: &str| place.at(name).to_str().unwrap().to_owned();
    let one = at("one.csv");
    let other_spelling = format!("{}/../dir/../one.csv", at("dir"));
    let too_long = at(&"x".repeat(300));
    #[rustfmt::skip]
    let cases: &[(&[&str], &str)] = &[
        (&["--timeline", &at("none/x.csv")], "No such file or directory"),
        (&["--hdr-log", &at("file/x")], "ot a directory"),
        (&["--report", &at("dir")], "is a directory"),
        (&["--summary-markdown", &at("new/")], "is a directory"),
        (&["--summary-json", ""], "it has no name"),
        (&["--report", &at("circle")], "Too many levels"),
        (&["--timeline", &too_long], "File name too long"),
        (&["--timeline", "-"], "/dev/stdout"),
        (&["--timeline", "/dev/stdin"], "Bad file descriptor"),
        (&["--requests", &at("r.txt")], ".csv or .jsonl"),
        (&["--requests", &at("csv")], ".csv or .jsonl"),
        (&["--requests", &one, "--timeline", &one], "--timeline has the same"),
        (&["--requests", &one, "--hdr-log", &other_spelling], "--hdr-log has the same"),
        (&["--requests", &at("same.csv"), "--report", &one], "--report has the same"),
        (&["--summary-json", "-", "--timeline", "/dev/stdout"], "--summary-json has the same"),
    ];
    for (options, says) in cases {
        let finished = server
            .launch("--rps 100 --duration 0.2")
            .args(*options)
            .finish();
        finished.assert_refused(&[says]);
        let names = options.chunks(2).any(|option| {
            let shown: String = option[1].chars().take(300).collect();
            finished.stderr.contains(&format!("{} '{shown}", option[0]))
        });
        assert!(names, "{options:?}: {finished}");
    }
    assert_eq!(server.request_count(), 0);
    assert_eq!(place.names(), ["circle", "dir", "file", "same.csv"]);
}

#[test]
fn a_file_that_is_read_is_never_written() {
    let place = Place::new();
    let summary = place.at("summary.json");
    let made = with(
        loadgen("--targets http://127.0.0.1:1 --duration 0.1"),
        "--summary-json",
        &summary,
    );
    assert_eq!(made.finish().code(), Some(0));
    for (name, text) in [
        ("keys", "a\nb\n"),
        ("body", "{}"),
        ("rows.csv", "time,took,status\n"),
    ] {
        fs::write(place.at(name), text).unwrap();
    }
    symlink("keys", place.at("link")).unwrap();
    fs::hard_link(place.at("keys"), place.at("twin")).unwrap();
    let at = |name: &str| place.at(name).to_str().unwrap().to_owned();
    let (keys, body, rows, summary) = (at("keys"), at("body"), at("rows.csv"), at("summary.json"));
    let cases = [
        (
            format!("--demo --keys-file {keys} --report {keys}"),
            "--keys-file",
        ),
        (
            format!("--demo --keys-file {keys} --report {}", at("link")),
            "--keys-file",
        ),
        (
            format!("--demo --keys-file {} --timeline {keys}", at("link")),
            "--keys-file",
        ),
        (
            format!("--demo --keys-file {} --hdr-log {keys}", at("twin")),
            "--keys-file",
        ),
        (
            format!(
                "--demo --body-file {body} --summary-json {}/../{body}",
                at("..")
            ),
            "--body-file",
        ),
        (format!("audit {rows} --summary-markdown {rows}"), "FILE"),
        (format!("report {summary} --output {summary}"), "FILE"),
        (
            format!("report {summary} {} --output {}", at("link"), at("twin")),
            "FILE",
        ),
    ];
    for (line, option) in cases {
        let read = |name: &str| fs::read(place.at(name)).unwrap();
        let before = ["keys", "body", "rows.csv", "summary.json"].map(read);
        loadgen(&line).finish().assert_refused(&[option]);
        assert_eq!(
            ["keys", "body", "rows.csv", "summary.json"].map(read),
            before,
            "{line}"
        );
    }
    assert_eq!(
        place.names(),
        ["body", "keys", "link", "rows.csv", "summary.json", "twin"]
    );
}

#[test]
fn standard_output_that_is_appended_to_a_file_that_is_read_is_refused() {
    let place = Place::new();
    fs::write(place.at("keys"), "a\nb\n").unwrap();
    let path = place.at("keys");
    let launch = with(loadgen("--demo --duration 0.1"), "--keys-file", &path);
    let redirected = launch.after(&format!("exec >>'{}'", path.display()));
    redirected
        .finish()
        .assert_refused(&["standard output '", "--keys-file"]);
    assert_eq!(place.read("keys"), "a\nb\n");
}

#[test]
fn an_input_without_an_end_is_refused_in_bounded_memory() {
    let place = Place::new();
    let sparse = fs::File::create(place.at("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let sparse = place.at("sparse").to_str().unwrap().to_owned();
    for file in ["/dev/zero", &sparse] {
        for line in [
            format!("report {file} --output -"),
            format!("plan --keys-file {file}"),
            format!("plan --body-file {file}"),
            format!("plan --targets https://h --ca-cert {file}"),
            format!("plan --targets https://h --cert {file}"),
            format!("audit {file}"),
        ] {
            // 512 MiB of address space, of which the threads' stacks take little.
            let finished = loadgen(&line).after("ulimit -v 524288").finish();
            finished.assert_refused(&[file]);
        }
    }
    let said = loadgen(format!("report {sparse} --output -")).finish();
    said.assert_refused(&["it is larger than 128 MiB"]);
}

#[test]
fn a_file_that_hangs_costs_only_itself() {
    let (server, place) = (Server::allowing(), Place::new());
    let launch = server.launch("--rps 100 --duration 1");
    let launch = with(launch, "--report", &fifo(&place, "page.html"));
    let launch = with(launch, "--summary-json", &place.at("summary.json"));
    let finished = launch.finish();
    assert_lost_only(&finished, "page.html", "not within 10s");
    assert!(place.read("summary.json").contains("\"sent\": 100"));
}

#[test]
fn standard_input_is_a_file_that_is_read() {
    let place = Place::new();
    let path = place.at("rows.csv");
    fs::write(&path, "sent_ns,done_ns,outcome\n1,2,allowed\n").unwrap();
    let launch = with(loadgen("audit /dev/stdin"), "--summary-json", &path);
    let launch = launch.after(&format!("exec <'{}'", path.display()));
    launch
        .finish()
        .assert_refused(&["must be a file of its own; it is also FILE"]);
    assert!(place.read("rows.csv").starts_with("sent_ns,"));
}

#[test]
fn the_end_of_a_run_does_not_wait_for_ever_for_a_reader() {
    let (server, place) = (Server::allowing(), Place::new());
    let launch = server.launch("--rps 100 --duration 1 --stats-interval 0.01");
    let launch = with(launch, "--summary-json", &place.at("summary.json"));
    let finished = launch.start_unread().finish();
    assert_eq!(finished.code(), Some(1), "{finished}");
    let said = "lines were not printed, because nobody read standard output";
    assert!(finished.stderr.contains(said), "{finished}");
    assert!(finished.took() < seconds(40.0), "{finished}");
    assert!(
        place.read("summary.json").contains("\"sent\": 100"),
        "{}",
        place.read("summary.json")
    );
}

#[test]
fn a_killed_run_leaves_nothing_for_long() {
    let (server, place) = (Server::allowing(), Place::new());
    let others = [
        ".loadgen-",
        ".loadgen-x.tmp2",
        "loadgen-x.tmp",
        ".loadgen-dir.tmp",
    ];
    for name in &others[..3] {
        fs::write(place.at(name), "").unwrap();
    }
    fs::create_dir(place.at(others[3])).unwrap();
    let abandoned = fs::File::create(place.at(".loadgen-abandoned.tmp")).unwrap();
    let held = fs::File::create(place.at(".loadgen-held.tmp")).unwrap();
    for file in [&abandoned, &held] {
        file.set_modified(SystemTime::now() - seconds(60.0))
            .unwrap();
    }
    held.try_lock().unwrap();
    drop(abandoned);
    let launch = with(
        server.launch("--rps 100 --duration 60"),
        "--report",
        &place.at("r.html"),
    );
    let run = recorded(launch, &place).start();
    eventually("a request", || server.request_count() > 0);
    let status = Command::new("kill")
        .args(["-9", &run.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    run.finish();
    let mut left = [&others[..], &[".loadgen-held.tmp"]].concat();
    left.sort_unstable();
    assert_eq!(place.names(), left);
}

#[test]
fn a_file_keeps_its_permissions_and_a_new_one_gets_the_usual_ones() {
    let (server, place) = (mixed(), Place::new());
    fs::write(place.at("old"), "before").unwrap();
    fs::set_permissions(place.at("old"), fs::Permissions::from_mode(0o604)).unwrap();
    symlink("old", place.at("link")).unwrap();
    symlink("made", place.at("dangling")).unwrap();
    let launch = with(
        server.launch("--duration 0.2"),
        "--timeline",
        &place.at("link"),
    );
    let launch = with(launch, "--hdr-log", &place.at("dangling"));
    let launch = with(launch, "--report", &place.at("page"));
    let launch = with(launch, "--summary-json", &place.at("json"));
    let launch = with(launch, "--summary-markdown", &place.at("markdown"));
    let launch = with(launch, "--requests", &place.at("requests.csv"));
    launch.after("umask 027").report();
    let mode = |name: &str| fs::metadata(place.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("old"), mode("made")), (0o604, 0o640));
    for name in ["page", "json", "markdown", "requests.csv"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert!(place.read("old").starts_with("second,"));
    assert!(fs::symlink_metadata(place.at("link")).unwrap().is_symlink());
    assert_eq!(
        place.names(),
        [
            "dangling",
            "json",
            "link",
            "made",
            "markdown",
            "old",
            "page",
            "requests.csv"
        ]
    );
}

#[test]
fn standard_output_as_a_file_has_nothing_else() {
    let server = mixed();
    let finished = server
        .launch("--duration 0.2 --timeline /dev/stdout")
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(csv(&finished.stdout()).len(), 1, "{finished}");
    let report = Report::parse(&finished.stderr)
        .expect("a summary")
        .checked();
    assert_eq!(report.sent, 2, "{finished}");
}

// Files that can't be written.

/// Asserts that the run completed, reported the file that it could not write, and left the old file in place.
#[track_caller]
fn assert_lost_only(finished: &Finished, name: &str, why: &str) {
    assert_eq!(finished.code(), Some(1), "{finished}");
    finished.summary();
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    for word in [name, why] {
        assert!(finished.stderr.contains(word), "no {word:?}: {finished}");
    }
}

#[test]
fn a_full_disk_costs_only_its_file() {
    let (server, place) = (mixed(), Place::new());
    let line = || format!("--targets {} --rps 200 --duration 1", server.url());
    fs::write(place.at("requests.csv"), "of before").unwrap();
    // 4 KiB are enough for the others.
    let finished = recorded(loadgen(line()), &place)
        .after("ulimit -f 8")
        .finish();
    assert_lost_only(&finished, "--requests", "File too large");
    assert_eq!(place.read("requests.csv"), "of before");
    assert_eq!(
        csv(&place.read("timeline.csv")).len(),
        place.read("hdr.log").lines().count() / 3 - 1
    );
    assert_eq!(
        place.names(),
        ["hdr.log", "requests.csv", "targets.csv", "timeline.csv"]
    );

    symlink("/dev/full", place.at("full.csv")).unwrap();
    let launch = with(loadgen(line()), "--requests", &place.at("full.csv"));
    assert_lost_only(&launch.finish(), "full.csv", "No space left on device");
}

#[test]
fn a_real_disk_that_is_full_is_as_any_other() {
    let namespaces = ["--map-root-user", "--mount"];
    let allowed = Command::new("unshare")
        .args(namespaces)
        .args(["mount", "-t", "tmpfs", "none", "/mnt"])
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no disk can be mounted here");
        return;
    }
    let (server, place) = (mixed(), Place::new());
    fs::create_dir(place.at("disk")).unwrap();
    let disk = place.at("disk");
    let launch = with(
        server.launch("--rps 400 --duration 1"),
        "--requests",
        &place.at("disk/r.jsonl"),
    );
    let mount = format!(
        r#"mount -t tmpfs -o size=16k none '{disk}' && echo old > '{disk}/r.jsonl' && "$0" "$@"; code=$?; ls -A '{disk}'; cat '{disk}/r.jsonl'; exit $code"#,
        disk = disk.display()
    );
    let finished = launch
        .within(
            "unshare",
            &["--map-root-user", "--mount", "sh", "-c", &mount],
        )
        .finish();
    assert_lost_only(&finished, "--requests", "No space left on device");
    assert!(
        finished.stdout().ends_with("\nr.jsonl\nold\n"),
        "{finished}"
    );
}

#[test]
fn a_failed_verdict_wins_over_a_lost_file_in_the_exit_code() {
    let server = Server::allowing();
    let finished = server.launch("--rps 50 --duration 1 --keys 1 --limit 5 --audit sliding-window --probe false --timeline /dev/full").finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
    assert!(finished.stderr.contains("/dev/full"), "{finished}");
}

fn fifo(place: &Place, name: &str) -> PathBuf {
    let path = place.at(name);
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    path
}

#[test]
fn a_pipe_gets_everything_that_its_reader_takes() {
    let (server, place) = (mixed(), Place::new());
    let path = fifo(&place, "r.csv");
    let reader = thread::spawn({
        let path = path.clone();
        move || fs::read_to_string(path).expect("rows")
    });
    let report = with(server.launch("--rps 100 --duration 1"), "--requests", &path).report();
    let rows = csv(&reader.join().expect("a reader"));
    assert_eq!(rows.len() as u64, report.sent);
}

#[test]
fn a_pipe_that_nobody_reads_holds_nothing_up_and_is_reported() {
    let (server, place) = (Server::allowing(), Place::new());
    let launch = with(
        server.launch("--rps 1000 --duration 2"),
        "--requests",
        &fifo(&place, "r.csv"),
    );
    let launch = with(launch, "--timeline", &place.at("timeline.csv"));
    let finished = launch.finish();
    assert_lost_only(&finished, "r.csv", "not within 10s");
    let report = finished.summary();
    assert_eq!(
        (report.sent, report.unsent, report.dropped),
        (2000, 0, 0),
        "{finished}"
    );
    assert_eq!(sum(&csv(&place.read("timeline.csv")), "sent"), 2000);
}

/// `timeout` of GNU signals its command, and at once the whole process group.
#[test]
fn two_signals_at_once_are_one_and_nothing_is_lost() {
    let (server, place) = (Server::allowing(), Place::new());
    let run = recorded(server.launch("--rps 50 --duration 60"), &place).start();
    eventually("a request", || server.request_count() > 0);
    run.terminate();
    run.interrupt();
    let finished = run.finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(finished.report().unsent, 0, "{finished}");
    assert!(place.names().contains(&"timeline.csv".to_owned()));
}

#[test]
fn two_signals_leave_the_old_file_and_no_other() {
    let (server, place) = (Server::silent(), Place::new());
    fs::write(place.at("timeline.csv"), "of before").unwrap();
    let line = format!(
        "--targets {} --duration 60 --timeout 60 --drain-timeout 60 {METRICS}",
        server.url()
    );
    let run = recorded(loadgen(line), &place).start();
    eventually("a request", || server.request_count() > 0);
    let metrics = address(&run);
    run.terminate();
    await_mode(metrics, "draining");
    thread::sleep(SIGNALS_APART);
    run.terminate();
    assert_eq!(run.finish().code(), Some(143));
    assert_eq!(place.names(), ["timeline.csv"]);
    assert_eq!(place.read("timeline.csv"), "of before");
}

#[test]
fn a_run_that_does_not_begin_leaves_nothing() {
    let place = Place::new();
    let line = "--targets http://nowhere.invalid:1 --duration 1";
    let finished = recorded(loadgen(line), &place).finish();
    assert_eq!(finished.code(), Some(2), "{finished}");
    assert!(place.names().is_empty(), "{:?}", place.names());
}
