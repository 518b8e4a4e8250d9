//! Standard output, written by a thread of its own: whoever reads it may be slow, or stop reading.

use crossbeam_channel::{Sender, bounded};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// How many lines may wait to be written.
const WAITING: usize = 1024;

#[derive(Debug)]
pub struct Console {
    lines: Sender<String>,
    writer: JoinHandle<io::Result<()>>,
    missed: AtomicU64,
}

impl Console {
    /// Writes lines to `output`. Once that fails nothing more is written, and `broken` is called.
    pub fn start(
        mut output: impl Write + Send + 'static,
        broken: impl FnOnce() + Send + 'static,
    ) -> io::Result<Console> {
        let (lines, waiting) = bounded::<String>(WAITING);
        // Ends when the console is closed, or when the output fails.
        let write = move || {
            for line in waiting {
                if let Err(error) = writeln!(output, "{line}").and_then(|()| output.flush()) {
                    broken();
                    return Err(error);
                }
            }
            Ok(())
        };
        let writer = thread::Builder::new()
            .name("console".to_owned())
            .spawn(write)?;
        Ok(Console {
            lines,
            writer,
            missed: AtomicU64::new(0),
        })
    }

    /// Prints a line, without waiting: while too many wait already, it is missed.
    pub fn print(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.miss();
        }
    }

    /// Counts a line that somebody else had no room for.
    pub fn miss(&self) {
        self.missed.fetch_add(1, Relaxed);
    }

    /// Prints what must not be missed, however long that takes.
    pub fn print_surely(&self, text: String) {
        // Fails only after the output did, which `close` reports.
        let _ = self.lines.send(text);
    }

    /// Waits until everything is written. Returns how many lines were missed.
    pub fn close(self) -> io::Result<u64> {
        drop(self.lines);
        match self.writer.join() {
            Ok(result) => result.map(|()| self.missed.into_inner()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::Receiver;

    /// Each write takes a permit first.
    struct Slow(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_reading_holds_nobody_up_and_misses_are_counted() {
        let (permit, permits) = bounded(100_000);
        let (written, output) = crossbeam_channel::unbounded();
        let console = Console::start(Slow(permits, written), || {}).unwrap();
        let lines = 5_000;
        (0..lines).for_each(|i| console.print(format!("line {i}")));
        (0..100_000).for_each(|_| permit.send(()).unwrap());
        let missed = console.close().unwrap();
        let text: Vec<u8> = output.iter().flatten().collect();
        let seen = text.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(seen as u64 + missed, lines);
        assert!(
            missed > 0 && seen >= WAITING,
            "{seen} seen, {missed} missed"
        );
    }

    #[test]
    fn a_closed_output_is_told_once_and_reported() {
        let (permit, permits) = bounded(1);
        let (written, output) = crossbeam_channel::unbounded();
        drop((permit, output));
        let (tell, told) = bounded(10);
        let console = Console::start(Slow(permits, written), move || tell.send(()).unwrap());
        let console = console.unwrap();
        console.print_surely("lost".to_owned());
        told.recv().unwrap();
        console.print_surely("lost too".to_owned());
        assert!(console.close().is_err());
        assert!(told.is_empty());
    }
}
