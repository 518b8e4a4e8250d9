//! The parts that every page is made of.

use super::untrusted::{clipped, sentence};
use crate::base::Ledger;
use crate::report::judgement::{Judgement, Tone};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The longest title of a page, in characters.
const TITLE: usize = 200;

/// A whole page. `contents` are the ids and headings of its sections.
pub fn document(
    title: &str,
    contents: &[(&str, &str)],
    header: &Markup,
    main: &Markup,
    footer: &Markup,
) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (clipped(title, TITLE)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (patterns())
                header { (header) }
                nav aria-label="Contents" {
                    ul { @for (id, heading) in contents { li { a href=(format!("#{id}")) { (heading) } } } }
                }
                main { (main) }
                footer { (footer) }
            }
        }
    };
    page.into_string()
}

/// Stripes, by which fills differ for readers who cannot tell their colours apart.
fn patterns() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                // In a chart's units: it is 1000 high.
                pattern id="stripes" patternUnits="userSpaceOnUse" width="3000" height="24" {
                    rect class="ground" width="3000" height="24" {}
                    rect class="stripe" width="3000" height="10" {}
                }
                pattern id="bars-upright" patternUnits="userSpaceOnUse" width="24" height="3000" {
                    rect class="bars-ground" width="24" height="3000" {}
                    rect class="bars-stripe" width="8" height="3000" {}
                }
                pattern id="bars-upright-of-a-key" patternUnits="userSpaceOnUse" width="6" height="32" {
                    rect class="bars-ground" width="6" height="32" {}
                    rect class="bars-stripe" width="2" height="32" {}
                }
                // In the units of a legend's key.
                pattern id="stripes-of-a-key" patternUnits="userSpaceOnUse" width="32" height="6" {
                    rect class="ground" width="32" height="6" {}
                    rect class="stripe" width="32" height="2.5" {}
                }
            }
        }
    }
}

/// A part of a page, with its heading.
pub struct Section {
    pub id: &'static str,
    pub heading: &'static str,
    pub body: Markup,
}

impl Section {
    pub fn render(&self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.heading) }
                (self.body)
            }
        }
    }
}

/// A verdict with a sign, so that its meaning does not depend on its colour.
pub fn pill(judgement: &Judgement) -> Markup {
    let (class, sign) = look(judgement.tone);
    html! {
        span class=(format!("pill {class}")) { span aria-hidden="true" { (sign) } " " (sentence(&judgement.text)) }
    }
}

/// The class in the stylesheet, and a sign.
pub fn look(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Good => ("good", "✓"),
        Tone::Bad => ("bad", "✗"),
        Tone::Unsure => ("unsure", "!"),
        Tone::Plain => ("plain", "·"),
    }
}

/// A table whose rows begin with a name.
pub struct Table {
    pub caption: String,
    /// The headings. The first one stands above the rows' names.
    pub columns: Vec<Markup>,
    pub rows: Vec<(Markup, Vec<Markup>)>,
    /// The cells are numbers and aligned as such.
    pub numbers: bool,
}

impl Table {
    pub fn render(&self) -> Markup {
        let class = if self.numbers { "numbers" } else { "words" };
        // A wide table scrolls by itself, so that the page does not. `tabindex` lets the keyboard scroll it.
        html! {
            div class="scroll" tabindex="0" role="group" aria-label=(self.caption) {
                table class=(class) {
                    caption { (self.caption) }
                    thead { tr { @for column in &self.columns { th scope="col" { (column) } } } }
                    tbody {
                        @for (name, cells) in &self.rows {
                            tr { th scope="row" { (name) } @for cell in cells { td { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

/// A table, and what has to be known to read it.
pub fn noted(table: &Table, note: Option<String>) -> Markup {
    html! {
        (table.render())
        @if let Some(note) = note { p class="note" { (note) } }
    }
}

/// The columns of a table of ledgers, and their cells in each row. Columns of rare outcomes are left out if they are 0 in
/// every row.
pub fn ledger_columns<'a>(
    ledgers: impl Iterator<Item = &'a Ledger>,
) -> (Vec<Markup>, Vec<Vec<Markup>>) {
    type Count = fn(&Ledger) -> u64;
    const COLUMNS: [(&str, bool, Count); 7] = [
        ("sent", true, |ledger| ledger.sent),
        ("allowed", true, |ledger| ledger.allowed),
        ("blocked", true, |ledger| ledger.blocked),
        ("failed", true, |ledger| ledger.failed),
        ("abandoned", false, |ledger| ledger.abandoned),
        ("dropped", false, |ledger| ledger.dropped),
        ("unsent", false, |ledger| ledger.unsent),
    ];
    let ledgers: Vec<_> = ledgers.collect();
    let is_shown = |(_, always, count): &&(_, bool, Count)| {
        *always || ledgers.iter().any(|ledger| count(ledger) > 0)
    };
    let shown: Vec<_> = COLUMNS.iter().filter(is_shown).collect();
    let cells = |ledger: &&Ledger| texts(shown.iter().map(|(.., count)| count(ledger).to_string()));
    (
        texts(shown.iter().map(|(name, ..)| *name)),
        ledgers.iter().map(cells).collect(),
    )
}

pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<Markup> {
    texts.into_iter().map(text).collect()
}

pub fn text(text: impl Into<String>) -> Markup {
    let text: String = text.into();
    html! { (text) }
}

/// Terms with their facts.
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl class="facts" {
            @for (term, fact) in facts { div { dt { (term) } dd { (fact) } } }
        }
    }
}
