//! Files with rows for each second, which are written while the run goes on.

use super::format::{Format, Rows, StartStream, Written, any_name};
use super::result_file::{Access, ResultFile};
use super::stream::{Feed, Items, Stream};
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

/// Passes on what is made of each second to a file.
struct PerSecond<M, T> {
    started: SystemTime,
    make: M,
    feed: Feed<T>,
}

/// Starts to write a file. `make` gets the run's start and a second.
pub(super) fn start<'a, T: Send + 'static>(
    file: ResultFile,
    make: impl FnMut(SystemTime, &Arc<Second>) -> T + Send + 'a,
    write: impl FnOnce(&mut Items<T>, &mut ResultFile) -> io::Result<()> + Send + 'static,
) -> io::Result<(Box<dyn Observer + 'a>, Stream)> {
    let (feed, stream) = Stream::start(file, WAITING, write)?;
    let observer = PerSecond {
        started: SystemTime::UNIX_EPOCH,
        make,
        feed,
    };
    Ok((Box::new(observer), stream))
}

impl<M: FnMut(SystemTime, &Arc<Second>) -> T + Send, T: Send> Observer for PerSecond<M, T> {
    fn wants_seconds(&self) -> bool {
        true
    }

    fn begin(&mut self, start: &Start) {
        self.started = start.by_calendar;
    }

    fn second(&mut self, second: &Arc<Second>) {
        let item = (self.make)(self.started, second);
        // A second that finds no room is counted as missing.
        let _ = self.feed.offer(item, 1);
    }
}
