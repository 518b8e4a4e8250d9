use super::super::document::{Section, Table, noted, pill, text};
use super::super::untrusted::Untrusted;
use crate::base::text::share;
use crate::core::summary::{CapacitySummary, StepOutcome, StepPurpose, StepSummary};
use crate::report::capacity::look;
use crate::report::judgement::Judgement;
use crate::report::percentiles::{MAX, P50, P90, P99, P99_9, dash};
use maud::html;

/// A row for each step, in the order in which they were made.
pub fn section(summary: &CapacitySummary) -> Section {
    let columns = [&P50, &P90, &P99, &P99_9, &MAX];
    let names = ["step", "rate", "outcome"];
    let shares = ["allowed", "blocked", "failed"];
    let names = names.into_iter().chain(shares);
    let names = names.chain(columns.map(|column| column.name));
    let all = summary.steps.iter().chain(&summary.confirmation);
    let row = |step: &StepSummary| {
        let number = match step.purpose {
            StepPurpose::Confirm => "confirmation".to_owned(),
            StepPurpose::Repeat => format!("{}, again", step.number),
            StepPurpose::Double | StepPurpose::Narrow => step.number.to_string(),
        };
        let (tone, word) = look(step.outcome);
        let outcome = Judgement {
            tone,
            text: word.to_owned(),
        };
        let of = &step.requests;
        let mut cells = vec![text(format!("{}/s", step.rate_per_s)), pill(&outcome)];
        cells.extend(
            [of.allowed, of.blocked, of.failed].map(|part| match of.sent {
                0 => text("-"),
                sent => text(share(part, sent)),
            }),
        );
        cells.extend(columns.map(|column| text(column.cell(&step.latency))));
        (text(number), cells)
    };
    let table = Table {
        caption: "Steps of the search".to_owned(),
        columns: names.map(text).collect(),
        rows: all.clone().map(row).collect(),
        numbers: true,
    };
    let counts = all.clone().map(|step| step.latency.count);
    let not_held = all.filter(|step| step.outcome != StepOutcome::Held);
    let not_held: Vec<_> = not_held.collect();
    Section {
        id: "steps",
        heading: "Steps",
        body: html! {
            (noted(&table, dash(&columns, counts)))
            @if !not_held.is_empty() {
                h3 { "Steps that did not hold" }
                ul {
                    @for step in not_held {
                        li {
                            @if step.purpose == StepPurpose::Confirm { "The confirmation" } @else { "Step " (step.number) }
                            " at " (step.rate_per_s) "/s: " (Untrusted::sentence(&step.reason))
                            @if step.may_be_chance { "; that may be chance" }
                        }
                    }
                }
            }
        },
    }
}
