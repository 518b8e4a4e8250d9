//! What a run is told: by flag, by variable, by default; and what it says to what it can't be told.

use std::net::TcpListener;

use crate::support::at_once;
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Reply, Server};

/// Every option of the contract: flag, variable, default as `--help` shows it.
const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "--targets",
        "TARGETS",
        "http://ratelimiter-1:8000,http://ratelimiter-2:8000,http://ratelimiter-3:8000",
    ),
    ("--rps", "RPS", "10"),
    ("--duration", "DURATION", "60"),
    ("--burst-enabled", "BURST_ENABLED", "true"),
    ("--burst-multiplier", "BURST_MULTIPLIER", "5"),
    ("--burst-duration", "BURST_DURATION", "5"),
    ("--burst-interval", "BURST_INTERVAL", "30"),
    ("--burst-align", "BURST_ALIGN", "false"),
    ("--profile", "PROFILE", ""),
    ("--arrivals", "ARRIVALS", "uniform"),
    ("--workers", "WORKERS", "100"),
    ("--queue", "QUEUE", "10000"),
    ("--timeout", "TIMEOUT", "10"),
    ("--drain-timeout", "DRAIN_TIMEOUT", "10"),
    ("--stats-interval", "STATS_INTERVAL", "10"),
    ("--preset", "PRESET", "check"),
    ("--method", "METHOD", ""),
    ("--path", "CHECK_PATH", ""),
    ("--header", "HEADERS", ""),
    ("--body", "BODY", ""),
    ("--body-file", "BODY_FILE", ""),
    ("--limit", "LIMIT", "100"),
    ("--window-ms", "WINDOW_MS", "60000"),
    ("--allowed", "ALLOWED", ""),
    ("--blocked", "BLOCKED", ""),
    ("--keys", "KEYS", "7"),
    ("--key-distribution", "KEY_DISTRIBUTION", "uniform"),
    ("--key-prefix", "KEY_PREFIX", ""),
    ("--keys-file", "KEYS_FILE", ""),
    ("--seed", "SEED", "random"),
    ("--insecure", "INSECURE", "false"),
    ("--ca-cert", "CA_CERT", ""),
    ("--metrics-addr", "METRICS_ADDR", ""),
    ("--metrics-linger", "METRICS_LINGER", "0"),
    ("--demo", "DEMO", "false"),
    ("--demo-limiter", "DEMO_LIMITER", "sliding-log"),
    ("--audit", "AUDIT", ""),
    ("--probe", "PROBE", "true"),
    ("--audit-memory", "AUDIT_MEMORY", "64MiB"),
    ("--no-tui", "NO_TUI", "false"),
    ("--report", "REPORT", ""),
    ("--summary-json", "SUMMARY_JSON", ""),
    ("--summary-markdown", "SUMMARY_MARKDOWN", ""),
    ("--timeline", "TIMELINE", ""),
    ("--hdr-log", "HDR_LOG", ""),
    ("--requests", "REQUESTS", ""),
    ("--threshold", "THRESHOLDS", ""),
    ("--abort-on-fail", "ABORT_ON_FAIL", "false"),
];

/// A value that an option can't have; the refusal must contain `says`.
struct Wrong {
    flag: &'static str,
    value: &'static str,
    says: &'static str,
}

const fn wrong(flag: &'static str, value: &'static str, says: &'static str) -> Wrong {
    Wrong { flag, value, says }
}

const URL: &str = "http or https URLs";
const PIECES: &str = "column 1: ";
const ARRIVALS: &str = "uniform or poisson";
const RATE: &str = "must be requests per second, from 0.000001 to 1000000";
const WORKERS: &str = "must be a whole number from 1 to 10000\n";
const BOOLEAN: &str = "must be true, false, 1, 0, yes or no";
const MULTIPLIER: &str = "must be a number from 1 to 1000\n";
const SPAN: &str = "must be seconds, or a time such as 90s, 2m or 1h30m";
const NUMBER: &str = "must be a whole number from ";

const ADDRESS: &str = "IP address and a port, such as 127.0.0.1:9100";

const PRESETS: &str = "one of check, envoy, limitador, gubernator, throttlecrab, nginx, kong";

const METHOD: &str = "HTTP method such as GET or POST";

const PATH: &str = "start with / and be at most 8000 characters";

const PLACEHOLDERS: &str = "is not a placeholder; use one of {key}, {limit}, {window_ms}, {window_s}, {seq}, {uuid}, {target}, {now_ms}";

const HEADER: &str = "`Name: value`";

const JSON: &str = "JSON, as its Content-Type says";

const FILE: &str = "file with text of at most 1048576 bytes";

const DISTRIBUTION: &str = "uniform, zipf:S with S over 0 and at most 10, or hot:SHARE";

const KEYS_FILE: &str = "file with 1 to 10000000 different keys, one a line";

const CERTIFICATES: &str = "PEM file with one or more certificates";

const LIMITERS: &str = "one of sliding-log, fixed-window, token-bucket, per-node, racy";

const PROMISES: &str = "one of sliding-window, fixed-window, token-bucket, auto, off";

const METRICS: &str = ": must be one of latency, service_time, ";

const MEMORY: &str = "whole number of bytes, KiB, MiB or GiB, from 1MiB to 64GiB";

const WRONG: &[Wrong] = &[
    wrong("--targets", "", URL),
    wrong("--targets", " ", URL),
    wrong("--targets", ",", URL),
    wrong("--targets", "http://127.0.0.1:1,", URL),
    wrong("--targets", ",http://127.0.0.1:1", URL),
    wrong("--targets", "http://127.0.0.1:1,,http://127.0.0.1:2", URL),
    wrong("--targets", "127.0.0.1:8000", URL),
    wrong("--targets", "localhost:8000", URL),
    wrong("--targets", "localhost", URL),
    wrong("--targets", "//localhost", URL),
    wrong("--targets", "ftp://localhost", URL),
    wrong("--targets", "http://", URL),
    wrong("--targets", "https://", URL),
    wrong("--targets", "http://:8000", URL),
    wrong("--targets", "http://127.0.0.1:99999", URL),
    wrong("--targets", "http://127.0.0.1:port", URL),
    wrong("--targets", "http://127.0.0.1:1,localhost:8000", URL),
    wrong("--rps", "0", RATE),
    wrong("--rps", "0.0", RATE),
    wrong("--rps", "-0", RATE),
    wrong("--rps", "-1", RATE),
    wrong("--rps", "-0.5", RATE),
    wrong("--rps", "NaN", RATE),
    wrong("--rps", "inf", RATE),
    wrong("--rps", "infinity", RATE),
    wrong("--rps", "-inf", RATE),
    wrong("--rps", "1e999", RATE),
    wrong("--rps", "1000000.1", RATE),
    wrong("--rps", "1000001", RATE),
    wrong("--rps", "ten", RATE),
    wrong("--rps", "10/s", RATE),
    wrong("--rps", "", RATE),
    wrong("--duration", "soon", SPAN),
    wrong("--duration", "-1", SPAN),
    wrong("--duration", "10 parsecs", SPAN),
    wrong("--duration", "NaN", SPAN),
    wrong("--duration", "inf", SPAN),
    wrong("--duration", "1e300", SPAN),
    wrong("--duration", "", SPAN),
    wrong("--burst-enabled", "maybe", BOOLEAN),
    wrong("--burst-enabled", "2", BOOLEAN),
    wrong("--burst-enabled", "", BOOLEAN),
    wrong("--burst-multiplier", "0.99", MULTIPLIER),
    wrong("--burst-multiplier", "0", MULTIPLIER),
    wrong("--burst-multiplier", "-5", MULTIPLIER),
    wrong("--burst-multiplier", "NaN", MULTIPLIER),
    wrong("--burst-multiplier", "inf", MULTIPLIER),
    wrong("--burst-multiplier", "many", MULTIPLIER),
    wrong(
        "--burst-duration",
        "30",
        "must be shorter than --burst-interval (30s)",
    ),
    wrong(
        "--burst-duration",
        "31",
        "must be shorter than --burst-interval (30s)",
    ),
    wrong(
        "--burst-duration",
        "1m",
        "must be shorter than --burst-interval (30s)",
    ),
    wrong("--burst-duration", "-1", SPAN),
    wrong("--burst-duration", "long", SPAN),
    wrong("--burst-interval", "often", SPAN),
    wrong("--burst-align", "sometimes", BOOLEAN),
    wrong("--burst-align", "", BOOLEAN),
    wrong("--profile", "", PIECES),
    wrong("--profile", " ", "column 2: "),
    wrong("--profile", "fast", PIECES),
    wrong("--profile", "-5/s", PIECES),
    wrong("--profile", "10/s for 5s, repeat, repeat", "column 20"),
    wrong("--profile", "10/s for never", SPAN),
    wrong("--arrivals", "", ARRIVALS),
    wrong("--arrivals", "random", ARRIVALS),
    wrong("--workers", "0", WORKERS),
    wrong("--workers", "10001", WORKERS),
    wrong("--workers", "-1", WORKERS),
    wrong("--workers", "1.5", WORKERS),
    wrong("--workers", "many", WORKERS),
    wrong("--workers", "99999999999999999999999", WORKERS),
    wrong("--queue", "-1", NUMBER),
    wrong("--queue", "long", NUMBER),
    wrong("--timeout", "0", SPAN),
    wrong("--timeout", "0s", SPAN),
    wrong("--timeout", "-1", SPAN),
    wrong("--timeout", "never", SPAN),
    wrong("--drain-timeout", "-1", SPAN),
    wrong("--drain-timeout", "never", SPAN),
    wrong("--stats-interval", "-1", SPAN),
    wrong("--stats-interval", "never", SPAN),
    wrong("--limit", "-1", NUMBER),
    wrong("--limit", "few", NUMBER),
    wrong("--window-ms", "-1", NUMBER),
    wrong("--window-ms", "1s", NUMBER),
    wrong("--preset", "", PRESETS),
    wrong("--preset", "envoi", PRESETS),
    wrong("--preset", "haproxy", PRESETS),
    wrong("--method", "", METHOD),
    wrong("--method", "G E T", METHOD),
    wrong("--method", "connect", METHOD),
    wrong("--path", "", PATH),
    wrong("--path", "check", PATH),
    wrong("--path", "/a b", PATH),
    wrong("--path", "/{usr}", PLACEHOLDERS),
    wrong("--header", "", HEADER),
    wrong("--header", "X-Key", HEADER),
    wrong("--header", "X Key: 1", HEADER),
    wrong("--header", "X-Key: {usr}", PLACEHOLDERS),
    wrong("--header", "Content-Length: 5", "not be content-length"),
    wrong("--header", "Host:", "have a host, such as example.com:8080"),
    wrong("--body", "{", JSON),
    wrong("--body", "{\"key\":{key}}", JSON),
    wrong("--body", "{\"key\":\"{usr}\"}", PLACEHOLDERS),
    wrong("--body-file", "", FILE),
    wrong("--body-file", "no/such/file", FILE),
    wrong("--body-file", "tests", FILE),
    wrong("--body-file", "Cargo.toml", JSON),
    wrong("--allowed", "", "200-299"),
    wrong("--allowed", " ", "header NAME = VALUE"),
    wrong("--allowed", "2xx", "column 1: 2xx is no status"),
    wrong("--allowed", "200,", "column 5: a condition is missing"),
    wrong("--allowed", "-200", "column 1: -200 is no condition"),
    wrong(
        "--allowed",
        "200 and jsn /a",
        "column 9: jsn is no condition",
    ),
    wrong(
        "--allowed",
        "299-200",
        "column 1: the range 299-200 begins after its end",
    ),
    wrong(
        "--allowed",
        "json allowed = true",
        "column 6: the JSON pointer allowed must begin with /",
    ),
    wrong("--allowed", "json /a = \"b", "column 11: "),
    wrong("--blocked", "", "json /POINTER = VALUE"),
    wrong(
        "--blocked",
        "429 header x",
        "column 5: here must be `and`, a comma, or nothing",
    ),
    wrong(
        "--blocked",
        "header",
        "column 7: a header's name is missing",
    ),
    wrong(
        "--blocked",
        "header a/b",
        "column 8: a/b is no header's name",
    ),
    wrong("--blocked", "json /a =", "column 10: a value is missing"),
    wrong(
        "--blocked",
        "json /a = 1e999",
        "column 11: 1e999 is a number out of range",
    ),
    wrong(
        "--blocked",
        "json /größe = [], 1",
        "column 15: [] is an array or an object",
    ),
    wrong("--keys", "-1", NUMBER),
    wrong("--keys", "all", NUMBER),
    wrong("--keys", "10000001", NUMBER),
    wrong("--key-distribution", "", DISTRIBUTION),
    wrong("--key-distribution", "even", DISTRIBUTION),
    wrong("--key-distribution", "zipf", DISTRIBUTION),
    wrong("--key-distribution", "zipf:0", DISTRIBUTION),
    wrong("--key-distribution", "hot:101%", DISTRIBUTION),
    wrong("--keys-file", "", KEYS_FILE),
    wrong("--keys-file", "no/such/file", KEYS_FILE),
    wrong("--keys-file", "tests", KEYS_FILE),
    wrong("--seed", "-1", NUMBER),
    wrong("--seed", "lucky", NUMBER),
    wrong("--insecure", "perhaps", BOOLEAN),
    wrong("--insecure", "", BOOLEAN),
    wrong("--ca-cert", "", CERTIFICATES),
    wrong("--ca-cert", "no/such/file.pem", CERTIFICATES),
    wrong("--ca-cert", "tests", CERTIFICATES),
    wrong("--ca-cert", "Cargo.toml", CERTIFICATES),
    wrong("--metrics-addr", "", ADDRESS),
    wrong("--metrics-addr", "9100", ADDRESS),
    wrong("--metrics-addr", "127.0.0.1", ADDRESS),
    wrong("--metrics-addr", "localhost:9100", ADDRESS),
    wrong("--metrics-addr", ":65536", ADDRESS),
    wrong("--metrics-addr", "http://127.0.0.1:9100", ADDRESS),
    // Of a network that is for documentation only (RFC 5737), so no machine's own.
    wrong("--metrics-addr", "192.0.2.1:0", "address to listen on"),
    wrong("--metrics-linger", "-1", SPAN),
    wrong("--metrics-linger", "a while", SPAN),
    wrong("--metrics-linger", "", SPAN),
    wrong("--demo-limiter", "", LIMITERS),
    wrong("--demo-limiter", "leaky-bucket", LIMITERS),
    wrong("--demo-limiter", "Racy", LIMITERS),
    wrong("--audit", "", PROMISES),
    wrong("--audit", "sliding", PROMISES),
    wrong("--audit", "Auto", PROMISES),
    wrong("--audit", "true", PROMISES),
    wrong("--audit", "sliding-window,token-bucket", PROMISES),
    wrong("--probe", "", BOOLEAN),
    wrong("--probe", "perhaps", BOOLEAN),
    wrong("--audit-memory", "", MEMORY),
    wrong("--audit-memory", "0", MEMORY),
    wrong("--audit-memory", "64MB", MEMORY),
    wrong("--audit-memory", "1023KiB", MEMORY),
    wrong("--audit-memory", "65GiB", MEMORY),
    wrong("--audit-memory", "-1MiB", MEMORY),
    wrong("--threshold", "", METRICS),
    wrong("--threshold", " ", METRICS),
    wrong("--threshold", "p99 < 50ms", METRICS),
    wrong(
        "--threshold",
        "latency.p99 = fast",
        "column 15: must be a time",
    ),
    wrong("--threshold", "audit = kept", "needs --audit"),
    wrong("--abort-on-fail", "", BOOLEAN),
    wrong("--abort-on-fail", "perhaps", BOOLEAN),
];

fn variable(flag: &str) -> &'static str {
    let option = OPTIONS.iter().find(|(name, _, _)| *name == flag);
    option.expect("an option of the contract").1
}

/// What must be true of every refusal: exit 2, nothing on standard output, one line that names all of this.
fn complaints(finished: &Finished, names: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            complaints.push(what);
        }
    };
    must(finished.code() == Some(2), "exit code 2".to_owned());
    must(
        finished.lines.is_empty(),
        "nothing on standard output".to_owned(),
    );
    let lines = finished.stderr.lines().count();
    must(
        lines == 1 && finished.stderr.ends_with('\n'),
        "one line on standard error".to_owned(),
    );
    for name in names {
        must(
            finished.stderr.contains(name),
            format!("{name:?} in the line"),
        );
    }
    complaints
}

/// Tries many wrong command lines, and lists everything that is not as it should be.
#[track_caller]
fn assert_refused(cases: Vec<(Launch, Vec<String>, &'static str)>) {
    let mut failed = Vec::new();
    for (launch, names, says) in cases {
        let finished = launch.finish();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut complaints = complaints(&finished, &names);
        if !finished.stderr.contains(says) {
            complaints.push(format!("{says:?}"));
        }
        if !complaints.is_empty() {
            failed.push(format!(
                "expected of {names:?}: {}\n{finished}",
                complaints.join("; ")
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} refusals are not as they should be:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// A target that can be resolved, and a run that would end soon if it were not refused.
fn harmless() -> Launch {
    loadgen("")
        .env("TARGETS", "http://127.0.0.1:1")
        .env("DURATION", "0.1")
        .env("DRAIN_TIMEOUT", "0")
}

#[test]
fn a_wrong_flag_is_refused_with_its_name_its_value_and_what_it_may_be() {
    let case = |wrong: &Wrong| {
        let launch = harmless().arg(&format!("{}={}", wrong.flag, wrong.value));
        (
            launch,
            vec![wrong.flag.to_owned(), wrong.value.to_owned()],
            wrong.says,
        )
    };
    assert_refused(WRONG.iter().map(case).collect());
}

#[test]
fn a_wrong_variable_is_refused_with_its_name_its_value_and_what_it_may_be() {
    let case = |wrong: &Wrong| {
        let variable = variable(wrong.flag);
        let launch = harmless().env(variable, wrong.value);
        (
            launch,
            vec![variable.to_owned(), wrong.value.to_owned()],
            wrong.says,
        )
    };
    let means_unset =
        |wrong: &&Wrong| wrong.value.is_empty() && WITHOUT_DEFAULT.contains(&wrong.flag);
    let wrong = WRONG.iter().filter(|wrong| !means_unset(wrong));
    assert_refused(wrong.map(case).collect());
}

/// Options that are unset unless they are given: their empty variables mean just that.
const WITHOUT_DEFAULT: [&str; 14] = [
    "--allowed",
    "--audit",
    "--blocked",
    "--body",
    "--body-file",
    "--ca-cert",
    "--header",
    "--key-prefix",
    "--keys-file",
    "--method",
    "--metrics-addr",
    "--path",
    "--profile",
    "--threshold",
];

#[test]
fn a_login_in_a_target_is_refused_and_not_repeated() {
    for targets in [
        "http://me:secret@h",
        "http://me:secret@h,ftp://x",
        "http://h,http://me:secret@h:99999",
    ] {
        let finished = harmless().env("TARGETS", targets).finish();
        assert!(complaints(&finished, &["TARGETS"]).is_empty(), "{finished}");
        assert!(!finished.stderr.contains("secret"), "{finished}");
    }
}

#[test]
fn an_empty_variable_of_an_option_without_a_default_is_ignored() {
    for flag in WITHOUT_DEFAULT {
        let finished = harmless().env(variable(flag), "").finish();
        assert_eq!(finished.code(), Some(0), "{flag}: {finished}");
        assert!(!finished.to_string().contains("/metrics"), "{finished}");
    }
}

#[test]
fn a_negative_value_is_a_value_and_not_a_flag() {
    let case = |(flag, value, says): (&str, &str, &'static str)| {
        (
            harmless().arg(flag).arg(value),
            vec![flag.to_owned(), value.to_owned()],
            says,
        )
    };
    let cases = [
        ("--rps", "-1", RATE),
        ("--duration", "-1", SPAN),
        ("--workers", "-1", WORKERS),
        ("--burst-multiplier", "-0.5", MULTIPLIER),
    ];
    assert_refused(cases.into_iter().map(case).collect());
}

#[test]
fn a_burst_as_long_as_its_interval_is_refused_whichever_of_the_two_was_given() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    assert_refused(vec![
        (
            harmless().arg("--burst-interval=5"),
            names(&["--burst-interval", "5"]),
            "must be longer than",
        ),
        (
            harmless().arg("--burst-interval=4.5"),
            names(&["--burst-interval", "4.5"]),
            "must be longer than",
        ),
        (
            harmless().env("BURST_INTERVAL", "3"),
            names(&["BURST_INTERVAL", "3"]),
            "must be longer than",
        ),
        (
            harmless()
                .arg("--burst-duration=7")
                .arg("--burst-interval=6"),
            names(&["--burst-duration", "7", "--burst-interval", "6"]),
            "must be shorter than --burst-interval (6s)",
        ),
    ]);
}

#[test]
fn an_unparsable_demo_is_refused() {
    let names = vec!["DEMO".to_owned(), "perhaps".to_owned()];
    assert_refused(vec![(harmless().env("DEMO", "perhaps"), names, BOOLEAN)]);
}

#[test]
fn a_demos_limiter_without_a_demo_is_refused_unless_by_variable() {
    let names = || vec!["--demo-limiter".to_owned(), "racy".to_owned()];
    let racy = |launch: Launch| launch.arg("--demo-limiter=racy");
    let needs = "needs --demo";
    assert_refused(vec![
        (racy(harmless()), names(), needs),
        (racy(harmless()).arg("--demo=no"), names(), needs),
        (racy(harmless()).env("DEMO", "no"), names(), needs),
        // Targets as a flag win over a demo as a variable.
        (
            racy(harmless())
                .arg("--targets=http://127.0.0.1:1")
                .env("DEMO", "yes"),
            names(),
            needs,
        ),
    ]);
    harmless().env("DEMO_LIMITER", "racy").report();
}

#[test]
fn options_of_the_audit_without_an_audit_are_refused_unless_by_variable() {
    let refused = |launch: Launch, flag: &str, value: &str| {
        let needs = "needs --audit";
        let launch = launch.arg(&format!("{flag}={value}"));
        (launch, vec![flag.to_owned(), value.to_owned()], needs)
    };
    assert_refused(vec![
        refused(harmless(), "--probe", "true"),
        refused(harmless(), "--audit-memory", "2MiB"),
        refused(harmless().arg("--audit=off"), "--probe", "true"),
        refused(harmless().env("AUDIT", "off"), "--audit-memory", "2MiB"),
        refused(
            harmless().arg("--demo").arg("--audit=off"),
            "--audit-memory",
            "2MiB",
        ),
    ]);
    harmless().arg("--probe=no").report();
    harmless()
        .env("PROBE", "yes")
        .env("AUDIT_MEMORY", "2MiB")
        .report();
}

/// A file in the tests' own folder, and its path.
fn file(name: &str, content: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, content).expect("a file");
    path
}

#[test]
fn certificates_are_refused_where_none_are_verified_wherever_the_two_come_from() {
    let certified =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let path = file("any.pem", &certified.cert.pem());
    let by_flag = || harmless().arg("--ca-cert").arg(&path);
    let by_variable = || harmless().env("CA_CERT", &path);
    let names = |names: &[&str]| {
        let names = names.iter().copied().chain([path.as_str()]);
        names.map(str::to_owned).collect()
    };
    assert_refused(vec![
        (
            by_flag().arg("--insecure"),
            names(&["--ca-cert", "--insecure"]),
            "",
        ),
        (
            by_flag().env("INSECURE", "1"),
            names(&["--ca-cert", "INSECURE"]),
            "",
        ),
        (
            by_variable().arg("--insecure"),
            names(&["CA_CERT", "--insecure"]),
            "",
        ),
        (
            by_variable().env("INSECURE", "1"),
            names(&["CA_CERT", "INSECURE"]),
            "",
        ),
    ]);
    for launch in [
        by_flag().arg("--insecure=no"),
        by_variable().env("INSECURE", "0"),
    ] {
        launch.report();
    }
}

#[test]
fn a_broken_certificate_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let path = file("broken.pem", broken);
    let names = |name: &str| vec![name.to_owned(), path.clone()];
    assert_refused(vec![
        (
            harmless().arg("--ca-cert").arg(&path),
            names("--ca-cert"),
            CERTIFICATES,
        ),
        (
            harmless().env("CA_CERT", &path),
            names("CA_CERT"),
            CERTIFICATES,
        ),
    ]);
}

#[test]
fn targets_of_http_take_no_notice_of_how_certificates_are_verified() {
    let certified =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let path = file("unused.pem", &certified.cert.pem());
    let server = Server::start(|_| Reply::allowed());
    for option in ["--insecure".to_owned(), format!("--ca-cert {path}")] {
        let run = format!(
            "--targets {} --rps 20 --duration 0.5 --workers 4",
            server.url()
        );
        let finished = loadgen(format!("{run} {option}")).finish();
        assert_eq!(finished.report().allowed, 10, "{finished}");
        assert_eq!(finished.stderr, "", "{finished}");
    }
}

#[test]
fn an_unknown_flag_is_refused_with_the_flag_that_was_meant() {
    let case = |(given, meant): (&str, &'static str)| {
        (
            harmless().arg(given),
            vec![given.split('=').next().expect("a flag").to_owned()],
            meant,
        )
    };
    let cases: [(&str, &'static str); 5] = [
        ("--target=http://127.0.0.1:1", "--targets"),
        ("--worker=5", "--workers"),
        ("--burst-multiplyer=5", "--burst-multiplier"),
        ("--xyzzy", ""),
        ("-z", ""),
    ];
    assert_refused(cases.into_iter().map(case).collect());
}

#[test]
fn an_argument_that_is_not_a_flag_is_refused() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    assert_refused(vec![
        (
            harmless().arg("http://127.0.0.1:1"),
            names(&["http://127.0.0.1:1"]),
            "",
        ),
        (harmless().arg("--rps"), names(&["--rps"]), ""),
        (
            harmless().arg("--rps").arg("--workers"),
            names(&["--rps"]),
            "",
        ),
        (
            harmless().arg("--rps=5").arg("--rps=6"),
            names(&["--rps"]),
            "",
        ),
    ]);
}

#[test]
fn a_refusal_does_not_wait_for_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener
        .set_nonblocking(true)
        .expect("a listener that does not block");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let finished = loadgen(format!("--targets {url} --workers 0")).finish();
    assert_eq!(finished.code(), Some(2), "{finished}");
    assert!(listener.accept().is_err(), "it connected all the same");
}

#[test]
fn a_run_is_refused_only_when_no_target_resolves() {
    for launch in [
        loadgen("--targets http://first.invalid:8000,http://second.invalid:8000 --duration 1"),
        loadgen("--duration 1").env("TARGETS", "http://first.invalid:8000"),
    ] {
        let finished = launch.finish();
        let complaints = complaints(&finished, &["first.invalid", "--demo", "--targets"]);
        assert!(
            complaints.is_empty(),
            "expected {}:\n{finished}",
            complaints.join("; ")
        );
    }

    let report =
        loadgen("--targets http://first.invalid:8000,http://127.0.0.1:1 --duration 0.5 --rps 20 --workers 4").report();
    assert_eq!(report.failed, 10, "{report}");
}

// Where a value comes from.

#[test]
fn a_flag_wins_over_its_variable() {
    let server = Server::start(|_| Reply::allowed());
    let report = loadgen(format!("--targets {} --rps 20 --limit 5", server.url()))
        .env("TARGETS", "http://127.0.0.1:1")
        .env("RPS", "40")
        .env("LIMIT", "6")
        .env("DURATION", "0.5")
        .report();
    assert_eq!((report.scheduled, report.allowed), (10, 10), "{report}");
    assert!(server.requests()[0].text().contains(r#""limit":5"#));
}

#[test]
fn a_flag_wins_over_a_variable_that_is_wrong() {
    let server = Server::start(|_| Reply::allowed());
    let launch = loadgen(format!(
        "--targets {} --rps 20 --duration 0.5 --workers 4",
        server.url()
    ));
    let report = launch.env("RPS", "fast").env("WORKERS", "0").report();
    assert_eq!(report.scheduled, 10, "{report}");
}

#[test]
fn every_option_may_come_from_its_variable() {
    let server = Server::start(|_| Reply::allowed());
    let finished = loadgen("")
        .env("TARGETS", &server.url())
        .env("RPS", "20")
        .env("DURATION", "1")
        .env("BURST_ENABLED", "yes")
        .env("BURST_MULTIPLIER", "3")
        .env("BURST_DURATION", "0.25")
        .env("BURST_INTERVAL", "0.5")
        .env("WORKERS", "1")
        .env("QUEUE", "100")
        .env("TIMEOUT", "5")
        .env("DRAIN_TIMEOUT", "5")
        .env("STATS_INTERVAL", "0.5")
        .env("CHECK_PATH", "/v2")
        .env("LIMIT", "3")
        .env("WINDOW_MS", "2000")
        .env("KEYS", "2")
        .env("SEED", "7")
        .env("DEMO", "no")
        .env("DEMO_LIMITER", "per-node")
        .env("AUDIT", "auto")
        .env("PROBE", "no")
        .env("AUDIT_MEMORY", "1MiB")
        .finish();
    // Nothing limits, and the audit finds that out.
    assert_eq!(finished.code(), Some(4), "{finished}");
    let report = finished.summary();
    // 20 a second for a second, and 40 a second more for a quarter of one.
    assert_eq!(report.scheduled, 30, "{report}");
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.path == "/v2"));
    assert!(
        requests[0]
            .text()
            .ends_with(r#""limit":3,"window_ms":2000}"#)
    );

    let by_variable = server.keys();
    loadgen(format!(
        "--targets {} --rps 60 --duration 0.5 --workers 1 --keys 2 --seed 7",
        server.url()
    ))
    .report();
    assert_eq!(by_variable, server.keys()[by_variable.len()..]);
}

#[test]
fn spaces_around_the_elements_of_a_list_are_forgiven_or_refused_but_never_sent() {
    let server = Server::start(|_| Reply::allowed());
    let launch = loadgen("--rps 20 --duration 0.5 --workers 4");
    let finished = launch
        .arg("--targets")
        .arg(&format!("{0}, {0}", server.url()))
        .finish();
    if finished.code() == Some(0) {
        assert_eq!(finished.report().allowed, 10);
    } else {
        assert!(
            complaints(&finished, &["--targets"]).is_empty(),
            "{finished}"
        );
    }
}

// How a value is written.

#[test]
fn a_duration_is_in_seconds_or_says_its_unit() {
    at_once(["0.5", "0.5s", "500ms"], |duration| {
        let server = Server::start(|_| Reply::allowed());
        let report = loadgen(format!(
            "--targets {} --rps 20 --duration {duration} --workers 4",
            server.url()
        ))
        .report();
        assert_eq!(report.scheduled, 10, "{duration}\n{report}");
    });
}

#[test]
fn a_long_duration_is_not_taken_for_a_short_one() {
    let cases = [
        ("90s", 90),
        ("2m", 120),
        ("1h", 3_600),
        ("1h30m", 5_400),
        ("90", 90),
    ];
    at_once(cases, |(duration, seconds)| {
        let line = format!("plan --targets http://127.0.0.1:1 --rps 20 --duration {duration}");
        let finished = loadgen(line).env("BURST_ENABLED", "false").finish();
        let total = format!("\n{} requests in ", 20 * seconds);
        assert!(finished.stdout().contains(&total), "{duration}: {finished}");
    });
}

#[test]
fn a_boolean_is_true_false_1_0_yes_or_no() {
    let cases = [
        ("true", true),
        ("1", true),
        ("yes", true),
        ("false", false),
        ("0", false),
        ("no", false),
    ];
    at_once(cases, |(value, enabled)| {
        let server = Server::start(|_| Reply::allowed());
        let run = format!(
            "--targets {} --rps 20 --duration 1 --workers 4 \
             --burst-multiplier 3 --burst-duration 0.25 --burst-interval 0.5",
            server.url()
        );
        let scheduled = if enabled { 30 } else { 20 };
        let by_flag = loadgen(format!("{run} --burst-enabled {value}")).report();
        assert_eq!(
            by_flag.scheduled, scheduled,
            "--burst-enabled {value}\n{by_flag}"
        );
        let by_variable = loadgen(&run)
            .env("BURST_ENABLED", value)
            .env("DEMO", "0")
            .report();
        assert_eq!(
            by_variable.scheduled, scheduled,
            "BURST_ENABLED={value}\n{by_variable}"
        );
    });
}

#[test]
fn the_limits_themselves_are_allowed() {
    at_once(
        [
            "--workers 1",
            "--workers 1000",
            "--burst-multiplier 1",
            "--queue 1",
            "--drain-timeout 0",
        ],
        |option| {
            let server = Server::start(|_| Reply::allowed());
            let report = loadgen(format!(
                "--targets {} --rps 20 --duration 0.5 {option}",
                server.url()
            ))
            .report();
            assert_eq!(report.scheduled, 10, "{option}\n{report}");
        },
    );
}

#[test]
fn a_million_a_second_is_accepted() {
    let server = Server::start(|_| Reply::allowed());
    let report = loadgen(format!(
        "--targets {} --rps 1000000 --duration 0.02 --workers 2 --queue 10 --drain-timeout 2",
        server.url()
    ))
    .report();
    assert_eq!(report.scheduled, 20_000, "{report}");
}

// Help.

#[test]
fn help_shows_every_flag_with_its_variable_and_its_default() {
    let finished = loadgen("--help").finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(finished.stderr, "");
    let help = finished.stdout();
    // What is said of an option reaches from its flag with its value to the next one's.
    let words: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let begin = |text: &str, flag: &str| {
        let forms = [format!(" {flag} <"), format!(" {flag} [<")];
        forms.iter().filter_map(|form| text.find(form)).min()
    };
    for (flag, variable, default) in OPTIONS {
        let start = begin(&words, flag).unwrap_or_else(|| panic!("no {flag} in:\n{help}"));
        let said = &words[start..];
        let end = OPTIONS
            .iter()
            .filter(|(other, _, _)| other != flag)
            .filter_map(|(other, _, _)| begin(said, other))
            .min()
            .unwrap_or(said.len());
        let said = &said[..end];
        assert!(said.contains(&format!("[env: {variable}]")), "{said}");
        let shown = said.split_once("[default: ").map_or("", |shown| shown.1);
        let shown = shown.split_once(']').map_or("", |shown| shown.0);
        assert_eq!(shown, *default, "{said}");
    }
}

#[test]
fn the_version_is_the_package_s() {
    let finished = loadgen("--version").finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert_eq!(
        finished.stdout(),
        format!("loadgen {}\n", env!("CARGO_PKG_VERSION"))
    );
}
