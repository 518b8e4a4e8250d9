//! A row for every request that was sent, as CSV or as one JSON object per line.

use super::format::{Format, Rows, RunInfo, Written};
use super::result_file::{Access, ResultFile};
use super::stream::{Feed, Items, Stream};
use crate::base::{Address, Moment, Nanos, Outcome, Reason, Sample};
use crate::core::keys::Keys;
use crate::core::stats::Tally;
use crate::engine::{Observer, Start};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::SystemTime;

pub const FORMAT: Format = Format {
    option: "requests",
    help: "Write a row for every request, with those of the probe. The file's name must end in .csv or .jsonl",
    takes_dash: false,
    check_name: |path| {
        encoding(path)
            .map(|_| ())
            .ok_or("must be a file whose name ends in .csv or .jsonl")
    },
    access: Access::Owner,
    written: Written::Meanwhile {
        start,
        rows: Rows::Requests,
    },
};

/// Writes batches of requests to a file, and gives each batch's memory back.
type Write = fn(&mut Items<Batch>, &Names, &Sender<Vec<Sample>>, &mut ResultFile) -> io::Result<()>;

/// Returns the writer for a file's extension. `None` if there is none for it.
fn encoding(path: &Path) -> Option<Write> {
    let end = path.extension()?.to_ascii_lowercase();
    match end.to_str()? {
        "csv" => Some(write_csv),
        "jsonl" => Some(write_json),
        _ => None,
    }
}

/// The number of requests that are handed over at once. They are few enough to be written in the time that a worker,
/// ready to send, may wait for the processor.
const BATCH: usize = 64;

/// The most batches that may wait to be written: 262,144 requests, 27 MB.
const WAITING: usize = 4096;

/// The longest time that a request waits for others to be handed over with it.
const LONGEST_WAIT: Nanos = Nanos(1_000_000_000);

/// The number of bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// Takes requests as they are answered, and never waits for the file. If too many batches wait already, the next one is
/// missing in the file, and counted.
#[derive(Debug)]
struct RequestLog {
    feed: Feed<Batch>,
    /// Batches that were written. Their memory is used again.
    used: Receiver<Vec<Sample>>,
    start: RunStart,
    /// The requests of each [`Source`] that have not been handed over.
    batches: [Vec<Sample>; 2],
    handed_over: Moment,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The schedule.
    Load,
    /// The audit's probe.
    Probe,
}

impl Source {
    const ALL: [Source; 2] = [Source::Load, Source::Probe];

    fn name(self) -> &'static str {
        match self {
            Source::Load => "load",
            Source::Probe => "probe",
        }
    }
}

/// The start of the run by both clocks.
#[derive(Debug, Clone, Copy)]
struct RunStart {
    at: Moment,
    /// Nanoseconds since 1970, UTC.
    unix: Nanos,
}

#[derive(Debug)]
struct Batch {
    start: RunStart,
    source: Source,
    samples: Vec<Sample>,
}

fn start<'a>(file: ResultFile, run: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let has_keys = run.plan.requests_have_keys();
    let names = Names {
        keys: has_keys.then(|| [run.plan.keys.clone(), run.plan.probe_keys()]),
        targets: run.targets.to_owned(),
    };
    let write = encoding(file.path()).unwrap_or(write_csv);
    let (give_back, used) = bounded(WAITING);
    let (feed, stream) = Stream::start(file, WAITING, move |batches, file| {
        write(batches, &names, &give_back, file)
    })?;
    let log = RequestLog {
        feed,
        used,
        start: RunStart {
            at: Moment::MAX,
            unix: Nanos::ZERO,
        },
        batches: [Vec::with_capacity(BATCH), Vec::with_capacity(BATCH)],
        handed_over: Moment::MAX,
    };
    Ok((Box::new(log), stream))
}

impl Observer for RequestLog {
    fn wants_samples(&self) -> bool {
        true
    }

    fn begin(&mut self, start: &Start) {
        let unix = start.by_calendar.duration_since(SystemTime::UNIX_EPOCH);
        self.start = RunStart {
            at: start.at,
            unix: Nanos::from(unix.unwrap_or_default()),
        };
        self.handed_over = start.at;
    }

    fn sample(&mut self, sample: &Sample) {
        self.add(sample, Source::Load);
    }

    fn probe_sample(&mut self, sample: &Sample) {
        self.add(sample, Source::Probe);
    }

    fn samples_taken(&mut self, now: Moment, _: &Tally) {
        if now.since(self.handed_over) >= LONGEST_WAIT {
            self.hand_over_all();
            self.handed_over = now;
        }
    }
}

impl RequestLog {
    fn add(&mut self, sample: &Sample, source: Source) {
        let batch = &mut self.batches[source as usize];
        batch.push(*sample);
        if batch.len() == BATCH {
            self.hand_over(source);
        }
    }

    fn hand_over_all(&mut self) {
        for source in Source::ALL {
            self.hand_over(source);
        }
    }

    fn hand_over(&mut self, source: Source) {
        let batch = &mut self.batches[source as usize];
        if batch.is_empty() {
            return;
        }
        let unused = self.used.try_recv();
        let unused = unused.unwrap_or_else(|_| Vec::with_capacity(BATCH));
        let samples = std::mem::replace(batch, unused);
        let rows = samples.len() as u64;
        let full = Batch {
            start: self.start,
            source,
            samples,
        };
        if let Err(Batch { mut samples, .. }) = self.feed.offer(full, rows) {
            samples.clear();
            *batch = samples;
        }
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.hand_over_all();
    }
}

/// The names of keys and targets.
struct Names {
    /// The keys of each [`Source`]. `None` if requests carry no keys.
    keys: Option<[Keys; 2]>,
    targets: Vec<String>,
}

/// Times are nanoseconds since the schedule's start.
#[derive(Serialize)]
struct Row<'a> {
    /// The request's number. The load and the probe each count from 0.
    sequence: u64,
    key: Option<&'a str>,
    target: &'a str,
    due_ns: u64,
    /// For a request that was never transmitted, the time of the attempt.
    sent_ns: u64,
    /// Empty for an abandoned request.
    done_ns: Option<u64>,
    latency_ns: Option<u64>,
    /// Empty also for a request that was never transmitted.
    service_time_ns: Option<u64>,
    outcome: &'static str,
    /// The kind of failure of a failed request.
    failure: Option<&'static str>,
    /// Nanoseconds since 1970, UTC: the start by the system's clock, and from there on `sent_ns` by the monotonic clock.
    sent_unix_ns: u64,
    /// The end of a request that was transmitted and then abandoned. It is empty for all others.
    abandoned_ns: Option<u64>,
    /// The status of the answer, if its head was received.
    status: Option<u16>,
    /// Why a request failed, in a few words, if there is more to say than `failure` does.
    reason: Option<&'static str>,
    /// The address that the request went to. It is empty if none was tried.
    address: Option<&'static str>,
    /// `load`, or `probe` for a request of the audit's probe.
    source: &'static str,
}

const COLUMNS: [&str; 16] = [
    "sequence",
    "key",
    "target",
    "due_ns",
    "sent_ns",
    "done_ns",
    "latency_ns",
    "service_time_ns",
    "outcome",
    "failure",
    "sent_unix_ns",
    "abandoned_ns",
    "status",
    "reason",
    "address",
    "source",
];

impl<'a> Row<'a> {
    fn new(
        sample: &Sample,
        start: RunStart,
        source: Source,
        names: &'a Names,
        key: &'a mut Vec<u8>,
    ) -> Self {
        let answer = &sample.answer;
        let (outcome, failure) = match answer.outcome {
            Outcome::Allowed => ("allowed", None),
            Outcome::Blocked => ("blocked", None),
            Outcome::Failed(kind) => ("failed", Some(kind.name())),
            Outcome::Abandoned => ("abandoned", None),
        };
        let since_start = |moment: Moment| moment.since(start.at);
        let is_done = answer.outcome != Outcome::Abandoned;
        let latency = is_done.then(|| answer.done.since(sample.due));
        let has_left = is_done && answer.transmitted;
        let service_time = has_left.then(|| answer.done.since(answer.sent));
        let is_cut_off = answer.outcome == Outcome::Abandoned && answer.transmitted;
        Row {
            sequence: sample.sequence,
            key: names.keys.as_ref().map(|keys| {
                key.clear();
                keys[source as usize].write(sample.key, key);
                std::str::from_utf8(key).expect("a key is text")
            }),
            target: &names.targets[sample.target as usize],
            due_ns: since_start(sample.due).0,
            sent_ns: since_start(answer.sent).0,
            done_ns: latency.map(|_| since_start(answer.done).0),
            latency_ns: latency.map(|latency| latency.0),
            service_time_ns: service_time.map(|service_time| service_time.0),
            outcome,
            failure,
            sent_unix_ns: (start.unix + since_start(answer.sent)).0,
            abandoned_ns: is_cut_off.then(|| since_start(answer.done).0),
            status: answer.status,
            reason: answer.reason.map(Reason::text),
            address: answer.address.map(Address::text),
            source: source.name(),
        }
    }
}

fn write_csv(
    batches: &mut Items<Batch>,
    names: &Names,
    give_back: &Sender<Vec<Sample>>,
    file: &mut ResultFile,
) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .buffer_capacity(BUFFER)
        .from_writer(file);
    csv.write_record(COLUMNS)?;
    csv.flush()?;
    let mut key = Vec::new();
    for batch in batches {
        let Batch {
            start,
            source,
            samples,
        } = batch;
        for sample in &samples {
            csv.serialize(Row::new(sample, start, source, names, &mut key))?;
        }
        csv.flush()?;
        take_back(samples, give_back);
    }
    Ok(())
}

fn write_json(
    batches: &mut Items<Batch>,
    names: &Names,
    give_back: &Sender<Vec<Sample>>,
    file: &mut ResultFile,
) -> io::Result<()> {
    let mut lines = BufWriter::with_capacity(BUFFER, file);
    let mut key = Vec::new();
    for batch in batches {
        let Batch {
            start,
            source,
            samples,
        } = batch;
        for sample in &samples {
            serde_json::to_writer(
                &mut lines,
                &Row::new(sample, start, source, names, &mut key),
            )?;
            lines.write_all(b"\n")?;
        }
        lines.flush()?;
        take_back(samples, give_back);
    }
    Ok(())
}

fn take_back(mut samples: Vec<Sample>, give_back: &Sender<Vec<Sample>>) {
    samples.clear();
    // If the log has ended, the memory is not needed any more.
    let _ = give_back.try_send(samples);
}
