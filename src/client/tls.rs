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
    received: Framing,
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
            received: Framing::default(),
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
    fn read_records(&mut self, stream: impl Read) -> Result<bool, Error> {
        let mut framed = Framed {
            stream,
            framing: &mut self.received,
        };
        if self.connection.read_tls(&mut framed)? == 0 {
            return Ok(false);
        }
        let state = self.connection.process_new_packets()?;
        self.decrypted = state.plaintext_bytes_to_read();
        Ok(true)
    }

    /// Returns whether the server has sent nothing to an idle connection, not even its end. Messages of TLS itself, such
    /// as a session ticket that comes late, are read here and do not count. A part of a record counts, since it may be
    /// the beginning of an answer that nobody asked for.
    pub fn is_quiet(&mut self, socket: &Socket) -> bool {
        for _ in 0..MAX_IDLE_READS {
            if self.decrypted > 0 {
                return false;
            }
            match self.read_records(WithoutWaiting(socket)) {
                Ok(true) => {}
                Err(Error::Io(error)) => {
                    return error.kind() == ErrorKind::WouldBlock && self.received.is_whole();
                }
                Ok(false) | Err(_) => return false,
            }
        }
        false
    }
}

/// The place in a stream of records, each of which has a header that ends with its length
/// ([RFC 8446](https://www.rfc-editor.org/rfc/rfc8446), section 5.1).
#[derive(Debug, Default)]
struct Framing {
    /// The header that is being received, of which this many bytes are known.
    header: [u8; 5],
    known: usize,
    /// The number of bytes that complete the record whose header was received last.
    missing: usize,
}

impl Framing {
    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let content = self.missing.min(bytes.len());
            self.missing -= content;
            let header = bytes.len().min(content + self.header.len() - self.known);
            let part = &bytes[content..header];
            self.header[self.known..][..part.len()].copy_from_slice(part);
            self.known += part.len();
            if let (5, [.., high, low]) = (self.known, self.header) {
                self.known = 0;
                self.missing = u16::from_be_bytes([high, low]).into();
            }
            bytes = &bytes[header..];
        }
    }

    /// Returns whether the last record is complete.
    fn is_whole(&self) -> bool {
        self.known == 0 && self.missing == 0
    }
}

/// Reads records, and keeps their framing.
struct Framed<'a, S> {
    stream: S,
    framing: &'a mut Framing,
}

impl<S: Read> Read for Framed<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.framing.receive(&buffer[..length]);
        Ok(length)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole_at_their_ends_only_however_they_are_cut() {
        let records = b"\x17\x03\x03\x00\x02ab\x16\x03\x03\x00\x00\x17\x03\x03\x01\x00";
        let stream = [&records[..], &[7; 256]].concat();
        let ends = [0, 7, 12, stream.len()];
        for cut in 0..=stream.len() {
            let mut framing = Framing::default();
            framing.receive(&stream[..cut]);
            assert_eq!(framing.is_whole(), ends.contains(&cut), "{cut}");
            framing.receive(&stream[cut..]);
            assert!(framing.is_whole(), "{cut}");
        }
        let mut framing = Framing::default();
        for (place, byte) in (1..).zip(&stream) {
            framing.receive(&[*byte]);
            assert_eq!(framing.is_whole(), ends.contains(&place), "{place}");
        }
    }
}
