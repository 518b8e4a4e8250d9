//! The axis, shades, lines and table that charts over time share.

use super::chart::{Axis, Key, Layer, Style};
use super::document::{Table, text, texts};
use crate::base::{Mode, Nanos};
use crate::core::summary::{Slot, Summary, Timeline};
use crate::report::downsample::downsampled;
use crate::report::percentiles::{P50, P90, P99, P99_9};
use std::collections::BTreeMap;

/// The most slots that a chart shows.
const POINTS: usize = 600;
/// The most slots that a small chart shows.
const FEW_POINTS: usize = 120;
/// The most rows of a table.
const ROWS: usize = 60;

pub fn fine(timeline: &Timeline) -> Timeline {
    downsampled(timeline, POINTS)
}

pub fn few(timeline: &Timeline) -> Timeline {
    downsampled(timeline, FEW_POINTS)
}

/// The timeline without the percentiles of slots that have too few requests for them: they are 0.
pub fn supported(timeline: &Timeline) -> Timeline {
    let mut timeline = timeline.clone();
    for slot in &mut timeline.slots {
        for (percentile, count, ns) in [
            (&P50, slot.done, &mut slot.p50_ns),
            (&P90, slot.done, &mut slot.p90_ns),
            (&P99, slot.done, &mut slot.p99_ns),
            (&P99_9, slot.done, &mut slot.p99_9_ns),
            (&P99, slot.sent, &mut slot.send_lag_p99_ns),
        ] {
            if !percentile.is_of(count) {
                *ns = 0;
            }
        }
    }
    timeline
}

pub fn seconds(ns: u64) -> f64 {
    Nanos(ns).as_secs_f64()
}

/// The axis from the schedule's start to the end of the last slot, at least `least` seconds long.
pub fn time_axis(timeline: &Timeline, least: f64) -> Axis {
    Axis::time((timeline.slots.len() as f64 * seconds(timeline.slot_ns)).max(least))
}

/// Bursts and pauses, as shades behind everything else.
pub fn shades(timeline: &Timeline) -> Vec<Layer> {
    let shade = |mode: Mode| match mode {
        Mode::Burst => Some(Style::BURST),
        Mode::Pause => Some(Style::PAUSE),
        Mode::Steady | Mode::Ramp | Mode::Sine => None,
    };
    let mut spans: Vec<_> = timeline
        .stretches
        .iter()
        .take(1_000)
        .filter_map(|stretch| {
            Some(Layer::Span {
                style: shade(stretch.mode)?,
                from: stretch.from.as_secs_f64(),
                to: stretch.to.as_secs_f64(),
            })
        })
        .collect();
    // Neighbouring shades of one kind become one path.
    spans.sort_by_key(|span| matches!(span, Layer::Span { style, .. } if *style == Style::PAUSE));
    spans
}

/// The legend of the shades.
pub fn shade_keys(summary: &Summary) -> Vec<Key> {
    let mut names: BTreeMap<bool, Vec<&str>> = BTreeMap::new();
    for stretch in &summary.timeline.stretches {
        let name = summary.phases.get(stretch.phase).map(|phase| &*phase.name);
        let of = match stretch.mode {
            Mode::Burst => names.entry(false).or_default(),
            Mode::Pause => names.entry(true).or_default(),
            _ => continue,
        };
        if let Some(name) = name
            && of.len() < 3
            && !of.contains(&name)
        {
            of.push(name);
        }
    }
    names
        .into_iter()
        .map(|(pause, names)| {
            let (style, word) = if pause {
                (Style::PAUSE, "pause")
            } else {
                (Style::BURST, "burst")
            };
            // The name of a phase usually begins with its mode.
            let all_say_so = names.iter().all(|name| name.starts_with(word));
            let name = if names.is_empty() || !all_say_so {
                word.to_owned()
            } else {
                names.join(", ")
            };
            Key::fill(style, super::untrusted::clipped(&name, 100))
        })
        .collect()
}

/// The outline of a value that is constant within each slot.
pub fn steps(timeline: &Timeline, value: impl Fn(&Slot) -> f64) -> Vec<(f64, f64)> {
    let width = seconds(timeline.slot_ns);
    let slots = timeline.slots.iter().enumerate();
    slots
        .flat_map(|(number, slot)| {
            let height = value(slot);
            let from = number as f64 * width;
            [(from, height), (from + width, height)]
        })
        .collect()
}

/// A line through the middles of the slots, with gaps at slots without a value.
pub fn lines(
    timeline: &Timeline,
    style: Style,
    value: impl Fn(&Slot) -> Option<u64>,
) -> Vec<Layer> {
    let width = seconds(timeline.slot_ns);
    let mut lines = Vec::new();
    let mut points = Vec::new();
    let mut close = |points: &mut Vec<(f64, f64)>| {
        if !points.is_empty() {
            let points = std::mem::take(points);
            lines.push(Layer::Line { style, points });
        }
    };
    for (number, slot) in timeline.slots.iter().enumerate() {
        match value(slot) {
            Some(ns) => points.push(((number as f64 + 0.5) * width, ns as f64)),
            None => close(&mut points),
        }
    }
    close(&mut points);
    lines
}

/// A timeline as a table of at most [`ROWS`] rows.
pub fn table(
    caption: &str,
    timeline: &Timeline,
    columns: &[&str],
    cells: impl Fn(&Slot, f64) -> Vec<String>,
) -> Table {
    let rows = downsampled(timeline, ROWS);
    let width = seconds(rows.slot_ns);
    let merged = if rows.slot_ns == timeline.slot_ns {
        ""
    } else {
        "; each percentile is the highest within its row"
    };
    let row = |(number, slot): (usize, &Slot)| {
        let from = Nanos(rows.slot_ns.saturating_mul(number as u64));
        (text(from.to_string()), texts(cells(slot, width)))
    };
    Table {
        caption: format!(
            "{caption}, by {} from the start{merged}",
            Nanos(rows.slot_ns)
        ),
        columns: texts(std::iter::once("from").chain(columns.iter().copied())),
        rows: rows.slots.iter().enumerate().map(row).collect(),
        numbers: true,
    }
}
