//! The bytes that arrive on a connection.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// Enough for most requests. The buffer grows while a head or a line of a body needs more.
const USUAL: usize = 4 * 1024;

/// The received bytes that nobody has consumed.
pub(super) struct Input<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The socket's timeout. It changes only if another one is needed, since that is a system call.
    timeout: Option<Duration>,
}

impl<'a> Input<'a> {
    pub fn new(stream: &'a TcpStream) -> Self {
        Self {
            stream,
            buffer: vec![0; USUAL],
            start: 0,
            end: 0,
            timeout: None,
        }
    }

    pub fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.end);
    }

    /// Waits until at least one more byte has arrived. Returns false at the stream's end.
    ///
    /// # Errors
    /// Nothing arrived within the timeout: [`ErrorKind::TimedOut`]. The connection broke.
    pub fn fill(&mut self, timeout: Duration) -> io::Result<bool> {
        self.make_room();
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if self.timeout != Some(timeout) {
            self.stream.set_read_timeout(Some(timeout))?;
            self.timeout = Some(timeout);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(length) => {
                    self.end += length;
                    return Ok(length > 0);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                    _ => return Err(error),
                },
            }
        }
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > USUAL {
                self.buffer = vec![0; USUAL];
            }
        } else if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
        }
    }
}
