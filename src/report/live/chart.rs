//! A chart of the last minutes: the rates of allowed, blocked and failed requests, one on top of the other.

use super::rates::{Counts, Parts, Rates};
use super::theme::{Outcome, Theme};
use crate::base::text::per_second;
use crate::report::duration::in_two_units;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Widget;

/// The fewest rows that show something: the legend, two of bars, and the line below them.
pub const LEAST: u16 = 4;
/// The number of rows that show a burst clearly.
pub const GOOD: u16 = 8;
pub const MOST: u16 = 24;

/// The width of the rates beside the bars: three digits and a decimal point, or a whole number, and the axis.
const MARGIN: u16 = 9;

/// A cell filled from below by so many eighths.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub fn draw(rates: &Rates, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let below = if area.height > LEAST + 1 { 2 } else { 1 };
    let rows = [1, area.height.saturating_sub(1 + below), below].map(Constraint::Length);
    let rows = Layout::vertical(rows).split(area);
    let columns = Layout::horizontal([Constraint::Length(MARGIN), Constraint::Fill(1)]);
    let [margin, bars] = columns.areas(rows[1]);

    let parts = rates.parts(bars.width.into());
    let known = || parts.rates.iter().flatten();
    let highest = known().map(|rates| rates.answered().max(rates.due));
    let top = match highest.fold(0.0, f64::max) {
        0.0 => 1.0,
        highest => top(highest),
    };
    legend(known().last(), parts.step, theme).render(rows[0], buffer);
    rate_axis(top, bars.height)
        .style(theme.faint())
        .render(margin, buffer);
    for (place, rates) in bars.columns().zip(&parts.rates) {
        if let Some(rates) = rates {
            bar(rates, top, theme, place, buffer);
        }
    }
    time_axis(&parts, bars.width)
        .style(theme.faint())
        .render(rows[2], buffer);
}

fn rate_axis(top: f64, rows: u16) -> Text<'static> {
    let line = |row: u16| match row {
        0 => format!("{:>7} ┤", per_second(top)),
        row if row == rows / 2 && rows > 3 => format!("{:>7} ┤", per_second(top / 2.0)),
        _ => format!("{:>7} │", ""),
    };
    Text::from_iter((0..rows).map(line))
}

/// The line below the bars, with a tick at every 15th part, and below it the times of the ticks.
fn time_axis(parts: &Parts, width: u16) -> Text<'static> {
    const EVERY: u64 = 15;
    let mut line = format!("{:>7} └", "");
    let mut times = format!("{:>7}  ", "");
    for column in 0..width {
        let at = parts.from + u64::from(column) * parts.step;
        let time = in_two_units(at);
        let fits = usize::from(column) + time.len() <= width.into();
        let is_marked = fits && at.is_multiple_of(EVERY * parts.step);
        line.push(if is_marked { '┬' } else { '─' });
        if is_marked {
            let indent = usize::from(MARGIN + column);
            times = format!("{times:indent$}{time}");
        }
    }
    Text::from_iter([line, times])
}

fn legend(latest: Option<&Counts>, step: u64, theme: Theme) -> Line<'static> {
    let latest = latest.copied().unwrap_or_default();
    let each = [latest.allowed, latest.blocked, latest.failed];
    let mut spans = Vec::new();
    for (outcome, rate) in Outcome::ALL.into_iter().zip(each) {
        let colour = Style::new().fg(outcome.colour(theme));
        spans.push(Span::styled(outcome.block(theme), colour));
        let rate = per_second(to_a_tenth(rate));
        spans.push(Span::raw(format!(" {} {rate:<10}", outcome.name())));
    }
    spans.push(Span::styled("╌ due", theme.faint()));
    if step > 1 {
        let step = format!("   {step} s per column");
        spans.push(Span::styled(step, theme.faint()));
    }
    Line::from(spans)
}

/// Rates are means over seconds: further digits mean nothing.
pub fn to_a_tenth(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// The next higher round rate. A rate may exceed it by 3 %, since rates vary by chance.
fn top(highest: f64) -> f64 {
    const ROUND: [f64; 11] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let least = (highest * 0.97).max(0.001);
    let decade = 10f64.powf(least.log10().floor());
    let fitting = ROUND.iter().find(|step| *step * decade >= least);
    fitting.unwrap_or(&10.0) * decade
}

/// Draws the rates of one part of the time into one column of cells.
fn bar(rates: &Counts, top: f64, theme: Theme, column: Rect, buffer: &mut Buffer) {
    let full = u32::from(column.height) * 8;
    let reaches = reaches(rates, top, full);
    let empty_from = reaches[2].div_ceil(8);
    let mut set = |row: u32, symbol: &str, style: Style| {
        let y = column.bottom() - 1 - row as u16;
        buffer[(column.x, y)].set_symbol(symbol).set_style(style);
    };
    for row in 0..empty_from {
        // A cell shows at most two outcomes: the second is the background of the first.
        let mut from = row * 8;
        let mut filled = Vec::new();
        for (outcome, reach) in Outcome::ALL.into_iter().zip(reaches) {
            let to = reach.clamp(from, row * 8 + 8);
            if to > from {
                filled.push((outcome, (to - from) as usize));
            }
            from = to;
        }
        let (Some((lower, part)), Some((upper, _))) = (filled.first(), filled.last()) else {
            continue;
        };
        let style = Style::new().fg(lower.colour(theme));
        match theme.colours {
            true if lower != upper => set(row, EIGHTHS[*part], style.bg(upper.colour(theme))),
            false if *upper != Outcome::Allowed => set(row, upper.block(theme), style),
            _ => set(row, EIGHTHS[*part], style),
        }
    }
    let due = eighths(rates.due, top, full).min(full);
    if due > empty_from * 8 {
        set((due - 1) / 8, "╌", theme.faint());
    }
}

fn eighths(rate: f64, top: f64, full: u32) -> u32 {
    (rate / top * f64::from(full)).round() as u32
}

/// The heights up to which the outcomes fill a bar, in eighths of a cell, of which it has `full`. Every outcome that
/// occurred is visible, even if it is rare or the bar exceeds the top.
fn reaches(rates: &Counts, top: f64, full: u32) -> [u32; 3] {
    let each = [rates.allowed, rates.blocked, rates.failed];
    let mut reaches = [0; 3];
    let (mut sum, mut below) = (0.0, 0);
    for (place, rate) in each.into_iter().enumerate() {
        sum += rate;
        let above = each[place + 1..].iter().filter(|rate| **rate > 0.0);
        let most = full.saturating_sub(above.count() as u32);
        let least = below + u32::from(rate > 0.0);
        below = eighths(sum, top, full).max(least).min(most).max(below);
        reaches[place] = below;
    }
    reaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_top_is_round_and_holds_the_highest_rate() {
        for (highest, expected) in [
            (0.0, 0.001),
            (0.5, 0.5),
            (10.0, 10.0),
            (10.2, 10.0),
            (10.4, 12.0),
            (51.0, 50.0),
            (90.0, 100.0),
            (99_999.0, 100_000.0),
        ] {
            let top = top(highest);
            assert!((top / expected - 1.0).abs() < 1e-9, "{top} for {highest}");
        }
    }

    fn column(
        rates: Counts,
        colours: bool,
    ) -> Vec<(String, ratatui::style::Color, ratatui::style::Color)> {
        let area = Rect::new(0, 0, 1, 4);
        let mut buffer = Buffer::empty(area);
        bar(&rates, 8.0, Theme { colours }, area, &mut buffer);
        let cells = buffer.content().iter().rev();
        cells
            .map(|cell| (cell.symbol().to_owned(), cell.fg, cell.bg))
            .collect()
    }

    fn counts(allowed: f64, blocked: f64, failed: f64, due: f64) -> Counts {
        Counts {
            span: 1.0,
            due,
            allowed,
            blocked,
            failed,
        }
    }

    #[test]
    fn each_part_of_a_bar_is_as_high_as_its_share() {
        let symbols = |rates, colours| -> String {
            let cells = column(rates, colours);
            cells.into_iter().map(|(symbol, ..)| symbol).collect()
        };
        assert_eq!(symbols(counts(3.0, 0.0, 0.0, 3.0), true), "█▄  ");
        assert_eq!(symbols(counts(3.0, 4.0, 0.0, 7.0), true), "█▄█▄");
        assert_eq!(symbols(counts(0.0, 0.0, 0.0, 8.0), true), "   ╌");
        assert_eq!(symbols(counts(2.0, 0.0, 0.0, 6.0), true), "█ ╌ ");
        assert_eq!(symbols(counts(2.0, 4.0, 0.0, 6.0), false), "█▒▒ ");
        assert_eq!(symbols(counts(7.99, 0.0, 0.01, 8.0), false), "███╳");
        assert_eq!(symbols(counts(80.0, 1.0, 1.0, 82.0), false), "███╳");
    }

    #[test]
    fn in_a_cell_of_two_outcomes_the_upper_one_is_the_background() {
        let theme = Theme { colours: true };
        let (symbol, front, back) = &column(counts(1.0, 7.0, 0.0, 8.0), true)[0];
        assert_eq!(symbol, "▄");
        assert_eq!(*front, Outcome::Allowed.colour(theme));
        assert_eq!(*back, Outcome::Blocked.colour(theme));
    }
}
