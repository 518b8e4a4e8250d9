//! Each preset against a limiter that counts every key by itself: a node, and a stand-in for nginx.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::at_once;
use crate::support::report::Report;
use crate::support::run::{Launch, loadgen};
use crate::support::server::{Reply, Server};
use loadgen::core::presets::{self, Preset};
use loadgen::limiter::{
    Algorithm, FailMode, Limit, MemoryStore, Node, Policy, SystemClock, Window, answerable_presets,
};

const LIMIT: u64 = 3;

/// The presets of limiters by key.
fn by_key() -> impl Iterator<Item = &'static Preset> {
    presets::ALL
        .into_iter()
        .filter(|preset| preset.name != "http")
}

/// Runs `test` against a limiter that understands the preset, at a base URL.
fn with_limiter(preset: &Preset, test: impl FnOnce(&str)) {
    if preset.name == "nginx" {
        return test(&nginx().url());
    }
    assert!(answerable_presets().any(|name| name == preset.name));
    let policy = Policy {
        limit: Limit::new(LIMIT).expect("a limit"),
        window: Window::from_millis(60_000).expect("a window"),
    };
    let store = MemoryStore::new(Algorithm::default(), SystemClock::default());
    let any_port = ([127, 0, 0, 1], 0).into();
    let node = Node::start(any_port, "n", Arc::new(store), policy, FailMode::Closed);
    let node = node.expect("a node");
    test(&format!("http://{}", node.addr()));
}

/// A server behind nginx, which blocks with 503.
fn nginx() -> Server {
    let counts = Mutex::new(BTreeMap::<String, u64>::new());
    Server::start(move |request| {
        let [key] = request.header_values("X-Key")[..] else {
            return Reply::status(400, "Bad Request");
        };
        if (&*request.method, &*request.path) != ("GET", "/") || !request.body.is_empty() {
            return Reply::status(400, "Bad Request");
        }
        let mut counts = counts.lock().expect("counts");
        let count = counts.entry(key.to_owned()).or_default();
        *count += 1;
        if *count <= LIMIT {
            Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n")
        } else {
            Reply::status(503, "Service Temporarily Unavailable")
        }
    })
}

/// Ten requests for two keys.
fn run_against(url: &str) -> Launch {
    let line = format!("--targets {url} --rps 20 --duration 0.5 --workers 1 --keys 2");
    loadgen(format!("{line} --limit {LIMIT} --window 60s"))
}

#[track_caller]
fn assert_limited(preset: &Preset, report: &Report) {
    let counts = (report.allowed, report.blocked, report.failed);
    let expected = (2 * LIMIT, 10 - 2 * LIMIT, 0);
    assert_eq!(counts, expected, "{}\n{report}", preset.name);
}

#[test]
fn each_preset_is_understood_by_its_limiter_and_understands_it() {
    at_once(by_key(), |preset| {
        with_limiter(preset, |url| {
            let launch = run_against(url).arg("--preset").arg(preset.name);
            assert_limited(preset, &launch.report());
        });
    });
}

/// The options in a preset's details.
fn printed_options(preset: &Preset) -> Vec<String> {
    let details = presets::details(preset);
    let mut paragraphs = details.split("\n\n");
    let command = paragraphs.find(|paragraph| paragraph.starts_with("loadgen "));
    let command = command.expect("a command").replace("\\\n", "");
    shlex::split(&command)
        .expect("balanced quotes")
        .split_off(1)
}

fn with_options(launch: Launch, options: &[String]) -> Launch {
    let add = |launch: Launch, option: &String| launch.arg(option);
    options.iter().fold(launch, add)
}

#[test]
fn the_printed_options_of_a_preset_do_the_same() {
    at_once(by_key(), |preset| {
        with_limiter(preset, |url| {
            let launch = with_options(run_against(url), &printed_options(preset));
            assert_limited(preset, &launch.report());
        });
    });
}

#[test]
fn the_printed_options_of_a_preset_work_with_the_demo() {
    at_once(by_key().filter(|preset| preset.name != "nginx"), |preset| {
        let demo = format!("--demo --rps 20 --duration 0.5 --keys 2 --limit {LIMIT} --window 60s");
        let launch = with_options(loadgen(demo), &printed_options(preset));
        assert_limited(preset, &launch.report());
    });
}

#[test]
fn an_answer_to_another_path_counts_as_failed() {
    at_once(by_key(), |preset| {
        with_limiter(preset, |url| {
            let launch = run_against(url).arg("--preset").arg(preset.name);
            let report = launch.arg("--path").arg("/elsewhere").report();
            assert_eq!(report.failed, 10, "{}\n{report}", preset.name);
        });
    });
}
