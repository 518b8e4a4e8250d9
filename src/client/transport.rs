//! One TCP connection: a request leaves in one write, and its first byte's instant is noted.

use super::BUFFER;
use super::exchange;
use crate::base::{Moment, Nanos};
use crate::system::socket::is_quiet;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// What ureq hands over in pieces (head, then body) is gathered up to this much.
const MAX_GATHERED: usize = 16 * 1024;

/// The most that is ever buffered of a response: more than ureq takes of a response's head.
const MAX_INPUT: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Socket {
    /// Shared, weakly, with who shuts it down to interrupt a request.
    stream: Arc<TcpStream>,
    /// The read timeout that the system has been told.
    read_timeout: Duration,
    buffers: Gathering,
}

impl Socket {
    /// `timeout` is the read timeout already set on the stream; `output_buffer` the room, in
    /// bytes, that there always is for what ureq writes in one piece.
    pub fn new(stream: Arc<TcpStream>, timeout: Duration, output_buffer: usize) -> Self {
        Socket {
            stream,
            read_timeout: timeout,
            buffers: Gathering {
                output_buffer,
                ..Gathering::default()
            },
        }
    }

    /// Sends what was gathered and returns when, if there was anything.
    fn flush(&mut self) -> Result<Option<Moment>, Error> {
        let gathered = self.buffers.take_gathered();
        if gathered.is_empty() {
            return Ok(None);
        }
        let now = Moment::now();
        exchange::leaving(now);
        (&*self.stream)
            .write_all(gathered)
            .map_err(timed_out_or_io)?;
        Ok(Some(now))
    }

    /// Tells the system a new read timeout only where the one it has would let a read outlast its
    /// deadline, or end before it, by more than a hundredth. Most requests are answered by one
    /// read, begun right after the request did, for which the whole timeout is still right.
    fn limit_reads_to(&mut self, left: Duration) -> io::Result<()> {
        let slack = left / 100 + Duration::from_millis(1);
        if self.read_timeout < left || self.read_timeout > left + slack {
            self.stream.set_read_timeout(Some(left))?;
            self.read_timeout = left;
        }
        Ok(())
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// Keeps the output until a response is awaited, or there is much of it.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.buffers.gather(amount);
        if self.buffers.gathered >= MAX_GATHERED {
            self.flush()?;
        }
        Ok(())
    }

    /// Waits until the exchange's deadline, unless it is not to wait at all.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let now = self.flush()?.unwrap_or_else(Moment::now);
        let left = exchange::deadline().since(now);
        if left == Nanos::ZERO || timeout.after.is_zero() {
            return Err(Error::Timeout(Timeout::Global));
        }
        self.limit_reads_to(left.into())?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match (&*self.stream).read(input) {
                // Linux does not restart a read that has a timeout after a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(timed_out_or_io)?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        is_quiet(&self.stream)
    }
}

fn timed_out_or_io(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(Timeout::Global),
        _ => Error::Io(error),
    }
}

/// Buffers whose output is not sent at once: what ureq writes next lands behind what it has
/// written before.
#[derive(Debug, Default)]
struct Gathering {
    output_buffer: usize,
    output: Vec<u8>,
    gathered: usize,
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    progressed: bool,
}

impl Gathering {
    fn gather(&mut self, amount: usize) {
        self.gathered += amount;
    }

    fn take_gathered(&mut self) -> &[u8] {
        let gathered = std::mem::take(&mut self.gathered);
        &self.output[..gathered]
    }

    fn make_room(&mut self) {
        let room = self.gathered + self.output_buffer;
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        if self.consumed == self.filled {
            self.consumed = 0;
            self.filled = 0;
        }
        if self.filled == self.input.len() {
            if self.consumed > 0 {
                self.input.copy_within(self.consumed..self.filled, 0);
                self.filled -= self.consumed;
                self.consumed = 0;
            } else if self.input.len() < MAX_INPUT {
                self.input.resize((self.input.len() * 2).max(BUFFER), 0);
            }
        }
    }
}

impl Buffers for Gathering {
    fn output(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.output[self.gathered..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progressed = amount > 0;
        self.consumed += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.make_room();
        (
            &mut self.input[self.filled..],
            &mut self.output[self.gathered..],
        )
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.progressed
    }
}
