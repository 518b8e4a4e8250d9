//! The copy of a recording: two files without names, one with entries of fixed size in the order of their instants, and one
//! with the contents.

use super::entry_file::{bytes, read_at, read_entries, read_exact_at};
use super::sort::{self, Sorted};
use crate::base::Nanos;
use crate::core::replay::{ContentParts, Entry, Store, StoreFailed};
use crate::report::reason;
use crate::system::temporary_files::nameless;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::OnceLock;

/// The copy of a recording while it is written.
pub(super) struct Copying {
    contents: BufWriter<File>,
    /// The length of the contents, in bytes.
    length: u64,
    /// Contents that were written lately: logs repeat themselves.
    known: HashMap<Vec<u8>, Known>,
    /// See [`Copied::alike`].
    alike: Option<[u64; 2]>,
    /// The bytes of the known contents.
    known_bytes: usize,
    entries: sort::Sorting,
    buffer: Vec<u8>,
}

/// A content that was written.
struct Known {
    place: u64,
    /// The line and the key of the first request that had it.
    line: u64,
    key: Option<u32>,
}

/// A complete copy.
pub(super) struct Copied {
    pub store: CopiedRecording,
    /// The time from the first request to the last.
    pub length: Nanos,
    /// The most requests in a window of the recording.
    pub most_in_window: u64,
    /// The lines of two requests that have different keys and the same content. Among requests that are far apart, none may
    /// be found.
    pub alike: Option<[u64; 2]>,
}

#[derive(Debug)]
pub(super) struct CopiedRecording {
    entries: File,
    contents: File,
    failure: OnceLock<String>,
}

/// The most bytes of contents that are known at a time.
const KNOWN: usize = 4 << 20;

const SECOND: u64 = 1_000_000_000;

impl Copying {
    pub fn begin() -> io::Result<Copying> {
        Ok(Copying {
            contents: BufWriter::with_capacity(1 << 16, nameless()?),
            length: 0,
            known: HashMap::new(),
            alike: None,
            known_bytes: 0,
            entries: sort::Sorting::new(),
            buffer: Vec::new(),
        })
    }

    /// Adds a request at an instant in nanoseconds, in any order of instants. `line` is where it was read.
    pub fn add(
        &mut self,
        at: u64,
        parts: &ContentParts,
        key: Option<u32>,
        line: u64,
    ) -> io::Result<()> {
        self.buffer.clear();
        parts.write(&mut self.buffer);
        let content = match self.known.get(&self.buffer) {
            Some(known) => {
                if known.key != key {
                    self.alike.get_or_insert([known.line, line]);
                }
                known.place
            }
            None => self.write_content(key, line)?,
        };
        let (at, key) = (Nanos(at), key.unwrap_or(0));
        self.entries.add(Entry { at, content, key })
    }

    fn write_content(&mut self, key: Option<u32>, line: u64) -> io::Result<u64> {
        let place = self.length;
        self.contents
            .write_all(&(self.buffer.len() as u32).to_le_bytes())?;
        self.contents.write_all(&self.buffer)?;
        self.length += 4 + self.buffer.len() as u64;
        if self.buffer.len() <= KNOWN / 64 {
            if self.known_bytes > KNOWN {
                self.known.clear();
                self.known_bytes = 0;
            }
            let known = Known { place, line, key };
            self.known.insert(self.buffer.clone(), known);
            self.known_bytes += self.buffer.len() + 64;
        }
        Ok(place)
    }

    /// Puts the entries in order, with times since the first. `spreads` is whether the requests of each second are spread evenly
    /// within it. `window` is the one whose most requests are counted.
    pub fn finish(self, spreads: bool, window: Nanos) -> io::Result<Copied> {
        let contents = self
            .contents
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let sorted = self.entries.finish()?;
        let Sorted { count, .. } = sorted;
        let mut output = BufWriter::with_capacity(1 << 16, nameless()?);
        let (mut ahead, mut entries) = (sorted.walk(), sorted.walk());
        let mut zero = None;
        let mut write = |entry: Entry, at: u64| {
            let zero = *zero.get_or_insert(at);
            let at = Nanos(at - zero);
            output.write_all(&bytes(Entry { at, ..entry }))
        };
        if spreads {
            let mut next = ahead.next()?;
            while let Some(first) = next {
                let second = first.at.0 / SECOND;
                let mut together = 0;
                while next.is_some_and(|entry| entry.at.0 / SECOND == second) {
                    together += 1;
                    next = ahead.next()?;
                }
                for place in 0..together {
                    let entry = entries.next()?.expect("it was read ahead");
                    let within = u128::from(SECOND) * place as u128 / together as u128;
                    write(entry, second * SECOND + within as u64)?;
                }
            }
        } else {
            while let Some(entry) = entries.next()? {
                write(entry, entry.at.0)?;
            }
        }
        let entries = output
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let store = CopiedRecording {
            entries,
            contents,
            failure: OnceLock::new(),
        };
        let sorted = Sorted::of(&store.entries, count);
        let (length, most_in_window) = survey(&sorted, window)?;
        Ok(Copied {
            alike: self.alike,
            store,
            length,
            most_in_window,
        })
    }
}

/// The instant of the last entry, and the most entries in a window.
fn survey(sorted: &Sorted, window: Nanos) -> io::Result<(Nanos, u64)> {
    let (mut firsts, mut lasts) = (sorted.walk(), sorted.walk());
    let mut first = firsts.next()?;
    let (mut length, mut within, mut most) = (Nanos::ZERO, 0, 0);
    while let Some(last) = lasts.next()? {
        length = last.at;
        within += 1;
        while let Some(entry) = first
            && last.at - entry.at >= window
        {
            within -= 1;
            first = firsts.next()?;
        }
        most = most.max(within);
    }
    Ok((length, most))
}

impl CopiedRecording {
    fn report(&self, error: &io::Error) -> StoreFailed {
        let _ = self.failure.set(reason(error));
        StoreFailed
    }

    fn read_content(&self, place: u64, into: &mut Vec<u8>) -> io::Result<()> {
        // Most contents are read at once.
        let mut beginning = [0; 1024];
        let read = loop {
            match read_at(&self.contents, &mut beginning, place) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        let Some((length, known)) = beginning[..read].split_first_chunk() else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let length = u32::from_le_bytes(*length) as usize;
        into.clear();
        into.extend_from_slice(&known[..known.len().min(length)]);
        let known = into.len();
        into.resize(length, 0);
        read_exact_at(&self.contents, &mut into[known..], place + 4 + known as u64)
    }
}

impl Store for CopiedRecording {
    fn entries(&self, first: u64, into: &mut [Entry]) -> Result<(), StoreFailed> {
        read_entries(&self.entries, first, into).map_err(|error| self.report(&error))
    }

    fn content(&self, place: u64, into: &mut Vec<u8>) -> Result<(), StoreFailed> {
        self.read_content(place, into)
            .map_err(|error| self.report(&error))
    }

    fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry_file::ENTRY;
    use super::*;

    #[test]
    fn a_copy_that_is_cut_off_says_so_and_gives_no_request() {
        let mut copying = Copying::begin().unwrap();
        let parts = ContentParts {
            body: Some(vec![7; 5_000]),
            ..ContentParts::default()
        };
        for at in 0..1_000 {
            copying.add(at, &parts, None, 1).unwrap();
        }
        let Copied { store, .. } = copying.finish(false, Nanos(1)).unwrap();
        let (mut entries, mut content) = ([Entry::default(); 600], Vec::new());
        store.entries(400, &mut entries).unwrap();
        assert_eq!(entries[599].at, Nanos(999));
        store.content(entries[599].content, &mut content).unwrap();
        assert!(content.len() > 5_000 && store.failure().is_none());

        store.contents.set_len(3_000).unwrap();
        assert_eq!(store.content(0, &mut content), Err(StoreFailed));
        assert!(store.failure().is_some());
        store.entries.set_len(500 * ENTRY as u64).unwrap();
        assert_eq!(store.entries(400, &mut entries), Err(StoreFailed));
        assert_eq!(store.entries(400, &mut entries[..100]), Ok(()));
    }
}
