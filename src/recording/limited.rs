use super::row::LONGEST_ROW;
use std::io::{self, Read};

/// Reads a file whose rows have a greatest length, so that one row can't take all memory.
#[derive(Debug)]
pub(super) struct Limited<R> {
    inner: R,
    /// The bytes that may be read until the next row begins.
    left: u64,
    /// The last byte that was read, and whether the file ends there.
    last: Option<u8>,
    has_ended: bool,
}

impl<R> Limited<R> {
    pub fn new(inner: R) -> Limited<R> {
        Limited {
            inner,
            left: LONGEST_ROW,
            last: None,
            has_ended: false,
        }
    }

    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Whether all has been read, and the last line has no end.
    pub fn ends_within_line(&self) -> bool {
        self.has_ended && self.last.is_some_and(|last| last != b'\n')
    }

    /// A row has been read. What was read beyond it counts for the next one.
    pub fn begin_row(&mut self) {
        self.left = LONGEST_ROW;
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let why = format!("a row has more than {LONGEST_ROW} bytes; is a quote not closed?");
            return Err(io::Error::other(why));
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read as u64;
        self.has_ended = read == 0 && most > 0;
        self.last = buffer[..read].last().copied().or(self.last);
        Ok(read)
    }
}
