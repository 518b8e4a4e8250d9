//! What the audit found, as a person would say it.

use crate::base::Nanos;
use crate::core::summary::{Audit, AuditVerdict, ByNode};
use std::fmt::{self, Write};

/// How many findings are printed: the worst.
const FINDINGS: usize = 3;

/// How many characters the nodes' names may take beside each other.
const WIDEST: usize = 140;

/// The verdict, each promise's share in it, and the worst findings. `targets` are the names of those that ran.
pub fn audit(audit: &Audit, targets: &[String]) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_audit(&mut text, audit, targets);
    text.truncate(text.trim_end().len());
    text
}

fn write_audit(out: &mut String, audit: &Audit, targets: &[String]) -> fmt::Result {
    let verdict = match audit.verdict {
        AuditVerdict::Kept => "kept",
        AuditVerdict::Broken => "broken",
        AuditVerdict::Suspect => "suspect",
        AuditVerdict::Inconclusive => "inconclusive",
    };
    writeln!(out, "\nAudit: {verdict}. {}", audit.statement)?;
    write_peak(out, audit)?;
    for promise in &audit.promises {
        writeln!(out, "  {:14}  {}", promise.promise, promise.statement)?;
    }
    if let Some(probe) = &audit.probe {
        writeln!(out, "  {:14}  {probe}", "probe")?;
    }
    for (number, finding) in audit.findings.iter().take(FINDINGS).enumerate() {
        writeln!(out, "  {}. {}", number + 1, finding.statement)?;
        for line in &finding.evidence {
            writeln!(out, "     {line}")?;
        }
    }
    if let Some(by_node) = &audit.by_node {
        write_rows(out, by_node, targets)?;
    }
    for sign in &audit.signs {
        writeln!(out, "  {sign}")?;
    }
    for remark in &audit.remarks {
        writeln!(out, "  remark: {remark}")?;
    }
    Ok(())
}

fn write_peak(out: &mut String, audit: &Audit) -> fmt::Result {
    let window = Nanos(audit.window_ns);
    let Some(peak) = &audit.peak else {
        return writeln!(out, "  nothing was admitted");
    };
    let multiple = peak.at_least as f64 / audit.limit as f64;
    let bounds = match peak.at_least == peak.at_most {
        true => format!("{}", peak.at_least),
        false => format!("{} to {}", peak.at_least, peak.at_most),
    };
    writeln!(
        out,
        "  the most admitted of a key in any {window}: {bounds}, {multiple:.2} times the limit"
    )?;
    let over = audit.keys_over;
    let keys = match audit.share {
        1.0 => audit.keys.to_string(),
        share => format!(
            "a sample of {:.2} % of all, for want of memory",
            share * 100.0
        ),
    };
    writeln!(
        out,
        "  keys over the limit in any {window}: {over} of {keys}"
    )
}

/// What each node admitted of each of the worst keys.
fn write_rows(out: &mut String, by_node: &ByNode, targets: &[String]) -> fmt::Result {
    let keys = &by_node.keys[..by_node.keys.len().min(FINDINGS)];
    let all: usize = targets
        .iter()
        .map(|target| target.chars().count() + 2)
        .sum();
    let (corner, nodes) = match all <= WIDEST {
        true => ("by node", targets.to_vec()),
        false => {
            let numbers = (1..=targets.len()).map(|number| format!("{number:>5}"));
            ("by node, as listed", numbers.collect())
        }
    };
    let lengths = keys.iter().map(|row| row.key.chars().count());
    let width = lengths.chain([corner.len()]).max().unwrap_or(0);
    writeln!(out, "  {corner:width$}  {}", nodes.join("  "))?;
    for row in keys {
        write!(out, "  {:width$}", row.key)?;
        for (node, count) in nodes.iter().zip(&row.admitted) {
            write!(out, "  {count:>width$}", width = node.chars().count())?;
        }
        writeln!(out)?;
    }
    Ok(())
}
