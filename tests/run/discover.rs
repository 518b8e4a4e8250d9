//! `loadgen discover`: what a limiter enforces, found out from the outside.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::support::run::{Finished, Run, loadgen};
use crate::support::server::{Reply, Server};
use crate::support::{eventually, valid_json};

/// The printed text in one line.
fn said(finished: &Finished) -> String {
    let stdout = finished.stdout();
    stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_demos_limit_is_found_and_the_printed_command_runs() {
    let folder = tempfile::tempdir().expect("a directory");
    let (json, page) = (
        folder.path().join("found.json"),
        folder.path().join("found.html"),
    );
    let finished = loadgen("discover --demo --limit 5 --window 1s --max-time 40s")
        .arg("--summary-json")
        .arg(&json)
        .arg("--report")
        .arg(&page)
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let said = said(&finished);
    for part in [
        "5 requests of each key per 1 s (±",
        ", in a sliding window, shared by all 3 nodes.",
        "Blocked requests don't count.",
    ] {
        assert!(said.contains(part), "{part} in {finished}");
    }
    let json = fs::read_to_string(&json).expect("a summary");
    let json = valid_json(&json, "discovery");
    let candidates = json["candidates"].as_array().expect("candidates");
    assert_eq!(candidates.len(), 1, "{candidates:#?}");
    assert_eq!(candidates[0]["promise"], "sliding-window 5/s");
    let counts = &json["requests"];
    let of = |outcome: &str| counts[outcome].as_u64().expect("a count");
    assert_eq!(of("sent"), of("allowed") + of("blocked"), "{counts}");
    assert_eq!(
        json["answers"].as_array().map(Vec::len),
        Some(of("sent") as usize)
    );
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("5 requests of each key per 1 s"));

    let command = json["audit_command"]["text"].as_str().expect("a command");
    assert!(finished.stdout().contains(command), "{finished}");
    let rest = command.strip_prefix("loadgen ").expect("a command");
    let words = shlex::split(rest).expect("words");
    let plan = loadgen("plan").args(words).finish();
    assert_eq!(plan.code(), Some(0), "{plan}");
    assert!(plan.stdout().contains("sliding-window 5/s"), "{plan}");
}

#[test]
fn the_audit_that_follows_holds_the_limiter_to_what_was_found() {
    let line = "discover --demo --limit 5 --window 1s --max-time 40s --then-audit --no-tui";
    let finished = loadgen(line).finish();
    let stdout = finished.stdout();
    let (_, run) = stdout
        .split_once("Hold the limiter to it:")
        .expect("a command");
    assert!(run.contains("audit    sliding-window 5/s"), "{finished}");
    // A machine that is too slow for the schedule has no verdict.
    assert!(matches!(finished.code(), Some(0 | 3)), "{finished}");
    assert!(!run.contains("broken"), "{finished}");
}

#[test]
fn no_more_is_sent_than_was_said() {
    let server = Server::allowing();
    let line = "discover --max-requests 30 --max-rate 40/s --max-time 20s --targets";
    let finished = loadgen(line).arg(server.url()).finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    let said = said(&finished);
    let heading = "sends at most 30 requests in 20s, at most 40 in any second";
    assert!(said.contains(heading), "{finished}");
    assert!(
        said.contains("No limit up to 30 requests of a key in "),
        "{finished}"
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 30, "{finished}");
    let keys: BTreeSet<_> = requests.iter().map(|request| request.key()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn requests_without_a_key_are_said_to_count_together() {
    let server = Server::allowing();
    let line = "discover --max-requests 5 --max-time 20s";
    let finished = loadgen(line)
        .arg(format!("{}/items", server.url()))
        .finish();
    let said = said(&finished);
    assert!(
        said.contains("none with a key: there is no {key} in them"),
        "{finished}"
    );
    assert!(said.contains("No limit up to 5 requests in "), "{finished}");
}

#[test]
fn answers_that_are_neither_allowed_nor_blocked_are_no_answer() {
    let server = Server::start(|_| Reply::status(503, "Service Unavailable"));
    let finished = loadgen("discover --targets").arg(server.url()).finish();
    assert_eq!(finished.code(), Some(3), "{finished}");
    let expected =
        "Nothing is known, because 10 of 10 requests were neither allowed nor blocked: 503 ×10.";
    assert!(said(&finished).contains(expected), "{finished}");
}

#[test]
fn a_signal_ends_it_with_what_is_known() {
    let asked = AtomicUsize::new(0);
    // Three are admitted, and never another.
    let server = Server::start(move |_| match asked.fetch_add(1, Relaxed) {
        0..3 => Reply::allowed(),
        _ => Reply::blocked(),
    });
    let run = loadgen("discover --stats-interval 1 --targets")
        .arg(server.url())
        .start();
    run.await_line("1 s  ");
    let finished = run.ended_by(Run::interrupt, 10.0);
    let said = said(&finished);
    assert!(said.contains("Blocked after 3 requests"), "{finished}");
    assert!(said.contains("until it was stopped"), "{finished}");
}

#[test]
fn a_target_that_hangs_does_not_delay_the_end() {
    let server = Server::silent();
    let run = loadgen("discover --drain-timeout 500ms --targets")
        .arg(server.url())
        .start();
    eventually("a request", || server.request_count() > 0);
    let finished = run.ended_by(Run::interrupt, 10.0);
    assert_eq!(finished.code(), Some(3), "{finished}");
}

#[test]
fn options_of_a_run_are_refused_by_name_and_their_variables_ignored() {
    loadgen("discover --demo --rps 5").assert_refused(&["--rps '5'", "is an option of a run"]);
    loadgen("discover --demo --threshold")
        .arg("audit = kept")
        .assert_refused(&["--threshold 'audit = kept'", "is an option of a run"]);
    loadgen("discover --demo --requests r.csv")
        .assert_refused(&["--requests 'r.csv'", "is written by a run only"]);
    loadgen("discover --demo --max-time 0").assert_refused(&["--max-time '0'", "from 1s to 24h"]);
    let server = Server::allowing();
    let finished = loadgen("discover --max-requests 2 --targets")
        .arg(server.url())
        .env("LOADGEN_RPS", "7")
        .env("LOADGEN_AUDIT", "auto")
        .finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
}
