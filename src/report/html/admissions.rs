//! The first pictures of an audited run: how many requests of the busiest keys were admitted per window, and which requests
//! were blocked too early.

use super::chart::{Axis, Figure, Key, Layer, Mark, Plot, Size, Style, legend};
use super::document::{Section, Table, text, texts};
use super::untrusted::{Untrusted, clipped};
use crate::base::Nanos;
use crate::base::text::count;
use crate::core::summary::{Audit, EarlyBlocks, KeyCounts, NodeCounts, WindowCounts};
use maud::{Markup, html};

/// The most rows of a table.
const ROWS: usize = 60;

/// The sections that an audit has pictures for.
pub fn sections(audit: Option<&Audit>, marks: &[Mark]) -> Vec<Section> {
    let Some(audit) = audit else {
        return Vec::new();
    };
    let per_window = audit
        .window_counts
        .as_ref()
        .filter(|of| !of.keys.is_empty());
    let early = audit.early_blocks.as_ref();
    let whose = match &audit.promises[..] {
        [only] => clipped(&only.promise, 100),
        _ => "one of the promises".to_owned(),
    };
    let per_window = per_window.map(|of| Section {
        id: "admissions",
        heading: "Admitted per window",
        body: per_window_body(of, &whose, marks),
    });
    let is_probed = audit.probe.is_some();
    let early = early.map(|of| Section {
        id: "early",
        heading: "Blocked too early",
        body: early_body(of, is_probed, marks),
    });
    // The picture of what broke the limit comes first.
    if audit.keys_over == 0 {
        early.into_iter().chain(per_window).collect()
    } else {
        per_window.into_iter().chain(early).collect()
    }
}

/// `whose` is the promise that admits the most in a window.
fn per_window_body(of: &WindowCounts, whose: &str, marks: &[Mark]) -> Markup {
    let [worst, others @ ..] = &of.keys[..] else {
        return html! {};
    };
    html! {
        (key_figure(worst, whose, of.slot_ns, Size::Full, marks).render())
        @if !others.is_empty() {
            h3 { "The next busiest keys" }
            (legend(&node_keys(&others[0].nodes)))
            div class="multiples" { @for key in others.iter().take(4) { (key_figure(key, whose, of.slot_ns, Size::Small, marks).render()) } }
        }
    }
}

fn key_figure(of: &KeyCounts, whose: &str, slot_ns: u64, size: Size, marks: &[Mark]) -> Figure {
    let window = Nanos(of.window_ns);
    let slots = of.nodes.iter().map(|node| node.counts.len()).max();
    let slots = slots.unwrap_or(0);
    let end = slots as f64 * seconds(slot_ns);
    let highest = of
        .most
        .max(of.limit)
        .max(of.most_in_any_window.min(of.most.saturating_mul(2)));
    let mut layers = stack(&of.nodes, slots, slot_ns);
    let line = |style, at: u64| Layer::Line {
        style,
        points: vec![(0.0, at as f64), (end, at as f64)],
    };
    layers.push(line(Style::LIMIT, of.limit));
    let has_ceiling = of.most_in_any_window > of.limit && of.most_in_any_window <= highest;
    if has_ceiling {
        layers.push(line(Style::CEILING, of.most_in_any_window));
    }
    let mut keys = Vec::new();
    if size == Size::Full {
        keys.push(Key::line(
            Style::LIMIT,
            format!("limit: {} in {window}", of.limit),
        ));
        if has_ceiling {
            let most = of.most_in_any_window;
            let because = match of.more_because.as_str() {
                // Earlier versions wrote none.
                "" => String::new(),
                because => format!(", because {}", clipped(because, 200)),
            };
            keys.push(Key::line(
                Style::CEILING,
                format!("the most that {whose} admits in any {window}: {most}{because}"),
            ));
        }
        keys.extend(node_keys(&of.nodes));
    }
    let title = match size {
        Size::Full => html! {
            "Requests of one key, " (Untrusted::name(&of.key)) ", that were admitted in the " (window.to_string())
            " before each moment, by node: at most " strong { (of.most) } ", with a limit of " strong { (of.limit) }
        },
        Size::Small => html! { (Untrusted::name(&of.key)) ": at most " (of.most) },
    };
    Figure {
        title,
        said: said(of, slot_ns),
        keys,
        plot: Plot {
            x: Axis::time(end).marked(marks),
            y: Axis::counts(highest as f64 * 1.05),
            layers,
        },
        across: if size == Size::Full {
            "since the start"
        } else {
            ""
        },
        table: (size == Size::Full).then(|| {
            table(
                "Admitted in the window before",
                &of.nodes,
                slots,
                slot_ns,
                None,
            )
            .render()
        }),
        size,
    }
}

/// The picture in a sentence, with the nodes' parts of the highest count.
fn said(of: &KeyCounts, slot_ns: u64) -> String {
    let slots = of.nodes.iter().map(|node| node.counts.len()).max();
    let at = |slot: usize| {
        of.nodes
            .iter()
            .map(move |node| node.counts.get(slot).copied())
    };
    let total = |slot: &usize| at(*slot).flatten().fold(0, u64::saturating_add);
    let peak = (0..slots.unwrap_or(0)).rev().max_by_key(total).unwrap_or(0);
    let parts: Vec<_> = of
        .nodes
        .iter()
        .zip(at(peak))
        .map(|(node, count)| format!("{} by {}", count.unwrap_or(0), clipped(&node.node, 200)))
        .collect();
    format!(
        "Requests of {} admitted within the last {}: at most {} with a limit of {}, about {} after the start: {}.",
        clipped(&of.key, 200),
        Nanos(of.window_ns),
        of.most,
        of.limit,
        Nanos(slot_ns.saturating_mul(peak as u64)),
        parts.join(", "),
    )
}

fn node_keys(nodes: &[NodeCounts]) -> Vec<Key> {
    let styles = Style::NODES.into_iter();
    // The top of the stack first, as in the picture.
    let keys = nodes.iter().zip(styles).map(|(node, style)| {
        let name = Untrusted::name(&node.node).plain();
        Key::fill(style, name)
    });
    let mut keys: Vec<_> = keys.collect();
    keys.reverse();
    keys
}

fn seconds(ns: u64) -> f64 {
    Nanos(ns).as_secs_f64()
}

/// The numbers of the nodes on top of each other, the first node at the bottom.
fn stack(nodes: &[NodeCounts], slots: usize, slot_ns: u64) -> Vec<Layer> {
    let width = seconds(slot_ns);
    let mut lower = vec![0.0; slots];
    let steps = |heights: &[f64]| -> Vec<(f64, f64)> {
        let heights = heights.iter().enumerate();
        heights
            .flat_map(|(slot, height)| {
                let from = slot as f64 * width;
                [(from, *height), (from + width, *height)]
            })
            .collect()
    };
    let mut layers = Vec::new();
    for (node, style) in nodes.iter().zip(Style::NODES) {
        let upper: Vec<_> = lower
            .iter()
            .enumerate()
            .map(|(slot, below)| below + node.counts.get(slot).copied().unwrap_or(0) as f64)
            .collect();
        let mut outline = steps(&upper);
        outline.extend(steps(&lower).into_iter().rev());
        layers.push(Layer::Area { style, outline });
        lower = upper;
    }
    layers
}

/// The numbers as a table of at most [`ROWS`] rows: of several slots, the first with the highest sum.
fn table(
    caption: &str,
    nodes: &[NodeCounts],
    slots: usize,
    slot_ns: u64,
    counted: Option<&[u64]>,
) -> Table {
    let together = slots.div_ceil(ROWS).max(1);
    let at = |slot: usize| {
        let counts = nodes.iter().map(move |node| node.counts.get(slot).copied());
        counts.map(|count| count.unwrap_or(0)).collect::<Vec<_>>()
    };
    let sum = |counts: &[u64]| counts.iter().copied().fold(0, u64::saturating_add);
    let row = |first: usize| {
        let all = first..(first + together).min(slots);
        let counts = match counted {
            None => {
                let highest = all.clone().rev().max_by_key(|slot| sum(&at(*slot)));
                at(highest.unwrap_or(first))
            }
            Some(_) => (0..nodes.len())
                .map(|node| sum(&all.clone().map(|slot| at(slot)[node]).collect::<Vec<_>>()))
                .collect(),
        };
        let mut cells: Vec<_> = counts.iter().map(u64::to_string).collect();
        cells.push(sum(&counts).to_string());
        if let Some(counted) = counted {
            let most = all.filter_map(|slot| counted.get(slot)).max();
            let some = most.filter(|_| sum(&counts) > 0);
            cells.push(some.map_or("-".to_owned(), u64::to_string));
        }
        let from = Nanos(slot_ns.saturating_mul(first as u64));
        (text(from.to_string()), texts(cells))
    };
    let mut columns = texts(["from"]);
    columns.extend(
        nodes
            .iter()
            .map(|node| html! { (Untrusted::name(&node.node)) }),
    );
    columns.push(text("all"));
    columns.extend(counted.map(|_| text("requests that can have counted against one, at most")));
    Table {
        caption: format!(
            "{caption}, by {} from the start",
            Nanos(slot_ns.saturating_mul(together as u64))
        ),
        columns,
        rows: (0..slots).step_by(together).map(row).collect(),
        numbers: true,
    }
}

fn early_body(of: &EarlyBlocks, is_probed: bool, marks: &[Mark]) -> Markup {
    let slots = of.counted_at_most.len();
    let end = slots as f64 * seconds(of.slot_ns);
    let per_slot = |slot: usize| {
        let counts = of.nodes.iter().map(|node| node.counts.get(slot).copied());
        counts.flatten().fold(0, u64::saturating_add)
    };
    let most = (0..slots).map(per_slot).max().unwrap_or(0);
    let slot = Nanos(of.slot_ns);
    let by_node: Vec<_> = of
        .nodes
        .iter()
        .map(|node| {
            let sum = node.counts.iter().copied().fold(0, u64::saturating_add);
            format!("{sum} by {}", clipped(&node.node, 200))
        })
        .collect();
    let requests = count(of.total, "request", "requests");
    let blocked = Figure {
        title: html! {
            strong { (requests) } @if is_probed { ", with those of the probe," } " blocked although they had to pass: in each "
            (slot.to_string()) ", by node"
        },
        said: format!("{requests} blocked too early: {}.", by_node.join(", ")),
        keys: node_keys(&of.nodes),
        plot: Plot {
            x: Axis::time(end).marked(marks),
            y: Axis::counts(most as f64 * 1.05),
            layers: stack(&of.nodes, slots, of.slot_ns),
        },
        across: "since the start",
        table: Some(
            table(
                "Blocked too early",
                &of.nodes,
                slots,
                of.slot_ns,
                Some(&of.counted_at_most),
            )
            .render(),
        ),
        size: Size::Full,
    };
    html! {
        (blocked.render())
        (counted_figure(of, &|slot| per_slot(slot) > 0, marks).render())
    }
}

/// How many other requests can have counted against those that were blocked, beside the limit.
fn counted_figure(of: &EarlyBlocks, has_any: &dyn Fn(usize) -> bool, marks: &[Mark]) -> Figure {
    let width = seconds(of.slot_ns);
    let end = of.counted_at_most.len() as f64 * width;
    let counted = of.counted_at_most.iter().enumerate();
    let counted = counted.filter(|(slot, _)| has_any(*slot));
    let highest = counted.clone().map(|(_, most)| *most).max().unwrap_or(0);
    let top = of.limit.unwrap_or(0).max(highest);
    let thick = (top as f64 * 0.02).max(0.02);
    let cells = counted.map(|(slot, most)| {
        let from = slot as f64 * width;
        [
            (from, (*most as f64 - thick).max(0.0)),
            (from + width, *most as f64 + thick),
        ]
    });
    let mut layers = vec![Layer::Cells {
        style: Style::COUNTED,
        cells: cells.collect(),
    }];
    let mut keys = vec![Key::fill(
        Style::COUNTED,
        "requests that can have counted against a blocked one, at most",
    )];
    let mut beside = String::new();
    if let Some(limit) = of.limit {
        layers.push(Layer::Line {
            style: Style::LIMIT,
            points: vec![(0.0, limit as f64), (end, limit as f64)],
        });
        keys.insert(0, Key::line(Style::LIMIT, format!("limit: {limit}")));
        beside = format!(", where {}", count(limit, "is promised", "are promised"));
    }
    Figure {
        title: text(
            "Requests of the same key that can have counted when one was blocked: below the line of the limit, none may be blocked",
        ),
        said: format!(
            "At most {highest} other requests can have counted against one that was blocked{beside}."
        ),
        keys,
        plot: Plot {
            x: Axis::time(end).marked(marks),
            y: Axis::counts(top as f64 * 1.05),
            layers,
        },
        across: "since the start",
        table: None,
        size: Size::Full,
    }
}
