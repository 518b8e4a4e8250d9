//! The spans in which targets failed, or said that they fail open, learned from requests in the order of their sents.
//!
//! A span of a target opens with the sent of a failed request. It goes on while at least about a quarter of the target's
//! requests fail, and ends once the target has answered for a second, or a tenth of the window if that is shorter. It is
//! an outage if several requests failed in it: single failures excuse nothing.
//!
//! The spans in which targets said that they fail open are found in the same way, by themselves, with the requests that were
//! admitted so in place of the failed ones. A single one is enough for these, since it is about that very request.

use crate::base::{FailureKind, Nanos, Outcome, Sample};

/// A request of which only the target's part is told: whether it answered, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// The target's place in the plan.
    pub target: u32,
    /// The number of the target's node.
    pub node: u32,
    /// Since the run's start.
    pub sent: Nanos,
    /// Since the run's start.
    pub done: Nanos,
    /// `None` if the request was allowed or blocked.
    pub failure: Option<Failure>,
    /// The request was allowed, and the answer says that the limiter fails open.
    pub failing_open: bool,
}

impl Response {
    /// The response to a request that was sent and done at these instants. `None` if the target has no part in its failure.
    pub fn of_sample(sample: &Sample, sent: Nanos, done: Nanos) -> Option<Response> {
        let failure = match sample.answer.outcome {
            Outcome::Allowed | Outcome::Blocked => None,
            Outcome::Failed(FailureKind::Local | FailureKind::Panic) => return None,
            Outcome::Failed(kind) => Some(Failure {
                is_answered: kind.is_of_status(),
                kind: Some(kind),
            }),
            Outcome::Abandoned => Some(Failure {
                is_answered: false,
                kind: None,
            }),
        };
        Some(Response {
            target: sample.target,
            node: sample.target,
            sent,
            done,
            failure,
            failing_open: sample.answer.failing_open,
        })
    }

    /// A key that sorts responses by their sents, in one order only.
    pub fn order(&self) -> (Nanos, Nanos, u32, bool, bool) {
        let is_answer = self.failure.is_none();
        (
            self.sent,
            self.done,
            self.target,
            is_answer,
            self.failing_open,
        )
    }
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub is_answered: bool,
    /// `None` if it is not known.
    pub kind: Option<FailureKind>,
}

/// A time in which targets failed, or a time in which they said that they fail open. In the latter, the requests that were
/// admitted so stand in place of the failed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The first failed request's sent.
    pub from: Nanos,
    /// The last failed request's done, or the first later answer if that is earlier.
    pub to: Nanos,
    /// The earliest done of a failed request.
    pub first_done: Nanos,
    /// The places of the targets that failed.
    pub targets: Vec<u32>,
    /// The requests that were admitted while failing open; 0 if targets failed.
    pub failing_open: u64,
    /// The failed requests; 0 if targets said that they fail open.
    pub failed: u64,
    /// Of those, the requests that were not answered in full.
    pub unanswered: u64,
    /// The failed requests by their kind, in the order of [`FailureKind::ALL`], as far as it is known.
    pub kinds: [u64; FailureKind::ALL.len()],
    /// For each promise, the admissions in this time that were too many.
    pub beyond: Vec<u64>,
}

/// Where an admission lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Outside,
    /// In the outage of this number.
    Within(usize),
    /// In a span of a target that has not ended.
    WithinOpen(usize),
    /// In a span that has not ended, and that may turn out to have ended before.
    Unsettled,
}

#[derive(Debug)]
pub struct Outages {
    /// How long a target has to answer until its span ends.
    quiet: Nanos,
    promises: usize,
    trouble: Trouble,
    /// Whether outages of several targets at one time are one.
    merges: bool,
    /// With so many outages, failures are the run's normal state: further ones excuse nothing.
    most: usize,
    /// The spans that have not ended, by target.
    open: Vec<Option<Span>>,
    /// How many those are.
    opened: usize,
    outages: Vec<Outage>,
}

/// What spans consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Failures,
    /// Admissions while failing open.
    FailingOpen,
}

/// A span that has not ended.
#[derive(Debug, Clone)]
struct Span {
    outage: Outage,
    /// The sent of the last failed request.
    last_sent: Nanos,
    /// The first answer to a request that was sent after that.
    answered: Option<Nanos>,
    /// Grows with failures and shrinks with answers.
    score: u32,
}

/// How many answers make up for a failure.
const ANSWERS: u32 = 3;

/// How many answers at most end a span.
const MOST_SCORE: u32 = 30;

/// With fewer failures, a span is not an outage.
const FEWEST: u64 = 3;

const MOST_OUTAGES: usize = 64;

/// The most outages of all targets, if each target has its own.
const MOST_BY_TARGET: usize = 1_000;

impl Outages {
    pub fn new(targets: usize, promises: usize, window: Nanos) -> Outages {
        Outages {
            quiet: Nanos(1_000_000_000).min(Nanos(window.0 / 10)),
            promises,
            trouble: Trouble::Failures,
            merges: true,
            most: MOST_OUTAGES,
            open: vec![None; targets],
            opened: 0,
            outages: Vec::new(),
        }
    }

    /// The times in which targets said that they fail open.
    pub fn of_failing_open(targets: usize, promises: usize, window: Nanos) -> Outages {
        Outages {
            trouble: Trouble::FailingOpen,
            ..Outages::new(targets, promises, window)
        }
    }

    /// Outages of which each is one target's. A target's outage ends when it has answered for `quiet`.
    pub fn by_target(targets: usize, quiet: Nanos) -> Outages {
        Outages {
            quiet,
            merges: false,
            most: MOST_BY_TARGET,
            ..Outages::new(targets, 0, Nanos::ZERO)
        }
    }

    /// Takes in the next request in the order of the sents.
    pub fn add(&mut self, response: &Response) {
        let target = response.target as usize;
        if self.open.len() <= target {
            self.open.resize(target + 1, None);
        }
        let open = &mut self.open[target];
        let is_trouble = match self.trouble {
            Trouble::Failures => response.failure.is_some(),
            Trouble::FailingOpen => response.failing_open,
        };
        if is_trouble {
            self.opened += usize::from(open.is_none());
            let span = open.get_or_insert_with(|| Span::new(response, self.promises));
            span.go_on(response, self.trouble);
        } else if let Some(span) = open
            && response.failure.is_none()
            && span.answer(response, self.quiet)
        {
            self.close(target);
        }
    }

    /// No more requests come.
    pub fn end(&mut self) {
        for target in 0..self.open.len() {
            self.close(target);
        }
    }

    fn close(&mut self, target: usize) {
        let Some(span) = self.open[target].take() else {
            return;
        };
        self.opened -= 1;
        if !span.is_outage() {
            return;
        }
        let mut outage = span.ended();
        // Targets that fail at one time have one outage.
        let merges = self.merges;
        let overlaps =
            |other: &Outage| merges && other.from <= outage.to && outage.from <= other.to;
        let (same, mut others): (Vec<_>, Vec<_>) =
            self.outages.drain(..).partition(|other| overlaps(other));
        for other in same {
            outage.merge(other);
        }
        if others.len() < self.most {
            others.push(outage);
        }
        others.sort_by_key(|outage| outage.from);
        self.outages = others;
    }

    /// Whether a request that was sent and done at these instants may have been decided in an outage.
    pub fn place(&self, sent: Nanos, done: Nanos) -> Place {
        let overlaps = |outage: &Outage| outage.from <= done && sent <= outage.to;
        if let Some(number) = self.outages.iter().rposition(overlaps) {
            return Place::Within(number);
        }
        let mut place = Place::Outside;
        if self.opened == 0 {
            return place;
        }
        for (target, span) in self.open.iter().enumerate() {
            if let Some(span) = span
                && span.outage.from <= done
                && self.outages.len() < self.most
            {
                if span.is_outage() && sent <= span.last_sent {
                    return Place::WithinOpen(target);
                }
                place = Place::Unsettled;
            }
        }
        place
    }

    /// Counts an admission that was too many by some promises, by their places.
    pub fn count_beyond(&mut self, place: Place, promises: impl Iterator<Item = usize>) {
        let outage = match place {
            Place::Within(number) => self.outages.get_mut(number),
            Place::WithinOpen(target) => self.open[target].as_mut().map(|span| &mut span.outage),
            Place::Outside | Place::Unsettled => None,
        };
        if let Some(outage) = outage {
            promises.for_each(|promise| outage.beyond[promise] += 1);
        }
    }

    pub fn into_list(self) -> Vec<Outage> {
        self.outages
    }
}

impl Span {
    fn new(first: &Response, promises: usize) -> Span {
        Span {
            outage: Outage {
                from: first.sent,
                to: first.done,
                first_done: first.done,
                targets: vec![first.target],
                failing_open: 0,
                failed: 0,
                unanswered: 0,
                kinds: [0; FailureKind::ALL.len()],
                beyond: vec![0; promises],
            },
            last_sent: first.sent,
            answered: None,
            score: 0,
        }
    }

    /// Takes in one more request of those that make the span.
    fn go_on(&mut self, response: &Response, trouble: Trouble) {
        let outage = &mut self.outage;
        outage.to = outage.to.max(response.done);
        outage.first_done = outage.first_done.min(response.done);
        match (trouble, response.failure) {
            (Trouble::FailingOpen, _) => outage.failing_open += 1,
            (Trouble::Failures, failure) => {
                outage.failed += 1;
                let is_unanswered = failure.is_some_and(|failure| !failure.is_answered);
                outage.unanswered += u64::from(is_unanswered);
                if let Some(kind) = failure.and_then(|failure| failure.kind) {
                    outage.kinds[kind as usize] += 1;
                }
            }
        }
        self.last_sent = response.sent;
        self.answered = None;
        self.score = (self.score + ANSWERS).min(MOST_SCORE);
    }

    /// Takes in any other request that was allowed or blocked. Returns whether the span has ended.
    fn answer(&mut self, response: &Response, quiet: Nanos) -> bool {
        let first = self.answered.unwrap_or(response.done);
        self.answered = Some(first.min(response.done));
        self.score -= 1;
        self.score == 0 || response.sent.saturating_sub(self.last_sent) >= quiet
    }

    fn is_outage(&self) -> bool {
        self.outage.failed >= FEWEST || self.outage.failing_open > 0
    }

    fn ended(self) -> Outage {
        let to = self.answered.unwrap_or(Nanos::MAX).max(self.last_sent);
        Outage {
            to: self.outage.to.min(to),
            ..self.outage
        }
    }
}

impl Outage {
    /// Makes this one outage with another.
    pub fn merge(&mut self, other: Outage) {
        self.from = self.from.min(other.from);
        self.first_done = self.first_done.min(other.first_done);
        self.to = self.to.max(other.to);
        self.targets.extend(other.targets);
        self.targets.sort_unstable();
        self.targets.dedup();
        self.failing_open += other.failing_open;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        for (own, more) in self.kinds.iter_mut().zip(other.kinds) {
            *own += more;
        }
        for (own, more) in self.beyond.iter_mut().zip(other.beyond) {
            *own += more;
        }
    }

    /// The kind of most failures; `None` if none is known.
    pub fn foremost(&self) -> Option<FailureKind> {
        let kinds = FailureKind::ALL.into_iter().zip(self.kinds);
        let most = kinds.max_by_key(|(_, count)| *count)?;
        (most.1 > 0).then_some(most.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    const FAILED: Failure = Failure {
        is_answered: true,
        kind: Some(FailureKind::Status5xx),
    };

    fn learned(responses: impl IntoIterator<Item = (u64, u64, bool)>) -> Vec<Outage> {
        let mut outages = Outages::new(2, 1, Nanos(60_000 * MILLI));
        for (sent, took, failed) in responses {
            let sent = Nanos(sent * MILLI);
            outages.add(&Response {
                target: 0,
                node: 0,
                sent,
                done: sent + Nanos(took * MILLI),
                failure: failed.then_some(FAILED),
                failing_open: false,
            });
        }
        outages.end();
        outages.into_list()
    }

    fn spans(outages: &[Outage]) -> Vec<(u64, u64, u64)> {
        let span = |one: &Outage| (one.from.0 / MILLI, one.to.0 / MILLI, one.failed);
        outages.iter().map(span).collect()
    }

    #[test]
    fn an_outage_goes_from_the_first_failure_sent_to_the_last_one_done() {
        let run = (0..1_000).map(|place| (place * 10, 2, (300..350).contains(&place)));
        assert_eq!(spans(&learned(run)), [(3_000, 3_492, 50)]);
    }

    #[test]
    fn an_outage_may_begin_and_end_with_the_run() {
        let run = (0..100).map(|place| (place * 10, 2, !(10..90).contains(&place)));
        assert_eq!(spans(&learned(run)), [(0, 92, 10), (900, 992, 10)]);
    }

    #[test]
    fn one_failure_in_a_thousand_is_no_outage_at_any_rate() {
        for apart in [1, 20, 200] {
            let run = (0..20_000).map(|place| (place * apart, 2, place % 1_000 == 7));
            assert_eq!(learned(run), []);
        }
    }

    #[test]
    fn an_outage_among_sporadic_failures_keeps_its_bounds() {
        let fails = |place: u64| place % 1_000 == 7 || (10_100..10_300).contains(&place);
        let run = (0..20_000).map(|place| (place, 2, fails(place)));
        assert_eq!(spans(&learned(run)), [(10_100, 10_301, 200)]);
    }

    #[test]
    fn requests_that_time_out_do_not_stretch_an_outage_beyond_the_next_answer() {
        let run = (0..500).map(|place| {
            let fails = (100..200).contains(&place);
            (place * 10, if fails { 10_000 } else { 2 }, fails)
        });
        assert_eq!(spans(&learned(run)), [(1_000, 2_002, 100)]);
    }

    #[test]
    fn targets_that_fail_at_one_time_have_one_outage() {
        let mut outages = Outages::new(2, 1, Nanos(60_000 * MILLI));
        for place in 0..40 {
            let sent = Nanos(place * 10 * MILLI);
            outages.add(&Response {
                target: (place % 2) as u32,
                node: 0,
                sent,
                done: sent + Nanos(MILLI),
                failure: (place < 20).then_some(FAILED),
                failing_open: false,
            });
        }
        outages.end();
        let list = outages.into_list();
        assert_eq!(list.len(), 1);
        assert_eq!((&*list[0].targets, list[0].failed), (&[0, 1][..], 20));
    }

    /// Requests 10 ms apart that take 2 ms. Some fail, and of the others, some are admitted while failing open.
    fn learned_of_open(is_open: impl Fn(u64) -> bool, fails: impl Fn(u64) -> bool) -> Vec<Outage> {
        let mut outages = Outages::of_failing_open(1, 1, Nanos(60_000 * MILLI));
        for place in 0..1_000 {
            let sent = Nanos(place * 10 * MILLI);
            outages.add(&Response {
                target: 0,
                node: 0,
                sent,
                done: sent + Nanos(2 * MILLI),
                failure: fails(place).then_some(FAILED),
                failing_open: is_open(place) && !fails(place),
            });
        }
        outages.end();
        outages.into_list()
    }

    #[test]
    fn times_of_failing_open_are_told_apart_from_failures_and_one_such_admission_is_one() {
        let spans = |outages: &[Outage]| {
            let one = |one: &Outage| (one.from.0 / MILLI, one.to.0 / MILLI, one.failing_open);
            outages.iter().map(one).collect::<Vec<_>>()
        };
        let none = |_| false;
        let span = learned_of_open(|place| (300..350).contains(&place), none);
        assert_eq!(
            (spans(&span), span[0].failed),
            (vec![(3_000, 3_492, 50)], 0)
        );
        let single = learned_of_open(|place| place == 300, none);
        assert_eq!(spans(&single), [(3_000, 3_002, 1)]);
        assert_eq!(spans(&learned_of_open(|_| true, none)), [(0, 9_992, 1_000)]);
        assert_eq!(learned_of_open(none, |place| place < 500), []);
        // Failures neither begin nor end such a time.
        let both = learned_of_open(|place| (300..350).contains(&place), |place| place % 2 == 1);
        assert_eq!(spans(&both), [(3_000, 3_482, 25)]);
    }

    #[test]
    fn an_admission_right_after_the_last_failure_stays_unsettled_until_the_span_ends() {
        let mut outages = Outages::new(1, 1, Nanos(60_000 * MILLI));
        let at = |millis: u64| Nanos(millis * MILLI);
        let response = |sent: u64, failed: bool| Response {
            target: 0,
            node: 0,
            sent: at(sent),
            done: at(sent + 1),
            failure: failed.then_some(FAILED),
            failing_open: false,
        };
        for sent in [1_000, 1_010, 1_020] {
            outages.add(&response(sent, true));
        }
        assert_eq!(outages.place(at(900), at(999)), Place::Outside);
        assert_eq!(outages.place(at(1_005), at(1_006)), Place::WithinOpen(0));
        assert_eq!(outages.place(at(1_100), at(1_101)), Place::Unsettled);
        outages.add(&response(1_200, false));
        outages.add(&response(2_100, false));
        assert_eq!(outages.place(at(1_100), at(1_101)), Place::Outside);
        assert_eq!(outages.place(at(1_005), at(1_006)), Place::Within(0));
    }
}
