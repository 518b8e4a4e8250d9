//! A run keeps its schedule whatever the servers do: the number of requests, their times, and the lines printed meanwhile.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::OVER;
use crate::support::run::Finished;
use crate::support::server::{Reply, Request, Server};
use crate::support::{at_once, eventually, median, seconds};

/// Answers at once, but nothing from `begin` to `end`, counted from its first request.
fn stalling(begin: f64, end: f64) -> Server {
    let first = OnceLock::new();
    OVER.server(move |request: &Request| {
        let age = Instant::now() - *first.get_or_init(|| request.arrived);
        let stalled = age >= seconds(begin) && age < seconds(end);
        Reply::allowed().after(if stalled {
            seconds(end) - age
        } else {
            Duration::ZERO
        })
    })
}

/// The number of arrivals in this part of the run.
fn arrived(server: &Server, begin: f64, end: f64) -> usize {
    let arrivals = server.arrivals();
    arrivals
        .iter()
        .filter(|at| **at >= seconds(begin) && **at < seconds(end))
        .count()
}

/// The time from the first request of a run to the printing of a line, in seconds.
fn age(server: &Server, at: Instant) -> f64 {
    let requests = server.requests();
    let first = requests.iter().map(|request| request.arrived).min();
    at.duration_since(first.expect("a first request"))
        .as_secs_f64()
}

// The number of requests that are due.

#[test]
fn a_run_schedules_what_its_rates_say() {
    #[rustfmt::skip]
    let cases = [
        ("--burst-enabled false --rps 40 --duration 1", 40),
        ("--burst-enabled false --rps 40 --duration 1s", 40),
        ("--burst-enabled false --rps 73 --duration 1", 73),
        ("--burst-enabled false --rps 2.5 --duration 2", 5),
        ("--burst-enabled false --rps 0.5 --duration 2", 1),
        ("--burst-enabled false --rps 1000 --duration 0.7", 700),
        ("--burst-enabled false --rps 3333.3 --duration 1 --stats-interval 0.3", 3334),
        // One second at 100, half a second at 500, half at 100; the next burst would begin as the run ends.
        ("--rps 100 --duration 2 --burst-multiplier 5 --burst-duration 0.5 --burst-interval 1", 400),
        // Bursts of 25 from 0.5 and from 1.0, and three steady parts of 20, 10 and 10.
        ("--rps 40 --duration 1.5 --burst-multiplier 2.5 --burst-duration 0.25 --burst-interval 0.5", 90),
        // The run ends in the middle of a burst.
        ("--rps 100 --duration 1 --burst-multiplier 3 --burst-duration 0.5 --burst-interval 0.75", 150),
        // The first burst would come after the end.
        ("--rps 100 --duration 1 --burst-multiplier 5 --burst-duration 1 --burst-interval 5", 100),
        // Bursts at the steady rate.
        ("--rps 100 --duration 1 --burst-multiplier 1 --burst-duration 0.2 --burst-interval 0.5", 100),
        // Bursts that are turned off.
        ("--burst-enabled false --rps 100 --duration 1 --burst-duration 0.2 --burst-interval 0.5", 100),
    ];
    at_once(cases, |(options, requests)| {
        let server = OVER.allowing();
        let report = server.run(format!("--workers 8 {options}"));
        assert_eq!(report.scheduled, requests, "{options}\n{report}");
        assert_eq!(report.allowed, requests, "{options}\n{report}");
        assert_eq!(server.request_count(), requests, "{options}\n{report}");
    });
}

// The times at which they are due.

#[test]
fn steady_requests_arrive_evenly_spaced() {
    let server = OVER.allowing();
    server.run("--rps 20 --duration 2 --workers 4");
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 40);
    let late: Vec<f64> = arrivals
        .iter()
        .zip(0u32..)
        .map(|(at, k)| at.as_secs_f64() - 0.05 * f64::from(k))
        .collect();
    // The first request also had to connect, so the start is taken from all of them.
    let start = median(&late);
    let errors: Vec<f64> = late.iter().map(|late| (late - start).abs()).collect();
    let error = median(&errors);
    // At random times, half of the requests would be more than 12.5 ms off.
    assert!(error < 0.004, "half are more than {error} s off: {late:?}");
}

#[test]
fn a_rate_below_one_a_second_is_kept() {
    let server = OVER.allowing();
    server.run("--rps 0.8 --duration 3 --workers 4");
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 3, "at 0, 1.25 and 2.5 seconds");
    assert!(
        arrivals[1] > seconds(0.9) && arrivals[1] < seconds(1.7),
        "{arrivals:?}"
    );
    assert!(
        arrivals[2] > seconds(2.1) && arrivals[2] < seconds(3.0),
        "{arrivals:?}"
    );
}

#[test]
fn a_burst_arrives_at_its_own_rate() {
    let server = OVER.allowing();
    server.run(
        "--rps 40 --duration 2.5 --workers 8 \
         --burst-multiplier 5 --burst-duration 0.5 --burst-interval 1",
    );
    // 40 in the first second, 100 in the burst, 20 until the next, 100 again.
    let parts = [
        (0.0, 1.0, 40),
        (1.0, 1.5, 100),
        (1.5, 2.0, 20),
        (2.0, 2.6, 100),
    ];
    for (begin, end, due) in parts {
        let seen = arrived(&server, begin, end);
        assert!(
            seen.abs_diff(due) <= 20,
            "{seen} of {due} from {begin} s to {end} s"
        );
    }
}

// Slow servers.

#[test]
fn a_stalled_server_never_slows_the_schedule() {
    let server = stalling(0.5, 1.5);
    let report = server.run("--rps 100 --duration 3 --workers 4");
    assert_eq!((report.scheduled, report.dropped), (300, 0), "{report}");
    assert_eq!(report.allowed, 300, "{report}");
    // The waiting requests are sent right after, and from then on the schedule is kept again.
    assert!(arrived(&server, 0.6, 1.4) <= 5, "{:?}", server.arrivals());
    let afterwards = arrived(&server, 2.0, 2.9);
    assert!(afterwards.abs_diff(90) <= 20, "{afterwards} of 90");
}

#[test]
fn a_stall_shows_in_latency_and_not_in_the_service_time_of_later_requests() {
    let server = stalling(0.5, 1.5);
    let report = server.run("--rps 100 --duration 3 --workers 4");
    assert_eq!(report.allowed, 300, "{report}");
    // A third was due while nothing was answered, and a sixth waited for more than half a second.
    let latency = report.latency.p90.expect("latency");
    assert!(latency > seconds(0.4) && latency < seconds(2.0), "{report}");
    // Only the four that were at the server were slow there.
    let service_time = report.service_time.p90.expect("service time");
    assert!(service_time < latency / 3, "{report}");
    let slowest = report.service_time.max.expect("service time");
    assert!(slowest > seconds(0.7) && slowest < seconds(2.0), "{report}");
    // The wait for a free worker is the generator's own, and it says so.
    assert!(
        report.send_lag.max.expect("send lag") > seconds(0.5),
        "{report}"
    );
}

#[test]
fn percentiles_never_decrease_and_latency_is_never_less_than_service_time() {
    let server =
        OVER.server(|request| Reply::allowed().after(seconds(0.01) * (request.nth as u32 % 7)));
    let report = server.run("--rps 100 --duration 1 --workers 8");
    for row in [report.latency, report.service_time, report.send_lag] {
        // Too few requests have no p99.9.
        let cells = [row.p50, row.p90, row.p99, row.p99_9, row.max];
        let cells: Vec<_> = cells.into_iter().flatten().collect();
        assert!(cells.len() >= 4 && cells.is_sorted(), "{report}");
    }
    // A percent of room for rounding.
    let pairs = [
        (report.latency.p50, report.service_time.p50),
        (report.latency.p90, report.service_time.p90),
        (report.latency.max, report.service_time.max),
    ];
    for (latency, service_time) in pairs {
        let (latency, service_time) = (
            latency.expect("latency"),
            service_time.expect("service time"),
        );
        assert!(latency.mul_f64(1.01) >= service_time, "{report}");
    }
}

#[test]
fn a_slow_server_shows_in_service_time() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.2)));
    let report = server.run("--rps 20 --duration 1 --workers 16");
    let median = report.service_time.p50.expect("service time");
    assert!(
        median >= seconds(0.195) && median < seconds(0.5),
        "{report}"
    );
}

#[test]
fn a_full_queue_drops_and_never_delays() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.2)));
    let finished = server
        .launch("--rps 100 --duration 1.5 --workers 1 --queue 5")
        .finish();
    let report = finished.report();
    assert_eq!(report.scheduled, 150, "{report}");
    // One worker sends five a second, and five more wait.
    assert!(report.sent + report.unsent <= 20, "{report}");
    assert!(report.dropped >= 130, "{report}");
    assert_eq!(report.sent, server.request_count());
    assert!(finished.took() < seconds(8.0), "{finished}");
}

#[test]
fn after_a_full_queue_the_rest_is_on_time() {
    let server = stalling(0.5, 1.5);
    let report = server.run("--rps 100 --duration 3 --workers 2 --queue 3");
    assert_eq!(report.scheduled, 300, "{report}");
    assert!(report.dropped >= 70 && report.dropped <= 120, "{report}");
    let before = arrived(&server, 0.0, 0.4);
    assert!(before.abs_diff(40) <= 12, "{before} of 40");
    let afterwards = arrived(&server, 2.0, 2.9);
    assert!(afterwards.abs_diff(90) <= 25, "{afterwards} of 90");
}

#[test]
fn a_dropped_token_still_takes_its_turn() {
    // The first target never answers, and the queue is full most of the time.
    let servers = [OVER.silent(), OVER.allowing()];
    let targets = format!("{},{}", servers[0].url(), servers[1].url());
    let report = OVER
        .against(
            targets,
            "--rps 100 --duration 1 --workers 2 --queue 2 --timeout 0.3 --drain-timeout 1",
        )
        .report();
    assert_eq!(report.scheduled, 100, "{report}");
    assert!(report.dropped > 0, "{report}");
    assert_eq!(report.target(&servers[0].url()).allowed, 0, "{report}");
    assert_eq!(report.target(&servers[1].url()).failed, 0, "{report}");
}

#[test]
fn a_target_that_never_answers_delays_its_own_requests_only() {
    let servers = [OVER.allowing(), OVER.silent(), OVER.allowing()];
    let urls = servers.each_ref().map(Server::url);
    // The target can hold four workers, and 40 of its requests can wait.
    let options = "--rps 180 --duration 1 --workers 6 --queue 120 --drain-timeout 1";
    let finished = OVER.against(urls.join(","), options).finish();
    let report = finished.report();
    assert_eq!(report.scheduled, 180, "{report}");
    for place in [0, 2] {
        assert_eq!(report.target(&urls[place]).allowed, 60, "{report}");
        assert_eq!(servers[place].request_count(), 60, "{report}");
    }
    let silent = report.target(&urls[1]);
    assert_eq!((silent.sent, silent.abandoned), (4, 4), "{report}");
    assert_eq!((report.dropped, report.unsent), (16, 40), "{report}");
    let verdict = finished.lines_with("schedule ")[0].text.clone();
    let blamed = format!("{} did not answer in time", urls[1].trim_end_matches('/'));
    assert!(verdict.contains(&blamed), "{report}");
    assert!(
        verdict.contains("of its 60 requests waited for it and"),
        "{report}"
    );
}

#[test]
fn a_run_warns_if_one_target_can_keep_more_requests_waiting_than_workers() {
    let servers = [OVER.allowing(), OVER.allowing()];
    let urls = servers.each_ref().map(Server::url).join(",");
    for (options, line) in [
        (
            "--workers 8 --timeout 1",
            Some(
                "8, at most 6 for one target: its requests wait if its answers take longer than 600ms",
            ),
        ),
        ("--workers 8 --timeout 0.6", None),
        (
            "--workers 8 --timeout 0.6 --burst-multiplier 1.5 --burst-duration 0.1 --burst-interval 0.2",
            Some("8, at most 6"),
        ),
    ] {
        let finished = OVER
            .against(&urls, format!("--rps 20 --duration 0.4 {options}"))
            .finish();
        let lines = finished.lines_with("  workers  ");
        let warned = lines
            .first()
            .map(|line| line.text.trim_start_matches("  workers  "));
        match line {
            Some(line) => assert!(
                warned.is_some_and(|warned| warned.starts_with(line)),
                "{finished}"
            ),
            None => assert_eq!(warned, None, "{finished}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn an_output_that_nobody_reads_never_slows_the_schedule() {
    let server = OVER.allowing();
    let mut run = server
        .launch(
            "--rps 100 --duration 2 --workers 4 --stats-interval 0.01 \
         --burst-multiplier 1 --burst-duration 0.01 --burst-interval 0.02",
        )
        .start_unread();
    eventually("every request", || server.request_count() == 200);
    let late = server.arrivals().last().copied().expect("a last arrival");
    assert!(
        late < seconds(3.0),
        "the last of two seconds came after {late:?}"
    );
    assert!(run.is_running(), "its output was read");
    run.read_on();
    let finished = run.finish();
    let printed = finished.stdout().len();
    assert!(printed > 16_384, "there was room for all {printed} bytes");
    let report = finished.report();
    assert_eq!((report.scheduled, report.allowed), (200, 200), "{report}");
}

// The lines that are printed meanwhile.

#[test]
fn a_stats_line_comes_every_interval_on_time() {
    let server = OVER.server(|request| {
        if request.nth % 4 == 3 {
            Reply::blocked()
        } else {
            Reply::allowed()
        }
    });
    let finished = server
        .launch("--rps 50 --duration 2.3 --workers 1 --stats-interval 0.5")
        .finish();
    let report = finished.report();
    let stats = finished.stats();
    // At 0.5, 1, 1.5 and 2 seconds, and maybe once more at the end.
    assert!(matches!(stats.len(), 4 | 5), "{finished}");
    for (_, line) in &stats {
        assert!(line.blocked <= line.success, "{finished}");
        assert!(line.success + line.failed <= line.requests, "{finished}");
        // One worker: no more than one request is in flight.
        assert!(
            line.requests - line.success - line.failed <= 1,
            "{finished}"
        );
        assert_eq!(line.failed, 0, "{finished}");
    }
    for pair in stats.windows(2) {
        let ((_, before), (_, after)) = (pair[0], pair[1]);
        assert!(before.requests <= after.requests, "{finished}");
        assert!(before.blocked <= after.blocked, "{finished}");
    }
    for ((at, _), due) in stats.iter().zip([0.5, 1.0, 1.5, 2.0]) {
        let age = age(&server, *at);
        assert!(
            (age - due).abs() < 0.35,
            "a line of {due} s at {age} s:\n{finished}"
        );
    }
    let last = stats[3].1;
    assert!(last.requests.abs_diff(100) <= 15, "{finished}");
    assert!(last.requests <= report.sent, "{finished}");
    assert!(last.blocked.abs_diff(25) <= 5, "{finished}");
}

#[test]
fn the_rps_column_says_what_was_sent_since_the_last_line() {
    let server = OVER.allowing();
    let finished = server
        .launch(
            "--rps 100 --duration 2.2 --workers 4 --stats-interval 0.5 \
         --burst-multiplier 4 --burst-duration 0.5 --burst-interval 1",
        )
        .finish();
    finished.report();
    // The last line's interval may be a partial one.
    let stats = finished.stats();
    assert!(stats.len() >= 4, "{finished}");
    let mut requests = 0;
    for ((_, line), due) in stats.iter().zip([100.0, 100.0, 400.0, 100.0]) {
        assert!(
            (line.rps - due).abs() <= due * 0.4,
            "{} for {due}:\n{finished}",
            line.rps
        );
        let sent = (line.requests - requests) as f64 / 0.5;
        assert!(
            (line.rps - sent).abs() <= due * 0.3,
            "{} for {sent} sent a second:\n{finished}",
            line.rps
        );
        requests = line.requests;
    }
}

#[test]
fn failures_show_in_the_stats_line() {
    let server = OVER.server(|_| Reply::status(500, "Internal Server Error"));
    let finished = server
        .launch("--rps 50 --duration 0.8 --workers 4 --stats-interval 0.5")
        .finish();
    finished.report();
    let (_, line) = finished.stats()[0];
    assert_eq!((line.success, line.blocked), (0, 0), "{finished}");
    assert!(line.failed >= 15, "{finished}");
}

/// The announcements of the mode must come at these ages of the run, in seconds.
#[track_caller]
fn assert_announced(server: &Server, finished: &Finished, mode: &str, due: &[f64]) {
    let lines = finished.lines_with(mode);
    let ages: Vec<f64> = lines.iter().map(|line| age(server, line.at)).collect();
    let mut pairs = ages.iter().zip(due);
    let near = ages.len() == due.len() && pairs.all(|(age, due)| (age - due).abs() < 0.35);
    assert!(near, "{mode} at {ages:?} instead of {due:?}:\n{finished}");
}

#[test]
fn the_modes_are_announced_as_they_begin() {
    let server = OVER.allowing();
    let bursts = "--burst-multiplier 3 --burst-duration 0.5 --burst-interval 1";
    let options = "--rps 20 --duration 2.4 --workers 4";
    let finished = server.launch(format!("{options} {bursts}")).finish();
    finished.report();
    assert_announced(&server, &finished, "BURST MODE", &[1.0, 2.0]);
    // The second burst is cut off by the end of the run, which may be announced or not.
    let steady = [1.5, 2.4];
    let lines = finished.lines_with("STEADY MODE").len();
    assert!(matches!(lines, 1 | 2), "{finished}");
    assert_announced(&server, &finished, "STEADY MODE", &steady[..lines]);
}

#[test]
fn a_mode_is_announced_on_time_where_requests_are_rare() {
    let server = OVER.allowing();
    let bursts = "--burst-multiplier 2 --burst-duration 0.5 --burst-interval 1";
    let options = "--rps 0.01 --duration 2 --workers 4";
    let finished = server.launch(format!("{options} {bursts}")).finish();
    assert_eq!(finished.report().scheduled, 1);
    assert_announced(&server, &finished, "BURST MODE", &[1.0]);
    assert_announced(&server, &finished, "STEADY MODE", &[1.5]);
}

#[test]
fn without_bursts_no_mode_is_announced() {
    let server = OVER.allowing();
    let finished = server
        .launch(
            "--rps 20 --duration 1 --workers 4 \
         --burst-enabled false --burst-duration 0.1 --burst-interval 0.3",
        )
        .finish();
    finished.report();
    assert!(finished.lines_with("BURST MODE").is_empty(), "{finished}");
    assert!(finished.lines_with("STEADY MODE").is_empty(), "{finished}");
}
