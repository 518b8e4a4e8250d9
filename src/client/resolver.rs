//! Looks the targets' names up in the background, so that no request ever waits for one.

use super::Target;
use crate::stop::Stop;
use parking_lot::{Condvar, Mutex};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::NextTimeout;

/// How often a name that has addresses is looked up again.
const REFRESH: Duration = Duration::from_secs(30);

/// How soon a name is looked up again that has none, or to which a connection failed.
const RETRY: Duration = Duration::from_secs(1);

/// Looks a host name up. Blocks for as long as the system takes.
pub(super) type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

/// The addresses of all targets. Each target with a name has a thread that looks it up at once,
/// then every 30 s, and a second after the last time once a connection to it has failed. A lookup
/// that fails keeps the addresses that were known, as long as connections to them succeed.
#[derive(Debug)]
pub struct Resolver {
    /// By target.
    names: Vec<Arc<Name>>,
    lookups: Vec<(Arc<Name>, JoinHandle<()>)>,
}

/// One target's host. Targets that share a host do not share this: whether connections to it
/// succeed depends on the port too.
#[derive(Debug)]
struct Name {
    host: String,
    port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    addresses: Option<Arc<[IpAddr]>>,
    /// A first lookup has ended, well or not.
    answered: bool,
    connection_failed: bool,
    /// In the system's hands, where nothing can interrupt it.
    looking_up: bool,
    stopped: bool,
}

impl Resolver {
    /// Starts looking up. The error is the system's, when it has no room for another thread.
    pub fn start(targets: &[Target]) -> io::Result<Resolver> {
        Self::start_with(targets, look_up)
    }

    pub(super) fn start_with(targets: &[Target], lookup: Lookup) -> io::Result<Resolver> {
        let mut resolver = Resolver {
            names: targets
                .iter()
                .map(|target| Arc::new(Name::new(target)))
                .collect(),
            lookups: Vec::new(),
        };
        for name in &resolver.names {
            if !name.state.lock().answered {
                let thread = thread::Builder::new().name("resolver".to_owned());
                let looked_up = name.clone();
                let spawned = thread.spawn(move || looked_up.keep_looking_up(lookup))?;
                resolver.lookups.push((name.clone(), spawned));
            }
        }
        Ok(resolver)
    }

    /// Waits until every name has been looked up once, but at most for `timeout` or until the run
    /// is stopped. Returns whether any target has an address.
    pub fn any_resolved(&self, timeout: Duration, stop: &Stop) -> bool {
        let deadline = Instant::now() + timeout;
        for name in &self.names {
            let mut state = name.state.lock();
            while !state.answered && Instant::now() < deadline && !stop.is_requested() {
                // In short waits, since a stop is told elsewhere.
                name.changed.wait_for(&mut state, Duration::from_millis(20));
            }
        }
        self.names
            .iter()
            .any(|name| name.state.lock().addresses.is_some())
    }

    /// The addresses of a target, in the order to try them; none when its name is not known.
    pub(super) fn addresses(&self, target: usize) -> impl ExactSizeIterator<Item = SocketAddr> {
        let name = &self.names[target];
        let port = name.port;
        let addresses = name.state.lock().addresses.clone().unwrap_or_default();
        (0..addresses.len()).map(move |i| SocketAddr::new(addresses[i], port))
    }

    /// Tells that no address of a target gave a connection, so they may have changed.
    pub(super) fn connection_failed(&self, target: usize) {
        let name = &self.names[target];
        name.state.lock().connection_failed = true;
        name.changed.notify_all();
    }
}

impl Drop for Resolver {
    /// Ends all lookups and waits for their threads, but for one that the system does not let go
    /// of: that ends by itself when its lookup does.
    fn drop(&mut self) {
        for (name, _) in &self.lookups {
            name.state.lock().stopped = true;
            name.changed.notify_all();
        }
        for (name, lookup) in self.lookups.drain(..) {
            if !name.state.lock().looking_up {
                // A panic there has been printed, and left its name without addresses.
                let _ = lookup.join();
            }
        }
    }
}

impl Name {
    fn new(target: &Target) -> Name {
        let literal = target.host.parse().ok().map(|ip: IpAddr| Arc::from([ip]));
        Name {
            host: target.host.clone(),
            port: target.port,
            state: Mutex::new(State {
                answered: literal.is_some(),
                addresses: literal,
                ..State::default()
            }),
            changed: Condvar::new(),
        }
    }

    /// Ends when the resolver is dropped.
    fn keep_looking_up(&self, lookup: Lookup) {
        let mut state = self.state.lock();
        while !state.stopped {
            state.looking_up = true;
            drop(state);
            let result = lookup(&self.host);
            state = self.state.lock();
            state.looking_up = false;
            state.learn(result.ok().filter(|addresses| !addresses.is_empty()));
            self.changed.notify_all();
            let looked_up = Instant::now();
            while !state.stopped && looked_up.elapsed() < state.keeps_for() {
                let next = looked_up + state.keeps_for();
                self.changed.wait_until(&mut state, next);
            }
        }
    }
}

impl State {
    fn learn(&mut self, addresses: Option<Vec<IpAddr>>) {
        self.answered = true;
        match addresses {
            Some(addresses) => self.addresses = Some(addresses.into()),
            None if self.connection_failed => self.addresses = None,
            None => {}
        }
        self.connection_failed = false;
    }

    fn keeps_for(&self) -> Duration {
        if self.addresses.is_none() || self.connection_failed {
            RETRY
        } else {
            REFRESH
        }
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0)
        .to_socket_addrs()?
        .map(|address| address.ip())
        .collect())
}

/// What ureq asks before every request, whether it needs a new connection or not. The connector
/// asks the real [`Resolver`] itself, once it does.
pub(super) struct Deferred;

impl UreqResolver for Deferred {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    fn resolver(host: &str, lookup: Lookup) -> Resolver {
        let target = Target::new(&format!("http://{host}:80"), "/check").unwrap();
        Resolver::start_with(&[target], lookup).unwrap()
    }

    fn ips(resolver: &Resolver) -> Vec<String> {
        resolver
            .addresses(0)
            .map(|address| address.to_string())
            .collect()
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < deadline, "{what} never came");
            thread::sleep(Duration::from_millis(10));
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn an_address_needs_no_lookup() {
        let never = |_: &str| panic!("looked up");
        assert_eq!(ips(&resolver("127.0.0.1", never)), ["127.0.0.1:80"]);
        assert_eq!(ips(&resolver("[::1]", never)), ["[::1]:80"]);
    }

    #[test]
    fn an_unknown_name_is_found_once_it_is_there() {
        static THERE: AtomicBool = AtomicBool::new(false);
        let resolver = resolver("node", |_| match THERE.load(Relaxed) {
            true => Ok(vec![IpAddr::from([127, 0, 0, 5])]),
            false => Err(io::Error::other("no such name")),
        });
        assert!(!resolver.any_resolved(LONG, &Stop::default()));
        THERE.store(true, Relaxed);
        until("the address", || ips(&resolver) == ["127.0.0.5:80"]);
    }

    #[test]
    fn a_failed_connection_looks_the_name_up_again() {
        static MOVED: AtomicBool = AtomicBool::new(false);
        let resolver = resolver("node", |_| {
            Ok(vec![IpAddr::from([
                127,
                0,
                0,
                if MOVED.load(Relaxed) { 7 } else { 6 },
            ])])
        });
        assert!(resolver.any_resolved(LONG, &Stop::default()));
        assert_eq!(ips(&resolver), ["127.0.0.6:80"]);
        MOVED.store(true, Relaxed);
        resolver.connection_failed(0);
        until("the new address", || ips(&resolver) == ["127.0.0.7:80"]);
    }

    #[test]
    fn addresses_outlive_a_failed_lookup_only_while_connections_succeed() {
        let mut state = State::default();
        state.learn(Some(vec![IpAddr::from([127, 0, 0, 1])]));
        state.learn(None);
        assert!(state.addresses.is_some());
        state.connection_failed = true;
        state.learn(None);
        assert!(state.addresses.is_none());
    }

    #[test]
    fn a_lookup_that_hangs_holds_nothing_up() {
        let resolver = resolver("node", |_| {
            thread::sleep(Duration::from_secs(600));
            Ok(Vec::new())
        });
        assert!(!resolver.any_resolved(Duration::from_millis(50), &Stop::default()));
        drop(resolver);
    }
}
