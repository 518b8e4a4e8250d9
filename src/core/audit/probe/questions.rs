//! Possible causes of a breach, and what the probe learned about each.
//!
//! Each cause is a hypothesis. The probe sends requests whose answers would refute it, and reports whether it stands.
//! A cause that stands is not proved by that alone: the audit names it only if the limit was broken.

use super::not_checked::NotChecked;
use crate::base::Nanos;
use crate::base::text::seconds;

/// The possible causes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    pub nodes: Asked<NodesAlone>,
    pub connections: Asked<ConnectionsAlone>,
    pub keys: Asked<KeysNotApart>,
    pub counted_twice: Asked<CountedTwice>,
    pub race: Asked<Race>,
    pub blocked_count: Asked<BlockedCount>,
    /// The least admissions of any key whose requests were sent one at a time.
    pub one_at_a_time: Option<OneAtATime>,
}

/// The answers about one hypothesis, one in each of the probe's cycles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<E> {
    /// In how many cycles it stood.
    pub stood: u64,
    /// In how many cycles it was refuted.
    pub refuted: u64,
    /// The first answer that decides.
    pub answer: Answer<E>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<E> {
    /// It was not asked, or the answers fit the hypothesis and a correct limiter alike.
    NotAsked(NotChecked),
    /// The answers fit the hypothesis, and not what would refute it.
    Stands(E),
    /// The answers contradict the hypothesis.
    Refuted(E),
}

/// The numbers that decide about a hypothesis.
pub trait Evidence: Clone {
    /// The hypothesis, as a question after "whether".
    const WHETHER: &'static str;

    /// Whether a correct limiter never answers as the hypothesis says. Then one cycle in which it stands outweighs
    /// others in which it was refuted; otherwise one refutation outweighs everything.
    const STANDING_IS_PROOF: bool;

    /// The answer in one sentence, without a full stop. `targets` are the nodes' names.
    fn sentence(&self, stands: bool, targets: &[String]) -> String;
}

impl<E> Default for Asked<E> {
    fn default() -> Self {
        Asked {
            stood: 0,
            refuted: 0,
            answer: Answer::NotAsked(NotChecked::RunEnded),
        }
    }
}

impl<E: Evidence> Asked<E> {
    pub(super) fn record(&mut self, answer: Answer<E>) {
        let replaces = match &answer {
            Answer::NotAsked(_) => self.stood + self.refuted == 0,
            Answer::Stands(_) => {
                self.stood += 1;
                self.stood == 1 && (E::STANDING_IS_PROOF || self.refuted == 0)
            }
            Answer::Refuted(_) => {
                self.refuted += 1;
                self.refuted == 1 && !(E::STANDING_IS_PROOF && self.stood > 0)
            }
        };
        if replaces {
            self.answer = answer;
        }
    }

    /// The evidence, if the hypothesis stands.
    pub fn standing(&self) -> Option<&E> {
        match &self.answer {
            Answer::Stands(evidence) => Some(evidence),
            _ => None,
        }
    }

    pub fn is_refuted(&self) -> bool {
        matches!(self.answer, Answer::Refuted(_))
    }

    /// The answer in one sentence, without a full stop. `targets` are the nodes' names.
    pub fn sentence(&self, targets: &[String]) -> String {
        match &self.answer {
            Answer::NotAsked(why) => format!("whether {} is not known: {why}", E::WHETHER),
            Answer::Stands(evidence) => evidence.sentence(true, targets),
            Answer::Refuted(evidence) => evidence.sentence(false, targets),
        }
    }
}

impl Questions {
    /// One sentence for each question, without a full stop. `targets` are the nodes' names.
    pub fn sentences(&self, targets: &[String]) -> [String; 6] {
        [
            self.nodes.sentence(targets),
            self.connections.sentence(targets),
            self.keys.sentence(targets),
            self.counted_twice.sentence(targets),
            self.race.sentence(targets),
            self.blocked_count.sentence(targets),
        ]
    }
}

/// Each node counts alone, with the whole limit for itself.
///
/// One node alone gets requests of a new key, one at a time, until it blocks. Then the other nodes get requests in turn
/// with the first one. If these count alone, they admit requests while the first one still blocks, more than one count
/// could have refilled. One shared count, even of several times the limit, blocks at all nodes or at none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodesAlone {
    /// The place in the plan of the node that was asked first.
    pub first: usize,
    /// How many requests it admitted before it blocked, or in all if it never did.
    pub admitted_first: u64,
    /// How many requests it blocked then. 0 if it never did.
    pub blocked_first: u64,
    /// The answers of other nodes after that.
    pub others: Vec<NodeAnswers>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAnswers {
    /// The node's place in the plan.
    pub target: usize,
    pub admitted: u64,
    pub blocked: u64,
}

impl Evidence for NodesAlone {
    const WHETHER: &'static str = "each node counts alone";
    const STANDING_IS_PROOF: bool = true;

    fn sentence(&self, stands: bool, targets: &[String]) -> String {
        let name = |target: usize| name(targets, target);
        let (first, admitted) = (name(self.first), self.admitted_first);
        if self.blocked_first == 0 {
            return format!(
                "nodes do not count alone with this limit: {first} alone admitted {admitted} requests of one key"
            );
        }
        let others = if stands {
            let admitting = self.others.iter().filter(|other| other.admitted > 0);
            admitting
                .map(|other| format!("{} admitted {} more", name(other.target), other.admitted))
                .collect::<Vec<_>>()
                .join(" and ")
        } else {
            let blocking = self.others.iter().map(|other| name(other.target));
            format!("{} blocked too", blocking.collect::<Vec<_>>().join(" and "))
        };
        let alone = format!("{first} alone blocked after {admitted} admissions of one key");
        if stands {
            format!("each node counts alone: {alone}, and then {others} while it still blocked")
        } else {
            format!("nodes do not count alone: {alone}, and then {others}")
        }
    }
}

/// Each process or connection of a node counts alone.
///
/// When a key is blocked over the kept connection to a node, requests over fresh connections to the same node alternate
/// with requests over the kept one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionsAlone {
    /// The node's place in the plan.
    pub target: usize,
    /// How many requests were admitted over fresh connections, one each.
    pub admitted: u64,
    /// How many were blocked over fresh connections, one each.
    pub blocked: u64,
    /// How many were blocked over the kept connection, before, between and after them.
    pub blocked_kept: u64,
}

impl Evidence for ConnectionsAlone {
    const WHETHER: &'static str = "each process or connection counts alone";
    /// All fresh connections may reach the same process by chance.
    const STANDING_IS_PROOF: bool = true;

    fn sentence(&self, stands: bool, targets: &[String]) -> String {
        let ConnectionsAlone {
            admitted, blocked, ..
        } = self;
        let target = name(targets, self.target);
        let fresh = admitted + blocked;
        if stands {
            format!(
                "each process or connection of {target} counts alone: {admitted} of {fresh} requests over fresh \
                 connections were admitted while the kept connection was blocked"
            )
        } else {
            format!(
                "connections do not count alone: {fresh} fresh connections to {target} were blocked like the kept one"
            )
        }
    }
}

/// Keys are not told apart, or the limit is by address.
///
/// A new key gets its first request right after another key was saturated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysNotApart {
    /// The place in the plan of the node that had just blocked the other key.
    pub target: usize,
    /// How many requests of the other key had been admitted.
    pub admitted_before: u64,
}

impl Evidence for KeysNotApart {
    const WHETHER: &'static str = "keys are told apart";
    const STANDING_IS_PROOF: bool = true;

    fn sentence(&self, stands: bool, targets: &[String]) -> String {
        let target = name(targets, self.target);
        if stands {
            format!(
                "keys are not told apart: after {} admissions of one key, {target} blocked the first request of another",
                self.admitted_before
            )
        } else {
            format!(
                "keys are told apart: {target} blocked one key and admitted the first request of another"
            )
        }
    }
}

/// How many requests of a new key one node admitted that were sent one at a time, until it blocked one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneAtATime {
    /// The node's place in the plan.
    pub target: usize,
    pub admitted: u64,
    /// The time from the first one's sent to the blocked one's done.
    pub within: Nanos,
    /// How often the reported number of remaining requests fell by one from one answer to the next.
    pub steps_of_one: u64,
    /// How often it fell by two.
    pub steps_of_two: u64,
}

/// Requests are counted twice: only half of the limit is admitted, and each request takes two off what remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedTwice {
    pub limit: u64,
    pub seen: OneAtATime,
}

impl Evidence for CountedTwice {
    const WHETHER: &'static str = "requests are counted twice";
    const STANDING_IS_PROOF: bool = false;

    fn sentence(&self, stands: bool, _: &[String]) -> String {
        let CountedTwice { limit, seen } = self;
        let mut text = if stands {
            "requests are counted twice".to_owned()
        } else {
            "requests are not counted twice".to_owned()
        };
        text += &format!(
            ": sent one at a time, {} requests of one key were admitted, of a limit of {limit}",
            seen.admitted
        );
        if stands && seen.steps_of_two > 0 {
            text += &format!(
                ", and the reported number of remaining requests fell by two {} times",
                seen.steps_of_two
            );
        }
        text
    }
}

/// Requests that overlap race each other past the limit.
///
/// This stands if overlapping requests of one key were admitted more than those of another sent one at a time. The end
/// of a window between them explains up to twice the limit as well, so it is a cause only of an excess that the audit
/// has proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Race {
    /// How many of the overlapping requests were admitted.
    pub overlapping: u64,
    pub one_at_a_time: u64,
}

impl Evidence for Race {
    const WHETHER: &'static str = "requests that overlap are admitted beyond the limit";
    const STANDING_IS_PROOF: bool = false;

    fn sentence(&self, stands: bool, _: &[String]) -> String {
        let Race {
            overlapping,
            one_at_a_time,
        } = self;
        if stands {
            format!(
                "requests that overlap race each other: {overlapping} of one key were admitted, and {one_at_a_time} of \
                 another that were sent one at a time"
            )
        } else {
            format!(
                "a race is not the cause: {one_at_a_time} requests were admitted that were sent one at a time"
            )
        }
    }
}

/// Blocked requests count as well, so that a key is blocked for as long as requests come.
///
/// A saturated key goes on getting as many requests per window as its limit. By every promise one of them is admitted
/// once the admissions before are over. If none is, though a key without requests meanwhile is, this stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockedCount {
    /// How many requests came in the window before the last one.
    pub asked: u64,
    /// The time from the key's last admission to the last request.
    pub after: Nanos,
}

impl Evidence for BlockedCount {
    const WHETHER: &'static str = "blocked requests count too";
    const STANDING_IS_PROOF: bool = false;

    fn sentence(&self, stands: bool, _: &[String]) -> String {
        let asked = self.asked;
        let after = seconds(self.after);
        if stands {
            format!(
                "blocked requests count too: a key that got {asked} requests in a window was still blocked {after} after \
                 its last admission, and a key without requests was not"
            )
        } else {
            format!(
                "blocked requests do not count: a request was admitted {after} after the key's last admission, although \
                 {asked} had come in the window before"
            )
        }
    }
}

fn name(targets: &[String], target: usize) -> String {
    let name = targets.get(target);
    name.map_or_else(|| format!("node {}", target + 1), String::clone)
}
