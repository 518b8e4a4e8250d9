//! The header key, until a request is blocked.

use super::headers::{NoneLeft, stated};
use super::remaining::Remaining;
use super::retry_promise::RetryPromise;
use super::wait::{Reset, Wait};
use super::{
    FaultKind, HeaderFault, NotChecked, ProbeReport, ProbeRequest, RemarkKind, Reply, decided,
    quarter,
};
use crate::base::Nanos;
use crate::base::text::seconds;
use crate::core::audit::observation::Decision;
use crate::core::audit::terms::Terms;

/// The least time between two requests.
const LEAST_APART: Nanos = Nanos(1_000_000);

#[derive(Debug)]
pub(super) struct Fill {
    key: u32,
    asked: u64,
    /// How many requests may be admitted before the key is given up.
    most: u64,
    targets: u64,
    apart: Nanos,
    /// When the next request is due.
    pub at: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
    counted: Remaining,
    first_admitted: Option<ProbeRequest>,
    /// The done of the last admitted request.
    last_admitted: Nanos,
    /// The number of requests that remain by the last answer.
    left: Option<u64>,
}

/// What a reply means for the key.
pub(super) enum Filled {
    More(Box<Fill>),
    Blocked(Blocked),
    /// A request failed, or none is blocked.
    GivenUp,
}

/// The key once a request was blocked.
pub(super) struct Blocked {
    /// The first request's sent.
    pub since: Nanos,
    /// The done of the last admitted request.
    pub last_admitted: Nanos,
    /// `None` if the blocked answer does not say when another request will be admitted.
    pub wait: Option<Wait>,
}

impl Fill {
    pub fn new(key: u32, terms: &Terms, at: Nanos) -> Fill {
        let targets = terms.targets as u64;
        let most = terms.limit.saturating_add(1).saturating_mul(targets);
        // Slow enough that a window's end, which is known within the tolerance, explains only a part of a few claims.
        let all = (terms.tolerance() * 8).min(Nanos(terms.window.0 / 8));
        Fill {
            key,
            asked: 0,
            most,
            targets,
            apart: Nanos(all.0 / most).max(LEAST_APART),
            at,
            since: None,
            counted: Remaining::new(terms),
            first_admitted: None,
            last_admitted: at,
            left: None,
        }
    }

    pub fn target(&self) -> usize {
        (self.asked % self.targets) as usize
    }

    /// Takes one reply.
    pub fn answered(
        mut self: Box<Self>,
        reply: &Reply,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Filled {
        let request = reply.request;
        self.asked += 1;
        let since = *self.since.get_or_insert(request.sent);
        let admitted = match decided(reply, terms, false) {
            Ok(admitted) => admitted,
            Err(why) => {
                if self.counted.is_empty() {
                    report.remaining.why_not = why.clone();
                }
                report.retry_after.why_not = why;
                return Filled::GivenUp;
            }
        };
        check_policies(reply, terms, report);
        if !admitted {
            return Filled::Blocked(Blocked {
                since,
                last_admitted: self.last_admitted,
                wait: self.blocked(reply, terms, report),
            });
        }
        self.last_admitted = request.done;
        self.check_remaining(reply, terms, report);
        let took = request.done.saturating_sub(since);
        if self.asked >= self.most || took > quarter(terms) {
            report.retry_after.why_not = NotChecked::NeverBlocked;
            return Filled::GivenUp;
        }
        self.at = request.done.max(request.sent + self.apart);
        Filled::More(self)
    }

    /// Takes the first blocked answer. Returns `None` if it does not say when another request will be admitted.
    fn blocked(&self, reply: &Reply, terms: &Terms, report: &mut ProbeReport) -> Option<Wait> {
        let left = reply.headers.remaining(terms);
        if let Some(left) = self.left.filter(|left| *left > 0)
            && reply.headers.remaining_of_all().is_none()
        {
            report.remark(
                RemarkKind::BlockedWithRemaining,
                format!(
                    "a request was blocked although the answer before it reported {} remaining",
                    stated(left)
                ),
            );
        }
        let promise = RetryPromise::of(self.key, reply, report)?;
        let none = reply.headers.none_left(terms);
        let is_before = |none: &NoneLeft| !none.is_instant && promise.seconds < none.seconds;
        if let Some(none) = none.filter(is_before) {
            report.remark(
                RemarkKind::BeforeReset,
                format!(
                    "{}, less than the {} s for which {} reported none remaining",
                    promise.words(),
                    none.seconds,
                    none.header
                ),
            );
        }
        let none = none.filter(|none| none.seconds != promise.seconds);
        let reset = none.map(|none| Reset {
            blocked: reply.request,
            none,
        });
        let counts = left.is_some() || !self.counted.is_empty();
        Wait::new(promise, reset, counts, true, terms, report)
    }

    /// Checks the number of requests that remain by an admitted request's answer.
    fn check_remaining(&mut self, reply: &Reply, terms: &Terms, report: &mut ProbeReport) {
        let request = reply.request;
        let first = *self.first_admitted.get_or_insert(request);
        self.left = reply.headers.remaining(terms);
        let Some(left) = self.left else {
            report.remaining.why_not = NotChecked::NotSaid;
            return;
        };
        if self.counted.is_contradicted() {
            return;
        }
        report.remaining.times += 1;
        let Err(claim) = self.counted.claim(&request, reply.address, left) else {
            return;
        };
        let mut text = format!(
            "an answer reported {} of {} requests remaining after {} had been admitted within {}",
            stated(left),
            terms.limit,
            claim.admitted,
            seconds(claim.within)
        );
        if claim.alone {
            text += "; each node's answers fit its own admissions";
        }
        report.fault(HeaderFault {
            kind: FaultKind::Remaining,
            seen: 1,
            key: self.key,
            target: request.target,
            requests: vec![first, request],
            text,
        });
    }
}

/// Makes remarks on an answer's statements about the limit.
fn check_policies(reply: &Reply, terms: &Terms, report: &mut ProbeReport) {
    let Terms { limit, window, .. } = *terms;
    let headers = &reply.headers;
    if let Some(other) = headers.other_policies(limit, window) {
        let asked = seconds(window);
        report.remark(
            RemarkKind::OtherPolicy,
            format!("the reported limit is {other}, not {limit} per {asked}"),
        );
    }
    if let Some(reset) = &headers.reset {
        report.remark(RemarkKind::ResetUnit, reset.words());
    }
    if let Some(left) = headers.remaining_of_all()
        && reply.request.decision == Decision::Blocked
    {
        let status = reply
            .status
            .map_or(String::new(), |status| format!(" with {status}"));
        report.remark(
            RemarkKind::BlockedWithRemaining,
            format!(
                "a request was blocked{status} although its own answer reported {} remaining",
                stated(left)
            ),
        );
    }
    if let Some(unknown) = headers.unknown.first() {
        report.remark(
            RemarkKind::UnknownForm,
            format!("{unknown:?} has no known form, and was ignored"),
        );
    }
}
