//! A row for every request that was sent, as CSV or as one JSON object per line.

use super::format::{self, Format, RunInfo, Written};
use super::result_file::{Access, ResultFile};
use super::stream::{Feed, Items, Stream};
use crate::base::{Address, Moment, Nanos, Outcome, Reason, Sample};
use crate::core::keys::Keys;
use crate::core::stats::Tally;
use crate::engine::{Observer, Progress, Start};
use crate::system::wall_clock::ErrorBound;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
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
        rows: format::Rows::Requests,
    },
};

/// How rows are written.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    Csv,
    JsonLines,
}

/// The encoding for a file's extension. `None` if there is none for it.
fn encoding(path: &Path) -> Option<Encoding> {
    let end = path.extension()?.to_ascii_lowercase();
    match end.to_str()? {
        "csv" => Some(Encoding::Csv),
        "jsonl" => Some(Encoding::JsonLines),
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

/// How often the error of the machine's clock is found out anew.
const CLOCK_CHECKS: Nanos = Nanos(100_000_000);

/// The first digits of a plan's fingerprint: enough to tell plans apart.
pub(super) fn first_digits(fingerprint: &str) -> &str {
    const DIGITS: usize = 8;
    fingerprint.get(..DIGITS).unwrap_or(fingerprint)
}

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
    /// The number of the stripe's requests in the whole schedule. `None` if the schedule never ends, or without a stripe.
    in_all: Option<u64>,
    /// Whether all of them have come due.
    is_to_end: Arc<AtomicBool>,
    /// How far the machine's clock may be off, as the user says.
    given_error: Option<Nanos>,
    /// How far it may be off, and when that was found out.
    clock: Option<ErrorBound>,
    clock_checked: Moment,
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
    by_calendar: SystemTime,
    /// The same in nanoseconds since 1970, UTC.
    unix: Nanos,
}

#[derive(Debug)]
struct Batch {
    start: RunStart,
    clock: Option<ErrorBound>,
    source: Source,
    samples: Vec<Sample>,
}

fn start<'a>(file: ResultFile, run: RunInfo<'a>) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let has_keys = run.plan.requests_have_keys();
    let stripe = Some(run.plan.schedule.stripe()).filter(|stripe| !stripe.is_whole());
    let is_to_end = Arc::new(AtomicBool::new(false));
    let names = Names {
        keys: has_keys.then(|| [run.plan.keys.clone(), run.plan.probe_keys()]),
        targets: run.targets.to_owned(),
        part: stripe.map(|stripe| Part {
            stripe: stripe.to_string(),
            plan: first_digits(run.fingerprint).to_owned(),
            is_to_end: is_to_end.clone(),
        }),
    };
    let encoding = encoding(file.path()).unwrap_or(Encoding::Csv);
    let (give_back, used) = bounded(WAITING);
    let (feed, stream) = Stream::start(file, WAITING, move |batches, file| match encoding {
        Encoding::Csv => write_rows(batches, &names, &give_back, &mut csv_rows(file)?),
        Encoding::JsonLines => {
            let mut lines = JsonLines(BufWriter::with_capacity(BUFFER, file));
            write_rows(batches, &names, &give_back, &mut lines)
        }
    })?;
    let log = RequestLog {
        feed,
        used,
        start: RunStart {
            at: Moment::MAX,
            by_calendar: SystemTime::UNIX_EPOCH,
            unix: Nanos::ZERO,
        },
        // Only the last row of a stripe says it.
        in_all: stripe.and_then(|_| run.plan.schedule.total()),
        is_to_end,
        given_error: run.plan.clock_error,
        clock: None,
        clock_checked: Moment::MAX,
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
            by_calendar: start.by_calendar,
            unix: Nanos::from(unix.unwrap_or_default()),
        };
        self.handed_over = start.at;
        self.check_clock(start.at);
    }

    fn sample(&mut self, sample: &Sample) {
        self.add(sample, Source::Load);
    }

    fn probe_sample(&mut self, sample: &Sample) {
        self.add(sample, Source::Probe);
    }

    fn progress(&mut self, progress: &Progress) {
        let is_to_end = self.in_all == Some(progress.totals.scheduled);
        self.is_to_end.store(is_to_end, Release);
    }

    fn samples_taken(&mut self, now: Moment, _: &Tally) {
        if now.since(self.handed_over) >= LONGEST_WAIT {
            self.hand_over_all();
            self.handed_over = now;
        }
        if now.since(self.clock_checked) >= CLOCK_CHECKS {
            self.check_clock(now);
        }
    }
}

impl RequestLog {
    /// Finds out how far the machine's clock may be off by now.
    fn check_clock(&mut self, now: Moment) {
        let RunStart {
            at, by_calendar, ..
        } = self.start;
        self.clock = ErrorBound::now(at, by_calendar, self.given_error);
        self.clock_checked = now;
    }

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
            clock: self.clock,
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
    /// `None` for a whole run.
    part: Option<Part>,
}

/// The stripe that a run sends.
struct Part {
    stripe: String,
    /// The beginning of its plan's fingerprint.
    plan: String,
    /// Whether all requests of the stripe came due before the run ended. It is known when the last row is written.
    is_to_end: Arc<AtomicBool>,
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
    /// The stripe of the schedule, such as `3/8`. Empty if the run sent the whole schedule.
    stripe: Option<&'a str>,
    /// The first digits of the fingerprint of the stripe's plan.
    plan: Option<&'a str>,
    /// How far `sent_unix_ns` may be off, and the request's other instants by this clock. Empty if the system does not know.
    clock_error_ns: Option<u64>,
    /// In the last row, the number of all rows of this file, those that could not be written included. Empty in all others.
    rows: Option<u64>,
    /// In the last row of a stripe, `schedule` if the process sent the stripe to the end of the schedule, and `stop` if it ended
    /// before. Empty in all others.
    ended_by: Option<&'static str>,
}

const COLUMNS: [&str; 21] = [
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
    "stripe",
    "plan",
    "clock_error_ns",
    "rows",
    "ended_by",
];

/// A request with all that its row needs.
#[derive(Debug, Clone, Copy)]
struct Entry {
    sample: Sample,
    start: RunStart,
    clock: Option<ErrorBound>,
    source: Source,
}

impl<'a> Row<'a> {
    /// The row of a request. `rows` is the number of all rows if this is the last one.
    fn new(entry: &Entry, rows: Option<u64>, names: &'a Names, key: &'a mut Vec<u8>) -> Self {
        let last_of = names.part.as_ref().filter(|_| rows.is_some());
        let Entry {
            sample,
            start,
            clock,
            source,
        } = entry;
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
                keys[*source as usize].write(sample.key, key);
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
            stripe: names.part.as_ref().map(|part| part.stripe.as_str()),
            plan: names.part.as_ref().map(|part| part.plan.as_str()),
            clock_error_ns: clock.map(|clock| {
                let ends = [answer.sent, answer.done].map(|instant| clock.error_at(instant));
                ends[0].max(ends[1]).0
            }),
            rows,
            ended_by: last_of.map(|part| match part.is_to_end.load(Acquire) {
                true => "schedule",
                false => "stop",
            }),
        }
    }
}

/// Writes rows in one of the encodings.
trait Rows {
    fn write(&mut self, row: &Row) -> io::Result<()>;

    fn flush(&mut self) -> io::Result<()>;
}

impl<W: io::Write> Rows for csv::Writer<W> {
    fn write(&mut self, row: &Row) -> io::Result<()> {
        Ok(self.serialize(row)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        csv::Writer::flush(self)
    }
}

struct JsonLines<W: io::Write>(BufWriter<W>);

impl<W: io::Write> Rows for JsonLines<W> {
    fn write(&mut self, row: &Row) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Rows in CSV, below the columns' names.
fn csv_rows(file: &mut ResultFile) -> io::Result<csv::Writer<&mut ResultFile>> {
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .buffer_capacity(BUFFER)
        .from_writer(file);
    csv.write_record(COLUMNS)?;
    csv.flush()?;
    Ok(csv)
}

/// Writes a row for each request, and into the last one how many there are. So each is written when the next one is known.
fn write_rows(
    batches: &mut Items<Batch>,
    names: &Names,
    give_back: &Sender<Vec<Sample>>,
    rows: &mut impl Rows,
) -> io::Result<()> {
    let mut key = Vec::new();
    let mut latest: Option<Entry> = None;
    for batch in batches.by_ref() {
        let Batch {
            start,
            clock,
            source,
            samples,
        } = batch;
        for sample in &samples {
            let next = Entry {
                sample: *sample,
                start,
                clock,
                source,
            };
            if let Some(entry) = latest.replace(next) {
                rows.write(&Row::new(&entry, None, names, &mut key))?;
            }
        }
        rows.flush()?;
        take_back(samples, give_back);
    }
    if let Some(entry) = latest {
        let all = batches.rows_offered();
        rows.write(&Row::new(&entry, Some(all), names, &mut key))?;
    }
    rows.flush()
}

fn take_back(mut samples: Vec<Sample>, give_back: &Sender<Vec<Sample>>) {
    samples.clear();
    // If the log has ended, the memory is not needed any more.
    let _ = give_back.try_send(samples);
}
