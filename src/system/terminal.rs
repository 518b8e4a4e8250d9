//! The terminal: taking it for the live view, and giving it back as it was, at a normal end, from a panic's hook, or
//! from within a signal's handler. A process has one terminal, so the state here is the process's.
//!
//! Nobody can catch SIGKILL: after it, `reset` repairs the terminal. Nobody can catch SIGSTOP either: when the process
//! continues, the view takes the terminal again.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, dup, ioctl_fionread, read, write};
use rustix::pipe::pipe;
use rustix::process::getpgrp;
use rustix::stdio::{dup2_stderr, stderr, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

/// The alternate screen, empty, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[0m\x1b[2J";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// The longest wait for the view's last write when the terminal is given back, and again for the terminal to accept
/// more. A terminal whose output was stopped (Ctrl-S) accepts nothing.
const PATIENCE: Duration = Duration::from_millis(100);

/// The most of standard error that waits in the pipe, in bytes: less than a pipe holds, so that no writer is blocked.
const MAX_BACKLOG: u64 = 32 * 1024;

/// The terminal before the view. Set once; reading it allocates nothing and takes no lock.
static ORIGINAL: OnceLock<Original> = OnceLock::new();
/// Set while the view has the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);
/// Set while the view is writing to the terminal. A thread that unset `SHOWN` and then reads this unset writes last.
static WRITING: AtomicBool = AtomicBool::new(false);
/// The number of bytes of standard error that were discarded.
static DISCARDED: AtomicU64 = AtomicU64::new(0);

struct Original {
    termios: Termios,
    /// `None` if standard error is no terminal.
    standard_error: Option<StandardError>,
}

/// While the view is shown, standard error is a pipe. Its output would otherwise appear in the middle of the view; so
/// it follows the view.
struct StandardError {
    real: OwnedFd,
    read: OwnedFd,
    write: OwnedFd,
}

impl StandardError {
    fn new() -> io::Result<StandardError> {
        let (read, write) = pipe()?;
        fcntl_setfl(&read, OFlags::NONBLOCK)?;
        let real = dup(stderr())?;
        for fd in [&real, &read, &write] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok(StandardError { real, read, write })
    }

    /// Prints the output that waits in the pipe. Safe within a signal's handler.
    fn print_backlog(&self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = read(&self.read, &mut buffer) {
            write_all(&self.real, &buffer[..count]);
        }
    }
}

/// Returns whether standard output is a terminal that can show the view.
pub fn is_capable() -> bool {
    let term = std::env::var_os("TERM");
    isatty(stdout()) && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Returns whether this process may use the terminal. In the background of a shell it may not.
pub fn is_ours() -> bool {
    // Without a shell that controls jobs there is no foreground.
    tcgetpgrp(stdout()).map_or(true, |foreground| foreground == getpgrp())
}

/// The numbers of columns and rows; 80 and 24 if the terminal does not know them.
pub fn size() -> (u16, u16) {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

pub fn is_shown() -> bool {
    SHOWN.load(SeqCst)
}

/// Takes the terminal: switches to its alternate screen, and to keys that arrive as they are pressed and are not
/// echoed. Keys such as Ctrl-C still send signals.
///
/// # Errors
/// Standard output is not a terminal, or the terminal is gone.
pub fn enter() -> io::Result<()> {
    let original = match ORIGINAL.get() {
        Some(original) => original,
        None => {
            let standard_error = isatty(stderr()).then(StandardError::new).transpose()?;
            let termios = tcgetattr(stdout())?;
            ORIGINAL.get_or_init(|| Original {
                termios,
                standard_error,
            })
        }
    };
    let mut termios = original.termios.clone();
    termios.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
    termios.special_codes[SpecialCodeIndex::VMIN] = 1;
    termios.special_codes[SpecialCodeIndex::VTIME] = 0;

    WRITING.store(true, SeqCst);
    SHOWN.store(true, SeqCst);
    let entered = switch(original, &termios);
    WRITING.store(false, SeqCst);
    if entered.is_err() {
        leave();
    }
    Ok(entered?)
}

fn switch(original: &Original, termios: &Termios) -> Result<(), Errno> {
    tcsetattr(stdout(), OptionalActions::Now, termios)?;
    if let Some(errors) = &original.standard_error {
        dup2_stderr(&errors.write)?;
    }
    if write_all(stdout(), ENTER) {
        Ok(())
    } else {
        Err(Errno::IO)
    }
}

/// Writes to the terminal if the view still has it. Returns whether it has, and the write succeeded.
pub fn draw(bytes: &[u8]) -> bool {
    WRITING.store(true, SeqCst);
    let shown = SHOWN.load(SeqCst) && write_all(stdout(), bytes);
    WRITING.store(false, SeqCst);
    shown
}

/// Gives the terminal back as it was, if the view has it. A signal's handler may call this.
pub fn leave() {
    if !SHOWN.swap(false, SeqCst) {
        return;
    }
    let Some(original) = ORIGINAL.get() else {
        return;
    };
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let mut waited = Duration::ZERO;
    while WRITING.load(SeqCst) && waited < PATIENCE {
        let _ = poll(&mut [], Some(&pause));
        waited += Duration::from_millis(1);
    }
    if is_writable_within(PATIENCE) {
        write_all(stdout(), LEAVE);
    }
    let _ = tcsetattr(stdout(), OptionalActions::Now, &original.termios);
    if let Some(errors) = &original.standard_error {
        let _ = dup2_stderr(&errors.real);
        errors.print_backlog();
    }
}

/// Discards the oldest output that waits in the pipe, if there is more than 32 KiB.
pub fn limit_backlog() {
    let original = ORIGINAL.get();
    let Some(errors) = original.and_then(|original| original.standard_error.as_ref()) else {
        return;
    };
    let mut buffer = [0; 4096];
    while ioctl_fionread(&errors.read).is_ok_and(|waiting| waiting > MAX_BACKLOG) {
        match read(&errors.read, &mut buffer) {
            Ok(count @ 1..) => DISCARDED.fetch_add(count as u64, Relaxed),
            _ => break,
        };
    }
}

/// The number of bytes of standard error that [`limit_backlog`] has discarded.
pub fn discarded() -> u64 {
    DISCARDED.load(Relaxed)
}

fn is_writable_within(within: Duration) -> bool {
    let within = Timespec {
        tv_sec: 0,
        tv_nsec: within.subsec_nanos().into(),
    };
    let out = stdout();
    let mut polled = [PollFd::new(&out, PollFlags::OUT)];
    poll(&mut polled, Some(&within)).is_ok() && polled[0].revents().contains(PollFlags::OUT)
}

/// Returns whether everything was written.
fn write_all(to: impl std::os::fd::AsFd, mut bytes: &[u8]) -> bool {
    let to: BorrowedFd = to.as_fd();
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(0) => return false,
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Another program has made the terminal non-blocking.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)),
            Err(_) => return false,
        }
    }
    true
}
