//! The options of a run: by flag, by variable, by default; and the refusals of wrong ones.

use std::net::TcpListener;

use crate::support::at_once;
use crate::support::run::{Launch, loadgen};
use crate::support::server::Server;
use crate::support::tls::Identity;

/// Every option of the contract: flag, variable, default as `--help` shows it.
const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "--targets",
        "LOADGEN_TARGETS",
        "http://ratelimiter-1:8000,http://ratelimiter-2:8000,http://ratelimiter-3:8000",
    ),
    ("--rps", "LOADGEN_RPS", "10"),
    ("--duration", "LOADGEN_DURATION", "60"),
    ("--count", "LOADGEN_COUNT", ""),
    ("--burst-enabled", "LOADGEN_BURST_ENABLED", "true"),
    ("--burst-multiplier", "LOADGEN_BURST_MULTIPLIER", "5"),
    ("--burst-duration", "LOADGEN_BURST_DURATION", "5"),
    ("--burst-interval", "LOADGEN_BURST_INTERVAL", "30"),
    ("--burst-align", "LOADGEN_BURST_ALIGN", "false"),
    ("--profile", "LOADGEN_PROFILE", ""),
    ("--arrivals", "LOADGEN_ARRIVALS", "uniform"),
    ("--workers", "LOADGEN_WORKERS", "100"),
    ("--queue", "LOADGEN_QUEUE", "10000"),
    ("--timeout", "LOADGEN_TIMEOUT", "10"),
    ("--drain-timeout", "LOADGEN_DRAIN_TIMEOUT", "8"),
    ("--stats-interval", "LOADGEN_STATS_INTERVAL", "10"),
    ("--preset", "LOADGEN_PRESET", "check"),
    ("--method", "LOADGEN_METHOD", ""),
    ("--path", "LOADGEN_PATH", ""),
    ("--header", "LOADGEN_HEADER", ""),
    ("--body", "LOADGEN_BODY", ""),
    ("--body-file", "LOADGEN_BODY_FILE", ""),
    ("--limit", "LOADGEN_LIMIT", "100"),
    ("--window", "LOADGEN_WINDOW", "60s"),
    ("--cost", "LOADGEN_COST", "1"),
    ("--allowed", "LOADGEN_ALLOWED", ""),
    ("--blocked", "LOADGEN_BLOCKED", ""),
    (
        "--failing-open",
        "LOADGEN_FAILING_OPEN",
        "\"header x-ratelimit-failure-mode-allowed != false\"",
    ),
    ("--keys", "LOADGEN_KEYS", "7"),
    ("--key-distribution", "LOADGEN_KEY_DISTRIBUTION", "uniform"),
    ("--key-prefix", "LOADGEN_KEY_PREFIX", ""),
    ("--keys-file", "LOADGEN_KEYS_FILE", ""),
    ("--seed", "LOADGEN_SEED", "random"),
    ("--insecure", "LOADGEN_INSECURE", "false"),
    ("--ca-cert", "LOADGEN_CA_CERT", ""),
    ("--cert", "LOADGEN_CERT", ""),
    ("--key", "LOADGEN_KEY", ""),
    ("--connect-to", "LOADGEN_CONNECT_TO", ""),
    ("--sni", "LOADGEN_SNI", ""),
    ("--source-address", "LOADGEN_SOURCE_ADDRESS", ""),
    ("--wait", "LOADGEN_WAIT", ""),
    ("--metrics-addr", "LOADGEN_METRICS_ADDR", ""),
    ("--metrics-linger", "LOADGEN_METRICS_LINGER", "0"),
    ("--demo", "LOADGEN_DEMO", "false"),
    ("--demo-limiter", "LOADGEN_DEMO_LIMITER", "sliding-log"),
    ("--audit", "LOADGEN_AUDIT", ""),
    ("--probe", "LOADGEN_PROBE", "true"),
    ("--audit-memory", "LOADGEN_AUDIT_MEMORY", "64MiB"),
    ("--clock-tolerance", "LOADGEN_CLOCK_TOLERANCE", ""),
    ("--excess-tolerance", "LOADGEN_EXCESS_TOLERANCE", "0"),
    ("--reuse-keys", "LOADGEN_REUSE_KEYS", "false"),
    ("--no-tui", "LOADGEN_NO_TUI", "false"),
    ("--show-secrets", "LOADGEN_SHOW_SECRETS", "false"),
    ("--report", "LOADGEN_REPORT", ""),
    ("--summary-json", "LOADGEN_SUMMARY_JSON", ""),
    ("--summary-markdown", "LOADGEN_SUMMARY_MARKDOWN", ""),
    ("--timeline", "LOADGEN_TIMELINE", ""),
    ("--timeline-targets", "LOADGEN_TIMELINE_TARGETS", ""),
    ("--hdr-log", "LOADGEN_HDR_LOG", ""),
    ("--requests", "LOADGEN_REQUESTS", ""),
    ("--threshold", "LOADGEN_THRESHOLD", ""),
    ("--abort-on-fail", "LOADGEN_ABORT_ON_FAIL", "false"),
];

const PIECES: &str = "column 1: ";
const ARRIVALS: &str = "uniform or poisson";
const RATE: &str = "must be requests per second, from 0.000001 to 1000000";
const WORKERS: &str = "must be a whole number from 1 to 10000\n";
const BOOLEAN: &str = "must be true, false, 1, 0, yes or no";
const MULTIPLIER: &str = "must be a number from 1 to 1000";
const SPAN: &str = "must be seconds, or a time such as 90s, 2m or 1h30m";
const COMMA: &str = "; write a fraction with a point, not with a comma\n";
const NUMBER: &str = "must be a whole number from ";
const METHOD: &str = "HTTP method such as GET or POST";
const PLACEHOLDERS: &str = "is not a placeholder; use one of {key}, {limit}, {window_ms}, {window_s}, {cost}, {seq}, {uuid}, {target}, {now_ms}";
const JSON: &str = "JSON, because its Content-Type is JSON";
const KEYS_FILE: &str = "file with 1 to 10000000 different keys, one a line";
const CERTIFICATES: &str = "PEM file with one or more certificates";

/// For each flag, values that it can't have, and a part of the refusal.
#[rustfmt::skip]
const WRONG: &[(&str, &[&str], &str)] = &[
    ("--targets", &["", " ", ",", "http://127.0.0.1:1,", ",http://127.0.0.1:1",
        "http://127.0.0.1:1,,http://127.0.0.1:2", "127.0.0.1:8000", "localhost:8000", "localhost", "//localhost",
        "ftp://localhost", "http://", "https://", "http://:8000", "http://127.0.0.1:99999",
        "http://127.0.0.1:port", "http://127.0.0.1:1,localhost:8000"], "http or https URLs"),
    ("--rps", &["0", "0.0", "-0", "-1", "-0.5", "NaN", "inf", "infinity", "-inf", "1e999", "1000000.1", "1000001",
        "ten", "10/ms", "10/parsec", "10/", ""], RATE),
    ("--rps", &["0,5"], COMMA),
    ("--burst-multiplier", &["1,5"], COMMA),
    ("--excess-tolerance", &["0,5%"], COMMA),
    ("--limit", &["100/60s"], "the time after the slash is --window"),
    ("--wait", &["soon", "-1", ""], SPAN),
    ("--wait", &["1,5"], COMMA),
    ("--duration", &["1h30"], "; the last number has no unit"),
    ("--audit", &["true"], "; --audit alone means auto"),
    ("--audit", &["false"], "; did you mean off?"),
    ("--threshold", &["p99<50ms", "p99 < 50ms"], "did you mean latency.p99?"),
    ("--threshold", &["errors < 1%"], "did you mean failed.rate?"),
    ("--path", &["/a b"], "column 3 is a blank, which is written %20"),
    ("--targets", &["http://a b"], "has a blank at column 9"),
    ("--duration", &["soon", "-1", "10 parsecs", "NaN", "inf", "1e300", ""], SPAN),
    ("--duration", &["1,510", "1,5s", "1h, 30m"], COMMA),
    ("--timeout", &["1,5"], COMMA),
    ("--drain-timeout", &["1,5"], COMMA),
    ("--stats-interval", &["1,5"], COMMA),
    ("--metrics-linger", &["1,5"], COMMA),
    ("--burst-duration", &["1,5"], COMMA),
    ("--burst-interval", &["1,5"], COMMA),
    ("--window", &["1,5", "1,510s"], COMMA),
    ("--clock-tolerance", &["1,5ms"], COMMA),
    ("--rps", &["1,5"], RATE),
    ("--burst-multiplier", &["1,5"], MULTIPLIER),
    ("--limit", &["1,510"], NUMBER),
    ("--profile", &["5/s for 1,510/s", "5/s for 1,5s"], "a comma between two digits"),
    ("--blocked", &["json /a = 1,500"], "a comma between two digits"),
    ("--count", &["", "0", "-1", "1.5", "1e3", "many", "1000000000000001"], "must be a whole number from 1 to 1000000000000000\n"),
    ("--burst-enabled", &["maybe", "2", ""], BOOLEAN),
    ("--burst-multiplier", &["0.99", "0", "-5", "NaN", "inf", "many"], MULTIPLIER),
    ("--burst-duration", &["30", "31", "1m"], "must be shorter than --burst-interval (30s)"),
    ("--burst-duration", &["-1", "long"], SPAN),
    ("--burst-interval", &["often"], SPAN),
    ("--burst-align", &["sometimes", ""], BOOLEAN),
    ("--profile", &[""], PIECES),
    ("--profile", &[" "], "column 2: "),
    ("--profile", &["fast", "-5/s"], PIECES),
    ("--profile", &["10/s for 5s, repeat, repeat"], "column 20"),
    ("--profile", &["10/s for never"], SPAN),
    ("--arrivals", &["", "random"], ARRIVALS),
    ("--workers", &["0", "10001", "-1", "1.5", "many", "99999999999999999999999"], WORKERS),
    ("--queue", &["-1", "long"], NUMBER),
    ("--timeout", &["0", "0s", "-1", "never"], SPAN),
    ("--drain-timeout", &["-1", "never"], SPAN),
    ("--stats-interval", &["-1", "never"], SPAN),
    ("--limit", &["-1", "few"], NUMBER),
    ("--window", &["-1", "0", "soon", "3651d", ""], SPAN),
    ("--window", &["1.5ms", "0.0015"], "whole milliseconds"),
    ("--cost", &["", "0", "-1", "1.5", "1000001"], "must be a whole number from 1 to 1000000\n"),
    ("--preset", &["", "envoi", "haproxy"], "one of check, envoy, limitador, gubernator, throttlecrab, nginx, kong, http"),
    ("--method", &["", "G E T", "connect"], METHOD),
    ("--path", &["check", "/a b"], "start with / and be at most 8000 characters"),
    ("--path", &["/{usr}"], PLACEHOLDERS),
    ("--header", &["", "X-Key", "X Key: 1"], "`Name: value`"),
    ("--header", &["X-Key: {usr}"], PLACEHOLDERS),
    ("--header", &["Content-Length: 5"], "not be content-length"),
    ("--header", &["Host:"], "have a host, such as example.com:8080"),
    ("--body", &["{", "{\"key\":{key}}"], JSON),
    ("--body", &["{\"key\":\"{usr}\"}"], PLACEHOLDERS),
    ("--body-file", &["", "no/such/file", "tests"], "file with text of at most 1048576 bytes"),
    ("--body-file", &["Cargo.toml"], JSON),
    ("--allowed", &[""], "200-299"),
    ("--allowed", &[" "], "header NAME = VALUE"),
    ("--allowed", &["2xx"], "column 1: 2xx is not a status"),
    ("--allowed", &["200,"], "column 5: a condition is missing"),
    ("--allowed", &["-200"], "column 1: -200 is not a condition"),
    ("--allowed", &["200 and jsn /a"], "column 9: jsn is not a condition"),
    ("--allowed", &["299-200"], "column 1: the range 299-200 begins after its end"),
    ("--allowed", &["json allowed = true"], "column 6: the JSON pointer allowed must begin with /"),
    ("--allowed", &["json /a = \"b"], "column 11: "),
    ("--blocked", &[""], "json /POINTER = VALUE"),
    ("--failing-open", &[""], "json /POINTER = VALUE"),
    ("--failing-open", &["header x!=1"], "column 8: a blank must be before !="),
    ("--blocked", &["429 header x"], "column 5: expected `and`, a comma or the end"),
    ("--blocked", &["header"], "column 7: a header's name is missing"),
    ("--blocked", &["header a/b"], "column 8: a/b is not a header name"),
    ("--blocked", &["json /a ="], "column 10: a value is missing"),
    ("--blocked", &["json /a = 1e999"], "column 11: 1e999 is a number out of range"),
    ("--blocked", &["json /größe = [], 1"], "column 15: [] is an array or an object"),
    ("--keys", &["-1", "all", "10000001"], NUMBER),
    ("--key-distribution", &["", "even", "zipf", "zipf:0",
        "hot:101%"], "uniform, zipf:S with S over 0 and at most 10, or hot:SHARE"),
    ("--keys-file", &["", "no/such/file", "tests"], KEYS_FILE),
    ("--seed", &["-1", "lucky"], NUMBER),
    ("--insecure", &["perhaps", ""], BOOLEAN),
    ("--show-secrets", &["perhaps", ""], BOOLEAN),
    ("--ca-cert", &["", "no/such/file.pem", "tests", "Cargo.toml"], CERTIFICATES),
    ("--cert", &["", "no/such/file.pem", "tests", "Cargo.toml"], CERTIFICATES),
    ("--connect-to", &["", "node", "node:1", "node:1=node", "node:1=node:0"], "HOST:PORT=ADDR:PORT"),
    ("--sni", &["", "127.0.0.1", "a b"], "must be a host name"),
    ("--source-address", &["", "node", "192.0.2.1"], "must be addresses of this machine"),
    ("--metrics-addr", &["", "9100", "127.0.0.1", "localhost:9100", ":65536",
        "http://127.0.0.1:9100"], "IP address and a port, such as 127.0.0.1:9100"),
    // Of a network that is for documentation only (RFC 5737), so no machine's own.
    ("--metrics-addr", &["192.0.2.1:0"], "address to listen on"),
    ("--metrics-linger", &["-1", "a while", ""], SPAN),
    ("--demo-limiter", &["", "leaky-bucket",
        "Racy"], "one of sliding-log, fixed-window, token-bucket, per-node, racy"),
    ("--audit", &["", "sliding", "Auto", "true", "auto 5/s"], "column 1: must be one of sliding-window, "),
    ("--audit", &["sliding-window,token-bucket"], "column 15: "),
    ("--audit", &["sliding-window 100", "sliding-window 100/60s and"], "column "),
    ("--probe", &["", "perhaps"], BOOLEAN),
    ("--audit-memory", &["", "0", "64MB", "1023KiB", "65GiB",
        "-1MiB"], "whole number of bytes, KiB, MiB or GiB, from 1MiB to 64GiB"),
    ("--clock-tolerance", &["-1", "soon"], SPAN),
    ("--excess-tolerance", &["", "-1%", "101%", "5", "some"], "a share such as 5% or 0.05, from 0 to 100%"),
    ("--reuse-keys", &["", "perhaps"], BOOLEAN),
    ("--threshold", &["", " ", "p99 < 50ms"], ": must be one of latency, service_time, "),
    ("--threshold", &["latency.p99 = fast"], "column 15: must be a time"),
    ("--threshold", &["audit = kept"], "needs --audit"),
    ("--abort-on-fail", &["", "perhaps"], BOOLEAN),
];

fn variable(flag: &str) -> &'static str {
    let option = OPTIONS.iter().find(|(name, _, _)| *name == flag);
    option.expect("an option of the contract").1
}

/// A target that can be resolved, and a run that would end soon if it were not refused.
fn harmless() -> Launch {
    loadgen("")
        .env("TARGETS", "http://127.0.0.1:1")
        .env("DURATION", "0.1")
        .env("LOADGEN_DRAIN_TIMEOUT", "0")
}

/// Every flag with each of its wrong values, and a part of the refusal.
fn wrong() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let each = |(flag, values, says): &(&'static str, &'static [&str], &'static str)| {
        let (flag, says) = (*flag, *says);
        values.iter().map(move |value| (flag, *value, says))
    };
    WRONG.iter().flat_map(each)
}

#[test]
fn a_wrong_flag_is_refused_with_its_name_its_value_and_what_it_may_be() {
    for (flag, value, says) in wrong() {
        let launch = harmless().arg(format!("{flag}={value}"));
        launch.assert_refused(&[flag, repeated(flag, value), says]);
    }
}

/// What a refusal repeats of a value, which may be a secret.
fn repeated<'a>(flag: &str, value: &'a str) -> &'a str {
    match flag {
        "--header" => match value.split_once(':') {
            Some((name, _)) if !name.contains(' ') => name,
            _ => "",
        },
        "--body" => "",
        _ => value,
    }
}

#[test]
fn a_wrong_variable_is_refused_with_its_name_its_value_and_what_it_may_be() {
    for (flag, value, says) in wrong().filter(|(_, value, _)| !value.is_empty()) {
        let launch = harmless().env(variable(flag), value);
        launch.assert_refused(&[variable(flag), repeated(flag, value), says]);
    }
}

#[test]
fn a_login_in_a_target_is_refused_and_not_repeated() {
    for targets in [
        "http://me:secret@h",
        "http://me:secret@h,ftp://x",
        "http://h,http://me:secret@h:99999",
    ] {
        let finished = harmless().env("TARGETS", targets).finish();
        finished.assert_refused(&["TARGETS"]);
        assert!(!finished.stderr.contains("secret"), "{finished}");
    }
}

#[test]
fn an_empty_variable_is_ignored() {
    for (flag, variable, _) in OPTIONS {
        let finished = harmless().env(variable, "").finish();
        assert_eq!(finished.code(), Some(0), "{flag}: {finished}");
        assert!(!finished.to_string().contains("/metrics"), "{finished}");
        assert!(!finished.to_string().contains(variable), "{finished}");
    }
}

/// The variables that also work without their prefix, each with a value and with what a plan says of it.
const BARE: [(&str, &str, &str); 7] = [
    ("TARGETS", "http://127.0.0.1:2", "to http://127.0.0.1:2:"),
    ("RPS", "20", "20/s with bursts of 100/s"),
    ("DURATION", "77", "1170 requests in 77s"),
    ("BURST_ENABLED", "false", "600 requests in 1m"),
    ("BURST_MULTIPLIER", "7", "bursts of 70/s"),
    ("BURST_DURATION", "6", "for 6s every 30s"),
    ("BURST_INTERVAL", "40", "every 40s"),
];

#[test]
fn seven_variables_work_without_their_prefix_too() {
    for (name, value, says) in BARE {
        let prefixed = format!("LOADGEN_{name}");
        let other = match name {
            "TARGETS" => "http://127.0.0.1:3",
            "BURST_ENABLED" => "true",
            _ => "8",
        };
        for launch in [
            loadgen("plan").env(name, value),
            loadgen("plan").env(name, value).env(&prefixed, ""),
            loadgen("plan").env(name, other).env(&prefixed, value),
        ] {
            let finished = launch.finish();
            assert_eq!(finished.code(), Some(0), "{finished}");
            assert!(finished.stdout().contains(says), "{name}: {finished}");
        }
    }
}

#[test]
fn the_audit_has_a_variable_for_its_default() {
    let plan = |variables: &[(&str, &str)], line: &str| {
        let launch = loadgen(format!("plan --rps 20 --duration 5 {line}"));
        let launch = variables
            .iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value));
        let finished = launch.finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        let text = finished.stdout();
        text.split_once("\naudit: ")
            .map(|(_, audit)| audit.to_owned())
    };
    let default = ("LOADGEN_AUDIT_DEFAULT", "sliding-log");
    let of_fixed = plan(&[("LOADGEN_AUDIT", "fixed-window")], "");
    let of_log = plan(&[("LOADGEN_AUDIT", "sliding-window")], "");
    let none = plan(&[], "");
    assert_eq!(none, None);
    assert_ne!(of_log, none);
    assert_ne!(of_log, of_fixed);
    for (variables, line, expected) in [
        (vec![default], "", &of_log),
        (vec![default, ("LOADGEN_AUDIT", "")], "", &of_log),
        (
            vec![default, ("LOADGEN_AUDIT", "fixed-window")],
            "",
            &of_fixed,
        ),
        (vec![default, ("LOADGEN_AUDIT", "off")], "", &none),
        (vec![default], "--audit off", &none),
        (vec![("LOADGEN_AUDIT_DEFAULT", "")], "", &none),
    ] {
        assert_eq!(&plan(&variables, line), expected, "{variables:?} {line}");
    }
    let launch = loadgen("plan").env("LOADGEN_AUDIT_DEFAULT", "leaky-bucket");
    launch.assert_refused(&["LOADGEN_AUDIT_DEFAULT", "leaky-bucket", "sliding-window"]);
}

#[test]
fn other_programs_variables_mean_nothing() {
    for name in ["PROFILE", "KEYS", "REPORT", "METHOD", "DEMO", "AUDIT"] {
        let finished = harmless().env(name, "release").finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert!(!finished.stdout().contains(name), "{finished}");
    }
}

#[test]
fn the_heading_names_the_variables_that_took_effect() {
    let launch = harmless().env("LOADGEN_RPS", "20").env("LOADGEN_KEYS", "");
    let finished = launch.args(["--rps", "5"]).finish();
    let row = "\n  env      TARGETS, DURATION, LOADGEN_DRAIN_TIMEOUT\n";
    assert!(finished.stdout().contains(row), "{finished}");
    let finished =
        loadgen("--targets http://127.0.0.1:1 --duration 0.1 --drain-timeout 0").finish();
    assert!(!finished.stdout().contains("\n  env "), "{finished}");
}

#[test]
fn a_negative_value_is_a_value_and_not_a_flag() {
    for (flag, value, says) in [
        ("--rps", "-1", RATE),
        ("--duration", "-1", SPAN),
        ("--workers", "-1", WORKERS),
        ("--burst-multiplier", "-0.5", MULTIPLIER),
    ] {
        harmless()
            .args([flag, value])
            .assert_refused(&[flag, value, says]);
    }
}

#[test]
fn a_burst_as_long_as_its_interval_is_refused_whichever_of_the_two_was_given() {
    let flag = "--burst-interval";
    for value in ["5", "4.5"] {
        let launch = harmless().args([flag, value]);
        launch.assert_refused(&[flag, value, "must be longer than"]);
    }
    let by_variable = harmless().env("BURST_INTERVAL", "3");
    by_variable.assert_refused(&["BURST_INTERVAL", "3", "must be longer than"]);
    let both = harmless().args(["--burst-duration=7", "--burst-interval=6"]);
    both.assert_refused(&[
        "--burst-duration",
        "7",
        "must be shorter than --burst-interval (6s)",
    ]);
}

#[test]
fn an_unparsable_demo_is_refused() {
    harmless()
        .env("LOADGEN_DEMO", "perhaps")
        .assert_refused(&["LOADGEN_DEMO", "perhaps", BOOLEAN]);
}

#[test]
fn a_demos_limiter_without_a_demo_is_refused_unless_by_variable() {
    for launch in [
        harmless(),
        harmless().arg("--demo=no"),
        harmless().env("LOADGEN_DEMO", "no"),
        // Targets as a flag win over a demo as a variable.
        harmless()
            .arg("--targets=http://127.0.0.1:1")
            .env("LOADGEN_DEMO", "yes"),
    ] {
        let launch = launch.arg("--demo-limiter=racy");
        launch.assert_refused(&["--demo-limiter", "racy", "needs --demo"]);
    }
    harmless().env("LOADGEN_DEMO_LIMITER", "racy").report();
}

#[test]
fn options_of_the_audit_without_an_audit_are_refused_unless_by_variable() {
    for (launch, flag, value) in [
        (harmless(), "--probe", "true"),
        (harmless(), "--audit-memory", "2MiB"),
        (harmless(), "--clock-tolerance", "20ms"),
        (harmless(), "--excess-tolerance", "5%"),
        (harmless().arg("--audit=off"), "--probe", "true"),
        (
            harmless().env("LOADGEN_AUDIT", "off"),
            "--audit-memory",
            "2MiB",
        ),
        (
            harmless().args(["--demo", "--audit=off"]),
            "--audit-memory",
            "2MiB",
        ),
    ] {
        let launch = launch.arg(format!("{flag}={value}"));
        launch.assert_refused(&[flag, value, "needs --audit"]);
    }
    harmless().arg("--probe=no").report();
    harmless()
        .env("LOADGEN_PROBE", "yes")
        .env("LOADGEN_AUDIT_MEMORY", "2MiB")
        .env("LOADGEN_CLOCK_TOLERANCE", "20ms")
        .env("LOADGEN_EXCESS_TOLERANCE", "5%")
        .report();
}

#[test]
fn a_limit_that_contradicts_the_promise_is_refused_unless_by_variable() {
    let both = "token-bucket 10/s burst 5 and sliding-window 100/60s";
    for (promise, options, refused, says) in [
        (
            "sliding-window 100/60s",
            "--limit=50",
            "--limit '50'",
            "the promise says 100/60s",
        ),
        (
            "sliding-window 100/60s",
            "--window=30s",
            "--window '30s'",
            "the promise says 100/60s",
        ),
        (
            both,
            "--limit=50",
            "--limit '50'",
            "the promise says 10/s and 100/60s",
        ),
        (
            both,
            "--limit=100 --window=1s",
            "--window '1s'",
            "the promise says 10/s and 100/60s",
        ),
    ] {
        let launch = harmless()
            .args(["--audit", promise])
            .args(options.split(' '));
        launch.assert_refused(&[refused, says]);
    }
    let by_variable = harmless()
        .env("LOADGEN_LIMIT", "50")
        .env("LOADGEN_WINDOW", "30s");
    let finished = by_variable
        .args(["--audit", "sliding-window 100/60s"])
        .finish();
    assert_eq!(finished.code(), Some(3), "{finished}");
}

#[test]
fn requests_carry_the_first_limit_of_the_promise_or_the_one_that_a_flag_chooses() {
    let promise = "token-bucket 10/s burst 5 and sliding-window 100/60s";
    for (options, ends) in [
        ("", r#""limit":10,"window_ms":1000}"#),
        ("--limit=100", r#""limit":100,"window_ms":60000}"#),
        ("--window=60s", r#""limit":100,"window_ms":60000}"#),
    ] {
        let server = Server::allowing();
        let launch = server.launch(format!("--rps 20 --duration 0.5 --probe no {options}"));
        launch.args(["--audit", promise]).finish().summary();
        let request = &server.requests()[0];
        assert!(
            request.text().ends_with(ends),
            "{options}: {}",
            request.text()
        );
    }
}

#[test]
fn clocks_may_be_at_most_half_a_window_apart() {
    let launch = || harmless().args(["--audit", "--window=1s"]);
    let too_far = launch().arg("--clock-tolerance=501ms");
    too_far.assert_refused(&[
        "--clock-tolerance",
        "501ms",
        "from 0ms to 500ms, half of the window",
    ]);
    let shortest = harmless().args(["--audit", "fixed-window 100/60s and token-bucket 10/s"]);
    shortest
        .arg("--clock-tolerance=501ms")
        .assert_refused(&["from 0ms to 500ms"]);
    for tolerance in ["0", "500ms"] {
        let finished = launch().args(["--clock-tolerance", tolerance]).finish();
        assert_eq!(finished.code(), Some(3), "{finished}");
    }
}

#[test]
fn keys_are_reused_only_by_an_audited_run_with_a_seed_unless_by_variable() {
    for line in [
        "--seed=1",
        "--audit",
        "--audit --seed=random",
        "--audit=off --seed=1",
        "--demo",
    ] {
        let launch = harmless().args(line.split(' ')).arg("--reuse-keys");
        launch.assert_refused(&["--reuse-keys", "needs --audit and --seed"]);
    }
    harmless().arg("--reuse-keys=no").report();
    harmless().env("LOADGEN_REUSE_KEYS", "yes").report();
    let audited = harmless()
        .env("LOADGEN_AUDIT", "auto")
        .env("LOADGEN_SEED", "1");
    let finished = audited.arg("--reuse-keys").finish();
    assert_eq!(finished.code(), Some(3), "{finished}");
}

/// A file in the tests' own folder, and its path.
fn file(name: &str, content: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, content).expect("a file");
    path
}

/// A file with a certificate.
fn certificate(name: &str) -> String {
    file(name, &Identity::self_signed(&["localhost"]).pem)
}

#[test]
fn certificates_are_refused_where_none_are_verified_wherever_the_two_come_from() {
    let path = certificate("any.pem");
    let by_flag = || harmless().args(["--ca-cert", &path]);
    let by_variable = || harmless().env("LOADGEN_CA_CERT", &path);
    for (launch, names) in [
        (by_flag().arg("--insecure"), ["--ca-cert", "--insecure"]),
        (
            by_flag().env("LOADGEN_INSECURE", "1"),
            ["--ca-cert", "LOADGEN_INSECURE"],
        ),
        (
            by_variable().arg("--insecure"),
            ["LOADGEN_CA_CERT", "--insecure"],
        ),
        (
            by_variable().env("LOADGEN_INSECURE", "1"),
            ["LOADGEN_CA_CERT", "LOADGEN_INSECURE"],
        ),
    ] {
        launch.assert_refused(&[names[0], names[1], &path]);
    }
    by_flag().arg("--insecure=no").report();
    by_variable().env("LOADGEN_INSECURE", "0").report();
}

#[test]
fn a_broken_certificate_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let path = file("broken.pem", broken);
    let by_flag = harmless().args(["--ca-cert", &path]);
    by_flag.assert_refused(&["--ca-cert", &path, CERTIFICATES]);
    let by_variable = harmless().env("LOADGEN_CA_CERT", &path);
    by_variable.assert_refused(&["LOADGEN_CA_CERT", &path, CERTIFICATES]);
}

#[test]
fn targets_of_http_take_no_notice_of_how_certificates_are_verified() {
    let path = certificate("unused.pem");
    let server = Server::allowing();
    for option in ["--insecure".to_owned(), format!("--ca-cert {path}")] {
        let finished = server
            .launch(format!("--rps 20 --duration 0.5 --workers 4 {option}"))
            .finish();
        assert_eq!(finished.report().allowed, 10, "{finished}");
        assert_eq!(finished.stderr, "", "{finished}");
    }
}

#[test]
fn an_unknown_flag_is_refused_with_the_flag_that_was_meant() {
    for (flag, value, meant) in [
        ("--target", "=http://127.0.0.1:1", "--targets"),
        ("--worker", "=5", "--workers"),
        ("--burst-multiplyer", "=5", "--burst-multiplier"),
        ("--xyzzy", "", ""),
        ("-x", "", ""),
    ] {
        harmless()
            .arg(format!("{flag}{value}"))
            .assert_refused(&[flag, meant]);
    }
}

#[test]
fn an_argument_that_is_neither_a_flag_nor_a_url_is_refused() {
    harmless()
        .arg("127.0.0.1:1")
        .assert_refused(&["127.0.0.1:1", "http or https URL"]);
    loadgen("plna").assert_refused(&["'plna'", "did you mean plan?"]);
    for arguments in [
        &["--rps"][..],
        &["--rps", "--workers"],
        &["--rps=5", "--rps=6"],
    ] {
        harmless().args(arguments).assert_refused(&["--rps"]);
    }
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
        launch.assert_refused(&["first.invalid", "--wait"]);
    }

    let report =
        loadgen("--targets http://first.invalid:8000,http://127.0.0.1:1 --duration 0.5 --rps 20 --workers 4").report();
    assert_eq!(report.failed, 10, "{report}");
}

// Where a value comes from.

#[test]
fn a_flag_wins_over_its_variable() {
    let server = Server::allowing();
    let report = server
        .launch("--rps 20 --limit 5")
        .env("TARGETS", "http://127.0.0.1:1")
        .env("RPS", "40")
        .env("LOADGEN_LIMIT", "6")
        .env("DURATION", "0.5")
        .report();
    assert_eq!((report.scheduled, report.allowed), (10, 10), "{report}");
    assert!(server.requests()[0].text().contains(r#""limit":5"#));
}

#[test]
fn a_flag_wins_over_a_variable_that_is_wrong() {
    let server = Server::allowing();
    let launch = server.launch("--rps 20 --duration 0.5 --workers 4");
    let report = launch
        .env("RPS", "fast")
        .env("LOADGEN_WORKERS", "0")
        .report();
    assert_eq!(report.scheduled, 10, "{report}");
}

#[test]
fn every_option_may_come_from_its_variable() {
    let server = Server::allowing();
    let finished = loadgen("")
        .env("TARGETS", &server.url())
        .env("RPS", "20")
        .env("DURATION", "1")
        .env("BURST_ENABLED", "yes")
        .env("BURST_MULTIPLIER", "3")
        .env("BURST_DURATION", "0.25")
        .env("BURST_INTERVAL", "0.5")
        .env("LOADGEN_WORKERS", "1")
        .env("LOADGEN_QUEUE", "100")
        .env("LOADGEN_TIMEOUT", "5")
        .env("LOADGEN_DRAIN_TIMEOUT", "5")
        .env("LOADGEN_STATS_INTERVAL", "0.5")
        .env("LOADGEN_PATH", "/v2")
        .env("LOADGEN_LIMIT", "3")
        .env("LOADGEN_WINDOW", "2s")
        .env("LOADGEN_KEYS", "2")
        .env("LOADGEN_SEED", "7")
        .env("LOADGEN_DEMO", "no")
        .env("LOADGEN_DEMO_LIMITER", "per-node")
        .env("LOADGEN_AUDIT", "auto")
        .env("LOADGEN_PROBE", "no")
        .env("LOADGEN_AUDIT_MEMORY", "1MiB")
        .env("LOADGEN_REUSE_KEYS", "yes")
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
    server.run("--rps 60 --duration 0.5 --workers 1 --keys 2 --seed 7");
    assert_eq!(by_variable, server.keys()[by_variable.len()..]);
}

#[test]
fn spaces_around_the_elements_of_a_list_are_forgiven_or_refused_but_never_sent() {
    let server = Server::allowing();
    let launch = loadgen("--rps 20 --duration 0.5 --workers 4");
    let finished = launch
        .arg("--targets")
        .arg(format!("{0}, {0}", server.url()))
        .finish();
    if finished.code() == Some(0) {
        assert_eq!(finished.report().allowed, 10);
    } else {
        finished.assert_refused(&["--targets"]);
    }
}

// How a value is written.

#[test]
fn a_duration_is_in_seconds_or_says_its_unit() {
    at_once(["0.5", "0.5s", "500ms"], |duration| {
        let server = Server::allowing();
        let report = server.run(format!("--rps 20 --duration {duration} --workers 4"));
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
        let server = Server::allowing();
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
            .env("LOADGEN_DEMO", "0")
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
            let server = Server::allowing();
            let report = server.run(format!("--rps 20 --duration 0.5 {option}"));
            assert_eq!(report.scheduled, 10, "{option}\n{report}");
        },
    );
}

#[test]
fn a_million_a_second_is_accepted() {
    let server = Server::allowing();
    let report =
        server.run("--rps 1000000 --duration 0.02 --workers 2 --queue 10 --drain-timeout 2");
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

#[test]
fn an_option_that_is_given_twice_is_refused() {
    loadgen("plan --rps 5 --rps 6").assert_refused(&["--rps '5'", "only once"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_the_system_refuses_names_the_workers_and_the_limit() {
    let finished = harmless()
        .args(["--workers", "10000"])
        .after("ulimit -v 400000")
        .finish();
    assert_eq!(finished.code(), Some(1), "{finished}");
    for words in [
        "--workers '10000': must be fewer",
        "the limit of 391 MiB of address space (ulimit -v) is met",
    ] {
        assert!(finished.stderr.contains(words), "{finished}");
    }
}

#[test]
fn a_refusal_is_short_whatever_was_typed() {
    let long = "x".repeat(100_000);
    for flag in [
        "--profile",
        "--threshold",
        "--targets",
        "--allowed",
        "--audit",
        "--nothing",
    ] {
        let finished = harmless().args([flag, &long]).finish();
        assert_eq!(finished.code(), Some(2), "{flag}");
        assert!(
            finished.stderr.len() < 4_000,
            "{flag}: {} bytes",
            finished.stderr.len()
        );
    }
}
