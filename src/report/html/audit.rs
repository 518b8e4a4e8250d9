use super::document::{Section, Table, facts, pill, text, texts};
use super::untrusted::{Untrusted, clipped};
use crate::base::Nanos;
use crate::base::text::{count, rounded, share, span};
use crate::core::summary::{
    Audit, AuditedPhase, ByNode, Finding, StandingPromise, Summary, Tolerances,
};
use crate::report::judgement;
use maud::{Markup, html};

/// The most findings shown.
const FINDINGS: usize = 20;
/// The most lines of evidence shown for each finding.
const EVIDENCE: usize = 20;
/// The most requests named by their numbers for each finding.
const SEQUENCES: usize = 40;
/// The longest list of requests, in characters.
const LIST: usize = 4_000;
/// The most nodes with a column of their own. The others share one.
const NODES: usize = 10;
/// The most keys with a row.
const KEYS: usize = 20;
/// The most causes, and the most remarks, shown.
const REMARKS: usize = 20;

pub fn section(summary: &Summary) -> Section {
    let body = match &summary.audit {
        None => html! { p class="empty" { "The limit was not audited." } },
        Some(audit) => body(audit, &summary.target_names()),
    };
    Section {
        id: "audit",
        heading: "Audit",
        body,
    }
}

/// The audit of requests to these targets.
pub fn body(audit: &Audit, targets: &[String]) -> Markup {
    let alone = audit.promises.len() == 1;
    let standing = |promise: &StandingPromise| {
        let cells = vec![
            pill(&judgement::standing(promise.standing, alone)),
            html! { (Untrusted::sentence(&promise.statement)) },
        ];
        (html! { (Untrusted::name(&promise.promise)) }, cells)
    };
    let promises = Table {
        caption: "The audited promises".to_owned(),
        columns: texts(["promise", "standing", "why"]),
        rows: audit.promises.iter().map(standing).collect(),
        numbers: false,
    };
    html! {
        p class="lead" { (pill(&judgement::audit(audit))) " " (Untrusted::sentence(&audit.statement)) }
        (terms(audit))
        (promises.render())
        @if !audit.findings.is_empty() { (findings(&audit.findings)) }
        @if let Some(by_node) = &audit.by_node {
            h3 { "By node" }
            (matrix(by_node.names(targets), by_node).render())
        }
        @if !audit.outages.is_empty() {
            h3 { "Outages" }
            ul { @for outage in audit.outages.iter().take(REMARKS) { li { (Untrusted::sentence(&outage.statement)) } } }
        }
        @if !audit.by_phase.is_empty() { (by_phase(&audit.by_phase).render()) }
        (causes(audit))
        @if !audit.remarks.is_empty() {
            h3 { "Remarks" }
            ul { @for remark in audit.remarks.iter().take(REMARKS) { li { (Untrusted::sentence(remark)) } } }
        }
    }
}

fn causes(audit: &Audit) -> Markup {
    let unknown = audit.unknown_cause();
    html! {
        @if !audit.causes.is_empty() {
            h3 { "Causes" }
            ul {
                @for cause in audit.causes.iter().take(REMARKS) {
                    li class="cause" {
                        (Untrusted::sentence(&cause.statement))
                        @for line in cause.evidence.iter().take(REMARKS) { br; (Untrusted::sentence(line)) }
                    }
                }
            }
        }
        @if let Some(unknown) = &unknown { p class="cause" { (Untrusted::sentence(unknown)) } }
    }
}

fn terms(audit: &Audit) -> Markup {
    let window = Nanos(audit.window_ns);
    let peak = audit.peak.as_ref().map(|peak| {
        html! { (audit.most_admitted().unwrap_or_default()) ", of " (Untrusted::name(&peak.key)) }
    });
    let over = format!(
        "{} ({})",
        audit.keys_over_of_all(),
        share(audit.keys_over, audit.keys)
    );
    let most = format!("most admissions of one key in any {window}");
    let keys_over = audit.keys_over_name();
    let mut terms = vec![
        ("limit", text(format!("{} in {window}", audit.limit))),
        (&*most, peak.unwrap_or_else(|| text("nothing was admitted"))),
        (&*keys_over, text(over)),
    ];
    let granted = audit.granted.as_ref().map(tolerances);
    let needed = audit.needed.as_ref().map(tolerances);
    for (name, tolerances) in [
        ("tolerances granted", granted),
        ("tolerances that would explain it", needed),
    ] {
        if let Some(tolerances) = tolerances {
            terms.push((name, text(tolerances)));
        }
    }
    if let Some(probe) = &audit.probe {
        terms.push(("probe", html! { (Untrusted::sentence(probe)) }));
    }
    facts(&terms)
}

/// Clocks that far apart, and an excess of that share.
fn tolerances(tolerances: &Tolerances) -> String {
    let clock = tolerances
        .clock_ns
        .map(|clock| format!("clocks {} apart", span(Nanos(clock))));
    let excess = tolerances
        .excess
        .map(|share| format!("an excess of {} %", rounded(share * 100.0, 2)));
    let parts: Vec<_> = clock.into_iter().chain(excess).collect();
    match parts.is_empty() {
        true => "none that is known".to_owned(),
        false => parts.join(", "),
    }
}

fn by_phase(phases: &[AuditedPhase]) -> Table {
    let row = |phase: &AuditedPhase| {
        let cells = [phase.admitted, phase.admitted_beyond].map(|count| count.to_string());
        (html! { (Untrusted::name(&phase.phase)) }, texts(cells))
    };
    Table {
        caption: "Admissions by phase".to_owned(),
        columns: texts(["phase", "admitted", "too many"]),
        rows: phases.iter().take(KEYS).map(row).collect(),
        numbers: true,
    }
}

fn findings(findings: &[Finding]) -> Markup {
    let requests = |finding: &Finding| {
        let shown: Vec<_> = finding
            .sequences
            .iter()
            .take(SEQUENCES)
            .enumerate()
            .map(|(place, number)| match finding.files.get(place) {
                Some(file) => format!("{number} of {file}"),
                None => number.to_string(),
            })
            .collect();
        let is_cut = finding.sequences.len() > SEQUENCES;
        let more = if is_cut { ", …" } else { "" };
        let whose = if finding.of_the_probe {
            "the probe’s "
        } else {
            ""
        };
        let all = count(finding.sequences.len() as u64, "request", "requests");
        format!("{whose}{all}: {}{more}", clipped(&shown.join(", "), LIST))
    };
    html! {
        h3 { "Findings" }
        ol class="findings" {
            @for finding in findings.iter().take(FINDINGS) {
                li {
                    p { (Untrusted::sentence(&finding.statement)) }
                    ul class="evidence" {
                        @for line in finding.evidence.iter().take(EVIDENCE) { li { (Untrusted::sentence(line)) } }
                    }
                    @if !finding.sequences.is_empty() {
                        details { summary { "The requests that show it" } p class="sequences" { (requests(finding)) } }
                    }
                }
            }
        }
        @if findings.len() > FINDINGS {
            p class="note" { "The worst " (FINDINGS) " of " (findings.len()) " are shown." }
        }
    }
}

/// The admissions of each node for the worst keys. With too many nodes, it shows those that admitted the most.
fn matrix(names: &[String], by_node: &ByNode) -> Table {
    let admitted_by = |place: usize| {
        let keys = by_node.keys.iter();
        keys.filter_map(move |key| key.admitted.get(place))
            .fold(0u64, |sum, count| sum.saturating_add(*count))
    };
    let all = names.len();
    let mut places: Vec<_> = (0..all).collect();
    if all > NODES {
        places.sort_by_key(|place| std::cmp::Reverse(admitted_by(*place)));
        places.truncate(NODES);
        places.sort_unstable();
    }
    let others = places.len() < all;
    let mut columns = texts(["key"]);
    columns.extend(places.iter().map(|place| {
        html! { (Untrusted::name(&names[*place])) }
    }));
    if others {
        columns.push(text("others"));
    }
    columns.push(text("all"));
    let rows = by_node.keys.iter().take(KEYS).map(|key| {
        let admitted = |place: &usize| key.admitted.get(*place).copied().unwrap_or(0);
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0u64, u64::saturating_add);
        let total = sum(&mut key.admitted.iter().copied());
        let mut cells: Vec<_> = places.iter().map(admitted).collect();
        if others {
            cells.push(total.saturating_sub(sum(&mut cells.iter().copied())));
        }
        cells.push(total);
        let cells = cells.into_iter().map(|count| count.to_string());
        (html! { (Untrusted::name(&key.key)) }, texts(cells))
    });
    Table {
        caption: "Admissions by node, for the worst keys".to_owned(),
        columns,
        rows: rows.collect(),
        numbers: true,
    }
}
