//! One TCP connection, over which a request leaves in one write, and which notes when that was.

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

/// The output of ureq (the head, then the body) is gathered up to about this many bytes.
const MAX_GATHERED: usize = 16 * 1024;

/// The largest input buffer, in bytes: more than ureq accepts of a response's head.
const MAX_INPUT: usize = 128 * 1024;

/// A TCP connection for ureq, or for the TLS library on its behalf. The order of calls:
///
/// 1. The caller writes into [`Buffers::output`] and calls [`Transport::transmit_output`], once for the head and once
///    for the body. Both are only gathered.
/// 2. The caller calls [`Transport::await_input`], which sends what was gathered and waits for the answer.
/// 3. The caller calls [`Transport::await_input`] again until the answer is complete.
/// 4. The connector calls [`Transport::is_open`] before it reuses the connection.
#[derive(Debug)]
pub(super) struct TcpTransport {
    /// [`OpenSockets`](super::open_sockets::OpenSockets) has a weak reference, to interrupt the request.
    stream: Arc<TcpStream>,
    /// The read timeout that is set on the stream.
    read_timeout: Duration,
    buffers: GatheringBuffers,
}

impl TcpTransport {
    /// `timeout` is the read timeout that is already set on the stream. `output_buffer` is the room in bytes that ureq
    /// always finds for what it writes in one piece.
    pub fn new(stream: Arc<TcpStream>, timeout: Duration, output_buffer: usize) -> Self {
        TcpTransport {
            stream,
            read_timeout: timeout,
            buffers: GatheringBuffers {
                output_buffer,
                ..GatheringBuffers::default()
            },
        }
    }

    /// Sends what was gathered. Returns when, if there was anything.
    fn flush(&mut self) -> Result<Option<Moment>, Error> {
        let gathered = self.buffers.take_gathered();
        if gathered.is_empty() {
            return Ok(None);
        }
        let now = Moment::now();
        exchange::note_sent(now);
        (&*self.stream).write_all(gathered).map_err(timeout_or_io)?;
        Ok(Some(now))
    }

    /// Sets the read timeout, unless the one that is set ends a read at the deadline within a hundredth. Most requests
    /// are answered by one read, which starts right after the request, so the whole timeout remains right for them.
    fn limit_reads_to(&mut self, left: Duration) -> io::Result<()> {
        let slack = left / 100 + Duration::from_millis(1);
        if self.read_timeout < left || self.read_timeout > left + slack {
            self.stream.set_read_timeout(Some(left))?;
            self.read_timeout = left;
        }
        Ok(())
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// Keeps the output until the caller awaits input, or until there is much of it.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.buffers.gathered += amount;
        if self.buffers.gathered >= MAX_GATHERED {
            self.flush()?;
        }
        Ok(())
    }

    /// Waits until the exchange's deadline, or not at all if the timeout is zero.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let now = self.flush()?.unwrap_or_else(Moment::now);
        let left = exchange::current().deadline.since(now);
        if left == Nanos::ZERO || timeout.after.is_zero() {
            return Err(Error::Timeout(Timeout::Global));
        }
        self.limit_reads_to(left.into())?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match (&*self.stream).read(input) {
                // Linux does not restart a read that has a timeout after a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(timeout_or_io)?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        is_quiet(&self.stream)
    }
}

fn timeout_or_io(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(Timeout::Global),
        _ => Error::Io(error),
    }
}

/// Buffers whose output is not sent at once: ureq's next write lands behind the last one.
#[derive(Debug, Default)]
struct GatheringBuffers {
    output_buffer: usize,
    output: Vec<u8>,
    /// The length of the output that waits to be sent.
    gathered: usize,
    input: Vec<u8>,
    /// The input up to here has been consumed.
    consumed: usize,
    /// The input up to here has been received.
    filled: usize,
    /// The last call consumed some input.
    progressed: bool,
}

impl GatheringBuffers {
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

impl Buffers for GatheringBuffers {
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
        let (input, output) = (&mut self.input, &mut self.output);
        (&mut input[self.filled..], &mut output[self.gathered..])
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.progressed
    }
}
