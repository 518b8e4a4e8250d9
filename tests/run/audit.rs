//! `--audit`: a whole run prints whether the limit was kept, and its exit code says so.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::metrics;
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Refusing, Reply, Request, Server};
use crate::support::{at_once, seconds};

const INCONCLUSIVE: i32 = 3;
const NOT_KEPT: i32 = 4;

/// The printed audit; empty if there is none.
pub(super) fn audit(finished: &Finished) -> String {
    let stdout = finished.stdout();
    let begins = stdout.find("Audit: ").unwrap_or(stdout.len());
    let audit = &stdout[begins..];
    let behind = ["\n\nThresholds: ", "\n\nWrote ", "\n\nVerdict: "];
    let ends = behind.iter().filter_map(|next| audit.find(next)).min();
    audit[..ends.unwrap_or(audit.len())].to_owned()
}

/// The numbered findings, each with its lines of evidence.
fn findings(finished: &Finished) -> Vec<String> {
    let mut findings: Vec<String> = Vec::new();
    for line in audit(finished).lines() {
        let number = format!("  {}. ", findings.len() + 1);
        match (line.strip_prefix(&number), findings.last_mut()) {
            (Some(first), _) => findings.push(first.to_owned()),
            (None, Some(last)) if line.starts_with("     ") => {
                last.push('\n');
                last.push_str(line.trim_start());
            }
            _ => {}
        }
    }
    findings
}

#[track_caller]
fn assert_verdict(finished: &Finished, verdict: &str, code: i32) {
    let said = audit(finished);
    assert!(
        said.starts_with(&format!("Audit: {verdict}. ")),
        "{finished}"
    );
    assert_eq!(finished.code(), Some(code), "{finished}");
    finished.summary();
}

#[track_caller]
fn assert_says(finished: &Finished, words: &str) {
    assert!(audit(finished).contains(words), "{words:?}\n{finished}");
}

#[track_caller]
fn assert_does_not_say(finished: &Finished, words: &str) {
    assert!(!audit(finished).contains(words), "{words:?}\n{finished}");
}

/// The audit's words for a machine that was too busy.
const TOO_BUSY: [&str; 2] = [
    "the generator did not keep its own schedule",
    "the requests were sent too late",
];

/// The first run for which the machine was not too busy.
#[track_caller]
pub(super) fn undisturbed(run: impl Fn() -> Finished) -> Finished {
    let is_undisturbed = |finished: &Finished| {
        let said = audit(finished);
        !TOO_BUSY.iter().any(|words| said.contains(words))
    };
    let mut last = run();
    for _ in 1..5 {
        if is_undisturbed(&last) {
            break;
        }
        last = run();
    }
    assert!(is_undisturbed(&last), "the machine is too busy: {last}");
    last
}

// A limiter for the tests.

/// The `Retry-After` for a blocked request, given the time until another will be admitted.
pub(super) type RetryAfter = fn(Duration) -> Option<String>;

pub(super) fn rounded_up(wait: Duration) -> Option<String> {
    Some(wait.as_secs_f64().ceil().to_string())
}

/// A sliding log, with a fault if a test adds one. It answers a request by its key.
pub(super) fn limiter(
    limit: usize,
    window: Duration,
    counts_blocked: bool,
    retry_after: RetryAfter,
) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    let logs: Mutex<HashMap<String, VecDeque<Instant>>> = Mutex::default();
    move |key| {
        let mut logs = logs.lock().expect("the logs");
        let log = logs.entry(key.to_owned()).or_default();
        let now = Instant::now();
        while log.front().is_some_and(|first| *first + window <= now) {
            log.pop_front();
        }
        let admitted = log.len() < limit;
        let wait = log.front().map(|first| *first + window - now);
        if admitted || counts_blocked {
            log.push_back(now);
        }
        match wait {
            Some(wait) if !admitted => blocked(retry_after(wait)),
            _ => Reply::allowed(),
        }
    }
}

fn blocked(retry_after: Option<String>) -> Reply {
    let header = retry_after.map_or(String::new(), |said| format!("Retry-After: {said}\r\n"));
    Reply::raw(format!(
        "HTTP/1.1 429 Too Many Requests\r\n{header}Content-Length: 0\r\n\r\n"
    ))
}

/// So many requests in two seconds, and no fault.
pub(super) fn two_seconds(limit: usize) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    limiter(limit, seconds(2.0), false, rounded_up)
}

pub(super) fn start(limiter: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| limiter(&request.key()))
}

/// A server that admits everything.
fn unlimited() -> Server {
    Server::allowing()
}

/// A run with one key, a limit of 5 in 2 s, and several times as many requests.
fn asking(server: &Server, line: &str) -> Launch {
    server.launch(format!(
        "--limit 5 --window 2s --keys 1 --rps 20 --burst-enabled false --workers 16 {line}"
    ))
}

// Demos.

const OFTEN_ENOUGH: &str = "--demo --limit 10 --window 2s --rps 90 --duration 7 --workers 16";

#[test]
fn a_demo_is_audited_by_default_and_kept_by_whatever_its_nodes_share() {
    at_once(["sliding-log", "fixed-window", "token-bucket"], |limiter| {
        for probe in ["--probe", "--probe no"] {
            let line = format!("{OFTEN_ENOUGH} --demo-limiter {limiter} {probe}");
            let finished = undisturbed(|| loadgen(&line).finish());
            assert_verdict(&finished, "kept", 0);
            assert_says(&finished, "Every answer fits ");
            assert_says(&finished, " 10/2s. ");
            assert_eq!(finished.lines_with("  audit  ").len(), 1, "{finished}");
            assert_eq!(findings(&finished), [""; 0], "{finished}");
        }
    });
}

#[test]
fn the_probe_finds_nodes_that_count_alone_whatever_the_load() {
    let finished = loadgen("--demo --demo-limiter per-node --rps 2 --duration 3").finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    assert_says(&finished, " requests of one key were admitted within ");
    assert_says(&finished, "cause: each node counts alone");
    assert!(
        findings(&finished)[0].starts_with("loadgen-probe-"),
        "{finished}"
    );
}

#[test]
fn a_load_that_asks_enough_finds_nodes_that_count_alone() {
    let finished = loadgen(
        "--demo --demo-limiter per-node --probe false --limit 10 --window 2s --keys 1 --key-prefix user \
         --rps 60 --duration 2 --burst-enabled false",
    )
    .finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    assert_says(&finished, "cause: each node counts alone");
    let first = &findings(&finished)[0];
    assert!(first.starts_with("user"), "{finished}");
    assert!(first.contains("was admitted 30 times"), "{finished}");
    assert_does_not_say(&finished, "  probe ");
}

#[test]
fn nodes_that_read_and_write_counts_apart_are_not_said_to_count_alone() {
    let lines = [
        "--limit 10 --window 2s --rps 50",
        "--probe no --limit 10 --window 2s --keys 1 --rps 100",
        // By default, the probe's volleys catch about one race in three.
        "--rps 20",
    ];
    at_once(lines, |line| {
        let finished = loadgen(format!("--demo --demo-limiter racy --duration 3 {line}")).finish();
        assert_verdict(&finished, "broken", NOT_KEPT);
        assert_does_not_say(&finished, "count alone");
    });
}

#[test]
fn an_audit_may_be_turned_off_and_is_off_without_a_demo() {
    let server = unlimited();
    let off = [
        loadgen("--demo --demo-limiter per-node --audit off --rps 20 --duration 1"),
        loadgen("--demo --demo-limiter per-node --rps 20 --duration 1").env("LOADGEN_AUDIT", "off"),
        asking(&server, "--duration 1"),
        asking(&server, "--duration 1").env("LOADGEN_PROBE", "yes"),
    ];
    for launch in off {
        let finished = launch.finish();
        assert_eq!(audit(&finished), "", "{finished}");
        assert!(finished.lines_with("  audit  ").is_empty(), "{finished}");
        assert_eq!(finished.code(), Some(0), "{finished}");
    }
    let on = [
        asking(&server, "--duration 1 --audit"),
        asking(&server, "--duration 1").env("LOADGEN_AUDIT", "auto"),
    ];
    for launch in on {
        assert_verdict(&launch.finish(), "broken", NOT_KEPT);
    }
}

// Runs that prove nothing.

/// The options in `A run of 2s or longer with --rps 43 would give a verdict.`, of which both parts may be missing.
#[track_caller]
fn advised(finished: &Finished, had: &str) -> String {
    let said = audit(finished);
    let advice = said
        .split_once("A run")
        .and_then(|(_, rest)| rest.split_once(" give a verdict."));
    let (advice, _) = advice.unwrap_or_else(|| panic!("no advice:\n{finished}"));
    let part = |before: &str| {
        let (_, rest) = advice.split_once(before)?;
        rest.split(' ').next()
    };
    let mut had = had.split(' ').skip(1).step_by(2);
    let [rps, duration] = [had.next(), had.next()].map(Option::unwrap_or_default);
    format!(
        "--rps {} --duration {}",
        part("--rps ").unwrap_or(rps),
        part(" of ").unwrap_or(duration)
    )
}

#[test]
fn an_inconclusive_audit_says_what_run_would_tell_and_that_one_does() {
    let cases = [
        ("sliding-log", "auto"),
        ("sliding-log", "sliding-window"),
        ("fixed-window", "auto"),
        ("fixed-window", "fixed-window"),
        ("token-bucket", "auto"),
        ("token-bucket", "token-bucket"),
    ];
    at_once(cases, |(limiter, promise)| {
        let demo = format!(
            "--demo --demo-limiter {limiter} --audit {promise} --probe no --keys 7 --limit 10 --window 2s \
             --workers 16"
        );
        let run = |line: &str| undisturbed(|| loadgen(format!("{demo} {line}")).finish());
        let first = "--rps 7 --duration 1";
        let finished = run(first);
        assert_verdict(&finished, "inconclusive", INCONCLUSIVE);
        assert_says(&finished, "no key had more than 1 request within 2s");
        let second = advised(&finished, first);
        let mut finished = run(&second);
        // A limiter may turn out to have windows of a clock.
        if audit(&finished).contains("inconclusive") {
            assert_eq!((limiter, promise), ("fixed-window", "auto"), "{finished}");
            finished = run(&advised(&finished, &second));
        }
        assert_verdict(&finished, "kept", 0);
    });
}

#[test]
fn nothing_proved_is_no_failure_of_a_demo_whose_audit_nobody_asked_for() {
    for (line, code) in [
        ("", 0),
        ("--audit", INCONCLUSIVE),
        ("--audit auto", INCONCLUSIVE),
    ] {
        let line = format!("--demo --probe no --rps 20 --duration 1 {line}");
        let finished = undisturbed(|| loadgen(&line).finish());
        assert_verdict(&finished, "inconclusive", code);
    }
}

#[test]
fn keys_that_are_never_asked_for_twice_test_nothing() {
    let line = "--demo --audit --probe no --keys 0 --rps 20 --duration 1";
    let finished = undisturbed(|| loadgen(line).finish());
    assert_verdict(&finished, "inconclusive", INCONCLUSIVE);
    assert_says(&finished, "Give --keys");
}

#[test]
fn a_cluster_that_does_not_answer_is_not_said_to_keep_a_limit() {
    let refusing = Refusing::new();
    let line = "--rps 50 --duration 1 --limit 5 --window 2s --audit";
    let line = format!("--targets {} {line}", refusing.url());
    let finished = undisturbed(|| loadgen(&line).finish());
    assert_verdict(&finished, "inconclusive", INCONCLUSIVE);
    assert_says(&finished, "No request reached the limiter");
    assert_does_not_say(&finished, "would give a verdict");
}

const TOO_FAST_FOR_ONE: &str =
    "--audit --probe no --rps 100 --workers 1 --duration 2 --drain-timeout 1";

/// A server that answers after 50 ms.
fn slow(limiter: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| limiter(request).after(seconds(0.05)))
}

#[test]
fn a_run_that_did_not_keep_its_schedule_proves_a_breach_but_not_that_the_limit_was_kept() {
    let limiter = two_seconds(5);
    let kept = slow(move |request| limiter(&request.key()));
    let broken = slow(|_| Reply::allowed());
    for (server, verdict, code) in [
        (kept, "inconclusive", INCONCLUSIVE),
        (broken, "broken", NOT_KEPT),
    ] {
        let line = format!("--limit 5 --window 2s --keys 1 {TOO_FAST_FOR_ONE}");
        let finished = server.launch(line).finish();
        assert_verdict(&finished, verdict, code);
        assert!(!finished.summary().schedule_kept, "{finished}");
        if verdict == "inconclusive" {
            assert_says(&finished, "schedule");
        }
    }
}

#[test]
fn requests_that_wait_for_their_own_target_do_not_make_an_audit_inconclusive() {
    let limiter = Arc::new(two_seconds(5));
    let finished = undisturbed(|| {
        let [prompt, slow] = [0.0, 0.1].map(|delay| {
            let limiter = limiter.clone();
            Server::start(move |request| limiter(&request.key()).after(seconds(delay)))
        });
        // The slow one can hold five workers, so it gets 50 requests a second at most, of 100.
        let targets = format!("{},{}", prompt.url(), slow.url());
        let options = "--audit sliding-window --probe no --rps 200 --burst-enabled false --duration 3 --workers 6";
        loadgen(format!(
            "--targets {targets} --limit 5 --window 2s --keys 1 {options}"
        ))
        .finish()
    });
    // On a busy machine, answers may take too long for a verdict. Then that is the reason.
    let summary = finished.summary();
    assert!(summary.schedule_kept, "{finished}");
    assert_does_not_say(&finished, "did not keep its own schedule");
    assert!(summary.send_lag.max > Some(seconds(0.5)), "{finished}");
}

#[test]
fn a_limit_that_was_exceeded_only_if_the_unanswered_were_admitted_is_suspect() {
    let counts = Mutex::new(HashMap::new());
    let server = Server::start(move |request| {
        let mut counts = counts.lock().expect("the counts");
        let count = counts.entry(request.key()).or_insert(0);
        *count += 1;
        match *count {
            ..=5 => Reply::allowed(),
            6 | 7 => Reply::silence(),
            _ => Reply::blocked(),
        }
    });
    let line = "--audit sliding-window --probe no --limit 5 --window 20s --keys 1 --rps 20 --workers 16 \
                --duration 2 --timeout 1";
    let finished = undisturbed(|| server.launch(line).finish());
    assert_verdict(&finished, "suspect", INCONCLUSIVE);
    assert_eq!(finished.summary().failed_by("timeout"), 2, "{finished}");
    assert_says(
        &finished,
        "if the unanswered requests (2 of them) were admitted",
    );
}

// Limiters with a fault each.

#[test]
fn one_more_than_the_limit_breaks_it() {
    let server = start(two_seconds(6));
    let finished = asking(&server, "--duration 3 --audit sliding-window").finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    let first = &findings(&finished)[0];
    assert!(first.contains("was admitted 6 times"), "{finished}");
    assert_does_not_say(&finished, "count alone");
}

#[test]
fn a_limiter_that_counts_blocked_requests_blocks_some_that_should_pass() {
    let server = start(limiter(5, seconds(2.0), true, rounded_up));
    let finished = asking(&server, "--duration 5 --audit sliding-window --probe no").finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    assert_says(&finished, "that it had to let pass by sliding-window 5/2s");
    assert_says(&finished, "blocked requests should have passed");
    assert_says(&finished, "blocked requests count too");
}

#[test]
fn what_is_wrong_with_retry_after_is_said_and_is_no_breach() {
    let cases: [(RetryAfter, &str); 5] = [
        (
            |wait| Some(wait.as_millis().to_string()),
            "it looks like milliseconds",
        ),
        (
            |wait| Some(wait.as_secs().to_string()),
            "it looks rounded down",
        ),
        (
            |_| Some("1764170000".to_owned()),
            "Retry-After was 1764170000, which is a Unix time, not seconds",
        ),
        (
            |_| Some("soon".to_owned()),
            "Retry-After was \"soon\", which is neither whole seconds nor an HTTP-date",
        ),
        (rounded_up, ""),
    ];
    at_once(cases, |(retry_after, words)| {
        let server = start(limiter(5, seconds(2.5), false, retry_after));
        let line = "--limit 5 --window 2500ms --keys 1 --rps 20 --burst-enabled false --duration 4 \
                    --audit sliding-window";
        let finished = undisturbed(|| server.launch(line).finish());
        assert_verdict(&finished, "kept", 0);
        let findings = findings(&finished);
        if words.is_empty() {
            assert_eq!(findings, [""; 0], "{finished}");
            assert_says(&finished, "Retry-After checked ");
            return;
        }
        assert_eq!(findings.len(), 1, "{finished}");
        for words in [words, &server.url(), "loadgen-probe-"] {
            assert!(findings[0].contains(words), "{words}\n{finished}");
        }
    });
}

// The requests that are audited.

#[test]
fn requests_that_name_no_key_are_audited_as_one_key_and_not_probed() {
    let keyless = "--method GET --path / --body= --keys 7 --limit 5 --window 2s";
    let limiter = two_seconds(5);
    let kept = Server::start(move |_| limiter("all"));
    let broken = unlimited();
    for (server, verdict, code) in [(&kept, "kept", 0), (&broken, "broken", NOT_KEPT)] {
        let line = format!("{keyless} --rps 20 --duration 3 --audit sliding-window");
        let finished = undisturbed(|| {
            let before = server.request_count();
            let finished = server.launch(&line).finish();
            let asked = server.request_count() - before;
            assert_eq!(asked, finished.summary().sent, "{finished}");
            finished
        });
        assert_verdict(&finished, verdict, code);
        assert_says(&finished, " of 1\n");
        assert_does_not_say(&finished, "  probe ");
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_is_audited_up_to_then() {
    let kept = start(two_seconds(5));
    let broken = unlimited();
    for (server, verdict, code) in [(&kept, "kept", 0), (&broken, "broken", NOT_KEPT)] {
        let finished = undisturbed(|| {
            let line = "--duration 0 --stats-interval 1 --audit sliding-window --probe no";
            let run = asking(server, line).start();
            run.await_line("Requests: ");
            run.interrupt();
            run.finish()
        });
        assert_verdict(&finished, verdict, code);
    }
}

#[test]
fn an_audit_with_little_memory_is_of_a_sample_and_finds_what_is_broken_all_the_same() {
    let server = unlimited();
    let line = "--limit 1 --window 60s --keys 2000 --rps 1000 --duration 5 --burst-enabled false";
    let finished = server
        .launch(format!("{line} --audit --probe no --audit-memory 1MiB"))
        .finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    assert_says(&finished, "a sample of ");
}

#[test]
fn the_probes_requests_are_beside_the_load_and_not_counted_with_it() {
    let server = start(two_seconds(5));
    let line = "--duration 3 --audit sliding-window --metrics-addr 127.0.0.1:0 --metrics-linger 20";
    let run = asking(&server, line).start();
    let address = metrics::address(&run);
    run.await_line("metrics stay available at");
    let metrics = metrics::scrape(address);
    run.interrupt();
    let finished = run.finish();
    let report = finished.summary();
    assert_eq!((report.scheduled, report.sent), (60, 60), "{report}");
    assert!(server.request_count() > 60, "{finished}");
    let sent = metrics.sum("loadgen_requests_sent_total");
    assert_eq!(sent, 60.0, "{finished}");
    let beside = server.request_count() - report.sent;
    assert_says(
        &finished,
        &format!("{beside} requests in addition to the load"),
    );
}

#[test]
fn a_429_without_retry_after_is_a_remark_and_no_finding() {
    let server = start(limiter(5, seconds(2.0), false, |_| None));
    let line = "--duration 3 --audit sliding-window";
    let finished = undisturbed(|| asking(&server, line).finish());
    assert_verdict(&finished, "kept", 0);
    assert_eq!(findings(&finished), [""; 0], "{finished}");
    assert_says(
        &finished,
        "a request was blocked with 429 and no Retry-After",
    );
}

#[test]
fn processes_behind_one_port_that_count_alone_are_found_by_fresh_connections() {
    let limiter = limiter(5, seconds(60.0), false, rounded_up);
    let server = Server::start(move |request: &Request| {
        let process = request.connection % 4;
        limiter(&format!("{} {process}", request.key()))
    });
    let line = "--limit 5 --window 60s --keys 1 --rps 1 --duration 3 --workers 1 --audit";
    assert_verdict(&server.launch(line).finish(), "broken", NOT_KEPT);
}

/// Runs against servers that are nodes of one limiter, and expects the cause, with these words, in text, JSON and page.
#[track_caller]
fn assert_names_cause(servers: &[Server], options: &str, cause: &str, words: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let (json, page) = (place.path().join("run.json"), place.path().join("run.html"));
    let targets: Vec<_> = servers.iter().map(Server::url).collect();
    let line = format!(
        "--targets {} --burst-enabled false {options}",
        targets.join(",")
    );
    let finished = loadgen(line)
        .arg("--summary-json")
        .arg(&json)
        .arg("--report")
        .arg(&page)
        .finish();
    assert_verdict(&finished, "broken", NOT_KEPT);
    assert_says(&finished, &format!("  cause: {words}"));
    let read = |path| std::fs::read_to_string(path).expect("a result");
    let summary: serde_json::Value = serde_json::from_str(&read(json)).expect("JSON");
    let causes = summary["audit"]["causes"].as_array().expect("causes");
    let named = causes.iter().find(|one| one["cause"] == cause);
    let named = named.unwrap_or_else(|| panic!("{causes:?}"));
    let statement = named["statement"].as_str().expect("a statement");
    assert!(statement.starts_with(words), "{statement}");
    assert!(!named["evidence"].as_array().expect("evidence").is_empty());
    assert!(read(page).contains(words), "{words}");
}

const SIXTY_SECONDS: &str = "--limit 6 --window 60s --keys 1 --rps 1 --duration 3 --audit";

#[test]
fn connections_that_count_alone_are_named_in_every_result() {
    let limiter = limiter(6, seconds(60.0), false, rounded_up);
    let server = Server::start(move |request: &Request| {
        limiter(&format!("{} {}", request.key(), request.connection % 4))
    });
    let cause = "each process or connection counts alone";
    let words = format!(
        "each process or connection of {} counts alone",
        server.url()
    );
    assert_names_cause(&[server], SIXTY_SECONDS, cause, &words);
}

#[test]
fn requests_that_are_counted_twice_are_named_in_every_result() {
    let counts: Mutex<HashMap<String, usize>> = Mutex::default();
    let server = Server::start(move |request: &Request| {
        let mut counts = counts.lock().expect("the counts");
        let count = counts.entry(request.key()).or_default();
        let (status, counted) = if *count + 2 <= 12 {
            ("200 OK", 2)
        } else {
            ("429 Too Many Requests", 0)
        };
        *count += counted;
        let left = 12 - *count;
        Reply::raw(format!(
            "HTTP/1.1 {status}\r\nX-RateLimit-Limit: 12\r\nX-RateLimit-Remaining: {left}\r\nContent-Length: 0\r\n\r\n"
        ))
    });
    let options = "--limit 12 --window 60s --keys 1 --rps 4 --duration 3 --audit sliding-window";
    let words = "requests are counted twice";
    assert_names_cause(&[server], options, words, words);
}

#[test]
fn a_race_is_named_in_every_result() {
    // Each request reads the count when it comes, and adds to it 20 ms later.
    let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let node = |_| {
        let counts = counts.clone();
        Server::start(move |request: &Request| {
            let read = |added| {
                let mut counts = counts.lock().expect("the counts");
                let count = counts.entry(request.key()).or_default();
                *count += added;
                *count
            };
            if read(0) >= 6 {
                return blocked(None);
            }
            std::thread::sleep(seconds(0.02));
            read(1);
            Reply::allowed()
        })
    };
    let servers = [0, 1, 2, 3].map(node);
    let cause = "overlapping requests race each other";
    assert_names_cause(
        &servers,
        &format!("{SIXTY_SECONDS} sliding-window"),
        cause,
        "requests that overlap race each other",
    );
}

#[test]
fn every_second_volley_of_the_probe_goes_over_connections_of_its_own() {
    let server = start(two_seconds(5));
    let line = "--limit 5 --window 60s --keys 1 --rps 1 --duration 1.5 --audit --workers 2";
    server.launch(line).finish();
    let mut flooded: Vec<Request> = server.requests();
    flooded.retain(|request| request.key().starts_with("loadgen-probe-"));
    let key = flooded.first().expect("a probe").key();
    flooded.retain(|request| request.key() == key);
    let in_use = |request: &Request| {
        let requests = server.requests();
        let same = requests
            .iter()
            .filter(|one| one.connection == request.connection);
        same.count()
    };
    let (fresh, kept): (Vec<_>, Vec<_>) = flooded.iter().partition(|one| in_use(one) == 1);
    assert!(
        kept.len() >= 5 && kept.len().abs_diff(fresh.len()) <= 1,
        "{} {}",
        kept.len(),
        fresh.len()
    );
}
