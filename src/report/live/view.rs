//! What the view shows, from what is known: a pure function.

use super::chart;
use super::clock::clock;
use super::rates::Rates;
use super::theme::{Came, Theme};
use crate::base::text::{per_second, span_or_dash};
use crate::base::{Ledger, Mode, Nanos};
use crate::core::audit::{AuditProgress, AuditVerdict, Promise};
use crate::core::plan::Plan;
use crate::core::schedule::Arrivals;
use crate::core::stats::{Failures, Percentiles, Snapshot, State, TargetSnapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use std::time::Duration;

/// What does not change while a run goes on.
#[derive(Debug)]
pub struct Run {
    pub traffic: String,
    pub seed: u64,
    /// Without one it goes on until it is stopped.
    pub end: Option<Nanos>,
    pub drain_timeout: Duration,
    /// What the limiter is held to, if it is audited.
    pub promised: Option<Promised>,
}

#[derive(Debug)]
pub struct Promised {
    pub limit: u64,
    pub window: Nanos,
    pub promises: Vec<Promise>,
}

impl Run {
    pub fn new(plan: &Plan) -> Run {
        let profile = plan.schedule.profile();
        let arrivals = match plan.schedule.arrivals() {
            Arrivals::Uniform => "",
            Arrivals::Poisson(_) => ", poisson arrivals",
        };
        Run {
            traffic: format!("{profile}{arrivals}"),
            seed: plan.seed,
            end: plan.schedule.end(),
            drain_timeout: plan.drain_timeout,
            promised: plan.audit.as_ref().map(|audit| Promised {
                limit: plan.limit,
                window: plan.window,
                promises: audit.promises.clone(),
            }),
        }
    }
}

/// What is to be seen.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub run: &'a Run,
    pub snapshot: &'a Snapshot,
    pub rates: &'a Rates,
    /// Of a run that waits for the clock.
    pub starts_in: Duration,
    pub frozen: bool,
    pub stopping: bool,
    /// Whether keys are read.
    pub keys: bool,
    pub theme: Theme,
}

/// A part of the view, over its whole width.
struct Section<'a> {
    /// Where there is no room for all of them, those of low ranks come first.
    rank: u8,
    least: u16,
    wanted: u16,
    what: What<'a>,
}

enum What<'a> {
    Lines(Vec<Line<'a>>),
    Targets,
    Chart,
    Gap,
}

impl View<'_> {
    pub fn draw(&self, buffer: &mut Buffer) {
        let area = buffer.area;
        let sections = self.sections(area.width);
        let heights = heights(&sections, area.height);
        let mut y = area.y;
        for (section, height) in sections.iter().zip(heights) {
            let place = Rect { y, height, ..area };
            match &section.what {
                _ if height == 0 => {}
                What::Lines(lines) => lines_in(lines, place, buffer),
                What::Targets => lines_in(&self.targets(area.width, height), place, buffer),
                What::Chart => chart::draw(self.rates, self.theme, place, buffer),
                What::Gap => {}
            }
            y += height;
        }
    }

    fn sections(&self, width: u16) -> Vec<Section<'_>> {
        let lines = |rank, least, lines: Vec<Line<'static>>| Section {
            rank,
            least,
            wanted: lines.len() as u16,
            what: What::Lines(lines),
        };
        let gap = |rank| Section {
            rank,
            least: 0,
            wanted: 1,
            what: What::Gap,
        };
        let mut sections = vec![
            lines(7, 1, self.title(width)),
            lines(0, 1, vec![self.progress(width)]),
            lines(1, 1, self.flow(self.now(), width)),
            gap(22),
            Section {
                rank: 5,
                least: chart::LEAST,
                wanted: 24,
                what: What::Chart,
            },
            gap(20),
            lines(3, 2, self.percentiles(width)),
            gap(21),
            Section {
                rank: 6,
                least: 2,
                wanted: self.rows() + 1,
                what: What::Targets,
            },
        ];
        let mut failures = Failures::default();
        let targets = self.snapshot.targets.iter();
        targets.for_each(|target| failures += &target.failures);
        if let Some(line) = self.failures(&failures) {
            sections.push(lines(3, 1, vec![line]));
        }
        if let Some((so_far, promised)) =
            self.snapshot.audit.as_ref().zip(self.run.promised.as_ref())
        {
            sections.push(gap(23));
            sections.push(lines(4, 1, self.flow(self.audit(so_far, promised), width)));
        }
        sections.push(gap(24));
        sections.push(lines(2, 1, vec![self.footer()]));
        sections
    }

    fn title(&self, width: u16) -> Vec<Line<'static>> {
        let name = format!("loadgen {}", env!("CARGO_PKG_VERSION"));
        let seed = format!("seed {}", self.run.seed);
        let parts = [
            (name, self.theme.strong()),
            (self.run.traffic.clone(), Style::new()),
            (seed, self.theme.faint()),
        ];
        self.flow(
            parts
                .map(|(text, style)| Span::styled(text, style))
                .to_vec(),
            width,
        )
    }

    /// The mode, how far the run has come, and how long it still takes.
    fn progress(&self, width: u16) -> Line<'static> {
        let Snapshot { state, elapsed, .. } = self.snapshot;
        let (mode, colour) = match state {
            State::Waiting => ("WAITING", Color::Blue),
            State::Pacing { mode, .. } => match mode {
                Mode::Steady => ("STEADY", Color::Green),
                Mode::Burst => ("BURST", Color::Magenta),
                Mode::Ramp => ("RAMP", Color::Green),
                Mode::Sine => ("SINE", Color::Green),
                Mode::Pause => ("PAUSE", Color::Blue),
            },
            State::Draining => ("DRAINING", Color::Blue),
            State::Ended => ("ENDED", Color::Blue),
        };
        let passed = clock(elapsed.0 / 1_000_000_000);
        let text = match (state, self.run.end) {
            (State::Waiting, _) => format!("starts in {}", clock(self.starts_in.as_secs() + 1)),
            (State::Draining, _) => {
                let in_flight = self.total().in_flight();
                format!(
                    "{in_flight} in flight get {:?} at most",
                    self.run.drain_timeout
                )
            }
            (State::Ended, _) => passed,
            (_, None) => format!("{passed}, until stopped"),
            (_, Some(end)) => {
                let left = clock(end.saturating_sub(*elapsed).0.div_ceil(1_000_000_000));
                format!(
                    "{passed} of {}, {left} left",
                    clock(end.0.div_ceil(1_000_000_000))
                )
            }
        };
        let badge = format!(" {mode} ");
        let mut spans = vec![
            Span::styled(badge.clone(), self.theme.badge(colour)),
            Span::raw("  "),
        ];
        let used = badge.len() + 2 + text.len() + 2;
        let room = usize::from(width).saturating_sub(used);
        if let (Some(end), State::Pacing { .. }) = (self.run.end, state)
            && room >= 8
        {
            let share = (elapsed.0 as f64 / end.0.max(1) as f64).min(1.0);
            let filled = (share * room as f64) as usize;
            spans.push(Span::styled(
                "━".repeat(filled),
                self.theme.coloured(colour),
            ));
            spans.push(Span::styled("─".repeat(room - filled), self.theme.faint()));
            spans.push(Span::raw("  "));
        }
        spans.push(Span::raw(text));
        Line::from(spans)
    }

    /// The rate and what waits.
    fn now(&self) -> Vec<Span<'static>> {
        let total = self.total();
        let asked = match self.snapshot.state {
            State::Pacing { rate, .. } => rate,
            _ => 0.0,
        };
        let dropped = match total.dropped {
            0 => Style::new(),
            _ => self.theme.bad(),
        };
        vec![
            Span::styled(format!("asked {}", per_second(asked)), self.theme.strong()),
            Span::styled(
                format!(
                    "sent {}",
                    per_second(chart::round(self.rates.sent_lately()))
                ),
                self.theme.strong(),
            ),
            Span::raw(format!("queue {}", total.queued())),
            Span::raw(format!("in flight {}", total.in_flight())),
            Span::styled(format!("dropped {}", total.dropped), dropped),
        ]
    }

    fn percentiles(&self, width: u16) -> Vec<Line<'static>> {
        const NAME: usize = 12;
        const COLUMN: usize = 10;
        let columns =
            (usize::from(width).saturating_sub(NAME) / COLUMN).clamp(1, Percentiles::NAMES.len());
        let mut heading = format!("{:NAME$}", "");
        for name in &Percentiles::NAMES[..columns] {
            heading += &format!("{name:>COLUMN$}");
        }
        let mut lines = vec![Line::styled(heading, self.theme.faint())];
        let names = ["latency", "service time", "send lag"];
        for (name, percentiles) in names.into_iter().zip(&self.snapshot.percentiles) {
            let mut text = format!("{name:NAME$}");
            for spans in &percentiles.spans[..columns] {
                text += &format!("{:>COLUMN$}", span_or_dash(percentiles.count, *spans));
            }
            lines.push(Line::raw(text));
        }
        lines
    }

    /// How many rows the targets take: with more than one, one for all of them.
    fn rows(&self) -> u16 {
        let targets = self.snapshot.targets.len();
        u16::try_from(targets + usize::from(targets > 1)).unwrap_or(u16::MAX - 1)
    }

    /// At most `height` lines. What has no room is left out: columns by their importance, then rows from the end.
    fn targets(&self, width: u16, height: u16) -> Vec<Line<'static>> {
        const COLUMN: usize = 10;
        type Cell<'a> = &'a dyn Fn(&TargetSnapshot) -> String;
        let columns: [(&str, u8, Cell); 7] = [
            ("sent", 4, &|target| target.ledger.sent.to_string()),
            ("allowed", 0, &|target| target.ledger.allowed.to_string()),
            ("blocked", 1, &|target| target.ledger.blocked.to_string()),
            ("failed", 2, &|target| target.ledger.failed.to_string()),
            ("in flight", 6, &|target| {
                target.ledger.in_flight().to_string()
            }),
            ("p50", 5, &|target| {
                span_or_dash(target.percentiles.count, target.percentiles.spans[0])
            }),
            ("p99", 3, &|target| {
                span_or_dash(target.percentiles.count, target.percentiles.spans[2])
            }),
        ];
        let snapshot = self.snapshot;
        let width = usize::from(width);
        let longest = snapshot
            .targets
            .iter()
            .map(|target| target.name.chars().count());
        let longest = longest.max().unwrap_or(0).clamp(6, 60);
        // A name is cut before a column is, down to what a port and some of a host take.
        let least = longest.min(16);
        let fit = (width.saturating_sub(least) / COLUMN).min(columns.len());
        let columns: Vec<_> = columns
            .into_iter()
            .filter(|(_, rank, _)| usize::from(*rank) < fit)
            .collect();
        let name_width = longest.min(width.saturating_sub(columns.len() * COLUMN));

        let mut heading = format!("{:name_width$}", "target");
        columns
            .iter()
            .for_each(|(name, ..)| heading += &format!("{name:>COLUMN$}"));
        let mut lines = vec![Line::styled(heading, self.theme.faint())];
        let row = |target: &TargetSnapshot, style: Style| {
            let mut text = format!("{:name_width$}", shortened(&target.name, name_width));
            columns
                .iter()
                .for_each(|(.., of)| text += &format!("{:>COLUMN$}", of(target)));
            Line::styled(text, style)
        };
        if let [first, _, ..] = &snapshot.targets[..] {
            let all = TargetSnapshot {
                name: format!("all {}", snapshot.targets.len()),
                ledger: self.total(),
                percentiles: snapshot.percentiles[0],
                ..first.clone()
            };
            lines.push(row(&all, self.theme.strong()));
        }
        let room = usize::from(height).saturating_sub(lines.len());
        let targets = snapshot.targets.len();
        let shown = if targets > room {
            room.saturating_sub(1)
        } else {
            targets
        };
        lines.extend(
            snapshot.targets[..shown]
                .iter()
                .map(|target| row(target, Style::new())),
        );
        if shown < targets {
            let text = format!("… {} more", targets - shown);
            lines.push(Line::styled(text, self.theme.faint()));
        }
        lines
    }

    fn failures(&self, failures: &Failures) -> Option<Line<'static>> {
        let kinds = failures.by_kind().filter(|(_, count)| *count > 0);
        let kinds: Vec<_> = kinds
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        (!kinds.is_empty()).then(|| {
            let style = self.theme.coloured(Came::Failed.colour(self.theme));
            Line::styled(format!("failures: {}", kinds.join(", ")), style)
        })
    }

    fn audit(&self, so_far: &AuditProgress, promised: &Promised) -> Vec<Span<'static>> {
        let Promised {
            limit,
            window,
            promises,
        } = promised;
        let (verdict, style) = match so_far.verdict {
            AuditVerdict::Kept => ("audit: kept so far", self.theme.good()),
            AuditVerdict::Broken => ("audit: BROKEN", self.theme.bad()),
            AuditVerdict::Suspect => ("audit: suspect", self.theme.bad()),
            AuditVerdict::Inconclusive => ("audit: not tested yet", self.theme.strong()),
        };
        let over = match so_far.keys_over {
            0 => Style::new(),
            _ => self.theme.strong(),
        };
        let mut spans = vec![
            Span::styled(verdict, style),
            Span::raw(format!(
                "most of a key in {window:#}: {} of {limit}",
                so_far.most
            )),
            Span::styled(format!("keys over: {}", so_far.keys_over), over),
            Span::raw(format!("{} seen", so_far.observed)),
        ];
        let standing = &so_far.standing;
        if standing.len() < promises.len() && !standing.is_empty() {
            let names: Vec<_> = standing.iter().map(|promise| promise.name()).collect();
            spans.push(Span::raw(format!("could be: {}", names.join(", "))));
        }
        spans
    }

    fn footer(&self) -> Line<'static> {
        let faint = self.theme.faint();
        let mut spans = Vec::new();
        if self.frozen {
            let at = clock(self.snapshot.elapsed.0 / 1_000_000_000);
            spans.push(Span::styled(
                format!(" FROZEN at {at} "),
                self.theme.badge(Color::Yellow),
            ));
            spans.push(Span::raw("  "));
        }
        let stop = match (self.stopping, self.keys) {
            (true, _) => "stopping; Ctrl-C leaves at once",
            (false, true) => "q stop",
            (false, false) => "Ctrl-C stop",
        };
        let freeze = match (self.keys, self.frozen) {
            (false, _) => "",
            (true, false) => "   p freeze",
            (true, true) => "   p go on",
        };
        spans.push(Span::styled(format!("{stop}{freeze}"), faint));
        Line::from(spans)
    }

    /// One after the other, in as many lines as it takes.
    fn flow(&self, parts: Vec<Span<'static>>, width: u16) -> Vec<Line<'static>> {
        const APART: &str = "   ";
        let mut lines: Vec<Line<'static>> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(line) if line.width() + APART.len() + part.width() <= width.into() => {
                    line.push_span(APART);
                    line.push_span(part);
                }
                _ => lines.push(Line::from(part)),
            }
        }
        lines
    }

    fn total(&self) -> Ledger {
        self.snapshot
            .targets
            .iter()
            .map(|target| target.ledger)
            .sum()
    }
}

/// Without its scheme, then cut at the front: what tells targets apart is mostly at the end.
fn shortened(name: &str, width: usize) -> String {
    let name = match name.split_once("://") {
        Some((_, rest)) if name.chars().count() > width => rest,
        _ => name,
    };
    let length = name.chars().count();
    match length > width {
        true if width > 0 => {
            let rest = name.chars().skip(length - (width - 1));
            std::iter::once('…').chain(rest).collect()
        }
        true => String::new(),
        false => name.to_owned(),
    }
}

fn lines_in(lines: &[Line], area: Rect, buffer: &mut Buffer) {
    for (row, line) in (0..area.height).zip(lines) {
        let place = Rect {
            y: area.y + row,
            height: 1,
            ..area
        };
        line.render(place, buffer);
    }
}

/// How high each section is: by rank, first each gets its least, then what it wants of the rest. The chart gets what makes
/// it good before there are gaps, and what is left.
fn heights(sections: &[Section], height: u16) -> Vec<u16> {
    let mut left = height;
    let mut heights = vec![0; sections.len()];
    let mut places: Vec<_> = (0..sections.len()).collect();
    places.sort_by_key(|place| sections[*place].rank);
    for place in &places {
        let least = sections[*place].least;
        if least <= left {
            heights[*place] = least;
            left -= least;
        }
    }
    let mut grow = |heights: &mut Vec<u16>, place: usize, wanted: u16| {
        let more = wanted.saturating_sub(heights[place]).min(left);
        heights[place] += more;
        left -= more;
    };
    let of = |what: fn(&What) -> bool| {
        let places = places.iter().copied();
        places.filter(move |place| what(&sections[*place].what))
    };
    for place in of(|what| matches!(what, What::Lines(_) | What::Targets)) {
        if heights[place] > 0 {
            grow(&mut heights, place, sections[place].wanted);
        }
    }
    let chart = of(|what| matches!(what, What::Chart)).find(|place| heights[*place] > 0);
    if let Some(chart) = chart {
        grow(&mut heights, chart, chart::GOOD);
        of(|what| matches!(what, What::Gap)).for_each(|gap| grow(&mut heights, gap, 1));
        grow(&mut heights, chart, sections[chart].wanted);
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FailureKind;
    use crate::core::stats::testing;

    const SECOND: u64 = 1_000_000_000;

    fn run() -> Run {
        Run {
            traffic: "10/s with bursts of 50/s for 5s every 30s".to_owned(),
            seed: 42,
            end: Some(Nanos(60 * SECOND)),
            drain_timeout: Duration::from_secs(10),
            promised: Some(Promised {
                limit: 100,
                window: Nanos(60 * SECOND),
                promises: Promise::ALL.to_vec(),
            }),
        }
    }

    fn so_far() -> AuditProgress {
        AuditProgress {
            verdict: AuditVerdict::Kept,
            standing: vec![Promise::SlidingWindow, Promise::FixedWindow],
            observed: 550,
            keys_over: 0,
            most: 100,
        }
    }

    /// In its burst, with as many targets, each of which has allowed 100, blocked 20 and failed 3.
    fn snapshot(targets: usize) -> Snapshot {
        let ledger = Ledger {
            scheduled: 130,
            sent: 125,
            dropped: 1,
            allowed: 100,
            blocked: 20,
            failed: 3,
            ..Ledger::default()
        };
        let target = |number| {
            let mut target = testing::target(&format!("http://127.0.0.1:{number}"), ledger);
            target.failures.add(FailureKind::Timeout);
            target
        };
        let mut percentiles = [Percentiles::default(); 3];
        percentiles[0] = Percentiles {
            count: 123,
            spans: [1, 2, 3, 4, 5].map(|millis| Nanos(millis * 1_000_000)),
        };
        Snapshot {
            state: State::Pacing {
                mode: Mode::Burst,
                rate: 50.0,
            },
            elapsed: Nanos(33 * SECOND),
            targets: (8001..).take(targets).map(target).collect(),
            percentiles,
            audit: Some(so_far()),
            ..(*testing::snapshot()).clone()
        }
    }

    /// 10/s with a burst of 50/s from 30 s on, of which the limiter lets 20/s pass.
    fn rates() -> Rates {
        let mut rates = Rates::default();
        for quarter in 1..=33 * 4 {
            let burst = 120f64.min(f64::from(quarter)) * 2.5;
            let more = f64::from(quarter - 120.min(quarter));
            let ledger = Ledger {
                scheduled: (burst + more * 12.5) as u64,
                sent: (burst + more * 12.5) as u64,
                allowed: (burst + more * 5.0) as u64,
                blocked: (more * 7.5) as u64,
                ..Ledger::default()
            };
            rates.add(Nanos(quarter as u64 * SECOND / 4), &ledger);
        }
        rates
    }

    fn view<'a>(run: &'a Run, snapshot: &'a Snapshot, rates: &'a Rates) -> View<'a> {
        View {
            run,
            snapshot,
            rates,
            starts_in: Duration::ZERO,
            frozen: false,
            stopping: false,
            keys: true,
            theme: Theme { colours: true },
        }
    }

    fn drawn(view: View, columns: u16, rows: u16) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        view.draw(&mut buffer);
        let lines = buffer.content().chunks(columns.max(1).into());
        let text = |cells: &[ratatui::buffer::Cell]| -> String {
            cells.iter().map(|cell| cell.symbol()).collect()
        };
        lines
            .map(|cells| text(cells).trim_end().to_owned())
            .collect()
    }

    /// Of the run above, changed by `change`.
    fn usual(columns: u16, rows: u16, change: impl FnOnce(&mut Run, &mut Snapshot)) -> Vec<String> {
        let (mut run, mut snapshot) = (run(), snapshot(3));
        change(&mut run, &mut snapshot);
        drawn(view(&run, &snapshot, &rates()), columns, rows)
    }

    #[track_caller]
    fn assert_has(lines: &[String], text: &str) {
        let all = lines.join("\n");
        assert!(all.contains(text), "no {text:?} in:\n{all}");
    }

    #[test]
    fn a_usual_terminal_shows_all_of_it() {
        let expected = "\
loadgen 0.1.0   10/s with bursts of 50/s for 5s every 30s   seed 42
 BURST   ━━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────────────  33s of 1m, 27s left
asked 50/s   sent 50/s   queue 12   in flight 6   dropped 3
█ allowed 20/s      █ blocked 30/s      █ failed 0/s       ╌ due
   50/s ┤                              ███
        │                              ███
   25/s ┤                              ███
        │                              ███
        │█████████████████████████████████
        └┬──────────────┬──────────────┬──────────────┬──────────────┬──────────
         0s             15s            30s            45s            1m
                   p50       p90       p99     p99.9       max
latency        1.00 ms   2.00 ms   3.00 ms   4.00 ms   5.00 ms
service time         -         -         -         -         -
send lag             -         -         -         -         -
target                    sent   allowed   blocked    failed       p50       p99
all 3                      375       300        60         9   1.00 ms   3.00 ms
127.0.0.1:8001             125       100        20         3         -         -
127.0.0.1:8002             125       100        20         3         -         -
127.0.0.1:8003             125       100        20         3         -         -
failures: timeout 3
audit: kept so far   most of a key in 1m: 100 of 100   keys over: 0   550 seen
could be: sliding-window, fixed-window
q stop   p freeze";
        let lines = usual(80, 24, |_, _| {});
        assert_eq!(lines.join("\n"), expected, "\n{}", lines.join("\n"));
    }

    #[test]
    fn any_size_is_drawn() {
        let rates = rates();
        for targets in [0, 1, 3, 300] {
            let (run, snapshot) = (run(), snapshot(targets));
            for (columns, rows) in [
                (0, 0),
                (0, 5),
                (5, 0),
                (1, 1),
                (10, 3),
                (3, 100),
                (40, 12),
                (400, 150),
            ] {
                drawn(view(&run, &snapshot, &rates), columns, rows);
            }
        }
        let (run, snapshot) = (run(), snapshot(3));
        for columns in 1..90 {
            for rows in 1..30 {
                drawn(view(&run, &snapshot, &rates), columns, rows);
            }
        }
    }

    #[test]
    fn a_small_one_has_what_matters_most() {
        let lines = usual(30, 3, |_, _| {});
        assert_eq!(lines[0], " BURST   33s of 1m, 27s left");
        assert_eq!(lines[1], "asked 50/s   sent 50/s");
        assert_eq!(lines[2], "q stop   p freeze");
        let lines = usual(40, 12, |_, _| {});
        for text in [
            "audit: kept so far",
            "latency",
            "failures: timeout 3",
            "blocked 30/s",
        ] {
            assert_has(&lines, text);
        }
    }

    #[test]
    fn more_targets_than_there_is_room_for_are_counted() {
        let (run, snapshot, rates) = (run(), snapshot(100), rates());
        let lines = drawn(view(&run, &snapshot, &rates), 100, 30);
        assert_has(&lines, "all 100 ");
        assert_has(&lines, "http://127.0.0.1:8001 ");
        let shown = lines
            .iter()
            .filter(|line| line.starts_with("http://"))
            .count();
        assert_has(&lines, &format!("… {} more", 100 - shown));
    }

    #[test]
    fn each_state_says_what_is_to_come() {
        let said = |state, end| {
            usual(80, 24, |run, snapshot| {
                snapshot.state = state;
                run.end = end;
            })[1]
                .clone()
        };
        let steady = State::Pacing {
            mode: Mode::Steady,
            rate: 10.0,
        };
        assert_eq!(said(steady, None), " STEADY   33s, until stopped");
        let draining = said(State::Draining, None);
        assert_eq!(draining, " DRAINING   6 in flight get 10s at most");
        assert_eq!(said(State::Waiting, None), " WAITING   starts in 1s");
    }

    #[test]
    fn the_audit_stands_as_it_does() {
        let told = |verdict, keys_over| {
            let lines = usual(120, 40, |_, snapshot| {
                let audit = AuditProgress {
                    verdict,
                    keys_over,
                    ..so_far()
                };
                snapshot.audit = Some(audit);
            });
            lines
                .into_iter()
                .find(|line| line.starts_with("audit"))
                .unwrap()
        };
        assert!(
            told(AuditVerdict::Broken, 2)
                .contains("BROKEN   most of a key in 1m: 100 of 100   keys over: 2")
        );
        assert!(told(AuditVerdict::Suspect, 0).starts_with("audit: suspect"));
        assert!(told(AuditVerdict::Inconclusive, 0).starts_with("audit: not tested yet"));
        let unaudited = usual(120, 40, |_, snapshot| snapshot.audit = None);
        assert!(!unaudited.join("").contains("audit"));
    }

    #[test]
    fn it_says_that_it_is_frozen_and_that_the_run_stops() {
        let (run, snapshot, rates) = (run(), snapshot(3), rates());
        let usual = view(&run, &snapshot, &rates);
        let footer = |view| drawn(view, 80, 24).pop().unwrap();
        let frozen = View {
            frozen: true,
            ..usual
        };
        assert_eq!(footer(frozen), " FROZEN at 33s   q stop   p go on");
        let stopping = View {
            stopping: true,
            ..usual
        };
        assert_eq!(
            footer(stopping),
            "stopping; Ctrl-C leaves at once   p freeze"
        );
        let without_keys = View {
            keys: false,
            ..usual
        };
        assert_eq!(footer(without_keys), "Ctrl-C stop");
    }

    #[test]
    fn without_colours_there_are_none_and_outcomes_differ_still() {
        let (run, snapshot, rates) = (run(), snapshot(3), rates());
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        View {
            theme: Theme { colours: false },
            ..view(&run, &snapshot, &rates)
        }
        .draw(&mut buffer);
        let cells = buffer.content();
        assert!(
            cells
                .iter()
                .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
        );
        let count = |symbol| cells.iter().filter(|cell| cell.symbol() == symbol).count();
        assert!(count("█") > 30 && count("▒") > 5);
    }
}
