//! The command `ratelimiter`: its options, its output and its exit codes.

use assert_cmd::Command;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{self, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_ratelimiter");

#[rustfmt::skip]
const AT_LOOPBACK: [&str; 6] = ["--port", "0", "--bind", "127.0.0.1", "--node-name", "n1"];

const IN_MEMORY: &str = "n1: sliding-log in memory on http://";

/// A node that is killed when this is dropped.
struct RunningNode {
    process: process::Child,
    addr: SocketAddr,
}

impl RunningNode {
    /// The first printed line must be `expected` and then the node's address.
    fn start(command: &mut process::Command, expected: &str) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line.strip_prefix(expected);
        let addr = addr.unwrap_or_else(|| panic!("{line}"));
        let addr = addr.trim_end().parse().unwrap();
        Self { process, addr }
    }

    fn in_memory() -> Self {
        let mut command = process::Command::new(BINARY);
        command.args(AT_LOOPBACK);
        Self::start(&mut command, IN_MEMORY)
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        self.get_with(path, "")
    }

    /// The header includes its line's end.
    fn get_with(&self, path: &str, header: &str) -> String {
        let mut stream = self.open();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n{header}\r\n"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        // This fails if it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn it_prints_its_address_serves_and_ends_well_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = process::Command::new(BINARY);
        command
            .args(["--port", "0", "--node-name", "n1"])
            .env("BIND", "127.0.0.1")
            .env("ALGORITHM", "token-bucket");
        let mut node = RunningNode::start(&mut command, "n1: token-bucket in memory on http://");
        let reply = node.get("/health");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        let reply = node.get("/metrics");
        assert!(reply.contains("application/openmetrics-text"), "{reply}");
        assert!(reply.ends_with("# EOF\n"), "{reply}");
        node.signal(signal);
        assert_eq!(node.exit_code(), Some(0), "{signal:?}");
    }
}

const CHECK: &str = r#"{"key":"k","limit":1,"window_ms":60000}"#;

impl RunningNode {
    /// A check whose body the node is waiting for.
    fn begin_check(&self) -> TcpStream {
        let mut stream = self.open();
        let length = CHECK.len();
        write!(
            stream,
            "POST /check HTTP/1.1\r\nHost: n\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        let mut goes_on = [0; 25];
        stream.read_exact(&mut goes_on).unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        // Nothing shows from outside when the node begins to wait for the body, which is next.
        thread::sleep(Duration::from_millis(50));
        stream
    }

    fn wait_until_it_stops(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.addr).is_ok() {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "it still listens"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_request_that_came_before_the_signal_is_answered_after_it() {
    let mut node = RunningNode::in_memory();
    let mut stream = node.begin_check();
    node.signal(Signal::TERM);
    node.wait_until_it_stops();
    write!(stream, "{CHECK}").unwrap();
    let mut reply = [0; 15];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_node_from_ending() {
    let mut node = RunningNode::in_memory();
    let _stream = node.begin_check();
    let signalled = Instant::now();
    node.signal(Signal::TERM);
    assert_eq!(node.exit_code(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut node = RunningNode::in_memory();
    let _stream = node.begin_check();
    node.signal(Signal::TERM);
    node.wait_until_it_stops();
    // Signals that come sooner after each other count as one.
    thread::sleep(Duration::from_millis(150));
    node.signal(Signal::TERM);
    assert_eq!(node.exit_code(), Some(143));
}

#[test]
fn more_connections_than_descriptors_are_served_one_after_the_other() {
    let mut command = process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 60 && exec \"$0\" \"$@\"", BINARY])
        .args(AT_LOOPBACK)
        .stderr(Stdio::piped());
    let mut node = RunningNode::start(&mut command, IN_MEMORY);
    let mut connections: Vec<_> = (0..90).map(|_| node.open()).collect();
    let mut last = connections.pop().unwrap();
    write!(last, "GET /health HTTP/1.1\r\nHost: n\r\n\r\n").unwrap();
    let wait = Some(Duration::from_millis(200));
    last.set_read_timeout(wait).unwrap();
    let mut reply = [0; 15];
    let early = last.read(&mut reply);
    assert!(early.is_err(), "the last is served beside all others");
    drop(connections);
    last.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    last.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
    node.signal(Signal::TERM);
    let mut complaints = String::new();
    let mut stderr = node.process.stderr.take().unwrap();
    stderr.read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints, "");
}

/// Nothing but the limit of the process makes the system refuse a descriptor, so it is lowered from outside.
#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_the_node_says_so_once_does_not_spin_and_recovers() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let mut command = process::Command::new(BINARY);
    command.args(AT_LOOPBACK).stderr(Stdio::piped());
    let mut node = RunningNode::start(&mut command, IN_MEMORY);
    assert!(node.get("/live").starts_with("HTTP/1.1 200 OK\r\n"));

    let process = format!("/proc/{}", node.process.id());
    let open = std::fs::read_dir(format!("{process}/fd")).unwrap().count() as u64;
    let limit = Rlimit {
        current: Some(open + 2),
        maximum: Some(open + 2),
    };
    let pid = Pid::from_raw(node.process.id().cast_signed());
    prlimit(pid, Resource::Nofile, limit).unwrap();
    /// User and system time of the process, in ticks of 10 ms.
    fn ticks(process: &str) -> u64 {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let fields = after_name.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<u64>().unwrap()).sum()
    }
    let before = ticks(&process);
    let mut connections: Vec<_> = (0..6).map(|_| node.open()).collect();
    let mut last = connections.pop().unwrap();
    write!(last, "GET /live HTTP/1.1\r\nHost: n\r\n\r\n").unwrap();
    last.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut reply = [0; 15];
    assert!(last.read(&mut reply).is_err(), "there are descriptors");
    let spent = ticks(&process) - before;
    assert!(spent < 50, "{spent} ticks within 2 s");

    drop(connections);
    last.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    last.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
    drop(last);
    assert!(node.get("/live").starts_with("HTTP/1.1 200 OK\r\n"));
    node.signal(Signal::TERM);
    let mut complaints = String::new();
    let mut stderr = node.process.stderr.take().unwrap();
    stderr.read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints.lines().count(), 1, "{complaints}");
    assert!(
        complaints.contains("can't accept connections"),
        "{complaints}"
    );
}

#[test]
fn its_own_limit_and_window_are_for_requests_without_them() {
    let mut command = process::Command::new(BINARY);
    command
        .args(AT_LOOPBACK)
        .args(["--limit", "2"])
        .env("WINDOW", "1h");
    let node = RunningNode::start(&mut command, IN_MEMORY);
    for status in ["200 OK", "200 OK", "429 Too Many Requests"] {
        let reply = node.get_with("/", "X-Key: k\r\n");
        let line = format!("HTTP/1.1 {status}\r\n");
        assert!(reply.starts_with(&line), "{reply}");
        assert!(reply.contains("x-ratelimit-limit-hour: 2\r\n"), "{reply}");
    }
}

#[test]
fn an_empty_variable_is_ignored() {
    let mut command = process::Command::new(BINARY);
    command
        .env("NODE_NAME", "")
        .args(["--port", "0", "--bind", "127.0.0.1"]);
    RunningNode::start(&mut command, "node-0: sliding-log in memory on http://");
}

#[test]
fn the_health_check_fails_without_a_node() {
    let node = RunningNode::in_memory();
    let port = node.addr.port().to_string();
    let health_check = || {
        let mut command = Command::new(BINARY);
        command.arg("--healthcheck").env("PORT", &port);
        command
    };
    // By default a node listens on every address, so the request goes to loopback.
    let output = health_check().assert().code(0).get_output().clone();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    health_check()
        .args(["--bind", "127.0.0.1"])
        .assert()
        .code(0);

    drop(node);
    let line = line_of(&mut health_check(), 1);
    let url = format!("http://127.0.0.1:{port}/health");
    assert!(line.contains(&url), "{line}");
}

/// A container engine that starts a node anew because Redis is away would make the outage worse.
#[test]
fn a_node_without_its_store_is_live_but_not_ready() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let store = format!("redis://{}/0", unused.unwrap());
    let mut command = process::Command::new(BINARY);
    command
        .args(AT_LOOPBACK)
        .args(["--store", &store])
        .stderr(Stdio::null());
    let expected = format!("n1: sliding-log in {store} on http://");
    let node = RunningNode::start(&mut command, &expected);
    for (probe, code) in [("=live", 0), ("=ready", 1), ("", 1)] {
        let mut command = Command::new(BINARY);
        command.arg(format!("--healthcheck{probe}"));
        command.env("PORT", node.addr.port().to_string());
        command.assert().code(code);
    }
    let line = line_of(Command::new(BINARY).arg("--healthcheck=dead"), 2);
    for part in ["--healthcheck", "dead", "ready or live"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

/// What the command says on standard error: one line.
fn line_of(command: &mut Command, code: i32) -> String {
    let said = stderr_of(command, code);
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

fn stderr_of(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_configuration_is_one_line_with_the_option_its_value_and_the_range() {
    #[rustfmt::skip]
    let cases = [
        ("--port", "PORT", "70000", "a whole number from 0 to 65535"),
        ("--bind", "BIND", "localhost", "an IP address such as 0.0.0.0"),
        ("--algorithm", "ALGORITHM", "leaky", "sliding-log, fixed-window, token-bucket"),
        ("--store", "STORE", "disk", "memory or redis://"),
        ("--store", "STORE", "redis://h/x", "a whole number, 0 or more"),
        ("--store-timeout", "STORE_TIMEOUT", "0", "from 1ms to 60s"),
        ("--fail-mode", "FAIL_MODE", "ajar", "closed or open"),
        ("--limit", "LIMIT", "0", "a whole number from 1 to 1000000"),
        ("--window", "WINDOW", "86401", "from 1ms to 24h"),
    ];
    for (option, variable, value, allowed) in cases {
        let by_flag = line_of(Command::new(BINARY).args([option, value]), 2);
        let by_variable = line_of(Command::new(BINARY).env(variable, value), 2);
        for (name, line) in [(option, by_flag), (variable, by_variable)] {
            for part in [name, value, allowed] {
                assert!(line.contains(part), "{part} is not in {line}");
            }
        }
    }
    for value in ["redis://:secret@h/x", "redis//:secret@h"] {
        let line = stderr_of(Command::new(BINARY).env("STORE", value), 2);
        assert!(!line.contains("secret"), "{line}");
        assert!(line.contains("redis://[[user]:password@]host"), "{line}");
    }
    let line = stderr_of(Command::new(BINARY).arg("redis://:secret@h"), 2);
    assert!(line.contains("…@h") && !line.contains("secret"), "{line}");
    line_of(Command::new(BINARY).env("PORT", "1\n2"), 2);
    let line = stderr_of(Command::new(BINARY).args(["--node-name", ""]), 2);
    assert!(line.contains("of 1 to 128 bytes"), "{line}");
    let unknown = line_of(Command::new(BINARY).arg("--prot"), 2);
    assert!(unknown.contains("--prot"));
}

#[test]
fn an_address_that_it_cannot_listen_on_is_refused_by_name() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = Command::new(BINARY);
    let line = line_of(command.args(["--bind", "127.0.0.1", "--port", &port]), 2);
    let expected = format!("--port '{port}': must be a port of --bind '127.0.0.1'");
    assert!(line.contains(&expected), "{line}");
    // Of a network that is for documentation only (RFC 5737), so no machine's own.
    let mut command = Command::new(BINARY);
    let line = line_of(command.args(["--bind", "192.0.2.1", "--port", "0"]), 2);
    assert!(
        line.contains("--bind '192.0.2.1': must be an address"),
        "{line}"
    );
}
