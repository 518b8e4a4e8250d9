//! What changed, and whether that is more than noise.

use crate::core::comparison::{Change, Judged, Mark};
use crate::report::compared::{Compared, difference, number, resolution, word};
use crate::report::html::document::{Section, Table, pill, text};
use crate::report::html::untrusted::Untrusted;
use crate::report::judgement::{Judgement, Tone};
use maud::{Markup, html};

/// The changes of every side that is compared with the same base.
pub(super) fn section(compared: &[Compared]) -> Section {
    let name = |name: &str| html! { (Untrusted::name(name)) };
    let base = compared.first().map_or("", |first| &*first.names[0]);
    let mut columns = vec![text("number"), name(base)];
    columns.extend(compared.iter().map(|one| name(&one.names[1])));
    let mut numbers = Vec::new();
    for change in compared.iter().flat_map(|one| &one.changes) {
        if !numbers.contains(&&change.number) {
            numbers.push(&change.number);
        }
    }
    let rows = numbers.into_iter().map(|wanted| {
        let of = |one: &'_ Compared| {
            one.changes
                .iter()
                .find(|one| one.number == *wanted)
                .cloned()
        };
        let changes: Vec<_> = compared.iter().map(of).collect();
        let base = changes.iter().flatten().next();
        let base = number(base.and_then(|change| change.base), wanted.unit());
        let cells = changes.iter().map(|change| match change {
            Some(change) => cell(change),
            None => text("-"),
        });
        let cells = std::iter::once(text(base)).chain(cells);
        let name = wanted.to_string();
        let parts = name.split_inclusive('.');
        (
            html! { code { @for part in parts { (part) wbr; } } },
            cells.collect(),
        )
    });
    let table = Table {
        caption: "Each number, its change, and the interval of 99 % around that".to_owned(),
        columns,
        rows: rows.collect(),
        numbers: true,
    };
    let mut remarks: Vec<&str> = Vec::new();
    for remark in compared.iter().flat_map(|one| &one.remarks) {
        if !remarks.contains(&&**remark) {
            remarks.push(remark);
        }
    }
    let body = html! {
        @for one in compared.iter().flat_map(|one| &one.judged) {
            p {
                (pill(&judgement(&one.outcome))) " " code { (Untrusted::sentence(&one.condition.text)) }
                @if let Judged::Unknown(why) = &one.outcome { ": " (why) "." }
            }
        }
        div class="changes" { (table.render()) }
        p class="note" {
            "“No change” means none that these runs would show. “Shows” is the smallest change that would be shown in four of \
             five such comparisons; pt are percentage points."
        }
        @for remark in remarks { p class="note" { "Note: " (Untrusted::sentence(remark)) "." } }
    };
    Section {
        id: "changes",
        heading: "Changes",
        body,
    }
}

fn judgement(outcome: &Judged) -> Judgement {
    let (tone, text) = match outcome {
        Judged::Met => (Tone::Bad, "fails"),
        Judged::NotMet => (Tone::Good, "does not fail"),
        Judged::Unknown(_) => (Tone::Unsure, "not decided"),
    };
    Judgement {
        tone,
        text: text.to_owned(),
    }
}

fn cell(change: &Change) -> Markup {
    let mark = change.mark();
    let tone = match mark {
        Mark::Worse => Tone::Bad,
        Mark::Better => Tone::Good,
        Mark::Unknown => Tone::Unsure,
        Mark::Higher | Mark::Lower | Mark::NotShown => Tone::Plain,
    };
    let judgement = Judgement {
        tone,
        text: word(mark).to_owned(),
    };
    html! {
        (number(change.new, change.number.unit())) " " (pill(&judgement))
        @if let Some([measured, interval]) = difference(change) {
            span class="difference" { (measured) " (" (interval) ")" }
        }
        @if let Some(resolution) = resolution(change) {
            span class="difference" { "shows " (resolution) }
        }
        @if let Err(why) = &change.difference { span class="difference words" { (why) } }
    }
}
