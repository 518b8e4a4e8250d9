//! Takes connections off a listening socket, and starts a thread for each.

use super::connection;
use super::connections::Connections;
use super::{Limits, Respond};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The number of connections that the system holds until they are accepted, if its own limit (`somaxconn`) allows it.
const BACKLOG: i32 = 1024;

/// The pause after a failure that is likely to recur, such as a lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Failures that follow one another more closely than this are one outage.
const QUIET: Duration = Duration::from_secs(10);

pub(super) struct Acceptor {
    pub listener: Listener,
    pub connections: Arc<Connections>,
    pub limits: Limits,
    pub respond: Arc<Respond>,
}

impl Acceptor {
    /// Ends when the server stops.
    pub fn run(self) {
        let mut outage = Outage::default();
        let mut number = 0;
        while self.connections.wait_for_room() {
            let started = match self.listener.accept() {
                Ok(Some(stream)) => {
                    number += 1;
                    self.start(number, stream)
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = started {
                if outage.begins_at(Instant::now()) {
                    let addr = self.listener.addr();
                    let _ = writeln!(
                        io::stderr(),
                        "http://{addr} can't accept connections, and keeps trying: {error}"
                    );
                }
                self.connections.pause(PAUSE);
            }
        }
        // Connections that the system has accepted already may have sent requests.
        for _ in 0..BACKLOG {
            let Some(stream) = self.listener.take_waiting() else {
                break;
            };
            number += 1;
            // Without a thread, it is closed.
            let _ = self.start(number, stream);
        }
    }

    /// # Errors
    /// The system has no thread for the connection, which is closed.
    fn start(&self, number: u64, stream: TcpStream) -> io::Result<()> {
        let registered = self.connections.add(number, stream);
        let (respond, limits) = (Arc::clone(&self.respond), self.limits);
        let serve = move || {
            // A connection that broke concerns nobody but its client.
            let _ = connection::serve(
                &registered.peer,
                &registered.connections,
                &limits,
                &*respond,
            );
        };
        let thread = thread::Builder::new().name("http connection".to_owned());
        thread.spawn(serve).map(drop)
    }
}

/// Follows the failures to accept connections, so that each outage is reported once.
#[derive(Debug, Default)]
struct Outage {
    last_failure: Option<Instant>,
}

impl Outage {
    /// Takes a failure. Returns whether it begins an outage.
    fn begins_at(&mut self, now: Instant) -> bool {
        let last = self.last_failure.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET)
    }
}

/// A listening socket. Another thread can end its wait for a connection.
pub(super) struct Listener {
    socket: TcpListener,
    addr: SocketAddr,
    #[cfg(unix)]
    woken: std::os::unix::net::UnixStream,
}

/// Ends the wait of its [`Listener`] when it is dropped.
pub(super) struct Waker {
    #[cfg(unix)]
    #[expect(dead_code, reason = "dropping it is its use")]
    wakes: std::os::unix::net::UnixStream,
    #[cfg(not(unix))]
    addr: SocketAddr,
}

impl Listener {
    /// Listens on the address. Port 0 stands for any free port.
    ///
    /// # Errors
    /// The address can't be bound.
    pub fn bind(addr: SocketAddr) -> io::Result<(Listener, Waker)> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix, the port is free again as soon as nobody listens on it. Elsewhere this would let others take it over.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let addr = socket.local_addr()?;
        #[cfg(unix)]
        {
            let (wakes, woken) = std::os::unix::net::UnixStream::pair()?;
            socket.set_nonblocking(true)?;
            let listener = Listener {
                socket,
                addr,
                woken,
            };
            Ok((listener, Waker { wakes }))
        }
        #[cfg(not(unix))]
        Ok((Listener { socket, addr }, Waker { addr }))
    }

    /// The address, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns a connection that waits already.
    fn take_waiting(&self) -> Option<TcpStream> {
        let is_blocking = cfg!(not(unix));
        let accepted = (!is_blocking).then(|| self.socket.accept())?;
        accepted.ok().map(|(stream, _)| stream)
    }

    /// Waits for a connection. Returns `None` if its client has given up already, and when the [`Waker`] is dropped.
    ///
    /// # Errors
    /// The system has no file descriptor or no memory for the connection.
    fn accept(&self) -> io::Result<Option<TcpStream>> {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, poll};
            let mut polled = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(&self.woken, PollFlags::IN),
            ];
            match poll(&mut polled, None) {
                Ok(_) if polled[1].revents().is_empty() => {}
                Ok(_) | Err(rustix::io::Errno::INTR) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        match self.socket.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock
                | ErrorKind::Interrupted
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset => Ok(None),
                _ => Err(error),
            },
        }
    }
}

#[cfg(not(unix))]
impl Drop for Waker {
    fn drop(&mut self) {
        use std::net::{Ipv4Addr, Ipv6Addr};
        let mut addr = self.addr;
        match addr {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
                addr.set_ip(Ipv4Addr::LOCALHOST.into())
            }
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
                addr.set_ip(Ipv6Addr::LOCALHOST.into())
            }
            _ => {}
        }
        let _ = TcpStream::connect_timeout(&addr, Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_are_one_outage() {
        let mut outage = Outage::default();
        let start = Instant::now();
        let mut begins = |seconds| outage.begins_at(start + Duration::from_secs(seconds));
        let begun = [0, 1, 9, 18, 28, 29].map(&mut begins);
        assert_eq!(begun, [true, false, false, false, true, false]);
    }
}
