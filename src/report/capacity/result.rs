use crate::base::text::share;
use crate::core::exit_code;
use crate::core::summary::{CapacityLimit, CapacitySummary, StepOutcome, StepSummary};
use crate::report::judgement::{Judgement, Tone, uncapitalized};
use crate::report::percentiles::{MAX, P50, P90, P99, P99_9};
use crate::report::styled_text::{Line, StyledText, Table};
use std::collections::BTreeMap;

/// The result of a search in a sentence, and whether it is good.
pub(in crate::report) fn judgement(summary: &CapacitySummary) -> Judgement {
    let result = &summary.result;
    let tone = match (summary.exit_code, result.limit) {
        (exit_code::FAILED, _) => Tone::Bad,
        (exit_code::FINE, CapacityLimit::Limiter | CapacityLimit::To) => Tone::Good,
        _ => Tone::Unsure,
    };
    Judgement {
        tone,
        text: result.statement.clone(),
    }
}

/// The sentence with which a search ends.
pub fn verdict(summary: &CapacitySummary) -> StyledText {
    let Judgement { tone, text } = judgement(summary);
    let mut verdict = StyledText::default();
    verdict.blank();
    verdict.push(Line::sentence("Verdict: ", 11).then_toned(tone, &uncapitalized(&text)));
    verdict
}

/// A row for each rate, with the numbers of its last step. `None` if no step came to its end.
pub fn result(summary: &CapacitySummary) -> Option<StyledText> {
    let rates = by_rate(summary);
    if rates.is_empty() {
        return None;
    }
    let mut text = StyledText::default();
    text.blank();
    let columns = [&P50, &P90, &P99, &P99_9, &MAX];
    let names = ["rate", "held", "allowed", "blocked", "failed"];
    let names = names.into_iter().chain(columns.map(|column| column.name));
    let mut table = Table::new(names.map(str::to_owned));
    for steps in rates.values() {
        let Some(last) = steps.last() else { continue };
        let held = steps
            .iter()
            .filter(|step| step.outcome == StepOutcome::Held)
            .count();
        let of = &last.requests;
        let shares = [of.allowed, of.blocked, of.failed].map(|part| match of.sent {
            0 => "-".to_owned(),
            sent => share(part, sent),
        });
        let mut row = vec![format!("{}/s", last.rate_per_s)];
        row.push(format!("{held} of {}", steps.len()));
        row.extend(shares);
        row.extend(columns.map(|column| column.cell(&last.latency)));
        table.push(row);
    }
    text.table(table);
    let chance = &summary.result.contradicted_per_s;
    if !chance.is_empty() {
        let rates: Vec<_> = chance.iter().map(|rate| format!("{rate}/s")).collect();
        let note = format!(
            "  At {}, a step did not hold, although others there or at higher rates did.",
            rates.join(", ")
        );
        text.push(Line::sentence(note, 4));
    }
    Some(text)
}

/// The judged steps by their rates, in the order in which they were made. Those that say nothing are left out.
pub(in crate::report) fn by_rate(summary: &CapacitySummary) -> BTreeMap<u64, Vec<&StepSummary>> {
    let mut rates: BTreeMap<u64, Vec<&StepSummary>> = BTreeMap::new();
    let judged = summary
        .steps
        .iter()
        .filter(|step| !matches!(step.outcome, StepOutcome::Void | StepOutcome::Stopped));
    for step in judged {
        // In nano-requests per second, as rates are counted.
        let rate = (step.rate_per_s * 1e9).round() as u64;
        rates.entry(rate).or_default().push(step);
    }
    rates
}
