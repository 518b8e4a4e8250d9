//! The rest of a cycle, up to about a window long, in which its three keys are asked for now and then.

use super::header_key::HeaderKey;
use super::keep_asking::KeepAsking;
use super::questions::{Answer, BlockedCount};
use super::wait::{Wait, Waited};
use super::{Ask, HeaderFault, NotChecked, ProbeReport, Reply, To};
use crate::base::Nanos;
use crate::core::audit::terms::Terms;

#[derive(Debug)]
pub(super) struct Waiting {
    header: Option<HeaderKey>,
    /// Compares the `Retry-After` of the key that one node got, of which nothing is asked until its time has come.
    untouched: Option<Wait>,
    flooded: Option<KeepAsking>,
    readmitted: bool,
    /// The flooded key was still blocked when it had to be admitted.
    still_blocked: Option<BlockedCount>,
}

/// The key of the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Header,
    Untouched,
    Flooded,
}

impl Waiting {
    pub fn new(
        header: Option<HeaderKey>,
        untouched: Option<Wait>,
        flooded: Option<KeepAsking>,
    ) -> Waiting {
        Waiting {
            header,
            untouched,
            flooded,
            readmitted: false,
            still_blocked: None,
        }
    }

    /// The key whose request is due first. `None` if nothing is left to ask.
    fn turn(&self) -> Option<(Nanos, Turn)> {
        let header = self.header.as_ref().map(|key| (key.at(), Turn::Header));
        let untouched = self.untouched.as_ref().map(|key| (key.at, Turn::Untouched));
        let flooded = self.flooded.as_ref().map(|key| (key.at, Turn::Flooded));
        let turns = [header, untouched, flooded].into_iter().flatten();
        turns.min_by_key(|(at, _)| *at)
    }

    /// The next request, if there is one.
    pub fn next(&self, cycle: u32, terms: &Terms) -> Option<Ask> {
        let (at, turn) = self.turn()?;
        let (key, target) = match turn {
            Turn::Header => (
                super::header_key(cycle),
                self.header.as_ref()?.target(terms),
            ),
            Turn::Untouched => (
                super::one_node_key(cycle),
                self.untouched.as_ref()?.target(),
            ),
            Turn::Flooded => (super::flooded_key(cycle), self.flooded.as_ref()?.target()),
        };
        Some(Ask {
            key,
            to: To::One(target),
            fresh: false,
            at,
        })
    }

    /// How long the cycle has to go on for one of the keys to be of use.
    pub fn settled_at(&self, terms: &Terms) -> Nanos {
        let header = self.header.as_ref().map(|key| key.settled_at(terms));
        let untouched = self.untouched.as_ref().map(|key| key.settled_at(terms));
        let flooded = self.flooded.as_ref().map(KeepAsking::settled_at);
        let keys = [header, untouched, flooded].into_iter().flatten();
        keys.min().unwrap_or_default()
    }

    /// Faults that are known already, though not their size.
    pub fn unconfirmed(&self, terms: &Terms) -> Vec<HeaderFault> {
        let header = self.header.as_ref().and_then(|key| key.unconfirmed(terms));
        let untouched = self.untouched.as_ref();
        let untouched = untouched.and_then(|wait| wait.unconfirmed(terms));
        header.into_iter().chain(untouched).collect()
    }

    /// Takes the reply to the next request. Returns `None` if nothing is left to ask.
    pub fn answered(
        mut self,
        reply: &Reply,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> Option<Waiting> {
        let (_, turn) = self.turn()?;
        match turn {
            Turn::Header => {
                let (more, readmitted) = self.header.take()?.answered(reply, terms, report);
                self.header = more;
                self.readmitted |= readmitted;
            }
            Turn::Untouched => match self.untouched.take()?.answered(reply, terms, report) {
                Waited::More(wait) => self.untouched = Some(wait),
                Waited::Admitted => self.readmitted = true,
                Waited::Over => {}
            },
            Turn::Flooded => match self.flooded.take()?.answered(reply, terms) {
                Ok(more) => self.flooded = Some(more),
                Err(Answer::Stands(evidence)) => self.still_blocked = Some(evidence),
                Err(answer) => report.questions.blocked_count.record(answer),
            },
        }
        if self.turn().is_some() {
            return Some(self);
        }
        if let Some(evidence) = self.still_blocked {
            let answer = if self.readmitted {
                Answer::Stands(evidence)
            } else {
                Answer::NotAsked(NotChecked::NotReadmitted)
            };
            report.questions.blocked_count.record(answer);
        }
        None
    }
}
