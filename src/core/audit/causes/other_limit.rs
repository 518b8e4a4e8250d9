//! The limit, or the window, is another than promised, and otherwise all is well.
//!
//! A sliding window of length W with another limit L' admits at most L' requests in it and blocks only after L' admissions.
//! So L' is at least the most that were surely admitted within W, and at most the least number of others that can have
//! counted against a blocked request. Likewise, with the limit L as promised, the window is no longer than any span of L + 1
//! admissions, and reaches from each block to the L-th admission before it. An empty interval refutes the hypothesis, and so
//! does one that contains the promised value.

use super::{Answered, Case, Conclusion, Hypothesis};
use crate::base::Nanos;
use crate::base::text::{count, span};
use crate::core::audit::observation::Decision;
use std::cmp::Ordering;

/// How many answers have to support each bound.
const SEVERAL: u64 = 3;

/// A bound, and how many answers have given it.
#[derive(Debug, Clone, Copy)]
struct Bound<T> {
    value: T,
    answers: u64,
}

impl<T: Copy> Bound<T> {
    /// Takes in one more. `order` is `Less` if `value` is within the bound so far.
    fn tighten(bound: &mut Option<Bound<T>>, value: T, order: impl Fn(T, T) -> Ordering) {
        match bound {
            Some(one) => match order(value, one.value) {
                Ordering::Less => {}
                Ordering::Equal => one.answers += 1,
                Ordering::Greater => *bound = Some(Bound { value, answers: 1 }),
            },
            None => *bound = Some(Bound { value, answers: 1 }),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct OtherLimit {
    at_least: Option<Bound<u64>>,
    at_most: Option<Bound<u64>>,
}

impl Hypothesis for OtherLimit {
    fn name(&self) -> &'static str {
        "the limit is another"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        if !answered.is_general {
            return;
        }
        if let Some(within) = answered.within {
            Bound::tighten(&mut self.at_least, within, |new, old| new.cmp(&old));
        }
        if let Some(blocked) = answered.blocked.filter(|blocked| blocked.is_judged) {
            Bound::tighten(&mut self.at_most, blocked.counted, |new, old| old.cmp(&new));
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let is_broken = case.is_exceeded || case.has_false_blocks;
        let (Some(least), Some(most)) = (self.at_least, self.at_most) else {
            return Conclusion::NotTested;
        };
        let terms = &case.terms;
        let (limit, window) = (terms.limit / terms.cost, terms.window);
        let (from, to) = (least.value, most.value);
        if from > to {
            return Conclusion::refuted(format!(
                "{from} of one key were admitted within {window}, and a request was blocked when at most {to} others can \
                 have counted"
            ));
        }
        if (from..=to).contains(&limit) {
            return Conclusion::refuted("the promised limit fits these answers");
        }
        if !is_broken || least.answers < SEVERAL || most.answers < SEVERAL || others_explain(case) {
            return Conclusion::NotTested;
        }
        let range = if from == to {
            from.to_string()
        } else {
            format!("{from} to {to}")
        };
        let half = if (from..=to).contains(&limit.div_ceil(2)) && to < limit {
            ", as if each request were counted twice"
        } else {
            ""
        };
        let statement = format!(
            "the limit looks like {range} in {window}, where {}{half}",
            count(limit, "is promised", "are promised")
        );
        let evidence = [
            format!(
                "{from} of one key were admitted within {window}, {} times",
                least.answers
            ),
            format!(
                "no request was blocked when fewer than {to} others can have counted, and {} were at {to}",
                most.answers
            ),
        ];
        Conclusion::named(statement, evidence)
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}

#[derive(Debug, Clone, Default)]
pub struct OtherWindow {
    at_least: Nanos,
    at_most: Option<Nanos>,
    /// Admissions beyond the limit, or wrongly blocked requests.
    breaches: u64,
    /// Blocks of keys of which fewer than the limit have ever been admitted.
    unexplained: u64,
}

impl Hypothesis for OtherWindow {
    fn name(&self) -> &'static str {
        "the window is another"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        if !answered.is_general {
            return;
        }
        let Answered {
            request,
            quota,
            bounds,
            ..
        } = answered;
        self.breaches += u64::from(answered.is_excess() || answered.is_wrong);
        let log = quota.log();
        if request.decision == Decision::Allowed {
            if let Some(first) = log.last_but(bounds.limit) {
                let within = request.done.saturating_sub(first.sent);
                self.at_most = Some(self.at_most.map_or(within, |most| most.min(within)));
            }
        } else if let Some(blocked) = answered.blocked.filter(|blocked| blocked.is_judged) {
            let Some(others) = bounds.limit.checked_sub(blocked.pending + 1) else {
                return;
            };
            match log.latest_decision_but(others) {
                Some(decided) => {
                    let back = request.sent.saturating_sub(decided);
                    self.at_least = self.at_least.max(back);
                }
                None => self.unexplained += 1,
            }
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let (limit, window) = (case.terms.limit, case.terms.window);
        if self.unexplained > 0 {
            return Conclusion::refuted(format!(
                "{} requests were blocked of keys of which fewer than {limit} had ever been admitted",
                self.unexplained
            ));
        }
        let Some(to) = self.at_most.filter(|_| self.at_least > Nanos::ZERO) else {
            return Conclusion::NotTested;
        };
        let from = self.at_least;
        let (from_text, to_text) = (span(from), span(to));
        if from > to {
            return Conclusion::refuted(format!(
                "{} admissions lie within {to_text}, and a block needs an admission from {from_text} before",
                limit + 1
            ));
        }
        let tolerance = case.terms.tolerance();
        if from <= window + tolerance && to + tolerance >= window {
            return Conclusion::refuted("the promised window fits these answers");
        }
        // A bound that is far from the other says little: any fault that admits or blocks a few more gives it.
        let is_vague = to.0 > from.0.saturating_mul(5) / 4;
        if is_vague || self.breaches < limit / 2 || self.breaches < SEVERAL || others_explain(case)
        {
            return Conclusion::NotTested;
        }
        let statement =
            format!("the window looks like {from_text} to {to_text}, where {window} is promised");
        let evidence = [
            format!("{} admissions of one key lie within {to_text}", limit + 1),
            format!(
                "a request was blocked when the last {limit} admissions reached back {from_text}"
            ),
        ];
        Conclusion::named(statement, evidence)
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}

/// Whether nodes, processes or connections that count alone, each with the promised limit, look like one larger limit.
fn others_explain(case: &Case<'_>) -> bool {
    let questions = case.probe.map(|probe| &probe.questions);
    let alone = questions.is_some_and(|questions| {
        questions.nodes.standing().is_some() || questions.connections.standing().is_some()
    });
    let hypotheses = case.hypotheses.0.iter();
    let mut nodes = hypotheses.filter(|one| one.name() == super::nodes_alone::NAME);
    alone || nodes.any(|one| matches!(one.conclude(case), Conclusion::Named { .. }))
}
