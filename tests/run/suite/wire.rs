//! The requests on the wire: their bytes, their targets, their keys and their connections.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::OVER;
use crate::support::report::Report;
use crate::support::server::{Refusing, Reply, Request, Server};
use crate::support::tls::Stream;
use crate::support::{at_once, seconds};

/// Servers that allow everything, and their addresses as `--targets` takes them.
fn cluster(size: usize) -> (Vec<Server>, String) {
    let servers: Vec<Server> = (0..size).map(|_| OVER.allowing()).collect();
    let urls: Vec<String> = servers.iter().map(Server::url).collect();
    (servers, urls.join(","))
}

/// The different keys of a server's requests.
fn distinct_keys(server: &Server) -> BTreeSet<String> {
    server.keys().into_iter().collect()
}

/// A whole run of `requests` at once, in order: one worker takes them off the queue.
fn in_order(targets: &str, requests: u32, more: &str) -> Report {
    let line = format!("--rps {} --duration 0.5 --workers 1 {more}", requests * 2);
    let report = OVER.against(targets, line).report();
    assert_eq!(report.scheduled, u64::from(requests), "{report}");
    assert_eq!(report.sent, u64::from(requests), "{report}");
    report
}

// The request.

#[test]
fn a_check_is_a_post_of_key_limit_and_window_as_json() {
    let server = OVER.allowing();
    let report = in_order(&server.url(), 10, "");
    assert_eq!(report.allowed, 10);
    assert_eq!(server.request_count(), 10);
    for request in server.requests() {
        let line = b"POST /check HTTP/1.1\r\n";
        assert!(request.head.starts_with(line), "{request:?}");
        assert_eq!(request.header("Host"), server.authority());
        assert_eq!(request.header("Content-Type"), "application/json");
        let length = request.body.len().to_string();
        assert_eq!(request.header("Content-Length"), length);
        assert_eq!(request.header_values("Transfer-Encoding"), [""; 0]);
        assert_eq!(request.header_values("Expect"), [""; 0]);
        assert_ne!(request.header_values("Connection"), ["close"]);

        let hex = request
            .text()
            .strip_prefix(r#"{"key":"loadgen-"#)
            .and_then(|rest| rest.strip_suffix(r#"","limit":100,"window_ms":60000}"#))
            .unwrap_or_else(|| panic!("{}", request.text()));
        assert_eq!(hex.len(), 8, "{hex}");
        let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(hex.bytes().all(is_hex), "{hex}");
    }
}

#[test]
fn every_request_has_the_same_head() {
    let server = OVER.allowing();
    in_order(&server.url(), 10, "");
    let heads = server.requests().into_iter().map(|request| request.head);
    let heads: BTreeSet<Vec<u8>> = heads.collect();
    assert_eq!(heads.len(), 1, "{heads:?}");
}

#[test]
fn head_and_body_leave_in_one_write() {
    let server = OVER.allowing();
    in_order(&server.url(), 50, "");
    // The first request of a connection may have come with the last of its handshake.
    let later = |request: &Request| request.nth > 0;
    let requests: Vec<Request> = server.requests().into_iter().filter(later).collect();
    let old = requests.len();
    assert!(old >= 40, "{old} on old connections");
    for request in requests {
        assert_eq!(request.reads, 1, "reads that it took the server");
    }
}

#[test]
fn limit_and_window_are_sent_as_asked_for() {
    let server = OVER.allowing();
    in_order(&server.url(), 2, "--limit 7 --window 1500ms");
    for request in server.requests() {
        let end = r#"","limit":7,"window_ms":1500}"#;
        assert!(request.text().ends_with(end), "{}", request.text());
    }
}

#[test]
fn a_path_is_appended_to_each_target_and_without_one_a_target_keeps_its_own() {
    at_once(
        [
            ("", "", "/check"),
            ("/", "", "/check"),
            ("", "--path=", "/"),
            ("/node/1", "--path=", "/node/1"),
            ("/node/1", "", "/node/1"),
            ("/node/1/", "", "/node/1/"),
            ("?a=b", "", "/?a=b"),
            ("/node/1?a=b&c={limit}", "--limit 7", "/node/1?a=b&c=7"),
            ("", "--path /v2/limits", "/v2/limits"),
            ("/node/1/", "--path /v2/limits", "/node/1/v2/limits"),
            ("/with%20space", "", "/with%20space"),
            ("/with%20space", "--path /check", "/with%20space/check"),
        ],
        |(base, option, path)| {
            let server = OVER.allowing();
            in_order(&format!("{}{base}", server.url()), 2, option);
            for request in server.requests() {
                assert_eq!(request.path, path, "of base {base:?} with {option:?}");
            }
        },
    );
}

#[test]
fn the_longest_path_arrives_whole() {
    let server = OVER.allowing();
    let path = format!("/{}", "p".repeat(7_999));
    in_order(&server.url(), 2, &format!("--path {path}"));
    for request in server.requests() {
        assert_eq!(request.path, path);
    }
}

// Keys.

#[test]
fn seven_keys_share_the_traffic_and_every_round_deals_each_once() {
    let server = OVER.allowing();
    in_order(&server.url(), 70, "");
    let keys = server.keys();
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), 7);
    let rounds: Vec<&[String]> = keys.chunks(7).collect();
    for round in &rounds {
        assert_eq!(round.iter().collect::<BTreeSet<_>>(), distinct, "{round:?}");
    }
    assert!(
        rounds.iter().any(|round| round != &rounds[0]),
        "every round in the same order: {:?}",
        rounds[0]
    );
}

#[test]
fn every_key_reaches_every_target_even_where_their_numbers_divide() {
    at_once([3, 6], |keys| {
        let (servers, targets) = cluster(3);
        in_order(&targets, 300, &format!("--keys {keys} --seed 1"));
        for server in &servers {
            let distinct = distinct_keys(server).len();
            assert_eq!(distinct, keys, "at one of three targets");
        }
    });
}

#[test]
fn one_key_is_enough_and_zero_keys_make_a_fresh_one_for_every_request() {
    for (requests, options, keys) in [(10, "--keys 1", 1), (200, "--keys 0 --seed 1", 200)] {
        let server = OVER.allowing();
        in_order(&server.url(), requests, options);
        assert_eq!(distinct_keys(&server).len(), keys, "{options}");
    }
}

#[test]
fn the_same_seed_deals_the_same_keys_to_the_same_targets() {
    at_once(["", "--keys 0"], |keys| {
        let dealt = |seed: u32| -> Vec<Vec<String>> {
            let (servers, targets) = cluster(2);
            in_order(&targets, 40, &format!("--seed {seed} {keys}"));
            servers.iter().map(Server::keys).collect()
        };
        let first = dealt(42);
        assert_eq!(first, dealt(42));
        assert_ne!(first, dealt(43));
    });
}

#[test]
fn the_seed_that_a_run_chose_is_printed_and_repeats_it() {
    let server = OVER.allowing();
    let run = "--rps 40 --duration 0.5 --workers 1";
    let chosen = server.launch(run).finish();
    chosen.report();
    let stdout = chosen.stdout().to_lowercase();
    let after = stdout.split_once("seed").map(|(_, after)| after);
    let after = after.unwrap_or_else(|| panic!("no seed:\n{chosen}"));
    let mut numbers = after.split(|c: char| !c.is_ascii_digit());
    let seed = numbers.find(|number| !number.is_empty()).expect("a seed");

    let first = server.keys();
    server.run(format!("{run} --seed {seed}"));
    assert_eq!(first, server.keys()[first.len()..], "with seed {seed}");

    server.run(run);
    assert_ne!(first, server.keys()[2 * first.len()..], "without a seed");
}

// Targets.

#[test]
fn the_counts_of_targets_differ_by_at_most_one() {
    at_once(
        [(2, 51), (3, 100), (3, 101), (5, 99)],
        |(size, requests)| {
            let (servers, targets) = cluster(size);
            // With many workers: turns are taken by sequence number, not by who is free.
            let line = format!("--rps {requests} --duration 1 --workers 8");
            let report = OVER.against(targets, line).report();
            let counts: Vec<u64> = servers.iter().map(Server::request_count).collect();
            assert_eq!(counts.iter().sum::<u64>(), requests, "{report}");
            let (least, most) = (counts.iter().min(), counts.iter().max());
            let apart = most.zip(least).map(|(most, least)| most - least);
            assert!(apart <= Some(1), "{counts:?}");
            for (server, count) in servers.iter().zip(&counts) {
                assert_eq!(report.target(&server.url()).sent, *count, "{report}");
            }
        },
    );
}

#[test]
fn a_slow_target_gets_no_fewer_requests_than_its_peers() {
    let slow = OVER.server(|_| Reply::allowed().after(seconds(0.2)));
    let quick = OVER.allowing();
    let targets = format!("{},{}", slow.url(), quick.url());
    let report = OVER
        .against(targets, "--rps 50 --duration 1 --workers 16")
        .report();
    assert_eq!(report.target(&slow.url()).sent, 25, "{report}");
    assert_eq!(report.target(&quick.url()).sent, 25, "{report}");
}

// Connections.

/// The server must have had one connection at each address, and one more for each request that came much earlier after the
/// one before than `period`: the machine was busy, and they met.
#[track_caller]
fn assert_one_at_a_time(server: &Server, period: Duration) {
    let arrivals = server.arrivals();
    let met = arrivals
        .windows(2)
        .filter(|pair| pair[1] - pair[0] < period / 2);
    let (connections, met) = (server.accepted(), met.count());
    let most = OVER.addresses().len() + met;
    assert!(
        connections <= most,
        "{connections} connections, {met} requests met another"
    );
}

#[test]
fn one_request_at_a_time_needs_one_connection_to_each_address() {
    let server = OVER.allowing();
    let report = server.run("--rps 8 --duration 1.5 --workers 8");
    assert_eq!(report.allowed, 12, "{report}");
    assert_one_at_a_time(&server, seconds(0.125));
}

#[test]
fn steady_traffic_keeps_as_many_connections_as_requests_in_flight() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.1)));
    let report = server.run("--rps 100 --duration 2 --workers 100");
    assert_eq!(report.allowed, 200, "{report}");
    let (connections, in_flight) = (server.accepted(), server.most_in_flight());
    assert!(
        connections <= in_flight + 5,
        "{connections} connections, {in_flight} in flight"
    );
}

#[test]
fn every_target_keeps_its_own_connection() {
    let (servers, targets) = cluster(3);
    let report = OVER
        .against(targets, "--rps 12 --duration 1.5 --workers 6")
        .report();
    assert_eq!(report.allowed, 18, "{report}");
    for server in &servers {
        assert_one_at_a_time(server, seconds(0.25));
    }
}

#[test]
fn an_idle_connection_that_the_server_closed_costs_no_failed_request() {
    let server = Server::ending_idle(OVER, "", Stream::close);
    let report = server.run("--rps 3 --duration 2 --workers 2");
    assert_eq!(report.allowed, 6, "{report}");
    assert_eq!(server.request_count(), 6);
    assert!(server.accepted() > 1, "the server never closed one");
}

#[test]
fn an_idle_connection_with_a_farewell_on_it_is_not_used_again() {
    let farewell = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Server::ending_idle(OVER, farewell, Stream::close);
    let report = server.run("--rps 3 --duration 2 --workers 2");
    assert_eq!(report.allowed, 6, "{report}");
    assert_eq!(server.request_count(), 6);
}

#[test]
fn a_server_that_closes_after_every_answer_fails_nothing() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let unannounced = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    at_once([announced, unannounced], |answer| {
        let server = OVER.server(move |_| Reply::raw(answer).then_close());
        let report = server.run("--rps 8 --duration 1 --workers 2");
        assert_eq!(report.allowed, 8, "{report}");
        assert_eq!(server.accepted(), 8);
    });
}

#[test]
fn a_connection_that_the_server_announced_to_close_is_left_alone() {
    // The server would read on; the client must not write on.
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let server = OVER.server(move |_| Reply::raw(answer));
    let report = in_order(&server.url(), 10, "");
    assert_eq!(report.allowed, 10, "{report}");
    assert_eq!(server.accepted(), 10);
}

#[test]
fn bytes_after_an_answer_are_never_taken_for_the_next_answer() {
    let server = OVER.server(|_| {
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .then_send("HTTP/1.1 500 Not Asked For\r\nContent-Length: 0\r\n\r\n")
    });
    let report = server.run("--rps 10 --duration 1 --workers 2");
    assert_eq!(report.allowed, 10, "{report}");
}

/// Allows the first request of a connection.
fn allowed_once(request: &Request, then: Reply) -> Reply {
    if request.nth == 0 {
        Reply::allowed()
    } else {
        then
    }
}

#[test]
fn a_request_is_never_sent_twice() {
    let scripts: [fn(&Request) -> Reply; 4] = [
        |_| Reply::close(),
        |_| Reply::reset(),
        // On a connection that was good before, a client may be tempted to try again.
        |request| allowed_once(request, Reply::close()),
        |request| allowed_once(request, Reply::reset()),
    ];
    at_once(scripts, |script| {
        let server = OVER.server(script);
        let report = server.run("--rps 20 --duration 1 --workers 4");
        assert_eq!(report.scheduled, 20, "{report}");
        assert_eq!(server.request_count(), report.sent, "{report}");
        assert!(report.failed > 0, "{report}");
    });
}

#[test]
fn a_request_without_an_answer_is_never_sent_twice() {
    let server = OVER.silent();
    let report = server.run("--rps 20 --duration 0.5 --workers 16 --timeout 0.3");
    assert_eq!(report.failed_by("timeout"), 10, "{report}");
    assert_eq!(server.request_count(), report.sent);
}

#[test]
fn a_refused_target_is_not_replaced_by_another() {
    let refusing = Refusing::over(OVER);
    let server = OVER.allowing();
    let targets = format!("{},{}", refusing.url(), server.url());
    let report = OVER
        .against(targets, "--rps 20 --duration 1 --workers 4")
        .report();
    assert_eq!(server.request_count(), 10, "{report}");
    let refused = BTreeMap::from([("refused".to_owned(), 10)]);
    assert_eq!(report.failures, refused, "{report}");
}

#[test]
fn requests_go_to_the_targets_whatever_proxy_the_environment_names() {
    let (proxy, server) = (OVER.allowing(), OVER.allowing());
    let mut run = server.launch("--rps 20 --duration 0.5 --workers 4");
    for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        run = run.env(variable, &proxy.url());
    }
    assert_eq!(run.report().allowed, 10);
    assert_eq!((proxy.accepted(), server.request_count()), (0, 10));
}
