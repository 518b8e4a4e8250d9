//! Files that are written while the run goes on.

use super::result_file::{FileError, ResultFile, WrittenFile};
use crate::system::with_thread_limit;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The time for which files may still be written after the run, all of them together.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A file with a thread of its own that writes it, so that the run never waits for a disk or for the reader of a pipe.
#[derive(Debug)]
pub struct Stream {
    name: String,
    counts: Arc<Counts>,
    written: Receiver<io::Result<ResultFile>>,
}

/// The end of a [`Stream`] that takes items. The file is complete when this is dropped.
#[derive(Debug)]
pub struct Feed<T> {
    items: Sender<Item<T>>,
    counts: Arc<Counts>,
}

/// An item that stands for a number of rows.
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

/// The items, for the thread that writes them. An item counts as written when the next one is requested.
#[derive(Debug)]
pub struct Items<T> {
    items: Receiver<Item<T>>,
    taken: u64,
    counts: Arc<Counts>,
}

/// The end of a [`Stream`].
#[derive(Debug)]
pub struct Streamed {
    /// The rows that were offered, and the number of them that were not written.
    pub offered: u64,
    pub unwritten: u64,
    pub result: Result<WrittenFile, FileError>,
}

impl Stream {
    /// Starts to write. `write` ends when there are no more items. Up to `waiting` items wait for it.
    ///
    /// # Errors
    /// The system has no thread for it.
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
        // Ends when its feed is dropped and everything is written, or when writing fails.
        let body = move || {
            crate::system::scheduling::use_batch_policy();
            let result = write(&mut items, &mut file).map(|()| file);
            // From here on, offers fail instead of waiting for room.
            drop(items);
            // This fails only if `finish` has given up.
            let _ = tell.send(result);
        };
        thread::Builder::new()
            .name("result file".to_owned())
            .spawn(body)
            .map_err(with_thread_limit)?;
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

    /// The name that the [`ResultFile`] displays.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until everything is written, once the feed has been dropped, or until the deadline. Then gives the file
    /// its name. A thread that hangs is left behind.
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
                Ok(_) => offered.saturating_sub(written),
                Err(_) => offered,
            },
            result: result.map_err(|error| FileError::new(self.name, error)),
        }
    }
}

impl<T> Feed<T> {
    /// Offers an item that stands for `rows` rows, without waiting. If too many items wait already, or the file can't
    /// be written any more, the item comes back and its rows are missing.
    pub fn offer(&self, item: T, rows: u64) -> Result<(), T> {
        self.counts.offered.fetch_add(rows, Relaxed);
        let sent = self.items.try_send(Item { rows, item });
        sent.map_err(|error| match error {
            TrySendError::Full(back) | TrySendError::Disconnected(back) => back.item,
        })
    }
}

impl<T> Items<T> {
    /// The rows that were offered, those of items that did not fit included. It is the whole number once there are no more
    /// items.
    pub fn rows_offered(&self) -> u64 {
        self.counts.offered.load(Relaxed)
    }
}

impl<T> Iterator for Items<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let rows = std::mem::take(&mut self.taken);
        self.counts.written.fetch_add(rows, Relaxed);
        // Other threads that wait for this processor are more urgent.
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
pub fn write_whole(
    file: ResultFile,
    content: Vec<u8>,
    deadline: Instant,
) -> Result<WrittenFile, FileError> {
    start_whole(file, content)?.finish(deadline).result
}

/// Starts to write a whole file.
///
/// # Errors
/// The system has no thread for it.
pub(super) fn start_whole(file: ResultFile, content: Vec<u8>) -> Result<Stream, FileError> {
    let name = file.to_string();
    let started = Stream::start(file, 1, |contents, file| {
        contents.try_for_each(|content: Vec<u8>| file.write_all(&content))
    });
    let (feed, stream) = started.map_err(|error| FileError::new(name, error))?;
    // The queue has room for it. If its thread has ended already, `finish` reports why.
    let _ = feed.offer(content, 1);
    Ok(stream)
}
