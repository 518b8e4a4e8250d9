//! One connection: its requests are answered one after the other, in their order.

use super::body::{BodyError, Decoder, ReadBody};
use super::connections::{Connections, Peer};
use super::head::{self, Head};
use super::input::Input;
use super::response::{ConnectionOption, Date, Delivery, Rejection, encode};
use super::{Limits, Respond, Response, text_response};
use http::{Method, StatusCode, Version};
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// The most of an unwanted body that is read and discarded, in bytes. After a longer one the connection is closed.
const MAX_DISCARDED: u64 = 1024 * 1024;

/// The largest buffer for responses that a connection keeps, in bytes.
const MAX_KEPT_OUTPUT: usize = 16 * 1024;

/// Serves a connection until the client or the server closes it.
///
/// # Errors
/// The connection broke.
pub(super) fn serve(
    peer: &Peer,
    connections: &Connections,
    limits: &Limits,
    respond: &Respond,
) -> io::Result<()> {
    let stream = &peer.stream;
    // Some systems let it inherit this from the listening socket.
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(limits.response))?;
    let mut connection = Connection {
        peer,
        connections,
        limits,
        respond,
        input: Input::new(stream),
        output: Output {
            stream,
            buffer: Vec::new(),
            date: Date::default(),
            timeout: limits.response,
        },
    };
    loop {
        match connection.exchange()? {
            Next::Request => {}
            Next::Close => return connection.close(),
            Next::Closed => return Ok(()),
        }
    }
}

struct Connection<'a> {
    peer: &'a Peer,
    connections: &'a Connections,
    limits: &'a Limits,
    respond: &'a Respond,
    input: Input<'a>,
    output: Output<'a>,
}

/// What follows on a connection.
enum Next {
    Request,
    Close,
    /// Nothing: the client has closed it, or has been idle for too long.
    Closed,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one is on the stack, for a moment"
)]
enum Arrival {
    /// A head, and when its request must have arrived.
    Head(Head, Instant),
    Rejected(Rejection),
    Nothing,
}

impl Connection<'_> {
    /// Waits for a request and answers it.
    fn exchange(&mut self) -> io::Result<Next> {
        let (head, deadline) = match self.next_head()? {
            Arrival::Head(head, deadline) => (head, deadline),
            Arrival::Rejected(rejection) => {
                let delivery = Delivery {
                    to_head: false,
                    connection: ConnectionOption::Close,
                };
                self.output.send(&rejection.response(), delivery)?;
                return Ok(Next::Close);
            }
            Arrival::Nothing => return Ok(Next::Closed),
        };
        let mut body = Body {
            input: &mut self.input,
            stream: &self.peer.stream,
            decoder: Decoder::new(head.framing),
            deadline,
            limits: self.limits,
            awaits_continue: head.awaits_continue,
            failed: false,
        };
        let request = &head.request;
        // The function is shared by all connections and survives the panic, as it survives one on another thread.
        let answered = catch_unwind(AssertUnwindSafe(|| (self.respond)(request, &mut body)));
        let persists = answered.is_ok()
            && head.persistent
            && body.may_end_soon()
            && !self.connections.are_ending();
        let response = answered.unwrap_or_else(|_| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            text_response(status, "the server failed\n")
        });
        let connection = match (persists, request.version()) {
            (false, _) => ConnectionOption::Close,
            (true, Version::HTTP_10) => ConnectionOption::KeepAlive,
            (true, _) => ConnectionOption::Default,
        };
        let to_head = request.method() == Method::HEAD;
        self.output.send(
            &response,
            Delivery {
                to_head,
                connection,
            },
        )?;
        if persists && body.discard() {
            Ok(Next::Request)
        } else {
            Ok(Next::Close)
        }
    }

    fn next_head(&mut self) -> io::Result<Arrival> {
        if self.input.buffered().is_empty() && !self.await_request()? {
            return Ok(Arrival::Nothing);
        }
        // Some clients send an empty line after a body. It does not begin a request.
        if self.input.buffered().starts_with(b"\r\n") {
            self.input.consume(2);
            if self.input.buffered().is_empty() && !self.await_request()? {
                return Ok(Arrival::Nothing);
            }
        }
        let deadline = Instant::now() + self.limits.request;
        loop {
            match head::parse(self.input.buffered()) {
                Ok(Some((head, length))) => {
                    self.input.consume(length);
                    return Ok(Arrival::Head(head, deadline));
                }
                Ok(None) => {}
                Err(rejection) => return Ok(Arrival::Rejected(rejection)),
            }
            match self.input.fill(until(deadline)) {
                Ok(true) => {}
                Ok(false) => return Ok(Arrival::Nothing),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    let status = StatusCode::REQUEST_TIMEOUT;
                    let rejection = Rejection::new(status, "the request took too long");
                    return Ok(Arrival::Rejected(rejection));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for the first byte of a request. Returns false if there will be none.
    fn await_request(&mut self) -> io::Result<bool> {
        self.peer.idle.store(true, SeqCst);
        // A stopping server sets its flag before it looks for idle connections, so one of the two sees the other. A request
        // that has arrived is still read.
        if self.connections.are_ending() {
            self.peer.end_if_quiet();
        }
        let arrived = self.input.fill(self.limits.idle);
        self.peer.idle.store(false, SeqCst);
        match arrived {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            arrived => arrived,
        }
    }

    /// Closes the connection once the client has. Closing it with unread bytes would reset it, and the client might lose the
    /// response (RFC 9112, section 9.6).
    fn close(mut self) -> io::Result<()> {
        self.peer.stream.shutdown(Shutdown::Write)?;
        let deadline = Instant::now() + self.limits.closing;
        let mut discarded = 0;
        while discarded < MAX_DISCARDED {
            let buffered = self.input.buffered().len();
            self.input.consume(buffered);
            discarded += buffered as u64;
            if !self.input.fill(until(deadline))? {
                break;
            }
        }
        Ok(())
    }
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The body of the request that is being answered.
struct Body<'a, 'c> {
    input: &'a mut Input<'c>,
    stream: &'c TcpStream,
    decoder: Decoder,
    deadline: Instant,
    limits: &'c Limits,
    awaits_continue: bool,
    /// Where the body ends, and the next request begins, is not known.
    failed: bool,
}

impl ReadBody for Body<'_, '_> {
    fn read(&mut self, max: usize) -> Result<Vec<u8>, BodyError> {
        let length = self.decoder.remaining();
        if length.is_some_and(|length| length > max as u64) {
            return Err(BodyError::TooLarge { max });
        }
        let mut data = Vec::with_capacity(length.unwrap_or(0) as usize);
        let outcome = self.take(|bytes| {
            if data.len() + bytes.len() > max {
                return Err(BodyError::TooLarge { max });
            }
            data.extend_from_slice(bytes);
            Ok(())
        });
        outcome.map(|()| data)
    }
}

impl Body<'_, '_> {
    /// Passes all data of the body on, until an error.
    fn take(
        &mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), BodyError>,
    ) -> Result<(), BodyError> {
        while !self.decoder.is_done() {
            match self.decoder.step(self.input.buffered()) {
                Ok((0, _)) => self.receive()?,
                Ok((consumed, data)) => {
                    let outcome = sink(data);
                    self.input.consume(consumed);
                    outcome?;
                }
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), BodyError> {
        let received = self
            .invite()
            .and_then(|()| self.input.fill(until(self.deadline)));
        let error = match received {
            Ok(true) => return Ok(()),
            Ok(false) => BodyError::CutOff,
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                BodyError::TooSlow(self.limits.request)
            }
            Err(error) => BodyError::Unreadable(error),
        };
        self.failed = true;
        Err(error)
    }

    /// Has a client that waits for it send the body.
    fn invite(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.awaits_continue) {
            let mut stream = self.stream;
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(())
    }

    /// The rest of the body, as far as is known, will come and be short. A client that waits for a response of 100 and gets
    /// another one may send its body or not.
    fn may_end_soon(&self) -> bool {
        let is_short = self
            .decoder
            .remaining()
            .is_none_or(|rest| rest <= MAX_DISCARDED);
        self.decoder.is_done() || (is_short && !self.failed && !self.awaits_continue)
    }

    /// Reads the rest of the body. Returns whether it ended.
    fn discard(&mut self) -> bool {
        let mut discarded = 0;
        let outcome = self.take(|bytes| {
            discarded += bytes.len() as u64;
            if discarded > MAX_DISCARDED {
                let max = MAX_DISCARDED as usize;
                return Err(BodyError::TooLarge { max });
            }
            Ok(())
        });
        outcome.is_ok()
    }
}

/// Sends each response in one piece.
struct Output<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    date: Date,
    /// The socket's timeout.
    timeout: Duration,
}

impl Output<'_> {
    /// # Errors
    /// The client does not take the response in time, or the connection broke.
    fn send(&mut self, response: &Response, delivery: Delivery) -> io::Result<()> {
        self.buffer.clear();
        encode(response, delivery, self.date.now(), &mut self.buffer);
        let mut rest = &self.buffer[..];
        let deadline = Instant::now() + self.timeout;
        loop {
            let mut stream = self.stream;
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) if length == rest.len() => break,
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // The timeout of the socket begins anew with each write.
            if Instant::now() >= deadline {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        if self.buffer.capacity() > MAX_KEPT_OUTPUT {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}
