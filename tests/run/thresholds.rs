//! `--threshold` and `--abort-on-fail`: how a whole run reports its thresholds, and its exit code.

use crate::support::run::{Finished, Launch, loadgen, undisturbed};
use crate::support::server::{Reply, Server};
use crate::support::{at_once, seconds};

const INCONCLUSIVE: i32 = 3;
const FAILED: i32 = 4;

/// A run against these targets.
fn run(targets: &[&Server], line: &str) -> Launch {
    let urls: Vec<_> = targets.iter().map(|server| server.url()).collect();
    loadgen(format!(
        "--targets {} --burst-enabled false --seed 1 {line}",
        urls.join(",")
    ))
}

/// The run has these thresholds.
fn judged(launch: Launch, thresholds: &[&str]) -> Launch {
    launch.args(thresholds.iter().flat_map(|text| ["--threshold", text]))
}

/// A run of two seconds, at a rate that any machine keeps.
fn short(targets: &[&Server], thresholds: &[&str]) -> Launch {
    judged(run(targets, "--rps 50 --duration 2"), thresholds)
}

/// The reported verdict on a threshold, and the measured number.
#[track_caller]
fn stands(finished: &Finished, text: &str) -> (String, String) {
    let stdout = finished.stdout();
    let block = stdout.split("\nThresholds: ").nth(1);
    let block = block.unwrap_or_else(|| panic!("no thresholds: {finished}"));
    let mut lines = block.lines().skip(1);
    let line = lines.find_map(|line| line.split_once(&format!("  {text}  ")));
    let (met, measured) = line.unwrap_or_else(|| panic!("no {text}: {finished}"));
    (met.trim().to_owned(), measured.trim().to_owned())
}

#[track_caller]
fn assert_stands(finished: &Finished, text: &str, met: &str) {
    assert_eq!(stands(finished, text).0, met, "{text}: {finished}");
}

#[track_caller]
fn assert_measured(finished: &Finished, text: &str, met: &str, measured: &str) {
    let expected = (met.to_owned(), measured.to_owned());
    assert_eq!(stands(finished, text), expected, "{text}: {finished}");
}

/// The threshold that stopped the run.
#[track_caller]
fn assert_stopped_by(finished: &Finished, text: &str, verdict: &str) {
    let (met, measured) = stands(finished, text);
    assert_eq!(met, verdict, "{finished}");
    assert!(measured.ends_with("; this stopped the run"), "{finished}");
}

/// Asserts the printed line about all thresholds.
#[track_caller]
fn assert_in_all(finished: &Finished, said: &str) {
    let line = format!("\nThresholds: {said}\n");
    assert!(finished.stdout().contains(&line), "no {said:?}: {finished}");
}

fn failing() -> Server {
    Server::start(|_| Reply::status(500, "Internal Server Error"))
}

#[test]
fn a_run_that_meets_its_thresholds_exits_with_0_and_prints_what_was_measured() {
    let server = Server::allowing();
    let texts = [
        "latency.p99 < 20s",
        "latency.min>0ns",
        "service_time.max between 1ns and 20s",
        "failed.rate < 0.1%",
        "failed[timeout].count = 0",
        "allowed.count = 100",
        "sent.rate = 100% of scheduled",
        "allowed.per_second between 49/s and 51/s",
        "schedule = kept",
    ];
    let finished = undisturbed(|| short(&[&server], &texts));
    finished.report();
    for text in texts {
        assert_stands(&finished, text, "met");
    }
    for (text, measured) in [
        ("allowed.count = 100", "100"),
        ("failed.rate < 0.1%", "0.00 % (0 of 100)"),
        (
            "allowed.per_second between 49/s and 51/s",
            "50.0/s (100 in 2.00 s)",
        ),
    ] {
        assert_measured(&finished, text, "met", measured);
    }
    assert_in_all(&finished, "all 9 met");
}

#[test]
fn a_threshold_that_is_missed_fails_the_run() {
    let server = failing();
    let finished = undisturbed(|| short(&[&server], &["send_lag.p99 < 20s", "failed.rate < 0.1%"]));
    assert_eq!(finished.code(), Some(FAILED), "{finished}");
    finished.summary();
    assert_stands(&finished, "send_lag.p99 < 20s", "met");
    assert_measured(
        &finished,
        "failed.rate < 0.1%",
        "missed",
        "100 % (100 of 100)",
    );
    assert_in_all(&finished, "1 of 2 missed");
}

#[test]
fn a_target_has_thresholds_of_its_own() {
    let (good, bad) = (Server::allowing(), failing());
    let texts = [
        "target[1].failed.count = 0",
        "target[2].failed.count = 0",
        "target[2].failed[status_5xx].rate = 100%",
        "target[1].latency.max < 20s",
        "target[1].service_time.p50 < 20s",
        "failed.rate = 50%",
    ];
    let finished = undisturbed(|| short(&[&good, &bad], &texts));
    assert_eq!(finished.code(), Some(FAILED), "{finished}");
    for (place, text) in texts.into_iter().enumerate() {
        let met = if place == 1 { "missed" } else { "met" };
        assert_stands(&finished, text, met);
    }
    assert_eq!(stands(&finished, texts[1]).1, "50");
}

#[test]
fn the_latency_of_a_target_that_fails_every_request_is_nothing() {
    let server = failing();
    let text = "latency.p99 < 20s";
    let finished = undisturbed(|| short(&[&server], &[text]));
    assert_eq!(finished.code(), Some(INCONCLUSIVE), "{finished}");
    assert_stands(&finished, text, "nothing measured");
}

#[test]
fn a_threshold_on_latency_says_how_many_requests_were_answered() {
    let (good, bad) = (Server::allowing(), failing());
    let text = "latency.max < 20s";
    let finished = undisturbed(|| short(&[&good, &bad], &[text]));
    let (_, measured) = stands(&finished, text);
    let says = measured.ends_with(", of 50 answered of 100 sent");
    assert!(says, "{finished}");
}

#[test]
fn a_threshold_with_nothing_to_measure_is_inconclusive() {
    let server = Server::allowing();
    let finished = undisturbed(|| short(&[&server], &["tls.max < 1s", "failed.count = 0"]));
    assert_eq!(finished.code(), Some(INCONCLUSIVE), "{finished}");
    assert_measured(&finished, "tls.max < 1s", "nothing measured", "nothing");
    assert_stands(&finished, "failed.count = 0", "met");
}

/// A run that falls behind: its one worker waits for each answer longer than requests are apart.
fn behind(server: &Server, thresholds: &[&str], line: &str) -> Finished {
    let line = format!("--rps 50 --workers 1 --queue 1000 --drain-timeout 0 {line}");
    judged(run(&[server], &line), thresholds).finish()
}

fn slow() -> Server {
    Server::start(|_| Reply::allowed().after(seconds(0.2)))
}

#[test]
fn without_a_kept_schedule_only_thresholds_on_the_generator_are_judged() {
    let server = slow();
    let of_the_limiter = [
        "latency.p50 < 1ms",
        "allowed.count > 0",
        "abandoned.rate < 5%",
    ];
    let of_the_generator = ["send_lag.p50 > 1ms", "sent.rate < 90%", "unsent.count > 0"];
    let texts = [of_the_limiter, of_the_generator].concat();
    let finished = behind(&server, &texts, "--duration 2");
    assert_eq!(finished.code(), Some(INCONCLUSIVE), "{finished}");
    finished.summary();
    for text in of_the_limiter {
        assert_stands(&finished, text, "unsupported");
    }
    for text in of_the_generator {
        assert_stands(&finished, text, "met");
    }
    let finished = behind(
        &server,
        &["latency.p50 < 1ms", "schedule = kept"],
        "--duration 2",
    );
    assert_eq!(finished.code(), Some(FAILED), "{finished}");
    assert_stands(&finished, "schedule = kept", "missed");
}

#[test]
fn a_run_stops_once_a_threshold_can_no_longer_be_met() {
    let lost = "failed.rate < 1%";
    let server = failing();
    // Of 50,000 requests, 500 failures are too many.
    let finished = undisturbed(|| {
        let launch = run(&[&server], "--rps 50 --duration 1000 --abort-on-fail");
        judged(launch, &["send_lag.max < 100s", lost])
    });
    assert_eq!(finished.code(), Some(FAILED), "{finished}");
    let report = finished.summary();
    assert!((500..50_000).contains(&report.scheduled), "{finished}");
    let said = finished.lines_with(&format!("Stopping: {lost} can no longer be met"));
    assert_eq!(said.len(), 1, "{finished}");
    assert_stopped_by(&finished, lost, "missed");
    assert_stands(&finished, "send_lag.max < 100s", "met");
}

#[test]
fn a_run_without_an_end_stops_for_a_lost_threshold() {
    let server = failing();
    let lost = [
        "failed.count < 20",
        "allowed.rate = 100%",
        "failed[status_5xx].rate = 0%",
    ];
    at_once(lost, |lost| {
        let finished = undisturbed(|| {
            let launch =
                run(&[&server], "--rps 50 --duration 0").env("LOADGEN_ABORT_ON_FAIL", "true");
            judged(launch, &[lost])
        });
        assert_eq!(finished.code(), Some(FAILED), "{finished}");
        assert_stands(&finished, lost, "missed");
    });
}

#[test]
fn a_run_that_falls_behind_is_stopped_without_a_verdict_on_the_limiter() {
    let line = "--duration 60 --abort-on-fail";
    let finished = behind(&slow(), &["latency.max < 1ms"], line);
    assert_eq!(finished.code(), Some(INCONCLUSIVE), "{finished}");
    finished.summary();
    assert_stopped_by(&finished, "latency.max < 1ms", "unsupported");
}

#[test]
fn a_run_that_can_still_meet_its_thresholds_goes_on() {
    let server = Server::allowing();
    let texts = [
        "blocked.rate < 100%",
        "latency.p50 < 20s",
        "allowed.count >= 0",
    ];
    let finished = undisturbed(|| short(&[&server], &texts).arg("--abort-on-fail"));
    let report = finished.summary();
    assert_eq!(report.scheduled, 100, "{finished}");
    assert!(!finished.stdout().contains("Stopping"), "{finished}");
}

#[test]
fn the_verdict_of_the_audit_may_be_a_threshold() {
    // No limit at all, where a key's eleventh request in a minute should be blocked.
    let server = Server::allowing();
    let line = "--rps 50 --duration 60 --keys 1 --limit 10 --audit --probe false --abort-on-fail";
    let finished = judged(run(&[&server], line), &["audit = kept"]).finish();
    assert_eq!(finished.code(), Some(FAILED), "{finished}");
    assert!(finished.summary().scheduled < 3_000, "{finished}");
    assert_measured(
        &finished,
        "audit = kept",
        "missed",
        "broken; this stopped the run",
    );

    // Ten requests in all test nothing.
    let line = "--rps 5 --duration 2 --limit 100 --audit --probe false";
    let finished = undisturbed(|| judged(run(&[&server], line), &["audit = kept"]));
    assert_eq!(finished.code(), Some(INCONCLUSIVE), "{finished}");
    assert_measured(
        &finished,
        "audit = kept",
        "nothing measured",
        "inconclusive",
    );
}

#[test]
fn a_variable_has_one_threshold_in_each_line() {
    let server = Server::allowing();
    let launch = || {
        let lines = "\nlatency.p99 < 20s\r\n\n  failed.count = 0  \n";
        run(&[&server], "--rps 50 --duration 1").env("LOADGEN_THRESHOLD", lines)
    };
    let finished = undisturbed(launch);
    assert_in_all(&finished, "all 2 met");
    let launch = || launch().arg("--threshold").arg("sent.count = 50");
    let finished = undisturbed(launch);
    assert_in_all(&finished, "met");
}

#[test]
fn an_invalid_threshold_is_refused_at_its_column() {
    let refused = |launch: Launch, line: &str| {
        let finished = launch.finish();
        finished.assert_refused(&[]);
        let begins = format!("loadgen: {line}");
        assert!(finished.stderr.starts_with(&begins), "{begins}: {finished}");
    };
    #[rustfmt::skip]
    let cases = [
        ("latency.p9 < 50ms", "column 9: must be min, mean, max, or a percentile"),
        ("latency.p99 < 50", "column 17: must be a unit of time"),
        ("latency.p99 < 50ms or so", "column 20: must be the end"),
        ("failed.rate of sent < 5%", "column 13: must be <, "),
        (" target[ 4 ].failed.count = 0", "column 9: must be a target's number, from 1 to 3"),
        ("", "column 1: must be one of latency, "),
    ];
    for (text, says) in cases {
        let launch = loadgen("--demo --threshold").arg(text);
        refused(launch, &format!("--threshold '{}': {says}", text.trim()));
    }
    let target = "--targets http://127.0.0.1:9";
    for (text, says) in [
        (
            "target[2].failed.count = 0",
            "column 8: must be 1, the only target",
        ),
        ("audit = kept", "needs --audit"),
    ] {
        let line = format!("--threshold '{text}': {says}");
        refused(loadgen(format!("{target} --threshold")).arg(text), &line);
        let line = format!("LOADGEN_THRESHOLD '{text}': {says}");
        let lines = format!("failed.count = 0\n{text}");
        refused(loadgen(target).env("LOADGEN_THRESHOLD", &lines), &line);
    }
    let lines = "failed.count = 0\nfailed.count = x";
    let line = "LOADGEN_THRESHOLD 'failed.count = 0\\nfailed.count = x': line 2, column 16: must be a whole number";
    refused(loadgen(target).env("LOADGEN_THRESHOLD", lines), line);
    refused(
        loadgen("--demo --abort-on-fail"),
        "--abort-on-fail 'true': needs --threshold",
    );
}

#[test]
fn an_event_or_a_phase_that_the_run_does_not_have_is_refused() {
    let line = "--targets http://127.0.0.1:9 --rps 10 --duration 5 --burst-enabled";
    let event = |name: &str| format!("event[{name}].failed.count = 0");
    let at = ["--at", "1s redis goes =", "--at", "2s redis.2 [a ="];
    for (events, text, says) in [
        (
            &at[..],
            event("redis"),
            "column 7: must be the name of an event: redis goes, redis.2 [a",
        ),
        (
            &at,
            event("undo of redis goes"),
            "column 7: must be the name of an event: redis goes, redis.2 [a",
        ),
        (
            &[],
            event("redis goes"),
            "column 7: must be the name of an event, and this run has none",
        ),
        (
            &[],
            "phase[brust].latency.p99 < 50ms".to_owned(),
            "column 7: must be a phase of this run, ",
        ),
    ] {
        let finished = loadgen(line)
            .args(events)
            .args(["--threshold", &text])
            .finish();
        finished.assert_refused(&[]);
        let begins = format!("loadgen: --threshold '{text}': {says}");
        assert!(finished.stderr.starts_with(&begins), "{begins}: {finished}");
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_a_signal_stops_is_judged_by_what_it_sent() {
    let server = Server::allowing();
    at_once(
        [
            ("sent.count > 10", 0, "met"),
            ("sent.count > 1000000", FAILED, "missed"),
        ],
        |(text, code, met)| {
            let line = "--rps 50 --duration 60 --stats-interval 1";
            let run = judged(run(&[&server], line), &[text]).start();
            run.await_line("Requests: ");
            run.terminate();
            let finished = run.finish();
            assert_stands(&finished, text, met);
            assert_eq!(finished.code(), Some(code), "{finished}");
        },
    );
}
