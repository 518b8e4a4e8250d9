//! The results of stripes, merged by `loadgen merge`.

use crate::support::run::{Finished, Run, loadgen};
use crate::support::server::{Reply, Server};
use crate::support::{eventually, valid_json};
use jiff::{SignedDuration, Timestamp};
use loadgen::core::summary::Summary;
use loadgen::core::threshold::Met;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// A new folder.
fn folder() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("merge-{number}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// An instant in so many seconds, in which each of several processes has started.
fn in_seconds(seconds: i64) -> String {
    let now: Timestamp = SystemTime::now().try_into().expect("an instant");
    (now + SignedDuration::from_secs(seconds)).to_string()
}

/// Starts the stripes with these indexes of `of`, each of which writes its summary to the folder.
fn stripes(
    folder: &Path,
    server: &Server,
    options: &str,
    indexes: impl IntoIterator<Item = u64>,
    of: u64,
) -> Vec<(u64, Run)> {
    let start = in_seconds(6);
    let launch = |index| {
        let options = format!("{options} --seed 5 --stripe {index}/{of} --start-at {start}");
        let file = folder.join(format!("stripe-{index}.json"));
        let file = file.to_str().expect("UTF-8");
        let launch = server.launch(options).args(["--summary-json", file]);
        (index, launch.start())
    };
    indexes.into_iter().map(launch).collect()
}

fn all_finished(runs: Vec<(u64, Run)>) -> Vec<Finished> {
    runs.into_iter().map(|(_, run)| run.finish()).collect()
}

fn merge(folder: &Path, options: &[&str]) -> Finished {
    loadgen("merge").arg(folder).args(options).finish()
}

/// The merged summary that a file has, which must be valid by its schema.
#[track_caller]
fn read(file: &Path) -> Summary {
    let text = fs::read_to_string(file).expect("a summary");
    valid_json(&text, "summary");
    Summary::from_json(&text).expect("a summary")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A server that blocks and fails some requests.
fn limiting() -> Server {
    let count = AtomicU64::new(0);
    Server::start(move |_: &_| match count.fetch_add(1, Relaxed) % 10 {
        0..=5 => Reply::allowed(),
        6..=8 => Reply::blocked(),
        _ => Reply::status(503, "Service Unavailable"),
    })
}

#[test]
fn four_processes_have_the_result_that_their_server_counted() {
    let server = limiting();
    let folder = folder();
    let options = "--profile 50/s --duration 2 --limit 10 --threshold failed.rate<50% --threshold blocked.count>1000 \
                   --threshold send_lag.p50<5s";
    let finished = all_finished(stripes(&folder, &server, options, 0..4, 4));
    for (index, finished) in finished.iter().enumerate() {
        assert_eq!(finished.code(), Some(0), "{finished}");
        let stdout = finished.stdout();
        let verdict = format!("Verdict: stripe {index} of 4: 25 requests sent.");
        assert!(stdout.contains(&verdict), "{finished}");
        assert!(
            stdout.contains("loadgen merge judges it on all stripes"),
            "{finished}"
        );
    }
    let all = folder.join("all.json");
    let (page, markdown) = (folder.join("all.html"), folder.join("all.md"));
    let merged = merge(
        &folder,
        &[
            "--output",
            text(&all),
            "--report",
            text(&page),
            "--summary-markdown",
            text(&markdown),
        ],
    );
    let summary = read(&all);
    let of = &summary.requests;
    assert_eq!((of.scheduled, of.sent), (100, 100), "{merged}");
    assert_eq!(server.request_count(), 100);
    assert_eq!(
        (of.allowed, of.blocked, of.failed),
        (60, 30, 10),
        "{merged}"
    );
    assert_eq!(summary.latency.count, 90);
    assert_eq!(summary.send_lag.count, 100);
    let parts = summary.merged.as_ref().expect("merged");
    assert_eq!((parts.of, parts.stripes.len(), parts.unknown), (4, 4, 0));
    let sent: u64 = parts.stripes.iter().map(|stripe| stripe.sent).sum();
    assert_eq!(sent, 100);
    assert_eq!(merged.code(), Some(4), "{merged}");
    assert_eq!(summary.exit_code, 4);
    let mets: Vec<_> = summary.thresholds.iter().map(|one| one.met).collect();
    // A busy machine may not have kept its schedule.
    assert!(
        [Met::Missed, Met::Unsupported].contains(&mets[1]) && mets[2] == Met::Met,
        "{merged}"
    );
    assert!(!summary.configuration.command.contains("--stripe"));
    let stdout = merged.stdout();
    assert!(
        stdout.contains("scheduled 100 = sent 100 + dropped 0 + unsent 0"),
        "{merged}"
    );
    assert!(stdout.contains("\n  stripes  4 of 4\n"), "{merged}");
    let page = fs::read_to_string(&page).expect("a page");
    assert!(page.contains("id=\"all-stripes\"") && page.contains("stripe-3.json"));
    let markdown = fs::read_to_string(&markdown).expect("Markdown");
    assert!(markdown.contains("| stripe | scheduled |"), "{markdown}");

    // A merged summary is a summary like others, and is no stripe if it lies in the folder.
    let report = loadgen("report").arg(&all).args(["--output", "-"]).finish();
    assert_eq!(report.code(), Some(0), "{report}");
    let compared = loadgen("compare")
        .arg(&all)
        .arg(folder.join("stripe-0.json"))
        .finish();
    assert_eq!(compared.code(), Some(0), "{compared}");
    let again = merge(&folder, &["--output", text(&all)]);
    assert_eq!(again.code(), Some(4), "{again}");
    assert_eq!(read(&all), summary);
    let to_standard_output = merge(&folder, &["--output", "-"]);
    valid_json(&to_standard_output.stdout(), "summary");
}

#[test]
fn a_killed_stripe_is_missing_and_one_that_was_stopped_left_the_rest_unsent() {
    let server = Server::allowing();
    let folder = folder();
    let options = "--profile 40/s --duration 4 --threshold latency.p99<10s --threshold allowed.count>1000 \
                   --threshold target[1].failed.rate<1% --threshold phase[steady].sent.count<10";
    let runs = stripes(&folder, &server, options, 0..4, 4);
    for (_, run) in &runs {
        run.await_line("stripe");
    }
    // All have begun.
    while server.request_count() < 50 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut runs = runs;
    let (_, killed) = runs.remove(3);
    let id = killed.id().to_string();
    Command::new("kill")
        .args(["-KILL", &id])
        .status()
        .expect("kill");
    runs[1].1.interrupt();
    let finished = all_finished(runs);
    assert_eq!(finished[1].code(), Some(0), "{}", finished[1]);
    killed.finish();
    let all = folder.join("all.json");
    let merged = merge(
        &folder,
        &["--stripes", "4", "--wait", "1", "--output", text(&all)],
    );
    let summary = read(&all);
    let parts = summary.merged.as_ref().expect("merged");
    let missing: Vec<_> = parts.missing.iter().map(|one| one.index).collect();
    assert_eq!((&missing[..], parts.unknown), (&[3][..], 40), "{merged}");
    assert_eq!(summary.requests.scheduled, 120, "{merged}");
    assert!(summary.requests.balances());
    let stopped = &parts.stripes[1];
    assert!(stopped.interrupted && stopped.unreached > 0, "{merged}");
    assert_eq!(stopped.scheduled + stopped.unreached, 40);
    // Whatever became of 40 requests, there were not more than 1,000.
    let mets: Vec<_> = summary.thresholds.iter().map(|one| one.met).collect();
    assert!(mets.iter().all(|met| *met != Met::Met), "{merged}");
    assert_eq!((mets[3], merged.code()), (Met::Missed, Some(4)), "{merged}");
    // The schedule of a stripe that was stopped went on.
    let slots = summary.timeline.slots.iter().take(4);
    let rates: Vec<_> = slots.map(|slot| slot.asked).collect();
    assert_eq!(rates, [30.0; 4], "{merged}");
    assert_eq!(summary.run.asked_per_s, Some(30.0), "{merged}");
    let stdout = merged.stdout();
    for expected in [
        "stripe 3 of 4 is missing. The outcomes of its 40 requests are unknown",
        "stripe-1.json) stopped at ",
        "1 of 4 stripes was stopped",
    ] {
        assert!(stdout.contains(expected), "{expected}: {merged}");
    }
    assert!(!stdout.contains("waited for the last answers"), "{merged}");
}

#[test]
fn a_command_that_failed_is_in_the_verdict_of_all_and_nobody_saw_it_without_its_stripe() {
    let server = Server::allowing();
    let folder = folder();
    let start = in_seconds(6);
    let launch = |index| {
        let file = folder.join(format!("stripe-{index}.json"));
        let options =
            format!("--profile 20/s --duration 1 --seed 5 --stripe {index}/2 --start-at {start}");
        let launch = server.launch(options).args(["--at", "500ms false"]);
        launch.args(["--summary-json", text(&file)]).start()
    };
    let finished = [0, 1].map(launch).map(Run::finish);
    assert_eq!(finished[0].code(), Some(1), "{}", finished[0]);
    let both = merge(&folder, &[]);
    assert_eq!(both.code(), Some(1), "{both}");
    let stdout = both.stdout();
    assert!(
        stdout.contains("Verdict: the command of false failed: exit code 1\n"),
        "{both}"
    );
    let second = loadgen("merge").arg(folder.join("stripe-1.json")).finish();
    assert_eq!(second.code(), Some(3), "{second}");
    let expected = "  false was to begin 500 ms after the start; stripe 0, which runs its command if it has one, is missing";
    assert!(second.stdout().contains(expected), "{second}");
    // An escape sequence in a file does not reach a terminal.
    let first = folder.join("stripe-0.json");
    let changed = fs::read_to_string(&first)
        .expect("a summary")
        .replace("exit code 1", "exit \\u001b[2J");
    fs::write(&first, changed).expect("a file");
    let words = [
        "stripe-0.json",
        "events[0].command.error has a control character",
    ];
    loadgen("merge").arg(&folder).assert_refused(&words);
}

#[test]
fn a_merge_waits_for_stripes_that_are_not_done() {
    let server = Server::allowing();
    let folder = folder();
    let runs = stripes(&folder, &server, "-n 20 --rps 40", 0..2, 2);
    let finished = merge(&folder, &["--wait", "60s", "--stripes", "2"]);
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert!(finished.stderr.contains("waiting up to "), "{finished}");
    assert!(finished.stdout().contains("sent 20 "), "{finished}");
    all_finished(runs);
}

/// Copies a stripe's summary as that of an earlier run, which started an hour before.
fn copy_earlier(file: &Path, copy: &Path, start: &str) -> String {
    let at: Timestamp = start.parse().expect("an instant");
    let earlier = format!("{:.3}", at - SignedDuration::from_secs(3_600));
    let summary = fs::read_to_string(file).expect("a summary");
    let changed = summary.replace(start, &earlier);
    assert_ne!(changed, summary);
    fs::write(copy, changed).expect("a file");
    earlier
}

#[test]
fn a_merge_waits_for_the_stripes_of_a_start_and_passes_over_those_of_an_earlier_run() {
    let server = Server::allowing();
    let (source, results) = (folder(), folder());
    all_finished(stripes(&source, &server, "-n 20 --rps 40", 0..2, 2));
    let names = ["stripe-0.json", "stripe-1.json"];
    let parts = read(&source.join(names[0])).stripe.expect("a stripe");
    let start = parts.start.as_str();
    let mut earlier = String::new();
    for name in names {
        earlier = copy_earlier(&source.join(name), &results.join(name), start);
    }
    let further = results.join("further.json");
    fs::copy(results.join(names[0]), &further).expect("a copy");

    let refused = loadgen("merge").arg(&results).args(["--start-at", start]);
    let by = format!("must have started at {start}, by --start-at; it started at {earlier}");
    refused.assert_refused(&["FILE", "further.json", &by]);
    let refused = loadgen("merge --start-at next-minute").arg(&results);
    refused.assert_refused(&["--start-at", "'next-minute'", "must be an instant"]);
    let none = merge(&results, &["--wait", "0", "--start-at", start]);
    assert_eq!(none.code(), Some(2), "{none}");
    let expected = format!("must be a summary of a stripe that started at {start}");
    assert!(none.stderr.contains(&expected), "{none}");

    let stderr = source.join("stderr");
    let waiting = loadgen("merge --wait 60s --stripes 2").arg(&results);
    // The same instant in another form.
    let offset = start.replace('Z', "+00:00");
    let waiting = waiting.args(["--start-at", &offset]);
    let waiting = waiting
        .after(&format!("exec 2>'{}'", text(&stderr)))
        .start();
    let said = || fs::read_to_string(&stderr).unwrap_or_default();
    eventually("no stripe of this start", || {
        said().contains("0 stripes of 2 read")
    });
    for (name, read) in names.into_iter().zip(1..) {
        let whole = results.join("whole");
        fs::copy(source.join(name), &whole).expect("a copy");
        fs::rename(&whole, results.join(name)).expect("a summary");
        let progress = format!("{read} stripe of 2 read");
        if read == 1 {
            eventually("one stripe of this start", || said().contains(&progress));
        }
    }
    let finished = waiting.finish();
    assert_eq!(finished.code(), Some(0), "{finished}");
    assert!(finished.stdout().contains("sent 20 "), "{finished}");
    let ignored = format!("further.json' started at {earlier}, not at {start}, and is ignored");
    assert_eq!(said().matches(&ignored).count(), 1, "{}", said());
    assert_eq!(said().matches("ignored").count(), 1, "{}", said());
    assert!(!said().contains("were there"), "{}", said());

    // Without a start, all that were there before are taken, and another start is refused.
    fs::remove_file(&further).expect("a file");
    let there = merge(&results, &["--wait", "60s"]);
    assert_eq!(there.code(), Some(0), "{there}");
    let line = format!(
        "the summaries of all 2 stripes were there before this merge began; they started at {start}"
    );
    assert_eq!(there.stderr.matches(&line).count(), 1, "{there}");
    assert_eq!(there.stderr.lines().count(), 1, "{there}");
    let at_once = merge(&results, &[]);
    assert!(!at_once.stderr.contains("were there"), "{at_once}");
    copy_earlier(&source.join(names[1]), &results.join(names[1]), start);
    let mixed = loadgen("merge --wait 60s").arg(&results);
    mixed.assert_refused(&["of another run", "--start-at INSTANT waits"]);
}

#[test]
fn the_audit_of_all_needs_the_clock_error_of_a_stripe_that_does_not_know_it() {
    let server = Server::allowing();
    let folder = folder();
    let requests = |index| format!("--requests {}/{index}.csv", folder.display());
    let start = in_seconds(6);
    let options = "-n 20 --rps 40 --seed 5 --audit sliding-window --limit 5 --window 2s --threshold audit=kept --threshold event[boom].latency.p99<1s --at";
    let launch = |index: u64| {
        let launch = server.launch(format!(
            "--stripe {index}/2 --start-at {start} {}",
            requests(index)
        ));
        let launch = launch.args(options.split(' ')).arg("200ms boom = true");
        let file = folder.join(format!("stripe-{index}.json"));
        launch.args(["--summary-json", text(&file)]).start()
    };
    for finished in [0, 1].map(launch).map(Run::finish) {
        let stdout = finished.stdout();
        for expected in [
            ". Thresholds on events stay unknown in the merged result, since what events did is not merged\n",
            "loadgen audit judges it, by the --requests files of all stripes\n",
            "unknown in the merged result, too, since what events did is not merged\n",
            "makes one result of all stripes. Thresholds on events stay unknown in it",
        ] {
            assert!(stdout.contains(expected), "{expected}: {finished}");
        }
        assert!(!stdout.contains("judges it on all stripes"), "{finished}");
    }
    let (page, markdown) = (folder.join("all.html"), folder.join("all.md"));
    let (pages, hint) = (
        [
            "--report",
            text(&page),
            "--summary-markdown",
            text(&markdown),
        ],
        "so add --clock-error TIME to that command",
    );
    let set = |index: u64, error: Option<u64>| {
        let file = folder.join(format!("stripe-{index}.json"));
        let mut summary = read(&file);
        summary.run.clock_error_ns = error;
        fs::write(&file, serde_json::to_string(&summary).expect("JSON")).expect("a file");
    };
    set(0, Some(1_000));
    set(1, Some(1_000));
    let known = merge(&folder, &pages);
    assert!(!known.stdout().contains(hint), "{known}");
    assert!(!fs::read_to_string(&page).expect("a page").contains(hint));
    set(1, None);
    let unknown = merge(&folder, &pages);
    let expected = format!("stripe 1 does not know how far its clock may be off, {hint}");
    assert!(unknown.stdout().contains(&expected), "{unknown}");
    for file in [&page, &markdown] {
        let written = fs::read_to_string(file).expect("a page");
        assert!(written.contains(hint), "{written}");
    }
}

#[cfg(unix)]
#[test]
fn a_stripe_that_was_suspended_is_named() {
    let server = Server::allowing();
    let folder = folder();
    let runs = stripes(&folder, &server, "--profile 60/s --duration 4", 0..2, 2);
    eventually("some requests", || server.request_count() >= 20);
    runs[1].1.stop();
    let before = server.request_count();
    // Stripe 0 goes on meanwhile: 45 of its requests take 1.5 s.
    eventually("a time", || server.request_count() >= before + 45);
    runs[1].1.go_on();
    all_finished(runs);
    let all = folder.join("all.json");
    let merged = merge(&folder, &["--output", text(&all)]);
    let summary = read(&all);
    let parts = summary.merged.as_ref().expect("merged");
    assert!(parts.stripes[1].suspended_ns > 500_000_000, "{merged}");
    assert_eq!(parts.stripes[0].suspended_ns, 0, "{merged}");
    let stdout = merged.stdout();
    for expected in [
        "schedule not kept: stripe 1 was suspended for ",
        "         stripe 1 was suspended for ",
        "stripe-1.json) suspended for ",
        "by stripe 1",
    ] {
        assert!(stdout.contains(expected), "{expected}: {merged}");
    }
    assert!(!stdout.contains("stopped"), "{merged}");
}

#[test]
fn a_file_that_is_still_being_copied_is_read_again_and_refused_only_at_the_end_of_the_wait() {
    let server = Server::allowing();
    let (source, copy) = (folder(), folder());
    all_finished(stripes(&source, &server, "-n 20 --rps 40", 0..2, 2));
    let whole = fs::read(source.join("stripe-1.json")).expect("a summary");
    let (first, second) = (copy.join("stripe-0.json"), copy.join("stripe-1.json"));
    fs::copy(source.join("stripe-0.json"), &first).expect("a copy");
    fs::write(&second, &whole[..whole.len() / 2]).expect("a file");
    let by_folder = loadgen("merge --wait 60s").arg(&copy).start();
    let by_name = loadgen("merge --wait 60s").args([&first, &second]).start();
    let late = merge(&copy, &["--wait", "1s"]);
    assert_eq!(late.code(), Some(3), "stripe 1 is missing: {late}");
    let ignored = "stripe-1.json' is no summary of a stripe and is ignored: it is not JSON";
    assert_eq!(late.stderr.matches(ignored).count(), 1, "{late}");
    let named = loadgen("merge --wait 1s").args([&first, &second]);
    let named = named.finish();
    assert_eq!(named.code(), Some(2), "{named}");
    assert!(
        named.stderr.contains("stripe-1.json") && named.stderr.contains("is not JSON"),
        "{named}"
    );
    fs::write(&second, &whole).expect("a file");
    for waiting in [by_folder, by_name] {
        let finished = waiting.finish();
        assert_eq!(finished.code(), Some(0), "{finished}");
        assert!(finished.stdout().contains("sent 20 "), "{finished}");
        assert!(!finished.stderr.contains("ignored"), "{finished}");
    }
}

#[test]
fn files_that_do_not_belong_together_are_refused_with_their_names() {
    let server = Server::allowing();
    let (one, other, whole) = (folder(), folder(), folder().join("whole.json"));
    let mut runs = stripes(&one, &server, "-n 8 --rps 40", 0..2, 2);
    runs.extend(stripes(&other, &server, "-n 9 --rps 40", 0..2, 2));
    all_finished(runs);
    server
        .launch("-n 2")
        .args(["--summary-json", text(&whole)])
        .finish();
    let [first, second] = [0, 1].map(|index| one.join(format!("stripe-{index}.json")));
    let stranger = other.join("stripe-1.json");
    let broken = folder().join("broken.json");
    fs::write(&broken, "{\"schema_version\":3,").expect("a file");
    let refused = |files: &[&Path], words: &[&str]| {
        loadgen("merge").args(files).assert_refused(words);
    };
    refused(
        &[&first, &first],
        &["FILE", "stripe-0.json", "stripe 0 of 2"],
    );
    refused(&[&one, &first], &["FILE", "stripe-0.json", "stripe 0 of 2"]);
    refused(
        &[&first, &stranger],
        &["stripe-1.json", "same plan", "stripe-0.json", "--count"],
    );
    refused(&[&first, &whole], &["whole.json", "a whole run"]);
    refused(
        &[&first, &broken],
        &["broken.json", "wrote; it is not JSON"],
    );
    refused(
        &[&first, Path::new("nowhere.json")],
        &["nowhere.json", "No such file"],
    );
    refused(
        &[Path::new("-")],
        &["FILE", "'-'", "standard input is not read"],
    );
    let empty = folder();
    refused(
        &[&empty],
        &["FILE", "summary of a stripe", "this folder has none"],
    );
    let launch = loadgen("merge --stripes 3").arg(&one);
    launch.assert_refused(&["--stripes", "'3'", "must be 2", "stripe-0.json"]);
    let launch = loadgen("merge --stripes 1").arg(&one);
    launch.assert_refused(&["--stripes", "'1'"]);
    let before = fs::read(&second).expect("a summary");
    let launch = loadgen("merge").arg(&one).arg("--output").arg(&second);
    launch.assert_refused(&["--output", "stripe-1.json", "which is read"]);
    assert_eq!(fs::read(&second).expect("a summary"), before);
    // Other files in a folder do no harm.
    fs::copy(&whole, one.join("whole.json")).expect("a copy");
    fs::copy(&broken, one.join("broken.json")).expect("a copy");
    let merged = merge(&one, &[]);
    assert_eq!(merged.code(), Some(0), "{merged}");
    for file in ["whole.json", "broken.json"] {
        assert!(
            merged
                .stderr
                .contains(&format!("{file}' is no summary of a stripe")),
            "{merged}"
        );
    }
}

#[test]
fn a_file_of_a_plan_counts_by_its_content_and_not_by_its_name() {
    let server = Server::allowing();
    let dir = folder();
    let start = in_seconds(6);
    let launch = |(name, index, last, secret): (&str, u64, u32, &str)| {
        let recording = dir.join(format!("{name}.csv"));
        fs::write(&recording, format!("time,key\n1,a\n1.1,b\n1.2,{last}\n")).expect("a file");
        let launch = server.launch(format!("--stripe {index}/2 --seed 7 --start-at {start}"));
        let header = format!("Authorization: Bearer {secret}");
        let launch = launch
            .arg("--replay")
            .arg(recording)
            .args(["--header", &header]);
        let summary = dir.join(format!("{name}.json"));
        (index, launch.arg("--summary-json").arg(summary).start())
    };
    let stripes = [
        ("first", 0, 7, "abcdefgh"),
        ("same", 1, 7, "ijklmnopqr"),
        ("other", 1, 8, "abcdefgh"),
    ];
    all_finished(stripes.map(launch).into());
    let [first, same, other] = stripes.map(|(name, ..)| dir.join(format!("{name}.json")));
    let merged = loadgen("merge").args([&first, &same]).finish();
    assert_eq!(merged.code(), Some(0), "{merged}");
    let words = "the content of a file that its options name differs";
    loadgen("merge")
        .args([&first, &other])
        .assert_refused(&["same plan", words]);
}
