//! A look at an idle TCP connection, which std does not offer.

use std::io;
use std::net::TcpStream;

/// Returns whether nothing has arrived on an idle connection: neither its end, nor bytes that belong to no request.
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    matches!(peek(stream), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Looks for a byte without waiting for it or consuming it, in one system call.
#[cfg(unix)]
fn peek(stream: &TcpStream) -> io::Result<usize> {
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (read, _) = recv(stream, &mut [0u8; 1][..], flags)?;
    Ok(read)
}

#[cfg(not(unix))]
fn peek(stream: &TcpStream) -> io::Result<usize> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    peeked
}
