//! Entries of fixed size in a file, read at any place by any thread.

use crate::base::Nanos;
use crate::core::replay::Entry;
use std::fs::File;
use std::io::{self, ErrorKind};

/// The length of an entry in a file, in bytes.
pub(super) const ENTRY: usize = 20;

/// An entry as a file has it.
pub(super) fn bytes(entry: Entry) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..8].copy_from_slice(&entry.at.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&entry.content.to_le_bytes());
    bytes[16..].copy_from_slice(&entry.key.to_le_bytes());
    bytes
}

/// Reads entries from a file, beginning with the one with this number.
pub(super) fn read_entries(file: &File, first: u64, into: &mut [Entry]) -> io::Result<()> {
    // On the stack, since the pacer must not allocate for one entry.
    let mut few = [0; 4 * ENTRY];
    let mut many = Vec::new();
    let length = into.len() * ENTRY;
    let buffer = match few.get_mut(..length) {
        Some(few) => few,
        None => {
            many.resize(length, 0);
            &mut many[..]
        }
    };
    read_exact_at(file, buffer, first * ENTRY as u64)?;
    let (entries, _) = buffer.as_chunks::<ENTRY>();
    for (entry, bytes) in into.iter_mut().zip(entries) {
        let number =
            |place: usize| u64::from_le_bytes(*bytes[place..].first_chunk().expect("8 bytes"));
        *entry = Entry {
            at: Nanos(number(0)),
            content: number(8),
            key: u32::from_le_bytes(*bytes[16..].first_chunk().expect("4 bytes")),
        };
    }
    Ok(())
}

pub(super) fn read_exact_at(file: &File, mut into: &mut [u8], mut from: u64) -> io::Result<()> {
    while !into.is_empty() {
        match read_at(file, into, from) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                into = &mut into[read..];
                from += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, from)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, from)
}
