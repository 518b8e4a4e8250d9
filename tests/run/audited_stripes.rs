//! The audit of a limiter by the files of all stripes.

use super::audit::{start, two_seconds};
use crate::support::run::{Finished, Launch, Run, loadgen};
use crate::support::server::Server;
use crate::support::{at_once, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;
use tempfile::TempDir;

const FINE: i32 = 0;
const REFUSED: i32 = 2;
const INCONCLUSIVE: i32 = 3;
const NOT_KEPT: i32 = 4;

const PROMISE: &str = "--audit sliding-window --limit 5 --window 2s";

fn in_seconds(seconds: i64) -> String {
    let now = Timestamp::try_from(SystemTime::now()).expect("an instant");
    (now + SignedDuration::from_secs(seconds)).to_string()
}

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `loadgen audit` of these files, which are complete.
    fn audit(&self, files: &[&str], options: &str) -> Finished {
        let options = format!("audit {PROMISE} --complete {options}");
        let files = files.iter().map(|name| self.at(name));
        loadgen(options).args(files).finish()
    }

    fn rows(&self, name: &str) -> Vec<csv::StringRecord> {
        let mut reader = csv::Reader::from_path(self.at(name)).expect(name);
        reader.records().map(|row| row.expect("a row")).collect()
    }

    /// A stripe that writes its requests to `file`.
    fn stripe(&self, servers: &[Server], stripe: &str, start: &str, file: &str) -> Launch {
        self.lasting("5", servers, stripe, start, file)
    }

    /// The same of a schedule of this duration.
    fn lasting(
        &self,
        duration: &str,
        servers: &[Server],
        stripe: &str,
        start: &str,
        file: &str,
    ) -> Launch {
        let urls: Vec<_> = servers.iter().map(Server::url).collect();
        let line = "--keys 2 --rps 45 --burst-enabled false --workers 8 --seed 3";
        loadgen(format!(
            "{line} --duration {duration} {PROMISE} --stripe {stripe} --start-at {start}"
        ))
        .args(["--targets", &urls.join(",")])
        .arg("--requests")
        .arg(self.at(file))
    }

    /// Three stripes of one run.
    fn run(&self, servers: &[Server], files: [&str; 3], start: &str) -> [Finished; 3] {
        let stripes = [0, 1, 2].map(|index| {
            let stripe = format!("{index}/3");
            self.stripe(servers, &stripe, start, files[index])
                .args(["--clock-error", "4ms"])
                .start()
        });
        stripes.map(Run::finish)
    }
}

#[track_caller]
fn assert_says(finished: &Finished, code: i32, words: &[&str]) {
    for word in words {
        assert!(finished.stdout().contains(word), "{word:?}\n{finished}");
    }
    assert_eq!(finished.code(), Some(code), "{finished}");
}

#[track_caller]
fn assert_refused(finished: &Finished, words: &str) {
    assert!(finished.stderr.contains(words), "{words:?}\n{finished}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    assert_eq!(finished.code(), Some(REFUSED), "{finished}");
}

const CSV: [&str; 3] = ["0.csv", "1.csv", "2.csv"];

#[test]
fn a_right_limiter_is_judged_by_the_files_of_all_stripes() {
    let place = Place::new();
    let files = ["0.csv", "1.jsonl", "2.csv"];
    let servers = [start(two_seconds(5))];
    let stripes = place.run(&servers, files, &in_seconds(6));
    for stripe in &stripes {
        let text = stripe.stdout();
        assert!(
            text.contains("judged by loadgen audit, from the --requests files of all stripes"),
            "{text}"
        );
        assert!(!text.contains("Audit: "), "{text}");
        let command = "loadgen audit FILES --limit 5";
        assert!(
            text.contains(command) && text.contains("--complete"),
            "{text}"
        );
        assert_eq!(stripe.code(), Some(FINE), "{stripe}");
    }
    let all = place.audit(&files, "");
    let words = [
        "Audit: kept. Every answer fits sliding-window 5/2s.",
        "0.csv (clock ± ",
        "of 2 keys could be",
    ];
    assert_says(&all, FINE, &words);
    // One stripe alone was admitted less than its share of the limit, and knows nothing of the others.
    let missing = place.audit(&files[..2], "");
    let words = [
        "Audit: inconclusive. Nothing shows that the limit was broken, but requests are missing",
        "Verdict: inconclusive: stripe 2/3 is missing",
    ];
    assert_says(&missing, INCONCLUSIVE, &words);
    assert!(!missing.stdout().contains("  kept: "), "{missing}");
    let alone = place.audit(&["0.csv"], "");
    assert_says(&alone, INCONCLUSIVE, &["2 of 3 stripes are missing: 1, 2"]);
}

#[test]
fn a_wrong_limiter_is_broken_over_all_stripes_that_no_stripe_alone_shows() {
    let place = Place::new();
    let servers = [start(two_seconds(5)), start(two_seconds(5))];
    place.run(&servers, CSV, &in_seconds(6));
    let all = place.audit(&CSV, "");
    let words = [
        "Audit: broken.",
        "on both sides for the clocks' errors",
        "0.csv#",
        "1.csv#",
        "each node counts alone",
        "A clock that is further off can make a right limiter look broken",
    ];
    assert_says(&all, NOT_KEPT, &words);
    // The rows of several stripes may be in one file, with or without the names of the columns between them.
    let [first, second, third] = CSV.map(|name| fs::read_to_string(place.at(name)).expect(name));
    let (_, second) = second.split_once('\n').expect("rows");
    fs::write(place.at("all.csv"), first + second + &third).expect("a file");
    let words = ["Audit: broken.", "all.csv (clock ± "];
    assert_says(&place.audit(&["all.csv"], ""), NOT_KEPT, &words);
}

#[test]
fn files_of_stripes_say_what_they_are_parts_of_and_how_many_rows_they_have() {
    let place = Place::new();
    let servers = [start(two_seconds(5))];
    at_once([("a", 6), ("b", 8)], |(run, wait)| {
        let files = CSV.map(|name| format!("{run}{name}"));
        let files = [&*files[0], &*files[1], &*files[2]];
        place.run(&servers, files, &in_seconds(wait));
    });
    let rows = place.rows("a1.csv");
    let (last, others) = rows.split_last().expect("rows");
    assert!(
        others
            .iter()
            .all(|row| &row[16] == "1/3" && row[19].is_empty())
    );
    assert_eq!(last[19], rows.len().to_string());
    assert_eq!(rows[0][17].len(), 8);
    let errors = rows
        .iter()
        .map(|row| row[18].parse::<u64>().expect("an error"));
    // A busy machine may read its two clocks some time apart.
    assert!(
        errors
            .clone()
            .all(|error| (4_000_000..1_000_000_000).contains(&error))
    );

    let other_run = place.audit(&["a0.csv", "b1.csv", "a2.csv"], "");
    assert_refused(
        &other_run,
        "stripes of different runs do not belong together",
    );

    fs::copy(place.at("a1.csv"), place.at("copy.csv")).expect("a copy");
    let twice = place.audit(&["a0.csv", "a1.csv", "copy.csv", "a2.csv"], "");
    assert_refused(&twice, "this request was read before");

    let text = fs::read_to_string(place.at("a2.csv")).expect("text");
    let of_other_plan = text.replace(&rows[0][17], "01234567");
    fs::write(place.at("other.csv"), of_other_plan).expect("a file");
    let other_plan = place.audit(&["a0.csv", "a1.csv", "other.csv"], "");
    assert_refused(
        &other_plan,
        "stripes of different plans do not belong together",
    );

    // A copy that was cut off.
    let half: Vec<_> = text.lines().take(20).collect();
    fs::write(place.at("half.csv"), half.join("\n") + "\n").expect("a file");
    let cut = place.audit(&["a0.csv", "a1.csv", "half.csv"], "");
    let words = [
        "inconclusive: stripe 2/3 ends early",
        "blocked requests prove",
    ];
    assert_says(&cut, INCONCLUSIVE, &words);

    let without_errors = text.lines().map(without_error).collect::<Vec<_>>();
    fs::write(place.at("unknown.csv"), without_errors.join("\n") + "\n").expect("a file");
    let files = ["a0.csv", "a1.csv", "unknown.csv"];
    let unknown = place.audit(&files, "");
    assert_refused(&unknown, "unknown.csv': must say in clock_error_ns");
    let said = place.audit(&files, "--clock-error 9ms");
    assert_says(&said, FINE, &["unknown.csv (clock ± 9.00 ms)"]);
}

/// A row whose machine does not know how far its clock is off.
fn without_error(line: &str) -> String {
    let mut cells: Vec<_> = line.split(',').collect();
    if cells[18] != "clock_error_ns" {
        cells[18] = "";
    }
    cells.join(",")
}

#[cfg(unix)]
#[test]
fn a_process_that_was_killed_leaves_no_file_so_its_stripe_is_missing() {
    let place = Place::new();
    let servers = [start(two_seconds(5))];
    let start = in_seconds(6);
    let [first, second] = [0, 1].map(|index| {
        let stripe = format!("{index}/2");
        place
            .stripe(&servers, &stripe, &start, CSV[index])
            .args(["--clock-error", "4ms"])
            .start()
    });
    eventually("requests of both", || servers[0].request_count() > 60);
    let killed = second.ended_by(Run::end_at_once, 1.0);
    assert_eq!(killed.code(), None, "{killed}");
    let finished = first.finish();
    assert_eq!(finished.code(), Some(FINE), "{finished}");
    assert!(!place.at("1.csv").exists());
    let all = place.audit(&["0.csv"], "");
    assert_says(&all, INCONCLUSIVE, &["inconclusive: stripe 1/2 is missing"]);
}

#[cfg(unix)]
#[test]
fn a_stripe_that_was_stopped_is_not_complete_until_another_process_goes_on() {
    let place = Place::new();
    let servers = [start(two_seconds(5))];
    let start = in_seconds(6);
    let launch = |stripe: &str, file: &str| {
        place
            .stripe(&servers, stripe, &start, file)
            .args(["--clock-error", "4ms"])
    };
    let [first, second] =
        [("0/2", "0.csv"), ("1/2", "1.csv")].map(|(stripe, file)| launch(stripe, file).start());
    eventually("requests of both", || servers[0].request_count() > 60);
    let stopped = second.ended_by(Run::terminate, 20.0);
    let rows = place.rows("1.csv");
    assert_eq!(&rows[rows.len() - 1][20], "stop", "{stopped}");
    let next = launch("1/2", "2.csv").arg("--join-late").finish();
    // The files may lack what the process before it sent.
    let is_complete = next.stdout().contains("--complete");
    assert_eq!(is_complete, next.report().unsent == 0, "{next}");
    let finished = first.finish();
    assert_eq!(finished.code(), Some(FINE), "{finished}");
    let rows = place.rows("0.csv");
    assert_eq!(&rows[rows.len() - 1][20], "schedule", "{finished}");
    assert!(rows[..rows.len() - 1].iter().all(|row| row[20].is_empty()));
    let cut = place.audit(&["0.csv", "1.csv"], "");
    let words = ["inconclusive: stripe 1/2 was stopped after request "];
    assert_says(&cut, INCONCLUSIVE, &words);
    let whole = place.audit(&CSV, "");
    let text = whole.stdout();
    assert!(!text.contains("was stopped after"), "{whole}\n{next}");
    // The next process was late for a few requests, or for none.
    let kept = text.contains("Audit: kept.");
    let late = text.contains("stripe 1/2 has a process that ends with request ");
    assert!(kept || late, "{whole}\n{next}");
}

#[cfg(unix)]
#[test]
fn stripes_without_an_end_are_judged_until_the_first_of_them_was_stopped() {
    let place = Place::new();
    let servers = [start(two_seconds(5))];
    let start = in_seconds(6);
    let [first, second] = [("0/2", "0.csv"), ("1/2", "1.csv")].map(|(stripe, file)| {
        let launch = place.lasting("0", &servers, stripe, &start, file);
        launch.args(["--clock-error", "4ms"]).start()
    });
    eventually("windows of both", || servers[0].request_count() > 250);
    for stripe in [first, second] {
        let stopped = stripe.ended_by(Run::terminate, 20.0);
        assert_eq!(stopped.code(), Some(FINE), "{stopped}");
    }
    let both = place.audit(&["0.csv", "1.csv"], "");
    let words = [
        "Audit: kept. Until ",
        ", every answer fits sliding-window 5/2s.",
        "remark: stripe ",
        " was stopped after request ",
        "later ones can prove nothing but too many admissions",
        "Verdict: kept until ",
    ];
    assert_says(&both, FINE, &words);
    assert_says(
        &place.audit(&["0.csv"], ""),
        INCONCLUSIVE,
        &["1/2 is missing"],
    );
}

/// A request of a stripe, by its number, with its milliseconds since the start and its outcome.
type Row = (u64, u64, &'static str);

/// The file of a stripe, with one key.
fn file_of(stripe: &str, requests: &[Row], ended_by: &str) -> String {
    const START: u64 = 1_767_225_600_000_000_000;
    let mut text = "sequence,key,target,due_ns,sent_ns,done_ns,latency_ns,service_time_ns,outcome,failure,sent_unix_ns,\
                    abandoned_ns,stripe,plan,clock_error_ns,rows,ended_by\n"
        .to_owned();
    for (place, (number, millis, outcome)) in requests.iter().enumerate() {
        let sent = millis * 1_000_000;
        let (done, unix) = (sent + 1_000_000, START + sent);
        let end = match place + 1 == requests.len() {
            true => format!("{},{ended_by}", requests.len()),
            false => ",".to_owned(),
        };
        text += &format!(
            "{number},k,http://a,{sent},{sent},{done},1000000,1000000,{outcome},,{unix},,{stripe},0a1b2c3d,1000000,{end}\n"
        );
    }
    text
}

#[test]
fn too_many_admissions_after_a_stop_are_proved_and_blocks_after_it_prove_nothing() {
    let place = Place::new();
    let few = [(0, 0, "allowed"), (2, 200, "allowed"), (4, 400, "allowed")];
    fs::write(place.at("0.csv"), file_of("0/2", &few, "stop")).expect("a file");
    let other = |outcome: fn(u64) -> &'static str| {
        let requests = (0..40).map(|place| (place * 2 + 1, place * 200 + 100, outcome(place)));
        let requests: Vec<_> = requests.collect();
        fs::write(place.at("1.csv"), file_of("1/2", &requests, "stop")).expect("a file");
        place.audit(&["0.csv", "1.csv"], "")
    };
    let too_many = other(|_| "allowed");
    let words = [
        "Audit: broken.",
        "remark: requests are missing: stripe 0/2 was stopped after request 4",
    ];
    assert_says(&too_many, NOT_KEPT, &words);
    let blocked = other(|place| if place < 2 { "allowed" } else { "blocked" });
    let words = [
        "Audit: inconclusive",
        "remark: stripe 0/2 was stopped after",
    ];
    assert_says(&blocked, INCONCLUSIVE, &words);
    let blocked_before = other(|place| if place < 1 { "blocked" } else { "allowed" });
    let words = [
        "Audit: broken.",
        "only the requests until 400 ms are judged",
    ];
    assert_says(&blocked_before, NOT_KEPT, &words);
}

#[test]
fn blocks_alone_may_be_due_to_another_process_of_a_stripe() {
    let place = Place::new();
    for (stripe, first) in [("0/2", 0), ("1/2", 1)] {
        let requests = (0..20).map(|place| {
            let outcome = if place % 10 < 2 { "allowed" } else { "blocked" };
            (first + place * 2, (first + place * 2) * 200, outcome)
        });
        let requests: Vec<_> = requests.collect();
        let file = format!("{first}.csv");
        fs::write(place.at(&file), file_of(stripe, &requests, "schedule")).expect("a file");
    }
    let words = [
        "Audit: broken. The limiter blocked",
        "remark: only blocked requests break the promise",
        "Another process that sent the same stripe",
    ];
    assert_says(&place.audit(&["0.csv", "1.csv"], ""), NOT_KEPT, &words);
}

#[test]
fn a_stripe_is_audited_only_if_it_writes_its_requests() {
    let stripe = "--targets http://127.0.0.1:1 --stripe 0/2 --seed 1 --start-at 2099-01-01T00:00:00Z --audit sliding-window";
    let place = Place::new();
    let requests = place.at("r.csv");
    for (options, words) in [
        (
            "",
            "--audit 'sliding-window': needs --requests with several stripes",
        ),
        (
            "--probe",
            "--probe 'true': must be false with several stripes",
        ),
    ] {
        let mut launch = loadgen(format!("{stripe} {options}"));
        if !options.is_empty() {
            launch = launch.arg("--requests").arg(&requests);
        }
        assert_refused(&launch.finish(), words);
    }
}

#[test]
fn the_summary_of_a_stripe_has_the_command_that_judges_all_of_them() {
    let place = Place::new();
    let servers = [start(two_seconds(5))];
    let finished = place
        .stripe(&servers, "1/2", &in_seconds(4), "1.csv")
        .args(["--timeout", "3", "--reuse-keys", "-n", "4"])
        .arg("--summary-json")
        .arg(place.at("1.json"))
        .finish();
    assert_eq!(finished.code(), Some(FINE), "{finished}");
    let text = fs::read_to_string(place.at("1.json")).expect("a file");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        summary["stripe"]["audit_command"],
        "loadgen audit FILES --limit 5 --window 2s --audit=sliding-window --timeout 3"
    );
}
