use super::document::{Section, Table, pill, texts};
use super::untrusted::Untrusted;
use crate::core::summary::Summary;
use crate::core::threshold::JudgedThreshold;
use crate::report::judgement;
use maud::html;

/// The most thresholds that are listed.
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
        caption: if all > ROWS {
            format!("The first {ROWS} of {all} thresholds")
        } else {
            "Thresholds of the run".to_owned()
        },
        columns: texts(["threshold", "verdict", "measured"]),
        rows: summary.thresholds.iter().take(ROWS).map(row).collect(),
        numbers: false,
    };
    let body = if all == 0 {
        html! { p class="empty" { "No threshold was given." } }
    } else {
        table.render()
    };
    Section {
        id: "thresholds",
        heading: "Thresholds",
        body,
    }
}
