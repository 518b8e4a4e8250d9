//! The observers of a run: the console, and the files that are written during it.

use super::files::Files;
use super::format::{Rows, RunInfo};
use super::result_file::{FileError, WrittenFile};
use super::stream::{Stream, Streamed};
use crate::base::{Moment, Sample};
use crate::core::events::EventRecord;
use crate::core::schedule::Phase;
use crate::core::stats::{Second, Tally};
use crate::core::threshold::Threshold;
use crate::engine::{Observer, Progress, SnapshotRequests, Start};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Passes everything on to each of several observers.
pub struct Observers<'a> {
    all: Vec<Box<dyn Observer + 'a>>,
    /// The places of those that want samples.
    of_samples: Vec<usize>,
    snapshot_requests: SnapshotRequests,
}

impl<'a> Observers<'a> {
    pub fn new(snapshot_requests: SnapshotRequests) -> Self {
        Observers {
            all: Vec::new(),
            of_samples: Vec::new(),
            snapshot_requests,
        }
    }

    pub fn add(&mut self, observer: Box<dyn Observer + 'a>) {
        if observer.wants_samples() {
            self.of_samples.push(self.all.len());
        }
        self.all.push(observer);
    }
}

impl Observer for Observers<'_> {
    fn wants_samples(&self) -> bool {
        !self.of_samples.is_empty()
    }

    fn wants_seconds(&self) -> bool {
        self.all.iter().any(|each| each.wants_seconds())
    }

    fn snapshot_requests(&self) -> Option<&SnapshotRequests> {
        Some(&self.snapshot_requests)
    }

    fn begin(&mut self, start: &Start) {
        self.all.iter_mut().for_each(|each| each.begin(start));
    }

    fn phase(&mut self, phase: &Phase) {
        self.all.iter_mut().for_each(|each| each.phase(phase));
    }

    fn sample(&mut self, sample: &Sample) {
        for place in &self.of_samples {
            self.all[*place].sample(sample);
        }
    }

    fn probe_sample(&mut self, sample: &Sample) {
        for place in &self.of_samples {
            self.all[*place].probe_sample(sample);
        }
    }

    fn samples_taken(&mut self, now: Moment, tally: &Tally) {
        let all = self.all.iter_mut();
        all.for_each(|each| each.samples_taken(now, tally));
    }

    fn second(&mut self, second: &Arc<Second>) {
        self.all.iter_mut().for_each(|each| each.second(second));
    }

    fn progress(&mut self, progress: &Progress) {
        self.all.iter_mut().for_each(|each| each.progress(progress));
    }

    fn event(&mut self, event: &EventRecord) {
        self.all.iter_mut().for_each(|each| each.event(event));
    }

    fn abort(&mut self, lost: &Threshold) {
        self.all.iter_mut().for_each(|each| each.abort(lost));
    }

    fn end(&mut self, missed_phases: u64) {
        self.all.iter_mut().for_each(|each| each.end(missed_phases));
    }
}

/// The files that are written while a run goes on.
#[derive(Debug, Default)]
pub struct Streams(Vec<(Stream, Rows)>);

/// The results of writing them.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Requests that could not be written; `None` if no file was to have them.
    pub unwritten_requests: Option<u64>,
    pub incomplete: Vec<Incomplete>,
    pub failed: Vec<FileError>,
    /// The files that were written, with or without missing rows.
    pub written: Vec<WrittenFile>,
}

/// Rows are missing in a file.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name}: {unwritten} of {offered} {} are missing, since they could not be written in time",
    rows.name()
)]
pub struct Incomplete {
    name: String,
    unwritten: u64,
    offered: u64,
    rows: Rows,
}

impl Streams {
    /// Starts to write those of the files that are written while a run goes on, and takes them out of `files`.
    ///
    /// # Errors
    /// The system has no thread for one.
    pub fn start<'a>(
        files: &mut Files,
        run: RunInfo<'a>,
        observers: &mut Observers<'a>,
    ) -> io::Result<Streams> {
        let mut streams = Streams::default();
        for (file, start, rows) in files.take_streamed() {
            let (observer, stream) = start(file, run)?;
            observers.add(observer);
            streams.0.push((stream, rows));
        }
        Ok(streams)
    }

    /// Waits until everything is written, once the [`Observers`] have been dropped, or until the deadline.
    pub fn finish(self, deadline: Instant) -> Recorded {
        let mut recorded = Recorded::default();
        for (stream, rows) in self.0 {
            let name = stream.name().to_owned();
            let Streamed {
                offered,
                unwritten,
                result,
            } = stream.finish(deadline);
            if rows == Rows::Requests {
                recorded.unwritten_requests = Some(unwritten);
            }
            match result {
                Err(error) => recorded.failed.push(error),
                Ok(file) => {
                    recorded.written.push(file);
                    recorded
                        .incomplete
                        .extend((unwritten > 0).then_some(Incomplete {
                            name,
                            unwritten,
                            offered,
                            rows,
                        }));
                }
            }
        }
        recorded
    }
}
