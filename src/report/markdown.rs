//! A summary as Markdown, for the page of a CI job or a pull request.

use super::failure_kinds::{by_kind, sorted};
use super::format::{Format, Written, any_name};
use super::html::clipped;
use super::judgement::{Judgement, Tone, audit, headline, schedule, threshold, thresholds};
use super::percentiles::{distributions, span_of};
use super::worst_targets::worst_targets;
use crate::base::Nanos;
use crate::base::text::{count, rate, share};
use crate::core::exit_code;
use crate::core::summary::{Audit, Summary};
use std::fmt::{self, Write};

pub const FORMAT: Format = Format {
    option: "summary-markdown",
    help: "Write the summary as Markdown, for a pull request or the page of a CI job",
    takes_dash: false,
    check_name: any_name,
    written: Written::AtTheEnd {
        render: markdown,
        has_timeline: false,
    },
};

/// The longest that it may become, in bytes: a sixteenth of what GitHub takes for a step.
const LONGEST: usize = 64 * 1024;
/// As many rows as a table has.
const ROWS: usize = 40;
/// A name's length, and a sentence's, in characters.
const NAME: usize = 100;
const SENTENCE: usize = 600;
/// The command's, in bytes. It is left out rather than cut.
const COMMAND: usize = 12 * 1024;

/// The verdicts first, then what they are made of. At most 64 KiB, whatever the summary.
pub fn markdown(summary: &Summary) -> String {
    let parts: [Part; 8] = [
        verdicts,
        numbers,
        percentiles,
        targets,
        limits,
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

type Part = fn(&mut String, &Summary) -> fmt::Result;

const LEFT_OUT: &str = "\nThe rest is left out: it is too long for here.\n";

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Bad => "❌",
        Tone::Unsure => "⚠️",
        Tone::Plain => "ℹ️",
    }
}

fn verdicts(out: &mut String, summary: &Summary) -> fmt::Result {
    let all = headline(summary);
    writeln!(
        out,
        "## {} {}\n",
        sign(all.tone),
        escaped(&all.text, SENTENCE)
    )?;
    let mut line = |name: &str, judgement: &Judgement, said: &str| {
        let said = match said.is_empty() {
            true => String::new(),
            false => format!(": {}", escaped(said, SENTENCE)),
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
    if let Some(judgement) = thresholds(&summary.thresholds) {
        line("thresholds", &judgement, "")?;
    }
    line("schedule", &schedule(summary), &summary.schedule.reason())?;
    if let Some(threshold) = &summary.run.aborted_by {
        let text = code(threshold, NAME);
        writeln!(
            out,
            "- ⚠️ stopped early, since this could no longer be met: {text}"
        )?;
    } else if summary.run.interrupted {
        writeln!(out, "- ⚠️ stopped before its end")?;
    }
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
    let mean = rate(of.sent, Nanos(summary.run.paced_ns));
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

fn percentiles(out: &mut String, summary: &Summary) -> fmt::Result {
    writeln!(out, "| | p50 | p90 | p99 | p99.9 | max |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for (name, of) in distributions(summary) {
        write!(out, "| {name} |")?;
        for ns in [of.p50_ns, of.p90_ns, of.p99_ns, of.p99_9_ns, of.max_ns] {
            write!(out, " {} |", span_of(of, ns))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn targets(out: &mut String, summary: &Summary) -> fmt::Result {
    let all = summary.targets.len();
    let shown = worst_targets(&summary.targets, ROWS);
    writeln!(
        out,
        "| target | sent | allowed | blocked | failed | p50 | p99 | failures |"
    )?;
    writeln!(
        out,
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    )?;
    for place in &shown {
        let target = &summary.targets[*place];
        let (of, latency) = (&target.requests, &target.latency);
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            escaped(&target.name, NAME),
            of.sent,
            of.allowed,
            of.blocked,
            of.failed,
            span_of(latency, latency.p50_ns),
            span_of(latency, latency.p99_ns),
            escaped(&by_kind(&target.failures, 3), NAME),
        )?;
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

fn failures(out: &mut String, summary: &Summary) -> fmt::Result {
    let kinds = sorted(&summary.failures);
    if kinds.is_empty() {
        return writeln!(out, "No request failed.\n");
    }
    writeln!(
        out,
        "| failed | requests | of all failed |\n| --- | ---: | ---: |"
    )?;
    for (kind, number) in kinds.iter().take(ROWS) {
        let of_all = share(*number, summary.requests.failed);
        writeln!(out, "| {} | {number} | {of_all} |", escaped(kind, NAME))?;
    }
    writeln!(out)
}

fn findings(out: &mut String, summary: &Summary) -> fmt::Result {
    let Some(audit) = &summary.audit else {
        return Ok(());
    };
    let Audit {
        promises,
        findings,
        signs,
        remarks,
        ..
    } = audit;
    let said = match findings.len() {
        0 => "Audit: each promise".to_owned(),
        some => format!("Audit: {}", count(some as u64, "finding", "findings")),
    };
    // After the blank line it is Markdown again.
    writeln!(out, "<details><summary>{said}</summary>\n")?;
    for promise in promises.iter().take(ROWS) {
        let (name, why) = (&promise.promise, &promise.statement);
        writeln!(out, "- {}: {}", escaped(name, NAME), escaped(why, SENTENCE))?;
    }
    writeln!(out)?;
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
    for line in signs.iter().chain(remarks).take(10) {
        writeln!(out, "\n{}", escaped(line, SENTENCE))?;
    }
    writeln!(out, "\n</details>\n")
}

fn command(out: &mut String, summary: &Summary) -> fmt::Result {
    let command = &summary.configuration.command;
    if command.len() > COMMAND {
        return writeln!(out, "The command that repeats it is too long for here.");
    }
    // Longer than any row of backticks in it.
    let fence = "`".repeat(longest_row(command).max(2) + 1);
    writeln!(
        out,
        "The command that repeats it:\n\n{fence}sh\n{command}\n{fence}\n"
    )?;
    writeln!(
        out,
        "loadgen {}, {} to {}",
        escaped(&summary.loadgen.version, NAME),
        escaped(&summary.run.started, NAME),
        escaped(&summary.run.ended, NAME),
    )
}

/// Of backticks.
fn longest_row(text: &str) -> usize {
    let rows = text.split(|c| c != '`').map(str::len);
    rows.max().unwrap_or(0)
}

/// Text that is shown as it is: of one line, in a table or outside of it.
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
            // A mention would call somebody.
            '@' => shown.push_str("&#64;"),
            c => shown.push(c),
        }
    }
    shown
}

/// Text as code, of one line, in a table or outside of it.
fn code(text: &str, most: usize) -> String {
    let text = clipped(text, most).replace(['\n', '\t'], " ");
    let fence = "`".repeat(longest_row(&text) + 1);
    // In code all but the bar of a table stands for itself; a space keeps backticks off the fence.
    let text = text.replace('|', "\\|");
    let space = match text.starts_with('`') || text.ends_with('`') {
        true => " ",
        false => "",
    };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_neither_a_table_nor_html_nor_code() {
        assert_eq!(
            escaped("a|b `c`\n<script>&@me\\", 99),
            r"a\|b \`c\` &lt;script&gt;&amp;&#64;me\\"
        );
        assert_eq!(escaped("éé", 1), "é…");
    }

    #[test]
    fn code_is_fenced_by_more_backticks_than_are_in_it() {
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
