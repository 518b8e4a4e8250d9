//! The report page: one HTML file without scripts that loads nothing from elsewhere.

mod admissions;
mod audit;
mod capacity;
mod chart;
mod comparison;
mod configuration;
mod discovery;
mod document;
mod events;
mod failures;
mod generator;
mod header;
mod heat_map;
mod key_numbers;
mod latency;
mod phases;
mod rates;
mod recorded;
mod stripes;
mod targets;
mod thresholds;
mod time_series;
mod untrusted;

pub use comparison::comparison;
pub(super) use untrusted::clipped;

use crate::core::summary::Summary;
use crate::report::Access;
use crate::report::format::{Format, Written, any_name};
use crate::report::judgement::headlines;
use document::{document, text as plain};
use maud::{Markup, html};
use untrusted::Untrusted;

pub const FORMAT: Format = Format {
    option: "report",
    help: "Write the report: one self-contained HTML page",
    takes_dash: false,
    check_name: any_name,
    access: Access::Owner,
    written: Written::AtTheEnd {
        render: page,
        render_recorded: recorded::recorded,
        render_capacity: Some(capacity::page),
        render_discovery: discovery::discovery,
        has_timeline: true,
    },
};

/// The page of one run.
pub fn page(summary: &Summary) -> String {
    let mut sections =
        admissions::sections(summary.audit.as_ref(), &time_series::event_marks(summary));
    sections.push(header::section(summary));
    sections.extend(stripes::section(summary));
    sections.extend([
        rates::section(summary),
        latency::over_time(summary),
        key_numbers::section(summary),
    ]);
    sections.extend(events::section(summary));
    sections.extend([
        latency::spectrum(summary),
        heat_map::section(summary),
        targets::section(summary),
        phases::section(summary),
        failures::section(summary),
        audit::section(summary),
        thresholds::section(summary),
        generator::section(summary),
        configuration::section(summary),
    ]);
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let title = format!("{} · loadgen report", headlines(summary)[0].text);
    document(
        &title,
        &contents,
        &header::header(summary),
        &html! { @for section in &sections { (section.render()) } },
        &footer(&[("", summary)]),
    )
}

/// The programs that made the summaries, and the times of the runs.
fn footer(runs: &[(&str, &Summary)]) -> Markup {
    html! {
        @for (name, summary) in runs {
            p {
                @if !name.is_empty() { (plain(*name)) ": " }
                "loadgen " (Untrusted::name(&summary.loadgen.version)) " on " (Untrusted::name(&summary.loadgen.os)) " "
                (Untrusted::name(&summary.loadgen.arch)) ", from " (Untrusted::name(&summary.run.started)) " to "
                (Untrusted::name(&summary.run.ended)) ", summary of version " (summary.schema_version)
            }
        }
    }
}
