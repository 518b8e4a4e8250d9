//! What is printed without anything being sent: the schedule and first request of a run, and what is known of limiters.

use std::fs::File;

use crate::support::run::{Launch, loadgen};
use crate::support::server::Server;
use loadgen::core::presets;

#[track_caller]
fn printed(launch: Launch) -> String {
    let finished = launch.finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(finished.stderr, "", "{finished}");
    finished.stdout()
}

/// The rows of the table: where each phase begins, and the rest.
fn rows(printed: &str) -> Vec<Vec<&str>> {
    let table = printed.split("\n\n").nth(1).expect("a table");
    let rows = table.lines().skip(1);
    rows.map(|row| row.split_whitespace().collect()).collect()
}

#[test]
fn a_plan_has_the_schedule_its_totals_and_the_first_request_and_sends_nothing() {
    let server = Server::allowing();
    let launch = loadgen("plan --seed 1 --preset gubernator --limit 7 --targets").arg(server.url());
    let printed = printed(
        launch.arg("--profile=50/s for 30s, ramp 50/s to 150/s over 10s, burst 20 at once"),
    );
    assert_eq!(
        rows(&printed),
        [
            vec!["0s", "30s", "steady", "50/s", "1500"],
            vec!["30s", "10s", "ramp", "50/s", "to", "150/s", "1000"],
            vec!["40s", "burst", "20", "at", "once", "20"],
        ]
    );
    assert!(
        printed.contains("\n2520 requests in 40s, 63/s on average\n"),
        "{printed}"
    );
    let request = "\n    POST /v1/GetRateLimits\n    host: ";
    assert!(printed.contains(request), "{printed}");
    let body = r#"    {"requests":[{"name":"loadgen","uniqueKey":"loadgen-"#;
    assert!(
        printed.contains(body) && printed.contains(r#""limit":7,"duration":60000"#),
        "{printed}"
    );
    assert_eq!(server.accepted(), 0);
}

#[test]
fn the_first_request_of_a_plan_is_that_of_the_run() {
    let options =
        "--seed 5 --keys 50 --key-distribution zipf:1 --path /a?n={seq} --header X-Id:{uuid}";
    let planned = printed(loadgen(format!("plan --targets http://h {options}")));
    let server = Server::allowing();
    server.run(format!("--rps 10 --duration 0.1 {options}"));
    let request = &server.requests()[0];
    for said in [
        request.text(),
        request.path.as_str(),
        request.header("X-Id"),
    ] {
        assert!(planned.contains(said), "{said} in {planned}");
    }
}

#[test]
fn plans_of_the_default_profile_of_poisson_arrivals_and_of_what_never_ends() {
    let usual = printed(loadgen("plan"));
    assert_eq!(rows(&usual).len(), 3, "{usual}");
    assert!(
        usual.starts_with("10/s with bursts of 50/s for 5s every 30s\n"),
        "{usual}"
    );
    assert!(
        usual.contains("\n800 requests in 1m, 13.3/s on average\n"),
        "{usual}"
    );

    let random =
        |seed: &str| printed(loadgen("plan --arrivals poisson --rps 100 --seed").arg(seed));
    assert!(random("3").contains("poisson arrivals, seed 3\n"));
    assert_eq!(random("3"), random("3"));
    let total = |seed| {
        let printed = random(seed);
        let line = printed.lines().find(|line| line.contains(" requests in "));
        let total = line.and_then(|line| line.split(' ').next()?.parse::<i64>().ok());
        total.expect("a total")
    };
    // 8,000 are expected, with a standard deviation of 89.
    assert!((total("3") - 8_000).abs() < 540 && total("3") != total("4"));

    let endless = printed(loadgen("plan").arg("--profile=10/s for 10s, pause 5s, repeat"));
    assert!(
        endless.contains("the pattern continues") && endless.contains("has no end"),
        "{endless}"
    );
    let cut =
        printed(loadgen("plan --duration 12").arg("--profile=10/s for 10s, pause 5s, repeat"));
    assert!(
        cut.contains("\n100 requests in 12s, 8.33/s on average\n"),
        "{cut}"
    );
}

#[test]
fn a_plan_says_what_the_limiter_is_held_to() {
    let launch = loadgen("plan --cost 3 --clock-tolerance 20ms --excess-tolerance 7% --probe no");
    let plan = printed(launch.args([
        "--audit",
        "token-bucket 10/s burst 5 and fixed-window 100/60s",
    ]));
    let audit = "\naudit: token-bucket 10/s burst 5 and fixed-window 100/60s; clocks up to 20ms apart; \
                 up to 7% over the limit\n";
    assert!(plan.contains(audit), "{plan}");
    assert!(plan.contains(r#""limit":10,"window_ms":1000}"#), "{plan}");
}

#[test]
fn a_plan_refuses_what_a_run_would() {
    loadgen("plan --rps 0").assert_refused(&["--rps", "'0'"]);
    loadgen("plan")
        .env("LOADGEN_PROFILE", "fast")
        .assert_refused(&["LOADGEN_PROFILE", "column 1"]);
    loadgen("plane").assert_refused(&["plane"]);
}

#[test]
fn presets_are_listed_and_each_is_shown() {
    assert_eq!(printed(loadgen("presets")), presets::table());
    for preset in presets::ALL {
        let shown = printed(loadgen("presets").arg(preset.name));
        assert_eq!(shown, presets::details(preset));
    }
    loadgen("presets haproxy").assert_refused(&["NAME", "'haproxy'", "check, envoy, limitador"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_failure_to_print_is_reported() {
    for line in ["plan", "presets", "presets nginx"] {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"));
        let output = command
            .args(line.split(' '))
            .stdout(full)
            .output()
            .expect("a binary");
        assert_eq!(output.status.code(), Some(1), "{line}");
        let told = String::from_utf8(output.stderr).expect("text");
        assert!(told.starts_with("loadgen: standard output: "), "{told}");
    }
}
