//! The histograms of each second, as a log in the format of
//! [HdrHistogram](https://github.com/HdrHistogram/HdrHistogram).

use super::format::{Format, RunInfo};
use super::per_second;
use super::result_file::ResultFile;
use super::stream::{Items, Stream};
use crate::core::stats::Second;
use crate::engine::Observer;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use std::io::{self, LineWriter};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Three intervals for each second, distinguished by their tags. Values are nanoseconds. The greatest value of an interval,
/// which its line also has in plain text, is in milliseconds, as HdrHistogram's own tools write it.
pub const FORMAT: Format = per_second::format(
    "hdr-log",
    "Write the latencies, service times and send lags of each second as an HdrHistogram interval log",
    start,
);

#[derive(Debug)]
struct Interval {
    started: SystemTime,
    second: Arc<Second>,
}

const NANOS_PER_MILLI: f64 = 1e6;

fn start<'a>(file: ResultFile, _: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let interval = |started, second: &Arc<Second>, _events| Interval {
        started,
        second: second.clone(),
    };
    per_second::start(file, interval, write)
}

fn write(intervals: &mut Items<Interval>, file: &mut ResultFile) -> io::Result<()> {
    let mut lines = LineWriter::new(file);
    let mut serializer = V2DeflateSerializer::new();
    let mut headers = IntervalLogWriterBuilder::new();
    headers
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(concat!(
            "[Logged by loadgen ",
            env!("CARGO_PKG_VERSION"),
            "]"
        ))
        .with_max_value_divisor(NANOS_PER_MILLI);
    let mut first = intervals.next();
    if let Some(Interval { started, .. }) = &first {
        // Both are written, so that readers need not guess whether an interval counts from the start or from the epoch.
        headers.with_start_time(*started).with_base_time(*started);
    }
    let mut log = headers.begin_log_with(&mut lines, &mut serializer)?;
    let length = Duration::from_secs(1);
    while let Some(Interval { second, .. }) = first.take().or_else(|| intervals.next()) {
        let at = Duration::from_secs(second.number);
        for (tag, spans) in [
            ("latency", &second.latency),
            ("service_time", &second.service_time),
            ("send_lag", &second.send_lag),
        ] {
            // Compressing takes a while, in which a worker may wait for this processor.
            std::thread::yield_now();
            let written = log.write_histogram(spans.as_hdr(), at, length, Tag::new(tag));
            written.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })?;
        }
    }
    Ok(())
}
