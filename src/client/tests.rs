//! Targets with several addresses, of which one does not answer.

use super::*;
use crate::core::keys::Keys;
use crate::core::request::{Constants, RequestTemplate};
use crate::system::Stop;
use resolver::Lookup;
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use ureq::http::Method;

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Sends `checks` checks, one after the other, to a name that stands for the two addresses.
fn checked(port: u16, checks: u32, timeout: Duration) -> Vec<Outcome> {
    let lookup: Lookup = |_| Ok(vec![FIRST.into(), SECOND.into()]);
    let targets = [Target::new(&format!("http://node.test:{port}")).unwrap()];
    let resolver = Arc::new(Resolver::start_with(&targets, lookup).unwrap());
    assert!(resolver.any_resolved(Duration::from_secs(30), &Stop::default()));
    let keys = Keys::generated(1, 1, "");
    let template = RequestTemplate {
        method: Method::POST,
        path: "/check".parse().unwrap(),
        headers: Vec::new(),
        body: Some("{key}".parse().unwrap()),
    };
    let constants = Constants {
        keys: &keys,
        limit: 1,
        window_ms: 1,
    };
    let requests = template.compile(&targets, &constants, 1);
    let trust = &Trust::PublicAuthorities;
    let answers = Answers::new(&"200".parse().unwrap(), &"429".parse().unwrap());
    let client = Client::new(&targets, resolver, requests, timeout, trust, answers);
    let mut scratch = Scratch::default();
    (0..checks)
        .map(|k| client.ask(0, k.into(), KeyId(0), &mut scratch).0.outcome)
        .collect()
}

/// A socket at each of the two addresses, on one free port.
fn bound() -> Vec<Socket> {
    let bind = |address: Ipv4Addr, port| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let bound = socket.bind(&SocketAddr::from((address, port)).into());
        bound.map(|()| socket)
    };
    loop {
        let first = bind(FIRST, 0).unwrap();
        if let Ok(second) = bind(SECOND, port(&first)) {
            return vec![first, second];
        }
    }
}

fn port(socket: &Socket) -> u16 {
    let address = socket.local_addr().unwrap();
    address.as_socket().unwrap().port()
}

/// Allows `checks` checks, each on a connection of its own.
fn allow(socket: Socket, checks: u32) -> thread::JoinHandle<()> {
    socket.listen(128).unwrap();
    let listener = TcpListener::from(socket);
    thread::spawn(move || {
        for _ in 0..checks {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; BUFFER]).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    })
}

#[test]
fn an_address_that_refuses_costs_no_request_while_another_answers() {
    for answers in [0, 1] {
        let mut sockets = bound();
        let answering = sockets.remove(answers);
        let port = port(&answering);
        let server = allow(answering, 6);
        let outcomes = checked(port, 6, Duration::from_secs(30));
        assert_eq!(outcomes, [Outcome::Allowed; 6], "by address {answers}");
        server.join().unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_does_not_answer_leaves_time_for_another() {
    for answers in [0, 1] {
        let mut sockets = bound();
        let answering = sockets.remove(answers);
        let silent = &sockets[0];
        // One connection is all that it holds without accepting it.
        silent.listen(0).unwrap();
        let address = silent.local_addr().unwrap().as_socket().unwrap();
        let _held = TcpStream::connect(address).unwrap();
        let port = port(&answering);
        let server = allow(answering, 2);
        let outcomes = checked(port, 2, Duration::from_secs(4));
        assert_eq!(outcomes, [Outcome::Allowed; 2], "by address {answers}");
        server.join().unwrap();
    }
}
