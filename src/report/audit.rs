//! The audit's part of the printed summary.

use crate::base::Nanos;
use crate::core::summary::{Audit, AuditVerdict, ByNode};
use std::fmt::{self, Write};

/// The most findings that are printed. The worst come first.
const FINDINGS: usize = 3;

/// The most outages, and the most phases, that are printed.
const OUTAGES: usize = 5;

/// The most characters of a line of the nodes' names. With longer names, the nodes are numbered.
const WIDEST: usize = 140;

/// The verdict, each promise's standing, and the worst findings. `targets` are the names of the run's targets.
pub fn audit(audit: &Audit, targets: &[String]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
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
    let names = audit.promises.iter().map(|one| one.promise.chars().count());
    let width = names.max().unwrap_or(0);
    for promise in &audit.promises {
        writeln!(out, "  {:width$}  {}", promise.promise, promise.statement)?;
    }
    if let Some(probe) = &audit.probe {
        writeln!(out, "  {:width$}  {probe}", "probe")?;
    }
    for (number, finding) in audit.findings.iter().take(FINDINGS).enumerate() {
        writeln!(out, "  {}. {}", number + 1, finding.statement)?;
        for line in &finding.evidence {
            writeln!(out, "     {line}")?;
        }
    }
    if let Some(by_node) = &audit.by_node {
        write_rows(out, by_node, by_node.names(targets))?;
    }
    for outage in audit.outages.iter().take(OUTAGES) {
        writeln!(out, "  outage {}", outage.statement)?;
    }
    for phase in audit.by_phase.iter().take(OUTAGES) {
        let (name, beyond) = (&phase.phase, phase.admitted_beyond);
        writeln!(
            out,
            "  {name}: {beyond} of {} admissions were surely too many",
            phase.admitted
        )?;
    }
    write_causes(out, audit)?;
    for remark in &audit.remarks {
        writeln!(out, "  remark: {remark}")?;
    }
    Ok(())
}

/// Writes the causes that are known, or that none is.
fn write_causes(out: &mut String, audit: &Audit) -> fmt::Result {
    for cause in &audit.causes {
        writeln!(out, "  cause: {}", cause.statement)?;
        for line in &cause.evidence {
            writeln!(out, "     {line}")?;
        }
    }
    if let Some(unknown) = audit.unknown_cause() {
        writeln!(out, "  {unknown}")?;
    }
    Ok(())
}

fn write_peak(out: &mut String, audit: &Audit) -> fmt::Result {
    let window = Nanos(audit.window_ns);
    let Some(peak) = &audit.peak else {
        return writeln!(out, "  nothing was admitted");
    };
    let most = peak.times_the_limit(audit.limit);
    let over = audit.keys_over_of_all();
    writeln!(out, "  most admissions of one key in any {window}: {most}")?;
    writeln!(out, "  keys over the limit in any {window}: {over}")
}

/// Writes the admissions by each node for each of the worst keys.
fn write_rows(out: &mut String, by_node: &ByNode, names: &[String]) -> fmt::Result {
    let keys = &by_node.keys[..by_node.keys.len().min(FINDINGS)];
    let all: usize = names.iter().map(|name| name.chars().count() + 2).sum();
    let (corner, nodes) = if all <= WIDEST {
        ("by node", names.to_vec())
    } else {
        let numbers = (1..=names.len()).map(|number| format!("{number:>5}"));
        ("by node, as listed", numbers.collect())
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
