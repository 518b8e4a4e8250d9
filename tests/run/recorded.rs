//! `loadgen audit`: recorded requests are audited as a run is.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::audit::{audit, limiter, rounded_up, start, two_seconds, undisturbed};
use crate::support::run::{Finished, Launch, loadgen};
use crate::support::server::{Reply, Server};
use crate::support::{at_once, seconds};
use serde_json::Value;
use tempfile::TempDir;

const FINE: i32 = 0;
const REFUSED: i32 = 2;
const INCONCLUSIVE: i32 = 3;
const NOT_KEPT: i32 = 4;

/// A directory with recorded requests.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.at(name), content).expect("a file");
        self.at(name)
    }

    /// `loadgen audit` of these files.
    fn audit(&self, files: &[&str], options: &str) -> Launch {
        let files = files.iter().map(|name| self.at(name));
        loadgen("audit")
            .args(files)
            .args(options.split_whitespace())
    }

    fn json(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.at(name)).expect(name);
        serde_json::from_str(&text).expect("JSON")
    }
}

#[track_caller]
fn assert_says(finished: &Finished, code: i32, words: &[&str]) {
    for word in words {
        assert!(finished.stdout().contains(word), "{word:?}\n{finished}");
    }
    assert_eq!(finished.code(), Some(code), "{finished}");
}

/// A server that answers a request by its key.
type Limiter = fn() -> Server;

/// Counts alone, admits 8 in two seconds, and answers every 7th request after the timeout.
fn lossy() -> Server {
    let admits = two_seconds(8);
    Server::start(move |request| match request.nth % 7 {
        6 => admits(&request.key()).after(seconds(1.0)),
        _ => admits(&request.key()),
    })
}

#[test]
fn a_run_and_the_file_of_its_requests_have_the_same_audit() {
    let kept: Limiter = || start(two_seconds(5));
    let too_many: Limiter = || start(two_seconds(8));
    let counts_blocked: Limiter = || start(limiter(5, seconds(2.0), true, rounded_up));
    let failing: Limiter = || Server::start(|_| Reply::status(503, "Service Unavailable"));
    let cases: [(Limiter, &str, &str); 6] = [
        (kept, "sliding-window", "requests.csv"),
        (too_many, "auto", "requests.jsonl"),
        (too_many, "sliding-window", "requests.csv"),
        (counts_blocked, "sliding-window", "requests.jsonl"),
        (lossy, "sliding-window", "requests.csv"),
        (failing, "token-bucket", "requests.csv"),
    ];
    at_once(cases, |(limiter, promise, file)| {
        let place = Place::new();
        let options = format!("--limit 5 --window 2s --audit {promise}");
        let run = undisturbed(|| {
            let (one, two) = (limiter(), limiter());
            let line = "--keys 3 --rps 60 --burst-enabled false --duration 5 --timeout 0.4 --workers 32 --probe false";
            let targets = format!("--targets {},{}", one.url(), two.url());
            loadgen(format!("{targets} {line} {options}"))
                .arg("--requests")
                .arg(place.at(file))
                .arg("--summary-json")
                .arg(place.at("run.json"))
                .finish()
        });
        let recorded = place
            .audit(&[file], &format!("{options} --complete --timeout 0.4"))
            .arg("--summary-json")
            .arg(place.at("recorded.json"))
            .finish();
        assert_eq!(audit(&run).trim_end(), audit(&recorded).trim_end(), "{run}");
        assert_eq!(
            place.json("run.json")["audit"],
            place.json("recorded.json")["audit"],
            "{run}"
        );
        assert_eq!(run.code(), recorded.code(), "{run}\n{recorded}");
    });
}

#[test]
fn the_probe_s_requests_are_recorded_and_count_toward_the_limits_of_their_keys() {
    let kept: Limiter = || start(two_seconds(5));
    let too_many: Limiter = || start(two_seconds(8));
    let too_many_for_the_probe: Limiter = || {
        let (five, eight) = (two_seconds(5), two_seconds(8));
        start(move |key| {
            let is_probed = key.contains("probe-");
            if is_probed { eight(key) } else { five(key) }
        })
    };
    let cases = [
        (kept, FINE, "requests.csv"),
        (too_many, NOT_KEPT, "requests.jsonl"),
        (too_many_for_the_probe, NOT_KEPT, "requests.csv"),
    ];
    at_once(cases, |(limiter, code, file)| {
        let place = Place::new();
        let options = "--limit 5 --window 2s --audit sliding-window";
        let run = undisturbed(|| {
            let line = "--keys 3 --rps 60 --burst-enabled false --duration 5 --workers 32";
            limiter()
                .launch(format!("{line} {options}"))
                .arg("--requests")
                .arg(place.at(file))
                .arg("--summary-json")
                .arg(place.at("run.json"))
                .finish()
        });
        let recorded = place
            .audit(&[file], &format!("{options} --complete"))
            .arg("--summary-json")
            .arg(place.at("recorded.json"))
            .finish();
        assert_eq!(run.code(), Some(code), "{run}");
        assert_eq!(recorded.code(), Some(code), "{recorded}");
        let (run_json, recorded_json) = (place.json("run.json"), place.json("recorded.json"));
        let (live, later) = (&run_json["audit"], &recorded_json["audit"]);
        for part in [
            "verdict",
            "peak",
            "keys",
            "keys_over",
            "answers",
            "promises",
            "needed",
        ] {
            assert_eq!(live[part], later[part], "{part}\n{run}\n{recorded}");
        }
        let in_addition = live["probe"].as_str().expect("a probe");
        let recorded_of_it = recorded_json["requests"]["of_the_probe"]
            .as_u64()
            .expect("a count");
        assert!(
            in_addition.contains(&format!("; {recorded_of_it} requests in addition")),
            "{recorded_of_it}: {in_addition}"
        );
        let of_the_load = recorded_json["requests"]["recorded"]
            .as_u64()
            .expect("a count");
        assert_eq!(of_the_load - recorded_of_it, 300, "{recorded}");
        if code == NOT_KEPT {
            let finding = &later["findings"][0];
            assert_eq!(finding, &live["findings"][0], "{run}\n{recorded}");
        }
    });
}

#[test]
fn a_source_that_is_none_is_refused() {
    let place = Place::new();
    let own = "sequence,key,target,due_ns,sent_ns,done_ns,latency_ns,service_time_ns,outcome,failure,sent_unix_ns,\
               abandoned_ns,source\n";
    let row =
        |source: &str| format!("{own}0,k,t,0,1,2,2,1,allowed,,1767225600000000001,,{source}\n");
    place.write("other.csv", row("me"));
    place
        .audit(&["other.csv"], "")
        .assert_refused(&["line 2: source 'me' is not load or probe"]);
    for (source, words) in [
        ("probe", "of which the probe sent 1"),
        ("load", "unanswered 0\n"),
        ("", "unanswered 0\n"),
    ] {
        place.write("own.csv", row(source));
        let finished = place.audit(&["own.csv"], "").finish();
        assert_says(&finished, INCONCLUSIVE, &[words]);
    }
}

/// Admits so many requests of each key in two seconds: by its tier, 8 of alice, all of bob, 6 of carol, and of others as many
/// as given.
fn of_tiers(others: usize) -> Server {
    let (eight, six, few) = (two_seconds(8), two_seconds(6), two_seconds(others));
    Server::start(move |request| {
        let key = request.key();
        match key.strip_prefix("user:").expect("a prefix") {
            "alice" => eight(&key),
            "bob" => Reply::allowed(),
            "carol" => six(&key),
            _ => few(&key),
        }
    })
}

#[test]
fn a_run_with_tiers_and_costs_and_the_file_of_its_requests_have_the_same_audit() {
    let tiers = "alice\t8/2s\tcost 1\nbob\tunlimited\ncarol\t20/2s\tcost 3\ndave\n";
    at_once([(2, FINE), (3, NOT_KEPT)], |(others, code)| {
        let place = Place::new();
        let keys = place.write("keys.txt", tiers);
        let options = "--limit 5 --window 2s --cost 2 --audit sliding-window --key-prefix user:";
        let run = undisturbed(|| {
            let line = "--rps 60 --burst-enabled false --duration 5 --workers 32 --probe false";
            of_tiers(others)
                .launch(format!("{line} {options}"))
                .arg("--keys-file")
                .arg(&keys)
                .arg("--requests")
                .arg(place.at("requests.csv"))
                .arg("--summary-json")
                .arg(place.at("run.json"))
                .finish()
        });
        assert_says(&run, code, &[]);
        let recorded = place
            .audit(&["requests.csv"], options)
            .arg("--keys-file")
            .arg(&keys)
            .arg("--summary-json")
            .arg(place.at("recorded.json"))
            .finish();
        // Only the remark on recorded requests is added.
        let is_remark = |text: &str| text.contains("blocked requests prove nothing");
        let said = audit(&recorded);
        let said: Vec<_> = said.lines().filter(|line| !is_remark(line)).collect();
        assert_eq!(audit(&run).trim_end(), said.join("\n").trim_end(), "{run}");
        let mut json = place.json("recorded.json")["audit"].take();
        let remarks = json["remarks"].as_array_mut().expect("remarks");
        remarks.retain(|remark| !is_remark(remark.as_str().expect("a remark")));
        assert_eq!(place.json("run.json")["audit"], json, "{run}");
        assert_eq!(run.code(), recorded.code(), "{run}\n{recorded}");
        // Without the keys' own limits, the same requests break the promise.
        let plain = "--limit 5 --window 2s --cost 2 --audit sliding-window";
        let plain = place.audit(&["requests.csv"], plain).finish();
        assert_says(&plain, NOT_KEPT, &["Audit: broken."]);
    });
}

#[test]
fn a_file_of_keys_that_were_not_recorded_is_refused() {
    let place = Place::new();
    place.write("log.csv", log((0..10).map(|n| n * 50), 2));
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND} --keys-file");
    for (keys, prefix, says) in [
        ("bob\t3/1s", "", "must have a key that was recorded"),
        ("alice\t3/1s", "user:", "must have a key that was recorded"),
        ("alice\t3 per second", "", "line 1, column 7"),
    ] {
        let keys = place.write("keys.txt", keys);
        let launch = place.audit(&["log.csv"], &options).arg(&keys);
        let launch = launch.args(["--key-prefix", prefix]);
        launch.assert_refused(&["--keys-file", "keys.txt", says]);
    }
    let keys = place.write("keys.txt", "ice\t1/1s\n");
    let launch = place.audit(&["log.csv"], &options).arg(&keys);
    let finished = launch.args(["--key-prefix", "al"]).finish();
    assert_says(
        &finished,
        NOT_KEPT,
        &[
            "2 requests of one key were admitted",
            "sliding-window 2/s admits 1",
        ],
    );
}

/// A log of requests that take 5 ms, at these milliseconds. So many are admitted in the beginning.
fn log(times: impl Iterator<Item = u64>, admitted: usize) -> String {
    let mut log = "start,user,code,ms\n".to_owned();
    for (place, at) in times.enumerate() {
        let code = if place < admitted { 200 } else { 429 };
        let time = Duration::from_millis(1_767_225_600_000 + at).as_secs_f64();
        writeln!(log, "{time:.3},alice,{code},5").unwrap();
    }
    log
}

const COLUMNS: &str = "--time start --took ms --took-unit ms --key user --status code";
const TWO_IN_A_SECOND: &str = "--audit sliding-window --limit 2 --window 1s";

#[test]
fn a_log_of_another_program_is_read_by_the_columns_that_are_named() {
    let place = Place::new();
    place.write("kept.csv", log((0..10).map(|n| n * 50), 2));
    place.write("broken.csv", log((0..10).map(|n| n * 50), 3));
    place.write("few.csv", log([0, 2_000].into_iter(), 2));
    let json = concat!(
        r#"{"at":"2026-01-01T00:00:00.000Z","who":"bob","ok":true,"extra":{"a":[1]}}"#,
        "\n",
        r#"{"ok":true,"end":"2026-01-01T00:00:00.300Z","who":"bob","at":"2026-01-01T00:00:00.200Z"}"#,
        "\n\n",
        r#"{"at":"2026-01-01T01:00:00.300+01:00","end":"2026-01-01T00:00:00.400Z","who":"b\u006fb","ok":true}"#,
        "\n",
    );
    let json = json.replacen(r#""who""#, r#""end":"2026-01-01T00:00:00.100Z","who""#, 1);
    place.write("words.jsonl", json);
    let by_words = "--time at --done end --key who --verdict ok";
    for (file, columns, code, words) in [
        (
            "kept.csv",
            COLUMNS,
            FINE,
            &["Audit: kept.", "recorded 10 = allowed 2 + blocked 8"][..],
        ),
        (
            "broken.csv",
            COLUMNS,
            NOT_KEPT,
            &[
                "Audit: broken.",
                "1. alice was admitted 3 times",
                "requests broken.csv:2, broken.csv:3, broken.csv:4",
            ],
        ),
        ("few.csv", COLUMNS, INCONCLUSIVE, &["Audit: inconclusive."]),
        (
            "words.jsonl",
            by_words,
            NOT_KEPT,
            &[
                "1. bob was admitted 3 times within 4",
                "requests words.jsonl:1, words.jsonl:2, words.jsonl:4",
            ],
        ),
    ] {
        let finished = place
            .audit(&[file], &format!("{columns} {TWO_IN_A_SECOND}"))
            .finish();
        assert_says(&finished, code, words);
    }
}

#[test]
fn a_time_with_few_decimals_is_only_as_exact_as_it_is_written() {
    let place = Place::new();
    let log = "t,took,code\n100,0,200\n100,0,200\n100,0,200\n";
    place.write("whole_seconds.csv", log);
    place.write("milliseconds.csv", log.replace(",0,", ".000,0.000,"));
    let columns = "--time t --took took --status code --one-key";
    for (file, code) in [
        ("whole_seconds.csv", INCONCLUSIVE),
        ("milliseconds.csv", NOT_KEPT),
    ] {
        let finished = place
            .audit(&[file], &format!("{columns} {TWO_IN_A_SECOND}"))
            .finish();
        assert_says(&finished, code, &["allowed 3"]);
    }
}

/// The limiter may have admitted the second request at any time of the 15 s, also within a second of the first.
#[test]
fn an_answer_long_after_the_timeout_does_not_make_a_limit_kept() {
    let place = Place::new();
    let log = "t,took,code\n0.0,0.001,200\n0.1,0.001,429\n0.5,15.0,200\n";
    place.write("late.csv", log);
    place.write("in_time.csv", log.replace("0.5,15.0", "1.5,0.001"));
    let options = "--time t --took took --status code --one-key --complete --limit 1 --window 1s --audit sliding-window";
    for (file, code, words) in [
        ("late.csv", INCONCLUSIVE, "the answers took too long"),
        ("in_time.csv", FINE, "Audit: kept."),
    ] {
        let finished = place.audit(&[file], options).finish();
        assert_says(&finished, code, &[words]);
    }
}

#[test]
fn requests_without_a_column_of_keys_have_one_key_only_if_the_user_says_so() {
    let place = Place::new();
    place.write("log.csv", "t,took,code\n100.000,0.001,200\n");
    let columns = "--time t --took took --status code --limit 1 --window 1s";
    let named = ["there is no column key", "--key", "--one-key"];
    place.audit(&["log.csv"], columns).assert_refused(&named);
    let with_key = format!("{columns} --key code --one-key");
    place
        .audit(&["log.csv"], &with_key)
        .assert_refused(&["--one-key"]);
    // A column of keys is not read.
    place.write(
        "keys.csv",
        log([0, 50].into_iter(), 2).replacen("alice", "bob", 1),
    );
    let by_time = "--time start --took ms --took-unit ms --status code --limit 1 --window 1s";
    for (columns, code) in [("--key user", INCONCLUSIVE), ("--one-key", NOT_KEPT)] {
        let finished = place
            .audit(
                &["keys.csv"],
                &format!("{by_time} --audit sliding-window {columns}"),
            )
            .finish();
        assert_says(&finished, code, &["allowed 2"]);
    }
}

#[test]
fn blocked_requests_prove_something_only_if_the_files_are_complete() {
    let place = Place::new();
    place.write("log.csv", log((0..10).map(|n| n * 50), 0));
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND}");
    let finished = place
        .audit(&["log.csv"], &format!("{options} --complete"))
        .finish();
    assert_says(
        &finished,
        NOT_KEPT,
        &[
            "alice was blocked at 0.000s by the limiter",
            "times    count from 2025-12-31T23:59:59.999Z",
        ],
    );
    let finished = place.audit(&["log.csv"], &options).finish();
    assert!(!finished.stdout().contains("Audit: broken"), "{finished}");
    assert!(finished.stdout().contains("--complete"), "{finished}");
    // Of several machines, each instant is one of its own machine's clock.
    place.write("other.csv", log((10..20).map(|n| n * 50), 0));
    let both = format!("{options} --complete --clock-error 20ms");
    let finished = place.audit(&["log.csv", "other.csv"], &both).finish();
    let words = [
        "alice was blocked at 0.020s ± 20.0 ms by the limiter",
        "(clock ± 20.0 ms)",
    ];
    assert_says(&finished, NOT_KEPT, &words);
}

#[test]
fn errors_of_clocks_that_hide_the_answer_are_named_and_few_requests_otherwise() {
    let place = Place::new();
    // Two are admitted in each second.
    let seconds = (0..5).map(|second| log((0..10).map(|n| second * 1_000 + n * 100), 2));
    place.write("a.csv", seconds.collect::<String>());
    place.write("b.csv", log((0..50).map(|n| n * 100 + 50), 0));
    place.write("few.csv", log([0].into_iter(), 1));
    place.write("only.csv", log([2_000].into_iter(), 1));
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND} --clock-error");
    let finished = place
        .audit(&["a.csv", "b.csv"], &format!("{options} 600ms"))
        .finish();
    let words = [
        "but the clocks may be off by up to 600 ms, which is too much for a window of 1s.",
        "Verdict: inconclusive: the clocks may be off by up to 600 ms",
        "synchronized clocks or a longer window may give a verdict",
    ];
    assert_says(&finished, INCONCLUSIVE, &words);
    for wrong in ["--rps", "answers took too long", "enough requests"] {
        assert!(!finished.stdout().contains(wrong), "{finished}");
    }
    let finished = place
        .audit(&["few.csv", "only.csv"], &format!("{options} 10ms"))
        .finish();
    assert_says(&finished, INCONCLUSIVE, &["No key had enough requests"]);
    assert!(!finished.stdout().contains("may be off by"), "{finished}");
}

#[test]
fn the_only_log_of_another_program_may_be_off_by_what_it_says() {
    let place = Place::new();
    let with_error = |error: &str| {
        let log = log([0, 50, 900].into_iter(), 3);
        let rows = log.lines().map(|row| match row.starts_with("start") {
            true => format!("{row},clock_error_ns\n"),
            false => format!("{row},{error}\n"),
        });
        rows.collect::<String>()
    };
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND}");
    for (error, is_broken) in [("", true), ("1000000", true), ("60000000", false)] {
        place.write("log.csv", with_error(error));
        let finished = place.audit(&["log.csv"], &options).finish();
        let says = finished.stdout().contains("Audit: broken");
        assert_eq!(says, is_broken, "{error}\n{finished}");
    }
}

#[test]
fn several_files_are_merged_by_the_clock_and_findings_name_the_file() {
    let place = Place::new();
    place.write("a.csv", log([0, 400, 5_000].into_iter(), 2));
    place.write("b.csv", log([200, 600, 700].into_iter(), 1));
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND}");
    for file in ["a.csv", "b.csv"] {
        let finished = place.audit(&[file], &options).finish();
        assert!(!finished.stdout().contains("Audit: broken"), "{finished}");
    }
    // Nobody says how far the clocks may be off.
    place
        .audit(&["a.csv", "b.csv"], &options)
        .assert_refused(&["a.csv': must say in clock_error_ns", "--clock-error"]);
    let apart = format!("{options} --clock-error 500ms");
    let options = format!("{options} --clock-error 0");
    let finished = place
        .audit(&["a.csv", "b.csv"], &options)
        .arg("--summary-json")
        .arg(place.at("audit.json"))
        .finish();
    let words = [
        "all files: recorded 6 = allowed 3 + blocked 3",
        "requests a.csv:2, b.csv:2, a.csv:3",
    ];
    assert_says(&finished, NOT_KEPT, &words);
    // The clocks may be so far off that the three admissions need not lie within a second.
    let merged = place.audit(&["a.csv", "b.csv"], &apart).finish();
    assert!(!merged.stdout().contains("Audit: broken"), "{merged}");
    let finding = &place.json("audit.json")["audit"]["findings"][0];
    assert_eq!(finding["sequences"], serde_json::json!([2, 2, 3]));
    assert_eq!(
        finding["files"],
        serde_json::json!(["a.csv", "b.csv", "a.csv"])
    );
}

#[test]
fn two_runs_against_one_limiter_are_audited_together() {
    let (server, place) = (start(two_seconds(8)), Place::new());
    let keys = place.write("keys.txt", "alice\nbob\n");
    at_once(["a.csv", "b.jsonl"], |file| {
        server
            .launch("--rps 5 --burst-enabled false --duration 3")
            .arg("--keys-file")
            .arg(&keys)
            .arg("--requests")
            .arg(place.at(file))
            .report();
    });
    let options = "--audit sliding-window --limit 5 --window 2s --clock-error 1ms";
    let finished = place.audit(&["a.csv", "b.jsonl"], options).finish();
    assert_says(
        &finished,
        NOT_KEPT,
        &["was admitted 8 times", "a.csv#", "b.jsonl#"],
    );
}

#[test]
fn a_page_markdown_and_json_have_the_audit() {
    let place = Place::new();
    place.write("log.csv", log((0..10).map(|n| n * 50), 3));
    let finished = place
        .audit(
            &["log.csv"],
            &format!("{COLUMNS} {TWO_IN_A_SECOND} --summary-json -"),
        )
        .arg("--report")
        .arg(place.at("audit.html"))
        .arg("--summary-markdown")
        .arg(place.at("audit.md"))
        .finish();
    assert_eq!(finished.code(), Some(NOT_KEPT), "{finished}");
    let json: Value = serde_json::from_str(&finished.stdout()).expect("nothing but JSON");
    assert_eq!(json["audit"]["verdict"], "broken");
    assert_eq!(json["requests"]["recorded"], 10);
    assert_eq!(json["exit_code"], NOT_KEPT);
    for file in ["audit.html", "audit.md"] {
        let text = fs::read_to_string(place.at(file)).expect(file);
        for words in ["Broken: 3 admitted within", "alice was admitted 3 times"] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}

#[test]
fn what_can_not_be_audited_is_refused_with_file_line_and_reason() {
    let own = "sequence,key,target,due_ns,sent_ns,done_ns,latency_ns,service_time_ns,outcome,failure,sent_unix_ns,abandoned_ns\n";
    let row = |row: &str| {
        format!("{own}0,k,t,0,1,2,2,1,allowed,,1767225600000000001,\n{row}\n").into_bytes()
    };
    let place = Place::new();
    let named = |content: &str| (content.as_bytes().to_vec(), COLUMNS);
    let line = "start,user,code,ms\n";
    #[rustfmt::skip]
    let cases: Vec<((Vec<u8>, &str), &str)> = vec![
        (named(""), "it is empty"),
        (named("\u{feff}\n \n"), "it is empty"),
        ((b"\x1f\x8b\x08\x00rest".to_vec(), ""), "it is compressed with gzip"),
        ((b"a\x00b".to_vec(), ""), "it is not text in UTF-8"),
        ((b"a,b\n1,2\n".to_vec(), ""), "name two of the columns of a request's start, end and duration"),
        ((b"[1]\n".to_vec(), ""), "name two of the columns"),
        ((b"{\"a\":1}\n{\n".to_vec(), "--time a --took a --verdict a --one-key"), "line 1: a '1' is not allowed, blocked"),
        (named("start,code,ms\n1,200,1\n"), "there is no column user"),
        (named("start,user,code,ms,ms\n"), "there are several columns ms"),
        (named(&format!("{line}1,a,200,-1\n")), "line 2: ms '-1' is less than 0"),
        (named(&format!("{line}1,a,200,1\n1e300,a,200,1\n")), "line 3: start '1e300' is more than 292 years if its unit is s"),
        (named(&format!("{line}1,a,200,1\n,a,200,1\n")), "line 3: start is missing"),
        (named(&format!("{line}1,a,99,1\n")), "line 2: code '99' is not a status"),
        (named(&format!("{line}1,a,200\n")), "line 2: it has 3 fields, and the first row has 4"),
        (named(&format!("{line}1,,200,1\n")), "no row has a user"),
        (named(&format!("{line}1,a,200,1\n1,\"{}", "x".repeat(2 << 20))), "line 3: a row has more than 1048576 bytes"),
        ((format!("{line}1,a,200,1\n").into_bytes(), "--time start --done ms --status code"), ""),
        ((row("1,k,t,0,5,4,4,1,allowed,,1767225600000000005,"), ""), "line 3: done_ns '4' is less than sent_ns"),
        ((row("1,k,t,0,5,6,6,1,failed,boredom,1767225600000000005,"), ""), "line 3: failure 'boredom' is no kind of failure"),
        ((row("-1,k,t,0,5,6,6,1,allowed,,1767225600000000005,"), ""), "line 3: sequence '-1' is not a whole number"),
        ((row("1,k,t,0,5,6,6,1,denied,,1767225600000000005,"), ""), "line 3: outcome 'denied' is not allowed, blocked"),
    ];
    for (number, ((content, options), words)) in cases.into_iter().enumerate() {
        let name = format!("{number}.csv");
        place.write(&name, content);
        let finished = place.audit(&[&name], options).finish();
        if words.is_empty() {
            continue;
        }
        let stderr = &finished.stderr;
        assert!(
            stderr.contains(&name) && stderr.contains(words),
            "{words:?}\n{finished}"
        );
        assert_eq!(stderr.lines().count(), 1, "{finished}");
        assert_eq!(finished.code(), Some(REFUSED), "{finished}");
    }
    place.write("a.csv", own);
    for (files, words) in [
        (&["missing.csv"][..], "No such file"),
        (&["."], "it is a directory"),
        (&["a.csv", "a.csv"], "must be given only once"),
    ] {
        place.audit(files, "").assert_refused(&[words]);
    }
    loadgen("audit -").assert_refused(&["it is read twice"]);
    let usage = "FILE: must be given; usage: loadgen audit [OPTIONS] <FILE>...";
    loadgen("audit").assert_refused(&[usage]);
    loadgen("audit /dev/null").assert_refused(&["must be a regular file"]);
    place
        .audit(&["a.csv"], "--summary-json")
        .arg(place.at("a.csv"))
        .assert_refused(&[
            "must be a file of its own; it is also FILE",
            "which is read",
        ]);
    place
        .audit(&["a.csv"], "--audit off")
        .assert_refused(&["--audit 'off'"]);
    place
        .audit(&["a.csv"], "--allowed json/ok")
        .assert_refused(&["--allowed"]);
}

#[test]
fn a_file_may_have_quotes_line_ends_of_either_kind_and_a_byte_order_mark() {
    let place = Place::new();
    let plain = log((0..10).map(|n| n * 50), 3).replace("alice", "a, \"quoted\"\nkey");
    let quoted = plain.replace("a, \"quoted\"\nkey", "\"a, \"\"quoted\"\"\r\nkey\"");
    place.write(
        "log.csv",
        format!("\u{feff}{}", quoted.replace("\n1", "\r\n1")),
    );
    let finished = place
        .audit(&["log.csv"], &format!("{COLUMNS} {TWO_IN_A_SECOND}"))
        .finish();
    assert_says(
        &finished,
        NOT_KEPT,
        &["Audit: broken.", "was admitted 3 times"],
    );
}

#[test]
fn files_without_rows_and_rows_in_any_order_are_audited() {
    let place = Place::new();
    let sorted = log((0..10).map(|n| n * 50), 3);
    let (names, rows) = sorted.split_once('\n').unwrap();
    let mut reversed: Vec<_> = rows.lines().collect();
    reversed.reverse();
    place.write("none.csv", format!("{names}\n"));
    place.write(
        "reversed.csv",
        format!("{names}\n{}\n", reversed.join("\n")),
    );
    let options = format!("{COLUMNS} {TWO_IN_A_SECOND}");
    let finished = place.audit(&["none.csv"], &options).finish();
    assert_says(
        &finished,
        INCONCLUSIVE,
        &["Audit: inconclusive.", "recorded 0 ="],
    );
    let finished = place.audit(&["reversed.csv"], &options).finish();
    assert_says(
        &finished,
        NOT_KEPT,
        &["requests reversed.csv:11, reversed.csv:10, reversed.csv:9"],
    );
}
