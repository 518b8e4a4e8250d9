//! One thread, one epoll. A request costs one read and one write, and allocates nothing.

pub mod request;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use request::{Parsed, Wanted};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, ErrorKind::Interrupted, ErrorKind::WouldBlock, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    content-length: 31\r\n\r\n\
    {\"allowed\":true,\"remaining\":99}";

/// Answers that one write can carry, to requests that were read together.
const PIPELINED: usize = 64;

/// Also the longest request that is taken.
const INPUT: usize = 64 * 1024;

/// Connections that may wait to be accepted: std's own 128 would make thousands that are opened
/// at once repeat their SYN a second later.
const BACKLOG: i32 = 4096;

/// The listener's place in epoll; no file descriptor has this number.
const LISTENER: u64 = u64::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stamps {
    /// The time at which the packet reached the socket
    Kernel,
    /// The time after the request was read
    User,
    /// Count only, for the highest rate
    None,
}

pub struct Server {
    listener: TcpListener,
    epoll: Epoll,
    /// By file descriptor.
    connections: Vec<Option<Connection>>,
    input: Input,
    arrivals: Arrivals,
    answers: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// The start of a request whose end has not been read.
    partial: Vec<u8>,
    /// What the socket did not take yet. While there is any, no more is read.
    unsent: Vec<u8>,
    /// To be closed once everything is sent.
    ending: bool,
}

impl Server {
    /// On 127.0.0.1; port 0 takes a free one. Records at most `capacity` arrivals.
    pub fn bind(port: u16, stamps: Stamps, capacity: usize) -> io::Result<Server> {
        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum;
        setrlimit(Resource::Nofile, files)?;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        if stamps == Stamps::Kernel {
            // Accepted sockets inherit it, so that it holds for their first packet too.
            setsockopt(&listener, sockopt::ReceiveTimestampns, &true)?;
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        Ok(Server {
            listener,
            epoll,
            connections: Vec::new(),
            input: Input {
                stamps,
                bytes: vec![0; INPUT],
                control: nix::cmsg_space!(TimeSpec),
            },
            arrivals: Arrivals::new(if stamps == Stamps::None { 0 } else { capacity }),
            answers: ANSWER.repeat(PIPELINED),
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Ends only with an error of epoll or of the listener.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = vec![EpollEvent::empty(); 1024];
        loop {
            let ready = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(ready) => ready,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..ready] {
                match event.data() {
                    LISTENER => self.accept()?,
                    place => self.attend(place as usize),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let place = stream.as_raw_fd() as usize;
            let readable = EpollEvent::new(EpollFlags::EPOLLIN, place as u64);
            self.epoll.add(&stream, readable)?;
            if self.connections.len() <= place {
                self.connections.resize_with(place + 1, || None);
            }
            self.connections[place] = Some(Connection {
                stream,
                partial: Vec::new(),
                unsent: Vec::new(),
                ending: false,
            });
        }
    }

    fn attend(&mut self, place: usize) {
        if let Some(mut connection) = self.connections[place].take() {
            // What fails is dropped, and so closed.
            if let Ok(true) = self.advance(&mut connection, place) {
                self.connections[place] = Some(connection);
            }
        }
    }

    /// Does what epoll waited for. Whether the connection stays open.
    fn advance(&mut self, connection: &mut Connection, place: usize) -> io::Result<bool> {
        let had_unsent = !connection.unsent.is_empty();
        if had_unsent {
            connection.send_rest()?;
        } else {
            self.exchange(connection)?;
        }
        let has_unsent = !connection.unsent.is_empty();
        if had_unsent != has_unsent {
            let interest = match has_unsent {
                true => EpollFlags::EPOLLOUT,
                false => EpollFlags::EPOLLIN,
            };
            let mut interest = EpollEvent::new(interest, place as u64);
            self.epoll.modify(&connection.stream, &mut interest)?;
        }
        Ok(has_unsent || !connection.ending)
    }

    /// Reads once and answers every request that is whole.
    fn exchange(&mut self, connection: &mut Connection) -> io::Result<()> {
        let kept = connection.partial.len();
        self.input.bytes[..kept].copy_from_slice(&connection.partial);
        connection.partial.clear();
        let (read, arrival) = match self.input.read(&connection.stream, kept) {
            Ok((0, _)) => {
                connection.ending = true;
                return Ok(());
            }
            Ok(read) => read,
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => (0, None),
            Err(error) => return Err(error),
        };
        let filled = kept + read;
        let mut at = 0;
        let mut unanswered = 0;
        while !connection.ending && at < filled {
            match request::parse(&self.input.bytes[at..filled]) {
                Parsed::Whole {
                    length,
                    wanted,
                    keep_alive,
                } => {
                    at += length;
                    connection.ending = !keep_alive;
                    if wanted == Wanted::Answer {
                        self.arrivals.record(arrival);
                        unanswered += 1;
                    } else {
                        self.answer(connection, unanswered)?;
                        unanswered = 0;
                        connection.send(&self.arrivals.tell(wanted))?;
                    }
                }
                Parsed::Partial if filled - at < INPUT => {
                    let rest = &self.input.bytes[at..filled];
                    connection.partial.extend_from_slice(rest);
                    break;
                }
                Parsed::Partial | Parsed::Malformed => connection.ending = true,
            }
        }
        self.answer(connection, unanswered)
    }

    fn answer(&self, connection: &mut Connection, mut requests: usize) -> io::Result<()> {
        while requests > 0 {
            let together = requests.min(PIPELINED);
            connection.send(&self.answers[..together * ANSWER.len()])?;
            requests -= together;
        }
        Ok(())
    }
}

impl Connection {
    /// Keeps what the socket does not take at once.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.unsent.is_empty() {
            sent = match self.stream.write(bytes) {
                Ok(sent) => sent,
                Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => 0,
                Err(error) => return Err(error),
            };
        }
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    fn send_rest(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.unsent);
        self.send(&rest)
    }
}

/// What one read fills. All connections share it, so that it stays in the processor's cache.
struct Input {
    stamps: Stamps,
    bytes: Vec<u8>,
    control: Vec<u8>,
}

impl Input {
    /// Reads behind the first `kept` bytes: how many, and when they arrived.
    fn read(&mut self, stream: &TcpStream, kept: usize) -> io::Result<(usize, Option<Arrival>)> {
        let bytes = &mut self.bytes[kept..];
        if self.stamps != Stamps::Kernel {
            let mut stream = stream;
            let read = stream.read(bytes)?;
            let stamp = (self.stamps == Stamps::User).then(Arrival::read_now);
            return Ok((read, stamp));
        }
        let mut slices = [IoSliceMut::new(bytes)];
        let control = Some(self.control.as_mut_slice());
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut slices, control, MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(Arrival {
                nanos: time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64,
                by_kernel: true,
            }),
            _ => None,
        });
        Ok((message.bytes, stamp.or_else(|| Some(Arrival::read_now()))))
    }
}

#[derive(Clone, Copy)]
struct Arrival {
    /// Since 1970.
    nanos: u64,
    by_kernel: bool,
}

impl Arrival {
    fn read_now() -> Arrival {
        let now = clock_gettime(ClockId::Realtime);
        Arrival {
            nanos: now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64,
            by_kernel: false,
        }
    }
}

struct Arrivals {
    stamps: Vec<u64>,
    capacity: usize,
    requests: u64,
    by_kernel: u64,
}

impl Arrivals {
    fn new(capacity: usize) -> Arrivals {
        // Written once, so that no request has to wait for its page to be mapped.
        let mut stamps = vec![u64::MAX; capacity];
        stamps.clear();
        Arrivals {
            stamps,
            capacity,
            requests: 0,
            by_kernel: 0,
        }
    }

    fn record(&mut self, arrival: Option<Arrival>) {
        self.requests += 1;
        if let Some(arrival) = arrival
            && self.stamps.len() < self.capacity
        {
            self.stamps.push(arrival.nanos);
            self.by_kernel += u64::from(arrival.by_kernel);
        }
    }

    /// The answer to a request of the control path.
    fn tell(&mut self, wanted: Wanted) -> Vec<u8> {
        let (kind, body) = match wanted {
            Wanted::Answer => return ANSWER.to_vec(),
            Wanted::Reset => {
                self.stamps.clear();
                self.requests = 0;
                self.by_kernel = 0;
                ("application/json", b"{}".to_vec())
            }
            Wanted::Count => {
                let stamped = self.stamps.len();
                let count = format!(
                    "{{\"requests\":{},\"stamped\":{stamped},\"without_kernel_stamp\":{}}}",
                    self.requests,
                    stamped as u64 - self.by_kernel,
                );
                ("application/json", count.into_bytes())
            }
            Wanted::Stamps => {
                let stamps = self.stamps.iter().flat_map(|stamp| stamp.to_le_bytes());
                ("application/octet-stream", stamps.collect())
            }
        };
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        answer
    }
}
