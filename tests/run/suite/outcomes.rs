//! The outcome of a request for whatever a server may send: allowed, blocked, or failed with one of the named kinds.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::OVER;
use crate::support::report::Report;
use crate::support::server::{Refusing, Reply, Request, Server, Unreachable, reset};
use crate::support::tls::Stream;
use crate::support::{at_once, eventually, seconds};

const REQUESTS: u64 = 5;

/// A short run against one target, with the given options more.
fn run_against(url: &str, more: &str) -> Report {
    let report = OVER
        .against(url, format!("--rps 20 --duration 0.25 {more}"))
        .env("LOADGEN_WORKERS", "4")
        .env("LOADGEN_TIMEOUT", "5")
        .report();
    assert_eq!(report.scheduled, REQUESTS, "{report}");
    assert_eq!(report.sent, REQUESTS, "{report}");
    report
}

fn run_with(behaviour: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Report {
    run_against(&OVER.server(behaviour).url(), "")
}

/// Every request gets these bytes and then the end of the connection.
fn run_with_last_words(answer: &str) -> Report {
    let answer = answer.to_owned();
    run_with(move |_| Reply::raw(&answer).then_close())
}

// The two outcomes that a limiter means.

#[test]
fn a_200_is_allowed_and_a_429_is_blocked() {
    run_with(|_| Reply::allowed()).assert_all_allowed(REQUESTS);
    let report = run_with(|_| Reply::blocked());
    assert_eq!(report.blocked, REQUESTS, "{report}");
}

#[test]
fn allowed_and_blocked_are_told_apart_request_by_request() {
    let number = AtomicUsize::new(0);
    let server = OVER.server(move |_| {
        if number.fetch_add(1, Relaxed).is_multiple_of(2) {
            Reply::allowed()
        } else {
            Reply::blocked()
        }
    });
    let report = server.run("--rps 20 --duration 1 --workers 1");
    assert_eq!((report.allowed, report.blocked), (10, 10), "{report}");
}

// Failures, by kind.

#[test]
fn other_statuses_fail_by_their_class() {
    let cases = [
        ("status_5xx", &[500, 503, 599][..]),
        ("status_other", &[201, 302, 400, 403, 404, 428, 430]),
    ];
    for (kind, codes) in cases {
        at_once(codes, |code| {
            let report = run_with(|_| Reply::status(*code, "Whatever"));
            report.assert_all_failed_by(REQUESTS, &[kind]);
        });
    }
}

#[test]
fn a_204_has_no_body_and_fails_as_another_status() {
    let server = OVER.server(|_| Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"));
    let report = run_against(&server.url(), "--workers 1");
    report.assert_all_failed_by(REQUESTS, &["status_other"]);
    assert_eq!(
        server.accepted(),
        OVER.addresses().len(),
        "can be used again"
    );
}

#[test]
fn a_301_is_not_followed() {
    let elsewhere = OVER.allowing();
    let location = elsewhere.url();
    for code in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let report = run_with(move |request| match request.path.as_str() {
            "/check" => Reply::raw(format!(
                "HTTP/1.1 {code} Moved\r\nLocation: {location}/there\r\nContent-Length: 0\r\n\r\n"
            )),
            _ => Reply::allowed(),
        });
        report.assert_all_failed_by(REQUESTS, &["status_other"]);
    }
    assert_eq!(elsewhere.request_count(), 0);
}

#[test]
fn a_closed_port_fails_as_refused() {
    run_against(&Refusing::over(OVER).url(), "").assert_all_failed_by(REQUESTS, &["refused"]);
}

#[test]
fn a_reset_connection_fails_as_reset() {
    run_with(|_| Reply::reset()).assert_all_failed_by(REQUESTS, &["reset"]);
}

#[test]
fn a_connection_reset_at_once_fails_as_reset() {
    let server = Server::on_tcp(OVER, |stream| reset(&stream));
    run_against(&server.url(), "").assert_all_failed_by(REQUESTS, &["reset"]);
}

#[test]
fn a_connection_closed_without_an_answer_fails_as_reset() {
    run_with(|_| Reply::close()).assert_all_failed_by(REQUESTS, &["reset"]);
}

#[test]
fn a_kept_connection_that_is_lost_without_an_answer_fails_as_reset_idle() {
    let kept = |then: fn() -> Reply| {
        move |request: &Request| {
            if request.nth == 0 {
                Reply::allowed()
            } else {
                then()
            }
        }
    };
    // Each connection serves one request, and fails the next.
    for then in [Reply::reset, Reply::close] {
        let server = OVER.server(kept(then));
        let report = server.run("--rps 20 --duration 1 --workers 1");
        let failed = report.failed_by("reset_idle");
        assert!(failed > 0, "{report}");
        assert_eq!(
            (report.failed, report.allowed),
            (failed, 20 - failed),
            "{report}"
        );
        assert_eq!(server.request_count(), 20, "none was repeated");
        assert!(
            report.to_string().contains("'Connection: close'"),
            "{report}"
        );
    }
    // Something of an answer came.
    for begun in [
        "HTTP/1.1 1",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        let server = OVER.server(move |request| match request.nth {
            0 => Reply::allowed(),
            _ => Reply::raw(begun).then_close(),
        });
        let report = server.run("--rps 20 --duration 1 --workers 1");
        assert!(report.failed_by("reset") > 0, "{begun:?}\n{report}");
        assert_eq!(report.failed, report.failed_by("reset"), "{report}");
    }
}

#[test]
fn connection_close_in_the_request_gives_each_a_connection_of_its_own() {
    let server = OVER.allowing();
    let launch = server.launch("--rps 20 --duration 0.5 --workers 1");
    launch
        .arg("--header=Connection: close")
        .report()
        .assert_all_allowed(10);
    assert_eq!(server.accepted(), 10);
}

#[cfg(unix)]
#[test]
fn a_machine_with_no_descriptor_left_fails_as_local() {
    let server = OVER.server(|_| Reply::allowed().after(seconds(0.5)));
    let report = server
        .launch("--rps 100 --duration 1 --workers 50")
        .after("ulimit -n 24")
        .report();
    assert!(report.failed_by("local") > 0, "{report}");
    assert_eq!(report.failed_by("local"), report.failed, "{report}");
    assert!(report.allowed > 0, "{report}");
}

#[test]
fn a_server_that_never_answers_or_accepts_nobody_fails_as_timeout() {
    let (silent, unreachable) = (OVER.silent(), Unreachable::over(OVER));
    at_once([silent.url(), unreachable.url()], |url| {
        let report = run_against(&url, "--workers 8 --timeout 0.4");
        report.assert_all_failed_by(REQUESTS, &["timeout"]);
    });
}

#[test]
fn a_server_that_stops_in_the_middle_of_an_answer_fails_as_timeout() {
    let answers = [
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    ];
    at_once(answers, |begun| {
        let server = OVER.server(move |_| Reply::raw(begun).then_silence());
        let report = run_against(&server.url(), "--workers 8 --timeout 0.4");
        report.assert_all_failed_by(REQUESTS, &["timeout"]);
    });
}

#[test]
fn the_timeout_is_for_the_whole_request_however_it_trickles() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    at_once(
        [(head, "x"), ("HTTP/1.1 200 OK\r\nX-Slow: ", "x")],
        |(start, drop)| {
            let server = OVER.server(move |_| Reply::raw(start).then_flood(drop, seconds(0.05)));
            let report = run_against(&server.url(), "--workers 8 --timeout 0.4");
            report.assert_all_failed_by(REQUESTS, &["timeout"]);
            let longest = report.failed_after.as_ref().and_then(|after| after.max);
            let longest = longest.expect("failed requests");
            assert!(
                longest >= seconds(0.3) && longest < seconds(3.0),
                "{report}"
            );
        },
    );
}

#[test]
fn bytes_that_are_not_http_and_lengths_that_are_no_lengths_fail_as_protocol() {
    let answers = [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\0\u{1}\u{2}\u{3}\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "<html>hello</html>\r\n\r\n",
        "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Control: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Blank : a\r\nContent-Length : 1, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
    ];
    at_once(answers, |garbage| {
        run_with_last_words(garbage).assert_all_failed_by(REQUESTS, &["protocol"]);
    });
}

#[test]
fn https_to_a_server_without_tls_fails_as_tls() {
    let server = Server::on_tcp(OVER, |mut stream: TcpStream| {
        let _ = stream.set_read_timeout(Some(seconds(2.0)));
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    });
    let url = server.url().replace("http://", "https://");
    run_against(&url, "").assert_all_failed_by(REQUESTS, &["tls"]);
}

#[test]
fn a_name_that_does_not_resolve_fails_as_dns_and_spares_the_others() {
    let server = OVER.allowing();
    let targets = format!("{},http://loadgen-test.invalid:8000", server.url());
    let report = OVER
        .against(targets, "--rps 20 --duration 1 --workers 8")
        .report();
    assert_eq!(report.allowed, 10, "{report}");
    assert_eq!(
        report.failures,
        BTreeMap::from([("dns".to_owned(), 10)]),
        "{report}"
    );
    assert_eq!(
        report.target("http://loadgen-test.invalid:8000").failed,
        10,
        "{report}"
    );
}

// Answers cut short.

#[test]
fn an_answer_cut_short_fails() {
    let answers = [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly the beginning",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nonly",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 100\r\n\r\nonly the beginning",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ];
    at_once(answers, |begun| {
        run_with_last_words(begun).assert_all_failed_by(REQUESTS, &["reset", "protocol"]);
    });
}

#[test]
fn a_connection_closed_in_the_middle_of_the_request_fails() {
    let server = Server::on_connect(OVER, |mut stream| {
        let _ = stream.tcp().set_read_timeout(Some(seconds(2.0)));
        let _ = stream.read(&mut [0; 10]);
    });
    run_against(&server.url(), "").assert_all_failed_by(REQUESTS, &["reset", "protocol"]);
}

// Answers that are odd, and right.

#[test]
fn an_interim_answer_is_not_the_answer() {
    let interim = [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n",
        "HTTP/1.0 100 Continue\r\nServer: x\r\n folded\r\n\r\nHTTP/1.1 199 Odd\nA : b\n\n",
    ];
    at_once(interim, |interim| {
        for pause in [Duration::ZERO, seconds(0.05)] {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            let reply = Reply::raw(interim).then_pause(pause).then_send(answer);
            let report = run_with(move |_| reply.clone());
            assert_eq!(report.allowed, REQUESTS, "{interim:?}\n{report}");
        }
    });
}

#[test]
fn a_chunked_body_is_read_to_its_end() {
    let bodies = [
        "5\r\nhello\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "1\r\na\r\n2\r\nbc\r\n00\r\n\r\n",
        "5;name=value\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Trailer: yes\r\n\r\n",
        "2;first=foo;next=barbaz\r\nok\r\n0\r\n\r\n",
        "0000000000000000000002\r\nok\r\n0000000000000000000000;last=\"one\"\r\n\r\n",
        "2 \nok\n0\nX-Trailer: yes\nX-Folded:\n too\n\n",
    ];
    at_once(bodies, |body| {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let server = OVER.server(move |_| Reply::raw(&answer));
        let report = run_against(&server.url(), "--workers 1");
        assert_eq!(report.allowed, REQUESTS, "{body:?}\n{report}");
        assert_eq!(server.accepted(), OVER.addresses().len(), "after {body:?}");
    });
}

#[test]
fn a_body_without_a_length_ends_with_the_connection_also_in_http_1_0() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ] {
        run_with_last_words(answer).assert_all_allowed(REQUESTS);
    }
    let report =
        run_with_last_words("HTTP/1.0 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(report.blocked, REQUESTS, "{report}");
}

#[test]
fn an_answer_in_many_small_pieces_is_one_answer() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let report = run_with(move |_| {
        answer.bytes().fold(Reply::raw(""), |reply, byte| {
            reply.then_send([byte]).then_pause(seconds(0.002))
        })
    });
    report.assert_all_allowed(REQUESTS);
}

#[test]
fn an_answer_without_a_reason_or_with_a_body_that_is_not_in_its_encoding_is_an_answer() {
    for answer in [
        "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
    ] {
        run_with(move |_| Reply::raw(answer)).assert_all_allowed(REQUESTS);
    }
}

#[test]
fn an_answer_that_comes_before_the_request_was_read_is_an_answer() {
    let server = Server::on_connect(OVER, |mut stream| {
        let _ = stream.tcp().set_read_timeout(Some(seconds(0.2)));
        let _ = stream.read(&mut [0; 1]);
        let _ = stream.write_all(
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        // Reads the rest, so that the close does not become a reset.
        while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
    });
    let report = run_against(&server.url(), "");
    assert_eq!(report.blocked, REQUESTS, "{report}");
}

/// An answer in a form that few servers use, its body `ok`.
fn odd_answers() -> Vec<String> {
    let many: String = (0..500).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    [
        "HTTP/1.1  200  OK\r\nContent-Length: 2\r\n\r\nok",
        "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\n\tthree\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n X-Ignored: yes\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Blank : yes\r\nContent-Length\t: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 02\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        &format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\nok"),
        &format!("HTTP/1.1 200 OK\r\n{many}Transfer-Encoding: chunked\r\n\r\n{chunks}"),
        &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n{chunks}"),
        &format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ),
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn an_odd_answer_is_an_answer_and_its_connection_is_used_again() {
    at_once(odd_answers(), |answer| {
        let server = OVER.server(move |_| Reply::raw(&answer));
        run_against(&server.url(), "--workers 1").assert_all_allowed(REQUESTS);
        assert_eq!(server.accepted(), OVER.addresses().len());
    });
}

#[test]
fn an_odd_answer_in_two_pieces_is_an_answer() {
    at_once(odd_answers(), |answer| {
        let answer = answer.into_bytes();
        let turn = AtomicUsize::new(1);
        let server = OVER.server(move |_| {
            // Cut in another place for each request.
            let cut = turn.fetch_add(1, Relaxed) * answer.len() / (REQUESTS as usize + 1);
            let (begin, rest) = answer.split_at(cut);
            Reply::raw(begin).then_pause(seconds(0.02)).then_send(rest)
        });
        run_against(&server.url(), "--workers 1").assert_all_allowed(REQUESTS);
    });
}

#[test]
fn chunks_in_an_http_1_0_answer_are_read_and_cost_the_connection() {
    let server = OVER.server(|_| {
        Reply::raw(
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
    });
    run_against(&server.url(), "--workers 1").assert_all_allowed(REQUESTS);
    assert_eq!(server.accepted() as u64, REQUESTS);
}

#[test]
fn an_answer_that_has_no_body_may_state_the_length_that_another_would_have() {
    for head in [
        "HTTP/1.1 204 No Content\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nX-Blank : yes\r\nContent-Length: 100\r\n\r\n",
    ] {
        let server = OVER.server(move |_| Reply::raw(head));
        run_against(&server.url(), "--workers 1 --allowed 200-399").assert_all_allowed(REQUESTS);
        assert_eq!(server.accepted(), OVER.addresses().len(), "{head}");
    }
}

#[test]
fn an_answer_to_head_has_no_body_whatever_it_states() {
    for state in [
        "Content-Length: 100",
        "Transfer-Encoding: chunked",
        "X-None: yes",
    ] {
        let server =
            OVER.server(move |_| Reply::raw(format!("HTTP/1.1 200 OK\r\n{state}\r\n\r\n")));
        let report = run_against(&server.url(), "--workers 1 --method HEAD --path /");
        report.assert_all_allowed(REQUESTS);
        assert_eq!(server.accepted(), OVER.addresses().len(), "{state}");
    }
}

#[test]
fn bytes_behind_a_rewritten_answer_are_never_taken_for_the_next_answer() {
    let next = "HTTP/1.1 500 Not Asked For\r\nContent-Length: 0\r\n\r\n";
    at_once(odd_answers(), |answer| {
        let report = run_with(move |_| Reply::raw(format!("{answer}{next}")));
        report.assert_all_allowed(REQUESTS);
    });
}

// Answers that come early.

/// The options of a request with a body of this many KiB.
fn body_of(kib: usize) -> String {
    let file = crate::support::carrier::file(&format!("body-{kib}"), &"x".repeat(kib * 1024));
    format!(
        "--body-file {} --header Content-Type:text/plain",
        file.display()
    )
}

const EARLY: &str =
    "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";

/// Reads a request up to the end of its head, and perhaps a part of the body.
fn read_head(stream: &mut Stream) -> bool {
    let _ = stream.tcp().set_read_timeout(Some(seconds(20.0)));
    let mut read = Vec::new();
    let mut buffer = [0; 64];
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => read.extend_from_slice(&buffer[..length]),
            _ => return false,
        }
    }
    true
}

#[test]
fn an_answer_to_a_request_whose_body_is_never_read_is_an_answer() {
    // The unread body turns the close into a reset.
    at_once([1, 64, 1024], |kib| {
        let server = Server::on_connect(OVER, |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(EARLY.as_bytes());
            let _ = stream.flush();
        });
        for _ in 0..4 {
            let report = run_against(&server.url(), &body_of(kib));
            assert_eq!(report.blocked, REQUESTS, "{kib} KiB\n{report}");
        }
    });
}

#[test]
fn an_early_answer_is_an_answer_on_a_kept_connection_too() {
    let server = Server::on_connect(OVER, |mut stream| {
        let mut body = vec![0; 256 * 1024];
        for _ in 0..2 {
            // The first request is read whole.
            if !read_head(&mut stream) {
                return;
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            let _ = stream.tcp().set_read_timeout(Some(seconds(0.05)));
            while stream.read(&mut body).is_ok_and(|length| length > 0) {}
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
        }
        if read_head(&mut stream) {
            let _ = stream.write_all(EARLY.as_bytes());
            let _ = stream.flush();
        }
    });
    let options = format!("--rps 4 --duration 3 --workers 1 {}", body_of(1024));
    let report = server.run(options);
    assert!(report.blocked > 0, "{report}");
    assert_eq!(
        (report.failed, report.allowed),
        (0, 12 - report.blocked),
        "{report}"
    );
}

#[test]
fn a_server_that_answers_and_reads_no_more_has_answered() {
    let answers = [
        EARLY,
        "HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2;a\r\nno\r\n0\r\n\r\n",
        &format!("HTTP/1.1 100 Continue\r\nA: b\r\n\r\n{EARLY}"),
    ]
    .map(str::to_owned);
    at_once(answers, |answer| {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let server = Server::on_connect(OVER, move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
            while !until.load(Relaxed) {
                std::thread::sleep(seconds(0.01));
            }
        });
        let report = run_against(&server.url(), &format!("--workers 8 {}", body_of(1024)));
        over.store(true, Relaxed);
        assert_eq!(report.blocked, REQUESTS, "{report}");
    });
}

#[test]
fn a_request_is_sent_to_its_end_while_its_answer_begins() {
    let kib = 1024;
    let server = Server::on_connect(OVER, move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let _ = stream.flush();
        let mut left: usize = kib * 1024 - 64;
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(length @ 1..) => left = left.saturating_sub(length),
                _ => return,
            }
            std::thread::sleep(seconds(0.001));
        }
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = stream.flush();
    });
    run_against(&server.url(), &body_of(kib)).assert_all_allowed(REQUESTS);
}

#[test]
fn a_server_that_is_slow_to_read_a_request_is_waited_for() {
    // Over TLS, the server's tickets arrive meanwhile; an interim answer means nothing either.
    let kib = 1024;
    let server = Server::on_connect(OVER, move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let _ = stream.flush();
        std::thread::sleep(seconds(1.5));
        let mut left: usize = kib * 1024 - 64;
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(length @ 1..) => left = left.saturating_sub(length),
                _ => return,
            }
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.flush();
    });
    let options = format!("{} --workers 8 --timeout 20", body_of(kib));
    run_against(&server.url(), &options).assert_all_allowed(REQUESTS);
}

// Large answers.

const MIB: usize = 1024 * 1024;

#[test]
fn a_body_of_up_to_a_mebibyte_keeps_its_connection_and_a_longer_one_counts_by_its_status() {
    for (length, connections) in [(MIB, OVER.addresses().len()), (4 * MIB, REQUESTS as usize)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let answer = head + &"x".repeat(length);
        let server = OVER.server(move |_| Reply::raw(&answer));
        run_against(&server.url(), "--workers 1").assert_all_allowed(REQUESTS);
        assert_eq!(server.accepted(), connections, "for {length} bytes");
    }
}

#[test]
fn a_body_without_end_counts_by_its_status_and_costs_its_connection() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = [
        (chunked, chunk),
        ("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(0x10000)),
    ];
    at_once(endless, |(head, more)| {
        let server = OVER.server(move |_| Reply::raw(head).then_flood(&more, Duration::ZERO));
        run_against(&server.url(), "--workers 1").assert_all_allowed(REQUESTS);
        assert_eq!(server.accepted() as u64, REQUESTS, "after {head:?}");
    });
}

#[test]
fn a_head_of_up_to_32_kilobytes_is_an_answer_and_a_longer_one_fails_as_protocol() {
    at_once([4_000, 30_000, 40_000, 100_000, 1_000_000], |size| {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-Huge: {}\r\nContent-Length: 2\r\n\r\nok",
            "x".repeat(size)
        );
        let report = run_with(move |_| Reply::raw(&answer));
        if size < 32_000 {
            report.assert_all_allowed(REQUESTS);
        } else {
            report.assert_all_failed_by(REQUESTS, &["protocol"]);
        }
    });
}

#[test]
fn a_head_without_end_fails_and_does_not_fill_the_memory() {
    let server = OVER.server(|_| {
        Reply::raw("HTTP/1.1 200 OK\r\n")
            .then_flood("X-More: and more\r\n".repeat(1000), Duration::ZERO)
    });
    let report = run_against(&server.url(), "--timeout 3");
    report.assert_all_failed_by(REQUESTS, &["protocol", "timeout"]);
}

// Targets that come and go.

#[test]
fn one_refused_target_of_three_fails_only_its_third() {
    let (first, refusing, third) = (OVER.allowing(), Refusing::over(OVER), OVER.allowing());
    let targets = [first.url(), refusing.url(), third.url()];
    let report = OVER
        .against(targets.join(","), "--rps 30 --duration 1 --workers 4")
        .report();
    assert_eq!((report.allowed, report.failed), (20, 10), "{report}");
    assert_eq!(report.failed_by("refused"), 10, "{report}");
    assert_eq!(report.target(&targets[0]).allowed, 10, "{report}");
    assert_eq!(report.target(&targets[1]).failed, 10, "{report}");
    assert_eq!(report.target(&targets[2]).allowed, 10, "{report}");
}

#[test]
fn a_target_that_was_down_is_used_as_soon_as_it_is_back() {
    let down = Refusing::over(OVER);
    let run = OVER
        .against(
            down.url(),
            "--rps 20 --duration 3 --workers 4 --stats-interval 0.5",
        )
        .start();
    run.await_line("Requests: ");
    let server = down.open(|_| Reply::allowed());
    let report = run.finish().report();
    assert_eq!(report.scheduled, 60, "{report}");
    assert!(report.failed_by("refused") >= 5, "{report}");
    assert!(report.allowed >= 10, "{report}");
    assert_eq!(report.allowed + report.failed_by("refused"), 60, "{report}");
    assert_eq!(server.request_count(), report.allowed);
}

#[test]
fn a_target_that_goes_away_fails_from_then_on() {
    let mut server = OVER.allowing();
    let run = server.launch("--rps 20 --duration 2 --workers 4").start();
    eventually("ten requests", || server.request_count() >= 10);
    server.stop();
    let report = run.finish().report();
    assert_eq!(report.scheduled, 40, "{report}");
    assert!(report.allowed >= 10, "{report}");
    assert!(report.failed_by("refused") >= 5, "{report}");
    assert_eq!(report.allowed + report.failed, 40, "{report}");
}
