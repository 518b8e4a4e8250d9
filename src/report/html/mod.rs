//! A report to look at: one page that is complete in itself, without a script, and without anything to fetch.

mod audit;
mod chart;
mod comparison;
mod configuration;
mod document;
mod failures;
mod health;
mod heat;
mod latency;
mod numbers;
mod over_time;
mod phases;
mod rates;
mod targets;
mod text;
mod thresholds;
mod verdict;

pub use comparison::comparison;
pub(super) use text::clipped;

use crate::core::summary::Summary;
use crate::report::format::{Format, Written, any_name};
use crate::report::judgement::headline;
use document::{document, text as plain};
use maud::{Markup, html};
use text::Typed;

pub const FORMAT: Format = Format {
    option: "report",
    help: "Write a report to look at: one HTML page, complete in itself",
    takes_dash: false,
    check_name: any_name,
    written: Written::AtTheEnd {
        render: page,
        has_timeline: true,
    },
};

/// All that a run's summary has to say.
pub fn page(summary: &Summary) -> String {
    let sections = [
        numbers::section(summary),
        rates::section(summary),
        latency::over_time(summary),
        latency::spectrum(summary),
        heat::section(summary),
        targets::section(summary),
        phases::section(summary),
        failures::section(summary),
        audit::section(summary),
        thresholds::section(summary),
        health::section(summary),
        configuration::section(summary),
    ];
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let title = format!("{} · loadgen report", headline(summary).text);
    document(
        &title,
        &contents,
        &verdict::header(summary),
        &html! { @for section in &sections { (section.render()) } },
        &footer(&[("", summary)]),
    )
}

/// What made the numbers, and when.
fn footer(runs: &[(&str, &Summary)]) -> Markup {
    html! {
        @for (name, summary) in runs {
            p {
                @if !name.is_empty() { (plain(*name)) ": " }
                "loadgen " (Typed::name(&summary.loadgen.version)) " on " (Typed::name(&summary.loadgen.os)) " "
                (Typed::name(&summary.loadgen.arch)) ", from " (Typed::name(&summary.run.started)) " to "
                (Typed::name(&summary.run.ended)) ", summary of version " (summary.schema_version)
            }
        }
    }
}
