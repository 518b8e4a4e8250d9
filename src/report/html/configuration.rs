use super::document::{Section, Table, facts, text, texts};
use super::untrusted::{Untrusted, clipped};
use crate::base::text::count;
use crate::core::summary::{Configuration, Setting, Source, Summary, as_typed};
use maud::{Markup, html};

/// The longest command that a page shows, in characters.
const COMMAND: usize = 100_000;
/// The most values of one option that are listed, and the most options.
const VALUES: usize = 50;
const OPTIONS: usize = 300;

pub fn section(summary: &Summary) -> Section {
    of(&summary.configuration)
}

/// The section on a configuration.
pub fn of(of: &Configuration) -> Section {
    let body = html! {
        h3 { "The command that repeats the run" }
        (command(of))
        (facts(&[
            ("traffic", html! { (Untrusted::sentence(&of.traffic)) }),
            ("requests", html! { (Untrusted::sentence(&of.requests)) }),
            ("keys", html! { (Untrusted::sentence(&of.keys)) }),
            ("seed", text(of.seed.to_string())),
        ]))
        h3 { "Settings" }
        (settings(&of.settings))
    };
    Section {
        id: "configuration",
        heading: "Configuration",
        body,
    }
}

/// Every option, with those that were given first.
pub fn settings(all: &[Setting]) -> Markup {
    let (default, given): (Vec<_>, Vec<_>) = all
        .iter()
        .take(OPTIONS)
        .partition(|setting| setting.source == Source::Default);
    html! {
        @if given.is_empty() {
            p class="empty" { "All options have their defaults." }
        } @else {
            (table("Options that were given", &given).render())
        }
        @if !default.is_empty() {
            details {
                summary { (count(default.len() as u64, "option has its default", "options have their defaults")) }
                (table("Options that have their defaults", &default).render())
            }
        }
    }
}

/// The command that repeats the run.
pub fn command(of: &Configuration) -> Markup {
    html! {
        pre tabindex="0" aria-label="The command that repeats the run" { code { (clipped(&of.command, COMMAND)) } }
        @if of.command.chars().nth(COMMAND).is_some() {
            p class="note" { "The command is too long for this page. The summary in JSON has all of it." }
        }
        @if let Some(variables) = of.needed_variables() {
            p class="note" { (Untrusted::sentence(&variables)) }
        }
    }
}

fn table(caption: &str, settings: &[&Setting]) -> Table {
    let row = |setting: &&Setting| {
        let source = match setting.source {
            Source::Flag => "flag",
            Source::Variable => "variable",
            Source::Default => "default",
        };
        let cells = vec![values(&setting.values), text(source)];
        (
            html! { code { (Untrusted::name(&as_typed(&setting.option))) } },
            cells,
        )
    };
    Table {
        caption: caption.to_owned(),
        columns: texts(["option", "value", "from"]),
        rows: settings.iter().map(row).collect(),
        numbers: false,
    }
}

/// The values, one per line.
pub fn values(values: &[String]) -> Markup {
    html! {
        @if values.is_empty() { "-" }
        @for (number, value) in values.iter().take(VALUES).enumerate() {
            @if number > 0 { br; }
            code { (Untrusted::sentence(value)) }
        }
        @if values.len() > VALUES { br; "and " (values.len() - VALUES) " more" }
    }
}
