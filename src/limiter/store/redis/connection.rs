//! One connection to Redis, and why a request over it failed.

use crate::system::socket::is_quiet;
use redis::{
    Cmd, ConnectionLike, ErrorKind, Parser, RedisConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, Value,
};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The kernel probes a connection that was idle for this long: firewalls keep it open, and a dead host is detected.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The protocol comes from the `redis` crate, the socket does not: `redis::Connection` limits each read instead of the
/// whole answer, looks up names without a deadline, and can't tell whether the server has closed an idle connection.
pub(super) struct Connection {
    stream: TcpStream,
    parser: Parser,
    deadline: Instant,
}

impl Connection {
    /// Connects, logs in, selects the database and waits for the answer to a PING.
    pub fn open(
        server: SocketAddr,
        login: &RedisConnectionInfo,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let mut connection = Self::connect(server, deadline)?;
        // A server that is not Redis may answer, but not with a string.
        let mut call = |command: &Cmd| connection.call(deadline, |it| command.query::<String>(it));
        if let Some(password) = login.password() {
            let mut auth = redis::cmd("AUTH");
            auth.arg(login.username()).arg(password);
            call(&auth).map_err(|failure| {
                // A server that does not know AUTH quotes the password.
                if failure.reason.contains(password) {
                    Failure::new("AUTH was refused")
                } else {
                    failure
                }
            })?;
        }
        if login.db() != 0 {
            call(redis::cmd("SELECT").arg(login.db()))?;
        }
        call(&redis::cmd("PING"))?;
        Ok(connection)
    }

    pub(super) fn connect(server: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, time_left(deadline))?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        // A command always fits into the socket's buffer, so writing never waits. If it did, this would end it.
        stream.set_write_timeout(Some(time_left(deadline)))?;
        Ok(Self {
            stream,
            parser: Parser::new(),
            deadline,
        })
    }

    /// Runs `work`, whose answers must arrive before the `deadline`.
    pub fn call<T>(
        &mut self,
        deadline: Instant,
        work: impl FnOnce(&mut Self) -> RedisResult<T>,
    ) -> Result<T, Failure> {
        self.deadline = deadline;
        Ok(work(self)?)
    }

    /// Nothing has arrived since the last answer, not even the end of the connection.
    pub fn is_quiet(&self) -> bool {
        is_quiet(&SockRef::from(&self.stream))
    }

    fn answer(&mut self) -> RedisResult<Value> {
        self.parser.parse_value(UntilDeadline {
            stream: &self.stream,
            deadline: self.deadline,
        })
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.stream.write_all(command)?;
        self.answer()
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.stream.write_all(commands)?;
        let answers: RedisResult<Vec<_>> = (0..offset + count).map(|_| self.answer()).collect();
        Ok(answers?.split_off(offset))
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").exec(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.is_quiet()
    }
}

/// Reads from a socket until a deadline, however slowly the bytes arrive.
struct UntilDeadline<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for UntilDeadline<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream
            .set_read_timeout(Some(time_left(self.deadline)))?;
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed");
        match (&mut &*self.stream).read(buffer)? {
            0 => Err(closed()),
            read => Ok(read),
        }
    }
}

/// At least a millisecond, as sockets take no timeout of zero.
fn time_left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_millis(1))
}

/// Why Redis gave no answer. Clones share the text: while Redis is away, every caller gets the same one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub(super) struct Failure {
    /// One line, to be read after `redis at redis:6379: `.
    pub reason: Arc<str>,
    pub kind: FailureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Redis answered, with an error of its own. The connection can be used again.
    Answer,
    /// The answer did not come in time.
    Timeout,
    /// The connection could not be made, or is lost.
    Lost,
}

impl Failure {
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self {
            reason: reason.into(),
            kind: FailureKind::Lost,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        RedisError::from(error).into()
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            // A server error whose code the library does not know has the kind `Extension`.
            kind @ (ErrorKind::Server(_) | ErrorKind::Extension) => {
                let (code, detail) = (error.code().unwrap_or_default(), error.detail());
                let text = format!("{code} {}", detail.unwrap_or_default());
                // After a failover, a new connection may lead to the new master.
                use ServerErrorKind::{MasterDown, ReadOnly};
                let kind = match kind {
                    ErrorKind::Server(ReadOnly | MasterDown) => FailureKind::Lost,
                    _ => FailureKind::Answer,
                };
                let reason = text.trim().into();
                Self { reason, kind }
            }
            _ if error.is_timeout() => Self {
                reason: "no answer in time".into(),
                kind: FailureKind::Timeout,
            },
            _ if error.is_io_error() => Self::new(uncapitalized(&error.to_string())),
            _ => Self::new("the server is not Redis"),
        }
    }
}

/// The system's message within a line: without its capital and its ` (os error 111)`.
fn uncapitalized(message: &str) -> String {
    let message = message.split(" (os error").next().unwrap_or_default();
    let mut characters = message.chars();
    let first = characters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(answer: &str) -> Failure {
        let value = redis::parse_redis_value(answer.as_bytes());
        value.and_then(Value::extract_error).unwrap_err().into()
    }

    #[test]
    fn an_error_of_redis_keeps_its_words() {
        for line in [
            "NOAUTH Authentication required.",
            "LOADING Redis is loading the dataset in memory",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR max number of clients reached",
            "READONLY You can't write against a read only replica.",
        ] {
            let failure = failure_of(&format!("-{line}\r\n"));
            assert_eq!(&*failure.reason, line);
            let is_replica = line.starts_with("READONLY");
            assert_eq!(failure.kind == FailureKind::Lost, is_replica, "{line}");
        }
    }

    #[test]
    fn an_answer_of_another_protocol_is_recognized() {
        let failure = failure_of("HTTP/1.1 400 Bad Request\r\n");
        assert_eq!(failure, Failure::new("the server is not Redis"));
    }

    #[test]
    fn an_error_of_the_system_reads_well_within_a_line() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(&*Failure::from(refused).reason, "connection refused");
        let message = "Connection refused (os error 111)";
        assert_eq!(uncapitalized(message), "connection refused");
    }
}
