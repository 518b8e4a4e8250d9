//! `--demo`: three limiter nodes in the same process, which share one limit.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::support::at_once;
use crate::support::report::Report;
use crate::support::run::{Finished, Run, loadgen};
use loadgen::limiter::answerable_presets;

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
        loadgen("--demo --rps 50 --duration 4 --keys 7 --limit 10 --window 2s --workers 8")
            .finish();
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
fn a_demo_has_a_limit_that_its_first_burst_exceeds_within_twelve_seconds() {
    for launch in [
        loadgen("plan --demo"),
        loadgen("plan").env("LOADGEN_DEMO", "yes"),
    ] {
        let plan = launch.finish().stdout();
        for part in [
            "10/s with bursts of 50/s for 5s every 10s",
            "1000 requests in 40s",
            r#""limit":50,"window_ms":60000"#,
        ] {
            assert!(plan.contains(part), "{part} in {plan}");
        }
    }
    // Of three keys, each has been asked for 33 times when the first burst begins, and 17 times in its first second.
    let finished = loadgen("--demo --duration 12 --audit off").finish();
    let report = finished.report();
    assert_eq!((report.allowed, report.blocked), (150, 50), "{report}");
}

#[test]
fn the_defaults_of_a_demo_are_for_demos_only_and_an_option_wins_over_them() {
    let plan = loadgen("plan --demo --limit 70 --duration 30 --keys 9").finish();
    let plan = plan.stdout();
    assert!(plan.contains("700 requests in 30s"), "{plan}");
    assert!(plan.contains(r#""limit":70"#), "{plan}");
    // Targets that are typed win over a variable that starts a demo.
    let plan = loadgen("plan --targets http://127.0.0.1:1")
        .env("LOADGEN_DEMO", "true")
        .finish();
    let plan = plan.stdout();
    assert!(plan.contains("bursts of 50/s for 5s every 30s"), "{plan}");
    assert!(plan.contains(r#""limit":100"#), "{plan}");
}

#[test]
fn the_nodes_of_a_demo_share_one_limit() {
    let finished = loadgen(
        "--demo --audit off --rps 60 --duration 1 --limit 10 --window 60s --keys 1 --workers 8",
    )
    .finish();
    let report = finished.report();
    assert_eq!((report.allowed, report.blocked), (10, 50), "{report}");
}

/// Sends 200 requests of one key in a second, with a limit of 20 in this window. Returns how many the demo's limiter admits,
/// and the heading's line about it.
fn admitted_in_a_second(limiter: &str, window: &str) -> (u64, Option<String>) {
    let finished = loadgen(
        "--demo --audit off --rps 200 --duration 1 --burst-enabled false --keys 1 --limit 20 --workers 32",
    )
    .arg("--demo-limiter")
    .arg(limiter)
    .arg("--window")
    .arg(window)
    .finish();
    let report = finished.report();
    assert_three_nodes(&finished, &report);
    assert_eq!((report.sent, report.failed), (200, 0), "{report}");
    let heading = finished.lines_with("  limiter  ");
    (
        report.allowed,
        heading.first().map(|line| line.text.clone()),
    )
}

const DAY: &str = "24h";

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
    at_once(cases, |(limiter, line)| {
        let expected = (20, line.map(str::to_owned));
        assert_eq!(admitted_in_a_second(limiter, DAY), expected, "{limiter}");
    });
}

#[test]
fn a_bucket_that_the_nodes_share_gets_tokens_back() {
    let (admitted, _) = admitted_in_a_second("token-bucket", "2s");
    // Ten tokens a second, if the first and the last request are on time.
    assert!((22..100).contains(&admitted), "{admitted}");
}

#[test]
fn nodes_that_count_alone_admit_three_times_the_limit() {
    let heading = "  limiter  per-node, a sliding log of its own for each node";
    let expected = (60, Some(heading.to_owned()));
    assert_eq!(admitted_in_a_second("per-node", DAY), expected);
}

#[test]
fn nodes_that_read_and_write_counts_apart_admit_more_than_the_limit() {
    let (admitted, heading) = admitted_in_a_second("racy", DAY);
    assert!(admitted > 20, "{admitted}");
    let expected =
        "  limiter  racy, a sliding log that each check reads, and writes back 70ms later";
    assert_eq!(heading.as_deref(), Some(expected));
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
fn a_variable_turns_the_demo_on() {
    at_once(["true", "1", "yes"], |value| {
        let finished = loadgen("--rps 20 --duration 0.5 --workers 4")
            .env("LOADGEN_DEMO", value)
            .finish();
        let report = finished.report();
        assert_three_nodes(&finished, &report);
        assert_eq!(report.allowed, 10, "{report}");
    });
}

#[test]
fn a_variable_selects_the_demos_limiter() {
    let run = "--rps 60 --duration 1 --burst-enabled false --keys 1 --limit 10 --workers 8";
    let report = loadgen(run)
        .env("LOADGEN_DEMO", "yes")
        .env("LOADGEN_DEMO_LIMITER", "per-node")
        .env("LOADGEN_AUDIT", "off")
        .report();
    assert_eq!((report.allowed, report.blocked), (30, 30), "{report}");
}

#[test]
fn a_demo_is_refused_if_its_nodes_could_not_answer() {
    let presets = "check, envoy, limitador, gubernator, throttlecrab, kong";
    for (line, message) in [
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
        assert!(finished.stderr.contains(&message), "{message}\n{finished}");
    }
}

#[test]
fn the_demo_answers_each_preset_as_the_preset_expects() {
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
    let report = run.ended_by(Run::terminate, 5.0).report();
    assert!(report.sent >= 10, "{report}");
    assert_eq!((report.failed, report.abandoned), (0, 0), "{report}");
}
