//! `--at`, `--undo` and `--events`: commands at times of the schedule, their undos however the run ends, and marks.

use crate::support::metrics::{address, scrape};
use crate::support::run::{Finished, Launch, Run, loadgen};
use crate::support::server::Server;
use crate::support::{SIGNALS_APART, at_once, eventually};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use tempfile::TempDir;
use uuid::Uuid;

const BROKE: i32 = 1;
const FAILED: i32 = 4;

/// A place for the files of one run, and a mark in the environment of its processes.
struct Scene {
    folder: TempDir,
    mark: String,
    server: Server,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            folder: tempfile::tempdir().expect("a directory"),
            mark: Uuid::new_v4().to_string(),
            server: Server::allowing(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }

    /// A run of this many seconds with these events and undos, in which `DIR` stands for the folder.
    fn run(&self, seconds: u64, events: &[&str], undos: &[&str]) -> Launch {
        let line = format!(
            "--rps 20 --duration {seconds} --burst-enabled false --no-tui --targets {} --summary-json {}",
            self.server.url(),
            self.path("summary.json"),
        );
        let folder = self.folder.path().to_str().unwrap();
        let mut launch = loadgen(line).env("TEST_MARK", &self.mark);
        for (flag, texts) in [("--at", events), ("--undo", undos)] {
            for text in texts {
                launch = launch.args([flag, &text.replace("DIR", folder)]);
            }
        }
        launch
    }

    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("summary.json")).expect("a summary");
        let summary: Value = serde_json::from_str(&text).expect("JSON");
        summary["events"].as_array().expect("events").clone()
    }

    fn event(&self, name: &str, kind: &str) -> Value {
        let all = self.events();
        let found = all
            .iter()
            .find(|event| event["name"] == name && event["kind"] == kind);
        found
            .unwrap_or_else(|| panic!("no {kind} {name} in {all:#?}"))
            .clone()
    }

    /// The commands of this scene that have not ended.
    fn running(&self) -> Vec<String> {
        let mut running = Vec::new();
        for entry in fs::read_dir("/proc").expect("processes") {
            let process = entry.expect("an entry").path();
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mark = format!("TEST_MARK={}", self.mark);
            if environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
            {
                let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
                running.push(line.replace('\0', " "));
            }
        }
        running
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        let running = self.running();
        assert!(running.is_empty(), "{running:#?}");
    }
}

/// When an event began, in seconds since the schedule's start.
fn began(event: &Value) -> f64 {
    event["began_ns"].as_u64().expect("an instant") as f64 / 1e9
}

fn output(event: &Value) -> &str {
    event["command"]["output"].as_str().expect("an output")
}

/// Waits until the run has a file, which an event makes.
fn await_file(scene: &Scene, run: &mut Run, name: &str) {
    eventually(name, || {
        assert!(run.is_running(), "the run ended before {name}");
        scene.has(name)
    });
}

#[track_caller]
fn assert_ended(finished: &Finished, code: i32) {
    assert_eq!(finished.code(), Some(code), "{finished}");
    assert!(!finished.stderr.contains("panicked"), "{finished}");
}

#[test]
fn commands_run_at_their_times_with_their_words_and_marks_are_set() {
    let scene = Scene::new();
    let events = [
        "1s the time = sh -c 'echo \"[$1]\" $LOADGEN_EVENT' sh 'a  \"b\"'",
        "500ms half =",
        "0s env",
    ];
    let undos = ["1500ms the time = echo back"];
    let finished = scene
        .run(5, &events, &undos)
        .env("LOADGEN_STATS_INTERVAL", "1")
        .finish();
    assert_ended(&finished, 0);
    let all = scene.events();
    let names: Vec<_> = all
        .iter()
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["env", "half", "the time", "the time"]);
    for (event, due) in all.iter().zip([0.0, 0.5, 1.0, 1.5]) {
        let late = began(event) - due;
        assert!((0.0..3.0).contains(&late), "{late} s late: {event:#}");
        assert_eq!(event["due_ns"], (due * 1e9) as u64);
    }
    assert_eq!(output(&all[2]), "[a  \"b\"] the time\n");
    assert_eq!(all[2]["command"]["exit_code"], 0);
    assert_eq!(output(&all[3]), "back\n");
    assert!(all[1].get("command").is_none());
    // A loadgen in an event must not run the events again.
    let environment = output(&all[0]);
    assert!(
        environment.contains("LOADGEN_STATS_INTERVAL=1")
            && environment.contains("LOADGEN_EVENT=env")
    );
    let line = finished
        .stdout()
        .lines()
        .filter(|line| line.starts_with("EVENT the time"))
        .count();
    assert_eq!(line, 2, "{finished}");
    scene.assert_nothing_is_left();
}

#[test]
fn a_loadgen_in_an_event_does_not_run_the_events_of_the_outer_one() {
    let scene = Scene::new();
    let program = env!("CARGO_BIN_EXE_loadgen");
    let inner = format!(
        "100ms {program} --rps 5 --duration 1 --burst-enabled false --targets {}",
        scene.server.url()
    );
    let finished = scene
        .run(3, &[], &[])
        .env("LOADGEN_AT", &format!("{inner}\n200ms two ="))
        .finish();
    assert_ended(&finished, 0);
    let events = scene.events();
    assert_eq!(events.len(), 2, "{events:#?}");
    assert_eq!(events[0]["command"]["exit_code"], 0, "{events:#?}");
    assert!(!output(&events[0]).contains("EVENT"), "{events:#?}");
}

#[test]
fn a_file_has_events_undos_and_thresholds() {
    let scene = Scene::new();
    let file = scene.path("drill.events");
    fs::write(
        &file,
        "# a drill\n\n200ms a = true\nundo a = true\n300ms half time =\nexpect latencie.p99 < 1ms\n",
    )
    .unwrap();
    let wrong = scene.run(1, &[], &[]).args(["--events", &file]);
    wrong.assert_refused(&["--events", "line 6, column 8: must be one of latency"]);
    fs::write(
        &file,
        "# a drill\n\n200ms a = true\nundo a = true\n300ms half time =\nexpect sent.count > 1000\n",
    )
    .unwrap();
    let finished = scene.run(1, &[], &[]).args(["--events", &file]).finish();
    assert_ended(&finished, FAILED);
    let kinds: Vec<_> = scene
        .events()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["command", "mark", "undo"]);
    let overwritten = scene
        .run(1, &[], &[])
        .args(["--events", &file, "--report", &file]);
    overwritten.assert_refused(&["--report", "it is also --events"]);
}

#[test]
fn the_timeline_has_events_in_the_seconds_in_which_they_began() {
    let scene = Scene::new();
    let events = ["1s one, \"two\" = true", "1s half =", "3s last ="];
    let launch = scene.run(5, &events, &["one, \"two\" = true"]);
    let file = scene.path("timeline.csv");
    let finished = launch.args(["--timeline", &file]).finish();
    assert_ended(&finished, 0);
    let text = fs::read_to_string(file).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let column = rows
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "events")
        .unwrap();
    let rows: Vec<_> = rows
        .records()
        .map(|row| row.unwrap()[column].to_owned())
        .collect();
    let mut expected = vec![String::new(); rows.len()];
    for event in scene.events() {
        let name = event["name"].as_str().unwrap();
        let title = if event["kind"] == "undo" {
            format!("undo of {name}")
        } else {
            name.to_owned()
        };
        // The undo begins after the last second.
        let second = (began(&event) as usize).min(rows.len() - 1);
        let cell = &mut expected[second];
        if !cell.is_empty() {
            *cell += "; ";
        }
        *cell += &title;
    }
    assert_eq!(rows, expected);
    assert_eq!(rows.last().unwrap(), "undo of one, two");
}

#[test]
fn a_command_that_fails_breaks_the_run_and_is_reported_at_once() {
    let scene = Scene::new();
    let mut run = scene
        .run(
            3,
            &["100ms no luck = sh -c 'echo some; echo luck >&2; exit 7'"],
            &[],
        )
        .start();
    run.await_line("EVENT no luck failed: exit code 7");
    assert!(run.is_running(), "it was reported at the end only");
    let finished = run.finish();
    assert_ended(&finished, BROKE);
    assert!(
        finished
            .stderr
            .contains("event no luck failed: exit code 7"),
        "{finished}"
    );
    assert_eq!(output(&scene.event("no luck", "command")), "some\nluck\n");
    // A verdict goes before it.
    let finished = scene
        .run(1, &["100ms false"], &[])
        .args(["--threshold", "sent.count > 1000"])
        .finish();
    assert_ended(&finished, FAILED);
}

#[test]
fn a_command_ended_by_a_signal_or_without_a_program_at_its_time_has_failed() {
    let scene = Scene::new();
    let program = scene.path("program");
    fs::write(&program, "#!/no/such/interpreter\n").unwrap();
    std::os::unix::fs::symlink("/bin/true", scene.path("gone")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&program, mode).unwrap();
    let events = [
        "100ms killed = sh -c 'kill -9 $$'",
        "200ms x = DIR/program",
        "0s rm DIR/gone",
        "5s y = DIR/gone",
    ];
    let finished = scene.run(6, &events, &[]).finish();
    assert_ended(&finished, BROKE);
    for (name, says) in [
        ("killed", "signal 9"),
        ("x", "could not be started"),
        ("y", "could not be started"),
    ] {
        let line = format!("event {name} failed: ");
        let line = finished.stderr.lines().find(|other| other.contains(&line));
        assert!(
            line.is_some_and(|line| line.contains(says)),
            "{name}: {finished}"
        );
    }
}

#[test]
fn the_end_of_a_long_output_is_kept() {
    let scene = Scene::new();
    let command = "100ms talk = sh -c 'head -c 1000000 /dev/zero | tr \"\\\\0\" x; echo the end'";
    assert_ended(&scene.run(2, &[command], &[]).finish(), 0);
    let event = scene.event("talk", "command");
    let text = output(&event);
    assert_eq!(text.len(), 4096);
    assert!(text.starts_with("xxx") && text.ends_with("xthe end\n"));
    assert_eq!(event["command"]["output_cut_bytes"], 1_000_008 - 4096);
}

#[test]
fn a_command_that_writes_without_end_and_ignores_sigterm_delays_no_request_and_is_ended() {
    let scene = Scene::new();
    let noisy = "0s noisy = sh -c 'trap \"\" TERM; while :; do echo noise; done'";
    let finished = scene.run(2, &[noisy, "1s sleep 60"], &[]).finish();
    assert_ended(&finished, 0);
    let report = finished.report();
    assert_eq!((report.scheduled, report.allowed), (40, 40), "{report}");
    for name in ["noisy", "sleep 60"] {
        assert!(scene.event(name, "command")["command"]["exit_code"].is_null());
    }
    scene.assert_nothing_is_left();
}

#[test]
fn children_in_the_background_hang_nothing_and_are_ended_with_the_run() {
    let scene = Scene::new();
    let children = "100ms children = sh -c 'sleep 60 & setsid sleep 61 & (setsid sh -c \"trap : TERM; sleep 62; sleep 63\" &); touch DIR/begun; exit 0'";
    let mut run = scene.run(2, &[children], &[]).start();
    await_file(&scene, &mut run, "begun");
    run.await_line("EVENT children ended after");
    assert!(
        run.is_running() && scene.running().len() > 3,
        "{:#?}",
        scene.running()
    );
    assert_ended(&run.finish(), 0);
    assert_eq!(
        scene.event("children", "command")["command"]["exit_code"],
        0
    );
    scene.assert_nothing_is_left();
}

#[test]
fn what_an_undo_leaves_behind_goes_on() {
    let scene = Scene::new();
    let undo = "a = sh -c 'sleep 33 >/dev/null 2>&1 & echo $! > DIR/daemon'";
    assert_ended(&scene.run(1, &["100ms a = true"], &[undo]).finish(), 0);
    // The shell's child may not have become `sleep` yet.
    eventually("the daemon alone", || scene.running() == ["sleep 33 "]);
    kill(fs::read_to_string(scene.path("daemon")).unwrap().trim());
}

#[test]
fn undos_run_at_the_end_in_reverse_order_even_of_events_that_failed_but_not_of_others() {
    let scene = Scene::new();
    let events = ["100ms a = false", "200ms b = sleep 60", "60s c = true"];
    let undos = [
        "a = sh -c 'echo a >> DIR/undone'",
        "50s b = sh -c 'echo b >> DIR/undone'",
        "c = touch DIR/never",
    ];
    let run = scene.run(90, &events, &undos).start();
    run.await_line("EVENT b at");
    run.terminate();
    let finished = run.finish();
    assert_ended(&finished, BROKE);
    assert_eq!(fs::read_to_string(scene.path("undone")).unwrap(), "b\na\n");
    assert!(!scene.has("never"));
    assert!(scene.event("b", "undo").get("due_ns").is_none());
    scene.assert_nothing_is_left();
}

#[test]
fn an_undo_has_a_longest_time_and_its_failure_breaks_the_run() {
    let scene = Scene::new();
    let undos = ["a = sh -c 'sleep 60 & sleep 61'", "b = touch DIR/b"];
    let launch = scene.run(1, &["100ms b = true", "200ms a = true"], &undos);
    let finished = launch.args(["--undo-timeout", "300ms"]).finish();
    assert_ended(&finished, BROKE);
    assert!(
        finished
            .stderr
            .contains("the undo of event a failed: was ended after"),
        "{finished}"
    );
    assert!(scene.has("b"));
    scene.assert_nothing_is_left();
}

#[test]
fn undos_run_after_a_threshold_has_ended_the_run_and_without_a_reader_of_standard_output() {
    let scene = Scene::new();
    let launch = scene.run(60, &["0s a = true"], &["a = touch DIR/undone"]);
    let finished = launch
        .args(["--threshold", "sent.count < 5", "--abort-on-fail"])
        .finish();
    assert_ended(&finished, FAILED);
    assert!(scene.has("undone"));

    let scene = Scene::new();
    let run = scene
        .run(60, &["0s a = true"], &["a = touch DIR/undone"])
        .start();
    run.await_line("EVENT a ended");
    run.close_stdout();
    let finished = run.finish();
    assert_ended(&finished, BROKE);
    assert!(scene.has("undone"));
}

/// A run that a first signal has stopped, whose command ignores SIGTERM and whose undo waits for a file.
fn stopped(scene: &Scene) -> Run {
    let event = "0s a = sh -c 'trap \"\" TERM; touch DIR/begun; sleep 60; sleep 61'";
    let undo = "a = sh -c 'touch DIR/undoing; while [ ! -e DIR/go ]; do sleep 0.05; done; touch DIR/undone'";
    let mut run = scene.run(60, &[event], &[undo]).start();
    await_file(scene, &mut run, "begun");
    run.terminate();
    run
}

#[test]
fn a_second_signal_kills_commands_and_waits_for_their_undos() {
    let scene = Scene::new();
    let mut run = stopped(&scene);
    thread::sleep(SIGNALS_APART);
    run.interrupt();
    await_file(&scene, &mut run, "undoing");
    fs::write(scene.path("go"), "").unwrap();
    let finished = run.finish();
    assert_ended(&finished, 130);
    assert!(
        scene.has("undone") && finished.stderr.contains("a third signal skips it"),
        "{finished}"
    );
    scene.assert_nothing_is_left();
}

#[test]
fn a_third_signal_skips_the_undo() {
    let scene = Scene::new();
    let mut run = stopped(&scene);
    await_file(&scene, &mut run, "undoing");
    for _ in 0..2 {
        thread::sleep(SIGNALS_APART);
        run.terminate();
    }
    assert_ended(&run.finish(), 143);
    assert!(!scene.has("undone"));
    scene.assert_nothing_is_left();
}

#[test]
fn a_second_signal_without_an_undo_ends_the_run_with_its_commands() {
    let scene = Scene::new();
    let event = "0s a = sh -c 'trap \"\" TERM; touch DIR/begun; sleep 60; sleep 61'";
    let mut run = scene.run(60, &[event], &[]).start();
    await_file(&scene, &mut run, "begun");
    run.terminate();
    thread::sleep(SIGNALS_APART);
    run.terminate();
    let finished = run.finish();
    assert_ended(&finished, 143);
    assert!(!finished.stderr.contains("undo"), "{finished}");
    scene.assert_nothing_is_left();
}

#[test]
fn undos_run_even_if_the_run_is_killed() {
    let scene = Scene::new();
    let event = "0s a = sh -c 'setsid sleep 60 & touch DIR/begun; sleep 61'";
    let other = "0s b = true";
    let undos = [
        "a = sh -c 'cat DIR/undone; echo a >> DIR/undone'",
        "b = sh -c 'echo b >> DIR/undone'",
    ];
    let mut run = scene.run(60, &[event, other], &undos).start();
    await_file(&scene, &mut run, "begun");
    run.await_line("EVENT b ended after");
    kill(&run.id().to_string());
    eventually("both undos", || {
        fs::read_to_string(scene.path("undone")).unwrap_or_default() == "b\na\n"
    });
    eventually("the end of all processes", || scene.running().is_empty());
}

#[test]
fn if_the_run_is_killed_what_an_undo_has_restored_goes_on_and_other_undos_know_their_event() {
    let scene = Scene::new();
    let undos = [
        "200ms a = sh -c 'sleep 34 >/dev/null 2>&1 & echo $! > DIR/daemon'",
        "b = sh -c 'echo $LOADGEN_EVENT > DIR/undone'",
    ];
    let run = scene
        .run(60, &["100ms a = true", "100ms b = true"], &undos)
        .start();
    run.await_line("UNDO a ended after");
    kill(&run.id().to_string());
    eventually("the other undo", || {
        fs::read_to_string(scene.path("undone")).unwrap_or_default() == "b\n"
    });
    eventually("the daemon alone", || scene.running() == ["sleep 34 "]);
    kill(fs::read_to_string(scene.path("daemon")).unwrap().trim());
}

/// Ends a process by SIGKILL.
#[track_caller]
fn kill(id: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-KILL", id])
        .status();
    assert!(killed.unwrap().success());
}

#[test]
fn wrong_events_are_refused_before_the_run() {
    let scene = Scene::new();
    at_once(
        [
            (
                &["--at", "1s x = no-such-program"][..],
                "no-such-program is not in the folders of PATH",
            ),
            (
                &["--at", "1s x = ./no/program"],
                "there is none at ./no/program",
            ),
            (
                &["--at", "1s true", "--undo", "true = nope"],
                "nope is not in the folders of PATH",
            ),
            (
                &["--at", "2s true"],
                "must be before the end of the schedule, 2s",
            ),
            (
                &["--at", "1s a = true", "--at", "1.5s a ="],
                "'a' is another event's",
            ),
            (&["--at", "1s a = true | false"], "sh -c"),
            (
                &["--at", "1s a = 'true"],
                "column 8: the quote ' is not closed",
            ),
            (
                &["--at", "1s a = true", "--undo", "b = true"],
                "must be the name of an event: a",
            ),
            (&["--at", "1s a =", "--undo", "a = true"], "'a' is a mark"),
            (
                &["--at", "1s a = true", "--undo", "500ms a = true"],
                "must be after its event",
            ),
            (&["--undo-timeout", "0"], "--undo-timeout '0'"),
            (
                &["--events", "no-such-file"],
                "must be a file with one event per line",
            ),
            (&["--accept-marks"], "needs --metrics-addr"),
        ],
        |(arguments, says)| {
            scene
                .run(2, &[], &[])
                .args(arguments)
                .assert_refused(&[says])
        },
    );
    assert_eq!(scene.server.request_count(), 0);
}

/// Posts a mark. Returns the status and the body of the answer.
fn post(metrics: SocketAddr, kind: &str, body: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(metrics).expect("a connection");
    let length = body.len();
    write!(
        connection,
        "POST /marks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).expect("a status").parse().unwrap();
    let body = answer.split_once("\r\n\r\n").expect("a body").1.to_owned();
    (status, body)
}

#[test]
fn marks_are_posted_while_a_run_goes_on_if_it_accepts_them() {
    let scene = Scene::new();
    let metrics = ["--metrics-addr", "127.0.0.1:0"];
    let run = scene
        .run(60, &[], &[])
        .args(metrics)
        .arg("--accept-marks")
        .start();
    let server = address(&run);
    run.await_line("Requests:");
    let (status, body) = post(server, "application/json", r#"{"name":"deployed ü"}"#);
    assert_eq!(status, 201, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["name"], "deployed ü");
    run.await_line("EVENT deployed ü at");
    assert_eq!(post(server, "text/plain", r#"{"name":"x"}"#).0, 415);
    assert_eq!(post(server, "application/json", r#"{"name":""}"#).0, 400);
    let labels = [("event", "deployed ü"), ("kind", "posted")];
    assert_eq!(scrape(server).count("loadgen_events_total", &labels), 1);
    run.terminate();
    assert_ended(&run.finish(), 0);
    let event = scene.event("deployed ü", "posted");
    let marked = answer["at_s"].as_f64().unwrap();
    assert!(
        (began(&event) - marked).abs() < 0.001,
        "{marked}: {event:#}"
    );

    let run = scene.run(60, &[], &[]).args(metrics).start();
    let (status, body) = post(address(&run), "application/json", r#"{"name":"x"}"#);
    assert_eq!(status, 404);
    assert!(body.contains("--accept-marks"), "{body}");
}
