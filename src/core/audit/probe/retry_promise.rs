//! When a blocked answer said that another request will be admitted, and when that is wrong.
//!
//! By RFC 9110, section 10.2.3, `Retry-After` is whole seconds or a date. It is *too early* if a request that was sent
//! later than the blocked one's done and that many seconds is blocked. It is *too late* if a request that was answered
//! more than a second before the blocked one's sent and that many seconds is admitted, since rounding up may add a
//! second; or if it is longer than the window, after which nothing counts any more. Both hold with the tolerance of
//! [`Terms`] to spare. A date is to the second, and so is the answer's `Date` that it is compared with, which servers keep
//! for a second: two more seconds. As a limiter may count the requests that it blocks, the last blocked answer counts.

use super::Reply;
use super::headers::{RetryAfter, stated};
use super::not_checked::NotChecked;
use super::report::{FaultKind, HeaderFault, ProbeReport, ProbeRequest, RemarkKind};
use crate::base::Nanos;
use crate::base::text::seconds;
use crate::core::audit::bounds::drift;
use crate::core::audit::observation::Decision;
use crate::core::audit::terms::Terms;

pub(super) const SECOND: Nanos = Nanos(1_000_000_000);
const MILLI: Nanos = Nanos(1_000_000);

/// How much further than necessary a request is kept from a promised instant, because a busy machine may be late.
pub(super) const MARGIN: Nanos = Nanos(20_000_000);

#[derive(Debug, Clone)]
pub(super) struct RetryPromise {
    pub key: u32,
    pub blocked: ProbeRequest,
    /// Counted from the decision on. A date counts from the answer's `Date`, which may be up to two seconds older: it has
    /// no fraction, and servers keep it for a second.
    pub seconds: u64,
    is_date: bool,
}

impl RetryPromise {
    /// Reads a blocked answer. Returns `None` if it promises nothing, which may be a fault of its own.
    pub fn of(key: u32, reply: &Reply, report: &mut ProbeReport) -> Option<RetryPromise> {
        let mut wrong = |kind, text| {
            report.retry_after_fault(fault(kind, key, vec![reply.request], text));
            None
        };
        let (seconds, is_date) = match &reply.headers.retry_after {
            Some(RetryAfter::Seconds(seconds)) => (*seconds, false),
            Some(RetryAfter::Date(Some(wait))) => (u64::try_from(*wait).unwrap_or(0), true),
            Some(RetryAfter::Date(None)) => {
                report.retry_after.why_not = NotChecked::NoDate;
                return None;
            }
            Some(RetryAfter::Malformed(text)) => {
                let text = format!(
                    "Retry-After was {text:?}, which is neither whole seconds nor an HTTP-date"
                );
                return wrong(FaultKind::Malformed, text);
            }
            Some(RetryAfter::UnixTime(time)) => {
                let text = format!(
                    "Retry-After was {}, which is {}, not seconds",
                    time.number(),
                    time.words()
                );
                return wrong(FaultKind::Malformed, text);
            }
            Some(RetryAfter::Negative(text)) => {
                let text = format!("Retry-After was {text}, which is negative");
                return wrong(FaultKind::Malformed, text);
            }
            // By RFC 6585, section 4, an answer with 429 may include the header, and need not.
            None => {
                let status = reply.status.unwrap_or(429);
                if status == 429 {
                    let text = "a request was blocked with 429 and no Retry-After".to_owned();
                    report.remark(RemarkKind::NoRetryAfter, text);
                }
                report.retry_after.why_not = NotChecked::NoRetryAfter(status);
                return None;
            }
        };
        Some(RetryPromise {
            key,
            blocked: reply.request,
            seconds,
            is_date,
        })
    }

    /// A request admitted before this was admitted more than a second before the promised instant.
    pub fn earliest(&self) -> Nanos {
        let rounded = SECOND * if self.is_date { 3 } else { 1 };
        (self.blocked.sent + SECOND * self.seconds).saturating_sub(rounded)
    }

    /// A request sent after this has to be admitted.
    pub fn latest(&self) -> Nanos {
        self.blocked.done + SECOND * self.seconds
    }

    /// The same instant, whatever the limiter's clocks do.
    pub fn surely_over(&self, terms: &Terms) -> Nanos {
        self.latest() + tolerance(terms) + MARGIN
    }

    /// When the request would be admitted if the number were in milliseconds.
    pub fn over_in_millis(&self, terms: &Terms) -> Nanos {
        self.blocked.done + (MILLI * self.seconds + tolerance(terms) + MARGIN)
    }

    pub fn is_longer_than(&self, window: Nanos) -> bool {
        let longest = window.0.div_ceil(SECOND.0) + 1 + u64::from(self.is_date);
        self.seconds > longest
    }

    /// Whether it may be a number of milliseconds up to the window.
    pub fn fits_as_millis(&self, terms: &Terms) -> bool {
        !self.is_date && MILLI * self.seconds <= terms.window + terms.tolerance()
    }

    pub fn words(&self) -> String {
        let seconds = stated(self.seconds);
        if self.is_date {
            format!("Retry-After was a date {seconds} s later")
        } else {
            format!("Retry-After was {seconds} s")
        }
    }

    /// How much later than the blocked request another was sent.
    pub fn later(&self, request: ProbeRequest) -> String {
        seconds(request.sent.saturating_sub(self.blocked.sent))
    }

    /// A request was blocked too late. `again` came a second later, if there was time for it.
    pub fn too_early(&self, blocked: ProbeRequest, again: Option<ProbeRequest>) -> HeaderFault {
        let mut text = format!(
            "{}, but a request {} later was blocked",
            self.words(),
            self.later(blocked)
        );
        let mut requests = vec![self.blocked, blocked];
        if let Some(again) = again {
            requests.push(again);
            text += if again.decision == Decision::Allowed {
                ", and one a second after that allowed: it looks rounded down"
            } else {
                ", and one a second after that too"
            };
        }
        fault(FaultKind::TooEarly, self.key, requests, text)
    }

    /// A request was allowed too early.
    pub fn too_late(&self, allowed: ProbeRequest) -> HeaderFault {
        let text = format!(
            "{}, but a request {} later was allowed",
            self.words(),
            self.later(allowed)
        );
        fault(
            FaultKind::TooLate,
            self.key,
            vec![self.blocked, allowed],
            text,
        )
    }

    /// `asked` was sent when it would have been admitted if the number were in milliseconds.
    pub fn longer_than_the_window(
        &self,
        terms: &Terms,
        asked: Option<ProbeRequest>,
    ) -> HeaderFault {
        let window = seconds(terms.window);
        let mut text = format!("{}, longer than the window of {window}", self.words());
        let mut kind = FaultKind::TooLate;
        let mut requests = vec![self.blocked];
        if let Some(asked) = asked {
            requests.push(asked);
            if asked.decision == Decision::Allowed {
                kind = FaultKind::WrongUnit;
                text += &format!(", and a request {} later was allowed", self.later(asked));
            }
        } else if self.fits_as_millis(terms) {
            kind = FaultKind::WrongUnit;
        }
        if kind == FaultKind::WrongUnit {
            text += ": it looks like milliseconds";
        }
        fault(kind, self.key, requests, text)
    }
}

/// A fault of the header that the first of these requests was answered with.
fn fault(kind: FaultKind, key: u32, requests: Vec<ProbeRequest>, text: String) -> HeaderFault {
    HeaderFault {
        kind,
        seen: 1,
        key,
        target: requests[0].target,
        requests,
        text,
    }
}

/// The tolerance over a promised time, which may be up to a second longer than the window.
pub(super) fn tolerance(terms: &Terms) -> Nanos {
    terms.tolerance() + drift(SECOND * 3)
}
