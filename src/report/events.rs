//! The events of a run, and the times in which targets failed, as text.

use super::judgement::Tone;
use super::styled_text::{Line, StyledText, Table};
use crate::base::Nanos;
use crate::base::text::{count, printable, seconds, span};
use crate::core::summary::{EffectSummary, EventSummary, SpanSummary, Summary};

/// The most events that are printed. All of them are in the summary's JSON.
const EVENTS: usize = 20;

/// The most targets of an event that have rows of their own.
const TARGETS: usize = 10;

/// The most outages that are printed.
const OUTAGES: usize = 10;

/// The most lines of the output of a command that failed.
const OUTPUT: usize = 5;

/// Each event with what it did, and then the times in which targets failed without one.
pub(super) fn events(text: &mut StyledText, summary: &Summary) {
    for event in summary.events.iter().take(EVENTS) {
        text.blank();
        one_event(text, event);
    }
    more(text, summary.events.len(), EVENTS, "event", "events");
    let does_nothing_else = |name: &String| {
        let target = summary.targets.iter().find(|target| target.name == *name);
        target.is_some_and(|target| target.requests.failed == target.requests.sent)
    };
    let outages = summary
        .outages
        .iter()
        .filter(|outage| outage.event.is_none() && !outage.targets.iter().all(does_nothing_else));
    let outages: Vec<_> = outages.collect();
    if outages.is_empty() {
        return;
    }
    text.blank();
    for outage in outages.iter().take(OUTAGES) {
        let line = format!("  outage: {}", outage.statement);
        text.push(Line::sentence(line, 4));
    }
    more(text, outages.len(), OUTAGES, "outage", "outages");
}

fn more(text: &mut StyledText, all: usize, shown: usize, one: &str, many: &str) {
    if all > shown {
        let more = count((all - shown) as u64, one, many);
        text.push(Line::fixed(format!("  and {more} more")));
    }
}

fn one_event(text: &mut StyledText, event: &EventSummary) {
    let at = seconds(Nanos(event.began_ns));
    let title = format!("  event at {at}: {}", event.title());
    let mut line = Line::sentence(title, 4);
    if let Some(command) = &event.command {
        let took = command.ended_ns.map(|ended| {
            let took = Nanos(ended.saturating_sub(event.began_ns));
            format!(" after {}", span(took))
        });
        let took = took.unwrap_or_default();
        line = line.then(&format!(": `{}`, ", printable(&command.text)));
        line = match &command.error {
            None => line.then(&format!("exit code 0{took}")),
            Some(error) => line.then_toned(Tone::Bad, &format!("{error}{took}")),
        };
    }
    text.push(line);
    if let Some(command) = event.command.as_ref().filter(|one| one.error.is_some()) {
        let lines: Vec<_> = command.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(OUTPUT)..] {
            text.push(Line::fixed(format!("    | {}", printable(line))));
        }
    }
    if event.statements.is_empty() {
        return;
    }
    for statement in &event.statements {
        text.push(Line::sentence(format!("    {statement}"), 6));
    }
    if event.effect.during.sent > 0 {
        numbers(text, event);
    }
}

/// The requests before, during and after an event, in all, and of each target on which it had another effect than on others.
fn numbers(text: &mut StyledText, event: &EventSummary) {
    let effects =
        || std::iter::once(&event.effect).chain(event.targets.iter().map(|one| &one.effect));
    let spans = |of: fn(&SpanSummary) -> bool| {
        effects().any(|effect| {
            let after = effect.after.as_ref();
            [Some(&effect.before), Some(&effect.during), after]
                .into_iter()
                .flatten()
                .any(of)
        })
    };
    let columns = Columns {
        beyond: spans(|one| one.admitted_beyond.is_some()),
        failing_open: spans(|one| one.failing_open > 0),
    };
    let mut table = Table::new(columns.names());
    columns.push(&mut table, "  before", &event.effect.before);
    columns.push(&mut table, "  during", &event.effect.during);
    if let Some(after) = &event.effect.after {
        columns.push(&mut table, "  after", after);
    }
    let differs = |effect: &EffectSummary| {
        (effect.failed, effect.is_slow) != (event.effect.failed, event.effect.is_slow)
    };
    if event.targets.len() <= TARGETS && event.targets.iter().any(|one| differs(&one.effect)) {
        for target in &event.targets {
            columns.push(
                &mut table,
                &format!("  during, {}", target.name),
                &target.effect.during,
            );
        }
    }
    text.table(table);
}

/// The columns beside those of every table.
struct Columns {
    beyond: bool,
    failing_open: bool,
}

impl Columns {
    fn names(&self) -> impl Iterator<Item = String> {
        let mut names = vec!["", "sent", "allowed", "blocked", "failed"];
        names.extend(self.beyond.then_some("too many"));
        names.extend(self.failing_open.then_some("marked open"));
        names.extend(["p50", "p99"]);
        names.into_iter().map(str::to_owned)
    }

    fn push(&self, table: &mut Table, name: &str, of: &SpanSummary) {
        let mut row = vec![name.to_owned()];
        let counts = [of.sent, of.allowed, of.blocked, of.failed];
        row.extend(counts.map(|count| count.to_string()));
        if self.beyond {
            let beyond = of.admitted_beyond.map(|count| count.to_string());
            row.push(beyond.unwrap_or_else(|| "-".to_owned()));
        }
        row.extend(self.failing_open.then(|| of.failing_open.to_string()));
        for nanos in [of.latency_p50_ns, of.latency_p99_ns] {
            row.push(nanos.map_or("-".to_owned(), |nanos| span(Nanos(nanos))));
        }
        table.push(row);
    }
}
