//! Connections for load: idle ones are kept in a stack per target and used last in, first out.

use super::exchange::{self, Stage};
use super::outcome::exhausted;
use super::resolver::Resolver;
use super::transport::Socket;
use crate::clock::Moment;
use crate::schedule::Nanos;
use parking_lot::Mutex;
use socket2::{Domain, SockRef, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ChainedConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    Transport,
};
use ureq::{Error, Timeout};

/// A connection idle for longer is closed: the other side, or something in between, may have
/// forgotten it.
const MAX_IDLE: Nanos = Nanos(60_000_000_000);

/// Reuses an idle connection to the target of the request at hand, or makes a new one.
///
/// It stands before ureq's own pool and keeps that empty: ureq calls [`Transport::is_open`] on a
/// connection exactly when it would put it back, and [`Pooled`] takes that call as its return.
#[derive(Debug)]
pub(super) struct Pooling {
    idle: Vec<Arc<IdleStack>>,
    dialer: Dial,
}

type Dial = ChainedConnector<(), Dialer, RustlsConnector>;
type Connection = <Dial as Connector>::Out;

impl Pooling {
    pub fn new(
        targets: usize,
        resolver: Arc<Resolver>,
        timeout: Duration,
        open: Arc<OpenSockets>,
    ) -> Self {
        let dialer = Dialer {
            resolver,
            timeout,
            open,
        };
        let dialer = dialer.chain(RustlsConnector::default());
        Pooling {
            idle: (0..targets).map(|_| Arc::default()).collect(),
            dialer,
        }
    }
}

impl Connector for Pooling {
    type Out = Pooled;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Pooled>, Error> {
        let idle = &self.idle[exchange::target()];
        let started = Moment::now();
        while let Some(mut pooled) = idle.take(started) {
            // The other side may have closed it meanwhile. Should it do so after this look, the
            // request fails: whether it was processed can't be known, so it is not repeated.
            if is_quiet(&mut pooled.connection) {
                exchange::reached(Stage::Http);
                return Ok(Some(Pooled {
                    lent: Some(pooled),
                    home: idle.clone(),
                }));
            }
        }
        let dialed = self.dialer.connect(details, None);
        let now = Moment::now();
        exchange::connecting_took(now.since(started));
        let connection = dialed?.ok_or(Error::ConnectionFailed)?;
        exchange::reached(Stage::Http);
        let lent = Idle {
            connection,
            since: now,
        };
        Ok(Some(Pooled {
            lent: Some(lent),
            home: idle.clone(),
        }))
    }
}

/// Whether nothing has come on an idle connection since its last answer, not even its end.
fn is_quiet(connection: &mut Connection) -> bool {
    if !connection.is_tls() {
        return connection.is_open();
    }
    // What was read along with the answer is in TLS's hands, where the socket cannot tell of it.
    let without_waiting = NextTimeout {
        after: Duration::ZERO.into(),
        ..NextTimeout::default()
    };
    connection.is_open()
        && matches!(
            connection.await_input(without_waiting),
            Err(Error::Timeout(_))
        )
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Moment,
}

/// The idle connections of one target, the longest idle at the front.
#[derive(Debug, Default)]
struct IdleStack(Mutex<VecDeque<Idle>>);

impl IdleStack {
    fn take(&self, now: Moment) -> Option<Idle> {
        let mut stack = self.0.lock();
        let idle = stack.pop_back()?;
        if now.since(idle.since) <= MAX_IDLE {
            return Some(idle);
        }
        // All below it have been idle for longer still. Closed once the lock is free again.
        let stale = std::mem::take(&mut *stack);
        drop(stack);
        drop(stale);
        None
    }

    fn put(&self, mut idle: Idle) {
        let now = Moment::now();
        idle.since = now;
        let mut stack = self.0.lock();
        let stale = stack.pop_front_if(|oldest| now.since(oldest.since) > MAX_IDLE);
        stack.push_back(idle);
        drop(stack);
        drop(stale);
    }
}

/// A connection out of an [`IdleStack`], or new, on loan to one request.
#[derive(Debug)]
pub(super) struct Pooled {
    /// Gone once given back; ureq drops the shell at once.
    lent: Option<Idle>,
    home: Arc<IdleStack>,
}

impl Pooled {
    fn connection(&mut self) -> &mut Connection {
        &mut self
            .lent
            .as_mut()
            .expect("a connection that is still on loan")
            .connection
    }
}

impl Transport for Pooled {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection().buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.connection().transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.connection().await_input(timeout)
    }

    /// Gives the connection back, and so never leaves ureq an open one.
    fn is_open(&mut self) -> bool {
        if let Some(idle) = self.lent.take() {
            self.home.put(idle);
        }
        false
    }

    fn is_tls(&self) -> bool {
        self.lent
            .as_ref()
            .is_some_and(|idle| idle.connection.is_tls())
    }
}

/// Makes TCP connections to the addresses that the [`Resolver`] knows.
#[derive(Debug)]
struct Dialer {
    resolver: Arc<Resolver>,
    timeout: Duration,
    open: Arc<OpenSockets>,
}

impl Connector for Dialer {
    type Out = Socket;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Socket>, Error> {
        let target = exchange::target();
        let deadline = Instant::now() + (*details.timeout.after).min(self.timeout);
        let addresses = self.resolver.addresses(target);
        let count = addresses.len();
        let mut failure = Error::HostNotFound;
        let mut refuted = false;
        for (tried, address) in addresses.enumerate() {
            // What is left is shared among the addresses that are left, so that one that does
            // not answer leaves time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let dialed = self.dial(address, left / (count - tried) as u32);
            // What this machine has run out of says nothing of the address.
            refuted |= dialed.as_ref().is_err_and(|error| !exhausted(error));
            match dialed {
                Ok(stream) => {
                    if details.needs_tls() {
                        exchange::reached(Stage::Handshake);
                    }
                    let output_buffer = details.config.output_buffer_size();
                    return Ok(Some(Socket::new(stream, self.timeout, output_buffer)));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    failure = Error::Timeout(Timeout::Connect);
                }
                Err(error) => failure = Error::Io(error),
            }
        }
        if refuted {
            self.resolver.connection_failed(target);
        }
        Err(failure)
    }
}

impl Dialer {
    fn dial(&self, address: SocketAddr, timeout: Duration) -> io::Result<Arc<TcpStream>> {
        if timeout.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        let stream = Arc::new(TcpStream::from(socket));
        // Before connecting, so that an interrupt ends that too.
        self.open.add(&stream)?;
        let socket = SockRef::from(&*stream);
        socket.connect_timeout(&address.into(), timeout)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        Ok(stream)
    }
}

/// Every socket there is, to be shut down when all requests are to end at once. ureq would keep
/// such a list too, and go through all of it on every request.
#[derive(Debug, Default)]
pub(super) struct OpenSockets(Mutex<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    shut_down: bool,
    open: Vec<Weak<TcpStream>>,
    /// The number at which those that were closed are forgotten: twice what was left last time,
    /// so that this costs a constant amount for each new one.
    full: usize,
}

impl OpenSockets {
    fn add(&self, stream: &Arc<TcpStream>) -> io::Result<()> {
        let mut sockets = self.0.lock();
        if sockets.shut_down {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if sockets.open.len() >= sockets.full {
            sockets.open.retain(|socket| socket.strong_count() > 0);
            sockets.full = (sockets.open.len() * 2).max(64);
        }
        sockets.open.push(Arc::downgrade(stream));
        Ok(())
    }

    /// Ends whatever waits for any of the sockets, with an error, and refuses new ones.
    pub fn shut_down(&self) {
        let mut sockets = self.0.lock();
        sockets.shut_down = true;
        for socket in sockets.open.drain(..).filter_map(|socket| socket.upgrade()) {
            // An error means that it is closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
