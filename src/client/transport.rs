//! One connection, over which a request leaves in one write, and which notes when that was.

use super::buffers::GatheringBuffers;
use super::exchange;
use super::normalizer::has_answer;
use super::tls::TlsSession;
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

/// A connection for ureq, with or without TLS. The order of calls:
///
/// 1. For TLS, the connector calls [`SocketTransport::shake_hands`].
/// 2. ureq writes into [`Buffers::output`] and calls [`Transport::transmit_output`], once for the head and once for the
///    body. Both are only gathered.
/// 3. ureq calls [`Transport::await_input`], which sends what was gathered and waits for the answer.
/// 4. ureq calls [`Transport::await_input`] again until the answer is complete.
/// 5. The connector calls [`Transport::is_open`] before it reuses the connection.
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
    /// Boxed, since its state is over a kilobyte.
    tls: Option<Box<TlsSession>>,
    /// Input was read while the request was being sent, and has not been reported.
    is_early: bool,
    /// The server did not take the whole request.
    is_cut: bool,
    /// The failed write, until something of an answer is read.
    cut_by: Option<Error>,
}

/// What one read brought.
enum Arrival {
    /// Bytes for ureq, which are in the input buffer.
    Input,
    /// Messages of TLS itself at most.
    Nothing,
    End,
}

impl SocketTransport {
    /// `timeout` is the read timeout that is already set on the stream. `output_buffer` is the room in bytes that ureq
    /// always finds for what it writes in one piece.
    pub fn new(stream: Arc<Socket>, timeout: Duration, output_buffer: usize) -> Self {
        SocketTransport {
            stream,
            read_timeout: timeout,
            buffers: GatheringBuffers::new(output_buffer),
            tls: None,
            is_early: false,
            is_cut: false,
            cut_by: None,
        }
    }

    /// Encrypts everything from now on. Returns when the server has proved its identity, or fails at the exchange's
    /// deadline.
    pub fn shake_hands(&mut self, tls: TlsSession) -> Result<(), Error> {
        self.tls = Some(Box::new(tls));
        while let Some(tls) = &mut self.tls {
            if tls.take_records()? {
                let length = tls.records().len();
                self.send(length)?;
            } else if !tls.is_handshaking() {
                break;
            } else {
                match self.receive(Moment::now())? {
                    Arrival::Input => self.is_early = true,
                    Arrival::Nothing => {}
                    Arrival::End => return Err(Error::Io(ErrorKind::UnexpectedEof.into())),
                }
            }
        }
        Ok(())
    }

    /// Sends the answers of TLS itself to messages such as a request for new keys.
    fn send_owed(&mut self) -> Result<(), Error> {
        if let Some(tls) = &mut self.tls
            && !self.is_cut
            && tls.take_records()?
        {
            let length = tls.records().len();
            self.send(length)?;
        }
        Ok(())
    }

    /// Sends what was gathered, unless the server takes no more. Returns when, if there was anything.
    fn flush(&mut self) -> Result<Option<Moment>, Error> {
        let gathered = mem::take(&mut self.buffers.gathered);
        if gathered == 0 || self.is_cut {
            return Ok(None);
        }
        let length = match &mut self.tls {
            Some(tls) => tls.encrypt(self.buffers.outgoing(gathered))?,
            None => gathered,
        };
        let now = Moment::now();
        exchange::note_sent(now);
        self.send(length)?;
        Ok(Some(now))
    }

    /// What leaves through the socket: the records of TLS, or the output itself, which has this length.
    fn outgoing(&self, length: usize) -> &[u8] {
        match &self.tls {
            Some(tls) => tls.records(),
            None => self.buffers.outgoing(length),
        }
    }

    fn send(&mut self, length: usize) -> Result<(), Error> {
        match send_now(&self.stream, self.outgoing(length)) {
            Ok(sent) if sent == length => Ok(()),
            attempt => self.send_on(length, attempt),
        }
    }

    /// Sends the rest, after a first attempt.
    fn send_on(&mut self, length: usize, mut attempt: io::Result<usize>) -> Result<(), Error> {
        let mut sent = 0;
        let mut progressed = Moment::now();
        loop {
            match attempt {
                Ok(more) => {
                    sent += more;
                    progressed = Moment::now();
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => self.wait_to_send(progressed)?,
                    ErrorKind::BrokenPipe
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted => self.cut(Error::Io(error)),
                    _ => return Err(timeout_or_io(error)),
                },
            }
            if sent == length || self.is_cut {
                return Ok(());
            }
            attempt = send_now(&self.stream, &self.outgoing(length)[sent..]);
        }
    }

    /// Waits until the server takes more, and reads what arrives meanwhile. Gives up at the exchange's deadline, or if
    /// the server has answered and has taken nothing since `progressed` for too long.
    fn wait_to_send(&mut self, progressed: Moment) -> Result<(), Error> {
        let mut until = exchange::current().deadline;
        if has_answer(self.buffers.input()) {
            until = until.min(progressed + PATIENCE);
        }
        let left = until.since(Moment::now());
        if left == Nanos::ZERO {
            let error = Error::Timeout(Timeout::Global);
            if !self.is_early {
                return Err(error);
            }
            self.cut(error);
            return Ok(());
        }
        let reads = !self.buffers.free_input().is_empty();
        match wait_to_send(&self.stream, reads, left.into()) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(timeout_or_io(error)),
        }
        match self.read() {
            Ok(Arrival::Input) => self.is_early = true,
            Ok(Arrival::Nothing) => {}
            Ok(Arrival::End) => self.cut(Error::Io(ErrorKind::UnexpectedEof.into())),
            Err(error) => self.cut(error),
        }
        Ok(())
    }

    /// Sends nothing more. The error is reported if there is no answer.
    fn cut(&mut self, error: Error) {
        self.is_cut = true;
        self.cut_by = (!self.is_early).then_some(error);
    }

    /// Waits for what the server sends, until the exchange's deadline at the latest. An answer matters more than a failed
    /// write before it, and the failed write more than how the answer failed to come.
    fn receive(&mut self, now: Moment) -> Result<Arrival, Error> {
        let left = exchange::current().deadline.since(now);
        if left == Nanos::ZERO {
            return Err(Error::Timeout(Timeout::Global));
        }
        self.limit_reads_to(left.into()).map_err(Error::Io)?;
        let arrival = self.read();
        match arrival {
            Ok(Arrival::Nothing) => {}
            Ok(Arrival::Input) => self.cut_by = None,
            Err(Error::Rustls(_)) => self.send_alert(),
            Ok(Arrival::End) | Err(_) => {
                if let Some(cut_by) = self.cut_by.take() {
                    return Err(cut_by);
                }
            }
        }
        arrival
    }

    /// Tells the server what is wrong with its TLS.
    fn send_alert(&mut self) {
        if let Some(tls) = &mut self.tls
            && let Ok(true) = tls.take_records()
        {
            // The error is reported, whether the server learns of it or not.
            let _ = send_now(&self.stream, tls.records());
        }
    }

    /// Reads once, into the input buffer.
    fn read(&mut self) -> Result<Arrival, Error> {
        let input = self.buffers.input_append_buf();
        let read = match &mut self.tls {
            Some(tls) => tls.read(&self.stream, input),
            None => (&*self.stream).read(input).map(Some).map_err(Error::Io),
        };
        match read {
            Ok(None) => Ok(Arrival::Nothing),
            Ok(Some(0)) => Ok(Arrival::End),
            Ok(Some(length)) => {
                self.buffers.input_appended(length);
                Ok(Arrival::Input)
            }
            // Linux does not restart a read that has a timeout after a signal.
            Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => Ok(Arrival::Nothing),
            Err(Error::Io(error)) => Err(timeout_or_io(error)),
            Err(error) => Err(error),
        }
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

    /// Waits until the exchange's deadline.
    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let mut now = self.flush()?.unwrap_or_else(Moment::now);
        if mem::take(&mut self.is_early) && !self.buffers.input().is_empty() {
            return Ok(true);
        }
        loop {
            match self.receive(now)? {
                Arrival::Input => return Ok(true),
                Arrival::End => return Ok(false),
                Arrival::Nothing => {
                    self.send_owed()?;
                    now = Moment::now();
                }
            }
        }
    }

    /// Returns whether nothing has arrived on an idle connection since its last answer, not even its end.
    fn is_open(&mut self) -> bool {
        !self.is_cut
            && match &mut self.tls {
                Some(tls) => tls.is_quiet(&self.stream),
                None => is_quiet(&self.stream),
            }
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

fn timeout_or_io(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(Timeout::Global),
        _ => Error::Io(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::client::exchange::Stage;
    use crate::client::{BUFFER, Connecting, ServerName, Trust};
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ALL_VERSIONS, ServerConfig, ServerConnection, StreamOwned};
    use socket2::{Domain, Type};
    use std::io::Write;
    use std::sync::mpsc::{self, Receiver};
    use std::thread;

    const ANSWER: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno";

    /// Answers the first byte of a request, and reads no more.
    fn answer_early(mut stream: impl Read + Write, until: &Receiver<()>) {
        assert_eq!(stream.read(&mut [0]).expect("a request"), 1);
        stream.write_all(ANSWER).expect("a client that reads");
        stream.flush().expect("a client that reads");
        let _ = until.recv();
    }

    fn tls_of_a_server(socket: Socket) -> StreamOwned<ServerConnection, Socket> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(ALL_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key);
        let connection = ServerConnection::new(Arc::new(config.unwrap())).unwrap();
        StreamOwned::new(connection, socket)
    }

    fn tls_of_a_client() -> TlsSession {
        let config = Connecting::trusting(Trust::Anyone).tls_config();
        let name = ServerName::new("localhost").unwrap();
        TlsSession::new(config, name.into_inner()).unwrap()
    }

    /// Sends a request of a mebibyte over a socket that holds little, and awaits the answer.
    fn send_to_a_server_that_reads_no_more(is_tls: bool) {
        let (client, server) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_send_buffer_size(BUFFER).unwrap();
        let (over, until) = mpsc::channel();
        let server = thread::spawn(move || {
            if is_tls {
                answer_early(tls_of_a_server(server), &until);
            } else {
                answer_early(server, &until);
            }
        });

        let timeout = Duration::from_secs(60);
        let deadline = Moment::now() + timeout.into();
        exchange::begin(0, false, Moment::now(), deadline);
        let mut transport = SocketTransport::new(Arc::new(client), timeout, BUFFER);
        if is_tls {
            transport.shake_hands(tls_of_a_client()).unwrap();
        }
        exchange::enter(Stage::Http);
        for _ in 0..256 {
            let length = transport.buffers().output().len();
            let sent = transport.transmit_output(length, NextTimeout::default());
            sent.unwrap();
        }
        let answered = transport.await_input(NextTimeout::default());
        assert!(answered.unwrap());
        assert_eq!(transport.buffers().input(), ANSWER);
        assert!(!transport.is_open(), "the request is not complete");
        let left = deadline.since(Moment::now());
        assert!(left > Nanos(30_000_000_000), "it waited for the timeout");
        drop(over);
        server.join().unwrap();
    }

    #[test]
    fn a_server_that_answers_and_reads_no_more_costs_a_second_and_not_the_timeout() {
        send_to_a_server_that_reads_no_more(false);
    }

    #[test]
    fn over_tls_a_server_that_answers_and_reads_no_more_costs_no_more_than_without() {
        send_to_a_server_that_reads_no_more(true);
    }
}
