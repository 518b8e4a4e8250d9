//! The axis, shades, lines and table that charts over time share.

use super::chart::{Axis, Key, Layer, Mark, Style};
use super::document::{Table, text as plain, texts};
use super::untrusted::clipped;
use crate::base::{Mode, Nanos, text};
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

/// The events, as marks of charts over time.
pub fn event_marks(summary: &Summary) -> Vec<Mark> {
    let events = summary.events.iter().zip(1..);
    let mut marks: Vec<_> = events
        .map(|(event, number)| Mark {
            at: seconds(event.began_ns),
            number,
            name: clipped(&event.title(), 100),
        })
        .collect();
    marks.sort_by(|one, other| one.at.total_cmp(&other.at));
    marks
}

/// The most events that a legend names.
const NAMED: usize = 5;

/// The legend of the marks.
pub fn event_keys(summary: &Summary) -> Option<Key> {
    let events = summary.events.iter().zip(1..).take(NAMED);
    let mut names: Vec<_> = events
        .map(|(event, number)| format!("{number} {}", clipped(&event.title(), 40)))
        .collect();
    let all = summary.events.len();
    if all > NAMED {
        names.push(format!("and {} more below", all - NAMED));
    }
    (all > 0).then(|| Key::line(Style::EVENT, format!("events: {}", names.join(", "))))
}

/// The first events in words, for those who can't see the marks.
pub fn said_events(summary: &Summary) -> String {
    let events = summary.events.iter().take(NAMED);
    let said = events.map(|event| {
        let at = text::seconds(Nanos(event.began_ns));
        format!(" Event at {at}: {}.", clipped(&event.title(), 100))
    });
    said.collect()
}

/// Bursts and pauses, as shades behind everything else.
pub fn shades(timeline: &Timeline) -> Vec<Layer> {
    let shade = |mode: Mode| match mode {
        Mode::Burst => Some(Style::BURST),
        Mode::Pause => Some(Style::PAUSE),
        Mode::Steady | Mode::Ramp | Mode::Sine | Mode::Replay => None,
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

/// The legend of the shades and of the marks.
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
            Key::fill(style, clipped(&name, 100))
        })
        .chain(event_keys(summary))
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
        (plain(from.to_string()), texts(cells(slot, width)))
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
