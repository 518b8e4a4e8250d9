use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style};
use super::document::{Section, Table, text};
use super::time_series::{
    event_marks, fine, said_events, seconds, shade_keys, shades, steps, table, time_axis,
};
use crate::base::Nanos;
use crate::base::text::{per_second, rate};
use crate::core::summary::{Slot, Summary, Timeline};
use maud::html;

/// The outcomes that a chart stacks, from the bottom to the top.
pub const OUTCOMES: [(&str, Style); 3] = [
    ("allowed", Style::ALLOWED),
    ("blocked", Style::BLOCKED),
    ("failed", Style::FAILED),
];

pub fn section(summary: &Summary) -> Section {
    let timeline = &summary.timeline;
    let body = if timeline.slots.is_empty() {
        html! { p class="empty" { "No request was due, so there is nothing to draw." } }
    } else {
        figure(summary).render()
    };
    Section {
        id: "rates",
        heading: "Rates over time",
        body,
    }
}

fn figure(summary: &Summary) -> Figure {
    let timeline = fine(&summary.timeline);
    let width = seconds(timeline.slot_ns);
    let mut layers = shades(&timeline);
    layers.extend(stack(&timeline, |slot| {
        [slot.allowed, slot.blocked, slot.failed]
    }));
    layers.push(Layer::Line {
        style: Style::SENT,
        points: steps(&timeline, |slot| slot.sent as f64 / width),
    });
    layers.push(Layer::Line {
        style: Style::ASKED,
        points: steps(&timeline, |slot| slot.asked),
    });
    let (_, highest) = asked(&timeline);
    Figure {
        title: text(
            "Requests per second: lines for the schedule and for requests sent, and the outcomes stacked",
        ),
        said: statement(summary, &timeline) + &said_events(summary),
        keys: keys(summary),
        plot: Plot {
            x: time_axis(&timeline, 0.0).marked(&event_marks(summary)),
            // Room above the bars keeps the shades of bursts and pauses visible.
            y: Axis::rate(highest_rate(&timeline).max(highest) * 1.05),
            layers,
        },
        across: "since the start",
        table: Some(rows(&summary.timeline).render()),
        size: Size::Full,
    }
}

fn keys(summary: &Summary) -> Vec<Key> {
    let of = &summary.requests;
    let mut keys = vec![
        Key::line(Style::ASKED, format!("scheduled {}", of.scheduled)),
        Key::line(Style::SENT, format!("sent {}", of.sent)),
    ];
    for ((name, style), number) in OUTCOMES
        .into_iter()
        .zip([of.allowed, of.blocked, of.failed])
    {
        keys.push(Key::fill(style, format!("{name} {number}")));
    }
    keys.extend(shade_keys(summary));
    keys
}

/// The lowest and the highest rate of the schedule.
fn asked(timeline: &Timeline) -> (f64, f64) {
    let asked = timeline.slots.iter().map(|slot| slot.asked);
    let highest = asked.clone().fold(0.0, f64::max);
    (asked.fold(highest, f64::min), highest)
}

/// The figure in a sentence.
fn statement(summary: &Summary, timeline: &Timeline) -> String {
    let of = &summary.requests;
    let (lowest, highest) = asked(timeline);
    let most = |read: fn(&Slot) -> u64| {
        let most = timeline.slots.iter().map(read).max().unwrap_or(0);
        per_second(most as f64 / seconds(timeline.slot_ns))
    };
    format!(
        "Rates over {}: scheduled {} to {}; sent {} on average and {} at most; allowed {} in all and {} at most, blocked \
         {} in all and {} at most, failed {} in all and {} at most.",
        Nanos((timeline.slot_ns).saturating_mul(timeline.slots.len() as u64)),
        per_second(lowest),
        per_second(highest),
        rate(of.sent, Nanos(summary.run.paced_ns)),
        most(|slot| slot.sent),
        of.allowed,
        most(|slot| slot.allowed),
        of.blocked,
        most(|slot| slot.blocked),
        of.failed,
        most(|slot| slot.failed),
    )
}

fn rows(timeline: &Timeline) -> Table {
    let columns = [
        "scheduled",
        "sent",
        "allowed",
        "blocked",
        "failed",
        "dropped",
        "abandoned",
    ];
    table("Requests", timeline, &columns, |slot, _| {
        let counts = [
            slot.sent,
            slot.allowed,
            slot.blocked,
            slot.failed,
            slot.dropped,
            slot.abandoned,
        ];
        let counts = counts.map(|count| count.to_string());
        std::iter::once(per_second(slot.asked))
            .chain(counts)
            .collect()
    })
}

/// The highest rate of requests that were sent or that ended.
pub fn highest_rate(timeline: &Timeline) -> f64 {
    let width = seconds(timeline.slot_ns);
    let all = |slot: &Slot| {
        let done = slot.allowed as f64 + slot.blocked as f64 + slot.failed as f64;
        (slot.sent as f64).max(done) / width
    };
    timeline.slots.iter().map(all).fold(0.0, f64::max)
}

/// The rates of the [`OUTCOMES`] as areas on top of each other. An outcome without requests has no area.
pub fn stack(timeline: &Timeline, counts: impl Fn(&Slot) -> [u64; 3]) -> Vec<Layer> {
    let width = seconds(timeline.slot_ns);
    let up_to = |top: usize| {
        steps(timeline, |slot| {
            let counted = counts(slot);
            counted[..top]
                .iter()
                .map(|count| *count as f64)
                .sum::<f64>()
                / width
        })
    };
    let mut layers = Vec::new();
    for (number, (_, style)) in OUTCOMES.into_iter().enumerate() {
        let (lower, upper) = (up_to(number), up_to(number + 1));
        let mut start = 0;
        let is_any = |slot: &Slot| counts(slot)[number] > 0;
        for run in timeline
            .slots
            .chunk_by(|one, next| is_any(one) == is_any(next))
        {
            let end = start + run.len();
            if is_any(&run[0]) {
                // `steps` makes two points of each slot.
                let points = 2 * start..2 * end;
                let back = lower[points.clone()].iter().rev();
                let outline = upper[points].iter().chain(back).copied().collect();
                layers.push(Layer::Area { style, outline });
            }
            start = end;
        }
    }
    layers
}
