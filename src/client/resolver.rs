//! Looks up the targets' names in the background, so that no request ever waits for a lookup.

use crate::base::{Moment, Nanos, Target};
use crate::system::{Stop, with_thread_limit};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::NextTimeout;

/// The time between two lookups of a name that has addresses.
const REFRESH: Duration = Duration::from_secs(30);

/// The time between two lookups of a name that has no address, or to which a connection failed.
const RETRY: Duration = Duration::from_secs(1);

/// Looks up a host name. Blocks for as long as the system takes.
pub(super) type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

/// The addresses of all targets. Each target with a name has a thread, which looks the name up at once and then every
/// 30 s. After a failed connection to the target, the next lookup is 1 s after the last one. A failed lookup keeps the
/// known addresses, unless no connection can be made to any of them.
#[derive(Debug)]
pub struct Resolver {
    /// By target.
    names: Vec<Arc<Name>>,
    lookups: Vec<(Arc<Name>, JoinHandle<()>)>,
}

/// The host of one target. Targets with the same host do not share this, since connections may succeed at one port and
/// fail at another.
#[derive(Debug)]
struct Name {
    host: String,
    port: u16,
    /// The version of the addresses in `state`; 0 until there are any.
    version: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In ascending order.
    addresses: Option<Arc<[IpAddr]>>,
    /// The first lookup has ended, with or without success.
    answered: bool,
    /// A connection to at least one address has failed since the last lookup.
    connection_failed: bool,
    /// Connections to all addresses have failed since the last lookup.
    unreachable: bool,
    /// The lengths of the lookups since the last [`Resolver::take_lookups`].
    lookups: Vec<Nanos>,
    /// A lookup is in progress. Nothing can interrupt it.
    looking_up: bool,
    stopped: bool,
}

impl Resolver {
    /// Starts the lookups.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(targets: &[Target]) -> io::Result<Resolver> {
        Self::start_with(targets, look_up)
    }

    pub(super) fn start_with(targets: &[Target], lookup: Lookup) -> io::Result<Resolver> {
        let names = targets.iter().map(Name::new);
        let mut resolver = Resolver {
            names: names.map(Arc::new).collect(),
            lookups: Vec::new(),
        };
        for name in &resolver.names {
            if !name.state.lock().answered {
                let thread = thread::Builder::new().name("resolver".to_owned());
                let looked_up = name.clone();
                let spawned = thread.spawn(move || looked_up.keep_looking_up(lookup));
                let spawned = spawned.map_err(with_thread_limit)?;
                resolver.lookups.push((name.clone(), spawned));
            }
        }
        Ok(resolver)
    }

    /// Waits until every name has been looked up once, at most for `timeout` and until a stop is requested. Returns
    /// whether any target has an address.
    pub fn any_resolved(&self, timeout: Duration, stop: &Stop) -> bool {
        let deadline = Instant::now() + timeout;
        for name in &self.names {
            let mut state = name.state.lock();
            while !state.answered && Instant::now() < deadline && !stop.is_requested() {
                // The waits are short, since a stop does not end them.
                name.changed.wait_for(&mut state, Duration::from_millis(20));
            }
        }
        let is_known = |name: &Arc<Name>| name.state.lock().addresses.is_some();
        self.names.iter().any(is_known)
    }

    /// The version of a target's addresses, which grows whenever they change.
    pub(super) fn version(&self, target: usize) -> u64 {
        self.names[target].version.load(Acquire)
    }

    /// The addresses of a target, which are none if its name is not known, and their version.
    pub(super) fn addresses(&self, target: usize) -> (u64, impl Iterator<Item = SocketAddr>) {
        let name = &self.names[target];
        let port = name.port;
        let state = name.state.lock();
        let version = name.version.load(Acquire);
        let addresses = state.addresses.clone().unwrap_or_default();
        let addresses = (0..addresses.len()).map(move |i| SocketAddr::new(addresses[i], port));
        (version, addresses)
    }

    /// Notes that no connection could be made to an address of a target, and whether that holds for `all` of them. The
    /// addresses may have changed.
    pub(super) fn connection_failed(&self, target: usize, all: bool) {
        let name = &self.names[target];
        let mut state = name.state.lock();
        state.connection_failed = true;
        state.unreachable |= all;
        drop(state);
        name.changed.notify_all();
    }

    /// The lengths of the lookups that have ended since the last call.
    pub fn take_lookups(&self) -> impl Iterator<Item = Nanos> {
        let taken = |name: &Arc<Name>| std::mem::take(&mut name.state.lock().lookups);
        self.names.iter().flat_map(taken)
    }
}

impl Drop for Resolver {
    /// Ends the threads and waits for them, except for those with a lookup in progress: each ends with its lookup.
    fn drop(&mut self) {
        for (name, _) in &self.lookups {
            name.state.lock().stopped = true;
            name.changed.notify_all();
        }
        for (name, lookup) in self.lookups.drain(..) {
            if !name.state.lock().looking_up {
                // A panic of the thread has been printed already.
                let _ = lookup.join();
            }
        }
    }
}

impl Name {
    fn new(target: &Target) -> Name {
        let literal = match target.unix_socket {
            Some(_) => Some(Arc::from([])),
            None => target.address().map(|ip| Arc::from([ip])),
        };
        Name {
            host: target.host.clone(),
            port: target.port,
            version: AtomicU64::new(literal.is_some().into()),
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
            let started = Moment::now();
            let result = lookup(&self.host);
            let took = Moment::now().since(started);
            state = self.state.lock();
            state.looking_up = false;
            state.lookups.push(took);
            if state.learn(result.ok().filter(|addresses| !addresses.is_empty())) {
                self.version.fetch_add(1, Release);
            }
            self.changed.notify_all();
            let looked_up = Instant::now();
            while !state.stopped && looked_up.elapsed() < state.pause() {
                let next = looked_up + state.pause();
                self.changed.wait_until(&mut state, next);
            }
        }
    }
}

impl State {
    /// Records the result of a lookup. Returns whether it changes the addresses.
    fn learn(&mut self, addresses: Option<Vec<IpAddr>>) -> bool {
        self.answered = true;
        let unreachable = std::mem::take(&mut self.unreachable);
        self.connection_failed = false;
        let learnt = match addresses {
            // Name servers change the order from answer to answer.
            Some(addresses) => Some(Vec::from_iter(BTreeSet::from_iter(addresses)).into()),
            None if unreachable => None,
            None => self.addresses.clone(),
        };
        let changed = learnt != self.addresses;
        self.addresses = learnt;
        changed
    }

    /// The time from one lookup to the next.
    fn pause(&self) -> Duration {
        if self.addresses.is_none() || self.connection_failed {
            RETRY
        } else {
            REFRESH
        }
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (host, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

/// The resolver for ureq, which would look up the name before every request, even with an idle connection. The
/// connector asks the [`Resolver`] itself if it needs a new connection.
#[derive(Debug)]
pub(super) struct NoLookup;

impl UreqResolver for NoLookup {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    fn resolver(host: &str, lookup: Lookup) -> Resolver {
        let target = Target::new(&format!("http://{host}:80")).unwrap();
        Resolver::start_with(&[target], lookup).unwrap()
    }

    fn ips(resolver: &Resolver) -> Vec<String> {
        let (_, addresses) = resolver.addresses(0);
        addresses.map(|address| address.to_string()).collect()
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
        let resolver = resolver("node", |_| {
            if THERE.load(Relaxed) {
                return Ok(vec![IpAddr::from([127, 0, 0, 5])]);
            }
            Err(io::Error::other("no such name"))
        });
        assert!(!resolver.any_resolved(LONG, &Stop::default()));
        THERE.store(true, Relaxed);
        until("the address", || ips(&resolver) == ["127.0.0.5:80"]);
    }

    #[test]
    fn a_failed_connection_looks_the_name_up_again() {
        static MOVED: AtomicBool = AtomicBool::new(false);
        let resolver = resolver("node", |_| {
            let last = if MOVED.load(Relaxed) { 7 } else { 6 };
            Ok(vec![IpAddr::from([127, 0, 0, last])])
        });
        assert!(resolver.any_resolved(LONG, &Stop::default()));
        assert_eq!(ips(&resolver), ["127.0.0.6:80"]);
        MOVED.store(true, Relaxed);
        resolver.connection_failed(0, true);
        until("the new address", || ips(&resolver) == ["127.0.0.7:80"]);
    }

    #[test]
    fn addresses_outlive_a_failed_lookup_only_while_one_can_be_reached() {
        let mut state = State::default();
        let known = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        assert!(state.learn(Some(known)));
        state.connection_failed = true;
        assert!(!state.learn(None));
        assert!(state.addresses.is_some());
        (state.connection_failed, state.unreachable) = (true, true);
        assert!(state.learn(None));
        assert!(state.addresses.is_none());
    }

    #[test]
    fn the_same_addresses_in_another_order_are_no_change() {
        let [one, other] = [1, 2].map(|last| IpAddr::from([127, 0, 0, last]));
        let mut state = State::default();
        assert!(state.learn(Some(vec![one, other])));
        assert!(!state.learn(Some(vec![other, one, other])));
        assert!(state.learn(Some(vec![other])));
    }

    #[test]
    fn lookups_are_timed() {
        let resolver = resolver("node", |_| {
            thread::sleep(Duration::from_millis(20));
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        });
        assert!(resolver.any_resolved(LONG, &Stop::default()));
        let took: Vec<_> = resolver.take_lookups().collect();
        assert_eq!(took.len(), 1);
        assert!(took[0] >= Nanos(20_000_000));
        assert_eq!(resolver.take_lookups().count(), 0);
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
