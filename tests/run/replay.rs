//! Recorded requests that are sent again.

use crate::support::run::{Launch, loadgen};
use crate::support::server::{Reply, Request, Server};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A file of this test binary with this text.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"));
    fs::write(&path, text).expect("a writable folder");
    path
}

/// A run of these lines against a server.
fn replay(server: &Server, name: &str, text: &str, options: &str) -> Launch {
    server.launch(options).arg("--replay").arg(file(name, text))
}

fn in_order_of_arrival(server: &Server) -> Vec<Request> {
    let mut requests = server.requests();
    requests.sort_by_key(|request| request.arrived);
    requests
}

/// The column of a file in CSV without quotes.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let header = lines.next().expect("a header");
    let place = header
        .split(',')
        .position(|column| column == name)
        .expect(name);
    lines
        .map(|line| line.split(',').nth(place).expect(name).to_owned())
        .collect()
}

const JSON: &str = r#"{"time":"2026-01-31T12:00:00.300Z","method":"DELETE","path":"/v1/items/7?force=1"}
{"time":"2026-01-31T12:00:00.000Z","method":"POST","path":"/v1/items","headers":{"X-KEY":"alice","Content-Type":"text/plain","Host":"old.example","Content-Length":"9999","Connection":"close","Cookie":["a=1","b=2"]},"body":"{seq} {{ é"}
{"time":"2026-01-31T12:00:00.100Z","path":"/v1/items","headers":{"User-Agent":"app/1"}}
{"time":"2026-01-31T12:00:00.850Z","method":"PATCH","path":"/v1/items/7"}
"#;

#[test]
fn requests_arrive_as_they_were_recorded_in_order_and_with_their_gaps() {
    let server = Server::allowing();
    let recorded = file("whole.csv", "");
    let launch = replay(
        &server,
        "whole.jsonl",
        JSON,
        "--workers 1 --header X-Env:test --body own",
    )
    .arg("--requests")
    .arg(&recorded);
    let report = launch.report();
    assert_eq!(
        (report.scheduled, report.sent, report.allowed),
        (4, 4, 4),
        "{report}"
    );

    let requests = in_order_of_arrival(&server);
    let lines: Vec<_> = requests
        .iter()
        .map(|one| format!("{} {}", one.method, one.path))
        .collect();
    let expected = [
        "POST /v1/items",
        "POST /v1/items",
        "DELETE /v1/items/7?force=1",
        "PATCH /v1/items/7",
    ];
    assert_eq!(lines, expected);
    let bodies: Vec<_> = requests.iter().map(Request::text).collect();
    // A recorded body has no placeholders. The run's own goes to methods that carry one.
    assert_eq!(bodies, ["{seq} {{ é", "own", "", "own"]);
    for request in &requests {
        assert_eq!(request.header("X-Env"), "test");
        assert_eq!(request.header("Host"), server.authority());
        assert_eq!(request.header_values("Connection"), [""; 0]);
        let length = request.header_values("Content-Length").concat();
        assert_eq!(length.parse().unwrap_or(0), request.body.len());
    }
    let head = String::from_utf8_lossy(&requests[0].head);
    assert!(head.contains("\r\nX-KEY: alice\r\n"), "{head}");
    assert_eq!(requests[0].header("Content-Type"), "text/plain");
    assert_eq!(requests[0].header_values("Cookie"), ["a=1", "b=2"]);
    assert_eq!(requests[1].header("User-Agent"), "app/1");
    assert!(requests[0].header("User-Agent").starts_with("loadgen/"));

    let due: Vec<_> = column(&fs::read_to_string(recorded).expect("a file"), "due_ns");
    let mut due: Vec<u64> = due
        .iter()
        .map(|due| due.parse().expect("a number"))
        .collect();
    due.sort_unstable();
    assert_eq!(due, [0, 100_000_000, 300_000_000, 850_000_000]);
    // No request arrives before it is due, apart from the way of the first.
    let gaps = [0, 100, 300, 850].map(Duration::from_millis);
    for (arrival, due) in server.arrivals().into_iter().zip(gaps) {
        let is_on_time =
            arrival + Duration::from_millis(90) > due && arrival < due + Duration::from_millis(900);
        assert!(is_on_time, "{arrival:?} {due:?}");
    }
}

#[test]
fn a_speed_divides_all_times_and_a_loop_repeats_them() {
    let server = Server::allowing();
    let recorded = file("loop-out.csv", "");
    let text = "time_ms,path\n1000,/a\n1040,/b\n1100,/c\n";
    let launch = replay(
        &server,
        "loop.csv",
        text,
        "--workers 1 --speed 0.5x --loop --count 8",
    )
    .arg("--requests")
    .arg(&recorded);
    let report = launch.report();
    assert_eq!(report.allowed, 8, "{report}");
    let csv = fs::read_to_string(recorded).expect("a file");
    let mut due: Vec<u64> = column(&csv, "due_ns")
        .iter()
        .map(|due| due.parse().unwrap())
        .collect();
    due.sort_unstable();
    // Twice as long: 200 ms, and one mean gap of 100 ms behind them.
    let millis = [0, 80, 200, 300, 380, 500, 600, 680];
    assert_eq!(due, millis.map(|millis| millis * 1_000_000));
    let paths: String = in_order_of_arrival(&server)
        .iter()
        .map(|one| one.path.clone())
        .collect();
    assert_eq!(paths, "/a/b/c/a/b/c/a/b");
}

#[test]
fn only_the_first_of_many_short_rounds_is_announced() {
    let server = Server::allowing();
    let run = |name: &str, text: &str, options: &str| {
        let finished = replay(&server, name, text, options).finish();
        let printed = finished.stdout().to_owned();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let lines = printed.lines().filter(|line| line.contains("REPLAY MODE"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let short = "time_us\n0\n2000\n";
    let lines = run("short.csv", short, "--loop --count 400 --workers 2");
    assert_eq!(
        lines,
        ["REPLAY MODE at 0s: 500/s on average for 4ms; repeats every 4ms"]
    );
    let long = "time_ms\n0\n200\n";
    let options = "--loop --count 5 --workers 2 --stats-interval 400ms";
    let lines = run("long.csv", long, options);
    let announced = ["0s", "400ms", "800ms"];
    let announced = announced.map(|at| format!("REPLAY MODE at {at}: 5/s on average for 400ms"));
    assert_eq!(lines, announced);
}

#[test]
fn an_access_log_is_sent_below_the_path_of_each_target_in_turn() {
    let server = Server::allowing();
    let line = |path: &str, agent: &str| {
        format!(
            "10.0.0.1 - - [31/Jan/2026:12:00:00 +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"{agent}\"\n"
        )
    };
    let log = line("/a", "one") + &line("/b?c=\\x22", "two") + "garbage\n" + &line("/d", "three");
    let targets = format!("{0}/x,{0}/y", server.url());
    let launch =
        loadgen("--workers 1 --replay-format combined --skip-unreadable --targets").arg(targets);
    let launch = launch
        .arg("--replay")
        .arg(file("access.log", &log))
        .args(["--replay-key", "$remote_addr"]);
    let finished = launch.finish();
    let report = finished.report();
    assert_eq!(
        (report.allowed, finished.code()),
        (3, Some(0)),
        "{finished}"
    );
    let heading = finished
        .stdout()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for words in [
        "replay of replay-access.log, for 666.666666ms: 3 requests",
        "the requests of each are spread evenly within it; without 1 unreadable line",
        "keys 1, as recorded",
    ] {
        assert!(heading.contains(words), "{words}: {heading}");
    }
    let requests = in_order_of_arrival(&server);
    let seen: Vec<_> = requests
        .iter()
        .map(|one| format!("{} {}", one.path, one.header("User-Agent")))
        .collect();
    assert_eq!(seen, ["/x/a one", "/y/b?c=%22 two", "/x/d three"]);
}

#[test]
fn keys_of_a_recording_are_those_of_the_run_s_requests_and_of_its_audit() {
    let server = Server::allowing();
    let rows: String = (0..60)
        .map(|n| format!("{},{}\n", n * 10, if n % 3 == 0 { "bob" } else { "alice" }))
        .collect();
    let text = format!("time_ms,key\n{rows}");
    let launch = replay(&server, "keys.csv", &text, "--preset check").args([
        "--audit",
        "sliding-window 30/60s",
        "--key-prefix",
        "user:",
        "--probe=false",
    ]);
    let finished = launch.finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
    let printed = finished.stdout();
    assert!(
        printed.contains("broken") && printed.contains("user:alice"),
        "{printed}"
    );
    assert!(!printed.contains("--rps"), "{printed}");
    let keys = server.keys();
    let count = |name: &str| keys.iter().filter(|key| *key == name).count();
    assert_eq!(
        (count("user:alice"), count("user:bob"), keys.len()),
        (40, 20, 60)
    );
}

#[test]
fn the_heading_says_what_no_record_has_and_which_columns_are_not_read() {
    let heading = |text: &str, options: &str| {
        let launch = loadgen(format!("plan {options} http://127.0.0.1:9"));
        let finished = launch.arg("--replay").arg(file("said.csv", text)).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let printed = finished.stdout();
        printed.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let both = "time,method,path,status,key\n1,POST,/a,200,u1\n2,,/b,200,u2\n";
    let said = heading(both, "");
    for words in [
        "requests: as recorded; 1 of 2 without a recorded method: GET; columns not read: status",
        "keys: 2, as recorded; no request contains its key",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // With the key in a header of the run, nothing is to be said.
    let said = heading(both, "--header X-Key:{key}");
    assert!(!said.contains("contains its key"), "{said}");
    let by_token = "time,path,headers,key\n1,/a,X-Token: t1,u1\n2,/b,X-Token: t2,u2\n";
    let said = heading(by_token, "--audit");
    let words = "no request contains its key, and the header x-token tells them apart";
    assert!(said.contains(words), "{said}");
    let said = heading("time\n1\n2\n", "");
    assert!(said.contains("GET / at recorded instants"), "{said}");
}

#[test]
fn a_limiter_that_keeps_its_limit_is_not_accused_by_a_replay() {
    let rows: String = (0..200)
        .map(|n| format!("{},k{}\n", n * 5, n % 2))
        .collect();
    let path = file("kept.csv", &format!("time_ms,key\n{rows}"));
    let launch = loadgen("--demo --preset check --limit 20 --window 2s --audit")
        .arg("--replay")
        .arg(path);
    let finished = launch.finish();
    // On a busy machine, a run may be late, and then it can't tell.
    let is_kept = finished.code() == Some(0) && finished.stdout().contains("Verdict: kept");
    let is_late =
        finished.code() == Some(3) && finished.stdout().contains("did not keep its schedule");
    assert!(is_kept || is_late, "{finished}");
}

#[test]
fn stripes_together_send_each_request_once() {
    let server = Server::allowing();
    let rows: String = (0..31).map(|n| format!("{},/{n}\n", n * 20)).collect();
    let path = file("stripes.csv", &format!("time_ms,path\n{rows}"));
    let start = jiff::Timestamp::now() + Duration::from_secs(4);
    let launch = |stripe: u64| {
        let launch = server.launch(format!("--stripe {stripe}/3 --seed 7 --start-at {start}"));
        launch.arg("--replay").arg(&path).start()
    };
    let runs: Vec<_> = (0..3).map(launch).collect();
    let sent: Vec<_> = runs
        .into_iter()
        .map(|run| run.finish().report().allowed)
        .collect();
    assert_eq!(sent, [11, 10, 10]);
    let mut paths: Vec<u32> = server
        .requests()
        .iter()
        .map(|one| one.path[1..].parse().unwrap())
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, (0..31).collect::<Vec<_>>());
}

#[test]
fn a_file_that_changes_while_it_is_sent_changes_nothing() {
    let server = Server::allowing();
    let rows: String = (0..50).map(|n| format!("{},/{n}\n", n * 20)).collect();
    let path = file("changing.csv", &format!("time_ms,path\n{rows}"));
    let run = server
        .launch("--workers 1")
        .arg("--replay")
        .arg(&path)
        .start();
    crate::support::eventually("a first request", || server.request_count() > 0);
    fs::write(&path, "gone").expect("a writable file");
    let report = run.finish().report();
    assert_eq!(report.allowed, 50, "{report}");
    let paths: Vec<_> = in_order_of_arrival(&server)
        .iter()
        .map(|one| one.path[1..].parse::<u32>().unwrap())
        .collect();
    assert_eq!(paths, (0..50).collect::<Vec<_>>());
}

#[test]
fn standard_input_is_replayed_too() {
    let server = Server::allowing();
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["--replay", "-", "--targets", &server.url(), "--no-tui"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    let mut input = child.stdin.take().expect("a pipe");
    // A pipe may have only a part of the first line at first.
    for part in ["ti", "me,path\n5,/a\n5.1,/b\n"] {
        std::io::Write::write_all(&mut input, part.as_bytes()).expect("a reader");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(input);
    assert!(child.wait().expect("an end").success());
    let paths: String = in_order_of_arrival(&server)
        .iter()
        .map(|one| one.path.clone())
        .collect();
    assert_eq!(paths, "/a/b");
}

#[test]
fn secrets_of_recorded_requests_are_shown_as_masks() {
    let secret = "Zm9vYmFyYmF6cXV4MTIz";
    let text = format!(
        r#"{{"time":1,"method":"POST","path":"/a?token={secret}1","headers":{{"Authorization":"Bearer {secret}2"}},"body":"{{\"password\":\"{secret}3\"}}"}}"#
    );
    let planned = loadgen("plan http://127.0.0.1:9")
        .arg("--replay")
        .arg(file("secret.jsonl", &text))
        .finish();
    assert!(
        planned.stdout().contains("/a?token=***(21 bytes)"),
        "{planned}"
    );
    assert!(!planned.stdout().contains(secret), "{planned}");
    let shown = loadgen("plan http://127.0.0.1:9 --show-secrets")
        .arg("--replay")
        .arg(file("secret.jsonl", &text))
        .finish();
    assert_eq!(shown.stdout().matches(secret).count(), 3, "{shown}");

    // A server that repeats them in an answer that explains a failure.
    let server = Server::start(move |_: &Request| {
        let body = format!("bad {secret}1 {secret}2 {secret}3");
        Reply::raw(format!(
            "HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    });
    let json = file("secret-out.json", "");
    let launch = replay(&server, "secret.jsonl", &text, "--no-tui")
        .arg("--summary-json")
        .arg(&json);
    let finished = launch.finish();
    assert!(finished.stdout().contains("bad ***"), "{finished}");
    let summary = fs::read_to_string(json).expect("a summary");
    assert!(
        !finished.stdout().contains(secret) && !summary.contains(secret),
        "{finished}"
    );
}

#[test]
fn a_header_of_the_run_takes_the_place_of_recorded_ones_and_an_empty_one_leaves_them_out() {
    let server = Server::allowing();
    let text = r#"{"time":1,"headers":{"Authorization":"Bearer old","Cookie":"a=b","Accept":"x"}}"#;
    let launch = replay(&server, "headers.jsonl", text, "")
        .args(["--header=Authorization: Bearer new", "--header=Cookie:"]);
    assert_eq!(launch.report().allowed, 1);
    let request = &server.requests()[0];
    assert_eq!(request.header("Authorization"), "Bearer new");
    assert_eq!(request.header_values("Cookie"), [""; 0]);
    assert_eq!(request.header("Accept"), "x");
    // Nothing else is recorded, so this is the request of a run with a URL.
    assert_eq!((&*request.method, &*request.path), ("GET", "/"));
}

#[test]
fn what_can_not_be_replayed_is_refused_in_one_line() {
    let csv = file("good.csv", "time,path\n1,/a\n2,/b\n");
    let good = csv.to_str().expect("a path in UTF-8");
    let bad = file("bad.csv", "time,path\n1,/a\n\n2,b\n");
    let bad = bad.to_str().expect("a path in UTF-8");
    let get = file("get.csv", "time,method\n1,POST\n2,GET\n");
    let get = get.to_str().expect("a path in UTF-8");
    let keyed = file("keyed.csv", "time,key\n1,a\n");
    let alike = file("alike.csv", "time,path,key\n1,/x,a\n2,/x,b\n");
    let alike = alike.to_str().expect("a path in UTF-8");
    let keyed = keyed.to_str().expect("a path in UTF-8");
    let hidden = file("hidden.csv", "time,path,key\n1,/x,u1\n2,/y,u2\n");
    let hidden = hidden.to_str().expect("a path in UTF-8");
    for (options, words) in [
        (
            &["--replay", hidden, "--audit", "sliding-window 5/1s"][..],
            &[
                "--replay",
                "no request contains its key",
                "{key} into a --header",
            ][..],
        ),
        (
            &["--replay", bad][..],
            &[
                "--replay",
                "bad.csv",
                "line 4: its path does not begin with a slash",
                "--skip-unreadable",
            ][..],
        ),
        (
            &["--replay", "nowhere.csv"],
            &["--replay 'nowhere.csv'", "No such file"],
        ),
        (&["--replay", good, "--rps", "5"], &["--replay", "--rps"]),
        (
            &["--replay", good, "--profile", "5/s"],
            &["--replay", "--profile"],
        ),
        (
            &["--replay", good, "--arrivals", "poisson"],
            &["--replay", "--arrivals"],
        ),
        (
            &["--replay", good, "--burst-align"],
            &["--replay", "--burst-align"],
        ),
        (
            &["--replay", good, "--speed", "0"],
            &["--speed '0'", "from 0.001x to 1000x"],
        ),
        (
            &["--replay", good, "--replay-format", "clf"],
            &["--replay-format 'clf'", "combined"],
        ),
        (
            &["--replay", good, "--replay-key", "user"],
            &["there is no column user"],
        ),
        (
            &["--replay", keyed, "--loop"],
            &["--loop", "two different instants"],
        ),
        (
            &["--replay", keyed, "--keys", "3"],
            &["--keys '3'", "its own key"],
        ),
        (
            &["--replay", keyed, "--key-distribution", "zipf:1"],
            &["--key-distribution", "its own key"],
        ),
        (&["--speed", "2x"], &["--speed '2x'", "needs --replay"]),
        (&["--loop"], &["--loop", "needs --replay"]),
        (
            &["--skip-unreadable"],
            &["--skip-unreadable", "needs --replay"],
        ),
        (
            &["--replay-key", "a"],
            &["--replay-key 'a'", "needs --replay"],
        ),
        (
            &["--replay-format", "csv"],
            &["--replay-format 'csv'", "needs --replay"],
        ),
        (
            &["--replay", good, "http://127.0.0.1:9/a?b={key}"],
            &["http://127.0.0.1:9/a", "query"],
        ),
        (
            &["--replay", get, "--preset", "check", "--audit"],
            &["--replay", "--replay-key", "{key} into a --header"],
        ),
        (
            &["--replay", alike, "--audit", "sliding-window 5/1s"],
            &[
                "--replay",
                "lines 2 and 3 are the same request with different keys",
                "{key} into a --header",
            ],
        ),
        (
            &["capacity", "--replay", good],
            &["--replay", "must be left out"],
        ),
        (&["discover", "--replay", good], &["--replay"]),
    ] {
        loadgen("").args(options).finish().assert_refused(words);
    }
    let refused = loadgen("")
        .arg("--replay")
        .arg(good)
        .env("TMPDIR", "/nowhere")
        .finish();
    refused.assert_refused(&["--replay", "temporary file", "/nowhere", "TMPDIR"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_copy_that_can_not_be_read_any_more_stops_the_run_and_loses_no_result() {
    let server = Server::allowing();
    let rows: String = (0..2_000).map(|n| format!("{},/{n}\n", n * 20)).collect();
    let path = file("lost.csv", &format!("time_ms,path\n{rows}"));
    let [csv, json] = ["lost-out.csv", "lost-out.json"].map(|name| file(name, ""));
    let copies = tempfile::tempdir().expect("a folder");
    let run = server
        .launch("--workers 2 --no-tui")
        .arg("--replay")
        .arg(&path)
        .arg("--requests")
        .arg(&csv)
        .arg("--summary-json")
        .arg(&json)
        .env("TMPDIR", copies.path().to_str().expect("UTF-8"))
        .start();
    crate::support::eventually("some requests", || server.request_count() > 10);
    // The copy has no name any more, but its descriptors lead to it.
    let mut cut = 0;
    for descriptor in fs::read_dir(format!("/proc/{}/fd", run.id())).expect("descriptors") {
        let descriptor = descriptor.expect("a descriptor").path();
        let target = fs::read_link(&descriptor).unwrap_or_default();
        if target.starts_with(copies.path()) {
            let options = fs::OpenOptions::new().write(true).open(&descriptor);
            options.expect("a copy").set_len(0).expect("a copy");
            cut += 1;
        }
    }
    assert!(cut >= 2, "{cut}");
    let finished = run.finish();
    assert_eq!(finished.code(), Some(1), "{finished}");
    let words = "the run was stopped, because the copy of the recording can't be read any more";
    assert_eq!(finished.stderr.matches(words).count(), 1, "{finished}");
    let summary = fs::read_to_string(json).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("a summary");
    assert_eq!(summary["exit_code"], 1, "{summary}");
    assert_eq!(summary["run"]["interrupted"], true, "{summary}");
    let allowed = summary["requests"]["allowed"].as_u64().expect("a number");
    assert!((11..2_000).contains(&allowed), "{summary}");
    let csv = fs::read_to_string(csv).expect("a file");
    let outcomes = column(&csv, "outcome");
    let allowed_rows = outcomes
        .iter()
        .filter(|outcome| *outcome == "allowed")
        .count();
    assert_eq!(allowed_rows as u64, allowed, "{csv}");
    assert_eq!(server.request_count(), allowed);
}
