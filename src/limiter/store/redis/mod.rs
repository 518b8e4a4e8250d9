//! The store in Redis, which any number of nodes may share.
//!
//! | file | holds |
//! | --- | --- |
//! | `address.rs` | where Redis is: [`RedisAddress`] |
//! | `lookup.rs` | the addresses behind a name, however long the system takes |
//! | `connection.rs` | Redis's protocol over a socket, with a deadline |
//! | `pool.rs` | the connections, when Redis is away, and how it is found again |
//! | `failure.rs` | what went wrong, in words |
//! | `decide.lua` | what every algorithm's script is run in |

mod address;
mod connection;
mod failure;
mod lookup;
mod pool;
#[cfg(test)]
mod tests;

pub use address::{InvalidRedisAddress, RedisAddress};

use super::{Store, StoreError};
use crate::limiter::algorithm::AlgorithmKind;
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::{Clock, Micros, Timestamp};
use connection::Connection;
use failure::Failure;
use lookup::Lookup;
use pool::Pool;
use redis::{RedisResult, Script};
use std::io;
use std::time::Duration;

/// How much longer than its state counts a key is kept. The script knows what has expired, so a key kept for too long
/// costs memory only, while one that is gone too early forgives what it used; and Redis expires by whole milliseconds of
/// a clock that it reads before it runs a script.
const EXPIRY_MARGIN: Duration = Duration::from_secs(1);

/// The same where time is not the server's: longer than anything that is driven by a clock of its own stands still.
const VIRTUAL_EXPIRY_MARGIN: Duration = Duration::from_secs(60 * 60);

/// Whether Redis does what checks need.
const PROBE: &str = "redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1])";

/// Keys and their states in a Redis database, under one algorithm. Redis 6.2 or newer.
///
/// Each check is one script, run atomically on the server and by the server's clock: nodes agree whatever their own
/// clocks say, and however many they are. A key of Redis is named `ratelimiter:sliding-log:` and then the limiter's key,
/// with the name of the algorithm; nodes with different algorithms don't meet. It expires within two seconds of its
/// state's expiry.
///
/// Connections are opened in the background, up to 32, and reopened. While Redis is away, calls fail at once; its return
/// is noticed within two seconds. A check whose answer was lost is not repeated, as it may have been counted.
pub struct RedisStore {
    endpoint: String,
    pool: Pool<Connection>,
    script: Script,
    probe: Script,
    key_prefix: String,
    clock: Option<Box<dyn Clock>>,
}

impl RedisStore {
    /// Connects in the background; Redis need not be there yet. No call takes longer than `timeout`, but for the steps
    /// of the kernel's timers: a few milliseconds, or hundredths of a longer timeout.
    ///
    /// # Errors
    /// The system's, if it has no room for another thread.
    pub fn start(
        address: RedisAddress,
        algorithm: AlgorithmKind,
        timeout: Duration,
    ) -> io::Result<Self> {
        Self::start_with(address, algorithm, timeout, None)
    }

    /// The same with the time of `clock` instead of the server's, for tests and simulations. It is read before the
    /// script is sent, so the checks of one key are in the order of their time only if they are made one at a time. Keys
    /// expire an hour of real time later than they would.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_with_clock(
        address: RedisAddress,
        algorithm: AlgorithmKind,
        timeout: Duration,
        clock: impl Clock,
    ) -> io::Result<Self> {
        Self::start_with(address, algorithm, timeout, Some(Box::new(clock)))
    }

    fn start_with(
        address: RedisAddress,
        algorithm: AlgorithmKind,
        timeout: Duration,
        clock: Option<Box<dyn Clock>>,
    ) -> io::Result<Self> {
        let endpoint = address.endpoint();
        let lookup = Lookup::new(&address.host, address.port);
        let pool = Pool::start(timeout, move |deadline| {
            Connection::open(&address, &lookup, deadline)
        })?;
        let script = format!("{}\n{}", algorithm.script(), include_str!("decide.lua"));
        Ok(Self {
            endpoint,
            pool,
            script: Script::new(&script),
            probe: Script::new(PROBE),
            key_prefix: format!("ratelimiter:{algorithm}:"),
            clock,
        })
    }

    /// The decision, and when it was made.
    fn decide(&self, check: &Check) -> Result<(Decision, Timestamp), StoreError> {
        let margin = match self.clock {
            None => EXPIRY_MARGIN,
            Some(_) => VIRTUAL_EXPIRY_MARGIN,
        };
        let mut call = self.script.prepare_invoke();
        call.key([&self.key_prefix, check.key.as_str()].concat())
            .arg(check.limit.get())
            .arg(check.window.length().get())
            .arg(margin.as_millis() as u64);
        if let Some(clock) = &self.clock {
            call.arg(clock.now().as_micros());
        }
        // A server that was restarted has forgotten the script; it is sent then.
        let (allowed, remaining, reset, now): (bool, u32, u64, u64) =
            self.ask(|connection| call.invoke(connection))?;
        let reset = Micros::new(reset);
        let decision = match allowed {
            true => Decision::allow(check.limit, remaining, reset),
            false => Decision::block(check.limit, reset),
        };
        Ok((decision, Timestamp::from_micros(now)))
    }

    fn ask<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        self.pool
            .run(|connection, deadline| connection.ask(deadline, work))
            .map_err(|failure| self.error(&failure))
    }

    fn error(&self, failure: &Failure) -> StoreError {
        StoreError::new(format!("redis at {}: {failure}", self.endpoint))
    }
}

impl Store for RedisStore {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let (decision, _) = self.decide(check)?;
        Ok(decision)
    }

    /// Writes a key and deletes it, in one script: a Redis that is a replica, or has no memory left, answers a PING too.
    /// No check has this key, as a limiter's key is never empty.
    fn health(&self) -> Result<(), StoreError> {
        let call = self.probe.key(&self.key_prefix);
        self.ask(|connection| call.invoke(connection))
    }

    /// The number of keys in the whole database, whoever wrote them: each node gives the same.
    fn keys(&self) -> Result<u64, StoreError> {
        self.ask(|connection| redis::cmd("DBSIZE").query(connection))
    }
}
