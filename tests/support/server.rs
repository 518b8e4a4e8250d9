//! A TCP server that answers with exactly the bytes a test scripts, and records exactly what it received.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::carrier::Carrier;
use super::report::Report;
use super::run::Launch;
use super::tls::{self, Identity, Stream};

/// The interval at which a blocked thread checks for the server's stop.
const TICK: Duration = Duration::from_millis(20);

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Connections are numbered from 0 in the order they were accepted.
    pub connection: usize,
    /// Its place among the requests of its connection, from 0.
    pub nth: usize,
    /// When its first byte was read.
    pub arrived: Instant,
    /// Request line and headers, byte for byte, with the blank line that ends them.
    pub head: Vec<u8>,
    pub method: String,
    pub path: String,
    pub version: String,
    /// Names and values in order, as sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of reads of the TCP connection since the previous request.
    pub reads: usize,
    /// The server's name in the TLS handshake.
    pub server_name: Option<String>,
    /// The server's address that its connection was made to.
    pub at: IpAddr,
}

impl Request {
    /// The value of a header that must be there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values = self.header_values(name);
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        values[0]
    }

    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter();
        let named = headers.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The `key` of a check's body.
    #[track_caller]
    pub fn key(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("a JSON body");
        body["key"].as_str().expect("a key").to_owned()
    }
}

/// The server's reaction to one request, step by step.
#[derive(Clone, Debug)]
pub struct Reply {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Sends the bytes again and again until the other side closes.
    Flood(Vec<u8>, Duration),
    /// Sends nothing more, and keeps the connection open until the other side closes it.
    Silence,
    Close,
    /// Closes without TLS's close_notify.
    Cut,
    /// Sends TLS's close_notify, and keeps the connection open.
    Goodbye,
    /// Sends the bytes and TLS's close_notify in one write.
    SendWithGoodbye(Vec<u8>),
    /// Sends TLS's key update, which asks for one in return.
    NewKeys,
    /// Sends the first half of the encoded bytes.
    SendHalf(Vec<u8>),
    Reset,
}

impl Reply {
    fn of(step: Step) -> Self {
        Self { steps: vec![step] }
    }

    pub fn allowed() -> Self {
        Self::status(200, "OK")
    }

    pub fn blocked() -> Self {
        Self::status(429, "Too Many Requests")
    }

    /// A plain answer that leaves the connection open.
    pub fn status(code: u16, reason: &str) -> Self {
        let body = r#"{"from":"script"}"#;
        Self::raw(format!(
            "HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Step::Send(bytes.as_ref().to_vec()))
    }

    pub fn silence() -> Self {
        Self::of(Step::Silence)
    }

    pub fn close() -> Self {
        Self::of(Step::Close)
    }

    pub fn reset() -> Self {
        Self::of(Step::Reset)
    }

    /// The same reply, begun later.
    pub fn after(mut self, pause: Duration) -> Self {
        self.steps.insert(0, Step::Pause(pause));
        self
    }

    pub fn then_pause(self, pause: Duration) -> Self {
        self.then(Step::Pause(pause))
    }

    pub fn then_send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Send(bytes.as_ref().to_vec()))
    }

    pub fn then_flood(self, bytes: impl AsRef<[u8]>, every: Duration) -> Self {
        self.then(Step::Flood(bytes.as_ref().to_vec(), every))
    }

    pub fn then_silence(self) -> Self {
        self.then(Step::Silence)
    }

    pub fn then_close(self) -> Self {
        self.then(Step::Close)
    }

    pub fn then_cut(self) -> Self {
        self.then(Step::Cut)
    }

    pub fn with_goodbye(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Step::SendWithGoodbye(bytes.as_ref().to_vec()))
    }

    pub fn half(bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Step::SendHalf(bytes.as_ref().to_vec()))
    }

    pub fn then_goodbye(self) -> Self {
        self.then(Step::Goodbye)
    }

    pub fn then_new_keys(self) -> Self {
        self.then(Step::NewKeys)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A server on a free loopback port; stopped and joined when dropped.
pub struct Server {
    over: Carrier,
    port: u16,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    acceptors: Vec<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    /// Its certificate, if it speaks TLS.
    identity: Option<Identity>,
    stop: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    accepted: usize,
    accepted_at: BTreeMap<IpAddr, usize>,
    handshakes: usize,
    shaking_hands: usize,
    most_in_flight: usize,
    answering: usize,
}

impl Log {
    fn note_in_flight(&mut self) {
        let in_flight = self.shaking_hands + self.answering;
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }
}

/// The reply to each request.
pub trait Behaviour: Fn(&Request) -> Reply + Send + Sync + 'static {}

impl<F: Fn(&Request) -> Reply + Send + Sync + 'static> Behaviour for F {}

enum Script {
    Requests(Box<dyn Behaviour>, Option<Idle>),
    Connections(Box<dyn Fn(Stream) + Send + Sync>),
    Tcp(Box<dyn Fn(TcpStream) + Send + Sync>),
}

/// Sends the farewell on a connection that was idle for [`IDLE`], and ends it.
struct Idle {
    farewell: &'static str,
    end: fn(&mut Stream),
}

const IDLE: Duration = Duration::from_millis(100);

fn requests(behaviour: impl Behaviour) -> Script {
    Script::Requests(Box::new(behaviour), None)
}

impl Carrier {
    /// A server that answers every request as `behaviour` says.
    pub fn server(self, behaviour: impl Behaviour) -> Server {
        Server::at(self, self.addresses(), behaviour)
    }

    /// A server that allows every request.
    pub fn allowing(self) -> Server {
        self.server(|_| Reply::allowed())
    }

    /// A server that never answers.
    pub fn silent(self) -> Server {
        self.server(|_| Reply::silence())
    }

    /// The certificate that servers show.
    fn identity(self) -> Option<Identity> {
        self.is_tls().then(|| tls::usual().clone())
    }
}

impl Server {
    /// Answers every request over http as `behaviour` says.
    pub fn start(behaviour: impl Behaviour) -> Self {
        Carrier::Http.server(behaviour)
    }

    /// Allows every request over http.
    pub fn allowing() -> Self {
        Carrier::Http.allowing()
    }

    /// Never answers a request over http.
    pub fn silent() -> Self {
        Carrier::Http.silent()
    }

    /// Listens at these addresses only.
    pub fn at(over: Carrier, addresses: &[IpAddr], behaviour: impl Behaviour) -> Self {
        let listeners = listening(bound(addresses));
        Self::listen(over, listeners, requests(behaviour), over.identity())
    }

    /// Speaks TLS by this certificate or plain http, however other servers are reached, and allows every request.
    pub fn showing(over: Carrier, identity: Option<&Identity>) -> Self {
        let script = requests(|_| Reply::allowed());
        let listeners = listening(bound(over.addresses()));
        Self::listen(over, listeners, script, identity.cloned())
    }

    /// Allows every request, and ends a connection that was idle for 100 ms, after sending `farewell` on it.
    pub fn ending_idle(over: Carrier, farewell: &'static str, end: fn(&mut Stream)) -> Self {
        let idle = Some(Idle { farewell, end });
        let allowed = Box::new(|_: &Request| Reply::allowed());
        Self::scripted(over, Script::Requests(allowed, idle))
    }

    /// Passes every accepted connection to `script` after its handshake, for traffic that is not HTTP.
    pub fn on_connect(over: Carrier, script: impl Fn(Stream) + Send + Sync + 'static) -> Self {
        Self::scripted(over, Script::Connections(Box::new(script)))
    }

    /// Passes every accepted connection to `script` as it is, for traffic that is not TLS either.
    pub fn on_tcp(over: Carrier, script: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::scripted(over, Script::Tcp(Box::new(script)))
    }

    fn scripted(over: Carrier, script: Script) -> Self {
        let listeners = listening(bound(over.addresses()));
        Self::listen(over, listeners, script, over.identity())
    }

    fn listen(
        over: Carrier,
        listeners: Vec<TcpListener>,
        script: Script,
        identity: Option<Identity>,
    ) -> Self {
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let addresses: Vec<SocketAddr> = listeners.iter().map(address).collect();
        let shared = Arc::new(Shared {
            script,
            identity,
            stop: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let acceptors = listeners.into_iter().map(|listener| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared))
        });
        Self {
            over,
            port: addresses[0].port(),
            addresses,
            acceptors: acceptors.collect(),
            shared,
        }
    }

    /// The host and port of its URL.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.over.host(), self.port)
    }

    pub fn url(&self) -> String {
        self.url_by(self.over.host())
    }

    /// A run against it with these options.
    pub fn launch(&self, options: impl Display) -> Launch {
        self.over.against(self.url(), options)
    }

    /// The report of a run against it with these options.
    #[track_caller]
    pub fn run(&self, options: impl Display) -> Report {
        self.launch(options).report()
    }

    /// Its URL by another name of its host.
    pub fn url_by(&self, host: &str) -> String {
        url(self.shared.identity.is_some(), host, self.port)
    }

    /// Every request so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log().requests.clone()
    }

    pub fn request_count(&self) -> u64 {
        self.shared.log().requests.len() as u64
    }

    /// The key of every request so far.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        self.requests().iter().map(Request::key).collect()
    }

    /// The time from the first request to each.
    pub fn arrivals(&self) -> Vec<Duration> {
        let requests = self.requests();
        let mut arrivals: Vec<Instant> = requests.iter().map(|request| request.arrived).collect();
        arrivals.sort();
        arrivals.iter().map(|at| *at - arrivals[0]).collect()
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.log().accepted
    }

    /// Connections accepted so far at each address.
    pub fn accepted_at(&self) -> BTreeMap<IpAddr, usize> {
        self.shared.log().accepted_at.clone()
    }

    /// TLS handshakes completed so far.
    pub fn handshakes(&self) -> usize {
        self.shared.log().handshakes
    }

    /// The most requests that were being answered, or had their connection in a handshake, at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.log().most_in_flight
    }

    /// Stops listening, and closes what is open.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for (acceptor, address) in self.acceptors.drain(..).zip(&self.addresses) {
            // Wakes the blocked accept; a refusal means that it is awake already.
            drop(TcpStream::connect(address));
            let joined = acceptor.join();
            assert!(joined.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("a log that nobody panicked over")
    }

    /// Completes the handshake. Returns false if it fails.
    fn shake_hands(&self, stream: &mut Stream) -> bool {
        {
            let mut log = self.log();
            log.shaking_hands += 1;
            log.note_in_flight();
        }
        let agreed = loop {
            match stream.shake_hands() {
                Ok(()) => break true,
                Err(error) if is_timeout(&error) && !self.stopping() => {}
                Err(_) => break false,
            }
        };
        let mut log = self.log();
        log.shaking_hands -= 1;
        log.handshakes += usize::from(agreed);
        agreed
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sleeps, but no longer than the server lives.
    fn pause(&self, length: Duration) {
        let end = Instant::now() + length;
        while !self.stopping() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(TICK));
        }
    }
}

/// Ends when the server is stopped, after every connection's thread has.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    for stream in listener.incoming() {
        if shared.stopping() {
            break;
        }
        let Ok(stream) = stream else { continue };
        let connection = {
            let mut log = shared.log();
            log.accepted += 1;
            if let Ok(address) = stream.local_addr() {
                *log.accepted_at.entry(address.ip()).or_default() += 1;
            }
            log.accepted - 1
        };
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || {
            stream.set_nodelay(true).expect("a socket without delay");
            stream.set_read_timeout(Some(TICK)).expect("a read timeout");
            stream.set_write_timeout(Some(TICK)).expect("a timeout");
            serve(&shared, connection, stream);
        }));
    }
    for connection in connections {
        connection.join().expect("a connection that did not panic");
    }
}

/// Ends when either side closes or the server is stopped.
fn serve(shared: &Shared, number: usize, tcp: TcpStream) {
    if let Script::Tcp(script) = &shared.script {
        return script(tcp);
    }
    let at = tcp.local_addr().map(|address| address.ip());
    let at = at.expect("a connection's own address");
    let mut stream = Stream::new(tcp, shared.identity.as_ref());
    if stream.is_tls() && !shared.shake_hands(&mut stream) {
        return;
    }
    match &shared.script {
        Script::Requests(behaviour, idle) => Connection {
            number,
            at,
            reads: stream.reads(),
            stream,
            shared,
            unread: Vec::new(),
        }
        .serve(&**behaviour, idle.as_ref()),
        Script::Connections(script) => script(stream),
        Script::Tcp(_) => unreachable!("served already"),
    }
}

struct Connection<'a> {
    number: usize,
    at: IpAddr,
    stream: Stream,
    /// The reads of its TCP connection until the last request was complete.
    reads: usize,
    shared: &'a Shared,
    unread: Vec<u8>,
}

impl Connection<'_> {
    /// Ends when either side closes or the server is stopped.
    fn serve(mut self, behaviour: &dyn Behaviour, idle: Option<&Idle>) {
        for nth in 0.. {
            let Some(request) = self.read_request(nth, idle) else {
                return;
            };
            {
                let mut log = self.shared.log();
                log.requests.push(request.clone());
                log.answering += 1;
                log.note_in_flight();
            }
            let open = self.answer(behaviour(&request));
            self.shared.log().answering -= 1;
            if !open {
                return;
            }
        }
    }

    /// `None` when the connection is over.
    fn read_request(&mut self, nth: usize, idle: Option<&Idle>) -> Option<Request> {
        let mut quiet_since = Instant::now();
        let mut arrived = (!self.unread.is_empty()).then(Instant::now);
        loop {
            if let Some(request) = self.take_request(nth, arrived) {
                return Some(request);
            }
            match self.read_some() {
                Some(0) => {}
                Some(_) => {
                    quiet_since = Instant::now();
                    arrived.get_or_insert(quiet_since);
                }
                None => return None,
            }
            if let Some(idle) = idle
                && quiet_since.elapsed() >= IDLE
            {
                self.send(idle.farewell.as_bytes());
                (idle.end)(&mut self.stream);
                return None;
            }
        }
    }

    /// The number of bytes read within a tick; `None` when there will be no more.
    fn read_some(&mut self) -> Option<usize> {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer) {
            _ if self.shared.stopping() => None,
            Ok(0) => None,
            Ok(length) => {
                self.unread.extend_from_slice(&buffer[..length]);
                Some(length)
            }
            Err(error) if is_timeout(&error) => Some(0),
            Err(_) => None,
        }
    }

    /// Takes one whole request from the bytes read, if it is complete.
    fn take_request(&mut self, nth: usize, arrived: Option<Instant>) -> Option<Request> {
        let blank_line = self
            .unread
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        let head_length = blank_line + 4;
        let head = std::str::from_utf8(&self.unread[..head_length]).expect("a head in UTF-8");
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let line: Vec<String> = lines.next()?.split(' ').map(str::to_owned).collect();
        let [method, path, version] = line.try_into().expect("a request line of three words");
        let header = |line: &str| {
            let header = line.split_once(": ");
            let (name, value) = header.unwrap_or_else(|| panic!("not a header: {line:?}"));
            (name.to_owned(), value.to_owned())
        };
        let headers: Vec<(String, String)> = lines.map(header).collect();
        let body_length = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().expect("a length"));
        if self.unread.len() < head_length + body_length {
            return None;
        }
        let mut head: Vec<u8> = self.unread.drain(..head_length + body_length).collect();
        let body = head.split_off(head_length);
        let reads = self.stream.reads();
        let reads_before = std::mem::replace(&mut self.reads, reads);
        Some(Request {
            connection: self.number,
            nth,
            arrived: arrived?,
            head,
            method,
            path,
            version,
            headers,
            body,
            reads: reads - reads_before,
            server_name: self.stream.server_name(),
            at: self.at,
        })
    }

    /// Returns true if the connection is still open afterwards.
    fn answer(&mut self, reply: Reply) -> bool {
        for step in reply.steps {
            let open = match step {
                Step::Send(bytes) => self.send(&bytes),
                Step::Pause(length) => {
                    self.shared.pause(length);
                    !self.shared.stopping()
                }
                Step::Flood(bytes, every) => {
                    while self.send(&bytes) {
                        self.shared.pause(every);
                    }
                    false
                }
                Step::Silence => {
                    while self.read_some().is_some() {}
                    false
                }
                Step::Close => {
                    self.stream.close();
                    false
                }
                Step::Cut => {
                    self.stream.cut();
                    false
                }
                Step::Goodbye => {
                    self.stream.say_goodbye();
                    true
                }
                Step::NewKeys => {
                    self.stream.send_new_keys();
                    true
                }
                Step::SendWithGoodbye(bytes) => {
                    self.stream.send_with_goodbye(&bytes);
                    true
                }
                Step::SendHalf(bytes) => {
                    self.stream.send_half(&bytes);
                    true
                }
                Step::Reset => {
                    reset(self.stream.tcp());
                    false
                }
            };
            if !open {
                return false;
            }
        }
        true
    }

    /// Returns true if everything was written.
    fn send(&mut self, mut bytes: &[u8]) -> bool {
        while !self.shared.stopping() {
            let sent = if bytes.is_empty() {
                self.stream.flush().map(|()| 0)
            } else {
                self.stream.write(bytes)
            };
            match sent {
                Ok(_) if bytes.is_empty() => return true,
                Ok(0) => return false,
                Ok(length) => bytes = &bytes[length..],
                Err(error) if is_timeout(&error) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Turns the next close into a reset.
pub fn reset(stream: &TcpStream) {
    SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .expect("a linger of zero");
}

fn url(tls: bool, host: &str, port: u16) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{host}:{port}")
}

fn listening(sockets: Vec<Socket>) -> Vec<TcpListener> {
    let listening = |socket: Socket| {
        socket.listen(128).expect("a listening socket");
        socket.into()
    };
    sockets.into_iter().map(listening).collect()
}

/// One socket at each address, all on one free port.
fn bound(addresses: &[IpAddr]) -> Vec<Socket> {
    let bind = |address: IpAddr, port| {
        let address = SocketAddr::new(address, port);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&address.into())?;
        std::io::Result::Ok(socket)
    };
    // The port that is free at the first address may be taken at another.
    for _ in 0..100 {
        let first = bind(addresses[0], 0).unwrap_or_else(|error| {
            panic!("no server can be at {}: {error}", addresses[0]);
        });
        let port = port(&first);
        let others = addresses[1..].iter().map(|&address| bind(address, port));
        if let Ok(others) = others.collect::<Result<Vec<_>, _>>() {
            return std::iter::once(first).chain(others).collect();
        }
    }
    panic!("no port is free at all of {addresses:?}");
}

fn port(socket: &Socket) -> u16 {
    let address = socket.local_addr().expect("an address").as_socket();
    address.expect("an IP address").port()
}

/// A port that refuses connections and that nobody else can take: bound, but not listening.
pub struct Refusing {
    over: Carrier,
    sockets: Vec<Socket>,
}

impl Refusing {
    pub fn new() -> Self {
        Self::over(Carrier::Http)
    }

    pub fn over(over: Carrier) -> Self {
        Self {
            over,
            sockets: bound(over.addresses()),
        }
    }

    pub fn url(&self) -> String {
        url(self.over.is_tls(), self.over.host(), port(&self.sockets[0]))
    }

    /// From now on, the port answers at this one of its addresses, and refuses at the others for as
    /// long as the rest is kept.
    pub fn open_at(mut self, address: IpAddr, behaviour: impl Behaviour) -> (Server, Refusing) {
        let opened = self.sockets.extract_if(.., |socket| {
            let bound = socket.local_addr().expect("an address").as_socket();
            bound.is_some_and(|bound| bound.ip() == address)
        });
        let opened = listening(opened.collect());
        let script = requests(behaviour);
        (
            Server::listen(self.over, opened, script, self.over.identity()),
            self,
        )
    }

    /// From now on, the port answers.
    pub fn open(self, behaviour: impl Behaviour) -> Server {
        let script = requests(behaviour);
        Server::listen(
            self.over,
            listening(self.sockets),
            script,
            self.over.identity(),
        )
    }
}

/// A port that lets callers wait: it listens, and its queue is full.
pub struct Unreachable {
    port: Refusing,
    _queued: Vec<TcpStream>,
}

impl Unreachable {
    pub fn over(over: Carrier) -> Self {
        Self::at(Refusing::over(over))
    }

    /// From now on, the port lets callers wait at all of its addresses.
    pub fn at(port: Refusing) -> Self {
        let queued = port.sockets.iter().map(|socket| {
            // A queue of no length has room for one connection.
            socket.listen(0).expect("a listening socket");
            let address = socket.local_addr().expect("an address").as_socket();
            TcpStream::connect(address.expect("an IP address")).expect("a place in the queue")
        });
        Self {
            _queued: queued.collect(),
            port,
        }
    }

    pub fn url(&self) -> String {
        self.port.url()
    }
}
