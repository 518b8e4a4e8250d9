//! The audit's part of the printed summary.

use super::judgement;
use super::styled_text::{Line, StyledText, Table};
use crate::base::Nanos;
use crate::core::summary::{Audit, ByNode};

/// The most findings that are printed. The worst come first.
const FINDINGS: usize = 3;

/// The most outages, and the most phases, that are printed.
const OUTAGES: usize = 5;

/// The most characters of all nodes' names in one line. With longer names, the nodes are numbered.
const WIDEST: usize = 56;

/// The most characters of a promise's name that the others are aligned with.
const NAME: usize = 24;

/// The verdict, each promise's standing, and the worst findings. `targets` are the names of the run's targets.
pub fn audit(audit: &Audit, targets: &[String]) -> StyledText {
    let mut text = StyledText::default();
    let verdict = judgement::audit(audit);
    text.blank();
    let line = Line::sentence("Audit: ", 2).then_toned(verdict.tone, &verdict.text);
    text.push(line.then(&format!(". {}", audit.statement)));
    add_peak(&mut text, audit);
    let names = audit.promises.iter().map(|one| one.promise.chars().count());
    let width = names.max().unwrap_or(0).min(NAME);
    let mut add_row = |name: &str, statement: &str| {
        let hanging = width + 4;
        text.push(Line::sentence(
            format!("  {name:width$}  {statement}"),
            hanging,
        ));
    };
    for promise in &audit.promises {
        add_row(&promise.promise, &promise.statement);
    }
    if let Some(probe) = &audit.probe {
        add_row("probe", probe);
    }
    for (number, finding) in audit.findings.iter().take(FINDINGS).enumerate() {
        let statement = format!("  {}. {}", number + 1, finding.statement);
        text.push(Line::sentence(statement, 5));
        add_evidence(&mut text, &finding.evidence);
    }
    if let Some(by_node) = &audit.by_node {
        let names = by_node.names(targets);
        text.table(nodes(by_node, names));
        if !fit_one_line(names) {
            let numbered = (1..)
                .zip(names)
                .map(|(number, name)| format!("{number} is {name}"));
            let line = format!("  node {}", numbered.collect::<Vec<_>>().join(", "));
            text.push(Line::sentence(line, 4));
        }
    }
    for outage in audit.outages.iter().take(OUTAGES) {
        text.push(Line::sentence(format!("  outage {}", outage.statement), 4));
    }
    for phase in audit.by_phase.iter().take(OUTAGES) {
        let (name, beyond) = (&phase.phase, phase.admitted_beyond);
        let admitted = phase.admitted;
        let line = format!("  {name}: {beyond} of {admitted} admissions were surely too many");
        text.push(Line::sentence(line, 4));
    }
    add_causes(&mut text, audit);
    for remark in &audit.remarks {
        text.push(Line::sentence(format!("  remark: {remark}"), 4));
    }
    text
}

fn add_evidence(text: &mut StyledText, evidence: &[String]) {
    for line in evidence {
        text.push(Line::sentence(format!("     {line}"), 7));
    }
}

/// Adds the causes that are known, or that none is.
fn add_causes(text: &mut StyledText, audit: &Audit) {
    for cause in &audit.causes {
        text.push(Line::sentence(format!("  cause: {}", cause.statement), 4));
        add_evidence(text, &cause.evidence);
    }
    if let Some(unknown) = audit.unknown_cause() {
        text.push(Line::sentence(format!("  {unknown}"), 4));
    }
}

fn add_peak(text: &mut StyledText, audit: &Audit) {
    let window = Nanos(audit.window_ns);
    let Some(most) = audit.most_admitted() else {
        text.push(Line::fixed("  nothing was admitted"));
        return;
    };
    let (name, over) = (audit.keys_over_name(), audit.keys_over_of_all());
    for line in [
        format!("  most admissions of one key in any {window}: {most}"),
        format!("  {name} in any {window}: {over}"),
    ] {
        text.push(Line::sentence(line, 4));
    }
}

/// Whether the names of all nodes fit the heads of a table's columns.
fn fit_one_line(names: &[String]) -> bool {
    let all: usize = names.iter().map(|name| name.chars().count() + 2).sum();
    all <= WIDEST
}

/// The admissions by each node for each of the worst keys.
fn nodes(by_node: &ByNode, names: &[String]) -> Table {
    let keys = &by_node.keys[..by_node.keys.len().min(FINDINGS)];
    let nodes = if fit_one_line(names) {
        names.to_vec()
    } else {
        let numbers = (1..=names.len()).map(|number| format!("{number:>5}"));
        numbers.collect()
    };
    let corner = "by node";
    let mut table = Table::new(std::iter::once(corner.to_owned()).chain(nodes));
    for row in keys {
        let counts = row.admitted.iter().map(ToString::to_string);
        table.push(std::iter::once(row.key.clone()).chain(counts));
    }
    table
}
