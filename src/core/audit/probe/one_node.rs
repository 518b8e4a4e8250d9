//! The key that one node gets alone, one request at a time, before others are asked for it.
//!
//! 1. The node gets requests over its kept connection until it blocks. The number of admissions is what the limiter
//!    admits when nothing overlaps.
//! 2. Requests over fresh connections alternate with requests over the kept one, which stays blocked. If processes or
//!    connections count alone, some of the fresh ones are admitted. Then more follow, until the key has had more
//!    admissions than two windows have room for.
//! 3. Requests to each other node alternate with requests to the first one, which stays blocked. If nodes count alone,
//!    the others admit theirs. Then one of them gets requests until it blocks as well.
//!
//! A node is one address. If a target's name has several, requests go to them in turn, and nothing is concluded: they may
//! count alone, or share a count.
//!
//! A correct limiter may admit requests again meanwhile, in two ways. A bucket gets tokens back; so more admissions
//! than that explains are needed. Or a window ends; then the first node admits its next request too, since a window has
//! room for more than the one request that came between, unless the limit is 1. A limit of 1 leaves room for one
//! admission in all, since at most one window ends within a quarter of its length. So a second admission, while the
//! first node blocks before, between and after, refutes a common count.

use super::questions::{
    Answer, ConnectionsAlone, CountedTwice, KeysNotApart, NodeAnswers, NodesAlone, OneAtATime,
};
use super::{
    NotChecked, ProbeReport, ProbeRequest, Reply, admits_its_limit_at_once, decided, quarter,
    refilled,
};
use crate::base::{Address, Nanos};
use crate::core::audit::terms::Terms;
use std::ops::ControlFlow;

/// How many fresh connections are compared with the kept one. If two processes count alone, all of them reach the same
/// one by chance once in 256 times.
const FRESH: u64 = 8;

/// The most requests to another node while the first one is asked in between.
const IN_TURN: u64 = 8;

/// The least time between two requests.
const LEAST_APART: Nanos = Nanos(1_000_000);

#[derive(Debug)]
pub(super) struct OneNode {
    target: usize,
    step: Step,
    /// When the next request is due.
    pub at: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
    /// How many requests of the flooded key were admitted, if this node blocks that key.
    admitted_before: Option<u64>,
    seen: OneAtATime,
    /// The number of requests that remain by the last answer.
    left: Option<u64>,
    /// Whether answers say how many requests remain.
    counts: bool,
    /// The done of the first blocked request.
    full: Nanos,
    blocked_first: u64,
    last_blocked: Option<Reply>,
    fresh: NodeAnswers,
    more_fresh: NodeAnswers,
    others: Vec<NodeAnswers>,
    /// The address of each target that was requested.
    addresses: Vec<(usize, Address)>,
    learned: Learned,
}

/// The next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To the first node.
    Fill,
    /// Over a fresh connection.
    Fresh,
    /// Over the kept connection, after a fresh one.
    Kept,
    /// Over a fresh connection, after all comparisons with the kept one.
    MoreFresh,
    /// To the last of the other nodes in the list.
    Other,
    /// To the first node, after another one.
    First,
    /// To this place in the list of other nodes, until it blocks.
    Rest(usize),
    /// To the first node, at the end.
    Last,
}

/// What the key showed.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The admissions one at a time, if the node blocked in the end or admitted more than any promise does.
    pub one_at_a_time: Option<OneAtATime>,
    /// Whether nodes or connections count alone.
    pub alone: bool,
    /// The key's last answer, if it was blocked and nothing of the key was asked elsewhere after it.
    pub last_blocked: Option<Reply>,
    /// Whether answers say how many requests remain.
    pub counts: bool,
}

impl OneNode {
    /// `admitted_before` is how many requests of another key were admitted, if this node has just blocked that key.
    pub fn new(target: usize, admitted_before: Option<u64>, at: Nanos) -> OneNode {
        OneNode {
            target,
            step: Step::Fill,
            at,
            since: None,
            admitted_before,
            seen: OneAtATime {
                target,
                admitted: 0,
                within: Nanos::ZERO,
                steps_of_one: 0,
                steps_of_two: 0,
            },
            left: None,
            counts: false,
            full: Nanos::ZERO,
            blocked_first: 0,
            last_blocked: None,
            fresh: answers(target),
            more_fresh: answers(target),
            others: Vec::new(),
            addresses: Vec::new(),
            learned: Learned::default(),
        }
    }

    pub fn target(&self) -> usize {
        match self.step {
            Step::Other => self.others.last().map_or(self.target, |other| other.target),
            Step::Rest(place) => self.others[place].target,
            _ => self.target,
        }
    }

    pub fn is_fresh(&self) -> bool {
        matches!(self.step, Step::Fresh | Step::MoreFresh)
    }

    /// Takes one reply. Breaks when the key is done with.
    pub fn answered(
        mut self,
        reply: &Reply,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> ControlFlow<Learned, OneNode> {
        let request = reply.request;
        let since = *self.since.get_or_insert(request.sent);
        if request.done.saturating_sub(since) > quarter(terms) {
            return self.give_up(NotChecked::TooSlow, report);
        }
        if !self.is_at_one_address(reply) {
            return self.give_up(NotChecked::SeveralAddresses, report);
        }
        let admitted = decided(reply, terms, self.counts);
        let is_first = matches!(
            self.step,
            Step::Fill | Step::Kept | Step::First | Step::Last
        );
        if is_first && admitted == Ok(false) {
            self.blocked_first += 1;
            self.last_blocked = Some(reply.clone());
        }
        let next = match (self.step, admitted) {
            (Step::Fill, admitted) => self.fill(reply, admitted, terms, report),
            (Step::Fresh, admitted) => self.after_fresh(admitted, terms, report),
            (Step::MoreFresh, admitted) => Ok(self.after_more_fresh(admitted, terms, report)),
            (Step::Other, admitted) => self.after_other(admitted, terms),
            (Step::Rest(place), admitted) => Ok(self.rest(place, admitted, terms)),
            (Step::Kept | Step::First | Step::Last, Err(why)) => Err(why),
            // A window has ended, or a token has come back.
            (Step::Kept | Step::First | Step::Last, Ok(true)) => Err(NotChecked::Ambiguous),
            (Step::Kept, Ok(false)) => Ok(self.after_kept(request, terms, report)),
            (Step::First, Ok(false)) => Ok(self.after_first(request, terms, report)),
            (Step::Last, Ok(false)) => {
                self.record_nodes(request, terms, report);
                Ok(None)
            }
        };
        match next {
            Ok(Some(step)) => {
                self.step = step;
                self.at = request.done.max(request.sent + LEAST_APART);
                ControlFlow::Continue(self)
            }
            Ok(None) => {
                self.learned.last_blocked = self.last_blocked.take();
                self.learned.counts = self.counts;
                ControlFlow::Break(self.learned)
            }
            Err(why) => self.give_up(why, report),
        }
    }

    /// Whether all requests to the reply's target went to the same address.
    fn is_at_one_address(&mut self, reply: &Reply) -> bool {
        let (target, Some(address)) = (reply.request.target, reply.address) else {
            return true;
        };
        let mut known = self.addresses.iter();
        match known.find(|(other, _)| *other == target) {
            Some((_, other)) => *other == address,
            None => {
                self.addresses.push((target, address));
                true
            }
        }
    }

    /// Ends before all questions were asked.
    fn give_up(self, why: NotChecked, report: &mut ProbeReport) -> ControlFlow<Learned, OneNode> {
        let questions = &mut report.questions;
        if self.learned.one_at_a_time.is_none() {
            questions
                .counted_twice
                .record(Answer::NotAsked(why.clone()));
        }
        if let Step::Fill | Step::Fresh | Step::Kept = self.step {
            questions.connections.record(Answer::NotAsked(why.clone()));
        }
        questions.nodes.record(Answer::NotAsked(why));
        ControlFlow::Break(self.learned)
    }

    /// One of the first requests.
    fn fill(
        &mut self,
        reply: &Reply,
        admitted: Result<bool, NotChecked>,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Result<Option<Step>, NotChecked> {
        let admitted = admitted?;
        let is_first = self.seen.admitted == 0;
        if is_first && let Some(admitted_before) = self.admitted_before {
            let evidence = KeysNotApart {
                target: self.target,
                admitted_before,
            };
            let answer = if admitted {
                Answer::Refuted(evidence)
            } else {
                Answer::Stands(evidence)
            };
            report.questions.keys.record(answer);
        }
        let request = reply.request;
        let since = self.since.unwrap_or(request.sent);
        self.seen.within = request.done.saturating_sub(since);
        if !admitted {
            if is_first {
                return Err(NotChecked::NeverAdmitted);
            }
            self.full = request.done;
            self.record_one_at_a_time(terms, report);
            return Ok(Some(Step::Fresh));
        }
        self.seen.admitted += 1;
        self.note_remaining(reply.headers.remaining(terms));
        if self.seen.admitted <= terms.limit.saturating_mul(2) {
            return Ok(Some(Step::Fill));
        }
        // Two windows admit no more than this. The limit is not this node's own.
        self.record_one_at_a_time(terms, report);
        let never = Answer::NotAsked(NotChecked::NeverBlocked);
        report.questions.connections.record(never);
        let answer = match terms.targets {
            1 => Answer::NotAsked(NotChecked::OnlyNode),
            _ => Answer::Refuted(self.nodes_alone()),
        };
        report.questions.nodes.record(answer);
        Ok(None)
    }

    fn note_remaining(&mut self, left: Option<u64>) {
        if let (Some(before), Some(now)) = (self.left, left) {
            match before.checked_sub(now) {
                Some(1) => self.seen.steps_of_one += 1,
                Some(2) => self.seen.steps_of_two += 1,
                _ => {}
            }
        }
        self.counts |= left.is_some();
        self.left = left;
    }

    fn record_one_at_a_time(&mut self, terms: &Terms, report: &mut ProbeReport) {
        let seen = self.seen;
        self.learned.one_at_a_time = Some(seen);
        let least = report.questions.one_at_a_time;
        if least.is_none_or(|least| seen.admitted < least.admitted) {
            report.questions.one_at_a_time = Some(seen);
        }
        if !admits_its_limit_at_once(terms) {
            return;
        }
        let limit = terms.limit;
        let half = limit / 2..=limit.div_ceil(2) + refilled(terms, seen.within);
        let is_half = seen.admitted < limit && half.contains(&seen.admitted);
        let evidence = CountedTwice { limit, seen };
        let answer = if is_half && seen.steps_of_one + seen.steps_of_two == 0 {
            // Half of the limit would show the same.
            Answer::NotAsked(NotChecked::NoSteps)
        } else if is_half && seen.steps_of_two > seen.steps_of_one {
            Answer::Stands(evidence)
        } else {
            Answer::Refuted(evidence)
        };
        report.questions.counted_twice.record(answer);
    }

    fn after_fresh(
        &mut self,
        admitted: Result<bool, NotChecked>,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Result<Option<Step>, NotChecked> {
        match admitted {
            Ok(admitted) => {
                self.fresh.note(admitted);
                Ok(Some(Step::Kept))
            }
            Err(why) => {
                report.questions.connections.record(Answer::NotAsked(why));
                Ok(self.next_node(terms, report))
            }
        }
    }

    /// The kept connection is still blocked.
    fn after_kept(
        &mut self,
        request: ProbeRequest,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Step> {
        let NodeAnswers {
            admitted, blocked, ..
        } = self.fresh;
        if admitted + blocked < FRESH {
            return Some(Step::Fresh);
        }
        let evidence = ConnectionsAlone {
            target: self.target,
            admitted,
            blocked,
            blocked_kept: self.blocked_first,
        };
        if self.exceeds_one_count(admitted, request, terms) {
            self.learned.alone = true;
            report
                .questions
                .connections
                .record(Answer::Stands(evidence));
            return Some(Step::MoreFresh);
        }
        let answer = if admitted == 0 {
            Answer::Refuted(evidence)
        } else {
            Answer::NotAsked(NotChecked::Ambiguous)
        };
        report.questions.connections.record(answer);
        self.next_node(terms, report)
    }

    /// Goes on until the key has had more admissions than two windows have room for. Gives up when as many are blocked
    /// as in the comparison.
    fn after_more_fresh(
        &mut self,
        admitted: Result<bool, NotChecked>,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Step> {
        let more = &mut self.more_fresh;
        if let Ok(admitted) = admitted {
            more.note(admitted);
            let in_all = self.seen.admitted + self.fresh.admitted + more.admitted;
            let enough = terms.limit.saturating_mul(2).saturating_add(2);
            if in_all <= enough && more.blocked <= FRESH + more.admitted {
                return Some(Step::MoreFresh);
            }
        }
        self.next_node(terms, report)
    }

    /// Whether one count can't have admitted so many since the first node was full.
    fn exceeds_one_count(&self, admitted: u64, request: ProbeRequest, terms: &Terms) -> bool {
        let time = request.done.saturating_sub(self.full);
        admitted > 1 + refilled(terms, time)
    }

    fn next_node(&mut self, terms: &Terms, report: &mut ProbeReport) -> Option<Step> {
        if terms.targets == 1 {
            let only = Answer::NotAsked(NotChecked::OnlyNode);
            report.questions.nodes.record(only);
            return None;
        }
        let asked = self.others.len() + 1;
        if asked == terms.targets {
            return None;
        }
        self.others
            .push(answers((self.target + asked) % terms.targets));
        Some(Step::Other)
    }

    fn after_other(
        &mut self,
        admitted: Result<bool, NotChecked>,
        terms: &Terms,
    ) -> Result<Option<Step>, NotChecked> {
        let asked = self.others.len() + 1;
        let any_answered = self.others.iter().any(NodeAnswers::has_answered);
        match admitted {
            Ok(admitted) => {
                self.others
                    .last_mut()
                    .expect("the node asked")
                    .note(admitted);
                Ok(Some(Step::First))
            }
            // Another node may answer.
            Err(_) if asked < terms.targets => {
                self.others
                    .push(answers((self.target + asked) % terms.targets));
                Ok(Some(Step::Other))
            }
            Err(_) if any_answered => Ok(Some(Step::Last)),
            Err(why) => Err(why),
        }
    }

    /// The first node is still blocked.
    fn after_first(
        &mut self,
        request: ProbeRequest,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Step> {
        let exceeds = self.exceeds_one_count(self.admitted_elsewhere(), request, terms);
        let other = self.others.last()?;
        let is_done = exceeds || other.blocked > 0 || other.admitted >= IN_TURN;
        if !is_done {
            return Some(Step::Other);
        }
        if let Some(step) = self.next_node(terms, report) {
            return Some(step);
        }
        let admits = |other: &NodeAnswers| other.admitted > 0 && other.blocked == 0;
        if exceeds && let Some(place) = self.others.iter().position(admits) {
            return Some(Step::Rest(place));
        }
        self.record_nodes(request, terms, report);
        None
    }

    fn rest(
        &mut self,
        place: usize,
        admitted: Result<bool, NotChecked>,
        terms: &Terms,
    ) -> Option<Step> {
        let other = &mut self.others[place];
        if let Ok(admitted) = admitted {
            other.note(admitted);
            if admitted && other.admitted <= terms.limit.saturating_mul(2) {
                return Some(Step::Rest(place));
            }
        }
        Some(Step::Last)
    }

    fn record_nodes(&mut self, request: ProbeRequest, terms: &Terms, report: &mut ProbeReport) {
        let blocked = |other: &NodeAnswers| other.blocked > 0 && other.admitted < terms.limit;
        let answered = |other: &&NodeAnswers| other.has_answered();
        let evidence = self.nodes_alone();
        let twice = terms.limit.saturating_mul(2);
        let endless = |other: &NodeAnswers| other.admitted > twice;
        let answer = if self.exceeds_one_count(self.admitted_elsewhere(), request, terms) {
            self.learned.alone = true;
            // A node that counts alone admits its limit, and no more than two windows have room for.
            if self
                .others
                .iter()
                .any(|other| blocked(other) || endless(other))
            {
                Answer::NotAsked(NotChecked::NodesDiffer)
            } else {
                Answer::Stands(evidence)
            }
        } else if self.others.iter().filter(answered).all(blocked) {
            Answer::Refuted(evidence)
        } else {
            Answer::NotAsked(NotChecked::Ambiguous)
        };
        report.questions.nodes.record(answer);
    }

    fn admitted_elsewhere(&self) -> u64 {
        self.others.iter().map(|other| other.admitted).sum()
    }

    fn nodes_alone(&self) -> NodesAlone {
        let others = self.others.iter();
        NodesAlone {
            first: self.target,
            admitted_first: self.seen.admitted,
            blocked_first: self.blocked_first,
            others: others.filter(|one| one.has_answered()).copied().collect(),
        }
    }
}

impl NodeAnswers {
    fn has_answered(&self) -> bool {
        self.admitted + self.blocked > 0
    }

    fn note(&mut self, admitted: bool) {
        if admitted {
            self.admitted += 1;
        } else {
            self.blocked += 1;
        }
    }
}

fn answers(target: usize) -> NodeAnswers {
    NodeAnswers {
        target,
        admitted: 0,
        blocked: 0,
    }
}
