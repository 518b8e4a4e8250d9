//! `--demo`: three limiter nodes in the same process, one limit among them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::report::Report;
use crate::support::run::{Finished, Run, loadgen};
use crate::support::{at_once, eventually, seconds};
use loadgen::limiter::answerable_presets;
use serde_json::Value;

/// The loopback addresses with ports in a text, in order and without repetition.
fn addresses(text: &str) -> Vec<SocketAddr> {
    let mut seen = BTreeSet::new();
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .map(|word| word.trim_matches([':', '.']))
        .filter_map(|word| word.parse::<SocketAddr>().ok())
        .filter(|address| address.ip().is_loopback() && seen.insert(*address))
        .collect()
}

#[track_caller]
fn assert_three_nodes(finished: &Finished, report: &Report) {
    assert_eq!(addresses(&finished.stdout()).len(), 3, "{finished}");
    assert_eq!(report.targets.len(), 3, "{finished}");
}

#[test]
fn a_demo_shows_both_outcomes_at_three_nodes() {
    let finished =
        loadgen("--demo --rps 50 --duration 4 --limit 10 --window-ms 2000 --workers 8").finish();
    let report = finished.report();
    assert_three_nodes(&finished, &report);
    assert_eq!(
        (report.scheduled, report.sent, report.failed),
        (200, 200, 0),
        "{report}"
    );
    // Each of 7 keys asks for about 14 in a window of 10.
    assert!(report.allowed >= 100, "{report}");
    assert!(report.blocked >= 20, "{report}");
    for target in &report.targets {
        assert!(matches!(target.sent, 66 | 67), "{report}");
    }
}

#[test]
fn the_nodes_of_a_demo_share_one_limit() {
    let finished =
        loadgen("--demo --audit off --rps 60 --duration 1 --limit 10 --window-ms 60000 --keys 1 --workers 8")
            .finish();
    let report = finished.report();
    assert_eq!((report.allowed, report.blocked), (10, 50), "{report}");
}

/// How many of 200 requests of one key, in a second, a demo's limiter admits at 20 in this window; and what the heading
/// says of it.
fn admitted_in_a_second(limiter: &str, window_ms: u64) -> (u64, Option<String>) {
    let finished = loadgen(
        "--demo --audit off --rps 200 --duration 1 --burst-enabled false --keys 1 --limit 20 --workers 32",
    )
    .arg("--demo-limiter")
    .arg(limiter)
    .arg("--window-ms")
    .arg(&window_ms.to_string())
    .finish();
    let report = finished.report();
    assert_three_nodes(&finished, &report);
    assert_eq!((report.sent, report.failed), (200, 0), "{report}");
    let said = finished.lines_with("  limiter  ");
    (report.allowed, said.first().map(|line| line.text.clone()))
}

const DAY_MS: u64 = 86_400_000;

#[test]
fn every_algorithm_that_the_nodes_share_admits_the_limit() {
    let cases = [
        ("sliding-log", None),
        (
            "fixed-window",
            Some("  limiter  fixed-window, which the nodes share"),
        ),
        (
            "token-bucket",
            Some("  limiter  token-bucket, which the nodes share"),
        ),
    ];
    at_once(cases, |(limiter, said)| {
        let expected = (20, said.map(str::to_owned));
        assert_eq!(admitted_in_a_second(limiter, DAY_MS), expected, "{limiter}");
    });
}

#[test]
fn a_bucket_that_the_nodes_share_gets_tokens_back() {
    let (admitted, _) = admitted_in_a_second("token-bucket", 2_000);
    // Ten a second, as far as the first and the last request are in time.
    assert!((22..100).contains(&admitted), "{admitted}");
}

#[test]
fn nodes_that_count_alone_admit_three_times_the_limit() {
    let said = "  limiter  per-node, a sliding log of its own for each node";
    let expected = (60, Some(said.to_owned()));
    assert_eq!(admitted_in_a_second("per-node", DAY_MS), expected);
}

#[test]
fn nodes_that_read_and_write_counts_apart_admit_more_than_the_limit() {
    let (admitted, said) = admitted_in_a_second("racy", DAY_MS);
    assert!(admitted > 20, "{admitted}");
    let expected =
        "  limiter  racy, a sliding log that each check reads, and writes back 70ms later";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn nodes_that_read_and_write_counts_apart_keep_the_limit_of_requests_that_do_not_overlap() {
    let report = loadgen(
        "--demo --demo-limiter racy --audit off --rps 10 --duration 2 --burst-enabled false --keys 1 --limit 5 --workers 1",
    )
    .report();
    assert_eq!((report.allowed, report.blocked), (5, 15), "{report}");
}

#[test]
fn a_demo_may_be_asked_for_by_variable() {
    at_once(["true", "1", "yes"], |value| {
        let finished = loadgen("--rps 20 --duration 0.5 --workers 4")
            .env("DEMO", value)
            .finish();
        let report = finished.report();
        assert_three_nodes(&finished, &report);
        assert_eq!(report.allowed, 10, "{report}");
    });
}

#[test]
fn a_demos_limiter_may_be_asked_for_by_variable() {
    let run = "--rps 60 --duration 1 --burst-enabled false --keys 1 --limit 10 --workers 8";
    let report = loadgen(run)
        .env("DEMO", "yes")
        .env("DEMO_LIMITER", "per-node")
        .env("AUDIT", "off")
        .report();
    assert_eq!((report.allowed, report.blocked), (30, 30), "{report}");
}

#[test]
fn a_demo_is_refused_where_its_nodes_could_not_answer() {
    let presets = "check, envoy, limitador, gubernator, throttlecrab, kong";
    for (line, said) in [
        (
            "--preset nginx",
            format!("--preset 'nginx': must be one of {presets} with --demo"),
        ),
        (
            "--preset envoy --path /check",
            "--path '/check': must be /json with --demo".to_owned(),
        ),
        (
            "--limit 1000001",
            "--limit '1000001': with --demo, limit must be".to_owned(),
        ),
    ] {
        let finished = loadgen(format!("--demo --duration 1 {line}")).finish();
        assert_eq!(finished.code(), Some(2), "{finished}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
        assert!(finished.stderr.contains(&said), "{said}\n{finished}");
    }
}

#[test]
fn a_demo_of_each_limiter_is_asked_and_understood() {
    at_once(answerable_presets(), |preset| {
        let line = "--demo --audit off --rps 60 --duration 1 --burst-enabled false --keys 3 --limit 5 --workers 8";
        let report = loadgen(line).arg("--preset").arg(preset).report();
        let counts = (report.allowed, report.blocked, report.failed);
        assert_eq!(counts, (15, 45, 0), "{preset}\n{report}");
    });
}

#[test]
fn two_demos_run_side_by_side() {
    at_once(0..3, |_| {
        let report = loadgen("--demo --rps 20 --duration 1 --workers 4").report();
        assert_eq!(report.allowed, 20, "{report}");
    });
}

#[test]
fn the_defaults_of_a_demo_block_nobody_while_steady() {
    let report = loadgen("--demo --duration 2").report();
    assert_eq!((report.allowed, report.blocked), (20, 0), "{report}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_demo_in_good_order() {
    let run = loadgen("--demo --rps 50 --duration 0 --workers 4 --stats-interval 0.5").start();
    run.await_line("Requests: ");
    let signalled = run.terminate();
    let finished = run.finish();
    let report = finished.report();
    assert!(report.sent >= 10, "{report}");
    assert_eq!((report.failed, report.abandoned), (0, 0), "{report}");
    assert!(finished.ended - signalled < seconds(5.0), "{finished}");
}

// The nodes themselves, asked from outside.

/// A demo that stays up until it is dropped, and its nodes.
fn nodes() -> (Run, Vec<SocketAddr>) {
    let run = loadgen("--demo --audit off --rps 0.1 --duration 25 --workers 1").start();
    let mut found = Vec::new();
    eventually("three addresses", || {
        let printed: Vec<String> = run.lines().into_iter().map(|line| line.text).collect();
        found = addresses(&printed.join("\n"));
        found.len() == 3
    });
    (run, found)
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let found = lines.find(|(named, _)| named.trim().eq_ignore_ascii_case(name));
        found
            .unwrap_or_else(|| panic!("no {name} in:\n{}", self.head))
            .1
            .trim()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// One request on a connection of its own.
#[track_caller]
fn ask(node: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(node).expect("a node that listens");
    stream
        .set_read_timeout(Some(seconds(10.0)))
        .expect("a read timeout");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {node}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A node may answer before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("an answer in UTF-8");
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("not an answer: {text:?}"));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn check(node: SocketAddr, key: &str, limit: u64, window_ms: u64) -> Answer {
    ask(
        node,
        "POST",
        "/check",
        &format!(r#"{{"key":"{key}","limit":{limit},"window_ms":{window_ms}}}"#),
    )
}

#[test]
fn a_node_allows_up_to_the_limit_and_then_says_when_to_come_back() {
    let (_run, nodes) = nodes();
    for count in 0..3 {
        let answer = check(nodes[count % 3], "a", 3, 60_000);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let json = answer.json();
        assert_eq!(json["allowed"], true, "{json}");
        assert_eq!(json["limit"], 3, "{json}");
        assert_eq!(json["remaining"], 2 - count, "{json}");
        assert!(json["reset_ms"].is_u64(), "{json}");
        assert!(json["node"].is_string() || json["node"].is_u64(), "{json}");
        assert_eq!(answer.header("X-RateLimit-Limit"), "3");
        assert_eq!(
            answer.header("X-RateLimit-Remaining"),
            (2 - count).to_string()
        );
        answer.header("X-RateLimit-Reset");
        answer.header("RateLimit");
        answer.header("RateLimit-Policy");
    }
    for node in &nodes {
        let answer = check(*node, "a", 3, 60_000);
        assert_eq!(answer.status, 429, "{}", answer.body);
        let json = answer.json();
        assert_eq!(json["allowed"], false, "{json}");
        assert_eq!(json["remaining"], 0, "{json}");
        let wait = json["retry_after_ms"].as_u64().expect("milliseconds");
        assert!(wait > 30_000 && wait <= 60_000, "{json}");
        let seconds: u64 = answer.header("Retry-After").parse().expect("whole seconds");
        assert_eq!(seconds, wait.div_ceil(1000), "{json}");
    }
    assert_eq!(
        check(nodes[0], "b", 3, 60_000).status,
        200,
        "another key has its own limit"
    );
}

#[test]
fn a_node_allows_again_when_the_window_is_over() {
    let (_run, nodes) = nodes();
    assert_eq!(check(nodes[0], "a", 1, 700).status, 200);
    let wait = check(nodes[1], "a", 1, 700);
    assert_eq!(wait.status, 429);
    let wait = wait.json()["retry_after_ms"]
        .as_u64()
        .expect("milliseconds");
    std::thread::sleep(seconds(0.05 + wait as f64 / 1000.0));
    assert_eq!(check(nodes[2], "a", 1, 700).status, 200);
}
