//! A row for each second of the run, as CSV.

use super::format::{Format, Rows, RunInfo, Written, any_name};
use super::result_file::ResultFile;
use super::stream::{Feed, Items, Stream};
use crate::base::{Mode, Nanos};
use crate::core::schedule::Schedule;
use crate::core::stats::{Histogram, Second};
use crate::engine::{Observer, Start};
use jiff::Timestamp;
use std::io::{self, LineWriter};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The most seconds that may wait to be written.
const WAITING: usize = 60;

pub const FORMAT: Format = Format {
    option: "timeline",
    help: "Write a CSV file with a row for each second",
    takes_dash: false,
    check_name: any_name,
    written: Written::Meanwhile {
        start,
        rows: Rows::Seconds,
    },
};

/// Writes a row for each second. Durations are whole nanoseconds. A percentile of nothing is an empty cell.
struct TimelineCsv<'a> {
    schedule: &'a Schedule,
    started: SystemTime,
    feed: Feed<Row>,
}

/// A second, with its time and the schedule's mode.
#[derive(Debug)]
struct Row {
    at: SystemTime,
    /// The schedule's mode when the second begins. `None` from the schedule's end on.
    mode: Option<Mode>,
    second: Arc<Second>,
}

const COLUMNS: [&str; 19] = [
    "second",
    "time",
    "mode",
    "asked_per_s",
    "scheduled",
    "dropped",
    "sent",
    "allowed",
    "blocked",
    "failed",
    "abandoned",
    "latency_p50_ns",
    "latency_p90_ns",
    "latency_p99_ns",
    "latency_p99.9_ns",
    "latency_max_ns",
    "service_time_p99_ns",
    "send_lag_p99_ns",
    "send_lag_max_ns",
];

const TARGET_COLUMNS: [&str; 4] = ["sent", "allowed", "blocked", "failed"];

fn start<'a>(file: ResultFile, run: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let names = run.targets.to_owned();
    let (feed, stream) = Stream::start(file, WAITING, move |rows, file| write(rows, &names, file))?;
    let timeline = TimelineCsv {
        schedule: &run.plan.schedule,
        started: SystemTime::UNIX_EPOCH,
        feed,
    };
    Ok((Box::new(timeline), stream))
}

impl Observer for TimelineCsv<'_> {
    fn wants_seconds(&self) -> bool {
        true
    }

    fn begin(&mut self, start: &Start) {
        self.started = start.by_calendar;
    }

    fn second(&mut self, second: &Arc<Second>) {
        let since = Duration::from_secs(second.number);
        let phase = self.schedule.phase(Nanos::from(since));
        let row = Row {
            at: self.started + since,
            mode: phase.map(|phase| phase.mode()),
            second: second.clone(),
        };
        // A row that finds no room is counted as missing.
        let _ = self.feed.offer(row, 1);
    }
}

fn write(rows: &mut Items<Row>, targets: &[String], file: &mut ResultFile) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(LineWriter::new(file));
    let of_targets = targets.iter().flat_map(|target| {
        let columns = TARGET_COLUMNS.iter();
        columns.map(move |column| format!("{column} {target}"))
    });
    csv.write_record(COLUMNS.map(str::to_owned).into_iter().chain(of_targets))?;
    csv.flush()?;
    for row in rows {
        csv.write_record(cells(&row))?;
        csv.flush()?;
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let Row { at, mode, second } = row;
    let total = second.total();
    let mode = mode.map_or("", Mode::name);
    let mut cells = vec![
        second.number.to_string(),
        time(*at),
        mode.to_owned(),
        // To a thousandth, without trailing zeros.
        ((second.asked * 1e3).round() / 1e3).to_string(),
    ];
    let counts = [
        second.scheduled,
        second.dropped,
        total.sent,
        total.allowed,
        total.blocked,
        total.failed,
        total.abandoned,
    ];
    cells.extend(counts.map(|count| count.to_string()));
    let percentiles = [
        (&second.latency, 0.5),
        (&second.latency, 0.9),
        (&second.latency, 0.99),
        (&second.latency, 0.999),
        (&second.latency, 1.0),
        (&second.service_time, 0.99),
        (&second.send_lag, 0.99),
        (&second.send_lag, 1.0),
    ];
    cells.extend(percentiles.map(|(spans, share)| percentile(spans, share)));
    for target in &second.targets {
        let counts = [target.sent, target.allowed, target.blocked, target.failed];
        cells.extend(counts.map(|count| count.to_string()));
    }
    cells
}

fn percentile(spans: &Histogram, share: f64) -> String {
    match spans.count() {
        0 => String::new(),
        _ => spans.quantile(share).0.to_string(),
    }
}

/// The time to a millisecond, in UTC. Empty beyond the calendar's end.
fn time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at);
    at.map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}
