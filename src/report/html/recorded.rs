//! The page of an audit of recorded requests.

use super::document::{Section, Table, document, look, pill, text, texts};
use super::untrusted::{Untrusted, sentence};
use super::{admissions, audit};
use crate::base::text::count;
use crate::core::exit_code;
use crate::core::summary::{RecordedAudit, RecordedCounts, RecordedPart};
use crate::report::judgement::{self, audited};
use maud::{Markup, html};

/// The most rows of a table.
const ROWS: usize = 100;

/// The page of an audit of recorded requests.
pub fn recorded(of: &RecordedAudit) -> String {
    let mut sections = admissions::sections(Some(&of.audit), &[]);
    sections.extend([
        Section {
            id: "audit",
            heading: "Audit",
            body: audit::body(&of.audit, &of.target_names()),
        },
        section("files", "Files", "Requests by file", &of.files),
        section("targets", "Targets", "Requests by target", &of.targets),
    ]);
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let footer = html! {
        p {
            "loadgen " (Untrusted::name(&of.loadgen.version)) " on " (Untrusted::name(&of.loadgen.os)) " "
            (Untrusted::name(&of.loadgen.arch))
        }
    };
    document(
        &format!("{} · loadgen audit", audited(&of.audit)[0].text),
        &contents,
        &header(of),
        &html! { @for section in &sections { (section.render()) } },
        &footer,
    )
}

fn header(of: &RecordedAudit) -> Markup {
    let verdict = &audited(&of.audit)[0];
    let (class, sign) = look(verdict.tone);
    let RecordedCounts { recorded, .. } = of.requests;
    html! {
        p class="eyebrow" { "loadgen audit" }
        h1 class=(class) { span class="sign" aria-hidden="true" { (sign) } " " (sentence(&verdict.text)) }
        ul class="cards" {
            li class=(class) {
                p class="label" { "Audit" }
                p { (pill(&judgement::audit(&of.audit))) }
                p { (Untrusted::sentence(&of.audit.statement)) }
            }
        }
        p {
            (count(recorded, "recorded request", "recorded requests")) ", exit code " strong { (of.exit_code) } ": "
            (exit_code::short(of.exit_code))
            @if let Some(started) = &of.started { "; times count from " (Untrusted::name(started)) }
        }
    }
}

fn section(
    id: &'static str,
    heading: &'static str,
    caption: &str,
    parts: &[RecordedPart],
) -> Section {
    let row = |part: &RecordedPart| {
        let RecordedCounts {
            recorded,
            allowed,
            blocked,
            failed,
            unanswered,
            ..
        } = part.requests;
        let cells = [recorded, allowed, blocked, failed, unanswered];
        let cells = cells.map(|number| text(number.to_string()));
        (html! { (Untrusted::name(&part.name)) }, cells.into())
    };
    let caption = match parts.len() {
        all if all > ROWS => format!("{caption}: the first {ROWS} of {all}"),
        _ => caption.to_owned(),
    };
    let table = Table {
        caption,
        columns: texts(["", "recorded", "allowed", "blocked", "failed", "unanswered"]),
        rows: parts.iter().take(ROWS).map(row).collect(),
        numbers: true,
    };
    Section {
        id,
        heading,
        body: table.render(),
    }
}
