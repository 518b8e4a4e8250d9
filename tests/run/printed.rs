//! The printed lines: what is known early, the verdict first and last, 80 columns, colours, and the time in which the
//! process was stopped.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::support::eventually;
use crate::support::report::Stats;
use crate::support::run::{Finished, loadgen};
use crate::support::server::{Refusing, Reply, Server};

/// The lines that say that requests to a target do nothing but fail, why this has changed, and that it answers again.
fn early(finished: &Finished) -> Vec<&str> {
    let lines = finished.lines.iter().map(|line| &*line.text);
    let is_early = |line: &&str| line.starts_with("All ") || line.starts_with("After ");
    lines.filter(is_early).collect()
}

#[test]
fn a_dead_target_is_named_with_its_reason_once_and_under_each_stats_line() {
    let dead = Refusing::new();
    let url = dead.url();
    let finished = loadgen(format!(
        "--targets {url} --rps 20 --duration 4 --stats-interval 1 --burst-enabled false"
    ));
    let finished = finished.finish();
    let [line] = early(&finished)[..] else {
        panic!("not one line:\n{finished}");
    };
    assert!(line.contains("that ended within the first "), "{line}");
    assert!(
        line.ends_with(&format!(" failed: {url} refused the connection")),
        "{line}"
    );
    let all = finished.lines.iter().map(|line| &*line.text);
    let all: Vec<_> = all.collect();
    let stats = all
        .windows(2)
        .filter(|pair| pair[0].starts_with("Requests:"));
    let stats: Vec<_> = stats.collect();
    assert!(stats.len() >= 3, "{finished}");
    for pair in &stats {
        Stats::parse(pair[0]);
        assert!(pair[1].contains("failed: refused ×"), "{finished}");
    }
    let left = stats
        .iter()
        .filter(|pair| pair[1].contains(" s of 4 s left; "));
    assert!(left.count() >= 2, "{finished}");
}

#[test]
fn a_new_reason_and_the_first_answer_are_reported_once() {
    let turn = AtomicU64::new(0);
    let server = Server::start(move |_| match turn.fetch_add(1, Relaxed) {
        0..60 => Reply::status(503, "Unavailable"),
        60..120 => Reply::status(404, "Not Found"),
        _ => Reply::allowed(),
    });
    let finished = server
        .launch("--rps 30 --duration 8 --burst-enabled false")
        .finish();
    let url = server.url();
    let early = early(&finished);
    let [first, second, third] = early[..] else {
        panic!("not three lines:\n{finished}");
    };
    let failed = format!(" failed: {url} answered with status 503");
    assert!(
        first.starts_with("All ") && first.ends_with(&failed),
        "{first}"
    );
    let changed = format!(" s, still failing: {url} answered with status 404");
    assert!(
        second.starts_with("After ") && second.ends_with(&changed),
        "{second}"
    );
    assert!(
        third.starts_with("After ") && third.ends_with(&format!(" s, {url} answers")),
        "{third}"
    );
}

#[test]
fn one_dead_target_of_several_is_named() {
    let (server, dead) = (Server::allowing(), Refusing::new());
    let (url, alive) = (dead.url(), server.url());
    let finished = loadgen(format!(
        "--targets {alive},{url} --rps 20 --duration 3 --burst-enabled false"
    ));
    let finished = finished.finish();
    let [line] = early(&finished)[..] else {
        panic!("not one line:\n{finished}");
    };
    assert!(
        line.contains(" requests to 1 of 2 targets that ended within the first "),
        "{line}"
    );
    assert!(
        line.ends_with(&format!(": {url} refused the connection")),
        "{line}"
    );
}

#[test]
fn a_run_that_goes_well_prints_none_of_this() {
    let server = Server::allowing();
    let launch = server.launch("--rps 20 --duration 3 --stats-interval 1 --burst-enabled false");
    let finished = launch.finish();
    assert!(early(&finished).is_empty(), "{finished}");
    assert!(finished.lines_with("failed: ").is_empty(), "{finished}");
}

#[test]
fn files_are_listed_with_their_sizes() {
    let server = Server::allowing();
    let place = tempfile::tempdir().expect("a directory");
    let at = |name: &str| place.path().join(name);
    let launch = server.launch("--rps 20 --duration 1");
    let launch = launch.arg("--requests").arg(at("requests.csv"));
    let launch = launch.arg("--report").arg(at("page.html"));
    let finished = launch.finish();
    let [line] = finished.lines_with("Wrote ")[..] else {
        panic!("not one line:\n{finished}");
    };
    let size = |path: &Path| {
        let length = std::fs::metadata(path).expect("a file").len() as f64;
        match length / 1024.0 {
            kib if kib >= 99.95 => format!("{kib:.0} KiB"),
            kib if kib >= 9.995 => format!("{kib:.1} KiB"),
            kib => format!("{kib:.2} KiB"),
        }
    };
    let listed = ["requests.csv", "page.html"].map(|name| {
        let path = at(name);
        format!("{} ({})", path.display(), size(&path))
    });
    assert_eq!(line.text, format!("Wrote {}", listed.join(", ")));
}

#[test]
fn nothing_is_wider_than_80_columns_and_the_verdict_is_first_and_last() {
    let place = tempfile::tempdir().expect("a directory");
    let launch = loadgen(
        "--demo --demo-limiter per-node --limit 5 --window 2s --rps 100 --burst-interval 1 --burst-duration 0.5 \
         --duration 3 --stats-interval 1 --show-secrets",
    );
    let dead = Refusing::new();
    let failing = loadgen(format!(
        "--targets {},{} --rps 40 --duration 3 --stats-interval 1 --audit --workers 1 --queue 1",
        dead.url(),
        Server::allowing().url(),
    ));
    for launch in [launch, failing] {
        let launch = launch.args([
            "--threshold",
            "latency.p99 < 1ns",
            "--threshold",
            "tls.max < 1s",
        ]);
        let launch = launch.arg("--report").arg(place.path().join("page.html"));
        let finished = launch.in_80_columns().finish();
        let text = finished.stdout();
        let unbroken = |line: &&str| line.trim_start().contains(' ');
        let wide = text.lines().filter(|line| line.chars().count() > 80);
        let wide: Vec<_> = wide.filter(unbroken).collect();
        assert!(wide.is_empty(), "{wide:#?}\n{finished}");
        let verdicts: Vec<_> = text
            .split("\n\n")
            .filter(|part| part.starts_with("Verdict: "))
            .collect();
        let [first, last] = verdicts[..] else {
            panic!("not two verdicts:\n{finished}");
        };
        assert_eq!(first, last.trim_end());
        assert!(text.ends_with(last), "{finished}");
        let place = |words: &str| {
            text.find(words)
                .unwrap_or_else(|| panic!("no {words:?}\n{finished}"))
        };
        assert!(place("Verdict: ") < place("Summary: "), "{finished}");
    }
}

/// The text without escape sequences of colours.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let (_, rest) = part
            .split_once('m')
            .expect("an escape sequence of a colour");
        plain + rest
    })
}

#[test]
fn with_its_escapes_removed_a_coloured_text_is_the_plain_one_byte_for_byte() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("requests.csv");
    let rows = "start,end,key,status\n0.1,0.2,a,200\n0.3,0.4,a,200\n0.5,0.6,a,200\n";
    std::fs::write(&file, rows).expect("a file");
    let audit = || {
        let launch = loadgen("audit").arg(&file);
        let columns = "--time start --done end --key key --status status --limit 2 --window 10s --audit sliding-window";
        launch.args(columns.split(' '))
    };
    let printed = |finished: Finished| {
        assert_eq!(finished.code(), Some(4), "{finished}");
        finished.stdout()
    };
    let plain = printed(audit().finish());
    assert!(
        plain.contains("Audit: broken.") && plain.contains("\nVerdict: broken: 3 admitted within "),
        "{plain}"
    );
    for (coloured, launch) in [
        (true, audit().args(["--color", "always"])),
        (true, audit().env("LOADGEN_COLOR", "ALWAYS")),
        (true, audit().args(["--color=always"]).env("NO_COLOR", "1")),
        (true, audit().env("CLICOLOR_FORCE", "1")),
        (
            false,
            audit().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"),
        ),
        (
            false,
            audit()
                .env("CLICOLOR_FORCE", "1")
                .args(["--color", "never"]),
        ),
        (false, audit().env("CLICOLOR_FORCE", "0")),
        (false, audit().env("LOADGEN_COLOR", "")),
    ] {
        let text = printed(launch.finish());
        assert_eq!(text.contains("\x1b[31mbroken\x1b[0m"), coloured, "{text}");
        assert_eq!(without_escapes(&text), plain);
    }
    audit()
        .args(["--color", "red"])
        .assert_refused(&["--color", "'red'", "auto, always or never"]);
    loadgen("--demo")
        .env("LOADGEN_COLOR", "red")
        .assert_refused(&["LOADGEN_COLOR", "'red'", "auto, always or never"]);
}

#[cfg(unix)]
#[test]
fn an_audit_that_was_stopped_before_it_saw_enough_is_inconclusive() {
    // This limiter has no limit. After few requests, it can't be told from one that keeps it.
    let server = Server::allowing();
    let options = "--rps 20 --duration 60 --burst-enabled false --keys 1 --limit 1000 --window 60s --audit --probe false";
    let run = server.launch(options).start();
    eventually("some requests", || server.request_count() >= 10);
    run.terminate();
    let finished = run.finish();
    assert_eq!(finished.code(), Some(3), "{finished}");
    assert_eq!(
        finished.lines_with("Audit: inconclusive. ").len(),
        1,
        "{finished}"
    );
    let verdict = "Verdict: inconclusive: ";
    assert_eq!(finished.lines_with(verdict).len(), 2, "{finished}");
    let stopped = finished.lines_with("         stopped at ");
    assert_eq!(stopped.len(), 2, "{finished}");
    assert!(stopped[0].text.ends_with(" of 60 s"), "{finished}");
    assert_eq!(
        finished.lines_with("Summary: paced for ").len(),
        1,
        "{finished}"
    );
}

/// A process is stopped for this long. It must be over half a second.
#[cfg(unix)]
const STOPPED: Duration = Duration::from_millis(1_500);

#[cfg(unix)]
#[test]
fn after_a_stop_its_time_is_named_and_more_workers_are_not_advised() {
    let server = Server::allowing();
    let run =
        server.launch("--rps 100 --duration 5 --burst-enabled false --summary-json /dev/stderr");
    let run = run.start();
    eventually("some requests", || server.request_count() >= 50);
    run.stop();
    thread::sleep(STOPPED);
    run.go_on();
    let finished = run.finish();
    let statement = &finished.lines_with("schedule not kept: ")[0].text;
    let stopped = "schedule not kept: the process was suspended for ";
    assert!(statement.trim().starts_with(stopped), "{finished}");
    assert!(
        statement.contains(" s (Ctrl-Z or SIGSTOP), so "),
        "{finished}"
    );
    let summary: serde_json::Value = serde_json::from_str(&finished.stderr).expect("a summary");
    let schedule = &summary["schedule"];
    let number = |name: &str| schedule[name].as_u64().expect("a number");
    assert!(number("suspended_ns") >= 1_000_000_000, "{schedule}");
    // At least a second's requests were due meanwhile.
    assert!(number("suspended") >= 100, "{schedule}");
    assert!(
        number("suspended") <= number("late") + number("dropped"),
        "{schedule}"
    );
    // On a machine that is slow besides, some others may be late.
    if number("late") + number("dropped") - number("suspended") < 3 {
        assert!(!statement.contains("--workers"), "{finished}");
    }
    finished.report();
}

#[cfg(unix)]
#[test]
fn a_signal_to_a_process_that_runs_excuses_no_lateness() {
    // One worker can't keep up with this.
    let server = Server::start(|_| Reply::allowed().after(Duration::from_millis(100)));
    let options = "--rps 50 --duration 2 --burst-enabled false --workers 1 --queue 10";
    let run = server.launch(options).start();
    for count in 1..15 {
        eventually("one more request", || server.request_count() >= count);
        run.go_on();
    }
    let finished = run.finish();
    let statement = &finished.lines_with("schedule not kept: ")[0].text;
    assert!(statement.contains("more --workers"), "{finished}");
    assert!(!finished.stdout().contains("stopped"), "{finished}");
}
