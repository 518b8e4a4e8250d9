//! Calls on connections that std does not offer: a source address, a look at an idle connection, and sending and receiving
//! without waiting.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Has a connection come from this address of this machine. On Linux, the system chooses the port only once it knows the
/// destination, so that connections to different destinations can share a port. Elsewhere, and on Linux before 4.2, each
/// connection takes a port of its own.
pub(crate) fn bind_source(socket: &Socket, from: IpAddr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
        let _ = setsockopt(socket, IpBindAddressNoPort, &true);
    }
    socket.bind(&SocketAddr::new(from, 0).into())
}

/// Returns whether this machine has no route to an address, or no address of that family to use it from. The errors of a
/// connection do not tell that from a lack of ports. UDP has ports of its own, and this sends nothing.
pub(crate) fn has_no_route(to: SocketAddr) -> bool {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, None);
    let Err(error) = socket.and_then(|socket| socket.connect(&to.into())) else {
        return false;
    };
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::AFNOSUPPORT) {
        return true;
    }
    use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | NetworkUnreachable)
}

/// Returns whether nothing has arrived on an idle connection: neither its end, nor bytes that belong to no request.
pub(crate) fn is_quiet(stream: &Socket) -> bool {
    matches!(peek(stream), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Looks for a byte without waiting for it or consuming it, in one system call.
#[cfg(unix)]
fn peek(stream: &Socket) -> io::Result<usize> {
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (read, _) = recv(stream, &mut [0u8; 1][..], flags)?;
    Ok(read)
}

#[cfg(not(unix))]
fn peek(stream: &Socket) -> io::Result<usize> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [std::mem::MaybeUninit::uninit()]);
    stream.set_nonblocking(false)?;
    peeked
}

/// Receives what has arrived, without waiting. Fails with `WouldBlock` if nothing has.
#[cfg(unix)]
pub(crate) fn receive_now(stream: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    use rustix::net::{RecvFlags, recv};
    let (length, _) = recv(stream, buffer, RecvFlags::DONTWAIT)?;
    Ok(length)
}

#[cfg(not(unix))]
pub(crate) fn receive_now(mut stream: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::Read;
    stream.set_nonblocking(true)?;
    let received = stream.read(buffer);
    stream.set_nonblocking(false)?;
    received
}

/// Sends as many of the bytes as the system takes without waiting. Fails with `WouldBlock` if it takes none.
#[cfg(unix)]
pub(crate) fn send_now(stream: &Socket, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};
    Ok(send(stream, bytes, SendFlags::DONTWAIT)?)
}

/// Waits until some of the bytes have been sent.
#[cfg(not(unix))]
pub(crate) fn send_now(stream: &Socket, bytes: &[u8]) -> io::Result<usize> {
    stream.send(bytes)
}

/// Waits until more can be sent, or something has arrived if `reads`. Returns whether something has arrived; an error of
/// the connection is something, too.
#[cfg(unix)]
pub(crate) fn wait_to_send(stream: &Socket, reads: bool, timeout: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let arrival = if reads {
        PollFlags::IN
    } else {
        PollFlags::empty()
    };
    let mut polled = [PollFd::new(stream, PollFlags::OUT | arrival)];
    poll(&mut polled, Timespec::try_from(timeout).ok().as_ref())?;
    Ok(polled[0].revents().intersects(arrival))
}

/// Does not wait, since [`send_now`] does.
#[cfg(not(unix))]
pub(crate) fn wait_to_send(_: &Socket, _: bool, _: Duration) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_source_address_takes_no_port_before_the_connection() {
        for address in ["127.0.0.1", "::1"] {
            let from: IpAddr = address.parse().unwrap();
            let domain = Domain::for_address((from, 0).into());
            let socket = Socket::new(domain, Type::STREAM, None).unwrap();
            if bind_source(&socket, from).is_err() && from.is_ipv6() {
                continue; // a machine without IPv6
            }
            let local = socket.local_addr().unwrap().as_socket().unwrap();
            assert_eq!((local.ip(), local.port()), (from, 0));
        }
    }
}
