//! Two sides of runs and their differences, as text of 80 columns and for the page.

use super::FORMATS;
use crate::base::Nanos;
use crate::base::text::{per_second, printable, rounded, shortened, span};
use crate::core::comparison::{Change, Comparison, Interval, Judged, Mark};
use crate::core::exit_code;
use crate::core::summary::{Summary, as_typed};
use crate::core::threshold::{ChangeCondition, Unit};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Two sides of runs and their differences.
#[derive(Debug)]
pub struct Compared {
    /// The names of both sides.
    pub names: [String; 2],
    pub changes: Vec<Change>,
    /// The conditions under which the comparison fails.
    pub judged: Vec<JudgedChange>,
    /// Options whose values differ, with the values of both sides.
    pub options: Vec<(String, [String; 2])>,
    /// Sentences on what the comparison can't tell.
    pub remarks: Vec<String>,
}

#[derive(Debug)]
pub struct JudgedChange {
    pub condition: ChangeCondition,
    pub outcome: Judged,
}

type Saved = (String, Summary);

/// Each run after the first, compared with the first.
pub fn with_the_first(runs: &[Saved]) -> Vec<Compared> {
    let Some((first, others)) = runs.split_first() else {
        return Vec::new();
    };
    let first = std::slice::from_ref(first);
    let others = others.iter().map(std::slice::from_ref);
    others
        .map(|other| Compared::new(first, other, &[]))
        .collect()
}

impl Compared {
    /// # Panics
    /// If a side has no run.
    pub fn new(base: &[Saved], new: &[Saved], conditions: &[ChangeCondition]) -> Compared {
        let summaries = |runs: &'_ [Saved]| -> Vec<Summary> {
            runs.iter().map(|(_, summary)| summary.clone()).collect()
        };
        let (olds, news) = (summaries(base), summaries(new));
        let comparison = Comparison::new(olds.iter().collect(), news.iter().collect());
        let judged = conditions.iter().map(|condition| JudgedChange {
            condition: condition.clone(),
            outcome: comparison.judge(condition),
        });
        let mut remarks: Vec<_> = comparison.other_traffic().into_iter().collect();
        let is_late = |(_, summary): &&Saved| !summary.schedule.kept;
        if let Some((name, _)) = base.iter().chain(new).find(is_late) {
            remarks.push(format!(
                "the generator did not keep its schedule in {name}, so its numbers are the generator's, too"
            ));
        }
        if comparison.is_of_single_runs() {
            remarks.push(
                "one run on each side shows the noise within the runs; what changes from run to run takes several on \
                 each side to show"
                    .to_owned(),
            );
        }
        Compared {
            names: [side(base), side(new)],
            changes: comparison.changes(conditions),
            judged: judged.collect(),
            options: differing(base, new),
            remarks,
        }
    }

    /// The exit code: a condition that is met goes before one that is not decided.
    pub fn exit_code(&self) -> u8 {
        let any = |is: fn(&Judged) -> bool| self.judged.iter().any(|one| is(&one.outcome));
        if any(|outcome| *outcome == Judged::Met) {
            exit_code::FAILED
        } else if any(|outcome| matches!(outcome, Judged::Unknown(_))) {
            exit_code::INCONCLUSIVE
        } else {
            exit_code::FINE
        }
    }
}

fn side(runs: &[Saved]) -> String {
    match runs {
        [(name, _)] => name.clone(),
        [(name, _), ..] => format!("{} runs, {name} …", runs.len()),
        [] => String::new(),
    }
}

/// Whether an option is about what is shown and written, or draws the seed.
pub(super) fn is_about_results(option: &str) -> bool {
    let mut formats = FORMATS.iter();
    ["no-tui", "show-secrets", "seed", "color"].contains(&option)
        || formats.any(|format| format.option == option)
}

/// The options whose values differ, with the different values of each side.
fn differing(base: &[Saved], new: &[Saved]) -> Vec<(String, [String; 2])> {
    let mut options: BTreeMap<&str, [Vec<String>; 2]> = BTreeMap::new();
    for (place, side) in [base, new].into_iter().enumerate() {
        for (_, summary) in side {
            for setting in &summary.configuration.settings {
                let values = setting.values.join(" ");
                let of_side = &mut options.entry(&setting.option).or_default()[place];
                if !of_side.contains(&values) {
                    of_side.push(values);
                }
            }
        }
    }
    let joined = |values: &Vec<String>| match values.iter().all(|value| value.is_empty()) {
        true => "-".to_owned(),
        false => values.join(", "),
    };
    options
        .into_iter()
        .filter(|(option, [old, new])| old != new && !is_about_results(option))
        .map(|(option, [old, new])| (option.to_owned(), [joined(&old), joined(&new)]))
        .collect()
}

/// A number of a side in its unit; `-` if there is none.
pub(super) fn number(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    match unit {
        Unit::Time => span(Nanos(value as u64)),
        Unit::Count if value.fract() == 0.0 => value.to_string(),
        Unit::Count => rounded(value, 2),
        Unit::PerSecond => per_second(value),
        Unit::Share if value == 0.0 => "0 %".to_owned(),
        Unit::Share => format!("{} %", rounded(value * 100.0, 3)),
    }
}

/// The measured difference, such as `+20.6 %`, and the ends of its interval, such as `+8.1 to +34.5 %`.
pub(super) fn difference(change: &Change) -> Option<[String; 2]> {
    let (interval, is_relative) = change.shown()?;
    let unit = change.number.unit();
    let (scale, name) = scale(change)?;
    let Interval {
        low,
        measured,
        high,
    } = interval;
    let one = |value: f64| signed(value * scale);
    if !is_relative && unit == Unit::Time {
        // A time that may be 0.
        let one = |value: f64| format!("{}{}", sign(value), span(Nanos(value.abs() as u64)));
        return Some([one(measured), format!("{} to {}", one(low), one(high))]);
    }
    Some([
        format!("{}{name}", one(measured)),
        format!("{} to {}{name}", one(low), one(high)),
    ])
}

/// The smallest change that would be shown in four of five such comparisons.
pub(super) fn resolution(change: &Change) -> Option<String> {
    let (interval, is_relative) = change.shown()?;
    let resolution = interval.resolution();
    if !is_relative && change.number.unit() == Unit::Time {
        return Some(span(Nanos(resolution as u64)));
    }
    let (scale, name) = scale(change)?;
    Some(format!("{}{name}", short(resolution * scale)))
}

/// The factor and the name of the unit in which a difference is shown.
fn scale(change: &Change) -> Option<(f64, &'static str)> {
    let (_, is_relative) = change.shown()?;
    Some(match change.number.unit() {
        _ if is_relative => (100.0, " %"),
        Unit::Share => (100.0, " pt"),
        Unit::PerSecond => (1.0, "/s"),
        Unit::Count | Unit::Time => (1.0, ""),
    })
}

fn sign(value: f64) -> char {
    if value < 0.0 { '−' } else { '+' }
}

fn signed(value: f64) -> String {
    match short(value.abs()) {
        zero if zero == "0" => zero,
        other => format!("{}{other}", sign(value)),
    }
}

/// Two digits behind the point at most, and fewer for larger numbers.
fn short(value: f64) -> String {
    if value < 0.005 {
        return "0".to_owned();
    }
    if value >= 1e6 {
        return format!("{value:.0e}");
    }
    let decimals = match value {
        value if value >= 99.5 => 0,
        value if value >= 0.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// What a comparison shows of a number, in a word or two.
pub(super) fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Worse => "worse",
        Mark::Better => "better",
        Mark::Higher => "higher",
        Mark::Lower => "lower",
        Mark::NotShown => "not shown",
        Mark::Unknown => "unknown",
    }
}

/// The comparison in 80 columns: a table, the options that differ, and what became of the conditions.
pub fn compared(compared: &Compared) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write(&mut text, compared);
    text
}

const WIDTH: usize = 80;

fn write(out: &mut String, compared: &Compared) -> fmt::Result {
    let [base, new] = compared
        .names
        .each_ref()
        .map(|name| printable(&shortened(name, WIDTH)));
    writeln!(out, "base: {base}\nnew:  {new}\n")?;
    writeln!(
        out,
        "{:<17} {:>8} {:>8} {:>8} {:>17} {:>7} ",
        "", "base", "new", "change", "99 % interval", "shows"
    )?;
    let mut unknown = Vec::new();
    for change in &compared.changes {
        let unit = change.number.unit();
        let [measured, interval] =
            difference(change).unwrap_or_else(|| ["-".to_owned(), "-".to_owned()]);
        let resolution = resolution(change).unwrap_or_else(|| "-".to_owned());
        writeln!(
            out,
            "{:<17} {:>8} {:>8} {measured:>8} {interval:>17} {resolution:>7} {}",
            change.number.to_string(),
            number(change.base, unit),
            number(change.new, unit),
            word(change.mark()),
        )?;
        if let Err(why) = &change.difference {
            unknown.push((change.number.to_string(), why));
        }
    }
    writeln!(out)?;
    paragraph(
        out,
        "",
        "\"shows\" is the smallest change that would be shown in four of five such comparisons. \"not shown\" means that noise \
         may explain the difference.",
    )?;
    for (number, why) in &unknown {
        paragraph(out, "", &format!("{number}: {why}."))?;
    }
    for remark in &compared.remarks {
        paragraph(out, "", &format!("Note: {remark}."))?;
    }
    if !compared.options.is_empty() {
        writeln!(out, "\nOptions that differ:")?;
        for (option, [base, new]) in &compared.options {
            let shown = |value: &str| printable(&shortened(value, 500));
            let line = format!(
                "{}: {} | {}",
                printable(&as_typed(option)),
                shown(base),
                shown(new)
            );
            paragraph(out, "  ", &line)?;
        }
    }
    if !compared.judged.is_empty() {
        writeln!(out)?;
    }
    for JudgedChange { condition, outcome } in &compared.judged {
        let change = compared
            .changes
            .iter()
            .find(|change| change.number == condition.number);
        let measured = change
            .and_then(difference)
            .map_or(String::new(), |[measured, interval]| {
                format!(": {measured} ({interval})")
            });
        let line = match outcome {
            Judged::Met => format!("FAIL  {}{measured}", condition.text),
            // Without an amount, noise may hide a change.
            Judged::NotMet if condition.amount.is_none() => {
                let shown = change.and_then(resolution).unwrap_or_default();
                format!("ok    {}{measured}; shows {shown}", condition.text)
            }
            Judged::NotMet => format!("ok    {}{measured}", condition.text),
            Judged::Unknown(why) => format!("?     {}{measured}: {why}", condition.text),
        };
        paragraph(out, "", &line)?;
    }
    Ok(())
}

/// Writes words in lines of 80 columns. Further lines are indented.
fn paragraph(out: &mut String, indent: &str, text: &str) -> fmt::Result {
    let mut line = indent.to_owned();
    let mut is_first = true;
    for word in text.split(' ') {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_first && length > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = format!("{indent}  {word}");
        } else {
            if !is_first {
                line.push(' ');
            }
            line += word;
        }
        is_first = false;
    }
    writeln!(out, "{}", line.trim_end())
}
