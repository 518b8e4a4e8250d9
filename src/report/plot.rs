//! A rate over time, drawn with characters.

use crate::base::text::per_second;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, Widget};

/// The width and height in characters, without the axes. Each column is an equal part of the time.
pub(super) const COLUMNS: u16 = 64;
const ROWS: u16 = 10;

/// The steps of height within a row: block elements fill a cell in eighths.
const STEPS: f64 = 8.0;

/// Draws mean rates, in requests per second, of equal parts of the time. The labels stand at equal distances: the first at
/// the start of the time, the last at its end. Every rate above zero is visible.
pub(super) fn plot(rates: &[f64; COLUMNS as usize], labels: &[String]) -> String {
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let full = f64::from(ROWS) * STEPS;
    let heights = rates.map(|rate| {
        if rate > 0.0 {
            (rate / highest * full).round().max(1.0) as u64
        } else {
            0
        }
    });
    let area = Rect::new(0, 0, COLUMNS, ROWS);
    let mut buffer = Buffer::empty(area);
    let bars = Sparkline::default().data(heights).max(full as u64);
    bars.render(area, &mut buffer);

    let marks = [(0, highest), (ROWS / 2, highest / 2.0)];
    let marks = marks.map(|(row, rate)| (row, per_second(rate)));
    let marks = if highest > 0.0 { &marks[..] } else { &[] };
    let margin = marks.iter().map(|(_, mark)| mark.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (row, cells) in (0..).zip(buffer.content().chunks(COLUMNS.into())) {
        let mark = marks.iter().find(|(place, _)| *place == row);
        let (mark, tick) = mark.map_or(("", '│'), |(_, mark)| (mark.as_str(), '┤'));
        let bar: String = cells.iter().map(|cell| cell.symbol()).collect();
        text += format!("{mark:>margin$} {tick}{bar}").trim_end();
        text.push('\n');
    }
    let (line, below) = time_axis(labels);
    format!("{text}{:>margin$} └{line}\n{:margin$}  {below}\n", 0, "")
}

/// The line with the ticks, and the line with their labels.
fn time_axis(labels: &[String]) -> (String, String) {
    let last = usize::from(COLUMNS) - 1;
    let mut line = vec!['─'; last + 1];
    let mut below = String::new();
    for (place, label) in labels.iter().enumerate() {
        let at = last * place / (labels.len() - 1).max(1);
        line[at] = '┬';
        // A label begins under its tick; the last ones end with the line.
        let start = at.min((last + 1).saturating_sub(label.len()));
        let start = start.max(below.len() + usize::from(!below.is_empty()));
        below += &format!("{:1$}{label}", "", start - below.len());
    }
    (line.into_iter().collect(), below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = COLUMNS as usize;

    fn drawn(rates: [f64; ALL]) -> Vec<String> {
        let labels = ["0s", "30s", "60s"].map(str::to_owned);
        plot(&rates, &labels).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_column_is_as_high_as_its_share_of_the_highest_rate() {
        let lines = drawn(std::array::from_fn(|column| (column + 1) as f64));
        assert_eq!(lines.len(), usize::from(ROWS) + 2);
        for column in 0..ALL {
            let blocks = " ▁▂▃▄▅▆▇█";
            let eighths = |line: &String| {
                let cell = line.chars().nth("64/s ┤".chars().count() + column);
                blocks
                    .chars()
                    .position(|block| cell.unwrap_or(' ') == block)
                    .unwrap()
            };
            let height: usize = lines[..ROWS.into()].iter().map(eighths).sum();
            let exact = (column + 1) as f64 / ALL as f64 * f64::from(ROWS) * STEPS;
            assert_eq!(height, exact.round() as usize);
        }
        assert!(lines[0].starts_with("64/s ┤") && lines[5].starts_with("32/s ┤"));
        let width = lines.iter().map(|line| line.chars().count()).max();
        assert!(width.unwrap() <= 80);
    }

    #[test]
    fn every_rate_above_zero_is_visible() {
        let mut rates = [1_000.0; ALL];
        rates[3] = 0.001;
        rates[4] = 0.0;
        let last: Vec<_> = drawn(rates)[9].chars().collect();
        let margin = "1000/s ┤".chars().count();
        assert_eq!(last[margin + 2..margin + 6], ['█', '▁', ' ', '█']);
        let nothing = drawn([0.0; ALL]);
        assert!(!nothing.join("").contains(['▁', '█']));
    }

    #[test]
    fn labels_stand_under_their_ticks() {
        let lines = drawn([1.0; ALL]);
        let [line, labels] = &lines[10..] else {
            panic!("{lines:?}")
        };
        let ticks = line.chars().enumerate().filter(|(_, c)| *c == '┬');
        let ticks: Vec<_> = ticks.map(|(place, _)| place).collect();
        assert_eq!(
            ticks[..2],
            [labels.find("0s").unwrap(), labels.find("30s").unwrap()]
        );
        assert_eq!(ticks[2] + 1, labels.find("60s").unwrap() + "60s".len());
    }
}
