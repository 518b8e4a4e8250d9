//! The keys of an audited run are its own, so that no other run can make a right limiter look wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::at_once;
use crate::support::run::loadgen;
use crate::support::server::Server;
use loadgen::limiter::{
    Algorithm, FailMode, Limit, MemoryStore, Node, Policy, SystemClock, Window,
};

/// A limiter that keeps its promise: a sliding log of 5 in 2 s.
fn right_limiter() -> Node {
    let policy = Policy {
        limit: Limit::new(5).expect("a limit"),
        window: Window::from_millis(2_000).expect("a window"),
    };
    let store = MemoryStore::new(Algorithm::default(), SystemClock::default());
    let any_port = ([127, 0, 0, 1], 0).into();
    let node = Node::start(any_port, "n", Arc::new(store), policy, FailMode::Closed);
    node.expect("a node")
}

const OFTEN_ENOUGH: &str = "--limit 5 --window 2s --keys 2 --rps 40 --burst-enabled false --workers 16 \
                            --duration 3 --audit sliding-window --seed 7";

#[test]
fn two_audited_runs_at_once_with_one_seed_do_not_make_a_right_limiter_look_broken() {
    for reuse in ["", "--reuse-keys"] {
        let node = right_limiter();
        at_once(0..2, |_| {
            let targets = format!("--targets http://{}", node.addr());
            let finished = loadgen(format!("{targets} {OFTEN_ENOUGH} {reuse}")).finish();
            let audit = finished.lines_with("Audit: ");
            let verdict = &audit.first().expect("an audit").text;
            assert!(!verdict.starts_with("Audit: broken"), "{finished}");
        });
    }
}

/// The distinct keys of a run's requests, and the order in which they come as numbers by first appearance.
fn keys_and_order(options: &str) -> (BTreeSet<String>, Vec<usize>) {
    let server = Server::allowing();
    let line =
        format!("--rps 40 --duration 0.5 --workers 1 --burst-enabled false --seed 7 {options}");
    server.launch(line).finish().summary();
    // The probe has keys of its own, and its requests may come between those of the run.
    let mut keys = server.keys();
    keys.retain(|key| !key.contains("probe"));
    let mut first: Vec<&String> = Vec::new();
    let mut order = Vec::new();
    for key in &keys {
        let place = first.iter().position(|known| *known == key);
        order.push(place.unwrap_or(first.len()));
        if place.is_none() {
            first.push(key);
        }
    }
    (first.into_iter().cloned().collect(), order)
}

#[test]
fn the_seed_of_an_audited_run_repeats_the_order_of_the_keys_but_not_their_digits() {
    at_once(["--keys 4", "--keys 0"], |keys| {
        let (plain, order) = keys_and_order(keys);
        let own = || keys_and_order(&format!("{keys} --audit"));
        let reused = || keys_and_order(&format!("{keys} --audit --reuse-keys"));
        let (first, first_order) = own();
        let (second, second_order) = own();
        assert!(first.is_disjoint(&second) && first.is_disjoint(&plain));
        assert_eq!((&first_order, &second_order), (&order, &order));
        assert_eq!(reused(), (plain, order));
    });
}

#[test]
fn the_keys_of_a_probe_differ_from_run_to_run_unless_keys_are_reused() {
    let probe_keys = |options: &str| -> BTreeSet<String> {
        let server = Server::allowing();
        let line = format!("--rps 10 --duration 0.5 --limit 5 --audit --seed 7 {options}");
        server.launch(line).finish().summary();
        let keys = server.keys().into_iter();
        keys.filter(|key| key.starts_with("loadgen-probe-"))
            .collect()
    };
    let own = probe_keys("");
    assert!(!own.is_empty());
    assert!(own.is_disjoint(&probe_keys("")));
    let reused = probe_keys("--reuse-keys");
    assert!(!reused.is_disjoint(&probe_keys("--reuse-keys")));
}

#[test]
fn a_heading_says_that_the_keys_are_the_run_s_own() {
    for (options, says) in [
        ("--demo --seed 7", true),
        ("--demo --seed 7 --reuse-keys", false),
        ("--demo --seed 7 --audit off", false),
        ("--demo", false),
    ] {
        let finished = loadgen(format!("{options} --rps 10 --duration 0.2")).finish();
        let own = finished.lines_with("their digits are this run's own");
        assert_eq!(!own.is_empty(), says, "{options}: {finished}");
    }
}
