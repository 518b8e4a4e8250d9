//! Can the number of requests that answers say remain be true of the whole cluster?

use super::ProbeRequest;
use crate::base::{Address, Nanos};
use crate::core::audit::bounds::drift;
use crate::core::audit::terms::Terms;
use std::collections::HashMap;

/// The claims of the answers for a new key, which gets one request after the other.
///
/// After k admissions at most L − k requests remain, and as many more as a bucket got back since the first; unless a
/// window ended, after which the count begins again. Within a quarter of a window at most one window ends. Its end is
/// latest if the first claim that does not fit the count was made just before it. So every request that comes more than
/// twice the tolerance after that claim comes after the end.
///
/// By draft-ietf-httpapi-ratelimit-headers-11, section 4.1.1, a positive number promises nothing. But a number greater
/// than the cluster can have left is not of the limit that it stands for.
#[derive(Debug)]
pub(super) struct Remaining {
    limit: u64,
    window: Nanos,
    tolerance: Nanos,
    /// The first admitted request's sent.
    since: Option<Nanos>,
    admitted: u64,
    /// The number of admissions by each node, which is an address of a target.
    by_node: HashMap<(usize, Option<Address>), u64>,
    /// Whether each claim fits the node's own count.
    fit_alone: bool,
    /// From here on, all requests are surely in another window than the first, if no claim is false.
    renewed: Option<Nanos>,
    admitted_since: u64,
    contradicted: bool,
}

/// A claim that is surely false.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FalseClaim {
    /// How many requests had surely been admitted, with this one.
    pub admitted: u64,
    /// The time from the first one's sent to this one's done.
    pub within: Nanos,
    /// Whether there are several nodes, and it would be true if each counted only its own admissions.
    pub alone: bool,
}

impl Remaining {
    pub fn new(terms: &Terms) -> Remaining {
        Remaining {
            limit: terms.limit,
            window: terms.window,
            tolerance: terms.tolerance(),
            since: None,
            admitted: 0,
            by_node: HashMap::new(),
            fit_alone: true,
            renewed: None,
            admitted_since: 0,
            contradicted: false,
        }
    }

    /// Whether there was no claim yet.
    pub fn is_empty(&self) -> bool {
        self.admitted == 0
    }

    /// Whether a claim was false. Nothing follows from the claims after it.
    pub fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// Takes the claim of an answer, which came from this address, that `remaining` requests remain after this admission.
    /// Claims come in order.
    ///
    /// # Errors
    /// The claim can't be true.
    pub fn claim(
        &mut self,
        request: &ProbeRequest,
        address: Option<Address>,
        remaining: u64,
    ) -> Result<(), FalseClaim> {
        let since = *self.since.get_or_insert(request.sent);
        let within = request.done.saturating_sub(since);
        self.admitted += 1;
        let own = self.by_node.entry((request.target, address)).or_default();
        *own += 1;
        let own = *own;
        self.fit_alone &= self.is_possible(own, within, remaining);
        match self.renewed {
            None => {
                if !self.is_possible(self.admitted, within, remaining) {
                    self.renewed = Some(request.done + self.tolerance * 2);
                }
            }
            Some(renewed) if request.sent <= renewed => {}
            Some(_) => {
                self.admitted_since += 1;
                if !self.is_possible(self.admitted_since, within, remaining) {
                    self.contradicted = true;
                    return Err(FalseClaim {
                        admitted: self.admitted,
                        within,
                        alone: self.fit_alone && self.by_node.len() > 1,
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether the claim can be true after so many admissions. One more may remain than a bucket has, because its
    /// fraction may be rounded up, or because the request itself may not be counted yet.
    fn is_possible(&self, admitted: u64, within: Nanos, remaining: u64) -> bool {
        let time = within + Nanos(1_000_000) + drift(within);
        let refilled = u128::from(time.0) * u128::from(self.limit) / u128::from(self.window.0);
        u128::from(remaining) <= u128::from(self.limit.saturating_sub(admitted)) + refilled + 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::terms;
    use super::*;
    use crate::core::audit::Decision;

    const MILLI: u64 = 1_000_000;

    /// Judges the claims of requests that are this many ms apart, to three targets in turn.
    fn judged(
        limit: u64,
        apart: u64,
        claims: impl IntoIterator<Item = u64>,
    ) -> Result<(), FalseClaim> {
        let mut remaining = Remaining::new(&terms(limit, 60_000, 3));
        claims.into_iter().zip(0..).try_for_each(|(claim, k)| {
            let sent = Nanos(k * apart * MILLI);
            let request = ProbeRequest {
                sequence: k,
                target: k as usize % 3,
                sent,
                done: sent + Nanos(MILLI / 2),
                decision: Decision::Allowed,
            };
            remaining.claim(&request, None, claim)
        })
    }

    #[test]
    fn one_count_is_possible_wherever_a_window_ends() {
        for end in 0..100 {
            let claims = (1..=end).map(|k| 100 - k).chain((1..=100).map(|k| 100 - k));
            assert_eq!(judged(100, 1, claims), Ok(()), "{end}");
        }
    }

    #[test]
    fn a_count_may_leave_the_request_itself_out() {
        assert_eq!(judged(100, 20, (1..=100).rev()), Ok(()));
    }

    #[test]
    fn a_count_for_each_of_three_nodes_is_not_possible() {
        for (limit, apart) in [(9, 14), (100, 1), (1_000, 1)] {
            let claims = (0..3 * limit).map(|k| limit - 1 - k / 3);
            let claim = judged(limit, apart, claims).expect_err("three counts");
            assert!(claim.alone, "{claim:?}");
        }
    }

    #[test]
    fn two_ends_within_a_quarter_of_a_window_are_not_possible() {
        let claims = [4, 4, 4, 4, 4, 4];
        let claim = judged(5, 100, claims).expect_err("never counts");
        assert_eq!((claim.admitted, claim.alone), (6, true));
    }
}
