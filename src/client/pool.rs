//! The idle connections to one target, and the turns that the routes to it take.

use crate::base::{Address, Moment, Nanos};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// A connection that was idle for longer is closed, since the server, or something on the way, may have forgotten it.
const MAX_IDLE: Nanos = Nanos(60_000_000_000);

/// A connection that is older is closed after its request, so that a load balancer gets to choose a back end again.
const MAX_AGE: Nanos = Nanos(300_000_000_000);

/// Connections that were made together are closed over a tenth of [`MAX_AGE`], in this many steps, so that they are not
/// all made anew together.
const AGE_STEPS: u64 = 64;

/// An address is avoided, if there are others, after a failed attempt to connect to it: for at least this long, and for
/// this many times the length of the attempt. So a silent address takes at most a tenth of one worker's time.
const MIN_AVOIDED: Nanos = Nanos(1_000_000_000);
const AVOIDED_TIMES: u64 = 10;

/// One way to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub to: Peer,
    /// The same end, as results name it.
    pub address: Address,
    /// This machine's address. The system chooses it if there is none.
    pub from: Option<IpAddr>,
}

/// The end of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// One of the target's addresses.
    Address(SocketAddr),
    /// The target's Unix socket.
    UnixSocket,
}

/// Requests take the routes in turn. Each route has a stack of idle connections. The one used last is used next,
/// so that steady traffic uses only as many connections as requests are in flight.
#[derive(Debug)]
pub(super) struct Pool<C> {
    /// The version of the routes, which can be compared without the lock.
    version: AtomicU64,
    state: Mutex<State<C>>,
}

#[derive(Debug)]
struct State<C> {
    stacks: Vec<Stack<C>>,
    /// The index of the stack whose turn is next, modulo their number.
    turn: usize,
    /// The number of connections so far.
    made: u64,
}

/// Connections, each with the start of its idleness. The one that has been idle longest is at the front.
type Idle<C> = VecDeque<(Pooled<C>, Moment)>;

#[derive(Debug)]
struct Stack<C> {
    route: Route,
    idle: Idle<C>,
    avoided_until: Option<Moment>,
}

/// A connection of a pool, in use or idle.
#[derive(Debug)]
pub(super) struct Pooled<C> {
    pub connection: C,
    pub route: Route,
    expires: Moment,
}

impl<C> Pool<C> {
    pub fn new() -> Self {
        Pool {
            version: AtomicU64::new(0),
            state: Mutex::new(State {
                stacks: Vec::new(),
                turn: 0,
                made: 0,
            }),
        }
    }

    /// The version of the routes that were [set](Pool::set_routes) last; 0 at first.
    pub fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Replaces the routes, unless another thread has set a later version. Idle connections on routes that remain are
    /// kept.
    pub fn set_routes(&self, version: u64, routes: impl Iterator<Item = Route>) {
        let mut state = self.state.lock();
        if version <= self.version.load(Relaxed) {
            return;
        }
        let mut before = mem::take(&mut state.stacks);
        for route in routes {
            let known = before.iter().position(|stack| stack.route == route);
            state.stacks.push(match known {
                Some(index) => before.swap_remove(index),
                None => Stack {
                    route,
                    idle: VecDeque::new(),
                    avoided_until: None,
                },
            });
        }
        self.version.store(version, Release);
        // This closes connections, for which no other thread should wait.
        drop(state);
        drop(before);
    }

    /// The route whose turn it is, and the connection on it that was used last, if one is idle. `None` if there is no
    /// route.
    pub fn take(&self, now: Moment) -> Option<(Route, Option<Pooled<C>>)> {
        let mut state = self.state.lock();
        let stack = state.in_turn(now)?;
        let (route, (idle, stale)) = (stack.route, stack.pop(now));
        drop(state);
        drop(stale);
        Some((route, idle))
    }

    /// The route whose turn it is. `None` if there is none.
    pub fn take_turn(&self, now: Moment) -> Option<Route> {
        let mut state = self.state.lock();
        state.in_turn(now).map(|stack| stack.route)
    }

    /// The idle connection on this route that was used last.
    pub fn take_from(&self, route: Route, now: Moment) -> Option<Pooled<C>> {
        let mut state = self.state.lock();
        let (idle, stale) = state.stack(route)?.pop(now);
        drop(state);
        drop(stale);
        idle
    }

    /// A route to each of the target's addresses, in the order in which to dial them: in turn from `first` on, but those
    /// to avoid last.
    pub fn dial_order(&self, first: Route, now: Moment) -> Vec<Route> {
        let state = self.state.lock();
        let stacks = &state.stacks;
        let first = stacks.iter().position(|stack| stack.route == first);
        let (before, from_first) = stacks.split_at(first.unwrap_or(0));
        let mut order: Vec<_> = from_first.iter().chain(before).collect();
        order.sort_by_key(|stack| stack.is_avoided(now));
        let mut routes: Vec<Route> = Vec::with_capacity(order.len());
        for Stack { route, .. } in order {
            if routes.iter().all(|other| other.to != route.to) {
                routes.push(*route);
            }
        }
        routes
    }

    /// Notes that no connection could be made to the address of this route, in an attempt of length `took`.
    pub fn avoid(&self, route: Route, now: Moment, took: Nanos) {
        let until = now + MIN_AVOIDED.max(took * AVOIDED_TIMES);
        for stack in &mut self.state.lock().stacks {
            if stack.route.to == route.to {
                stack.avoided_until = Some(until);
            }
        }
    }

    /// Takes responsibility for a new connection, which is in use at first. Its route is not avoided any longer.
    pub fn register(&self, connection: C, route: Route, now: Moment) -> Pooled<C> {
        let mut state = self.state.lock();
        let sooner = Nanos(MAX_AGE.0 / 10 / AGE_STEPS) * (state.made % AGE_STEPS);
        state.made += 1;
        if let Some(stack) = state.stack(route) {
            stack.avoided_until = None;
        }
        Pooled {
            connection,
            route,
            expires: now + MAX_AGE - sooner,
        }
    }

    /// Keeps a connection for the next request, unless it is too old or its route is gone.
    pub fn put(&self, pooled: Pooled<C>, now: Moment) {
        if now > pooled.expires {
            return;
        }
        let mut state = self.state.lock();
        let Some(stack) = state.stack(pooled.route) else {
            return;
        };
        let is_stale = |(_, since): &mut (_, Moment)| now.since(*since) > MAX_IDLE;
        let stale = stack.idle.pop_front_if(is_stale);
        stack.idle.push_back((pooled, now));
        drop(state);
        drop(stale);
    }
}

impl<C> State<C> {
    /// The stack whose turn it is, or the next one that is not avoided.
    fn in_turn(&mut self, now: Moment) -> Option<&mut Stack<C>> {
        let State { stacks, turn, .. } = self;
        if stacks.is_empty() {
            return None;
        }
        let first = *turn % stacks.len();
        *turn = first + 1;
        let mut in_turn = (first..stacks.len()).chain(0..first);
        let usable = in_turn.find(|&index| !stacks[index].is_avoided(now));
        stacks.get_mut(usable.unwrap_or(first))
    }

    fn stack(&mut self, route: Route) -> Option<&mut Stack<C>> {
        let mut stacks = self.stacks.iter_mut();
        stacks.find(|stack| stack.route == route)
    }
}

impl<C> Stack<C> {
    fn is_avoided(&self, now: Moment) -> bool {
        self.avoided_until.is_some_and(|until| now < until)
    }

    /// The connection on top, and the stale ones. The caller drops these after it has released the lock.
    fn pop(&mut self, now: Moment) -> (Option<Pooled<C>>, Idle<C>) {
        match self.idle.pop_back() {
            Some((top, since)) if now.since(since) <= MAX_IDLE => (Some(top), VecDeque::new()),
            // All connections below it have been idle for longer still.
            Some(top) => {
                let mut stale = mem::take(&mut self.idle);
                stale.push_back(top);
                (None, stale)
            }
            None => (None, VecDeque::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SECOND: Nanos = Nanos(1_000_000_000);

    fn address(last: u8) -> Route {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 80));
        Route {
            to: Peer::Address(address),
            address: Address::new(&address.to_string()),
            from: None,
        }
    }

    fn pool(addresses: u8) -> Pool<u32> {
        let pool = Pool::new();
        pool.set_routes(1, (0..addresses).map(address));
        pool
    }

    fn at(seconds: u64) -> Moment {
        Moment::at(0) + SECOND * seconds
    }

    fn put_new(pool: &Pool<u32>, connection: u32, last: u8, now: Moment) {
        pool.put(pool.register(connection, address(last), now), now);
    }

    fn taken(pool: &Pool<u32>, now: Moment) -> (Route, Option<u32>) {
        let (route, pooled) = pool.take(now).expect("a route");
        (route, pooled.map(|pooled| pooled.connection))
    }

    #[test]
    fn the_connection_used_last_is_used_next() {
        let pool = pool(1);
        for connection in 1..=3 {
            put_new(&pool, connection, 0, at(0));
        }
        let used: Vec<_> = (0..4).map(|_| taken(&pool, at(1)).1).collect();
        assert_eq!(used, [Some(3), Some(2), Some(1), None]);
    }

    #[test]
    fn addresses_take_turns_each_with_its_own_connections() {
        let pool = pool(3);
        put_new(&pool, 10, 1, at(0));
        let turns: Vec<_> = (0..4).map(|_| taken(&pool, at(0))).collect();
        let expected = [
            (address(0), None),
            (address(1), Some(10)),
            (address(2), None),
            (address(0), None),
        ];
        assert_eq!(turns, expected);
    }

    #[test]
    fn idle_connections_are_closed_after_a_minute() {
        let pool = pool(1);
        put_new(&pool, 1, 0, at(0));
        put_new(&pool, 2, 0, at(30));
        assert_eq!(taken(&pool, at(90)).1, Some(2));
        assert_eq!(taken(&pool, at(90)).1, None);
        assert!(pool.state.lock().stacks[0].idle.is_empty());
    }

    #[test]
    fn the_longest_idle_are_closed_while_others_are_used() {
        let pool = pool(1);
        put_new(&pool, 1, 0, at(0));
        put_new(&pool, 2, 0, at(0));
        for second in 1..=70 {
            let (_, busy) = pool.take(at(second)).unwrap();
            pool.put(busy.expect("the busy one"), at(second));
        }
        assert_eq!(pool.state.lock().stacks[0].idle.len(), 1);
    }

    #[test]
    fn connections_are_replaced_after_five_minutes_not_all_at_once() {
        let pool = pool(1);
        let register = |connection| pool.register(connection, address(0), at(0));
        let mut kept: Vec<_> = (0..100).map(register).collect();
        let mut left = Vec::new();
        for second in [269, 280, 290, 301] {
            kept.drain(..).for_each(|kept| pool.put(kept, at(second)));
            while let (_, Some(still)) = pool.take(at(second)).unwrap() {
                kept.push(still);
            }
            left.push(kept.len());
        }
        assert_eq!((left[0], left[3]), (100, 0));
        assert!(
            [10, left[2], left[1], 90].is_sorted_by(|a, b| a < b),
            "{left:?}"
        );
    }

    #[test]
    fn an_address_that_refuses_is_avoided_for_a_second_while_there_are_others() {
        let pool = pool(2);
        pool.avoid(address(0), at(5), Nanos(30_000));
        let turns: Vec<_> = (0..2).map(|_| taken(&pool, at(5)).0).collect();
        assert_eq!(turns, [address(1), address(1)]);
        assert_eq!(pool.dial_order(address(0), at(5)), [address(1), address(0)]);
        let turns: Vec<_> = (0..2).map(|_| taken(&pool, at(6)).0).collect();
        assert!(turns.contains(&address(0)), "{turns:?}");
        pool.avoid(address(0), at(7), Nanos(30_000));
        pool.avoid(address(1), at(7), SECOND * 5);
        assert!(pool.take(at(7)).is_some(), "better than none");
        for (second, order) in [(7, [1, 0]), (56, [0, 1]), (57, [1, 0])] {
            let dialed = pool.dial_order(address(1), at(second));
            assert_eq!(dialed, order.map(address), "{second}");
        }
    }

    #[test]
    fn a_connection_to_an_address_that_is_gone_is_not_used_again() {
        let pool = pool(2);
        put_new(&pool, 1, 0, at(0));
        put_new(&pool, 2, 1, at(0));
        let lent = pool.register(3, address(0), at(0));
        pool.set_routes(2, [address(1), address(2)].into_iter());
        pool.put(lent, at(0));
        let mut taken: Vec<_> = (0..2).map(|_| taken(&pool, at(0))).collect();
        taken.sort();
        assert_eq!(taken, [(address(1), Some(2)), (address(2), None)]);
        assert!(pool.take_from(address(0), at(0)).is_none());
    }

    #[test]
    fn each_address_is_dialed_once_from_the_source_whose_turn_it_is() {
        let from = |to: u8, from: u8| Route {
            from: Some(Ipv4Addr::new(127, 0, 1, from).into()),
            ..address(to)
        };
        let pool: Pool<u32> = Pool::new();
        let routes = [from(0, 7), from(1, 7), from(0, 8), from(1, 8)];
        pool.set_routes(1, routes.into_iter());
        let turns: Vec<_> = (0..5).map(|_| taken(&pool, at(0)).0).collect();
        assert_eq!(turns[..4], routes);
        assert_eq!(turns[4], routes[0]);
        assert_eq!(pool.dial_order(from(1, 7), at(0)), [from(1, 7), from(0, 8)]);
        pool.avoid(from(1, 7), at(0), Nanos(30_000));
        assert_eq!(pool.dial_order(from(1, 8), at(0)), [from(0, 7), from(1, 8)]);
    }

    #[test]
    fn older_addresses_never_replace_newer_ones() {
        let pool = pool(1);
        pool.set_routes(3, [address(3)].into_iter());
        pool.set_routes(2, [address(2)].into_iter());
        assert_eq!(taken(&pool, at(0)).0, address(3));
        assert_eq!(pool.version(), 3);
        pool.set_routes(4, std::iter::empty());
        assert!(pool.take(at(0)).is_none());
    }
}
