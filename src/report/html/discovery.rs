//! The page of a discovery.

use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style};
use super::configuration;
use super::document::{Section, Table, document, facts, look, text, texts};
use super::untrusted::{Untrusted, clipped, sentence};
use crate::base::Nanos;
use crate::base::text::{count, seconds};
use crate::core::exit_code;
use crate::core::summary::{AnswerOutcome, Candidate, Discovery, DiscoveryAnswer, EnforcedLimit};
use crate::report::discovered::tone;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The most keys that have a lane, and the most rows of a table.
const LANES: usize = 16;
const ROWS: usize = 100;

/// The width of a request in the picture, as a share of the whole, and the part of a lane that it fills.
const WIDTH: f64 = 1.0 / 500.0;
const HEIGHT: f64 = 0.8;

/// The page of a discovery.
pub fn discovery(of: &Discovery) -> String {
    let sections = [
        found(of),
        lanes(of),
        candidates(of),
        Section {
            id: "configuration",
            heading: "Configuration",
            body: configuration::settings(&of.settings),
        },
    ];
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let footer = html! {
        p {
            "loadgen " (Untrusted::name(&of.loadgen.version)) " on " (Untrusted::name(&of.loadgen.os)) " "
            (Untrusted::name(&of.loadgen.arch))
        }
    };
    document(
        &format!("{} · loadgen discover", clipped(&of.headline, 300)),
        &contents,
        &header(of),
        &html! { @for section in &sections { (section.render()) } },
        &footer,
    )
}

fn header(of: &Discovery) -> Markup {
    let (class, sign) = look(tone(of));
    html! {
        p class="eyebrow" {
            "loadgen discover · " time datetime=(Untrusted::name(&of.started).plain()) { (Untrusted::name(&of.started)) }
        }
        h1 class=(class) { span class="sign" aria-hidden="true" { (sign) } " " (sentence(&of.headline)) }
        @for further in &of.further { p class="lead" { (Untrusted::sentence(further)) } }
        p class="lead" {
            (count(of.requests.sent, "request", "requests")) " in " (seconds(Nanos(of.lasted_ns / 1_000_000 * 1_000_000)))
            ", to " (count(of.targets.len() as u64, "target", "targets"))
            @if let [only] = &of.targets[..] { ": " (Untrusted::name(only)) }
            ", exit code " strong { (of.exit_code) } ": " (exit_code::short(of.exit_code))
        }
    }
}

fn found(of: &Discovery) -> Section {
    let rows = of.details.iter();
    let rows: Vec<_> = rows
        .map(|detail| {
            (
                &*detail.about,
                html! { (Untrusted::sentence(&detail.statement)) },
            )
        })
        .collect();
    let body = html! {
        (facts(&rows))
        @if let Some(command) = &of.audit_command {
            h3 { "The command that holds the limiter to it" }
            pre tabindex="0" aria-label="The command that holds the limiter to it" { code { (Untrusted::received(&command.text)) } }
        }
    };
    Section {
        id: "found",
        heading: "What was found",
        body,
    }
}

/// A lane for each key, with its answers over time.
fn lanes(of: &Discovery) -> Section {
    let mut keys: BTreeMap<u32, Vec<&DiscoveryAnswer>> = BTreeMap::new();
    for answer in &of.answers {
        keys.entry(answer.key).or_default().push(answer);
    }
    let shown: Vec<_> = keys.iter().take(LANES).collect();
    let end = of.answers.iter().map(|answer| answer.done_ns).max();
    let end = Nanos(end.unwrap_or(0)).as_secs_f64().max(0.001);
    let mut layers = Vec::new();
    // The rarer outcome is drawn above the other.
    let styles = [
        (AnswerOutcome::Blocked, Style::BLOCKED),
        (AnswerOutcome::Allowed, Style::ALLOWED),
        (AnswerOutcome::Failed, Style::FAILED),
    ];
    for (outcome, style) in styles {
        let mut cells = Vec::new();
        for (lane, (_, answers)) in shown.iter().enumerate() {
            let bottom = (shown.len() - 1 - lane) as f64 + (1.0 - HEIGHT) / 2.0;
            let mut last = f64::MIN;
            for answer in answers.iter().filter(|answer| answer.outcome == outcome) {
                let at = Nanos(answer.sent_ns).as_secs_f64();
                // Requests that would be drawn one over the other are drawn once.
                if at - last >= end * WIDTH / 4.0 {
                    let right = (at + end * WIDTH).min(end);
                    cells.push([(at, bottom), (right, bottom + HEIGHT)]);
                    last = at;
                }
            }
        }
        layers.push(Layer::Cells { style, cells });
    }
    let names = shown.iter().map(|(key, _)| lane_name(of, **key));
    let keys_text = count(shown.len() as u64, "key", "keys");
    let figure = Figure {
        title: text("Answers over time, a lane for each key"),
        said: format!(
            "The answers of {keys_text} over {}: {} allowed, {} blocked, {} failed.",
            seconds(Nanos(of.lasted_ns)),
            of.requests.allowed,
            of.requests.blocked,
            of.requests.failed
        ),
        keys: vec![
            Key::fill(Style::ALLOWED, format!("allowed {}", of.requests.allowed)),
            Key::fill(Style::BLOCKED, format!("blocked {}", of.requests.blocked)),
            Key::fill(Style::FAILED, format!("failed {}", of.requests.failed)),
        ],
        plot: Plot {
            x: Axis::time(end),
            y: Axis::lanes(names),
            layers,
        },
        across: "since the first request",
        table: Some(by_key(&keys)),
        size: Size::Full,
    };
    let more = keys.len().saturating_sub(shown.len());
    let body = html! {
        @if of.answers.is_empty() { p class="empty" { "No request was answered, so there is nothing to draw." } }
        @else { (figure.render()) }
        @if more > 0 { p class="note" { (count(more as u64, "more key is", "more keys are")) " in the table only." } }
    };
    Section {
        id: "answers",
        heading: "Answers over time",
        body,
    }
}

fn lane_name(of: &Discovery, key: u32) -> String {
    if of.keys == 0 {
        "all".to_owned()
    } else {
        format!("key {}", key + 1)
    }
}

fn by_key(keys: &BTreeMap<u32, Vec<&DiscoveryAnswer>>) -> Markup {
    let rows = keys.iter().take(ROWS).map(|(key, answers)| {
        let of = |outcome| answers.iter().filter(|one| one.outcome == outcome).count();
        let ends = answers.iter().map(|answer| answer.sent_ns);
        let (first, last) = (ends.clone().min(), ends.max());
        let cells = [
            answers.len().to_string(),
            of(AnswerOutcome::Allowed).to_string(),
            of(AnswerOutcome::Blocked).to_string(),
            of(AnswerOutcome::Failed).to_string(),
            seconds(Nanos(first.unwrap_or(0))),
            seconds(Nanos(last.unwrap_or(0))),
        ];
        (text(format!("{}", key + 1)), texts(cells))
    });
    let table = Table {
        caption: "Answers by key".to_owned(),
        columns: texts([
            "key", "sent", "allowed", "blocked", "failed", "first", "last",
        ]),
        rows: rows.collect(),
        numbers: true,
    };
    table.render()
}

/// Every limiter that explains the answers.
fn candidates(of: &Discovery) -> Section {
    let row = |candidate: &Candidate, limit: &EnforcedLimit| {
        let window = |nanos| Nanos(nanos).to_string();
        let burst = if limit.burst_least == limit.burst_most {
            limit.burst_least.to_string()
        } else {
            format!("{} to {}", limit.burst_least, limit.burst_most)
        };
        let counts = if limit.counts_blocked {
            "count"
        } else {
            "do not count"
        };
        (
            html! { code { (Untrusted::name(&candidate.promise)) } },
            texts([
                limit.limit.to_string(),
                window(limit.window_ns),
                format!(
                    "{} to {}",
                    window(limit.window_least_ns),
                    window(limit.window_most_ns)
                ),
                burst,
                counts.to_owned(),
            ]),
        )
    };
    let rows = of.candidates.iter().flat_map(|candidate| {
        let limits = candidate.limits.iter();
        limits.map(move |limit| row(candidate, limit))
    });
    let table = Table {
        caption: "Every limiter that explains all answers".to_owned(),
        columns: texts([
            "limiter",
            "requests",
            "window",
            "windows that fit",
            "at once",
            "blocked requests",
        ]),
        rows: rows.take(ROWS).collect(),
        numbers: false,
    };
    let body = if of.candidates.is_empty() {
        html! { p class="empty" { "No limiter that loadgen knows explains all answers." } }
    } else {
        table.render()
    };
    Section {
        id: "candidates",
        heading: "Limiters that fit",
        body,
    }
}
