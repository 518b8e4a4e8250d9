//! Several runs side by side, each compared with the first.

mod changes;
mod curves;
mod numbers;

use super::chart::{Figure, Key, legend};
use super::configuration::{command, values};
use super::document::{Section, Table, document, pill, text, texts};
use super::footer;
use super::rates::{OUTCOMES, highest_rate};
use super::targets::small;
use super::time_series::few;
use super::untrusted::{Untrusted, sentence};
use crate::base::text::{count, per_second, share};
use crate::core::exit_code;
use crate::core::summary::{Slot, Summary, as_typed};
use crate::report::compared::{Compared, is_about_results};
use crate::report::judgement::{audit, headlines, schedule, thresholds};
use crate::report::percentiles::span_of;
use crate::report::worst_targets::worst_targets;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The most runs that have a chart of their own.
const CHARTS: usize = 24;
/// The most targets that are listed.
const TARGETS: usize = 50;

/// A run with its name on the page.
struct Run<'a> {
    name: String,
    summary: &'a Summary,
}

/// The page of several runs, each with a name, such as that of its file. The others are compared with the first.
/// `compared` has the changes of one or more sides from the same base.
pub fn comparison(summaries: &[(String, Summary)], compared: &[Compared]) -> String {
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
        changes::section(compared),
        numbers::section(&runs),
        rates(&runs),
        curves::spectra(&runs),
        curves::over_time(&runs),
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
            p class="lead" { "Differences are relative to the first run, " bdi { (first.name) } "." }
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
        let statements = headlines(of);
        let (verdict, others) = statements.split_first().expect("at least one");
        let cells = vec![
            html! {
                (pill(verdict))
                @for other in others { span class="difference" { (sentence(&other.text)) } }
            },
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
        small(
            html! { bdi { (run.name) } },
            said,
            timeline,
            most,
            &[],
            counts,
        )
    });
    let body = html! {
        (legend(&OUTCOMES.map(|(name, style)| Key::fill(style, name))))
        (multiples(&charts.collect::<Vec<_>>(), runs.len()))
    };
    Section {
        id: "rates",
        heading: "Outcomes of the requests",
        body,
    }
}

fn multiples(charts: &[Figure], all: usize) -> Markup {
    html! {
        div class="multiples" { @for chart in charts { (chart.render()) } }
        @if charts.len() < all { p class="note" { "The first " (charts.len()) " of " (all) " runs are drawn." } }
    }
}

fn targets(runs: &[Run<'_>]) -> Section {
    let pairs = paired(runs);
    let all = pairs.len();
    let of = |run: &Run<'_>, place: Option<usize>, name: &str| {
        let Some(target) = place.and_then(|place| run.summary.targets.get(place)) else {
            return text("-");
        };
        let requests = &target.requests;
        let p99 = span_of(&target.latency, target.latency.p99_ns);
        html! {
            @if target.name != name { (Untrusted::name(&target.name)) ": " }
            (requests.sent) " sent, " (share(requests.blocked, requests.sent)) " blocked, " (requests.failed) " failed, p99 " (p99)
        }
    };
    let rows = pairs.iter().take(TARGETS).map(|(name, places)| {
        let pairs = runs.iter().zip(places);
        let cells = pairs.map(|(run, place)| of(run, *place, name)).collect();
        (html! { (Untrusted::name(name)) }, cells)
    });
    let table = Table {
        caption: if all > TARGETS {
            format!("{TARGETS} targets in each run; there are more")
        } else {
            "Each target in each run".to_owned()
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

/// The targets that are shown, each with its place in every run. Targets are paired by name. If two runs have no name in
/// common, as two demos with ports of their own, they are paired by place.
fn paired<'a>(runs: &[Run<'a>]) -> Vec<(&'a str, Vec<Option<usize>>)> {
    let mut pairs: Vec<(&str, Vec<Option<usize>>)> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let targets = &run.summary.targets;
        let places: BTreeMap<&str, usize> = pairs
            .iter()
            .enumerate()
            .map(|(place, (name, _))| (*name, place))
            .collect();
        let has_known = targets
            .iter()
            .any(|target| places.contains_key(&*target.name));
        for place in worst_targets(targets, TARGETS) {
            let name = &*targets[place].name;
            let by_place = || {
                let is_same = |(_, places): &(&str, Vec<Option<usize>>)| places[0] == Some(place);
                (number > 0 && !has_known).then(|| pairs.iter().position(is_same))?
            };
            match places.get(name).copied().or_else(by_place) {
                Some(pair) => pairs[pair].1[number] = Some(place),
                None => {
                    let mut places = vec![None; runs.len()];
                    places[number] = Some(place);
                    pairs.push((name, places));
                }
            }
        }
    }
    pairs
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
        .filter(|(option, of)| differ(of) && !is_about_results(option))
        .map(|(option, of)| {
            let cells = of.iter().map(|of| match of {
                Some(of) => values(of),
                None => text("-"),
            });
            (
                html! { code { (Untrusted::name(&as_typed(option))) } },
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
