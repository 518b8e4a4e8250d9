//! Connections kept open, and a thread that opens them.
//!
//! r2d2, the usual pool, has callers wait for their whole timeout while the server is away, and was last released in
//! 2021. Here nobody but the pool's own thread ever opens a connection: callers use an idle one, wait for one within
//! their timeout, or are told at once why there is none.

use super::failure::{Failure, Trouble};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Connections open at the same time. Redis decides one check after another anyway.
pub(super) const MAX_OPEN: usize = 32;

/// How long an attempt to open a connection may take: long enough for a lost packet to be sent again.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How soon after a failed attempt the next one is made. With [`ATTEMPT`], a server that is back is found within two
/// seconds.
const RETRY: Duration = Duration::from_millis(250);

pub(super) trait Pooled: Send + 'static {
    /// Whether nothing has come on it since its last answer, not even its end.
    fn is_quiet(&self) -> bool;
}

/// Connections to one server, used last in, first out, so that steady traffic keeps as few in use as it needs.
///
/// The server is *away* from when it is found not to answer until it answers again, and callers fail at once meanwhile.
/// It is found not to answer when no connection is left and none can be opened, or when an answer is overdue and no
/// other has come since it was asked for. A connection that breaks is no sign of that: it costs only the call that used
/// it, and those that had not been used since are closed with it.
pub(super) struct Pool<C> {
    shared: Arc<Shared<C>>,
    timeout: Duration,
}

struct Shared<C> {
    state: Mutex<State<C>>,
    /// A connection is idle, or the server is away: for callers.
    available: Condvar,
    /// A connection is wanted, or the pool is gone: for the thread that opens them.
    wanted: Condvar,
}

struct State<C> {
    /// The one used last is at the end.
    idle: Vec<Idle<C>>,
    /// Idle and lent.
    open: usize,
    /// Callers that wait.
    waiting: usize,
    /// When the server last answered, over any connection.
    answered: Option<Instant>,
    /// The latest sign that the server does not answer, if it has not answered since.
    failure: Option<Failure>,
    /// That sign is an overdue answer, so the connections that are open are in doubt.
    silent: bool,
    dropped: bool,
}

struct Idle<C> {
    connection: C,
    /// When the server last answered over it.
    answered: Instant,
}

impl<C: Pooled> Pool<C> {
    /// A pool of connections made by `open`, which is given the instant by which it should end. Calls take at most
    /// `timeout`. The first connection is opened at once.
    ///
    /// # Errors
    /// The system's, if it has no room for another thread.
    pub fn start(
        timeout: Duration,
        open: impl FnMut(Instant) -> Result<C, Failure> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                idle: Vec::new(),
                open: 0,
                waiting: 0,
                answered: None,
                failure: None,
                silent: false,
                dropped: false,
            }),
            available: Condvar::new(),
            wanted: Condvar::new(),
        });
        let opening = Arc::clone(&shared);
        thread::Builder::new()
            .name("redis-open".to_owned())
            .spawn(move || opening.keep_opening(open))?;
        Ok(Self { shared, timeout })
    }

    /// Has `ask` ask for something over a connection, by a deadline that holds for the wait for a connection and for
    /// the answer together.
    ///
    /// Nothing is asked twice: when an answer is lost, what was asked for may have been done.
    ///
    /// # Errors
    /// The server is away, every connection was in use for the whole timeout, or what `ask` says.
    pub fn run<T>(
        &self,
        ask: impl FnOnce(&mut C, Instant) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let (mut connection, loan) = self.shared.take(deadline)?;
        let outcome = ask(&mut connection, deadline);
        match &outcome {
            Ok(_) | Err(Trouble::Refused(_)) => loan.give_back(connection),
            Err(Trouble::Lost(_)) => drop(loan),
            Err(Trouble::Silent(failure)) => loan.went_silent(failure),
        }
        outcome.map_err(Trouble::into_failure)
    }
}

impl<C> Drop for Pool<C> {
    /// Ends the thread that opens connections: at once, or when the attempt that it makes has ended.
    fn drop(&mut self) {
        self.shared.state.lock().dropped = true;
        self.shared.wanted.notify_one();
    }
}

impl<C: Pooled> Shared<C> {
    fn take(&self, deadline: Instant) -> Result<(C, Loan<'_, C>), Failure> {
        let mut state = self.state.lock();
        // Idle connections are for those who wait already; otherwise callers that come and go would overtake one until
        // its time is up.
        let mut ahead = state.waiting;
        loop {
            if let Some(failure) = state.away() {
                return Err(failure.clone());
            }
            let has_turn = state.idle.len() > ahead;
            if let Some(Idle { connection, .. }) = state.idle.pop_if(|_| has_turn) {
                drop(state);
                let loan = Loan {
                    shared: self,
                    since: Instant::now(),
                };
                // Nothing has been written to a connection found dead, so the next one will do.
                if connection.is_quiet() {
                    return Ok((connection, loan));
                }
                drop(loan);
                state = self.state.lock();
                continue;
            }
            state.waiting += 1;
            self.wanted.notify_one();
            let timed_out = self.available.wait_until(&mut state, deadline).timed_out();
            state.waiting -= 1;
            ahead = 0;
            if timed_out {
                // What has just become idle is the next one's, who may not have been told.
                if !state.idle.is_empty() {
                    self.available.notify_one();
                }
                return Err(state.none_came());
            }
        }
    }

    /// Opens a connection whenever one is wanted. Ends when the pool is dropped.
    fn keep_opening(&self, mut open: impl FnMut(Instant) -> Result<C, Failure>) {
        let mut state = self.state.lock();
        while !state.dropped {
            if !state.wants_another() {
                self.wanted.wait(&mut state);
                continue;
            }
            let attempt = MutexGuard::unlocked(&mut state, || open(Instant::now() + ATTEMPT));
            match attempt {
                Ok(connection) => {
                    state.open += 1;
                    state.keep(connection);
                    self.available.notify_one();
                }
                Err(failure) => {
                    state.failure = Some(failure);
                    self.tell_if_away(&state);
                    self.pause(&mut state);
                }
            }
        }
    }

    fn pause(&self, state: &mut MutexGuard<'_, State<C>>) {
        let until = Instant::now() + RETRY;
        while !state.dropped && !self.wanted.wait_until(state, until).timed_out() {}
    }
}

impl<C> Shared<C> {
    fn tell_if_away(&self, state: &State<C>) {
        if state.away().is_some() {
            self.available.notify_all();
        }
    }
}

impl<C> State<C> {
    /// One is kept in any case, so that a server's return is found out before anybody asks.
    fn wants_another(&self) -> bool {
        let missed = self.waiting > self.idle.len() && self.open < MAX_OPEN;
        self.open == 0 || self.silent || missed
    }

    fn away(&self) -> Option<&Failure> {
        let failure = self.failure.as_ref()?;
        (self.open == 0 || self.silent).then_some(failure)
    }

    /// The server has just answered over this connection.
    fn keep(&mut self, connection: C) {
        let answered = Instant::now();
        self.failure = None;
        self.silent = false;
        self.answered = Some(answered);
        self.idle.push(Idle {
            connection,
            answered,
        });
    }

    /// Why a caller that waited for its whole timeout got no connection.
    fn none_came(&mut self) -> Failure {
        if self.open == 0 {
            let overdue = || Failure::new("no connection in time");
            return self.failure.get_or_insert_with(overdue).clone();
        }
        let in_use = || Failure::new("all connections are in use");
        self.failure.clone().unwrap_or_else(in_use)
    }
}

/// The place of a lent connection among those that are open. Dropped, and so in a panic too, it means that the
/// connection is lost.
struct Loan<'a, C> {
    shared: &'a Shared<C>,
    since: Instant,
}

impl<C> Loan<'_, C> {
    fn give_back(self, connection: C) {
        self.shared.state.lock().keep(connection);
        self.shared.available.notify_one();
        mem::forget(self);
    }

    fn went_silent(self, failure: &Failure) {
        let mut state = self.shared.state.lock();
        if state.answered.is_none_or(|answered| answered < self.since) {
            state.failure = Some(failure.clone());
            state.silent = true;
            self.shared.available.notify_all();
        }
    }
}

impl<C> Drop for Loan<'_, C> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        let unused_since = state
            .idle
            .partition_point(|idle| idle.answered <= self.since);
        state.open -= 1 + unused_since;
        let closed: Vec<_> = state.idle.drain(..unused_since).collect();
        self.shared.tell_if_away(&state);
        drop(state);
        self.shared.wanted.notify_one();
        drop(closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(50);

    /// Known by the order in which they were opened.
    struct Numbered {
        number: usize,
        dead: Arc<AtomicBool>,
    }

    impl Pooled for Numbered {
        fn is_quiet(&self) -> bool {
            !self.dead.load(SeqCst)
        }
    }

    /// A server that accepts while it is up, and whose going down ends the connections made before.
    #[derive(Clone)]
    struct Server {
        up: Arc<AtomicBool>,
        opened: Arc<AtomicUsize>,
        dead: Arc<Mutex<Arc<AtomicBool>>>,
    }

    impl Server {
        fn up() -> Self {
            Self {
                up: Arc::new(AtomicBool::new(true)),
                opened: Arc::default(),
                dead: Arc::default(),
            }
        }

        fn set_up(&self, up: bool) {
            self.up.store(up, SeqCst);
            std::mem::take(&mut *self.dead.lock()).store(true, SeqCst);
        }

        fn pool(&self, timeout: Duration) -> Pool<Numbered> {
            let server = self.clone();
            let open = move |_| match server.up.load(SeqCst) {
                true => Ok(Numbered {
                    number: server.opened.fetch_add(1, SeqCst),
                    dead: Arc::clone(&server.dead.lock()),
                }),
                false => Err(Failure::new("refused")),
            };
            Pool::start(timeout, open).unwrap()
        }
    }

    fn number(pool: &Pool<Numbered>) -> Result<usize, String> {
        let outcome = pool.run(|connection, _| Ok(connection.number));
        outcome.map_err(|failure| failure.to_string())
    }

    /// What each of so many calls at the same time got.
    fn at_once(pool: &Pool<Numbered>, calls: usize) -> Vec<usize> {
        let together = Barrier::new(calls);
        thread::scope(|scope| {
            let call = || {
                let number = pool.run(|connection, _| {
                    together.wait();
                    Ok(connection.number)
                });
                number.unwrap()
            };
            let calls: Vec<_> = (0..calls).map(|_| scope.spawn(call)).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        })
    }

    #[test]
    fn calls_one_after_another_use_one_connection() {
        let pool = Server::up().pool(LONG);
        for _ in 0..100 {
            assert_eq!(number(&pool), Ok(0));
        }
    }

    #[test]
    fn calls_at_once_have_a_connection_each_up_to_the_bound_and_wait_beyond_it() {
        let server = Server::up();
        let pool = server.pool(LONG);
        let mut numbers = at_once(&pool, MAX_OPEN);
        numbers.sort_unstable();
        assert_eq!(numbers, (0..MAX_OPEN).collect::<Vec<_>>());

        thread::scope(|scope| {
            for _ in 0..4 * MAX_OPEN {
                scope.spawn(|| {
                    for _ in 0..20 {
                        pool.run(|_, _| {
                            thread::yield_now();
                            Ok(())
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(server.opened.load(SeqCst), MAX_OPEN);
    }

    #[test]
    fn nobody_overtakes_who_waits() {
        let pool = Server::up().pool(LONG);
        let (filled, release) = (Barrier::new(MAX_OPEN), Barrier::new(MAX_OPEN));
        let served = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 1..MAX_OPEN {
                scope.spawn(|| {
                    pool.run(|_, _| {
                        filled.wait();
                        release.wait();
                        Ok(())
                    })
                });
            }
            let last_free = pool.run(|_, _| {
                filled.wait();
                scope.spawn(|| {
                    pool.run(|_, _| {
                        served.store(true, SeqCst);
                        Ok(())
                    })
                });
                while pool.shared.state.lock().waiting == 0 {
                    thread::yield_now();
                }
                Ok(())
            });
            assert_eq!(last_free, Ok(()));
            assert_eq!(pool.run(|_, _| Ok(served.load(SeqCst))), Ok(true));
            release.wait();
        });
    }

    #[test]
    fn who_gets_no_connection_in_time_is_told_so() {
        let pool = Server::up().pool(SHORT);
        let (filled, release) = (Barrier::new(MAX_OPEN + 1), Barrier::new(MAX_OPEN + 1));
        thread::scope(|scope| {
            for _ in 0..MAX_OPEN {
                scope.spawn(|| {
                    pool.run(|_, _| {
                        filled.wait();
                        release.wait();
                        Ok(())
                    })
                });
            }
            filled.wait();
            assert_eq!(number(&pool), Err("all connections are in use".to_owned()));
            release.wait();
        });
        assert!(number(&pool).is_ok());
    }

    #[test]
    fn while_the_server_is_away_calls_fail_at_once_and_its_return_is_noticed() {
        let server = Server::up();
        server.set_up(false);
        let pool = server.pool(LONG);
        let before = Instant::now();
        for _ in 0..10_000 {
            assert_eq!(number(&pool), Err("refused".to_owned()));
        }
        assert!(before.elapsed() < LONG / 2);

        server.set_up(true);
        while number(&pool).is_err() {
            assert!(before.elapsed() < LONG);
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_restart_that_nobody_was_in_the_way_of_costs_nothing() {
        let server = Server::up();
        let pool = server.pool(LONG);
        at_once(&pool, 8);
        server.set_up(true);
        assert_eq!(number(&pool), Ok(8));
        assert_eq!(pool.shared.state.lock().open, 1);
    }

    #[test]
    fn a_broken_connection_takes_those_not_used_since_with_it() {
        let pool = Server::up().pool(LONG);
        at_once(&pool, 8);
        let broken = pool.run(|connection, _| -> Result<(), _> {
            let number = connection.number;
            Err(Trouble::Lost(Failure::new(number.to_string())))
        });
        assert!(broken.is_err());
        assert_eq!(number(&pool), Ok(8));

        let breaks = Barrier::new(2);
        thread::scope(|scope| {
            let breaking = scope.spawn(|| {
                pool.run(|_, _| -> Result<(), _> {
                    breaks.wait();
                    Err(Trouble::Lost(Failure::new("reset")))
                })
            });
            while pool.shared.state.lock().idle.len() == 1 {
                thread::yield_now();
            }
            assert_eq!(number(&pool), Ok(9), "opened as the other is in use");
            breaks.wait();
            assert!(breaking.join().unwrap().is_err());
        });
        assert_eq!(
            number(&pool),
            Ok(9),
            "has answered since the other was asked"
        );
    }

    fn fall_silent(pool: &Pool<Numbered>, meanwhile: impl FnOnce()) {
        let outcome = pool.run(|_, _| -> Result<(), _> {
            meanwhile();
            Err(Trouble::Silent(Failure::new("silence")))
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn an_overdue_answer_means_that_the_server_is_away_unless_it_answered_others() {
        let server = Server::up();
        let pool = server.pool(LONG);
        assert_eq!(number(&pool), Ok(0));
        fall_silent(&pool, || assert_eq!(number(&pool), Ok(1)));
        assert_eq!(number(&pool), Ok(1));

        server.up.store(false, SeqCst);
        fall_silent(&pool, || ());
        let reason = number(&pool).unwrap_err();
        assert!(
            ["silence", "refused"].contains(&reason.as_str()),
            "{reason}"
        );
    }

    #[test]
    fn an_attempt_that_hangs_holds_nobody_beyond_the_timeout_and_then_nobody_at_all() {
        let pool = Pool::start(SHORT, |_| -> Result<Numbered, _> {
            thread::sleep(LONG * 20);
            Err(Failure::new("never"))
        });
        let pool = pool.unwrap();
        let before = Instant::now();
        for _ in 0..10_000 {
            assert_eq!(number(&pool), Err("no connection in time".to_owned()));
        }
        assert!((SHORT..LONG / 2).contains(&before.elapsed()));
    }

    #[test]
    fn a_panic_costs_its_connection_only() {
        let pool = Server::up().pool(LONG);
        let panicking = || pool.run(|_, _| -> Result<(), _> { panic!("as the test wants") });
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking));
        assert!(panicked.is_err());
        assert_eq!(number(&pool), Ok(1));
        assert_eq!(pool.shared.state.lock().open, 1);
    }

    #[test]
    fn the_thread_ends_with_the_pool() {
        for up in [true, false] {
            let server = Server::up();
            server.set_up(up);
            let pool = server.pool(LONG);
            let _ = number(&pool);
            let shared = Arc::downgrade(&pool.shared);
            drop(pool);
            let before = Instant::now();
            while shared.strong_count() > 0 {
                assert!(before.elapsed() < LONG);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
