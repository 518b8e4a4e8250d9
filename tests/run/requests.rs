//! The options that decide what requests contain, and which keys they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::eventually;
use crate::support::report::Report;
use crate::support::run::{Launch, loadgen};
use crate::support::server::{Reply, Request, Server};

/// A whole run of `requests` at once, in order: one worker takes them off the queue.
fn in_order(server: &Server, requests: u32) -> Launch {
    let rps = requests * 2;
    server.launch(format!(
        "--rps {rps} --duration 0.5 --workers 1 --burst-enabled false"
    ))
}

/// The requests of a run with these further arguments.
#[track_caller]
fn requests(count: u32, arguments: &[&str]) -> Vec<Request> {
    let server = Server::allowing();
    let launch = in_order(&server, count);
    let launch = arguments
        .iter()
        .fold(launch, |launch, argument| launch.arg(argument));
    let report = launch.report();
    assert_eq!(report.allowed, u64::from(count), "{report}");
    server.requests()
}

/// A file of this test binary with this text.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("requests-{name}"));
    std::fs::write(&path, text).expect("a writable folder");
    path
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn placeholders_are_filled_in_wherever_they_stand() {
    let server = Server::allowing();
    let base = server.url();
    let launch = in_order(&server, 5)
        .arg("--method=put")
        .arg("--path=/v1/{key}?n={seq}&of={target}")
        .arg("--header=X-Request-Id: {uuid}")
        .arg("--header=X-Limit: {limit}/{window_s} costs {cost}")
        .arg("--cost=4")
        .arg(r#"--body={"k":"{key}","n":{seq},"id":"{uuid}","at":{now_ms},"ms":{window_ms},"{{seq}":"{{"}"#)
        .arg("--limit=9")
        .arg("--window=5s");
    let report = launch.report();
    assert_eq!(report.allowed, 5, "{report}");
    let encoded = base.replace(':', "%3A").replace('/', "%2F");
    let mut ids = BTreeSet::new();
    for (sequence, request) in server.requests().iter().enumerate() {
        let body: serde_json::Value = serde_json::from_str(request.text()).expect("JSON");
        let key = body["k"].as_str().expect("a key");
        assert!(key.starts_with("loadgen-") && key.len() == 16, "{key}");
        assert_eq!(request.method, "PUT");
        assert_eq!(request.path, format!("/v1/{key}?n={sequence}&of={encoded}"));
        assert_eq!(body["n"], sequence);
        assert_eq!(body["ms"], 5_000);
        assert_eq!(body["{seq}"], "{");
        assert_eq!(body["id"], request.header("X-Request-Id"));
        assert_eq!(request.header("X-Limit"), "9/5 costs 4");
        assert_eq!(request.header("Content-Type"), "application/json");
        assert_eq!(
            request.header("Content-Length"),
            request.body.len().to_string()
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("a clock after 1970").as_millis() as i64;
        let at = body["at"].as_i64().expect("a time");
        assert!((now - 60_000..=now).contains(&at), "{at}");
        ids.insert(body["id"].as_str().expect("a UUID").to_owned());
    }
    assert_eq!(ids.len(), 5);
}

#[test]
fn same_seed_same_requests() {
    let said = |seed: &str| {
        let seed = format!("--seed={seed}");
        let body = "--body={\"{key}\":\"{uuid}\"}";
        let requests = requests(20, &[body, &seed, "--key-distribution=zipf:1"]);
        let texts = requests.iter().map(|request| request.text().to_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(said("1"), said("1"));
    assert_ne!(said("1"), said("2"));
}

#[test]
fn a_header_takes_the_place_of_one_that_would_be_sent_anyway() {
    let arguments = [
        "--header=content-type: application/vnd.api+json",
        "--header=User-Agent: curl",
        "--header=Host: tenant.example",
        "--header=X-Twice: 1",
        "--header=x-twice: {key}",
        "--keys=1",
        "--key-prefix=é ",
    ];
    for request in requests(2, &arguments) {
        assert_eq!(request.header("Content-Type"), "application/vnd.api+json");
        assert_eq!(request.header("User-Agent"), "curl");
        assert_eq!(request.header("Host"), "tenant.example");
        assert_eq!(request.header_values("X-Twice"), ["1", &request.key()]);
        assert!(request.key().starts_with("é "));
    }
    for request in requests(2, &["--header=User-Agent:", "--header=Content-Type:"]) {
        for gone in ["User-Agent", "Content-Type"] {
            assert_eq!(request.header_values(gone), Vec::<&str>::new());
        }
        assert_eq!(
            request.header("Content-Length"),
            request.body.len().to_string()
        );
    }
}

#[test]
fn header_names_leave_as_they_were_typed() {
    let arguments = [
        "--header=X-ACCOUNT-ID: 1",
        "--header=content-TYPE: application/json",
        "--header=X-Varying: {seq}",
        "--header=x-VARYING: {key}",
        "--header=x-lower: 1",
        &format!("--header=X-LONG: {}", "x".repeat(7_000)),
        &format!("--header=X-Longer: {}", "x".repeat(7_900)),
    ];
    for request in requests(3, &arguments) {
        let names: Vec<_> = request.headers.iter().map(|(name, _)| &**name).collect();
        let typed = [
            "X-ACCOUNT-ID",
            "content-TYPE",
            "X-Varying",
            "x-VARYING",
            "x-lower",
            "X-LONG",
            "X-Longer",
        ];
        for name in typed {
            assert!(names.contains(&name), "{name} of {names:?}");
        }
        assert_eq!(request.header("host"), request.headers[0].1);
    }
    for request in requests(2, &["--preset=kong"]) {
        let names: Vec<_> = request.headers.iter().map(|(name, _)| &**name).collect();
        assert!(names.contains(&"X-Key"), "{names:?}");
    }
}

#[test]
fn a_request_asks_for_no_coding_if_a_rule_reads_the_body() {
    let codings = |arguments: &[&str]| {
        let request = requests(1, arguments).remove(0);
        let values = request.header_values("Accept-Encoding");
        values.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(codings(&[]), none);
    assert_eq!(codings(&["--blocked=header x"]), none);
    assert_eq!(codings(&["--blocked=json /over"]), ["identity"]);
    assert_eq!(
        codings(&["--allowed=200, body contains fine"]),
        ["identity"]
    );
    assert_eq!(
        codings(&["--blocked=json /over", "--header=Accept-Encoding: gzip"]),
        ["gzip"]
    );
    assert_eq!(
        codings(&["--blocked=json /over", "--header=Accept-Encoding:"]),
        none
    );
}

#[test]
fn the_variable_of_headers_has_one_a_line_and_a_flag_wins_over_all_of_it() {
    let server = Server::allowing();
    let launch = in_order(&server, 1).env("LOADGEN_HEADER", "A: 1\nB: 2, 3");
    launch.report();
    let request = &server.requests()[0];
    assert_eq!((request.header("A"), request.header("B")), ("1", "2, 3"));

    let server = Server::allowing();
    let launch = in_order(&server, 1)
        .env("LOADGEN_HEADER", "A: 1\nB: 2")
        .arg("--header=B: 3");
    launch.report();
    let request = &server.requests()[0];
    assert_eq!(
        (request.header_values("A").len(), request.header("B")),
        (0, "3")
    );
}

#[test]
fn a_preset_s_body_goes_with_methods_that_carry_one() {
    for (method, with_body) in [
        ("GET", false),
        ("delete", false),
        ("OPTIONS", false),
        ("PATCH", true),
        ("PURGE", false),
    ] {
        for request in requests(2, &["--method", method]) {
            assert_eq!(request.method, method.to_ascii_uppercase());
            assert_eq!(!request.body.is_empty(), with_body, "{request:?}");
            let typed = request.header_values("Content-Type").len();
            assert_eq!(typed, usize::from(with_body), "{request:?}");
            let sized = request.header_values("Content-Length").len();
            assert_eq!(sized, usize::from(with_body), "{request:?}");
        }
    }
    for request in requests(2, &["--body="]) {
        assert_eq!(
            (request.method.as_str(), request.header("Content-Length")),
            ("POST", "0")
        );
        assert_eq!(request.header_values("Content-Type").len(), 0);
    }
    let text = [
        "--method=GET",
        "--body={seq}",
        "--header=Content-Type: text/plain",
    ];
    for request in requests(2, &text) {
        assert_eq!(request.header("Content-Length"), "1");
        assert_eq!(request.header("Content-Type"), "text/plain");
    }
}

#[test]
fn a_head_request_s_answer_has_no_body_to_wait_for() {
    let server = Server::start(|_| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    let report = in_order(&server, 10).arg("--method=HEAD").report();
    assert_eq!(report.allowed, 10, "{report}");
    assert_eq!(
        server.requests()[9].connection,
        server.requests()[0].connection
    );
}

#[test]
fn a_body_comes_from_a_file_as_it_is_there() {
    let text = format!(
        "{{\"key\":\"{{key}}\",\"pad\":\"{}\"}}\n",
        "x".repeat(100_000)
    );
    let body = file("body.json", &text);
    for request in requests(3, &["--body-file", path(&body)]) {
        let expected = text.replace("{key}", &request.key());
        assert!(request.text() == expected, "{} bytes", request.body.len());
    }
    let fixed = file("fixed.txt", "always the same");
    let arguments = [
        "--header=Content-Type: text/plain",
        "--body-file",
        path(&fixed),
    ];
    for request in requests(3, &arguments) {
        assert_eq!(request.text(), "always the same");
    }
}

#[test]
fn a_body_that_names_a_file_as_for_curl_is_refused() {
    let body = file("curl.json", "{}");
    let typed = format!("@{}", path(&body));
    let launch = loadgen("--demo -n 1 -d").arg(&typed);
    let said = format!("give --body-file {}", path(&body));
    launch.assert_refused(&["--body", &said]);
    // No file has this name, so it is a text.
    for request in requests(1, &["-H", "Content-Type: text/plain", "-d", "@nobody"]) {
        assert_eq!(request.text(), "@nobody");
    }
}

#[test]
fn a_body_that_is_too_long_or_no_text_is_refused() {
    let long = file("long.txt", &"x".repeat(1024 * 1024 + 1));
    let binary = file("binary", "");
    std::fs::write(&binary, b"\xff\xfe").expect("a writable file");
    for body in [&long, &binary] {
        let launch = loadgen("--demo").arg("--body-file").arg(path(body));
        launch.assert_refused(&["--body-file", path(body), "text of at most 1048576 bytes"]);
    }
}

#[test]
fn of_two_options_that_contradict_each_other_a_flag_wins_and_two_of_a_kind_are_refused() {
    let text = file("contradicting.txt", "\"from a file\"");
    let keys = file("contradicting-keys.txt", "listed");
    for (one, of_one, other, of_other) in [
        (
            ("--body", "LOADGEN_BODY"),
            "\"typed\"",
            ("--body-file", "LOADGEN_BODY_FILE"),
            path(&text),
        ),
        (
            ("--keys", "LOADGEN_KEYS"),
            "5",
            ("--keys-file", "LOADGEN_KEYS_FILE"),
            path(&keys),
        ),
    ] {
        let together = "must not be given together with";
        let launch = || loadgen("--targets http://127.0.0.1:1 --duration 0.1");
        let flags = launch().arg(one.0).arg(of_one).arg(other.0).arg(of_other);
        flags.assert_refused(&[one.0, together, other.0]);
        let variables = launch().env(one.1, of_one).env(other.1, of_other);
        variables.assert_refused(&[one.1, together, other.1]);
    }
    let server = Server::allowing();
    let launch = in_order(&server, 1)
        .env("LOADGEN_BODY_FILE", path(&text))
        .arg("--body=\"typed\"");
    launch
        .env("LOADGEN_KEYS", "5")
        .arg("--keys-file")
        .arg(path(&keys))
        .report();
    assert_eq!(server.requests()[0].text(), "\"typed\"");
    let server = Server::allowing();
    let launch = in_order(&server, 1)
        .env("LOADGEN_BODY", "\"typed\"")
        .arg("--body-file")
        .arg(path(&text));
    launch.report();
    assert_eq!(server.requests()[0].text(), "\"from a file\"");
}

#[test]
fn a_window_that_is_no_whole_seconds_is_not_sent_as_such() {
    let launch = loadgen("--demo --preset throttlecrab --window 1500ms");
    launch.assert_refused(&["--window", "1500ms", "must be whole seconds", "{window_s}"]);
}

#[test]
fn filled_in_placeholders_may_not_make_a_part_too_long_for_any_server() {
    let prefix = format!("--key-prefix={}", "é".repeat(124));
    let launch = || loadgen("--demo").arg(&prefix);
    let path = format!("--path=/check?k={}", "{key}".repeat(88));
    launch()
        .arg(&path)
        .assert_refused(&["--path", "at most 32768 bytes"]);
    let header = format!("--header=X-Key: {}", "{key}".repeat(150));
    launch()
        .arg(&header)
        .assert_refused(&["--header", "at most 32768 bytes"]);
    let many = (0..1_001).fold(loadgen("--demo"), |launch, n| {
        launch.arg(format!("--header=X-{n}: 1"))
    });
    many.assert_refused(&["--header", "at most 1000 headers"]);
    let hosts = loadgen("--demo")
        .arg("--header=Host: a")
        .arg("--header=Host: b");
    hosts.assert_refused(&["--header", "at most one of them Host"]);
}

#[test]
fn the_longest_request_that_is_taken_is_sent() {
    let prefix = format!("--key-prefix={}", "é".repeat(124));
    let path = format!("--path=/check?k={}", "{key}".repeat(40));
    let header = format!("--header=X-Key: {}", "{key}".repeat(120));
    for request in requests(3, &[&prefix, &path, &header]) {
        let key = request.key();
        assert_eq!(request.header("X-Key"), key.repeat(120));
        let decoded = percent_encoding::percent_decode_str(&request.path)
            .decode_utf8()
            .unwrap();
        assert_eq!(decoded, format!("/check?k={}", key.repeat(40)));
    }
}

#[test]
fn values_of_one_header_stay_in_order() {
    let headers = ["--header=X: {seq}", "--header=X: a", "--header=X: {key}"];
    for request in requests(2, &headers) {
        let [sequence, a, key] = request.header_values("X")[..] else {
            panic!("{request:?}");
        };
        assert!(sequence.parse::<u64>().is_ok(), "{sequence}");
        assert_eq!((a, key), ("a", &*request.key()));
    }
}

#[test]
fn an_option_that_does_not_count_is_not_read() {
    let server = Server::allowing();
    let launch = in_order(&server, 1)
        .env("LOADGEN_KEYS_FILE", "no/such/file")
        .env("LOADGEN_BODY_FILE", "no/such/file");
    launch
        .arg("--keys=3")
        .arg("--body={\"key\":\"{key}\"}")
        .report();
    assert!(server.requests()[0].key().starts_with("loadgen-"));
}

#[test]
fn marks_of_utf_8_are_no_part_of_a_file() {
    let keys = file("marked-keys.txt", "\u{feff}alice\n");
    let body = file("marked-body.json", "\u{feff}{\"key\":\"{key}\"}");
    for request in requests(2, &["--keys-file", path(&keys), "--body-file", path(&body)]) {
        assert_eq!(request.text(), r#"{"key":"alice"}"#);
    }
}

// The keys.

fn keys_of(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for request in requests {
        *keys.entry(request.key()).or_default() += 1;
    }
    keys
}

#[test]
fn keys_come_from_a_file_and_are_escaped_where_they_have_to_be() {
    let listed = ["alice", "bob \"the\" builder", "c/d?e", "ünï"];
    let keys = file("keys.txt", &format!("{}\r\n\n", listed.join("\n ")));
    let arguments = [
        "--keys-file",
        path(&keys),
        "--path=/by/{key}",
        "--key-prefix=user:",
    ];
    let requests = requests(8, &arguments);
    let expected: BTreeMap<_, _> = listed
        .iter()
        .map(|key| (format!("user:{key}"), 2))
        .collect();
    assert_eq!(keys_of(&requests), expected);
    for request in requests {
        let encoded = request.path.strip_prefix("/by/").expect("the path");
        let decoded = percent_encoding::percent_decode_str(encoded)
            .decode_utf8()
            .unwrap();
        assert_eq!(decoded, request.key());
        assert!(encoded.starts_with("user%3A"), "{encoded}");
    }
}

#[test]
fn a_key_with_a_limit_or_a_cost_of_its_own_carries_it() {
    let text = "alice\t7/2s\nbob\tunlimited\tcost 5\ncarol\tcost 20\ndave\n";
    let keys = file("tiers.txt", text);
    let arguments = [
        "--keys-file",
        path(&keys),
        "--cost=3",
        "--header=X-Cost: {cost}",
        "--header=X-Window: {window_s}",
    ];
    let mut carried = BTreeMap::new();
    for request in requests(8, &arguments) {
        let body: serde_json::Value = serde_json::from_str(request.text()).expect("JSON");
        assert_eq!(
            request.header("Content-Length"),
            request.body.len().to_string()
        );
        let (limit, window_ms) = (&body["limit"], &body["window_ms"]);
        let headers = (request.header("X-Window"), request.header("X-Cost"));
        let values = format!(
            "{limit} in {window_ms} ms or {} s for {}",
            headers.0, headers.1
        );
        carried.insert(request.key(), values);
    }
    let expected = [
        ("alice", "7 in 2000 ms or 2 s for 3"),
        ("bob", "100 in 60000 ms or 60 s for 5"),
        ("carol", "100 in 60000 ms or 60 s for 20"),
        ("dave", "100 in 60000 ms or 60 s for 3"),
    ];
    let expected = expected.map(|(key, values)| (key.to_owned(), values.to_owned()));
    assert_eq!(carried, BTreeMap::from(expected));
}

#[test]
fn limits_in_a_file_of_keys_are_refused_if_requests_or_the_demo_can_t_carry_them() {
    for (name, text, arguments, says) in [
        (
            "half.txt",
            "a\t7/1500ms",
            "--preset throttlecrab",
            "every window in it must be whole seconds",
        ),
        (
            "free.txt",
            "a\tunlimited",
            "--demo",
            "unlimited keys and costs over 1 are not possible",
        ),
        (
            "large.txt",
            "a\t1000001/1s",
            "--demo",
            "must be at most 1000000 in at most 24h",
        ),
        (
            "unsent.txt",
            "a\t10/1s",
            "--demo --preset envoy",
            "be sent as {limit}",
        ),
    ] {
        let keys = file(name, text);
        let launch = loadgen(format!("--duration 0.1 {arguments} --keys-file")).arg(path(&keys));
        launch.assert_refused(&["--keys-file", path(&keys), says]);
    }
    loadgen("--demo --cost 2").assert_refused(&["--cost '2'", "must be 1 with --demo"]);
}

#[test]
fn an_invalid_file_of_keys_is_refused_with_its_line() {
    for (name, text, says) in [
        ("empty.txt", "\n\n", "it has no keys"),
        ("repeated.txt", "a\n\nb\na\n", "line 4 repeats line 1"),
        ("control.txt", "a\nb\u{1}", "line 2 has a control character"),
        (
            "fast.txt",
            "a\nb\tfast",
            "line 2, column 3: must be a limit such as 100/60s, unlimited, or a cost",
        ),
        (
            "windowless.txt",
            "a\t100/",
            "line 1, column 3: the window must be seconds, or a time",
        ),
        (
            "costless.txt",
            "a\t1/1s\tcost 0",
            "line 1, column 8: the cost must be a whole number from 1 to 1000000",
        ),
    ] {
        let keys = file(name, text);
        let launch = loadgen("--demo").env("LOADGEN_KEYS_FILE", path(&keys));
        launch.assert_refused(&["LOADGEN_KEYS_FILE", path(&keys), says]);
    }
}

#[test]
fn keys_share_the_traffic_by_their_distribution() {
    let share_of_most = |distribution: &str| {
        let server = Server::allowing();
        let launch = in_order(&server, 1_000).arg("--keys=4").arg("--seed=1");
        launch.arg("--key-distribution").arg(distribution).report();
        let mut counts: Vec<_> = keys_of(&server.requests()).into_values().collect();
        counts.sort_unstable();
        *counts.last().expect("a key")
    };
    assert_eq!(share_of_most("uniform"), 250);
    assert_eq!(share_of_most("hot:100%"), 1_000);
    // 0.7 and 1 / (1 + 1/2 + 1/3 + 1/4) = 0.48 of 1,000: six standard deviations are 87 and 95.
    assert!(share_of_most("hot:0.7").abs_diff(700) < 87);
    assert!(share_of_most("zipf:1").abs_diff(480) < 95);
}

#[test]
fn a_distribution_needs_keys_to_choose_from() {
    for keys in ["0", "1"] {
        for distribution in ["zipf:1", "hot:0.5"] {
            let launch = loadgen("--demo --keys")
                .arg(keys)
                .arg("--key-distribution")
                .arg(distribution);
            launch.assert_refused(&["--key-distribution", distribution, "at least 2 keys"]);
        }
    }
}

/// The most memory that a run with these options held, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(options: &str) -> u64 {
    let server = Server::allowing();
    let line = "--rps 100 --duration 0 --burst-enabled false";
    let run = server.launch(format!("{line} {options}")).start();
    eventually("a request", || server.request_count() > 0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).expect("its status");
    run.terminate();
    let report: Report = run.finish().report();
    assert!(report.allowed > 0, "{report}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.expect("a number of kB") * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn millions_of_keys_take_as_much_memory_as_is_stated() {
    // A quarter of the most there may be, with hash tables as full as then.
    const KEYS: u64 = 2_500_000;
    let few = peak_memory("--keys 7");
    // Generated: 4 bytes each, 8 to deal them, and 9 while they are drawn, which those of dealing take the place of.
    let drawn = peak_memory(&format!("--keys {KEYS}"));
    assert!(
        drawn - few < 14 * KEYS,
        "{} bytes a key",
        (drawn - few) / KEYS
    );
    // Listed: 4 bytes each, 8 to deal them, and their own length.
    const LISTED: u64 = 1_000_000;
    let lines: String = (0..LISTED).map(|n| format!("user-{n:09}\n")).collect();
    let keys = file("many-keys.txt", &lines);
    let listed = peak_memory(&format!("--keys-file {}", path(&keys)));
    let each = (listed - few) / LISTED;
    assert!(each < 14 + 14, "{each} bytes a key");
    // Drawn by rank, nothing is needed to deal them.
    let zipf = peak_memory(&format!("--keys {KEYS} --key-distribution zipf:1"));
    assert!(
        zipf - few < 14 * KEYS,
        "{} bytes a key",
        (zipf - few) / KEYS
    );
}
