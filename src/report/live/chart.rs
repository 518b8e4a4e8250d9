//! What was allowed, blocked and failed over the last minutes, one on top of the other.

use super::clock::clock;
use super::rates::{Counts, Rates};
use super::theme::{Came, Theme};
use crate::base::text::per_second;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The fewest rows in which there is anything to see: the legend, two of bars, and the time.
pub const LEAST: u16 = 4;

/// As many as show a burst from afar.
pub const GOOD: u16 = 8;

/// Cells filled from below by so many eighths.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub fn draw(rates: &Rates, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let has_labels = area.height > LEAST + 1;
    let rows = area.height.saturating_sub(2 + u16::from(has_labels));
    // The widest label has three digits and a decimal point, or is a whole number.
    let room = |margin: u16| area.width.saturating_sub(margin + 1);
    let parts = rates.parts(room(8).into());
    let shown = || parts.rates.iter().flatten();
    let highest = shown().map(|rates| rates.answered().max(rates.due));
    let top = top(highest.fold(0.0, f64::max));

    legend(shown().last(), parts.step, theme, area, buffer);
    let label = |row: u16, rate: f64, buffer: &mut Buffer| {
        let label = format!("{:>7}", per_second(rate));
        buffer.set_stringn(
            area.x,
            area.y + row,
            label,
            area.width.into(),
            theme.faint(),
        );
    };
    let bars = Rect {
        x: area.x + 9.min(area.width),
        y: area.y + 1,
        width: area.width.saturating_sub(9),
        height: rows,
    };
    for row in 0..rows {
        let tick = match (row, rows / 2) {
            (0, _) => "┤",
            (row, middle) if row == middle && rows > 3 => "┤",
            _ => "│",
        };
        put(buffer, area, 8, 1 + row, tick, theme.faint());
    }
    label(1, top, buffer);
    if rows > 3 {
        label(1 + rows / 2, top / 2.0, buffer);
    }
    for (column, rates) in (0..bars.width).zip(&parts.rates) {
        if let Some(rates) = rates {
            bar(rates, top, theme, column, bars, buffer);
        }
    }
    put(buffer, area, 8, 1 + rows, "└", theme.faint());
    for column in 9..area.width {
        put(buffer, area, column, 1 + rows, "─", theme.faint());
    }
    if has_labels {
        times(parts.from, parts.step, theme, bars, buffer);
    }
}

/// Under every so many columns, when in the run that was.
fn times(from: u64, step: u64, theme: Theme, bars: Rect, buffer: &mut Buffer) {
    const APART: u64 = 15;
    let y = bars.y + bars.height;
    for column in 0..u64::from(bars.width) {
        let at = from + column * step;
        let text = clock(at);
        let fits = column + text.len() as u64 <= u64::from(bars.width);
        if at.is_multiple_of(APART * step) && fits {
            let x = bars.x + column as u16;
            buffer[(x, y)].set_symbol("┬");
            buffer.set_stringn(x, y + 1, &text, text.len(), theme.faint());
        }
    }
}

fn legend(latest: Option<&Counts>, step: u64, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let latest = latest.copied().unwrap_or_default();
    let each = [latest.allowed, latest.blocked, latest.failed];
    let mut x = area.x;
    let mut add = |text: &str, style: Style| {
        let left = area.right().saturating_sub(x);
        x = buffer.set_stringn(x, area.y, text, left.into(), style).0;
    };
    for (came, rate) in Came::ALL.into_iter().zip(each) {
        add(came.block(theme), Style::new().fg(came.colour(theme)));
        let text = format!(" {} {:<10}", came.name(), per_second(round(rate)));
        add(&text, Style::new());
    }
    add("╌ due", theme.faint());
    if step > 1 {
        add(&format!("   {step} s a column"), theme.faint());
    }
}

/// To a tenth: what is spread over seconds has no more to tell.
pub fn round(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// The next higher one of the rates that read well. What is over by chance alone does not count.
fn top(highest: f64) -> f64 {
    let least = (highest * 0.97).max(0.001);
    let decade = 10f64.powf(least.log10().floor());
    let steps = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fitting = steps.iter().find(|step| *step * decade >= least);
    fitting.unwrap_or(&10.0) * decade
}

fn bar(rates: &Counts, top: f64, theme: Theme, column: u16, bars: Rect, buffer: &mut Buffer) {
    let full = u32::from(bars.height) * 8;
    let eighths = |rate: f64| (rate / top * f64::from(full)).round() as u32;
    let each = [rates.allowed, rates.blocked, rates.failed];
    // Up to where each of them reaches. Any that is over zero is seen, also below the top.
    let mut reach = [0; 3];
    let (mut sum, mut below) = (0.0, 0);
    for (place, rate) in each.into_iter().enumerate() {
        sum += rate;
        let least = below + u32::from(rate > 0.0);
        let above = each[place + 1..].iter().filter(|rate| **rate > 0.0).count() as u32;
        reach[place] = eighths(sum)
            .max(least)
            .min(full.saturating_sub(above))
            .max(below);
        below = reach[place];
    }
    for row in 0..bars.height {
        let (low, high) = (u32::from(row) * 8, u32::from(row) * 8 + 8);
        let within = |reach: u32| reach.clamp(low, high) - low;
        let mut from = 0;
        let mut filled = Came::ALL
            .into_iter()
            .zip(reach)
            .filter_map(|(came, reach)| {
                let part = within(reach) - from;
                from = within(reach);
                (part > 0).then_some((came, part))
            });
        let Some((lower, part)) = filled.next() else {
            break;
        };
        let upper = filled.last().map(|(came, _)| came);
        let cell = &mut buffer[(bars.x + column, bars.bottom() - 1 - row)];
        match (upper, theme.colours) {
            (Some(upper), true) => {
                let style = Style::new().fg(lower.colour(theme)).bg(upper.colour(theme));
                cell.set_symbol(EIGHTHS[part as usize]).set_style(style);
            }
            (Some(upper), false) => drop(cell.set_symbol(upper.block(theme))),
            (None, false) if lower != Came::Allowed => drop(cell.set_symbol(lower.block(theme))),
            (None, _) => {
                let style = Style::new().fg(lower.colour(theme));
                cell.set_symbol(EIGHTHS[part as usize]).set_style(style);
            }
        }
    }
    let due = eighths(rates.due).min(full);
    let empty = below.div_ceil(8);
    if let Some(row) = due
        .checked_sub(1)
        .map(|last| last / 8)
        .filter(|row| *row >= empty)
    {
        let cell = &mut buffer[(bars.x + column, bars.bottom() - 1 - row as u16)];
        cell.set_symbol("╌").set_style(theme.faint());
    }
}

/// Where that is within the area.
fn put(buffer: &mut Buffer, area: Rect, column: u16, row: u16, symbol: &str, style: Style) {
    if column < area.width && row < area.height {
        buffer[(area.x + column, area.y + row)]
            .set_symbol(symbol)
            .set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_read_well_and_hold_what_is_below_them() {
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
        bar(&rates, 8.0, Theme { colours }, 0, area, &mut buffer);
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
    fn in_one_cell_the_lower_part_is_drawn_on_the_upper_ones_colour() {
        let theme = Theme { colours: true };
        let (symbol, front, back) = &column(counts(1.0, 7.0, 0.0, 8.0), true)[0];
        assert_eq!(symbol, "▄");
        assert_eq!(*front, Came::Allowed.colour(theme));
        assert_eq!(*back, Came::Blocked.colour(theme));
    }
}
