use super::row::LONGEST_ROW;
use std::io::{self, Read};

/// Reads a file whose rows have a greatest length, so that one row can't take all memory.
#[derive(Debug)]
pub(super) struct Limited<R> {
    inner: R,
    /// The bytes that may be read until the next row begins.
    left: u64,
}

impl<R> Limited<R> {
    pub fn new(inner: R) -> Limited<R> {
        Limited {
            inner,
            left: LONGEST_ROW,
        }
    }

    pub fn get_ref(&self) -> &R {
        &self.inner
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
        Ok(read)
    }
}
