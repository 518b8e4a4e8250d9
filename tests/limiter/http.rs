//! A limiter node as a client sees it: bytes on a socket.

use loadgen::core::presets::{self, Preset};
use loadgen::limiter::{
    Algorithm, Check, Decision, Demo, DemoLimiter, FailMode, Limit, ManualClock, MemoryStore,
    Micros, Node, Policy, Store, StoreError, Timestamp, Window, answerable_presets,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

struct Reply {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A connection, and the node at its other end, if this keeps it.
struct Connection(BufReader<TcpStream>, Option<Node>);

impl Connection {
    fn to(node: Node) -> Self {
        let mut connection = Self::open(node.addr());
        connection.1 = Some(node);
        connection
    }

    fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self(BufReader::new(stream), None)
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    fn receive(&mut self) -> Reply {
        let mut reply = self.receive_head();
        let mut body = vec![0; reply.headers["content-length"].parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        reply.body = String::from_utf8(body).unwrap();
        reply
    }

    /// A reply whose body is not read.
    fn receive_head(&mut self) -> Reply {
        let mut line = || {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let status = line().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<_, _> = std::iter::from_fn(|| Some(line()))
            .take_while(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        Reply {
            status,
            headers,
            body: String::new(),
        }
    }

    fn request(&mut self, method: &str, path: &str, body: &str) -> Reply {
        self.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: n\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.receive()
    }

    fn check(&mut self, key: &str, limit: u64, window_ms: u64) -> Reply {
        let body = json!({"key": key, "limit": limit, "window_ms": window_ms});
        self.request("POST", "/check", &body.to_string())
    }
}

/// A node whose clock stands still at a whole minute.
fn node(algorithm: Algorithm) -> (Node, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_micros(1_700_000_040_000_000));
    (start("node-a", in_memory(algorithm, clock.clone())), clock)
}

fn in_memory(algorithm: Algorithm, clock: ManualClock) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(algorithm, clock))
}

fn policy(limit: u64, window_ms: u64) -> Policy {
    Policy {
        limit: Limit::new(limit).unwrap(),
        window: Window::from_millis(window_ms).unwrap(),
    }
}

fn start(name: &str, store: Arc<dyn Store>) -> Node {
    let any_port = ([127, 0, 0, 1], 0).into();
    let policy = policy(3, 60_000);
    Node::start(any_port, name, store, policy, FailMode::Closed).unwrap()
}

fn connect() -> Connection {
    Connection::to(node(Algorithm::default()).0)
}

#[track_caller]
fn assert_headers(reply: &Reply, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        assert_eq!(reply.headers[*name], *value, "{name}");
    }
}

#[test]
fn an_allowed_check_is_answered_with_200_and_the_quota() {
    let reply = connect().check("k", 100, 60_000);
    assert_eq!(reply.status, 200);
    let body = r#"{"allowed":true,"limit":100,"remaining":99,"reset_ms":60000,"node":"node-a"}"#;
    assert_eq!(reply.body, body);
    let headers = [
        ("content-type", "application/json"),
        ("ratelimit-policy", r#""default";q=100;w=60"#),
        ("ratelimit", r#""default";r=99;t=60"#),
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "99"),
        ("x-ratelimit-reset", "60"),
    ];
    assert_headers(&reply, &headers);
    assert!(!reply.headers.contains_key("retry-after"));
}

#[test]
fn a_blocked_check_is_answered_with_429_and_the_time_to_wait() {
    let (node, clock) = node(Algorithm::default());
    let mut connection = Connection::open(node.addr());
    connection.check("k", 1, 60_000);
    clock.advance(Micros::new(30_499_001));
    let reply = connection.check("k", 1, 60_000);
    assert_eq!(reply.status, 429);
    let body = json!({
        "allowed": false, "limit": 1, "remaining": 0, "node": "node-a",
        "reset_ms": 29_501, "retry_after_ms": 29_501,
    });
    assert_eq!(reply.json(), body);
    let headers = [
        ("retry-after", "30"),
        ("ratelimit-policy", r#""default";q=1;w=60"#),
        ("ratelimit", r#""default";r=0;t=30"#),
        ("x-ratelimit-limit", "1"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "30"),
    ];
    assert_headers(&reply, &headers);
}

#[test]
fn every_algorithm_blocks_over_the_limit_and_allows_after_the_wait() {
    for &algorithm in Algorithm::ALL {
        let (node, clock) = node(algorithm);
        let mut connection = Connection::open(node.addr());
        for _ in 0..3 {
            assert_eq!(connection.check("k", 3, 60_000).status, 200, "{algorithm}");
        }
        let blocked = connection.check("k", 3, 60_000);
        assert_eq!(blocked.status, 429, "{algorithm}");
        let wait = blocked.json()["retry_after_ms"].as_u64().unwrap();
        clock.advance(Micros::new(wait * 1_000));
        assert_eq!(connection.check("k", 3, 60_000).status, 200, "{algorithm}");
    }
}

#[test]
fn one_connection_serves_many_requests_of_all_outcomes() {
    let mut connection = connect();
    for _ in 0..3 {
        assert_eq!(connection.check("k", 1_000, 60_000).status, 200);
        assert_eq!(connection.request("GET", "/nowhere", "").status, 404);
        assert_eq!(connection.request("POST", "/check", "{").status, 400);
        let unread = connection.request("PUT", "/check", "a body nobody reads");
        assert_eq!(unread.status, 405);
        assert_eq!(connection.request("GET", "/health", "").status, 200);
    }
}

#[test]
fn health_is_answered_to_get_and_head() {
    let mut connection = connect();
    let reply = connection.request("GET", "/health", "");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"status": "ok", "node": "node-a"}));

    let length = reply.headers["content-length"].clone();
    connection.send("HEAD /health HTTP/1.1\r\nHost: n\r\n\r\n");
    let reply = connection.receive_head();
    assert_eq!(
        (reply.status, &reply.headers["content-length"]),
        (200, &length)
    );
    // A body after HEAD would be taken for this one's status line.
    assert_eq!(connection.request("GET", "/health", "").status, 200);
}

/// A node without a store, as an orchestrator sees it: it gets no traffic, and is not started anew.
#[test]
fn a_node_without_its_store_lives_and_is_not_healthy() {
    let mut connection = Connection::to(start("n", Arc::new(FailedStore)));
    assert_eq!(connection.request("GET", "/health", "").status, 503);
    let reply = connection.request("GET", "/live", "");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"status": "ok", "node": "n"}));
}

#[test]
fn a_load_balancers_check_in_http_1_0_without_a_host_is_answered() {
    for check in ["OPTIONS /", "GET /health", "GET /live"] {
        let mut connection = connect();
        connection.send(format!("{check} HTTP/1.0\r\n\r\n"));
        let reply = connection.receive();
        assert_eq!(reply.status, 200, "{check}");
        assert_eq!(reply.headers["connection"], "close");
        assert_eq!(connection.0.read(&mut [0]).unwrap(), 0);
    }
}

/// The bytes of a check, and whether it is allowed by a limit of 2.
fn pipelined_checks() -> (Vec<u8>, [u16; 3]) {
    let check = json!({"key": "k", "limit": 2, "window_ms": 60_000}).to_string();
    let head = "POST /check HTTP/1.1\r\nHost: n\r\nContent-Length";
    let request = format!("{head}: {}\r\n\r\n{check}", check.len());
    (request.repeat(3).into_bytes(), [200, 200, 429])
}

#[test]
fn pipelined_checks_are_decided_in_their_order() {
    let (requests, statuses) = pipelined_checks();
    let mut connection = connect();
    connection.send(&requests);
    assert_eq!([(); 3].map(|()| connection.receive().status), statuses);
}

#[test]
fn checks_that_are_divided_into_segments_anywhere_are_the_same_checks() {
    let (requests, statuses) = pipelined_checks();
    for place in (1..requests.len()).step_by(11) {
        let mut connection = connect();
        connection.0.get_ref().set_nodelay(true).unwrap();
        connection.send(&requests[..place]);
        thread::sleep(Duration::from_millis(2));
        connection.send(&requests[place..]);
        let received = [(); 3].map(|()| connection.receive().status);
        assert_eq!(received, statuses, "{place}");
    }
}

#[test]
fn a_check_with_two_framings_is_refused_and_counts_nothing() {
    let mut connection = connect();
    let check = json!({"key": "k", "limit": 9, "window_ms": 60_000}).to_string();
    let length = check.len();
    connection.send(format!(
        "POST /check HTTP/1.1\r\nHost: n\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{check}"
    ));
    assert_eq!(connection.receive().status, 400);
    assert_eq!(connection.0.read(&mut [0]).unwrap(), 0);
    let addr = connection.1.as_ref().unwrap().addr();
    let reply = Connection::open(addr).check("k", 9, 60_000);
    assert_eq!(reply.json()["remaining"], 8);
}

#[test]
fn a_stopped_node_no_longer_listens() {
    let (node, _) = node(Algorithm::default());
    let addr = node.addr();
    let mut connection = Connection::open(addr);
    assert_eq!(connection.check("k", 9, 60_000).status, 200);
    node.stop(Duration::from_secs(10));
    assert_eq!(connection.0.read(&mut [0]).unwrap(), 0);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn another_method_is_a_405_that_lists_the_allowed_ones() {
    let mut connection = connect();
    for (method, path, allow) in [
        ("GET", "/check", "POST"),
        ("DELETE", "/check", "POST"),
        ("OPTIONS", "/check", "POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("PUT", "/live", "GET, HEAD, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let reply = connection.request(method, path, "");
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(reply.headers["allow"], allow);
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn another_path_is_a_404() {
    let mut connection = connect();
    for path in ["/check/", "/Check", "/health/x"] {
        let reply = connection.request("POST", path, "{}");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["error"].is_string());
    }
    let with_query = connection.request("GET", "/health?from=test", "");
    assert_eq!(with_query.status, 200);
}

fn chunked(chunks: &[&str]) -> String {
    let mut request =
        "POST /check HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for chunk in chunks {
        request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    request + "0\r\n\r\n"
}

#[test]
fn a_chunked_body_is_a_body() {
    let mut connection = connect();
    for _ in 0..2 {
        connection.send(chunked(&[r#"{"key":"k","li"#, r#"mit":9,"window_ms":1}"#]));
        assert_eq!(connection.receive().status, 200);
    }
}

#[test]
fn a_broken_chunk_is_a_400_and_the_end_of_the_connection() {
    let mut connection = connect();
    connection.send("POST /check HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    let reply = connection.receive();
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"].is_string());
    assert_eq!(connection.0.read(&mut [0]).unwrap(), 0);
}

/// A valid check of `bytes` bytes, padded with a field that is ignored.
fn check_of(bytes: usize) -> String {
    let frame = r#"{"key":"k","limit":9,"window_ms":60000,"pad":""}"#;
    let (head, tail) = frame.split_at(frame.len() - 2);
    head.to_owned() + &" ".repeat(bytes - frame.len()) + tail
}

#[test]
fn a_body_over_64_kib_is_a_413_and_one_of_64_kib_is_not() {
    let mut connection = connect();
    let (largest, too_large) = (check_of(64 * 1024), check_of(64 * 1024 + 1));

    assert_eq!(connection.request("POST", "/check", &largest).status, 200);
    let reply = connection.request("POST", "/check", &too_large);
    assert_eq!(reply.status, 413);
    assert!(reply.json()["error"].is_string());

    for (body, status) in [(&largest, 200), (&too_large, 413)] {
        let (head, tail) = body.split_at(40_000);
        connection.send(chunked(&[head, tail]));
        assert_eq!(connection.receive().status, status);
    }
    assert_eq!(connection.request("GET", "/health", "").status, 200);
}

#[test]
fn an_endless_body_is_cut_off() {
    for head in ["Transfer-Encoding: chunked", "Content-Length: 9999999999"] {
        let mut connection = connect();
        connection.send(format!("POST /check HTTP/1.1\r\nHost: n\r\n{head}\r\n\r\n"));
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        let mut sent = 0;
        while connection.0.get_mut().write_all(chunk.as_bytes()).is_ok() {
            sent += chunk.len();
            assert!(sent < 256 << 20, "still reading after {sent} bytes");
        }
    }
}

#[test]
fn a_huge_body_is_refused_before_it_is_sent() {
    let mut connection = connect();
    connection.send("POST /check HTTP/1.1\r\nHost: n\r\nContent-Length: 9999999999\r\n\r\n");
    assert_eq!(connection.receive().status, 413);
}

#[test]
fn expect_100_continue_is_honoured() {
    let mut connection = connect();
    let body = json!({"key": "k", "limit": 1, "window_ms": 1}).to_string();
    connection.send(format!(
        "POST /check HTTP/1.1\r\nHost: n\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    let mut line = String::new();
    connection.0.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    connection.0.read_line(&mut line).unwrap();
    connection.send(body);
    assert_eq!(connection.receive().status, 200);
}

#[test]
fn nodes_on_one_store_share_its_limits() {
    let store = in_memory(Algorithm::default(), ManualClock::default());
    let nodes = ["a", "b"].map(|name| start(name, Arc::clone(&store)));
    let [mut a, mut b] = nodes.map(Connection::to);
    assert_eq!(a.check("k", 2, 60_000).json()["node"], "a");
    let second = b.check("k", 2, 60_000);
    assert_eq!((&second.json()["node"], second.status), (&json!("b"), 200));
    assert_eq!(a.check("k", 2, 60_000).status, 429);
    assert_eq!(b.check("k", 2, 60_000).status, 429);
}

#[test]
fn the_demo_is_three_nodes_with_one_limit() {
    let demo = Demo::start(policy(4, 86_400_000), DemoLimiter::default()).unwrap();
    let mut nodes: Vec<_> = demo.addrs().into_iter().map(Connection::open).collect();
    let replies: Vec<_> = (0..6)
        .map(|turn| nodes[turn % 3].check("k", 4, 86_400_000))
        .collect();
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    let names: Vec<_> = replies
        .iter()
        .map(|reply| reply.json()["node"].clone())
        .collect();
    assert_eq!(names[..3], ["demo-1", "demo-2", "demo-3"]);
}

/// A preset's request for a key. Its limit and window, if it gives any, are the node's.
fn request(preset: &Preset, key: &str) -> String {
    let values = [
        ("{key}", key),
        ("{limit}", "3"),
        ("{window_ms}", "60000"),
        ("{window_s}", "60"),
    ];
    let filled = |template: &str| {
        let fill = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
        values.iter().fold(template.to_owned(), fill)
    };
    let Preset { method, path, .. } = preset;
    let headers = preset.headers.iter();
    let headers: String = headers.map(|header| filled(header) + "\r\n").collect();
    let body = filled(preset.body);
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: n\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Matches a reply with a preset's rule of conditions for the status and the JSON.
fn fits(rule: &str, reply: &Reply) -> bool {
    rule.split(" and ").all(|condition| {
        if let Some(condition) = condition.strip_prefix("json ") {
            let (pointer, value) = condition.split_once(" = ").unwrap();
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            return reply.json().pointer(pointer) == Some(&value);
        }
        let (from, to) = condition.split_once('-').unwrap_or((condition, condition));
        (from.parse().unwrap()..=to.parse().unwrap()).contains(&reply.status)
    })
}

fn answered() -> impl Iterator<Item = &'static Preset> {
    answerable_presets().map(|name| presets::find(name).unwrap())
}

/// Sends a preset's request. Returns true if the preset takes the answer for allowed.
fn ask_as(preset: &Preset, connection: &mut Connection, key: &str) -> bool {
    connection.send(request(preset, key));
    let reply = connection.receive();
    let allowed = fits(preset.allowed, &reply);
    let blocked = fits(preset.blocked, &reply);
    let (name, status, body) = (preset.name, reply.status, reply.body);
    assert_ne!(allowed, blocked, "{name}: {status} {body}");
    allowed
}

#[test]
fn every_preset_of_a_limiter_but_nginx_understands_the_nodes_answers() {
    let names = presets::ALL.iter().map(|preset| preset.name);
    assert!(answerable_presets().eq(names.filter(|name| !["nginx", "http"].contains(name))));

    for preset in answered() {
        for &algorithm in Algorithm::ALL {
            let (node, clock) = node(algorithm);
            let mut connection = Connection::open(node.addr());
            let mut ask = |key| ask_as(preset, &mut connection, key);
            let name = preset.name;
            let allowed = [ask("a"), ask("a"), ask("a")];
            assert_eq!(allowed, [true; 3], "{name} {algorithm}");
            assert_eq!([ask("a"), ask("a"), ask("b")], [false, false, true]);
            clock.advance(Micros::new(60_000_000));
            assert!(ask("a"), "{name} {algorithm}");
        }
    }
}

struct FailedStore;

impl Store for FailedStore {
    fn check(&self, _: &Check) -> Result<Decision, StoreError> {
        Err(StoreError::new("gone"))
    }

    fn health(&self) -> Result<(), StoreError> {
        Err(StoreError::new("gone"))
    }

    fn keys(&self) -> Result<u64, StoreError> {
        Err(StoreError::new("gone"))
    }
}

#[test]
fn no_preset_takes_an_error_for_a_decision() {
    let mut connection = Connection::to(start("n", Arc::new(FailedStore)));
    for preset in answered() {
        connection.send(request(preset, "k"));
        let reply = connection.receive();
        for rule in [preset.allowed, preset.blocked] {
            assert!(!fits(rule, &reply), "{}: {}", preset.name, reply.body);
        }
    }
}

#[test]
fn shapes_on_one_connection_do_not_disturb_each_other() {
    let mut connection = connect();
    for allowed in [true, true, true, false] {
        for preset in answered() {
            assert_eq!(ask_as(preset, &mut connection, "k"), allowed);
        }
    }
}

#[test]
fn kong_limits_requests_of_any_method_that_have_a_key() {
    let mut connection = connect();
    let mut ask = |method: &str| {
        connection.send(format!(
            "{method} / HTTP/1.1\r\nHost: n\r\nX-Key: k\r\n\r\n"
        ));
        connection.receive().status
    };
    let statuses = ["GET", "PUT", "DELETE", "GET"].map(&mut ask);
    assert_eq!(statuses, [200, 200, 200, 429]);
    for method in ["GET", "POST"] {
        let reply = connection.request(method, "/", "{}");
        assert_eq!(reply.status, 404);
        assert!(reply.json()["message"].is_string());
    }
}

#[test]
fn a_shape_takes_no_method_but_its_own() {
    let mut connection = connect();
    for preset in answered().filter(|preset| preset.method == "POST") {
        let reply = connection.request("GET", preset.path, "");
        assert_eq!((reply.status, &*reply.headers["allow"]), (405, "POST"));
    }
}

#[test]
fn the_demos_limit_is_for_requests_without_one() {
    let demo = Demo::start(policy(4, 60_000), DemoLimiter::default()).unwrap();
    let mut nodes: Vec<_> = demo.addrs().into_iter().map(Connection::open).collect();
    for name in ["envoy", "limitador", "kong"] {
        let preset = presets::find(name).unwrap();
        let allowed = (0..6).map(|turn| ask_as(preset, &mut nodes[turn % 3], "k"));
        let allowed = allowed.filter(|allowed| *allowed).count();
        assert_eq!(allowed, 4, "{name}");
    }
}
