use super::document::{Section, Table, noted, text, texts};
use super::untrusted::clipped;
use crate::base::text::{count, per_second, share};
use crate::core::summary::{DurationSummary, Summary};
use crate::report::percentiles::{
    MAX, P50, P90, P95, P99, P99_9, P99_99, P99_999, dash, distributions, known, span_of,
};
use maud::{Markup, html};

pub fn section(summary: &Summary) -> Section {
    let of = &summary.requests;
    let outcome = |name, class, number| {
        html! {
            li class=(class) {
                p class="label" { (name) }
                p class="figure" { (number) }
                p { (share(number, of.sent)) " of sent" }
            }
        }
    };
    let latency = &summary.latency;
    let per_second = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), per_second);
    let body = html! {
        ul class="tiles" {
            li {
                p class="label" { "sent" }
                p class="figure" { (of.sent) }
                p { (per_second(summary.per_second(of.sent))) " of " (per_second(summary.scheduled_per_second())) " scheduled" }
            }
            (outcome("allowed", "allowed", of.allowed))
            (outcome("blocked", "blocked", of.blocked))
            (outcome("failed", "failed", of.failed))
            @if summary.failing_open > 0 {
                li {
                    p class="label" { "failing open" }
                    p class="figure" { (summary.failing_open) }
                    p { (share(summary.failing_open, of.allowed)) " of allowed" }
                }
            }
            li {
                p class="label" { "latency, p50" }
                p class="figure" { (P50.cell(latency)) }
                p { "half of all took no longer" }
            }
            @if P99.is_of(latency.count) {
                li {
                    p class="label" { "latency, p99" }
                    p class="figure" { (P99.cell(latency)) }
                    p { "at most " (MAX.cell(latency)) }
                }
            } @else {
                li {
                    p class="label" { "latency, max" }
                    p class="figure" { (MAX.cell(latency)) }
                    p { "too few requests for p99" }
                }
            }
        }
        @if !summary.events.is_empty() {
            p { a href="#events" { (events(summary)) } }
        }
        (percentiles(summary))
        p class="note" {
            "Latency is what a caller on the schedule felt, from due to done. Service time is what the server took, from \
             sent to done. Both are of answered requests only. Send lag is the generator’s own error, from due to sent."
        }
    };
    Section {
        id: "numbers",
        heading: "Key numbers",
        body,
    }
}

/// How many events there were, and what the first of those that did something did.
fn events(summary: &Summary) -> String {
    let all = count(summary.events.len() as u64, "event", "events");
    let mut events = summary.events.iter();
    let first = events.find_map(|event| Some((clipped(&event.title(), 100), event.in_short()?)));
    match first {
        Some((title, did)) => format!("{all}; {title}: {did}"),
        None => all,
    }
}

fn percentiles(summary: &Summary) -> Markup {
    let counts = distributions(summary).map(|(_, of)| of.count);
    let all = [&P50, &P90, &P95, &P99, &P99_9, &P99_99, &P99_999, &MAX];
    let known = known(&all, counts.clone());
    let row = |(name, of): (&'static str, &DurationSummary)| {
        let mut cells = vec![
            of.count.to_string(),
            span_of(of, of.min_ns),
            span_of(of, of.mean_ns),
        ];
        cells.extend(known.iter().map(|percentile| percentile.cell(of)));
        (text(name), texts(cells))
    };
    let names = known.iter().map(|percentile| percentile.name);
    let table = Table {
        caption: "Percentiles".to_owned(),
        columns: texts(["time", "count", "min", "mean"].into_iter().chain(names)),
        rows: distributions(summary).map(row).collect(),
        numbers: true,
    };
    noted(&table, dash(&known, counts))
}
