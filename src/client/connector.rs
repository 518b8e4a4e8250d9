//! Connections for load: kept ones where there are any, new ones where there are not.

use super::exchange::{self, Stage};
use super::failure::exhausted;
use super::pool::{Kept, Pool};
use super::resolver::Resolver;
use super::transport::Socket;
use crate::base::{ConnectTimes, Moment};
use parking_lot::Mutex;
use socket2::{Domain, SockRef, Type};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Error, Timeout};

/// Reuses an idle connection to the target of the request at hand, or makes a new one.
///
/// It stands before ureq's own pool and keeps that empty: ureq calls [`Transport::is_open`] on a
/// connection exactly when it would put it back, and [`Pooled`] takes that call as its return.
#[derive(Debug)]
pub(super) struct Pooling {
    /// By target.
    pools: Vec<Arc<Pool<Connection>>>,
    resolver: Arc<Resolver>,
    timeout: Duration,
    open: Arc<OpenSockets>,
    tls: RustlsConnector,
}

/// TCP, or TLS over it. Boxed, since what TLS needs is over a kilobyte, and a connection is moved
/// often on its way from the pool through ureq and back.
type Connection = Box<<RustlsConnector as Connector<Socket>>::Out>;

impl Pooling {
    pub fn new(
        targets: usize,
        resolver: Arc<Resolver>,
        timeout: Duration,
        open: Arc<OpenSockets>,
    ) -> Self {
        Pooling {
            pools: (0..targets).map(|_| Arc::new(Pool::new())).collect(),
            resolver,
            timeout,
            open,
            tls: RustlsConnector::default(),
        }
    }

    /// The pool of a target, with the addresses that are known now.
    fn pool(&self, target: usize) -> &Arc<Pool<Connection>> {
        let pool = &self.pools[target];
        if pool.version() != self.resolver.version(target) {
            let (version, addresses) = self.resolver.addresses(target);
            pool.learn(version, addresses);
        }
        pool
    }

    /// A new connection, to `first` if it can be had, else to another of the target's addresses.
    fn connect_anew(
        &self,
        details: &ConnectionDetails,
        pool: &Pool<Connection>,
        first: SocketAddr,
    ) -> Result<Kept<Connection>, Error> {
        let started = Moment::now();
        let dialed = self.dial_any(pool, pool.order(first, started));
        let connected = Moment::now();
        let mut took = ConnectTimes {
            tcp: connected.since(started),
            tls: None,
        };
        exchange::connecting_took(took);
        let (stream, address) = dialed?;
        let output_buffer = details.config.output_buffer_size();
        let socket = Socket::new(stream, self.timeout, output_buffer);
        let mut ready = connected;
        if details.needs_tls() {
            exchange::reached(Stage::Handshake);
        }
        let connection = self.tls.connect(details, Some(socket));
        if details.needs_tls() {
            ready = Moment::now();
            took.tls = Some(ready.since(connected));
            exchange::connecting_took(took);
        }
        let connection = connection?.ok_or(Error::ConnectionFailed)?;
        Ok(pool.made(Box::new(connection), address, ready))
    }

    fn dial_any(
        &self,
        pool: &Pool<Connection>,
        addresses: Vec<SocketAddr>,
    ) -> Result<(Arc<TcpStream>, SocketAddr), Error> {
        let deadline = exchange::deadline();
        let target = exchange::target();
        let count = addresses.len();
        let mut failure = Error::HostNotFound;
        for (tried, address) in addresses.into_iter().enumerate() {
            // What is left is shared among the addresses that are left, so that one that does
            // not answer leaves time for the others.
            let started = Moment::now();
            let left = Duration::from(deadline.since(started));
            let error = match self.dial(address, left / (count - tried) as u32) {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => error,
            };
            let now = Moment::now();
            pool.avoid(address, now, now.since(started));
            // What this machine has run out of says nothing of the address.
            if !exhausted(&error) {
                self.resolver.connection_failed(target, tried + 1 == count);
            }
            failure = match error.kind() {
                io::ErrorKind::TimedOut => Error::Timeout(Timeout::Connect),
                _ => Error::Io(error),
            };
        }
        Err(failure)
    }

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

impl Connector for Pooling {
    type Out = Pooled;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Pooled>, Error> {
        let home = self.pool(exchange::target());
        let now = exchange::begun();
        let Some((address, mut idle)) = home.take(now) else {
            return Err(Error::HostNotFound);
        };
        let kept = loop {
            let Some(mut kept) = idle else {
                break self.connect_anew(details, home, address)?;
            };
            // The other side may have closed it meanwhile. Should it do so after this look, the
            // request fails: whether it was processed can't be known, so it is not repeated.
            if is_quiet(&mut kept.connection) {
                break kept;
            }
            idle = home.take_another(address, now);
        };
        exchange::reached(Stage::Http);
        Ok(Some(Pooled {
            lent: Some(kept),
            home: home.clone(),
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

/// A connection on loan to one request.
#[derive(Debug)]
pub(super) struct Pooled {
    /// Gone once given back; ureq drops the shell at once.
    lent: Option<Kept<Connection>>,
    home: Arc<Pool<Connection>>,
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
        if let Some(kept) = self.lent.take() {
            let now = Moment::now();
            exchange::returned(now);
            self.home.put(kept, now);
        }
        false
    }

    fn is_tls(&self) -> bool {
        self.lent
            .as_ref()
            .is_some_and(|kept| kept.connection.is_tls())
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
