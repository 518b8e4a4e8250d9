//! Several runs beside each other, each held against the first.

use super::chart::{Axis, Figure, Key, Layer, Plot, Size, Style, legend};
use super::configuration::{command, values};
use super::document::{Section, Table, document, pill, text, texts};
use super::footer;
use super::latency::{curve, extremes};
use super::rates::{OUTCOMES, highest_rate};
use super::targets::small;
use super::time_series::{few, lines, seconds};
use super::untrusted::Untrusted;
use crate::base::Nanos;
use crate::base::text::{bytes, count, per_second, rate, rounded, share, span};
use crate::core::exit_code;
use crate::core::summary::{DurationSummary, Slot, Summary};
use crate::report::judgement::{audit, headline, schedule, thresholds};
use crate::report::percentiles::span_of;
use crate::report::worst_targets::worst_targets;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// As many runs as are drawn in charts of their own.
const CHARTS: usize = 24;
/// As many targets as are listed.
const TARGETS: usize = 50;

/// A run under the name by which the page speaks of it.
struct Run<'a> {
    name: String,
    summary: &'a Summary,
}

/// The runs side by side, each with what it is called, such as its file's name. The first is what the others are held
/// against.
pub fn comparison(summaries: &[(String, Summary)]) -> String {
    let runs: Vec<_> = summaries
        .iter()
        .zip(1..)
        .map(|((name, summary), number)| Run {
            name: format!("{number}. {}", Untrusted::name(name).plain()),
            summary,
        })
        .collect();
    let sections = [
        verdicts(&runs),
        numbers(&runs),
        rates(&runs),
        spectra(&runs),
        over_time(&runs),
        targets(&runs),
        configuration(&runs),
    ];
    let contents: Vec<_> = sections
        .iter()
        .map(|section| (section.id, section.heading))
        .collect();
    let all = count(runs.len() as u64, "run", "runs");
    let header = html! {
        p class="eyebrow" { "loadgen report" }
        h1 { (all) " side by side" }
        @if let Some(first) = runs.first() {
            p class="lead" { "Differences are to the first run, " bdi { (first.name) } "." }
        }
    };
    let made: Vec<_> = runs.iter().map(|run| (&*run.name, run.summary)).collect();
    document(
        &format!("{all} side by side · loadgen report"),
        &contents,
        &header,
        &html! { @for section in &sections { (section.render()) } },
        &footer(&made),
    )
}

fn columns(first: &str, runs: &[Run<'_>]) -> Vec<Markup> {
    let names = runs.iter().map(|run| html! { bdi { (run.name) } });
    std::iter::once(text(first)).chain(names).collect()
}

fn verdicts(runs: &[Run<'_>]) -> Section {
    let row = |run: &Run<'_>| {
        let of = run.summary;
        let none = || text("-");
        let cells = vec![
            pill(&headline(of)),
            of.audit.as_ref().map_or_else(none, |of| pill(&audit(of))),
            thresholds(&of.thresholds).map_or_else(none, |of| pill(&of)),
            pill(&schedule(of)),
            html! { (of.exit_code) ": " (exit_code::short(of.exit_code)) },
        ];
        (html! { bdi { (run.name) } }, cells)
    };
    let table = Table {
        caption: "Verdicts of each run".to_owned(),
        columns: texts([
            "run",
            "verdict",
            "audit",
            "thresholds",
            "schedule",
            "exit code",
        ]),
        rows: runs.iter().map(row).collect(),
        numbers: false,
    };
    Section {
        id: "verdicts",
        heading: "Verdicts",
        body: table.render(),
    }
}

/// A key number: as it is written, and what it is held against others by.
struct Number {
    shown: String,
    value: Option<f64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Amount,
    /// In percent already, so that its difference is in points.
    Share,
}

impl Number {
    fn count(number: u64) -> Number {
        Number {
            shown: number.to_string(),
            value: Some(number as f64),
            kind: Kind::Amount,
        }
    }

    fn share(part: u64, whole: u64) -> Number {
        Number {
            shown: share(part, whole),
            value: (whole > 0).then(|| part as f64 / whole as f64 * 100.0),
            kind: Kind::Share,
        }
    }

    fn span(of: &DurationSummary, ns: u64) -> Number {
        Number {
            shown: span_of(of, ns),
            value: (of.count > 0).then_some(ns as f64),
            kind: Kind::Amount,
        }
    }

    fn cell(&self, first: &Number) -> Markup {
        html! {
            (self.shown)
            @if let Some(difference) = self.difference(first) { span class="difference" { " " (difference) } }
        }
    }

    /// `None` where there is nothing to compare.
    fn difference(&self, first: &Number) -> Option<String> {
        let (value, first) = (self.value?, first.value?);
        let by = value - first;
        let (by, unit) = match self.kind {
            Kind::Share => (by, " points"),
            Kind::Amount if first == 0.0 && by != 0.0 => return None,
            Kind::Amount => (by / first.max(f64::MIN_POSITIVE) * 100.0, " %"),
        };
        let sign = if by < 0.0 { '−' } else { '+' };
        let shown = match by.abs() {
            0.0 => return Some("same".to_owned()),
            v if v < 0.005 => return Some("nearly the same".to_owned()),
            v => rounded(v, 2),
        };
        Some(format!("{sign}{shown}{unit}"))
    }
}

type Read = fn(&Summary) -> Number;

/// Of a slot.
type Percentile = fn(&Slot) -> u64;

const NUMBERS: [(&str, Read); 22] = [
    ("scheduled", |of| Number::count(of.requests.scheduled)),
    ("sent", |of| Number::count(of.requests.sent)),
    ("sent per second", |of| Number {
        shown: rate(of.requests.sent, Nanos(of.run.paced_ns)),
        value: (of.run.paced_ns > 0).then(|| of.requests.sent as f64 / seconds(of.run.paced_ns)),
        kind: Kind::Amount,
    }),
    ("allowed", |of| Number::count(of.requests.allowed)),
    ("allowed of sent", |of| {
        Number::share(of.requests.allowed, of.requests.sent)
    }),
    ("blocked", |of| Number::count(of.requests.blocked)),
    ("blocked of sent", |of| {
        Number::share(of.requests.blocked, of.requests.sent)
    }),
    ("failed", |of| Number::count(of.requests.failed)),
    ("failed of sent", |of| {
        Number::share(of.requests.failed, of.requests.sent)
    }),
    ("dropped", |of| Number::count(of.requests.dropped)),
    ("latency p50", |of| {
        Number::span(&of.latency, of.latency.p50_ns)
    }),
    ("latency p90", |of| {
        Number::span(&of.latency, of.latency.p90_ns)
    }),
    ("latency p99", |of| {
        Number::span(&of.latency, of.latency.p99_ns)
    }),
    ("latency p99.9", |of| {
        Number::span(&of.latency, of.latency.p99_9_ns)
    }),
    ("latency max", |of| {
        Number::span(&of.latency, of.latency.max_ns)
    }),
    ("service time p50", |of| {
        Number::span(&of.service_time, of.service_time.p50_ns)
    }),
    ("service time p99", |of| {
        Number::span(&of.service_time, of.service_time.p99_ns)
    }),
    ("send lag p99", |of| {
        Number::span(&of.send_lag, of.send_lag.p99_ns)
    }),
    ("send lag max", |of| {
        Number::span(&of.send_lag, of.send_lag.max_ns)
    }),
    ("most admitted of a key in a window", |of| {
        let peak = of.audit.as_ref().and_then(|audit| audit.peak.as_ref());
        Number {
            shown: peak.map_or("-".to_owned(), |peak| peak.at_least.to_string()),
            value: peak.map(|peak| peak.at_least as f64),
            kind: Kind::Amount,
        }
    }),
    ("processor time", |of| {
        let resources = &of.resources;
        let all = resources
            .user_ns
            .zip(resources.system_ns)
            .map(|(user, system)| user.saturating_add(system));
        Number {
            shown: all.map_or("-".to_owned(), |ns| span(Nanos(ns))),
            value: all.map(|ns| ns as f64),
            kind: Kind::Amount,
        }
    }),
    ("memory, at most", |of| {
        let memory = of.resources.peak_memory;
        Number {
            shown: memory.map_or("-".to_owned(), bytes),
            value: memory.map(|bytes| bytes as f64),
            kind: Kind::Amount,
        }
    }),
];

fn numbers(runs: &[Run<'_>]) -> Section {
    let row = |(name, read): &(&str, Read)| {
        let mut numbers = runs.iter().map(|run| read(run.summary));
        let cells = numbers.next().map_or_else(Vec::new, |first| {
            let others: Vec<_> = numbers.map(|number| number.cell(&first)).collect();
            std::iter::once(text(first.shown)).chain(others).collect()
        });
        (text(*name), cells)
    };
    let table = Table {
        caption: "Key numbers of each run, and their differences to the first".to_owned(),
        columns: columns("number", runs),
        rows: NUMBERS.iter().map(row).collect(),
        numbers: true,
    };
    Section {
        id: "numbers",
        heading: "Key numbers",
        body: table.render(),
    }
}

fn rates(runs: &[Run<'_>]) -> Section {
    let timelines: Vec<_> = runs
        .iter()
        .take(CHARTS)
        .map(|run| few(&run.summary.timeline))
        .collect();
    let most = timelines.iter().map(highest_rate).fold(0.0, f64::max);
    let charts = runs.iter().zip(&timelines).map(|(run, timeline)| {
        let of = &run.summary.requests;
        let said = format!(
            "{}: {} sent, {} allowed, {} blocked, {} failed; at most {}.",
            run.name,
            of.sent,
            of.allowed,
            of.blocked,
            of.failed,
            per_second(highest_rate(timeline)),
        );
        let counts = |slot: &Slot| [slot.allowed, slot.blocked, slot.failed];
        small(html! { bdi { (run.name) } }, said, timeline, most, counts)
    });
    let body = html! {
        (legend(&OUTCOMES.map(|(name, style)| Key::fill(style, name))))
        (multiples(&charts.collect::<Vec<_>>(), runs.len()))
    };
    Section {
        id: "rates",
        heading: "What requests came to",
        body,
    }
}

fn multiples(charts: &[Figure], all: usize) -> Markup {
    html! {
        div class="multiples" { @for chart in charts { (chart.render()) } }
        @if charts.len() < all { p class="note" { "The first " (charts.len()) " of " (all) " runs are drawn." } }
    }
}

/// What a chart of several runs is drawn of.
struct Curves<'a> {
    title: &'a str,
    x: Axis,
    y: Axis,
    /// In words, of one run.
    said: &'a dyn Fn(&Summary) -> String,
    /// In the style of one run.
    layers: &'a dyn Fn(&Summary, Style) -> Vec<Layer>,
    across: &'static str,
}

impl Curves<'_> {
    /// All in one while they can be told apart, or each beside the first in a chart of its own.
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

fn spectra(runs: &[Run<'_>]) -> Section {
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
        x: Axis::shares(),
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

fn over_time(runs: &[Run<'_>]) -> Section {
    let timelines: Vec<_> = runs.iter().map(|run| few(&run.summary.timeline)).collect();
    let length = |timeline: &crate::core::summary::Timeline| {
        timeline.slots.len() as f64 * seconds(timeline.slot_ns)
    };
    let longest = timelines.iter().map(length).fold(0.0, f64::max);
    let read: [(&str, Percentile); 2] = [
        ("p50 of latency over time", |slot| slot.p50_ns),
        ("p99 of latency over time", |slot| slot.p99_ns),
    ];
    let body = html! {
        @for (title, read) in read {
            @let spans = timelines.iter().flat_map(|timeline| &timeline.slots).filter(|slot| slot.done > 0).map(read);
            @let (least, most) = extremes(spans);
            (Curves {
                title,
                x: Axis::time(longest),
                y: Axis::spans(least, most),
                said: &|summary| {
                    let done = summary.timeline.slots.iter().filter(|slot| slot.done > 0);
                    let (least, most) = extremes(done.map(read));
                    match summary.latency.count {
                        0 => "no request was done".to_owned(),
                        _ => format!("{} to {}", span(Nanos(least as u64)), span(Nanos(most as u64))),
                    }
                },
                layers: &|summary, style| lines(&few(&summary.timeline), style, |slot| (slot.done > 0).then(|| read(slot))),
                across: "since the start",
            }.render(runs))
        }
    };
    Section {
        id: "latency",
        heading: "Latency over time",
        body,
    }
}

fn targets(runs: &[Run<'_>]) -> Section {
    // In the order in which they first come.
    let mut names = Vec::new();
    let mut known = BTreeSet::new();
    for run in runs {
        for place in worst_targets(&run.summary.targets, TARGETS) {
            let name = &*run.summary.targets[place].name;
            if known.insert(name) {
                names.push(name);
            }
        }
    }
    let all = names.len();
    names.truncate(TARGETS);
    let of = |run: &Run<'_>, name: &str| {
        let mut targets = run.summary.targets.iter();
        let Some(target) = targets.find(|target| target.name == name) else {
            return text("-");
        };
        let requests = &target.requests;
        let p99 = span_of(&target.latency, target.latency.p99_ns);
        html! {
            (requests.sent) " sent, " (share(requests.blocked, requests.sent)) " blocked, " (requests.failed) " failed, p99 " (p99)
        }
    };
    let rows = names.iter().map(|name| {
        let cells = runs.iter().map(|run| of(run, name)).collect();
        (html! { (Untrusted::name(name)) }, cells)
    });
    let table = Table {
        caption: match all > TARGETS {
            true => format!("Each target in each run: {TARGETS} of more"),
            false => "Each target in each run".to_owned(),
        },
        columns: columns("target", runs),
        rows: rows.collect(),
        numbers: false,
    };
    Section {
        id: "targets",
        heading: "Targets",
        body: table.render(),
    }
}

fn configuration(runs: &[Run<'_>]) -> Section {
    let mut options: BTreeMap<&str, Vec<Option<&[String]>>> = BTreeMap::new();
    for (place, run) in runs.iter().enumerate() {
        for setting in &run.summary.configuration.settings {
            let of = options
                .entry(&setting.option)
                .or_insert_with(|| vec![None; runs.len()]);
            of[place] = Some(&setting.values);
        }
    }
    let differ = |values: &Vec<Option<&[String]>>| values.iter().any(|other| *other != values[0]);
    let rows: Vec<_> = options
        .iter()
        .filter(|(_, of)| differ(of))
        .map(|(option, of)| {
            let cells = of.iter().map(|of| match of {
                Some(of) => values(of),
                None => text("-"),
            });
            (
                html! { code { (Untrusted::name(&format!("--{option}"))) } },
                cells.collect(),
            )
        })
        .collect();
    let seeds = runs.iter().map(|run| run.summary.configuration.seed);
    let table = Table {
        caption: "Options whose values differ".to_owned(),
        columns: columns("option", runs),
        rows,
        numbers: false,
    };
    let body = html! {
        @if table.rows.is_empty() {
            p class="empty" { "All options have the same values in all runs." }
        } @else {
            (table.render())
        }
        p { "Seeds: " (seeds.map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ")) "." }
        h3 { "The commands that repeat them" }
        @for run in runs {
            p class="label" { bdi { (run.name) } }
            (command(&run.summary.configuration))
        }
    };
    Section {
        id: "configuration",
        heading: "Configuration",
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_or_in_points() {
        let count = Number::count;
        for (number, first, shown) in [
            (count(110), count(100), Some("+10.0 %")),
            (count(50), count(100), Some("−50.0 %")),
            (count(5), count(5), Some("same")),
            (count(0), count(0), Some("same")),
            (count(5), count(0), None),
            (
                Number::share(1, 4),
                Number::share(1, 2),
                Some("−25.0 points"),
            ),
            (Number::share(1, 4), Number::share(0, 0), None),
            (count(1_000_001), count(1_000_000), Some("nearly the same")),
        ] {
            assert_eq!(number.difference(&first).as_deref(), shown);
        }
    }
}
