use super::document::{Section, Table, pill, texts};
use super::untrusted::Untrusted;
use crate::core::summary::Summary;
use crate::core::threshold::JudgedThreshold;
use crate::report::judgement;
use maud::html;

/// As many thresholds as are listed.
const ROWS: usize = 200;

pub fn section(summary: &Summary) -> Section {
    let row = |threshold: &JudgedThreshold| {
        let cells = vec![
            pill(&judgement::threshold(threshold.met)),
            html! { (Untrusted::name(&threshold.measured)) },
        ];
        (html! { code { (Untrusted::name(&threshold.text)) } }, cells)
    };
    let all = summary.thresholds.len();
    let table = Table {
        caption: match all > ROWS {
            true => format!("The first {ROWS} of {all} thresholds"),
            false => "What was asked of the run".to_owned(),
        },
        columns: texts(["threshold", "verdict", "measured"]),
        rows: summary.thresholds.iter().take(ROWS).map(row).collect(),
        numbers: false,
    };
    let body = match all {
        0 => html! { p class="empty" { "None was given." } },
        _ => table.render(),
    };
    Section {
        id: "thresholds",
        heading: "Thresholds",
        body,
    }
}
