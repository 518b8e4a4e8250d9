//! The key of which answers' headers are held against what comes.

use super::remaining::Remaining;
use super::{
    FaultKind, HeaderFault, LimitHeaders, NotChecked, Probe, ProbeRequest, RemarkKind, Reply,
    RetryAfter, Stage,
};
use crate::base::Nanos;
use crate::core::audit::terms::drift;
use crate::core::audit::{Decision, Terms};

const SECOND: Nanos = Nanos(1_000_000_000);
const MILLI: Nanos = Nanos(1_000_000);

/// How much further than it must be a request is sent from a promised instant: what a busy machine may be late by.
const MARGIN: Nanos = Nanos(20_000_000);

/// Until a request is blocked.
#[derive(Debug)]
pub(super) struct Fill {
    asked: u64,
    /// Of requests that all are admitted, before it is given up.
    most: u64,
    targets: u64,
    apart: Nanos,
    at: Nanos,
    since: Option<Nanos>,
    counted: Remaining,
    /// The first and the last that were admitted.
    admitted: Option<(ProbeRequest, ProbeRequest)>,
    /// What the last answer said to remain.
    left: Option<u64>,
}

/// Once a request was blocked.
#[derive(Debug)]
pub(super) struct Wait {
    step: Step,
    at: Nanos,
    promise: Promise,
    /// The answer in which `RateLimit` said that nothing remains, and for how many seconds, where `Retry-After` said
    /// something else.
    reset: Option<(ProbeRequest, u64)>,
    /// Whether answers say what remains.
    counted: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Shortly before it may be admitted.
    Before,
    /// Shortly after it has to be.
    After,
    /// A second after the one that was blocked though it should not have been.
    Again(ProbeRequest),
    /// When it would be admitted if the header were in milliseconds.
    AsMillis,
}

/// What a blocked request was told: when another will be admitted.
#[derive(Debug, Clone)]
struct Promise {
    blocked: ProbeRequest,
    /// The header as it was.
    header: String,
    /// From the decision on; of a date from the answer's `Date`, which is that of up to two seconds before: it has no
    /// fraction, and servers keep it for a second.
    seconds: u64,
    is_date: bool,
}

impl Fill {
    pub fn new(terms: &Terms, at: Nanos) -> Fill {
        let targets = terms.targets as u64;
        let most = terms.limit.saturating_add(1).saturating_mul(targets);
        // Slow enough that a window's end, which is known within the tolerance, explains only a part of a few claims.
        let all = (terms.tolerance() * 8).min(Nanos(terms.window.0 / 8));
        Fill {
            asked: 0,
            most,
            targets,
            apart: Nanos(all.0 / most).max(MILLI),
            at,
            since: None,
            counted: Remaining::new(terms),
            admitted: None,
            left: None,
        }
    }

    pub fn target(&self) -> usize {
        (self.asked % self.targets) as usize
    }

    pub fn at(&self) -> Nanos {
        self.at
    }
}

impl Wait {
    pub fn target(&self) -> usize {
        self.promise.blocked.target
    }

    pub fn at(&self) -> Nanos {
        self.at
    }

    /// When the request is due that tells whether what was promised is true.
    pub fn settled_at(&self, terms: &Terms) -> Nanos {
        match self.step {
            Step::Before => self.promise.surely_after(terms),
            Step::After | Step::Again(_) | Step::AsMillis => self.at,
        }
    }

    /// What is known to be wrong already, though not by how much.
    pub fn unconfirmed(&self, terms: &Terms) -> Option<HeaderFault> {
        match self.step {
            Step::Before | Step::After => None,
            Step::Again(blocked) => Some(self.promise.too_early(blocked, None)),
            Step::AsMillis => Some(self.promise.longer_than_the_window(terms, None)),
        }
    }

    /// The request that may not be admitted yet, or where there is no time for one, the one that has to be.
    fn new(
        promise: Promise,
        reset: Option<(ProbeRequest, u64)>,
        counted: bool,
        terms: &Terms,
    ) -> Wait {
        let before = promise
            .before()
            .checked_sub(tolerance(terms) + MARGIN)
            .filter(|before| *before > promise.blocked.done);
        let (step, at) = match before {
            Some(before) => (Step::Before, before),
            None => (Step::After, promise.surely_after(terms)),
        };
        Wait {
            step,
            at,
            promise,
            reset,
            counted,
        }
    }
}

impl Promise {
    /// What is admitted before this was admitted more than a second before it was promised.
    fn before(&self) -> Nanos {
        let rounded = SECOND * (1 + 2 * u64::from(self.is_date));
        (self.blocked.sent + SECOND * self.seconds).saturating_sub(rounded)
    }

    /// What is sent after this has to be admitted.
    fn after(&self) -> Nanos {
        self.blocked.done + SECOND * self.seconds
    }

    /// The same, whatever the clocks.
    fn surely_after(&self, terms: &Terms) -> Nanos {
        self.after() + tolerance(terms) + MARGIN
    }

    fn is_longer_than(&self, window: Nanos) -> bool {
        let longest = window.0.div_ceil(SECOND.0) + 1 + u64::from(self.is_date);
        self.seconds > longest
    }

    /// Whether it may be a number of milliseconds up to the window.
    fn fits_as_millis(&self, terms: &Terms) -> bool {
        !self.is_date && MILLI * self.seconds <= terms.window + terms.tolerance()
    }

    fn said(&self) -> String {
        match self.is_date {
            true => format!("Retry-After said a date {} s later", self.seconds),
            false => format!("Retry-After said {} s", self.seconds),
        }
    }

    /// How much later than the blocked request another was sent.
    fn later(&self, request: ProbeRequest) -> String {
        seconds(request.sent.saturating_sub(self.blocked.sent))
    }

    /// `again` came a second after `blocked`.
    fn too_early(&self, blocked: ProbeRequest, again: Option<ProbeRequest>) -> HeaderFault {
        let (said, later) = (self.said(), self.later(blocked));
        let text = format!("{said}, but a request {later} later was blocked");
        let text = match again.map(|again| again.decision) {
            Some(Decision::Allowed) => {
                format!("{text}, and one a second after that allowed: it looks rounded down")
            }
            Some(_) => format!("{text}, and one a second after that too"),
            None => text,
        };
        let requests = [Some(self.blocked), Some(blocked), again];
        self.finding(FaultKind::TooEarly, requests.into_iter().flatten(), text)
    }

    fn too_late(&self, allowed: ProbeRequest) -> HeaderFault {
        let (said, later) = (self.said(), self.later(allowed));
        let text = format!("{said}, but a request {later} later was allowed");
        self.finding(FaultKind::TooLate, [self.blocked, allowed], text)
    }

    /// `asked` came when it would have been admitted if it were in milliseconds.
    fn longer_than_the_window(&self, terms: &Terms, asked: Option<ProbeRequest>) -> HeaderFault {
        let (said, window) = (self.said(), seconds(terms.window));
        let text = format!("{said}, longer than the window of {window}");
        let (kind, text) = match asked {
            Some(asked) if asked.decision == Decision::Allowed => {
                let later = self.later(asked);
                let text = format!(
                    "{text}, and a request {later} later was allowed: it looks like milliseconds"
                );
                (FaultKind::WrongUnit, text)
            }
            None if self.fits_as_millis(terms) => {
                (FaultKind::WrongUnit, text + ": it looks like milliseconds")
            }
            _ => (FaultKind::TooLate, text),
        };
        let requests = [Some(self.blocked), asked];
        self.finding(kind, requests.into_iter().flatten(), text)
    }

    fn finding(
        &self,
        kind: FaultKind,
        requests: impl IntoIterator<Item = ProbeRequest>,
        text: String,
    ) -> HeaderFault {
        HeaderFault {
            kind,
            seen: 1,
            key: 0,
            header: self.header.clone(),
            target: self.blocked.target,
            requests: requests.into_iter().collect(),
            text,
        }
    }
}

impl Probe {
    /// `None` if the key is given up.
    pub(super) fn filling(&mut self, mut fill: Fill, reply: &Reply) -> Option<Stage> {
        let request = reply.request;
        fill.asked += 1;
        let since = *fill.since.get_or_insert(request.sent);
        if !matches!(request.decision, Decision::Allowed | Decision::Blocked) {
            if fill.counted.is_empty() {
                self.remaining.why = failure(reply);
            }
            self.retry_after.why = failure(reply);
            return None;
        }
        self.look_at_policies(&reply.headers);
        if request.decision == Decision::Blocked {
            return self.blocked(&fill, reply).map(Stage::wait);
        }
        self.claimed(&mut fill, reply);
        let took = request.done.saturating_sub(since);
        if fill.asked >= fill.most || took > self.quarter() {
            self.retry_after.why = NotChecked::NeverBlocked;
            return None;
        }
        fill.at = request.done.max(request.sent + fill.apart);
        Some(Stage::Fill(Box::new(fill)))
    }

    /// `None` if the key is done with.
    pub(super) fn waiting(&mut self, mut wait: Wait, reply: &Reply) -> Option<Wait> {
        let request = reply.request;
        let allowed = match request.decision {
            Decision::Allowed => true,
            Decision::Blocked => false,
            Decision::Failed | Decision::Unanswered => {
                self.retry_after.why = failure(reply);
                return None;
            }
        };
        if allowed && wait.counted && self.left(&reply.headers).is_none() {
            // So answers a node that admits whatever comes while its store is away.
            self.retry_after.why = NotChecked::Undecided;
            return None;
        }
        self.look_at_reset(&wait, request);
        match (wait.step, allowed) {
            (Step::Before, true) => {
                if request.done + tolerance(&self.terms) < wait.promise.before() {
                    self.found(wait.promise.too_late(request));
                } else {
                    self.retry_after.why = NotChecked::Late;
                }
                None
            }
            (Step::Before, false) => {
                let after = wait.promise.after();
                if let Some(promise) = self.promise(reply)
                    && promise.after() > after
                {
                    if promise.is_longer_than(self.terms.window) {
                        return self.too_long(promise, wait.reset, wait.counted);
                    }
                    wait.promise = promise;
                }
                wait.step = Step::After;
                wait.at = wait.promise.surely_after(&self.terms);
                Some(wait)
            }
            (Step::After, true) => {
                self.retry_after.times += 1;
                if wait.promise.seconds == 0 {
                    let later = wait.promise.later(request);
                    self.remark(RemarkKind::Zero, || {
                        format!("Retry-After said 0 s, and a request {later} later was allowed")
                    });
                }
                None
            }
            (Step::After, false) => {
                wait.step = Step::Again(request);
                wait.at = request.done + SECOND;
                Some(wait)
            }
            (Step::Again(blocked), _) => {
                self.found(wait.promise.too_early(blocked, Some(request)));
                None
            }
            (Step::AsMillis, _) => {
                let finding = wait
                    .promise
                    .longer_than_the_window(&self.terms, Some(request));
                self.found(finding);
                None
            }
        }
    }

    /// The first blocked answer.
    fn blocked(&mut self, fill: &Fill, reply: &Reply) -> Option<Wait> {
        let left = self.left(&reply.headers);
        let positive = |left: &u64| *left > 0;
        if let Some(left) = left.filter(positive).or(fill.left.filter(positive)) {
            self.remark(RemarkKind::BlockedWithRemaining, || {
                format!("a request was blocked although {left} were said to remain")
            });
        }
        let counted = left.is_some() || !fill.counted.is_empty();
        let promise = self.promise(reply)?;
        let reset = self.reset(&reply.headers);
        if reset.is_some_and(|reset| promise.seconds < reset) {
            let (said, reset) = (promise.said(), reset.unwrap_or_default());
            self.remark(RemarkKind::BeforeReset, || {
                format!("{said}, less than the {reset} s for which RateLimit said that none remain")
            });
        }
        let reset = reset.filter(|reset| *reset != promise.seconds);
        let reset = reset.map(|reset| (reply.request, reset));
        match promise.is_longer_than(self.terms.window) {
            true => self.too_long(promise, reset, counted),
            false => Some(Wait::new(promise, reset, counted, &self.terms)),
        }
    }

    fn too_long(
        &mut self,
        promise: Promise,
        reset: Option<(ProbeRequest, u64)>,
        counted: bool,
    ) -> Option<Wait> {
        if !promise.fits_as_millis(&self.terms) {
            self.found(promise.longer_than_the_window(&self.terms, None));
            return None;
        }
        let wait = MILLI * promise.seconds + tolerance(&self.terms) + MARGIN;
        Some(Wait {
            step: Step::AsMillis,
            at: promise.blocked.done + wait,
            promise,
            reset,
            counted,
        })
    }

    /// When a blocked answer said that another request will be admitted, if it did.
    fn promise(&mut self, reply: &Reply) -> Option<Promise> {
        let (seconds, header, is_date) = match &reply.headers.retry_after {
            Some(RetryAfter::Seconds(seconds)) => (*seconds, seconds.to_string(), false),
            Some(RetryAfter::Date(text, Some(wait))) => {
                (u64::try_from(*wait).unwrap_or(0), text.clone(), true)
            }
            Some(RetryAfter::Date(_, None)) => {
                self.retry_after.why = NotChecked::NoDate;
                return None;
            }
            Some(RetryAfter::Malformed(text)) => {
                let why = format!(
                    "Retry-After said {text:?}, which is neither whole seconds nor an HTTP-date"
                );
                self.bad_header(
                    FaultKind::Malformed,
                    format!("Retry-After: {text}"),
                    reply,
                    why,
                );
                return None;
            }
            None => {
                match reply.status {
                    Some(429) | None => {
                        let why = "a request was blocked with 429 and no Retry-After".to_owned();
                        self.bad_header(FaultKind::Missing, String::new(), reply, why);
                    }
                    Some(other) => self.retry_after.why = NotChecked::OtherStatus(other),
                }
                return None;
            }
        };
        Some(Promise {
            blocked: reply.request,
            header: format!("Retry-After: {header}"),
            seconds,
            is_date,
        })
    }

    fn bad_header(&mut self, kind: FaultKind, header: String, reply: &Reply, text: String) {
        self.found(HeaderFault {
            kind,
            seen: 1,
            key: 0,
            header,
            target: reply.request.target,
            requests: vec![reply.request],
            text,
        });
    }

    /// An admitted request's.
    fn claimed(&mut self, fill: &mut Fill, reply: &Reply) {
        let request = reply.request;
        let (first, _) = *fill.admitted.get_or_insert((request, request));
        fill.admitted = Some((first, request));
        fill.left = self.left(&reply.headers);
        let Some(left) = fill.left else {
            self.remaining.why = NotChecked::NotSaid;
            return;
        };
        if fill.counted.is_contradicted() {
            return;
        }
        self.remaining.times += 1;
        let ProbeRequest {
            target, sent, done, ..
        } = request;
        let Err(claim) = fill.counted.claim(target, sent, done, left) else {
            return;
        };
        let (limit, admitted) = (self.terms.limit, claim.admitted);
        let within = seconds(claim.within);
        let mut text = format!(
            "{left} of {limit} were said to remain after {admitted} had been admitted within {within}"
        );
        if claim.alone {
            text += ": each node looks to count alone";
        }
        self.find(HeaderFault {
            kind: FaultKind::Remaining,
            seen: 1,
            key: self.header_key(),
            header: format!("{left} remaining"),
            target,
            requests: vec![first, request],
            text,
        });
    }

    /// Of `Retry-After`.
    pub(super) fn found(&mut self, finding: HeaderFault) {
        self.retry_after.times += 1;
        let key = self.header_key();
        self.find(HeaderFault { key, ..finding });
    }

    fn look_at_policies(&mut self, said: &LimitHeaders) {
        let Terms { limit, window, .. } = self.terms;
        if let Some(other) = said.other_policies(limit, window) {
            let asked = seconds(window);
            self.remark(RemarkKind::OtherPolicy, || {
                format!("the limit is said to be {other}, not {limit} per {asked}")
            });
        }
        if let Some(unknown) = said.unknown.first() {
            self.remark(RemarkKind::UnknownForm, || {
                format!("{unknown:?} has no known form, and was passed over")
            });
        }
    }

    /// Whether requests are admitted from the time on that `RateLimit` said.
    fn look_at_reset(&mut self, wait: &Wait, request: ProbeRequest) {
        let Some((blocked, reset)) = wait.reset else {
            return;
        };
        let tolerance = tolerance(&self.terms);
        let after = blocked.done + SECOND * reset + tolerance;
        let before = (blocked.sent + SECOND * reset).saturating_sub(SECOND + tolerance);
        let came = match request.decision {
            Decision::Blocked if request.sent > after => "blocked",
            Decision::Allowed if request.done < before => "allowed",
            _ => return,
        };
        let later = seconds(request.sent.saturating_sub(blocked.sent));
        self.remark(RemarkKind::Reset, || {
            format!(
                "RateLimit said that none remain for {reset} s, but a request {later} later was {came}"
            )
        });
    }

    fn left(&self, said: &LimitHeaders) -> Option<u64> {
        let quota = said.quota(self.terms.limit, self.terms.window)?;
        Some(quota.remaining)
    }

    /// For how many seconds nothing remains.
    fn reset(&self, said: &LimitHeaders) -> Option<u64> {
        let quota = said.quota(self.terms.limit, self.terms.window)?;
        quota.reset.filter(|_| quota.remaining == 0)
    }
}

/// Why a request that was neither allowed nor blocked says nothing.
fn failure(reply: &Reply) -> NotChecked {
    match reply.request.decision {
        Decision::Failed => NotChecked::AnsweredOtherwise(reply.status),
        _ => NotChecked::RequestFailed,
    }
}

/// Of what is promised, which may be up to a second longer than the window.
fn tolerance(terms: &Terms) -> Nanos {
    terms.tolerance() + drift(SECOND * 3)
}

/// To the millisecond: `60.05 s`.
fn seconds(span: Nanos) -> String {
    let digits = format!("{:.3}", span.as_secs_f64());
    format!("{} s", digits.trim_end_matches('0').trim_end_matches('.'))
}
