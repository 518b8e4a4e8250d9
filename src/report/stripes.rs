//! How each stripe of a merged result went.

use super::judgement::Tone;
use super::styled_text::{Line, StyledText, Table};
use crate::base::Nanos;
use crate::base::text::{count, span, whole_seconds};
use crate::core::summary::{MergedStripe, MergedSummary, Summary};

/// The most stripes that are printed.
const ROWS: usize = 100;

/// The names of the columns. Each has a [cell](cells) in every row.
pub(super) const COLUMNS: [&str; 9] = [
    "stripe",
    "scheduled",
    "sent",
    "late",
    "dropped",
    "unsent",
    "lag p99",
    "lag max",
    "clock ±",
];

/// The cells of a stripe's row, without what is remarkable about it.
pub(super) fn cells(stripe: &MergedStripe) -> [String; 9] {
    let lag = |ns: u64| match ns {
        0 => "-".to_owned(),
        ns => span(Nanos(ns)),
    };
    [
        stripe.index.to_string(),
        stripe.scheduled.to_string(),
        stripe.sent.to_string(),
        stripe.late.to_string(),
        stripe.dropped.to_string(),
        stripe.unsent.saturating_add(stripe.unreached).to_string(),
        lag(stripe.send_lag_p99_ns),
        lag(stripe.send_lag_max_ns),
        match stripe.clock_error_ns {
            Some(error) => span(Nanos(error)),
            None => "unknown".to_owned(),
        },
    ]
}

/// What is remarkable about a stripe, in a few words. Empty if nothing is.
pub(super) fn remarks(stripe: &MergedStripe) -> String {
    let mut remarks = Vec::new();
    if stripe.missed > 0 {
        let missed = count(stripe.missed, "request", "requests");
        remarks.push(format!(
            "joined late, and another process may have sent the {missed} before"
        ));
    }
    if stripe.interrupted {
        let at = whole_seconds(Nanos(stripe.paced_ns));
        remarks.push(format!("stopped at {at}"));
    }
    if stripe.suspended_ns > 0 {
        let time = span(Nanos(stripe.suspended_ns));
        remarks.push(format!("suspended for {time}"));
    }
    if !stripe.kept {
        remarks.push("did not keep its schedule".to_owned());
    }
    if stripe.exit_code != 0 {
        remarks.push(format!("exited with {}", stripe.exit_code));
    }
    let remarks = remarks.join("; ");
    match stripe.unreached {
        _ if !stripe.interrupted => remarks,
        0 => remarks,
        1 => {
            format!("{remarks}. Its only request due before the last stripe ended counts as unsent")
        }
        requests => format!(
            "{remarks}. Its {requests} requests due before the last stripe ended count as unsent"
        ),
    }
}

/// The heading of `loadgen merge`.
pub fn merge_heading(summary: &Summary) -> StyledText {
    let configuration = &summary.configuration;
    let mut rows = vec![
        ("targets", configuration.targets.join(", ")),
        ("traffic", configuration.traffic.clone()),
    ];
    if let Some(merged) = &summary.merged {
        let (there, of) = (merged.stripes.len(), merged.of);
        rows.push(("stripes", format!("{there} of {of}")));
        rows.push(("start", format!("{}; plan {}", merged.start, merged.plan)));
    }
    rows.push(("requests", configuration.requests.clone()));
    rows.push((
        "keys",
        format!("{}, seed {}", configuration.keys, configuration.seed),
    ));
    super::heading::titled("loadgen merge", rows, &[])
}

/// A row for each stripe, the missing stripes, and the events of all.
pub(super) fn stripes(text: &mut StyledText, merged: &MergedSummary) {
    let mut table = Table::new(COLUMNS.into_iter().map(str::to_owned));
    let shown = merged.stripes.iter().take(ROWS);
    for stripe in shown.clone() {
        table.push(cells(stripe));
    }
    text.table(table);
    if merged.stripes.len() > ROWS {
        let more = merged.stripes.len() - ROWS;
        text.push(Line::fixed(format!("  and {more} more stripes")));
    }
    for stripe in shown {
        let remarks = remarks(stripe);
        if !remarks.is_empty() {
            let line = format!("  stripe {} ({}) {remarks}", stripe.index, stripe.file);
            text.push(Line::sentence(line, 4));
        }
    }
    if let Some(missing) = merged.missing_stripes() {
        text.push(Line::sentence("  ", 4).then_toned(Tone::Unsure, &missing));
    }
    if !merged.events.is_empty() {
        for event in merged.events.iter().take(ROWS) {
            text.push(Line::sentence(format!("  {}", event.in_words()), 4));
        }
        text.push(Line::sentence(format!("  {EVENTS}"), 4));
    }
}

/// The sentence below the events.
pub(super) const EVENTS: &str = "What events did to the answers is not merged. The summary of each stripe has it for the requests of that stripe.";
