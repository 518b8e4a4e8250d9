//! Text for people: sentences that are wrapped, tables that are not, and verdicts in colour.

use super::judgement::Tone;
use anstyle::{AnsiColor, Style};
use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal;

/// The columns of a text if the variable `COLUMNS` does not say otherwise.
const WIDTH: usize = 80;

/// The fewest columns that `COLUMNS` can set.
const LEAST_WIDTH: usize = 40;

/// Further lines of a sentence are indented by at most the width divided by this.
const MOST_HANGING: usize = 2;

/// When verdicts are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal that has colours, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorChoice {
    /// Whether to use colours on this stream.
    pub fn colours(self, stream: &impl IsTerminal) -> bool {
        self.colours_if(stream.is_terminal(), |name| std::env::var_os(name))
    }

    /// The choice goes before the variables `NO_COLOR` (<https://no-color.org>), `CLICOLOR_FORCE` and `TERM`, in this order.
    /// An empty variable is ignored.
    fn colours_if(self, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR").is_some() => false,
            ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            ColorChoice::Auto => is_terminal && set("TERM").is_some_and(|term| term != "dumb"),
        }
    }
}

/// How a [`StyledText`] is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Display {
    /// The most columns of a line.
    pub width: usize,
    pub colours: bool,
}

impl Display {
    /// Without colours, and every sentence in one line.
    pub const PLAIN: Display = Display {
        width: usize::MAX,
        colours: false,
    };

    /// 80 columns, or as many as the variable `COLUMNS` says.
    pub fn new(colours: bool) -> Display {
        let columns = std::env::var("COLUMNS").ok();
        let columns = columns.and_then(|columns| columns.parse::<usize>().ok());
        let width = columns.filter(|columns| *columns >= LEAST_WIDTH);
        Display {
            width: width.unwrap_or(WIDTH),
            colours,
        }
    }
}

/// Lines and tables. It displays as [`Display::PLAIN`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StyledText(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Line(Line),
    Table(Table),
}

/// A line, of which words may have the tone of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// The parts of the text that have a tone, in bytes, in their order.
    tones: Vec<(Tone, std::ops::Range<usize>)>,
    /// The indentation of further lines if the text is wrapped; `None` if it never is.
    hanging: Option<usize>,
}

/// Columns of which the first is aligned to the left, and all others to the right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Line {
    /// A line that is never wrapped.
    pub fn fixed(text: impl Into<String>) -> Line {
        Line {
            text: text.into(),
            tones: Vec::new(),
            hanging: None,
        }
    }

    /// A line that may be wrapped. The further lines are indented by `hanging` blanks.
    pub fn sentence(text: impl Into<String>, hanging: usize) -> Line {
        Line {
            hanging: Some(hanging),
            ..Line::fixed(text)
        }
    }

    #[must_use]
    pub fn then(mut self, text: &str) -> Line {
        self.text.push_str(text);
        self
    }

    /// Adds a text that has a tone.
    #[must_use]
    pub(super) fn then_toned(mut self, tone: Tone, text: &str) -> Line {
        let from = self.text.len();
        self.text.push_str(text);
        self.tones.push((tone, from..self.text.len()));
        self
    }

    fn display(&self, display: Display, out: &mut String) {
        let breaks = self.breaks(display.width);
        let hanging = " ".repeat(self.indentation(display.width));
        let mut at = 0;
        for (number, end) in breaks.iter().copied().enumerate() {
            if number > 0 {
                out.push('\n');
                out.push_str(&hanging);
            }
            self.display_part(at..end, display.colours, out);
            // The blank at which the line is broken is left out.
            at = end + 1;
        }
    }

    /// The ends of the lines, in bytes.
    fn breaks(&self, width: usize) -> Vec<usize> {
        let mut breaks = Vec::new();
        if self.hanging.is_some() {
            let hanging = self.indentation(width);
            let indent = self.text.len() - self.text.trim_start().len();
            // The number of characters in the line so far, and the last blank in it.
            let (mut length, mut blank) = (0, None);
            for (at, character) in self.text.char_indices() {
                if character == ' ' && at >= indent {
                    blank = Some((at, length));
                }
                length += 1;
                if length > width
                    && let Some((place, before)) = blank.take()
                {
                    breaks.push(place);
                    length = hanging + (length - before - 1);
                }
            }
        }
        breaks.push(self.text.len());
        breaks
    }

    fn indentation(&self, width: usize) -> usize {
        self.hanging.unwrap_or(0).min(width / MOST_HANGING)
    }

    fn display_part(&self, part: std::ops::Range<usize>, colours: bool, out: &mut String) {
        let mut at = part.start;
        for (tone, range) in self.tones.iter().filter(|_| colours) {
            let (from, to) = (range.start.max(part.start), range.end.min(part.end));
            let style = style(*tone);
            if from >= to || style.is_plain() {
                continue;
            }
            out.push_str(&self.text[at..from]);
            out.push_str(&format!("{style}{}{style:#}", &self.text[from..to]));
            at = to;
        }
        out.push_str(&self.text[at..part.end]);
    }
}

/// These colours also differ for people who can't tell red from green, and the words say the same without them.
fn style(tone: Tone) -> Style {
    let colour = match tone {
        Tone::Good => AnsiColor::Green,
        Tone::Bad => AnsiColor::Red,
        Tone::Unsure => AnsiColor::Yellow,
        Tone::Plain => return Style::new(),
    };
    colour.on_default().bold()
}

/// The blanks before each row of a table.
const MARGIN: usize = 2;

impl Table {
    /// `header` has a name for each column.
    pub fn new(header: impl IntoIterator<Item = String>) -> Table {
        Table {
            rows: vec![header.into_iter().collect()],
        }
    }

    /// A row with a cell for each column.
    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// If the table is too wide, its columns move closer. If that is not enough, names that are too long have lines of
    /// their own.
    fn display(&self, width: usize, out: &mut String) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let length = |text: &String| text.chars().count();
        let widths = (0..columns).map(|column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(length).max().unwrap_or(0)
        });
        let widths: Vec<_> = widths.collect();
        let Some((names, numbers)) = widths.split_first() else {
            return;
        };
        let needed = |apart: usize| {
            let numbers = numbers.iter().map(|width| width + apart);
            MARGIN + numbers.sum::<usize>()
        };
        let fits = |apart: &usize| needed(*apart) + names <= width;
        let apart = [3, 2].into_iter().find(fits).unwrap_or(1);
        let names = (*names).min(width.saturating_sub(needed(apart)));
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            let Some((name, cells)) = row.split_first() else {
                continue;
            };
            let mut line = format!("{:MARGIN$}{name}", "");
            if length(name) > names {
                out.push_str(&line);
                out.push('\n');
                line = " ".repeat(MARGIN + names);
            } else {
                line.push_str(&" ".repeat(names - length(name)));
            }
            for (cell, width) in cells.iter().zip(numbers) {
                line.push_str(&format!("{:apart$}{cell:>width$}", ""));
            }
            out.push_str(line.trim_end());
        }
    }
}

impl StyledText {
    pub fn push(&mut self, line: Line) {
        self.0.push(Part::Line(line));
    }

    /// Adds the lines of another text.
    pub fn append(&mut self, other: StyledText) {
        self.0.extend(other.0);
    }

    /// Adds an empty line.
    pub fn blank(&mut self) {
        self.push(Line::fixed(""));
    }

    pub fn table(&mut self, table: Table) {
        self.0.push(Part::Table(table));
    }

    /// The lines, without a line end after the last one.
    pub fn display(&self, display: Display) -> String {
        let mut out = String::new();
        for (number, part) in self.0.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            match part {
                Part::Line(line) => line.display(display, &mut out),
                Part::Table(table) => table.display(display.width, &mut out),
            }
        }
        out
    }
}

impl fmt::Display for StyledText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display(Display::PLAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn displayed(line: Line, width: usize, colours: bool) -> String {
        let mut text = StyledText::default();
        text.push(line);
        text.display(Display { width, colours })
    }

    #[test]
    fn a_sentence_is_wrapped_between_words_and_a_fixed_line_never_is() {
        let text = "  one two three four five";
        let wrapped = "  one two\n    three\n    four\n    five";
        assert_eq!(displayed(Line::sentence(text, 4), 10, false), wrapped);
        assert_eq!(displayed(Line::fixed(text), 10, false), text);
        let text = "  a_word_without_blanks and more";
        let wrapped = "  a_word_without_blanks\n    and more";
        assert_eq!(displayed(Line::sentence(text, 4), 12, false), wrapped);
    }

    #[test]
    fn every_word_is_displayed_within_the_width_whatever_the_width() {
        let text =
            "  µs are micro seconds, and ×30 is thirty times: a sentence that is longer than most";
        for width in 20..100 {
            let shown = displayed(Line::sentence(text, 6), width, false);
            let widest = shown.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{width}\n{shown}");
            let words: Vec<_> = shown.split_whitespace().collect();
            assert_eq!(words.join(" "), text.trim_start(), "{width}");
        }
    }

    #[test]
    fn without_colours_a_text_is_the_same_as_with_its_escapes_removed() {
        let line = |text| {
            Line::sentence(text, 4)
                .then_toned(Tone::Bad, "the limit was broken")
                .then(" and ")
                .then_toned(Tone::Plain, "nothing else")
                .then_toned(Tone::Good, " kept")
        };
        for width in 8..60 {
            let coloured = displayed(line("  Verdict: "), width, true);
            let mut plain = String::new();
            let mut parts = coloured.split("\x1b[");
            plain.push_str(parts.next().unwrap());
            for part in parts {
                plain.push_str(part.split_once('m').unwrap().1);
            }
            assert_eq!(plain, displayed(line("  Verdict: "), width, false));
        }
        let coloured = displayed(line(""), 80, true);
        let expected = "\x1b[1m\x1b[31mthe limit was broken\x1b[0m and nothing else\x1b[1m\x1b[32m kept\x1b[0m";
        assert_eq!(coloured, expected);
    }

    #[test]
    fn a_table_fits_even_if_its_names_need_lines_of_their_own() {
        let mut table = Table::new(["target", "sent", "p99"].map(str::to_owned));
        table.push(["http://node-1:8000", "12", "1.25 ms"].map(str::to_owned));
        table.push(["short", "3", "-"].map(str::to_owned));
        let mut text = StyledText::default();
        text.table(table);
        let shown = |width| {
            text.display(Display {
                width,
                colours: false,
            })
        };
        let wide = "  \
  target               sent       p99
  http://node-1:8000     12   1.25 ms
  short                   3         -";
        assert_eq!(shown(80), wide);
        let close = "  \
  target             sent     p99
  http://node-1:8000   12 1.25 ms
  short                 3       -";
        assert_eq!(shown(34), close);
        let broken = "  \
  target         sent     p99
  http://node-1:8000
                   12 1.25 ms
  short             3       -";
        assert_eq!(shown(29), broken);
    }

    #[test]
    fn the_choice_goes_before_the_environment_and_no_color_before_the_rest() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, is_terminal, variables, colours) in [
            (Auto, true, &[("TERM", "xterm")][..], true),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[], false),
            (Auto, false, &[("TERM", "xterm")], false),
            (Auto, true, &[("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (Auto, true, &[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (
                Auto,
                false,
                &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
                false,
            ),
            (Always, false, &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
            (
                Never,
                true,
                &[("CLICOLOR_FORCE", "1"), ("TERM", "xterm")],
                false,
            ),
        ] {
            let variable = |name: &str| {
                let value = variables.iter().find(|(of, _)| *of == name);
                value.map(|(_, value)| OsString::from(value))
            };
            let is = choice.colours_if(is_terminal, variable);
            assert_eq!(is, colours, "{choice:?} {is_terminal} {variables:?}");
        }
    }
}
