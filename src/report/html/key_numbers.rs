use super::document::{Section, Table, text, texts};
use crate::base::Nanos;
use crate::base::text::{rate, share};
use crate::core::summary::{DurationSummary, Summary};
use crate::report::percentiles::{distributions, span_of};
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
    let paced = Nanos(summary.run.paced_ns);
    let body = html! {
        ul class="tiles" {
            li {
                p class="label" { "sent" }
                p class="figure" { (of.sent) }
                p { (rate(of.sent, paced)) " of " (rate(of.scheduled, paced)) " scheduled" }
            }
            (outcome("allowed", "allowed", of.allowed))
            (outcome("blocked", "blocked", of.blocked))
            (outcome("failed", "failed", of.failed))
            li {
                p class="label" { "latency, p50" }
                p class="figure" { (span_of(latency, latency.p50_ns)) }
                p { "half of all took no longer" }
            }
            li {
                p class="label" { "latency, p99" }
                p class="figure" { (span_of(latency, latency.p99_ns)) }
                p { "at most " (span_of(latency, latency.max_ns)) }
            }
        }
        (percentiles(summary).render())
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

fn percentiles(summary: &Summary) -> Table {
    let row = |(name, of): (&'static str, &DurationSummary)| {
        let spans = [
            of.min_ns,
            of.mean_ns,
            of.p50_ns,
            of.p90_ns,
            of.p95_ns,
            of.p99_ns,
            of.p99_9_ns,
            of.p99_99_ns,
            of.p99_999_ns,
            of.max_ns,
        ];
        let mut cells = vec![text(of.count.to_string())];
        cells.extend(spans.map(|ns| -> Markup { text(span_of(of, ns)) }));
        (text(name), cells)
    };
    Table {
        caption: "Percentiles".to_owned(),
        columns: texts([
            "time", "count", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99",
            "p99.999", "max",
        ]),
        rows: distributions(summary).map(row).collect(),
        numbers: true,
    }
}
