use crate::base::Nanos;
use crate::base::text::share;
use crate::core::summary::{StepOutcome, StepPurpose, StepSummary};
use crate::report::duration::in_two_units;
use crate::report::judgement::Tone;
use crate::report::percentiles::{P50, P99};
use crate::report::styled_text::{Line, StyledText};

/// What is left of a search after a step, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    pub steps: usize,
    pub time: Nanos,
}

/// The columns of [`row`].
pub fn columns() -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    text.push(Line::fixed(format!(
        "{:>8} {:>10}  {:11}{:>9} {:>9} {:>8} {:>8} {:>9}",
        "step", "rate", "", "p50", "p99", "blocked", "failed", "left"
    )));
    text
}

/// A step that has ended, in a row, and why it did not hold.
pub fn row(step: &StepSummary, left: Left) -> StyledText {
    let number = match step.purpose {
        StepPurpose::Confirm => "confirm".to_owned(),
        _ => format!("{} of {}", step.number, step.number + left.steps as u64),
    };
    let (tone, word) = look(step.outcome);
    let rate = format!("{}/s", step.rate_per_s);
    let [p50, p99] = [&P50, &P99].map(|one| one.cell(&step.latency));
    let of = &step.requests;
    let [blocked, failed] = [of.blocked, of.failed].map(|part| match of.sent {
        0 => "-".to_owned(),
        sent => share(part, sent),
    });
    let time = match left.steps {
        0 => String::new(),
        _ => format!("~{}", in_two_units(left.time.0.div_ceil(1_000_000_000))),
    };
    let blanks = " ".repeat(11usize.saturating_sub(word.chars().count()));
    let mut text = StyledText::default();
    let line = Line::fixed(format!("{number:>8} {rate:>10}  ")).then_toned(tone, word);
    let rest = format!("{blanks}{p50:>9} {p99:>9} {blocked:>8} {failed:>8} {time:>9}");
    text.push(line.then(rest.trim_end()));
    if step.outcome != StepOutcome::Held {
        let chance = if step.may_be_chance {
            "; that may be chance"
        } else {
            ""
        };
        text.push(Line::sentence(
            format!("{:21}{}{chance}", "", step.reason),
            21,
        ));
    }
    text
}

/// A word for an outcome, and its tone.
pub(in crate::report) fn look(outcome: StepOutcome) -> (Tone, &'static str) {
    match outcome {
        StepOutcome::Held => (Tone::Good, "held"),
        StepOutcome::Missed => (Tone::Bad, "missed"),
        StepOutcome::Generator => (Tone::Unsure, "generator"),
        StepOutcome::Connections => (Tone::Unsure, "connections"),
        StepOutcome::Unjudged => (Tone::Unsure, "unjudged"),
        StepOutcome::Void => (Tone::Plain, "void"),
        StepOutcome::Stopped => (Tone::Plain, "stopped"),
    }
}
