//! The server on sockets. `tests/limiter/http.rs` has the cases in which what the node answers matters.

use super::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Short waits for what clients must not keep waiting for, and long ones for the rest.
fn limits() -> Limits {
    Limits {
        connections: 100,
        idle: Duration::from_secs(60),
        request: Duration::from_secs(60),
        response: Duration::from_secs(60),
        closing: Duration::from_secs(1),
    }
}

fn server(limits: Limits) -> HttpServer {
    HttpServer::start_within(limits, ANY_PORT, echo).unwrap()
}

/// Answers `POST /echo` with its body, `/wait` after a second, `/large` with 16 MiB, and others with their method and path.
fn echo(request: &Request<()>, body: &mut dyn ReadBody) -> Response {
    match request.uri().path() {
        "/echo" => match body.read(64 * 1024) {
            Ok(body) => Response::new(body),
            Err(error) => text_response(error.status(), error.to_string()),
        },
        "/wait" => {
            thread::sleep(Duration::from_secs(1));
            Response::new(b"waited".to_vec())
        }
        "/large" => Response::new(vec![b'x'; 16 << 20]),
        "/panic" => panic!("this panic belongs to the test"),
        path => Response::new(format!("{} {path}", request.method()).into_bytes()),
    }
}

fn connect(server: &HttpServer) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    let patience = Duration::from_secs(20);
    stream.set_read_timeout(Some(patience)).unwrap();
    stream
}

fn send(mut stream: &TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).unwrap();
}

/// Everything until the server closes the connection.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// A response with this number of bytes in its body.
fn response(mut stream: &TcpStream, length: usize) -> (String, String) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (
        String::from_utf8(text).unwrap(),
        String::from_utf8(body).unwrap(),
    )
}

/// The statuses of several responses.
fn statuses(text: &str) -> Vec<&str> {
    let after = text.split("HTTP/1.1 ").skip(1);
    let statuses = after.map(|response| &response[..3]);
    statuses
        .filter(|status| status.parse::<u16>().is_ok())
        .collect()
}

/// The response to these bytes, after which the client says that there are no more.
fn answer(server: &HttpServer, bytes: impl AsRef<[u8]>) -> String {
    let stream = connect(server);
    send(&stream, bytes);
    stream.shutdown(Shutdown::Write).unwrap();
    rest(&stream)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

#[test]
fn a_response_has_a_date_and_a_length_and_is_one_write() {
    let server = server(limits());
    let stream = connect(&server);
    send(&stream, get("/a"));
    let mut bytes = [0; 1024];
    let length = (&stream).read(&mut bytes).unwrap();
    let text = str::from_utf8(&bytes[..length]).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ndate: "), "{text}");
    assert!(
        text.ends_with(" GMT\r\ncontent-length: 6\r\n\r\nGET /a"),
        "{text}"
    );
}

#[test]
fn http_1_0_is_answered_and_closed_unless_it_asks_for_more() {
    let server = server(limits());
    for head in [
        "GET /a HTTP/1.0\r\n\r\n",
        "OPTIONS /a HTTP/1.0\r\nHost: h\r\n\r\n",
    ] {
        let stream = connect(&server);
        send(&stream, head);
        let text = rest(&stream);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    }
    let stream = connect(&server);
    for _ in 0..2 {
        send(&stream, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let (head, body) = response(&stream, 6);
        assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
        assert_eq!(body, "GET /a");
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = server(limits());
    let post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n";
    // Nobody reads the body of the fourth.
    let unread = "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /";
    let all = [post, &get("/a"), chunked, unread, &get("/c")].concat();
    let text = answer(&server, &all);
    assert_eq!(statuses(&text), ["200"; 5], "{text}");
    let bodies: Vec<_> = text.split("\r\n\r\n").skip(1).collect();
    for (body, expected) in bodies
        .iter()
        .zip(["abc", "GET /a", "def", "PUT /b", "GET /c"])
    {
        assert!(body.starts_with(expected), "{body} instead of {expected}");
    }
    // Divided into segments anywhere, behind another one, they are the same requests.
    for place in (1..all.len()).step_by(7) {
        let stream = connect(&server);
        stream.set_nodelay(true).unwrap();
        send(&stream, &all[..place]);
        thread::sleep(Duration::from_millis(2));
        send(&stream, &all[place..]);
        stream.shutdown(Shutdown::Write).unwrap();
        let divided = rest(&stream);
        assert_eq!(statuses(&divided), ["200"; 5], "{place}: {divided}");
    }
}

#[test]
fn one_byte_at_a_time_is_a_request() {
    let server = server(limits());
    let stream = connect(&server);
    stream.set_nodelay(true).unwrap();
    for byte in "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".bytes() {
        send(&stream, [byte]);
    }
    assert_eq!(response(&stream, 3).1, "abc");
}

#[test]
fn a_head_request_gets_the_length_of_a_get_and_no_body() {
    let server = server(limits());
    let stream = connect(&server);
    send(&stream, "HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
    let (head, _) = response(&stream, 0);
    assert!(head.contains("\r\ncontent-length: 9\r\n"), "{head}");
    send(&stream, get("/next"));
    assert_eq!(response(&stream, 9).1, "GET /next");
}

#[test]
fn a_closing_client_gets_its_last_response() {
    let server = server(limits());
    let stream = connect(&server);
    let last = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    send(&stream, last.to_owned() + &get("/b"));
    let text = rest(&stream);
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert!(text.ends_with("GET /a"), "{text}");
}

#[test]
fn a_refused_request_is_answered_in_a_line_and_the_connection_closed() {
    let server = server(limits());
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/2.0\r\n\r\n", "505"),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "501"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "400"),
    ] {
        let stream = connect(&server);
        // The request after it is not answered.
        send(&stream, request.to_owned() + &get("/smuggled"));
        let text = rest(&stream);
        assert_eq!(statuses(&text), [status], "{text}");
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
        let body = text.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body.lines().count(), 1, "{text}");
    }
    let endless = format!("GET / HTTP/1.1\r\nHost: h\r\n{}", "X: y\r\n".repeat(9_000));
    assert_eq!(statuses(&answer(&server, endless)), ["431"]);
}

#[test]
fn a_client_that_expects_100_continue_gets_it_only_if_the_body_is_read() {
    let server = server(limits());
    let head = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let stream = connect(&server);
    for _ in 0..2 {
        send(&stream, head("/echo", 3));
        assert_eq!(response(&stream, 0).0, "HTTP/1.1 100 Continue\r\n\r\n");
        send(&stream, "abc");
        assert_eq!(response(&stream, 3).1, "abc");
    }
    // Otherwise nobody knows whether the next bytes are the body.
    send(&stream, head("/elsewhere", 3));
    let text = rest(&stream);
    assert_eq!(statuses(&text), ["200"]);
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");

    let text = answer(&server, head("/echo", 1 << 20));
    assert_eq!(statuses(&text), ["413"]);
}

#[test]
fn a_broken_body_ends_the_connection_even_if_nobody_reads_it() {
    let server = server(limits());
    for (path, status) in [("/echo", "400"), ("/elsewhere", "200")] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        let text = answer(&server, head + "xyz\r\n" + &get("/smuggled"));
        assert_eq!(statuses(&text), [status], "{text}");
    }
    let text = answer(
        &server,
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
    );
    assert_eq!(statuses(&text), ["400"], "{text}");
}

#[test]
fn an_endless_body_is_cut_off_whether_it_is_read_or_not() {
    let server = server(limits());
    for path in ["/echo", "/elsewhere"] {
        let stream = connect(&server);
        send(
            &stream,
            format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"),
        );
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        // The sockets' buffers hold some megabytes.
        let accepted = (0..1_024).take_while(|_| (&stream).write_all(&chunk).is_ok());
        assert!(accepted.count() < 1_024, "{path}: 64 MiB were read");
    }
}

#[test]
fn a_client_that_sends_more_than_is_read_still_gets_the_response() {
    let server = server(limits());
    let stream = connect(&server);
    let length = 8 << 20;
    send(
        &stream,
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"),
    );
    send(&stream, [b'x'; 100_000]);
    assert_eq!(statuses(&rest(&stream)), ["413"]);
}

#[test]
fn a_panic_is_a_500_and_the_server_goes_on() {
    let server = server(limits());
    let stream = connect(&server);
    send(&stream, get("/panic") + &get("/a"));
    let text = rest(&stream);
    assert_eq!(statuses(&text), ["500"], "{text}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert_eq!(statuses(&answer(&server, get("/a"))), ["200"]);
}

#[test]
fn an_idle_connection_is_closed_without_a_response() {
    let idle = Duration::from_millis(200);
    let server = server(Limits { idle, ..limits() });
    let (fresh, used) = (connect(&server), connect(&server));
    send(&used, get("/a"));
    response(&used, 6);
    assert_eq!((rest(&fresh), rest(&used)), (String::new(), String::new()));
}

#[test]
fn a_request_has_a_deadline_however_steadily_it_arrives() {
    let request = Duration::from_millis(400);
    let server = server(Limits {
        request,
        ..limits()
    });
    let head = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    let body = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    for begun in [head, body] {
        let stream = connect(&server);
        send(&stream, begun);
        let began = Instant::now();
        // The client goes on even when the server has closed the connection.
        while (&stream).write_all(b"x").is_ok() && began.elapsed() < Duration::from_millis(800) {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(statuses(&rest(&stream)), ["408"], "{begun}");
    }
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let response = Duration::from_millis(300);
    let server = server(Limits {
        response,
        ..limits()
    });
    let stream = connect(&server);
    send(&stream, get("/large"));
    let began = Instant::now();
    while server.connections.wait_for_end(Duration::ZERO) {
        thread::sleep(Duration::from_millis(1));
    }
    while !server.connections.wait_for_end(Duration::from_millis(20)) {
        assert!(began.elapsed() < Duration::from_secs(10), "it still waits");
    }
    assert!(began.elapsed() >= response);
}

#[test]
fn more_than_the_most_connections_wait_for_one_another() {
    let server = server(Limits {
        connections: 2,
        ..limits()
    });
    let served = [connect(&server), connect(&server)];
    for stream in &served {
        send(stream, get("/a"));
        response(stream, 6);
    }
    let waiting = connect(&server);
    send(&waiting, get("/b"));
    waiting
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert!(
        (&waiting).read(&mut [0]).is_err(),
        "served beside both others"
    );
    drop(served);
    waiting
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(response(&waiting, 6).1, "GET /b");
}

#[test]
fn a_stopping_server_answers_what_has_begun_and_closes_the_rest() {
    let server = server(limits());
    let addr = server.addr();
    let (idle, fresh, busy) = (connect(&server), connect(&server), connect(&server));
    send(&idle, get("/a"));
    response(&idle, 6);
    send(&busy, get("/wait") + &get("/b"));
    // The request is in its handler.
    thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    assert!(server.stop(Duration::from_secs(20)));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((rest(&idle), rest(&fresh)), (String::new(), String::new()));
    let text = rest(&busy);
    assert_eq!(statuses(&text), ["200"], "{text}");
    assert!(
        text.contains("\r\nconnection: close\r\n") && text.ends_with("waited"),
        "{text}"
    );
    assert!(TcpStream::connect(addr).is_err(), "it still listens");
    TcpListener::bind(addr).unwrap();
}

#[test]
fn a_server_stops_even_if_clients_do_not_let_it() {
    let server = server(limits());
    let (slow, deaf) = (connect(&server), connect(&server));
    send(&slow, "GET / HTTP/1.1\r\n");
    send(&deaf, get("/large"));
    thread::sleep(Duration::from_millis(100));
    let connections = Arc::clone(&server.connections);
    let began = Instant::now();
    assert!(!server.stop(Duration::from_millis(300)), "cut off");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        connections.wait_for_end(Duration::from_secs(10)),
        "threads are left"
    );
}

#[test]
fn a_dropped_server_frees_its_port_and_what_its_function_owns() {
    let owned = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&owned);
    let respond = move |_: &Request<()>, _: &mut dyn ReadBody| {
        counts.fetch_add(1, SeqCst);
        Response::default()
    };
    let server = HttpServer::start(ANY_PORT, respond).unwrap();
    let addr = server.addr();
    assert_ne!(addr.port(), 0);
    assert_eq!(statuses(&answer(&server, get("/"))), ["200"]);
    let _idle = connect(&server);
    drop(server);
    TcpListener::bind(addr).unwrap();
    let began = Instant::now();
    while Arc::strong_count(&owned) > 1 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "a thread is left"
        );
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(owned.load(SeqCst), 1);
}

#[test]
fn a_taken_port_is_an_error() {
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let error = HttpServer::start(taken.local_addr().unwrap(), echo).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
