//! What `loadgen audit` prints.

use super::audit::audit;
use crate::core::summary::{RecordedAudit, RecordedCounts, RecordedPart};

/// The most files that are listed.
const FILES: usize = 20;

/// The requests of each file, and their audit.
pub fn recorded(of: &RecordedAudit) -> String {
    let mut lines = vec![format!("loadgen {}", of.loadgen.version)];
    lines.extend(of.files.iter().take(FILES).map(|file| line("file", file)));
    if of.files.len() > FILES {
        lines.push(format!("  and {} more files", of.files.len() - FILES));
    }
    if of.files.len() > 1 {
        let all = RecordedPart {
            name: "all files".to_owned(),
            requests: of.requests,
        };
        lines.push(line("", &all));
    }
    if let Some(started) = &of.started {
        lines.push(format!("  times    count from {started}"));
    }
    lines.push(audit(&of.audit, &of.target_names()));
    lines.join("\n") + "\n"
}

fn line(word: &str, part: &RecordedPart) -> String {
    let RecordedCounts {
        recorded,
        allowed,
        blocked,
        failed,
        unanswered,
    } = part.requests;
    let name = &part.name;
    format!(
        "  {word:8} {name}: recorded {recorded} = allowed {allowed} + blocked {blocked} + failed {failed} + \
         unanswered {unanswered}"
    )
}
