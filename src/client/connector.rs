//! Connections under load: reuses idle ones, and makes new ones when there are none.

use super::BUFFER;
use super::connecting::{Connecting, ServerName};
use super::exchange::{self, Stage};
use super::failure::is_exhaustion;
use super::normalizer::Normalizer;
use super::open_sockets::OpenSockets;
use super::pool::{Peer, Pool, Pooled, Route};
use super::resolver::Resolver;
use super::tls::TlsSession;
use super::transport::{SHORTEST, SocketTransport};
use crate::base::{Address, ConnectTimes, Moment, Target};
use crate::core::request::Spelling;
use crate::system::socket::{bind_source, has_no_route};
use rustls::ClientConfig;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// Reuses an idle connection to the current request's target, or makes a new one. A request that asks for a fresh
/// connection always gets a new one, which is closed after it.
///
/// ureq has a pool of its own, behind this connector. It stays empty, because ureq asks [`Transport::is_open`] exactly
/// when it would return a connection to its pool, and [`Lent`] takes that call as its return to ours. The order of
/// calls:
///
/// 1. ureq calls [`Connector::connect`], since its pool is empty.
/// 2. ureq calls [`Transport::transmit_output`] and [`Transport::await_input`] until the answer is complete.
/// 3. ureq calls [`Transport::is_open`], is told that the connection is closed, and drops the empty [`Lent`]. After an
///    error, or if the server closes the connection, it skips this call, and the drop closes the connection.
#[derive(Debug)]
pub(super) struct PoolingConnector {
    /// By target.
    pools: Vec<Arc<Pool<Connection>>>,
    /// The Unix sockets, by target.
    unix_sockets: Vec<Option<PathBuf>>,
    resolver: Arc<Resolver>,
    timeout: Duration,
    open: Arc<OpenSockets>,
    tls: Arc<ClientConfig>,
    /// `None` if all names are in lower case.
    spelling: Option<Arc<Spelling>>,
    /// The name for TLS, if it is not the URL's host.
    server_name: Option<ServerName>,
    sources: Vec<IpAddr>,
}

/// Boxed, since a connection is moved often on its way from the pool through ureq and back.
type Connection = Box<Normalizer<SocketTransport>>;

impl PoolingConnector {
    pub fn new(
        targets: &[Target],
        resolver: Arc<Resolver>,
        timeout: Duration,
        open: Arc<OpenSockets>,
        spelling: &Spelling,
        connecting: &Connecting,
    ) -> Self {
        PoolingConnector {
            pools: targets.iter().map(|_| Arc::new(Pool::new())).collect(),
            unix_sockets: targets
                .iter()
                .map(|target| target.unix_socket.clone())
                .collect(),
            resolver,
            timeout,
            open,
            tls: connecting.tls_config(),
            server_name: connecting.server_name.clone(),
            sources: connecting.sources.clone(),
            spelling: (!spelling.is_lower_case()).then(|| Arc::new(spelling.clone())),
        }
    }

    /// The pool of a target, with the latest routes.
    fn pool(&self, target: usize) -> &Arc<Pool<Connection>> {
        let pool = &self.pools[target];
        if pool.version() != self.resolver.version(target) {
            let (version, addresses) = self.resolver.addresses(target);
            let routes = addresses.flat_map(|to| self.routes(to));
            let unix_socket = self.unix_sockets[target].as_ref();
            let to_socket = unix_socket.map(|path| Route {
                to: Peer::UnixSocket,
                address: Address::new(&path.to_string_lossy()),
                from: None,
            });
            pool.set_routes(version, routes.chain(to_socket));
        }
        pool
    }

    /// The routes to an address: from each source of its family, or from wherever the system chooses.
    fn routes(&self, to: SocketAddr) -> impl Iterator<Item = Route> {
        let sources = self.sources.iter();
        let of_family = sources.filter(move |source| source.is_ipv4() == to.is_ipv4());
        let any = self.sources.is_empty().then_some(None);
        let sources = of_family.map(|&source| Some(source)).chain(any);
        let address = Address::new(&to.to_string());
        let to = Peer::Address(to);
        sources.map(move |from| Route { to, address, from })
    }

    /// An idle connection that is still open, or a new one.
    fn kept(
        &self,
        details: &ConnectionDetails,
        pool: &Pool<Connection>,
    ) -> Result<Pooled<Connection>, Error> {
        let started = exchange::current().started;
        let Some((route, mut idle)) = pool.take(started) else {
            return Err(Error::HostNotFound);
        };
        while let Some(mut pooled) = idle {
            // The server may have closed it meanwhile. If it closes it after this check, the request fails. It is not
            // repeated, since the server may have processed it.
            if pooled.connection.is_quiet() {
                return Ok(pooled);
            }
            idle = pool.take_from(route, started);
        }
        self.connect_anew(details, pool, route)
    }

    /// Makes a connection for the exchange that has begun on this thread, and keeps it for `pause`. No request is sent.
    ///
    /// # Errors
    /// No connection can be made, or the target closes it within the pause.
    pub fn knock(&self, uri: &Uri, pause: Duration) -> Result<(), Error> {
        let pool = self.pool(exchange::current().target);
        let route = pool.take_turn(Moment::now()).ok_or(Error::HostNotFound)?;
        let is_https = uri.scheme_str() == Some("https");
        let mut pooled = self.open_connection(uri, is_https, BUFFER, pool, route)?;
        exchange::enter_http(pooled.route.address);
        std::thread::sleep(pause);
        if pooled.connection.is_quiet() {
            return Ok(());
        }
        let closed = "it closed the connection at once, or sent something before a request";
        Err(io::Error::new(ErrorKind::ConnectionReset, closed).into())
    }

    fn connect_anew(
        &self,
        details: &ConnectionDetails,
        pool: &Pool<Connection>,
        first: Route,
    ) -> Result<Pooled<Connection>, Error> {
        let output_buffer = details.config.output_buffer_size();
        self.open_connection(details.uri, details.needs_tls(), output_buffer, pool, first)
    }

    /// Makes a new connection, on the route `first` if possible, otherwise to another of the target's addresses.
    fn open_connection(
        &self,
        uri: &Uri,
        needs_tls: bool,
        output_buffer: usize,
        pool: &Pool<Connection>,
        first: Route,
    ) -> Result<Pooled<Connection>, Error> {
        let started = Moment::now();
        let dialed = self.dial_any(pool, pool.dial_order(first, started));
        let connected = Moment::now();
        let mut times = ConnectTimes {
            tcp: connected.since(started),
            tls: None,
        };
        exchange::note_connect_times(times);
        let (stream, route) = dialed?;
        let mut connection = SocketTransport::new(stream, self.timeout, output_buffer);
        let mut ready = connected;
        if needs_tls {
            exchange::enter(Stage::Handshake);
            let tls = self.tls_to(uri);
            let done = tls.and_then(|tls| connection.shake_hands(tls));
            ready = Moment::now();
            times.tls = Some(ready.since(connected));
            exchange::note_connect_times(times);
            done?;
        }
        let connection = Normalizer::new(connection, self.spelling.clone());
        Ok(pool.register(Box::new(connection), route, ready))
    }

    /// The client's side of TLS with a URL's host, which is known by another name if there is one for all.
    fn tls_to(&self, url: &Uri) -> Result<TlsSession, Error> {
        let name = self.server_name.clone();
        let name = name.or_else(|| ServerName::of_host(url.host()?));
        let name = name.ok_or(Error::Tls("the host's name can't be one in TLS"))?;
        TlsSession::new(self.tls.clone(), name.into_inner())
    }

    /// Dials by these routes in turn until an address accepts.
    fn dial_any(
        &self,
        pool: &Pool<Connection>,
        routes: Vec<Route>,
    ) -> Result<(Arc<Socket>, Route), Error> {
        let exchange = exchange::current();
        let count = routes.len();
        let mut failure = Error::HostNotFound;
        for (tried, route) in routes.into_iter().enumerate() {
            // The remaining routes share the remaining time, so that a silent one leaves time for the others.
            let started = Moment::now();
            exchange::note_address(route.address);
            let left = Duration::from(exchange.deadline.since(started));
            let mut error = match self.dial(route, left / (count - tried) as u32) {
                Ok(stream) => return Ok((stream, route)),
                Err(error) => error,
            };
            let is_unroutable = is_unroutable(route, &error);
            if is_unroutable {
                let text = "no route from this machine to the target's IPv6 address";
                error = io::Error::new(ErrorKind::NetworkUnreachable, text);
            }
            let now = Moment::now();
            pool.avoid(route, now, now.since(started));
            // A shortage on this machine does not mean that the address is wrong.
            if !is_exhaustion(&error) {
                let is_last = tried + 1 == count;
                self.resolver.connection_failed(exchange.target, is_last);
            }
            // This does not explain why the others failed.
            if tried > 0 && is_unroutable {
                continue;
            }
            failure = match error.kind() {
                ErrorKind::TimedOut => Error::Timeout(Timeout::Connect),
                _ => Error::Io(error),
            };
        }
        Err(failure)
    }

    fn dial(&self, route: Route, timeout: Duration) -> io::Result<Arc<Socket>> {
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let domain = match route.to {
            Peer::Address(address) => Domain::for_address(address),
            Peer::UnixSocket => Domain::UNIX,
        };
        let socket = Arc::new(Socket::new(domain, Type::STREAM, None)?);
        // Before connecting, so that an interrupt ends that too.
        self.open.add(&socket)?;
        match route.to {
            Peer::Address(address) => {
                if let Some(from) = route.from {
                    bind_source(&socket, from)?;
                }
                socket.connect_timeout(&address.into(), timeout)?;
                socket.set_tcp_nodelay(true)?;
            }
            Peer::UnixSocket => {
                let path = self.unix_sockets[exchange::current().target].as_ref();
                let path = path.ok_or(ErrorKind::NotFound)?;
                // Without waiting, the system refuses a connection for which the server's queue has no room.
                socket.set_write_timeout(Some(timeout.max(SHORTEST)))?;
                socket.connect(&SockAddr::unix(path)?)?;
            }
        }
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        Ok(socket)
    }
}

/// Returns whether a connection failed because this machine lacks IPv6, or a route to the peer's address.
fn is_unroutable(route: Route, error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, TimedOut};
    match route.to {
        Peer::Address(to @ SocketAddr::V6(_)) if route.from.is_none() => {
            let has_left = matches!(error.kind(), TimedOut | ConnectionRefused | ConnectionReset);
            !has_left && has_no_route(to)
        }
        _ => false,
    }
}

impl Connector for PoolingConnector {
    type Out = Lent;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Lent>, Error> {
        let exchange = exchange::current();
        let pool = self.pool(exchange.target);
        let mut pooled = if exchange.fresh {
            let route = pool.take_turn(exchange.started);
            self.connect_anew(details, pool, route.ok_or(Error::HostNotFound)?)?
        } else {
            self.kept(details, pool)?
        };
        pooled.connection.begin();
        exchange::enter_http(pooled.route.address);
        Ok(Some(Lent {
            pooled: Some(pooled),
            pool: (!exchange.fresh).then(|| pool.clone()),
        }))
    }
}

/// A connection lent to one request. It notes if the request ends without any part of an answer, or with
/// a part that was not read.
#[derive(Debug)]
pub(super) struct Lent {
    /// `None` once it is back in the pool, or closed.
    pooled: Option<Pooled<Connection>>,
    /// The pool that it goes back to. `None` if it is closed after this request.
    pool: Option<Arc<Pool<Connection>>>,
}

impl Lent {
    fn connection(&mut self) -> &mut Connection {
        let pooled = self.pooled.as_mut();
        &mut pooled.expect("a connection that is still lent").connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(pooled) = &mut self.pooled {
            if !pooled.connection.has_answered() {
                exchange::note_unanswered();
            }
            exchange::note_received(pooled.connection.buffers().input());
        }
    }
}

impl Transport for Lent {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection().buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.connection().transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.connection().await_input(timeout)
    }

    /// Returns the connection to the pool or closes it, and tells ureq that it is closed.
    fn is_open(&mut self) -> bool {
        if let Some(mut pooled) = self.pooled.take() {
            let now = Moment::now();
            exchange::note_returned(now);
            if let Some(pool) = &self.pool
                && pooled.connection.is_finished()
            {
                pool.put(pooled, now);
            }
        }
        false
    }

    fn is_tls(&self) -> bool {
        let pooled = self.pooled.as_ref();
        pooled.is_some_and(|pooled| pooled.connection.is_tls())
    }
}
