//! The picture of a search: latency and outcomes by rate, with the knee.

use super::super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style};
use super::super::document::{Section, text};
use super::super::latency::extremes;
use crate::base::Nanos;
use crate::base::text::{share, span};
use crate::core::summary::{CapacitySummary, StepSummary};
use crate::report::capacity::by_rate;
use crate::report::percentiles::{MAX, P50, P90, P99, P99_9, Percentile};
use maud::{Markup, html};

/// The percentiles that are drawn, the highest last.
static DRAWN: [(&Percentile, Style); 5] = [
    (&P50, Style::P50),
    (&P90, Style::P90),
    (&P99, Style::P99),
    (&P99_9, Style::P99_9),
    (&MAX, Style::MAX),
];

pub fn section(summary: &CapacitySummary) -> Section {
    let rates: Vec<_> = by_rate(summary).into_values().collect();
    let last: Vec<_> = rates
        .iter()
        .filter_map(|steps| steps.last().copied())
        .collect();
    let body = if last.is_empty() {
        html! { p class="empty" { "No step came to its end." } }
    } else {
        html! {
            (latency(summary, &rates, &last).render())
            (outcomes(summary, &last).render())
            (note(summary))
        }
    };
    Section {
        id: "rates",
        heading: "Latency and outcomes by rate",
        body,
    }
}

/// The rates of all steps.
fn across(last: &[&StepSummary]) -> Axis {
    let rates = last.iter().map(|step| step.rate_per_s);
    let lowest = rates.clone().fold(f64::INFINITY, f64::min);
    Axis::rates(lowest, rates.fold(0.0, f64::max))
}

/// The rates that do not hold, and those between which the capacity is.
fn background(summary: &CapacitySummary, x: &Axis) -> Vec<Layer> {
    let result = &summary.result;
    let mut layers = Vec::new();
    if let Some(not_held) = result.not_held_per_s {
        layers.push(Layer::Span {
            style: Style::BURST,
            from: not_held,
            to: x.end(),
        });
    }
    layers
}

/// The highest rate that holds, as a line from the bottom to the top.
fn knee(summary: &CapacitySummary, y: &Axis) -> Option<Layer> {
    let held = summary.result.held_per_s?;
    Some(Layer::Line {
        style: Style::LIMIT,
        points: vec![(held, y.start()), (held, y.end())],
    })
}

fn keys_of_the_knee(summary: &CapacitySummary) -> Vec<Key> {
    let result = &summary.result;
    let mut keys = Vec::new();
    if let Some(held) = result.held_per_s {
        keys.push(Key::line(Style::LIMIT, format!("holds up to {held}/s")));
    }
    if let Some(not_held) = result.not_held_per_s {
        keys.push(Key::fill(
            Style::BURST,
            format!("does not hold from {not_held}/s on"),
        ));
    }
    keys
}

fn latency(
    summary: &CapacitySummary,
    rates: &[Vec<&StepSummary>],
    last: &[&StepSummary],
) -> Figure {
    let all = || rates.iter().flatten();
    let answered = || all().filter(|step| step.latency.count > 0);
    let (least, most) =
        extremes(answered().flat_map(|step| [step.latency.p50_ns, step.latency.max_ns]));
    let (x, y) = (across(last), Axis::spans(least, most));
    let mut layers = background(summary, &x);
    let (mut keys, mut said) = (Vec::new(), Vec::new());
    for (percentile, style) in &DRAWN {
        let value = |step: &StepSummary| {
            let of = &step.latency;
            let is_known = of.count > 0 && percentile.is_of(of.count);
            is_known.then(|| (step.rate_per_s, (percentile.read)(of) as f64))
        };
        let points: Vec<_> = last.iter().filter_map(|step| value(step)).collect();
        let (Some(first), Some(end)) = (points.first(), points.last()) else {
            continue;
        };
        let [from, to] = [first, end].map(|(_, ns)| span(Nanos(*ns as u64)));
        said.push(format!("{} from {from} to {to}", percentile.name));
        keys.insert(0, Key::line(*style, percentile.name));
        layers.push(Layer::Line {
            style: *style,
            points,
        });
        // A point for each step: those at one rate may differ.
        let repeated = rates.iter().filter(|steps| steps.len() > 1).flatten();
        layers.extend(
            repeated
                .filter_map(|step| value(step))
                .map(|point| Layer::Line {
                    style: *style,
                    points: vec![point],
                }),
        );
    }
    layers.extend(knee(summary, &y));
    keys.extend(keys_of_the_knee(summary));
    Figure {
        title: text("Percentiles of latency by rate, both on a logarithmic scale"),
        said: format!(
            "Latency from the lowest rate to the highest: {}.",
            said.join(", ")
        ),
        keys,
        plot: Plot { x, y, layers },
        across: "requests per second",
        table: None,
        size: Size::Full,
    }
}

/// The shares of the outcomes among the sent requests, upon each other.
fn outcomes(summary: &CapacitySummary, last: &[&StepSummary]) -> Figure {
    type Count = fn(&StepSummary) -> u64;
    const STACK: [(&str, Style, Count); 3] = [
        ("allowed", Style::ALLOWED, |step| step.requests.allowed),
        ("blocked", Style::BLOCKED, |step| step.requests.blocked),
        ("failed", Style::FAILED, |step| {
            step.requests.failed.saturating_add(step.requests.abandoned)
        }),
    ];
    let (x, y) = (across(last), Axis::whole());
    let sent: Vec<_> = last.iter().filter(|step| step.requests.sent > 0).collect();
    let mut below = vec![0.0; sent.len()];
    let mut layers = background(summary, &x);
    let (mut keys, mut said) = (Vec::new(), Vec::new());
    for (name, style, count) in STACK {
        let bottom = below.clone();
        for (height, step) in below.iter_mut().zip(&sent) {
            *height += count(step) as f64 / step.requests.sent as f64;
        }
        let points = |heights: &[f64]| -> Vec<(f64, f64)> {
            let steps = sent.iter().zip(heights);
            steps
                .map(|(step, height)| (step.rate_per_s, *height))
                .collect()
        };
        let mut outline = points(&below);
        outline.extend(points(&bottom).into_iter().rev());
        if sent.iter().any(|step| count(step) > 0) {
            layers.push(Layer::Area { style, outline });
            keys.insert(0, Key::fill(style, name));
            if let (Some(first), Some(end)) = (sent.first(), sent.last()) {
                let [from, to] = [first, end].map(|step| share(count(step), step.requests.sent));
                said.push(format!("{name} from {from} to {to}"));
            }
        }
    }
    layers.extend(knee(summary, &y));
    keys.extend(keys_of_the_knee(summary));
    Figure {
        title: text("Outcomes by rate, as shares of the requests that were sent"),
        said: format!(
            "Outcomes from the lowest rate to the highest: {}.",
            said.join(", ")
        ),
        keys,
        plot: Plot { x, y, layers },
        across: "requests per second",
        table: None,
        size: Size::Full,
    }
}

fn note(summary: &CapacitySummary) -> Markup {
    let repeated = by_rate(summary).values().any(|steps| steps.len() > 1);
    html! {
        @if repeated {
            p class="note" { "The lines lead through the last step at each rate. Points are further steps there." }
        }
    }
}
