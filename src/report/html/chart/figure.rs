use super::axis::Tick;
use super::mark::labels;
use super::plot::Plot;
use super::style::{Paint, Style};
use maud::{Markup, PreEscaped, html};

/// A chart with its title, legend, labels and table.
pub struct Figure {
    pub title: Markup,
    /// A sentence with numbers that describes the chart to readers who cannot see it.
    pub said: String,
    pub keys: Vec<Key>,
    pub plot: Plot,
    /// The name of the horizontal axis; empty if its ticks speak for themselves.
    pub across: &'static str,
    /// The chart's numbers as a table, unless one stands beside the chart.
    pub table: Option<Markup>,
    pub size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Full,
    /// One of several charts beside each other.
    Small,
}

/// An entry of a legend.
pub struct Key {
    pub style: Style,
    pub paint: Paint,
    pub name: Markup,
}

impl Key {
    pub fn line(style: Style, name: impl Into<String>) -> Key {
        let name: String = name.into();
        Key {
            style,
            paint: Paint::Line,
            name: html! { (name) },
        }
    }

    pub fn fill(style: Style, name: impl Into<String>) -> Key {
        Key {
            paint: Paint::Fill,
            ..Key::line(style, name)
        }
    }

    fn swatch(&self) -> Markup {
        let path = match self.paint {
            Paint::Line => "M1 7H31",
            Paint::Fill => "M1 1H31V13H1Z",
        };
        let class = self.paint.class(self.style);
        html! {
            svg class="key" viewBox="0 0 32 14" aria-hidden="true" focusable="false" {
                path class=(class) d=(path) {}
            }
        }
    }
}

/// The legend of one or more charts.
pub fn legend(keys: &[Key]) -> Markup {
    html! {
        ul class="legend" {
            @for key in keys {
                li { (key.swatch()) " " (key.name) }
            }
        }
    }
}

impl Figure {
    pub fn render(&self) -> Markup {
        let Plot { x, y, .. } = &self.plot;
        let gutter = y.ticks.iter().map(|tick| tick.label.chars().count());
        // Digits are one `ch` wide, and few characters are wider.
        let gutter = gutter.max().unwrap_or(0) + 1;
        let class = match self.size {
            Size::Full => "chart",
            Size::Small => "chart small",
        };
        let marks: Vec<_> = x
            .marks
            .iter()
            .map(|mark| (x.place(mark.at), mark))
            .collect();
        let labels = labels(&marks);
        let shown = |tick: &Tick| if tick.always { "tick" } else { "tick wide" };
        html! {
            figure class=(class) {
                figcaption { (self.title) }
                @if !self.keys.is_empty() { (legend(&self.keys)) }
                div class="plot" role="img" aria-label=(self.said) style=(format!("--gutter:{gutter}ch")) {
                    @if !labels.is_empty() {
                        div class="marks" {
                            @for label in &labels {
                                span title=(label.names) style=(format!("left:{}%", percent(label.left))) { (label.text) }
                            }
                        }
                    }
                    div class="upwards" {
                        @for tick in &y.ticks {
                            span style=(format!("top:{}%", percent(1.0 - y.place(tick.at)))) { (tick.label) }
                        }
                    }
                    div class="area" { (PreEscaped(self.plot.svg())) }
                    div class="across" {
                        @for tick in &x.ticks {
                            span class=(shown(tick)) style=(format!("left:{}%", percent(x.place(tick.at)))) { (tick.label) }
                        }
                    }
                    @if !self.across.is_empty() { div class="name" { (self.across) } }
                }
                @if let Some(table) = &self.table {
                    details { summary { "Show as a table" } (table) }
                }
            }
        }
    }
}

/// A share as a percentage with two decimals.
fn percent(place: f64) -> f64 {
    (place * 10_000.0).round() / 100.0
}
