//! The node's binary: its options, its one line, its exit codes.
#![cfg(unix)]

use assert_cmd::Command;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{self, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_ratelimiter");

#[test]
fn it_prints_its_address_serves_and_ends_well_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut node = process::Command::new(BINARY)
            .args(["--port", "0", "--node-name", "n1"])
            .env("BIND", "127.0.0.1")
            .env("ALGORITHM", "token-bucket")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(node.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line
            .strip_prefix("n1: token-bucket on http://")
            .unwrap_or_else(|| panic!("{line}"))
            .trim_end();

        let mut stream = TcpStream::connect(addr).unwrap();
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");

        let pid = Pid::from_raw(node.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(node.wait().unwrap().code(), Some(0), "{signal:?}");
    }
}

fn stderr_of(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_configuration_is_one_line_with_the_option_its_value_and_what_it_may_be() {
    for (option, variable, value, allowed) in [
        ("--port", "PORT", "70000", "an integer from 0 to 65535"),
        (
            "--bind",
            "BIND",
            "localhost",
            "an IP address such as 0.0.0.0",
        ),
        (
            "--algorithm",
            "ALGORITHM",
            "leaky",
            "sliding-log, fixed-window, token-bucket",
        ),
    ] {
        let by_flag = stderr_of(Command::new(BINARY).args([option, value]), 2);
        let by_variable = stderr_of(Command::new(BINARY).env(variable, value), 2);
        for line in [by_flag, by_variable] {
            assert_eq!(line.lines().count(), 1, "{line}");
            for part in [option, value, allowed] {
                assert!(line.contains(part), "{part} is not in {line}");
            }
        }
    }
    let unknown = stderr_of(Command::new(BINARY).arg("--prot"), 2);
    assert_eq!(unknown.lines().count(), 1, "{unknown}");
    assert!(unknown.contains("--prot"));
}

#[test]
fn a_taken_port_ends_it_with_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = stderr_of(
        Command::new(BINARY).args(["--bind", "127.0.0.1", "--port", &port]),
        1,
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains(&port), "{line}");
}
