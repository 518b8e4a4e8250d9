//! The wait for the first target, before a run.
//!
//! A request would use up a part of some key's limit, and any path may be limited. So the target only gets a connection,
//! with https a TLS handshake on it. It must keep the connection open for a moment: a proxy in front of a node that does not
//! run yet accepts connections and closes them at once.

use super::connector::PoolingConnector;
use super::failure::{is_exhaustion, tls_reason};
use super::open_sockets::OpenSockets;
use super::{Connecting, Resolver, exchange};
use crate::base::{Moment, Nanos, Target};
use crate::core::request::Spelling;
use crate::system::Stop;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Error;

/// How long the target must keep a connection open.
const OPEN: Duration = Duration::from_millis(100);

/// The time from the end of one attempt to the next.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest time of one attempt.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The longest wait for the first lookups, so that a name is not called unknown before it was looked up.
const FIRST_LOOKUP: Duration = Duration::from_secs(1);

/// The interval at which an attempt is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The target did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// The reason of the last failed attempt.
    pub reason: String,
}

/// Whether a stop ended the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    Yes,
    No,
}

/// Waits at most for `longest` until the first target accepts a connection and keeps it open. `report` gets the reason
/// why it does not, whenever that changes.
pub(super) fn wait(
    targets: &[Target],
    resolver: &Arc<Resolver>,
    connecting: &Connecting,
    longest: Duration,
    stop: &Stop,
    mut report: impl FnMut(&str),
) -> Result<Stopped, NotReady> {
    let Some(first) = targets.first() else {
        return Ok(Stopped::No);
    };
    let deadline = Instant::now() + longest;
    resolver.any_resolved(longest.min(FIRST_LOOKUP), stop);
    let mut reason = "there was no time to connect".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if stop.is_requested() {
            return Ok(Stopped::Yes);
        }
        if left.is_zero() {
            return Err(NotReady { reason });
        }
        let open = Arc::new(OpenSockets::default());
        let connector = PoolingConnector::new(
            std::slice::from_ref(first),
            resolver.clone(),
            left.min(ATTEMPT),
            open.clone(),
            &Spelling::default(),
            connecting,
        );
        let attempt = || {
            let now = Moment::now();
            exchange::begin(0, true, now, now + Nanos::from(left.min(ATTEMPT)));
            connector
                .knock(&first.uri, OPEN)
                .map_err(|error| says(&error, connecting))
        };
        let result = thread::scope(|scope| {
            let attempt = scope.spawn(attempt);
            while !attempt.is_finished() {
                if stop.wait(LOOK) {
                    // Ends a connection attempt in progress.
                    open.shut_down();
                    break;
                }
            }
            attempt
                .join()
                .unwrap_or_else(|_| Err("the attempt panicked".to_owned()))
        });
        let Err(why) = result else {
            return Ok(Stopped::No);
        };
        if stop.is_requested() {
            return Ok(Stopped::Yes);
        }
        if why != reason {
            report(&why);
            reason = why;
        }
        stop.wait(PAUSE.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// The reason of a failed attempt.
fn says(error: &Error, connecting: &Connecting) -> String {
    let at = |text: &str| match exchange::current().address {
        Some(address) => format!("{}: {text}", address.text()),
        None => text.to_owned(),
    };
    match error {
        Error::HostNotFound => "its name has no address".to_owned(),
        Error::Timeout(_) => at("no answer"),
        Error::Io(error) if is_exhaustion(error) => error.to_string(),
        Error::Io(error) => at(&without_number(error)),
        Error::Rustls(_) => at(&format!("TLS: {}", tls_reason(error, connecting))),
        error => at(&error.to_string()),
    }
}

/// An error of the system without its number.
fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Trust;
    use std::net::{IpAddr, Ipv4Addr, TcpListener};
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LONG: Duration = Duration::from_secs(30);

    /// A service that has not started yet has no record in the name server of its network.
    #[test]
    fn a_name_without_an_address_is_waited_for_like_a_node_that_does_not_answer() {
        static STARTED: AtomicBool = AtomicBool::new(false);
        let node = TcpListener::bind((LOCALHOST, 0)).unwrap();
        let port = node.local_addr().unwrap().port();
        let targets = [Target::new(&format!("http://late:{port}")).unwrap()];
        let resolver = Resolver::start_with(&targets, |_| match STARTED.load(SeqCst) {
            true => Ok(vec![LOCALHOST]),
            false => Err(io::Error::other("no such name")),
        });
        let resolver = Arc::new(resolver.unwrap());
        let wait = |longest, report: &mut dyn FnMut(&str)| {
            let connecting = Connecting::trusting(Trust::PublicAuthorities);
            let stop = Stop::default();
            super::wait(&targets, &resolver, &connecting, longest, &stop, report)
        };
        let reason = "its name has no address".to_owned();
        let no_time = wait(Duration::from_millis(300), &mut |_| {});
        assert_eq!(
            no_time,
            Err(NotReady {
                reason: reason.clone()
            })
        );
        let mut reasons = Vec::new();
        let ready = wait(LONG, &mut |reason| {
            reasons.push(reason.to_owned());
            STARTED.store(true, SeqCst);
        });
        assert_eq!(ready, Ok(Stopped::No));
        assert_eq!(reasons, [reason]);
    }
}
