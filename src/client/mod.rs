//! One HTTP request, from a token to its outcome, through one shared `ureq::Agent`.
//!
//! ureq does HTTP; its parts for names and connections are replaced by ones made for load. The
//! `resolver` looks names up in the background, so that no request waits for one. The
//! `connector` takes a connection from its target's `pool`, where the one used last is on top, so
//! that steady traffic uses as few as are in flight, or makes a new one. The `transport` sends
//! head and body in one write and says when it did. The `exchange` is how these and the caller
//! tell each other about the request at hand. What is [`Outgoing`] is made of a run's
//! [`Compiled`](crate::core::request::Compiled) form; the [`Answers`] say what an answer means.

mod cluster;
mod connector;
mod exchange;
mod failure;
mod pool;
mod resolver;
mod transport;
mod trust;

pub use cluster::Cluster;
pub use resolver::Resolver;
pub use trust::{Authorities, Trust};

use crate::base::{Answer, FailureKind, KeyId, Moment, Nanos, Outcome, Target};
use crate::core::answers::{Answers, ByHead, Head, KeptBody};
use crate::core::request::{Outgoing, Parts};
use connector::{OpenSockets, Pooling};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Response, response};
use ureq::{Agent, Body};

/// Bodies longer than this are not read to their end: their connection is closed instead.
const MAX_BODY: usize = 1024 * 1024;

/// The longest head of an answer: several times what common servers and proxies let through.
const MAX_HEAD: usize = 32 * 1024;

/// Larger than the whole answer of a usual check, so that one read takes it.
const BUFFER: usize = 4096;

/// Makes checks and says what became of them. Shared by all workers.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    open: Arc<OpenSockets>,
    outgoing: Outgoing,
    timeout: Nanos,
    answers: Answers,
}

/// A worker's memory between calls, so that a call allocates none.
#[derive(Debug, Default)]
pub struct Scratch {
    parts: Parts,
    /// Takes an answer's body part by part.
    buffer: Vec<u8>,
    kept: KeptBody,
}

impl Client {
    /// `timeout` is for one whole request, from getting a connection to the body's last byte.
    pub fn new(
        targets: &[Target],
        resolver: Arc<Resolver>,
        outgoing: Outgoing,
        timeout: Duration,
        trust: &Trust,
        answers: Answers,
    ) -> Client {
        // ureq writes each line in one piece.
        let output_buffer = BUFFER + outgoing.longest_line();
        // No timeout, which ureq would compute anew at each of its steps: the transport keeps the
        // exchange's deadline.
        let config = Agent::config_builder()
            .accept("")
            .user_agent("")
            .allow_non_standard_methods(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A load generator that went through a proxy unasked would measure the proxy.
            .proxy(None)
            .tls_config(trust.tls_config())
            .max_response_header_size(MAX_HEAD)
            // Of TLS, where it never grows; a head that does not fit would be taken for the end.
            .input_buffer_size(MAX_HEAD + BUFFER)
            .output_buffer_size(output_buffer)
            .build();
        let open = Arc::new(OpenSockets::default());
        let connector = Pooling::new(targets.len(), resolver, timeout, open.clone());
        Client {
            agent: Agent::with_parts(config, connector, resolver::Deferred),
            open,
            outgoing,
            timeout: timeout.into(),
            answers,
        }
    }

    /// Sends the request with this number, for `key`, to a target and waits until it is answered, fails or times out.
    /// Returns the answer's head too, if the whole answer was received.
    pub fn ask(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
    ) -> (Answer, Option<Head>) {
        let attempted = Moment::now();
        exchange::begin(target, attempted, attempted + self.timeout);
        let result = self.exchange(target, sequence, key, scratch);
        let seen = exchange::seen();
        let (outcome, head) = match result {
            Ok((outcome, head)) => (outcome, Some(head)),
            Err(error) => {
                let kind = FailureKind::of(&error, seen.stage);
                (Outcome::Failed(kind), None)
            }
        };
        let answer = Answer {
            sent: seen.sent.unwrap_or(attempted),
            transmitted: seen.sent.is_some(),
            done: seen.returned.unwrap_or_else(Moment::now),
            connecting: seen.connecting,
            outcome,
        };
        (answer, head)
    }

    /// What the answer means, once its body has been read to its end too.
    fn exchange(
        &self,
        target: usize,
        sequence: u64,
        key: KeyId,
        scratch: &mut Scratch,
    ) -> Result<(Outcome, Head), ureq::Error> {
        let Scratch {
            parts,
            buffer,
            kept,
        } = scratch;
        let (request, body) = self.outgoing.make(target, sequence, key, parts);
        let response = match body {
            Some(body) => self.agent.run(request.map(|()| body)),
            None => self.agent.run(request),
        }?;
        buffer.resize(BUFFER, 0);
        Ok(self.read(response, buffer, kept)?)
    }

    fn read(
        &self,
        response: Response<Body>,
        buffer: &mut [u8],
        kept: &mut KeptBody,
    ) -> io::Result<(Outcome, Head)> {
        let (head, body) = response.into_parts();
        let response::Parts {
            status, headers, ..
        } = head;
        let body = body.into_reader();
        let outcome = match self.answers.by_head(status, &headers) {
            ByHead::Decided(outcome) => {
                read_to_end(body, buffer, |_| ())?;
                outcome
            }
            ByHead::Open(undecided) => {
                kept.clear();
                read_to_end(body, buffer, |part| kept.push(part))?;
                undecided.by_body(kept)
            }
        };
        Ok((outcome, Head { status, headers }))
    }
}

/// Reads a body part by part, to its end or to where it is too long for that.
fn read_to_end(
    mut body: impl Read,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut total = 0;
    while total <= MAX_BODY {
        match body.read(buffer)? {
            0 => break,
            length => {
                each(&buffer[..length]);
                total += length;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keys::Keys;
    use crate::core::request::{Constants, Form};
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
        let form = Form {
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
        let form = form.compile(&constants);
        let outgoing = Outgoing::new(&targets, form, keys, 1);
        let trust = &Trust::PublicAuthorities;
        let answers = Answers::new(&"200".parse().unwrap(), &"429".parse().unwrap());
        let client = Client::new(&targets, resolver, outgoing, timeout, trust, answers);
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
}
