//! The generator's own part: whether it kept its schedule, and the resources that it used.

use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style};
use super::document::{Section, facts, pill, text};
use super::latency::{extremes, gaps};
use super::time_series::{
    event_marks, fine, lines, said_events, shade_keys, shades, supported, table, time_axis,
};
use super::untrusted::Untrusted;
use crate::base::Nanos;
use crate::base::text::{bytes, share, span, span_or_dash};
use crate::core::summary::{Resources, Slot, Summary};
use crate::report::judgement::schedule;
use crate::report::percentiles::P99;
use maud::{Markup, html};

pub fn section(summary: &Summary) -> Section {
    let sent = |slot: &Slot| slot.sent > 0;
    let body = html! {
        p class="lead" { (pill(&schedule(summary))) " " (Untrusted::sentence(summary.schedule.reason())) }
        @if summary.timeline.slots.iter().any(sent) {
            (send_lag(summary).render())
            (gaps(vec![&P99], summary.timeline.slots.iter().map(|slot| slot.sent)))
        } @else {
            p class="empty" { "Nothing was sent, so there is no send lag." }
        }
        (facts(&resources(summary)))
    };
    Section {
        id: "generator",
        heading: "The generator itself",
        body,
    }
}

fn send_lag(summary: &Summary) -> Figure {
    let supported = supported(&summary.timeline);
    let timeline = fine(&supported);
    let tolerated = summary.schedule.tolerance_ns;
    let sent = || timeline.slots.iter().filter(|slot| slot.sent > 0);
    let spans = sent().flat_map(|slot| [slot.send_lag_p99_ns, slot.send_lag_max_ns]);
    let spans = spans.filter(|ns| *ns > 0);
    let (least, most) = extremes(spans.chain([tolerated]));
    let x = time_axis(&timeline, 0.0).marked(&event_marks(summary));
    let mut layers = shades(&timeline);
    layers.push(Layer::Line {
        style: Style::TOLERATED,
        points: vec![(x.start(), tolerated as f64), (x.end(), tolerated as f64)],
    });
    layers.extend(lines(&timeline, Style::MAX, |slot| {
        (slot.sent > 0).then_some(slot.send_lag_max_ns)
    }));
    let p99 = |slot: &Slot| Some(slot.send_lag_p99_ns).filter(|ns| *ns > 0);
    layers.extend(lines(&timeline, Style::P99, p99));
    let tolerated_text = span(Nanos(tolerated));
    let mut keys = vec![
        Key::line(Style::TOLERATED, format!("tolerated {tolerated_text}")),
        Key::line(Style::MAX, "max"),
    ];
    let worst = |read: fn(&Slot) -> u64| sent().map(read).max().unwrap_or(0);
    let most_p99 = worst(|slot| slot.send_lag_p99_ns);
    let mut said = format!("Send lag in slots of {}: ", Nanos(timeline.slot_ns));
    if most_p99 > 0 {
        keys.push(Key::line(Style::P99, "p99"));
        said += &format!("p99 at most {}, ", span(Nanos(most_p99)));
    }
    said += &format!(
        "the longest {}; up to {tolerated_text} is tolerated.",
        span(Nanos(worst(|slot| slot.send_lag_max_ns)))
    );
    said += &said_events(summary);
    keys.extend(shade_keys(summary));
    let rows = table(
        "Send lag",
        &supported,
        &["sent", "p99", "max"],
        |slot, _| {
            let lag = |ns| span_or_dash(ns, Nanos(ns));
            vec![
                slot.sent.to_string(),
                lag(slot.send_lag_p99_ns),
                lag(slot.send_lag_max_ns),
            ]
        },
    );
    Figure {
        title: text("Send lag, on a logarithmic scale: how late requests were sent"),
        said,
        keys,
        plot: Plot {
            x,
            y: Axis::spans(least, most),
            layers,
        },
        across: "since the start",
        table: Some(rows.render()),
        size: Size::Full,
    }
}

fn resources(summary: &Summary) -> Vec<(&'static str, Markup)> {
    let of = &summary.schedule;
    let queued = of.scheduled.saturating_sub(of.dropped);
    let waited = |count: u64, why: &str| match count {
        0 => String::new(),
        count => format!(", {count} of these because {why}"),
    };
    let late = format!(
        "{} of {queued} ({}) by more than {}{}",
        of.late,
        share(of.late, queued),
        Nanos(of.tolerance_ns),
        waited(of.backlog_late, "they waited for their target"),
    );
    let full = waited(of.backlog_dropped, "their target's backlog was full");
    let dropped = format!("{}{full}", of.dropped);
    let Resources {
        user_ns,
        system_ns,
        peak_memory,
        missed_lines,
        unwritten_requests,
    } = summary.resources;
    let mut told = vec![
        ("late", text(late)),
        ("dropped", text(dropped)),
        ("unsent", text(summary.requests.unsent.to_string())),
    ];
    if of.local > 0 {
        let local = format!("{} of {queued} ({})", of.local, share(of.local, queued));
        told.push(("never left this machine", text(local)));
    }
    if let (Some(user), Some(system)) = (user_ns, system_ns) {
        let wall = summary.run.paced_ns.saturating_add(summary.run.drained_ns);
        let all = user.saturating_add(system);
        told.push((
            "processor time",
            text(format!(
                "{} ({} user, {} system), {} of one core",
                span(Nanos(all)),
                span(Nanos(user)),
                span(Nanos(system)),
                share(all, wall),
            )),
        ));
    }
    if let Some(memory) = peak_memory {
        told.push(("peak memory", text(bytes(memory))));
    }
    told.push(("lines not printed", text(missed_lines.to_string())));
    if let Some(unwritten) = unwritten_requests {
        told.push((
            "requests missing in the request log",
            text(unwritten.to_string()),
        ));
    }
    told
}
