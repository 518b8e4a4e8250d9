//! One connection, over which a request leaves in one write, and which notes when that was.

use super::BUFFER;
use super::exchange::{self, Stage};
use super::normalizer::has_answer;
use crate::base::{Moment, Nanos};
use crate::system::socket::{is_quiet, send_now, wait_to_send};
use socket2::Socket;
use std::io::{self, ErrorKind, Read};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// The output of ureq (the head, then the body) is gathered up to about this many bytes.
const MAX_GATHERED: usize = 16 * 1024;

/// The longest wait for a server that has answered, but has not read the request to its end and takes no more.
const PATIENCE: Nanos = Nanos(1_000_000_000);

/// The shortest timeout that a socket takes. The system takes anything shorter for none at all.
pub(super) const SHORTEST: Duration = Duration::from_micros(1);

/// The largest input buffer, in bytes: more than ureq accepts of a response's head.
const MAX_INPUT: usize = 128 * 1024;

/// A connection for ureq, or for the TLS library on its behalf. The order of calls:
///
/// 1. The caller writes into [`Buffers::output`] and calls [`Transport::transmit_output`], once for the head and once
///    for the body. Both are only gathered.
/// 2. The caller calls [`Transport::await_input`], which sends what was gathered and waits for the answer.
/// 3. The caller calls [`Transport::await_input`] again until the answer is complete.
/// 4. The connector calls [`Transport::is_open`] before it reuses the connection.
///
/// A server may answer before it has read the whole request, and then read no more or close the connection. So what
/// arrives while the request is being sent is read, and after a failed write, the answer that may be there is read
/// before the failure is reported.
#[derive(Debug)]
pub(super) struct SocketTransport {
    /// [`OpenSockets`](super::open_sockets::OpenSockets) has a weak reference, to interrupt the request.
    stream: Arc<Socket>,
    /// The read timeout that is set on the stream.
    read_timeout: Duration,
    buffers: GatheringBuffers,
    /// Input was read while the request was being sent, and has not been reported.
    is_early: bool,
    /// The server did not take the whole request.
    is_cut: bool,
    /// The failed write, until something of an answer is read.
    cut_by: Option<io::Error>,
}

impl SocketTransport {
    /// `timeout` is the read timeout that is already set on the stream. `output_buffer` is the room in bytes that ureq
    /// always finds for what it writes in one piece.
    pub fn new(stream: Arc<Socket>, timeout: Duration, output_buffer: usize) -> Self {
        SocketTransport {
            stream,
            read_timeout: timeout,
            buffers: GatheringBuffers {
                output_buffer,
                ..GatheringBuffers::default()
            },
            is_early: false,
            is_cut: false,
            cut_by: None,
        }
    }

    /// Sends what was gathered, unless the server takes no more. Returns when, if there was anything.
    fn flush(&mut self) -> Result<Option<Moment>, Error> {
        let gathered = mem::take(&mut self.buffers.gathered);
        if gathered == 0 || self.is_cut {
            return Ok(None);
        }
        let now = Moment::now();
        exchange::note_sent(now);
        let sent = send_now(&self.stream, &self.buffers.output[..gathered]);
        if !matches!(sent, Ok(length) if length == gathered) {
            self.send_on(gathered, sent).map_err(timeout_or_io)?;
        }
        Ok(Some(now))
    }

    /// Sends the rest of what was gathered, after a first attempt.
    fn send_on(&mut self, gathered: usize, mut attempt: io::Result<usize>) -> io::Result<()> {
        let mut sent = 0;
        let mut progressed = Moment::now();
        loop {
            match attempt {
                Ok(length) => {
                    sent += length;
                    progressed = Moment::now();
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => self.wait_to_send(progressed)?,
                    ErrorKind::BrokenPipe
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted => self.cut(error),
                    _ => return Err(error),
                },
            }
            if sent == gathered || self.is_cut {
                return Ok(());
            }
            attempt = send_now(&self.stream, &self.buffers.output[sent..gathered]);
        }
    }

    /// Waits until the server takes more, and reads what arrives meanwhile. Gives up at the exchange's deadline, or if
    /// the server has answered and has taken nothing since `progressed` for too long. Over TLS, where the input tells
    /// nothing here, only the deadline counts.
    fn wait_to_send(&mut self, progressed: Moment) -> io::Result<()> {
        let mut until = exchange::current().deadline;
        if has_answer(self.buffers.input()) {
            until = until.min(progressed + PATIENCE);
        }
        let left = until.since(Moment::now());
        if left == Nanos::ZERO {
            let error = io::Error::from(ErrorKind::TimedOut);
            if !self.is_early {
                return Err(error);
            }
            self.cut(error);
            return Ok(());
        }
        let input = self.buffers.free_input();
        match wait_to_send(&self.stream, !input.is_empty(), left.into()) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        match (&*self.stream).read(input) {
            Ok(0) => self.cut(ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.buffers.input_appended(length);
                self.is_early = true;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.cut(error),
        }
        Ok(())
    }

    /// Sends nothing more. The error is reported if there is no answer.
    fn cut(&mut self, error: io::Error) {
        self.is_cut = true;
        self.cut_by = (!self.is_early).then_some(error);
    }

    /// Sets the read timeout, unless the one that is set ends a read at the deadline within a hundredth. Most requests
    /// are answered by one read, which starts right after the request, so the whole timeout remains right for them.
    fn limit_reads_to(&mut self, left: Duration) -> io::Result<()> {
        let slack = left / 100 + Duration::from_millis(1);
        if self.read_timeout < left || self.read_timeout > left + slack {
            self.stream.set_read_timeout(Some(left.max(SHORTEST)))?;
            self.read_timeout = left;
        }
        Ok(())
    }
}

impl Transport for SocketTransport {
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
        if mem::take(&mut self.is_early) && !self.buffers.input().is_empty() {
            return Ok(true);
        }
        let exchange = exchange::current();
        let left = exchange.deadline.since(now);
        if left == Nanos::ZERO || timeout.after.is_zero() {
            return Err(Error::Timeout(Timeout::Global));
        }
        self.limit_reads_to(left.into())?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match (&*self.stream).read(input) {
                // Linux does not restart a read that has a timeout after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let read = match (self.cut_by.take(), read) {
            (Some(cut_by), Ok(0) | Err(_)) => Err(cut_by),
            (_, read) => read,
        }
        .map_err(timeout_or_io)?;
        if exchange.stage == Stage::Handshake {
            exchange::note_received(&input[..read]);
        }
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.is_cut && is_quiet(&self.stream)
    }
}

fn timeout_or_io(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(Timeout::Global),
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
    fn make_room(&mut self) {
        let room = self.gathered + self.output_buffer;
        if self.output.len() < room {
            self.output.resize(room, 0);
        }
        self.make_input_room();
    }

    /// The free part of the input buffer, which is empty if the buffer can't grow.
    fn free_input(&mut self) -> &mut [u8] {
        self.make_input_room();
        &mut self.input[self.filled..]
    }

    fn make_input_room(&mut self) {
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
