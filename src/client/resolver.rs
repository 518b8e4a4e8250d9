//! Looks the targets' names up in the background, so that no request ever waits for one.

use crate::base::{Moment, Nanos, Target};
use crate::system::Stop;
use parking_lot::{Condvar, Mutex};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
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
/// that fails keeps the addresses that were known, unless no connection can be made to any.
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
    /// Of the addresses in `state`; 0 while there have never been any.
    version: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In ascending order.
    addresses: Option<Arc<[IpAddr]>>,
    /// A first lookup has ended, well or not.
    answered: bool,
    /// No connection could be made, to one address or to all.
    connection_failed: bool,
    unreachable: bool,
    /// How long the lookups took that nobody has [asked for](Resolver::take_lookups) yet.
    lookups: Vec<Nanos>,
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

    /// The version of a target's addresses: another one whenever they change.
    pub(super) fn version(&self, target: usize) -> u64 {
        self.names[target].version.load(Acquire)
    }

    /// The addresses of a target, none if its name is not known, and their version.
    pub(super) fn addresses(&self, target: usize) -> (u64, impl Iterator<Item = SocketAddr>) {
        let name = &self.names[target];
        let port = name.port;
        let state = name.state.lock();
        let version = name.version.load(Acquire);
        let addresses = state.addresses.clone().unwrap_or_default();
        let addresses = (0..addresses.len()).map(move |i| SocketAddr::new(addresses[i], port));
        (version, addresses)
    }

    /// Tells that an address of a target gave no connection, or that `none` of them did, so that
    /// they may have changed.
    pub(super) fn connection_failed(&self, target: usize, none: bool) {
        let name = &self.names[target];
        let mut state = name.state.lock();
        state.connection_failed = true;
        state.unreachable |= none;
        drop(state);
        name.changed.notify_all();
    }

    /// How long each lookup took that has ended since this was last asked.
    pub fn take_lookups(&self) -> impl Iterator<Item = Nanos> {
        let taken = |name: &Arc<Name>| std::mem::take(&mut name.state.lock().lookups);
        self.names.iter().flat_map(taken)
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
            while !state.stopped && looked_up.elapsed() < state.keeps_for() {
                let next = looked_up + state.keeps_for();
                self.changed.wait_until(&mut state, next);
            }
        }
    }
}

impl State {
    /// Takes the result of a lookup and returns whether it changes the addresses.
    fn learn(&mut self, addresses: Option<Vec<IpAddr>>) -> bool {
        self.answered = true;
        let unreachable = std::mem::take(&mut self.unreachable);
        self.connection_failed = false;
        let learnt = match addresses {
            // Name servers answer in changing orders.
            Some(mut addresses) => {
                addresses.sort_unstable();
                addresses.dedup();
                Some(addresses.into())
            }
            None if unreachable => None,
            None => self.addresses.clone(),
        };
        let changed = learnt != self.addresses;
        self.addresses = learnt;
        changed
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
