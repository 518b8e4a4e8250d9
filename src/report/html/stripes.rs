//! The stripes that results were merged from.

use super::document::{Section, Table, facts, text, texts};
use super::untrusted::{Untrusted, sentence};
use crate::base::Nanos;
use crate::base::text::{bytes, span};
use crate::core::summary::{MergedEvent, MergedStripe, MergedSummary, Summary};
use crate::report::judgement::needs_clock_error;
use crate::report::stripes::{COLUMNS, EVENTS, cells, remarks};
use maud::{Markup, html};

/// The most stripes, and the most events, that are listed.
const ROWS: usize = 500;

/// `None` unless the results were merged.
pub fn section(summary: &Summary) -> Option<Section> {
    let merged = summary.merged.as_ref()?;
    let body = html! {
        @if let Some(missing) = merged.missing_stripes() {
            p class="lead" { (sentence(&missing)) }
        }
        (stripes(merged).render())
        @if !merged.events.is_empty() {
            (events(&merged.events).render())
            p class="note" { (EVENTS) }
        }
        @if let Some(command) = &merged.audit_command {
            p { "The limiter is not judged yet. This command audits the requests of all stripes:" }
            pre tabindex="0" aria-label="The command of the audit" { code { (Untrusted::sentence(command)) } }
            @if let Some(without) = needs_clock_error(merged) {
                p class="note" { (without) "." }
            }
        }
        (facts(&[
            ("stripes", text(format!("{} of {}", merged.stripes.len(), merged.of))),
            ("common start", html! { (Untrusted::name(&merged.start)) }),
            ("plan", html! { (Untrusted::name(&merged.plan)) }),
        ]))
    };
    Some(Section {
        id: "all-stripes",
        heading: "Stripes",
        body,
    })
}

fn stripes(merged: &MergedSummary) -> Table {
    let all = merged.stripes.len();
    let mut columns = texts(COLUMNS);
    columns.extend(texts(["processor time", "memory", "file"]));
    let shown: Vec<_> = merged.stripes.iter().take(ROWS).collect();
    let have_remarks = shown.iter().any(|stripe| !remarks(stripe).is_empty());
    if have_remarks {
        columns.push(text("remarks"));
    }
    Table {
        caption: if all > ROWS {
            format!("How each stripe went: the first {ROWS} of {all}")
        } else {
            "How each stripe went".to_owned()
        },
        columns,
        rows: shown
            .into_iter()
            .map(|stripe| row(stripe, have_remarks))
            .collect(),
        numbers: true,
    }
}

fn row(stripe: &MergedStripe, has_remarks: bool) -> (Markup, Vec<Markup>) {
    let [index, others @ ..] = cells(stripe);
    let mut cells = texts(others);
    let known = |known: Option<String>| text(known.unwrap_or_else(|| "-".to_owned()));
    cells.push(known(stripe.processor_ns.map(|ns| span(Nanos(ns)))));
    cells.push(known(stripe.peak_memory_bytes.map(bytes)));
    cells.push(html! { (Untrusted::name(&stripe.file)) });
    if has_remarks {
        cells.push(html! { (sentence(&remarks(stripe))) });
    }
    (text(index), cells)
}

fn events(events: &[MergedEvent]) -> Table {
    let row = |event: &MergedEvent| {
        let cells = vec![html! { (Untrusted::sentence(&event.in_words())) }];
        (text(event.stripe.to_string()), cells)
    };
    Table {
        caption: "Events".to_owned(),
        columns: texts(["stripe", "event"]),
        rows: events.iter().take(ROWS).map(row).collect(),
        numbers: false,
    }
}
