//! Runs with `--profile`, `--arrivals` and `--burst-align`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::metrics::{address, scrape};
use crate::support::run::{Finished, Launch, loadgen, undisturbed};
use crate::support::server::Server;
use crate::support::{at_once, seconds};

/// A run of this profile with more options.
fn profiled(server: &Server, profile: &str, options: &str) -> Launch {
    server.launch(options).arg("--profile").arg(profile)
}

/// The announced phases, in order.
fn announced(finished: &Finished) -> Vec<&str> {
    let lines = finished.lines_with(" MODE at ");
    lines.iter().map(|line| line.text.as_str()).collect()
}

fn heading(finished: &Finished) -> &str {
    let lines = finished.lines_with("  traffic  ");
    lines[0].text.trim_start_matches("  traffic  ")
}

/// Groups of arrivals that are less than `apart` seconds from the next: the age of the first, and the number.
fn groups(arrivals: &[Duration], apart: f64) -> Vec<(f64, usize)> {
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let mut last = None;
    for arrival in arrivals.iter().map(Duration::as_secs_f64) {
        match groups.last_mut() {
            Some((_, count)) if last.is_some_and(|last| arrival - last < apart) => *count += 1,
            _ => groups.push((arrival, 1)),
        }
        last = Some(arrival);
    }
    groups
}

#[test]
fn a_profile_arrives_and_is_announced_as_it_was_typed() {
    let profile = "20/s for 1s, pause 1s, RAMP 0/s to 80/s over 1, pause 1s, \
                   burst 50 at once, pause 1s, sine 40/s +- 40/s every 500ms for 1s";
    let server = Server::allowing();
    let finished = profiled(&server, profile, "--workers 16").finish();
    let report = finished.report();
    assert_eq!((report.scheduled, report.sent), (150, 150), "{report}");

    let groups = groups(&server.arrivals(), 0.6);
    let counts: Vec<_> = groups.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [20, 40, 50, 40], "{groups:?}");
    for ((age, _), due) in groups.iter().zip([0.0, 2.0, 4.0, 5.0]) {
        assert!((age - due).abs() < 0.4, "{groups:?}");
    }
    assert_eq!(
        announced(&finished),
        [
            "PAUSE MODE at 1s: for 1s",
            "RAMP MODE at 2s: 0/s to 80/s for 1s",
            "PAUSE MODE at 3s: for 1s",
            "BURST MODE at 4s: 50 at once",
            "PAUSE MODE at 4s: for 1s",
            "SINE MODE at 5s: 40/s ± 40/s every 500ms for 1s",
        ],
        "{finished}"
    );
    let expected = "20/s for 1s, pause 1s, ramp 0/s to 80/s over 1s, pause 1s, \
                burst 50 at once, pause 1s, sine 40/s ± 40/s every 500ms for 1s, \
                for 6s: 150 requests";
    assert_eq!(heading(&finished), expected);
}

#[test]
fn a_profile_runs_to_its_own_end_or_to_the_duration_that_was_given() {
    let cases = [
        ("20/s for 1s", "", 20),
        ("20/s for 1s", "--duration 0", 20),
        ("20/s for 1s", "--duration 10m", 20),
        ("20/s for 10m", "--duration 1", 20),
        ("20/s", "--duration 1s", 20),
        ("20/s for 500ms, pause 500ms, repeat", "--duration 1.5", 20),
        ("20/s for 500ms, repeat 3 times", "", 30),
        ("20/s for 1s, burst 30 at once", "", 50),
        ("20/s for 1s, burst 30 at once", "--duration 1", 20),
        ("burst 30 at once", "", 30),
        ("pause 500ms", "", 0),
    ];
    at_once(cases, |(profile, options, requests)| {
        let server = Server::allowing();
        let report = profiled(&server, profile, options).report();
        assert_eq!(report.scheduled, requests, "{profile} {options}\n{report}");
        assert_eq!(server.request_count(), requests, "{profile} {options}");
        // And by variable.
        let server = Server::allowing();
        let report = server
            .launch(options)
            .env("LOADGEN_PROFILE", profile)
            .report();
        assert_eq!(report.scheduled, requests, "{profile} {options}\n{report}");
    });
}

#[cfg(unix)]
#[test]
fn a_profile_that_repeats_runs_until_it_is_stopped() {
    let server = Server::allowing();
    let run = profiled(&server, "burst 5 at once, pause 500ms, repeat", "").start();
    run.await_line("BURST MODE at 1s: 5 at once");
    run.terminate();
    let finished = run.finish();
    let report = finished.report();
    assert_eq!(report.scheduled % 5, 0, "{report}");
    assert!(report.scheduled >= 15, "{report}");
    let expected = "burst 5 at once, pause 500ms, repeat, until stopped";
    assert_eq!(heading(&finished), expected);
    let expected = ["BURST MODE at 0s: 5 at once", "PAUSE MODE at 0s: for 500ms"];
    assert_eq!(announced(&finished)[..2], expected);
}

// Refusals.

fn harmless(line: &str) -> Launch {
    loadgen(line).env("TARGETS", "http://127.0.0.1:1")
}

#[test]
fn a_bad_profile_is_refused_with_the_column() {
    let profile = "50/s for 30s, rmap 50/s to 60/s";
    let words = [
        profile,
        "column 15: 'rmap' is not a piece",
        "ramp RATE to RATE over TIME",
    ];
    let by_flag = harmless("").arg("--profile").arg(profile);
    by_flag.assert_refused(&[&words[..], &["--profile"]].concat());
    let by_variable = harmless("").env("LOADGEN_PROFILE", profile);
    by_variable.assert_refused(&[&words[..], &["LOADGEN_PROFILE"]].concat());
    let of_lines = harmless("").env("LOADGEN_PROFILE", "50/s for 30s,\nramp 0/s to 0/s over 1m");
    of_lines.assert_refused(&["column 20: one end of a ramp"]);
}

const DEFAULT_PROFILE: [(&str, &str, &str); 5] = [
    ("--rps", "RPS", "40"),
    ("--burst-enabled", "BURST_ENABLED", "false"),
    ("--burst-multiplier", "BURST_MULTIPLIER", "2"),
    ("--burst-duration", "BURST_DURATION", "0.1"),
    ("--burst-interval", "BURST_INTERVAL", "20"),
];

#[test]
fn a_profile_and_options_of_the_default_profile_exclude_each_other() {
    at_once(DEFAULT_PROFILE, |(flag, variable, value)| {
        let by_flags = harmless("--profile 20/s").arg(flag).arg(value);
        by_flags.assert_refused(&["--profile '20/s'", "together with", flag]);
        let by_variables = harmless("")
            .env("LOADGEN_PROFILE", "20/s")
            .env(variable, value);
        by_variables.assert_refused(&["PROFILE '20/s'", "together with", variable]);
    });
}

#[test]
fn a_profile_or_default_option_by_flag_wins_over_the_other_by_variable() {
    at_once(DEFAULT_PROFILE, |(flag, variable, value)| {
        let (server, other) = (Server::allowing(), Server::allowing());
        let launch = profiled(&server, "30/s for 500ms", "").env(variable, value);
        let report = launch.report();
        assert_eq!(report.scheduled, 15, "{flag}\n{report}");

        let report = other
            .launch(format!("--duration 0.5 {flag} {value}"))
            .env("LOADGEN_PROFILE", "300/s for 1m")
            .report();
        let expected = if flag == "--rps" { 20 } else { 5 };
        assert_eq!(report.scheduled, expected, "{flag}\n{report}");
    });
}

// Random arrivals.

#[test]
fn random_arrivals_are_the_same_with_the_same_seed() {
    let run = |seed: u64| {
        let server = Server::allowing();
        let finished = server
            .launch(format!(
                "--rps 50 --burst-enabled false --duration 2 --workers 16 \
             --arrivals poisson --seed {seed}"
            ))
            .finish();
        let report = finished.report();
        assert_eq!(server.request_count(), report.scheduled);
        let total = format!(
            "50/s, poisson arrivals, for 2s: {} requests",
            report.scheduled
        );
        assert_eq!(heading(&finished), total);
        (server.keys(), server.arrivals())
    };
    let ((keys, first), (same_keys, second)) = (run(7), run(7));
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(&second) {
        assert!(a.abs_diff(*b) < seconds(0.25), "{a:?} {b:?}");
    }
    // Requests that are due together arrive in any order.
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    assert_eq!(sorted(keys), sorted(same_keys));
    // One of a hundred gaps with a mean of 20 ms is nearly always longer than 50 ms.
    let gaps = first.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.max() > Some(seconds(0.05)), "{first:?}");
    let (_, other) = run(8);
    assert_ne!(
        groups(&first, 0.04).len(),
        groups(&other, 0.04).len(),
        "these seeds differ in the number of groups"
    );
}

// Bursts aligned to the clock's windows.

/// The time from the last multiple of `window` seconds on the calendar to each arrival, in seconds.
fn past_a_multiple(server: &Server, window: f64) -> Vec<f64> {
    let (now, calendar) = (Instant::now(), SystemTime::now());
    let since = |arrived: Instant| {
        let at = calendar - (now - arrived);
        at.duration_since(UNIX_EPOCH).expect("a time").as_secs_f64() % window
    };
    let requests = server.requests();
    requests
        .iter()
        .map(|request| since(request.arrived))
        .collect()
}

#[test]
fn aligned_bursts_begin_on_multiples_of_the_window() {
    let profile = "burst 10 at once, pause 1s, burst 100/s for 100ms, pause 900ms, repeat 2 times";
    at_once([0, 300, 700], |wait| {
        std::thread::sleep(Duration::from_millis(wait));
        let server = Server::allowing();
        let options = "--burst-align --window 1s --workers 16";
        let finished = profiled(&server, profile, options).finish();
        let report = finished.report();
        assert_eq!(report.scheduled, 40, "{report}");
        let past = past_a_multiple(&server, 1.0);
        assert!(past.iter().all(|past| *past < 0.45), "{past:?}\n{finished}");
        let starts = finished.lines_with("starts in ");
        let reason = "so that bursts begin at multiples of 1s on the clock";
        assert!(
            starts.len() == 1 && starts[0].text.ends_with(reason),
            "{finished}"
        );
    });
}

#[test]
fn aligned_bursts_of_the_default_profile_are_whole_windows_apart() {
    let mut server = Server::allowing();
    let finished = undisturbed(|| {
        server = Server::allowing();
        server.launch(
            "--rps 2 --duration 4 --burst-align --window 1s \
         --burst-multiplier 10 --burst-duration 0.5 --burst-interval 1.4",
        )
    });
    let report = finished.report();
    // 2 per second, and 18 more per second during two bursts of half a second.
    assert_eq!(report.scheduled, 8 + 9 + 9, "{report}");
    let expected = "2/s with bursts of 20/s for 500ms every 2s from 1.4s, for 4s: 26 requests";
    assert_eq!(heading(&finished), expected);
    let past = past_a_multiple(&server, 1.0);
    let in_bursts = past.iter().filter(|past| **past < 0.85).count();
    assert!(in_bursts >= 20, "{past:?}\n{finished}");
    assert_eq!(
        announced(&finished)[0],
        "BURST MODE at 1.4s: 20/s for 500ms"
    );
}

#[cfg(unix)]
#[test]
fn a_stop_ends_the_wait_for_the_clock() {
    let server = Server::allowing();
    // The next multiple of three years is nearly always far off.
    let run = server
        .launch(
            "--rps 1000 --burst-align --window 100000000s --stats-interval 0.1 \
         --metrics-addr 127.0.0.1:0",
        )
        .start();
    let address = address(&run);
    run.await_line("starts in ");
    let metrics = scrape(address);
    assert_eq!(metrics.mode(), "waiting");
    assert_eq!(metrics.rate(), 0.0);
    assert_eq!(metrics.sum("loadgen_requests_scheduled_total"), 0.0);
    std::thread::sleep(seconds(0.5));
    run.terminate();
    let finished = run.finish();
    let report = finished.report();
    assert_eq!(
        (report.scheduled, server.request_count()),
        (0, 0),
        "{report}"
    );
    assert!(report.schedule_kept, "{report}");
    let (_, last) = *finished.stats().last().expect("a last line");
    assert_eq!((last.requests, last.rps), (0, 0.0), "{finished}");
    assert_eq!(
        finished.stats().len(),
        1,
        "nothing is counted before the start: {finished}"
    );
}

#[test]
fn bursts_that_cannot_be_aligned_are_refused() {
    let apart = "10/s for 30s, burst 5 at once, 10/s for 90s, burst 9/s for 5s";
    let repeated = "burst 5 at once, pause 1500ms, repeat";
    let by_variable = harmless("").env("LOADGEN_BURST_ALIGN", "yes");
    let by_flag = |options: &str| harmless(&format!("--burst-align {options}"));
    let bursts = by_flag("").arg("--profile").arg(apart);
    let rounds = by_flag("--window 1s").arg("--profile").arg(repeated);
    let window = "whole windows of --window (60s) apart";
    let none = "there is no burst";
    by_flag("--burst-enabled false").assert_refused(&["--burst-align 'true'", none]);
    by_variable
        .arg("--profile=10/s for 1m")
        .assert_refused(&["BURST_ALIGN 'yes'", none]);
    by_flag("--duration 20").assert_refused(&["--burst-align", "there is no burst within the run"]);
    bursts.assert_refused(&["--burst-align", window, "30s", "120s"]);
    rounds.assert_refused(&["--burst-align", "(1s)", "0s", "1.5s"]);
}

// Metrics.

#[test]
fn metrics_show_the_mode_and_the_rate_of_the_profile_at_that_instant() {
    let server = Server::allowing();
    let profile =
        "ramp 0/s to 100/s over 2s, pause 1s, sine 50/s ± 50/s every 1s for 2s, 10/s for 1s";
    let options = "--metrics-addr 127.0.0.1:0 --metrics-linger 25";
    let run = profiled(&server, profile, options).start();
    let address = address(&run);
    let mut seen: Vec<(String, Vec<f64>)> = Vec::new();
    loop {
        let metrics = scrape(address);
        let (mode, rate) = (metrics.mode(), metrics.rate());
        if mode == "ended" {
            break;
        }
        match seen.last_mut() {
            Some((last, rates)) if *last == mode => rates.push(rate),
            _ => seen.push((mode, vec![rate])),
        }
        std::thread::sleep(seconds(0.02));
    }
    run.terminate();
    run.finish().report();
    let modes: Vec<_> = seen.iter().map(|(mode, _)| mode.as_str()).collect();
    assert_eq!(modes[..4], ["ramp", "pause", "sine", "steady"], "{seen:?}");
    let rates = |place: usize| &seen[place].1;
    let within = |place: usize| rates(place).iter().all(|rate| (0.0..=100.0).contains(rate));
    assert!(within(0) && rates(0).is_sorted(), "{seen:?}");
    assert!(rates(0).last() > Some(&50.0), "{seen:?}");
    assert!(rates(1).iter().all(|rate| *rate == 0.0), "{seen:?}");
    assert!(
        within(2) && rates(2).iter().any(|rate| *rate > 80.0),
        "{seen:?}"
    );
    assert!(rates(2).iter().any(|rate| *rate < 20.0), "{seen:?}");
    assert!(rates(3).iter().all(|rate| *rate == 10.0), "{seen:?}");
}
