//! The addresses of a host, however long the system takes to look its name up.

use super::failure::Failure;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a lookup may take before another is started beside it. The name servers may have come back meanwhile, or
/// know the name again; the one that hangs would not notice before its own timeout, which takes tens of seconds.
const SECOND_TRY: Duration = Duration::from_secs(1);

/// Lookups that may hang at the same time, each in a thread: enough to start one every second for half a minute.
const MAX_HANGING: usize = 32;

/// How long a lookup is waited for if addresses are known from an earlier one.
const PATIENCE: Duration = Duration::from_millis(100);

/// Looks a host name up. Blocks for as long as the system takes.
pub(super) type LookUp = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Looks one name up, in threads that nobody waits for longer than they want to. A lookup that hangs ends by itself
/// when the system lets go of it.
pub(super) struct Lookup {
    host: String,
    port: u16,
    look_up: LookUp,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    /// Of the latest lookup that found any.
    addresses: Vec<IpAddr>,
    /// The latest lookup's, if it ended badly.
    failure: Option<Failure>,
    /// Lookups begun so far.
    begun: u64,
    last_begun: Option<Instant>,
    running: usize,
    /// The latest lookup that has ended, by its place among those begun.
    ended: u64,
}

impl Lookup {
    pub fn new(host: &str, port: u16) -> Self {
        Self::with(host, port, |host| {
            let found = (host, 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }

    pub fn with(host: &str, port: u16, look_up: LookUp) -> Self {
        Self {
            host: host.to_owned(),
            port,
            look_up,
            shared: Arc::default(),
        }
    }

    /// The host's addresses now: by a lookup that has just ended, or by an earlier one if none ends soon or well.
    ///
    /// # Errors
    /// None are known: the lookup failed, or has not ended by the `deadline`.
    pub fn addresses(&self, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
        let with_port = |ips: &[IpAddr]| -> Vec<SocketAddr> {
            ips.iter().map(|&ip| (ip, self.port).into()).collect()
        };
        if let Ok(ip) = self.host.parse() {
            return Ok(with_port(&[ip]));
        }
        let mut known = self.shared.known.lock();
        let ended_before = known.ended;
        self.begin(&mut known);
        let deadline = match known.addresses.is_empty() {
            true => deadline,
            false => deadline.min(Instant::now() + PATIENCE),
        };
        while known.ended == ended_before && known.running > 0 {
            if self
                .shared
                .changed
                .wait_until(&mut known, deadline)
                .timed_out()
            {
                break;
            }
        }
        match &known.failure {
            _ if !known.addresses.is_empty() => Ok(with_port(&known.addresses)),
            Some(failure) => Err(failure.clone()),
            None => Err(Failure::new("no answer from the name servers yet")),
        }
    }

    /// Begins a lookup, unless one is under way that was begun just now, or too many hang.
    fn begin(&self, known: &mut Known) {
        let just_begun = |begun: Instant| begun.elapsed() < SECOND_TRY;
        if known.running > 0 && known.last_begun.is_some_and(just_begun)
            || known.running == MAX_HANGING
        {
            return;
        }
        let (host, look_up, shared) = (self.host.clone(), self.look_up, Arc::clone(&self.shared));
        let place = known.begun + 1;
        let spawned = thread::Builder::new()
            .name("redis-lookup".to_owned())
            .spawn(move || {
                let found = look_up(&host);
                shared.known.lock().learn(place, found);
                shared.changed.notify_all();
            });
        match spawned {
            Ok(_) => {
                known.begun = place;
                known.last_begun = Some(Instant::now());
                known.running += 1;
            }
            Err(error) => known.failure = Some(error.into()),
        }
    }
}

impl Known {
    fn learn(&mut self, place: u64, found: io::Result<Vec<IpAddr>>) {
        self.running -= 1;
        if place <= self.ended {
            return;
        }
        self.ended = place;
        self.failure = None;
        match found {
            Ok(addresses) if addresses.is_empty() => {
                self.failure = Some(Failure::new("its name has no address"));
            }
            Ok(addresses) => self.addresses = addresses,
            Err(error) => self.failure = Some(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

    const LONG: Duration = Duration::from_secs(30);

    fn found(lookup: &Lookup, within: Duration) -> Result<Vec<String>, String> {
        let addresses = lookup.addresses(Instant::now() + within);
        let shown =
            |addresses: Vec<SocketAddr>| addresses.iter().map(ToString::to_string).collect();
        addresses.map(shown).map_err(|failure| failure.to_string())
    }

    fn ip(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn an_address_needs_no_lookup() {
        let never: LookUp = |_| panic!("looked up");
        let found = |host| found(&Lookup::with(host, 7, never), LONG).unwrap();
        assert_eq!(found("127.0.0.1"), ["127.0.0.1:7"]);
        assert_eq!(found("::1"), ["[::1]:7"]);
    }

    #[test]
    fn a_name_is_looked_up_each_time_and_its_last_address_outlives_a_failure() {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let lookup = Lookup::with("redis", 7, |_| match NEXT.load(SeqCst) {
            0 => Err(io::Error::other("no such name")),
            last => Ok(vec![ip(last)]),
        });
        assert_eq!(found(&lookup, LONG), Err("no such name".to_owned()));
        for last in [3, 4] {
            NEXT.store(last, SeqCst);
            assert_eq!(found(&lookup, LONG).unwrap(), [format!("127.0.0.{last}:7")]);
        }
        NEXT.store(0, SeqCst);
        assert_eq!(found(&lookup, LONG).unwrap(), ["127.0.0.4:7"]);
    }

    #[test]
    fn a_lookup_that_hangs_is_waited_for_no_longer_than_wanted_and_not_for_known_addresses() {
        static HANGS: AtomicU8 = AtomicU8::new(1);
        let lookup = Lookup::with("redis", 7, |_| {
            if HANGS.load(SeqCst) == 1 {
                thread::sleep(Duration::from_secs(600));
            }
            Ok(vec![ip(1)])
        });
        let before = Instant::now();
        assert!(found(&lookup, Duration::from_millis(50)).is_err());
        assert!(before.elapsed() < LONG / 2);

        HANGS.store(0, SeqCst);
        thread::sleep(SECOND_TRY);
        assert_eq!(
            found(&lookup, LONG).unwrap(),
            ["127.0.0.1:7"],
            "by another lookup"
        );

        HANGS.store(1, SeqCst);
        thread::sleep(SECOND_TRY);
        let before = Instant::now();
        assert_eq!(
            found(&lookup, LONG).unwrap(),
            ["127.0.0.1:7"],
            "as it was known"
        );
        assert!(before.elapsed() < LONG / 2);
    }

    #[test]
    fn lookups_that_hang_are_few() {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let lookup = Lookup::with("redis", 7, |_| {
            BEGUN.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_secs(600));
            Ok(Vec::new())
        });
        let before = Instant::now();
        for _ in 0..20 {
            assert!(found(&lookup, Duration::from_millis(1)).is_err());
        }
        let begun = BEGUN.load(SeqCst) as u64;
        assert!(begun <= 1 + before.elapsed().as_secs(), "{begun}");
    }

    #[test]
    fn older_knowledge_never_replaces_newer() {
        let mut known = Known {
            running: 2,
            ..Known::default()
        };
        known.learn(2, Ok(vec![ip(2)]));
        known.learn(1, Ok(vec![ip(1)]));
        assert_eq!(known.addresses, [ip(2)]);
        assert_eq!(known.running, 0);
    }
}
