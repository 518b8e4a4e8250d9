//! The header key after it was blocked: it waits for the promised time, is filled again, and so on.
//!
//! A limiter whose window is shorter than promised is full again too soon. The audit judges these requests as it judges
//! those of any key.

use super::fill::Blocked;
use super::keep_asking::emptied;
use super::retry_promise::RetryPromise;
use super::wait::{Wait, Waited};
use super::{HeaderFault, ProbeReport, Reply, decided, quarter};
use crate::base::Nanos;
use crate::core::audit::terms::Terms;

/// The most times that the key is filled again.
const MOST_REFILLS: u64 = 3;

/// The least time between two requests.
const LEAST_APART: Nanos = Nanos(1_000_000);

#[derive(Debug)]
pub(super) struct HeaderKey {
    key: u32,
    /// The first request's sent.
    since: Nanos,
    refills: u64,
    /// Whether a request was admitted again.
    pub readmitted: bool,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Wait(Box<Wait>),
    Refill(Refill),
}

/// One request after the other, to the targets in turn, until one is blocked.
#[derive(Debug)]
struct Refill {
    /// When the next request is due.
    at: Nanos,
    asked: u64,
    /// The first request's sent.
    since: Option<Nanos>,
}

impl HeaderKey {
    /// Begins with a blocked request.
    pub fn new(key: u32, blocked: Blocked, terms: &Terms) -> HeaderKey {
        HeaderKey {
            key,
            since: blocked.since,
            refills: 0,
            readmitted: false,
            step: match blocked.wait {
                Some(wait) => Step::Wait(Box::new(wait)),
                None => Step::Refill(Refill::at(emptied(blocked.last_admitted, terms))),
            },
        }
    }

    pub fn at(&self) -> Nanos {
        match &self.step {
            Step::Wait(wait) => wait.at,
            Step::Refill(refill) => refill.at,
        }
    }

    pub fn target(&self, terms: &Terms) -> usize {
        match &self.step {
            Step::Wait(wait) => wait.target(),
            Step::Refill(refill) => (refill.asked % terms.targets as u64) as usize,
        }
    }

    /// When the request is due that decides about the promise, or the next one.
    pub fn settled_at(&self, terms: &Terms) -> Nanos {
        match &self.step {
            Step::Wait(wait) => wait.settled_at(terms),
            Step::Refill(refill) => refill.at,
        }
    }

    /// A fault that is known already, though not its size.
    pub fn unconfirmed(&self, terms: &Terms) -> Option<HeaderFault> {
        match &self.step {
            Step::Wait(wait) => wait.unconfirmed(terms),
            Step::Refill(_) => None,
        }
    }

    /// Takes one reply. Returns the key if it has more to ask, and whether a request of it was admitted again.
    pub fn answered(
        mut self,
        reply: &Reply,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> (Option<HeaderKey>, bool) {
        // A window as short as that is over once more within the time that was promised.
        let elapsed = reply.request.done.saturating_sub(self.since);
        let is_early = elapsed < Nanos(terms.window.0 / 4 * 3);
        let next = match self.step {
            Step::Wait(wait) => match wait.answered(reply, terms, report) {
                Waited::More(wait) => Some(Step::Wait(Box::new(wait))),
                Waited::Admitted => {
                    self.readmitted = true;
                    Some(Step::Refill(Refill::at(reply.request.done)))
                }
                Waited::Over => None,
            },
            Step::Refill(refill) => match refill.answered(reply, terms) {
                Refilled::More(refill) => {
                    self.readmitted = true;
                    Some(Step::Refill(refill))
                }
                Refilled::Full => {
                    self.refills += 1;
                    let goes_on = is_early && self.refills < MOST_REFILLS;
                    let promise = goes_on.then(|| RetryPromise::of(self.key, reply, report));
                    let counts = reply.headers.remaining(terms).is_some();
                    let wait = promise
                        .flatten()
                        .and_then(|promise| Wait::new(promise, None, counts, false, terms, report));
                    wait.map(Box::new).map(Step::Wait)
                }
                Refilled::Over => None,
            },
        };
        let readmitted = self.readmitted;
        let more = next.map(|step| HeaderKey { step, ..self });
        (more, readmitted)
    }
}

/// What a reply means for a key that is filled again.
enum Refilled {
    More(Refill),
    /// The last request was blocked.
    Full,
    /// A request failed, or none is blocked.
    Over,
}

impl Refill {
    fn at(at: Nanos) -> Refill {
        Refill {
            at,
            asked: 0,
            since: None,
        }
    }

    fn answered(mut self, reply: &Reply, terms: &Terms) -> Refilled {
        let request = reply.request;
        let since = *self.since.get_or_insert(request.sent);
        match decided(reply, terms, false) {
            Ok(true) => {}
            Ok(false) => return Refilled::Full,
            Err(_) => return Refilled::Over,
        }
        self.asked += 1;
        let most = terms
            .limit
            .saturating_add(1)
            .saturating_mul(terms.targets as u64);
        if self.asked >= most || request.done.saturating_sub(since) > quarter(terms) {
            return Refilled::Over;
        }
        self.at = request.done.max(request.sent + LEAST_APART);
        Refilled::More(self)
    }
}
