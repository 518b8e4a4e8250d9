use super::document::{Section, Table, text, texts};
use super::untrusted::Untrusted;
use crate::base::Nanos;
use crate::base::text::{count, seconds, span};
use crate::core::summary::{CommandSummary, EventSummary, SpanSummary, Summary};
use maud::{Markup, html};

/// The most events that are shown.
const EVENTS: usize = 200;
/// The most targets of an event that have rows of their own.
const TARGETS: usize = 20;
/// The most targets with rows of their own in all events together, so that the page stays small.
const TARGETS_IN_ALL: usize = 300;
/// The most outages that are listed.
const OUTAGES: usize = 100;

/// What each event did, and the times in which targets failed. `None` if there were neither events nor such times.
pub fn section(summary: &Summary) -> Option<Section> {
    let (events, outages) = (&summary.events, &summary.outages);
    if events.is_empty() && outages.is_empty() {
        return None;
    }
    let unexplained = outages.iter().filter(|outage| outage.event.is_none());
    let unexplained: Vec<_> = unexplained.collect();
    let targets = TARGETS_IN_ALL / events.len().clamp(1, EVENTS);
    let targets = targets.min(TARGETS);
    let body = html! {
        @for (number, event) in (1..).zip(events.iter().take(EVENTS)) { (one(number, event, targets)) }
        (more(events.len(), EVENTS, "event", "events"))
        @if !unexplained.is_empty() {
            h3 { "Outages" @if !events.is_empty() { " that began with no event" } }
            ul class="evidence" {
                @for outage in unexplained.iter().take(OUTAGES) { li { (Untrusted::sentence(&outage.statement)) } }
            }
            (more(unexplained.len(), OUTAGES, "outage", "outages"))
        } @else if !events.is_empty() {
            p class="note" { "No outage began without an event." }
        }
    };
    Some(Section {
        id: "events",
        heading: if events.is_empty() {
            "Outages"
        } else {
            "Events"
        },
        body,
    })
}

fn more(all: usize, shown: usize, one: &str, many: &str) -> Markup {
    html! {
        @if all > shown {
            p class="note" { "The summary’s JSON has " (count((all - shown) as u64, one, many)) " more." }
        }
    }
}

fn one(number: usize, event: &EventSummary, targets: usize) -> Markup {
    html! {
        h3 { (number) ". " (Untrusted::name(&event.title())) ", at " (seconds(Nanos(event.began_ns))) }
        @if let Some(command) = &event.command { (of_command(command, event.began_ns)) }
        @else { p class="note" { "A mark without a command." } }
        @if !event.statements.is_empty() {
            ul class="evidence" { @for statement in &event.statements { li { (Untrusted::sentence(statement)) } } }
        }
        @if event.effect.during.sent > 0 { (numbers(event, targets)) }
    }
}

fn of_command(command: &CommandSummary, began_ns: u64) -> Markup {
    let took = command.ended_ns.map(|ended| ended.saturating_sub(began_ns));
    let took = took.map(|took| format!(" after {}", span(Nanos(took))));
    let took = took.unwrap_or_default();
    html! {
        p {
            code { (Untrusted::name(&command.text)) } ": "
            @match &command.error {
                Some(error) => span class="pill bad" { span aria-hidden="true" { "✗" } " " (Untrusted::name(error)) (took) }
                None => { "exit code 0" (took) },
            }
        }
        @if !command.output.is_empty() {
            details open[command.error.is_some()] {
                summary {
                    "Output"
                    @if command.output_cut_bytes > 0 { ", without the first " (count(command.output_cut_bytes, "byte", "bytes")) }
                }
                pre tabindex="0" aria-label="The command’s output" { (Untrusted::received(&command.output)) }
            }
        }
    }
}

/// The requests before, during and after an event, in all and to each of the first `targets` targets.
fn numbers(event: &EventSummary, targets: usize) -> Markup {
    let mut spans = vec![
        (text("before"), &event.effect.before),
        (text("during"), &event.effect.during),
    ];
    spans.extend(
        event
            .effect
            .after
            .as_ref()
            .map(|after| (text("after"), after)),
    );
    let mut by_target = Vec::new();
    for target in event.targets.iter().take(targets) {
        let effect = &target.effect;
        let name =
            |when: &str| html! { (Untrusted::name(&target.name)) span class="part" { (when) } };
        by_target.push((name("before"), &effect.before));
        by_target.push((name("during"), &effect.during));
        by_target.extend(effect.after.as_ref().map(|after| (name("after"), after)));
    }
    html! {
        (table(&format!("Requests before, during and after {}", title(event)), spans))
        @if event.targets.len() > 1 {
            details {
                summary { "By target" }
                (table(&format!("Requests to each target before, during and after {}", title(event)), by_target))
                (more(event.targets.len(), targets, "target", "targets"))
            }
        }
    }
}

fn title(event: &EventSummary) -> String {
    super::clipped(&event.title(), 100)
}

fn table(caption: &str, spans: Vec<(Markup, &SpanSummary)>) -> Markup {
    type Cell = fn(&SpanSummary) -> Option<String>;
    type Column = (&'static str, fn(&SpanSummary) -> bool, Cell);
    const COLUMNS: [Column; 9] = [
        ("sent", |_| true, |of| Some(of.sent.to_string())),
        ("allowed", |_| true, |of| Some(of.allowed.to_string())),
        ("blocked", |_| true, |of| Some(of.blocked.to_string())),
        ("failed", |_| true, |of| Some(of.failed.to_string())),
        (
            "abandoned",
            |of| of.abandoned > 0,
            |of| Some(of.abandoned.to_string()),
        ),
        (
            "too many",
            |of| of.admitted_beyond.is_some(),
            |of| Some(of.admitted_beyond?.to_string()),
        ),
        (
            "marked open",
            |of| of.failing_open > 0,
            |of| Some(of.failing_open.to_string()),
        ),
        (
            "p50",
            |_| true,
            |of| of.latency_p50_ns.map(|ns| span(Nanos(ns))),
        ),
        (
            "p99",
            |_| true,
            |of| of.latency_p99_ns.map(|ns| span(Nanos(ns))),
        ),
    ];
    let is_shown = |(_, has_any, _): &&Column| spans.iter().any(|(_, of)| has_any(of));
    let columns: Vec<_> = COLUMNS.iter().filter(is_shown).collect();
    let cells = |of: &SpanSummary| {
        let cells = columns.iter().map(|(.., cell)| cell(of));
        texts(cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())))
    };
    let names = std::iter::once("time").chain(columns.iter().map(|(name, ..)| *name));
    let table = Table {
        caption: caption.to_owned(),
        columns: texts(names),
        rows: spans
            .iter()
            .map(|(name, of)| (name.clone(), cells(of)))
            .collect(),
        numbers: true,
    };
    table.render()
}
