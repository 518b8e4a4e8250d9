//! An answer counts as allowed, blocked or failed by its status, a header, or a value in its body.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::support::at_once;
use crate::support::report::Report;
use crate::support::run::Launch;
use crate::support::seconds;
use crate::support::server::{Reply, Server};
use loadgen::core::presets;

/// How many requests each answer of a server gets in a run.
const ROUNDS: u64 = 3;

/// A server whose requests get these answers in turn, and a run of some rounds of them, one after the other.
fn run(answers: &[Vec<u8>], options: &[&str]) -> (Server, Launch) {
    let turn = AtomicUsize::new(0);
    let scripted = answers.to_vec();
    let server =
        Server::start(move |_| Reply::raw(&scripted[turn.fetch_add(1, Relaxed) % scripted.len()]));
    let rps = ROUNDS * answers.len() as u64 * 2;
    let launch = server.launch(format!("--rps {rps} --duration 0.5 --workers 1"));
    (server, launch.args(options))
}

/// Options, and how many answers of one round they count as allowed, as blocked, and as failed by kind.
type Case<'a> = (&'a [&'a str], u64, u64, &'a [(&'a str, u64)]);

/// The counts must be those of one round, times the rounds. Every report checks the ledger itself.
#[track_caller]
fn assert_counts(report: &Report, (_, allowed, blocked, failed): Case<'_>) {
    let counts = (report.allowed, report.blocked);
    assert_eq!(counts, (ROUNDS * allowed, ROUNDS * blocked), "{report}");
    let failed = failed.iter();
    let failed = failed.map(|(kind, count)| ((*kind).to_owned(), ROUNDS * count));
    assert_eq!(report.failures, failed.collect(), "{report}");
    assert_eq!(report.abandoned, 0, "{report}");
}

/// Each case must count so, and need only one connection.
fn assert_all_count(answers: &[Vec<u8>], cases: &[Case<'_>]) {
    at_once(cases, |case| {
        let (server, launch) = run(answers, case.0);
        let report = launch.report();
        assert_eq!(report.sent, ROUNDS * answers.len() as u64, "{report}");
        assert_counts(&report, *case);
        assert_eq!(server.accepted(), 1, "one connection serves all");
    });
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn json(body: &str) -> Vec<u8> {
    answer("200", "Content-Type: application/json\r\n", body)
}

// Kinds of rules.

#[test]
fn statuses_and_ranges_count_as_the_rules_say() {
    let answers = [
        "200", "204", "299", "302", "418", "429", "503", "507", "599", "600",
    ]
    .map(|status| match status {
        "204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        _ => answer(status, "", "body"),
    });
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (&[], 1, 1, &[("status_5xx", 3), ("status_other", 5)]),
        (&["--allowed=200-299"], 3, 1, &[("status_5xx", 3), ("status_other", 3)]),
        (&["--blocked=503, 507"], 1, 2, &[("status_5xx", 1), ("status_other", 6)]),
        (&["--allowed=200-399", "--allowed=418", "--blocked=503"], 5, 1, &[("status_5xx", 2), ("status_other", 2)]),
        (&["--allowed=100-999", "--blocked=400-499"], 8, 2, &[]),
        (&["--allowed=200-204 and 201-203", "--blocked=700"], 0, 0, &[("status_5xx", 3), ("status_other", 7)]),
    ]);
}

#[test]
fn a_header_counts_if_one_of_its_name_has_the_value() {
    let answers = [
        answer("200", "X-Verdict: over\r\n", "a body"),
        answer("200", "x-verdict: fine\r\nX-VERDICT:   over \r\n", "a body"),
        answer("200", "X-Verdict: overt\r\n", "a body"),
        answer("200", "X-Verdict:\r\n", "a body"),
        answer("200", "", "a body"),
        answer("503", "X-Verdict: over\r\n", "a body"),
    ];
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (&["--blocked=header X-Verdict = over"], 3, 3, &[]),
        (&["--blocked=header x-verdict"], 1, 5, &[]),
        (&["--blocked=200 and header x-verdict = over"], 3, 2, &[("status_5xx", 1)]),
        (&["--allowed=200 and header x-verdict"], 4, 0, &[("status_5xx", 1), ("unmatched", 1)]),
        (&[r#"--allowed=header x-verdict = """#], 1, 0, &[("status_5xx", 1), ("unmatched", 4)]),
    ]);
}

#[test]
fn a_value_in_the_body_counts_if_it_is_equal_as_json() {
    let answers = [
        json(r#"{"ok":true,"left":2}"#),
        json(r#"{"ok":false,"left":0.0}"#),
        json(r#"{"ok":"true","left":"2"}"#),
        answer(
            "200",
            "Content-Type: text/plain\r\n",
            " {\n\"left\" : 2e0,\"ok\":\ttrue } \n",
        ),
        json(r#"{"ok":false,"ok":true}"#),
        json("{}"),
        json("true"),
        json("[]"),
        json(""),
        json(r#"{"ok":true"#),
        json(r#"{"ok":true}}"#),
        json(r#"{"ok":true,}"#),
        answer("500", "", r#"{"ok":true}"#),
    ];
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (OPEN, 3, 1, &[("status_5xx", 1), ("unmatched", 8)]),
        (&["--allowed=json /ok = true"], 4, 0, &[("unmatched", 9)]),
        (&["--allowed=json /left = 2, json /left = 0"], 3, 0, &[("status_5xx", 1), ("unmatched", 9)]),
        (&[r#"--allowed=json "" = true"#], 1, 0, &[("status_5xx", 1), ("unmatched", 11)]),
        (&["--blocked=json /ok and json /left"], 8, 4, &[("status_5xx", 1)]),
    ]);
}

#[test]
fn a_text_or_a_pattern_in_the_body_counts() {
    let answers = [
        answer("200", "", "over the limit"),
        answer("200", "", "Over  the limit"),
        answer("200", "", "fine, 17 left"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\xff over".to_vec(),
        answer("200", "", &format!("over{}", " ".repeat(64 * KIB))),
        answer("503", "", "over"),
    ];
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (&["--blocked=body contains over"], 2, 3, &[("unmatched", 1)]),
        (&["--blocked=503 and body contains over"], 5, 1, &[]),
        (&["--blocked=body matches /(?i)over\\s+the limit/"], 2, 2, &[("status_5xx", 1), ("unmatched", 1)]),
        (&["--allowed=200 and body matches /[0-9]+ left$/"], 1, 0, &[("status_5xx", 1), ("unmatched", 4)]),
        (&["--allowed=body contains \"fine, \"", "--blocked=body contains limit and 200"], 1, 2, &[("status_5xx", 1), ("unmatched", 2)]),
    ]);
}

#[test]
fn a_header_beyond_the_hundredth_counts_like_any_other() {
    let many: String = (0..300).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let answers = [
        answer("200", &many, "a body"),
        answer("200", "X-299: 299\r\n", "a body"),
    ];
    let blocked = ["--blocked=header x-299 = 299"];
    let allowed = ["--allowed=header x-0 = 0 and header x-140 = 140"];
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (&blocked, 0, 2, &[]),
        (&allowed, 1, 0, &[("unmatched", 1)]),
    ]);
}

#[test]
fn a_body_counts_as_it_was_before_it_was_compressed() {
    let compressed = |body: &[u8]| {
        let mut compressed = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(body, flate2::Compression::fast());
        encoder
            .read_to_end(&mut compressed)
            .expect("no error of a vector");
        compressed
    };
    let with_coding = |coding: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let whole = compressed(br#"{"ok":true}"#);
    let answers = [
        with_coding("gzip", &whole),
        with_coding("gzip", &compressed(br#"{"ok":false}"#)),
        with_coding("gzip", &compressed(&b" ".repeat(1024 * KIB))),
        with_coding("gzip", &whole[..whole.len() - 5]),
        with_coding("gzip", br#"{"ok":true}"#),
        with_coding("br", br#"{"ok":true}"#),
    ];
    #[rustfmt::skip]
    assert_all_count(&answers, &[
        (OPEN, 2, 1, &[("unmatched", 3)]),
        // A body that can't be read does not count as allowed if it may be blocked.
        (&["--blocked=json /ok = false"], 2, 1, &[("unmatched", 3)]),
        (&[], 6, 0, &[]),
    ]);
}

#[test]
fn conditions_of_all_kinds_may_be_joined() {
    let answers = [
        answer("200", "X-Limiter: on\r\n", r#"{"over":true}"#),
        answer("200", "X-Limiter: off\r\n", r#"{"over":true}"#),
        answer("200", "X-Limiter: on\r\n", r#"{"over":false}"#),
        answer("201", "X-Limiter: on\r\n", r#"{"over":true}"#),
    ];
    let options = ["--blocked=200 and header x-limiter = on and json /over = true"];
    assert_all_count(&answers, &[(&options, 2, 1, &[("status_other", 1)])]);
}

#[test]
fn a_flag_wins_over_its_variable_and_the_variable_over_the_preset() {
    let answers = ["200", "201", "202"].map(|status| answer(status, "", ""));
    let counted = |options: &[&str], blocked: Option<&str>, allowed, blocks, failed| {
        let (_server, launch) = run(&answers, options);
        let launch = launch.arg("--preset=nginx");
        let launch = match blocked {
            Some(blocked) => launch.env("LOADGEN_BLOCKED", blocked),
            None => launch,
        };
        assert_counts(&launch.report(), (options, allowed, blocks, failed));
    };
    counted(&[], None, 3, 0, &[]);
    counted(&[], Some("201,202"), 1, 2, &[]);
    counted(&["--blocked=202"], Some("201,202"), 2, 1, &[]);
    counted(&["--allowed=200"], Some(""), 1, 0, &[("status_other", 2)]);
}

// Ways in which a body arrives.

const OPEN: &[&str] = &[
    "--allowed=200 and json /ok = true",
    "--blocked=200 and json /ok = false",
];

#[test]
fn a_body_in_pieces_and_chunks_is_one_body() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n";
    at_once(
        [
            [whole, "{\"ok\"", ":tr", "ue}"],
            [
                chunked,
                "4\r\n{\"ok\r\n1\r\n\"\r\n",
                "6\r\n:true}\r\n0\r\n",
                "\r\n",
            ],
            [
                chunked,
                "2\r\n{\"\r\n9;x=y\r\nok\":true}",
                "\r\n0\r",
                "\nX-Trailer: yes\r\n\r\n",
            ],
        ],
        |[head, one, two, three]| {
            let pause = seconds(0.005);
            let reply = Reply::raw(head).then_pause(pause).then_send(one);
            let reply = reply.then_pause(pause).then_send(two);
            let reply = reply.then_pause(pause).then_send(three);
            let server = Server::start(move |_| reply.clone());
            let launch = server.launch("--rps 20 --duration 0.5 --workers 1");
            let report = launch.args(OPEN).report();
            assert_eq!(report.allowed, 10, "{one:?}\n{report}");
            assert_eq!(server.accepted(), 1, "{one:?}");
        },
    );
}

#[test]
fn a_body_that_ends_with_its_connection_counts() {
    let server =
        Server::start(|_| Reply::raw("HTTP/1.1 200 OK\r\n\r\n{\"ok\":false}").then_close());
    let report = server
        .launch("--rps 20 --duration 0.5 --workers 4")
        .args(OPEN)
        .report();
    assert_eq!(report.blocked, 10, "{report}");
}

const KIB: usize = 1024;

/// A body of this length, with the verdict at its end.
fn padded(length: usize) -> Vec<u8> {
    let (begin, end) = (r#"{"pad":""#, r#"","ok":true}"#);
    let pad = "x".repeat(length - begin.len() - end.len());
    json(&format!("{begin}{pad}{end}"))
}

#[test]
fn a_body_counts_up_to_64_kib() {
    let answers = [
        padded(64 * KIB),
        padded(64 * KIB + 1),
        padded(1024 * KIB),
        json(r#"{"ok":true}"#),
        json(&format!("{}1", " ".repeat(64 * KIB))),
        json(&format!(r#"{{"ok":true}}{}"#, " ".repeat(64 * KIB))),
    ];
    assert_all_count(&answers, &[(OPEN, 2, 0, &[("unmatched", 4)])]);
}

#[test]
fn a_body_over_a_mebibyte_costs_its_connection_and_no_more() {
    let answers = [padded(1024 * KIB + 8 * KIB), json(r#"{"ok":true}"#)];
    let (server, launch) = run(&answers, OPEN);
    assert_counts(&launch.report(), (OPEN, 1, 0, &[("unmatched", 1)]));
    assert!(server.accepted() > 1);
}

#[test]
fn hostile_json_is_unmatched_and_does_no_harm() {
    let deep = "[".repeat(30_000);
    let answers = [
        json(&"[".repeat(64 * KIB)),
        json(&format!(
            r#"{{"a":{deep}{},"ok":true}}"#,
            "]".repeat(30_000)
        )),
        json(&r#"{"ok":"#.repeat(10_000)),
        json("{\"ok\":true,\"\\ud800\":1}"),
        json("{\"ok\":tru"),
        answer("200", "", "{\u{feff}\"ok\":true}"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"ok\":true,\"\xff\":1}".to_vec(),
    ];
    assert_all_count(&answers, &[(OPEN, 0, 0, &[("unmatched", 7)])]);
}

#[test]
fn a_body_that_breaks_off_fails_and_does_not_count_by_its_beginning() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":true}";
    let server = Server::start(move |_| Reply::raw(head).then_close());
    let report = server
        .launch("--rps 20 --duration 0.5 --workers 4")
        .args(OPEN)
        .report();
    assert_eq!(report.failed, 10, "{report}");
    assert_eq!(report.failed_by("unmatched"), 0, "{report}");
}

// Limiters and their presets.

/// The name of a preset, and the answers of its limiter by the outcome that the preset gives them.
type Limiter = (&'static str, Vec<(&'static str, Vec<u8>)>);

#[rustfmt::skip]
fn limiters() -> [Limiter; 8] {
    let with = |status, body| answer(status, "Content-Type: application/json\r\n", body);
    let text = |status, body| answer(status, "Content-Type: text/plain\r\n", body);
    let gubernator = |status, error| {
        json(&format!(
            r#"{{"responses":[{{"status":"{status}", "limit":"100", "remaining":"99", "reset_time":"1690855128786", "error":"{error}", "metadata":{{"owner":"10.0.0.1:1051"}}}}]}}"#
        ))
    };
    let throttlecrab = |allowed| {
        json(&format!(
            r#"{{"allowed":{allowed},"limit":100,"remaining":0,"reset_after":118,"retry_after":0}}"#
        ))
    };
    [
        ("check", vec![
            ("allowed", with("200", r#"{"allowed":true}"#)),
            ("blocked", with("429", r#"{"allowed":false}"#)),
            ("status_other", with("400", "{}")),
            ("status_5xx", with("503", "{}")),
        ]),
        ("envoy", vec![
            ("allowed", with("200", r#"{"overallCode":"OK","statuses":[{"code":"OK","limitRemaining":99}]}"#)),
            ("blocked", with("429", r#"{"overallCode":"OVER_LIMIT","statuses":[{"code":"OVER_LIMIT"}]}"#)),
            ("status_other", text("400", "Bad Request\n")),
            ("status_5xx", text("500", "Internal Server Error\n")),
        ]),
        ("limitador", vec![
            ("allowed", with("200", "null")),
            ("allowed", answer("200", "X-RateLimit-Limit: 100, 100;w=60\r\nX-RateLimit-Remaining: 99\r\n", "null")),
            ("blocked", with("429", "null")),
            ("status_5xx", with("500", "null")),
        ]),
        ("gubernator", vec![
            ("allowed", gubernator("UNDER_LIMIT", "")),
            ("blocked", gubernator("OVER_LIMIT", "")),
            ("unmatched", gubernator("UNDER_LIMIT", "while fetching rate limit 'k' from peer: connection refused")),
            ("unmatched", gubernator("OVER_LIMIT", "Error in GetPeer")),
            ("unmatched", json(r#"{"responses":[]}"#)),
            ("status_other", with("400", r#"{"code":3, "message":"bad", "details":[]}"#)),
            ("status_5xx", with("503", r#"{"code":14, "message":"unavailable", "details":[]}"#)),
        ]),
        ("throttlecrab", vec![
            ("allowed", throttlecrab("true")),
            ("blocked", throttlecrab("false")),
            ("unmatched", json("OK")),
            ("status_other", answer("422", "", "Failed to deserialize the JSON body")),
            ("status_5xx", with("500", r#"{"error":"Internal server error: invalid"}"#)),
        ]),
        ("nginx", vec![
            ("allowed", answer("200", "", "<html>")),
            ("allowed", answer("304", "", "")),
            ("allowed", answer("301", "Location: /x\r\n", "")),
            ("blocked", answer("503", "Server: nginx\r\n", "<h1>503</h1>")),
            ("status_other", answer("404", "", "")),
            ("status_other", answer("429", "", "")),
            ("status_5xx", answer("502", "", "")),
            ("status_5xx", answer("504", "", "")),
        ]),
        ("kong", vec![
            ("allowed", answer("200", "X-RateLimit-Remaining-Minute: 99\r\n", "ok")),
            ("allowed", answer("201", "", "")),
            ("blocked", answer("429", "Retry-After: 7\r\n", r#"{"message":"API rate limit exceeded"}"#)),
            ("status_other", with("404", r#"{"message":"no Route matched with those values"}"#)),
            ("status_5xx", with("500", r#"{"message":"An unexpected error occurred"}"#)),
        ]),
        ("http", vec![
            ("allowed", answer("204", "", "")),
            ("allowed", answer("302", "Location: /x\r\n", "")),
            ("blocked", answer("429", "Retry-After: 7\r\n", "")),
            ("status_other", answer("403", "", "")),
            ("status_5xx", answer("503", "", "")),
        ]),
    ]
}

#[test]
fn each_preset_tells_the_answers_of_its_limiter_apart() {
    let limiters = limiters();
    let names = limiters.each_ref().map(|(preset, _)| *preset);
    assert_eq!(names, presets::ALL.map(|preset| preset.name));
    at_once(limiters, |(preset, answers)| {
        let count = |outcome| answers.iter().filter(|answer| answer.0 == outcome).count() as u64;
        let kinds = ["status_5xx", "status_other", "unmatched"].map(|kind| (kind, count(kind)));
        let kinds: Vec<_> = kinds.into_iter().filter(|(_, count)| *count > 0).collect();
        let counts = (&[][..], count("allowed"), count("blocked"), &kinds[..]);
        let answers: Vec<_> = answers.iter().map(|(_, answer)| answer.clone()).collect();
        let (_server, launch) = run(&answers, &[&format!("--preset={preset}")]);
        assert_counts(&launch.report(), counts);
    });
}

#[test]
fn answers_that_say_that_the_limiter_fails_open_are_allowed_and_never_passed_over() {
    let mark = "X-RateLimit-Failure-Mode-Allowed: true\r\n";
    let answers = [
        answer("200", mark, ""),
        answer("200", "X-RateLimit-Failure-Mode-Allowed: false\r\n", ""),
        answer("200", "", r#"{"degraded":true}"#),
        answer("429", mark, ""),
    ];
    let cases: [(&[&str], u64); 3] = [
        (&[], ROUNDS),
        (&["--failing-open", "json /degraded = true"], ROUNDS),
        (&["--failing-open", "header x-none"], 0),
    ];
    at_once(&cases, |(options, open)| {
        let (server, launch) = run(&answers, options);
        let finished = launch.finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let shown = finished.stdout();
        let report = Report::parse(&shown).expect("a report");
        assert_counts(&report, (&[], 3, 1, &[]));
        let sent = ROUNDS * answers.len() as u64;
        let verdict = format!(
            "Verdict: {open} of {sent} requests were admitted while failing open, by {}",
            server.url()
        );
        let failures = format!("failures: none; {open} admitted while failing open");
        for line in [verdict, failures] {
            assert_eq!(shown.contains(&line), *open > 0, "{line}: {finished}");
        }
    });
}
