use super::chart::{Axis, Figure, Key, Mark, Plot, Size, legend};
use super::document::{Section, Table, ledger_columns, noted, text, texts};
use super::rates::{OUTCOMES, stack};
use super::time_series::{event_keys, event_marks, few, seconds, shades, time_axis};
use super::untrusted::Untrusted;
use crate::base::Ledger;
use crate::base::text::per_second;
use crate::core::stats::OutcomeCounts;
use crate::core::summary::{AddressSummary, Slot, Summary, TargetSummary, Timeline};
use crate::report::failure_causes::by_cause;
use crate::report::percentiles::{MAX, P50, P99, Percentile, dash, known};
use crate::report::worst_targets::{WORST, worst_targets};
use maud::{Markup, html};

/// The most targets that are listed.
const ROWS: usize = 100;
/// The most targets that have a chart.
const CHARTS: usize = 12;

pub fn section(summary: &Summary) -> Section {
    let all = summary.targets.len();
    let charts = charts(summary);
    let outcomes = OUTCOMES.map(|(name, style)| Key::fill(style, name));
    let keys: Vec<_> = outcomes.into_iter().chain(event_keys(summary)).collect();
    let body = html! {
        (table(summary))
        @if charts.len() > 1 {
            h3 { "Each target over time" }
            @if charts.len() < all {
                p class="note" { (charts.len()) " of " (all) " targets: " (WORST) "." }
            }
            (legend(&keys))
            div class="multiples" { @for chart in &charts { (chart.render()) } }
        }
    };
    Section {
        id: "targets",
        heading: "Targets",
        body,
    }
}

/// A row of the table: a target, or one of its addresses.
enum Row<'a> {
    Target(&'a TargetSummary),
    Address(&'a AddressSummary),
}

impl Row<'_> {
    fn ledger(&self) -> Ledger {
        match self {
            Row::Target(target) => target.requests,
            Row::Address(address) => address.ledger(),
        }
    }

    /// The requests that its percentiles are of.
    fn answered(&self) -> u64 {
        match self {
            Row::Target(target) => target.latency.count,
            Row::Address(address) => address.allowed.saturating_add(address.blocked),
        }
    }

    fn cell(&self, percentile: &Percentile) -> String {
        match self {
            Row::Target(target) => percentile.cell(&target.latency),
            Row::Address(of) => percentile.cell_of_address(of),
        }
    }
}

fn rows(target: &TargetSummary) -> impl Iterator<Item = Row<'_>> {
    let addresses = target.addresses.iter().map(Row::Address);
    std::iter::once(Row::Target(target)).chain(addresses)
}

fn table(summary: &Summary) -> Markup {
    let shown = worst_targets(&summary.targets, ROWS);
    let rows: Vec<_> = shown
        .iter()
        .flat_map(|place| rows(&summary.targets[*place]))
        .collect();
    let ledgers: Vec<_> = rows.iter().map(Row::ledger).collect();
    let (names, counts) = ledger_columns(ledgers.iter());
    let shows_late = summary.targets.iter().any(|target| target.late > 0);
    let shows_open = summary.failing_open > 0;
    let answered = rows.iter().map(Row::answered);
    let percentiles = known(&[&P50, &P99, &MAX], answered.clone());
    let row = |(row, mut cells): (&Row, Vec<Markup>)| {
        let spans: Vec<_> = percentiles.iter().map(|one| row.cell(one)).collect();
        match row {
            Row::Target(target) => {
                cells.extend(shows_open.then(|| text(target.failing_open.to_string())));
                cells.extend(shows_late.then(|| text(target.late.to_string())));
                cells.extend(texts(spans));
                let causes = by_cause(&target.failure_causes(), 5);
                cells.push(html! { span class="words" { (causes) } });
                (html! { (Untrusted::name(&target.name)) }, cells)
            }
            Row::Address(of) => {
                cells.extend(shows_open.then(|| text("")));
                cells.extend(shows_late.then(|| text("")));
                cells.extend(texts(spans));
                cells.push(text(""));
                (
                    html! { span class="part" { (Untrusted::name(&of.address)) } },
                    cells,
                )
            }
        }
    };
    let all = summary.targets.len();
    let caption = if shown.len() == all {
        "Requests by target".to_owned()
    } else {
        format!("Requests by target: {} of {all}, {WORST}", shown.len())
    };
    let table = Table {
        caption,
        columns: std::iter::once(text("target"))
            .chain(names)
            .chain(shows_open.then(|| text("failing open")))
            .chain(shows_late.then(|| text("late")))
            .chain(texts(percentiles.iter().map(|one| one.name)))
            .chain([html! { span class="words" { "failures" } }])
            .collect(),
        rows: rows.iter().zip(counts).map(row).collect(),
        numbers: true,
    };
    noted(&table, dash(&percentiles, answered))
}

fn charts(summary: &Summary) -> Vec<Figure> {
    let timeline = few(&summary.timeline);
    if timeline.slots.is_empty() {
        return Vec::new();
    }
    let shown = worst_targets(&summary.targets, CHARTS);
    let marks = event_marks(summary);
    let width = seconds(timeline.slot_ns);
    let of = |slot: &Slot, place: usize| slot.targets.get(place).copied().unwrap_or_default();
    let done =
        |slot: &OutcomeCounts| slot.allowed as f64 + slot.blocked as f64 + slot.failed as f64;
    let highest = |place: usize| {
        let rates = timeline
            .slots
            .iter()
            .map(|slot| done(&of(slot, place)) / width);
        rates.fold(0.0, f64::max)
    };
    let most = shown
        .iter()
        .map(|place| highest(*place))
        .fold(0.0, f64::max);
    shown
        .iter()
        .map(|place| {
            let target = &summary.targets[*place];
            let requests = &target.requests;
            let said = format!(
                "{}: {} sent, {} allowed, {} blocked, {} failed; at most {} answered or failed.",
                Untrusted::name(&target.name).plain(),
                requests.sent,
                requests.allowed,
                requests.blocked,
                requests.failed,
                per_second(highest(*place)),
            );
            let counts = |slot: &Slot| {
                let slot = of(slot, *place);
                [slot.allowed, slot.blocked, slot.failed]
            };
            small(
                html! { (Untrusted::name(&target.name)) },
                said,
                &timeline,
                most,
                &marks,
                counts,
            )
        })
        .collect()
}

/// One of several charts beside each other, all up to the same rate.
pub fn small(
    title: Markup,
    said: String,
    timeline: &Timeline,
    most: f64,
    marks: &[Mark],
    counts: impl Fn(&Slot) -> [u64; 3],
) -> Figure {
    let mut layers = shades(timeline);
    layers.extend(stack(timeline, counts));
    Figure {
        title,
        said,
        keys: Vec::new(),
        plot: Plot {
            x: time_axis(timeline, 0.0).marked(marks),
            y: Axis::rate(most * 1.05),
            layers,
        },
        across: "",
        table: None,
        size: Size::Small,
    }
}
