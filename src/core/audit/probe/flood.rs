//! The key that gets more requests than any promise admits.

use super::one_node::Learned;
use super::questions::{Answer, Race};
use super::{NotChecked, ProbeReport, ProbeRequest, Reply, quarter, refilled};
use crate::base::Nanos;
use crate::core::audit::observation::Decision;
use crate::core::audit::terms::Terms;
use std::ops::ControlFlow;

#[derive(Debug)]
pub(super) struct Flood {
    fired: u64,
    /// When the next volley is due.
    pub at: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
    flooded: Flooded,
}

/// What came of the flooded key's requests.
#[derive(Debug, Default)]
pub(super) struct Flooded {
    pub admitted: u64,
    /// The time from the first request's sent to the last one's done.
    pub within: Nanos,
    /// The last done of an admitted request.
    pub last_admitted: Option<Nanos>,
    /// When each request was sent that was admitted or blocked.
    pub sent: Vec<Nanos>,
    /// The last request to each target.
    last: Vec<ProbeRequest>,
}

impl Flooded {
    /// Whether this target blocked the last request that it got.
    pub fn is_blocked_by(&self, target: usize) -> bool {
        let last = self.last.get(target);
        last.is_some_and(|last| last.decision == Decision::Blocked)
    }

    fn note(&mut self, replies: &[Reply]) {
        self.last.clear();
        for ProbeRequest {
            sent,
            done,
            decision,
            ..
        } in replies.iter().map(|reply| reply.request)
        {
            match decision {
                Decision::Allowed => {
                    self.admitted += 1;
                    self.last_admitted = self.last_admitted.max(Some(done));
                }
                Decision::Blocked => {}
                Decision::Failed | Decision::Unanswered => continue,
            }
            self.sent.push(sent);
        }
        self.last.extend(replies.iter().map(|reply| reply.request));
    }

    /// Compares the overlapping requests of this key with another's that were sent one at a time.
    pub fn race(&self, learned: &Learned, terms: &Terms) -> Answer<Race> {
        let Some(one) = learned.one_at_a_time else {
            return Answer::NotAsked(NotChecked::NeverBlocked);
        };
        // A new key's bucket is full at first.
        let most = |windows: u64, time| {
            terms
                .limit
                .saturating_mul(windows)
                .saturating_add(refilled(terms, time))
        };
        let evidence = Race {
            overlapping: self.admitted,
            one_at_a_time: one.admitted,
        };
        if one.admitted > most(2, Nanos::ZERO) {
            Answer::Refuted(evidence)
        } else if learned.alone {
            Answer::NotAsked(NotChecked::ExplainedOtherwise)
        } else if one.admitted > most(1, one.within) {
            Answer::NotAsked(NotChecked::Ambiguous)
        } else if self.admitted > most(1, self.within) {
            Answer::Stands(evidence)
        } else {
            Answer::NotAsked(NotChecked::NoExcess)
        }
    }
}

impl Flood {
    pub fn at(at: Nanos) -> Flood {
        Flood {
            fired: 0,
            at,
            since: None,
            flooded: Flooded::default(),
        }
    }

    /// Whether the next volley uses fresh connections, as every second one does. A server whose processes or connections
    /// count alone thus gets requests at several of them.
    pub fn is_fresh(&self) -> bool {
        self.fired % 2 == 1
    }

    pub fn is_new(&self) -> bool {
        self.fired == 0
    }

    /// Takes the replies to one volley, the last of which was done at `ended`. Breaks after the last volley, or after
    /// half a window, since answers may be slower than planned for.
    pub fn answered(
        mut self,
        replies: &[Reply],
        ended: Nanos,
        volleys: Volleys,
        terms: &Terms,
        report: &mut ProbeReport,
    ) -> ControlFlow<Flooded, Flood> {
        self.fired += 1;
        let sent = replies.iter().map(|reply| reply.request.sent).min();
        let since = *self.since.get_or_insert(sent.unwrap_or_default());
        self.flooded.note(replies);
        self.flooded.within = ended.saturating_sub(since);
        let mut decisions = replies.iter().map(|reply| reply.request.decision);
        if decisions.all(|decision| decision == Decision::Failed) {
            report.flooded.why_not = NotChecked::AnsweredOtherwise(replies[0].status);
        } else if self.flooded.within > quarter(terms) * 2 {
            report.flooded.why_not = NotChecked::TooSlow;
        } else if self.fired == volleys.count {
            report.flooded.times += 1;
        } else {
            self.at = ended.max(self.at + volleys.apart);
            return ControlFlow::Continue(self);
        }
        ControlFlow::Break(self.flooded)
    }
}

/// Requests for one key to all targets at the same moment, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Volleys {
    pub count: u64,
    /// The time from one volley to the next.
    pub apart: Nanos,
}

/// The most requests for one key. They should be few beside the load.
const MOST_ASKED: u64 = 5_000;

const LEAST_APART: Nanos = Nanos(1_000_000);
const MOST_APART: Nanos = Nanos(10_000_000);

impl Volleys {
    /// Plans more than twice the limit and two requests for each target. Two fixed windows or a token bucket admit twice
    /// the limit, and the rest makes up for differences between clocks. If there is time for it, each target gets more
    /// than the limit, so that even nodes that count alone reach it.
    ///
    /// # Errors
    /// The requests are too many, or don't fit into a quarter of a window. The error is the greatest limit for which
    /// they would.
    pub fn new(terms: &Terms) -> Result<Volleys, u64> {
        let targets = terms.targets as u64;
        let count = terms.limit.saturating_add(targets).saturating_mul(2) / targets + 1;
        let quarter = quarter(terms);
        for count in [count.max(terms.limit.saturating_add(2)), count] {
            let apart = Nanos(quarter.0 / count).min(MOST_APART);
            if apart >= LEAST_APART && count.saturating_mul(targets) <= MOST_ASKED {
                return Ok(Volleys { count, apart });
            }
        }
        // With limit L and N targets, n volleys are enough if n·N is more than 2 L + 2 N. This solves it for L.
        let most = (quarter.0 / LEAST_APART.0).min(MOST_ASKED / targets);
        let asked = (targets * most).saturating_sub(1);
        Err((asked / 2).saturating_sub(targets))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::terms;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_of_three_nodes_reaches_its_limit_if_there_is_time() {
        let planned = |limit, window| Volleys::new(&terms(limit, window, 3));
        let apart = MOST_APART;
        assert_eq!(planned(100, 60_000), Ok(Volleys { count: 102, apart }));
        let apart = Nanos(250_000_000 / 203);
        assert_eq!(planned(300, 1_000), Ok(Volleys { count: 203, apart }));
    }

    #[test]
    fn a_million_in_a_second_is_more_than_a_probe_can_ask() {
        assert_eq!(Volleys::new(&terms(1_000_000, 1_000, 3)), Err(371));
        assert_eq!(Volleys::new(&terms(1, 1, 1)), Err(0));
    }

    proptest! {
        #[test]
        fn the_greatest_limit_fits_and_the_next_does_not(
            window in 1_u64..=10_000,
            targets in 1_usize..=10,
        ) {
            let Err(most) = Volleys::new(&terms(1_000_000_000, window, targets)) else {
                panic!("too many in 10 s");
            };
            if most > 0 {
                let volleys = Volleys::new(&terms(most, window, targets)).unwrap();
                let asked = volleys.count * targets as u64;
                prop_assert!(asked > 2 * (most + targets as u64));
                prop_assert!(volleys.apart * volleys.count <= Nanos(window * 250_000));
                prop_assert!((LEAST_APART..=MOST_APART).contains(&volleys.apart));
            }
            prop_assert_eq!(Volleys::new(&terms(most + 1, window, targets)), Err(most));
        }
    }
}
