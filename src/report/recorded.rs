//! What `loadgen audit` prints.

use super::audit::audit;
use super::judgement::audited;
use super::styled_text::{Line, StyledText};
use super::summary::verdict_lines;
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::summary::{RecordedAudit, RecordedCounts, RecordedPart};

/// The most files that are listed.
const FILES: usize = 20;

/// The requests of each file, and their audit.
pub fn recorded(of: &RecordedAudit) -> StyledText {
    let mut text = StyledText::default();
    text.push(Line::fixed(format!("loadgen {}", of.loadgen.version)));
    for file in of.files.iter().take(FILES) {
        text.push(line("file", file));
    }
    if of.files.len() > FILES {
        let more = of.files.len() - FILES;
        text.push(Line::fixed(format!("  and {more} more files")));
    }
    if of.files.len() > 1 {
        let all = RecordedPart {
            name: "all files".to_owned(),
            requests: of.requests,
            clock_error_ns: None,
        };
        text.push(line("", &all));
    }
    if let Some(started) = &of.started {
        text.push(Line::fixed(format!("  times    count from {started}")));
    }
    text.append(audit(&of.audit, &of.target_names()));
    text
}

/// The verdict on recorded requests, with which their audit ends.
pub fn recorded_verdict(of: &RecordedAudit) -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    verdict_lines(&mut text, &audited(&of.audit));
    text
}

fn line(word: &str, part: &RecordedPart) -> Line {
    let RecordedCounts {
        recorded,
        allowed,
        blocked,
        failed,
        unanswered,
        of_the_probe,
    } = part.requests;
    let name = &part.name;
    let whose = match of_the_probe {
        0 => String::new(),
        number => format!(", of which the probe sent {number}"),
    };
    let clock = part.clock_error_ns.map_or(String::new(), |error| {
        format!(" (clock ± {})", span(Nanos(error)))
    });
    let line = format!(
        "  {word:8} {name}{clock}: recorded {recorded} = allowed {allowed} + blocked {blocked} + failed {failed} + \
         unanswered {unanswered}{whose}"
    );
    Line::sentence(line, 11)
}
