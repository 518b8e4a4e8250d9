//! Standard output, written by a thread of its own: whoever reads it may be slow, or stop reading.

use crossbeam_channel::{Receiver, Sender, bounded, select};
use parking_lot::{Mutex, MutexGuard};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// How many lines may wait to be written.
const WAITING: usize = 1024;

#[derive(Debug)]
pub struct Console {
    lines: Sender<Waiting>,
    /// Nothing is ever sent: it tells when the writer has ended.
    ended: Receiver<()>,
    writer: JoinHandle<io::Result<()>>,
    missed: AtomicU64,
    output: Arc<Output>,
}

#[derive(Debug)]
enum Waiting {
    Line(String),
    /// Somebody who wants to know when all that waited before is written.
    Reader(Sender<()>),
}

/// Who may write to the output: the console, line by line, or one who has it for longer.
#[derive(Debug, Default)]
struct Output {
    turn: Mutex<()>,
    taken: AtomicBool,
}

/// The console's output, to be had by somebody else for a while.
#[derive(Debug, Clone)]
pub struct Screen {
    lines: Sender<Waiting>,
    ended: Receiver<()>,
    output: Arc<Output>,
}

/// That somebody has it. Until this is dropped lines wait, but for those that are only mentioned.
#[derive(Debug)]
pub struct Taken<'a> {
    output: &'a Output,
    _turn: MutexGuard<'a, ()>,
}

impl Screen {
    /// Takes the output once everything printed before is written. `None` if that can't be.
    pub fn take(&self) -> Option<Taken<'_>> {
        let (tell, told) = bounded(1);
        self.lines.send(Waiting::Reader(tell)).ok()?;
        select! {
            recv(told) -> told => told.ok()?,
            recv(self.ended) -> _ => return None,
        }
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
        let whose = Arc::new(Output::default());
        let whose_turn = whose.clone();
        let (end, ended) = bounded(0);
        // Ends when the console is closed, or when the output fails.
        let write = move || {
            let _end = end;
            for waiting in waiting {
                let line = match waiting {
                    Waiting::Line(line) => line,
                    Waiting::Reader(tell) => {
                        let _ = tell.send(());
                        continue;
                    }
                };
                let _turn = whose_turn.turn.lock();
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
            output: whose,
        })
    }

    /// For one who wants to have the output for a while.
    pub fn screen(&self) -> Screen {
        Screen {
            lines: self.lines.clone(),
            ended: self.ended.clone(),
            output: self.output.clone(),
        }
    }

    /// Prints a line, without waiting: while too many wait already, it is missed.
    pub fn print(&self, line: String) {
        if self.lines.try_send(Waiting::Line(line)).is_err() {
            self.miss(1);
        }
    }

    /// Prints a line that tells how the run goes, unless somebody has the output, who shows that too.
    pub fn mention(&self, line: String) {
        if !self.output.taken.load(Relaxed) {
            self.print(line);
        }
    }

    /// Counts lines that found no room somewhere else.
    pub fn miss(&self, lines: u64) {
        self.missed.fetch_add(lines, Relaxed);
    }

    /// How many lines were missed so far.
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// Prints what must not be missed, however long that takes.
    pub fn print_surely(&self, text: String) {
        // Fails only after the output did, which `close` reports.
        let _ = self.lines.send(Waiting::Line(text));
    }

    /// Waits until everything is written, and no [`Screen`] of it is left. Returns how many lines were missed.
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
