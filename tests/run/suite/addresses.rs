//! A target whose name stands for several addresses, of which not all are well, or each of which is a node.

use super::OVER;
use crate::support::at_once;
use crate::support::carrier::{NAME, SEVERAL};
use crate::support::run::loadgen;
use crate::support::server::{Refusing, Reply, Request, Server, Unreachable};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

/// Needs a connection of its own for every request.
fn allowed_once() -> Reply {
    Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}

#[test]
fn addresses_that_refuse_cost_no_request_while_another_answers() {
    at_once(SEVERAL, |address| {
        let (server, _refusing) = Refusing::over(OVER).open_at(address, |_| allowed_once());
        let report = server.run("--rps 20 --duration 1 --workers 4");
        assert_eq!(report.allowed, 20, "only {address} answers\n{report}");
        assert_eq!(server.accepted(), 20, "only {address} answers");
    });
}

#[test]
fn addresses_that_do_not_answer_leave_time_for_another() {
    at_once(SEVERAL, |address| {
        let (server, others) = Refusing::over(OVER).open_at(address, |_| allowed_once());
        let _silent = Unreachable::at(others);
        let report = server.run("--rps 2 --duration 1 --workers 1 --timeout 6");
        assert_eq!(report.allowed, 2, "only {address} answers\n{report}");
    });
}

#[test]
fn connections_go_to_the_addresses_in_turn() {
    let server = OVER.server(|_| allowed_once());
    let report = server.run("--rps 60 --duration 1 --workers 4");
    assert_eq!(report.allowed, 60, "{report}");
    let accepted = server.accepted_at();
    for address in SEVERAL {
        let share = accepted.get(&address).copied().unwrap_or(0);
        assert!(share.abs_diff(20) <= 2, "{accepted:?}");
    }
}

/// Admits 20 requests for each key, at each of its addresses or at all of them together.
fn limiter(are_alone: bool) -> Server {
    let counts = Mutex::new(BTreeMap::new());
    OVER.server(move |request: &Request| {
        let at = are_alone.then_some(request.at);
        let mut counts = counts.lock().unwrap();
        let count = counts.entry((at, request.body.clone())).or_insert(0);
        *count += 1;
        if *count <= 20 {
            Reply::allowed()
        } else {
            Reply::blocked()
        }
    })
}

/// The summary of an audited run against a limiter, and the path of its `--requests`.
fn audited(are_alone: bool) -> (Value, PathBuf) {
    let server = limiter(are_alone);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = |end: &str| folder.join(format!("addresses-{are_alone}{end}"));
    let (summary, requests) = (file(".json"), file(".csv"));
    let options = format!(
        "--rps 300 --duration 1 --burst-enabled false --keys 2 --limit 20 --window 60s \
         --audit sliding-window --probe false --summary-json {} --requests {}",
        summary.display(),
        requests.display()
    );
    let finished = server.launch(options).finish();
    assert!(
        [0, 3, 4].contains(&finished.code().unwrap_or(-1)),
        "{finished}"
    );
    let text = std::fs::read_to_string(summary).expect("a summary");
    (serde_json::from_str(&text).expect("JSON"), requests)
}

#[test]
fn addresses_that_count_alone_are_told_apart() {
    let (summary, requests) = audited(true);
    let addresses = summary["targets"][0]["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), SEVERAL.len(), "{addresses:?}");
    for one in addresses {
        let [sent, allowed] = [&one["sent"], &one["allowed"]].map(|count| count.as_u64().unwrap());
        assert_eq!((sent, allowed), (100, 40), "{addresses:?}");
    }
    let audit = &summary["audit"];
    let by_node = &audit["by_node"]["keys"][0]["admitted"];
    assert_eq!(by_node, &Value::from([20, 20, 20].to_vec()), "{audit}");
    let cause = "each node counts alone: they admitted 20, 20, 20 of one key";
    assert!(
        audit["causes"][0]["statement"]
            .as_str()
            .unwrap()
            .starts_with(cause),
        "{audit}"
    );

    let recorded = loadgen("audit --limit 20 --window 60s")
        .arg(requests)
        .finish();
    assert!(recorded.stdout().contains(cause), "{recorded}");
    let port = port(&summary);
    for address in SEVERAL {
        let node = format!("{NAME}:{port} ({})", SocketAddr::new(address, port));
        assert!(recorded.stdout().contains(&node), "{node}\n{recorded}");
    }
}

#[test]
fn addresses_that_count_together_are_not_said_to_count_alone() {
    let (summary, _) = audited(false);
    let audit = &summary["audit"];
    assert_ne!(audit["verdict"], "broken", "{audit}");
    assert_eq!(audit["by_node"], Value::Null, "{audit}");
}

#[test]
fn a_failed_connection_counts_for_the_address_that_was_tried_last() {
    let refusing = Refusing::over(OVER);
    let folder = tempfile::tempdir().unwrap();
    let requests = folder.path().join("requests.csv");
    let report = OVER
        .against(
            refusing.url(),
            "--rps 12 --duration 1 --workers 1 --burst-enabled false --requests",
        )
        .arg(&requests)
        .report();
    assert_eq!(report.failed_by("refused"), 12, "{report}");
    let rows = std::fs::read_to_string(requests).unwrap();
    let mut reader = csv::Reader::from_reader(rows.as_bytes());
    let of_rows = reader.deserialize::<BTreeMap<String, String>>();
    let of_rows = of_rows.map(|row| row.expect("a row"));
    let tried: Vec<_> = of_rows
        .filter(|row| row["source"] == "load")
        .map(|row| row["address"].parse::<SocketAddr>().unwrap().ip())
        .collect();
    assert_eq!(tried.len(), 12, "{rows}");
    assert!(
        tried.iter().all(|address| SEVERAL.contains(address)),
        "{rows}"
    );
    assert!(tried.iter().any(|address| *address != tried[0]), "{rows}");
}

fn port(summary: &Value) -> u16 {
    let name = summary["targets"][0]["name"].as_str().unwrap();
    name.rsplit_once(':').unwrap().1.parse().unwrap()
}
