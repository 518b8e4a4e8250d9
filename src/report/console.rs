//! Standard output, written by a thread of its own: its reader may be slow, or stop reading.

use crate::system::Latch;
use crossbeam_channel::{Sender, bounded};
use parking_lot::{Mutex, MutexGuard};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// The most lines that may wait to be written.
const WAITING: usize = 1024;

#[derive(Debug)]
pub struct Console {
    lines: Sender<Waiting>,
    /// Opens when the writer has ended.
    ended: Latch,
    writer: JoinHandle<io::Result<()>>,
    missed: AtomicU64,
    output: Arc<Output>,
}

#[derive(Debug)]
enum Waiting {
    Line(String),
    /// Requests a message once everything that waits before it is written.
    Mark(Sender<()>),
}

/// The right to write to the output. The console takes it line by line, a [`Screen`] for longer.
#[derive(Debug, Default)]
struct Output {
    turn: Mutex<()>,
    taken: AtomicBool,
}

/// A handle with which the live view can take the console's output for a while.
#[derive(Debug, Clone)]
pub struct Screen {
    lines: Sender<Waiting>,
    ended: Latch,
    output: Arc<Output>,
}

/// The output is taken. Until this is dropped, printed lines wait, and mentioned lines are left out.
#[derive(Debug)]
pub struct Taken<'a> {
    output: &'a Output,
    _turn: MutexGuard<'a, ()>,
}

impl Screen {
    /// Takes the output once everything printed before is written. Returns `None` if the output has failed.
    pub fn take(&self) -> Option<Taken<'_>> {
        let (mark, written) = bounded(1);
        self.lines.send(Waiting::Mark(mark)).ok()?;
        self.ended.receive(&written)?;
        let turn = self.output.turn.lock();
        self.output.taken.store(true, Relaxed);
        Some(Taken {
            output: &self.output,
            _turn: turn,
        })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.output.taken.store(false, Relaxed);
    }
}

impl Console {
    /// Writes lines to `output`. Once that fails nothing more is written, and `broken` is called.
    pub fn start(
        mut output: impl Write + Send + 'static,
        broken: impl FnOnce() + Send + 'static,
    ) -> io::Result<Console> {
        let (lines, waiting) = bounded(WAITING);
        let shared = Arc::new(Output::default());
        let writers = shared.clone();
        let (writing, ended) = Latch::new();
        // Ends when the console is closed, or when the output fails.
        let write = move || {
            let _writing = writing;
            for waiting in waiting {
                let line = match waiting {
                    Waiting::Line(line) => line,
                    Waiting::Mark(mark) => {
                        let _ = mark.send(());
                        continue;
                    }
                };
                let _turn = writers.turn.lock();
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
            ended,
            writer,
            missed: AtomicU64::new(0),
            output: shared,
        })
    }

    /// Returns a handle that can take the output.
    pub fn screen(&self) -> Screen {
        Screen {
            lines: self.lines.clone(),
            ended: self.ended.clone(),
            output: self.output.clone(),
        }
    }

    /// Prints a line without waiting. If too many lines wait already, it is missed.
    pub fn print(&self, line: String) {
        if self.lines.try_send(Waiting::Line(line)).is_err() {
            self.miss(1);
        }
    }

    /// Prints a line on the progress of the run, unless the output is taken by a view that shows progress itself.
    pub fn mention(&self, line: String) {
        if !self.output.taken.load(Relaxed) {
            self.print(line);
        }
    }

    /// Counts lines that were missed elsewhere.
    pub fn miss(&self, lines: u64) {
        self.missed.fetch_add(lines, Relaxed);
    }

    /// The number of lines missed so far.
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// Prints a text that must not be missed, however long that takes.
    pub fn print_surely(&self, text: String) {
        // This fails only after the output did, which `close` reports.
        let _ = self.lines.send(Waiting::Line(text));
    }

    /// Waits until everything is written and every [`Screen`] is dropped. Returns the number of missed lines.
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
    fn while_somebody_has_the_output_lines_wait_and_what_is_mentioned_is_left_out() {
        let (permit, permits) = bounded(100);
        let (written, output) = crossbeam_channel::unbounded();
        let console = Console::start(Slow(permits, written), || {}).unwrap();
        (0..50).for_each(|_| permit.send(()).unwrap());
        let screen = console.screen();
        console.mention("before".to_owned());
        let taken = screen.take().unwrap();
        let text = || -> Vec<u8> { output.try_iter().flatten().collect() };
        assert_eq!(text(), b"before\n");
        console.mention("left out".to_owned());
        console.print("held back".to_owned());
        assert_eq!(text(), b"");
        drop(taken);
        console.mention("after".to_owned());
        drop(screen);
        assert_eq!(console.close().unwrap(), 0);
        assert_eq!(text(), b"held back\nafter\n");
    }

    #[test]
    fn an_output_that_failed_is_not_to_be_had() {
        let (permit, permits) = bounded(1);
        let (written, output) = crossbeam_channel::unbounded();
        drop((permit, output));
        let console = Console::start(Slow(permits, written), || {}).unwrap();
        console.print_surely("lost".to_owned());
        assert!(console.screen().take().is_none());
        assert!(console.close().is_err());
    }

    #[test]
    fn a_closed_output_stops_the_run_once_and_is_reported() {
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
