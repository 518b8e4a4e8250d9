//! The handling of SIGINT, SIGTERM and SIGHUP.

use crate::base::{Moment, Nanos};
use crate::system::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

/// Signals that are less than this apart count as one. GNU timeout signals its command and then its whole process group,
/// and a shell may forward the Ctrl-C that the terminal has already sent to everyone.
const COUNT_AS_ONE: Nanos = Nanos(100_000_000);

/// The number of signals so far that count, and the moment of the last of them, in nanoseconds of the monotonic clock.
static COUNT: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

/// The exit code of the signal that is to end the process at once. 0 before that.
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);

/// The number of [`ExitHold`]s, and of those among them that wait for an undo.
static HOLDS: AtomicUsize = AtomicUsize::new(0);
static UNDOING: AtomicUsize = AtomicUsize::new(0);

/// The signal that ends the process at once even if there is an [`ExitHold`].
const LAST_WORD: u32 = 4;

/// Installs the handlers. The first signal requests a stop. The second one, at least 100 ms later, gives the terminal back,
/// removes the temporary files, and ends the process at once with exit code 128 plus the signal's number: 130 for SIGINT,
/// 143 for SIGTERM. An [`ExitHold`] delays that. A SIGHUP or SIGINT that was ignored at the start stays ignored, as under
/// `nohup` and in the background of a shell script. From then on, [suspensions](super::suspension) are noted.
///
/// Returns a function that acts as the first signal does, for other ways to end a run.
///
/// # Errors
/// The system refuses a handler.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<impl Fn() + Send + use<>> {
    #[cfg(unix)]
    let ignored = unix::ignored()?;
    let stop_by_signal = stop.clone();
    ctrlc::set_handler(move || stop_by_signal.request())?;
    #[cfg(unix)]
    unix::exit_on_the_second(&ignored)?;
    #[cfg(unix)]
    crate::system::suspension::install()?;
    Ok(move || {
        count_signal();
        stop.request();
    })
}

/// Counts a signal that has come, unless it counts as one with the signal before. Returns the number of this one if it
/// counts. This is safe within a signal's handler.
fn count_signal() -> Option<u32> {
    let now = Moment::now();
    let last = LAST.load(SeqCst);
    if last != 0 && now.since(Moment::at(last)) < COUNT_AS_ONE {
        return None;
    }
    let is_first_to_count = LAST.compare_exchange(last, now.as_nanos(), SeqCst, SeqCst);
    is_first_to_count.ok()?;
    Some(COUNT.fetch_add(1, SeqCst) + 1)
}

/// The number of signals so far. Signals that are less than 100 ms apart count as one.
pub fn count() -> u32 {
    COUNT.load(SeqCst)
}

/// Keeps the second and the third signal from ending the process at once, so that commands that are running can be ended,
/// and undos can run. Whoever has it looks at [`count`], and drops it as soon as possible after the second signal. The
/// process then ends. The fourth signal ends it in any case.
#[derive(Debug)]
pub struct ExitHold {
    waits_for_undo: bool,
}

impl ExitHold {
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> ExitHold {
        HOLDS.fetch_add(1, SeqCst);
        ExitHold {
            waits_for_undo: false,
        }
    }

    /// Sets whether the process has to wait for an undo. The second signal then says so on standard error.
    pub fn wait_for_undo(&mut self, waits: bool) {
        if waits != self.waits_for_undo {
            self.waits_for_undo = waits;
            if waits {
                UNDOING.fetch_add(1, SeqCst);
            } else {
                UNDOING.fetch_sub(1, SeqCst);
            }
        }
    }
}

impl Drop for ExitHold {
    fn drop(&mut self) {
        self.wait_for_undo(false);
        if HOLDS.fetch_sub(1, SeqCst) == 1 {
            // A handler sets the code before it looks for holds, so that one of both sees the other.
            #[cfg(unix)]
            match EXIT_CODE.load(SeqCst) {
                0 => {}
                code => unix::exit(code),
            }
        }
    }
}

/// Has a write beyond the limit on a file's size fail, instead of ending the process.
///
/// # Errors
/// The system refuses it.
pub fn ignore_file_size_limit() -> std::io::Result<()> {
    #[cfg(unix)]
    unix::ignore_file_size_limit()?;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use super::{EXIT_CODE, HOLDS, LAST_WORD, SeqCst, UNDOING, count_signal};
    use crate::system::{temporary_files, terminal};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::stdio::stderr;
    use signal_hook::low_level;
    use std::ffi::c_int;

    /// The signals that are ignored and may stay so. ctrlc is about to replace their actions.
    pub fn ignored() -> nix::Result<Vec<Signal>> {
        let mut ignored = Vec::new();
        for signal in [Signal::SIGINT, Signal::SIGHUP] {
            let before = set_action(signal, &ignore())?;
            set_action(signal, &before)?;
            if matches!(before.handler(), SigHandler::SigIgn) {
                ignored.push(signal);
            }
        }
        Ok(ignored)
    }

    /// Lets a write beyond the limit on a file's size fail as any other write, instead of ending the process.
    pub fn ignore_file_size_limit() -> nix::Result<()> {
        set_action(Signal::SIGXFSZ, &ignore()).map(drop)
    }

    /// Ends the process within the handler of the second signal: ctrlc's own thread would be later, and does not know
    /// the signal's number.
    pub fn exit_on_the_second(ignored: &[Signal]) -> anyhow::Result<()> {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            if ignored.contains(&signal) {
                set_action(signal, &ignore())?;
                continue;
            }
            let signal = signal as c_int;
            // SAFETY: everything that `act` does is safe within a handler.
            unsafe { low_level::register(signal, move || act(128 + signal))? };
        }
        Ok(())
    }

    fn act(exit_code: c_int) {
        let Some(count @ 2..) = count_signal() else {
            return;
        };
        EXIT_CODE.store(exit_code, SeqCst);
        if count >= LAST_WORD || HOLDS.load(SeqCst) == 0 {
            exit(exit_code);
        }
        terminal::leave();
        if count == 2 && UNDOING.load(SeqCst) > 0 {
            say(b"loadgen: waiting for the undo of what this run has done; a third signal skips it\n");
        }
    }

    /// Ends the process at once. This is safe within a signal's handler.
    pub fn exit(code: c_int) -> ! {
        terminal::leave();
        temporary_files::remove_all();
        low_level::exit(code)
    }

    /// Writes to standard error, unless its reader is slow.
    fn say(line: &[u8]) {
        let mut polled = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
        let at_once = Timespec::default();
        if poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0) {
            let _ = rustix::io::write(stderr(), line);
        }
    }

    fn ignore() -> SigAction {
        SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty())
    }

    fn set_action(signal: Signal, action: &SigAction) -> nix::Result<SigAction> {
        // SAFETY: the handler is SIG_IGN or the one that was set before.
        unsafe { sigaction(signal, action) }
    }
}
