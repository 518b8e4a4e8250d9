//! One connection to Redis: its protocol over a socket, with a deadline.

use super::address::RedisAddress;
use super::failure::{Failure, Trouble};
use super::lookup::Lookup;
use super::pool::Pooled;
use crate::system::socket::is_quiet;
use redis::{Cmd, ConnectionLike, Parser, RedisResult, Value};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How much later than its deadline a wait is told to end, at least; twice as much at most. The kernel's own steps are
/// longer, and it saves the setting of the socket's timeout before almost every answer.
const TOLERANCE: Duration = Duration::from_millis(1);

/// How long a connection may be idle before the other side is asked whether it is still there, so that nothing in
/// between forgets it, and one whose host has vanished is found out.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The protocol is the `redis` crate's; the socket is not. Its own connection gives each read a timeout, not an answer
/// as a whole; looks names up while one waits; and does not let one see whether the other side has closed.
pub(super) struct Connection {
    stream: TcpStream,
    parser: Parser,
    deadline: Instant,
    /// What the socket is set to.
    read_timeout: Duration,
}

impl Connection {
    /// Connects to one of the host's addresses, logs in, and sees that Redis answers.
    pub fn open(
        address: &RedisAddress,
        lookup: &Lookup,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let candidates = lookup.addresses(deadline)?;
        let count = candidates.len();
        let mut failure = None;
        for (tried, candidate) in candidates.into_iter().enumerate() {
            // What is left is shared among the addresses that are left, so that one that does not answer leaves time
            // for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let until = Instant::now() + left / (count - tried) as u32;
            match Self::open_at(candidate, address, until) {
                Ok(connection) => return Ok(connection),
                Err(trouble) => failure = Some(trouble.into_failure()),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::new("its name has no address")))
    }

    fn open_at(at: SocketAddr, address: &RedisAddress, deadline: Instant) -> Result<Self, Trouble> {
        let lost = |error: io::Error| Trouble::Lost(error.into());
        let mut connection = Self::connect(at, deadline).map_err(lost)?;
        // What answers with anything but a word is no Redis.
        let mut tell = |command: &Cmd| connection.ask(deadline, |it| command.query::<String>(it));
        if let Some(password) = &address.password {
            let mut auth = redis::cmd("AUTH");
            auth.arg(&address.user).arg(password);
            tell(&auth).map_err(|trouble| without(password, trouble))?;
        }
        if address.database != 0 {
            tell(redis::cmd("SELECT").arg(address.database))?;
        }
        tell(&redis::cmd("PING"))?;
        Ok(connection)
    }

    fn connect(at: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        let stream = TcpStream::connect_timeout(&at, left)?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        stream.set_read_timeout(Some(left))?;
        // A command is a few kilobytes at most and is sent when the one before was answered: there is room for it in
        // the socket's buffer, and writing never waits. Should it do so, it ends.
        stream.set_write_timeout(Some(left))?;
        Ok(Self {
            stream,
            parser: Parser::new(),
            deadline,
            read_timeout: left,
        })
    }

    /// Has `work` ask for something and gives it until the `deadline`.
    pub fn ask<T>(
        &mut self,
        deadline: Instant,
        work: impl FnOnce(&mut Self) -> RedisResult<T>,
    ) -> Result<T, Trouble> {
        self.deadline = deadline;
        Ok(work(self)?)
    }
}

/// A server that knows no AUTH would quote what it was given.
fn without(password: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Refused(failure) if failure.to_string().contains(password) => {
            Trouble::Refused(Failure::new("AUTH was refused"))
        }
        trouble => trouble,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.stream.write_all(command).map_err(timed_out)?;
        self.parser.parse_value(Answer {
            stream: &self.stream,
            deadline: self.deadline,
            timeout: &mut self.read_timeout,
        })
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let first = self.req_packed_command(commands)?;
        let mut values = vec![first];
        while values.len() < offset + count {
            values.push(self.parser.parse_value(Answer {
                stream: &self.stream,
                deadline: self.deadline,
                timeout: &mut self.read_timeout,
            })?);
        }
        Ok(values.split_off(offset))
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        is_quiet(&self.stream)
    }
}

/// The bytes of an answer, until its deadline.
struct Answer<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
    timeout: &'a mut Duration,
}

impl Read for Answer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(overdue());
        }
        if !(left..=left + 2 * TOLERANCE).contains(self.timeout) {
            *self.timeout = left + TOLERANCE;
            self.stream.set_read_timeout(Some(*self.timeout))?;
        }
        let mut stream = self.stream;
        match stream.read(buffer).map_err(timed_out)? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed",
            )),
            read => Ok(read),
        }
    }
}

fn overdue() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

/// A socket's timeout shows as another error on each platform.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => overdue(),
        _ => error,
    }
}

impl Pooled for Connection {
    fn is_quiet(&self) -> bool {
        is_quiet(&self.stream)
    }
}
