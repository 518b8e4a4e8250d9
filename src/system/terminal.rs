//! The terminal while the live view has it, and how it is given back as it was: in good order, from a panic's hook, or
//! from within a signal's handler. There is one, so its state is the process's.
//!
//! SIGKILL can't be caught: what it leaves behind, `reset` repairs. After SIGSTOP, which can't be either, the view takes
//! the terminal again when the process goes on.

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

/// How long whoever gives the terminal back waits for it: until what is being written is, and until it takes more. One
/// whose output was stopped (Ctrl-S) takes nothing.
const PATIENCE: Duration = Duration::from_millis(100);

/// What may wait of standard error, in bytes: less than a pipe holds, so that nobody who writes to it waits.
const KEPT: u64 = 32 * 1024;

/// What was there before the view. Made once; what reads it later allocates nothing and takes no lock.
static BEFORE: OnceLock<Before> = OnceLock::new();
/// Whether the view has the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);
/// Whether the view is about to write to it. Whoever sees this unset after unsetting `SHOWN` has the last word.
static WRITING: AtomicBool = AtomicBool::new(false);
/// How many bytes of standard error there was no room for.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

struct Before {
    termios: Termios,
    errors: Option<Errors>,
}

/// Standard error, where it is a terminal too, is a pipe while the view is shown: what is written to it would end up in
/// the midst of the view, and comes after it instead.
struct Errors {
    real: OwnedFd,
    read: OwnedFd,
    write: OwnedFd,
}

impl Errors {
    fn new() -> io::Result<Errors> {
        let (read, write) = pipe()?;
        fcntl_setfl(&read, OFlags::NONBLOCK)?;
        let real = dup(stderr())?;
        for fd in [&real, &read, &write] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok(Errors { real, read, write })
    }

    /// Hands on what waits. Safe within a signal's handler.
    fn hand_on(&self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = read(&self.read, &mut buffer) {
            write_all(&self.real, &buffer[..count]);
        }
    }
}

/// Whether the view can be shown on standard output: a terminal that understands it.
pub fn is_capable() -> bool {
    let term = std::env::var_os("TERM");
    isatty(stdout()) && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether the terminal is this process's to use: not while it runs in the background of a shell.
pub fn is_ours() -> bool {
    // Where no shell controls jobs there is no foreground.
    tcgetpgrp(stdout()).map_or(true, |foreground| foreground == getpgrp())
}

/// Columns and rows; 80 and 24 where it does not know them.
pub fn size() -> (u16, u16) {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

pub fn is_shown() -> bool {
    SHOWN.load(SeqCst)
}

/// Takes the terminal: its alternate screen, and keys as they are pressed, without echo. Signals' keys stay signals.
///
/// # Errors
/// It is none, or is gone.
pub fn enter() -> io::Result<()> {
    let before = match BEFORE.get() {
        Some(before) => before,
        None => {
            let before = Before {
                termios: tcgetattr(stdout())?,
                errors: isatty(stderr()).then(Errors::new).transpose()?,
            };
            BEFORE.get_or_init(|| before)
        }
    };
    let mut termios = before.termios.clone();
    termios.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
    termios.special_codes[SpecialCodeIndex::VMIN] = 1;
    termios.special_codes[SpecialCodeIndex::VTIME] = 0;

    WRITING.store(true, SeqCst);
    SHOWN.store(true, SeqCst);
    let entered = tcsetattr(stdout(), OptionalActions::Now, &termios)
        .and_then(|()| match &before.errors {
            Some(errors) => dup2_stderr(&errors.write),
            None => Ok(()),
        })
        .and_then(|()| match write_all(stdout(), ENTER) {
            true => Ok(()),
            false => Err(Errno::IO),
        });
    WRITING.store(false, SeqCst);
    if entered.is_err() {
        leave();
    }
    Ok(entered?)
}

/// Writes to the terminal for as long as the view has it. False once it has not.
pub fn draw(bytes: &[u8]) -> bool {
    WRITING.store(true, SeqCst);
    let shown = SHOWN.load(SeqCst) && write_all(stdout(), bytes);
    WRITING.store(false, SeqCst);
    shown
}

/// Gives the terminal back as it was, if the view has it. Safe within a signal's handler.
pub fn leave() {
    if !SHOWN.swap(false, SeqCst) {
        return;
    }
    // There is one, or it would not be shown.
    let Some(before) = BEFORE.get() else { return };
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let mut waited = Duration::ZERO;
    while WRITING.load(SeqCst) && waited < PATIENCE {
        let _ = poll(&mut [], Some(&pause));
        waited += Duration::from_millis(1);
    }
    if takes_more(PATIENCE) {
        write_all(stdout(), LEAVE);
    }
    let _ = tcsetattr(stdout(), OptionalActions::Now, &before.termios);
    if let Some(errors) = &before.errors {
        let _ = dup2_stderr(&errors.real);
        errors.hand_on();
    }
}

/// Makes room for standard error, once much of it waits.
pub fn make_room() {
    let Some(errors) = BEFORE.get().and_then(|before| before.errors.as_ref()) else {
        return;
    };
    let mut buffer = [0; 4096];
    while ioctl_fionread(&errors.read).is_ok_and(|waiting| waiting > KEPT) {
        match read(&errors.read, &mut buffer) {
            Ok(count @ 1..) => LEFT_OUT.fetch_add(count as u64, Relaxed),
            _ => break,
        };
    }
}

/// How many bytes of standard error were left out, since there were too many.
pub fn left_out() -> u64 {
    LEFT_OUT.load(Relaxed)
}

fn takes_more(within: Duration) -> bool {
    let within = Timespec {
        tv_sec: 0,
        tv_nsec: within.subsec_nanos().into(),
    };
    let out = stdout();
    let mut polled = [PollFd::new(&out, PollFlags::OUT)];
    poll(&mut polled, Some(&within)).is_ok() && polled[0].revents().contains(PollFlags::OUT)
}

/// False if it can't be.
fn write_all(to: impl std::os::fd::AsFd, mut bytes: &[u8]) -> bool {
    let to: BorrowedFd = to.as_fd();
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(0) => return false,
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Somebody else made the terminal one that does not wait.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)),
            Err(_) => return false,
        }
    }
    true
}
