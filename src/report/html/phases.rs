use super::document::{Section, Table, ledger_columns, noted, text, texts};
use super::untrusted::Untrusted;
use crate::base::Nanos;
use crate::base::text::{rate, span};
use crate::core::summary::{PhaseSummary, Summary};
use crate::report::percentiles::{MAX, P50, P99, dash, known};
use maud::{Markup, html};

/// The most phases that are listed.
const ROWS: usize = 100;

pub fn section(summary: &Summary) -> Section {
    let phases = summary.phases.iter().take(ROWS);
    let (names, counts) = ledger_columns(phases.clone().map(|phase| &phase.requests));
    let answered = phases.clone().map(|phase| phase.latency.count);
    let percentiles = known(&[&P50, &P99, &MAX], answered.clone());
    let row = |(phase, counts): (&PhaseSummary, Vec<Markup>)| {
        let mut cells = texts([phase.times.to_string(), span(Nanos(phase.length_ns))]);
        cells.push(text(rate(phase.requests.sent, Nanos(phase.length_ns))));
        cells.extend(counts);
        let percentiles = percentiles.iter();
        cells.extend(percentiles.map(|one| text(one.cell(&phase.latency))));
        (html! { (Untrusted::name(&phase.name)) }, cells)
    };
    let all = summary.phases.len();
    let table = Table {
        caption: if all > ROWS {
            format!("Requests by the phase in which they were due: the first {ROWS} of {all}")
        } else {
            "Requests by the phase in which they were due".to_owned()
        },
        columns: texts(["phase", "times", "length", "rate"])
            .into_iter()
            .chain(names)
            .chain(texts(percentiles.iter().map(|one| one.name)))
            .collect(),
        rows: phases.zip(counts).map(row).collect(),
        numbers: true,
    };
    let body = match all {
        0 => html! { p class="empty" { "No phase began." } },
        _ => noted(&table, dash(&percentiles, answered)),
    };
    Section {
        id: "phases",
        heading: "Phases",
        body,
    }
}
