//! The result of a search in a sentence.

use super::{CapacityLimit, CapacityResult, StepOutcome, StepSummary};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::exit_code;

/// Says which rate holds, why no higher one does, and whether the confirmation held.
pub(super) fn of(
    result: &CapacityResult,
    steps: &[StepSummary],
    confirmation: Option<&StepSummary>,
) -> String {
    let mut text = search(result, steps);
    if let Some(confirmation) = confirmation {
        let length = span(Nanos(confirmation.paced_ns));
        text += &match confirmation.outcome {
            StepOutcome::Held => format!(". It also held for {length}"),
            StepOutcome::Stopped => ". A signal stopped the confirmation".to_owned(),
            StepOutcome::Missed => format!(
                ". It did not hold in the confirmation, which ended after {length}: {}",
                confirmation.reason
            ),
            _ => format!(". The confirmation has no verdict: {}", confirmation.reason),
        };
    }
    text
}

fn search(result: &CapacityResult, steps: &[StepSummary]) -> String {
    let why = || {
        let rate = result.not_held_per_s?;
        let reason = decisive_reason(rate, result.limit, steps)?;
        Some((per_second(rate), reason))
    };
    let (held, limit) = (result.held_per_s.map(per_second), result.limit);
    match (held, limit, why()) {
        (Some(held), CapacityLimit::To, _) => {
            format!("Holds {held}, the highest rate that was to be tried")
        }
        (Some(held), CapacityLimit::Limiter, Some((rate, reason))) => {
            format!("Holds {held}: at {rate}, {reason}")
        }
        (Some(held), CapacityLimit::Unfinished, why) => {
            let higher = why.map_or(String::new(), |(rate, reason)| {
                format!(": at {rate}, {reason}")
            });
            format!(
                "{}. Holds at least {held}, as far as it was tried{higher}",
                ended(result)
            )
        }
        (Some(held), _, Some((rate, reason))) => {
            format!("Holds at least {held}, and the limiter may hold more: at {rate}, {reason}")
        }
        (None, CapacityLimit::Limiter, Some((rate, reason))) => {
            format!("Does not hold even {rate}: {reason}")
        }
        (None, CapacityLimit::Unfinished, Some((rate, reason))) => {
            format!(
                "{}. {rate} did not hold, as far as it was tried: {reason}",
                ended(result)
            )
        }
        (None, _, Some((rate, reason))) => {
            format!("No capacity was found: already at {rate}, {reason}")
        }
        (_, _, None) => format!("{}. No capacity was found", ended(result)),
    }
}

fn ended(result: &CapacityResult) -> &'static str {
    if result.interrupted {
        "The search was stopped"
    } else {
        "The search ended without a result, because its steps contradict each other"
    }
}

/// The reason of the last step at this rate that did not hold, if possible for the cause that limits the search.
fn decisive_reason(rate: f64, limit: CapacityLimit, steps: &[StepSummary]) -> Option<String> {
    let cause = match limit {
        CapacityLimit::Limiter => Some(StepOutcome::Missed),
        CapacityLimit::Generator => Some(StepOutcome::Generator),
        CapacityLimit::Connections => Some(StepOutcome::Connections),
        CapacityLimit::Unjudged => Some(StepOutcome::Unjudged),
        CapacityLimit::To | CapacityLimit::Unfinished => None,
    };
    use StepOutcome::{Held, Stopped, Void};
    let mut at_rate = steps
        .iter()
        .rev()
        .filter(|step| step.rate_per_s == rate && ![Held, Stopped, Void].contains(&step.outcome));
    let any = at_rate.clone().next();
    let fitting = at_rate.find(|step| Some(step.outcome) == cause);
    fitting.or(any).map(|step| step.reason.clone())
}

/// A rate with all its digits.
pub(super) fn per_second(rate: f64) -> String {
    format!("{rate}/s")
}

/// The exit code of a search. A rate that was found and did not hold in its confirmation is a failed check.
pub(super) fn exit_code(result: &CapacityResult, confirmation: Option<&StepSummary>) -> u8 {
    let confirmed = confirmation.map(|step| step.outcome);
    match (result.held_per_s, result.limit, confirmed) {
        (None, CapacityLimit::Limiter, _) | (_, _, Some(StepOutcome::Missed)) => exit_code::FAILED,
        (None, _, _) => exit_code::INCONCLUSIVE,
        (Some(_), _, None | Some(StepOutcome::Held | StepOutcome::Stopped)) => exit_code::FINE,
        (Some(_), _, Some(_)) => exit_code::INCONCLUSIVE,
    }
}
