//! A summary as Markdown, for the page of a CI job or a pull request.

use super::discovered::tone;
use super::failure_causes::{advice, by_cause};
use super::format::{Format, Written, any_name};
use super::html::clipped;
use super::judgement::{
    Judgement, Tone, audit, audited, failing_open, headlines, schedule, threshold,
};
use super::percentiles::{columns, distributions, two_columns};
use super::rare_counts::rare_counts;
use super::result_file::Access;
use super::stripes::{self, COLUMNS, cells, remarks};
use super::worst_targets::worst_targets;
use crate::base::Nanos;
use crate::base::text::{count, per_second, seconds, share};
use crate::core::exit_code;
use crate::core::summary::{Audit, Detail, Discovery, RecordedAudit, RecordedCounts, Summary};
use std::fmt::{self, Write};

pub const FORMAT: Format = Format {
    option: "summary-markdown",
    help: "Write the summary as Markdown, for a pull request or the page of a CI job",
    takes_dash: false,
    check_name: any_name,
    access: Access::Owner,
    written: Written::AtTheEnd {
        render: markdown,
        render_recorded: recorded,
        render_capacity: None,
        render_discovery: discovery,
        has_timeline: false,
    },
};

/// The longest text in bytes: a sixteenth of the size that GitHub accepts for the summary of a step.
const LONGEST: usize = 64 * 1024;
/// The most rows of a table.
const ROWS: usize = 40;
/// The most events and the most outages. Each has a whole sentence, or several.
const EVENTS: usize = 20;
const OUTAGES: usize = 10;
/// The longest name and the longest sentence, in characters.
const NAME: usize = 100;
const SENTENCE: usize = 600;
/// The longest command in bytes. A longer one is left out rather than cut.
const COMMAND: usize = 12 * 1024;

/// The verdicts, then the numbers behind them: at most 64 KiB for any summary.
pub fn markdown(summary: &Summary) -> String {
    let parts: [Part; 10] = [
        verdicts,
        numbers,
        merged_stripes,
        percentiles,
        targets,
        limits,
        events,
        failures,
        findings,
        command,
    ];
    let mut text = String::new();
    for part in parts {
        let mut more = String::new();
        // Cannot fail: a String takes everything.
        let _ = part(&mut more, summary);
        if text.len() + more.len() > LONGEST - LEFT_OUT.len() {
            text.push_str(LEFT_OUT);
            break;
        }
        text.push_str(&more);
    }
    text
}

/// The verdict on recorded requests, then their numbers and the findings.
fn recorded(of: &RecordedAudit) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_recorded(&mut text, of);
    text
}

fn write_recorded(out: &mut String, of: &RecordedAudit) -> fmt::Result {
    headed(out, &audited(&of.audit))?;
    writeln!(out, "\n{}\n", escaped(&of.audit.statement, SENTENCE))?;
    writeln!(
        out,
        "| file | recorded | allowed | blocked | failed | unanswered |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for file in of.files.iter().take(ROWS) {
        let RecordedCounts {
            recorded,
            allowed,
            blocked,
            failed,
            unanswered,
            ..
        } = file.requests;
        let name = escaped(&file.name, NAME);
        writeln!(
            out,
            "| {name} | {recorded} | {allowed} | {blocked} | {failed} | {unanswered} |"
        )?;
    }
    if of.files.len() > ROWS {
        writeln!(out, "\nThe first {ROWS} of {} files.", of.files.len())?;
    }
    writeln!(out)?;
    details(out, &of.audit)
}

/// What a discovery found out.
fn discovery(of: &Discovery) -> String {
    let mut text = String::new();
    // Cannot fail: a String takes everything.
    let _ = write_discovery(&mut text, of);
    text
}

fn write_discovery(out: &mut String, of: &Discovery) -> fmt::Result {
    let sign = sign(tone(of));
    writeln!(out, "## {sign} {}\n", escaped(&of.headline, SENTENCE))?;
    writeln!(out, "{}\n", escaped(&of.further.join(" "), SENTENCE))?;
    for Detail { about, statement } in of.details.iter().take(ROWS) {
        writeln!(
            out,
            "- {}: {}",
            escaped(about, NAME),
            escaped(statement, SENTENCE)
        )?;
    }
    if let Some(command) = of
        .audit_command
        .as_ref()
        .filter(|command| command.text.len() <= COMMAND)
    {
        writeln!(
            out,
            "\nThe command that holds the limiter to it:\n\n{}",
            code(&command.text, COMMAND)
        )?;
    }
    Ok(())
}

type Part = fn(&mut String, &Summary) -> fmt::Result;

const LEFT_OUT: &str = "\nThe rest is left out, because it is too long for this page.\n";

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Bad => "❌",
        Tone::Unsure => "⚠️",
        Tone::Plain => "ℹ️",
    }
}

/// The first statement as a heading, and the others as a list.
fn headed(out: &mut String, statements: &[Judgement]) -> fmt::Result {
    for (place, Judgement { tone, text }) in statements.iter().enumerate() {
        let (sign, text) = (sign(*tone), escaped(text, SENTENCE));
        match place {
            0 => writeln!(out, "## {sign} {text}\n")?,
            _ => writeln!(out, "- {sign} {text}")?,
        }
    }
    Ok(())
}

fn verdicts(out: &mut String, summary: &Summary) -> fmt::Result {
    headed(out, &headlines(summary))?;
    let mut line = |name: &str, judgement: &Judgement, said: &str| {
        let said = if said.is_empty() {
            String::new()
        } else {
            format!(": {}", escaped(said, SENTENCE))
        };
        writeln!(
            out,
            "- {} {name} **{}**{said}",
            sign(judgement.tone),
            judgement.text
        )
    };
    if let Some(audited) = &summary.audit {
        line("audit", &audit(audited), &audited.statement)?;
    }
    line("schedule", &schedule(summary), summary.schedule.reason())?;
    let said = exit_code::short(summary.exit_code);
    writeln!(out, "- exit code **{}**: {said}\n", summary.exit_code)
}

fn numbers(out: &mut String, summary: &Summary) -> fmt::Result {
    let of = &summary.requests;
    let configuration = &summary.configuration;
    writeln!(
        out,
        "{}; {}; {}\n",
        escaped(&configuration.traffic, SENTENCE),
        escaped(&configuration.requests, SENTENCE),
        count(summary.targets.len() as u64, "target", "targets"),
    )?;
    let mean = summary
        .per_second(of.sent)
        .map_or_else(|| "-".to_owned(), per_second);
    writeln!(out, "| | requests | of sent |\n| --- | ---: | ---: |")?;
    writeln!(out, "| scheduled | {} | |", of.scheduled)?;
    writeln!(out, "| sent | {} | {mean} |", of.sent)?;
    for (name, number) in [
        ("allowed", of.allowed),
        ("blocked", of.blocked),
        ("failed", of.failed),
    ] {
        writeln!(out, "| {name} | {number} | {} |", share(number, of.sent))?;
    }
    for (name, number) in [
        ("failing open", summary.failing_open),
        ("abandoned", of.abandoned),
        ("dropped", of.dropped),
        ("unsent", of.unsent),
    ] {
        if number > 0 {
            writeln!(out, "| {name} | {number} | |")?;
        }
    }
    writeln!(out)
}

/// How each stripe of a merged result went.
fn merged_stripes(out: &mut String, summary: &Summary) -> fmt::Result {
    let Some(merged) = &summary.merged else {
        return Ok(());
    };
    let names: String = COLUMNS.iter().map(|name| format!(" {name} |")).collect();
    writeln!(out, "|{names} remarks |")?;
    writeln!(out, "|{} --- |", " ---: |".repeat(COLUMNS.len()))?;
    for stripe in merged.stripes.iter().take(ROWS) {
        let cells: String = cells(stripe)
            .iter()
            .map(|cell| format!(" {cell} |"))
            .collect();
        writeln!(out, "|{cells} {} |", escaped(&remarks(stripe), SENTENCE))?;
    }
    writeln!(out)?;
    more(out, merged.stripes.len(), ROWS, "stripe", "stripes")?;
    for event in merged.events.iter().take(EVENTS) {
        writeln!(out, "- {}", escaped(&event.in_words(), SENTENCE))?;
    }
    if !merged.events.is_empty() {
        writeln!(out, "\n{}\n", stripes::EVENTS)?;
    }
    more(out, merged.events.len(), EVENTS, "event", "events")
}

fn percentiles(out: &mut String, summary: &Summary) -> fmt::Result {
    let columns = columns(summary);
    let names: String = columns
        .iter()
        .map(|column| format!(" {} |", column.name))
        .collect();
    writeln!(out, "| |{names}")?;
    writeln!(out, "| --- |{}", " ---: |".repeat(columns.len()))?;
    for (name, of) in distributions(summary) {
        write!(out, "| {name} |")?;
        for column in &columns {
            write!(out, " {} |", column.cell(of))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn targets(out: &mut String, summary: &Summary) -> fmt::Result {
    let all = summary.targets.len();
    let shown = worst_targets(&summary.targets, ROWS);
    let columns = rare_counts(summary);
    let [first, second] = two_columns(
        shown
            .iter()
            .map(|place| summary.targets[*place].latency.count),
    );
    let names: String = columns
        .iter()
        .map(|(name, _)| format!("{name} | "))
        .collect();
    writeln!(
        out,
        "| target | sent | allowed | blocked | failed | {names}{} | {} | failures |",
        first.name, second.name
    )?;
    let lines = "---: | ".repeat(columns.len());
    writeln!(
        out,
        "| --- | ---: | ---: | ---: | ---: | {lines}---: | ---: | --- |"
    )?;
    for place in &shown {
        let target = &summary.targets[*place];
        let (of, latency) = (&target.requests, &target.latency);
        let counts = columns.iter().map(|(_, count)| count(target));
        let counts: String = counts.map(|count| format!("{count} | ")).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {counts}{} | {} | {} |",
            escaped(&target.name, NAME),
            of.sent,
            of.allowed,
            of.blocked,
            of.failed,
            first.cell(latency),
            second.cell(latency),
            escaped(&by_cause(&target.failure_causes(), 3), NAME),
        )?;
        let blank = "| ".repeat(columns.len());
        for one in &target.addresses {
            writeln!(
                out,
                "| – {} | {} | {} | {} | {} | {blank}{} | {} | |",
                escaped(&one.address, NAME),
                one.sent,
                one.allowed,
                one.blocked,
                one.failed,
                first.cell_of_address(one),
                second.cell_of_address(one),
            )?;
        }
    }
    if shown.len() < all {
        let shown = shown.len();
        writeln!(
            out,
            "\n{shown} of {all} targets: those with the most failed, then the highest p99."
        )?;
    }
    writeln!(out)
}

fn limits(out: &mut String, summary: &Summary) -> fmt::Result {
    let all = &summary.thresholds;
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "| threshold | | measured |\n| --- | --- | --- |")?;
    for each in all.iter().take(ROWS) {
        let judgement = threshold(each.met);
        writeln!(
            out,
            "| {} | {} {} | {} |",
            code(&each.text, NAME),
            sign(judgement.tone),
            judgement.text,
            escaped(&each.measured, NAME),
        )?;
    }
    if all.len() > ROWS {
        writeln!(out, "\nThe first {ROWS} of {} thresholds.", all.len())?;
    }
    writeln!(out)
}

/// What each event did, and the times in which targets failed without one.
fn events(out: &mut String, summary: &Summary) -> fmt::Result {
    if !summary.events.is_empty() {
        writeln!(out, "| at | event | what it did | command |")?;
        writeln!(out, "| ---: | --- | --- | --- |")?;
        for event in summary.events.iter().take(EVENTS) {
            let statements = event.statements.join(" ");
            let command = event.command.as_ref().map(|command| {
                let end = command.error.as_deref().unwrap_or("exit code 0");
                format!("{}: {}", code(&command.text, NAME), escaped(end, NAME))
            });
            writeln!(
                out,
                "| {} | {} | {} | {} |",
                seconds(Nanos(event.began_ns)),
                escaped(&event.title(), NAME),
                escaped(&statements, SENTENCE),
                command.unwrap_or_default(),
            )?;
        }
        writeln!(out)?;
        more(out, summary.events.len(), EVENTS, "event", "events")?;
    }
    let outages = summary
        .outages
        .iter()
        .filter(|outage| outage.event.is_none());
    let outages: Vec<_> = outages.collect();
    for outage in outages.iter().take(OUTAGES) {
        writeln!(out, "- Outage: {}", escaped(&outage.statement, SENTENCE))?;
    }
    if !outages.is_empty() {
        writeln!(out)?;
    }
    more(out, outages.len(), OUTAGES, "outage", "outages")
}

fn more(out: &mut String, all: usize, shown: usize, one: &str, many: &str) -> fmt::Result {
    if all > shown {
        writeln!(
            out,
            "And {} more.\n",
            count((all - shown) as u64, one, many)
        )?;
    }
    Ok(())
}

fn failures(out: &mut String, summary: &Summary) -> fmt::Result {
    let causes = summary.failure_causes();
    if let Some(open) = failing_open(summary) {
        writeln!(out, "{}.\n", escaped(&open.text, SENTENCE))?;
    }
    if causes.is_empty() {
        return writeln!(out, "No request failed.\n");
    }
    writeln!(
        out,
        "| failed | reason | requests | of all failed |\n| --- | --- | ---: | ---: |"
    )?;
    for cause in causes.iter().take(ROWS) {
        let (number, of_all) = (cause.count, share(cause.count, summary.requests.failed));
        let reason = cause.reason.as_deref().unwrap_or_default();
        let (name, reason) = (escaped(&cause.name(), NAME), escaped(reason, NAME));
        writeln!(out, "| {name} | {reason} | {number} | {of_all} |")?;
    }
    for advice in advice(&summary.failures) {
        writeln!(out, "\n{advice}")?;
    }
    writeln!(out)
}

fn findings(out: &mut String, summary: &Summary) -> fmt::Result {
    summary
        .audit
        .as_ref()
        .map_or(Ok(()), |audit| details(out, audit))
}

/// The promises, the findings and the remarks of an audit, folded up.
fn details(out: &mut String, audit: &Audit) -> fmt::Result {
    let Audit {
        promises,
        findings,
        outages,
        causes,
        remarks,
        ..
    } = audit;
    let said = match findings.len() {
        0 => "Audit: each promise".to_owned(),
        some => format!("Audit: {}", count(some as u64, "finding", "findings")),
    };
    // Markdown continues after a blank line.
    writeln!(out, "<details><summary>{said}</summary>\n")?;
    for promise in promises.iter().take(ROWS) {
        let (name, why) = (&promise.promise, &promise.statement);
        writeln!(out, "- {}: {}", escaped(name, NAME), escaped(why, SENTENCE))?;
    }
    if !findings.is_empty() {
        writeln!(out)?;
    }
    for (number, finding) in findings.iter().take(10).enumerate() {
        let statement = escaped(&finding.statement, SENTENCE);
        writeln!(out, "{}. {statement}", number + 1)?;
        for line in finding.evidence.iter().take(5) {
            writeln!(out, "   - {}", escaped(line, SENTENCE))?;
        }
    }
    if findings.len() > 10 {
        writeln!(out, "\nThe worst 10 of {}.", findings.len())?;
    }
    for outage in outages.iter().take(5) {
        writeln!(out, "\nOutage {}", escaped(&outage.statement, SENTENCE))?;
    }
    let unknown = audit.unknown_cause();
    let causes = causes.iter().map(|cause| &cause.statement);
    for line in causes.chain(&unknown).chain(remarks).take(10) {
        writeln!(out, "\n{}", escaped(line, SENTENCE))?;
    }
    writeln!(out, "\n</details>\n")
}

fn command(out: &mut String, summary: &Summary) -> fmt::Result {
    let command = &summary.configuration.command;
    if command.len() > COMMAND {
        return writeln!(
            out,
            "The command that repeats the run is too long for this page."
        );
    }
    // The fence must be longer than any run of backticks in the command.
    let fence = "`".repeat(longest_run(command).max(2) + 1);
    writeln!(
        out,
        "The command that repeats the run:\n\n{fence}sh\n{command}\n{fence}\n"
    )?;
    if let Some(variables) = summary.configuration.needed_variables() {
        writeln!(out, "{}\n", escaped(&variables, SENTENCE))?;
    }
    writeln!(
        out,
        "loadgen {}, {} to {}",
        escaped(&summary.loadgen.version, NAME),
        escaped(&summary.run.started, NAME),
        escaped(&summary.run.ended, NAME),
    )
}

/// The length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    let rows = text.split(|c| c != '`').map(str::len);
    rows.max().unwrap_or(0)
}

/// Text as one line without markup, for use inside and outside of tables.
fn escaped(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for c in clipped(text, most).chars() {
        match c {
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '\n' | '\t' => shown.push(' '),
            '|' | '`' | '*' | '_' | '~' | '\\' | '[' | ']' | '#' | '!' | '$' => {
                shown.push('\\');
                shown.push(c);
            }
            // GitHub would notify the user of that name.
            '@' => shown.push_str("&#64;"),
            c => shown.push(c),
        }
    }
    shown
}

/// Text as code in one line, for use inside and outside of tables.
fn code(text: &str, most: usize) -> String {
    let text = clipped(text, most).replace(['\n', '\t'], " ");
    let fence = "`".repeat(longest_run(&text) + 1);
    // Within code only a table's bar needs an escape. A space separates backticks from the fence.
    let text = text.replace('|', "\\|");
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_neither_a_table_nor_html_nor_code() {
        assert_eq!(
            escaped("a|b `c`\n<script>&@me\\", 99),
            r"a\|b \`c\` &lt;script&gt;&amp;&#64;me\\"
        );
        assert_eq!(escaped("éé", 1), "é…");
    }

    #[test]
    fn code_is_fenced_by_more_backticks_than_it_contains() {
        for (text, shown) in [
            ("a < b", "`a < b`"),
            ("a|b", r"`a\|b`"),
            ("a``b", "```a``b```"),
            ("`", "`` ` ``"),
        ] {
            assert_eq!(code(text, 99), shown);
        }
    }
}
