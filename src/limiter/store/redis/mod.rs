//! The store in Redis, which any number of nodes may share.

mod address;
mod connection;
mod lookup;
mod pool;
#[cfg(test)]
mod tests;

pub use address::{InvalidRedisAddress, RedisAddress};

use super::{Store, StoreError};
use crate::limiter::algorithm::Algorithm;
use crate::limiter::check::{Check, Decision};
use crate::limiter::clock::{Clock, Micros, Timestamp};
use connection::{Connection, Failure};
use lookup::Lookup;
use pool::Pool;
use redis::{RedisConnectionInfo, RedisResult, Script};
use std::io;
use std::time::{Duration, Instant};

/// A key expires this much later than its state does. The script knows which state has expired, so a key that is kept
/// for too long only costs memory, while one that expires too early forgives what was used. Redis expires keys by whole
/// milliseconds, and by a clock that it reads before it runs a script.
const EXPIRY_MARGIN: Duration = Duration::from_secs(1);

/// The margin with a clock of the caller's own, which may stand still for longer than a second of real time.
const OWN_CLOCK_EXPIRY_MARGIN: Duration = Duration::from_secs(60 * 60);

/// Writes a key and deletes it. A Redis that is a replica or has no memory left answers a PING, but not this.
const PROBE: &str = "redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1])";

/// Keys and their states in a Redis database, under one algorithm. It needs Redis 6.2 or newer.
///
/// Each check is one script. Redis runs it atomically and by the server's clock, so all nodes agree, whatever their own
/// clocks show. A key of Redis is named `ratelimiter:`, the algorithm's name, `:` and the limiter's key, so nodes with
/// different algorithms do not affect each other. It expires within two seconds of its state.
///
/// Up to 32 connections are opened in the background. While Redis is away, calls fail at once; its return is noticed
/// within two seconds. A check whose answer was lost is not repeated, since it may have been counted.
pub struct RedisStore {
    endpoint: String,
    pool: Pool,
    script: Script,
    probe: Script,
    key_prefix: String,
    clock: Option<Box<dyn Clock>>,
}

impl RedisStore {
    /// Connects in the background; Redis need not be there yet. No call takes longer than `timeout`, but for the
    /// granularity of the kernel's timers: a few milliseconds, or hundredths of a longer timeout.
    ///
    /// # Errors
    /// The system can't start another thread.
    pub fn start(
        address: &RedisAddress,
        algorithm: Algorithm,
        timeout: Duration,
    ) -> io::Result<Self> {
        let (login, mut lookup) = (address.login.clone(), Lookup::new(address));
        let pool = Pool::start(timeout, move |deadline| {
            connect(&mut lookup, &login, deadline)
        })?;
        let script = format!("{}\n{}", algorithm.script, include_str!("decide.lua"));
        Ok(Self {
            endpoint: address.endpoint(),
            pool,
            script: Script::new(&script),
            probe: Script::new(PROBE),
            key_prefix: format!("ratelimiter:{algorithm}:"),
            clock: None,
        })
    }

    /// The same store with the time of `clock` instead of the server's, for tests and simulations. The clock is read
    /// before the script is sent, so the checks of one key are in the order of their time only if they are made one at
    /// a time. Keys are kept for another hour.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// The decision, and when it was made.
    fn decide(&self, check: &Check) -> Result<(Decision, Timestamp), StoreError> {
        let margin = match self.clock {
            None => EXPIRY_MARGIN,
            Some(_) => OWN_CLOCK_EXPIRY_MARGIN,
        };
        let mut script = self.script.prepare_invoke();
        script
            .key([&self.key_prefix, check.key.as_str()].concat())
            .arg(check.limit.get())
            .arg(check.window.length().get())
            .arg(margin.as_millis() as u64);
        if let Some(clock) = &self.clock {
            script.arg(clock.now().as_micros());
        }
        // Only a server that does not know the script yet is sent its text.
        let (allowed, remaining, reset, now): (bool, u32, u64, u64) =
            self.call(|connection| script.invoke(connection))?;
        let reset = Micros::new(reset);
        let decision = if allowed {
            Decision::allow(check.limit, remaining, reset)
        } else {
            Decision::block(check.limit, reset)
        };
        Ok((decision, Timestamp::from_micros(now)))
    }

    fn call<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        self.pool
            .run(|connection, deadline| connection.call(deadline, work))
            .map_err(|failure| StoreError::new(format!("redis at {}: {failure}", self.endpoint)))
    }
}

/// Connects to the first of the host's addresses that answers.
fn connect(
    lookup: &mut Lookup,
    login: &RedisConnectionInfo,
    deadline: Instant,
) -> Result<Connection, Failure> {
    let addresses = lookup.addresses(deadline)?;
    let mut failure = Failure::new("its name has no address");
    for (tried, &address) in addresses.iter().enumerate() {
        // The remaining time is shared among the remaining addresses, so a silent one leaves time for the others.
        let left = deadline.saturating_duration_since(Instant::now());
        let until = Instant::now() + left / (addresses.len() - tried) as u32;
        match Connection::open(address, login, until) {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl Store for RedisStore {
    fn check(&self, check: &Check) -> Result<Decision, StoreError> {
        let (decision, _) = self.decide(check)?;
        Ok(decision)
    }

    /// No check uses the probe's key, since a limiter's key is never empty.
    fn health(&self) -> Result<(), StoreError> {
        let probe = self.probe.key(&self.key_prefix);
        self.call(|connection| probe.invoke(connection))
    }

    /// Counts the keys of the whole database, including those of other programs, so each node reports the same number.
    fn keys(&self) -> Result<u64, StoreError> {
        self.call(|connection| redis::cmd("DBSIZE").query(connection))
    }
}
