//! A Redis server for one test, on a loopback port, without persistence.

use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// The process `redis-server`, found by the `PATH`. It is killed when this is dropped.
pub struct RedisServer {
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> Self {
        // A port that was free may be taken before the server has it.
        let mut attempts = (0..16).map(|_| Self::not_started(options));
        let started = attempts.find_map(|mut server| server.launch().then_some(server));
        started.expect("redis-server ends at once")
    }

    /// A server that begins to run when it is [restarted](Self::restart).
    pub fn not_started(options: &[&str]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self {
            port: free.local_addr().unwrap().port(),
            options: options.iter().map(ToString::to_string).collect(),
            process: None,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts it without data on the same port, and returns when it accepts connections.
    pub fn restart(&mut self) {
        assert!(self.launch(), "redis-server ends at once");
    }

    /// Returns true when it accepts connections, and false if it ends before.
    fn launch(&mut self) -> bool {
        self.kill();
        let port = self.port.to_string();
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(&self.options)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!(
                    "these tests need redis-server on the PATH (Debian: apt install redis-server)"
                )
            }
            Err(error) => panic!("redis-server: {error}"),
        };
        let start = Instant::now();
        while TcpStream::connect(self.addr()).is_err() {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(start.elapsed() < PATIENCE, "redis-server does not accept");
            thread::sleep(Duration::from_millis(1));
        }
        self.process = Some(process);
        true
    }

    /// Stops it from answering. The system still accepts connections for it.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
