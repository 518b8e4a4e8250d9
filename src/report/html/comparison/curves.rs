//! Charts of latency in which each run is a curve.

use super::{CHARTS, Run, multiples};
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::summary::{Slot, Summary, Timeline};
use crate::report::html::chart::{Axis, Figure, Key, Layer, Plot, Size, Style, legend};
use crate::report::html::document::{Section, text};
use crate::report::html::latency::{curve, extremes};
use crate::report::html::time_series::{few, lines, seconds};
use crate::report::percentiles::span_of;
use maud::{Markup, html};

/// A chart of several runs.
struct Curves<'a> {
    title: &'a str,
    x: Axis,
    y: Axis,
    /// Describes one run in words.
    said: &'a dyn Fn(&Summary) -> String,
    /// Draws one run in its style.
    layers: &'a dyn Fn(&Summary, Style) -> Vec<Layer>,
    across: &'static str,
}

impl Curves<'_> {
    /// All runs in one chart, if their styles differ; otherwise each run has its own chart, with the first run beside it.
    fn render(&self, runs: &[Run<'_>]) -> Markup {
        let said = |run: &Run<'_>| format!("{}: {}", run.name, (self.said)(run.summary));
        let figure = |title, said, keys, layers, size| Figure {
            title,
            said,
            keys,
            plot: Plot {
                x: self.x.clone(),
                y: self.y.clone(),
                layers,
            },
            across: match size {
                Size::Full => self.across,
                Size::Small => "",
            },
            table: None,
            size,
        };
        let [first, others @ ..] = runs else {
            return html! {};
        };
        if runs.len() <= Style::RUNS.len() {
            let styles = runs.iter().zip(Style::RUNS);
            let keys = styles
                .clone()
                .map(|(run, style)| Key::line(style, &*run.name));
            let all: Vec<_> = runs.iter().map(said).collect();
            let layers = styles
                .rev()
                .flat_map(|(run, style)| (self.layers)(run.summary, style));
            return figure(
                text(self.title),
                format!("{}. {}", self.title, all.join("; ")),
                keys.collect(),
                layers.collect(),
                Size::Full,
            )
            .render();
        }
        let beside_the_first = |run: &Run<'_>| {
            let mut layers = (self.layers)(first.summary, Style::FIRST);
            layers.extend((self.layers)(run.summary, Style::OTHER));
            let title = html! { bdi { (run.name) } };
            figure(title, said(run), Vec::new(), layers, Size::Small)
        };
        let charts: Vec<_> = others.iter().take(CHARTS).map(beside_the_first).collect();
        let keys = [
            Key::line(Style::OTHER, "each run"),
            Key::line(Style::FIRST, format!("the first: {}", first.name)),
        ];
        html! {
            p class="note" { (self.title) }
            (legend(&keys))
            (multiples(&charts, others.len()))
        }
    }
}

pub(super) fn spectra(runs: &[Run<'_>]) -> Section {
    let seen = || {
        runs.iter()
            .map(|run| &run.summary.latency)
            .filter(|of| of.count > 0)
    };
    let ends = seen().flat_map(|of| {
        let first = of.spectrum.first().map_or(of.min_ns, |point| point.ns);
        [first.min(of.p50_ns).max(1), of.max_ns]
    });
    let (least, most) = extremes(ends);
    let said = |summary: &Summary| {
        let of = &summary.latency;
        format!(
            "{} at 50 %, {} at 99 %, {} at 99.9 %, {} at most",
            span_of(of, of.p50_ns),
            span_of(of, of.p99_ns),
            span_of(of, of.p99_9_ns),
            span_of(of, of.max_ns),
        )
    };
    let layers = |summary: &Summary, style| match summary.latency.count {
        0 => Vec::new(),
        _ => vec![Layer::Line {
            style,
            points: curve(&summary.latency),
        }],
    };
    let curves = Curves {
        title: "Latency by the share of requests that took no longer",
        x: Axis::shares(seen().map(|of| of.count).max().unwrap_or(0)),
        y: Axis::spans(least, most),
        said: &said,
        layers: &layers,
        across: "share of requests that took no longer",
    };
    Section {
        id: "spectrum",
        heading: "Latency spectra",
        body: curves.render(runs),
    }
}

pub(super) fn over_time(runs: &[Run<'_>]) -> Section {
    let p50 = percentile_over_time("p50 of latency over time", |slot| slot.p50_ns, runs);
    let p99 = percentile_over_time("p99 of latency over time", |slot| slot.p99_ns, runs);
    Section {
        id: "latency",
        heading: "Latency over time",
        body: html! { (p50) (p99) },
    }
}

fn percentile_over_time(title: &str, read: fn(&Slot) -> u64, runs: &[Run<'_>]) -> Markup {
    let timelines: Vec<_> = runs.iter().map(|run| few(&run.summary.timeline)).collect();
    let length = |timeline: &Timeline| timeline.slots.len() as f64 * seconds(timeline.slot_ns);
    let value = |slot: &Slot| (slot.done > 0).then(|| read(slot));
    let slots = timelines.iter().flat_map(|timeline| &timeline.slots);
    let (least, most) = extremes(slots.filter_map(value));
    let said = |summary: &Summary| {
        let (least, most) = extremes(summary.timeline.slots.iter().filter_map(value));
        if summary.latency.count == 0 {
            return "no request was done".to_owned();
        }
        let [least, most] = [least, most].map(|ns| span(Nanos(ns as u64)));
        format!("{least} to {most}")
    };
    let curves = Curves {
        title,
        x: Axis::time(timelines.iter().map(length).fold(0.0, f64::max)),
        y: Axis::spans(least, most),
        said: &said,
        layers: &|summary, style| lines(&few(&summary.timeline), style, value),
        across: "since the start",
    };
    curves.render(runs)
}
