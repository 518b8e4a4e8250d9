//! The command `loadgen capacity` against servers in this process.

use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Refusing, Reply, Server};
use crate::support::valid_json;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

/// A short search, with steps of half a second.
fn capacity(options: &str) -> Launch {
    loadgen("capacity --step 500ms --settle 0 --seed 1 --keys 1").args(options.split_whitespace())
}

/// A server that fails every request of a key after the first `most`. Each step has a key of its own, so in steps of half a
/// second it holds up to twice as many requests per second.
fn cap(most: u64) -> Server {
    let counts: Mutex<BTreeMap<String, u64>> = Mutex::default();
    Server::start(move |request| {
        let mut counts = counts.lock().expect("the counts");
        let count = counts.entry(request.key()).or_default();
        *count += 1;
        match *count > most {
            true => Reply::status(500, "Internal Server Error"),
            false => Reply::allowed(),
        }
    })
}

/// Whether this machine was too busy for a step to be on time.
fn was_disturbed(json: &Value) -> bool {
    let steps = json["steps"].as_array().expect("steps").iter();
    let mut all = steps.chain([&json["confirmation"]]);
    all.any(|step| step["outcome"] == "generator")
}

#[test]
fn the_highest_rate_that_holds_is_found_printed_and_written() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = |name| folder.path().join(name);
    let server = cap(100);
    let finished = capacity("--from 50 --to 1000 --precision 10% --confirm 500ms --threshold")
        .args([
            "failed.rate < 0.1%",
            "--targets",
            &server.url(),
            "--summary-json",
        ])
        .arg(file("capacity.json"))
        .arg("--report")
        .arg(file("page.html"))
        .finish();
    let json = valid_json(&read(&file("capacity.json")), "capacity");
    let result = &json["result"];
    let held = result["held_per_s"].as_f64().unwrap_or(0.0);
    assert!(held <= 200.0, "{finished}");
    if !was_disturbed(&json) {
        assert!(held >= 200.0 / 1.1, "{finished}");
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert_eq!(result["limit"], "limiter");
        let not_held = result["not_held_per_s"].as_f64().expect("a rate");
        assert!(not_held <= held * 1.1 && not_held > 200.0, "{result}");
        let said = format!("Verdict: holds {held}/s: at {not_held}/s, failed.rate was ");
        assert!(finished.stdout().contains(&said), "{finished}");
        assert!(
            finished.stdout().contains("It also held for "),
            "{finished}"
        );
        assert_eq!(json["confirmation"]["outcome"], "held");
    }
    let steps = json["steps"].as_array().expect("steps");
    for (place, step) in steps.iter().enumerate() {
        assert_eq!(step["number"], place + 1);
        let row = format!("{} of ", place + 1);
        let mut lines = finished.lines.iter();
        let has_row = lines.any(|line| line.text.trim_start().starts_with(&row));
        assert!(has_row, "{row} in {finished}");
    }
    // Each step and the confirmation have a key of their own.
    let keys: BTreeSet<_> = server.keys().into_iter().collect();
    let confirmations = usize::from(json["confirmation"].is_object());
    assert_eq!(keys.len(), steps.len() + confirmations);
    let page = read(&file("page.html"));
    for part in ["<h1", "Latency and outcomes by rate", "failed.rate"] {
        assert!(page.contains(part), "{part}");
    }
    let statement = result["statement"].as_str().expect("a statement");
    assert!(
        page.contains(&statement.replace('<', "&lt;")),
        "{statement}"
    );
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[test]
fn a_limiter_that_does_not_hold_even_the_first_rate_exits_with_4() {
    let server = Server::start(|_| Reply::status(503, "Service Unavailable"));
    let finished = capacity("--from 20 --to 100 --targets")
        .arg(server.url())
        .finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
    let said = "Verdict: does not hold even 20/s: failed.rate was 100 %";
    assert!(finished.stdout().contains(said), "{finished}");
    // The miss was repeated.
    assert!(finished.stdout().contains("\n  2 of 2 "), "{finished}");
}

#[test]
fn a_target_that_is_down_does_not_hold_and_ends_the_search_at_once() {
    let server = Refusing::new();
    let finished = capacity("--from 20 --to 50000 --targets")
        .arg(server.url())
        .finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
    let said = "does not hold even 20/s: failed.rate was 100 %";
    assert!(finished.stdout().contains(said), "{finished}");
}

#[test]
fn a_search_that_reaches_its_highest_rate_says_so_and_json_goes_to_standard_output_alone() {
    let server = Server::allowing();
    let finished = capacity("--from 20 --to 40 --summary-json - --threshold")
        .args(["failed.rate < 0.1%", "--targets", &server.url()])
        .finish();
    let json = valid_json(&finished.stdout(), "capacity");
    assert!(finished.stderr.contains("Verdict: "), "{finished}");
    if !was_disturbed(&json) {
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert_eq!(json["result"]["limit"], "to");
        let said = "Holds 40/s, the highest rate that was to be tried";
        assert_eq!(json["result"]["statement"], said);
    }
}

#[test]
fn a_threshold_that_measures_nothing_gives_no_verdict() {
    let server = Server::allowing();
    let finished = capacity("--from 20 --to 40 --threshold")
        .args(["tls.max < 1s", "--targets", &server.url()])
        .finish();
    assert_eq!(finished.code(), Some(3), "{finished}");
    let said = "Verdict: no capacity was found: already at 20/s, ";
    assert!(finished.stdout().contains(said), "{finished}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_step_and_what_is_known_is_told() {
    let server = Server::allowing();
    let run = loadgen("capacity --from 20 --to 1000 --step 20s --settle 0 --targets")
        .arg(server.url())
        .start();
    run.await_line("step ");
    let arrived = || server.request_count() > 5;
    crate::support::eventually("requests", arrived);
    let finished = run.ended_by(crate::support::run::Run::interrupt, 8.0);
    assert_eq!(finished.code(), Some(3), "{finished}");
    let said = "Verdict: the search was stopped. No capacity was found";
    assert!(finished.stdout().contains(said), "{finished}");
    assert!(finished.stdout().contains(" stopped "), "{finished}");

    let run = loadgen("capacity --from 20 --to 10000 --step 500ms --settle 30s --targets")
        .arg(server.url())
        .start();
    run.await_line(" 1 of ");
    let finished = run.ended_by(crate::support::run::Run::interrupt, 8.0);
    if finished.stdout().contains(" held ") {
        assert_eq!(finished.code(), Some(0), "{finished}");
        let said = "the search was stopped. Holds at least 20/s, as far as it was tried";
        assert!(finished.stdout().contains(said), "{finished}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_before_the_first_step_ends_the_wait_for_the_target() {
    let server = Refusing::new();
    let run = loadgen("capacity --wait 30s --targets")
        .arg(server.url())
        .start();
    run.await_line("extent");
    let finished = run.ended_by(crate::support::run::Run::terminate, 5.0);
    assert_eq!(finished.code(), Some(3), "{finished}");
    let said = "Verdict: the search was stopped. No capacity was found";
    assert!(finished.stdout().contains(said), "{finished}");
}

#[test]
fn a_dry_run_says_how_much_the_search_may_do_and_does_nothing() {
    let server = Server::allowing();
    let finished = loadgen("capacity --dry-run --targets")
        .arg(server.url())
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let said = "up to 17 steps, and 34 if they contradict each other: at most 12m28s and 12213000 requests";
    assert!(finished.stdout().contains(said), "{finished}");
    let default = "latency.p99 < 50ms and failed.rate < 0.1% (by default; ";
    assert!(finished.stdout().contains(default), "{finished}");
    assert_eq!(server.accepted(), 0);
}

#[test]
fn an_option_that_a_search_sets_itself_is_refused_as_a_flag_and_ignored_as_a_variable() {
    for (options, words) in [
        ("--rps 5", ["--rps '5'", "--from to --to"]),
        ("--profile 5/s", ["--profile '5/s'", "--from to --to"]),
        ("-z 5", ["--duration '5'", "takes --step"]),
        ("--count 5", ["--count '5'", "takes --step"]),
        ("--burst-enabled", ["--burst-enabled 'true'", "steady rate"]),
        ("--probe", ["--probe 'true'", "too short"]),
        ("--timeline x", ["--timeline 'x'", "--summary-json"]),
        ("--to 50", ["--to '50'", "no less than --from (100/s)"]),
        (
            "--from 1e5",
            ["--from '1e5'", "no more than --to (50000/s)"],
        ),
        ("--from 0.01", ["--from '0.01'", "a request or more"]),
        ("--precision 0", ["--precision '0'", "from 0.1% to 100%"]),
        ("--audit", ["--step '500ms'", "at least 1m"]),
        (
            "--threshold x",
            ["--threshold 'x'", "must be one of latency"],
        ),
    ] {
        capacity(options)
            .arg("http://127.0.0.1:1/")
            .assert_refused(&words);
    }
    let finished: Finished = capacity("--dry-run")
        .args(["--targets", "http://127.0.0.1:1"])
        .env("LOADGEN_RPS", "5")
        .env("LOADGEN_COUNT", "5")
        .env("LOADGEN_BURST_ALIGN", "true")
        .env("LOADGEN_TIMELINE", "/nowhere/x")
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
}
