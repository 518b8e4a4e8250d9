//! The summary as JSON.

use super::files::Output;
use super::format::{Format, Written, any_name};
use super::result_file::Access;
use crate::core::summary::{CapacitySummary, Discovery, RecordedAudit, Summary};
use serde::Serialize;
use std::path::Path;

pub const FORMAT: Format = Format {
    option: "summary-json",
    help: "Write the summary as JSON, with everything that the other reports show. `-` is standard output, which then carries nothing else",
    takes_dash: true,
    check_name: any_name,
    access: Access::Owner,
    written: Written::AtTheEnd {
        render: json,
        render_recorded: recorded,
        render_capacity: Some(capacity),
        render_discovery: discovery,
        has_timeline: true,
    },
};

/// The format of a summary in JSON.
pub fn json_format() -> &'static Format {
    &FORMAT
}

/// A file of a summary in JSON, which `asked_by` requested.
pub fn json_output(path: &Path, asked_by: &str) -> Output {
    Output {
        format: &FORMAT,
        path: path.to_owned(),
        asked_by: asked_by.to_owned(),
    }
}

/// The whole summary as JSON, by the schema that `loadgen schema` prints.
pub fn json(summary: &Summary) -> String {
    pretty(summary)
}

/// The whole audit as JSON, by the schema that `loadgen schema audit` prints.
fn recorded(audit: &RecordedAudit) -> String {
    pretty(audit)
}

/// The whole search as JSON, by the schema that `loadgen schema capacity` prints.
fn capacity(capacity: &CapacitySummary) -> String {
    pretty(capacity)
}

/// All that a discovery found out as JSON, by the schema that `loadgen schema discovery` prints.
fn discovery(discovery: &Discovery) -> String {
    pretty(discovery)
}

fn pretty(of: &impl Serialize) -> String {
    // Cannot fail: its maps have keys that are text, and there is no number that JSON lacks.
    let mut text = serde_json::to_string_pretty(of).expect("a summary is JSON");
    text.push('\n');
    text
}
