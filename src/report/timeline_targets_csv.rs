//! A row for each second and target, as CSV. It has only what adds up over targets and seconds.

use super::format::{Format, RunInfo};
use super::per_second;
use super::result_file::ResultFile;
use super::stream::Stream;
use super::timeline_csv::start_rows;
use crate::engine::Observer;
use std::io;

pub const FORMAT: Format = per_second::format(
    "timeline-targets",
    "Write a CSV file with a row for each second and target",
    start,
);

const COLUMNS: [&str; 8] = [
    "second",
    "time",
    "target",
    "sent",
    "allowed",
    "blocked",
    "failed",
    "abandoned",
];

fn start<'a>(file: ResultFile, run: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    start_rows(file, run, &COLUMNS, |names, row, csv| {
        let (number, time) = (row.second.number.to_string(), row.time());
        for (name, of) in names.iter().zip(&row.second.targets) {
            let counts = [of.sent, of.allowed, of.blocked, of.failed, of.abandoned];
            let counts = counts.map(|count| count.to_string());
            let texts = [&number, &time, name];
            csv.write_record(texts.into_iter().chain(&counts))?;
        }
        Ok(())
    })
}
