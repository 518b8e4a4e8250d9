//! Standard output, written by a thread of its own: its reader may be slow, or stop reading.

use crate::system::{Latch, with_thread_limit};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use parking_lot::{Mutex, MutexGuard};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

/// The most lines that may wait to be written, beside those that must not be missed.
const MOST_WAITING: usize = 1024;

#[derive(Debug)]
pub struct Console {
    lines: Sender<Waiting>,
    waiting: Arc<AtomicUsize>,
    /// Opens when the writer has ended.
    ended: Latch,
    /// The end of the writer.
    written: Receiver<io::Result<()>>,
    missed: AtomicU64,
    output: Arc<Output>,
}

/// The lines that were not printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// Those for which there was no room during the run.
    pub lines: u64,
    /// Those that had still to be written when the wait for the reader ended.
    pub at_the_end: u64,
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
        let (lines, received) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = waiting.clone();
        let (tell, written) = bounded(1);
        let shared = Arc::new(Output::default());
        let writers = shared.clone();
        let (writing, ended) = Latch::new();
        // Ends when the console is closed, or when the output fails.
        let write = move || {
            let _writing = writing;
            let mut broken = Some(broken);
            let result = received.iter().try_for_each(|waiting| {
                let line = match waiting {
                    Waiting::Line(line) => line,
                    Waiting::Mark(mark) => {
                        let _ = mark.send(());
                        return Ok(());
                    }
                };
                let turn = writers.turn.lock();
                let written = writeln!(output, "{line}").and_then(|()| output.flush());
                drop(turn);
                counted.fetch_sub(1, Relaxed);
                written.inspect_err(|_| {
                    if let Some(broken) = broken.take() {
                        broken();
                    }
                })
            });
            // This fails only if `close` has given up.
            let _ = tell.send(result);
        };
        thread::Builder::new()
            .name("console".to_owned())
            .spawn(write)
            .map_err(with_thread_limit)?;
        Ok(Console {
            lines,
            waiting,
            ended,
            written,
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
        if self.waiting.load(Relaxed) >= MOST_WAITING || !self.send(line) {
            self.miss(1);
        }
    }

    /// Returns whether the line will be written. Once the output has failed, none is.
    fn send(&self, line: String) -> bool {
        self.waiting.fetch_add(1, Relaxed);
        self.lines.send(Waiting::Line(line)).is_ok()
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

    /// Prints a text that must not be missed, without waiting: there is room for it, however many lines wait.
    pub fn print_surely(&self, text: String) {
        // This fails only after the output did, which `close` reports.
        let _ = self.send(text);
    }

    /// Waits until everything is written and every [`Screen`] is dropped, or until the deadline. A writer that waits for
    /// its reader then is left behind.
    ///
    /// # Errors
    /// The output failed.
    pub fn close(self, deadline: Instant) -> io::Result<Missed> {
        drop(self.lines);
        let missed = |at_the_end| Missed {
            lines: self.missed.load(Relaxed),
            at_the_end,
        };
        match self.written.recv_deadline(deadline) {
            Ok(result) => result.map(|()| missed(0)),
            Err(RecvTimeoutError::Timeout) => Ok(missed(self.waiting.load(Relaxed) as u64)),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("a bug ended its thread")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The longest wait for a writer that is to end.
    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

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
        let missed = console.close(soon()).unwrap().lines;
        let text: Vec<u8> = output.iter().flatten().collect();
        let seen = text.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(seen as u64 + missed, lines);
        assert!(
            missed > 0 && seen >= MOST_WAITING,
            "{seen} seen, {missed} missed"
        );
    }

    #[test]
    fn a_reader_that_stops_reading_does_not_hold_up_the_end() {
        let (permit, permits) = bounded(2);
        let (written, output) = crossbeam_channel::unbounded();
        let console = Console::start(Slow(permits, written), || {}).unwrap();
        // A line takes two writes.
        (0..2).for_each(|_| permit.send(()).unwrap());
        console.print_surely("read".to_owned());
        (0..2 * MOST_WAITING).for_each(|_| console.print_surely("unread".to_owned()));
        let text: Vec<u8> = output.iter().take(2).flatten().collect();
        assert_eq!(text, b"read\n");
        let missed = console.close(Instant::now()).unwrap();
        let at_the_end = 2 * MOST_WAITING as u64;
        assert_eq!(
            missed,
            Missed {
                lines: 0,
                at_the_end
            }
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
        assert_eq!(console.close(soon()).unwrap().lines, 0);
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
        assert!(console.close(soon()).is_err());
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
        assert!(console.close(soon()).is_err());
        assert!(told.is_empty());
    }
}
