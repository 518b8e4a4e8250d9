//! What is told of a run while it goes on, and the files that are made of that.

use super::files::{FileError, Files};
use super::hdr_log::HdrLog;
use super::request_log::RequestLog;
use super::stream::{Stream, Streamed};
use super::timeline_csv::TimelineCsv;
use crate::base::Target;
use crate::core::plan::Plan;
use crate::core::stats::{PerSecond, Second};
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Who is told of a run while it goes on.
#[derive(Default)]
pub struct Recording<'a> {
    /// Each of them is told every second.
    pub seconds: Vec<Box<dyn PerSecond + Send + 'a>>,
    pub requests: Option<RequestLog>,
}

impl PerSecond for Recording<'_> {
    fn begin(&mut self, started: SystemTime) {
        self.seconds.iter_mut().for_each(|each| each.begin(started));
    }

    fn second(&mut self, second: &Arc<Second>) {
        self.seconds.iter_mut().for_each(|each| each.second(second));
    }
}

/// The files that are written meanwhile.
#[derive(Debug, Default)]
pub struct Streams {
    timeline: Option<Stream>,
    hdr_log: Option<Stream>,
    requests: Option<Stream>,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Requests that could not be written; `None` if none were to be.
    pub unwritten_requests: Option<u64>,
    pub incomplete: Vec<Incomplete>,
    pub failed: Vec<FileError>,
}

/// A file in which something is missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name}: {unwritten} of {offered} {rows} are missing, since they could not be written in time"
)]
pub struct Incomplete {
    name: String,
    unwritten: u64,
    offered: u64,
    rows: &'static str,
}

impl Streams {
    /// Takes those of the files that are written while a run goes on.
    ///
    /// # Errors
    /// There is no thread for one.
    pub fn start<'a>(
        files: &mut Files,
        plan: &'a Plan,
        targets: &[Target],
    ) -> io::Result<(Recording<'a>, Streams)> {
        let (mut recording, mut streams) = (Recording::default(), Streams::default());
        if let Some(file) = files.timeline.take() {
            let (timeline, stream) = TimelineCsv::start(file, &plan.schedule, targets)?;
            recording.seconds.push(Box::new(timeline));
            streams.timeline = Some(stream);
        }
        if let Some(file) = files.hdr_log.take() {
            let (log, stream) = HdrLog::start(file)?;
            recording.seconds.push(Box::new(log));
            streams.hdr_log = Some(stream);
        }
        if let Some(file) = files.requests.take()
            && let Some((_, format)) = plan.outputs.requests
        {
            let (log, stream) = RequestLog::start(file, format, plan, targets)?;
            recording.requests = Some(log);
            streams.requests = Some(stream);
        }
        Ok((recording, streams))
    }

    /// Waits until all is written, once the [`Recording`] has been dropped, or until the deadline.
    pub fn finish(self, deadline: Instant) -> Recorded {
        let mut recorded = Recorded::default();
        for (stream, rows) in [
            (self.timeline, "seconds"),
            (self.hdr_log, "seconds"),
            (self.requests, "requests"),
        ] {
            let Some(stream) = stream else {
                continue;
            };
            let name = stream.name().to_owned();
            let Streamed {
                offered,
                unwritten,
                result,
            } = stream.finish(deadline);
            if rows == "requests" {
                recorded.unwritten_requests = Some(unwritten);
            }
            match result {
                Err(error) => recorded.failed.push(error),
                Ok(()) if unwritten > 0 => recorded.incomplete.push(Incomplete {
                    name,
                    unwritten,
                    offered,
                    rows,
                }),
                Ok(()) => {}
            }
        }
        recorded
    }
}
