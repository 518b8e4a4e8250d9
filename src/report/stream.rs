//! Files that are written while the run goes on.

use super::result_file::{FileError, ResultFile};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long files may still be written to once the run is over, all of them together.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A file that a thread of its own writes, so that nobody ever waits for a disk or for whoever reads a pipe.
#[derive(Debug)]
pub struct Stream {
    name: String,
    counts: Arc<Counts>,
    written: Receiver<io::Result<ResultFile>>,
}

/// The end of a [`Stream`] that takes what is to be written. The file ends where this is dropped.
#[derive(Debug)]
pub struct Feed<T> {
    items: Sender<Item<T>>,
    counts: Arc<Counts>,
}

/// Something to be written that stands for so many rows.
#[derive(Debug)]
struct Item<T> {
    rows: u64,
    item: T,
}

#[derive(Debug, Default)]
struct Counts {
    offered: AtomicU64,
    written: AtomicU64,
}

/// What is to be written, for the thread that writes it. One counts as written when the next is asked for.
#[derive(Debug)]
pub struct Items<T> {
    items: Receiver<Item<T>>,
    taken: u64,
    counts: Arc<Counts>,
}

/// What became of a [`Stream`].
#[derive(Debug)]
pub struct Streamed {
    /// Rows that were to be written, and those of them that are not.
    pub offered: u64,
    pub unwritten: u64,
    pub result: Result<(), FileError>,
}

impl Stream {
    /// `write` ends when there are no more items. Up to `waiting` of them wait for it.
    ///
    /// # Errors
    /// There is no thread.
    pub fn start<T: Send + 'static>(
        mut file: ResultFile,
        waiting: usize,
        write: impl FnOnce(&mut Items<T>, &mut ResultFile) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(Feed<T>, Stream)> {
        let counts = Arc::new(Counts::default());
        let (sender, receiver) = bounded(waiting);
        let (tell, written) = bounded(1);
        let name = file.to_string();
        let mut items = Items {
            items: receiver,
            taken: 0,
            counts: counts.clone(),
        };
        // Ends when its feed is dropped and all is written, or when that fails.
        let body = move || {
            crate::system::scheduling::use_batch_policy();
            let result = write(&mut items, &mut file).map(|()| file);
            // From here on nobody waits for a place in the queue that never comes.
            drop(items);
            // Nobody is there any more who would want to know, if it fails.
            let _ = tell.send(result);
        };
        thread::Builder::new()
            .name("result file".to_owned())
            .spawn(body)?;
        let feed = Feed {
            items: sender,
            counts: counts.clone(),
        };
        let stream = Stream {
            name,
            counts,
            written,
        };
        Ok((feed, stream))
    }

    /// As the [`ResultFile`] displays.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until all is written, if its feed has been dropped, or until the deadline; then gives the file its name.
    /// A thread that hangs is left behind.
    pub fn finish(self, deadline: Instant) -> Streamed {
        let left = deadline.saturating_duration_since(Instant::now());
        let result = match self.written.recv_timeout(left) {
            Ok(file) => file.and_then(ResultFile::commit),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Err(io::Error::other(format!(
                "not within {PATIENCE:?} of the run's end"
            ))),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("a bug ended its thread"))
            }
        };
        let offered = self.counts.offered.load(Relaxed);
        let written = self.counts.written.load(Relaxed);
        Streamed {
            offered,
            unwritten: match result {
                Ok(()) => offered.saturating_sub(written),
                Err(_) => offered,
            },
            result: result.map_err(|error| FileError::new(self.name, error)),
        }
    }
}

impl<T> Feed<T> {
    /// Gives something to be written that stands for so many rows, and never waits. Where too much waits already, or the
    /// file can't be written any more, it comes back, and its rows are missing.
    pub fn offer(&self, item: T, rows: u64) -> Result<(), T> {
        self.counts.offered.fetch_add(rows, Relaxed);
        let sent = self.items.try_send(Item { rows, item });
        sent.map_err(|error| match error {
            TrySendError::Full(back) | TrySendError::Disconnected(back) => back.item,
        })
    }
}

impl<T> Iterator for Items<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let rows = std::mem::take(&mut self.taken);
        self.counts.written.fetch_add(rows, Relaxed);
        // Who waits for this processor is in more of a hurry.
        thread::yield_now();
        let Item { rows, item } = self.items.recv().ok()?;
        self.taken = rows;
        Some(item)
    }
}

/// Writes a whole file, until the deadline.
///
/// # Errors
/// The file could not be written, or not in time.
pub fn write_whole(file: ResultFile, content: Vec<u8>, deadline: Instant) -> Result<(), FileError> {
    let name = file.to_string();
    let started = Stream::start(file, 1, |contents, file| {
        contents.try_for_each(|content: Vec<u8>| file.write_all(&content))
    });
    let (feed, stream) = started.map_err(|error| FileError::new(name, error))?;
    // The queue has room for it. If its thread has ended already, `finish` reports why.
    let _ = feed.offer(content, 1);
    drop(feed);
    stream.finish(deadline).result
}
