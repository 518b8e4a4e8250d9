//! What shows and keeps the run's results.

use crate::cli::{Arguments, Options, Refusal};
use std::path::{Path, PathBuf};

/// Where results go, beside standard output.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Whether a terminal gets a live view.
    pub tui: bool,
    pub report: Option<PathBuf>,
    /// `-` stands for standard output.
    pub summary_json: Option<PathBuf>,
    pub summary_markdown: Option<PathBuf>,
    pub timeline: Option<PathBuf>,
    pub hdr_log: Option<PathBuf>,
    pub requests: Option<(PathBuf, RequestFormat)>,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFormat {
    Csv,
    /// One JSON object a line.
    JsonLines,
}

pub(super) fn outputs(arguments: &Arguments<Options>) -> Result<Outputs, Refusal> {
    let results = &arguments.options.results;
    Ok(Outputs {
        tui: !results.no_tui,
        report: results.report.clone(),
        summary_json: results.summary_json.clone(),
        summary_markdown: results.summary_markdown.clone(),
        timeline: results.timeline.clone(),
        hdr_log: results.hdr_log.clone(),
        requests: match &results.requests {
            Some(path) => {
                let format = format(path).ok_or_else(|| {
                    arguments.refuse(
                        "requests",
                        "must be a file whose name ends in .csv or .jsonl",
                    )
                })?;
                Some((path.clone(), format))
            }
            None => None,
        },
    })
}

/// By the end of the file's name.
fn format(path: &Path) -> Option<RequestFormat> {
    let end = path.extension()?.to_ascii_lowercase();
    match end.to_str()? {
        "csv" => Some(RequestFormat::Csv),
        "jsonl" => Some(RequestFormat::JsonLines),
        _ => None,
    }
}
