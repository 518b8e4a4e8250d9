//! The view's contents, drawn from a snapshot of the run: a pure function.

use super::chart;
use super::rates::Rates;
use super::theme::{Outcome, Theme};
use crate::base::text::{count, per_second, span, span_or_dash};
use crate::base::{Ledger, Mode, Nanos};
use crate::core::audit::{AuditProgress, AuditVerdict, Promise};
use crate::core::plan::Plan;
use crate::core::schedule::Arrivals;
use crate::core::stats::{Failures, Percentiles, Snapshot, State, TargetSnapshot};
use crate::core::summary::FailureSummary;
use crate::report::duration::in_two_units;
use crate::report::failure_causes::by_cause;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, LineGauge, Row, Table, Widget};
use std::time::Duration;

/// The facts about a run that stay the same until its end.
#[derive(Debug)]
pub struct Run {
    pub traffic: String,
    /// `None` if nothing depends on one.
    pub seed: Option<u64>,
    /// The schedule's end; `None` if the run goes on until it is stopped.
    pub end: Option<Nanos>,
    /// How long requests in flight may take after the schedule's end, and after a stop.
    pub drain: [Duration; 2],
    /// The audited promises. `None` if the limiter is not audited.
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
        let stripe = match plan.schedule.stripe() {
            stripe if stripe.is_whole() => String::new(),
            stripe => format!(", stripe {stripe}"),
        };
        Run {
            traffic: format!("{profile}{arrivals}{stripe}"),
            seed: Some(plan.seed),
            end: plan.schedule.end(),
            drain: [
                plan.drain.at_normal_end(plan.timeout),
                plan.drain.after_stop,
            ],
            promised: plan
                .audit
                .as_ref()
                .filter(|_| plan.is_whole())
                .map(|audit| Promised {
                    limit: plan.limit,
                    window: plan.window,
                    promises: audit.promises.clone(),
                }),
        }
    }
}

/// Everything that one drawing of the view depends on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub run: &'a Run,
    pub snapshot: &'a Snapshot,
    pub rates: &'a Rates,
    /// The time until the start, while the run waits for it.
    pub starts_in: Duration,
    pub frozen: bool,
    pub stopping: bool,
    /// Standard input is a terminal, whose keys are read.
    pub keys: bool,
    pub theme: Theme,
}

/// A part of the view, as wide as the terminal.
struct Section {
    content: Content,
    /// The heights that it asks for, each with its rank: lower ranks are served first. It is shown only if there is room
    /// for its first height; later ones may be served in part.
    heights: Vec<(u8, u16)>,
}

enum Content {
    Progress,
    Lines(Vec<Line<'static>>),
    Percentiles,
    Targets,
    Chart,
    Gap,
}

/// The width of a column of numbers.
const COLUMN: u16 = 10;
/// The width of the rows' names beside percentiles.
const NAME: u16 = 12;

impl View<'_> {
    pub fn draw(&self, buffer: &mut Buffer) {
        let area = buffer.area;
        let sections = self.sections(area.width);
        let heights = heights(&sections, area.height);
        let mut y = area.y;
        for (section, height) in sections.into_iter().zip(heights) {
            let place = Rect { y, height, ..area };
            y += height;
            if place.is_empty() {
                continue;
            }
            match section.content {
                Content::Progress => self.draw_progress(place, buffer),
                Content::Lines(lines) => Text::from(lines).render(place, buffer),
                Content::Percentiles => self.percentiles(place.width).render(place, buffer),
                Content::Targets => self.targets(place).render(place, buffer),
                Content::Chart => chart::draw(self.rates, self.theme, place, buffer),
                Content::Gap => {}
            }
        }
    }

    fn sections(&self, width: u16) -> Vec<Section> {
        let section = |content, heights: &[(u8, u16)]| Section {
            content,
            heights: heights.to_vec(),
        };
        let lines = |rank, lines: Vec<Line<'static>>| {
            let all = lines.len() as u16;
            section(Content::Lines(lines), &[(rank, 1), (rank + 10, all)])
        };
        let gap = |rank| section(Content::Gap, &[(rank, 1)]);
        let targets = self.snapshot.targets.len();
        let rows = u16::try_from(targets + usize::from(targets > 1)).unwrap_or(u16::MAX - 1);
        let chart = [(5, chart::LEAST), (20, chart::GOOD), (30, chart::MOST)];
        let mut sections = vec![
            lines(7, self.title(width)),
            section(Content::Progress, &[(0, 1)]),
            lines(1, self.flow(self.now(), width)),
            gap(23),
            section(Content::Chart, &chart),
            gap(21),
            section(Content::Percentiles, &[(3, 2), (13, 4)]),
            gap(22),
            section(Content::Targets, &[(6, 2), (16, rows + 1)]),
        ];
        for line in [self.failures(), self.silence(), self.event()]
            .into_iter()
            .flatten()
        {
            sections.push(lines(3, vec![line]));
        }
        if let (Some(progress), Some(promised)) = (&self.snapshot.audit, &self.run.promised) {
            sections.push(gap(24));
            sections.push(lines(4, self.flow(self.audit(progress, promised), width)));
        }
        sections.push(gap(25));
        sections.push(lines(2, vec![self.footer()]));
        sections
    }

    fn title(&self, width: u16) -> Vec<Line<'static>> {
        let name = format!("loadgen {}", env!("CARGO_PKG_VERSION"));
        let mut parts = vec![
            Span::styled(name, self.theme.strong()),
            Span::raw(self.run.traffic.clone()),
        ];
        let seed = self.run.seed.map(|seed| format!("seed {seed}"));
        parts.extend(seed.map(|seed| Span::styled(seed, self.theme.faint())));
        self.flow(parts, width)
    }

    /// The mode, a gauge of the elapsed time, and the elapsed and the remaining time.
    fn draw_progress(&self, area: Rect, buffer: &mut Buffer) {
        let Snapshot { state, elapsed, .. } = self.snapshot;
        let (name, colour) = match state {
            State::Waiting => ("WAITING".to_owned(), Color::Blue),
            State::Pacing { mode, .. } => (mode.name().to_uppercase(), mode_colour(*mode)),
            State::Draining => ("DRAINING".to_owned(), Color::Blue),
            State::Ended => ("ENDED".to_owned(), Color::Blue),
        };
        let badge = Span::styled(format!(" {name} "), self.theme.badge(colour));
        let time = Span::raw(self.time());
        let [badge_width, time_width] = [&badge, &time].map(|span| span.width() as u16);
        let room = area.width.saturating_sub(badge_width + time_width + 4);
        match (self.run.end, state) {
            (Some(end), State::Pacing { .. }) if room >= 8 => {
                // The gauge leaves the first cell of its place empty.
                let layout = Layout::horizontal([
                    Constraint::Length(badge_width + 1),
                    Constraint::Fill(1),
                    Constraint::Length(time_width + 2),
                ]);
                let [left, middle, right] = layout.areas(area);
                let gauge = LineGauge::default()
                    .label("")
                    .ratio((elapsed.0 as f64 / end.0.max(1) as f64).min(1.0))
                    .filled_symbol("━")
                    .unfilled_symbol("─")
                    .filled_style(self.theme.coloured(colour))
                    .unfilled_style(self.theme.faint());
                badge.render(left, buffer);
                gauge.render(middle, buffer);
                Line::from(time).right_aligned().render(right, buffer);
            }
            _ => Line::from(vec![badge, Span::raw("  "), time]).render(area, buffer),
        }
    }

    fn time(&self) -> String {
        let Snapshot { state, elapsed, .. } = self.snapshot;
        let passed = in_two_units(elapsed.0 / SECOND);
        match (state, self.run.end) {
            (State::Waiting, _) => {
                format!("starts in {}", in_two_units(self.starts_in.as_secs() + 1))
            }
            (State::Draining, _) => format!(
                "waits up to {:?} for {} in flight",
                self.run.drain[usize::from(self.stopping)],
                self.total().in_flight()
            ),
            (State::Ended, _) => passed,
            (State::Pacing { .. }, None) => format!("{passed}, until stopped"),
            (State::Pacing { .. }, Some(end)) => {
                let left = in_two_units(end.saturating_sub(*elapsed).0.div_ceil(SECOND));
                let all = in_two_units(end.0.div_ceil(SECOND));
                format!("{passed} of {all}, {left} left")
            }
        }
    }

    /// The rates and the backlog.
    fn now(&self) -> Vec<Span<'static>> {
        let total = self.total();
        let due = match self.snapshot.state {
            State::Pacing { rate, .. } => rate,
            _ => 0.0,
        };
        let sent = chart::to_a_tenth(self.rates.sent_lately());
        let dropped = if total.dropped == 0 {
            Style::new()
        } else {
            self.theme.bad()
        };
        vec![
            Span::styled(format!("due {}", per_second(due)), self.theme.strong()),
            Span::styled(format!("sent {}", per_second(sent)), self.theme.strong()),
            Span::raw(format!("queue {}", total.queued())),
            Span::raw(format!("in flight {}", total.in_flight())),
            Span::styled(format!("dropped {}", total.dropped), dropped),
        ]
    }

    fn percentiles(&self, width: u16) -> Table<'static> {
        let room = usize::from(width.saturating_sub(NAME) / COLUMN);
        let shown = room.clamp(1, Percentiles::NAMES.len());
        let names = ["latency", "service time", "send lag"];
        let rows = names.into_iter().zip(&self.snapshot.percentiles);
        let rows = rows.map(|(name, of)| {
            let spans = (0..shown).map(|place| match of.at(place) {
                Some(span) => span_or_dash(of.count, span),
                None => "-".to_owned(),
            });
            numbers(name, spans)
        });
        let columns = Percentiles::NAMES[..shown].iter();
        let columns = columns.map(|name| (*name).to_owned());
        self.table(NAME, numbers("", columns), rows.collect(), shown)
    }

    /// Columns without room are left out by their importance, then rows from the end.
    fn targets(&self, area: Rect) -> Table<'static> {
        type Number = fn(&TargetSnapshot) -> String;
        const COLUMNS: [(&str, usize, Number); 7] = [
            ("sent", 4, |target| target.ledger.sent.to_string()),
            ("allowed", 0, |target| target.ledger.allowed.to_string()),
            ("blocked", 1, |target| target.ledger.blocked.to_string()),
            ("failed", 2, |target| target.ledger.failed.to_string()),
            ("in flight", 6, |target| {
                target.ledger.in_flight().to_string()
            }),
            ("p50", 5, |target| {
                span_or_dash(target.percentiles.count, target.percentiles.spans[0])
            }),
            ("p99", 3, |target| {
                span_or_dash(target.percentiles.count, target.percentiles.spans[2])
            }),
        ];
        const IF_ANY: [(&str, usize, Number); 2] = [
            ("dropped", 7, |target| target.ledger.dropped.to_string()),
            ("late", 8, |target| target.lateness.all_late().to_string()),
        ];
        let targets = &self.snapshot.targets;
        let lengths = targets.iter().map(|target| target.name.chars().count());
        let longest = lengths.max().unwrap_or(0).clamp(6, 60) as u16;
        // A name is shortened before a column is left out, but keeps the port and some of the host.
        let fitting = usize::from(area.width.saturating_sub(longest.min(16)) / COLUMN);
        let columns = COLUMNS.iter().filter(|(_, rank, _)| *rank < fitting);
        // No name is shortened for these.
        let fitting = usize::from(area.width.saturating_sub(longest) / COLUMN);
        let if_any = IF_ANY.iter().filter(|(_, rank, number)| {
            *rank < fitting && targets.iter().any(|target| number(target) != "0")
        });
        let columns = columns.chain(if_any);
        let shown = columns.clone().count();
        let name_width = longest.min(area.width.saturating_sub(shown as u16 * COLUMN));
        let row = |target: &TargetSnapshot| {
            let name = shortened(&target.name, name_width.into());
            numbers(name, columns.clone().map(|(.., number)| number(target)))
        };

        let mut rows = Vec::new();
        if let [first, _, ..] = &targets[..] {
            let all = TargetSnapshot {
                name: format!("all {}", targets.len()),
                ledger: self.total(),
                lateness: targets.iter().map(|target| target.lateness).sum(),
                percentiles: self.snapshot.percentiles[0],
                ..first.clone()
            };
            rows.push(row(&all).style(self.theme.strong()));
        }
        let room = usize::from(area.height).saturating_sub(1 + rows.len());
        let fitting = if targets.len() > room {
            room.saturating_sub(1)
        } else {
            targets.len()
        };
        rows.extend(targets[..fitting].iter().map(row));
        if fitting < targets.len() {
            let more = Cell::new(format!("… {} more", targets.len() - fitting));
            let more = more.column_span(shown as u16 + 1);
            rows.push(Row::new([more]).style(self.theme.faint()));
        }
        let header = numbers(
            "target",
            columns.clone().map(|(name, ..)| (*name).to_owned()),
        );
        self.table(name_width, header, rows, shown)
    }

    fn table(
        &self,
        name_width: u16,
        header: Row<'static>,
        rows: Vec<Row<'static>>,
        columns: usize,
    ) -> Table<'static> {
        let mut widths = vec![Constraint::Length(name_width)];
        widths.resize(columns + 1, Constraint::Length(COLUMN));
        let table = Table::new(rows, widths).column_spacing(0);
        table.header(header.style(self.theme.faint()))
    }

    fn failures(&self) -> Option<Line<'static>> {
        let mut failures = Failures::default();
        for target in &self.snapshot.targets {
            failures += &target.failures;
        }
        let causes = FailureSummary::all(&failures);
        let targets = self.snapshot.targets.iter();
        let open: u64 = targets.map(|target| target.failing_open).sum();
        let open = (open > 0).then(|| format!("{open} admitted while failing open"));
        if causes.is_empty() {
            let style = self.theme.coloured(Outcome::Blocked.colour(self.theme));
            return open.map(|open| Line::styled(open, style));
        }
        let style = self.theme.coloured(Outcome::Failed.colour(self.theme));
        let causes = by_cause(&causes, usize::MAX);
        let mut failing = self
            .snapshot
            .targets
            .iter()
            .filter(|target| target.ledger.failed > 0);
        // The table may have shortened the name.
        let subject = match (failing.next(), failing.next()) {
            (Some(only), None) => format!("failures of {}", only.name),
            _ => "failures".to_owned(),
        };
        let failed = format!("{subject}: {causes}");
        let parts: Vec<_> = std::iter::once(failed).chain(open).collect();
        Some(Line::styled(parts.join("; "), style))
    }

    /// The last event, and what has come of the requests since.
    fn event(&self) -> Option<Line<'static>> {
        let last = self.snapshot.events.begun.last()?;
        let since = self.snapshot.since_event?;
        let ago = self.snapshot.elapsed.saturating_sub(last.began);
        let counts = since.counts;
        let mut parts = vec![format!("{} of {} failed since", counts.failed, counts.sent)];
        if since.failing_open > 0 {
            parts.push(format!(
                "{} admitted while failing open",
                since.failing_open
            ));
        }
        if since.since.count > 0 && since.before.count > 0 {
            let [now, before] = [since.since, since.before].map(|of| span(of.spans[2]));
            parts.push(format!("p99 {now}, {before} before"));
        }
        let ago = in_two_units(ago.0 / SECOND);
        let text = format!("{}, {ago} ago: {}", last.title(), parts.join("; "));
        let style = if counts.failed > 0 {
            self.theme.coloured(Outcome::Failed.colour(self.theme))
        } else {
            self.theme.strong()
        };
        Some(Line::styled(text, style))
    }

    /// The targets that were sent requests and have not answered any, once that takes longer than answers mostly do.
    fn silence(&self) -> Option<Line<'static>> {
        const USUAL: Nanos = Nanos(2_000_000_000);
        let targets = &self.snapshot.targets;
        let is_silent = |target: &&TargetSnapshot| {
            let ledger = &target.ledger;
            ledger.in_flight() > 0 && ledger.in_flight() == ledger.sent
        };
        let mut silent = targets.iter().filter(is_silent);
        let first = silent.next().filter(|_| self.snapshot.elapsed >= USUAL)?;
        let more = match silent.count() {
            0 => String::new(),
            more => format!(
                " and {}",
                count(more as u64, "other target", "other targets")
            ),
        };
        let text = format!("no answer yet from {}{more}", first.name);
        Some(Line::styled(text, self.theme.bad()))
    }

    fn audit(&self, progress: &AuditProgress, promised: &Promised) -> Vec<Span<'static>> {
        let Promised {
            limit,
            window,
            promises,
        } = promised;
        let (verdict, style) = match progress.verdict {
            AuditVerdict::Kept => ("audit: kept so far", self.theme.good()),
            AuditVerdict::Broken => ("audit: BROKEN", self.theme.bad()),
            AuditVerdict::Suspect => ("audit: suspect", self.theme.bad()),
            AuditVerdict::Inconclusive => ("audit: not tested yet", self.theme.strong()),
        };
        let over = if progress.keys_over == 0 {
            Style::new()
        } else {
            self.theme.strong()
        };
        let peak = progress.most;
        let probe = if progress.observed > self.total().sent {
            " with the probe's"
        } else {
            ""
        };
        let mut spans = vec![
            Span::styled(verdict, style),
            Span::raw(format!("peak per key in {window:#}: {peak} of {limit}")),
            Span::styled(format!("keys over: {}", progress.keys_over), over),
            Span::raw(format!("{} audited{probe}", progress.observed)),
        ];
        let possible = &progress.standing;
        if possible.len() < promises.len() && !possible.is_empty() {
            let names: Vec<_> = possible.iter().map(Promise::algorithms).collect();
            spans.push(Span::raw(format!("still possible: {}", names.join(", "))));
        }
        spans
    }

    fn footer(&self) -> Line<'static> {
        let mut spans = Vec::new();
        if self.frozen {
            let at = in_two_units(self.snapshot.elapsed.0 / SECOND);
            let badge = self.theme.badge(Color::Yellow);
            spans.push(Span::styled(format!(" FROZEN at {at} "), badge));
            spans.push(Span::raw("  "));
        }
        let stop = match (self.stopping, self.keys) {
            (true, _) => "stopping; Ctrl-C quits at once",
            (false, true) => "q stop",
            (false, false) => "Ctrl-C stop",
        };
        let freeze = match (self.keys, self.frozen) {
            (false, _) => "",
            (true, false) => "   p freeze",
            (true, true) => "   p resume",
        };
        spans.push(Span::styled(format!("{stop}{freeze}"), self.theme.faint()));
        Line::from(spans)
    }

    /// One part after the other, each whole, in as many lines as needed.
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
        let targets = self.snapshot.targets.iter();
        targets.map(|target| target.ledger).sum()
    }
}

const SECOND: u64 = 1_000_000_000;

fn mode_colour(mode: Mode) -> Color {
    match mode {
        Mode::Steady | Mode::Ramp | Mode::Sine | Mode::Replay => Color::Green,
        Mode::Burst => Color::Magenta,
        Mode::Pause => Color::Blue,
    }
}

/// A row of a table: a name, then numbers under each other.
fn numbers(name: impl Into<String>, numbers: impl Iterator<Item = String>) -> Row<'static> {
    let name = Cell::new(name.into());
    let numbers = numbers.map(|number| Cell::new(Line::from(number).right_aligned()));
    Row::new(std::iter::once(name).chain(numbers))
}

/// The name without its scheme, then without its beginning: targets differ mostly at the end.
fn shortened(name: &str, width: usize) -> String {
    let length = |name: &str| name.chars().count();
    if length(name) <= width {
        return name.to_owned();
    }
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    if length(name) <= width {
        return name.to_owned();
    }
    let Some(kept) = width.checked_sub(1) else {
        return String::new();
    };
    let rest = name.chars().skip(length(name) - kept);
    std::iter::once('…').chain(rest).collect()
}

/// The height of each section.
fn heights(sections: &[Section], height: u16) -> Vec<u16> {
    let places = sections.iter().enumerate();
    let mut wanted: Vec<_> = places
        .flat_map(|(place, section)| {
            section
                .heights
                .iter()
                .map(move |(rank, height)| (rank, place, height))
        })
        .collect();
    wanted.sort_by_key(|(rank, ..)| **rank);
    let mut left = height;
    let mut heights = vec![0; sections.len()];
    for (_, place, height) in wanted {
        let more = height.saturating_sub(heights[place]);
        // The first height is served whole or not at all.
        let given = if more <= left {
            more
        } else if heights[place] > 0 {
            left
        } else {
            0
        };
        heights[place] += given;
        left -= given;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FailureKind;
    use crate::core::audit::Quota;
    use crate::core::stats::testing;

    const QUOTA: Quota = Quota::new(100, Nanos(60 * SECOND));

    fn run() -> Run {
        Run {
            traffic: "10/s with bursts of 50/s for 5s every 30s".to_owned(),
            seed: Some(42),
            end: Some(Nanos(60 * SECOND)),
            drain: [10, 8].map(Duration::from_secs),
            promised: Some(Promised {
                limit: 100,
                window: Nanos(60 * SECOND),
                promises: Promise::of_each_algorithm(QUOTA),
            }),
        }
    }

    fn so_far() -> AuditProgress {
        AuditProgress {
            verdict: AuditVerdict::Kept,
            standing: Promise::of_each_algorithm(QUOTA)[..2].to_vec(),
            observed: 550,
            keys_over: 0,
            most: 100,
        }
    }

    /// A snapshot within the burst. Each target has allowed 100, blocked 20 and failed 3.
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
            target.failures.add(FailureKind::Timeout.into());
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

    /// The rates of 10/s with a burst of 50/s from 30 s on, of which the limiter allows 20/s.
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

    /// The run above, after `change`.
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
    fn a_terminal_of_80_by_24_shows_everything() {
        let expected = "\
loadgen 0.1.0   10/s with bursts of 50/s for 5s every 30s   seed 42
 BURST   ━━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────────────  33s of 1m, 27s left
due 50/s   sent 50/s   queue 12   in flight 6   dropped 3
█ allowed 20/s      █ blocked 30/s      █ failed 0/s       ╌ due
   50/s ┤                              ███
        │                              ███
   25/s ┤                              ███
        │                              ███
        │█████████████████████████████████
        └┬──────────────┬──────────────┬──────────────┬──────────────┬──────────
         0s             15s            30s            45s            1m
                   p50       p90       p99     p99.9       max
latency        1.00 ms   2.00 ms   3.00 ms         -   5.00 ms
service time         -         -         -         -         -
send lag             -         -         -         -         -
target                    sent   allowed   blocked    failed       p50       p99
all 3                      375       300        60         9   1.00 ms   3.00 ms
127.0.0.1:8001             125       100        20         3         -         -
127.0.0.1:8002             125       100        20         3         -         -
127.0.0.1:8003             125       100        20         3         -         -
failures: timeout ×3
audit: kept so far   peak per key in 1m: 100 of 100   keys over: 0
550 audited with the probe's   still possible: sliding-window, fixed-window
q stop   p freeze";
        let lines = usual(80, 24, |_, _| {});
        assert_eq!(lines.join("\n"), expected, "\n{}", lines.join("\n"));
    }

    #[test]
    fn every_size_can_be_drawn() {
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
        for columns in (1..90).step_by(7) {
            for rows in (1..30).step_by(3) {
                drawn(view(&run, &snapshot, &rates), columns, rows);
            }
        }
    }

    #[test]
    fn a_small_terminal_shows_what_matters_most() {
        let lines = usual(30, 3, |_, _| {});
        assert_eq!(lines[0], " BURST   33s of 1m, 27s left");
        assert_eq!(lines[1], "due 50/s   sent 50/s");
        assert_eq!(lines[2], "q stop   p freeze");
        let lines = usual(40, 12, |_, _| {});
        for text in [
            "audit: kept so far",
            "latency",
            "failures: timeout ×3",
            "blocked 30/s",
        ] {
            assert_has(&lines, text);
        }
    }

    #[test]
    fn targets_without_room_are_counted() {
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
    fn each_state_says_what_comes_next() {
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
        assert_eq!(draining, " DRAINING   waits up to 10s for 6 in flight");
        assert_eq!(said(State::Waiting, None), " WAITING   starts in 1s");
    }

    #[test]
    fn the_audits_verdict_is_shown() {
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
                .contains("BROKEN   peak per key in 1m: 100 of 100   keys over: 2")
        );
        assert!(told(AuditVerdict::Suspect, 0).starts_with("audit: suspect"));
        assert!(told(AuditVerdict::Inconclusive, 0).starts_with("audit: not tested yet"));
        let unaudited = usual(120, 40, |_, snapshot| snapshot.audit = None);
        assert!(!unaudited.join("").contains("audit"));
    }

    #[test]
    fn the_footer_tells_a_frozen_view_and_a_stopping_run() {
        let (run, snapshot, rates) = (run(), snapshot(3), rates());
        let usual = view(&run, &snapshot, &rates);
        let footer = |view| drawn(view, 80, 24).pop().unwrap();
        let frozen = View {
            frozen: true,
            ..usual
        };
        assert_eq!(footer(frozen), " FROZEN at 33s   q stop   p resume");
        let stopping = View {
            stopping: true,
            ..usual
        };
        assert_eq!(
            footer(stopping),
            "stopping; Ctrl-C quits at once   p freeze"
        );
        let without_keys = View {
            keys: false,
            ..usual
        };
        assert_eq!(footer(without_keys), "Ctrl-C stop");
    }

    #[test]
    fn a_single_target_that_fails_or_is_silent_is_named_in_full() {
        let (run, mut snapshot, rates) = (run(), snapshot(2), rates());
        let silent = Ledger {
            scheduled: 7,
            sent: 7,
            ..Ledger::default()
        };
        snapshot.targets[1] = testing::target("http://127.0.0.1:8002/v1/items", silent);
        let lines = drawn(view(&run, &snapshot, &rates), 80, 30);
        let has = |text: &str| lines.iter().any(|line| line.trim_end() == text);
        assert!(
            has("failures of http://127.0.0.1:8001: timeout ×1"),
            "{lines:#?}"
        );
        assert!(
            has("no answer yet from http://127.0.0.1:8002/v1/items"),
            "{lines:#?}"
        );
        snapshot.targets[1].failing_open = 4;
        let lines = drawn(view(&run, &snapshot, &rates), 80, 30);
        let open = "timeout ×1; 4 admitted while failing open";
        assert!(lines.iter().any(|line| line.contains(open)), "{lines:#?}");
    }

    #[test]
    fn outcomes_differ_without_colours() {
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
