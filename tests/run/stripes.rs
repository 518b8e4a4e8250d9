//! Processes that send one schedule together.

use crate::support::at_once;
use crate::support::run::{Launch, Run, loadgen};
use crate::support::server::Server;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What a request was: its path, which has its number and a random value, and its key.
fn requests(servers: &[Server]) -> BTreeMap<(usize, String), String> {
    let of = |(place, server): (usize, &Server)| {
        let requests = server.requests().into_iter();
        requests
            .map(move |request| ((place, request.path.clone()), request.key()))
            .collect::<Vec<_>>()
    };
    servers.iter().enumerate().flat_map(of).collect()
}

fn now() -> Timestamp {
    SystemTime::now().try_into().expect("an instant")
}

fn in_seconds(seconds: i64) -> String {
    let at = now() + SignedDuration::from_secs(seconds);
    at.to_string()
}

fn launch(servers: &[Server], options: &str) -> Launch {
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    loadgen(options).args([
        "--targets",
        &urls.join(","),
        "--path",
        "/check/{seq}/{uuid}",
    ])
}

#[test]
fn stripes_send_together_exactly_what_one_process_sends() {
    let cases = [
        "--rps 40 --duration 1 --burst-enabled false",
        "--rps 40 --duration 1 --burst-enabled false --arrivals poisson",
        "-n 37 --rps 60 --keys 0",
        "--keys 20 --key-distribution zipf:1.1 -n 50 --rps 80",
    ];
    at_once(cases, |options| {
        let options = format!("{options} --seed 7 --workers 5");
        let alone = [Server::allowing(), Server::allowing()];
        launch(&alone, &options).report();
        let together = [Server::allowing(), Server::allowing()];
        let start = in_seconds(6);
        let stripes = [0, 1, 2].map(|index| {
            let options = format!("{options} --stripe {index}/3 --start-at {start}");
            launch(&together, &options).start()
        });
        let reports = stripes.map(|run| run.finish().report());
        assert_eq!(requests(&together), requests(&alone), "{options}");
        let sent: u64 = reports.iter().map(|report| report.sent).sum();
        assert_eq!(sent as usize, requests(&alone).len(), "{options}");
    });
}

#[test]
fn bursts_at_once_and_ramps_are_shared_too() {
    let profile = "burst 17 at once, ramp 10/s to 60/s over 500ms, pause 100ms, repeat 2 times";
    let alone = [Server::allowing()];
    launch(&alone, "--seed 3 --workers 8")
        .args(["--profile", profile])
        .report();
    let together = [Server::allowing()];
    let start = in_seconds(6);
    let stripes = [1, 2, 3, 4].map(|number| {
        // As schedulers do that count from 1.
        let options = format!("--seed 3 --workers 8 --stripe {number}/4 --start-at {start}");
        launch(&together, &options)
            .args(["--profile", profile])
            .start()
    });
    stripes
        .into_iter()
        .for_each(|run| drop(run.finish().report()));
    assert_eq!(requests(&together), requests(&alone));
}

#[test]
fn the_index_of_a_stripe_may_come_from_an_indexed_job() {
    let servers = [Server::allowing()];
    let start = in_seconds(6);
    let run = launch(&servers, "-n 9 --rps 100 --seed 1")
        .env("JOB_COMPLETION_INDEX", "2")
        .env("LOADGEN_STRIPES", "4")
        .env("LOADGEN_START_AT", &start)
        .finish();
    let stdout = run.stdout();
    assert!(
        stdout.contains(
            "  stripe   2/4: one request in 4 of this schedule, from request 2 on: 2 requests\n"
        ),
        "{run}"
    );
    let numbers: Vec<_> = requests(&servers)
        .into_keys()
        .map(|(_, path)| path)
        .collect();
    let number = |path: &String| path.split('/').nth(2).map(str::to_owned);
    let numbers: Vec<_> = numbers.iter().filter_map(number).collect();
    assert_eq!(numbers, ["2", "6"]);
    let page = launch(
        &servers,
        "-n 9 --seed 1 --stripe 2/4 --start-at 2099-01-01T00:00:00Z plan",
    );
    let plan = page.finish();
    assert!(plan.stdout().contains("stripe 2/4"), "{plan}");
}

#[test]
fn a_start_in_the_future_is_waited_for_and_met() {
    let server = [Server::allowing()];
    let start = now() + SignedDuration::from_secs(3);
    let finished = launch(&server, &format!("-n 5 --rps 50 --start-at {start}")).finish();
    let report = finished.report();
    assert_eq!(report.sent, 5, "{finished}");
    assert!(finished.stdout().contains("\nWaiting "), "{finished}");
    assert!(finished.stdout().contains("  start    "), "{finished}");
    assert!(now() >= start);
}

#[test]
fn the_heading_of_a_stripe_has_the_beginning_of_its_plans_fingerprint() {
    let server = [Server::allowing()];
    let plan = |options: &str| {
        let start = in_seconds(3);
        let options = format!("-n 4 --rps 50 --seed 3 --start-at {start} {options}");
        let finished = launch(&server, &options).finish();
        let text = finished.stdout().to_owned();
        let line = text.lines().find(|line| line.starts_with("  plan "));
        line.map(str::to_owned)
    };
    let first = plan("--stripe 0/2").expect("a line");
    assert!(first.ends_with(", the same on all stripes"), "{first}");
    assert_eq!(plan("--stripe 1/2"), Some(first.clone()));
    assert_ne!(plan("--stripe 1/2 --timeout 3"), Some(first));
    assert_eq!(plan(""), None);
}

#[test]
fn who_joins_late_sends_only_what_is_still_to_come() {
    let server = [Server::allowing()];
    let start = now() - SignedDuration::from_secs(3);
    // 40 requests within 4 s, of which 30 or more were due before.
    let options =
        format!("--rps 10 --duration 4 --burst-enabled false --join-late --start-at {start}");
    let finished = launch(&server, &options).finish();
    let report = finished.report();
    assert_eq!(report.scheduled, 40, "{finished}");
    assert!((30..=40).contains(&report.unsent), "{finished}");
    assert_eq!(report.sent + report.unsent, 40, "{finished}");
    assert_eq!(report.dropped, 0, "{finished}");
    assert_eq!(server[0].request_count(), report.sent, "{finished}");
    // The generator says so itself: it did not do what was asked of it.
    assert!(
        finished.stdout().contains("schedule not kept"),
        "{finished}"
    );
    // The numbers go on where the schedule is.
    let first = requests(&server).into_keys().next();
    if let Some((_, path)) = first {
        assert!(
            path.split('/').nth(2).unwrap().parse::<u64>().unwrap() >= 30,
            "{path}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_the_start() {
    let server = [Server::allowing()];
    let options = "-n 5 --start-at 2099-01-01T00:00:00Z";
    let run = launch(&server, options).start();
    run.await_line("Waiting ");
    let finished = run.ended_by(Run::terminate, 10.0);
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(finished.report().scheduled, 0, "{finished}");
    assert_eq!(server[0].request_count(), 0);
}

#[test]
fn what_stripes_lack_is_refused_in_one_line() {
    let cases = [
        (
            "--stripe 4/3",
            "--stripe '4/3': must be a stripe and the number of stripes",
        ),
        ("--stripe 0/4 --seed 1", "--stripe '0/4': needs --start-at"),
        (
            "--stripe 0/4 --start-at next-minute",
            "--stripe '0/4': needs --seed",
        ),
        (
            "--stripe 0/4 --seed 1 --start-at +9s",
            "--start-at '+9s': must be an instant",
        ),
        (
            "--stripes 4 --seed 1 --start-at next-minute",
            "--stripes '4': needs the index of this stripe: JOB_COMPLETION_INDEX",
        ),
        (
            "--stripe 0/4 --stripes 4",
            "--stripes '4': must not be given together with --stripe",
        ),
        (
            "--start-at 2020-01-01T00:00:00Z",
            "--start-at '2020-01-01T00:00:00Z': must be in the future; it was ",
        ),
        (
            "--rps 10 --duration 1 --join-late --start-at 2020-01-01T00:00:00Z",
            "--start-at '2020-01-01T00:00:00Z': must be later; the schedule ended ",
        ),
        (
            "--stripe 0/2 --seed 1 --start-at next-minute --threshold failed.count<5 --abort-on-fail",
            "--abort-on-fail 'true': must be left out with several stripes",
        ),
        (
            "--start-at 2020-01-01",
            "--start-at '2020-01-01': must be an instant with its offset",
        ),
        ("--join-late", "--join-late 'true': needs --start-at"),
        ("--clock-error 2h", "--clock-error '2h': must be seconds"),
        (
            "--demo --stripe 0/2 --seed 1 --start-at next-minute",
            "--stripe '0/2': must be left out with --demo",
        ),
        (
            "--burst-align --start-at next-minute",
            "--burst-align 'true': must be false with --start-at",
        ),
    ];
    at_once(cases, |(options, line)| {
        let finished = loadgen(options).finish();
        assert_eq!(finished.code(), Some(2), "{finished}");
        let refusal = format!("loadgen: {line}");
        assert!(
            finished.stderr.starts_with(&refusal),
            "{options}: {finished}"
        );
        assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    });
}
