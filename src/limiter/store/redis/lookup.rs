//! The addresses behind a host name, even while the system's look-up hangs.

use super::address::RedisAddress;
use super::connection::Failure;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

/// A look-up that takes longer is left to itself and another one begins: while name servers are away, the system
/// waits for tens of seconds and does not notice their return.
const SECOND_TRY: Duration = Duration::from_secs(1);

/// The most look-ups that hang at the same time, each on its own thread.
const MAX_HANGING: usize = 32;

/// How long to wait for a look-up if addresses are known from an earlier one.
const PATIENCE: Duration = Duration::from_millis(100);

/// A look-up of a host name. It blocks for as long as the system takes.
pub(super) type System = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Looks up one host name whenever its addresses are needed.
pub(super) struct Lookup {
    host: String,
    port: u16,
    system: System,
    /// From the latest look-up that returned any.
    known: Vec<SocketAddr>,
    begun: Option<Instant>,
    running: usize,
    sender: Sender<io::Result<Vec<IpAddr>>>,
    results: Receiver<io::Result<Vec<IpAddr>>>,
}

impl Lookup {
    pub fn new(address: &RedisAddress) -> Self {
        Self::with(&address.host, address.port, |host| {
            let addresses = (host, 0).to_socket_addrs()?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }

    fn with(host: &str, port: u16, system: System) -> Self {
        let (sender, results) = unbounded();
        Self {
            host: host.to_owned(),
            port,
            system,
            known: Vec::new(),
            begun: None,
            running: 0,
            sender,
            results,
        }
    }

    /// The host's current addresses, or those of an earlier look-up if none ends soon.
    ///
    /// # Errors
    /// No addresses are known: the look-up failed or did not end before the `deadline`.
    pub fn addresses(&mut self, deadline: Instant) -> Result<&[SocketAddr], Failure> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            self.known = vec![(ip, self.port).into()];
            return Ok(&self.known);
        }
        self.begin()?;
        let deadline = if self.known.is_empty() {
            deadline
        } else {
            deadline.min(Instant::now() + PATIENCE)
        };
        let result = self.results.recv_deadline(deadline);
        self.running -= usize::from(result.is_ok());
        match result {
            Ok(Ok(ips)) if !ips.is_empty() => {
                self.known = ips.into_iter().map(|ip| (ip, self.port).into()).collect();
            }
            _ if !self.known.is_empty() => {}
            Ok(Ok(_)) => return Err(Failure::new("its name has no address")),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Failure::new("the name servers have not answered yet")),
        }
        Ok(&self.known)
    }

    /// Begins a look-up, unless one has just begun or too many hang.
    fn begin(&mut self) -> io::Result<()> {
        let is_recent = self.begun.is_some_and(|begun| begun.elapsed() < SECOND_TRY);
        if self.running > 0 && is_recent || self.running == MAX_HANGING {
            return Ok(());
        }
        let (host, system, sender) = (self.host.clone(), self.system, self.sender.clone());
        thread::Builder::new()
            .name("redis-lookup".to_owned())
            .spawn(move || sender.send(system(&host)))?;
        self.begun = Some(Instant::now());
        self.running += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

    const LONG: Duration = Duration::from_secs(30);

    fn looked_up(lookup: &mut Lookup, within: Duration) -> Result<String, String> {
        match lookup.addresses(Instant::now() + within) {
            Ok(addresses) => Ok(format!("{addresses:?}")),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let never: System = |_| panic!("looked up");
        for (host, address) in [("127.0.0.1", "[127.0.0.1:7]"), ("::1", "[[::1]:7]")] {
            let mut lookup = Lookup::with(host, 7, never);
            assert_eq!(looked_up(&mut lookup, LONG).unwrap(), address);
        }
    }

    #[test]
    fn a_name_is_looked_up_each_time_and_its_last_address_outlives_a_failure() {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let mut lookup = Lookup::with("redis", 7, |_| match NEXT.load(SeqCst) {
            0 => Err(io::Error::other("No such name")),
            last => Ok(vec![[127, 0, 0, last].into()]),
        });
        let mut next = |last| {
            NEXT.store(last, SeqCst);
            looked_up(&mut lookup, LONG)
        };
        assert_eq!(next(0).unwrap_err(), "no such name");
        assert_eq!(next(3).unwrap(), "[127.0.0.3:7]");
        assert_eq!(next(4).unwrap(), "[127.0.0.4:7]");
        assert_eq!(next(0).unwrap(), "[127.0.0.4:7]");
    }

    #[test]
    fn a_look_up_that_hangs_delays_neither_the_next_one_nor_the_use_of_known_addresses() {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        // Only the second one ends.
        let mut lookup = Lookup::with("redis", 7, |_| {
            if BEGUN.fetch_add(1, SeqCst) != 1 {
                thread::sleep(LONG * 20);
            }
            Ok(vec![[127, 0, 0, 1].into()])
        });
        let start = Instant::now();
        for _ in 0..5 {
            assert!(looked_up(&mut lookup, Duration::from_millis(10)).is_err());
        }
        assert!(start.elapsed() > SECOND_TRY || BEGUN.load(SeqCst) == 1);
        thread::sleep(SECOND_TRY);
        for _ in 0..3 {
            assert_eq!(looked_up(&mut lookup, LONG).unwrap(), "[127.0.0.1:7]");
        }
        assert!(start.elapsed() < LONG / 2);
    }
}
