//! The head of the page: the verdicts, the run's traffic and its ledger.

use super::document::{Section, look, pill};
use super::untrusted::{Untrusted, sentence};
use crate::base::Nanos;
use crate::base::text::{count, span};
use crate::core::exit_code;
use crate::core::summary::Summary;
use crate::core::threshold::{JudgedThreshold, Met};
use crate::report::judgement::{audit, headlines, schedule, thresholds};
use maud::{Markup, html};

pub fn header(summary: &Summary) -> Markup {
    let statements = headlines(summary);
    let (verdict, others) = statements.split_first().expect("at least one");
    let (class, sign) = look(verdict.tone);
    let run = &summary.run;
    html! {
        p class="eyebrow" {
            "loadgen report · " time datetime=(Untrusted::name(&run.started).plain()) { (Untrusted::name(&run.started)) }
        }
        h1 class=(class) { span class="sign" aria-hidden="true" { (sign) } " " (sentence(&verdict.text)) }
        @for other in others {
            p class="lead" { (pill(other)) }
        }
        p class="lead" {
            (Untrusted::sentence(&summary.configuration.traffic)) ", to "
            (count(summary.targets.len() as u64, "target", "targets"))
            @if let [only] = &summary.targets[..] { ": " (Untrusted::name(&only.name)) }
        }
    }
}

/// The verdicts, what was requested and what came of it.
pub fn section(summary: &Summary) -> Section {
    let run = &summary.run;
    let body = html! {
        (cards(summary))
        div class="asked" {
            div {
                p class="label" { "Requested" }
                p { (Untrusted::sentence(&summary.configuration.traffic)) }
                p { (Untrusted::sentence(&summary.configuration.requests)) "; keys: " (Untrusted::sentence(&summary.configuration.keys)) }
            }
            div {
                p class="label" { "Result" }
                (ledger(summary))
                p { "paced for " (span(Nanos(run.paced_ns))) ", drained for " (span(Nanos(run.drained_ns))) }
                p { "exit code " strong { (summary.exit_code) } ": " (exit_code::short(summary.exit_code)) }
            }
        }
    };
    Section {
        id: "run",
        heading: "The run",
        body,
    }
}

/// A card for each verdict.
fn cards(summary: &Summary) -> Markup {
    let of_the_schedule = schedule(summary);
    html! {
        ul class="cards" {
            @if let Some(audited) = &summary.audit {
                li class=(look(audit(audited).tone).0) {
                    p class="label" { "Audit" }
                    p { (pill(&audit(audited))) }
                    p { (Untrusted::sentence(&audited.statement)) }
                }
            }
            @if let Some(verdict) = thresholds(&summary.thresholds) {
                li class=(look(verdict.tone).0) {
                    p class="label" { "Thresholds" }
                    p { (pill(&verdict)) }
                    @for threshold in first(&summary.thresholds) {
                        p { code { (Untrusted::name(&threshold.text)) } ": " (Untrusted::name(&threshold.measured)) }
                    }
                }
            }
            li class=(look(of_the_schedule.tone).0) {
                p class="label" { "Schedule" }
                p { (pill(&of_the_schedule)) }
                p { (Untrusted::sentence(summary.schedule.reason())) }
            }
        }
    }
}

/// A few thresholds, with those that were not met first.
fn first(thresholds: &[JudgedThreshold]) -> impl Iterator<Item = &JudgedThreshold> {
    let with = |met| {
        thresholds
            .iter()
            .filter(move |each| (each.met == Met::Met) == met)
    };
    with(false).chain(with(true)).take(4)
}

/// Where every scheduled request went.
fn ledger(summary: &Summary) -> Markup {
    let of = &summary.requests;
    html! {
        p { "scheduled " (of.scheduled) " = sent " (of.sent) " + dropped " (of.dropped) " + unsent " (of.unsent) }
        p { "sent " (of.sent) " = allowed " (of.allowed) " + blocked " (of.blocked) " + failed " (of.failed)
            " + abandoned " (of.abandoned) }
    }
}
