//! URLs as arguments, and targets with a path of their own.

use crate::support::at_once;
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Request, Server};
use std::path::PathBuf;

/// Ten requests in order.
fn ten() -> Launch {
    loadgen("-q 20 -z 0.5 -c 1 --seed 1")
}

fn lines(server: &Server) -> Vec<String> {
    let line = |request: &Request| format!("{} {}", request.method, request.path);
    server.requests().iter().map(line).collect()
}

#[test]
fn a_url_is_requested_with_its_own_path_and_query() {
    for (path, expected) in [
        ("", "GET /"),
        ("/", "GET /"),
        ("/v1/items", "GET /v1/items"),
        ("/v1/items/", "GET /v1/items/"),
        ("?page=2", "GET /?page=2"),
        (
            "/a,b?limit=d,e&limit=g/h?i",
            "GET /a,b?limit=d,e&limit=g/h?i",
        ),
        ("/caf\u{e9}|x", "GET /caf%C3%A9%7Cx"),
    ] {
        let server = Server::allowing();
        let report = ten().arg(server.url() + path).report();
        assert_eq!((report.scheduled, report.allowed), (10, 10), "{report}");
        assert_eq!(lines(&server), [expected; 10]);
        for request in server.requests() {
            assert!(request.body.is_empty(), "{request:?}");
            assert_eq!(request.header_values("Content-Type"), [""; 0]);
            assert_eq!(request.header_values("Content-Length"), [""; 0]);
        }
    }
}

#[test]
fn a_url_may_have_placeholders() {
    let server = Server::allowing();
    ten().arg(server.url() + "/by/{seq}?l={limit}").report();
    let expected: Vec<_> = (0..10)
        .map(|place| format!("GET /by/{place}?l=100"))
        .collect();
    assert_eq!(lines(&server), expected);
    let refused = ten().arg(server.url() + "/{usr}");
    refused.assert_refused(&["URL '", "/{usr}'", "column 2", "{key}"]);
    let missing = ten().arg(server.url() + "/{env:LOADGEN_TEST_MISSING}");
    missing.assert_refused(&["URL '", "LOADGEN_TEST_MISSING must be set"]);
}

#[test]
fn several_urls_take_turns_and_each_keeps_its_own_path() {
    let (one, other) = (Server::allowing(), Server::allowing());
    let launch = ten().arg(one.url() + "/a?b=c").arg(other.url());
    let report = launch.arg(one.url() + "/d/").report();
    assert_eq!(report.allowed, 10, "{report}");
    let (a, d) = ("GET /a?b=c", "GET /d/");
    assert_eq!(lines(&one), [a, d, a, d, a, d, a]);
    assert_eq!(lines(&other), ["GET /"; 3]);
}

#[test]
fn a_preset_gives_a_url_without_a_path_its_own() {
    for (path, expected) in [
        ("", "POST /check"),
        ("/", "POST /check"),
        ("/v2", "POST /v2"),
    ] {
        let server = Server::allowing();
        let by_flag = ten().args(["--preset", "check"]).arg(server.url() + path);
        by_flag.report();
        let by_variable = ten()
            .env("LOADGEN_PRESET", "check")
            .arg(server.url() + path);
        by_variable.report();
        assert_eq!(lines(&server), [expected; 20]);
        assert!(
            server.requests()[0]
                .text()
                .starts_with(r#"{"key":"loadgen-"#)
        );
    }
}

#[test]
fn targets_with_and_without_a_path_may_be_mixed() {
    let server = Server::allowing();
    let targets = format!("{0}/own?a=b,{0},{0}/", server.url());
    ten().args(["--targets", &targets]).report();
    let (own, preset) = ("POST /own?a=b", "POST /check");
    let expected = [
        own, preset, preset, own, preset, preset, own, preset, preset, own,
    ];
    assert_eq!(lines(&server), expected);
    let refused = ten().args(["--targets", &targets, "--path", "/x"]);
    refused.assert_refused(&["--targets", "element 1", "query"]);
    let bare = ten().args(["--targets", &targets, "--path", ""]);
    bare.report();
    assert_eq!(
        lines(&server)[10..13],
        ["POST /own?a=b", "POST /", "POST /"]
    );
}

#[test]
fn urls_exclude_other_targets_and_a_path_and_win_over_their_variables() {
    let server = Server::allowing();
    let url = server.url() + "/v1";
    for (option, value) in [
        ("--targets", "http://127.0.0.1:1"),
        ("--demo", "true"),
        ("--path", "/x"),
    ] {
        let launch = ten().arg(&url).arg(format!("{option}={value}"));
        launch.assert_refused(&[
            option,
            value,
            "must not be given together with URLs as arguments",
        ]);
    }
    let launch = ten()
        .env("TARGETS", "http://127.0.0.1:1")
        .env("LOADGEN_DEMO", "true")
        .env("LOADGEN_PATH", "/x");
    let finished = launch.arg(&url).finish();
    assert_eq!(finished.report().allowed, 10, "{finished}");
    assert!(!finished.stdout().contains("\n  env "), "{finished}");
    assert_eq!(lines(&server), ["GET /v1"; 10]);
}

#[test]
fn the_short_flags_are_those_of_other_tools() {
    let server = Server::allowing();
    let finished = loadgen("-q20 -z 9s -n 4 -c 1 -m put -d {seq} -k")
        .arg(server.url() + "/x")
        .args(["-H", "X-A: b", "-HX-C:d"])
        .finish();
    assert_eq!(finished.report().allowed, 4, "{finished}");
    assert_eq!(lines(&server), ["PUT /x"; 4]);
    for (place, request) in server.requests().iter().enumerate() {
        assert_eq!(request.text(), place.to_string());
        assert_eq!((request.header("X-A"), request.header("X-C")), ("b", "d"));
    }
    let launch = loadgen("-q 20 -n 1 -X DELETE").arg(server.url());
    launch.report();
    assert_eq!(lines(&server)[4], "DELETE /");
    for (flag, value, says) in [
        ("-q", "fast", "requests per second"),
        ("-z", "soon", "seconds"),
        ("-c", "0", "10000"),
        ("-n", "0", "from 1"),
        ("-m", "a b", "HTTP method"),
        ("-X", "a b", "HTTP method"),
        ("-H", "X", "`Name: value`"),
    ] {
        for launch in [
            loadgen("").arg(format!("{flag}{value}")),
            loadgen("").args([flag, value]),
        ] {
            launch.assert_refused(&[flag, says]);
        }
    }
}

#[test]
fn a_body_makes_a_post_unless_a_method_is_given() {
    for (options, expected) in [
        (&["-d", "x"][..], "POST /"),
        (&["-d", "x", "-m", "get"], "GET /"),
        (&["-d", ""], "GET /"),
        (&["-d", "x", "--preset", "kong"], "POST /"),
    ] {
        let server = Server::allowing();
        ten().args(options).arg(server.url()).report();
        assert_eq!(lines(&server), [expected; 10]);
    }
}

#[test]
fn a_url_behind_a_flag_that_needs_no_value_is_not_its_value() {
    for options in [
        &["-k"][..],
        &["--insecure"],
        &["-k", "--burst-enabled"],
        &["--audit=off", "-k"],
    ] {
        let server = Server::allowing();
        let report = ten().args(options).arg(server.url() + "/x").report();
        assert_eq!(
            (report.allowed, lines(&server).len()),
            (10, 10),
            "{options:?}"
        );
    }
    let server = Server::allowing();
    let audited = ten().arg("--audit").arg(server.url()).finish();
    assert!(audited.stdout().contains("\nAudit: "), "{audited}");
}

#[test]
fn all_requests_without_a_key_are_audited_as_those_of_one_caller() {
    let server = Server::allowing();
    let audit = ["--audit=sliding-window 5/60s"];
    let finished = ten().args(audit).arg(server.url() + "/v1").finish();
    assert_eq!(finished.code(), Some(4), "{finished}");
    let said = "Audit: broken. ";
    assert!(finished.stdout().contains(said), "{finished}");
    assert!(
        finished
            .stdout()
            .contains("\n  keys     none in the requests"),
        "{finished}"
    );
}

/// The JSON summary that a run wrote to standard output.
fn summary(finished: &Finished) -> serde_json::Value {
    serde_json::from_str(&finished.stdout()).expect("JSON")
}

#[test]
fn plan_heading_results_and_the_repeating_command_name_what_is_sent() {
    let server = Server::allowing();
    let urls = [server.url() + "/a?n={seq}", server.url()];
    let finished = ten().args(&urls).args(["--summary-json", "-"]).finish();
    let sent = lines(&server);
    assert_eq!(sent[..3], ["GET /a?n=0", "GET /", "GET /a?n=2"]);
    let heading = format!("\n  targets  {}\n", urls.join(", "));
    assert!(finished.stderr.contains(&heading), "{finished}");
    let requests = "\n  requests GET /, or the path of the target\n";
    assert!(finished.stderr.contains(requests), "{finished}");

    let planned = loadgen("plan").args(&urls).finish().stdout();
    for said in [
        format!("to {}:\n\n    GET /a?n=0\n", urls[0]),
        format!("targets:\n\n    GET /, to {}\n", urls[1]),
    ] {
        assert!(planned.contains(&said), "{planned}");
    }

    let summary = summary(&finished);
    for (place, url) in urls.iter().enumerate() {
        assert_eq!(summary["configuration"]["targets"][place], **url);
        assert_eq!(summary["targets"][place]["name"], **url);
    }
    let settings = summary["configuration"]["settings"]
        .as_array()
        .expect("a list");
    let setting = |name: &str| {
        let mut settings = settings.iter();
        settings
            .find(|setting| setting["option"] == name)
            .expect(name)["values"]
            .clone()
    };
    assert_eq!(setting("URL"), serde_json::json!(urls));
    assert_eq!(setting("preset"), serde_json::json!(["http"]));

    let command = summary["configuration"]["command"]
        .as_str()
        .expect("a command");
    let words = shlex::split(command).expect("balanced quotes");
    loadgen("").args(&words[1..]).report();
    assert_eq!(lines(&server)[10..], sent);
}

#[test]
fn recorded_requests_are_audited_by_the_targets_urls() {
    let server = Server::allowing();
    let urls = [server.url() + "/a?b={key}", server.url() + "/c"];
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("urls-requests.csv");
    ten().args(&urls).arg("--requests").arg(&file).report();
    let json = ["--summary-json", "-"];
    let finished = loadgen("audit").arg(&file).args(json).finish();
    for url in &urls {
        assert!(finished.stdout().contains(url.as_str()), "{finished}");
    }
}

#[test]
fn secrets_in_a_url_are_shown_nowhere() {
    let secret = "correcthorse";
    for option in ["", "--targets"] {
        let server = Server::allowing();
        let url = format!("{}/a?api_key={secret}&limit=5", server.url());
        let launch = ten().args(["--summary-json", "-"]);
        let launch = if option.is_empty() {
            launch
        } else {
            launch.arg(option)
        };
        let finished = launch.arg(&url).finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert!(lines(&server)[0].ends_with(&format!("/a?api_key={secret}&limit=5")));
        assert!(!finished.to_string().contains(secret), "{finished}");
        let shown = format!("{}/a?api_key=***&limit=5", server.url());
        let summary = summary(&finished);
        assert_eq!(summary["targets"][0]["name"], shown);
        let command = summary["configuration"]["command"]
            .as_str()
            .expect("a command");
        let words = shlex::split(command).expect("balanced quotes");
        let again = loadgen("").args(&words[1..]).env("SECRET_API_KEY", secret);
        again.report();
        assert_eq!(lines(&server)[10], lines(&server)[0]);
    }
    let refused = ten()
        .arg(format!("http://127.0.0.1:1/?token={secret}#x"))
        .finish();
    refused.assert_refused(&["URL 'http://127.0.0.1:1/?***", "fragment"]);
    assert!(!refused.stderr.contains(secret), "{refused}");
    // A query with a blank that has no quotes around it.
    let refused = ten().args(["http://127.0.0.1:1/?token=a", secret]).finish();
    refused.assert_refused(&["or an option or a URL"]);
    assert!(!refused.stderr.contains(secret), "{refused}");
    for header in [["-H", "Authorization:"], ["--header", "Authorization:"]] {
        let refused = ten().args(header).args(["Bearer", secret]).finish();
        refused.assert_refused(&["--header", "needs quotes"]);
        assert!(!refused.stderr.contains(secret), "{refused}");
    }
}

#[test]
fn a_url_that_is_none_is_refused_in_one_line() {
    let cases = [
        ("localhost:8000", "http or https URL"),
        ("ftp://h/x", "neither http:// nor https://"),
        ("http://", "has no host"),
        ("http://h/a b", "a space"),
        ("http://h/#a", "a fragment"),
        ("http://me:secret@h/", "a user name or password"),
        ("http://a/x,http://b/x", "put spaces between several"),
        ("", "http or https URL"),
    ];
    at_once(cases, |(url, says)| {
        let finished = ten().arg(url).finish();
        finished.assert_refused(&["URL '", says]);
        assert!(!finished.stderr.contains("secret"), "{finished}");
    });
    let long = format!("http://h/{}", "a".repeat(9_000));
    ten()
        .arg(long)
        .assert_refused(&["URL '", "longer than 8000 bytes"]);
}

#[test]
fn the_preset_http_is_shown() {
    let finished = loadgen("presets http").finish();
    let shown = finished.stdout();
    for said in [
        "--method GET",
        "--allowed 200-399",
        "--blocked 429",
        "by address",
    ] {
        assert!(shown.contains(said), "{shown}");
    }
}
