use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style, from_share, last_share};
use super::document::{Section, Table, noted, text, texts};
use super::time_series::{
    event_marks, fine, lines, said_events, shade_keys, shades, supported, table, time_axis,
};
use crate::base::Nanos;
use crate::base::text::{span, span_or_dash};
use crate::core::summary::{DurationSummary, Point, Slot, Summary};
use crate::report::percentiles::{
    MAX, P50, P90, P95, P99, P99_9, P99_99, P99_999, Percentile, dash, known, needs,
};
use maud::{Markup, html};

type Read = fn(&Slot) -> u64;

/// The percentiles of a slot that are drawn, the highest last.
static DRAWN: [(&Percentile, Style, Read); 5] = [
    (&P50, Style::P50, |slot| slot.p50_ns),
    (&P90, Style::P90, |slot| slot.p90_ns),
    (&P99, Style::P99, |slot| slot.p99_ns),
    (&P99_9, Style::P99_9, |slot| slot.p99_9_ns),
    (&MAX, Style::MAX, |slot| slot.max_ns),
];

pub fn over_time(summary: &Summary) -> Section {
    let done = |slot: &Slot| slot.done > 0;
    let body = if summary.timeline.slots.iter().any(done) {
        let drawn = DRAWN.iter().map(|(percentile, ..)| *percentile).collect();
        let answered = summary.timeline.slots.iter().map(|slot| slot.done);
        html! {
            (percentiles(summary).render())
            (gaps(drawn, answered))
        }
    } else {
        nothing()
    };
    Section {
        id: "latency",
        heading: "Latency over time",
        body,
    }
}

/// Why a line has gaps, or is not there, in a chart of slots with so many requests.
pub fn gaps(drawn: Vec<&Percentile>, counts: impl Iterator<Item = u64> + Clone) -> Markup {
    html! {
        @if let Some(needs) = needs(&drawn, counts) {
            p class="note" { "A percentile is drawn where there are enough requests for it: " (needs) "." }
        }
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
    let supported = supported(&summary.timeline);
    let timeline = fine(&supported);
    let done = || timeline.slots.iter().filter(|slot| slot.done > 0);
    let (least, most) = extremes(done().flat_map(|slot| [slot.p50_ns, slot.max_ns]));
    let known: Vec<_> = DRAWN
        .iter()
        .filter(|(.., read)| done().any(|slot| read(slot) > 0))
        .collect();
    let mut layers = shades(&timeline);
    let mut keys = Vec::new();
    let mut said = Vec::new();
    for (percentile, style, read) in &known {
        let name = percentile.name;
        // Lines of higher percentiles have wider gaps, so that equal lines show through each other.
        layers.extend(lines(&timeline, *style, |slot| {
            Some(read(slot)).filter(|ns| *ns > 0)
        }));
        keys.insert(0, Key::line(*style, name));
        let (least, most) = extremes(done().map(read).filter(|ns| *ns > 0));
        let [least, most] = [least, most].map(|ns| span(Nanos(ns as u64)));
        said.push(format!("{name} from {least} to {most}"));
    }
    keys.extend(shade_keys(summary));
    let slot = Nanos(timeline.slot_ns);
    let columns = known.iter().map(|(percentile, ..)| percentile.name);
    let columns: Vec<_> = std::iter::once("answered").chain(columns).collect();
    let rows = table("Latency", &supported, &columns, |slot, _| {
        let spans = known.iter().map(|(.., read)| read(slot));
        let spans = spans.map(|ns| span_or_dash(ns, Nanos(ns)));
        std::iter::once(slot.done.to_string())
            .chain(spans)
            .collect()
    });
    Figure {
        title: text(format!(
            "Percentiles of latency in each {slot}, on a logarithmic scale"
        )),
        said: format!("Latency in slots of {slot}: {}.", said.join(", ")) + &said_events(summary),
        keys,
        plot: Plot {
            x: time_axis(&timeline, 0.0).marked(&event_marks(summary)),
            y: Axis::spans(least, most),
            layers,
        },
        across: "since the start",
        table: Some(rows.render()),
        size: Size::Full,
    }
}

/// The percentiles that the spectrum's table lists, with their shares.
static READ_OUT: [(&Percentile, f64); 7] = [
    (&P50, 0.5),
    (&P90, 0.9),
    (&P95, 0.95),
    (&P99, 0.99),
    (&P99_9, 0.999),
    (&P99_99, 0.9999),
    (&P99_999, 0.99999),
];

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
            let known = READ_OUT.iter().filter(|(one, _)| one.is_of(of.count));
            let known: Vec<_> = known
                .map(|(one, _)| format!("{} at {}", one.cell(of), one.name))
                .collect();
            let most = MAX.cell(of);
            format!("{name} is {} and {most} at most", known.join(", "))
        })
        .collect();
    let most_requests = curves.iter().map(|(.., of)| of.count).max();
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
            x: Axis::shares(most_requests.unwrap_or(0)),
            y: Axis::spans(least, most),
            // The first line is solid, and shows through the gaps of the others.
            layers: curves.iter().map(layer).collect(),
        },
        across: "share of requests that took no longer",
        table: Some(read_out(curves)),
        size: Size::Full,
    }
}

fn read_out(curves: &[(&str, Style, &DurationSummary)]) -> Markup {
    let counts = curves.iter().map(|(.., of)| of.count);
    let all: Vec<_> = READ_OUT.iter().map(|(one, _)| *one).collect();
    let known = known(&all, counts.clone());
    let row = |(one, share): &(&'static Percentile, f64)| {
        let spans = curves.iter().map(|(.., of)| one.cell(of));
        let percent = (share * 1e7).round() / 1e5;
        (text(format!("{percent} %")), texts(spans))
    };
    let names = curves.iter().map(|(name, ..)| *name);
    let table = Table {
        caption: "Spans that a share of requests did not exceed".to_owned(),
        columns: texts(std::iter::once("share").chain(names)),
        rows: READ_OUT.iter().take(known.len()).map(row).collect(),
        numbers: true,
    };
    noted(&table, dash(&known, counts))
}

/// The shortest span that is drawn. A logarithmic scale cannot show 0.
fn lowest(of: &DurationSummary) -> u64 {
    let first = of.spectrum.first().map_or(of.min_ns, |point| point.ns);
    first.min(of.p50_ns).max(1)
}

/// The most points of a spectrum that are drawn.
const POINTS: usize = 1_000;

/// A spectrum as a line up to the highest percentile that it has. A summary without a spectrum has a line through its
/// percentiles.
pub fn curve(of: &DurationSummary) -> Vec<(f64, f64)> {
    let end = last_share(of.count);
    let known = READ_OUT.iter().map(|(one, share)| Point {
        share: *share,
        ns: (one.read)(of),
    });
    let known: Vec<_> = known.collect();
    let points = if of.spectrum.is_empty() {
        &known
    } else {
        &of.spectrum
    };
    let each = points.len().div_ceil(POINTS).max(1);
    let mut curve: Vec<_> = points
        .iter()
        .step_by(each)
        .map(|point| (from_share(point.share), point.ns as f64))
        .filter(|(share, _)| *share < end * (1.0 - 1e-6))
        .collect();
    let last = known
        .iter()
        .rfind(|point| from_share(point.share) <= end * (1.0 + 1e-6));
    curve.extend(last.map(|point| (end, point.ns as f64)));
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spectrum_reaches_up_to_the_highest_percentile_that_it_has() {
        let mut of = DurationSummary {
            count: 100_000,
            p50_ns: 1_000,
            p90_ns: 2_000,
            p99_ns: 3_000,
            p99_999_ns: 9_000,
            max_ns: 9_000,
            ..DurationSummary::default()
        };
        let ends = |of: &DurationSummary| {
            let curve = curve(of);
            // `from_share` has rounding errors.
            let (first, last) = (curve[0], curve[curve.len() - 1]);
            (first, (last.0.round(), last.1))
        };
        let last = (from_share(0.999_99).round(), 9_000.0);
        assert_eq!(ends(&of), ((2.0, 1_000.0), last));
        let point = |share, ns| Point { share, ns };
        of.spectrum = vec![point(0.0, 500), point(0.9, 800), point(1.0, 9_000)];
        assert_eq!(ends(&of), ((1.0, 500.0), last));
        for (count, last) in [(999, (100.0, 3_000.0)), (1, (10.0, 2_000.0))] {
            of.count = count;
            let (_, (share, ns)) = ends(&of);
            assert!((share - last.0).abs() < 1e-9 && ns == last.1, "{count}");
        }
        of.spectrum = vec![point(0.5, 1); 100_000];
        assert!(curve(&of).len() <= POINTS + 1);
    }
}
