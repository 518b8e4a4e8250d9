//! Texts of thresholds, for the tests of the grammar and of the ranges.

mod grammar;
mod parts;
mod range;

use proptest::prelude::*;

/// The texts of thresholds that a run of a few requests may or may not meet.
fn texts(targets: usize) -> impl Strategy<Value = String> {
    let text = |text: &'static [&'static str]| prop::sample::select(text);
    let time = (
        text(&["latency", "service_time", "send_lag", "connect", "tls"]),
        text(&[
            "min", "mean", "max", "p10", "p50", "p75", "p90", "p99", "p99.9",
        ]),
        0u64..20,
        0u64..20,
    )
        .prop_map(|(spans, at, low, more)| {
            let numbers = (format!("{low}ms"), format!("{}ms", low + more));
            (format!("{spans}.{at}"), numbers)
        });
    let counted = "scheduled sent dropped unsent allowed blocked success failed failed[timeout] failing_open abandoned";
    let counted = prop::sample::select(counted.split(' ').collect::<Vec<_>>());
    let count = (counted.clone(), 0u64..30, 0u64..30).prop_map(|(what, low, more)| {
        let numbers = (low.to_string(), (low + more).to_string());
        (format!("{what}.count"), numbers)
    });
    let share = (counted.clone(), 0u64..=20, 0u64..=20).prop_map(|(what, low, more)| {
        let what = what.replace("scheduled", "sent");
        let percent = |twentieths: u64| format!("{}%", twentieths.min(20) * 5);
        (format!("{what}.rate"), (percent(low), percent(low + more)))
    });
    let rate = (counted, 0u64..12, 0u64..12).prop_map(|(what, low, more)| {
        let numbers = (format!("0.{low:02}/s"), format!("0.{:02}/s", low + more));
        (format!("{what}.per_second"), numbers)
    });
    let numbers = prop_oneof![3 => time, 1 => count, 2 => share, 1 => rate];
    let operator = text(&["<", "<=", ">", ">=", "=", "!=", "between"]);
    let number = (numbers, operator, 0..=targets, text(&["", " of scheduled"])).prop_map(
        |((metric, (low, high)), operator, target, of)| {
            let is_of_run = |name: &&str| metric.starts_with(name);
            let scope = match target {
                0 => String::new(),
                _ if ["send_lag", "connect", "tls"].iter().any(is_of_run) => String::new(),
                target => format!("target[{target}]."),
            };
            let value = match operator {
                "between" => format!("{low} and {high}"),
                _ => low,
            };
            let of = if metric.ends_with("rate") { of } else { "" };
            format!("{scope}{metric} {operator} {value}{of}")
        },
    );
    prop_oneof![20 => number, 1 => Just("schedule = kept".to_owned())]
}
