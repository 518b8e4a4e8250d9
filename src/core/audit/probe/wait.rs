//! The header key, once a request was blocked.

use super::headers::{NoneLeft, stated};
use super::retry_promise::{MARGIN, RetryPromise, SECOND, tolerance};
use super::{HeaderFault, NotChecked, ProbeReport, ProbeRequest, RemarkKind, Reply, decided};
use crate::base::Nanos;
use crate::base::text;
use crate::core::audit::observation::Decision;
use crate::core::audit::terms::Terms;

#[derive(Debug)]
pub(super) struct Wait {
    step: Step,
    /// When the next request is due.
    pub at: Nanos,
    promise: RetryPromise,
    reset: Option<Reset>,
    /// Whether answers say how many requests remain.
    counts: bool,
}

/// What a reply means for the key.
pub(super) enum Waited {
    More(Wait),
    /// The promise has been compared, and the last request was admitted.
    Admitted,
    /// The last request was blocked, or shows nothing.
    Over,
}

impl Waited {
    fn ended(admitted: bool) -> Waited {
        if admitted {
            Waited::Admitted
        } else {
            Waited::Over
        }
    }
}

/// The next request of the key.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It is sent shortly before it may be admitted.
    Before,
    /// It is sent shortly after it has to be admitted.
    After,
    /// It is sent a second after this one, which should not have been blocked.
    Again(ProbeRequest),
    /// It is sent when it would be admitted if the header were in milliseconds.
    AsMillis,
}

/// An answer in which a header said that nothing remains for some time, and `Retry-After` named another time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reset {
    pub blocked: ProbeRequest,
    pub none: NoneLeft,
}

impl Wait {
    /// Plans the request that may not be admitted yet, if `before` is true. If there is no time for one, plans the one
    /// that has to be admitted. Returns `None` if the promise is already known to be wrong.
    pub fn new(
        promise: RetryPromise,
        reset: Option<Reset>,
        counts: bool,
        before: bool,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Wait> {
        let (step, at) = if promise.is_longer_than(terms.window) {
            if !promise.fits_as_millis(terms) {
                report.retry_after_fault(promise.longer_than_the_window(terms, None));
                return None;
            }
            (Step::AsMillis, promise.over_in_millis(terms))
        } else {
            let earliest = promise.earliest().checked_sub(tolerance(terms) + MARGIN);
            match earliest.filter(|at| before && *at > promise.blocked.done) {
                Some(at) => (Step::Before, at),
                None => (Step::After, promise.surely_over(terms)),
            }
        };
        Some(Wait {
            step,
            at,
            promise,
            reset,
            counts,
        })
    }

    pub fn target(&self) -> usize {
        self.promise.blocked.target
    }

    /// When the request is due that shows whether the promise is true.
    pub fn settled_at(&self, terms: &Terms) -> Nanos {
        match self.step {
            Step::Before => self.promise.surely_over(terms),
            Step::After | Step::Again(_) | Step::AsMillis => self.at,
        }
    }

    /// A fault that is known already, though not its size.
    pub fn unconfirmed(&self, terms: &Terms) -> Option<HeaderFault> {
        match self.step {
            Step::Before | Step::After => None,
            Step::Again(blocked) => Some(self.promise.too_early(blocked, None)),
            Step::AsMillis => Some(self.promise.longer_than_the_window(terms, None)),
        }
    }

    /// Takes one reply.
    pub fn answered(mut self, reply: &Reply, terms: &Terms, report: &mut ProbeReport) -> Waited {
        let request = reply.request;
        let is_allowed = match decided(reply, terms, self.counts) {
            Ok(is_allowed) => is_allowed,
            Err(why) => {
                report.retry_after.why_not = why;
                return Waited::Over;
            }
        };
        self.check_reset(request, terms, report);
        match self.step {
            Step::Before if is_allowed => {
                if request.done + tolerance(terms) < self.promise.earliest() {
                    report.retry_after_fault(self.promise.too_late(request));
                } else {
                    report.retry_after.why_not = NotChecked::Late;
                }
                Waited::Admitted
            }
            Step::Before => {
                let wait = self.blocked_before(reply, terms, report);
                wait.map_or(Waited::Over, Waited::More)
            }
            Step::After if is_allowed => {
                report.retry_after.times += 1;
                if self.promise.seconds == 0 {
                    let later = self.promise.later(request);
                    report.remark(
                        RemarkKind::Zero,
                        format!("Retry-After was 0 s, and a request {later} later was allowed"),
                    );
                }
                Waited::Admitted
            }
            Step::After => {
                self.step = Step::Again(request);
                self.at = request.done + SECOND;
                Waited::More(self)
            }
            Step::Again(blocked) => {
                report.retry_after_fault(self.promise.too_early(blocked, Some(request)));
                Waited::ended(is_allowed)
            }
            Step::AsMillis => {
                let fault = self.promise.longer_than_the_window(terms, Some(request));
                report.retry_after_fault(fault);
                Waited::ended(is_allowed)
            }
        }
    }

    /// The request that may not be admitted yet was blocked, and may have been promised another time.
    fn blocked_before(
        mut self,
        reply: &Reply,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Wait> {
        if let Some(promise) = RetryPromise::of(self.promise.key, reply, report)
            && promise.latest() > self.promise.latest()
        {
            if promise.is_longer_than(terms.window) {
                return Wait::new(promise, self.reset, self.counts, true, terms, report);
            }
            self.promise = promise;
        }
        self.step = Step::After;
        self.at = self.promise.surely_over(terms);
        Some(self)
    }

    /// Checks whether requests are admitted from the time on that `RateLimit` or a reset header said. By
    /// draft-ietf-httpapi-ratelimit-headers-11 `RateLimit`'s `t` does not promise that (8.4), so that this is only a
    /// remark.
    fn check_reset(&self, request: ProbeRequest, terms: &Terms, report: &mut ProbeReport) {
        let Some(Reset { blocked, none }) = self.reset else {
            return;
        };
        let NoneLeft {
            seconds, header, ..
        } = none;
        let tolerance = tolerance(terms);
        let latest = blocked.done + SECOND * seconds + tolerance;
        let rounded = SECOND * if none.is_instant { 3 } else { 1 };
        let earliest = (blocked.sent + SECOND * seconds).saturating_sub(rounded + tolerance);
        let came = match request.decision {
            Decision::Blocked if request.sent > latest => "blocked",
            Decision::Allowed if request.done < earliest => "allowed",
            _ => return,
        };
        let later = text::seconds(request.sent.saturating_sub(blocked.sent));
        report.remark(
            RemarkKind::Reset,
            format!(
                "{header} reported none remaining for {} s, but a request {later} later was {came}",
                stated(seconds)
            ),
        );
    }
}
