//! Sorts any number of entries in bounded memory: parts that fit are sorted there and written to a file, and then merged.

use super::store::{bytes, read_entries};
use crate::base::Nanos;
use crate::core::replay::Entry;
use crate::system::temporary_files::nameless;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;

/// The entries that are sorted in memory at a time: 6 MiB.
#[cfg(not(test))]
const PART: usize = 1 << 18;
#[cfg(test)]
const PART: usize = 100;

/// The entries of a part that are read at a time while parts are merged.
const BLOCK: usize = 1024;

/// Entries that come in any order.
pub(super) struct Sorting {
    /// The last part, which is not full.
    part: Vec<Entry>,
    /// The full parts, each of them in order. `None` as long as there is none.
    file: Option<BufWriter<File>>,
    full_parts: u64,
    /// Whether all entries so far came in order.
    are_in_order: bool,
    last: Nanos,
}

/// Entries in order, in a file.
pub(super) struct Sorted<'a> {
    file: SortedFile<'a>,
    pub count: u64,
}

enum SortedFile<'a> {
    Own(File),
    Borrowed(&'a File),
}

impl Sorting {
    pub fn new() -> Sorting {
        Sorting {
            part: Vec::new(),
            file: None,
            full_parts: 0,
            are_in_order: true,
            last: Nanos::ZERO,
        }
    }

    pub fn add(&mut self, entry: Entry) -> io::Result<()> {
        self.are_in_order &= entry.at >= self.last;
        self.last = entry.at;
        self.part.push(entry);
        if self.part.len() == PART {
            self.write_part()?;
            self.full_parts += 1;
        }
        Ok(())
    }

    fn write_part(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::with_capacity(1 << 16, nameless()?)),
        };
        // Requests of one instant keep their order.
        self.part.sort_by_key(|entry| entry.at);
        for entry in self.part.drain(..) {
            file.write_all(&bytes(entry))?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Sorted<'static>> {
        let count = self.full_parts * PART as u64 + self.part.len() as u64;
        self.write_part()?;
        let file = self.file.expect("the last part was written");
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = if self.are_in_order || count <= PART as u64 {
            file
        } else {
            merge(&file, count)?
        };
        let file = SortedFile::Own(file);
        Ok(Sorted { file, count })
    }
}

/// Merges the parts of a file into a new one.
fn merge(file: &File, count: u64) -> io::Result<File> {
    let mut merged = BufWriter::with_capacity(1 << 16, nameless()?);
    let parts = (0..count).step_by(PART);
    let mut parts: Vec<_> = parts
        .map(|first| Walk::new(file, first..count.min(first + PART as u64)))
        .collect();
    // Of requests at one instant, those of an earlier part come first.
    let mut nexts = BinaryHeap::new();
    for (place, part) in parts.iter_mut().enumerate() {
        if let Some(entry) = part.next()? {
            nexts.push(Reverse((entry.at, place, entry.content, entry.key)));
        }
    }
    while let Some(Reverse((at, place, content, key))) = nexts.pop() {
        merged.write_all(&bytes(Entry { at, content, key }))?;
        if let Some(entry) = parts[place].next()? {
            nexts.push(Reverse((entry.at, place, entry.content, entry.key)));
        }
    }
    merged.into_inner().map_err(io::IntoInnerError::into_error)
}

impl<'a> Sorted<'a> {
    /// The first `count` entries of a file that has them in order.
    pub fn of(file: &'a File, count: u64) -> Sorted<'a> {
        let file = SortedFile::Borrowed(file);
        Sorted { file, count }
    }

    pub fn walk(&self) -> Walk<'_> {
        let file = match &self.file {
            SortedFile::Own(file) => file,
            SortedFile::Borrowed(file) => file,
        };
        Walk::new(file, 0..self.count)
    }
}

/// Reads entries of a file in order.
pub(super) struct Walk<'a> {
    file: &'a File,
    /// The numbers of the entries that were not read yet.
    left: Range<u64>,
    block: Vec<Entry>,
    /// The place in the block of the next entry.
    next: usize,
}

impl<'a> Walk<'a> {
    fn new(file: &'a File, entries: Range<u64>) -> Walk<'a> {
        Walk {
            file,
            left: entries,
            block: Vec::new(),
            next: 0,
        }
    }

    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.next == self.block.len() {
            let length = (self.left.end - self.left.start).min(BLOCK as u64);
            self.block.resize(length as usize, Entry::default());
            read_entries(self.file, self.left.start, &mut self.block)?;
            self.left.start += length;
            self.next = 0;
        }
        let entry = self.block.get(self.next).copied();
        self.next += usize::from(entry.is_some());
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_number_of_entries_in_any_order_come_in_order_and_those_of_one_instant_as_they_were(
            times in prop::collection::vec(0..50u64, 1..1_500), step in 0..3u64
        ) {
            let mut sorting = Sorting::new();
            let mut entries = Vec::new();
            for (number, time) in (0..).zip(times) {
                // With a large step, they are in order.
                let at = Nanos(time + number * step * 50);
                let entry = Entry { at, content: number, key: 7 };
                sorting.add(entry).unwrap();
                entries.push(entry);
            }
            entries.sort_by_key(|entry| (entry.at, entry.content));
            let sorted = sorting.finish().unwrap();
            let mut walk = sorted.walk();
            let walked: Vec<_> = std::iter::from_fn(|| walk.next().unwrap()).collect();
            prop_assert_eq!(walked, entries);
        }
    }
}
