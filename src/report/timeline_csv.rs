//! A row for each second of the run, as CSV. So each column of counts adds up to the ledger.

use super::format::{Format, RunInfo};
use super::per_second;
use super::result_file::ResultFile;
use super::stream::{Items, Stream};
use crate::base::text::rounded_rate;
use crate::base::{Mode, Nanos};
use crate::core::stats::Second;
use crate::engine::Observer;
use jiff::Timestamp;
use std::io::{self, LineWriter};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Durations are whole nanoseconds. A percentile of nothing is an empty cell.
pub const FORMAT: Format = per_second::format(
    "timeline",
    "Write a CSV file with a row for each second",
    start,
);

/// A second, with its time and the schedule's mode.
#[derive(Debug)]
pub(super) struct Row {
    at: SystemTime,
    /// The schedule's mode when the second begins. `None` from the schedule's end on.
    mode: Option<Mode>,
    pub second: Arc<Second>,
    /// The events that began in this second.
    events: Vec<String>,
}

const COLUMNS: [&str; 20] = [
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
    "latency_p99_9_ns",
    "latency_max_ns",
    "service_time_p99_ns",
    "send_lag_p99_ns",
    "send_lag_max_ns",
    "events",
];

fn start<'a>(file: ResultFile, run: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    start_rows(file, run, &COLUMNS, |_, row, csv| {
        csv.write_record(cells(row))
    })
}

/// Writes the CSV records of a second. Gets the names of the targets.
pub(super) type WriteSecond =
    fn(&[String], &Row, &mut csv::Writer<LineWriter<&mut ResultFile>>) -> csv::Result<()>;

/// Starts to write a file of CSV with these columns.
pub(super) fn start_rows<'a>(
    file: ResultFile,
    run: RunInfo<'a>,
    columns: &'static [&'static str],
    write_second: WriteSecond,
) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let names = run.targets.to_owned();
    let write = move |rows: &mut Items<Row>, file: &mut ResultFile| {
        let mut csv = csv::Writer::from_writer(LineWriter::new(file));
        csv.write_record(columns)?;
        csv.flush()?;
        for row in rows {
            write_second(&names, &row, &mut csv)?;
            csv.flush()?;
        }
        Ok(())
    };
    let schedule = &run.plan.schedule;
    let row = |started: SystemTime, second: &Arc<Second>, events| {
        let since = Duration::from_secs(second.number);
        let phase = schedule.phase(Nanos::from(since));
        Row {
            at: started + since,
            mode: phase.map(|phase| phase.mode()),
            second: second.clone(),
            events,
        }
    };
    per_second::start(file, row, write)
}

fn cells(row: &Row) -> Vec<String> {
    let Row { mode, second, .. } = row;
    let total = second.total();
    let mode = mode.map_or("", Mode::name);
    let mut cells = vec![
        second.number.to_string(),
        row.time(),
        mode.to_owned(),
        rounded_rate(second.asked).to_string(),
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
    let [_, _, service_time_p99, ..] = second.service_time.percentiles().nanos();
    let [_, _, send_lag_p99, _, send_lag_max] = second.send_lag.percentiles().nanos();
    let others = [service_time_p99, send_lag_p99, send_lag_max];
    let percentiles = second
        .latency
        .percentiles()
        .nanos()
        .into_iter()
        .chain(others);
    cells
        .extend(percentiles.map(|nanos| nanos.map_or_else(String::new, |nanos| nanos.to_string())));
    cells.push(row.events.join("; "));
    cells
}

impl Row {
    /// The second's start, to a millisecond, in UTC. Empty beyond the calendar's end.
    pub fn time(&self) -> String {
        let at = Timestamp::try_from(self.at);
        at.map_or_else(|_| String::new(), |at| format!("{at:.3}"))
    }
}
