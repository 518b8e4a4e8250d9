//! Whether what is said to remain can be true of the whole cluster.

use crate::base::Nanos;
use crate::core::audit::Terms;
use crate::core::audit::terms::drift;

/// The claims made while a key that nobody asked for before is asked for, one request after the other.
///
/// After k admissions at most L − k remain, and what a bucket got back since the first; unless a window ended, after
/// which the count begins again. Within a quarter of a window at most one ends. Its end lies as late as it can when the
/// first claim that does not fit the count up to there was made just before it: whatever else comes more than twice
/// the tolerance later comes after the end.
#[derive(Debug)]
pub(super) struct Remaining {
    limit: u64,
    window: Nanos,
    tolerance: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
    admitted: u64,
    /// By target.
    by_target: Vec<u64>,
    /// Whether each claim fits a count of the target's own.
    alone: bool,
    /// From when on all is surely in another window than the first, if no claim is to be false.
    renewed: Option<Nanos>,
    admitted_since: u64,
    contradicted: bool,
}

/// A claim that is surely false.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FalseClaim {
    /// How many had surely been admitted, with this one.
    pub admitted: u64,
    /// From the first one's sent to this one's done.
    pub within: Nanos,
    /// Whether it would be true of what the target itself admitted.
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
            by_target: vec![0; terms.targets],
            alone: terms.targets > 1,
            renewed: None,
            admitted_since: 0,
            contradicted: false,
        }
    }

    /// Whether nothing was claimed yet.
    pub fn is_empty(&self) -> bool {
        self.admitted == 0
    }

    /// Whether a claim was false: nothing follows from those after it.
    pub fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// A request was admitted between `sent` and `done`, and is said to have left `remaining`. They come in order.
    pub fn claim(
        &mut self,
        target: usize,
        sent: Nanos,
        done: Nanos,
        remaining: u64,
    ) -> Result<(), FalseClaim> {
        let since = *self.since.get_or_insert(sent);
        let within = done.saturating_sub(since);
        self.admitted += 1;
        self.by_target[target] += 1;
        self.alone &= self.is_possible(self.by_target[target], within, remaining);
        match self.renewed {
            None => {
                if !self.is_possible(self.admitted, within, remaining) {
                    self.renewed = Some(done + self.tolerance * 2);
                }
                Ok(())
            }
            Some(renewed) if sent <= renewed => Ok(()),
            Some(_) => {
                self.admitted_since += 1;
                self.contradicted = !self.is_possible(self.admitted_since, within, remaining);
                match self.contradicted {
                    false => Ok(()),
                    true => Err(FalseClaim {
                        admitted: self.admitted,
                        within,
                        alone: self.alone,
                    }),
                }
            }
        }
    }

    /// One more than a bucket may have, whose fraction may be rounded up, or may not count the request itself.
    fn is_possible(&self, admitted: u64, within: Nanos, remaining: u64) -> bool {
        let time = within + Nanos(1_000_000) + drift(within);
        let refilled = u128::from(time.0) * u128::from(self.limit) / u128::from(self.window.0);
        u128::from(remaining) <= u128::from(self.limit.saturating_sub(admitted)) + refilled + 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::terms;
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// Claims of requests that are this many ms apart, to three targets in turn.
    fn judged(
        limit: u64,
        apart: u64,
        claims: impl IntoIterator<Item = u64>,
    ) -> Result<(), FalseClaim> {
        let mut remaining = Remaining::new(&terms(limit, 60_000, 3));
        claims.into_iter().zip(0..).try_for_each(|(claim, k)| {
            let sent = Nanos(k * apart * MILLI);
            remaining.claim(k as usize % 3, sent, sent + Nanos(MILLI / 2), claim)
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
