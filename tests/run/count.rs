//! Runs that end after a count of requests.

use crate::support::at_once;
use crate::support::run::loadgen;
use crate::support::server::Server;

#[test]
fn a_run_ends_after_exactly_so_many_requests() {
    let cases = [
        "-n 7 --rps 50",
        "--count 7 --rps 50 --duration 0",
        "-n 7 --rps 50 --duration 30",
        "-n 7 --rps 50 --arrivals poisson --seed 3",
        "-n 7 --profile 50/s",
        "-n 7 --rps 20 --burst-interval 0.1 --burst-duration 0.05",
        "-n7 -q50",
    ];
    at_once(cases, |options| {
        let server = Server::allowing();
        let finished = server.launch(options).finish();
        let report = finished.report();
        assert_eq!(
            (report.scheduled, report.sent),
            (7, 7),
            "{options}\n{report}"
        );
        assert_eq!(server.request_count(), 7, "{options}");
        let said = "\nSummary: ended after 7 requests, paced for ";
        assert!(finished.stdout().contains(said), "{finished}");
    });
}

#[test]
fn the_scheduled_rate_is_the_one_that_was_asked_for() {
    let cases = [
        ("-n 10 -q 50", "sent 50.", "50/s"),
        ("-n 1 -q 0.5", "sent 0.5", "0.500/s"),
        ("-q 5 -z 0.5", "sent 5", "5/s"),
    ];
    at_once(cases, |(options, sent, scheduled)| {
        let server = Server::allowing();
        let finished = server.launch(options).finish();
        let text = finished.stdout();
        assert!(text.contains("no burst"), "{finished}");
        let rates = text.lines().find(|line| line.contains("/s scheduled"));
        let rates = rates.unwrap_or_else(|| panic!("{finished}")).trim();
        assert!(
            rates.contains(&format!(" of {scheduled} scheduled")),
            "{options}: {rates}"
        );
        // A request may be sent late.
        let (sent, rate) = (
            sent.trim_start_matches("sent "),
            rates.split([' ', '/']).nth(1),
        );
        let (wanted, rate): (f64, f64) = (sent.parse().unwrap(), rate.unwrap().parse().unwrap());
        assert!(
            rate <= wanted * 1.001 && rate > wanted * 0.5,
            "{options}: {rates}"
        );
    });
}

#[test]
fn of_requests_at_once_only_the_first_are_sent() {
    let server = Server::allowing();
    let profile = [
        "--profile",
        "burst 5 at once, pause 100ms, repeat",
        "-n",
        "7",
    ];
    let report = server.launch("").args(profile).report();
    assert_eq!((report.scheduled, report.sent), (7, 7), "{report}");
}

#[test]
fn the_first_requests_are_those_of_the_run_without_the_count() {
    let server = Server::allowing();
    server.run("--rps 60 --duration 0.5 --workers 1 --seed 7");
    let all = server.keys();
    server.run("--rps 60 --workers 1 --seed 7 -n 11");
    assert_eq!(server.keys()[all.len()..], all[..11]);
}

#[test]
fn the_first_end_of_a_count_a_duration_and_a_profile_counts() {
    for (options, total) in [
        // A default duration is no choice of the user.
        (
            "-n 500",
            "500 requests in 49.9s, 10/s on average; --count ends the run",
        ),
        (
            "-n 1000",
            "1000 requests in 99.9s, 10/s on average; --count ends the run",
        ),
        ("-n 1000 -z 1m", "600 requests in 1m, 10/s on average"),
        (
            "-n 600 -z 1m",
            "600 requests in 59.9s, 10/s on average; --count ends the run",
        ),
        ("-n 601 -z 1m", "600 requests in 1m, 10/s on average"),
        (
            "-n 1000 -z 0",
            "1000 requests in 99.9s, 10/s on average; --count ends the run",
        ),
        ("-n 1", "1 request, all at the start"),
    ] {
        let finished = loadgen(format!("plan --burst-enabled=false {options}")).finish();
        assert!(
            finished.stdout().contains(&format!("\n{total}\n")),
            "{options}: {finished}"
        );
    }
    let by_variables = loadgen("plan --burst-enabled=false")
        .env("LOADGEN_COUNT", "1000")
        .env("DURATION", "5")
        .finish();
    assert!(
        by_variables.stdout().contains("\n50 requests in 5s"),
        "{by_variables}"
    );
    let profile = ["--profile", "10/s for 5s, 1/s for 10s", "-n"];
    for (count, total) in [("52", "52 requests in 6s"), ("99", "60 requests in 15s")] {
        let finished = loadgen("plan").args(profile).arg(count).finish();
        assert!(
            finished.stdout().contains(&format!("\n{total}, ")),
            "{finished}"
        );
    }
}

#[test]
fn the_summary_as_json_has_the_count_that_ends_the_run() {
    let server = Server::allowing();
    for (options, count, said) in [
        ("-n 3", 3.into(), true),
        ("-n 30 -z 0.2", serde_json::Value::Null, false),
    ] {
        let launch = server.launch(format!("-q 20 {options} --summary-json -"));
        let finished = launch.finish();
        let summary: serde_json::Value = serde_json::from_str(&finished.stdout()).expect("JSON");
        assert_eq!(summary["configuration"]["count"], count, "{finished}");
        assert_eq!(finished.stderr.contains("ended after"), said, "{finished}");
    }
}

#[test]
fn one_request_at_the_start_is_a_whole_run() {
    let server = Server::allowing();
    let finished = server
        .launch("-n 1 -q 0.001 --summary-markdown /dev/stdout --report /dev/null")
        .finish();
    assert_eq!(
        (finished.code(), server.request_count()),
        (Some(0), 1),
        "{finished}"
    );
    assert!(!finished.to_string().contains("NaN"), "{finished}");
    assert!(!finished.to_string().contains("inf"), "{finished}");
}
