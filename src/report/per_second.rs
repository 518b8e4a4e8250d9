//! Files with rows for each second, which are written while the run goes on.

use super::format::{Format, Rows, StartStream, Written, any_name};
use super::result_file::{Access, ResultFile};
use super::stream::{Feed, Items, Stream};
use crate::core::events::{EventRecord, MOST_PLANNED, MOST_POSTED};
use crate::core::stats::Second;
use crate::engine::{Observer, Start};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// The most seconds that may wait to be written.
const WAITING: usize = 60;

/// A format of such files.
pub(super) const fn format(option: &'static str, help: &'static str, start: StartStream) -> Format {
    Format {
        option,
        help,
        takes_dash: false,
        check_name: any_name,
        access: Access::Umask,
        written: Written::Meanwhile {
            start,
            rows: Rows::Seconds,
        },
    }
}

/// The most events that wait for their second. There are not more than this in a run.
const EVENTS: usize = 2 * MOST_PLANNED + MOST_POSTED;

/// Passes on what is made of each second to a file.
struct PerSecond<M, T> {
    started: SystemTime,
    /// The events that began, with the number of the second, until that second is complete.
    events: Vec<(u64, String)>,
    /// The latest second. It waits for the next one, or for the end of the run: the last second also has the events that began
    /// after it, such as undos.
    latest: Option<Arc<Second>>,
    make: M,
    feed: Feed<T>,
}

/// Starts to write a file. `make` gets the run's start, a second, and the names of the events that began in it.
pub(super) fn start<'a, T: Send + 'static>(
    file: ResultFile,
    make: impl FnMut(SystemTime, &Arc<Second>, Vec<String>) -> T + Send + 'a,
    write: impl FnOnce(&mut Items<T>, &mut ResultFile) -> io::Result<()> + Send + 'static,
) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let (feed, stream) = Stream::start(file, WAITING, write)?;
    let observer = PerSecond {
        started: SystemTime::UNIX_EPOCH,
        events: Vec::new(),
        latest: None,
        make,
        feed,
    };
    Ok((Box::new(observer), stream))
}

impl<M: FnMut(SystemTime, &Arc<Second>, Vec<String>) -> T, T: Send> PerSecond<M, T> {
    /// Writes a second, with the events that began up to the end of the second with the number `until`.
    fn write(&mut self, second: &Arc<Second>, until: u64) {
        let began = self.events.extract_if(.., |(number, _)| *number <= until);
        let events = began.map(|(_, title)| title).collect();
        let item = (self.make)(self.started, second, events);
        // A second that finds no room is counted as missing.
        let _ = self.feed.offer(item, 1);
    }
}

impl<M: FnMut(SystemTime, &Arc<Second>, Vec<String>) -> T + Send, T: Send> Observer
    for PerSecond<M, T>
{
    fn wants_seconds(&self) -> bool {
        true
    }

    fn begin(&mut self, start: &Start) {
        self.started = start.by_calendar;
    }

    fn event(&mut self, event: &EventRecord) {
        if event.has_just_begun() && self.events.len() < EVENTS {
            let second = event.began.0 / 1_000_000_000;
            self.events.push((second, event.title()));
        }
    }

    fn second(&mut self, second: &Arc<Second>) {
        if let Some(before) = self.latest.replace(second.clone()) {
            self.write(&before, before.number);
        }
    }

    fn end(&mut self, _missed_phases: u64) {
        if let Some(last) = self.latest.take() {
            self.write(&last, u64::MAX);
        }
    }
}
