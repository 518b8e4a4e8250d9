//! The TLS of one connection, between the socket and the buffers that ureq uses.

use super::exchange::{self, Stage};
use crate::system::socket::receive_now;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::Socket;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use ureq::Error;

/// How many times the messages on an idle connection are read. A server sends a few session tickets at once.
const MAX_IDLE_READS: usize = 8;

/// The client's side of a TLS connection. It moves bytes and never waits by itself: the
/// [transport](super::transport::SocketTransport) owns the socket and its deadlines. The order of calls:
///
/// 1. While [`TlsSession::is_handshaking`], the transport calls [`TlsSession::take_records`], sends the
///    [records](TlsSession::records), and calls [`TlsSession::read`].
/// 2. For a request, it calls [`TlsSession::encrypt`] and sends the records.
/// 3. For the answer, it calls [`TlsSession::read`].
/// 4. Before it uses an idle connection again, it calls [`TlsSession::is_quiet`].
#[derive(Debug)]
pub(super) struct TlsSession {
    connection: ClientConnection,
    /// Encrypted bytes on their way to the socket.
    records: Vec<u8>,
    /// The number of decrypted bytes that the buffers have not received.
    decrypted: usize,
}

impl TlsSession {
    pub fn new(config: Arc<ClientConfig>, server: ServerName<'static>) -> Result<Self, Error> {
        let mut connection = ClientConnection::new(config, server)?;
        // The transport passes on little at a time, and sends it all before more.
        connection.set_buffer_limit(None);
        Ok(TlsSession {
            connection,
            records: Vec::new(),
            decrypted: 0,
        })
    }

    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What is to be sent: a request, or messages of TLS itself.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// Replaces the records by those that have been made since. Returns whether there are any.
    pub fn take_records(&mut self) -> Result<bool, Error> {
        self.records.clear();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.records)?;
        }
        Ok(!self.records.is_empty())
    }

    /// Makes records of a request: one, unless it is longer than a record can be. Returns their length.
    pub fn encrypt(&mut self, request: &[u8]) -> Result<usize, Error> {
        let written = self.connection.writer().write_all(request);
        written.map_err(tls_or_io)?;
        self.take_records()?;
        Ok(self.records.len())
    }

    /// Moves decrypted bytes to the buffer, and reads from the socket once if there are none. Returns how many: `Some(0)`
    /// at the end of the stream, whether TLS announced it or not, and `None` if only messages of TLS itself came.
    pub fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        if self.decrypted == 0 && !self.read_records(Noted(socket))? {
            return Ok(Some(0));
        }
        if self.decrypted == 0 {
            return Ok(None);
        }
        let moved = self.connection.reader().read(buffer)?;
        self.decrypted -= moved;
        Ok(Some(moved))
    }

    /// Reads once, and decrypts the records that are complete. Returns `false` at the end of the stream.
    fn read_records(&mut self, mut stream: impl Read) -> Result<bool, Error> {
        if self.connection.read_tls(&mut stream)? == 0 {
            return Ok(false);
        }
        let state = self.connection.process_new_packets()?;
        self.decrypted = state.plaintext_bytes_to_read();
        Ok(true)
    }

    /// Returns whether the server has sent nothing to an idle connection, not even its end. Messages of TLS itself, such
    /// as a session ticket that comes late, are read here and do not count.
    pub fn is_quiet(&mut self, socket: &Socket) -> bool {
        for _ in 0..MAX_IDLE_READS {
            if self.decrypted > 0 {
                return false;
            }
            match self.read_records(WithoutWaiting(socket)) {
                Ok(true) => {}
                Err(Error::Io(error)) => return error.kind() == ErrorKind::WouldBlock,
                Ok(false) | Err(_) => return false,
            }
        }
        false
    }
}

/// Reads, and notes the start of a handshake, which may explain its failure.
struct Noted<'a>(&'a Socket);

impl Read for Noted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.0;
        let length = socket.read(buffer)?;
        if exchange::current().stage == Stage::Handshake {
            exchange::note_received(&buffer[..length]);
        }
        Ok(length)
    }
}

/// Reads what has arrived.
struct WithoutWaiting<'a>(&'a Socket);

impl Read for WithoutWaiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive_now(self.0, buffer)
    }
}

/// rustls reports an earlier error of its own as one of input and output.
fn tls_or_io(error: io::Error) -> Error {
    match error.downcast::<rustls::Error>() {
        Ok(error) => Error::Rustls(error),
        Err(error) => Error::Io(error),
    }
}
