//! The page of a search for the capacity.

mod chart;
mod steps;

use super::configuration;
use super::document::{Section, document, facts, look, text};
use super::untrusted::{Untrusted, sentence};
use crate::base::Nanos;
use crate::core::exit_code;
use crate::core::summary::CapacitySummary;
use crate::report::capacity::judgement;
use maud::{Markup, html};

/// The page of a search.
pub fn page(summary: &CapacitySummary) -> String {
    let sections = [
        chart::section(summary),
        search(summary),
        steps::section(summary),
        configuration::of(&summary.configuration),
    ];
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let footer = html! {
        p {
            "loadgen " (Untrusted::name(&summary.loadgen.version)) " on " (Untrusted::name(&summary.loadgen.os)) " "
            (Untrusted::name(&summary.loadgen.arch)) ", summary of version " (summary.schema_version)
        }
    };
    document(
        &format!("{} · loadgen capacity", judgement(summary).text),
        &contents,
        &header(summary),
        &html! { @for section in &sections { (section.render()) } },
        &footer,
    )
}

fn header(summary: &CapacitySummary) -> Markup {
    let verdict = judgement(summary);
    let (class, sign) = look(verdict.tone);
    html! {
        p class="eyebrow" {
            "loadgen capacity"
            @if let Some(first) = summary.steps.first() {
                " · " time datetime=(Untrusted::name(&first.started).plain()) { (Untrusted::name(&first.started)) }
            }
        }
        h1 class=(class) { span class="sign" aria-hidden="true" { (sign) } " " (sentence(&verdict.text)) }
        p class="lead" {
            (Untrusted::sentence(&summary.configuration.traffic)) ", to "
            @for (place, target) in summary.configuration.targets.iter().take(3).enumerate() {
                @if place > 0 { ", " } (Untrusted::name(target))
            }
            @if summary.configuration.targets.len() > 3 { " and others" }
        }
    }
}

/// How the search was made.
fn search(summary: &CapacitySummary) -> Section {
    let of = &summary.search;
    let percent = (of.precision * 1e5).round() / 1e3;
    let mut rows = vec![
        (
            "holds if",
            html! {
                @for (place, threshold) in of.thresholds.iter().enumerate() {
                    @if place > 0 { " and " } code { (Untrusted::name(threshold)) }
                }
            },
        ),
        (
            "rates",
            text(format!("{}/s to {}/s", of.from_per_s, of.to_per_s)),
        ),
        ("precision", text(format!("{percent} %"))),
        (
            "steps",
            text(format!(
                "{:#}, with pauses of {:#}",
                Nanos(of.step_ns),
                Nanos(of.settle_ns)
            )),
        ),
    ];
    if let Some(confirm) = of.confirm_ns {
        rows.push(("confirmation", text(format!("{:#}", Nanos(confirm)))));
    }
    let meaning = exit_code::short(summary.exit_code);
    rows.push((
        "exit code",
        text(format!("{}: {meaning}", summary.exit_code)),
    ));
    Section {
        id: "search",
        heading: "The search",
        body: html! {
            (facts(&rows))
            p class="note" {
                "The rate doubled until a step did not hold, and then came ever closer to where that begins. The steps that decide \
                 were repeated until two of them agreed."
            }
        },
    }
}
