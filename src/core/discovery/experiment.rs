//! The order of the questions.

use super::bounds::Bounds;
use super::claims::{Claims, claims};
use super::comparison::{Comparison, SURELY, Shares};
use super::delays;
use super::failures::{self, Failures};
use super::findings::{Ending, Findings, explanations};
use super::found::Found;
use super::record::{Entry, Grouping, by_counter, counters};
use super::saturation::{Came, Saturation};
use super::split::Split;
use super::untouched::Untouched;
use super::waits::Waits;
use crate::base::Nanos;
use crate::core::audit::probe::Reply;
use crate::core::audit::{Algorithm, Decision};
use std::collections::VecDeque;
use std::time::Duration;

/// The main key is watched for at least this time, since another limit may have a longer window. If it is shorter, this part
/// of the longest time is enough.
const WATCHED: Nanos = Nanos(65_000_000_000);
const WATCHED_PART: u64 = 4;

/// The main key takes at most this part of all requests.
const MAIN_PART: u64 = 2;

/// So many further keys are filled, unless one of them would take more than this part of all requests.
const FILLS: u32 = 3;
const FILLS_PART: u64 = 10;

/// How many nodes are compared with the first.
const MOST_NODES: usize = 16;

/// How often something is compared with the main key before it stays unknown, and how often without any answer.
const COMPARISONS: u32 = 8;
const MOST_UNKNOWN: u32 = 3;

/// If another limit shows, the main key is watched until so many of its blocks are over.
const LONG_BLOCKS: usize = 3;

/// How much longer than the untouched key the main key has to stay blocked.
const SETTLED: Nanos = Nanos(1_000_000_000);

const SECOND: Nanos = Nanos(1_000_000_000);

/// So many failures in a row end the experiment.
const MOST_FAILURES: u32 = 10;

/// What the experiment does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send a request. If a reply comes before its time, ask for the next step again.
    Ask(Question),
    /// Wait for a reply.
    Await,
    /// No reply is awaited, and nothing more is asked.
    End,
}

/// A request to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    pub sequence: u64,
    /// The experiment's number for the key.
    pub key: u32,
    /// The target's place in the plan.
    pub target: usize,
    /// Whether it uses a connection of its own, which is closed afterwards.
    pub fresh: bool,
    /// When to send it, since the experiment's start. If that is over, it is sent at once.
    pub at: Nanos,
    trial: Trial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    Main,
    /// Whether it goes to the other that is compared.
    Comparison(bool),
    Untouched,
    Fill,
    Split,
    Waits,
}

/// Something that may share the main key's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    Connection,
    Node(usize),
    Key,
}

#[derive(Debug, Clone, Copy)]
struct ToCompare {
    other: Other,
    /// How often it was compared.
    times: u32,
    /// How often the answers did not tell.
    unknown: u32,
    /// How unlikely it is that it shares the count, though by few admissions each time: the negative logarithm.
    evidence: f64,
}

impl ToCompare {
    fn new(other: Other) -> ToCompare {
        ToCompare {
            other,
            times: 0,
            unknown: 0,
            evidence: 0.0,
        }
    }
}

#[derive(Debug)]
pub struct Experiment {
    bounds: Bounds,
    entries: Vec<Entry>,
    main: Saturation,
    main_key: u32,
    main_asked: u64,
    /// The comparison under way.
    comparison: Option<(Other, Comparison)>,
    /// What is still to be compared.
    to_compare: VecDeque<ToCompare>,
    /// The number of main edges after which the next comparison begins.
    compare_after: usize,
    connections: Shares,
    nodes: Vec<Shares>,
    keys: Shares,
    untouched: Option<(u32, Untouched)>,
    /// A key that is only filled, and how many more will be.
    fill: Option<(u32, Saturation)>,
    fills_left: u32,
    split: Option<(u32, Split)>,
    waits: Option<Waits>,
    /// For how long a key is blocked that is not asked, if the main one is blocked much longer.
    blocks_for: Option<Nanos>,
    next_key: u32,
    in_flight: Vec<Question>,
    asked: u64,
    last_sent: Option<Nanos>,
    now: Nanos,
    failures: Vec<Failures>,
    failures_in_a_row: u32,
    /// When it began, since the beginning of 1970.
    began: Option<Duration>,
    main_is_over: bool,
    /// About the main key's window, by its first so many edges.
    window: Option<Nanos>,
    window_is_of: usize,
    ending: Option<Ending>,
}

impl Experiment {
    /// # Panics
    /// Unless there is a target.
    pub fn new(bounds: Bounds, targets: usize) -> Experiment {
        assert!(targets > 0, "nothing to ask");
        let nodes = (1..targets.min(MOST_NODES)).map(Other::Node);
        let others = [Other::Connection]
            .into_iter()
            .chain(nodes)
            .chain([Other::Key]);
        Experiment {
            bounds,
            entries: Vec::new(),
            main: Saturation::new(Nanos::ZERO, bounds.gap(), 0),
            main_key: 0,
            main_asked: 0,
            comparison: None,
            to_compare: others.map(ToCompare::new).collect(),
            compare_after: 0,
            connections: Shares::Unknown,
            nodes: vec![Shares::Unknown; targets],
            keys: Shares::Unknown,
            untouched: None,
            fill: None,
            fills_left: FILLS,
            split: None,
            waits: None,
            blocks_for: None,
            next_key: 1,
            in_flight: Vec::new(),
            asked: 0,
            last_sent: None,
            now: Nanos::ZERO,
            failures: Vec::new(),
            failures_in_a_row: 0,
            began: None,
            main_is_over: false,
            window: None,
            window_is_of: 0,
            ending: None,
        }
    }

    /// What may be sent at most.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Says when the experiment began, by this machine's clock, since the beginning of 1970. Only with that it is known when
    /// windows of a clock begin.
    pub fn set_began(&mut self, since_1970: Duration) {
        self.began = Some(since_1970);
    }

    /// The next step. It stays the same until a request is [`sent`](Self::sent) or a reply is [`answered`](Self::answered).
    pub fn next(&self) -> Step {
        let wanted = self.wanted().filter(|_| self.ending.is_none());
        match wanted {
            Some(question) if question.at < self.bounds.time => Step::Ask(question),
            _ if self.in_flight.is_empty() => Step::End,
            _ => Step::Await,
        }
    }

    /// The request that is due first.
    fn wanted(&self) -> Option<Question> {
        let ask = |trial, key, target, fresh, at| Question {
            sequence: self.asked,
            key,
            target,
            fresh,
            at,
            trial,
        };
        let main =
            match &self.comparison {
                Some((other, comparison)) => comparison
                    .next()
                    .filter(|_| !self.is_comparing())
                    .map(|is_other| {
                        let key = if is_other && *other == Other::Key {
                            self.next_key
                        } else {
                            self.main_key
                        };
                        let target = match other {
                            Other::Node(node) if is_other => *node,
                            _ => 0,
                        };
                        let fresh = is_other && *other == Other::Connection;
                        ask(Trial::Comparison(is_other), key, target, fresh, self.now)
                    }),
                None if self.main_is_over => None,
                None => self
                    .main
                    .next()
                    .map(|at| ask(Trial::Main, self.main_key, 0, false, at)),
            };
        let untouched = self.untouched.as_ref().and_then(|(key, untouched)| {
            Some(ask(Trial::Untouched, *key, 0, false, untouched.next()?))
        });
        let fill = self
            .fill
            .as_ref()
            .and_then(|(key, fill)| Some(ask(Trial::Fill, *key, 0, false, fill.next()?)));
        let split = self
            .split
            .as_ref()
            .and_then(|(key, split)| Some(ask(Trial::Split, *key, 0, false, split.next()?)));
        let waits = self.waits.as_ref().and_then(Waits::next);
        let waits = waits.map(|(key, at)| ask(Trial::Waits, key, 0, false, at));
        let earliest = self
            .last_sent
            .map_or(Nanos::ZERO, |last| last + self.bounds.gap());
        // Of those that are due, keys that are filled in one go come first.
        let all = [fill, split, waits, untouched, main].into_iter().flatten();
        let due = all.map(|question| Question {
            at: question.at.max(earliest),
            ..question
        });
        due.min_by_key(|question| question.at)
    }

    /// Whether a request of the main key, or one that is compared with it, is in flight.
    fn is_comparing(&self) -> bool {
        let mut flights = self.in_flight.iter();
        flights.any(|question| matches!(question.trial, Trial::Main | Trial::Comparison(_)))
    }

    /// Takes note that the request was sent.
    pub fn sent(&mut self, question: Question, at: Nanos) {
        self.asked += 1;
        self.last_sent = Some(at);
        self.in_flight.push(question);
        match question.trial {
            Trial::Main => {
                self.main.sent(at);
                self.main_asked += 1;
            }
            Trial::Comparison(is_other) => {
                // The next request for another key is for a new one.
                let is_key = matches!(self.comparison, Some((Other::Key, _)));
                self.next_key += u32::from(is_other && is_key);
            }
            Trial::Untouched => self.untouched.iter_mut().for_each(|(_, one)| one.sent(at)),
            Trial::Fill => self.fill.iter_mut().for_each(|(_, one)| one.sent(at)),
            Trial::Split => self.split.iter_mut().for_each(|(_, one)| one.sent(at)),
            Trial::Waits => self
                .waits
                .iter_mut()
                .for_each(|one| one.sent(question.key, at)),
        }
        if self.asked >= self.bounds.requests {
            self.ending.get_or_insert(Ending::OutOfRequests);
        }
    }

    /// Takes what came of the request with the reply's sequence number.
    pub fn answered(&mut self, reply: &Reply) {
        let place = self
            .in_flight
            .iter()
            .position(|sent| sent.sequence == reply.request.sequence);
        let Some(place) = place else {
            return;
        };
        let question = self.in_flight.swap_remove(place);
        let came = match reply.request.decision {
            Decision::Allowed => Came::Admitted,
            Decision::Blocked => Came::Blocked,
            Decision::Failed | Decision::Unanswered => Came::Failed,
        };
        let (sent, done) = (reply.request.sent, reply.request.done);
        self.now = self.now.max(done);
        self.entries.push(Entry {
            key: question.key,
            target: question.target,
            fresh: question.fresh,
            sent,
            done,
            came,
            headers: reply.headers.clone(),
        });
        match question.trial {
            Trial::Main => self.main.answered(sent, done, came),
            Trial::Comparison(_) => {
                if let Some((_, comparison)) = &mut self.comparison {
                    comparison.answered(came);
                }
            }
            // A trial that ended may still have had requests in flight.
            Trial::Untouched => {
                let asked = self
                    .untouched
                    .iter_mut()
                    .filter(|(key, _)| *key == question.key);
                asked.for_each(|(_, one)| one.answered(sent, done, came));
            }
            Trial::Fill => {
                let asked = self.fill.iter_mut().filter(|(key, _)| *key == question.key);
                asked.for_each(|(_, one)| one.answered(sent, done, came));
            }
            Trial::Split => {
                let asked = self
                    .split
                    .iter_mut()
                    .filter(|(key, _)| *key == question.key);
                asked.for_each(|(_, one)| one.answered(sent, done, came));
            }
            Trial::Waits => {
                self.waits
                    .iter_mut()
                    .for_each(|one| one.answered(question.key, sent, done, came));
            }
        }
        if came == Came::Failed {
            self.failures_in_a_row += 1;
            failures::count(&mut self.failures, reply.status);
        } else {
            self.failures_in_a_row = 0;
        }
        if self.failures_in_a_row >= MOST_FAILURES {
            self.ending.get_or_insert(Ending::Failing);
        }
        self.go_on();
    }

    /// Begins and ends trials.
    fn go_on(&mut self) {
        self.compare();
        self.watch_untouched();
        self.fill();
        self.estimate_window();
        self.main_is_over |= self.comparison.is_none() && self.is_main_over(self.window);
        self.split();
        let now = self.now;
        if let Some(waits) = &mut self.waits {
            let next_key = &mut self.next_key;
            waits.begin(now, || {
                *next_key += 1;
                *next_key - 1
            });
        }
        let split_is_over = self
            .split
            .as_ref()
            .is_none_or(|(_, split)| split.is_over(now));
        let waits_are_over = self.waits.as_ref().is_none_or(Waits::is_over);
        let fills_are_over = self.fill.is_none();
        if !self.main.has_admitted() && self.main.is_polling() && now >= self.watched() {
            self.ending.get_or_insert(Ending::NothingAdmitted);
        }
        if self.main_is_over && split_is_over && waits_are_over && fills_are_over {
            self.ending.get_or_insert(Ending::Complete);
        }
    }

    fn estimate_window(&mut self) {
        let edges = self.main.edges().len();
        if edges > self.window_is_of + self.window_is_of / 10 {
            self.window_is_of = edges;
            self.main.estimate_window();
            self.window = self.main.window();
        }
    }

    /// Begins the split key once the window is known.
    fn split(&mut self) {
        let Some(window) = self.window.filter(|_| self.split.is_none()) else {
            return;
        };
        if self.keys == Shares::No {
            let key = self.new_key();
            // Not when a window of the main key begins.
            let at = self.now + Nanos(window.0 / 3);
            self.split = Some((
                key,
                Split::new(window, self.saturation(at, key), self.bounds.time),
            ));
        } else if self.main_is_over {
            // Another key may share the main key's count, so that one is used again once it is forgotten.
            let at = self.now + Nanos(window.0 / 4 * 9);
            let split = Split::new(window, self.saturation(at, self.main_key), self.bounds.time);
            self.split = Some((self.main_key, split));
        }
    }

    fn new_key(&mut self) -> u32 {
        self.next_key += 1;
        self.next_key - 1
    }

    fn saturation(&self, at: Nanos, key: u32) -> Saturation {
        let saturation = Saturation::new(at, self.bounds.gap(), u64::from(key));
        let saturation = saturation.at_the_speed_after(self.main.at_once());
        match self.connections {
            Shares::No => saturation.one_at_a_time(),
            _ => saturation,
        }
    }

    /// Compares other things with the main key while that is full.
    fn compare(&mut self) {
        if let Some((other, comparison)) = &self.comparison {
            let Some(verdict) = comparison.verdict() else {
                return;
            };
            let (other, evidence) = (*other, comparison.evidence());
            self.comparison = None;
            self.main.resume(self.now);
            self.compared(other, verdict, evidence);
        }
        // A limiter that admits nothing at all has no count to share.
        let is_full = self.main.is_polling() && !self.main.awaits() && self.main.has_admitted();
        let is_full = is_full && !self.main_is_over;
        let next = self.to_compare.front().filter(|_| is_full).copied();
        if let Some(ToCompare { other, .. }) = next
            && self.main.edges().len() >= self.compare_after
        {
            let seed = u64::from(self.next_key) + self.asked;
            // A fresh connection may reach the same process by chance.
            let first = if other == Other::Connection { 8 } else { 2 };
            let mut comparison = Comparison::new(self.main.at_once(), first, seed);
            if other == Other::Key {
                comparison = comparison.with_a_new_one_each_time();
            }
            self.comparison = Some((other, comparison));
        }
    }

    fn compared(&mut self, other: Other, verdict: Shares, evidence: f64) {
        let Some(mut compared) = self.to_compare.pop_front() else {
            return;
        };
        compared.times += 1;
        // Once it had a count of its own, that may be full by now.
        let verdict = match verdict {
            Shares::Yes if compared.evidence > 0.0 => Shares::Unknown,
            verdict => verdict,
        };
        match verdict {
            Shares::No => compared.evidence += evidence,
            Shares::Yes => {}
            Shares::Unknown => compared.unknown += 1,
        }
        let is_weak = verdict == Shares::No && compared.evidence < SURELY;
        let is_open = verdict == Shares::Unknown || is_weak;
        if is_open && compared.unknown < MOST_UNKNOWN && compared.times < COMPARISONS {
            self.to_compare.push_back(compared);
            // A window of its own is over with the second edge from now at the latest.
            self.compare_after = self.main.edges().len() + 2;
            return;
        }
        let verdict = if is_open { Shares::Unknown } else { verdict };
        match other {
            Other::Node(node) => self.nodes[node] = verdict,
            Other::Connection => {
                self.connections = verdict;
                if verdict == Shares::No {
                    // Several requests at once went over several connections. One at a time keeps to one.
                    self.entries.clear();
                    self.main_key = self.new_key();
                    let main = Saturation::new(self.now, self.bounds.gap(), 0);
                    self.main = main.one_at_a_time();
                }
            }
            Other::Key => {
                self.keys = verdict;
                if verdict == Shares::No {
                    let key = self.new_key();
                    self.untouched = Some((key, Untouched::new(self.saturation(self.now, key))));
                }
            }
        }
    }

    /// Fills further keys, since a window may have ended while the main key was filled.
    fn fill(&mut self) {
        let most = self.main.at_once() * 2;
        if self
            .fill
            .as_ref()
            .is_some_and(|(_, fill)| fill.is_polling() || fill.at_once() > most)
        {
            self.fill = None;
        }
        let is_affordable = self.main.at_once() <= self.bounds.requests / FILLS_PART;
        let is_time = self.main.edges().len() >= 2 && self.keys == Shares::No && is_affordable;
        if is_time && self.fill.is_none() && self.fills_left > 0 {
            self.fills_left -= 1;
            let key = self.new_key();
            self.fill = Some((key, self.saturation(self.now, key)));
        }
    }

    /// The untouched key tells whether the main key is blocked because it goes on being asked.
    fn watch_untouched(&mut self) {
        let Some((_, untouched)) = &self.untouched else {
            return;
        };
        if !self.main.edges().is_empty() {
            self.untouched = None;
        } else if let Some((short, long)) = untouched.admitted_after() {
            let since = self.main.blocked_since().unwrap_or(self.now);
            // Both may have become free at the same instant, and the main key was not asked since.
            let asked = self.main.last_blocked();
            if asked > since + long * 2 + SETTLED && asked > untouched.admitted_at() + SETTLED {
                self.untouched = None;
                self.blocks_for = Some(long);
                self.waits = Some(Waits::new((short, long), self.bounds.gap()));
            }
        }
    }

    /// For how long the main key is watched at least.
    fn watched(&self) -> Nanos {
        WATCHED.min(Nanos(self.bounds.time.0 / WATCHED_PART))
    }

    fn is_main_over(&self, window: Option<Nanos>) -> bool {
        let edges = self.main.edges();
        let watched = self.watched();
        // If blocked requests count, the main key is not admitted again, however long it is asked.
        let blocked_for = self
            .main
            .blocked_since()
            .map(|since| self.now.saturating_sub(since));
        if let (Some(long), Some(blocked_for), []) = (self.blocks_for, blocked_for, edges) {
            return blocked_for > watched.max(long * 4);
        }
        let is_watched = match window {
            Some(window) => self.now >= watched.max(window * 2),
            None => edges.len() >= 20 && self.now >= watched * 2,
        };
        // Another limit with a longer window is seen by some of its edges.
        let is_short_of_blocks = (1..LONG_BLOCKS).contains(&self.main.long_blocks());
        let is_watched = is_watched && !is_short_of_blocks;
        let is_spent = self.main_asked >= self.bounds.requests / MAIN_PART && edges.len() >= 2;
        is_spent || edges.len() >= 3 && is_watched && !self.main.is_in_long_block(self.now)
    }

    /// Ends the experiment from outside. Replies that are awaited still count.
    pub fn stop(&mut self) {
        self.ending.get_or_insert(Ending::Stopped);
    }

    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Ends the experiment.
    pub fn finish(self) -> Findings {
        let delay = self
            .groupings()
            .into_iter()
            .find_map(|grouping| delays::delay(by_counter(&self.entries, grouping).into_values()));
        let prompt = delay.map(|delay| delays::without(&delay, &self.entries));
        let (grouping, mut explanations, grain) =
            self.explained(prompt.as_deref().unwrap_or(&self.entries));
        let blocked = self
            .entries
            .iter()
            .filter(|entry| entry.came == Came::Blocked);
        let blocked = blocked.count() as u64;
        let delay = delay.filter(|delay| blocked == 0 || delay.is_at_the_rate(&explanations));
        if delay.is_some() {
            // What lets requests through at a rate is a bucket.
            let is_bucket = |limits: &Vec<Found>| {
                let mut limits = limits.iter();
                limits.any(|one| one.limit.algorithm == Algorithm::TokenBucket)
            };
            if explanations.iter().any(is_bucket) {
                explanations.retain(is_bucket);
            }
        }
        let counters = counters(&self.entries, grouping);
        let busiest = counters.iter().max_by_key(|counter| counter.len());
        let requests = busiest.map(Vec::as_slice).unwrap_or_default();
        let admitted = requests.iter().filter(|request| request.admitted).count() as u64;
        let last_admitted = requests.iter().rposition(|request| request.admitted);
        let last_block = requests.get(last_admitted.map_or(0, |place| place + 1)..);
        let last_block = last_block.and_then(|block| Some((block.first()?, block.last()?)));
        let begin = self
            .entries
            .iter()
            .map(|entry| entry.sent)
            .min()
            .unwrap_or_default();
        let claims = self.claims(grouping, &explanations);
        Findings {
            bounds: self.bounds,
            ending: self.ending.unwrap_or(Ending::OutOfTime),
            asked: self.asked,
            lasted: self.now.saturating_sub(begin),
            blocked,
            failures: self.failures,
            most_in_a_second: most_in_a_second(&self.entries),
            connections: self.connections,
            nodes: self.nodes,
            keys: self.keys,
            grouping,
            admitted,
            admitted_at_once: admitted_at_once(&self.entries, grouping),
            rest: self.waits.as_ref().map(Waits::between),
            last_block: last_block
                .map(|(first, last)| (admitted, last.done.saturating_sub(first.sent))),
            explanations,
            grain,
            delay,
            claims,
        }
    }

    /// What the headers claim. If each connection counts alone, the next admission may be another one's.
    fn claims(&self, grouping: Grouping, explanations: &[Vec<Found>]) -> Claims {
        if self.connections == Shares::No {
            return Claims::default();
        }
        let mut limits = explanations.iter().flatten();
        let blocked_may_count = explanations.is_empty() || limits.any(|one| one.counts_blocked);
        let windows = explanations.iter().flatten().map(|one| one.window.0);
        let counters = by_counter(&self.entries, grouping).into_values();
        claims(
            counters,
            blocked_may_count,
            windows.min().unwrap_or_default(),
        )
    }

    /// The limiters that explain the answers, by the grouping with which they do so best, and how coarse their clocks are.
    fn explained(&self, entries: &[Entry]) -> (Grouping, Vec<Vec<Found>>, Nanos) {
        let explained = self.groupings().into_iter().map(|grouping| {
            let counters = counters(entries, grouping);
            let (explanations, grain) = explanations(&counters, self.bounds.gap(), self.began);
            (grouping, explanations, grain)
        });
        // The first one with the finest clock.
        let best =
            explained.min_by_key(|(_, explanations, grain)| (explanations.is_empty(), *grain));
        best.expect("a grouping")
    }

    /// The ways in which requests may count together, the likeliest first. Comparisons that did not tell leave both.
    fn groupings(&self) -> Vec<Grouping> {
        let ways = |shares: Shares, likely: bool| match shares {
            Shares::Yes => vec![false],
            Shares::No => vec![true],
            Shares::Unknown => vec![likely, !likely],
        };
        let others = &self.nodes[1..];
        let nodes = match others {
            [] => Shares::Yes,
            _ if others.contains(&Shares::No) => Shares::No,
            _ if others.contains(&Shares::Yes) => Shares::Yes,
            _ => Shares::Unknown,
        };
        let mut groupings = Vec::new();
        for keys_apart in ways(self.keys, true) {
            for nodes_apart in ways(nodes, false) {
                for connections_apart in ways(self.connections, false) {
                    groupings.push(Grouping {
                        keys_apart,
                        nodes_apart,
                        connections_apart,
                    });
                }
            }
        }
        groupings
    }
}

/// How many requests the busiest counter admitted before its first block; `None` without a block.
fn admitted_at_once(entries: &[Entry], grouping: Grouping) -> Option<u64> {
    let counters = by_counter(entries, grouping).into_values();
    let busiest = counters.max_by_key(Vec::len)?;
    let first = busiest
        .iter()
        .position(|entry| entry.came == Came::Blocked)?;
    let before = busiest[..first].iter();
    Some(before.filter(|entry| entry.came == Came::Admitted).count() as u64)
}

/// The most requests that were sent within a second and all admitted.
fn most_in_a_second(entries: &[Entry]) -> u64 {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by_key(|entry| entry.sent);
    let (mut first, mut most) = (0, 0);
    for (place, entry) in entries.iter().enumerate() {
        if entry.came != Came::Admitted {
            first = place + 1;
            continue;
        }
        while entries[first].sent + SECOND <= entry.sent {
            first += 1;
        }
        most = most.max(place + 1 - first);
    }
    most as u64
}
