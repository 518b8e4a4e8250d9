//! What every page is made of.

use super::untrusted::clipped;
use crate::report::judgement::{Judgement, Tone};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page's title, in characters.
const TITLE: usize = 200;

/// A whole page. `contents` are its sections' ids and headings.
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

/// What fills are told apart by where colours are not: stripes.
fn patterns() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                // In a canvas's units, of which a chart is a thousand high.
                pattern id="stripes" patternUnits="userSpaceOnUse" width="3000" height="24" {
                    rect class="ground" width="3000" height="24" {}
                    rect class="stripe" width="3000" height="10" {}
                }
                // In a key's.
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

/// A verdict that is not told by its colour alone.
pub fn pill(judgement: &Judgement) -> Markup {
    let (class, sign) = look(judgement.tone);
    html! {
        span class=(format!("pill {class}")) { span aria-hidden="true" { (sign) } " " (judgement.text) }
    }
}

/// The stylesheet's word, and a sign.
pub fn look(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Good => ("good", "✓"),
        Tone::Bad => ("bad", "✗"),
        Tone::Unsure => ("unsure", "!"),
        Tone::Plain => ("plain", "·"),
    }
}

/// A table whose rows each begin with what they are about.
pub struct Table {
    pub caption: String,
    /// The first is over the rows' names.
    pub columns: Vec<Markup>,
    pub rows: Vec<(Markup, Vec<Markup>)>,
    /// Whether cells are numbers.
    pub numbers: bool,
}

impl Table {
    pub fn render(&self) -> Markup {
        let class = if self.numbers { "numbers" } else { "words" };
        // A wide one is scrolled by itself, so the page never is; whoever has no mouse has to reach it for that.
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

/// Counts under their names, without those rare ones that are nothing everywhere.
pub fn counted<const N: usize>(
    names: [&'static str; N],
    always: usize,
    rows: &[[u64; N]],
) -> (Vec<Markup>, Vec<Vec<Markup>>) {
    let is_shown = |place: &usize| *place < always || rows.iter().any(|row| row[*place] > 0);
    let shown: Vec<_> = (0..N).filter(is_shown).collect();
    let cells = |row: &[u64; N]| texts(shown.iter().map(|place| row[*place].to_string()));
    (
        texts(shown.iter().map(|place| names[*place])),
        rows.iter().map(cells).collect(),
    )
}

pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<Markup> {
    texts.into_iter().map(text).collect()
}

pub fn text(text: impl Into<String>) -> Markup {
    let text: String = text.into();
    html! { (text) }
}

/// Terms and what they stand for.
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl class="facts" {
            @for (term, fact) in facts { div { dt { (term) } dd { (fact) } } }
        }
    }
}
