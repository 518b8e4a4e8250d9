//! The open connections, and the thread that opens them.
//!
//! Only that thread ever connects. A caller uses an idle connection, waits for one within its timeout, or fails at once
//! if Redis is away. (The usual pool, r2d2, was last released in 2022, and its callers wait for their whole
//! timeout while the server is away.)

use super::connection::{Connection, Failure, FailureKind};
use crate::system::with_thread_limit;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The most connections at the same time. More would not help: Redis decides one check after another.
const MAX_OPEN: usize = 32;

/// How long an attempt to connect may take: long enough for a lost packet to be sent again.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The pause after a failed attempt. Together with [`ATTEMPT`], the return of a server is noticed within two seconds.
const RETRY: Duration = Duration::from_millis(250);

/// Connections to one server. The one used last is used next, so that steady traffic uses only as many as it needs.
///
/// The server is *away* while no connection is open, and the last attempt to open one failed or the last call had no
/// answer in time. A call that loses its connection closes the idle ones too: they lead to the same server, and a new
/// one costs little.
pub(super) struct Pool {
    shared: Arc<Shared>,
    timeout: Duration,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// For callers: a connection is idle, or the server is away.
    available: Condvar,
    /// For the thread that connects: a connection is wanted, or the pool is gone.
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    /// The one used last is at the end.
    idle: Vec<Connection>,
    /// Connections that are idle or lent.
    open: usize,
    waiting_callers: usize,
    /// From the last attempt to connect or the last call without an answer in time, until the server answers.
    failure: Option<Failure>,
    dropped: bool,
}

impl Pool {
    /// A pool of connections that `connect` opens before the instant that it is given. Calls take at most `timeout`.
    /// The first connection is opened at once.
    ///
    /// # Errors
    /// The system can't start another thread.
    pub fn start(
        timeout: Duration,
        connect: impl FnMut(Instant) -> Result<Connection, Failure> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let connecting = Arc::clone(&shared);
        thread::Builder::new()
            .name("redis-connect".to_owned())
            .spawn(move || connecting.keep_connecting(connect))
            .map_err(with_thread_limit)?;
        Ok(Self { shared, timeout })
    }

    /// Lends a connection to `work`, with the deadline for its answers. Nothing is sent twice: if an answer is lost, the
    /// request may have been carried out.
    ///
    /// # Errors
    /// The server is away, every connection was in use until the deadline, or `work` failed.
    pub fn run<T>(
        &self,
        work: impl FnOnce(&mut Connection, Instant) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let (mut connection, loan) = self.shared.take(deadline)?;
        let outcome = work(&mut connection, deadline);
        match &outcome {
            Err(failure) if failure.kind == FailureKind::Lost => drop(loan),
            Err(failure) if failure.kind == FailureKind::Timeout => loan.timed_out(failure),
            _ => loan.give_back(connection),
        }
        outcome
    }
}

impl Drop for Pool {
    /// Ends the thread, after an attempt to connect that is under way.
    fn drop(&mut self) {
        self.shared.state.lock().dropped = true;
        self.shared.wanted.notify_one();
    }
}

impl Shared {
    fn take(&self, deadline: Instant) -> Result<(Connection, Loan<'_>), Failure> {
        let mut state = self.state.lock();
        // Callers that wait already come first. Otherwise others could overtake one until its time is up.
        let mut ahead = state.waiting_callers;
        loop {
            if let Some(failure) = state.away() {
                return Err(failure.clone());
            }
            while state.idle.len() > ahead
                && let Some(connection) = state.idle.pop()
            {
                if connection.is_quiet() {
                    return Ok((connection, Loan(self)));
                }
                // The server has closed it, and nothing was sent over it: another one will do.
                state.open -= 1;
            }
            state.waiting_callers += 1;
            self.wanted.notify_one();
            let timed_out = self.available.wait_until(&mut state, deadline).timed_out();
            state.waiting_callers -= 1;
            ahead = 0;
            if timed_out {
                return Err(state.unavailable());
            }
        }
    }

    /// Connects whenever a connection is wanted. Ends when the pool is dropped.
    fn keep_connecting(&self, mut connect: impl FnMut(Instant) -> Result<Connection, Failure>) {
        let mut state = self.state.lock();
        while !state.dropped {
            if !state.wants_another() {
                self.wanted.wait(&mut state);
                continue;
            }
            match MutexGuard::unlocked(&mut state, || connect(Instant::now() + ATTEMPT)) {
                Ok(connection) => {
                    state.open += 1;
                    state.keep(connection);
                    self.available.notify_one();
                }
                Err(failure) => {
                    state.failure = Some(failure);
                    self.notify_if_away(&state);
                    let next = Instant::now() + RETRY;
                    while !state.dropped && !self.wanted.wait_until(&mut state, next).timed_out() {}
                }
            }
        }
    }

    fn notify_if_away(&self, state: &State) {
        if state.away().is_some() {
            self.available.notify_all();
        }
    }
}

impl State {
    /// One connection is kept in any case, so that a server's return is noticed before the next call.
    fn wants_another(&self) -> bool {
        self.open == 0 || self.waiting_callers > self.idle.len() && self.open < MAX_OPEN
    }

    fn away(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.open == 0)
    }

    /// Keeps a connection over which the server has just answered.
    fn keep(&mut self, connection: Connection) {
        self.failure = None;
        self.idle.push(connection);
    }

    /// Why a caller that waited until its deadline got no connection.
    fn unavailable(&mut self) -> Failure {
        let failure = self.failure.clone();
        if self.open > 0 {
            return failure.unwrap_or_else(|| Failure::new("all connections are in use"));
        }
        // From now on the server is away, and no other caller waits for this attempt.
        let failure = failure.unwrap_or_else(|| Failure::new("no connection in time"));
        self.failure.insert(failure).clone()
    }
}

/// A lent connection's place among the open ones. Dropping it, which a panic does too, counts the connection as lost.
struct Loan<'a>(&'a Shared);

impl Loan<'_> {
    fn give_back(self, connection: Connection) {
        self.0.state.lock().keep(connection);
        self.0.available.notify_one();
        mem::forget(self);
    }

    /// Without another open connection, the server is away: later calls do not wait for it.
    fn timed_out(self, failure: &Failure) {
        self.0.state.lock().failure = Some(failure.clone());
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.open -= 1 + state.idle.len();
        state.idle.clear();
        self.0.notify_if_away(&state);
        self.0.wanted.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(50);

    /// A pool of connections to a server that accepts and never says a word, and how many it has opened.
    fn pool(timeout: Duration) -> (Pool, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&opened);
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = move |deadline| {
            counter.fetch_add(1, SeqCst);
            Ok(Connection::connect(server.local_addr()?, deadline)?)
        };
        (Pool::start(timeout, connect).unwrap(), opened)
    }

    fn lose(pool: &Pool) {
        let lost = pool.run(|_, _| -> Result<(), _> { Err(Failure::new("reset")) });
        assert_eq!(lost, Err(Failure::new("reset")));
    }

    /// Runs `meanwhile` while all but `left` of the connections are lent.
    fn while_lent(pool: &Pool, left: usize, meanwhile: impl FnOnce()) {
        let lent = Barrier::new(MAX_OPEN - left + 1);
        thread::scope(|scope| {
            for _ in left..MAX_OPEN {
                scope.spawn(|| {
                    pool.run(|_, _| {
                        lent.wait();
                        lent.wait();
                        Ok(())
                    })
                });
            }
            lent.wait();
            meanwhile();
            lent.wait();
        });
    }

    #[test]
    fn calls_one_after_another_use_one_connection() {
        let (pool, opened) = pool(LONG);
        for _ in 0..100 {
            pool.run(|_, _| Ok(())).unwrap();
        }
        assert_eq!(opened.load(SeqCst), 1);
    }

    #[test]
    fn a_caller_that_gets_no_connection_in_time_is_told_why() {
        let (pool, opened) = pool(SHORT * 20);
        while_lent(&pool, 0, || {
            let in_use = Failure::new("all connections are in use");
            assert_eq!(pool.run(|_, _| Ok(())), Err(in_use));
        });
        assert_eq!(pool.run(|_, _| Ok(())), Ok(()));
        assert_eq!(opened.load(SeqCst), MAX_OPEN);
    }

    #[test]
    fn no_caller_overtakes_one_that_waits() {
        let (pool, _) = pool(LONG);
        let served = AtomicBool::new(false);
        while_lent(&pool, 1, || {
            thread::scope(|scope| {
                let last_one = pool.run(|_, _| {
                    scope.spawn(|| {
                        pool.run(|_, _| {
                            served.store(true, SeqCst);
                            Ok(())
                        })
                    });
                    while pool.shared.state.lock().waiting_callers == 0 {
                        thread::yield_now();
                    }
                    Ok(())
                });
                assert_eq!(last_one, Ok(()));
                assert_eq!(pool.run(|_, _| Ok(served.load(SeqCst))), Ok(true));
            });
        });
    }

    #[test]
    fn a_lost_connection_closes_the_idle_ones_and_is_replaced() {
        let (pool, opened) = pool(LONG);
        while_lent(&pool, 0, || ());
        lose(&pool);
        assert_eq!(pool.run(|_, _| Ok(())), Ok(()));
        assert_eq!(opened.load(SeqCst), MAX_OPEN + 1);
    }

    #[test]
    fn a_panic_loses_its_connection() {
        let (pool, opened) = pool(LONG);
        let panicking = || pool.run(|_, _| -> Result<(), _> { panic!("as the test wants") });
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        assert_eq!(pool.run(|_, _| Ok(())), Ok(()));
        assert_eq!(opened.load(SeqCst), 2);
    }

    #[test]
    fn an_attempt_that_hangs_holds_callers_once_for_the_timeout_and_then_not_at_all() {
        let hanging = |_| {
            thread::sleep(LONG * 20);
            Err(Failure::new("never"))
        };
        let pool = Pool::start(SHORT, hanging).unwrap();
        let start = Instant::now();
        for _ in 0..10_000 {
            let late = Failure::new("no connection in time");
            assert_eq!(pool.run(|_, _| Ok(())), Err(late));
        }
        assert!((SHORT..LONG / 2).contains(&start.elapsed()));
    }

    #[test]
    fn the_thread_ends_with_the_pool() {
        let refusing = Pool::start(LONG, |_| Err(Failure::new("refused"))).unwrap();
        for pool in [pool(LONG).0, refusing] {
            let _ = pool.run(|_, _| Ok(()));
            let shared = Arc::downgrade(&pool.shared);
            drop(pool);
            let start = Instant::now();
            while shared.strong_count() > 0 {
                assert!(start.elapsed() < LONG);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
