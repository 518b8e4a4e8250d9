use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style, from_share};
use super::document::{Section, Table, text, texts};
use super::time_series::{fine, lines, shade_keys, shades, table, time_axis};
use crate::base::Nanos;
use crate::base::text::{span, span_or_dash};
use crate::core::summary::{DurationSummary, Point, Slot, Summary};
use crate::report::percentiles::span_of;
use maud::{Markup, html};

type Read = fn(&Slot) -> u64;

/// The percentiles of a slot that are drawn, the highest last.
const PERCENTILES: [(&str, Style, Read); 5] = [
    ("p50", Style::P50, |slot| slot.p50_ns),
    ("p90", Style::P90, |slot| slot.p90_ns),
    ("p99", Style::P99, |slot| slot.p99_ns),
    ("p99.9", Style::P99_9, |slot| slot.p99_9_ns),
    ("max", Style::MAX, |slot| slot.max_ns),
];

pub fn over_time(summary: &Summary) -> Section {
    let done = |slot: &Slot| slot.done > 0;
    let body = if summary.timeline.slots.iter().any(done) {
        percentiles(summary).render()
    } else {
        nothing()
    };
    Section {
        id: "latency",
        heading: "Latency over time",
        body,
    }
}

fn nothing() -> Markup {
    html! { p class="empty" { "No request was done, so there is no latency." } }
}

/// The shortest and the longest of the spans; one millisecond if there are none.
pub fn extremes(spans: impl Iterator<Item = u64>) -> (f64, f64) {
    let ends = spans.fold(None, |ends, ns| match ends {
        None => Some((ns, ns)),
        Some((least, most)) => Some((ns.min(least), ns.max(most))),
    });
    ends.map_or((1e6, 1e6), |(least, most)| (least as f64, most as f64))
}

fn percentiles(summary: &Summary) -> Figure {
    let timeline = fine(&summary.timeline);
    let done = || timeline.slots.iter().filter(|slot| slot.done > 0);
    let (least, most) = extremes(done().flat_map(|slot| [slot.p50_ns, slot.max_ns]));
    let mut layers = shades(&timeline);
    let mut keys = Vec::new();
    for (name, style, read) in PERCENTILES {
        // Lines of higher percentiles have wider gaps, so that equal lines show through each other.
        layers.extend(lines(&timeline, style, |slot| {
            (slot.done > 0).then(|| read(slot))
        }));
        keys.insert(0, Key::line(style, name));
    }
    keys.extend(shade_keys(summary));
    let of = |read: Read| {
        let (least, most) = extremes(done().map(read));
        format!(
            "{} to {}",
            span(Nanos(least as u64)),
            span(Nanos(most as u64))
        )
    };
    let said = format!(
        "Latency in slots of {}: p50 from {}, p90 from {}, p99 from {}, p99.9 from {}, the longest from {}.",
        Nanos(timeline.slot_ns),
        of(|slot| slot.p50_ns),
        of(|slot| slot.p90_ns),
        of(|slot| slot.p99_ns),
        of(|slot| slot.p99_9_ns),
        of(|slot| slot.max_ns),
    );
    let columns = ["answered", "p50", "p90", "p99", "p99.9", "max"];
    let rows = table("Latency", &summary.timeline, &columns, |slot, _| {
        let spans = PERCENTILES.map(|(.., read)| span_or_dash(slot.done, Nanos(read(slot))));
        std::iter::once(slot.done.to_string())
            .chain(spans)
            .collect()
    });
    Figure {
        title: text("Percentiles of latency, on a logarithmic scale"),
        said,
        keys,
        plot: Plot {
            x: time_axis(&timeline, 0.0),
            y: Axis::spans(least, most),
            layers,
        },
        across: "since the start",
        table: Some(rows.render()),
        size: Size::Full,
    }
}

/// The shares that the spectrum's table lists.
const READ_OUT: [f64; 7] = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999];

pub fn spectrum(summary: &Summary) -> Section {
    let curves = [
        ("latency", Style::LATENCY, &summary.latency),
        ("service time", Style::SERVICE_TIME, &summary.service_time),
        ("send lag", Style::SEND_LAG, &summary.send_lag),
    ];
    let seen: Vec<_> = curves.into_iter().filter(|(.., of)| of.count > 0).collect();
    let body = if seen.is_empty() {
        nothing()
    } else {
        spectra(&seen).render()
    };
    Section {
        id: "spectrum",
        heading: "Latency spectrum",
        body,
    }
}

fn spectra(curves: &[(&str, Style, &DurationSummary)]) -> Figure {
    let ends = curves.iter().flat_map(|(.., of)| [lowest(of), of.max_ns]);
    let (least, most) = extremes(ends);
    let said: Vec<_> = curves
        .iter()
        .map(|(name, _, of)| {
            format!(
                "{name} is {} at 50 %, {} at 90 %, {} at 99 %, {} at 99.9 % and {} at most",
                span_of(of, of.p50_ns),
                span_of(of, of.p90_ns),
                span_of(of, of.p99_ns),
                span_of(of, of.p99_9_ns),
                span_of(of, of.max_ns),
            )
        })
        .collect();
    let layer = |(_, style, of): &(&str, Style, &DurationSummary)| Layer::Line {
        style: *style,
        points: curve(of),
    };
    Figure {
        title: text(
            "Share of requests that took no longer; each further nine takes as much room as the one before",
        ),
        said: format!("Spectra by percentile: {}.", said.join("; ")),
        keys: curves
            .iter()
            .map(|(name, style, _)| Key::line(*style, *name))
            .collect(),
        plot: Plot {
            x: Axis::shares(),
            y: Axis::spans(least, most),
            // The first line is solid, and shows through the gaps of the others.
            layers: curves.iter().map(layer).collect(),
        },
        across: "share of requests that took no longer",
        table: Some(read_out(curves).render()),
        size: Size::Full,
    }
}

fn read_out(curves: &[(&str, Style, &DurationSummary)]) -> Table {
    let row = |share: f64| {
        let spans = curves
            .iter()
            .map(|(.., of)| span_of(of, percentile(of, share)));
        let percent = (share * 1e7).round() / 1e5;
        (text(format!("{percent} %")), texts(spans))
    };
    let names = curves.iter().map(|(name, ..)| *name);
    Table {
        caption: "Spans that a share of requests did not exceed".to_owned(),
        columns: texts(std::iter::once("share").chain(names)),
        rows: READ_OUT.into_iter().map(row).collect(),
        numbers: true,
    }
}

fn percentile(of: &DurationSummary, share: f64) -> u64 {
    let known = [
        of.p50_ns,
        of.p90_ns,
        of.p95_ns,
        of.p99_ns,
        of.p99_9_ns,
        of.p99_99_ns,
        of.p99_999_ns,
    ];
    let place = READ_OUT.iter().position(|read| *read == share);
    place.map_or(0, |place| known[place])
}

/// The shortest span that is drawn. A logarithmic scale cannot show 0.
fn lowest(of: &DurationSummary) -> u64 {
    let first = of.spectrum.first().map_or(of.min_ns, |point| point.ns);
    first.min(of.p50_ns).max(1)
}

/// The most points of a spectrum that are drawn.
const POINTS: usize = 1_000;

/// A spectrum as a line up to the end of its axis. A summary without a spectrum has a line through its percentiles.
pub fn curve(of: &DurationSummary) -> Vec<(f64, f64)> {
    let known: Vec<_> = READ_OUT
        .into_iter()
        .map(|share| Point {
            share,
            ns: percentile(of, share),
        })
        .collect();
    let points = if of.spectrum.is_empty() {
        &known
    } else {
        &of.spectrum
    };
    let each = points.len().div_ceil(POINTS).max(1);
    let mut curve: Vec<_> = points
        .iter()
        .step_by(each)
        .filter(|point| point.share < 0.999_99)
        .map(|point| (from_share(point.share), point.ns as f64))
        .collect();
    curve.push((from_share(0.999_99), of.p99_999_ns as f64));
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spectrum_reaches_the_end_of_its_axis() {
        let mut of = DurationSummary {
            count: 10,
            p50_ns: 1_000,
            p99_999_ns: 9_000,
            max_ns: 9_000,
            ..DurationSummary::default()
        };
        let ends = |of: &DurationSummary| {
            let curve = curve(of);
            (curve[0], curve[curve.len() - 1])
        };
        let last = (from_share(0.999_99), 9_000.0);
        assert_eq!(ends(&of), ((2.0, 1_000.0), last));
        let point = |share, ns| Point { share, ns };
        of.spectrum = vec![point(0.0, 500), point(0.9, 800), point(1.0, 9_000)];
        assert_eq!(ends(&of), ((1.0, 500.0), last));
        of.spectrum = vec![point(0.5, 1); 100_000];
        assert!(curve(&of).len() <= POINTS + 1);
    }
}
