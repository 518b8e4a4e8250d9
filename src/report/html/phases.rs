use super::document::{Section, Table, counted, text, texts};
use super::untrusted::Untrusted;
use crate::base::Nanos;
use crate::base::text::{rate, span};
use crate::core::summary::{PhaseSummary, Summary};
use crate::report::percentiles::span_of;
use maud::{Markup, html};

/// As many phases as are listed.
const ROWS: usize = 100;

pub fn section(summary: &Summary) -> Section {
    let phases = summary.phases.iter().take(ROWS);
    let counts: Vec<_> = phases
        .clone()
        .map(|phase| {
            let of = &phase.requests;
            [
                of.sent,
                of.allowed,
                of.blocked,
                of.failed,
                of.abandoned,
                of.dropped,
                of.unsent,
            ]
        })
        .collect();
    let names = [
        "sent",
        "allowed",
        "blocked",
        "failed",
        "abandoned",
        "dropped",
        "unsent",
    ];
    let (names, counts) = counted(names, 4, &counts);
    let row = |(phase, counts): (&PhaseSummary, Vec<Markup>)| {
        let mut cells = texts([phase.times.to_string(), span(Nanos(phase.length_ns))]);
        cells.push(text(rate(phase.requests.sent, Nanos(phase.length_ns))));
        cells.extend(counts);
        let spans = [
            (&phase.latency, phase.latency.p50_ns),
            (&phase.latency, phase.latency.p99_ns),
            (&phase.latency, phase.latency.max_ns),
        ];
        cells.extend(spans.map(|(of, ns)| text(span_of(of, ns))));
        (html! { (Untrusted::name(&phase.name)) }, cells)
    };
    let all = summary.phases.len();
    let table = Table {
        caption: match all > ROWS {
            true => {
                format!("Requests by the phase in which they were due: the first {ROWS} of {all}")
            }
            false => "Requests by the phase in which they were due".to_owned(),
        },
        columns: texts(["phase", "times", "length", "rate"])
            .into_iter()
            .chain(names)
            .chain(texts(["p50", "p99", "max"]))
            .collect(),
        rows: phases.zip(counts).map(row).collect(),
        numbers: true,
    };
    let body = match all {
        0 => html! { p class="empty" { "No phase began." } },
        _ => table.render(),
    };
    Section {
        id: "phases",
        heading: "Phases",
        body,
    }
}
