//! Slips in a command line, where its options may stand, its short help, and the wait for the first target.

use crate::support::run::loadgen;
use crate::support::server::Server;
use std::net::TcpListener;

/// A typed line, and parts of the line that refuses it. Words are separated by single blanks, as a shell without quotes
/// would separate them.
const SLIPS: &[(&str, &[&str])] = &[
    (
        "plan --profile ramp 10/s to 100/s over 1m",
        &["--profile 'ramp 10/s to 100/s over 1m'", "needs quotes"],
    ),
    (
        "--profile 50/s for 30s --rps 5",
        &["--profile '50/s for 30s'", "needs quotes"],
    ),
    ("--window 1m 30s", &["--window '1m 30s'", "needs quotes"]),
    (
        "plan --targets http://a, http://b",
        &["'http://a, http://b'", "needs quotes"],
    ),
    ("--rsp 10", &["--rsp", "did you mean --rps?"]),
    ("--qps 10", &["--qps", "did you mean --rps?"]),
    (
        "-duration=10s",
        &["-duration", "did you mean --duration=…?"],
    ),
    ("–rps 10", &["'–rps'", "did you mean --rps?"]),
    (
        "plan --profile “50/s for 30s”",
        &["--profile '“50/s'", "a straight quote"],
    ),
    ("plna", &["'plna'", "did you mean plan?"]),
    (
        "--targets http://127.0.0.1:1 --rps 5 plna",
        &["'plna'", "did you mean plan?"],
    ),
    (
        "plan --targets a --targets b",
        &["--targets 'a'", "only once", "commas"],
    ),
    ("plan --rps", &["--rps: needs a value (RATE)"]),
    (
        "plan --rps --workers 5",
        &["--rps: needs a value (RATE) before --workers"],
    ),
    ("plan -q -z 5", &["-q: needs a value (RATE) before -z"]),
    (
        "plan --duration 1m 30s http://127.0.0.1:1",
        &["--duration '1m 30s': a value with spaces needs quotes"],
    ),
    (
        "http://127.0.0.1:1 --demo -n 2",
        &["--demo: must not be given together with URLs"],
    ),
    (
        "localhost:8000/x",
        &["URL 'localhost:8000/x'", "has no http:// or https://"],
    ),
    (
        "http://no-such-name.invalid -n 1",
        &["no target's name has an address: http://no-such-name.invalid"],
    ),
    ("help", &["'help'", "did you mean --help?"]),
    ("--rps 5 plan --rps 6", &["--rps '5'", "only once"]),
    (
        "--rps 5 presets",
        &["--rps: is not an option of loadgen presets"],
    ),
    (
        "report --rps 5 x.json",
        &["--rps: is not an option of loadgen report"],
    ),
    (
        "plan --output x",
        &["--output: is not an option of loadgen plan, but of loadgen merge, loadgen report"],
    ),
    ("plan --help=x", &["--help 'x': takes no value"]),
];

#[test]
fn a_slip_is_refused_in_one_line_that_says_what_was_meant() {
    for (line, says) in SLIPS {
        loadgen(line).assert_refused(says);
    }
}

#[test]
fn a_part_of_an_unquoted_secret_is_not_repeated() {
    for line in [
        "plan --header Authorization: Bearer s3cr3t",
        "plan --rps 5 --header X-Key: s3cr3t.a.b",
        "plan --body {\"a\": s3cr3t}",
        "plan --header “X-Key: s3cr3t”",
        "--header X-Key:a --rps 5 s3cr3t",
    ] {
        let finished = loadgen(line).finish();
        finished.assert_refused(&[]);
        assert!(!finished.stderr.contains("s3cr3t"), "{finished}");
    }
}

#[test]
fn options_may_stand_on_both_sides_of_a_subcommand() {
    let plan = |line: &str| {
        let finished = loadgen(line).env("TARGETS", "http://127.0.0.1:1").finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        finished.stdout()
    };
    let expected = plan("plan --rps 7 --duration 3 --seed 1");
    assert!(expected.contains("7/s"), "{expected}");
    for line in [
        "--rps 7 --duration 3 --seed 1 plan",
        "--rps 7 plan --duration=3 --seed 1",
        "--rps 420/m --seed 1 plan --duration 3s",
    ] {
        assert_eq!(plan(line), expected, "{line}");
    }
    assert!(plan("--demo plan").contains("10/s"));
    for line in [
        "plan --burst-enabled false --no-tui yes",
        "--burst-enabled false --no-tui plan",
    ] {
        assert!(!plan(line).contains("bursts"), "{line}");
    }
}

#[test]
fn the_short_help_is_one_screen_and_the_long_one_is_longer() {
    for line in ["", "plan ", "audit ", "report "] {
        let short = loadgen(format!("{line}-h")).finish();
        let long = loadgen(format!("{line}--help")).finish();
        assert_eq!((short.code(), long.code()), (Some(0), Some(0)), "{short}");
        let lines = short.stdout().lines().count();
        assert!(lines <= 25, "{lines} lines: {short}");
        assert!(long.lines.len() >= lines, "{long}");
    }
}

#[test]
fn a_run_without_a_target_says_what_to_type() {
    // In a network of its own, no name resolves.
    let finished = loadgen("--duration 1").finish();
    assert_eq!(finished.code(), Some(2), "{finished}");
    for words in [
        "no target is given",
        "loadgen --demo",
        "loadgen -h",
        "--help",
    ] {
        assert!(finished.stderr.contains(words), "{finished}");
    }
}

/// A port of this machine on which nobody listens.
fn unused_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_target_that_does_not_answer_in_time_ends_the_wait_with_1() {
    let url = format!("http://127.0.0.1:{}", unused_port());
    let finished = loadgen(format!("--targets {url} --duration 1 --wait 300ms")).finish();
    assert_eq!(finished.code(), Some(1), "{finished}");
    assert!(finished.lines.is_empty(), "{finished}");
    let waiting = format!("waiting up to 300ms for {url}: ");
    assert_eq!(finished.stderr.matches(&waiting).count(), 1, "{finished}");
    let last = format!("--wait '300ms': {url} was not ready in time: ");
    assert!(finished.stderr.contains(&last), "{finished}");
    assert!(finished.stderr.contains("refused"), "{finished}");
}

#[test]
fn a_name_that_does_not_resolve_is_waited_for() {
    let line = "--targets http://first.invalid:8000 --duration 1 --wait 200ms";
    let finished = loadgen(line).finish();
    assert_eq!(finished.code(), Some(1), "{finished}");
    assert!(
        finished.stderr.contains("its name has no address"),
        "{finished}"
    );
}

#[test]
fn a_wait_sends_no_request() {
    let server = Server::allowing();
    let finished = server.launch("--rps 20 --duration 0.5 --wait 30s").finish();
    assert_eq!(finished.report().allowed, 10, "{finished}");
    assert_eq!(server.requests().len(), 10);
    assert_eq!(finished.stderr, "", "{finished}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_and_the_run_is_over() {
    use crate::support::run::Run;
    let url = format!("http://127.0.0.1:{}", unused_port());
    let run = loadgen(format!("--targets {url} --wait 10m --duration 1")).start();
    // The handlers are installed when the run's files are open; before that, the signal ends the process.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let finished = run.ended_by(Run::interrupt, 5.0);
    assert_eq!(finished.report().scheduled, 0, "{finished}");
    let said = "stopped before its first request, while it waited for its first target";
    let text = finished.stdout().replace("\n ", "");
    let words: Vec<_> = text.split_whitespace().collect();
    assert!(words.join(" ").contains(said), "{finished}");
}
